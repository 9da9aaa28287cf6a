"""`face-components`: mean and principal components of aligned faces, and their slopes over the age.

The file is made where the faces are and does not come with the program: they are photos of people,
offered for research, and even their mean is a picture made of them.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import numpy as np

from explorer.core.storage.atomic import write_bytes
from explorer.training.data.face_sets import read_face_set
from explorer.vision.latent import pca
from explorer.vision.latent.faces import POSITIONS, FaceAxes, age_slopes, with_axes

if TYPE_CHECKING:
    from pathlib import Path

    from explorer.core.layers import Float32
    from explorer.training.data.face_sets import FaceSet
    from explorer.training.lessons.registry import Material

log = logging.getLogger(__name__)

FILE = pca.FILE
SET = "utk.npz"
LEAST = 500
"""Faces: with fewer, a component may be close to one person's."""


def fit(name: str, material: Material, folder: Path) -> None:
    """See `lessons`: writes FILE, whose `figures` are of the held-out faces.

    Raises:
        ExplorerError: The set is missing or damaged, or all faces are equal.
    """
    known = read_face_set(material.folder / SET, 0, ("age",))
    basis = pca.fit(_shares(known), min(pca.MOST_COMPONENTS, len(known) // 5))
    held = _shares(read_face_set(material.folder / SET, 1))
    kept = pca.explained(basis, held)
    figures = {
        f"variance kept by {count}": round(float(kept[count - 1]), 4)
        for count in dict.fromkeys(min(k, len(basis)) for k in (8, 32, len(basis)))
    }
    axes = FaceAxes(POSITIONS, age_slopes(basis, _shares(known), known.known["age"]))
    if len(known) < LEAST:
        log.warning("%d faces are few: a component may be close to one of them", len(known))
    log.info("%s: %d components of %d faces, %s", name, len(basis), basis.count, figures)
    folder.mkdir(parents=True, exist_ok=True)
    write_bytes(folder / FILE, with_axes(pca.packed(basis, figures), axes))


def _shares(faces: FaceSet) -> Float32:
    found: Float32 = (faces.pixels / np.float32(255)).astype(np.float32)
    return found
