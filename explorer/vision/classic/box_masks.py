"""The mask of an object from a box around it: GrabCut and watershed, without any network."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

from explorer.core.errors import ExplorerError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    UInt8 = NDArray[np.uint8]
    Box = tuple[float, float, float, float]

OBJECT, BACKGROUND = 1, 2
"""What a hint says of a pixel; 0 = nothing."""


def enlarged(mask: NDArray[np.bool_], size: tuple[int, int]) -> NDArray[np.bool_]:
    """A mask at (H, W) `size`, with borders interpolated."""
    if mask.shape == size:
        return mask
    values = cv2.resize(mask.astype(np.float32), (size[1], size[0]), interpolation=cv2.INTER_LINEAR)
    return np.asarray(values >= 0.5, np.bool_)


def grab_cut(
    rgb: UInt8, box: Box, rounds: int, hints: UInt8 | None = None
) -> Iterator[NDArray[np.bool_]]:
    """Rother, Kolmogorov and Blake 2004: colors of object and background in turn with a cut.

    Two mixtures of five Gaussians describe the colors inside and outside; a minimum cut then
    decides on every pixel of the box, and the mixtures are fitted again.

    Args:
        rgb: (H, W, 3) uint8.
        box: x0, y0, x1, y1 in pixels: what lies outside is background.
        rounds: How often.
        hints: (H, W) `OBJECT` or `BACKGROUND` where that is known, 0 elsewhere.

    Yields:
        (H, W) bool after each round.

    Raises:
        ExplorerError: There is no background, or nothing inside the box.
    """
    inside = _inside(box, rgb.shape[:2])
    mask = np.where(inside, cv2.GC_PR_FGD, cv2.GC_BGD).astype(np.uint8)
    if hints is not None:
        mask[hints == OBJECT] = cv2.GC_FGD
        mask[hints == BACKGROUND] = cv2.GC_BGD
    known = np.isin(mask, (cv2.GC_BGD, cv2.GC_PR_BGD))
    if known.all() or not known.any():
        raise ExplorerError(
            "GrabCut needs pixels inside and outside of the box.",
            "Draw a box with some background around it.",
        )
    colors = np.ascontiguousarray(rgb[..., ::-1])
    outside, within = np.zeros((1, 65)), np.zeros((1, 65))
    # The mask says it all: the rectangle is not read.
    cv2.setRNGSeed(0)  # the mixtures begin with random centers
    for number in range(rounds):
        mode = cv2.GC_EVAL if number else cv2.GC_INIT_WITH_MASK
        cv2.grabCut(colors, mask, (0, 0, 1, 1), outside, within, 1, mode)
        yield np.isin(mask, (cv2.GC_FGD, cv2.GC_PR_FGD))


def watershed(rgb: UInt8, box: Box, core: float, hints: UInt8 | None = None) -> NDArray[np.bool_]:
    """Meyer 1992: two basins are flooded, and meet where the colors change most.

    Args:
        rgb: (H, W, 3) uint8.
        box: x0, y0, x1, y1 in pixels: outside is the basin of the background.
        core: The middle of the box with this part of its sides is the basin of the object.
        hints: See `grab_cut`: more of both basins.

    Returns:
        (H, W) bool.
    """
    x0, y0, x1, y1 = box
    middle_x, middle_y = (x0 + x1) / 2, (y0 + y1) / 2
    across, down = (x1 - x0) * core / 2, (y1 - y0) * core / 2
    inner = _inside(
        (middle_x - across, middle_y - down, middle_x + across, middle_y + down), rgb.shape[:2]
    )
    markers = np.where(_inside(box, rgb.shape[:2]), 0, BACKGROUND).astype(np.int32)
    markers[inner] = OBJECT
    if hints is not None:
        known = (hints == OBJECT) | (hints == BACKGROUND)
        markers[known] = hints[known]
    found = cv2.watershed(np.ascontiguousarray(rgb[..., ::-1]), markers.copy())
    # Its line between two basins, and the frame of the photo, belong to neither.
    return np.asarray((found == OBJECT) | (markers == OBJECT), np.bool_)


def _inside(box: Box, size: tuple[int, ...]) -> NDArray[np.bool_]:
    """(H, W) bool: the pixels whose centers lie in the box, at least one."""
    found = np.zeros(size[:2], np.bool_)
    left, right = _span(box[0], box[2], size[1])
    top, bottom = _span(box[1], box[3], size[0])
    found[top:bottom, left:right] = True
    return found


def _span(low: float, high: float, count: int) -> tuple[int, int]:
    first = min(max(int(np.ceil(low - 0.5)), 0), count - 1)
    return first, max(first + 1, min(int(np.ceil(high - 0.5)), count))
