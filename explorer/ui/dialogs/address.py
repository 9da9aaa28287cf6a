"""Asks for an address: of a picture on the web, of a camera in the network."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QInputDialog, QLineEdit

if TYPE_CHECKING:
    from collections.abc import Callable

    from PySide6.QtWidgets import QWidget

ADDRESS_WIDTH = 760


def ask_address(
    parent: QWidget, title: str, label: str, ok: str, receiver: Callable[[str], object]
) -> None:
    """Opens the dialog, which is gone when it is closed.

    Args:
        parent: The window.
        title: Of the dialog.
        label: What is asked for.
        ok: The button's words.
        receiver: Gets what was typed and confirmed.
    """
    dialog = QInputDialog(parent)
    dialog.setWindowTitle(title)
    dialog.setLabelText(label)
    dialog.setTextEchoMode(QLineEdit.EchoMode.Normal)
    dialog.setOkButtonText(ok)
    dialog.setMinimumWidth(ADDRESS_WIDTH)
    dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
    dialog.textValueSelected.connect(receiver)
    dialog.open()
