import json

import numpy as np
import pytest

from explorer.core.errors import ExplorerError
from explorer.training.data.pool import read_pool
from explorer.training.lessons import proposals
from explorer.training.lessons.registry import Material
from tests.training.pool_toy import write_pool


def test_recall_by_hand():
    # the left half is covered, a thin strip is not; a photo without objects asks nothing
    objects = [[[0, 0, 0.5, 1]], [[0, 0, 1, 0.1]], np.zeros((0, 4))]
    boxes = np.array([[0, 0, 0.5, 1], [0.5, 0, 1, 1]], np.float32)
    found = proposals.recalls(boxes, [np.array(there, np.float32) for there in objects])
    assert found["recall of 2 at IoU 0.5"] == pytest.approx(0.5)


def test_boxes_are_parts_of_their_photo(tmp_path):
    pool = read_pool(write_pool(tmp_path / "pool", size=(60, 80)), least=3)
    photo = pool.photos[0]
    expected = photo.boxes / np.array([80, 60, 80, 60])
    assert proposals.in_parts(photo) == pytest.approx(expected)


def test_the_lesson_writes_boxes_inside_the_picture(tmp_path, monkeypatch):
    monkeypatch.setattr(proposals, "COUNT", 12)
    folder = write_pool(tmp_path / "data", count=40)
    proposals.fit("fixed-proposals", Material(folder, tmp_path), tmp_path / "out")
    with np.load(tmp_path / "out" / "fixed-proposals.npz") as file:
        boxes, figures = file["boxes"], json.loads(str(file["figures"]))
    assert boxes.dtype == np.float16
    assert boxes.shape[1] == 4
    assert 2 <= len(boxes) <= 12
    assert boxes.min() >= 0
    assert boxes.max() <= 1
    assert (boxes[:, :2] < boxes[:, 2:]).all()
    assert all(0 <= value <= 1 for value in figures.values())
    # every object has the size of a third of the photo: twelve boxes cover some of them
    assert figures["recall of 100 at IoU 0.5"] > 0.2


def test_photos_without_objects_are_refused(tmp_path):
    folder = write_pool(tmp_path / "data", count=4)  # too few objects of each category
    with pytest.raises(ExplorerError, match="enough high-scoring objects"):
        proposals.fit("fixed-proposals", Material(folder, tmp_path), tmp_path / "out")
