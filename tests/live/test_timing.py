from pathlib import Path

import pytest

from explorer.core.errors import ExplorerError
from explorer.live.timing import timed
from explorer.live.video import Film
from tests.live.films import film, number_of, varied


def counted(path: Path, rate: float, start: float = 0.0, end: float = 0.0) -> list[tuple[int, int]]:
    """Which frame, and how many it fills; the shots count from 0 whatever the in point."""
    source = Film(path)
    source.open()
    try:
        found = list(timed(source, rate, start, end))
    finally:
        source.close()
    assert [shot.number for shot, _ in found] == list(range(len(found)))
    assert not any(shot.pixels.flags.writeable for shot, _ in found)
    return [(number_of((shot.pixels, 0.0)), times) for shot, times in found]


def test_at_its_own_rate_every_frame_is_one(tmp_path: Path) -> None:
    path = film(tmp_path / "a.avi", 20)
    assert counted(path, 10) == [(n, 1) for n in range(20)]


@pytest.mark.parametrize(("rate", "pattern"), [(5, [1, 0]), (20, [2, 2]), (15, [2, 1])])
def test_at_another_rate_it_lasts_as_long(tmp_path: Path, rate: int, pattern: list[int]) -> None:
    found = counted(film(tmp_path / "a.avi", 20), rate)
    assert sum(times for _, times in found) == pytest.approx(2 * rate, abs=1)
    assert sorted(times for _, times in found[:2]) == sorted(pattern)


def test_where_the_rate_varies_long_frames_are_repeated(tmp_path: Path) -> None:
    units = [100, 100, 400, 100, 50, 50, 200, 100]
    path = varied(film(tmp_path / "a.mp4", 8, codec="mp4v"), units)
    found = counted(path, 10)
    assert found[:4] == [(0, 1), (1, 1), (2, 4), (3, 1)]
    assert sum(times for _, times in found) == pytest.approx(sum(units) / 100, abs=1)


def test_in_and_out_points(tmp_path: Path) -> None:
    path = film(tmp_path / "a.avi", 20)
    assert [n for n, _ in counted(path, 10, 0.5, 1.2)] == [5, 6, 7, 8, 9, 10, 11]
    assert [n for n, _ in counted(path, 10, 1.8)] == [18, 19]
    assert [n for n, _ in counted(path, 10, 0.0, 0.25)] == [0, 1, 2]
    assert counted(path, 10, 2.0) == []


def test_a_film_without_a_frame_is_a_sentence(tmp_path: Path) -> None:
    path = film(tmp_path / "a.avi", 20)
    path.write_bytes(path.read_bytes()[:2000])
    with pytest.raises(ExplorerError, match=r"a\.avi"):
        counted(path, 10)
