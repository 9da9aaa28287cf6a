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

from explorer.evaluation.generated.verification import Roc, roc
from explorer.networks.faces.embedding import SIDE, SIZE, FaceEmbedding
from explorer.training.cards import Facts, rounded
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

DATA = (
    "4,759 gray faces of 1,400 people of Labeled Faces in the Wild (photos of 2002 to 2004, three"
    " quarters of them men), 64 x 64 pixels, as a face detector cut them, not aligned."
)
LICENSE = (
    "Trained on photos of people that are offered for research: check their terms before any other"
    " use. The program contains none of these photos."
)
FAILURES = (
    "About one pair in seven is judged wrongly: two people of one age, gender and type are often"
    " taken for one, and a person turned aside, older or with other glasses for two. Children and"
    " people unlike those in news photos of 2002 to 2004 are worse. It must never decide about"
    " anybody: no access, no search for a person, no accusation."
)

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
    matrix = matrix + np.concatenate([np.zeros((2, 2)), rng.uniform(-4, 4, (2, 1))], axis=1)
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


def shipped(_name: str, weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """See `lessons`: without the directions of the persons it was trained on."""
    return {name: value for name, value in weights.items() if name != "persons"}


def facts(_name: str, material: Material) -> Facts:
    """See `lessons`."""
    pairs = len(read_pairs(material.folder / PAIRS))
    return Facts(
        title="Mini face embedding",
        task="embedding",
        function="face_embedding",
        kwargs={},
        classes=[],
        preprocessing={"resize": SIDE, "crop": SIDE, "gray": True},
        example=(1, 1, SIDE, SIDE),
        measured_on=f"{pairs:,} pairs of faces of people that it was not trained on, half of them"
        " of one person; the threshold is the best one on these pairs",
        default_layer="stages.3",
        data=DATA,
        license=LICENSE,
        extra={"failures": FAILURES},
        eight_bit=True,
    )


def measure(_name: str, model: nn.Module, material: Material) -> dict[str, Any]:
    """See `lessons`; beside the network its two predecessors on the same pairs."""
    held_out = read_face_set(material.folder / SET, 1, ("person",))
    with np.load(material.folder / SET, allow_pickle=False) as archive:
        places = np.full(len(archive["split"]), -1)
        places[archive["split"] == 1] = np.arange(len(held_out))
    pairs = read_pairs(material.folder / PAIRS)
    first, second, same = places[pairs[:, 0]], places[pairs[:, 1]], pairs[:, 2] == 1
    gray = held_out.pixels[..., 0]
    known = read_face_set(material.folder / SET, 0).pixels[..., 0]
    figures: dict[str, Any] = {}
    for title, vectors in (
        ("", embeddings(model, gray)),
        (" of raw pixels", _raw(gray)),
        (" of eigenfaces", _eigenfaces(_raw(known), _raw(gray))),
    ):
        found = roc((vectors[first] * vectors[second]).sum(axis=1), same)
        threshold, accuracy = found.best()
        figures[f"verification{title}"] = accuracy
        figures[f"area under the ROC{title}"] = found.area
        if not title:
            figures["threshold"] = threshold
            figures["roc"] = _curve(found)
    return rounded(figures)


def _curve(found: Roc) -> list[list[float]]:
    """Threshold, false and true positives at every fortieth of the false positives."""
    wanted = np.searchsorted(found.false_positives, np.linspace(0, 1, 41), side="right") - 1
    steps = zip(found.thresholds, found.false_positives, found.true_positives, strict=True)
    every = [[round(float(value), 4) for value in step] for step in steps]
    return [every[place] for place in dict.fromkeys(wanted.tolist()) if place > 0]


@torch.inference_mode()
def embeddings(model: nn.Module, gray: NDArray[np.uint8]) -> NDArray[np.float64]:
    """(n, 64, 64) uint8 -> (n, 128) unit vectors."""
    parts = [
        model(torch.from_numpy(gray[start : start + 100])[:, None].float())
        for start in range(0, len(gray), 100)
    ]
    return torch.cat(parts).double().numpy()


def _raw(gray: NDArray[np.uint8]) -> NDArray[np.float64]:
    values = gray.reshape(len(gray), -1).astype(np.float64)
    values -= values.mean(axis=1, keepdims=True)
    found: NDArray[np.float64] = values / np.linalg.norm(values, axis=1, keepdims=True)
    return found


def _eigenfaces(
    known: NDArray[np.float64], faces: NDArray[np.float64], count: int = 50
) -> NDArray[np.float64]:
    """Turk & Pentland 1991: the first components, each divided by its spread."""
    mean = known.mean(axis=0)
    values, vectors = np.linalg.eigh(np.cov(known - mean, rowvar=False))
    weights = (faces - mean) @ vectors[:, -count:] / np.sqrt(values[-count:])
    found: NDArray[np.float64] = weights / np.linalg.norm(weights, axis=1, keepdims=True)
    return found
