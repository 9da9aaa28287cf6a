from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from explorer.networks.embedded import lite_localizer
from explorer.networks.embedded.lite import EfficientNetLite0
from explorer.training.data.canvases import Canvas
from explorer.training.data.pool import read_pool
from explorer.training.lessons.lite import localizer
from explorer.training.lessons.lite.localizer import (
    CLASSES,
    HEADS,
    RECIPE,
    TOGETHER,
    LiteLocalizerTask,
    begun,
    box_loss,
    localization,
    localizer_losses,
    networks,
    shipped,
    truth_of,
)
from explorer.training.loop import train
from tests.training.pool_toy import write_pool

CPU = torch.device("cpu")


@pytest.fixture
def small(monkeypatch):
    monkeypatch.setattr(localizer, "SIDE", 64)


def task_of(folder, **options):
    pool = read_pool(write_pool(folder, size=(180, 240)), least=3)
    recipe = replace(RECIPE, batch=2, epochs=0.4)
    options = {"weights": None, "classifier": None} | options
    return LiteLocalizerTask(pool=pool, recipe=recipe, **options)


def window(label, box, side=40):
    return Canvas(
        np.zeros((side, side, 3), np.uint8), np.array([box], np.float32), np.array([label]),
        np.zeros((0, 4), np.float32),
    )  # fmt: skip


def test_the_body_stays_and_every_network_ships_alone(tmp_path, small):
    task = task_of(tmp_path / "pool")
    torch.manual_seed(task.recipe.seed)
    before = task.build().state_dict()
    after = train(task, task.recipe, tmp_path / "out", device=CPU, dtype=torch.float32)
    weights = after.model.state_dict()
    moved = {n for n, v in weights.items() if not torch.equal(before[n], v)}
    assert not any(n.startswith(("body.blocks", "body.conv_stem", "body.bn1")) for n in moved)
    assert {"body.conv_head.weight", "body.bn2.running_mean", "body.classifier.bias"} <= moved
    assert all(f"heads.{head}.fc1.weight" in moved for head in HEADS)
    files = {}
    for name, (attach, per_class) in zip(networks(TOGETHER), HEADS.values(), strict=True):
        own = shipped(name, weights)
        lite_localizer(len(CLASSES), attach=attach, per_class=per_class).load_state_dict(own)
        files |= {f"{name}.{key}": value for key, value in own.items()}
    again = begun(files)
    assert again.keys() == weights.keys()
    assert all(torch.equal(again[key], value) for key, value in weights.items())


def test_the_last_convolution_begins_as_imagenets(tmp_path):
    classifier = EfficientNetLite0().state_dict()
    body = {k: v + 1 for k, v in classifier.items() if k.startswith("blocks.") and v.ndim > 1}
    own = EfficientNetLite0(2).state_dict() | body
    detector = {f"backbone.body.{k}": v for k, v in own.items() if k.split(".")[0] == "blocks"}
    built = task_of(tmp_path, weights=detector, classifier=classifier).build().body.state_dict()
    assert torch.equal(built["conv_head.weight"], classifier["conv_head.weight"])
    key = "blocks.3.0.conv_pw.weight"
    assert torch.equal(built[key], classifier[key] + 1)
    assert built["classifier.weight"].shape == (20, 1280)


def test_the_box_loss_by_hand():
    truth = torch.tensor([[0.0, 0.0, 0.5, 1.0]])
    boxes, labels = torch.tensor([[[0.5, 0.0, 1.0, 1.0]]]), torch.tensor([1])
    # side by side: IoU 0, hull = union, so 1 - GIoU = 1; sides differ by (1/2 + 0 + 1/2 + 0) / 4
    assert box_loss(boxes, labels, truth).item() == pytest.approx(1 + 2 * 0.25)
    # with a box per class the label's one counts
    both = torch.stack([boxes[:, 0], truth], dim=1)
    assert box_loss(both, labels, truth).item() == pytest.approx(0, abs=1e-6)


def test_boxes_are_fractions_of_their_windows():
    boxes, labels = truth_of([window(3, (0, 10, 20, 40)), window(0, (5, 5, 10, 10), side=20)])
    assert boxes.tolist() == [[0, 0.25, 0.5, 1], [0.25, 0.25, 0.5, 0.5]]
    assert labels.tolist() == [3, 0]


def test_the_losses_see_the_classes_and_every_head():
    torch.manual_seed(0)
    model = localizer.BoxHeads().eval()
    windows = [window(4, (0, 0, 40, 40)), window(7, (10, 10, 30, 30))]
    found = localizer_losses(model, windows, CPU)
    assert list(found) == ["class", *HEADS]
    # at first three quarters of the width and height, which is between both boxes
    share = torch.sigmoid(torch.tensor(1.1)).item()
    ious = [share**2, 0.25 / share**2]
    sides = [(1 - share) / 2, (share - 0.5) / 2]
    wanted = np.mean([1 - iou + 2 * side for iou, side in zip(ious, sides, strict=True)])
    for head in HEADS:
        assert found[head].item() == pytest.approx(wanted, abs=0.05)


class Fixed(nn.Module):
    """Says class 0 and the left half, whatever it sees."""

    def __init__(self):
        super().__init__()
        self.nothing = nn.Parameter(torch.zeros(1))

    def forward(self, images):
        logits = torch.tensor([[1.0, 0, 0, 0]]).expand(len(images), -1)
        return {"logits": logits, "boxes": torch.tensor([[0, 0, 0.5, 1.0]]).expand(len(images), -1)}


def test_localization_error_by_hand():
    half, whole, right = (0, 0, 20, 40), (0, 0, 40, 40), (25, 0, 40, 40)
    windows = [window(0, half), window(1, half), window(0, whole), window(0, right)]
    # class right: 3 of 4; IoU 1, 1, 1/2, 0: the box is right in 3, both are in 2
    found = localization(Fixed(), windows)
    assert found["localization_error"] == pytest.approx(0.5)
    assert found["top1"] == pytest.approx(0.75)
    assert found["box_error"] == pytest.approx(0.25)
    assert found["mean_iou"] == pytest.approx(2.5 / 4)
