"""The shipped translators, and what is cut from the photo for them."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import torch

from explorer.core.layers import Boxes
from explorer.evaluation.generated.pictures import to_pixels
from explorer.networks.generative import shipped
from explorer.training.lessons.generative.pictures import pictures_of
from explorer.views.shared.anchors import same
from explorer.views.shared.common import CROP_COLOR

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray
    from torch import Tensor, nn

    from explorer.core.layers import UInt8
    from explorer.core.params import Box

    Region = tuple[int, int, int, int]
    """x0, y0, x1, y1 in pixels of the photo."""

MAPS, CYCLE = "mini-pix2pix-maps", "mini-cyclegan-maps"
SIDE = 128
"""Pixels a side of what the networks for maps were trained on."""

LEAST = 32
"""Pixels a side of the smallest region."""


def network_of(name: str) -> nn.Module | None:
    """The network `name` in eval mode; None where its weights do not ship.

    Raises:
        ExplorerError: They are damaged.
    """
    return _loaded(name) if name in shipped.names() else None


@cache
def _loaded(name: str) -> nn.Module:
    return shipped.load(name).module


def region_of(pixels: UInt8, box: Box | None, share: float, *, square: bool) -> Region:
    """The part of a photo that is translated, at least `LEAST` pixels a side where there are.

    Args:
        pixels: (H, W, 3).
        box: Drawn by the user; None = the middle.
        share: Of the photo's sides, that the middle has.
        square: The largest square in the middle of that is taken.
    """
    height, width = pixels.shape[:2]
    if box is None:
        wide, high = share * width, share * height
        x, y = width / 2, height / 2
    else:
        wide, high = box.x1 - box.x0, box.y1 - box.y0
        x, y = (box.x0 + box.x1) / 2, (box.y0 + box.y1) / 2
    if square:
        wide = high = min(wide, high)
    columns, rows = (
        min(max(round(side), LEAST), whole) for side, whole in ((wide, width), (high, height))
    )
    if square:
        columns = rows = min(columns, rows)
    left = min(max(round(x - columns / 2), 0), width - columns)
    top = min(max(round(y - rows / 2), 0), height - rows)
    return left, top, left + columns, top + rows


def cut(pixels: UInt8, region: Region) -> UInt8:
    """(h, w, 3): that part."""
    x0, y0, x1, y1 = region
    return np.ascontiguousarray(pixels[y0:y1, x0:x1])


def resized(pixels: UInt8, width: int, height: int) -> UInt8:
    """Averaged where it gets smaller, interpolated where it gets larger."""
    smaller = width <= pixels.shape[1] and height <= pixels.shape[0]
    way = cv2.INTER_AREA if smaller else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(pixels, (width, height), interpolation=way), np.uint8)


def region_frame(region: Region) -> Boxes:
    """The dotted frame around what is translated."""
    corners = np.array([region], np.float32)
    return Boxes(
        corners, same(CROP_COLOR, 1), width=2.0, dotted=True, selectable=False, name="region"
    )


@torch.no_grad()
def translated(network: Callable[..., Any], pixels: UInt8, **more: Any) -> UInt8:
    """(H, W, 3) uint8 -> the same of the other domain; `more` goes to the network."""
    found: UInt8 = to_pixels(network(tensor_of(pixels), **more))[0]
    return found


def tensor_of(pixels: NDArray[np.uint8]) -> Tensor:
    """(H, W, 3) uint8 -> (1, 3, H, W), -1..1."""
    return pictures_of(pixels[None], torch.device("cpu"))
