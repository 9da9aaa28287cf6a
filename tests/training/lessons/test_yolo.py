import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from explorer.core.resources import resource_path
from explorer.evaluation.scenes import Scene, SceneMaker
from explorer.networks.class_names import group_labels, group_names, read_shipped_categories
from explorer.networks.embedded.yolo import mini_yolo_v1, mini_yolo_v2
from explorer.training.data.tiny_imagenet import read_categories
from explorer.training.lessons.yolo import (
    RECIPE,
    YoloTask,
    pixels_of,
    priors_of,
    truth_of,
    word_tree,
)
from explorer.training.loop import train
from explorer.training.yolo_losses import Truth, closest_prior, v1_losses, v2_losses
from tests.training.toy import toy_photos, write_data

CPU = torch.device("cpu")
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
    model = mini_yolo_v1(**V1)
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


def test_v2_terms_by_hand():
    model = mini_yolo_v2(**V2)
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
    model = mini_yolo_v2(**V2)
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
    model = mini_yolo_v1(**kwargs) if first else mini_yolo_v2(**kwargs)
    numbers = model.predict((torch.rand(2, 160, 8, 8), torch.rand(2, 320, 4, 4)))
    found = (v1_losses if first else v2_losses)(model, numbers, truth([], []))
    assert all(torch.isfinite(value) for value in found.values())
    assert found["boxes"] == 0
    assert sum(found.values()) > 0


def test_closest_prior_by_hand():
    sides = torch.tensor([[1.0, 1.2], [3.0, 3.0], [40.0, 10.0]])
    assert closest_prior(sides, torch.tensor(PRIORS)).tolist() == [0, 1, 1]


def test_the_truth_of_scenes():
    pixels = np.zeros((10, 20, 3), np.uint8)
    one = Scene(pixels, np.array([[0, 0, 10, 5]], np.float32), np.array([2]), np.array([1]))
    none = Scene(pixels, np.zeros((0, 4), np.float32), np.zeros(0, int), np.zeros(0, int))
    found = truth_of([none, one], (), CPU)
    assert found.picture.tolist() == [1]
    assert found.boxes.tolist() == [[0, 0, 0.5, 0.5]]
    assert found.classes.tolist() == [2]
    assert truth_of([none, one], [7, 9], CPU).classes.tolist() == [9]
    assert pixels_of([one], 16, CPU).shape == (1, 3, 16, 16)


def test_words_without_brothers_are_left_out(tmp_path):
    # entity -> artifact -> red thing and car -> green thing; dogs have no sisters, hills no group
    write_data(tmp_path)
    tree, words = word_tree(read_categories(tmp_path))
    assert tree["words"] == ["artifact", "red thing", "green thing", "dog"]
    assert tree["parents"] == [-1, 0, 0, -1]
    names = group_names()
    wanted = [0, *(names.index(n) + 1 for n in ("device or toy", "car", "dog"))]
    assert tree["labels"] == wanted
    assert words == [1, 2, 3, -1]


def test_the_tree_of_the_shipped_classes():
    categories = read_shipped_categories(resource_path("classes", "tiny-imagenet.json"))
    tree, words = word_tree(categories)
    labels = group_labels(categories)
    model = mini_yolo_v2(len(group_names()) + 1, priors=PRIORS, **tree)
    for category, label, word in zip(categories, labels, words, strict=True):
        if label:
            assert tree["labels"][word] == label
            way = model.tree.way(word)
            assert way[-1] == category.name
            assert set(way) <= set(category.path)
        else:
            assert word == -1
    probable = model.tree(torch.randn(2, len(model.tree)))
    assert torch.allclose(model.tree.per_label(probable, 19).sum(1), torch.ones(2))
    inner = {parent for parent in tree["parents"] if parent >= 0}
    assert all(tree["parents"].count(parent) > 1 for parent in inner)


def test_priors_suit_the_scenes():
    found = priors_of(SceneMaker(toy_photos(), [1, 2, 3, 0]), 96, count=3)
    areas = [w * h for w, h in found]
    assert areas == sorted(areas)
    assert all(0 < v <= 6 for row in found for v in row)
    assert torch.equal(torch.tensor(found).half().float(), torch.tensor(found))


@pytest.mark.parametrize("name", ["mini-yolo-v1", "mini-yolo-v2"])
def test_a_training_moves_the_heads_only_and_goes_on_exactly(name, tmp_path):
    kwargs, words = (V1, ()) if name == "mini-yolo-v1" else (V2, (1, 2, 3, -1))
    recipe = replace(RECIPE, batch=2, epochs=2)
    own = {"kwargs": kwargs, "words": words, "recipe": recipe, "name": name}
    task = YoloTask(toy_photos(16), [1, 2, 3, 0], **own)
    torch.manual_seed(recipe.seed)
    before = task.build().state_dict()
    after = train(task, recipe, tmp_path / "a", device=CPU, dtype=torch.float32)
    assert after.step == 4
    moved = {k for k, v in after.model.state_dict().items() if not torch.equal(v, before[k])}
    assert "predictor.weight" in moved
    assert not any(key.startswith("body.") for key in moved)
    assert "priors" not in moved
    with pytest.raises(Exception, match="stopped after step 2"):
        train(task, recipe, tmp_path / "b", device=CPU, dtype=torch.float32, stop_after=2)
    resumed = train(task, recipe, tmp_path / "b", device=CPU, dtype=torch.float32)
    for key, value in after.model.state_dict().items():
        assert torch.equal(value, resumed.model.state_dict()[key]), key


def test_the_body_is_the_trained_one():
    body = mini_yolo_v1(**V1).body.state_dict()
    detector = {f"backbone.body.{key}": value for key, value in body.items()}
    detector["rpn.head.conv.0.0.bias"] = torch.zeros(4)  # whatever else it has
    task = YoloTask(toy_photos(8), [1, 2, 3, 0], detector, kwargs=V1, name="mini-yolo-v1")
    model = task.build()
    assert all(torch.equal(v, model.body.state_dict()[k]) for k, v in body.items())
