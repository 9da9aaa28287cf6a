"""Training of `mini-gan-faces`: a style-based generator of faces against its discriminator.

Both are one module with one optimizer: in turns only one of them gets gradients, and an optimizer
leaves weights without a gradient untouched.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torchvision.models import squeezenet1_1

from explorer.evaluation.generated.pictures import (
    diversity,
    frechet_distance,
    pooled_features,
    sharpness,
    to_pixels,
)
from explorer.networks.generative.style_gan import LATENT, Discriminator, StyleGenerator
from explorer.training.adversarial.augmentation import augmented
from explorer.training.adversarial.losses import (
    discriminator_loss,
    generator_loss,
    real_gradient_penalty,
)
from explorer.training.cards import rounded
from explorer.training.checkpoints import part_of
from explorer.training.lessons.generative.face_task import FaceTask, face_facts, faces_of
from explorer.training.lessons.generative.pictures import pictures_of
from explorer.training.loop import Recipe

if TYPE_CHECKING:
    from explorer.training.cards import Facts
    from explorer.training.lessons.registry import Material

RECIPE = Recipe(
    epochs=120, batch=32, peak=5e-4, warmup=0.03, decay=0.0, average=0.998, clip=0.0,
    optimizer="adamw", betas=(0.0, 0.99), slower={"generator.mapping": 0.2}, floor=0.3,
)  # fmt: skip

GAMMA, EVERY = 0.1, 8
"""Weight of R1, and how many of the discriminator's steps have one with it (weighted as many times
higher: Karras et al. 2020, Section 4.1)."""

VARIED = 0.6
"""Share of the pictures that are augmented."""

MIXED = 0.5
"""Share of the pictures that get two styles (Karras et al. 2019, Section 3.1)."""


SAMPLES = 2000
"""For the figures."""

FAILURES = (
    "Some samples have a melted cheek, two different eyes or half a pair of glasses. Babies and"
    " people between 20 and 40 are the most frequent, as in the data. No sample shows a person;"
    " where one resembles somebody it must not be used as a picture of them."
)


class Pair(nn.Module):
    """Generator and discriminator."""

    def __init__(self) -> None:
        super().__init__()
        self.generator = StyleGenerator()
        self.discriminator = Discriminator()


@dataclass(slots=True, eq=False, kw_only=True)
class GanTask(FaceTask):
    """See `loop.Task`; even steps are the discriminator's, odd ones the generator's."""

    recipe: Recipe = RECIPE
    name: str = "mini-gan-faces"

    def settings(self) -> dict[str, object]:
        return {
            "faces": self.photos, "R1": GAMMA, "R1 every": EVERY, "augmented": VARIED,
            "two styles": MIXED,
        }  # fmt: skip

    def build(self) -> nn.Module:
        return Pair()

    def losses(
        self, model: Any, step: int, progress: float, device: torch.device
    ) -> dict[str, Tensor]:
        judged = step % 2 == 0
        model.discriminator.requires_grad_(judged)
        model.generator.requires_grad_(not judged)
        if not judged:
            scores = model.discriminator(augmented(self._made(model.generator, device), VARIED))
            return {"generator": generator_loss(scores, "non-saturating")}
        rows = torch.randint(0, self.photos, (self.recipe.batch,)).numpy()
        real = pictures_of(self.faces[rows], device, mirrored=True)
        with torch.no_grad():
            made = self._made(model.generator, device)
        losses = {
            "discriminator": discriminator_loss(
                model.discriminator(augmented(real, VARIED)),
                model.discriminator(augmented(made, VARIED)),
                "non-saturating",
            )
        }
        if step // 2 % EVERY == 0:
            penalty = real_gradient_penalty(model.discriminator, augmented(real, VARIED))
            losses["R1"] = penalty * (GAMMA / 2 * EVERY)
        return losses

    def _made(self, generator: Any, device: torch.device) -> Tensor:
        count = self.recipe.batch
        styles, others = (
            generator.mapping(torch.randn(count, generator.size, device=device)) for _ in range(2)
        )
        with torch.no_grad():
            generator.mean_style.lerp_(styles.float().mean(dim=0), 0.01)
        levels = len(generator.levels)
        switch = torch.randint(1, levels, (count, 1), device=device)
        plain = torch.rand(count, 1, device=device) >= MIXED
        switch = torch.where(plain, levels, switch)
        mixed = [torch.where(level < switch, styles, others) for level in range(levels)]
        pictures: Tensor = generator.synthesize(mixed)
        return pictures


def task(name: str, material: Material) -> GanTask:
    """See `lessons`."""
    return GanTask(faces=faces_of(material), recipe=material.recipe(RECIPE), name=name)


def shipped(_name: str, weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """See `lessons`: the generator alone."""
    return part_of(weights, "generator.")


def facts(_name: str, material: Material) -> Facts:
    """See `lessons`."""
    return face_facts(
        "Mini GAN, faces", "style_generator", (1, LATENT),
        f"{SAMPLES:,} samples of seed 0 against {len(faces_of(material, 1))} faces that it was not"
        " trained on; the distance is that of SqueezeNet 1.1's features",
        "levels.4.conv2", FAILURES, {},
    )  # fmt: skip


@torch.inference_mode()
def measure(_name: str, model: Any, material: Material) -> dict[str, Any]:
    """See `lessons`; the distance needs SqueezeNet 1.1's weights, given as `backbone`."""
    torch.manual_seed(0)
    made = to_pixels(torch.cat([model(torch.randn(100, LATENT)) for _ in range(SAMPLES // 100)]))
    faces = faces_of(material, 1)
    figures = {
        "diversity": diversity(made), "diversity of real faces": diversity(faces),
        "sharpness": sharpness(made), "sharpness of real faces": sharpness(faces),
    }  # fmt: skip
    if material.backbone is not None:
        network = squeezenet1_1()
        network.load_state_dict(torch.load(material.backbone, weights_only=True))
        layers = network.float().eval().features
        known = faces_of(material)[:SAMPLES]
        real, own, others = (pooled_features(layers, each) for each in (faces, made, known))
        figures["Frechet distance"] = frechet_distance(own, real)
        figures["Frechet distance of the training faces"] = frechet_distance(others, real)
    return rounded(figures)
