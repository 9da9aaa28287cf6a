"""Pictures of a folder brought to one size, and the region of a photo."""

import numpy as np
import pytest
from PIL import Image

from explorer.core.errors import ExplorerError
from explorer.vision.latent.pictures import Aligned, region


def save(path, height: int, width: int, color: tuple[int, int, int]) -> None:
    Image.new("RGB", (width, height), color).save(path)


def test_all_become_the_size_of_the_first(tmp_path) -> None:
    save(tmp_path / "a.png", 40, 20, (255, 0, 0))
    save(tmp_path / "b.png", 20, 40, (0, 255, 0))
    save(tmp_path / "c.png", 80, 40, (0, 0, 255))
    (tmp_path / "d.png").write_bytes(b"no picture")
    found = Aligned(16)
    for name in "abcd":
        found.add(tmp_path / f"{name}.png")
    array = found.array()
    assert array.shape == (3, 16, 8, 3)
    assert array.dtype == np.float32
    np.testing.assert_allclose(array[1, 5, 5], [0, 1, 0])
    assert (found.resized, found.unreadable) == (1, 1), "c has the proportions of a"
    assert found.notes == (
        "1 picture of another size than the first one: resized to 8 x 16.",
        "1 file could not be read.",
    )


def test_gray_pictures_have_one_channel(tmp_path) -> None:
    save(tmp_path / "a.png", 4, 4, (51, 51, 51))
    found = Aligned(16)
    found.add(tmp_path / "a.png")
    np.testing.assert_allclose(found.array(), np.full((1, 4, 4, 1), 0.2), atol=1e-6)
    assert found.notes == ()


def test_no_pictures() -> None:
    with pytest.raises(ExplorerError, match="no pictures"):
        Aligned(16).array()


def test_the_region_is_the_largest_one_in_the_middle() -> None:
    pixels = np.zeros((60, 100, 3), np.uint8)
    pixels[:, 20:80] = 255
    part, place = region(pixels, None, (10, 10, 3))
    assert place == (20, 0, 80, 60)
    assert part.shape == (10, 10, 3)
    assert (part == 1).all()
    gray, place = region(pixels, (0.2, 9.6, 40.4, 30.0), (5, 10, 1))
    assert place == (0, 10, 40, 30)
    expected = np.tile(np.repeat([0.0, 1.0], 5), (5, 1))
    np.testing.assert_allclose(gray[..., 0], expected, atol=1e-3)


@pytest.mark.parametrize("box", [None, (0.0, 0.0, 1.0, 1.0), (-5.0, -5.0, -1.0, 9.0), (7, 7, 9, 9)])
def test_a_photo_of_one_pixel(box) -> None:
    part, place = region(np.full((1, 1, 3), 102, np.uint8), box, (8, 6, 3))
    assert place == (0, 0, 1, 1)
    np.testing.assert_allclose(part, np.full((8, 6, 3), 0.4), atol=1e-6)
