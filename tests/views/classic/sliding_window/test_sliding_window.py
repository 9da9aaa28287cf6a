"""A scan with a classifier whose scores are means of colors: every number is known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from explorer.core.layers import Boxes, Heat
from explorer.engine.scene import Scene
from explorer.images.image import Image, from_array
from explorer.networks.network import Network
from explorer.networks.preprocess import Preprocess
from explorer.views.classic.sliding_window import view
from explorer.views.classic.sliding_window.result import Result
from explorer.views.classic.sliding_window.view import HIGHEST, MEAN, VIEW, Params
from explorer.vision.classic.sliding_window import warped
from tests.toys import MeanClassifier, make_network, toy_image

NAMES = ("red", "green", "blue")
RED = (slice(20, 36), slice(40, 56))
"""Where the photo is red."""
# squares of 32 and 16 pixels, half of them apart: 2 x 3 and 5 x 7 windows of 48 x 64 pixels
FEW = Params(smallest=1 / 3, largest=2 / 3, scales=2, ratios=("1:1",), stride=0.5)


def network() -> Network:
    steps = Preprocess(resize=16, crop=16, mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0))
    return make_network(
        MeanClassifier((8.0, 8.0, 8.0)), "classification", classes=NAMES, preprocess=steps
    )


def photo() -> Image:
    """Blue, with a red square."""
    rgb = np.zeros((48, 64, 3), np.uint8)
    rgb[..., 2] = 255
    rgb[RED] = (255, 0, 0)
    return from_array(rgb, "red on blue")


def looked(params: Params = FEW, image: Image | None = None) -> Result:
    *_, step = VIEW.compute(Scene(network(), image or photo()), params)
    return step.value


def test_the_count_is_known_before_the_first_window() -> None:
    steps = list(VIEW.compute(Scene(network(), photo()), FEW))
    first, last = steps[0].value, steps[-1].value
    assert (first.done, first.total) == (0, 3 * 2 + 7 * 5)
    assert "41 windows predicted" in VIEW.draw(first, FEW).summary
    assert (last.done, last.total) == (41, 41)
    assert [step.value.done for step in steps] == [0, 8, 16, 24, 32, 40, 41]
    assert (steps[-1].done, steps[-1].total) == (41, 41)


def test_every_probability_is_that_of_the_warped_window() -> None:
    image, result = toy_image(48, 64), looked(image=toy_image(48, 64))
    for box, found in zip(result.boxes.astype(int), result.shares, strict=True):
        means = warped(image.pixels, box.tolist(), 16).reshape(-1, 3).mean(axis=0) / 255
        expected = torch.tensor(8.0 * means).softmax(0)
        np.testing.assert_allclose(found, expected, atol=1e-5)


def test_a_window_over_all_of_a_square_photo_has_the_networks_own_output() -> None:
    image, net = toy_image(16, 16), network()
    scene = Scene(net, image)
    *_, step = VIEW.compute(scene, Params(scales=1, smallest=1.0, ratios=("1:1",)))
    np.testing.assert_allclose(step.value.shares, scene.output().softmax(1), rtol=1e-6)


def test_the_best_window_is_where_the_red_is() -> None:
    result = looked()
    board = VIEW.draw(result, replace(FEW, label="red", score=0.5, most=1))
    boxes = board.boxes("best windows")
    assert boxes.xyxy.tolist() == [[40, 16, 56, 32]], "16 pixels, 8 apart: the nearest to the red"
    # 12 of its 16 rows are red: logits 6 and 2
    share = float(np.exp(6) / (np.exp(6) + np.exp(2) + 1))
    assert boxes.labels == (f"red {share:.0%}",)
    assert board.tables[0].rows[0][1:6] == (round(share, 4), 40, 16, 56, 32)
    assert VIEW.data(result, replace(FEW, label="red", score=0.5, most=1))["kept"].tolist() == [
        boxes.keys[0]
    ]


def test_no_two_kept_windows_overlap_more_than_the_threshold() -> None:
    result = looked()
    params = replace(FEW, label="blue", iou=0.0, most=50, score=0.0)
    boxes = VIEW.draw(result, params).boxes("best windows").xyxy
    assert len(boxes) > 1
    for one in range(len(boxes)):
        for other in range(one):
            a, b = boxes[one], boxes[other]
            apart = a[0] >= b[2] or b[0] >= a[2] or a[1] >= b[3] or b[1] >= a[3]
            assert apart


def test_the_heat_map_has_the_highest_or_the_mean_of_the_windows_there() -> None:
    result = looked()
    shares = result.shares[:, 0]
    x0, y0, x1, y1 = result.boxes.T
    over = shares[(x0 <= 48.2) & (x1 > 48.2) & (y0 <= 28.2) & (y1 > 28.2)]
    for heat, expected in ((HIGHEST, over.max()), (MEAN, over.mean())):
        board = VIEW.draw(result, replace(FEW, label="red", heat=heat))
        layer = next(x for x in board.pane("image").layers if isinstance(x, Heat))
        row, column = int(28.2 / 48 * 120), int(48.2 / 64 * 160)
        assert layer.values[row, column] == pytest.approx(expected, rel=1e-5)
    assert f"{len(over)} windows over this place" in board.pane("image").readout(48.2, 28.2)


def test_a_scan_goes_on_where_it_was_canceled() -> None:
    scene = Scene(network(), photo())
    begun = VIEW.compute(scene, FEW)
    next(begun)
    assert next(begun).value.done == 8
    begun.close()
    steps = list(VIEW.compute(scene, replace(FEW, batch=20)))
    assert [step.value.done for step in steps] == [8, 28, 41]
    np.testing.assert_array_equal(steps[-1].value.shares, looked().shares)


def test_the_current_batch_is_framed_and_its_crops_are_shown() -> None:
    _, step, *_ = VIEW.compute(Scene(network(), photo()), replace(FEW, batch=4))
    board = VIEW.draw(step.value, FEW)
    frames = next(x for x in board.pane("image").layers if isinstance(x, Boxes))
    assert np.array_equal(frames.xyxy, step.value.boxes[:4])
    assert len(board.boxes("crop frames").xyxy) == 4
    assert "batch of 4" in board.pane("crops").title
    assert "left" in board.summary


def test_costs_are_extrapolated_from_what_was_measured() -> None:
    result = replace(looked(), warping=1.0, network=7.2)  # 0.2 s for each of 41 windows
    board = VIEW.draw(result, FEW)
    tables = {table.name: table.rows for table in board.tables}
    assert tables["cost"] == (
        ("stride 0.5 of a window", 41, "8.20 s"),
        ("half of it, 0.25", 5 * 3 + 13 * 9, "26.4 s"),
        ("every pixel", 33 * 17 + 49 * 33, "7 min 16 s"),
    )
    assert tables["sizes"][0] == ("32 x 32", "16, 16", "3 x 2", 6, 6, "1.20 s")
    assert tables["sizes"][-1][3:] == (41, 41, "8.20 s")
    assert "8.20 s (200 ms per window)" in board.summary
    assert board.plots[0].curves[0].y.min() == 2 * 1 + 4 * 3, "a stride of a whole window"


def test_of_too_many_windows_only_the_largest_are_classified(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(view, "MOST", 10)
    result = looked()
    assert (result.done, result.total) == (10, 41)
    assert result.finished
    (note,) = VIEW.draw(result, FEW).notes
    assert "Only the first 10 of 41 windows" in note


def test_without_a_probable_window_no_box_is_kept() -> None:
    board = VIEW.draw(looked(), replace(FEW, label="green", score=0.9))
    assert len(board.boxes("best windows").xyxy) == 0
    assert "Best windows after NMS: 0" in board.pane("boxes").title
