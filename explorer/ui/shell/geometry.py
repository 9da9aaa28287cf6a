"""Where the window is and how large: Qt's own words for it, as text for the settings file."""

from __future__ import annotations

import base64
import binascii
import logging
from typing import TYPE_CHECKING

from PySide6.QtCore import QByteArray

from explorer.ui.widgets.small_widgets import UNIT

if TYPE_CHECKING:
    from PySide6.QtWidgets import QMainWindow

log = logging.getLogger(__name__)


def encoded(data: QByteArray) -> str:
    return base64.b64encode(data.data()).decode("ascii")


def decoded(text: str) -> QByteArray:
    """The bytes of `encoded`; empty when the text was damaged."""
    try:
        return QByteArray(base64.b64decode(text, validate=True))
    except (binascii.Error, ValueError):
        log.warning("the layout of the session was damaged")
        return QByteArray()


def place(window: QMainWindow, text: str) -> None:
    """Puts the window where it was the last time, else where a screen has room for it."""
    geometry = decoded(text)
    if geometry.isEmpty() or not window.restoreGeometry(geometry):
        room = window.screen().availableGeometry().size()
        wanted = UNIT * 170, UNIT * 105
        window.resize(
            min(wanted[0], room.width() - 2 * UNIT), min(wanted[1], room.height() - 4 * UNIT)
        )
