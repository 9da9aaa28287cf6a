"""Each refinement alone and together, against the passes themselves and counts made by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from explorer.core.layers import Boxes, Lines
from explorer.core.params import Box, NetworkRef
from explorer.engine.references import Opened
from explorer.engine.scene import Scene
from explorer.views.detection.refinements import charts, variants
from explorer.views.detection.refinements.variants import PLAIN, TOGETHER, Result, Variant
from explorer.views.detection.refinements.view import VIEW, Params, compute, draw
from explorer.vision.detection.detections import Detections
from explorer.vision.refinement.passes import run_pass
from explorer.vision.refinement.voting import joined, suppressed, voted
from tests.toys import make_network, toy_image, toy_network, toy_single_stage_network

OFF: dict[str, Any] = dict.fromkeys(("refine", "vote", "multi_scale", "flip", "ensemble"), False)
OTHER = NetworkRef("other")


def scene() -> Scene:
    return Scene(toy_network("detection"), toy_image())


def ran(scene: Scene, **values: Any) -> Result:
    *_, step = compute(scene, Params(**{**OFF, **values}))
    return step.value


def union_of(scene: Scene, *passes: dict[str, Any]) -> Detections:
    parts = [run_pass(scene.network, scene.image.pixels, **options) for options in passes]
    return joined([part for one in parts for part in (one.candidates, *one.again)])


def kept(scene: Scene, union: Detections) -> Detections:
    own: Any = scene.network.module
    return suppressed(union, own.roi_heads.nms_thresh, own.roi_heads.detections_per_img)


def assert_same(found: Detections, expected: Detections) -> None:
    np.testing.assert_array_equal(found.xyxy, expected.xyxy)
    np.testing.assert_array_equal(found.labels, expected.labels)
    np.testing.assert_array_equal(found.scores, expected.scores)


def test_nothing_switched_on_is_the_networks_output() -> None:
    result = ran(scene())
    assert set(result.variants) == {PLAIN}
    board = draw(result, Params(**OFF))
    assert [pane.name for pane in board.panes] == ["image"]
    assert board.summary.startswith("Plain:")


def test_each_refinement_is_its_union_suppressed() -> None:
    here = scene()
    result = ran(here, multi_scale=True, flip=True, refine=True, vote=True, scales=("2",))
    plain, double = {"scale": 1.0}, {"scale": 2.0}
    found = {name: variant.found for name, variant in result.variants.items()}
    assert list(found) == [PLAIN, *(n for n in variants.REFINEMENTS if n in found), TOGETHER]
    assert_same(found["multi-scale testing"], kept(here, union_of(here, plain, double)))
    assert_same(found["flip"], kept(here, union_of(here, plain, {"flip": True})))
    assert_same(found["box refinement"], kept(here, union_of(here, {"rounds": 1})))
    alone = union_of(here, plain)
    assert_same(found["box voting"], voted(kept(here, alone), alone, 0.5))
    four = [
        {"scale": scale, "flip": flip, "rounds": 1}
        for scale in (1.0, 2.0)
        for flip in (False, True)
    ]
    union = union_of(here, *four)
    assert_same(found[TOGETHER], voted(kept(here, union), union, 0.5))
    assert [result.variants[n].passes for n in (PLAIN, "box refinement", "flip", TOGETHER)] == [
        1, 1, 2, 4,
    ]  # fmt: skip


def test_an_ensemble_takes_the_classes_that_both_have() -> None:
    here = scene()
    other = make_network(
        toy_network("detection").module, "detection",
        classes=("__background__", "dog", "bird", "cup", "cat"),
    )  # fmt: skip
    here.opened = Opened({OTHER: other}, {})
    result = ran(here, ensemble=True, members=(OTHER,))
    added = run_pass(other, here.image.pixels).candidates
    labels = np.array([0, 2, -1, -1, 1])[added.labels]  # dog and cat
    known = labels >= 0
    theirs = Detections(added.xyxy[known], labels[known], added.scores[known])
    union = joined([union_of(here, {}), theirs])
    assert_same(result.variants["ensemble"].found, kept(here, union))
    assert result.variants["ensemble"].passes == 2
    assert result.members == (other.info.title,)
    shared = ran(here, ensemble=True, members=(OTHER,), union="proposals")
    assert not shared.missing
    assert len(shared.variants["ensemble"].found)


def test_what_a_network_lacks_is_said_and_the_rest_runs() -> None:
    here = Scene(toy_single_stage_network(), toy_image())
    result = ran(here, refine=True, flip=True, ensemble=True, members=())
    assert set(result.variants) == {PLAIN, "flip", TOGETHER}
    notes = " ".join(draw(result, Params(**OFF)).notes)
    assert "Box refinement:" in notes
    assert "no second stage" in notes
    assert "Ensemble: No other trained network" in notes


def detections(*rows: tuple[float, ...]) -> Detections:
    table = np.array(rows, np.float64)
    return Detections(
        table[:, :4].astype(np.float32), table[:, 4].astype(np.int64),
        table[:, 5].astype(np.float32),
    )  # fmt: skip


@pytest.fixture
def known() -> Result:
    """Two cats and a dog: one cat moves by (3, 4) and gains score, one is lost, a dog is new."""
    before = detections((10, 10, 30, 30, 1, 0.6), (40, 5, 60, 20, 1, 0.7), (0, 30, 9, 47, 2, 0.9))
    after = detections((13, 14, 33, 34, 1, 0.8), (0, 30, 9, 47, 2, 0.85), (44, 30, 60, 44, 2, 0.7))
    here = scene()
    result = ran(here)
    return Result(
        result.photo, result.info, {PLAIN: Variant(before, 1), "flip": Variant(after, 2)}, nms=0.5
    )


def test_every_change_is_counted_and_drawn(known: Result) -> None:
    params = Params(**{**OFF, "same_box": 0.3, "shown": "flip"})
    board = draw(known, params)
    rows, changes = board.tables[0], board.tables[1]
    row = dict(zip(rows.columns, rows.rows[1], strict=True))
    assert row == {
        "refinement": "flip", "passes": 2, "boxes": 3, "new": 1, "lost": 1, "other class": 0,
        "moved": 1, "score up": 1, "score down": 1, "mean shift [px]": 5.0,
    }  # fmt: skip
    kinds = {(r[0], r[1]): r[-1] for r in changes.rows}
    assert kinds == {
        ("dog", "lower score"): 0.0, ("cat", "lost"): "", ("cat", "higher score"): 5.0,
        ("dog", "new"): "",
    }  # fmt: skip
    assert board.summary == (
        "Flip: 1 new, 1 lost, 1 moved by 5.0 px on average, 1 with a higher score, 1 with a "
        "lower one"
    )
    layers = {layer.name: layer for layer in board.pane("refined").layers}
    moves, old = layers["moves"], layers["plain boxes"]
    assert isinstance(moves, Lines)
    assert moves.segments.tolist() == [[20, 20, 23, 24]]
    assert isinstance(old, Boxes)
    assert old.xyxy.tolist() == [[10, 10, 30, 30], [40, 5, 60, 20]]
    assert "flip: new" in [name for name, _, _ in board.plots[0].bars]


def test_average_precision_of_each_variant_by_hand(known: Result) -> None:
    truth = (Box(13, 14, 33, 34, "cat"), Box(0, 30, 9, 47, "dog"), Box(0, 0, 4, 4, "dog"))
    board = draw(known, Params(**{**OFF, "truth": truth}))
    rows = [dict(zip(board.tables[0].columns, r, strict=True)) for r in board.tables[0].rows]
    # plain: its cat overlaps with IoU 272 / 528 = 0.52, but one that is none scores higher: 1 / 2;
    # of the dogs one of two: AP (0.5 + 0.5) / 2; flip: the cat is exact and alone: (1 + 0.5) / 2
    assert [row["AP50"] for row in rows] == [0.5, 0.75]
    assert rows[0]["AP 0.50 to 0.95"] == pytest.approx((0.5 / 10 + 0.5) / 2, abs=1e-3)
    assert rows[1]["AP 0.50 to 0.95"] == 0.75
    assert [(row["TP"], row["FP"], row["FN"]) for row in rows] == [(2, 1, 1), (2, 1, 1)]
    assert [value for _, value, _ in board.plots[0].bars] == [0.5, 0.75]


def test_another_threshold_of_the_union_is_said(known: Result) -> None:
    notes = draw(known, Params(**{**OFF, "nms": 0.3})).notes
    assert "0.30" in notes[0]
    assert "0.50" in notes[0]
    assert not draw(known, Params(**{**OFF, "nms": 0.5})).notes


def test_the_published_gains() -> None:
    rows = {row[0]: row for row in charts.published_table().rows}
    assert rows["+ box refinement"][5:7] == (1.5, 2.7)
    assert rows["+ context"][5:7] == (1.2, 0.1)
    assert "not run" in rows["+ context"][7]
    assert rows["ensemble"][5:7] == (3.3, 2.5)


def test_data_has_every_variant() -> None:
    params = Params(**{**OFF, "flip": True})
    result = ran(scene(), flip=True)
    found = VIEW.data(result, params) if VIEW.data else {}
    assert_same(
        Detections(found["flip_boxes"], found["flip_labels"], found["flip_scores"]),
        result.variants["flip"].found,
    )
    assert found["flip_passes"] == 2
