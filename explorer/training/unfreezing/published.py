"""Published results of the same comparison, as lecture slides show them."""

from __future__ import annotations

from typing import NamedTuple


class Published(NamedTuple):
    """One way to classify; accuracies and precisions in percent, None = not published.

    Attributes:
        name: The method.
        overfeat: Top-1 accuracy with OverFeat.
        vgg16: Top-1 accuracy with VGG-16, on the same photos.
        vgg16_map: mAP with VGG-16 on a smaller data set of Pascal VOC's kind.
    """

    name: str
    overfeat: float | None
    vgg16: float | None
    vgg16_map: float | None


BAG, FISHER = "bag of visual words", "BossaNova, Fisher vectors"

PUBLISHED = (
    Published(BAG, 23.96, 23.96, 53.2),
    Published(FISHER, 28.59, 28.59, 61.6),
    Published("extraction", 33.91, 40.21, 83.22),
    Published("from scratch", 47.46, 53.62, 39.79),
    Published("fine-tuning", 57.98, 65.71, 85.70),
)
"""Cadene, *Deep Learning for Visual Recognition* (master's thesis). The methods without a network
are the same in both columns of accuracies."""
