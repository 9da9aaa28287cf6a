"""Attributions that only look at what comes out: parts of the input are hidden.

They take any target, also one without a gradient, and grow with every few passes. Masked pixels
have the values of a baseline of the input's shape.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from explorer.vision.attribution.gradients import CHUNK
from explorer.vision.attribution.maps import Attribution
from explorer.vision.attribution.targets import measured

if TYPE_CHECKING:
    from collections.abc import Iterator

    from explorer.vision.attribution.targets import Target


class Windows(NamedTuple):
    """The places of a sliding window: `ys` and `xs` are its upper and left edges."""

    ys: list[int]
    xs: list[int]
    side: int


def windows(size: tuple[int, int], patch: int, stride: int) -> Windows:
    """Windows over an input of (H, W) `size`, the last ones at the far edges.

    Args:
        size: (H, W).
        patch: Side of the window in pixels; at most the shorter side counts.
        stride: Pixels from one to the next.
    """
    side = min(patch, *size)
    ys, xs = ([*range(0, whole - side, stride), whole - side] for whole in size)
    return Windows(ys, xs, side)


def occlusion(
    target: Target, values: Tensor, baseline: Tensor, *, patch: int, stride: int
) -> Iterator[Attribution]:
    """How much the confidence falls when a window is hidden, for windows all over the input.

    A pixel's value is the mean over the windows that cover it; those that none has covered yet are
    NaN. Windows are tried coarsely first, so that the whole map is there early.

    Args:
        target: What is measured; for a class fix the class.
        values: (1, C, H, W).
        baseline: (1, C, H, W).
        patch: See `windows`.
        stride: See `windows`.

    Yields:
        (H, W) maps after every few windows.

    Source: Zeiler and Fergus 2014, "Visualizing and Understanding Convolutional Networks", section
    4.2.
    """
    height, width = int(values.shape[-2]), int(values.shape[-1])
    grid = windows((height, width), patch, stride)
    read = measured(target, values)
    places = _coarse_first(grid)
    total = torch.zeros(height, width, device=values.device)
    count = torch.zeros_like(total)
    for start in range(0, len(places), CHUNK):
        some = places[start : start + CHUNK]
        hidden = values.repeat(len(some), 1, 1, 1)
        for one, (y, x) in zip(hidden, some, strict=True):
            area = (..., slice(y, y + grid.side), slice(x, x + grid.side))
            one[area] = baseline[0][area]
        falls = (read.confidence - measured(target, hidden).confidence).tolist()
        for (y, x), fall in zip(some, falls, strict=True):
            total[y : y + grid.side, x : x + grid.side] += fall
            count[y : y + grid.side, x : x + grid.side] += 1
        yield Attribution.of(total / count, read, done=start + len(some), total=len(places))


def _coarse_first(grid: Windows) -> list[tuple[int, int]]:
    """All places, every eighth row and column first, then every fourth …"""
    found: dict[tuple[int, int], None] = {}
    for step in (8, 4, 2, 1):
        for y in grid.ys[step // 2 :: step]:
            for x in grid.xs[step // 2 :: step]:
                found[y, x] = None
    for y in grid.ys:
        for x in grid.xs:
            found[y, x] = None
    return list(found)


def rise(
    target: Target,
    values: Tensor,
    baseline: Tensor,
    *,
    masks: int,
    cells: int,
    share: float,
    generator: torch.Generator,
) -> Iterator[Attribution]:
    """Random masks, each weighted by the confidence of what it leaves visible.

    A pixel's value is the mean confidence of the masks that show it minus that of all: the paper's
    map up to an offset, and 0 where the pixel makes no difference. With a `boxes.SimilarBox` as
    target it is D-RISE (Petsiuk et al. 2021).

    Args:
        target: What is measured; for a class fix the class.
        values: (1, C, H, W).
        baseline: (1, C, H, W), what is seen where a mask is 0.
        masks: How many.
        cells: Of a mask's grid along the shorter side, before it is enlarged.
        share: The probability that a cell is visible.
        generator: Of the masks, on the CPU.

    Yields:
        (H, W) maps after every few masks.

    Source: Petsiuk, Das and Saenko 2018, "RISE: Randomized Input Sampling for Explanation of
    Black-box Models", equation 6 and section 3.2.
    """
    size = int(values.shape[-2]), int(values.shape[-1])
    read = measured(target, values)
    weighted = torch.zeros(size, device=values.device)
    shown = torch.zeros_like(weighted)
    confidences = 0.0
    for start in range(0, masks, CHUNK):
        count = min(CHUNK, masks - start)
        drawn = random_masks(count, size, cells, share, generator).to(values)
        seen = baseline + drawn[:, None] * (values - baseline)
        found = measured(target, seen).confidence.float()
        weighted += torch.einsum("n,nij->ij", found, drawn.float())
        shown += drawn.float().sum(0)
        confidences += float(found.sum())
        done = start + count
        mean = confidences / done
        value = torch.where(shown > 0, weighted / shown.clamp(min=1e-6), mean) - mean
        yield Attribution.of(value, read, done=done, total=masks)


def random_masks(
    count: int, size: tuple[int, int], cells: int, share: float, generator: torch.Generator
) -> Tensor:
    """(count, H, W) float32 in [0, 1]: grids of 0 and 1, enlarged bilinearly and shifted at random.

    Arguments as in `rise`.
    """
    height, width = size
    side = -(-min(height, width) // cells)  # of a cell, in pixels
    rows, columns = -(-height // side) + 1, -(-width // side) + 1
    grid = (torch.rand((count, 1, rows, columns), generator=generator) < share).float()
    large = F.interpolate(
        grid, (rows * side, columns * side), mode="bilinear", align_corners=False
    )[:, 0]
    moves = torch.randint(0, side, (count, 2), generator=generator).tolist()
    return torch.stack(
        [one[y : y + height, x : x + width] for one, (y, x) in zip(large, moves, strict=True)]
    )
