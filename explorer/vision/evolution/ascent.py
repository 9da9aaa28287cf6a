"""Gradient ascent on a class, from noise."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from torch import Tensor

    from explorer.vision.features.classifier import Classifier


@dataclass(slots=True, eq=False)
class Ascent:
    """A picture of noise that is changed along the gradient of a class's log probability.

    Every step is x <- clip((1 - decay) (x - 1/2) + 1/2 + step g / mean|g|, 0, 1). The log
    probability has the direction of the probability's own gradient, but does not vanish where the
    class is improbable.

    Source: Nguyen et al. 2015, section 3.5 (gradient ascent with L2 regularization); Simonyan et
    al. 2013, section 2.

    Attributes:
        classifier: Whose class it is.
        label: The class.
        picture: (1, C, H, W) float32 in [0, 1].
        step: Mean change of a pixel in a step.
        decay: Fraction of the distance to mid-gray that a pixel loses in a step.
    """

    classifier: Classifier
    label: int
    picture: Tensor
    step: float
    decay: float

    @classmethod
    def begin(
        cls,
        classifier: Classifier,
        label: int,
        size: tuple[int, int],
        generator: torch.Generator,
        *,
        step: float = 0.01,
        decay: float = 0.02,
        noise: float = 0.05,
    ) -> Ascent:
        """From mid-gray with Gaussian noise of deviation `noise`; `generator` is on the CPU."""
        shape = (1, classifier.channels, *size)
        start = torch.randn(shape, generator=generator).mul_(noise).add_(0.5)
        return cls(classifier, label, start.clamp_(0, 1).to(classifier.device), step, decay)

    def advance(self) -> float:
        """One step; returns the probability of the class before it."""
        with torch.enable_grad():
            shown = self.picture.detach().requires_grad_()
            height = self.classifier(shown).log_softmax(1)[0, self.label]
            (gradient,) = torch.autograd.grad(height, shown)
        with torch.no_grad():
            gradient = gradient * (self.step / gradient.abs().mean().clamp_min(1e-12))
            moved = (self.picture - 0.5) * (1.0 - self.decay) + 0.5 + gradient
            if torch.isfinite(moved).all():
                self.picture = moved.clamp_(0.0, 1.0)
        return float(height.detach().exp())
