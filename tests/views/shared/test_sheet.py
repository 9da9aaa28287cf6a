"""A sheet of pictures: each is where its box is, with room above it."""

import numpy as np

from explorer.core.layers import Boxes
from explorer.views.shared.folders.answers import Answers, answers_pane
from explorer.views.shared.folders.sheet import labeled_sheet


def test_every_picture_is_where_its_box_is() -> None:
    pictures = [np.full((10, 14, 3), 100 + number, np.uint8) for number in range(5)]
    sheet = labeled_sheet(pictures, columns=3, gap=4)
    assert sheet.size == (3 * 14 + 2 * 4, 2 * (8 + 10) + 4)
    for number, (x0, y0, x1, y1) in enumerate(sheet.xyxy.astype(int).tolist()):
        assert (x1 - x0, y1 - y0) == (14, 10)
        np.testing.assert_array_equal(sheet.rgb[y0:y1, x0:x1], 100 + number)
        assert not (sheet.rgb[y0 - 8 : y0, x0:x1] >= 100).any()
        assert sheet.at(x0 + 1, y0 + 1) == number
        assert sheet.at(x0 + 1, y0 - 1) == number, "its label"
    assert sheet.at(40, 30) is None
    assert sheet.at(-1, 5) is None


def test_no_pictures_are_a_sheet_too() -> None:
    sheet = labeled_sheet([], columns=3)
    assert len(sheet.xyxy) == 0
    assert sheet.at(1, 1) is None


def test_classes_are_named_above_their_pictures_and_mistakes_in_them() -> None:
    pictures = [np.zeros((8, 8, 3), np.uint8)] * 5
    labels, predicted = np.array([0, 1, 0, 1, 1]), np.array([0, 0, 0, 1, -1])
    pane = answers_pane(Answers(pictures, labels, predicted, ("cat", "dog")), "tests")
    boxes = {layer.name: layer for layer in pane.layers if isinstance(layer, Boxes)}
    tests, classes, wrong = boxes["tests"], boxes["classes"], boxes["captions"]
    assert tests.keys == (0, 2, 1, 3, 4)
    rows = tests.xyxy[:, 1].tolist()
    assert classes.labels == tuple(
        name
        for place, name in enumerate(("cat", "cat", "dog", "dog", "dog"))
        if place in (0, 2) or rows[place] != rows[place - 1]
    )
    assert classes.xyxy[0].tolist()[::2] == [tests.xyxy[0, 0], tests.xyxy[1, 2]]
    assert (classes.xyxy[:, 3] < tests.xyxy[[0, 2, 3][: len(classes.xyxy)], 1]).all()
    assert wrong.labels == ("cat",)
    assert wrong.xyxy[0, 3] == tests.xyxy[2, 3]
