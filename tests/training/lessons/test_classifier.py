import numpy as np
import pytest
import torch
from torch import nn

from explorer.networks.embedded import MEAN, STD, MiniVGG, mini_resnet
from explorer.training.lessons.classifier import (
    ClassifierTask,
    Phase,
    accuracy,
    batch_rows,
    distilled,
    normalize,
    random_view,
)
from explorer.training.loop import Recipe
from tests.training.toy import toy_photos


def test_an_epoch_uses_every_photo_once():
    rows = np.concatenate([batch_rows(step, 12, 4, seed=1) for step in range(3)])
    assert sorted(rows) == list(range(12))
    second = np.concatenate([batch_rows(step, 12, 4, seed=1) for step in range(3, 6)])
    assert sorted(second) == list(range(12))
    assert list(rows) != list(second)


def test_a_batch_may_reach_into_the_next_epoch():
    rows = np.concatenate([batch_rows(step, 5, 4, seed=1) for step in range(5)])
    assert np.array_equal(np.bincount(rows, minlength=5), [4] * 5)


def test_normalize_by_hand():
    pixels = torch.tensor([[[[255, 0, 51]]]], dtype=torch.uint8)
    expected = [(v - m) / s for v, m, s in zip((1.0, 0.0, 0.2), MEAN, STD, strict=True)]
    assert normalize(pixels).flatten().tolist() == pytest.approx(expected, rel=1e-5)
    assert normalize(pixels).shape == (1, 3, 1, 1)


def test_a_view_is_a_function_of_the_generator():
    pixels = torch.from_numpy(toy_photos(4).pixels)
    views = [random_view(pixels, 24, torch.Generator().manual_seed(s)) for s in (5, 5, 6)]
    assert views[0].shape == (4, 3, 24, 24)
    assert torch.equal(views[0], views[1])
    assert not torch.equal(views[0], views[2])


def test_a_view_of_all_of_the_photo_is_the_photo_or_its_mirror_image():
    # a step from dark to bright at column 16 of 64: at 16 of 64 or, mirrored, at 48
    pixels = torch.zeros(32, 64, 64, 3, dtype=torch.uint8)
    pixels[:, :, 16:] = 255
    generator = torch.Generator().manual_seed(0)
    views = random_view(pixels, 64, generator, area=(1.0, 1.0), ratio=(1.0, 1.0))
    middle = (views.amax((2, 3), keepdim=True) + views.amin((2, 3), keepdim=True)) / 2
    bright = (views > middle)[:, 0, 32].sum(1)
    assert set(bright.tolist()) == {48}
    assert 0 < int((views[:, 0, 32, 0] > middle[:, 0, 0, 0]).sum()) < 32


class Constant(nn.Module):
    def __init__(self, order):
        super().__init__()
        self.order = nn.Parameter(torch.tensor(order, dtype=torch.float32))

    def forward(self, images):
        return self.order.expand(len(images), -1)


def test_accuracy_by_hand():
    # always says 2, 0, 1, 3, 4 in this order; labels go 0 .. 5 in turn
    photos = toy_photos(12, classes=4)
    labels = np.arange(12) % 6
    photos = type(photos)(photos.pixels, labels, photos.boxes)
    figures = accuracy(Constant([4.0, 3.0, 5.0, 2.0, 1.0, 0.0]).eval(), photos, batch=5)
    assert figures == {"top1": pytest.approx(1 / 6), "top5": pytest.approx(5 / 6)}


def test_distillation_by_hand():
    same = torch.tensor([[1.0, 3.0], [0.0, 2.0]])
    assert distilled(same, same).item() == pytest.approx(0, abs=1e-6)
    # at T = 2: teacher (3/4, 1/4), student (1/2, 1/2); KL = log 2 - H(3/4, 1/4), times T^2
    teacher, student = torch.tensor([[2 * np.log(3), 0.0]]), torch.zeros(1, 2)
    entropy = -(0.75 * np.log(0.75) + 0.25 * np.log(0.25))
    assert distilled(student, teacher, 2.0).item() == pytest.approx(4 * (np.log(2) - entropy))


def test_a_teacher_is_asked_and_left_alone():
    torch.manual_seed(0)
    recipe = Recipe(epochs=1, batch=4, peak=0.1)
    teacher = mini_resnet(4).requires_grad_(requires_grad=False)
    phases = (Phase(1.0, (32,)),)
    task = ClassifierTask(toy_photos(8), recipe, 4, phases, make=MiniVGG, teacher=teacher)
    model = task.build()
    task.prepare(model)
    before = {k: v.clone() for k, v in teacher.state_dict().items()}
    losses = task.losses(model, 0, 0.0, torch.device("cpu"))
    assert set(losses) == {"labels", "teacher"}
    losses["teacher"].backward()
    assert model.features[0].weight.grad.abs().sum() > 0
    assert all(torch.equal(before[k], v) for k, v in teacher.state_dict().items())
