"""The film of a view's steps: every step, drawn by the window, painted by another thread."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Iterator
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from pytestqt.qtbot import QtBot

from explorer.core.layers import Board, Pane, Picture
from explorer.core.runner import Runner, Token
from explorer.core.step import Step
from explorer.engine.answer import Answer, Ask
from explorer.engine.finish import FinishedAnswer
from explorer.engine.view import View
from explorer.ui.photos import step_film
from explorer.ui.photos.step_film import StepFilm
from tests.ui.toy_desk import DREAM, INFO, SORTER, photo


class Threads:
    """Which threads drew, by their names."""

    def __init__(self) -> None:
        self.drew: list[str] = []

    def view(self) -> View[Any, Any]:
        def draw(result: Any, params: Any) -> Board:
            self.drew.append(threading.current_thread().name)
            height, width = result.shape[:2]
            return Board((Pane("dream", (width, height), (Picture(result),)),))

        return replace(DREAM, draw=draw)


@pytest.fixture
def files() -> Iterator[Runner]:
    runner = Runner(lambda: None, "files")
    yield runner
    assert runner.close(20.0)


@pytest.fixture
def film(files: Runner) -> StepFilm:
    return StepFilm(lambda key, begin, _receiver: files.submit(key, begin))


def answers(count: int, threads: Threads, *, untrained: bool = False) -> list[Answer]:
    """Step k is a photo of shade 2k."""
    info = replace(INFO, state="untrained") if untrained else INFO
    view = threads.view()
    found = []
    for number in range(count):
        image = photo(shade=number * 2 % 250)
        ask = Ask(view, SORTER, image, view.Params())
        found.append(Answer(ask, info, ask.params, image.pixels))
    return found


def run(film: StepFilm, found: list[Answer]) -> None:
    """The steps go by on a thread of their own, as on the runner's."""

    def steps() -> Generator[Step[Answer], Any, None]:
        for number, answer in enumerate(found):
            yield Step(answer, number, len(found))

    def work() -> None:
        passed = [step.value for step in film.recorded(steps())]
        assert passed == found

    thread = threading.Thread(target=work, name="runner")
    thread.start()
    thread.join(20.0)
    assert not thread.is_alive()


def shades(film: StepFilm) -> list[int]:
    """The middle pixel of every frame, as the step's number."""
    found = [int(frame[frame.shape[0] // 2, frame.shape[1] // 2, 0]) for frame in film.frames()]
    return [round(shade / 2) for shade in found]


def test_every_step_is_drawn_on_the_windows_thread_only(qtbot: QtBot, film: StepFilm) -> None:
    threads = Threads()
    run(film, answers(12, threads))
    assert threads.drew == [], "the runner's thread went on without drawing"
    qtbot.waitUntil(lambda: len(threads.drew) == 12)
    assert set(threads.drew) == {threading.main_thread().name}
    assert shades(film) == list(range(12))
    assert len(threads.drew) == 12, "each is drawn once"


def test_a_film_that_is_written_at_once_misses_nothing(qtbot: QtBot, film: StepFilm) -> None:
    run(film, answers(9, Threads()))
    film.draw()
    assert shades(film) == list(range(9))


def test_random_weights_are_marked_on_every_frame(qtbot: QtBot, film: StepFilm) -> None:
    plain, marked = answers(1, Threads()), answers(1, Threads(), untrained=True)
    for found in (plain, marked):
        run(film, found)
        film.draw()
        (frame,) = film.frames()
        wanted = FinishedAnswer(found[0]).frame()
        assert frame.shape == wanted.shape
        assert np.abs(frame.astype(int) - wanted).mean() < 3.0, "but for the JPEG"
    assert frame[:40, :160].max() > 150, "the words stand in the corner of a dark frame"


def test_steps_that_show_nothing_leave_no_frame(qtbot: QtBot, film: StepFilm) -> None:
    found = answers(3, Threads())
    found[1] = replace(found[1], result=None)
    run(film, found)
    film.draw()
    assert shades(film) == [0, 2]


def test_a_new_film_begins_anew(qtbot: QtBot, film: StepFilm) -> None:
    run(film, answers(5, Threads()))
    run(film, answers(2, Threads()))
    film.draw()
    assert shades(film) == [0, 1]
    film.clear()
    assert len(film) == 0
    assert shades(film) == []


@pytest.mark.parametrize("drawn_between", [False, True])
def test_too_many_steps_are_thinned_out_evenly(
    qtbot: QtBot, film: StepFilm, monkeypatch: pytest.MonkeyPatch, *, drawn_between: bool
) -> None:
    monkeypatch.setattr(step_film, "MOST_FRAMES", 10)
    monkeypatch.setattr(step_film, "MOST_WAITING", 25)
    found = answers(40, Threads())
    if drawn_between:
        film.recorded(iter(()))  # type: ignore[arg-type]
        for answer in found:
            film.keep(answer)
            film.draw()
    else:
        run(film, found)
        film.draw()
    kept = shades(film)
    assert 5 <= len(kept) <= 10
    assert kept[0] == 0
    assert len({after - before for before, after in pairwise(kept)}) == 1


def test_the_window_is_woken_once_for_many_steps(qtbot: QtBot) -> None:
    asked: list[Callable[[Token], Any]] = []
    film = StepFilm(lambda _key, begin, _receiver: asked.append(begin))
    run(film, answers(20, Threads()))
    qtbot.waitUntil(lambda: len(asked) == 1)
    assert len(film) == 20
    assert shades(film) == list(range(20)), "whoever writes the film paints what is left"
