import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from explorer.core.errors import ExplorerError
from explorer.saving import film_pieces
from explorer.saving.film_pieces import Pieces, Record, folder_of, recovered
from explorer.saving.lines import MOST_VALUES, frame_line
from tests.live.films import numbered
from tests.saving.test_mp4 import frames

REQUEST = {"view": "toy", "params": {"score": 0.5}}


def begun(folder: Path, request: Any = None, *, suffix: str = ".mp4", **how: Any) -> Pieces:
    return Pieces(folder / f"out{suffix}", folder / "out.jsonl", 10.0, request or REQUEST, **how)


def killed(pieces: Pieces) -> None:
    """What is left when the program ends in the middle: its files, without its lock."""
    pieces.release()


def fill(pieces: Pieces, numbers: range, each: int = 4) -> Pieces:
    for number in numbers:
        pieces.add(numbered(number))
        pieces.line(json.dumps({"frame": number}))
        if (number + 1) % each == 0:
            pieces.commit(number + 1, b"%d" % number)
    return pieces


def test_nothing_is_seen_before_the_end(tmp_path: Path) -> None:
    pieces = begun(tmp_path)
    fill(pieces, range(8))
    assert {path.name for path in tmp_path.iterdir()} == {".out.mp4.parts"}
    pieces.finish()
    assert {path.name for path in tmp_path.iterdir()} == {"out.mp4", "out.jsonl"}
    assert len(frames(tmp_path / "out.mp4")[0]) == 8
    lines = (tmp_path / "out.jsonl").read_text().splitlines()
    assert [json.loads(line)["frame"] for line in lines] == list(range(8))


@pytest.mark.parametrize("suffix", [".mp4", ".gif"])
def test_it_goes_on_behind_the_last_record(tmp_path: Path, suffix: str) -> None:
    whole = begun(tmp_path, suffix=suffix)
    fill(whole, range(14))
    whole.commit(14)
    whole.finish()
    wanted = (tmp_path / f"out{suffix}").read_bytes(), (tmp_path / "out.jsonl").read_bytes()

    first = begun(tmp_path, suffix=suffix)
    fill(first, range(10))  # two pieces, and the half of another one
    first.abandon()
    assert first.written == 8
    second = begun(tmp_path, suffix=suffix)
    assert second.changed == ()
    assert second.record == Record(8, 8, (64, 48), filmed=True)
    assert second.memory == b"7"
    fill(second, range(8, 14))
    second.commit(14)
    second.finish()
    found = (tmp_path / f"out{suffix}").read_bytes(), (tmp_path / "out.jsonl").read_bytes()
    assert found == wanted
    assert not folder_of(tmp_path / f"out{suffix}").exists()


def test_a_piece_without_its_record_does_not_count(tmp_path: Path) -> None:
    killed(fill(begun(tmp_path), range(8)))
    (folder_of(tmp_path / "out.mp4") / "000001.json").unlink()  # before it was written
    assert begun(tmp_path).record.frames == 4


def test_something_else_begins_anew_and_says_what_differs(tmp_path: Path) -> None:
    killed(fill(begun(tmp_path), range(8)))
    other = begun(tmp_path, {"view": "toy", "params": {"score": 0.7}})
    assert other.changed == ("params",)
    assert other.record == Record()
    killed(fill(other, range(4)))
    assert begun(tmp_path, {"view": "toy", "params": {"score": 0.7}}, again=True).record == Record()


def test_what_is_abandoned_at_once_leaves_nothing(tmp_path: Path) -> None:
    pieces = begun(tmp_path)
    pieces.add(numbered(0))
    pieces.abandon()
    assert list(tmp_path.iterdir()) == []


def test_two_runs_do_not_write_one_film(tmp_path: Path) -> None:
    first = begun(tmp_path)
    with pytest.raises(ExplorerError, match="another run"):
        begun(tmp_path)
    fill(first, range(4))
    first.abandon()
    assert begun(tmp_path).record.frames == 4


def test_a_frame_can_fill_several_or_none(tmp_path: Path) -> None:
    pieces = begun(tmp_path)
    for number, times in enumerate((3, 0, 1)):
        pieces.add(numbered(number), times)
    pieces.commit(3)
    pieces.finish()
    found = frames(tmp_path / "out.mp4")[0]
    assert len(found) == 4
    assert np.abs(found[0].astype(int) - found[2]).mean() < 3
    assert np.abs(found[2].astype(int) - found[3]).mean() > 20


def test_a_gif_keeps_the_pixels(tmp_path: Path) -> None:
    pieces = Pieces(tmp_path / "out.gif", None, 10.0, REQUEST)
    fill(pieces, range(4), each=2)
    pieces.finish()
    with Image.open(tmp_path / "out.gif") as picture:
        assert picture.n_frames == 4
        picture.seek(3)
        assert np.array_equal(np.asarray(picture.convert("RGB")), numbered(3))


def test_lines_alone(tmp_path: Path) -> None:
    pieces = Pieces(None, tmp_path / "out.jsonl", 10.0, REQUEST)
    pieces.line("{}")
    pieces.commit(1)
    pieces.finish()
    assert {path.name for path in tmp_path.iterdir()} == {"out.jsonl"}


def test_a_folder_that_is_not_there_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(ExplorerError, match=r"none.out\.mp4 could not be written"):
        Pieces(tmp_path / "none" / "out.mp4", None, 10.0, REQUEST)


def test_a_full_disk_keeps_the_pieces_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pieces = begun(tmp_path)
    fill(pieces, range(4))

    class Full:
        """OpenCV on a full disk: no error, no frames."""

        def __init__(self, path: Path, size: Any, fps: float, **how: Any) -> None:
            path.touch()

        def add(self, frame: Any) -> None:
            """It goes nowhere."""

        def close(self) -> None:
            """Nothing is said either."""

        def verify(self, count: int) -> bool:
            return False

    monkeypatch.setattr(film_pieces, "open_sink", Full)
    with pytest.raises(ExplorerError, match="disk full"):
        fill(pieces, range(4, 8))
    pieces.abandon()
    assert pieces.record.frames == 4
    assert begun(tmp_path).record.frames == 4
    assert not (tmp_path / "out.mp4").exists()


def test_what_a_killed_program_has_left_becomes_a_film(tmp_path: Path) -> None:
    recording = fill(begun(tmp_path, {"recording": True}), range(10))
    with pytest.raises(ExplorerError, match="another run"):
        recovered(tmp_path / "out.mp4")
    killed(recording)
    record = recovered(tmp_path / "out.mp4")
    assert record is not None
    assert record.frames == 8
    assert len(frames(tmp_path / "out.mp4")[0]) == 8
    assert len((tmp_path / "out.jsonl").read_text().splitlines()) == 8
    assert recovered(tmp_path / "out.mp4") is None


def test_a_line_holds_small_arrays_and_names_large_ones() -> None:
    data = {
        "scores": np.array([0.5, np.nan], np.float32),
        "maps": np.zeros((MOST_VALUES + 1, 2), np.float16),
        "deep": {"list": [np.zeros(MOST_VALUES + 1)]},
        "words": ("a", "b"),
    }
    line = frame_line(3, 1 / 3, "toy", "net", data, recorded=0.1)
    assert "\n" not in line
    assert json.loads(line) == {
        "frame": 3, "seconds": 0.333333, "recorded": 0.1, "view": "toy", "network": "net",
        "data": {
            "scores": [0.5, None],
            "maps": {"shape": [MOST_VALUES + 1, 2], "dtype": "float16"},
            "deep": {"list": [{"shape": [MOST_VALUES + 1], "dtype": "float64"}]},
            "words": ["a", "b"],
        },
    }  # fmt: skip
