"""Aerial photos with their maps, and the classes of a map's colors.

The set of Isola et al. 2017 ("maps"), reduced: maps.npz with `photo`, `map` (B,) uint8, all files
end to end, `photo_offset`, `map_offset` (n + 1,) int64 and `split` (n,): 0 = training, 1 = held
out.
"""

from __future__ import annotations

import zipfile
from typing import TYPE_CHECKING

import numpy as np

from explorer.core.errors import ExplorerError
from explorer.training.data.face_sets import decoded

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    Pictures = NDArray[np.uint8]

CLASSES = ("land", "street", "park", "water", "highway")

COLORS = (
    ((235, 231, 225), 0), ((254, 254, 254), 1), ((203, 223, 172), 2), ((170, 203, 250), 3),
    ((249, 160, 40), 4), ((252, 214, 100), 4),
)  # fmt: skip
"""Of a map, and the class of each."""


def read_pairs(path: Path, split: int) -> tuple[Pictures, Pictures]:
    """Photos and maps, (n, 128, 128, 3) uint8 RGB each.

    Raises:
        ExplorerError: The file is missing, damaged or has no such arrays.
    """
    try:
        with np.load(path, allow_pickle=False) as archive:
            rows = np.flatnonzero(archive["split"] == split)
            found = [
                np.stack(decoded(archive[name], archive[f"{name}_offset"], rows, name))
                for name in ("photo", "map")
            ]
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise ExplorerError(
            f"{path.name} is not an archive of photos with maps.",
            "It must have the arrays photo, photo_offset, map, map_offset and split.",
        ) from error
    return found[0], found[1]


def classes_of(maps: Pictures) -> NDArray[np.int64]:
    """(..., 3) uint8 -> (...): the class of the nearest of `COLORS`."""
    colors = np.array([color for color, _ in COLORS], np.int32)
    apart = ((maps[..., None, :].astype(np.int32) - colors) ** 2).sum(axis=-1)
    found: NDArray[np.int64] = np.array([label for _, label in COLORS])[apart.argmin(axis=-1)]
    return found


def map_scores(made: Pictures, real: Pictures) -> dict[str, float]:
    """Mean IoU over `CLASSES`, those of street and highway, and the share of equal pixels."""
    found, true = classes_of(made), classes_of(real)
    scores = {}
    for label, name in enumerate(CLASSES):
        both = ((found == label) & (true == label)).sum()
        either = ((found == label) | (true == label)).sum()
        scores[name] = float(both / either) if either else float("nan")
    return {
        "mean IoU": float(np.nanmean(list(scores.values()))),
        "street IoU": scores["street"],
        "highway IoU": scores["highway"],
        "pixel agreement": float((found == true).mean()),
    }
