import numpy as np
import pytest

from explorer.live.moving import FASTEST, MovingScene, side_by_side

PHOTO = np.random.default_rng(0).integers(0, 256, (300, 451, 3), dtype=np.uint8)


@pytest.mark.parametrize("photo", [None, PHOTO], ids=["drawn", "photo"])
def test_it_moves_and_is_always_the_same(photo) -> None:
    one, two = MovingScene(photo, (160, 120)), MovingScene(photo, (160, 120))
    for source in (one, two):
        source.open()
    frames = [one.read() for _ in range(5)]
    assert [round(position * one.rate) for _, position in frames] == [0, 1, 2, 3, 4]
    assert all(pixels.shape == (120, 160, 3) for pixels, _ in frames)
    assert all(np.array_equal(a, two.read()[0]) for a, _ in frames)
    assert not np.array_equal(frames[0][0], frames[4][0])


def test_it_can_be_searched() -> None:
    source = MovingScene(size=(64, 48), rate=10)
    source.open()
    source.seek(3.0)
    assert np.array_equal(source.read()[0], source.frame(30))
    source.step(3.0, -2)
    assert np.array_equal(source.read()[0], source.frame(28))


def test_only_the_photo_is_shown() -> None:
    inside = MovingScene(np.full((300, 400, 3), 200, np.uint8), (160, 120))
    assert all((inside.frame(n) == 200).all() for n in range(0, 600, 37))


def test_photos_stand_in_one_row() -> None:
    row = side_by_side([np.full((10, 20, 3), 50, np.uint8), np.full((40, 40, 3), 90, np.uint8)], 20)
    assert row.shape == (20, 40 + 20, 3)
    assert (row[:, :40] == 50).all()
    assert (row[:, 40:] == 90).all()


def test_a_long_row_passes_slowly_from_its_first_photo_to_its_last() -> None:
    columns = np.linspace(0, 255, 3000).astype(np.uint8)
    scene = MovingScene(np.broadcast_to(columns[None, :, None], (120, 3000, 3)), (160, 120))
    seen = np.array([scene.frame(n)[60, 80, 0] for n in range(0, 4800, 10)], np.float64)
    assert seen[0] < 20  # it begins with the first photo
    assert seen.max() > 235
    a_third_of_a_second = FASTEST * 10 / scene.rate * 255 / 3000
    assert np.abs(np.diff(seen)).max() <= a_third_of_a_second + 1  # values are whole numbers
