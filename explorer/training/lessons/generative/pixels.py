"""Training of `mini-pixel-faces`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import torch
from torch import Tensor, nn

from explorer.networks.generative.pixel_cnn import SIDE, PixelNetwork, pixel_bits
from explorer.training.cards import rounded
from explorer.training.lessons.generative.face_task import FaceTask, face_facts, faces_of
from explorer.training.lessons.generative.pictures import pictures_of
from explorer.training.loop import Recipe

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from explorer.training.cards import Facts
    from explorer.training.lessons.registry import Material

RECIPE = Recipe(
    epochs=40, batch=32, peak=2e-3, warmup=0.03, decay=1e-3, average=0.998, clip=5.0,
    optimizer="adamw",
)  # fmt: skip

FAILURES = (
    "Every pixel is drawn: eyes differ from each other, and what is far apart fits badly. A picture"
    " takes a pass through the network for each of its pixels. No picture shows a person; where one"
    " resembles somebody it must not be used as a picture of them."
)


@dataclass(slots=True, eq=False, kw_only=True)
class PixelTask(FaceTask):
    """See `loop.Task`; a "photo" is a face. The loss is in bits per value of a pixel."""

    recipe: Recipe = RECIPE
    name: str = "mini-pixel-faces"

    def settings(self) -> dict[str, object]:
        return {"faces": self.photos, "side": SIDE}

    def build(self) -> nn.Module:
        return PixelNetwork()

    def losses(
        self, model: Any, step: int, progress: float, device: torch.device
    ) -> dict[str, Tensor]:
        rows = torch.randint(0, self.photos, (self.recipe.batch,)).numpy()
        pictures = pictures_of(self.faces[rows], device, mirrored=True)
        return {"values": pixel_bits(model(pictures), pictures).mean() / 3}


def reduced(faces: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """(n, H, W, 3) -> (n, SIDE, SIDE, 3)."""
    small = [cv2.resize(face, (SIDE, SIDE), interpolation=cv2.INTER_AREA) for face in faces]
    return np.stack(small).astype(np.uint8, copy=False)


def task(name: str, material: Material) -> PixelTask:
    """See `lessons`."""
    faces = reduced(faces_of(material))
    return PixelTask(faces=faces, recipe=material.recipe(RECIPE), name=name)


def facts(_name: str, material: Material) -> Facts:
    """See `lessons`."""
    return face_facts(
        "Mini PixelCNN, faces", "pixel_network", (1, 3, SIDE, SIDE),
        f"{len(faces_of(material, 1))} faces that it was not trained on, reduced to"
        f" {SIDE} x {SIDE} pixels",
        "horizontal.6", FAILURES, {"resize": SIDE, "crop": SIDE},
    )  # fmt: skip


@torch.inference_mode()
def measure(_name: str, model: Any, material: Material) -> dict[str, Any]:
    """See `lessons`."""
    faces = reduced(faces_of(material, 1))
    pictures = pictures_of(faces, torch.device("cpu"))
    bits = torch.cat([pixel_bits(model(part), part) for part in torch.split(pictures, 50)])
    return rounded({"bits per value": float(bits.mean()) / 3})
