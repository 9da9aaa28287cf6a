import importlib
import struct
from pathlib import Path

import cv2
import numpy as np
import pytest

from explorer.core.errors import ExplorerError
from explorer.saving.film import open_sink
from explorer.saving.mp4 import join
from tests.live.films import SIZE, number_of, numbered


def write(path: Path, numbers: range, fps: float = 29.97) -> Path:
    sink = open_sink(path, SIZE, fps)
    for number in numbers:
        sink.add(numbered(number))
    sink.close()
    assert sink.verify(len(numbers))
    return path


def frames(path: Path) -> tuple[list[np.ndarray], list[float]]:
    film, found, times = cv2.VideoCapture(str(path)), [], []
    while (read := film.read())[0]:
        found.append(read[1])
        times.append(film.get(cv2.CAP_PROP_POS_MSEC))
    film.release()
    return found, times


def shown(path: Path, rate: float) -> list[np.ndarray]:
    """What is on the screen at every 1 / `rate` of a second, as OpenCV gives it."""
    found, times = frames(path)
    film = cv2.VideoCapture(str(path))
    seconds = film.get(cv2.CAP_PROP_FRAME_COUNT) / film.get(cv2.CAP_PROP_FPS)
    film.release()
    places = [round(time / 1000 * rate) for time in times] + [round(seconds * rate)]
    counts = np.diff(places)
    return [frame for frame, count in zip(found, counts, strict=True) for _ in range(count)]


def pieces(folder: Path) -> list[Path]:
    """Of 24, 24, 1 and 7 frames."""
    parts = (range(24), range(24, 48), range(48, 49), range(49, 56))
    return [write(folder / f"{n}.mp4", part) for n, part in enumerate(parts)]


def test_the_joined_film_has_the_frames_of_the_pieces_bit_by_bit(tmp_path: Path) -> None:
    made = pieces(tmp_path)
    assert join(made, tmp_path / "all.mp4") == 56
    found, times = frames(tmp_path / "all.mp4")
    wanted = [frame for piece in made for frame in frames(piece)[0]]
    assert len(found) == len(wanted) == 56
    assert all(np.array_equal(*pair) for pair in zip(found, wanted, strict=True))
    assert np.allclose(times, np.arange(56) * 1000 / 29.97, atol=0.1)


@pytest.mark.parametrize("number", [0, 5, 23, 24, 47, 48, 49, 55])
def test_the_joined_film_is_searched_at_the_seams_too(tmp_path: Path, number: int) -> None:
    made = pieces(tmp_path)
    join(made, tmp_path / "all.mp4")
    film = cv2.VideoCapture(str(tmp_path / "all.mp4"))
    assert film.get(cv2.CAP_PROP_FRAME_COUNT) == 56
    assert film.get(cv2.CAP_PROP_FPS) == pytest.approx(29.97)
    film.set(cv2.CAP_PROP_POS_FRAMES, number)
    wanted = [frame for piece in made for frame in frames(piece)[0]]
    assert np.array_equal(film.read()[1], wanted[number])
    film.release()


def test_h264_pieces_are_joined_with_even_times(tmp_path: Path) -> None:
    av = pytest.importorskip("av")
    join(pieces(tmp_path), tmp_path / "all.mp4")
    with av.open(str(tmp_path / "all.mp4")) as container:
        shown = [frame.pts for frame in container.decode(video=0)]
    assert len(shown) == 56
    assert len(set(np.diff(shown))) == 1


def test_the_index_stands_before_the_frames(tmp_path: Path) -> None:
    join([write(tmp_path / "a.mp4", range(3))], tmp_path / "all.mp4")
    data = (tmp_path / "all.mp4").read_bytes()
    assert data.index(b"moov") < data.index(b"mdat")


def test_offsets_of_large_films_take_64_bits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importlib.import_module("explorer.saving.mp4"), "_LARGE", 1000)
    made = pieces(tmp_path)
    join(made, tmp_path / "all.mp4")
    data = (tmp_path / "all.mp4").read_bytes()
    assert b"co64" in data
    assert b"stco" not in data
    assert struct.unpack_from(">I", data, data.index(b"mdat") - 4)[0] == 1
    wanted = [frame for piece in made for frame in frames(piece)[0]]
    found = frames(tmp_path / "all.mp4")[0]
    assert len(found) == 56
    assert all(np.array_equal(*pair) for pair in zip(found, wanted, strict=True))


def test_frames_can_be_shown_longer(tmp_path: Path) -> None:
    made = []
    for n, part in enumerate((range(3), range(3, 4), range(4, 6))):
        sink = open_sink(tmp_path / f"{n}.mp4", SIZE, 10.0, in_order=True)
        for number in part:
            sink.add(numbered(number))
        sink.close()
        made.append(tmp_path / f"{n}.mp4")
    assert join(made, tmp_path / "all.mp4", [1, 4, 1, 20, 1, 3]) == 6
    assert np.allclose(frames(tmp_path / "all.mp4")[1], [0, 100, 500, 600, 2600, 2700])
    found = [number_of((frame, 0.0)) for frame in shown(tmp_path / "all.mp4", 10)]
    assert found == [0, *[1] * 4, 2, *[3] * 20, 4, 5, 5, 5]
    with pytest.raises(ExplorerError, match="times"):
        join(made, tmp_path / "all.mp4", [1, 2])


@pytest.mark.parametrize("cut", [0, 10, 40, -1, -200])
def test_what_is_no_film_is_a_sentence(tmp_path: Path, cut: int) -> None:
    good = write(tmp_path / "good.mp4", range(5))
    bad = tmp_path / "bad.mp4"
    bad.write_bytes(good.read_bytes()[:cut])
    with pytest.raises(ExplorerError, match=r"bad\.mp4"):
        join([good, bad], tmp_path / "all.mp4")


def test_pieces_of_two_rates_are_refused(tmp_path: Path) -> None:
    made = [write(tmp_path / "a.mp4", range(5), 10), write(tmp_path / "b.mp4", range(5), 25)]
    with pytest.raises(ExplorerError, match="differ in format"):
        join(made, tmp_path / "all.mp4")
