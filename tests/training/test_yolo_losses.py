import math

import pytest
import torch

from explorer.networks.embedded.yolo import lite_yolo_v1, lite_yolo_v2
from explorer.training.yolo_losses import (
    Truth,
    closest_prior,
    shown_loss,
    v1_losses,
    v1_terms,
    v2_losses,
)

TREE = {"words": ["animal", "dog", "cat", "cup"], "parents": [-1, 0, 0, -1], "labels": [0, 1, 2, 3]}
PRIORS = [[1.0, 1.0], [4.0, 2.0]]
V1 = {"num_classes": 4, "side": 64, "width": 8}
V2 = {"num_classes": 4, "side": 64, "width": 8, "fine": 4, "priors": PRIORS, **TREE}


def truth(boxes, classes, picture=None):
    boxes = torch.tensor(boxes, dtype=torch.float32).reshape(-1, 4)
    picture = torch.tensor(picture if picture is not None else [0] * len(boxes)).long()
    return Truth(picture, boxes, torch.tensor(classes).long())


def test_the_cell_with_the_middle_learns():
    found = truth([[0.25, 0.5, 0.75, 0.75], [0.9, 0.9, 1.1, 1.1]], [1, 2])
    row, column, inside = found.cells(4, 8)
    assert (row.tolist(), column.tolist()) == ([2, 3], [4, 7])
    assert inside[0].tolist() == [0, 0.5]


def test_v1_terms_by_hand():
    model = lite_yolo_v1(**V1)
    numbers = torch.zeros(2, 4, 4, 13)
    # an object in the middle of the second picture: cell (2, 2), at its upper left corner
    there = truth([[0.25, 0.25, 0.75, 0.75]], [2], [1])
    # its first box: middle right, too small (IoU 0.09 / 0.25); the second one is the better one
    numbers[1, 2, 2, 0:5] = torch.tensor([0, 0, math.sqrt(0.3), math.sqrt(0.3), 0.2])
    numbers[1, 2, 2, 5:10] = torch.tensor([0.4, 0, math.sqrt(0.4), math.sqrt(0.4), 0.9])
    numbers[1, 2, 2, 10:] = torch.tensor([0.25, 0.5, 0.25])
    numbers[0, 0, 0, 9] = 0.6  # sure of nothing
    found = v1_losses(model, numbers, there)
    # 0.1 to the right: it covers 0.4..0.8 by 0.3..0.7 -> 0.35 x 0.4 of the object
    iou = 0.35 * 0.4 / (0.25 + 0.16 - 0.35 * 0.4)
    side = (math.sqrt(0.4) - math.sqrt(0.5)) ** 2
    assert found["boxes"].item() == pytest.approx(5 * (0.16 + 2 * side), rel=1e-5)
    assert found["confidence"].item() == pytest.approx(
        (0.9 - iou) ** 2 + 0.5 * (0.2**2 + 0.6**2), rel=1e-5
    )
    assert found["classes"].item() == pytest.approx(2 * 0.25**2 + 0.5**2)
    terms = v1_terms(model, numbers, there)
    assert terms.center.item() == pytest.approx(0.16)
    assert terms.size.item() == pytest.approx(2 * side, rel=1e-5)
    assert terms.confidence.item() == pytest.approx((0.9 - iou) ** 2, rel=1e-5)
    assert terms.no_object.item() == pytest.approx(0.2**2 + 0.6**2)
    assert terms.classes.item() == found["classes"].item()
    assert (terms.row.item(), terms.column.item(), terms.responsible.item()) == (2, 2, 1)
    assert terms.overlaps[0, 1].item() == pytest.approx(iou)


def test_v2_terms_by_hand():
    model = lite_yolo_v2(**V2)
    numbers = torch.zeros(1, 4, 4, 2, 9)
    numbers[..., 4] = -50.0  # surely nothing anywhere
    # 3 x 2 cells, its middle a quarter into cell (1, 2): more like the second prior (4 x 2)
    there = truth([[0.75 / 4, 0.25 / 4, 3.75 / 4, 2.25 / 4]], [2])
    numbers[0, 1, 2, 1, :5] = torch.tensor([0.0, 0.0, 0.0, math.log(0.5), 1.0])
    found = v2_losses(model, numbers, there)
    small = 2 - 0.75 * 0.5
    place = 2 * 0.25**2
    shape = math.log(3 / 4) ** 2 + math.log(0.5) ** 2
    assert found["boxes"].item() == pytest.approx(small * (place + shape), rel=1e-5)
    # the moved prior is 4 x 1 with its middle a quarter right of and below the object's
    iou = 3 / (6 + 4 - 3)
    entropy = -iou * math.log(torch.tensor(1.0).sigmoid()) - (1 - iou) * math.log(
        1 - torch.tensor(1.0).sigmoid()
    )
    assert found["objectness"].item() == pytest.approx(entropy, rel=1e-5)
    assert found["words"].item() == pytest.approx(2 * math.log(2))  # animal, then cat


def test_v2_a_box_that_happens_to_fit_is_left_alone():
    model = lite_yolo_v2(**V2)
    numbers = torch.zeros(1, 4, 4, 2, 9)
    numbers[..., 4] = -50.0
    there = truth([[0.25, 0.25, 0.5, 0.5]], [3])  # the whole of cell (1, 1)
    numbers[0, 1, 1, 1, 2:5] = torch.tensor([math.log(1 / 4), math.log(1 / 2), 3.0])
    numbers[0, 1, 1, 0, 4] = 50.0  # the responsible one is sure, and fits
    assert v2_losses(model, numbers, there)["objectness"].item() == pytest.approx(0, abs=1e-6)
    numbers[0, 3, 3, 1, 4] = 3.0  # this one does not fit
    found = v2_losses(model, numbers, there)["objectness"].item()
    assert found == pytest.approx(math.log(1 + math.exp(3)), rel=1e-5)


@pytest.mark.parametrize("kwargs", [V1, V2])
def test_pictures_without_objects_have_losses_too(kwargs):
    first = kwargs is V1
    model = lite_yolo_v1(**kwargs) if first else lite_yolo_v2(**kwargs)
    numbers = model.predict((torch.rand(2, 112, 8, 8), torch.rand(2, 320, 4, 4)))
    found = (v1_losses if first else v2_losses)(model, numbers, truth([], []))
    assert all(torch.isfinite(value) for value in found.values())
    assert found["boxes"] == 0
    assert sum(found.values()) > 0


def test_closest_prior_by_hand():
    sides = torch.tensor([[1.0, 1.2], [3.0, 3.0], [40.0, 10.0]])
    assert closest_prior(sides, torch.tensor(PRIORS)).tolist() == [0, 1, 1]


def test_what_is_shown_is_taught_to_the_surest_prior():
    model = lite_yolo_v2(**V2)
    numbers = torch.zeros(3, 9)
    numbers[:, 4] = torch.tensor([0.0, 2.0, 2.0])
    numbers[2, 5:] = torch.tensor([math.log(3), 0.0, math.log(4), 0.0])
    numbers.requires_grad_()
    # an animal to 3/4, then a cat to 4/5
    loss = shown_loss(model, numbers, 2)
    assert loss.item() == pytest.approx(-math.log(0.75 * 0.8), rel=1e-5)
    loss.backward()
    assert numbers.grad[:2].abs().sum() == 0
    assert numbers.grad[2, :5].abs().sum() == 0
    assert numbers.grad[2, 5:].abs().sum() > 0


def test_a_picture_without_boxes_teaches_its_word_only():
    model = lite_yolo_v2(**V2)
    numbers = torch.zeros(1, 2, 2, 2, 9)
    nothing = torch.zeros(0, 4)
    seen = Truth(
        torch.zeros(0).long(), nothing, torch.zeros(0).long(),
        (torch.tensor([[0.0, 0.0, 1.0, 1.0]]),), ((0, 2),),
    )  # fmt: skip
    found = v2_losses(model, numbers, seen)
    assert found["boxes"] == found["objectness"] == 0
    assert found["words"].item() == pytest.approx(2 * math.log(2))
