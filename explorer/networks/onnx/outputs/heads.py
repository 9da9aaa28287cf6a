"""From a file's outputs to what networks of a task give here: logits, or maps of logits."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from explorer.core.errors import ExplorerError

LEAST = 1e-30
"""Before a logarithm: a probability that was rounded to 0 stays finite."""


class Classifier:
    """(N, K) logits. Where the file gives probabilities, their logarithm: its softmax is they."""

    def __call__(self, outputs: tuple[Tensor, ...], _images: Tensor) -> Tensor:
        for output in outputs:
            if output.is_floating_point() and output.ndim in (2, 4):
                scores = output.flatten(1) if output.ndim == 4 else output
                return scores.clamp_min(LEAST).log() if are_probabilities(scores) else scores
        raise _other(outputs, "class scores (N, K)")


class Segmenter:
    """``{"out": (N, K, H, W)}`` logits over the input; one map becomes background and object."""

    def __call__(self, outputs: tuple[Tensor, ...], images: Tensor) -> dict[str, Any]:
        maps = next((one for one in outputs if one.is_floating_point() and one.ndim == 4), None)
        if maps is None:
            raise _other(outputs, "maps of class scores (N, K, H, W)")
        if maps.shape[1] == 1:
            if bool(((maps >= 0) & (maps <= 1)).all()):
                maps = torch.logit(maps, eps=1e-6)
            maps = torch.cat([torch.zeros_like(maps), maps], 1)
        elif are_probabilities(maps):
            maps = maps.clamp_min(LEAST).log()
        if maps.shape[-2:] != images.shape[-2:]:
            maps = functional.interpolate(
                maps, images.shape[-2:], mode="bilinear", align_corners=False
            )
        return {"out": maps}


def are_probabilities(scores: Tensor) -> bool:
    """Whether the numbers along axis 1 are in [0, 1] and add up to 1."""
    sums = scores.detach().float().sum(1)
    inside = bool((scores.detach() >= 0).all())
    return scores.shape[1] > 1 and inside and bool((sums - 1).abs().max() < 1e-3)


def _other(outputs: tuple[Tensor, ...], wanted: str) -> ExplorerError:
    shapes = ", ".join(str(tuple(output.shape)) for output in outputs)
    return ExplorerError(
        f"The outputs have the sizes {shapes}; none of them is {wanted}.", "Choose another task."
    )
