"""A small pix2pix that is trained on patches of one pair of pictures, step by step."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from explorer.networks.generative.translation import PatchDiscriminator, UNetGenerator
from explorer.training.adversarial.losses import discriminator_loss, generator_loss

WIDTHS, JUDGE_WIDTHS = (16, 32, 64, 64), (16, 32, 64)
MULTIPLE = 2 ** len(WIDTHS)
"""The sides of a pair are multiples of it."""

PATCH, BATCH = 64, 4
RATE, BETAS = 2e-3, (0.5, 0.999)
"""Of Adam. The paper's rate is a tenth: it has hours, this one has a minute."""


@dataclass(frozen=True, slots=True)
class Losses:
    """Of one step: the mean absolute difference, the generator's and the discriminator's loss."""

    l1: float
    generator: float
    discriminator: float


class PairLearner:
    """Both players and their optimizers.

    Args:
        given: (1, 3, H, W), -1..1; the sides are multiples of `MULTIPLE`.
        wanted: The same size: what is to be made of it.
        seed: Of the weights, the patches and the dropout.
    """

    def __init__(self, given: Tensor, wanted: Tensor, seed: int) -> None:
        self.given = given
        self._both = torch.cat([given, wanted], dim=1)
        self._patches = np.random.default_rng(seed)
        self._noise = torch.Generator().manual_seed(seed)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.generator = UNetGenerator(WIDTHS)
            self.discriminator = PatchDiscriminator(widths=JUDGE_WIDTHS)
        self._optimizers = [
            torch.optim.Adam(player.parameters(), RATE, BETAS)
            for player in (self.generator, self.discriminator)
        ]

    @torch.enable_grad()
    def advance(self, l1_weight: float, gan_weight: float) -> Losses:
        """A step of the discriminator, then one of the generator, on the same patches."""
        given, wanted = self._batch().chunk(2, dim=1)
        self.generator.train()
        made = self.generator(given, noise=self._noise)
        judge = self.discriminator
        loss = discriminator_loss(
            judge(torch.cat([given, wanted], dim=1)),
            judge(torch.cat([given, made.detach()], dim=1)),
            "non-saturating",
        )
        self._step(1, loss)
        judge.requires_grad_(False)
        l1 = functional.l1_loss(made, wanted)
        gan = generator_loss(judge(torch.cat([given, made], dim=1)), "non-saturating")
        self._step(0, l1_weight * l1 + gan_weight * gan)
        judge.requires_grad_(True)
        return Losses(float(l1.detach()), float(gan.detach()), float(loss.detach()))

    @torch.no_grad()
    def made(self) -> tuple[Tensor, Tensor]:
        """(1, 3, H, W), -1..1: the whole picture as it is made now; and its patches' scores."""
        self.generator.eval()
        made = self.generator(self.given)
        self.discriminator.eval()
        scores = self.discriminator(torch.cat([self.given, made], dim=1))
        self.discriminator.train()
        return made, scores

    def _step(self, player: int, loss: Tensor) -> None:
        optimizer = self._optimizers[player]
        optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]  # torch has no annotation for it
        optimizer.step()

    def _batch(self) -> Tensor:
        """(BATCH, 6, side, side), half of them mirrored."""
        height, width = self._both.shape[2:]
        rows, columns = min(PATCH, height), min(PATCH, width)
        found = []
        for _ in range(BATCH):
            y = self._patches.integers(0, height - rows + 1)
            x = self._patches.integers(0, width - columns + 1)
            patch = self._both[:, :, y : y + rows, x : x + columns]
            found.append(patch.flip(3) if self._patches.random() < 0.5 else patch)
        return torch.cat(found)
