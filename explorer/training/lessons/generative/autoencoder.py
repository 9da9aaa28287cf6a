"""Training of `mini-vae-faces`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from explorer.evaluation.generated.pictures import diversity, sharpness, to_pixels
from explorer.networks.generative.autoencoder import LATENT, SIDE, FaceAutoencoder
from explorer.training.cards import Facts, rounded
from explorer.training.data.face_sets import read_face_set
from explorer.training.lessons.generative.pictures import pictures_of
from explorer.training.loop import Recipe

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from explorer.training.lessons.registry import Material

RECIPE = Recipe(
    epochs=80, batch=64, peak=2e-3, warmup=0.05, decay=1e-3, average=0.998, clip=20.0,
    optimizer="adamw",
)  # fmt: skip

VALUES = 3 * SIDE * SIDE

SET = "utk.npz"

DATA = "6,045 color faces of 64 x 64 pixels of UTKFace (part 1), mirrored."
LICENSE = (
    "Trained on photos of people that are offered for non-commercial research: check their terms"
    " before any other use. The program contains none of these photos."
)
FAILURES = (
    "Its pictures are soft, as the mean of all faces that a latent may stand for is. A face turned"
    " aside, with a hat or in a strong light comes back as another one. No picture shows a person;"
    " where one resembles somebody it must not be used as a picture of them."
)


@dataclass(slots=True, eq=False, kw_only=True)
class AutoencoderTask:
    """See `loop.Task`; a "photo" is a face. The losses are bits per value of a pixel."""

    faces: NDArray[Any]
    recipe: Recipe = RECIPE
    name: str = "mini-vae-faces"
    photos: int = field(init=False)

    def __post_init__(self) -> None:
        self.photos = len(self.faces)

    def settings(self) -> dict[str, object]:
        return {"faces": self.photos}

    def build(self) -> nn.Module:
        return FaceAutoencoder()

    def prepare(self, model: nn.Module) -> None:
        model.train()

    def losses(
        self, model: Any, step: int, progress: float, device: torch.device
    ) -> dict[str, Tensor]:
        rows = torch.randint(0, self.photos, (self.recipe.batch,)).numpy()
        values, latent = model.bound(pictures_of(self.faces[rows], device, mirrored=True))
        return {"values": values.mean() / VALUES, "latents": latent.mean() / VALUES}


def task(name: str, material: Material) -> AutoencoderTask:
    """See `lessons`."""
    faces = read_face_set(material.folder / SET, 0)
    return AutoencoderTask(faces=faces.pixels, recipe=material.recipe(RECIPE), name=name)


def facts(_name: str, material: Material) -> Facts:
    """See `lessons`."""
    count = len(read_face_set(material.folder / SET, 1))
    return Facts(
        title="Mini VAE, faces",
        task="generation",
        function="face_autoencoder",
        kwargs={},
        classes=[],
        preprocessing={"resize": SIDE, "crop": SIDE},
        example=(1, 3, SIDE, SIDE),
        measured_on=f"{count} faces that it was not trained on; the bound is an average over one"
        " latent of each",
        default_layer="encoder.9",
        data=DATA,
        license=LICENSE,
        extra={"failures": FAILURES},
        eight_bit=True,
    )


@torch.inference_mode()
def measure(_name: str, model: Any, material: Material) -> dict[str, Any]:
    """See `lessons`."""
    torch.manual_seed(0)
    faces = read_face_set(material.folder / SET, 1).pixels
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
