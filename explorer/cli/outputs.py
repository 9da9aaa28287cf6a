"""Where the results of several photos go, from one word on the command line."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from explorer.core.errors import ExplorerError

if TYPE_CHECKING:
    from collections.abc import Sequence

HELP = (
    "With several photos OUT is a folder (it ends in / or exists), a name with {stem} or {n} in "
    "it, or a name into which the photo's name is inserted: -o boxes.png gives "
    "boxes-cat.png, boxes-dog.png."
)


def outputs(out: str, stems: Sequence[str], suffix: str) -> list[Path]:
    """A file for each photo, all different.

    Args:
        out: The word on the command line; see `HELP`.
        stems: The photos' names without their suffixes.
        suffix: For a folder: the suffix of the files in it.

    Raises:
        ExplorerError: When two photos would go into one file.
    """
    names = _different(stems)
    if out.endswith(("/", os.sep)) or Path(out).is_dir():
        found = [Path(out) / f"{name}{suffix}" for name in names]
    elif "{stem}" in out or "{n}" in out:
        digits = len(str(len(names)))
        found = [
            Path(out.replace("{stem}", name).replace("{n}", str(number).zfill(digits)))
            for number, name in enumerate(names, 1)
        ]
    elif len(names) == 1:
        found = [Path(out)]
    else:
        path = Path(out)
        found = [path.with_name(f"{path.stem}-{name}{path.suffix}") for name in names]
    if len(set(found)) < len(found):
        raise ExplorerError(
            f"{out} names one file for several photos.", "Put {stem} or {n} into it."
        )
    return found


def _different(stems: Sequence[str]) -> list[str]:
    taken: set[str] = set()
    names = []
    for stem in stems:
        name, number = stem, 2
        while name.casefold() in taken:  # some file systems do not tell A from a
            name, number = f"{stem}-{number}", number + 1
        taken.add(name.casefold())
        names.append(name)
    return names
