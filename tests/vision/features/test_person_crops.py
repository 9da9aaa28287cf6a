import numpy as np
import pytest

from explorer.vision.features.person_crops import GRAY, joints_back, person_crop, square_around


def test_the_square_has_the_boxs_center_and_its_longer_side():
    assert square_around(np.array([10, 20, 30, 80], np.float32)) == (-10, 20, 60)
    assert square_around(np.array([5, 5, 7, 6], np.float32)) == (2, 1.5, 8)


@pytest.mark.parametrize("side", [16, 32, 64])
def test_a_place_in_the_crop_is_that_place_in_the_photo(side):
    """Also where the crop is larger or smaller than the part of the photo."""
    rows, columns = np.mgrid[:60, :80].astype(np.uint8)
    pixels = np.stack([columns * 2, rows * 2, np.zeros_like(rows)], axis=2)
    box = np.array([30, 10, 62, 40], np.float32)
    crop = person_crop(pixels, box, side)
    assert crop.shape == (side, side, 3)
    for row, column in ((side // 4, side // 2), (side // 2, side * 3 // 4)):
        inside = np.array([[column + 0.5, row + 0.5]], np.float32) / side
        x, y = joints_back(inside, box)[0] - 0.5  # pixel j has its center at j + 0.5
        assert crop[row, column, :2] == pytest.approx([2 * x, 2 * y], abs=2.1)


def test_outside_of_the_photo_is_gray():
    crop = person_crop(np.zeros((40, 40, 3), np.uint8), np.array([20, 0, 60, 40], np.float32), 40)
    assert (crop[:, :19] == 0).all()
    assert (crop[:, 21:] == GRAY).all()
