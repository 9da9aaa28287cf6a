"""A picture that is optimized step by step: image, network, objective, transforms, optimizer."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import isfinite
from typing import TYPE_CHECKING

import torch

from explorer.vision.synthesis.objectives import Answers, Objective
from explorer.vision.synthesis.transforms import Transforms

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor

    from explorer.vision.synthesis.images import Image
    from explorer.vision.synthesis.optimizers import Optimizer
    from explorer.vision.synthesis.target import Target
    from explorer.vision.synthesis.tiles import Tiles
    from explorer.vision.synthesis.transforms import Sampled


@dataclass(frozen=True, slots=True)
class Report:
    """Of one step.

    Attributes:
        loss: The objective before the step, which the step makes smaller.
        parts: The values of its named parts.
        finite: Whether the step gave numbers; if not, the picture before it stands.
    """

    loss: float
    parts: Mapping[str, float]
    finite: bool


@dataclass(slots=True, eq=False)
class Synthesis:
    """Minimizes an objective; everything but the image may be replaced between two steps.

    Attributes:
        image: What is optimized.
        target: The network.
        objective: The loss, of layers of the network and of the picture.
        optimizer: Takes the steps.
        generator: Of the transforms; on the CPU. The same seed gives the same picture.
        transforms: Between the picture and the network.
        tiles: Runs a large picture through the network in parts; None = as a whole.
    """

    image: Image
    target: Target
    objective: Objective
    optimizer: Optimizer
    generator: torch.Generator = field(default_factory=lambda: torch.Generator().manual_seed(0))
    transforms: Transforms = field(default_factory=Transforms)
    tiles: Tiles | None = None

    def picture(self) -> Tensor:
        """(N, C, H, W) float32 in [0, 1], without a graph."""
        with torch.no_grad():
            return self.image.picture().detach()

    def step(self) -> Report:
        """Take one.

        Raises:
            ExplorerError: A layer does not exist, or has no such channel.
        """
        parameters = self.image.parameters
        before = [values.detach().clone() for values in parameters]
        moves: list[Sampled] = []
        noted: dict[str, float] = {}

        def closure() -> float:
            with torch.enable_grad():
                picture = self.image.picture()
                if not moves:  # the same for all evaluations of a step
                    height, width = picture.shape[-2:]
                    moves.append(self.transforms.sample((height, width), self.generator))
                seen = moves[0](picture)
                if self.tiles is not None and self.tiles.split(seen):
                    loss, parts = self.tiles.gradients(
                        self.target, self.objective, picture, seen, parameters
                    )
                else:
                    answers = Answers(picture, self.target.answers(seen, self.objective.layers))
                    value = self.objective(answers)
                    found = torch.autograd.grad(value, parameters, allow_unused=True)
                    for values, gradient in zip(parameters, found, strict=True):
                        values.grad = None if gradient is None else gradient.contiguous()
                    loss, parts = float(value.detach()), answers.noted
            if not noted:
                noted.update({name: float(part) for name, part in parts.items()})
            return loss

        loss = self.optimizer.step(parameters, closure)
        self.image.project()
        finite = isfinite(loss) and all(bool(v.isfinite().all()) for v in parameters)
        with torch.no_grad():
            for values, old in zip(parameters, before, strict=True):
                values.grad = None
                if not finite:
                    values.copy_(old)
        return Report(loss, noted, finite)
