"""Which filters are applied: those that ship, or those in a file of the user's."""

from __future__ import annotations

import functools
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from explorer.core.errors import ExplorerError
from explorer.core.reading import display_name, unreadable
from explorer.core.resources import resource_path
from explorer.vision.dpm.models import Model, read_models

if TYPE_CHECKING:
    from explorer.core.values import FolderRef

SHIPPED = ("person", "car")
"""The classes of the filters that ship."""
EVERY = "all classes"
FILE = "dpm.npz"


@dataclass(frozen=True, slots=True, eq=False)
class Filters:
    """Components of one class or several as one model; of each its class and score threshold."""

    model: Model
    classes: tuple[str, ...]
    thresholds: tuple[float, ...]

    def by_class(self) -> dict[str, float]:
        """The score threshold of each class."""
        return dict(zip(self.classes, self.thresholds, strict=True))


def filters_of(folder: FolderRef | None, shipped: str, wanted: str) -> Filters:
    """The filters that are asked for; the same object as long as their file is the same.

    Args:
        folder: Of filters, or a file; None = those that ship.
        shipped: The class, of those that ship, or `EVERY`.
        wanted: The class in `folder`; "" = its first one.

    Raises:
        ExplorerError: There are no filters, or none of that class.
    """
    if folder is None:
        models = _read(str(resource_path("dpm", FILE)), 0)
        return _joined(tuple(models.values()) if shipped == EVERY else (models[shipped],))
    found = opened(Path(folder.path))
    name = wanted.strip() or next(iter(found))
    if name not in found:
        raise ExplorerError(
            f"The filters in {display_name(folder.path)} have no class {name!r}.",
            f"Choose among: {', '.join(found)}.",
        )
    return _joined((found[name],))


@functools.lru_cache(maxsize=8)
def _joined(models: tuple[Model, ...]) -> Filters:
    name = models[0].name if len(models) == 1 else EVERY
    components = tuple(component for model in models for component in model.components)
    classes = tuple(model.name for model in models for _ in model.components)
    thresholds = tuple(model.threshold for model in models for _ in model.components)
    return Filters(Model(name, components, min(thresholds)), classes, thresholds)


def opened(path: Path) -> dict[str, Model]:
    """The models in a file, or in the npz files of a folder that hold some.

    Raises:
        ExplorerError: There are none.
    """
    if not os.path.isdir(path):
        return dict(_read(str(path), _changed(path)))
    found: dict[str, Model] = {}
    refused: ExplorerError | None = None
    for file in sorted(path.glob("*.npz")):
        try:
            found |= _read(str(file), _changed(file))
        except ExplorerError as error:  # a folder may hold other tables as well
            refused = error
    if not found:
        raise refused or ExplorerError(
            f"There is no npz file with filters in {display_name(path)}.",
            "Choose a folder with one, or leave the folder empty for the filters that ship.",
        )
    return found


def _changed(path: Path) -> int:
    try:
        return os.stat(path).st_mtime_ns
    except (OSError, ValueError) as error:
        raise unreadable(path, error) from error


@functools.lru_cache(maxsize=4)
def _read(path: str, changed: int) -> dict[str, Model]:
    """The file's models; read once while it stays as it is."""
    del changed  # only tells versions of the file apart
    return read_models(Path(path))
