"""The data set of a view that trains small networks."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from explorer.core.listing import quantity
from explorer.core.step import Step
from explorer.training.small.data_set import DataSet, drawn, opened

if TYPE_CHECKING:
    from collections.abc import Generator

    from explorer.core.params import FolderRef
    from explorer.engine.scene import Scene

KEPT = "small data"


DATA_HELP = (
    "A folder with a subfolder of photos for each class, or with an .npz of photos. By default "
    "shapes that the program draws."
)
"""Of the parameter."""

R = TypeVar("R")
P = TypeVar("P")


def reading(
    scene: Scene, folder: FolderRef | None, blank: R
) -> Generator[Step[R], P | None, tuple[DataSet, P | None]]:
    """The data set, and the newest parameters that came in while a folder was read.

    Args:
        scene: Of the view.
        folder: None = the shapes.
        blank: The view's result while it is read.

    Raises:
        ExplorerError: There is not enough to train with.
    """
    newest: P | None = None
    notes = data_of(scene, folder)
    while True:
        try:
            note = next(notes)
        except StopIteration as found:
            return found.value, newest
        newest = (yield Step(blank, 0, 0, note)) or newest


def data_of(scene: Scene, folder: FolderRef | None) -> Generator[str, None, DataSet]:
    """Reads a folder once for a scene; the steps say how far it is.

    Raises:
        ExplorerError: There is not enough to train with.
    """
    if folder is None:
        return drawn()
    known: dict[str, DataSet] = scene.memo(KEPT, dict)
    if folder.path not in known:
        known[folder.path] = yield from opened(Path(folder.path))
    return known[folder.path]


def described(data: DataSet) -> str:
    """One line: "8 classes, 1,600 pictures for training, 400 for validation"."""
    train, validation = data.split(0)
    return (
        f"{data.name}: {quantity(len(data.classes), 'class', 'classes')}, {len(train):,} pictures "
        f"for training, {len(validation):,} for validation"
    )
