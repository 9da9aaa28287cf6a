import numpy as np
import pytest
import torch
from torch import nn

from explorer.networks.embedded import mini_localizer
from explorer.training.lessons.classifier import random_crop, seen_through
from explorer.training.lessons.localizer import (
    HEADS,
    LocalizerTask,
    box_loss,
    boxes_in_crop,
    fractions,
    grid_of,
    localization,
    shipped,
)
from explorer.training.loop import Recipe, train
from tests.training.toy import COLORS, toy_photos

CPU = torch.device("cpu")
RECIPE = Recipe(epochs=1, batch=4, peak=0.1)


def crop_of(width, height, x, y):
    """Of a part `width` by `height` of a photo with its middle at x, y in [-1, 1]."""
    return torch.tensor([[[width, 0, x], [0, height, y]]], dtype=torch.float32)


def test_boxes_in_a_part_by_hand():
    box = torch.tensor([[0.25, 0.5, 0.5, 1.0]])
    found, seen = boxes_in_crop(box, crop_of(1, 1, 0, 0))
    assert found[0].tolist() == pytest.approx([0.25, 0.5, 0.5, 1.0])
    assert seen.tolist() == [True]
    # mirrored
    assert boxes_in_crop(box, crop_of(-1, 1, 0, 0))[0][0].tolist() == pytest.approx(
        [0.5, 0.5, 0.75, 1.0]
    )
    # the left half of the photo, mirrored: 0.25..0.5 is its right half, so the left one now
    assert boxes_in_crop(box, crop_of(-0.5, 1, -0.5, 0))[0][0].tolist() == pytest.approx(
        [0.0, 0.5, 0.5, 1.0]
    )
    # the upper 5/8: a quarter of the box's height is left, which is too little
    found, seen = boxes_in_crop(box, crop_of(1, 0.625, 0, -0.375))
    assert found[0].tolist() == pytest.approx([0.25, 0.8, 0.5, 1.0])
    assert seen.tolist() == [False]


def test_boxes_lie_where_the_pixels_are_in_random_parts():
    photos, generator = toy_photos(24), torch.Generator().manual_seed(2)
    crop = random_crop(24, generator, area=(0.5, 1.0))
    views = seen_through(crop, torch.from_numpy(photos.pixels), 128, generator)
    boxes, _ = boxes_in_crop(fractions(photos), crop)
    for view, box, label in zip(views, boxes, photos.labels, strict=True):
        channel = view[int(COLORS[label].argmax())]
        if float(channel.max() - channel.min()) < 0.5:  # turned gray and faint
            continue
        rows, columns = np.nonzero((channel > (channel.max() + channel.min()) / 2).numpy())
        found = [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
        assert np.array(found) / 128 == pytest.approx(box.numpy(), abs=0.025)


def test_the_loss_by_hand():
    truth = torch.tensor([[0.0, 0.0, 0.5, 1.0], [0.0, 0.0, 1.0, 1.0]])
    boxes = torch.tensor([[[0.5, 0.0, 1.0, 1.0]], [[9.0, 9.0, 9.0, 9.0]]])
    labels, seen = torch.tensor([1, 0]), torch.tensor([True, False])
    # side by side: IoU 0, hull = union, so 1 - GIoU = 1; sides differ by (1/2 + 0 + 1/2 + 0) / 4
    assert box_loss(boxes, labels, truth, seen).item() == pytest.approx(1 + 2 * 0.25)
    # with a box per class the label's one counts
    both = torch.stack([boxes[:, 0], truth], dim=1)
    assert box_loss(both, labels, truth, seen).item() == pytest.approx(0, abs=1e-6)


def task_of(body="mini_resnet", recipe=RECIPE):
    return LocalizerTask(toy_photos(16), body, recipe=recipe, num_classes=4)


@pytest.mark.parametrize("body", ["mini_resnet", "mini_vgg"])
def test_a_training_moves_the_heads_only_and_every_head_ships_alone(tmp_path, body):
    task = task_of(body)
    torch.manual_seed(RECIPE.seed)
    before = task.build().state_dict()
    state = train(task, RECIPE, tmp_path, device=CPU, dtype=torch.float32)
    after = state.model.state_dict()
    for name, value in after.items():
        assert torch.equal(value, before[name]) is name.startswith("body."), name
    for head, (attach, per_class) in HEADS.items():
        network = mini_localizer(
            4, body=body, attach=attach, per_class=per_class, grid=grid_of(body)
        )
        network.load_state_dict(shipped(f"mini-boxes-x-{head}", after))


class Fixed(nn.Module):
    """Says class 0 and the left half, whatever it sees."""

    def __init__(self):
        super().__init__()
        self.nothing = nn.Parameter(torch.zeros(1))

    def forward(self, images):
        logits = torch.tensor([[1.0, 0, 0, 0]]).expand(len(images), -1)
        return {"logits": logits, "boxes": torch.tensor([[0, 0, 0.5, 1.0]]).expand(len(images), -1)}


def test_localization_error_by_hand():
    photos = toy_photos(4)
    photos.boxes[:] = [[0, 0, 32, 64], [0, 0, 32, 64], [0, 0, 64, 64], [40, 0, 64, 64]]
    photos.labels[:] = [0, 1, 0, 0]
    # class right: 3 of 4; IoU 1, 1, 1/2, 0: the box is right in 3, both are in 2
    found = localization(Fixed(), photos, side=64)
    assert found["localization_error"] == pytest.approx(0.5)
    assert found["top1"] == pytest.approx(0.75)
    assert found["box_error"] == pytest.approx(0.25)
    assert found["mean_iou"] == pytest.approx(2.5 / 4)
