"""`explorer render VIEW FILM`: every frame, resumed where it stopped, or one sentence."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image

from explorer import views
from explorer.cli import film as module
from explorer.core.layers import UNTRAINED, Board, Pane, Picture, Text
from explorer.core.params import param
from explorer.core.step import Step
from explorer.engine.engine import Engine
from explorer.engine.view import Group, View
from explorer.saving import film as saving
from tests.live.films import SIZE, film, gif, late, number_of, varied
from tests.saving.test_mp4 import frames
from tests.test_cli import Run, _sentence, explorer, toys

__all__ = ["explorer", "toys"]


@dataclass(frozen=True, slots=True)
class Params:
    gain: int = param(1, "Gain", "How much.", low=1, high=9)


class Counting:
    """A view that remembers: how many frames it saw, and a mean that fades."""

    def __init__(self) -> None:
        self.numbers: list[int] = []
        self.drawn = 0
        self.forgets = False
        self.view: View[Any, Any] = View(
            name="counting", title="Counting", group=Group.OTHER, summary="It counts.",
            explanation="", reference="", Params=Params, compute=self._compute, draw=self._draw,
            data=lambda result, _: result,
        )  # fmt: skip

    def _compute(self, scene: Any, params: Params) -> Generator[Step[Any], Any, None]:
        moment, pixels = scene.moment, scene.image.pixels
        self.numbers.append(moment.number)
        known = moment.memory.setdefault("counting", {"count": 0, "mean": np.zeros(3)})
        if self.forgets:
            known["keep"] = print
        known["count"] += 1
        known["mean"] = 0.5 * known["mean"] + 0.5 * pixels.mean((0, 1))
        yield Step({
            "pixels": pixels, "count": known["count"], "mean": known["mean"] * params.gain,
            "shown": number_of((pixels, 0.0)),
        })  # fmt: skip

    def _draw(self, result: Any, params: Params) -> Board:
        self.drawn += 1
        pixels = result["pixels"]
        return Board((Pane("image", (pixels.shape[1], pixels.shape[0]), (Picture(pixels),)),))


@pytest.fixture
def counting(monkeypatch: pytest.MonkeyPatch, toys: None) -> Counting:
    made, find = Counting(), views.find
    monkeypatch.setattr(views, "find", lambda n: made.view if n == "counting" else find(n))
    monkeypatch.setattr(module, "PIECE_FRAMES", 8)
    return made


def interrupt_after(
    monkeypatch: pytest.MonkeyPatch, count: int, stop: signal.Signals = signal.SIGINT
) -> None:
    """The next films are interrupted when so many frames have been answered."""
    whole = Engine.film

    def interrupted(self: Engine, *rest: Any) -> Generator[Step[Any], Any, None]:
        steps = whole(self, *rest)
        answered = 0
        try:
            for step in steps:
                yield step
                answered += step.value.result is not None
                if answered == count:
                    signal.raise_signal(stop)
        finally:
            steps.close()

    monkeypatch.setattr(Engine, "film", interrupted)


def lines_of(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_every_frame_is_in_the_film_and_has_a_line(
    explorer: Run, counting: Counting, tmp_path: Path
) -> None:
    path, out, data = film(tmp_path / "a.avi", 20), tmp_path / "o.mp4", tmp_path / "o.jsonl"
    assert explorer("render", "counting", path, "-o", out, "--data", data) == (
        0, f"{out}: 20 frames, 2.0 s\n{data}: 20 lines\n", "",
    )  # fmt: skip
    found, times = frames(out)
    assert [number_of((frame, 0.0)) for frame in found] == list(range(20))
    assert np.allclose(times, np.arange(20) * 100)
    lines = lines_of(data)
    assert [line["frame"] for line in lines] == list(range(20))
    assert [line["seconds"] for line in lines] == pytest.approx(np.arange(20) / 10)
    assert [line["data"]["shown"] for line in lines] == list(range(20))
    assert [line["data"]["count"] for line in lines] == list(range(1, 21))
    assert lines[0]["data"]["pixels"] == {"shape": [48, 64, 3], "dtype": "uint8"}
    assert {(line["view"], line["network"]) for line in lines} == {("counting", "toy")}
    assert names(tmp_path) == {"a.avi", "o.mp4", "o.jsonl"}
    assert counting.drawn == 20, "once for each frame"


@pytest.mark.parametrize("count", [3, 8, 13, 20])
@pytest.mark.parametrize("suffix", [".mp4", ".gif"])
def test_an_interrupted_film_goes_on_as_if_nothing_had_been(
    explorer: Run, counting: Counting, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    count: int, suffix: str,
) -> None:  # fmt: skip
    path = film(tmp_path / "a.avi", 20)
    whole, whole_data = tmp_path / f"whole{suffix}", tmp_path / "whole.jsonl"
    assert explorer("render", "counting", path, "-o", whole, "--data", whole_data)[0] == 0

    out, data = tmp_path / f"o{suffix}", tmp_path / "o.jsonl"
    command = ("render", "counting", path, "-o", out, "--data", data)
    kept = count // 8 * 8
    with monkeypatch.context() as patch:
        interrupt_after(patch, count)
        status, said, err = explorer(*command)
    assert (status, said) == (130, "")
    assert (f"{kept} of 20 frames" if kept else "nothing") in _sentence(err)
    assert not out.exists()
    assert not data.exists()

    counting.numbers.clear()
    status, said, err = explorer(*command)
    assert status == 0
    assert counting.numbers == list(range(kept, 20))
    assert (f"resuming after frame {kept}." in err) == bool(kept)
    assert all(np.array_equal(*pair) for pair in zip(frames(out)[0], frames(whole)[0], strict=True))
    assert lines_of(data) == lines_of(whole_data)
    assert names(tmp_path) == {"a.avi", out.name, "o.jsonl", whole.name, "whole.jsonl"}


def test_sigterm_keeps_what_is_done(
    explorer: Run, counting: Counting, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, out = film(tmp_path / "a.avi", 20), tmp_path / "o.mp4"
    with monkeypatch.context() as patch:
        interrupt_after(patch, 13, signal.SIGTERM)
        assert explorer("render", "counting", path, "-o", out)[0] == 143
    assert explorer("render", "counting", path, "-o", out)[0] == 0
    assert counting.numbers == [*range(13), *range(8, 20)]


@pytest.mark.parametrize(
    ("more", "says"),
    [
        (["--set", "gain=3"], "parameters"),
        (["--seed", "7"], "seed"),
        (["--network", "toy-segmentation"], "network"),
        (["--end", "1.5"], "range"),
        (["--width", "320"], "size"),
        (["--fps", "20"], "fps"),
    ],
)
def test_something_else_begins_anew(
    explorer: Run, counting: Counting, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    more: list[str], says: str,
) -> None:  # fmt: skip
    path, out = film(tmp_path / "a.avi", 20), tmp_path / "o.mp4"
    with monkeypatch.context() as patch:
        interrupt_after(patch, 13)
        explorer("render", "counting", path, "-o", out)
    counting.numbers.clear()
    status, _, err = explorer("render", "counting", path, "-o", out, *more)
    assert status == 0
    assert says in _sentence(err)
    assert counting.numbers[0] == 0


def test_another_film_of_the_same_name_and_again_begin_anew(
    explorer: Run, counting: Counting, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, out = film(tmp_path / "a.avi", 20), tmp_path / "o.mp4"
    for change in ("source", "again"):
        with monkeypatch.context() as patch:
            interrupt_after(patch, 13)
            explorer("render", "counting", path, "-o", out)
        if change == "source":
            film(path, 21)
        counting.numbers.clear()
        more = ["--again"] if change == "again" else []
        status, _, err = explorer("render", "counting", path, "-o", out, *more)
        assert (status, counting.numbers) == (0, list(range(21)))
        assert ("source" in err) == (change == "source")
        os.utime(path, (1, 1))


def test_a_memory_that_cannot_be_kept_is_said(
    explorer: Run, counting: Counting, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    counting.forgets = True
    path, out = film(tmp_path / "a.avi", 20), tmp_path / "o.mp4"
    with monkeypatch.context() as patch:
        interrupt_after(patch, 13)
        explorer("render", "counting", path, "-o", out)
    counting.numbers.clear()
    status, _, err = explorer("render", "counting", path, "-o", out)
    assert (status, counting.numbers) == (0, list(range(20)))
    assert "the state of Counting" in _sentence(err)


def test_in_and_out_points_and_lines_alone(
    explorer: Run, counting: Counting, tmp_path: Path
) -> None:
    path, data = film(tmp_path / "a.avi", 20), tmp_path / "o.jsonl"
    argv = ("render", "counting", path, "--data", data, "--start", 0.5, "--end", 1.2)
    assert explorer(*argv) == (0, f"{data}: 7 lines\n", "")
    assert [line["data"]["shown"] for line in lines_of(data)] == [5, 6, 7, 8, 9, 10, 11]
    assert [line["frame"] for line in lines_of(data)] == list(range(7))
    assert lines_of(data)[0]["seconds"] == pytest.approx(0.5)


def test_a_varying_rate_keeps_its_time(explorer: Run, counting: Counting, tmp_path: Path) -> None:
    units = [100, 100, 400, 100, 50, 50, 200, 100]
    path = varied(film(tmp_path / "a.mp4", 8, codec="mp4v"), units)
    out = tmp_path / "o.mp4"
    assert explorer("render", "counting", path, "-o", out, "--fps", 10)[0] == 0
    shown = [number_of((frame, 0.0)) for frame in frames(out)[0]]
    assert shown[:7] == [0, 1, 2, 2, 2, 2, 3]
    assert len(shown) == pytest.approx(sum(units) / 100, abs=1)
    assert counting.numbers == list(range(8))


def test_a_gif_is_a_film_when_one_is_written(
    explorer: Run, counting: Counting, tmp_path: Path
) -> None:
    path, out = gif(tmp_path / "a.gif", [100] * 6), tmp_path / "o.gif"
    assert explorer("render", "counting", path, "-o", out)[0] == 0
    with Image.open(out) as picture:
        assert picture.n_frames == 6
    assert explorer("render", "classify", path, "-o", tmp_path / "o.png")[0] == 0
    with Image.open(tmp_path / "o.png") as picture:
        assert picture.size[0] == 1600


def test_the_size_is_that_of_the_film_or_the_wished_one(
    explorer: Run, counting: Counting, tmp_path: Path
) -> None:
    path = film(tmp_path / "a.avi", 3)
    for more, size in (([], SIZE), (["--width", "320"], (320, 240))):
        assert explorer("render", "counting", path, "-o", tmp_path / "o.mp4", *more)[0] == 0
        height, width = frames(tmp_path / "o.mp4")[0][0].shape[:2]
        assert (width, height) == size


def test_several_films_and_one_that_is_damaged(
    explorer: Run, counting: Counting, tmp_path: Path
) -> None:
    films = [film(tmp_path / "a.avi", 3), tmp_path / "b.mp4", film(tmp_path / "c.avi", 4)]
    films[1].write_bytes(b"nothing")
    status, out, err = explorer("render", "counting", *films, "-o", tmp_path / "o.mp4")
    assert status == 2
    assert "b.mp4" in _sentence(err)
    assert [line.split(": ")[1] for line in out.splitlines()] == [
        "3 frames, 0.3 s",
        "4 frames, 0.4 s",
    ]
    assert {"o-a.mp4", "o-c.mp4"} <= names(tmp_path)
    assert not any(name.startswith(("o-b", ".")) for name in names(tmp_path))


def test_a_film_that_is_cut_off_says_how_much_there_was(
    explorer: Run, counting: Counting, tmp_path: Path
) -> None:
    path = film(tmp_path / "a.avi", 40)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    status, out, _ = explorer("render", "counting", path, "-o", tmp_path / "o.mp4")
    assert status == 0
    assert "40 are declared in the file: the film may be damaged or truncated" in out
    assert 1 <= len(frames(tmp_path / "o.mp4")[0]) < 40


@pytest.mark.parametrize("kind", ["varied", "late"])
def test_an_intact_film_is_not_called_damaged(
    explorer: Run, counting: Counting, tmp_path: Path, kind: str
) -> None:
    path = film(tmp_path / "a.mkv", 10, rate=25, codec="MJPG")
    if kind == "late":
        late(path, 5000, 5400)
    else:
        path = varied(film(tmp_path / "a.mp4", 10, codec="mp4v"), [40, 900, *[40] * 8])
    status, out, err = explorer("render", "counting", path, "--data", tmp_path / "o.jsonl")
    assert (status, err) == (0, "")
    assert out == f"{tmp_path / 'o.jsonl'}: 10 lines\n"


def test_a_transport_stream_is_a_film(explorer: Run, counting: Counting, tmp_path: Path) -> None:
    path = film(tmp_path / "a.mts", 10, rate=25, codec="mp4v")
    status, out, _ = explorer("render", "counting", path, "-o", tmp_path / "o.mp4")
    assert status == 0
    assert "10 frames" in out


def test_random_weights_are_stamped(
    explorer: Run, counting: Counting, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dataclasses import replace

    from explorer.render import board as board_module

    seen: list[Any] = []
    rendered, trained = board_module.render_pane, Engine.network

    def untrained(self: Engine, *rest: Any) -> Generator[Step[None], Any, Any]:
        network = yield from trained(self, *rest)
        network.info = replace(network.info, state="untrained")
        return network

    def watched(pane: Pane, *rest: Any, **more: Any) -> Any:
        seen.append([x for x in pane.layers if isinstance(x, Text) and x.text == UNTRAINED])
        return rendered(pane, *rest, **more)

    monkeypatch.setattr(board_module, "render_pane", watched)
    monkeypatch.setattr(Engine, "network", untrained)
    path = film(tmp_path / "a.avi", 2)
    assert explorer("render", "counting", path, "-o", tmp_path / "o.mp4")[0] == 0
    assert [len(stamps) for stamps in seen] == [1, 1]


@pytest.mark.parametrize(
    ("argv", "says"),
    [
        (["deep_dream", "FILM", "-o", "o.mp4"], "DeepDream does not support films"),
        (["counting", "FILM", "-o", "o.png"], ".mp4, .gif"),
        (["counting", "FILM", "--data", "o.json"], ".jsonl"),
        (["counting", "FILM"], "-o out.mp4"),
        (["counting", "FILM", "--film", "o.mp4"], "-o out.mp4"),
        (["counting", "FILM", "PHOTO", "-o", "o.mp4"], "one run"),
        (["counting", "none.mp4", "-o", "o.mp4"], "none.mp4 does not exist"),
        (["counting", "EMPTY", "-o", "o.mp4"], "empty.mp4 cannot be played"),
        (["counting", "CUT", "-o", "o.mp4"], "cut.avi"),
        (["counting", "FILM", "-o", "none/o.mp4"], "could not be written"),
        (["counting", "FILM", "-o", "o.mp4", "--start", "9"], "no frame between"),
        (
            ["counting", "FILM", "-o", "o.mp4", "--start", "1", "--end", "1"],
            "--end must be after --start",
        ),
        (["counting", "FILM", "-o", "o.gif", "--fps", "120", "--width", "9"], "160 to 16000"),
        (["counting", "LONG", "-o", "o.gif"], "at most 10 frames"),
        (["classify", "FILM", "-o", "o.mp4", "--network", "toy-detection"], "classification"),
        (["counting", "FILM", "-o", "o.mp4", "--set", "gain=99"], "1 to 9"),
    ],
)
def test_wrong_words_are_one_sentence(
    explorer: Run, counting: Counting, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    argv: list[str], says: str,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(saving.MOST_FRAMES, ".gif", 10)
    film(tmp_path / "film.avi", 4)
    film(tmp_path / "long.avi", 30)
    (tmp_path / "empty.mp4").touch()
    (tmp_path / "cut.avi").write_bytes((tmp_path / "film.avi").read_bytes()[:1500])
    cv2.imwrite(str(tmp_path / "photo.png"), np.zeros((20, 30, 3), np.uint8))
    before = sorted(tmp_path.rglob("*"))
    known = {
        "FILM": "film.avi", "LONG": "long.avi", "EMPTY": "empty.mp4", "CUT": "cut.avi",
        "PHOTO": "photo.png",
    }  # fmt: skip
    status, out, err = explorer("render", *[known.get(word, word) for word in argv])
    assert (status, out) == (2, "")
    assert says in _sentence(err)
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.usefixtures("toys")
def test_a_place_beside_the_frames_is_moved_inside_and_that_is_said(
    explorer: Run, tmp_path: Path
) -> None:
    film(tmp_path / "film.avi", 2)
    status, _, err = explorer(
        "render", "anchors", tmp_path / "film.avi", "--set", "place=9000,5",
        "--network", "toy-detection", "-o", tmp_path / "o.gif",
    )  # fmt: skip
    assert status == 0
    assert "place lies outside the " in err
    assert "is moved inside." in err


def test_a_write_protected_folder_is_a_sentence(
    explorer: Run, counting: Counting, tmp_path: Path
) -> None:
    if os.geteuid() == 0:
        pytest.skip("root may write anywhere")
    path = film(tmp_path / "a.avi", 3)
    folder = tmp_path / "closed"
    folder.mkdir(mode=0o500)
    status, _, err = explorer("render", "counting", path, "-o", folder / "o.mp4")
    assert status == 2
    assert "could not be written" in _sentence(err)


def test_views_beside_are_in_the_film(explorer: Run, counting: Counting, tmp_path: Path) -> None:
    source, both, alone = film(tmp_path / "a.avi", 4), tmp_path / "b.mp4", tmp_path / "c.mp4"
    assert explorer("render", "counting", source, "-o", alone)[0] == 0
    command = ("render", "counting", source, "-o", both, "--beside")
    assert explorer(*command, "selective_search")[0] == 0
    one, two = frames(alone)[0], frames(both)[0]
    assert len(two) == len(one) == 4
    assert two[0].shape[1] > one[0].shape[1]
    status, _, err = explorer(*command, "deep_dream")
    assert (status, _sentence(err)) == (
        2, "DeepDream does not support films. Leave it out of --beside.",
    )  # fmt: skip
    photo = tmp_path / "a.png"
    Image.new("RGB", (8, 8)).save(photo)
    status, _, err = explorer("render", "counting", photo, "-o", both, "--beside", "anchors")
    assert (status, "--beside applies to films only" in err) == (2, True)
