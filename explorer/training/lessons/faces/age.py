"""Training of `mini-face-age`: age, gender and five points from one face."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from explorer.networks.embedded.face_points import MIRRORED
from explorer.networks.embedded.face_points import POINTS as NAMES
from explorer.networks.faces.age import OLDEST, SIDE, FaceAge
from explorer.training.cards import Facts, rounded
from explorer.training.data.face_sets import read_face_set
from explorer.training.data.faces import drawn_face
from explorer.training.loop import Recipe, step_seed

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from explorer.training.data.face_sets import FaceSet
    from explorer.training.lessons.registry import Material

RECIPE = Recipe(
    epochs=60, batch=64, peak=2e-3, warmup=0.05, decay=0.05, average=0.998, clip=5.0,
    optimizer="adamw",
)  # fmt: skip

SPREAD = 2.5
"""Years: the target is a normal distribution around the age, as the ages themselves are unsure."""

DATA = (
    "6,045 color faces of 64 x 64 pixels of UTKFace (part 1). Their ages were estimated by a"
    " program and checked by people; the five points are outputs of another network (MTCNN)."
)
LICENSE = (
    "Trained on photos of people that are offered for non-commercial research: check their terms"
    " before any other use. The program contains none of these photos."
)
FAILURES = (
    "It answers how old a face looks in a photo of this kind, not how old somebody is: errors of"
    " ten years are common between 30 and 70, make-up, light and blur change the answer. There are"
    " only two genders in the data, as somebody labeled them by sight. It must not decide about"
    " anybody."
)

SET, POINTS = "utk.npz", "utk_points.npz"


@dataclass(slots=True, eq=False, kw_only=True)
class AgeTask:
    """See `loop.Task`; a "photo" is a face.

    Args:
        faces: With `age` and `gender`.
        points: (n, 5, 2) as fractions of the crop, NaN where they are not known.
    """

    faces: FaceSet
    points: NDArray[np.float32]
    recipe: Recipe = RECIPE
    name: str = "mini-face-age"
    photos: int = field(init=False)

    def __post_init__(self) -> None:
        self.photos = len(self.faces)

    def settings(self) -> dict[str, object]:
        return {"faces": self.photos, "spread of an age": SPREAD}

    def build(self) -> nn.Module:
        return FaceAge()

    def prepare(self, model: nn.Module) -> None:
        model.train()

    def losses(
        self, model: Any, step: int, progress: float, device: torch.device
    ) -> dict[str, Tensor]:
        rng = np.random.default_rng(step_seed(self.recipe.seed, step))
        rows = rng.integers(0, self.photos, self.recipe.batch)
        drawn = [drawn_face(self.faces.pixels[row], self.points[row], rng) for row in rows]
        pixels = torch.from_numpy(np.stack([face for face, _ in drawn])).to(device)
        points = torch.from_numpy(np.stack([places for _, places in drawn])).to(device)
        ages, genders = (
            torch.from_numpy(self.faces.known[key][rows]).to(device) for key in ("age", "gender")
        )
        found = model(pixels.permute(0, 3, 1, 2).float() / 255)
        years = torch.arange(OLDEST + 1, device=device)
        wanted = (-0.5 * ((years - ages[:, None]) / SPREAD).square()).softmax(dim=1)
        known = points.isfinite().all(dim=2)
        off = functional.smooth_l1_loss(
            found["points"][known], points[known], beta=0.02, reduction="sum"
        )
        return {
            "age": functional.cross_entropy(found["age_logits"], wanted),
            "years": 0.05 * functional.smooth_l1_loss(found["age"], ages.float()),
            "gender": 0.5 * functional.cross_entropy(found["gender"], genders),
            "points": 20 * off / max(1, int(known.sum())),
        }


def task(name: str, material: Material) -> AgeTask:
    """See `lessons`."""
    faces = read_face_set(material.folder / SET, 0, ("age", "gender"))
    return AgeTask(
        faces=faces, points=_points(material, 0, len(faces)), recipe=material.recipe(RECIPE),
        name=name,
    )  # fmt: skip


def _points(material: Material, split: int, count: int) -> NDArray[np.float32]:
    """Those of another network, see `data.faces`; NaN where the file with them is missing."""
    path = material.folder / POINTS
    if not path.is_file():
        return np.full((count, len(MIRRORED), 2), np.nan, np.float32)
    with np.load(material.folder / SET, allow_pickle=False) as archive:
        own = archive["split"] == split
    with np.load(path, allow_pickle=False) as archive:
        found: NDArray[np.float32] = archive["points"][own].astype(np.float32)
    return found


def facts(_name: str, material: Material) -> Facts:
    """See `lessons`."""
    count = len(read_face_set(material.folder / SET, 1))
    return Facts(
        title="Mini face age",
        task="attributes",
        function="face_age",
        kwargs={},
        classes=["man", "woman"],
        preprocessing={"resize": SIDE, "crop": SIDE},
        example=(1, 3, SIDE, SIDE),
        measured_on=f"{count} faces that it was not trained on; errors in years, the points' in"
        " distances from eye to eye, against those of another network",
        default_layer="stages.10",
        data=DATA,
        license=LICENSE,
        extra={"failures": FAILURES, "keypoints": list(NAMES)},
        eight_bit=True,
    )


@torch.inference_mode()
def measure(_name: str, model: nn.Module, material: Material) -> dict[str, Any]:
    """See `lessons`; a face and its mirror image are averaged."""
    faces = read_face_set(material.folder / SET, 1, ("age", "gender"))
    ages, genders = faces.known["age"], faces.known["gender"]
    pixels = torch.from_numpy(faces.pixels).permute(0, 3, 1, 2).float() / 255
    both = [model(each) for each in (pixels, pixels.flip(3))]
    found = sum(each["age"] for each in both).numpy() / 2
    genders_found = sum(each["gender"].softmax(dim=1) for each in both).argmax(dim=1).numpy()
    off = np.abs(found - ages)
    figures: dict[str, Any] = {
        "mean error": float(off.mean()),
        "mean error of the median age": float(np.abs(ages - np.median(ages)).mean()),
    }
    for low, high in ((0, 9), (10, 19), (20, 39), (40, 59), (60, OLDEST)):
        rows = (ages >= low) & (ages <= high)
        figures[f"mean error from {low} to {high}"] = float(off[rows].mean())
    figures["gender"] = float((genders_found == genders).mean())
    points = _points(material, 1, len(faces))
    known = np.isfinite(points).all(axis=(1, 2))
    if known.any():
        apart = np.linalg.norm(points[known, 0] - points[known, 1], axis=1)
        moved = np.linalg.norm(both[0]["points"].numpy()[known] - points[known], axis=2)
        figures["NME of the points"] = float((moved / apart[:, None]).mean())
    return rounded(figures)
