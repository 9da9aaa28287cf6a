"""Random events, by a seed: no exception, no Qt warning, no crash, whatever is done in what order.

A run in CI is short. By hand: ``pytest tests/ui/test_monkey.py -m slow`` makes 20 000 events with
each of ten seeds, and holds every event to half a second of the window's thread.
"""

from __future__ import annotations

import logging
import random
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest
from PySide6.QtCore import QEvent, QMimeData, QObject, QPoint, QPointF, Qt, QTimer, QUrl
from PySide6.QtGui import QDesktopServices, QDragEnterEvent, QDropEvent, QImage, QWheelEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import (
    QAbstractSpinBox,
    QApplication,
    QFileDialog,
    QLineEdit,
    QMenu,
    QPlainTextEdit,
    QWidget,
)
from pytestqt.qtbot import QtBot

from explorer.core.settings import Settings
from explorer.ui.shell.idle_timer import collect
from explorer.ui.shell.window import Window

pytestmark = [pytest.mark.qt_log_ignore("propagateSizeHints", extend=True)]

SLOWEST_SECONDS = 0.5
NASTY = (
    "", " ", "0", "-1", "1e999", "nan", "-inf", "1" * 400, "½", "١٢", "é\u0301", "\u202eabc",
    "\x00", "../../..", "%s%n", "<b>x</b>", "1,2,3,4", "0,0,0,0", "9;9 8;8", "&&", "🙂" * 40,
    "None", "0x10",
)  # fmt: skip
KEYS = (
    Qt.Key.Key_Escape, Qt.Key.Key_Return, Qt.Key.Key_Space, Qt.Key.Key_Tab, Qt.Key.Key_Backtab,
    Qt.Key.Key_Left, Qt.Key.Key_Right, Qt.Key.Key_Up, Qt.Key.Key_Down, Qt.Key.Key_Delete,
    Qt.Key.Key_Home, Qt.Key.Key_End, Qt.Key.Key_PageDown, Qt.Key.Key_A, Qt.Key.Key_D, Qt.Key.Key_E,
)  # fmt: skip
SIZES = ((1440, 900), (1000, 700), (640, 480), (1, 1), (1800, 500))


class Open(QObject):
    """Keeps a window from closing: what came after would reach nobody."""

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() != QEvent.Type.Close:
            return False
        event.ignore()
        return True


class Monkey:
    """Does one thing after the other, as its seed has it."""

    def __init__(self, window: Window, seed: int, files: list[Path]) -> None:
        self.window, self.files = window, files
        self.random = random.Random(seed)
        self.done: list[str] = []
        self.slowest = (0.0, "")
        self.kept: QWidget | None = None
        self._ways: tuple[tuple[int, Callable[[], str]], ...] = (
            (30, self.click),
            (12, self.drag),
            (8, self.wheel),
            (16, self.key),
            (10, self.type_nasty),
            (12, self.command),
            (4, self.drop),
            (4, self.resize),
            (4, self.view_or_network),
        )

    def run(self, events: int) -> None:
        menus = QTimer()  # a button's menu runs a loop of its own inside the click
        menus.timeout.connect(self.within_menu)
        menus.start(20)
        stays = Open(menus)
        self.window.installEventFilter(stays)
        try:
            self._run(events)
        finally:
            menus.stop()
            self.window.removeEventFilter(stays)

    def within_menu(self) -> None:
        """In the loop of an open menu: an item, a key, or away."""
        menu = QApplication.activePopupWidget()
        if not isinstance(menu, QMenu):
            return
        items = [action for action in menu.actions() if action.isEnabled() and action.text()]
        if items and self.random.random() < 0.3:
            action = self.random.choice(items)
            print(f"menu: {action.text()}")
            action.trigger()
        menu.close()

    def _run(self, events: int) -> None:
        weights = [weight for weight, _ in self._ways]
        ways = [way for _, way in self._ways]
        for _ in range(events):
            way = self.random.choices(ways, weights)[0]
            began = time.thread_time()
            self.done.append(f"{way.__name__}: {way()}")
            print(self.done[-1])
            QApplication.processEvents()
            # Outside the program's own loop nobody deletes what a command has put aside.
            QApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)
            collect()  # as the program's idle timer does; no test collects by itself
            spent = time.thread_time() - began
            self.slowest = max(self.slowest, (spent, self.done[-1]))

    def host(self) -> QWidget:
        """Where a user's hand would be: the pop-up or dialog on top, else one of the windows."""
        top = QApplication.activePopupWidget() or QApplication.activeModalWidget()
        if top is not None:
            if self.random.random() < 0.2:
                QTest.keyClick(top, Qt.Key.Key_Escape)
            else:
                return top
        shown = [w for w in QApplication.topLevelWidgets() if w.isVisible() and w.isWindow()]
        return self.window if self.random.random() < 0.9 or not shown else self.random.choice(shown)

    def place(self) -> tuple[QWidget, QPoint]:
        host = self.kept = self.host()  # without its wrapper that of the child would end, too
        at = QPoint(
            self.random.randrange(host.width() + 1), self.random.randrange(host.height() + 1)
        )
        child = host.childAt(at) or host
        return child, child.mapFrom(host, at)

    def click(self) -> str:
        target, at = self.place()
        words = type(target).__name__
        button = Qt.MouseButton.LeftButton
        if self.random.random() < 0.1:
            button = self.random.choice([Qt.MouseButton.RightButton, Qt.MouseButton.MiddleButton])
        if self.random.random() < 0.1:
            QTest.mouseDClick(target, button, self.held(), at)
        else:
            QTest.mouseClick(target, button, self.held(), at)
        return words

    def drag(self) -> str:
        target, at = self.place()
        words = type(target).__name__
        reach = self.random.choice([3, 40, 400])
        QTest.mousePress(target, Qt.MouseButton.LeftButton, self.held(), at)
        for _ in range(3):
            if not _lives(target):
                return words
            at += QPoint(self.random.randint(-reach, reach), self.random.randint(-reach, reach))
            QTest.mouseMove(target, at)
        if _lives(target):
            QTest.mouseRelease(target, Qt.MouseButton.LeftButton, self.held(), at)
        return words

    def wheel(self) -> str:
        target, at = self.place()
        turn = QPoint(0, self.random.choice([-120, 120, -1200, 15]))
        where = target.mapToGlobal(at)
        event = QWheelEvent(
            QPointF(at), QPointF(where), QPoint(), turn, Qt.MouseButton.NoButton, self.held(),
            Qt.ScrollPhase.NoScrollPhase, False,
        )  # fmt: skip
        QApplication.sendEvent(target, event)
        return type(target).__name__

    def key(self) -> str:
        target = QApplication.focusWidget() or self.window
        key = self.random.choice(KEYS)
        words = f"{key.name} on {type(target).__name__}"
        QTest.keyClick(target, key, self.held())
        return words

    def type_nasty(self) -> str:
        fields = [
            field
            for kind in (QLineEdit, QAbstractSpinBox, QPlainTextEdit)
            for field in self.host().findChildren(kind)
            if field.isVisible() and field.isEnabled()
        ]
        if not fields:
            return "no field"
        field, text = self.random.choice(fields), self.random.choice(NASTY)
        words = f"{text[:12]!r} into {type(field).__name__} {field.accessibleName()}"
        field.setFocus()
        if isinstance(field, QPlainTextEdit):
            field.setPlainText(text)
        else:
            field.selectAll()
            line = field if isinstance(field, QLineEdit) else field.findChild(QLineEdit)
            line.insert(text)  # as if pasted: keys of a test are ASCII only
        if _lives(field) and self.random.random() < 0.8:
            QTest.keyClick(field, Qt.Key.Key_Return)
        return words

    def command(self) -> str:
        command, action = self.random.choice(self.window.actions_.items())
        if not action.isEnabled():
            return f"not {command.name}"
        action.trigger()
        return command.name

    def drop(self) -> str:
        mime = QMimeData()
        kind = self.random.choice(["file", "files", "text", "image", "gone"])
        if kind == "text":
            mime.setText(self.random.choice(NASTY))
        elif kind == "image":
            mime.setImageData(QImage(8, 8, QImage.Format.Format_RGB32))
        else:
            some = [Path("/nowhere/x.png")] if kind == "gone" else self.files
            count = 1 if kind == "file" else len(some)
            chosen = self.random.sample(some, min(count, len(some)))
            mime.setUrls([QUrl.fromLocalFile(str(path)) for path in chosen])
        middle, copy = QPointF(self.window.rect().center()), Qt.DropAction.CopyAction
        left, held = Qt.MouseButton.LeftButton, self.held()
        enter = QDragEnterEvent(middle.toPoint(), copy, mime, left, held)
        QApplication.sendEvent(self.window, enter)
        if enter.isAccepted():
            QApplication.sendEvent(self.window, QDropEvent(middle, copy, mime, left, held))
        return kind

    def resize(self) -> str:
        width, height = self.random.choice(SIZES)
        self.window.resize(width, height)
        return f"{width}x{height}"

    def view_or_network(self) -> str:
        study = self.window.study
        if study.ready is None:
            return "not ready"
        if self.random.random() < 0.8:
            name = self.random.choice(sorted(study.views))
            study.set_view(name)
            return name
        entry = self.random.choice(study.ready.entries)
        study.use(entry.name)
        return entry.name

    def held(self) -> Qt.KeyboardModifier:
        held = Qt.KeyboardModifier
        rare = [held.ShiftModifier, held.ControlModifier, held.AltModifier]
        return self.random.choice(rare) if self.random.random() < 0.15 else held.NoModifier


def _lives(widget: QWidget) -> bool:
    from shiboken6 import isValid

    return bool(isValid(widget))


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    """Photos of several kinds, and what is none."""
    rows, columns = np.mgrid[0:120, 0:160]
    rgb = np.stack([rows * 2, columns, (rows // 16 + columns // 16) % 2 * 200], axis=2)
    made = [tmp_path / name for name in ("a.png", "gray.png", "tiny.png", "long.png")]
    PIL.Image.fromarray(rgb.astype(np.uint8)).save(made[0])
    PIL.Image.new("L", (64, 64), 90).save(made[1])
    PIL.Image.new("RGB", (1, 1), (9, 9, 9)).save(made[2])
    PIL.Image.new("RGB", (900, 3), (90, 9, 200)).save(made[3])
    broken, text = tmp_path / "broken.png", tmp_path / "words.txt"
    broken.write_bytes(b"\x89PNG\r\n\x1a\nnothing")
    text.write_text("words")
    return [*made, broken, text]


@pytest.fixture
def alone(monkeypatch: pytest.MonkeyPatch, files: list[Path], tmp_path: Path) -> None:
    """No dialog of the system, no browser, no network: what they would answer is answered here."""
    answers = {
        "getOpenFileName": (str(files[0]), ""),
        "getOpenFileNames": ([str(files[0])], ""),
        "getExistingDirectory": "",
        "getSaveFileName": ("", ""),
    }
    for name, answer in answers.items():
        monkeypatch.setattr(QFileDialog, name, staticmethod(lambda *_, a=answer, **__: a))
    monkeypatch.setattr(QDesktopServices, "openUrl", staticmethod(lambda *_: True))

    def refused(*_: Any) -> None:
        raise OSError("no network in tests")

    monkeypatch.setattr(socket.socket, "connect", refused)


@pytest.fixture
def window(qtbot: QtBot, alone: None, files: list[Path]) -> Iterator[Window]:
    made = Window(Settings(), paths=[str(files[0])])
    made.resize(1200, 800)
    with qtbot.waitSignal(made.loaded, timeout=120_000):
        made.show()
    yield made
    made.close()
    for other in QApplication.topLevelWidgets():
        if other is not made and other.isVisible():
            other.close()
    made.deleteLater()
    for thread in threading.enumerate():
        if thread.name == "runner":  # a large network is built in one piece, for seconds
            thread.join(30)


def check(monkey: Monkey, events: int, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR, "explorer"):
        monkey.run(events)
    bad = [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR]
    assert not bad, bad
    assert not monkey.window.isHidden(), "the window was closed"


@pytest.mark.parametrize("seed", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_a_thousand_events(
    window: Window, files: list[Path], seed: int, caplog: pytest.LogCaptureFixture
) -> None:
    check(Monkey(window, seed, files), 1000, caplog)


@pytest.mark.slow
@pytest.mark.timeout(0)
@pytest.mark.parametrize("seed", range(10))
def test_twenty_thousand_events_none_over_half_a_second(
    window: Window, files: list[Path], seed: int, caplog: pytest.LogCaptureFixture
) -> None:
    monkey = Monkey(window, 100 + seed, files)
    check(monkey, 20_000, caplog)
    spent, what = monkey.slowest
    assert spent <= SLOWEST_SECONDS, f"{spent:.2f} s: {what}"
