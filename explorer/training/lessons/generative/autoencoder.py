"""Training of `mini-vae-faces`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from explorer.evaluation.generated.pictures import diversity, sharpness, to_pixels
from explorer.networks.generative.autoencoder import LATENT, SIDE, FaceAutoencoder
from explorer.training.cards import rounded
from explorer.training.lessons.generative.face_task import FaceTask, face_facts, faces_of
from explorer.training.lessons.generative.pictures import pictures_of
from explorer.training.loop import Recipe

if TYPE_CHECKING:
    from explorer.training.cards import Facts
    from explorer.training.lessons.registry import Material

RECIPE = Recipe(
    epochs=80, batch=64, peak=2e-3, warmup=0.05, decay=1e-3, average=0.998, clip=20.0,
    optimizer="adamw",
)  # fmt: skip

VALUES = 3 * SIDE * SIDE

FAILURES = (
    "Its pictures are soft, as the mean of all faces that a latent may stand for is. A face turned"
    " aside, with a hat or in a strong light comes back as another one. No picture shows a person;"
    " where one resembles somebody it must not be used as a picture of them."
)


@dataclass(slots=True, eq=False, kw_only=True)
class AutoencoderTask(FaceTask):
    """See `loop.Task`; a "photo" is a face. The losses are bits per value of a pixel."""

    recipe: Recipe = RECIPE
    name: str = "mini-vae-faces"

    def build(self) -> nn.Module:
        return FaceAutoencoder()

    def losses(
        self, model: Any, step: int, progress: float, device: torch.device
    ) -> dict[str, Tensor]:
        rows = torch.randint(0, self.photos, (self.recipe.batch,)).numpy()
        values, latent = model.bound(pictures_of(self.faces[rows], device, mirrored=True))
        return {"values": values.mean() / VALUES, "latents": latent.mean() / VALUES}


def task(name: str, material: Material) -> AutoencoderTask:
    """See `lessons`."""
    return AutoencoderTask(faces=faces_of(material), recipe=material.recipe(RECIPE), name=name)


def facts(_name: str, material: Material) -> Facts:
    """See `lessons`."""
    return face_facts(
        "Mini VAE, faces", "face_autoencoder", (1, 3, SIDE, SIDE),
        f"{len(faces_of(material, 1))} faces that it was not trained on; the bound is an average"
        " over one latent of each",
        "encoder.9", FAILURES, {"resize": SIDE, "crop": SIDE},
    )  # fmt: skip


@torch.inference_mode()
def measure(_name: str, model: Any, material: Material) -> dict[str, Any]:
    """See `lessons`."""
    torch.manual_seed(0)
    faces = faces_of(material, 1)
    pictures = pictures_of(faces, torch.device("cpu"))
    values, latent = model.bound(pictures)
    back = to_pixels(model(pictures)).astype(np.float32)
    made = to_pixels(model.decode(torch.randn(len(faces), LATENT))[0])
    return rounded({
        "bits per value (upper bound)": float((values + latent).mean()) / VALUES,
        "of these for the latent": float(latent.mean()) / VALUES,
        "error of a reconstruction (RMS of 255)": float(
            np.sqrt(((back - faces) ** 2).mean(axis=(1, 2, 3))).mean()
        ),
        "sharpness of samples": sharpness(made),
        "sharpness of real faces": sharpness(faces),
        "diversity of samples": diversity(made),
        "diversity of real faces": diversity(faces),
    })  # fmt: skip
