from pathlib import Path

import cv2
import numpy as np
import pytest

from explorer.core.errors import ExplorerError
from explorer.live.video import Address, Camera, Film
from tests.data import shared_data

FOLDER = shared_data("video")
CLIPS = sorted(FOLDER.glob("*.*")) if FOLDER is not None else []
SILENT = "torchcodec_av1_video.mkv"
"""Coded in a way that OpenCV's wheel does not read everywhere."""


@pytest.fixture
def film(tmp_path: Path) -> Path:
    """20 frames at 10 a second; frame n is gray n * 12."""
    path = tmp_path / "gray.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 10, (64, 48))
    for number in range(20):
        writer.write(np.full((48, 64, 3), number * 12, np.uint8))
    writer.release()
    return path


def gray(frame: tuple[np.ndarray, float] | None) -> int:
    assert frame is not None
    return round(float(frame[0].mean()) / 12)


def test_a_film_is_read_from_first_to_last(film: Path) -> None:
    source = Film(film)
    source.open()
    assert (source.rate, source.frames, source.duration) == (10, 20, 2.0)
    found = []
    while (frame := source.read()) is not None:
        found.append((gray(frame), round(frame[1], 3)))
    assert found == [(n, n / 10) for n in range(20)]
    assert source.read() is None
    source.close()
    source.close()


@pytest.mark.parametrize(("where", "wanted"), [(0.0, 0), (1.2, 12), (0.5, 5), (99.0, 19)])
def test_a_film_is_searched_by_frame(film: Path, where: float, wanted: int) -> None:
    source = Film(film)
    source.open()
    source.seek(where)
    assert gray(source.read()) == wanted
    source.close()


def test_colors_are_in_the_programs_order(tmp_path: Path) -> None:
    path = tmp_path / "red.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 10, (64, 48))
    writer.write(np.full((48, 64, 3), (0, 0, 255), np.uint8))  # OpenCV's red
    writer.release()
    source = Film(path)
    source.open()
    frame = source.read()
    assert frame is not None
    assert frame[0].mean((0, 1)).argmax() == 0
    source.close()


@pytest.mark.parametrize("content", [b"", b"not a film at all" * 50, bytes(4000)])
def test_what_is_no_film_is_a_sentence(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "broken.mp4"
    path.write_bytes(content)
    with pytest.raises(ExplorerError, match=r"broken\.mp4"):
        Film(path).open()


def test_a_folder_and_a_missing_file_are_sentences(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "none.mp4"):
        with pytest.raises(ExplorerError, match="is not a file"):
            Film(path).open()


def test_a_film_cut_off_in_the_middle_plays_what_there_is(film: Path) -> None:
    data = film.read_bytes()
    film.write_bytes(data[: len(data) * 3 // 4])
    source = Film(film)
    source.open()
    count = 0
    while source.read() is not None:
        count += 1
    assert 1 <= count < 20
    source.close()


def first_frames(path: Path, most: int = 30) -> list[tuple[np.ndarray, float]]:
    source = Film(path)
    found: list[tuple[np.ndarray, float]] = []
    try:
        source.open()
        while len(found) < most and (frame := source.read()) is not None:
            found.append(frame)
    finally:
        source.close()
    return found


@pytest.mark.parametrize("path", [p for p in CLIPS if p.name != SILENT], ids=lambda p: p.name)
def test_the_clips_play(path: Path) -> None:
    frames = first_frames(path)
    assert len(frames) >= 3
    assert all(pixels.dtype == np.uint8 and pixels.ndim == 3 for pixels, _ in frames)
    positions = [position for _, position in frames]
    assert positions == sorted(set(positions))
    if path.name == "decord_video_90.mov":  # stored lying on its side
        assert frames[0][0].shape == (568, 320, 3)


@pytest.mark.parametrize("path", [p for p in CLIPS if p.name == SILENT], ids=lambda p: p.name)
def test_a_clip_that_cannot_be_decoded_says_so(path: Path) -> None:
    try:
        frames = first_frames(path)
    except ExplorerError as error:
        sentence = f"{error.message} {error.hint}"
    else:
        pytest.skip(f"{len(frames)} frames: it can be decoded here")
    assert path.name in sentence
    assert "MP4" in sentence


def test_without_a_camera_there_is_a_sentence() -> None:
    if Path("/dev/video0").exists():
        pytest.skip("there is a camera")
    with pytest.raises(ExplorerError, match="camera"):
        Camera().open()


@pytest.mark.parametrize("where", ["", "camera", "file:///etc/passwd", "/etc/passwd"])
def test_only_addresses_of_streams_are_opened(where: str) -> None:
    with pytest.raises(ExplorerError, match="address of a stream"):
        Address(where)


def test_an_address_where_nobody_answers_is_a_sentence() -> None:
    with pytest.raises(ExplorerError, match="Nothing answers"):
        Address("http://127.0.0.1:9/stream.mjpg").open()
