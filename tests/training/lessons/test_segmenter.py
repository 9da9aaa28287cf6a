import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from explorer.evaluation.scenes import Scene
from explorer.networks.embedded import mini_resnet
from explorer.training import evaluate
from explorer.training.__main__ import main
from explorer.training.lessons.segmenter import (
    RECIPE,
    SegmenterTask,
    label_map,
    mean_iou,
    pixel_losses,
)
from explorer.training.loop import train
from tests.training.toy import toy_photos, write_data

CPU = torch.device("cpu")


def toy_masks(photos):
    masks = np.zeros((len(photos), 64, 64), bool)
    for mask, (x0, y0, x1, y1) in zip(masks, photos.boxes.astype(int), strict=True):
        mask[y0:y1, x0:x1] = True
    return np.packbits(masks, axis=-1)


def toy_task(**options):
    photos = toy_photos(16)
    recipe = replace(RECIPE, batch=2, epochs=0.5)
    masks = toy_masks(photos)
    return SegmenterTask(photos, [1, 2, 3, 0], recipe=recipe, side=64, masks=masks, **options)


def two_halves():
    """Left a dog (1), right below a cat (2), the rest is ground."""
    masks = np.zeros((2, 64, 64), bool)
    masks[0, :, :32] = True
    masks[1, 32:, 32:] = True
    boxes = np.array([[0, 0, 32, 64], [32, 32, 64, 64]], np.float32)
    return Scene(
        np.zeros((64, 64, 3), np.uint8), boxes, np.array([1, 2]), np.array([-1, -1]), masks
    )


def test_a_training_moves_all_but_the_body(tmp_path):
    task = toy_task()
    torch.manual_seed(task.recipe.seed)
    before = task.build().state_dict()
    after = train(task, task.recipe, tmp_path, device=CPU, dtype=torch.float32).model.state_dict()
    for name, value in after.items():
        moved = not torch.equal(value, before[name])
        assert moved is not name.startswith("body."), name


def test_it_begins_with_the_classifiers_answers():
    classifier = mini_resnet(4).eval()
    with torch.no_grad():
        classifier.fc.weight.normal_()
    model = toy_task(weights=classifier.state_dict()).build().eval()
    for name, value in model.body.state_dict().items():
        assert torch.equal(value, classifier.state_dict()[name]), name
    with torch.no_grad():
        # what is random away, and of the 3x3 convolutions the middle alone
        for layer in (model.fc6[3], model.fc7[0], model.score_pool4[3]):
            nn.init.dirac_(layer.weight)
        for layer in (model.score_fr, model.score_pool4[-1]):
            layer.weight[0] = 0
            layer.weight[:, 6:] = 0
        fine, coarse = model.features(torch.rand(1, 3, 64, 64))
        at32, at16, _ = model.scores(fine, coarse)
        own = functional.conv2d(coarse, classifier.fc.weight[:3, :, None, None])
    own = own - own.mean(1, keepdim=True)  # which changes no probability
    assert torch.allclose(at32[:, 1:], 0.5 * own[..., ::2, ::2], atol=1e-4)
    assert torch.allclose(model.score_pool4(coarse)[:, 1:], 0.5 * own, atol=1e-4)
    assert at16[:, 0].abs().max() < 1e-6


def test_the_map_of_labels_by_hand():
    found = label_map(two_halves())
    assert found[10, 10] == 1
    assert found[40, 40] == 2
    assert found[10, 40] == 0
    assert np.bincount(found.ravel()).tolist() == [1024, 2048, 1024]


class Fixed(nn.Module):
    """The same scores for every picture, in every frozen and trained part."""

    def __init__(self, labels, sure=50.0):
        super().__init__()
        self.nothing = nn.Parameter(torch.zeros(1))
        self.table = sure * functional.one_hot(torch.from_numpy(labels), 3).permute(2, 0, 1)[None]

    def features(self, images):
        return images, images

    def scores(self, fine, coarse):
        at8 = functional.interpolate(self.table, size=(8, 8), mode="nearest")
        return at8[..., ::4, ::4] * 0, at8[..., ::2, ::2] * 0, at8

    def forward(self, images):
        return {"out": self.table, "out16": self.table * 0, "out32": self.table}


def test_the_losses_by_hand():
    scene = two_halves()
    losses = pixel_losses(Fixed(label_map(scene), sure=1000.0), [scene], CPU)
    assert losses["at 32"].item() == pytest.approx(0.3 * np.log(3))
    assert losses["at 16"].item() == pytest.approx(0.3 * np.log(3))
    # right but for the rows and columns that bilinear enlargement blurs
    everywhere_wrong = 1000.0
    assert losses["at 8"].item() < 0.1 * everywhere_wrong
    wrong = pixel_losses(Fixed((label_map(scene) + 1) % 3, sure=1000.0), [scene], CPU)
    assert wrong["at 8"].item() > 0.6 * everywhere_wrong


def test_mean_iou_by_hand():
    scene = two_halves()
    names = ["background", "dog", "cat"]
    right = mean_iou(Fixed(label_map(scene)), [scene], names)
    assert right["mIoU"] == 1
    assert right["object IoU"] == 1
    assert right["IoU by class"] == {"background": 1.0, "dog": 1.0, "cat": 1.0}
    # all zero: everything is background, which is a quarter
    assert right["mIoU of FCN-16s"] == pytest.approx(0.25 / 3)
    # the cat is taken for a dog: 3072 pixels are called so, 2048 are
    mistaken = mean_iou(Fixed(np.minimum(label_map(scene), 1)), [scene], names)
    assert mistaken["IoU by class"] == {"background": 1.0, "dog": 0.6667, "cat": 0.0}
    assert mistaken["object IoU"] == 1


def test_the_command_trains_it_on_a_trained_classifier(tmp_path, monkeypatch):
    write_data(tmp_path / "data")
    monkeypatch.setattr(evaluate, "SCENES", 3)
    threads = torch.get_num_threads()
    try:
        for name, epochs in (("mini-resnet", "0.2"), ("mini-fcn", "4")):
            words = [
                *("explorer", name, "--data", str(tmp_path / "data"), "--device", "cpu"),
                *("--out", str(tmp_path / name), "--epochs", epochs, "--threads", "1"),
            ]
            monkeypatch.setattr("sys.argv", words)
            assert main() == 0
    finally:
        torch.set_num_threads(threads)
    card = json.loads((tmp_path / "mini-fcn" / "weights" / "mini-fcn.json").read_text())
    assert "pseudo-masks" in card["note"]
    assert {share["network"] for share in card["shares"]} == {"mini-resnet"}
    assert card["bytes"] < 0.6e6
    assert 0 <= card["metrics"]["mIoU"] <= 1
    # kept for the next time
    assert (tmp_path / "cache" / "train-masks.npy").exists()
