"""A generator and a discriminator that are trained against each other, step by step.

What a step draws at random depends on the seed and on the number of the step alone, so a training
that was stopped goes on exactly as if it had not been.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from math import isfinite
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.parametrizations import spectral_norm

from explorer.networks.generative.growing import GrowingDiscriminator, grown_pictures
from explorer.networks.generative.plane import LATENT as PLANE_LATENT
from explorer.networks.generative.plane import PlaneDiscriminator, PlaneGenerator
from explorer.networks.generative.style_gan import StyleGenerator
from explorer.training.adversarial.augmentation import augmented
from explorer.training.adversarial.losses import (
    discriminator_loss,
    generator_loss,
    interpolated_gradient_penalty,
    real_gradient_penalty,
)
from explorer.training.adversarial.recipe import PENALTY
from explorer.training.adversarial.sources import Pictures
from explorer.training.loop import step_seed
from explorer.training.small.state import restore, state_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from numpy.typing import NDArray

    from explorer.core.layers import Float32
    from explorer.training.adversarial.recipe import GanRecipe
    from explorer.training.adversarial.sources import Source

WIDTHS = {4: 64, 8: 48, 16: 32, 32: 16}
"""Channels of both convolutional networks by resolution."""
LATENT, LAYERS = 64, 2
"""Numbers of a latent of the convolutional generator; layers of its mapping network."""
GROWN = 0.7
"""Of the training, when the last resolution is complete: half of the time of each resolution it is
faded in, as in Karras et al. 2018, Appendix A."""
BETAS = (0.5, 0.99)
"""Of Adam: less memory than usual, since what is best changes (Radford et al. 2016)."""
REAL, LOOK = 10_001, 10_002
"""Steps of the random numbers that are not a step's: see `step_seed`."""


@dataclass(frozen=True, slots=True)
class Duel:
    """What one step of both did.

    Attributes:
        discriminator: Its loss, without penalties; of its last turn.
        generator: Its loss.
        penalty: Of the gradient, weighted; 0 = there is none.
        real: Mean score of real samples.
        made: Mean score of made ones, in the discriminator's turn.
    """

    discriminator: float
    generator: float
    penalty: float
    real: float
    made: float

    @property
    def finite(self) -> bool:
        """Else the numbers have left the range of float32, and nothing that follows could help."""
        return all(map(isfinite, (self.discriminator, self.generator, self.penalty)))


class GanLearner:
    """Two networks, their optimizers and what is to be imitated.

    Args:
        source: The real samples.
        recipe: Read anew at every step: see `change`.
        seed: Of weights, latents and batches.
    """

    def __init__(self, source: Source, recipe: GanRecipe, seed: int) -> None:
        self.source, self.recipe, self.step = source, recipe, 0
        self._seed = seed
        self.generator: nn.Module
        self.discriminator: nn.Module
        with _seeded(seed, 0):
            if isinstance(source, Pictures):
                self._size = LATENT
                self.generator = StyleGenerator(WIDTHS, size=LATENT, layers=LAYERS)
                self.discriminator = GrowingDiscriminator(WIDTHS)
            else:
                self._size = PLANE_LATENT
                self.generator = PlaneGenerator()
                self.discriminator = PlaneDiscriminator(spectral=recipe.spectral)
            if recipe.spectral:
                for layer in list(self.discriminator.modules()):
                    if isinstance(layer, (nn.Linear, nn.Conv2d)):
                        spectral_norm(layer)
        # an evaluation must not move the estimate of a spectral norm: see `discriminator_step`
        self.discriminator.eval()
        self._optimizers = {
            "generator": torch.optim.Adam(self.generator.parameters(), betas=BETAS),
            "discriminator": torch.optim.Adam(self.discriminator.parameters(), betas=BETAS),
        }

    # -- training -------------------------------------------------------------------------------

    def train_step(self) -> Duel:
        """The discriminator's turns, then one of the generator."""
        with _seeded(self._seed, self.step + 1), torch.enable_grad():
            for _ in range(self.recipe.turns):
                loss, penalty, real, made = self.discriminator_step()
            own = self.generator_step()
        self.step += 1
        return Duel(loss, own, penalty, real, made)

    def discriminator_step(self) -> tuple[float, float, float, float]:
        """One turn: loss, penalty, mean scores of real and made samples. The generator stays."""
        real = self._at_level(self.source.batch(self.recipe.batch))
        with torch.no_grad():
            made = self._made(self.recipe.batch)
        real, made = self._augmented(real), self._augmented(made)
        self.discriminator.train()
        scores, others = self.scores(real), self.scores(made)
        loss = discriminator_loss(scores, others, self.recipe.loss)
        penalty = torch.zeros(())
        if self.recipe.r1:
            penalty = penalty + self.recipe.r1 / 2 * real_gradient_penalty(self.scores, real)
        if self.recipe.loss == "wasserstein":
            share = torch.rand(len(real))
            penalty = penalty + PENALTY * interpolated_gradient_penalty(
                self.scores, real, made, share
            )
        self.discriminator.eval()
        self._move("discriminator", loss + penalty)
        return (
            float(loss.detach()), float(penalty.detach()), float(scores.detach().mean()),
            float(others.detach().mean()),
        )  # fmt: skip

    def generator_step(self) -> float:
        """One turn: its loss. The discriminator stays."""
        made = self._augmented(self._made(self.recipe.batch, moving=True))
        loss = generator_loss(self.scores(made), self.recipe.loss)
        self._move("generator", loss)
        return float(loss.detach())

    def _move(self, name: str, loss: Tensor) -> None:
        optimizer = self._optimizers[name]
        rate = self.recipe.rate if name == "generator" else self.recipe.rate_d
        network = self.generator if name == "generator" else self.discriminator
        for group in optimizer.param_groups:
            group["lr"] = rate
        weights = [weight for weight in network.parameters() if weight.requires_grad]
        # gradients of this network alone: the other one gets none, not even to be cleared
        gradients = torch.autograd.grad(loss, weights, allow_unused=True)
        for weight, gradient in zip(weights, gradients, strict=True):
            weight.grad = gradient
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)

    def _made(self, count: int, *, moving: bool = False) -> Tensor:
        latents = torch.randn(count, self._size)
        if not isinstance(self.generator, StyleGenerator):
            points: Tensor = self.generator(latents)
            return points
        styles = self.generator.mapping(latents)
        if moving:
            with torch.no_grad():
                mean = self.generator.mean_style
                assert isinstance(mean, Tensor)
                mean.lerp_(styles.mean(dim=0), 0.01)
        return self._pictures(styles)

    def _pictures(self, styles: Tensor) -> Tensor:
        assert isinstance(self.generator, StyleGenerator)
        return grown_pictures(self.generator, [styles] * len(WIDTHS), self.level)

    def _augmented(self, samples: Tensor) -> Tensor:
        if self.recipe.augmented and samples.ndim == 4 and samples.shape[-1] > 4:
            return augmented(samples, self.recipe.augmented)
        return samples

    # -- growing --------------------------------------------------------------------------------

    @property
    def level(self) -> float:
        """How far the networks have grown: see `explorer.networks.generative.growing`."""
        last = len(WIDTHS) - 1
        if not self.recipe.growing:
            return float(last)
        return level_at(self.step / max(1, self.recipe.steps), last)

    @property
    def side(self) -> int:
        """Of the pictures that are made at this level."""
        return tuple(WIDTHS)[int(np.ceil(self.level))]

    def _at_level(self, real: Tensor) -> Tensor:
        """Real pictures as the discriminator gets them: smaller, and half as fine in a fade-in."""
        if real.ndim != 4:
            return real
        if self.side != real.shape[-1]:
            real = functional.adaptive_avg_pool2d(real, self.side)
        faded = self.level % 1
        if faded:
            coarse = functional.interpolate(functional.avg_pool2d(real, 2), scale_factor=2)
            real = torch.lerp(coarse, real, faded)
        return real

    # -- looking --------------------------------------------------------------------------------

    def scores(self, samples: Tensor) -> Tensor:
        """(N,) of samples of this level."""
        if isinstance(self.discriminator, GrowingDiscriminator):
            found: Tensor = self.discriminator(samples, self.level)
            return found
        points: Tensor = self.discriminator(samples)
        return points

    @torch.no_grad()
    def look(self, count: int) -> Tensor:
        """Samples at latents that are the same at every step."""
        with _seeded(self._seed, -LOOK):
            latents = torch.randn(count, self._size)
        if isinstance(self.generator, StyleGenerator):
            return self._pictures(self.generator.mapping(latents))
        points: Tensor = self.generator(latents)
        return points

    def real(self, count: int) -> Tensor:
        """Real samples of this level, the same ones at every step."""
        with _seeded(self._seed, -REAL):
            return self._at_level(self.source.batch(count))

    def pull(self, samples: Tensor) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Where the generator's loss wants its samples to go.

        Returns:
            (N,) scores, and minus the derivative of the loss of each sample with respect to it, in
            the shape of the samples.
        """
        with torch.enable_grad():
            given = samples.detach().clone().requires_grad_()
            scores = self.scores(given)
            loss = generator_loss(scores, self.recipe.loss) * len(given)
            (gradient,) = torch.autograd.grad(loss, given)
        return scores.detach().numpy().copy(), -gradient.numpy()

    @torch.no_grad()
    def field(self, side: int, reach: float) -> Float32:
        """(side, side) scores of the plane, rows from y = reach down, columns from x = -reach."""
        line = (torch.arange(side) + 0.5) / side * 2 * reach - reach
        y, x = torch.meshgrid(-line, line, indexing="ij")
        scores = self.scores(torch.stack([x, y], dim=2).reshape(-1, 2))
        found: Float32 = scores.reshape(side, side).numpy().copy()
        return found

    # -- changing, stopping and going on --------------------------------------------------------

    def change(self, recipe: GanRecipe) -> None:
        """Uses `recipe` from the next step on; networks and spectral norms stay as they are."""
        self.recipe = recipe

    def state(self) -> dict[str, Tensor]:
        """All tensors that the next step depends on; the rest is the recipe, the seed, `step`."""
        found: dict[str, Tensor] = {}
        for name, optimizer in self._optimizers.items():
            found |= state_of(getattr(self, name), optimizer, f"{name}.")
        return found

    def restore(self, state: Mapping[str, Tensor], step: int) -> None:
        """Goes back to a `state` of a learner with the same recipe, source and seed.

        Raises:
            RuntimeError: It is of other networks.
        """
        for name, optimizer in self._optimizers.items():
            restore(getattr(self, name), optimizer, state, f"{name}.")
        self.step = step


def level_at(part: float, last: int) -> float:
    """The level when this part of the training is done: half of each resolution is its fade-in.

    The lowest resolution takes as long as one half.
    """
    place = part / GROWN * 2 * last  # in halves: stay, fade, stay, fade, …, fade
    whole, rest = divmod(place, 2)
    level = whole + max(0.0, rest - 1)
    return float(min(last, level))


@contextmanager
def _seeded(seed: int, step: int) -> Iterator[None]:
    """Torch's own generator begins with the numbers of a step, and is left as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(step_seed(seed, step))
        yield
