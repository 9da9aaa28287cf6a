"""A basis of principal components, fitted to a folder of aligned pictures.

Sirovich and Kirby 1987; Turk and Pentland 1991, Eigenfaces for Recognition.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from explorer.core.storage.atomic import write_bytes
from explorer.images.sources import expand
from explorer.vision.latent import pca
from explorer.vision.latent.pictures import Aligned

if TYPE_CHECKING:
    from pathlib import Path

    from explorer.training.lessons.registry import Material

log = logging.getLogger(__name__)

FILE = pca.FILE
SIDE = 72
"""The longer side of a picture."""
APART = 10
"""One picture in this many is kept apart for the figures, where no folder is called validation."""
HELD_OUT = "validation"


def fit(name: str, material: Material, folder: Path) -> None:
    """See `lessons`: writes FILE, whose `figures` are of pictures that were not used.

    They say which fraction of the variance of those the first 8, 32 and all components keep.

    Raises:
        ExplorerError: There are no pictures, or all are equal.
    """
    paths = list(expand([material.folder], recursive=True))
    inner = [path.relative_to(material.folder.absolute()).parts[:-1] for path in paths]
    apart = [HELD_OUT in parts for parts in inner]
    if not any(apart):
        apart = [place % APART == APART - 1 for place in range(len(paths))]
    known, others = Aligned(SIDE), Aligned(SIDE)
    for path, held_out in zip(paths, apart, strict=True):
        (others if held_out else known).add(path)
    basis = pca.fit(known.array(), pca.MOST_COMPONENTS)
    figures: dict[str, float] = {}
    if len(others):
        held = others.array()
        if held.shape[1:] == basis.shape:
            kept = pca.explained(basis, held)
            for count in dict.fromkeys(min(k, len(basis)) for k in (8, 32, len(basis))):
                figures[f"variance kept by {count}"] = round(float(kept[count - 1]), 4)
    log.info("%s: %d components of %d pictures, %s", name, len(basis), basis.count, figures)
    folder.mkdir(parents=True, exist_ok=True)
    write_bytes(folder / FILE, pca.packed(basis, figures))
