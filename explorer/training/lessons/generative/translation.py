"""Training of `mini-pix2pix-maps`: photo to map and map to photo, with and without a discriminator.

Isola et al. 2017: an L1 loss and a discriminator that sees a picture beside its translation. The
third network learns by L1 alone, to be shown beside the first.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from explorer.networks.generative.translation import PatchDiscriminator, UNetGenerator
from explorer.training.adversarial.losses import discriminator_loss, generator_loss
from explorer.training.data.map_pairs import read_pairs
from explorer.training.lessons.generative.pictures import pictures_of
from explorer.training.loop import Recipe, step_seed

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from explorer.training.lessons.registry import Material

RECIPE = Recipe(
    epochs=1200, batch=8, peak=4e-4, warmup=0.01, decay=0.0, average=0.999, clip=0.0,
    optimizer="adamw", betas=(0.5, 0.999), slower={"judges": 0.5}, floor=0.02,
)  # fmt: skip

SIDE, LARGEST = 128, 144
"""Of a batch's pictures; a pair is enlarged up to `LARGEST` and cut."""

WEIGHT = 100.0
"""Of the L1 loss (lambda)."""

TURNS = ("to_map", "to_map judge", "to_photo", "to_photo judge", "to_map", "to_map judge", "l1")
"""What the steps do, over and over."""


class Translators(nn.Module):
    """The three generators and the discriminators of two of them."""

    def __init__(self) -> None:
        super().__init__()
        self.to_map = UNetGenerator()
        self.to_photo = UNetGenerator()
        self.to_map_l1 = UNetGenerator()
        self.judges = nn.ModuleDict(
            {"to_map": PatchDiscriminator(), "to_photo": PatchDiscriminator()}
        )


@dataclass(slots=True, eq=False, kw_only=True)
class TranslationTask:
    """See `loop.Task`; a "photo" is a pair."""

    photos_of_pairs: NDArray[Any]
    maps: NDArray[Any]
    recipe: Recipe = RECIPE
    name: str = "mini-pix2pix-maps"
    photos: int = field(init=False)

    def __post_init__(self) -> None:
        self.photos = len(self.maps)

    def settings(self) -> dict[str, object]:
        return {"pairs": self.photos, "lambda": WEIGHT, "turns": list(TURNS)}

    def build(self) -> nn.Module:
        return Translators()

    def prepare(self, model: nn.Module) -> None:
        model.train()

    def losses(
        self, model: Any, step: int, progress: float, device: torch.device
    ) -> dict[str, Tensor]:
        turn = TURNS[step % len(TURNS)]
        rng = np.random.default_rng(step_seed(self.recipe.seed, step))
        photos, maps = self._batch(rng, device)
        model.requires_grad_(False)
        if turn == "l1":
            model.to_map_l1.requires_grad_(True)
            return {"L1 alone": WEIGHT * (model.to_map_l1(photos) - maps).abs().mean()}
        name = turn.split()[0]
        given, wanted = (photos, maps) if name == "to_map" else (maps, photos)
        generator, judge = getattr(model, name), model.judges[name]
        if turn.endswith("judge"):
            judge.requires_grad_(True)
            with torch.no_grad():
                made = generator(given)
            return {
                turn: discriminator_loss(
                    judge(torch.cat([given, wanted], dim=1)),
                    judge(torch.cat([given, made], dim=1)),
                    "non-saturating",
                )
            }
        generator.requires_grad_(True)
        made = generator(given)
        scores = judge(torch.cat([given, made], dim=1))
        return {
            f"{name} GAN": generator_loss(scores, "non-saturating"),
            f"{name} L1": WEIGHT * functional.l1_loss(made, wanted),
        }

    def _batch(self, rng: np.random.Generator, device: torch.device) -> tuple[Tensor, Tensor]:
        rows = rng.integers(0, self.photos, self.recipe.batch)
        both = [pictures_of(a[rows], device) for a in (self.photos_of_pairs, self.maps)]
        turned = varied(torch.cat(both, dim=1), rng)
        photos, maps = turned.split(3, dim=1)
        return photos.contiguous(), maps.contiguous()


def varied(pictures: Tensor, rng: np.random.Generator) -> Tensor:
    """(N, C, H, W) in one of the eight symmetries, enlarged a little and cut at random."""
    turns, flipped, side = rng.integers(4), rng.random() < 0.5, int(rng.integers(SIDE, LARGEST + 1))
    pictures = pictures.rot90(int(turns), (2, 3))
    if flipped:
        pictures = pictures.flip(3)
    if side != pictures.shape[-1]:
        pictures = functional.interpolate(pictures, (side, side), mode="bilinear")
    x, y = rng.integers(0, side - SIDE + 1, 2)
    return pictures[:, :, y : y + SIDE, x : x + SIDE]


def task(name: str, material: Material) -> TranslationTask:
    """See `lessons`."""
    photos, maps = read_pairs(material.folder / "maps.npz", 0)
    return TranslationTask(
        photos_of_pairs=photos, maps=maps, recipe=material.recipe(RECIPE), name=name
    )
