"""When widgets end: never from inside their own handlers, and one that is gone is not used."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, TypeVar

from PySide6.QtCore import QThread, QTimer
from PySide6.QtWidgets import QApplication
from shiboken6 import isValid

if TYPE_CHECKING:
    from PySide6.QtCore import QObject
    from PySide6.QtWidgets import QWidget

AGAIN_MILLISECONDS = 200

T = TypeVar("T", bound="QObject")

_ending: dict[int, QWidget] = {}
"""Held until they are deleted: one without a parent would end with its last reference, at once."""


def discard(widget: QWidget) -> None:
    """Hides `widget` now and deletes it when nothing of it can be running any more.

    The one place where the window's widgets are deleted. A file dialog or a menu runs an event loop
    of its own inside the handler that opened it, in which `deleteLater` alone would delete the
    widget under that handler: then it waits until the loop has ended.
    """
    held = QApplication.focusWidget()
    if held is not None and not widget.isWindow() and (held is widget or widget.isAncestorOf(held)):
        # Qt would hand it to some button far away, which Space then presses. That no widget has it
        # would not do: a pop-up that closes gives it back to the widget that had it before.
        widget.window().setFocus()
    widget.hide()
    if id(widget) not in _ending:
        _ending[id(widget)] = widget
        widget.destroyed.connect(partial(_ending.pop, id(widget), None))
    if QThread.currentThread().loopLevel() <= 1:
        widget.deleteLater()
    else:
        QTimer.singleShot(AGAIN_MILLISECONDS, partial(_again, widget))


def alive(thing: T | None) -> T | None:
    """`thing` while its widget lives, None afterwards; for references that outlive it."""
    return thing if thing is not None and isValid(thing) else None


def _again(widget: QWidget) -> None:
    if isValid(widget):
        discard(widget)
