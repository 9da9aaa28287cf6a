import json

import numpy as np
import pytest

from explorer.evaluation.scenes import Scene
from explorer.training.lessons import proposals
from explorer.training.lessons.registry import Material
from tests.training.toy import write_data


def scene_of(boxes):
    boxes = np.array(boxes, np.float32).reshape(-1, 4)
    labels = np.ones(len(boxes), np.int64)
    return Scene(np.zeros((50, 100, 3), np.uint8), boxes, labels, labels)


def test_recall_by_hand():
    # the left half is covered, a thin strip is not; a scene without objects asks nothing
    scenes = [scene_of([[0, 0, 50, 50]]), scene_of([[0, 0, 100, 5]]), scene_of([])]
    boxes = np.array([[0, 0, 0.5, 1], [0.5, 0, 1, 1]], np.float32)
    assert proposals.recalls(boxes, scenes)["recall of 2 at IoU 0.5"] == pytest.approx(0.5)


def test_the_lesson_writes_boxes_inside_the_picture(tmp_path, monkeypatch):
    monkeypatch.setattr(proposals, "COUNT", 12)
    monkeypatch.setattr(proposals, "SCENES", 10)
    write_data(tmp_path / "data")
    proposals.fit("fixed-proposals", Material(tmp_path / "data", tmp_path), tmp_path / "out")
    with np.load(tmp_path / "out" / "fixed-proposals.npz") as file:
        boxes, figures = file["boxes"], json.loads(str(file["figures"]))
    assert boxes.dtype == np.float16
    assert boxes.shape[1] == 4
    assert 2 <= len(boxes) <= 12
    assert boxes.min() >= 0
    assert boxes.max() <= 1
    assert (boxes[:, :2] < boxes[:, 2:]).all()
    assert all(0 <= value <= 1 for value in figures.values())
