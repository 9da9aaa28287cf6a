"""Neural style transfer: the content of one photo in the style of others.

Gatys, Ecker and Bethge 2016, "Image Style Transfer Using Convolutional Neural Networks"; keeping
the content's colors as in Gatys et al. 2017, "Controlling Perceptual Factors in Neural Style
Transfer" (luminance only).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from explorer.vision.synthesis import objectives

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from explorer.vision.synthesis.objectives import Objective
    from explorer.vision.synthesis.target import Target

CONTENT, STYLE, VARIATION = "content", "style", "TV"
"""The named parts of the objective."""

_LUMA = (0.299, 0.587, 0.114)


@dataclass(frozen=True, slots=True)
class Weights:
    """Of the parts of the objective; both distances are 1 for a layer that gives zeros."""

    content: float
    style: float
    variation: float


def style_objective(
    target: Target,
    content: Tensor,
    styles: Sequence[tuple[float, Tensor]],
    content_layer: str,
    style_layers: Sequence[str],
    weights: Weights,
) -> Objective:
    """The loss.

    Args:
        target: The network.
        content: (1, C, H, W) in [0, 1], as large as the picture will be.
        styles: Shares and (1, C, h, w) style pictures; the shares add up to 1.
        content_layer: Whose features are kept.
        style_layers: Whose Gram matrices are matched, each with the same weight.
        weights: Of the parts.

    Raises:
        ExplorerError: The network has no such layer.
    """
    with torch.no_grad():
        features = target.answer(content, content_layer)
        answers = [(share, target.answers(style, style_layers)) for share, style in styles]
    layers = [
        share / len(style_layers) * objectives.style_distance(layer, answer[layer])
        for share, answer in answers
        for layer in style_layers
    ]
    found = weights.content * objectives.feature_distance(content_layer, features).named(CONTENT)
    found = found + weights.style * objectives.total(layers).named(STYLE)
    if weights.variation > 0:
        found = found + weights.variation * objectives.total_variation().named(VARIATION)
    return found


def with_colors_of(picture: Tensor, content: Tensor) -> Tensor:
    """The luminance of one (N, 3, H, W) picture with the chrominance of another (ITU-R 601)."""
    luma = torch.tensor(_LUMA, device=picture.device).view(1, 3, 1, 1)
    difference = ((picture - content) * luma).sum(1, keepdim=True)
    return (content + difference).clamp(0.0, 1.0)
