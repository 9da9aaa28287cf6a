"""Masks as indexed PNG: a number in every pixel, and beside it the list of what the numbers mean.

The list, `classes.yaml`, is what data sets of semantic segmentation have; `explorer evaluate` and
every view that takes a mask as ground truth read both.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from explorer.core.errors import ExplorerError
from explorer.core.storage.atomic import write_bytes
from explorer.core.values import Mask
from explorer.saving.class_lists import keep_classes, one_line

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping

    from numpy.typing import NDArray

CLASSES_FILE = "classes.yaml"
NOT_COUNTED = 255
"""What belongs to no class, as in Pascal VOC: border pixels, or what the network was not shown."""


@dataclass(frozen=True, slots=True, eq=False)
class IndexedMask:
    """A number for every pixel of a photo.

    Attributes:
        index: (H, W) integers from 0; `NOT_COUNTED` where there is none.
        names: By number; 0 may be named or not.
    """

    index: NDArray[np.integer]
    names: Mapping[int, str]

    def png(self) -> bytes:
        """An 8-bit palette PNG.

        Raises:
            ExplorerError: There are more numbers than it has room for.
        """
        most = max(self.names, default=0)
        if most >= NOT_COUNTED:
            raise ExplorerError(
                f"There are {most:,} classes; an indexed PNG has room for {NOT_COUNTED - 1}.",
                "Write the masks as COCO.",
            )
        return Mask.of(self.index.astype(np.uint8)).png


def save_mask(path: str | os.PathLike[str], mask: IndexedMask) -> None:
    """Writes an indexed PNG, and `classes.yaml` beside it.

    Raises:
        ExplorerError: It cannot be written, there are too many classes, or the folder has a list of
            other classes.
    """
    place, png = Path(path), mask.png()
    if place.suffix.lower() != ".png":
        raise ExplorerError(f"{place.name} does not end in .png.", "Choose another name.")
    keep_classes(place.with_name(CLASSES_FILE), class_lines(mask.names), "this mask")
    write_bytes(place, png)


def class_lines(names: Mapping[int, str]) -> list[str]:
    """The lines of `classes.yaml`."""
    entries = sorted(names.items())
    return ["classes:", *(f"  {number}: {one_line(name)}" for number, name in entries)]
