"""Faces with ages, and faces with names, out of their archives.

A set is NAME.npz with `webp` (B,) uint8, all files end to end, `offset` (n + 1,) int64 and `split`
(n,) uint8: 0 = for training, 1 = held out; beside them what is known about each face.
"""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from explorer.core.errors import ExplorerError
from explorer.images.image import decode_image

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, eq=False)
class FaceSet:
    """`pixels` (n, H, W, 3) uint8 RGB and the arrays `known` about them, (n,) each."""

    pixels: NDArray[np.uint8]
    known: dict[str, NDArray[np.int64]]

    def __len__(self) -> int:
        return len(self.pixels)


def read_face_set(path: Path, split: int, known: tuple[str, ...] = ()) -> FaceSet:
    """All faces of a split.

    Args:
        path: NAME.npz.
        split: 0 = for training, 1 = held out.
        known: Names of the arrays that are wanted beside the pictures.

    Raises:
        ExplorerError: The file is missing, damaged or has no such arrays.
    """
    try:
        with np.load(path, allow_pickle=False) as archive:
            files, offset, own = archive["webp"], archive["offset"], archive["split"]
            values = {name: archive[name].astype(np.int64) for name in known}
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        wanted = ", ".join(("webp", "offset", "split", *known))
        raise ExplorerError(
            f"{path.name} is not an archive of faces.", f"It must have the arrays {wanted}."
        ) from error
    rows = np.flatnonzero(own == split)
    if not len(rows):
        raise ExplorerError(f"{path.name} has no faces of split {split}.")
    pixels = decoded(files, offset, rows, "face")
    return FaceSet(np.stack(pixels), {name: value[rows] for name, value in values.items()})


def decoded(
    files: NDArray[np.uint8], offset: NDArray[np.int64], rows: NDArray[np.intp], name: str
) -> list[NDArray[np.uint8]]:
    """The pictures in some rows of an archive, (H, W, 3) uint8 RGB each.

    Raises:
        ExplorerError: One is damaged; `name` says what it would be.
    """
    return [
        decode_image(files[offset[row] : offset[row + 1]].tobytes(), name=name).pixels
        for row in rows.tolist()
    ]
