"""The way of photos into the window: one job finds them and reads the first."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import PIL.Image
import pytest
from PySide6.QtCore import QMimeData, QUrl
from pytestqt.qtbot import QtBot

from explorer.core.runner import Failure
from explorer.images.image import Image
from explorer.ui.photos import intake as module
from explorer.ui.photos.intake import Intake
from tests.ui.toy_desk import ToyPanels


class Heard:
    """What an intake has said."""

    def __init__(self, intake: Intake) -> None:
        self.found: list[tuple[tuple[str, ...], bool]] = []
        self.opened: list[Image] = []
        self.failed: list[Failure] = []
        intake.found.connect(lambda items, beside: self.found.append((items, beside)))
        intake.opened.connect(self.opened.append)
        intake.failed.connect(self.failed.append)

    def names(self) -> list[str]:
        return [image.name for image in self.opened]


@pytest.fixture
def intake(panels: ToyPanels) -> Intake:
    return Intake(panels, panels.strip)


@pytest.fixture
def heard(intake: Intake) -> Heard:
    return Heard(intake)


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    made = tmp_path / "one.png", tmp_path / "two.png"
    for shade, place in zip((60, 120), made, strict=True):
        PIL.Image.new("RGB", (20, 10), (shade, shade, shade)).save(place)
    return made


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of what is read, in order."""
    names: list[str] = []
    before = module.read

    def read(item: object, frame: int = 0) -> Image:
        names.append(Path(str(item)).name)
        return before(item, frame)

    monkeypatch.setattr(module, "read", read)
    return names


@pytest.fixture
def gate(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """Reading "one.png" waits for it."""
    opened, before = threading.Event(), module.read

    def read(item: object, frame: int = 0) -> Image:
        if str(item).endswith("one.png"):
            opened.wait(10)
        return before(item, frame)

    monkeypatch.setattr(module, "read", read)
    yield opened
    opened.set()


def idle(panels: ToyPanels, qtbot: QtBot) -> None:
    qtbot.waitUntil(lambda: not panels.bridge.busy, timeout=10_000)
    qtbot.wait(1)  # the last news is on its way


def test_a_drop_is_lined_up_and_its_first_photo_is_read_once(
    panels: ToyPanels,
    intake: Intake,
    heard: Heard,
    files: tuple[Path, Path],
    reads: list[str],
    qtbot: QtBot,
) -> None:
    mime = QMimeData()
    mime.setUrls([QUrl.fromLocalFile(str(path)) for path in files])
    intake.take(mime, beside=True)
    qtbot.waitUntil(lambda: bool(heard.opened), timeout=10_000)
    idle(panels, qtbot)
    assert heard.found == [((str(files[0]), str(files[1])), True)]
    assert panels.strip.items == (str(files[0]), str(files[1]))
    assert panels.strip.current == str(files[0])
    assert heard.names() == reads == ["one.png"]


def test_the_strip_has_them_before_the_first_is_read(
    panels: ToyPanels,
    intake: Intake,
    heard: Heard,
    files: tuple[Path, Path],
    gate: threading.Event,
    qtbot: QtBot,
) -> None:
    intake.open_paths(files)
    qtbot.waitUntil(lambda: len(panels.strip.items) == 2, timeout=10_000)
    assert heard.opened == []
    gate.set()
    qtbot.waitUntil(lambda: heard.names() == ["one.png"], timeout=10_000)


def test_another_photo_that_is_chosen_meanwhile_is_the_one_that_is_shown(
    panels: ToyPanels,
    intake: Intake,
    heard: Heard,
    files: tuple[Path, Path],
    gate: threading.Event,
    qtbot: QtBot,
) -> None:
    intake.open_paths(files)
    qtbot.waitUntil(lambda: len(panels.strip.items) == 2, timeout=10_000)
    panels.strip.next()
    gate.set()
    qtbot.waitUntil(lambda: bool(heard.opened), timeout=10_000)
    idle(panels, qtbot)
    assert heard.names() == ["two.png"]


def test_nothing_is_shown_when_nothing_is_wanted_any_more(
    panels: ToyPanels,
    intake: Intake,
    heard: Heard,
    files: tuple[Path, Path],
    gate: threading.Event,
    qtbot: QtBot,
) -> None:
    intake.open_paths(files)
    qtbot.waitUntil(lambda: len(panels.strip.items) == 2, timeout=10_000)
    intake.choose(None)  # a camera is followed by now
    gate.set()
    idle(panels, qtbot)
    assert heard.opened == []


def test_a_drop_that_comes_to_nothing_does_not_cost_the_one_before_its_picture(
    panels: ToyPanels,
    intake: Intake,
    heard: Heard,
    files: tuple[Path, Path],
    gate: threading.Event,
    tmp_path: Path,
    qtbot: QtBot,
) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    intake.open_paths(files[:1])
    qtbot.waitUntil(lambda: len(panels.strip.items) == 1, timeout=10_000)
    intake.open_paths([empty])  # the same worker: it comes when the first has been read
    gate.set()
    qtbot.waitUntil(lambda: heard.names() == ["one.png"], timeout=10_000)
    assert panels.notices.texts == ["There are no pictures in this folder."]


def test_a_broken_file_is_lined_up_and_said(
    panels: ToyPanels, intake: Intake, heard: Heard, tmp_path: Path, qtbot: QtBot
) -> None:
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"nothing")
    intake.open_paths([broken])
    qtbot.waitUntil(lambda: bool(heard.failed), timeout=10_000)
    assert panels.strip.items == (str(broken),)
    assert "broken.png" in heard.failed[0].message
    assert heard.opened == []


def test_the_same_photo_again_is_read_again(
    panels: ToyPanels, intake: Intake, heard: Heard, files: tuple[Path, Path], qtbot: QtBot
) -> None:
    intake.open_paths(files[:1])
    qtbot.waitUntil(lambda: len(heard.opened) == 1, timeout=10_000)
    PIL.Image.new("RGB", (20, 10), (200, 200, 200)).save(files[0])
    intake.open_paths(files[:1])
    qtbot.waitUntil(lambda: len(heard.opened) == 2, timeout=10_000)
    assert len(panels.strip.items) == 1
    assert [int(image.pixels.max()) for image in heard.opened] == [60, 200]


def test_going_back_and_forth_reads_what_is_current(
    panels: ToyPanels, intake: Intake, heard: Heard, files: tuple[Path, Path], qtbot: QtBot
) -> None:
    intake.open_paths(files)
    qtbot.waitUntil(lambda: heard.names() == ["one.png"], timeout=10_000)
    panels.strip.next()
    qtbot.waitUntil(lambda: heard.names()[-1] == "two.png", timeout=10_000)
    panels.strip.previous()
    qtbot.waitUntil(lambda: heard.names() == ["one.png", "two.png", "one.png"], timeout=10_000)


def test_frames_of_a_file_follow_each_other_and_begin_again(
    panels: ToyPanels, intake: Intake, heard: Heard, tmp_path: Path, qtbot: QtBot
) -> None:
    place = tmp_path / "pages.tif"
    pages = [PIL.Image.new("RGB", (8, 8), (shade, 0, 0)) for shade in (10, 20)]
    pages[0].save(place, save_all=True, append_images=pages[1:])
    intake.opened.connect(panels.study.set_image)
    intake.open_paths([place])
    for count, frame in ((1, 0), (2, 1), (3, 0)):
        qtbot.waitUntil(lambda count=count: len(heard.opened) == count, timeout=10_000)
        assert heard.opened[-1].frame == frame
        intake.next_frame()
    qtbot.waitUntil(lambda: len(heard.opened) == 4, timeout=10_000)


def test_a_film_is_played_and_its_photos_are_lined_up(
    panels: ToyPanels,
    intake: Intake,
    heard: Heard,
    files: tuple[Path, Path],
    tmp_path: Path,
    qtbot: QtBot,
) -> None:
    film = tmp_path / "film.mp4"
    film.write_bytes(b"")
    played: list[Any] = []
    intake.film.connect(played.append)
    intake.open_paths([film, files[1]])
    qtbot.waitUntil(lambda: bool(heard.opened), timeout=10_000)
    assert played == [str(film)]
    assert panels.strip.items == (str(files[1]),)
