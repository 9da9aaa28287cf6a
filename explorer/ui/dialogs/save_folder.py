"""Where something is to be written: at first where something was written last."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from explorer.ui.dialogs.save_place import ask_place

if TYPE_CHECKING:
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
