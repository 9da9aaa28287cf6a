"""Boxes are the network's own numbers, moved into the photo; overlaps are worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from explorer.core.errors import ExplorerError
from explorer.core.params import Box, NetworkRef
from explorer.engine.scene import Opened, Scene
from explorer.images.image import from_array
from explorer.networks.preprocess import Preprocess
from explorer.views.predictions.localize.view import VIEW, Params
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
    assert result.head.boxes.tolist() == [[20, 10, 30, 20], [10, 0, 20, 20], [10, 0, 30, 20]]
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
        (Box(0, 0, 4, 4, "dog"), "IoU 0.50 with ground truth: correct"),
        (Box(0, 0, 4, 4), "IoU 0.50 with ground truth: correct"),
        (Box(0, 0, 4, 8, "cat"), "IoU 1.00 with ground truth: wrong class"),
        (Box(2, 0, 6, 8, "dog"), "IoU 0.33 with ground truth: IoU below 0.5"),
    ],
)
def test_against_the_truth_by_hand(box: Box, words: str) -> None:
    board = VIEW.draw(result_of(8, 8), Params(truth=(box,)))
    assert board.summary.endswith(words)
    assert board.tables[0].columns[-2:] == ("result", "IoU with ground truth")


def test_equal_to_the_networks_own_output() -> None:
    scene = Scene(toy_network("localization"), toy_image())
    (step,) = VIEW.compute(scene, Params())
    with torch.no_grad():
        own = scene.network.module(scene.input())
    head = step.value.head
    assert np.array_equal(head.logits, own["logits"][0].numpy())
    pixels = own["boxes_per_class"][0].numpy() * np.float32(32)  # the crop's side
    assert np.array_equal(head.boxes, scene.frame.inverse().boxes(pixels))
    first = int(own["logits"].argmax())
    assert torch.equal(own["boxes"][0], own["boxes_per_class"][0, first])
    assert head.layer == "body"


def test_a_classifier_is_refused_in_words() -> None:
    scene = Scene(toy_network("classification"), toy_image())
    with pytest.raises(ExplorerError, match="one box"):
        boxes_of(scene.output(), scene.frame, (32, 32))


class SaysFive(nn.Module):
    """Six classes, "a" to "f", the most probable first; the box of "c" is the left half."""

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        boxes = torch.tensor([[0.5, 0.5, 1, 1]]).repeat(6, 1)
        boxes[2] = torch.tensor([0.0, 0, 0.5, 1])
        logits = torch.arange(6.0, 0, -1)[None]
        return {"logits": logits, "boxes": boxes[None, 0], "boxes_per_class": boxes[None]}


def board_of_five(truth: tuple[Box, ...], **params):
    network = make_network(SaysFive(), "localization", classes=tuple("abcdef"))
    photo = from_array(np.zeros((8, 8, 3), np.uint8), "black")
    (step,) = VIEW.compute(Scene(network, photo), Params())
    return VIEW.draw(step.value, Params(truth=truth, **params))


def descent(board):
    return [layer for layer in board.panes[0].layers if layer.name == "descent"]


@pytest.mark.parametrize(
    ("truth", "words"),
    [
        (Box(0, 0, 4, 8, "c"), "wrong class; prediction 3 of 5 is correct"),
        (Box(4, 4, 8, 8, "f"), "wrong class; none of the first 5 predictions is correct"),
        (Box(0, 0, 4, 8, "b"), "wrong class; none of the first 5 predictions is correct"),
        (Box(4, 4, 8, 8, "a"), "IoU 1.00 with ground truth: correct"),
    ],
)
def test_one_of_five_predictions_must_be_correct(truth: Box, words: str) -> None:
    board = board_of_five((truth,))
    assert board.summary.endswith(words)
    correct = [row[6] for row in board.tables[0].rows].count("correct")
    assert correct == (0 if "none" in words else 1)


def test_of_several_objects_the_one_of_the_class_counts() -> None:
    board = board_of_five((Box(4, 4, 8, 8, "b"), Box(4, 4, 8, 6, "a")))
    assert board.summary.endswith("IoU 0.50 with ground truth: correct")


def test_arrows_point_where_the_loss_falls() -> None:
    board = board_of_five((Box(2, 2, 6, 6, "a"),), loss="L1")
    (arrows,) = descent(board)
    moves = arrows.segments[:, 2:] - arrows.segments[:, :2]
    # the box is 4, 4, 8, 8: all sides move left or up, each by the same part of the photo
    assert (moves <= 0).all()
    np.testing.assert_allclose(np.abs(moves).max(axis=1), [0.18 * 8] * 4, rtol=1e-6)
    table = next(table for table in board.tables if table.name == "losses")
    rows = {row[0]: row[1] for row in table.rows}
    assert rows["L1"] == pytest.approx(1.0)  # four times 2 of 8 pixels
    assert rows["IoU"] == pytest.approx(1 - 4 / 28, abs=1e-4)
    (plot,) = board.plots
    assert [curve.y[-1] for curve in plot.curves] == pytest.approx([0.0] * 7, abs=1e-9)


def test_without_overlap_iou_has_no_gradient_and_says_so() -> None:
    board = board_of_five((Box(0, 0, 2, 2, "a"),), loss="IoU")
    assert board.notes == ("IoU has no gradient here: the boxes do not overlap.",)
    assert not descent(board)
    assert descent(board_of_five((Box(0, 0, 2, 2, "a"),), loss="GIoU"))
    assert not descent(board_of_five((Box(0, 0, 2, 2, "a"),), loss="none"))


def test_other_heads_beside_are_those_networks_own_boxes() -> None:
    ref = NetworkRef("other")
    params = Params(others=(ref,), truth=(Box(0, 0, 30, 30),))
    other = make_network(Says(), "localization", classes=CLASSES)
    opened = Opened(networks={ref: other})
    scene = Scene(toy_network("localization"), toy_image(), opened=opened)
    steps = list(VIEW.compute(scene, params))
    assert [(step.done, step.total) for step in steps] == [(1, 2), (2, 2)]
    result = steps[-1].value
    height, width = toy_image().pixels.shape[:2]
    assert result.heads[1].boxes[1].tolist() == [0, 0, width / 2, height]
    board = VIEW.draw(result, params)
    assert [pane.name for pane in board.panes] == ["image", "head 1"]
    assert len(next(table for table in board.tables if table.name == "heads").rows) == 2
    assert [row["class"] for row in VIEW.data(result, params)["heads"]][1] == "dog"
