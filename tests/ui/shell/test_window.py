"""The real window, real events: drop, choose, slide, cancel, close; nothing leaks or freezes."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import PIL.Image
import pytest
from PySide6.QtCore import QMimeData, QPointF, Qt, QTimer, QUrl
from PySide6.QtGui import (
    QDragEnterEvent,
    QDragLeaveEvent,
    QDropEvent,
    QGuiApplication,
    QImage,
)
from PySide6.QtWidgets import QApplication, QToolBar
from pytestqt.qtbot import QtBot

from explorer.core import settings
from explorer.core.network_info import NetworkSpec
from explorer.core.runner import State
from explorer.core.settings import NetworkChoice, Session, Settings
from explorer.ui.shell.window import Window
from explorer.ui.widgets import theme

# The offscreen platform says this whenever a window with limits to its size is shown.
pytestmark = pytest.mark.qt_log_ignore("propagateSizeHints", extend=True)

LOADING = 120_000
ANSWER = 60_000

Make = Callable[..., Window]


@pytest.fixture
def other(tmp_path: Path) -> Path:
    place = tmp_path / "other.png"
    PIL.Image.new("RGB", (160, 120), (90, 140, 60)).save(place)
    return place


@pytest.fixture
def window(qtbot: QtBot) -> Iterator[Make]:
    made: list[Window] = []

    def make(known: Settings | None = None, **more: object) -> Window:
        new = Window(known or Settings(), **more)  # type: ignore[arg-type]
        made.append(new)
        new.resize(1200, 800)
        with qtbot.waitSignal(new.loaded, timeout=LOADING):
            new.show()
        return new

    yield make
    for old in made:
        old.close()
        old.deleteLater()


def drop(window: Window, mime: QMimeData, *, shift: bool = False) -> None:
    middle = QPointF(window.rect().center())
    held = Qt.KeyboardModifier.ShiftModifier if shift else Qt.KeyboardModifier.NoModifier
    left = Qt.MouseButton.LeftButton
    copy = Qt.DropAction.CopyAction
    enter = QDragEnterEvent(middle.toPoint(), copy, mime, left, held)
    QApplication.sendEvent(window, enter)
    assert enter.isAccepted()
    QApplication.sendEvent(window, QDropEvent(middle, copy, mime, left, held))


def drop_files(window: Window, *paths: Path, shift: bool = False) -> None:
    mime = QMimeData()
    mime.setUrls([QUrl.fromLocalFile(str(path)) for path in paths])
    drop(window, mime, shift=shift)


def answered(window: Window, view: str = "") -> bool:
    study = window.study
    right = study.view is not None and view in ("", study.view.name)
    return right and study.board is not None and not study.running


def choose(qtbot: QtBot, window: Window, words: str) -> None:
    """Through the command palette, as a user would."""
    qtbot.keyClick(
        window,
        Qt.Key.Key_P,
        Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.ShiftModifier,
    )
    palette = window.sheets.palette
    assert palette is not None
    assert palette.isVisible()
    qtbot.keyClicks(palette.field, words)
    qtbot.keyClick(palette.field, Qt.Key.Key_Return)
    assert not palette.isVisible()


class Gaps:
    """The longest work of the window's thread in one go, in its own processor time.

    A busy machine stretches the wall clock; how late timers are is measured by a benchmark.
    """

    def __init__(self) -> None:
        self.worst, self._last = 0.0, time.thread_time()
        self._timer = QTimer()
        self._timer.timeout.connect(self._beat)
        self._timer.start(5)

    def _beat(self) -> None:
        now = time.thread_time()
        self.worst, self._last = max(self.worst, now - self._last), now

    def stop(self) -> float:
        self._timer.stop()
        return self.worst


def test_drop_look_slide_dream_cancel(qtbot: QtBot, window: Make, photo: Path) -> None:
    w = window()
    assert w.page.stack.currentWidget() is w.welcome
    gaps = Gaps()
    drop_files(w, photo)
    qtbot.waitUntil(lambda: answered(w, "classify"), timeout=ANSWER)
    assert w.page.stack.currentWidget() is w.board
    assert w.study.info is not None
    assert "photo.png" in w.windowTitle()
    assert w.results.tabs.count() >= 1

    choose(qtbot, w, "detections")
    qtbot.waitUntil(lambda: answered(w, "detections"), timeout=ANSWER)
    assert w.study.info.task == "detection"

    submitted, before = w.study.submitted, w.study.board
    editor = w.inspector.form.rows["score"].editor
    editor.widgets[0].setFocus()
    w.inspector.form.set_value("score", 0.1)
    assert w.study.submitted == submitted, "a draw-only slider must not compute"
    assert w.study.board is not before
    w.undo.undo()
    assert w.study.params.score == type(w.study.params)().score

    choose(qtbot, w, "deep dream")
    qtbot.waitUntil(lambda: w.study.answer is not None and w.study.running, timeout=ANSWER)
    picture = w.study.board
    assert picture is not None
    with qtbot.waitSignal(
        w.study.news, timeout=5000, check_params_cb=lambda u: u.state is State.CANCELLED
    ):
        qtbot.keyClick(w, Qt.Key.Key_Escape)
    assert not w.study.running
    assert w.study.board is not None, "the last picture stays"
    assert gaps.stop() < 1.0
    assert not [text for text in w.notices.texts if "wrong" in text]


def test_closing_during_a_dream_is_quick_and_clean(qtbot: QtBot, window: Make, photo: Path) -> None:
    w = window(paths=[str(photo)], wishes={"view": "deep_dream"})
    qtbot.waitUntil(lambda: w.study.answer is not None and w.study.running, timeout=ANSWER)
    began = time.monotonic()
    w.close()
    assert time.monotonic() - began < 3.5
    assert w.finish(), "a worker did not end"


def test_closing_while_torch_is_imported(qtbot: QtBot, photo: Path) -> None:
    w = Window(Settings(), paths=[str(photo)])
    w.show()
    w.begin()
    w.close()
    assert w.finish()
    w.deleteLater()


def test_a_broken_first_file_leaves_the_welcome_page(
    qtbot: QtBot, window: Make, tmp_path: Path, photo: Path
) -> None:
    w = window()
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"nothing")
    drop_files(w, broken)
    qtbot.waitUntil(lambda: w.inspector.error.isVisible(), timeout=ANSWER)
    assert w.page.stack.currentWidget() is w.welcome
    drop_files(w, photo)
    qtbot.waitUntil(lambda: answered(w), timeout=ANSWER)
    assert w.page.stack.currentWidget() is w.board


def test_a_broken_file_is_said_with_a_view_that_was_asked_for(
    qtbot: QtBot, window: Make, tmp_path: Path, photo: Path
) -> None:
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"nothing")
    w = window(paths=[str(broken)], wishes={"view": "detections"})
    qtbot.waitUntil(lambda: w.inspector.error.isVisible(), timeout=ANSWER)
    qtbot.waitUntil(lambda: not w.bridge.busy, timeout=ANSWER)
    assert w.study.view is not None
    assert w.study.view.name == "detections"
    assert w.inspector.error.isVisible(), "choosing the view has not taken it away"
    assert "broken.png" in w.inspector.error.message
    drop_files(w, photo)
    qtbot.waitUntil(lambda: answered(w), timeout=ANSWER)
    assert not w.inspector.error.isVisible()


def test_a_broken_file_is_a_sentence_and_no_other_picture_stands_over_it(
    qtbot: QtBot, window: Make, photo: Path, tmp_path: Path
) -> None:
    w = window(paths=[str(photo)])
    qtbot.waitUntil(lambda: answered(w), timeout=ANSWER)
    assert "photo.png" in w.windowTitle()
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(b"\xff\xd8\xff\xe0 nothing")
    drop_files(w, broken)
    qtbot.waitUntil(w.inspector.error.isVisible, timeout=ANSWER)
    assert "broken.jpg" in w.inspector.error.message
    assert w.study.board is None
    assert w.board.board is None
    assert "photo.png" not in w.windowTitle()
    assert w.docks["photos"].isVisible()
    qtbot.keyClick(w, Qt.Key.Key_A)  # back to the good one
    qtbot.waitUntil(lambda: answered(w) and not w.inspector.error.isVisible(), timeout=ANSWER)


def test_the_session_comes_back(qtbot: QtBot, window: Make, photo: Path, other: Path) -> None:
    w = window()
    drop_files(w, photo, other)
    qtbot.waitUntil(lambda: answered(w), timeout=ANSWER)
    choose(qtbot, w, "feature maps")
    qtbot.waitUntil(lambda: answered(w, "feature_maps"), timeout=ANSWER)
    w.inspector.form.set_value("opacity", 0.25)
    w.study.save_folder = str(photo.parent)
    qtbot.keyClick(w, Qt.Key.Key_D)
    qtbot.waitUntil(lambda: w.study.image is not None and w.study.image.name == "other.png")
    qtbot.waitUntil(lambda: answered(w), timeout=ANSWER)
    w.close()
    known = settings.load()
    assert known.session.images == (str(photo), str(other))
    assert known.session.current == 1
    assert known.recent[0] == str(photo)

    photo.unlink()
    again = window(known)
    qtbot.waitUntil(lambda: answered(again, "feature_maps"), timeout=ANSWER)
    assert again.study.image is not None
    assert again.study.image.name == "other.png"
    assert again.study.params.opacity == 0.25
    assert again.study.save_folder == str(photo.parent)
    assert any("not found" in text for text in again.notices.texts)


def test_a_session_of_an_earlier_version_finds_its_view(
    qtbot: QtBot, window: Make, photo: Path
) -> None:
    old = Session(view="localise", params={"localise": {"top": 3}})
    w = window(Settings(session=old), paths=[str(photo)])
    qtbot.waitUntil(lambda: answered(w, "localize"), timeout=ANSWER)
    assert w.study.params.top == 3


@pytest.mark.parametrize(
    "session",
    [
        Session(view="no_such_view", network=NetworkChoice("no_such_network")),
        Session(("/nowhere/a.png",), 0, "classify", canvas={"views": [3]}, geometry="!", docks="#"),
        Session(params={"classify": {"count": "many"}, "detections": {"score": [1]}}),
        Session(network=NetworkChoice("", "/nowhere/weights.pth")),
    ],
)
def test_a_strange_session_does_no_harm(
    qtbot: QtBot, window: Make, photo: Path, session: Session
) -> None:
    w = window(Settings(session=session), paths=[str(photo)])
    qtbot.waitUntil(lambda: answered(w), timeout=ANSWER)


def test_a_program_of_an_earlier_session_does_not_run_by_itself(
    qtbot: QtBot, window: Make, photo: Path, tmp_path: Path
) -> None:
    program = tmp_path / "net.py"
    program.write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\ndef build():\n    pass\n")
    session = Session(network=NetworkChoice(f"{program}:build"))
    w = window(Settings(session=session), paths=[str(photo)])
    error = w.inspector.error
    qtbot.waitUntil(lambda: not error.isHidden(), timeout=ANSWER)
    assert error.message.startswith("net.py is a program")
    assert [button.text() for button in error.ways] == ["Run its code"]
    qtbot.waitUntil(lambda: answered(w), timeout=ANSWER)
    assert not (tmp_path / "ran").exists()


def test_a_network_in_no_list_stays_when_the_view_changes(
    qtbot: QtBot, window: Make, photo: Path, tmp_path: Path
) -> None:
    """A segmenter that a program builds: Classify gives way, Feature maps keeps it."""
    program = tmp_path / "net.py"
    program.write_text(
        "from torch import nn\n\n\ndef build():\n    return nn.Conv2d(3, 5, 3, padding=1)\n"
    )
    w = window(paths=[str(photo)])
    qtbot.waitUntil(lambda: answered(w, "classify"), timeout=ANSWER)
    said: list[str] = []
    w.study.moved.connect(said.append)
    spec = NetworkSpec(f"{program}:build")
    w.trouble.run_program(spec)
    qtbot.waitUntil(lambda: answered(w, "semantic"), timeout=ANSWER)
    assert any("does not support Conv2d of net.py" in text for text in said)
    assert w.study.spec is not None
    assert w.study.spec.name == spec.name
    w.study.set_view("feature_maps")
    qtbot.waitUntil(lambda: answered(w, "feature_maps"), timeout=ANSWER)
    assert w.study.spec.name == spec.name
    assert w.networks.panel.summary()[0] == "Conv2d of net.py"
    w.study.set_view("detections")
    qtbot.waitUntil(lambda: answered(w, "detections"), timeout=ANSWER)
    assert w.study.spec.name != spec.name, "a view for another task brings its network"


def test_a_network_that_is_a_folder_is_remembered(
    qtbot: QtBot, window: Make, photo: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "network"
    folder.mkdir()
    (folder / "config.json").write_text('{"architectures": ["BertModel"]}')
    (folder / "model.safetensors").write_bytes(b"")
    session = Session(network=NetworkChoice("", str(folder)))
    w = window(Settings(session=session), paths=[str(photo)])
    error = w.inspector.error
    qtbot.waitUntil(lambda: not error.isHidden(), timeout=ANSWER)
    assert error.message.startswith("network is BertModel"), "it was tried, and says what it is"
    qtbot.waitUntil(lambda: answered(w), timeout=ANSWER)


def test_a_view_that_does_not_suit_brings_its_network_along(
    qtbot: QtBot, window: Make, photo: Path
) -> None:
    w = window(paths=[str(photo)])
    qtbot.waitUntil(lambda: answered(w, "classify"), timeout=ANSWER)
    said: list[str] = []
    w.study.moved.connect(said.append)
    w.study.set_view("semantic")
    qtbot.waitUntil(lambda: answered(w, "semantic"), timeout=ANSWER)
    assert any("needs a different network" in text for text in said)
    assert w.networks.spec == w.study.spec
    if w.study.info is not None and w.study.info.untrained:
        assert w.study.board is not None
        words = [layer for pane in w.study.board.panes for layer in pane.layers]
        assert any(getattr(layer, "text", "") == "UNTRAINED" for layer in words)
        assert any("UNTRAINED" in note for note in w.study.board.notes)


def test_shift_drop_compares(qtbot: QtBot, window: Make, photo: Path, other: Path) -> None:
    w = window(paths=[str(photo)])
    qtbot.waitUntil(lambda: answered(w), timeout=ANSWER)
    drop_files(w, other, shift=True)
    qtbot.waitUntil(
        lambda: answered(w) and w.study.image is not None and w.study.image.name == "other.png",
        timeout=ANSWER,
    )
    assert w.pinned.there
    assert w.actions_["compare"].isChecked()
    pane = w.study.board.panes[0].name if w.study.board else ""
    assert w.board.cell(pane).compare == "split"
    w.actions_["compare_mode"].trigger()
    assert w.board.cell(pane).compare == "wipe"
    qtbot.keyClick(w, Qt.Key.Key_C)
    assert not w.pinned.there
    assert w.board.cell(pane).compare is None


def test_image_data_is_pasted_and_dropped_before_addresses(qtbot: QtBot, window: Make) -> None:
    w = window()
    image = QImage(48, 32, QImage.Format.Format_RGB32)
    image.fill(Qt.GlobalColor.darkGreen)
    mime = QMimeData()
    mime.setImageData(image)
    mime.setUrls([QUrl("https://example.org/picture.png")])
    drop(w, mime)
    qtbot.waitUntil(lambda: answered(w), timeout=ANSWER)
    assert w.study.image is not None
    assert (w.study.image.width, w.study.image.height) == (48, 32)
    assert not w.notices.texts
    image.fill(Qt.GlobalColor.darkRed)
    QGuiApplication.clipboard().setImage(image)
    first = w.study.image.key
    qtbot.keyClick(w, Qt.Key.Key_V, Qt.KeyboardModifier.ControlModifier)
    qtbot.waitUntil(
        lambda: w.study.image is not None and w.study.image.key != first, timeout=ANSWER
    )


def test_an_address_is_asked_for_and_only_then_fetched(
    qtbot: QtBot, window: Make, photo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from explorer.images import sources

    asked: list[str] = []

    def fake(address: str, **_: object) -> bytes:
        asked.append(address)
        return photo.read_bytes()

    monkeypatch.setattr(sources, "fetch", fake)
    w = window()
    mime = QMimeData()
    mime.setUrls([QUrl("https://example.org/photo.png")])
    drop(w, mime)
    (card,) = w.notices.cards
    assert "https://example.org/photo.png" in card.notice.text
    assert asked == []
    qtbot.mouseClick(card.buttons[0], Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: answered(w), timeout=ANSWER)
    assert asked == ["https://example.org/photo.png"]
    assert w.study.image is not None
    assert w.study.image.width == 160


def test_what_cannot_be_opened_is_said(qtbot: QtBot, window: Make) -> None:
    w = window()
    mime = QMimeData()
    mime.setUrls([QUrl("file://elsewhere/photo.png")])
    drop(w, mime)
    assert any("another machine" in text for text in w.notices.texts)
    assert w.page.stack.currentWidget() is w.welcome


def test_pictures_data_boxes_and_films_are_written(
    qtbot: QtBot, window: Make, photo: Path, tmp_path: Path
) -> None:
    from explorer.saving.export import read_metadata

    w = window(paths=[str(photo)], wishes={"view": "deep_dream"})
    qtbot.waitUntil(lambda: len(w.bridge.step_film) > 2, timeout=ANSWER)
    w.study.cancel()
    qtbot.waitUntil(lambda: not w.study.running, timeout=ANSWER)

    def written(path: Path, write: Callable[[], None]) -> None:
        w.notices.clear()
        write()
        qtbot.waitUntil(lambda: bool(w.notices.texts), timeout=ANSWER)
        (text,) = w.notices.texts
        assert text.startswith(f"Saved {path}")
        assert path.stat().st_size > 0

    film = tmp_path / "film.gif"
    written(film, lambda: w.exporter.write_film(str(film)))
    picture = tmp_path / "dream.png"
    written(picture, lambda: w.exporter.write_picture(str(picture), whole=True))
    assert read_metadata(picture)["view"] == "deep_dream"
    data = tmp_path / "dream.json"
    written(data, lambda: w.exporter.write_data(str(data)))
    w.actions_["copy_view"].trigger()
    assert not QGuiApplication.clipboard().image().isNull()


def test_sheets_open_and_close_by_keys(qtbot: QtBot, window: Make) -> None:
    w = window()
    qtbot.keyClick(w, Qt.Key.Key_F1)
    sheet = w.sheets.shortcuts
    assert sheet is not None
    assert sheet.isVisible()
    qtbot.keyClick(sheet, Qt.Key.Key_Escape)
    assert not sheet.isVisible()
    qtbot.keyClick(w, Qt.Key.Key_Comma, Qt.KeyboardModifier.ControlModifier)
    preferences = w.sheets.preferences
    assert preferences is not None
    preferences.theme.setCurrentIndex(preferences.theme.findData("dark"))
    assert theme.is_dark()
    assert settings.load().preferences.theme == "dark"
    preferences.theme.setCurrentIndex(preferences.theme.findData("light"))
    preferences.close_sheet()


def test_a_problem_is_a_notice_that_is_not_repeated(qtbot: QtBot, window: Make) -> None:
    w = window()
    for _ in range(5):
        w.show_problem("division by zero", "Traceback …")
    assert len(w.notices.texts) == 1
    w.offer_log("Fatal Python error")
    assert len(w.notices.texts) == 2
    w.notices.clear()
    assert w.notices.texts == []


def test_a_drop_over_a_photo_is_shown(qtbot: QtBot, window: Make, photo: Path, other: Path) -> None:
    w = window(paths=[str(photo)])
    qtbot.waitUntil(lambda: answered(w), timeout=ANSWER)
    mime = QMimeData()
    mime.setUrls([QUrl.fromLocalFile(str(other))])
    left, held = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
    enter = QDragEnterEvent(w.rect().center(), Qt.DropAction.CopyAction, mime, left, held)
    QApplication.sendEvent(w, enter)
    assert w.page.drop_frame.isVisible()
    assert w.page.drop_frame.size() == w.board.size()
    QApplication.sendEvent(w, QDragLeaveEvent())
    assert not w.page.drop_frame.isVisible()
    drop(w, mime)
    assert not w.page.drop_frame.isVisible()


def test_back_and_forward_have_keys_and_buttons(qtbot: QtBot, window: Make, photo: Path) -> None:
    w = window(paths=[str(photo)])
    qtbot.waitUntil(lambda: answered(w, "classify"), timeout=ANSWER)
    assert not w.actions_["go_back"].isEnabled()
    choose(qtbot, w, "detections")
    assert ["needs a different network" in text for text in w.notices.texts] == [True]
    qtbot.waitUntil(lambda: answered(w, "detections"), timeout=ANSWER)
    submitted = w.study.submitted
    qtbot.keyClick(w, Qt.Key.Key_Left, Qt.KeyboardModifier.AltModifier)
    assert answered(w, "classify")
    assert w.study.submitted == submitted, "its answer was kept"
    assert w.notices.cards == [], "it is no longer true"
    w.actions_["go_forward"].trigger()
    assert answered(w, "detections")
    choose(qtbot, w, "Classify")
    qtbot.waitUntil(lambda: answered(w, "classify"), timeout=ANSWER)
    choose(qtbot, w, "detections")
    (notice,) = w.notices.cards
    qtbot.waitUntil(lambda: answered(w, "detections"), timeout=ANSWER)
    notice.buttons[0].click()
    assert w.study.view is not None
    assert w.study.view.name == "classify", "Undo of what was said"
    assert w.notices.cards == []
    tools = {action.objectName() for bar in w.findChildren(QToolBar) for action in bar.actions()}
    assert {"go_back", "go_forward"} <= tools


def test_enter_presses_the_button_that_has_the_focus(qtbot: QtBot, window: Make) -> None:
    w = window()
    heard = []
    w.welcome.open_requested.connect(lambda: heard.append("open"))
    w.welcome.open_requested.disconnect(w.intake.open_dialog)
    w.welcome.open.setFocus()
    qtbot.keyClick(w.welcome.open, Qt.Key.Key_Return)
    assert heard == ["open"]
