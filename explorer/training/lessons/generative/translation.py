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

from explorer.evaluation.generated.pictures import to_pixels
from explorer.networks.generative.translation import (
    MapTranslators,
    PatchDiscriminator,
)
from explorer.training.adversarial.losses import discriminator_loss, generator_loss
from explorer.training.cards import Facts, rounded
from explorer.training.data.map_pairs import CLASSES, map_scores, read_pairs
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


SET = "maps.npz"

DATA = (
    "450 pairs of an aerial photo and its map, 128 x 128 pixels each, of the pix2pix data set"
    " (Isola et al. 2017; New York), in their eight symmetries."
)
LICENSE = (
    "Trained on imagery and maps of Google that were published for research: check their terms"
    " before any other use. The program contains none of them."
)
FAILURES = (
    "Knows aerial photos of one city at one scale. Streets are wavy, parks have ragged edges, water"
    " and highways are often missed. Of any other picture it makes a map as well, which means"
    " nothing."
)


class Translators(MapTranslators):
    """The three generators and the discriminators of two of them."""

    def __init__(self) -> None:
        super().__init__()
        self.judges["to_photo"] = PatchDiscriminator()


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
        photos, maps = turned.chunk(2, dim=1)
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
    photos, maps = read_pairs(material.folder / SET, 0)
    return TranslationTask(
        photos_of_pairs=photos, maps=maps, recipe=material.recipe(RECIPE), name=name
    )


def shipped(_name: str, weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """See `lessons`: of the discriminators the one that judges maps."""
    return {name: value for name, value in weights.items() if "judges.to_photo" not in name}


def facts(_name: str, material: Material) -> Facts:
    """See `lessons`."""
    count = len(read_pairs(material.folder / SET, 1)[0])
    return Facts(
        title="Mini pix2pix, maps",
        task="translation",
        function="map_translators",
        kwargs={},
        classes=list(CLASSES),
        preprocessing={"resize": SIDE, "crop": SIDE},
        example=(1, 3, SIDE, SIDE),
        measured_on=f"{count} pairs of another part of the city; a pixel of a map has the class of"
        " the nearest color of the legend",
        default_layer="to_map.down.4",
        data=DATA,
        license=LICENSE,
        extra={"failures": FAILURES},
        eight_bit=True,
    )


@torch.inference_mode()
def measure(_name: str, model: Any, material: Material) -> dict[str, Any]:
    """See `lessons`."""
    photos, maps = read_pairs(material.folder / SET, 1)
    figures: dict[str, Any] = {}
    for title, network in (("", model.to_map), (" by L1 alone", model.to_map_l1)):
        made = translated(network, photos)
        for key, value in map_scores(made, maps).items():
            figures[f"{key}{title}"] = value
    back = translated(model.to_photo, maps)
    figures["error of photos (of 255)"] = float(
        np.abs(back.astype(np.float32) - photos.astype(np.float32)).mean()
    )
    figures["contrast of photos, of the real one's"] = float(back.std() / photos.std())
    return rounded(figures)


@torch.inference_mode()
def translated(network: nn.Module, pictures: NDArray[Any]) -> NDArray[np.uint8]:
    """(n, H, W, 3) uint8 -> the same of the other domain."""
    device = torch.device("cpu")
    parts = [
        to_pixels(network(pictures_of(pictures[start : start + 10], device)))
        for start in range(0, len(pictures), 10)
    ]
    return np.concatenate(parts)
