"""Where the results of several photos go, from one word on the command line."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from explorer.cli.paths import is_folder
from explorer.core.errors import ExplorerError

if TYPE_CHECKING:
    from collections.abc import Sequence

HELP = (
    "With several photos, OUT is a folder (it ends in / or exists), a name that contains {stem} or "
    "{n}, or a name to which the photo's name is added: -o boxes.png writes boxes-cat.png and "
    "boxes-dog.png."
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
    if is_folder(out):
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


def box_outputs(out: str, names: Sequence[Path], suffix: str) -> list[Path]:
    """A file of boxes for each photo, by which its boxes are found again.

    In a folder photos of one name keep their folders (a/1.xml, b/1.xml), and those that differ in
    their suffix alone keep it (1.jpg.xml, 1.png.xml).

    Args:
        out: The word on the command line.
        names: The photos', as `paths.relative_names` tells them apart.
        suffix: Of the format.

    Raises:
        ExplorerError: When two photos would go into one file.
    """
    if not is_folder(out):
        return outputs(out, [name.stem for name in names], suffix)
    stems = [str(name.with_suffix("")).casefold() for name in names]
    return [
        Path(out) / name.with_name(
            f"{name.name if stems.count(stem) > 1 else name.stem}{suffix}"
        )
        for name, stem in zip(names, stems, strict=True)
    ]  # fmt: skip


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
