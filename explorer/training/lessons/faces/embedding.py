"""Training of `mini-face-embedding`: one class per person, with CosFace's margin."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from explorer.networks.faces.embedding import SIDE, SIZE, FaceEmbedding
from explorer.training.data.face_sets import read_face_set
from explorer.training.loop import Recipe, step_seed

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from explorer.training.data.face_sets import FaceSet
    from explorer.training.lessons.registry import Material

RECIPE = Recipe(
    epochs=90, batch=128, peak=0.1, warmup=0.05, momentum=0.9, decay=5e-4, average=0.995, clip=5.0,
)  # fmt: skip

SCALE, MARGIN, GROWING = 30.0, 0.3, 0.3
"""Of the cosines, taken from the right one, and over which share of the training it grows."""

SET, PAIRS = "lfw.npz", "pairs_validation.tsv"


class Identities(FaceEmbedding):
    """The network with a direction per person."""

    def __init__(self, persons: int) -> None:
        super().__init__()
        self.persons = nn.Parameter(torch.randn(persons, SIZE) / math.sqrt(SIZE))

    def margin_logits(self, faces: Tensor, persons: Tensor, margin: float) -> Tensor:
        """(N, P) scaled cosines, the right one lowered by the margin (CosFace, equation 4)."""
        found = functional.normalize(self.features(faces), dim=1)
        cosines = found @ functional.normalize(self.persons, dim=1).T
        return SCALE * (cosines - margin * functional.one_hot(persons, len(self.persons)))


@dataclass(slots=True, eq=False, kw_only=True)
class IdentityTask:
    """See `loop.Task`; a "photo" is a face."""

    faces: FaceSet
    recipe: Recipe = RECIPE
    name: str = "mini-face-embedding"
    photos: int = field(init=False)
    persons: NDArray[np.int64] = field(init=False)

    def __post_init__(self) -> None:
        self.photos = len(self.faces)
        _, self.persons = np.unique(self.faces.known["person"], return_inverse=True)

    def settings(self) -> dict[str, object]:
        return {"faces": self.photos, "scale": SCALE, "margin": MARGIN, "margin grows": GROWING}

    def build(self) -> nn.Module:
        return Identities(int(self.persons.max()) + 1)

    def prepare(self, model: nn.Module) -> None:
        model.train()

    def losses(
        self, model: Any, step: int, progress: float, device: torch.device
    ) -> dict[str, Tensor]:
        rng = np.random.default_rng(step_seed(self.recipe.seed, step))
        rows = rng.integers(0, self.photos, self.recipe.batch)
        drawn = np.stack([varied(self.faces.pixels[row][..., 0], rng) for row in rows])
        faces = torch.from_numpy(drawn)[:, None].float().to(device)
        persons = torch.from_numpy(self.persons[rows]).to(device)
        margin = MARGIN * min(1.0, progress / GROWING)
        logits = model.margin_logits(faces, persons, margin)
        return {"persons": functional.cross_entropy(logits, persons)}


def varied(face: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    """A gray face mirrored, turned, scaled, moved, brightened, blurred and partly blanked."""
    angle, scale = rng.uniform(-10, 10), math.exp(rng.uniform(-0.12, 0.12))
    matrix = cv2.getRotationMatrix2D(((SIDE - 1) / 2, (SIDE - 1) / 2), angle, scale)
    matrix[:, 2] += rng.uniform(-4, 4, 2)
    if rng.random() < 0.5:
        face = face[:, ::-1]
    moved = cv2.warpAffine(
        np.ascontiguousarray(face), matrix, (SIDE, SIDE), borderMode=cv2.BORDER_REPLICATE
    )
    levels = 255 * (np.arange(256) / 255) ** math.exp(rng.uniform(-0.5, 0.5))
    moved = cv2.LUT(moved, levels.astype(np.uint8))
    if rng.random() < 0.25:
        moved = cv2.GaussianBlur(moved, (0, 0), rng.uniform(0.5, 1.5))
    if rng.random() < 0.5:
        side = int(rng.integers(12, 27))
        x, y = rng.integers(-side // 2, SIDE - side // 2, 2)
        moved[max(0, y) : y + side, max(0, x) : x + side] = rng.integers(0, 256)
    return moved.astype(np.uint8, copy=False)


def task(name: str, material: Material) -> IdentityTask:
    """See `lessons`."""
    faces = read_face_set(material.folder / SET, 0, ("person",))
    return IdentityTask(faces=faces, recipe=material.recipe(RECIPE), name=name)


def read_pairs(path: Path) -> NDArray[np.int64]:
    """(n, 3): first and second face of the set, and 1 for the same person."""
    return np.loadtxt(path, dtype=np.int64, skiprows=1, ndmin=2)
