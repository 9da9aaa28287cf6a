"""Everything that decides how a small network is trained."""

from __future__ import annotations

from dataclasses import dataclass
from math import cos, pi
from typing import TYPE_CHECKING, ClassVar

import torch

from explorer.training.small.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from torch import nn

    from explorer.training.small.augmentation import Change
    from explorer.vision.statistics.layers import Initialization

OPTIMIZERS = ("SGD", "momentum", "Adam")
SCHEDULES = ("constant", "steps", "cosine", "warm-up and cosine")
CLIPPING = ("none", "by value", "by norm")
MOMENTUM = 0.9
WARM_UP = 0.1
"""Of the training, in which the learning rate rises."""
DROPS = (0.5, 0.75)
"""Where the schedule "steps" divides the learning rate by 10, as in He et al. 2016."""


@dataclass(frozen=True, slots=True)
class Recipe(Settings):
    """A plain value: a run keeps it as JSON.

    Attributes:
        layers: With weights, from 2.
        width: Channels of the first stage.
        steps: Of the whole training; the schedules end there.
        batch: Pictures of a step.
        initialization: Of the weights.
        norm: Batch norm behind every convolution.
        shortcuts: Around every two convolutions.
        keep: Probability with which a feature before the last layer is kept (dropout); 1 = off.
        optimizer: One of `OPTIMIZERS`.
        rate: The highest learning rate.
        schedule: One of `SCHEDULES`.
        decay: Weight decay: of SGD in the gradient, of Adam decoupled (Loshchilov and Hutter 2019).
        clipping: One of `CLIPPING`, at `limit`.
        limit: Largest magnitude of a derivative, or of the norm of all of them.
        augmentation: Changes of the pictures, in order.
    """

    WORDS: ClassVar[Mapping[str, str]] = {
        "norm": "batch norm", "rate": "learning rate", "decay": "weight decay", "keep": "keep",
        "limit": "clipping at", "batch": "batch size",
    }  # fmt: skip
    layers: int = 8
    width: int = 16
    steps: int = 600
    batch: int = 32
    initialization: Initialization = "He"
    norm: bool = True
    shortcuts: bool = False
    keep: float = 1.0
    optimizer: str = "momentum"
    rate: float = 0.05
    schedule: str = "cosine"
    decay: float = 0.0005
    clipping: str = "none"
    limit: float = 1.0
    augmentation: tuple[Change, ...] = ()

    def rate_at(self, step: int) -> float:
        """The learning rate of step `step`, from 0."""
        part = min(1.0, step / max(1, self.steps))
        match self.schedule:
            case "steps":
                return self.rate * 0.1 ** sum(part >= drop for drop in DROPS)
            case "cosine":
                return self.rate * (1 + cos(pi * part)) / 2
            case "warm-up and cosine":
                if part < WARM_UP:
                    return self.rate * (step + 1) / (WARM_UP * max(1, self.steps) + 1)
                return self.rate * (1 + cos(pi * (part - WARM_UP) / (1 - WARM_UP))) / 2
            case _:
                return self.rate


def optimizer_for(recipe: Recipe, weights: Iterable[nn.Parameter]) -> torch.optim.Optimizer:
    """A fresh optimizer; its learning rate is set before every step."""
    if recipe.optimizer == "Adam":
        return torch.optim.AdamW(weights, lr=recipe.rate, weight_decay=recipe.decay)
    momentum = MOMENTUM if recipe.optimizer == "momentum" else 0.0
    return torch.optim.SGD(weights, lr=recipe.rate, momentum=momentum, weight_decay=recipe.decay)
