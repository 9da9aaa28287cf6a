"""The training half: roles by hand, fits against scikit-learn, arithmetic of the disk."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.linear_model import Ridge
from sklearn.svm import LinearSVC

from explorer.core.errors import ExplorerError
from explorer.core.layers import Board
from explorer.core.params import Box
from explorer.engine.references import Opened
from explorer.engine.scene import Scene
from explorer.views.detection.rcnn_training import tables
from explorer.views.detection.rcnn_training.fitting import fits, lack
from explorer.views.detection.rcnn_training.result import Disk
from explorer.views.detection.rcnn_training.samples import HINGE, LOG, SQUARES, samples_of
from explorer.views.detection.rcnn_training.view import VIEW, Params, Result
from explorer.views.shared.regions.rcnn import rcnn_of
from explorer.vision.detection.boxes import decode, iou_matrix
from explorer.vision.pipelines import rcnn
from explorer.vision.pipelines.objectives import BIAS
from explorer.vision.pipelines.rcnn import Features
from explorer.vision.race.networks import BODY
from tests.toy_rcnn import CLASSES, small_body, use_random_svms
from tests.toys import toy_image

CAT = Box(30, 22, 66, 50, "cat")
"""Around the bright square of the photo, which selective search finds a little smaller."""


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
    params = Params(**{"count": 40, "truth": (CAT,), **values})
    *_, step = VIEW.compute(scene, params)
    assert VIEW.data is not None
    return step.value, VIEW.draw(step.value, params), VIEW.data(step.value, params)


def test_every_region_has_a_role_in_every_objective() -> None:
    objects = np.array([[0, 0, 10, 10], [100, 0, 110, 10]], np.float32)
    tall = (10, 6, 5, 4, 3, 2)  # of 10: the IoU with the first object in tenths
    proposals = np.array([[0, 0, 10, side] for side in tall] + [[100, 0, 110, 8]], np.float32)
    seen = Features(np.ones((9, 3), np.float32), np.ones((9, 2), np.float32))
    samples = samples_of("cat", proposals, objects, seen)
    assert samples.iou.tolist() == pytest.approx([1, 0.6, 0.5, 0.4, 0.3, 0.2, 0.8, 1, 1])
    assert samples.nearest.tolist() == [0, 0, 0, 0, 0, 0, 1, 0, 1]
    assert samples.own.tolist() == [False] * 7 + [True] * 2
    assert samples.roles[LOG].tolist() == [1, 1, 1, -1, -1, -1, 1, 1, 1]
    assert samples.roles[HINGE].tolist() == [0, 0, 0, 0, 0, -1, 0, 1, 1]
    assert samples.roles[SQUARES].tolist() == [1, 1, 0, 0, 0, 0, 1, 1, 1]
    # the box of 10 x 6 has its center at 3 and must get it to 5, and 10 for 6 of height
    wanted = [0, 2 / 6, 0, np.log(10 / 6)]
    np.testing.assert_allclose(samples.targets(np.array([1]))[0], wanted, atol=1e-6)
    assert np.linalg.norm(samples.vectors, axis=1).mean() == pytest.approx(20)


def test_without_examples_an_objective_is_not_fitted() -> None:
    objects = np.array([[0, 0, 10, 10]], np.float32)
    proposals = np.array([[0, 0, 10, 4], [0, 0, 10, 5]], np.float32)
    seen = Features(np.eye(3, 4, dtype=np.float32), np.eye(3, 5, dtype=np.float32))
    samples = samples_of("cat", proposals, objects, seen)
    assert [lack(samples, name) for name in (LOG, HINGE, SQUARES)] == ["", "negative", ""]
    *_, fit = fits(samples, cost=1.0, alpha=1.0, passes=7, every=3, size=(10, 10), seed=0)
    assert set(fit.states) == set(fit.losses) == {LOG, SQUARES}
    assert fit.passes == 7
    assert len(fit.losses[LOG]) == 8


def features_of(scene: Scene, boxes: np.ndarray) -> Features:
    own = rcnn_of(scene)
    return rcnn.features(own.body, rcnn.warp(scene.image.pixels, boxes, own.side))


def test_the_svm_and_the_regressor_are_those_of_scikit_learn(scene: Scene) -> None:
    data = shown(scene, cost=0.1, alpha=100.0, passes=500)[2]
    assert data["class"] == "cat"
    np.testing.assert_array_equal(data["objects"], [[30, 22, 66, 50]])
    overlap = iou_matrix(data["regions"], data["objects"])[:, 0]
    np.testing.assert_allclose(data["iou"], overlap, atol=1e-6)
    seen = features_of(scene, data["regions"])
    vectors = seen.vector * (20 / np.linalg.norm(seen.vector, axis=1).mean())
    rows = data["svm"] != 0
    assert (data["svm"] == 1).sum() == 1
    svm = LinearSVC(
        loss="hinge", C=0.1, dual=True, intercept_scaling=BIAS, tol=1e-9, max_iter=200_000,
        random_state=0,
    ).fit(vectors[rows], data["svm"][rows])  # fmt: skip
    np.testing.assert_allclose(data["margin"], svm.decision_function(vectors), atol=5e-3)
    near = data["regressor"] == 1
    assert near.sum() > 1
    targets = np.stack(
        [
            np.concatenate(
                [
                    ((obj[:2] + obj[2:]) - (box[:2] + box[2:])) / 2 / (box[2:] - box[:2]),
                    np.log((obj[2:] - obj[:2]) / (box[2:] - box[:2])),
                ]
            )
            for box in data["regions"][near]
            for obj in data["objects"]
        ]
    )
    ridge = Ridge(100.0).fit(seen.map[near], targets)
    moved = decode(ridge.predict(seen.map).astype(np.float32), data["regions"])
    limits = np.array([128, 96] * 2, np.float32)
    np.testing.assert_allclose(data["refined"], np.clip(moved, 0, limits), atol=0.05)


def test_the_objectives_begin_at_zero_weights_and_fall(scene: Scene) -> None:
    _, board, data = shown(scene, passes=60)
    used = (data["svm"] != 0).sum()
    assert data["log_losses"][0] == pytest.approx(np.log(2))
    assert data["hinge_losses"][0] == pytest.approx(0.1 * used)
    for name in ("log", "hinge", "squares"):
        losses = data[f"{name}_losses"]
        assert len(losses) == 61
        assert losses[-1] < losses[0]
    for curve in board.plots[0].curves:
        assert curve.y[0] == 1
    assert ((data["probability"] > 0) & (data["probability"] < 1)).all()
    own = data["probability"][-1]
    assert own > data["probability"][data["fine_tuning"] == -1].max()


def test_steps_show_the_fit_on_its_way(scene: Scene) -> None:
    steps = list(VIEW.compute(scene, Params(truth=(CAT,), count=40, passes=48)))
    done = [step.value.fit.passes for step in steps if step.value.fit is not None]
    assert done == list(range(2, 49, 2))
    assert steps[-1].done == steps[-1].total == 48
    first = VIEW.draw(steps[0].value, Params())
    assert first.summary == "No region is scored yet."
    titles = [pane.title for pane in VIEW.draw(steps[-1].value, Params(truth=(CAT,))).panes]
    roles = steps[-1].value.samples.roles[HINGE]
    assert titles[1] == f"Hinge loss: 1 positive, {(roles == -1).sum()} negative"
    assert [title.partition(":")[0] for title in titles] == [
        "Log loss", "Hinge loss", "Least squares", "Softmax", "SVM", "Regressor",
    ]  # fmt: skip


def test_the_class_is_the_one_with_most_objects_or_the_chosen_one(scene: Scene) -> None:
    dogs = (Box(0, 0, 40, 40, "dog"), Box(60, 20, 120, 90, "dog"))
    truth = (CAT, *dogs, Box(0, 0, 128, 96, "crowd", crowd=True), Box(-9, -9, -1, -1, "cow"))
    data = shown(scene, truth=truth)[2]
    assert data["class"] == "dog"
    assert len(data["objects"]) == 2
    assert shown(scene, truth=truth, target="cat")[2]["objects"].shape == (1, 4)
    with pytest.raises(ExplorerError, match="no object of the class 'cow'") as error:
        shown(scene, truth=truth, target="cow")
    assert "cat, dog" in error.value.hint


def test_without_ground_truth_it_begins_with_the_proposal_of_the_highest_margin(
    scene: Scene,
) -> None:
    result, board, data = shown(scene, truth=())
    seen = features_of(scene, data["regions"])
    margins = rcnn.scores(rcnn_of(scene).heads, seen)
    assert margins.max() == pytest.approx(margins[-1].max(), abs=1e-4), "it is a proposal"
    assert (data["iou"] == 1).sum() == 1, "and none of the others any more"
    assert data["class"] == CLASSES[margins.max(axis=0).argmax()]
    assert f"margin {margins.max():+.2f}" in board.notes[0]
    assert result.example
    assert board.boxes("example") is not None
    assert shown(scene, truth=(), target="car")[2]["class"] == "car"
    with pytest.raises(ExplorerError, match="no class 'unicorn'"):
        shown(scene, truth=(), target="unicorn")


def test_features_are_on_disk_and_their_size_is_multiplied(scene: Scene) -> None:
    result, board, data = shown(scene)
    assert result.disk is not None
    assert result.disk.numbers == 1280 + 1280
    regions = result.disk.regions
    assert regions == len(data["regions"]) - 1
    written = regions * 2560 * 4
    assert written < result.disk.size < written + 2000
    assert data["bytes_extrapolated"] == 2560 * 4 * result.disk.found * 5011
    table = next(table for table in board.tables if table.name == "disk")
    assert table.rows[0][3:] == (
        regions, 1, f"{written / 1e3:.3g} KB ({result.disk.size / 1e3:.3g} KB on disk)"
    )  # fmt: skip
    assert table.rows[2][1:] == (4096, 16384, 2000, 5011, "164 GB")
    assert table.rows[3][1:] == (13312, 53248, 2000, 5011, "534 GB")
    assert shown(scene)[0].disk == result.disk, "read the second time, not written"


def test_sizes_in_words() -> None:
    assert tables.size_words(999) == "999 bytes"
    assert tables.size_words(2_050_000) == "2.05 MB"
    assert tables.extrapolated(Disk(4096, 1, 2000)) == 164_200_448_000


def test_fine_tuning_is_told_from_the_card() -> None:
    classes = {"cat": 0.5, "dog": 0.25}
    card = {
        "metrics": {
            "R-CNN": {"AP50": 0.3, "AP50 by class": classes},
            "R-CNN before fine-tuning": {"AP50": 0.2, "AP50 by class": {"cat": 0.4, "dog": 0.0}},
        }
    }
    table = tables.tuning_table(card, "dog")
    assert table is not None
    assert table.rows == (("mean", 20.0, 30.0), ("dog", 0.0, 25.0), ("cat", 40.0, 50.0))
    assert tables.tuning_table({}, "dog") is None
