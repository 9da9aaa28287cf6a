"""Training of `mini-vae-faces`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from explorer.networks.generative.autoencoder import SIDE, FaceAutoencoder
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
    faces = read_face_set(material.folder / "utk.npz", 0)
    return AutoencoderTask(faces=faces.pixels, recipe=material.recipe(RECIPE), name=name)
