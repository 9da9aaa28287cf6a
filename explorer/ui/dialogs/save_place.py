"""Where a file is to be written: no file is replaced that the user has not been asked about."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtWidgets import QFileDialog

if TYPE_CHECKING:
    from PySide6.QtWidgets import QWidget

    from explorer.ui.shell.desk import Desk


def ask_save_place(
    desk: Desk, title: str, name: str, kinds: str, *, at_first: str = "", strict: bool = False
) -> tuple[str, str]:
    """As `ask_place`, in the folder where something was saved last, which the session keeps.

    Args:
        desk: It knows that folder.
        title: Of the dialog.
        name: The file name that it proposes.
        kinds: See `ask_place`.
        at_first: The folder where nothing was saved before; "" = the user's own.
        strict: See `ask_place`.
    """
    folders = (desk.study.save_folder, at_first)
    folder = next((each for each in folders if each and os.path.isdir(each)), Path.home())
    path, kind = ask_place(desk.main, title, str(Path(folder) / name), kinds, strict=strict)
    if path:
        desk.study.save_folder = str(Path(path).parent)
    return path, kind


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
        kinds: As Qt wants them: "Pictures (*.png *.jpg);;Data (*.json)".
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
