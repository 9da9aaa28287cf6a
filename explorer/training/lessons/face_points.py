"""Training of `lite-face-points`: five facial points by regression, on aligned and detected faces.

Sun, Wang & Tang 2013. Both stages learn at once; the windows of the second are moved at random, as
the first errs more on faces that it was not trained on.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from explorer.networks.embedded.face_points import POINTS, SIDE, lite_face_points
from explorer.networks.embedded.lite import MEAN, STD
from explorer.training.cards import Facts
from explorer.training.data.faces import SHIFT, TURN, ZOOM, drawn_face, read_faces
from explorer.training.loop import Recipe, step_seed

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from explorer.training.data.faces import Faces
    from explorer.training.lessons.registry import Material

RECIPE = Recipe(
    epochs=30, batch=64, peak=3e-3, warmup=0.05, decay=0.02, average=0.998, clip=5.0,
    optimizer="adamw",
)  # fmt: skip

NOISE = 0.08
"""Of the side of a window; see `FacePoints.cascade`."""

SMOOTH = 0.01
"""Errors below this share of the crop count squared, larger ones plainly."""

FAILED = 0.1
"""A face is failed if the mean error of its points is larger, in distances from eye to eye."""

DATA = (
    "10,737 faces of 64 x 64 pixels: color crops of UTKFace and gray crops of Labeled Faces in the"
    " Wild. The five points are outputs of another network (MTCNN, of the package mtcnn), not marks"
    " made by people."
)
LICENSE = (
    "Trained on photos of faces that are offered for non-commercial research: check their terms"
    " before any other use. The program contains none of these photos."
)
FAILURES = (
    "Expects one face that fills most of the crop and does not look for it. Profiles, covered faces"
    " and faces turned by more than 30 degrees are often wrong. Errors of the network that gave the"
    " points are learned with them."
)


@dataclass(slots=True, eq=False, kw_only=True)
class FaceTask:
    """See `loop.Task`; a "photo" is a face.

    Args:
        faces: For training.
        recipe: The numbers.
        name: Of the network.
    """

    faces: Faces
    recipe: Recipe = RECIPE
    name: str = "lite-face-points"
    photos: int = field(init=False)

    def __post_init__(self) -> None:
        self.photos = len(self.faces)

    def settings(self) -> dict[str, object]:
        return {"faces": self.photos, "zoom": ZOOM, "shift": SHIFT, "turn": TURN, "noise": NOISE}

    def build(self) -> nn.Module:
        return lite_face_points()

    def prepare(self, model: nn.Module) -> None:
        model.train()

    def losses(
        self, model: Any, step: int, progress: float, device: torch.device
    ) -> dict[str, Tensor]:
        rng = np.random.default_rng(step_seed(self.recipe.seed, step))
        rows = rng.integers(0, len(self.faces), self.recipe.batch)
        crops, points = _batch(self.faces, rows, rng, plain=False)
        first, second, _ = model.cascade(crops.to(device), NOISE)
        wanted = points.to(device)
        return {"stage 1": _loss(first, wanted), "stage 2": _loss(second, wanted)}


def _batch(
    faces: Faces, rows: NDArray[np.int64], rng: np.random.Generator, *, plain: bool
) -> tuple[Tensor, Tensor]:
    """(N, 3, 64, 64) normalized crops and (N, 5, 2) points of some faces, varied at random."""
    drawn = [drawn_face(faces.pixels[row], faces.points[row], rng, plain=plain) for row in rows]
    pixels = np.stack([crop for crop, _ in drawn])
    mean, std = (torch.tensor(values).view(-1, 1, 1) for values in (MEAN, STD))
    crops = (torch.from_numpy(pixels).permute(0, 3, 1, 2).float() / 255 - mean) / std
    return crops, torch.from_numpy(np.stack([points for _, points in drawn]))


def _loss(found: Tensor, points: Tensor) -> Tensor:
    """The mean smooth L1 distance (Girshick 2015) of (N, K, 2) points."""
    return functional.smooth_l1_loss(found, points, beta=SMOOTH) * 2


def task(name: str, material: Material) -> FaceTask:
    """See `lessons`."""
    return FaceTask(faces=read_faces(material.folder, 0), recipe=material.recipe(RECIPE), name=name)


def facts(_name: str, material: Material) -> Facts:
    """See `lessons`."""
    held_out = len(read_faces(material.folder, 1))
    return Facts(
        title="Lite face points",
        task="pose",
        function="lite_face_points",
        kwargs={},
        classes=["background", "face"],
        preprocessing={"resize": SIDE, "crop": SIDE, "mean": list(MEAN), "std": list(STD)},
        example=(1, 3, SIDE, SIDE),
        measured_on=f"{held_out} held-out faces in boxes moved and scaled at random; errors in"
        " distances from eye to eye, against MTCNN's points",
        default_layer="first.conv3",
        data=DATA,
        license=LICENSE,
        extra={"failures": FAILURES, "keypoints": list(POINTS)},
    )


def measure(_name: str, model: nn.Module, material: Material) -> dict[str, Any]:
    """See `lessons`."""
    return point_errors(model, read_faces(material.folder, 1))


@torch.inference_mode()
def point_errors(model: Any, faces: Faces, seed: int = 0) -> dict[str, Any]:
    """The mean distance of the points, normalized by the distance from eye to eye (NME).

    Args:
        model: As `lite_face_points` makes it, in eval mode, on the CPU.
        faces: Held out.
        seed: Of the boxes.

    Returns:
        `NME`, `NME of stage 1`, `failure rate` (NME of a face above `FAILED`) and `NME by point`.
    """
    rng = np.random.default_rng(seed)
    crops, points = _batch(faces, np.arange(len(faces)), rng, plain=True)
    stages = torch.cat([model(part)["stages"] for part in torch.split(crops, 128)], dim=1)
    apart = (points[:, 0] - points[:, 1]).norm(dim=1)
    off = (stages - points).norm(dim=3) / apart[:, None]  # (S, N, K)
    last = off[-1]
    return {
        "NME": round(float(last.mean()), 4),
        "NME of stage 1": round(float(off[0].mean()), 4),
        f"failure rate at {FAILED}": round(float((last.mean(dim=1) > FAILED).float().mean()), 4),
        "NME by point": {name: round(float(last[:, k].mean()), 4) for k, name in enumerate(POINTS)},
    }
