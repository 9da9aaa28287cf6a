"""Training of `mini-cyclegan-maps`: photos to maps and back, from the same photos unpaired.

Zhu et al. 2017: each translation has to fool a discriminator of its domain, and translating back
has to give the picture that one began with. Least-squares losses, as there (Section 4).
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from explorer.networks.generative.translation import CycleTranslators, PatchDiscriminator
from explorer.training.adversarial.losses import discriminator_loss, generator_loss
from explorer.training.cards import rounded
from explorer.training.data.map_pairs import map_scores, read_pairs
from explorer.training.lessons.generative import translation
from explorer.training.lessons.generative.pictures import pictures_of
from explorer.training.lessons.generative.translation import translated, varied
from explorer.training.loop import Recipe, step_seed

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from explorer.training.cards import Facts
    from explorer.training.lessons.registry import Material

RECIPE = Recipe(
    epochs=400, batch=4, peak=4e-4, warmup=0.01, decay=0.0, average=0.998, clip=0.0,
    optimizer="adamw", betas=(0.5, 0.999), slower={"judges": 0.5}, floor=0.02,
)  # fmt: skip

CYCLE, IDENTITY = 10.0, 2.0
"""Weights of the way back, and of leaving a picture of the wanted domain as it is."""


UNPAIRED = "aerial photos and 450 maps, each drawn on its own, so that no photo has its map"

FAILURES = (
    "Sees no photo with its map: what it takes for a street or for water is what makes its maps"
    " look like maps, and it hides what it needs for the way back in faint patterns. Knows aerial"
    " photos of one city at one scale."
)


class Cycle(CycleTranslators):
    """Two generators, and a discriminator of each domain."""

    def __init__(self) -> None:
        super().__init__()
        self.judges = nn.ModuleDict({
            name: PatchDiscriminator(3, (32, 64, 128), norm=False) for name in ("map", "photo")
        })  # fmt: skip


@dataclass(slots=True, eq=False, kw_only=True)
class CycleTask:
    """See `loop.Task`; even steps are the generators', odd ones the discriminators'."""

    pictures: NDArray[Any]
    maps: NDArray[Any]
    recipe: Recipe = RECIPE
    name: str = "mini-cyclegan-maps"
    photos: int = field(init=False)

    def __post_init__(self) -> None:
        self.photos = len(self.maps)

    def settings(self) -> dict[str, object]:
        return {"photos": self.photos, "cycle": CYCLE, "identity": IDENTITY}

    def build(self) -> nn.Module:
        return Cycle()

    def prepare(self, model: nn.Module) -> None:
        model.train()

    def losses(
        self, model: Any, step: int, progress: float, device: torch.device
    ) -> dict[str, Tensor]:
        rng = np.random.default_rng(step_seed(self.recipe.seed, step))
        # drawn each on its own: no photo stands beside its map
        photos, maps = (
            varied(pictures_of(those[rng.integers(0, len(those), self.recipe.batch)], device), rng)
            for those in (self.pictures, self.maps)
        )
        judged = step % 2 == 1
        model.requires_grad_(not judged)
        model.judges.requires_grad_(judged)
        if judged:
            with torch.no_grad():
                made_maps, made_photos = model.to_map(photos), model.to_photo(maps)
            return {
                name: discriminator_loss(
                    model.judges[name](real), model.judges[name](made), "least squares"
                )
                for name, real, made in (("map", maps, made_maps), ("photo", photos, made_photos))
            }
        made_maps, made_photos = model.to_map(photos), model.to_photo(maps)
        losses = {
            "GAN": generator_loss(model.judges["map"](made_maps), "least squares")
            + generator_loss(model.judges["photo"](made_photos), "least squares"),
            "cycle": CYCLE * (
                functional.l1_loss(model.to_photo(made_maps), photos)
                + functional.l1_loss(model.to_map(made_photos), maps)
            ),
        }  # fmt: skip
        if step % 8 == 0:  # a fourth of the generators' steps: it costs as much as the way back
            losses["identity"] = IDENTITY * (
                functional.l1_loss(model.to_map(maps), maps)
                + functional.l1_loss(model.to_photo(photos), photos)
            )
        return losses


def task(name: str, material: Material) -> CycleTask:
    """See `lessons`."""
    photos, maps = read_pairs(material.folder / translation.SET, 0)
    return CycleTask(pictures=photos, maps=maps, recipe=material.recipe(RECIPE), name=name)


def shipped(_name: str, weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """See `lessons`: the generators alone."""
    return {name: value for name, value in weights.items() if not name.startswith("judges.")}


def facts(name: str, material: Material) -> Facts:
    """See `lessons`."""
    paired = translation.facts(name, material)
    return replace(
        paired,
        title="Mini CycleGAN, maps",
        function="cycle_translators",
        default_layer="to_map.layers.13",
        data=translation.DATA.replace("pairs of an aerial photo and its map", UNPAIRED),
        extra={"failures": FAILURES},
    )


def measure(_name: str, model: Any, material: Material) -> dict[str, Any]:
    """See `lessons`."""
    photos, maps = read_pairs(material.folder / translation.SET, 1)
    made = translated(model.to_map, photos)
    figures: dict[str, Any] = dict(map_scores(made, maps))
    for title, start, there, back in (
        ("photo, map, photo", photos, model.to_map, model.to_photo),
        ("map, photo, map", maps, model.to_photo, model.to_map),
    ):
        again = translated(back, translated(there, start)).astype(np.float32)
        figures[f"cycle error of {title} (of 255)"] = float(np.abs(again - start).mean())
    return rounded(figures)
