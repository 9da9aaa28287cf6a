"""A classifier with a box: four numbers per image, from its last map or the mean of it."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

from explorer.networks.embedded.lite import HEAD, EfficientNetLite0

Attach = Literal["conv", "fc"]

GRID = 7
"""Places along a side of the last map of an input of 224x224."""


class BoxHead(nn.Module):
    """From what a classifier computed to boxes.

    The four numbers are center and size; a sigmoid keeps them inside the image.

    Args:
        channels: Of the map or the vector it is attached to.
        attach: "conv": a 1x1 bottleneck keeps `grid` x `grid` places of the map apart; "fc": it
            gets the vector, in which places are no longer apart.
        boxes: How many: 1, or one for every class.
        grid: See `attach`.
        bottleneck: Channels of the 1x1 convolution.
        hidden: Width of the fully connected layer.
    """

    def __init__(
        self,
        channels: int,
        attach: Attach,
        boxes: int,
        *,
        grid: int = GRID,
        bottleneck: int = 32,
        hidden: int = 112,
    ) -> None:
        super().__init__()
        self.attach = attach
        if attach == "conv":
            self.reduce = nn.Conv2d(channels, bottleneck, 1)
            self.pool = nn.AdaptiveAvgPool2d(grid)
            channels = bottleneck * grid * grid
        self.relu = nn.ReLU(inplace=True)
        self.fc1 = nn.Linear(channels, hidden)
        self.fc2 = nn.Linear(hidden, 4 * boxes)
        nn.init.normal_(self.fc2.weight, std=0.01)
        with torch.no_grad():  # at first in the middle, three quarters of the width and height
            self.fc2.bias.copy_(torch.tensor([0.0, 0.0, 1.1, 1.1]).repeat(boxes))

    def forward(self, values: Tensor) -> Tensor:
        """(N, C, h, w) or (N, C) -> (N, boxes, 4) x0, y0, x1, y1 as fractions, not yet clipped."""
        if self.attach == "conv":
            values = self.pool(self.relu(self.reduce(values))).flatten(1)
        return corners(self.fc2(self.relu(self.fc1(values))).float().unflatten(1, (-1, 4)))


def corners(numbers: Tensor) -> Tensor:
    """What a `BoxHead` computes, (..., 4), as x0, y0, x1, y1: a sigmoid of center and size."""
    center, size = numbers.sigmoid().chunk(2, dim=-1)
    return torch.cat([center - size / 2, center + size / 2], dim=-1)


class LiteLocalizer(nn.Module):
    """A classifier with a `BoxHead`: localization by regression.

    Simonyan & Zisserman 2014, appendix A (one box or one per class); Sermanet et al. 2014,
    "OverFeat". `body` is the classifier, and the logits are its own.

    Args:
        num_classes: Of the classifier; there is no background.
        attach: See `BoxHead`.
        per_class: One box for every class instead of one for all.
    """

    def __init__(self, num_classes: int, attach: Attach, *, per_class: bool) -> None:
        super().__init__()
        self.body = EfficientNetLite0(num_classes)
        self.classes = num_classes
        self.attached_to = "body.act2" if attach == "conv" else "body.global_pool"
        """The layer whose output the head gets."""
        self.head = BoxHead(HEAD, attach, num_classes if per_class else 1)

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        """(N, 3, H, W) normalized RGB -> logits and boxes.

        Returns:
            `logits` (N, C); `boxes` (N, 4), that of the class with the largest logit; and
            `boxes_per_class` (N, C, 4), all alike where one box serves all classes. Boxes are x0,
            y0, x1, y1 in [0, 1] as fractions of the input's width and height.
        """
        last, vector, logits = self.body.taps(images)
        boxes = self.head(last if self.head.attach == "conv" else vector).clamp(0, 1)
        boxes = boxes.expand(-1, self.classes, -1)
        rows = torch.arange(len(boxes), device=boxes.device)
        return {
            "logits": logits,
            "boxes": boxes[rows, logits.argmax(dim=1)],
            "boxes_per_class": boxes,
        }


def lite_localizer(
    num_classes: int = 20, *, attach: Attach = "conv", per_class: bool = False
) -> LiteLocalizer:
    """On the body of `lite_fasterrcnn`; see `LiteLocalizer`."""
    return LiteLocalizer(num_classes, attach, per_class=per_class)
