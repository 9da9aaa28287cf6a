"""Boxes are the network's own numbers, moved into the photo; overlaps are worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from explorer.core.errors import ExplorerError
from explorer.core.params import Box
from explorer.engine.scene import Scene
from explorer.images.image import from_array
from explorer.networks.preprocess import Preprocess
from explorer.views.predictions.localize import VIEW, Params
from explorer.vision.features.localization import boxes_of
from tests.toys import make_network, toy_image, toy_network

CLASSES = ("cat", "dog", "car")


class Says(nn.Module):
    """A dog in the left half, a cat in the lower right quarter, a car everywhere."""

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        boxes = torch.tensor([[[0.5, 0.5, 1, 1], [0, 0, 0.5, 1], [0, 0, 1, 1]]])
        logits = torch.tensor([[1.0, 2.0, 0.0]])
        return {"logits": logits, "boxes": boxes[:, 1], "boxes_per_class": boxes}


def result_of(height: int, width: int, preprocess: Preprocess | None = None):
    network = make_network(Says(), "localization", classes=CLASSES, preprocess=preprocess)
    photo = from_array(np.zeros((height, width, 3), np.uint8), "black")
    (step,) = VIEW.compute(Scene(network, photo), Params())
    return step.value


def test_boxes_in_the_photo_by_hand() -> None:
    # short side 10, the middle 10x10 of 20x10: pixels 10..30 of the width of 40, twice as large
    result = result_of(20, 40, Preprocess(resize=10, crop=10))
    assert result.boxes.tolist() == [[20, 10, 30, 20], [10, 0, 20, 20], [10, 0, 30, 20]]
    board = VIEW.draw(result, Params())
    shares = np.exp([1, 2, 0]) / np.exp([1, 2, 0]).sum()
    assert board.summary == f"dog: {shares[1]:.1%}, in a box of 10 x 20 pixels"
    assert board.boxes("boxes").xyxy.tolist() == [[10, 0, 20, 20]]
    assert board.boxes("crop").xyxy.tolist() == [[10, 0, 30, 20]]
    assert [row[0] for row in board.tables[0].rows] == ["dog", "cat", "car"]
    assert board.boxes("boxes").key(0) == board.tables[0].keys[0] == 1


def test_more_boxes_the_first_on_top() -> None:
    board = VIEW.draw(result_of(8, 8), Params(top=2))
    assert board.boxes("boxes").xyxy.tolist() == [[4, 4, 8, 8], [0, 0, 4, 8]]


@pytest.mark.parametrize(
    ("box", "words"),
    [
        (Box(0, 0, 4, 4, "dog"), "IoU 0.50 with ground truth: right"),
        (Box(0, 0, 4, 4), "IoU 0.50 with ground truth: right"),
        (Box(0, 0, 4, 8, "cat"), "IoU 1.00 with ground truth: wrong class"),
        (Box(2, 0, 6, 8, "dog"), "IoU 0.33 with ground truth: IoU below 0.5"),
    ],
)
def test_against_the_truth_by_hand(box: Box, words: str) -> None:
    board = VIEW.draw(result_of(8, 8), Params(truth=(box,)))
    assert board.summary.endswith(words)
    assert board.tables[0].columns[-1] == "IoU with ground truth"


def test_equal_to_the_networks_own_output() -> None:
    scene = Scene(toy_network("localization"), toy_image())
    (step,) = VIEW.compute(scene, Params())
    with torch.no_grad():
        own = scene.network.module(scene.input())
    assert np.array_equal(step.value.logits, own["logits"][0].numpy())
    pixels = own["boxes_per_class"][0].numpy() * np.float32(32)  # the crop's side
    assert np.array_equal(step.value.boxes, scene.frame.inverse().boxes(pixels))
    first = int(own["logits"].argmax())
    assert torch.equal(own["boxes"][0], own["boxes_per_class"][0, first])
    assert step.value.layer == "body"


def test_a_classifier_is_refused_in_words() -> None:
    scene = Scene(toy_network("classification"), toy_image())
    with pytest.raises(ExplorerError, match="one box"):
        boxes_of(scene.output(), scene.frame, (32, 32))
