"""A sheet of pictures: each is where its box is, with room above it."""

import numpy as np

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
