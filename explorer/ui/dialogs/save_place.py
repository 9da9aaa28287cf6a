"""Where a file is to be written: no file is replaced that the user has not been asked about."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtWidgets import QFileDialog

if TYPE_CHECKING:
    from PySide6.QtWidgets import QWidget


def ask_place(
    parent: QWidget | None, title: str, start: str, kinds: str, *, strict: bool = False
) -> tuple[str, str]:
    """Asks for a file to write.

    A name without a suffix gets the first one of its kind. The dialog has asked about the name as
    it was typed: when the longer one is there already, it is opened again with that.

    Args:
        parent: What the dialog is over.
        title: Of the dialog.
        start: The path that it proposes.
        kinds: As for Qt: "Pictures (*.png *.jpg);;Data (*.json)".
        strict: A name with a suffix of no kind gets one as well.

    Returns:
        The path and the kind that was chosen; "" and "" when the dialog was left.
    """
    known = tuple(f".{word}" for word in re.findall(r"\*\.(\w+)", kinds))
    while True:
        path, kind = QFileDialog.getSaveFileName(parent, title, start, kinds)
        suffix = Path(path).suffix.lower()
        if not path or (suffix in known if strict else suffix):
            return path, kind
        own = re.search(r"\*(\.\w+)", kind)
        path += own.group(1) if own else known[0]
        if not os.path.lexists(path):
            return path, kind
        start = path
