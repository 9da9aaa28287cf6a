"""Searching in films: frame k is frame k, whatever the file's clock does."""

import struct
import subprocess
import sys
import wave
from pathlib import Path

import cv2
import numpy as np
import pytest

from explorer.core.errors import ExplorerError
from explorer.live.opening import is_film
from explorer.live.video import Film
from tests.data import shared_data
from tests.live.films import SIZE, gif, late, number_of, rotated, starts, varied
from tests.live.films import film as write

FOLDER = shared_data("video")
CLIPS = sorted(FOLDER.glob("*.*")) if FOLDER is not None else []
DELAYS = (40, 200, 40, 500, 100, 30, 70, 400, 90, 60, 250, 100) * 5
FRAMES = len(DELAYS)


def all_frames(film: Film) -> list[tuple[np.ndarray, float]]:
    film.open()
    found = []
    while (frame := film.read()) is not None:
        found.append(frame)
    return found


def made(tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Films of `FRAMES` frames."""
    if name == "delays.gif":
        return gif(tmp_path / name, DELAYS)
    if "b-frames" in name:
        monkeypatch.setenv("OPENCV_FFMPEG_WRITER_OPTIONS", "bf;2")
    codec = "MJPG" if name.endswith(".avi") else "mp4v"
    path = write(tmp_path / name, FRAMES, rate=29.97 if "29" in name else 10, codec=codec)
    return varied(path, DELAYS) if name == "delays.mp4" else path


NAMES = (
    "plain.avi", "plain.mp4", "29.mp4", "29.mkv", "b-frames.mp4", "b-frames.mkv", "delays.mp4",
    "delays.gif",
)  # fmt: skip


@pytest.fixture(params=NAMES)
def film(request, tmp_path, monkeypatch):
    source = Film(made(tmp_path, request.param, monkeypatch))
    yield source
    source.close()


def order(seed: int) -> list[int]:
    numbers = [*range(FRAMES)] * 2
    np.random.default_rng(seed).shuffle(numbers)
    return numbers


def test_every_frame_is_found_at_its_position(film: Film) -> None:
    positions = [position for _, position in all_frames(film)]
    assert len(positions) == FRAMES
    for number in order(0):
        film.seek(positions[number])
        frame = film.read()
        assert (number_of(frame), frame[1]) == (number, positions[number])
        after = film.read()
        assert after is None if number == FRAMES - 1 else number_of(after) == number + 1


def test_a_frame_is_shown_until_the_next_one_begins(film: Film) -> None:
    positions = [position for _, position in all_frames(film)]
    for number in order(1)[:FRAMES]:
        end = positions[number + 1] if number < FRAMES - 1 else positions[number] + 0.02
        film.seek(end - 0.004)
        assert number_of(film.read()) == number


@pytest.mark.parametrize("by", [1, -1, 3, -3, 17, -17, 0, 500, -500])
def test_steps_are_frames(film: Film, by: int) -> None:
    positions = [position for _, position in all_frames(film)]
    for number in order(2)[:12]:
        for read in (False, True):  # from anywhere, and from the frame that was just read
            film.seek(positions[number])
            if read:
                film.read()
            film.step(positions[number], by)
            wanted = min(max(number + by, 0), FRAMES - 1)
            frame = film.read()
            assert (number_of(frame), frame[1]) == (wanted, positions[wanted])


def test_walking_back_and_on_again(film: Film) -> None:
    positions = [position for _, position in all_frames(film)]
    at = FRAMES // 2
    for by in (1, 1, 1, -1, -1, -1, -1, 1, 1, -1):
        film.step(positions[at], by)
        at += by
        assert number_of(film.read()) == at


def test_positions_of_a_gif_are_its_delays(tmp_path: Path) -> None:
    film = Film(gif(tmp_path / "delays.gif", DELAYS))
    assert [p for _, p in all_frames(film)] == pytest.approx(starts(DELAYS), abs=1e-6)
    film.close()


def test_positions_of_a_variable_rate_are_its_time_table(tmp_path: Path) -> None:
    path = varied(write(tmp_path / "delays.mp4", FRAMES, codec="mp4v"), DELAYS)
    film = Film(path)
    assert [p for _, p in all_frames(film)] == pytest.approx(starts(DELAYS), abs=1e-3)
    assert film.duration == pytest.approx(sum(DELAYS) / 1000, rel=0.05)
    film.close()


@pytest.mark.parametrize("where", [-1.0, 0.0, 1e9])
def test_positions_beyond_the_ends_are_the_ends(film: Film, where: float) -> None:
    film.open()
    film.seek(where)
    assert number_of(film.read()) == (FRAMES - 1 if where > 0 else 0)


@pytest.mark.parametrize("path", CLIPS, ids=lambda p: p.name)
def test_every_clip_is_searched_or_ends_in_a_sentence(path: Path) -> None:
    film, sentence = Film(path), ""
    try:
        film.open()
        frames = []
        while len(frames) < 90 and (frame := film.read()) is not None:
            frames.append(frame)
        for number in np.random.default_rng(0).choice(len(frames), 8):
            film.seek(frames[number][1])
            found = film.read()
            assert found is not None
            assert found[1] == frames[number][1]
            assert np.array_equal(found[0], frames[number][0])
            if number:
                film.step(frames[number][1], -1)
                found = film.read()
                assert found is not None
                assert np.array_equal(found[0], frames[number - 1][0])
    except ExplorerError as error:
        sentence = error.message if error.hint else "no hint"
    finally:
        film.close()
    assert not sentence or path.name in sentence


# -- files that are not as they should be ------------------------------------------------------


def test_a_film_of_one_frame(tmp_path: Path) -> None:
    film = Film(write(tmp_path / "one.avi", 1))
    assert len(all_frames(film)) == 1
    for where in (0.0, 0.05, 5.0):
        film.seek(where)
        assert number_of(film.read()) == 0
        assert film.read() is None
    for by in (-2, 1):
        film.step(0.0, by)
        assert number_of(film.read()) == 0
    film.close()


def test_a_film_on_its_side_comes_out_upright(tmp_path: Path) -> None:
    path = tmp_path / "side.mp4"
    writer = cv2.VideoWriter(str(path), cv2.CAP_FFMPEG, cv2.VideoWriter.fourcc(*"mp4v"), 10, SIZE)
    frame = np.zeros((SIZE[1], SIZE[0], 3), np.uint8)
    frame[: SIZE[1] // 2] = 200  # bright where the top is now
    for _ in range(3):
        writer.write(frame)
    writer.release()
    film = Film(rotated(path))
    film.open()
    found = film.read()
    assert found is not None
    assert found[0].shape == (SIZE[0], SIZE[1], 3)
    left, right = found[0][:, : SIZE[1] // 2 - 4].mean(), found[0][:, SIZE[1] // 2 + 4 :].mean()
    assert left < 20 < 180 < right  # what was above lies to the right after a quarter turn
    film.close()


def test_sound_alone_is_a_sentence(tmp_path: Path) -> None:
    path = tmp_path / "sound.mp4"
    with wave.open(str(path), "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(8000)
        sound.writeframes(struct.pack("<8000h", *([0, 9000] * 4000)))
    with pytest.raises(ExplorerError, match=r"sound\.mp4"):
        all_frames(Film(path))


@pytest.mark.parametrize("name", ["cut.mp4", "noise.avi", "text.mp4", "empty.mp4"])
def test_a_damaged_film_is_quiet(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    if name in ("cut.mp4", "noise.avi"):
        data = bytearray(write(path, 40, codec="mp4v").read_bytes())
        for place in range(300, len(data) // 2, 7):
            data[place] ^= 0x5A
        path.write_bytes(data)
    else:
        path.write_bytes(b"words " * 500 if name == "text.mp4" else b"")
    program = (
        "import sys\n"
        "from pathlib import Path\n"
        "from explorer.core.errors import ExplorerError\n"
        "from explorer.live.video import Film\n"
        "film = Film(Path(sys.argv[1]))\n"
        "try:\n"
        "    film.open()\n"
        "    while film.read() is not None:\n"
        "        pass\n"
        "except ExplorerError:\n"
        "    pass\n"
    )
    run = subprocess.run(
        [sys.executable, "-c", program, str(path)],
        capture_output=True, text=True, timeout=240, check=False,
    )  # fmt: skip
    assert (run.returncode, run.stdout, run.stderr) == (0, "", "")


@pytest.mark.parametrize("codec", ["MJPG", "mp4v"])
@pytest.mark.parametrize("seed", range(8))
def test_damaged_films_play_what_there_is_or_end_in_a_sentence(
    tmp_path: Path, codec: str, seed: int
) -> None:
    random = np.random.default_rng(seed)
    path = write(tmp_path / ("film.avi" if codec == "MJPG" else "film.mp4"), 40, codec=codec)
    data = bytearray(path.read_bytes())
    if seed % 2:
        del data[int(random.integers(0, len(data))) :]
    else:
        for place in random.integers(0, len(data), 60):
            data[place] = int(random.integers(0, 256))
    path.write_bytes(data)
    film, sentence = Film(path), ""
    try:
        frames = all_frames(film)
        for where in random.uniform(0, 5, 6):
            film.seek(float(where))
            film.read()
        film.step(frames[-1][1], -1)
        assert film.read() is not None
    except ExplorerError as error:
        sentence = error.message if error.hint else "no hint"
    finally:
        film.close()
    assert not sentence or path.name in sentence


@pytest.mark.parametrize(
    ("name", "codec"),
    [
        ("a.ts", "mp4v"), ("a.mts", "mp4v"), ("a.m2ts", "MPG2"), ("a.flv", "FLV1"),
        ("a.3gp", "mp4v"), ("a.vob", "MPG2"), ("a.mxf", "MPG2"), ("a.asf", "MJPG"),
        ("A.TS", "mp4v"),
    ],
)  # fmt: skip
def test_films_of_cameras_recorders_and_the_web_are_played(
    tmp_path: Path, name: str, codec: str
) -> None:
    path = write(tmp_path / name, 12, rate=25, codec=codec)
    assert is_film(path)
    assert len(all_frames(Film(path))) == 12


def test_a_name_that_may_be_anything_is_told_by_its_first_bytes(tmp_path: Path) -> None:
    inside = write(tmp_path / "a.avi", 5)
    for name, content, film in (
        ("film.dat", inside.read_bytes(), True), ("table.dat", b"1 2 3\n" * 200, False),
        ("code.ts", b"export const a = 1;\n" * 40, False), ("empty.dat", b"", False),
    ):  # fmt: skip
        (tmp_path / name).write_bytes(content)
        assert is_film(tmp_path / name) == film, name
    assert is_film(tmp_path / "none.ts")
    assert not is_film(tmp_path / "none.dat")
    assert len(all_frames(Film(tmp_path / "film.dat"))) == 5


@pytest.mark.parametrize("kind", ["plain", "varied", "late"])
def test_an_intact_film_ends_where_it_says(tmp_path: Path, kind: str) -> None:
    name, codec = ("a.mp4", "mp4v") if kind == "varied" else ("a.mkv", "MJPG")
    path = write(tmp_path / name, 10, rate=25, codec=codec)
    if kind == "varied":
        varied(path, [40, 400, 40, 10, 10, 900, 40, 40, 40, 40])
    if kind == "late":
        late(path, 5000, 5400)
    film = Film(path)
    last = all_frames(film)[-1][1]
    assert film.whole_until(last)
    if kind == "late":
        assert film.frames > 100, "it is worked out from the length"
    begin = 5.0 if kind == "late" else 0.0  # on the file's own clock
    assert not film.whole_until(-begin), "the first frame is not the last"
    film.close()


def test_a_film_that_ends_too_early_is_not_whole(tmp_path: Path) -> None:
    path = late(write(tmp_path / "a.mkv", 10, rate=25), 0, 5400)
    film = Film(path)
    assert not film.whole_until(all_frames(film)[-1][1])
    film.close()
