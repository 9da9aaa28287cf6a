"""What views need and hold, in the real window: pages, strokes, undo, sessions, ground truth."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot

from explorer.core import settings
from explorer.core.params import FolderRef, ImageRef, NetworkRef, Point, parameters
from explorer.core.settings import Settings
from explorer.core.step import Step
from explorer.ui.board.brush import Brush
from explorer.ui.board.canvas import Canvas
from explorer.ui.shell import bridge, session
from explorer.ui.shell.window import Window
from tests.toy_views import EVERY_KIND, OF_NETWORK, TRUTH_PARTS, EveryKind, Term, every_toy

pytestmark = pytest.mark.qt_log_ignore("propagateSizeHints", extend=True)
LEFT = Qt.MouseButton.LeftButton
WAIT = 60_000

Make = Callable[..., Window]


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    place = tmp_path / "photo.png"
    PIL.Image.fromarray(np.full((60, 80, 3), 120, np.uint8)).save(place)
    return place


@pytest.fixture
def window(qtbot: QtBot) -> Iterator[Make]:
    """Windows whose views are the toys, with the networks that ship."""
    made: list[Window] = []
    toys = {view.name: view for view in every_toy()}

    def start_up() -> Generator[Step[Any], Any, None]:
        for step in bridge.start_up_steps():
            ready = step.value
            yield step if ready is None else replace(step, value=replace(ready, views=toys))

    def make(known: Settings | None = None, **more: Any) -> Window:
        own = bridge.Bridge(start_up=start_up)
        new = Window(known or Settings(), bridge=own, **more)
        own.setParent(new)
        made.append(new)
        new.resize(1200, 800)
        with qtbot.waitSignal(new.loaded, timeout=2 * WAIT):
            new.show()
        return new

    yield make
    for old in made:
        old.close()
        old.deleteLater()


def looked(qtbot: QtBot, window: Window, view: str) -> None:
    study = window.study
    qtbot.waitUntil(
        lambda: study.view is not None and study.view.name == view and study.board is not None
        and not study.running, timeout=WAIT,
    )  # fmt: skip


def at(canvas: Canvas, x: float, y: float) -> QPoint:
    view, port = canvas.viewpoint, canvas.viewport()
    middle = port.width() / 2, port.height() / 2
    return QPoint(
        round(middle[0] + (x - view.x) * view.scale), round(middle[1] + (y - view.y) * view.scale)
    )


def stroke(window: Window, pane: str, *places: tuple[float, float]) -> None:
    canvas = window.board.canvas(pane)
    port = canvas.viewport()
    QTest.mousePress(port, LEFT, pos=at(canvas, *places[0]))
    for place in places[1:]:
        QTest.mouseMove(port, at(canvas, *place))
    QTest.mouseRelease(port, LEFT, pos=at(canvas, *places[-1]))


def test_a_view_without_a_photo_has_its_page_at_once(
    qtbot: QtBot, window: Make, photo: Path
) -> None:
    w = window()
    assert w.page.stack.currentWidget() is w.welcome
    w.study.set_view("of_nothing")
    looked(qtbot, w, "of_nothing")
    assert w.page.stack.currentWidget() is w.board
    assert w.docks["inspector"].isVisible()
    assert not w.networks.isEnabled()
    assert w.actions_["run"].isEnabled()
    assert w.study.info is None
    w.study.set_view("of_network")
    looked(qtbot, w, "of_network")
    assert w.networks.isEnabled()
    assert w.study.info is not None
    w.study.set_view("of_photo")
    assert w.page.stack.currentWidget() is w.welcome, "this one needs a photo"
    w.intake.open_paths([str(photo)])
    looked(qtbot, w, "of_photo")
    w.study.set_view(OF_NETWORK.name)
    looked(qtbot, w, "of_network")
    w.strip.remove_current()
    looked(qtbot, w, "of_network")
    assert w.page.stack.currentWidget() is w.board, "its photo is closed, but it needs none"


def test_a_stroke_is_one_entry_of_undo(
    qtbot: QtBot, window: Make, photo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from explorer.ui.board import marked_canvas

    monkeypatch.setattr(marked_canvas, "TELL_SECONDS", 0.0)
    w = window(paths=[str(photo)], wishes={"view": "every_kind"})
    looked(qtbot, w, "every_kind")
    w.inspector.form.brush_changed.emit(Brush(4.0))
    stroke(w, "image", (10, 20), (20, 20), (30, 20), (40, 20))
    first = w.study.params.mask
    stroke(w, "image", (10, 50), (20, 50), (30, 50))
    second = w.study.params.mask
    assert first is not None
    assert second is not None
    assert second.index()[50, 20] == 1
    steps = w.undo.activeStack()
    assert steps is not None
    assert steps.count() == 2, "though each has said what it had painted several times"
    w.undo.undo()
    assert w.study.params.mask == first
    w.undo.undo()
    assert w.study.params.mask is None
    w.undo.redo()
    assert w.study.params.mask == first
    assert w.inspector.form.rows["mask"].editor.text(first).endswith("painted")


@pytest.mark.slow
def test_points_are_entries_of_undo_and_go_with_the_form(
    qtbot: QtBot, window: Make, photo: Path
) -> None:
    w = window(paths=[str(photo)], wishes={"view": "every_kind"})
    looked(qtbot, w, "every_kind")
    canvas = w.board.canvas("copy")
    w.inspector.form.rows["joints"].editor.place.click()
    for x, y in ((20, 20), (40, 30)):
        QTest.mouseClick(canvas.viewport(), LEFT, pos=at(canvas, x, y))
    assert len(w.study.params.joints) == 2
    assert w.inspector.form.rows["joints"].editor.count.text() == "2 points"
    w.undo.undo()
    assert len(w.study.params.joints) == 1
    (kept,) = w.study.params.joints
    QTest.mouseClick(canvas.viewport(), LEFT, pos=at(canvas, 50, 40))
    assert w.study.params.joints[:-1] == (kept,), "the canvas has what the form has"
    assert len(w.study.params.joints) == 2
    w.inspector.form.set_value("joints", ())
    QTest.mouseClick(canvas.viewport(), LEFT, pos=at(canvas, 50, 40))
    assert len(w.study.params.joints) == 1


@pytest.mark.slow
def test_what_does_not_apply_is_not_picked(
    qtbot: QtBot, window: Make, photo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    w = window(paths=[str(photo)], wishes={"view": "every_kind"})
    looked(qtbot, w, "every_kind")
    mask = next(p for p in parameters(EveryKind) if p.name == "mask")
    monkeypatch.setattr(type(mask), "applies", lambda p, params, _info: (
        p.name != "mask" or params.choice == "fancy"
    ))  # fmt: skip
    w.inspector.form.set_value("whole", 5)
    assert not w.board.canvas("image")._mask.wanted
    w.inspector.form.set_value("choice", "fancy")
    assert w.board.canvas("image")._mask.wanted


def test_references_reach_the_view(qtbot: QtBot, window: Make, photo: Path) -> None:
    w = window(paths=[str(photo)], wishes={"view": "every_kind"})
    looked(qtbot, w, "every_kind")
    assert w.study.board is not None
    form = w.inspector.form
    offered = form.rows["second"].editor.offered()
    assert ImageRef(str(photo)) in offered
    assert ImageRef("cat") in offered
    form.set_value("second", ImageRef(str(photo)))
    qtbot.waitUntil(lambda: "mean 120.0" in (w.study.board or EMPTY).summary, timeout=WAIT)
    form.set_value("folder", FolderRef("/no/such/folder"))
    qtbot.waitUntil(lambda: w.inspector.error.isVisible(), timeout=WAIT)
    assert w.study.params.folder == FolderRef("/no/such/folder")


class EMPTY:
    summary = ""


def test_a_session_brings_every_kind_back(
    qtbot: QtBot, window: Make, photo: Path, tmp_path: Path
) -> None:
    w = window(paths=[str(photo)], wishes={"view": "every_kind"})
    looked(qtbot, w, "every_kind")
    stroke(w, "image", (10, 20), (40, 20))
    params = replace(
        w.study.params, second=ImageRef("cat"), other=NetworkRef("mini-resnet", "w"),
        ensemble=(NetworkRef("mini-vgg"),), folder=FolderRef(str(tmp_path)),
        terms=(Term("TV", 0.5), Term("logit")), joints=(Point(1, 2), Point(3, 4)),
    )  # fmt: skip
    assert session.unpacked(EVERY_KIND, session.packed(params)) == params
    w.study.set_params(params)
    w.close()
    kept = settings.load().session.params["every_kind"]
    found = session.unpacked(EVERY_KIND, kept)
    names = ("mask", "second", "other", "ensemble", "folder", "terms", "joints")
    assert {n: getattr(found, n) for n in names} == {n: getattr(params, n) for n in names}


@pytest.mark.slow
def test_boxes_mask_and_joints_stay_with_their_photo(
    qtbot: QtBot, window: Make, photo: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other.png"
    PIL.Image.fromarray(np.full((60, 80, 3), 20, np.uint8)).save(other)
    w = window(paths=[str(photo)], wishes={"view": TRUTH_PARTS.name})
    looked(qtbot, w, TRUTH_PARTS.name)
    stroke(w, "image", (10, 10), (30, 20), (50, 40))
    stroke(w, "copy", (10, 20), (40, 20))
    joints = w.board.canvas("copy 2")
    QTest.mouseClick(joints.viewport(), LEFT, pos=at(joints, 30, 30))
    params = w.study.params
    assert len(params.boxes) == 1
    assert params.mask is not None
    assert len(params.joints) == 1
    w.inspector.form.reset()
    assert w.study.params == params, "to reset the settings does not remove what is the photo's"
    w.intake.open_paths([str(other)])
    qtbot.waitUntil(lambda: w.study.image.name == "other.png", timeout=WAIT)
    assert w.study.params == type(params)()
    w.strip.select_item(str(photo))
    qtbot.waitUntil(lambda: w.study.image.name == "photo.png", timeout=WAIT)
    assert w.study.params == params
    w.close()
    again = window(settings.load())
    looked(qtbot, again, TRUTH_PARTS.name)
    assert again.study.params == params
