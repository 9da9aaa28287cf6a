"""The data set of a view that trains small networks."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from explorer.core.listing import quantity
from explorer.core.params import param
from explorer.core.values import FolderRef
from explorer.training.small.data_set import DataSet, drawn, opened

if TYPE_CHECKING:
    from collections.abc import Generator
    from typing import Any

    from explorer.engine.scene import Scene

KEPT = "small data"


def data_param() -> Any:
    """A folder, or the shapes."""
    none: FolderRef | None = None
    return param(
        none, "Data",
        "A folder with a subfolder of photos for each class, or with an .npz of photos. By default "
        "shapes that the program draws.",
        section="Data",
    )  # fmt: skip


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
