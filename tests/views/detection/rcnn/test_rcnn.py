"""R-CNN on one proposal: every number is that of the pipeline, whatever is clicked or drawn."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from explorer.core.errors import ExplorerError
from explorer.core.layers import Board, Boxes
from explorer.core.params import Box
from explorer.engine.references import Opened
from explorer.engine.scene import Scene
from explorer.views.detection.rcnn.view import VIEW, Params, Result
from explorer.views.shared.regions.rcnn import rcnn_of
from explorer.vision.detection.boxes import decode
from explorer.vision.pipelines import rcnn
from explorer.vision.race.networks import BODY
from tests.toy_rcnn import CLASSES, small_body, untrained, use_random_svms
from tests.toys import toy_image

COUNT = 40


@pytest.fixture(autouse=True)
def svms(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    use_random_svms(tmp_path, monkeypatch)


@pytest.fixture(scope="module")
def body():
    return small_body()


@pytest.fixture(scope="module")
def scene(body) -> Scene:
    """One for all: what was computed once need not be computed again."""
    return Scene(None, toy_image(96, 128), opened=Opened({BODY: body}))


def shown(scene: Scene, **values: Any) -> tuple[Result, Board, dict[str, Any]]:
    params = Params(**{"proposer": "k-means boxes", "count": COUNT, **values})
    *_, step = VIEW.compute(scene, params)
    assert VIEW.data is not None
    return step.value, VIEW.draw(step.value, params), VIEW.data(step.value, params)


def test_it_begins_with_the_proposal_of_the_highest_margin(scene: Scene) -> None:
    result, board, data = shown(scene)
    own, pixels = rcnn_of(scene), scene.image.pixels
    seen = rcnn.features(own.body, rcnn.warp(pixels, data["proposals"], own.side))
    margins = rcnn.scores(own.heads, seen)
    np.testing.assert_allclose(data["margins"], margins, atol=1e-4)
    row, label = np.unravel_index(data["margins"].argmax(), margins.shape)
    assert result.region is not None
    assert result.region.row == row
    assert data["class"] == CLASSES[label]
    np.testing.assert_allclose(data["region_margins"], margins[row], atol=1e-4)
    np.testing.assert_allclose(data["features"], seen.vector[row], atol=1e-4)
    np.testing.assert_allclose(data["deltas"], rcnn.deltas(own.heads, seen)[row], atol=1e-4)
    assert board.summary.startswith(f"Proposal {row + 1}: {CLASSES[label]}?")


def test_every_stage_of_a_clicked_proposal(scene: Scene) -> None:
    result, board, data = shown(scene, selected=7)
    own = rcnn_of(scene)
    box = data["proposals"][7:8]
    np.testing.assert_array_equal(data["box"], box[0])
    crop = rcnn.picture_of(rcnn.warp(scene.image.pixels, box, own.side)[0])
    np.testing.assert_array_equal(data["crop"], crop)
    np.testing.assert_array_equal(board.pane("crop").layers[0].rgb, crop)  # type: ignore[union-attr]
    grow = (box[0, 2:] - box[0, :2]) * (16 / 195)
    context = np.concatenate([box[0, :2] - grow, box[0, 2:] + grow])
    np.testing.assert_allclose(data["context"], context, rtol=1e-4, atol=1e-3)
    assert result.region is not None
    label = result.region.label
    heat: Any = board.pane("sum").layers[0]
    margin = np.nansum(heat.values) + own.heads.svm_bias[label]
    assert margin == pytest.approx(data["region_margins"][label], abs=1e-4)
    after: Any = board.boxes("after")
    before: Any = board.boxes("before")
    moved = decode(data["deltas"][label : label + 1], box)[0]
    np.testing.assert_allclose(
        np.clip(moved, 0, [128, 96] * 2), data["refined"][7, label], atol=1e-3
    )
    shift = moved - box[0]
    np.testing.assert_allclose(after.xyxy[0] - before.xyxy[0], shift, atol=1e-3)
    move: Any = board.pane("move").layers[-1]
    left, top, right, bottom = move.segments[:, 2:] - move.segments[:, :2]
    assert [left[0], top[1], right[0], bottom[1]] == pytest.approx(shift.tolist(), abs=1e-3)
    assert [left[1], top[0], right[1], bottom[0]] == [0, 0, 0, 0]


def test_answers_and_terms_add_up(scene: Scene) -> None:
    _, board, data = shown(scene, selected=3, target="dog")
    margins, terms = board.plots
    assert data["class"] == "dog"
    for name, value, _ in margins.bars:
        word, _, answer = name.partition("? ")
        assert value == pytest.approx(data["region_margins"][CLASSES.index(word)], abs=1e-6)
        assert answer == ("yes" if value > 0 else "no")
    assert sum(value for _, value, _ in terms.bars) == pytest.approx(
        data["region_margins"][1], abs=1e-3
    )


def test_a_drawn_box_is_a_region_like_others(scene: Scene) -> None:
    proposal = shown(scene, selected=5)[2]
    x0, y0, x1, y1 = proposal["box"].tolist()
    result, _, data = shown(scene, selected=3, box=Box(x0, y0, x1, y1))
    assert result.region is not None
    assert result.region.row is None
    for key in ("crop", "features", "region_margins", "deltas"):
        np.testing.assert_allclose(data[key], proposal[key], atol=1e-4, err_msg=key)
    cut = shown(scene, box=Box(-50, 10, 40, 200))[2]["box"]
    assert cut.tolist() == [0, 10, 40, 96]


def test_a_box_beside_the_photo_is_no_region(scene: Scene) -> None:
    result, board, _ = shown(scene, box=Box(-50, -50, -10, -10))
    assert result.region is not None
    assert result.region.row is not None
    assert board.notes == ("Drag a larger box: this one is not on the photo.",)


def test_without_a_selection_a_class_chooses_its_best_proposal(scene: Scene) -> None:
    for number, name in enumerate(CLASSES[:2]):
        result, _, data = shown(scene, target=name)
        assert result.region is not None
        assert result.region.row == data["margins"][:, number].argmax()
        assert result.region.label == number


def test_detections_are_those_of_the_pipeline(scene: Scene) -> None:
    data = shown(scene, least=0.0)[2]
    own = rcnn_of(scene)
    expected = rcnn.detect(own, scene.image.pixels, data["proposals"])
    assert len(expected) > 0
    np.testing.assert_allclose(data["detections"], expected.xyxy, atol=1e-2)
    np.testing.assert_array_equal(data["labels"], expected.labels)
    np.testing.assert_allclose(data["scores"], expected.scores, atol=1e-4)


def test_more_proposals_keep_the_first_and_grow_in_batches(scene: Scene) -> None:
    few = shown(scene, count=33)[2]
    steps = list(VIEW.compute(scene, Params(proposer="k-means boxes", count=80)))
    assert [len(step.value.margins) for step in steps] == [0, 32, 64, 80]
    boards = [VIEW.draw(step.value, Params()) for step in steps]
    assert boards[0].summary == "No proposal is scored yet."
    assert boards[1].pane("image").title == "1. Proposals: 32 of 80"
    layer = boards[1].boxes("proposals")
    assert isinstance(layer, Boxes)
    assert sorted(layer.keys) == list(range(80)), "those that are not scored can be clicked, too"
    np.testing.assert_allclose(
        steps[-1].value.margins[:33], few["margins"], atol=1e-4
    )  # other batches, other rounding


def test_without_weights_it_says_what_to_do(body) -> None:
    scene = Scene(None, toy_image(), opened=Opened({BODY: untrained(body)}))
    with pytest.raises(ExplorerError, match="SVMs are missing") as error:
        next(VIEW.compute(scene, Params()))
    assert "explorer train lite-rcnn" in error.value.hint
