"""A change as a table: before, after and the difference, for every task."""

from __future__ import annotations

import numpy as np
import pytest

from explorer.core.layers import Boxes, Lines, Masks
from explorer.engine.scene import Scene
from explorer.views.shared.before_after.changes import Change, Look, change_of, difference
from explorer.views.shared.before_after.outputs import (
    Classes,
    Found,
    Joints,
    Prediction,
    Regions,
    prediction_of,
)
from explorer.vision.detection.detections import Detections
from explorer.vision.features.classification import softmax
from tests.toys import toy_image, toy_network

SIZE = (64.0, 48.0)


def change(before: Prediction, after: Prediction, look: Look | None = None) -> Change:
    found = change_of(before, after, look or Look(), SIZE)
    assert found is not None
    return found


def classes(*logits: float) -> Classes:
    values = np.array(logits, np.float32)
    return Classes(("cat", "dog", "car"), softmax(values), values)


def test_classes() -> None:
    before, after = classes(2.0, 1.0, 0.0), classes(0.0, 3.0, 0.0)
    found = change(before, after, Look(top=1))
    assert found.words == "cat 66.5% → dog 90.9%"
    assert [row[0] for row in found.table.rows] == ["dog", "cat"]
    dog = found.table.rows[0]
    assert dog[1:] == (0.2447, 0.9094, 0.6647, 2.0)
    assert found.plots[0].bars[1][:2] == ("→", pytest.approx(0.9094, abs=1e-4))


def test_rounded_differences_add_up() -> None:
    assert difference(0.12344, 0.98766) == (0.1234, 0.9877, 0.8643)


def detections(*boxes: tuple[float, float, float, float, int, float]) -> Found:
    table = np.array(boxes, np.float64).reshape(-1, 6)
    found = Detections(
        table[:, :4].astype(np.float32),
        table[:, 4].astype(np.int64),
        table[:, 5].astype(np.float32),
    )
    return Found(("__background__", "cat", "dog"), found, 0.5)


def test_boxes() -> None:
    before = detections((0, 0, 10, 10, 1, 0.9), (20, 20, 40, 40, 2, 0.8), (0, 40, 9, 48, 1, 0.4))
    after = detections((50, 0, 60, 9, 2, 0.95), (0, 0, 10, 10, 1, 0.7))
    found = change(before, after)
    assert found.table.rows == (
        ("cat", "lower score", 0.9, 0.7, -0.2, 1.0, 0.0),
        ("dog", "lost", 0.8, "", "", "", ""),
        ("dog", "new", "", 0.95, "", "", ""),
    )
    assert found.words == "1 box kept, 1 lost, 1 new, dog 0.80 → no detection"
    (first,), (second,) = found.before, found.after
    assert isinstance(first, Boxes)
    assert isinstance(second, Boxes)
    assert (first.keys, second.keys) == ((0, 1), (0, 2)), "a row selects the box in both photos"
    assert first.labels == ("cat 0.90", "dog 0.80")
    lower = change(before, after, Look(score=0.3))
    assert len(lower.table.rows) == 4
    assert change(detections(), detections()).words == "No detection before and after."


def test_a_box_of_another_class_and_one_with_the_same_score() -> None:
    before = detections((0, 0, 10, 10, 1, 0.9), (30, 30, 40, 40, 1, 0.6))
    after = detections((0, 0, 10, 10, 2, 0.9), (30, 30, 40, 40, 1, 0.602))
    rows = change(before, after).table.rows
    assert [row[:2] for row in rows] == [("cat → dog", "other class"), ("cat", "same score")]


def test_regions() -> None:
    one = np.full((4, 10), -1, np.int32)
    one[:, :5] = 1
    two = one.copy()
    two[:, 3:5] = 2
    names = ("__background__", "sky", "tree")
    extent = (0.0, 0.0, *SIZE)
    found = change(Regions(names, one, extent), Regions(names, two, extent))
    assert found.table.rows == (("sky", 50.0, 30.0, -20.0, 0.6), ("tree", 0.0, 20.0, 20.0, 0.0))
    assert found.words == "20.0% of the pixels have another class"
    assert isinstance(found.before[0], Masks)
    assert found.before[0].index is one


def test_joints() -> None:
    before = np.array([[10, 10], [20, 20]], np.float32)
    after = before + np.array([[3, 4], [0, 0]], np.float32)
    names = ("left_wrist", "right_wrist")
    found = change(Joints(names, before), Joints(names, after))
    assert found.table.rows[0] == ("left wrist", 10.0, 10.0, 13.0, 14.0, 5.0)
    assert "most the left wrist: 5.0 px" in found.words
    assert isinstance(found.after[0], Lines)


@pytest.mark.parametrize(
    ("task", "kind"),
    [
        ("classification", Classes),
        ("localization", Classes),
        ("detection", Found),
        ("segmentation", Regions),
        ("pose", Joints),
        ("features", type(None)),
    ],
)
def test_the_prediction_of_every_task(task: str, kind: type) -> None:
    scene = Scene(toy_network(task), toy_image())
    found = prediction_of(scene, scene.output())
    assert isinstance(found, kind)
    if found is None:
        assert change_of(found, found, Look(), SIZE) is None
        return
    same = change(found, found, Look(score=0.0))
    assert same.table.rows
    if isinstance(found, Regions):
        classes = scene.output()["out"][0].argmax(0).numpy()
        np.testing.assert_array_equal(found.classes, np.where(classes == 0, -1, classes))
    if isinstance(found, Classes):
        assert all(row[3] == 0 for row in same.table.rows)


def test_joints_lie_on_the_photo_behind_a_crop() -> None:
    # 48 x 64 is resized to 32 x 42 and cropped to 32 x 32: 5 columns are cut off at the left.
    scene = Scene(toy_network("pose"), toy_image())
    found = prediction_of(scene, scene.output())
    assert isinstance(found, Joints)
    fraction = scene.output()["joints"][0].numpy()
    np.testing.assert_allclose(found.xy[:, 0], (fraction[:, 0] * 32 + 5) * 64 / 42, rtol=1e-5)
    np.testing.assert_allclose(found.xy[:, 1], fraction[:, 1] * 48, rtol=1e-5)
