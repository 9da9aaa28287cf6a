"""The lab's figures are those of an independent count; results come method by method."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
import torch
from torchvision.models.detection import retinanet_resnet50_fpn
from torchvision.ops import box_iou

from explorer.core.errors import ExplorerError
from explorer.core.params import Box
from explorer.core.step import Step
from explorer.engine.scene import Scene
from explorer.views.detection.recall_lab.repeatability import RepeatResult
from explorer.views.detection.recall_lab.view import BEST, REPEAT, VIEW, Params
from explorer.views.shared.regions.proposals import RPN
from explorer.vision.detection.corruptions import CHANGES
from explorer.vision.detection.recall import repeatability
from explorer.vision.proposals.methods import METHODS, propose
from tests.toys import make_network, toy_image, toy_network

TRUTH = (Box(16, 12, 32, 24, "cat"), Box(1, 40, 4, 44), Box(30, 10, 60, 40, "dog"))
FAST = ("k-means boxes", "Gaussian", "sliding window")
PARAMS = Params(methods=FAST, truth=TRUTH, top=50, iou=0.6, most=1000)


def scene(task: str = "classification") -> Scene:
    return Scene(toy_network(task), toy_image(), seed=5)


def steps(params: Params, where: Scene | None = None) -> list[Step[Any]]:
    return list(VIEW.compute(where or scene(), params))


def own_iou(name: str) -> np.ndarray:
    wanted = torch.tensor([[b.x0, b.y0, b.x1, b.y1] for b in TRUTH])
    boxes = propose(name, toy_image().pixels, 1000, seed=5).boxes
    found: np.ndarray = box_iou(wanted, torch.from_numpy(boxes)).numpy()
    return found


def test_methods_come_one_by_one() -> None:
    found = steps(PARAMS)
    assert [step.done for step in found] == [1, 2, 3]
    assert {step.total for step in found} == {3}
    names = [name for name, _ in found[-1].value.runs]
    assert names == [name for name in METHODS if name in FAST]
    for step in found:
        board = VIEW.draw(step.value, PARAMS)
        assert len(board.tables[0].rows) == step.done
    assert "so far" in VIEW.draw(found[0].value, PARAMS).summary


def test_no_choice_means_all() -> None:
    first = next(VIEW.compute(scene(), Params()))
    assert first.total == len(METHODS)
    first = next(VIEW.compute(scene("detection"), Params()))
    assert first.total == len(METHODS) + 2


def test_figures_by_another_implementation() -> None:
    (*_, last) = steps(PARAMS)
    board = VIEW.draw(last.value, PARAMS)
    rows = {row[0]: row for row in board.tables[0].rows}
    for name in FAST:
        overlaps = own_iou(name)
        best = overlaps[:, :50].max(axis=1)
        assert float(rows[name][3]) == pytest.approx((best >= 0.6).mean(), abs=6e-4)
        for column, count in ((4, 100), (5, 1000)):
            means = 2 * np.maximum(overlaps[:, :count].max(axis=1) - 0.5, 0)
            assert float(rows[name][column]) == pytest.approx(means.mean(), abs=6e-4)
        assert rows[name][6] == "–", "2000 boxes were not asked for"
    data = VIEW.data(last.value, PARAMS)
    np.testing.assert_allclose(
        data["best_iou Gaussian"], own_iou("Gaussian")[:, :50].max(axis=1), atol=1e-6
    )


def test_curves_pass_through_the_figures() -> None:
    (*_, last) = steps(PARAMS)
    count, iou, seconds = VIEW.draw(last.value, PARAMS).plots
    assert (count.steers, count.marker, count.log_x) == ("top", 50, True)
    assert (iou.steers, iou.marker) == ("iou", 0.6)
    overlaps = own_iou("Gaussian")
    curve = next(curve for curve in count.curves if curve.label == "Gaussian")
    for x, y in zip(curve.x, curve.y, strict=True):
        assert y == pytest.approx((overlaps[:, : int(x)].max(axis=1) >= 0.6).mean())
    assert curve.y.max() > 0, "nothing to compare"
    curve = next(curve for curve in iou.curves if curve.label == "Gaussian")
    best = overlaps[:, :50].max(axis=1)
    for x, y in zip(curve.x, curve.y, strict=True):
        assert y == pytest.approx((best >= np.float32(x)).mean())
    assert seconds.log_x
    for curve in seconds.curves:
        assert curve.x[0] > 0


def test_the_photo_shows_the_method_that_is_chosen() -> None:
    (*_, last) = steps(PARAMS)
    for name in FAST:
        params = Params(methods=FAST, truth=TRUTH, top=20, of=name)
        board = VIEW.draw(last.value, params)
        drawn = board.boxes("proposals")
        assert drawn is not None
        own = propose(name, toy_image().pixels, 1000, seed=5).boxes[:20]
        np.testing.assert_array_equal(drawn.xyxy[::-1], own)
    board = VIEW.draw(last.value, PARAMS)
    merits = {name: (own_iou(name)[:, :50].max(axis=1) >= 0.6).mean() for name in FAST}
    assert merits[next(n for n in FAST if n in board.summary)] == max(merits.values())


def test_without_truth_it_asks_for_it() -> None:
    params = Params(methods=FAST)
    (*_, last) = steps(params)
    board = VIEW.draw(last.value, params)
    assert "Draw boxes" in board.summary
    assert board.plots == ()
    assert len(board.tables[0].rows) == 3


def test_a_one_shot_detector_is_compared_without_rpn() -> None:
    with torch.random.fork_rng():
        module = retinanet_resnet50_fpn(
            weights=None, weights_backbone=None, num_classes=4, min_size=64, max_size=96
        )
    where = Scene(make_network(module, "detection"), toy_image())
    params = Params(methods=("Gaussian", RPN))
    (step,) = steps(params, where)
    assert [name for name, _ in step.value.runs] == ["Gaussian"]
    assert "single-stage" in VIEW.draw(step.value, params).notes[0]
    with pytest.raises(ExplorerError, match="single-stage"):
        steps(Params(methods=(RPN,)), where)


def test_what_does_not_look_repeats_itself() -> None:
    params = Params(measure=REPEAT, methods=("k-means boxes", "Gaussian"), change="blur")
    found = steps(params)
    assert [step.done for step in found] == list(range(11))
    assert found[-1].total == 10
    result = found[-1].value
    assert isinstance(result, RepeatResult)
    data = VIEW.data(result, params)
    np.testing.assert_allclose(data["repeatability k-means boxes"], 1, atol=1e-6)
    # Lots are drawn anew.
    assert (data["repeatability Gaussian"] < 0.95).all()
    assert len(set(data["repeatability Gaussian"].tolist())) == 5


def test_repeatability_by_another_implementation() -> None:
    params = Params(measure=REPEAT, methods=("Edge Boxes",), change="brightness", strength=1)
    (*_, last) = steps(params)
    pixels = toy_image().pixels
    changed = CHANGES["brightness"].make(pixels, 50).pixels
    first = propose("Edge Boxes", pixels, 1000).boxes
    again = propose("Edge Boxes", changed, 1000).boxes
    best = box_iou(torch.from_numpy(first), torch.from_numpy(again)).amax(dim=1).numpy()
    score = VIEW.data(last.value, params)["repeatability Edge Boxes"][0]
    assert score == pytest.approx(repeatability(first, best), abs=1e-5)
    board = VIEW.draw(last.value, params)
    assert [pane.name for pane in board.panes] == ["image", "changed"]
    np.testing.assert_array_equal(board.panes[1].layers[0].rgb, changed)
    assert board.plots[0].steers == "strength"


def test_the_networks_own_proposals_are_compared_too() -> None:
    params = Params(measure=REPEAT, methods=(RPN,), change="rotation")
    first, *others = itertools.islice(VIEW.compute(scene("detection"), params), 3)
    assert "Comparing" in VIEW.draw(first.value, params).summary
    score = VIEW.data(others[-1].value, params)["repeatability RPN"]
    assert (score[:2] > 0).all()
    assert (score[:2] < 1).all()
    assert np.isnan(score[2:]).all()


def test_a_second_look_computes_nothing_again() -> None:
    where = scene()
    (*_, last) = steps(PARAMS, where)
    (*_, again) = steps(PARAMS, where)
    for one, other in zip(last.value.runs, again.value.runs, strict=True):
        assert one[1] is other[1]


def test_the_best_one_is_the_first_choice() -> None:
    assert Params().of == BEST
