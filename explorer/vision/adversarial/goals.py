"""What an attack pursues: a loss to be decreased, and when it has succeeded.

Pictures are (1, C, H, W) float32 in [0, 1] **as the network receives them**: after resizing and
cropping, before normalization. Gradients are with respect to these values.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import torch
from torch import Tensor
from torch.nn import functional as F

Logits = Callable[[Tensor], Tensor]
"""(1, C, H, W) in [0, 1] -> (1, K) class scores before the softmax, with their graph."""

Distance = Literal["cross-entropy", "squared"]


@dataclass(frozen=True, slots=True, eq=False)
class Evaluation:
    """What a goal finds at a picture.

    Attributes:
        loss: (), smaller is nearer to the goal; with its graph where gradients are on.
        reached: Whether the attack has succeeded at this picture.
        output: What it was found from: (K,) logits of a classifier, the detections of a detector.
    """

    loss: Tensor
    reached: bool
    output: Any


class Goal(Protocol):
    """Anything that an attack can pursue."""

    def __call__(self, picture: Tensor) -> Evaluation:
        """Evaluates (1, C, H, W) in [0, 1]."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class ClassGoal:
    """Another top class.

    Targeted, the loss is the distance of the network's output to the class `label`; otherwise it
    is minus the distance to `label`, the class that shall no longer be the top one.

    Attributes:
        logits: The network.
        label: Index of a class.
        targeted: See above.
        distance: "cross-entropy": -log p_label (Goodfellow et al. 2015; loss_f of Szegedy et al.
            2014). "squared": |p - S|^2 of the probabilities p and the one-hot vector S of `label`.
    """

    logits: Logits
    label: int
    targeted: bool
    distance: Distance = "cross-entropy"

    def __call__(self, picture: Tensor) -> Evaluation:
        scores = self.logits(picture)
        label = torch.full((1,), self.label, device=scores.device)
        if self.distance == "squared":
            wanted = F.one_hot(label, scores.shape[1])
            distance = (scores.softmax(1) - wanted).square().sum()
        else:
            distance = F.cross_entropy(scores, label)
        top = int(scores[0].argmax())
        reached = (top == self.label) == self.targeted
        return Evaluation(distance if self.targeted else -distance, reached, scores[0].detach())
