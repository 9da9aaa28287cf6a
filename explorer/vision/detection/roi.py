"""Cutting a fixed grid out of a feature map: RoIPool, RoIWarp, RoIAlign, the SPP pyramid (numpy).

A box is x0, y0, x1, y1 in cells of the map (pixels times the map's scale), float32. What a method
answers comes with the geometry it used, in the frame where cell (i, j) covers [j, j + 1) x [i,
i + 1): the value of a cell stands at its center.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Float32 = NDArray[np.float32]
    Spans = NDArray[np.int64]

Reduction = Literal["mean", "max"]

CANONICAL_SIDE, CANONICAL_LEVEL = 224, 4
_EPS = 1e-6


@dataclass(frozen=True, slots=True, eq=False)
class Pooled:
    """What one method made of one box.

    Attributes:
        values: (C, h, w) float32; of a pyramid (C, 1, bins), grid after grid, row after row.
        window: x0, y0, x1, y1 of the part of the map that the method divides.
        bins: (B, 4) float32, row after row; they may reach past the map.
        samples: (S, 2) float32 x, y where the map is interpolated; empty for methods that take
            whole cells.
    """

    values: Float32
    window: tuple[float, float, float, float]
    bins: Float32
    samples: Float32


@dataclass(frozen=True, slots=True, eq=False)
class Taps:
    """Bilinear interpolation along one axis at n places: two cells and their weights each.

    Attributes:
        low: (n,) index of the first cell.
        high: (n,) index of the second cell.
        share: (n,) float32 weight of the second cell; the first one has the rest.
        inside: (n,) bool: a place more than one cell outside of the map counts as 0.
    """

    low: Spans
    high: Spans
    share: Float32
    inside: NDArray[np.bool_]


def taps(places: Float32, cells: int) -> Taps:
    """Where `places` (cell i stands at i) lie between `cells` cells; as in torchvision."""
    inside = (places >= -1) & (places <= cells)
    clamped = np.maximum(places, np.float32(0))
    low = np.minimum(clamped.astype(np.int64), cells - 1)
    high = np.minimum(low + 1, cells - 1)
    share = np.where(low >= cells - 1, np.float32(0), clamped - low.astype(np.float32))
    return Taps(low, high, share.astype(np.float32), inside)


def snapped(box: Float32) -> tuple[int, int, int, int]:
    """RoIPool's window x0, y0, x1, y1 in whole cells: both corners rounded, the last cell included.

    Halves are rounded away from zero (C's `round`); at least one cell each way (Girshick 2015).
    """
    x0, y0, x1, y1 = rounded(np.asarray(box, np.float32)).tolist()
    return x0, y0, max(x1 + 1, x0 + 1), max(y1 + 1, y0 + 1)


def rounded(values: Float32) -> Spans:
    """C's `round`, which takes halves away from zero."""
    whole = np.trunc(values)
    whole += np.where(np.abs(values - whole) >= 0.5, np.sign(values), np.float32(0))
    return whole.astype(np.int64)


def cuts(length: int, bins: int) -> Spans:
    """(bins, 2) first and one-past-last cell of each bin of `length` cells; neighbors may share.

    Bin b goes from floor(b · length / bins) to ceil((b + 1) · length / bins).
    """
    side = np.float32(length) / np.float32(bins)
    index = np.arange(bins, dtype=np.float32)
    first, last = np.floor(index * side), np.ceil((index + 1) * side)
    return np.stack([first, last], axis=1).astype(np.int64)


def roi_pool(features: Float32, box: Float32, size: tuple[int, int] = (7, 7)) -> Pooled:
    """RoIPool: the box snapped to whole cells, cut into bins of whole cells, the largest of each.

    Girshick 2015, Fast R-CNN, section 2.1; equal to `torchvision.ops.roi_pool`.

    Args:
        features: (C, H, W) float32.
        box: (4,) in cells.
        size: Rows and columns of the output.

    Returns:
        Empty bins (wholly outside of the map) are 0.
    """
    window = snapped(box)
    return _max_pooled(features, window, size)


def spp(features: Float32, box: Float32, pyramid: Sequence[int] = (1, 2, 4)) -> Pooled:
    """Spatial pyramid pooling: the largest value in each bin of grids of n x n, one after another.

    He et al. 2014, section 2.3 (floor for the first and ceil for the last cell of a bin), on the
    window that `roi_pool` takes; one grid is `roi_pool` of that size.
    """
    window = snapped(box)
    parts = [_max_pooled(features, window, (n, n)) for n in pyramid]
    flat = [part.values.reshape(len(features), 1, -1) for part in parts]
    return Pooled(
        np.concatenate(flat, axis=2),
        parts[0].window,
        np.concatenate([part.bins for part in parts]),
        np.zeros((0, 2), np.float32),
    )


def roi_align(
    features: Float32,
    box: Float32,
    size: tuple[int, int] = (7, 7),
    *,
    sampling: int = 2,
    aligned: bool = False,
) -> Pooled:
    """RoIAlign: no rounding; every bin is the mean of the map interpolated at regular places.

    He et al. 2017, Mask R-CNN, section 3; equal to `torchvision.ops.roi_align`.

    Args:
        features: (C, H, W) float32.
        box: (4,) in cells.
        size: Rows and columns of the output.
        sampling: Places per bin along each axis; 0 = as many as a bin has cells, rounded up.
        aligned: Takes half a cell off, because the value of a cell stands at its center; without it
            (the first published form, and torchvision's detectors) a box lies half a cell too far
            to the right and below, and is at least one cell wide.
    """
    columns = sampled(box[0], box[2], size[1], sampling, aligned=aligned)
    rows = sampled(box[1], box[3], size[0], sampling, aligned=aligned)
    return _interpolated(features, rows, columns, "mean")


def roi_warp(
    features: Float32, box: Float32, size: tuple[int, int] = (7, 7), *, sampling: int = 2
) -> Pooled:
    """RoIWarp: the box snapped as in RoIPool, interpolated on a regular grid, the largest per bin.

    Dai et al. 2016 (MNC), section 3.2: warp bilinearly, then max pooling; the snapping is as He et
    al. 2017 (section 3 and table 2c) describe it. A grid of `sampling` x `sampling` places per bin
    is pooled.
    """
    x0, y0, x1, y1 = (np.float32(side) for side in snapped(box))
    columns = sampled(x0, x1, size[1], max(1, sampling), aligned=True)
    rows = sampled(y0, y1, size[0], max(1, sampling), aligned=True)
    return _interpolated(features, rows, columns, "max")


@dataclass(frozen=True, slots=True, eq=False)
class Axis:
    """A box along one axis, where cell i stands at i.

    Attributes:
        start: Where the first bin begins.
        side: Of one bin.
        places: (bins, n) float32, where the map is interpolated.
    """

    start: np.float32
    side: np.float32
    places: Float32

    def edges(self) -> Float32:
        """(bins, 2) where each bin begins and ends, where cell i covers [i, i + 1)."""
        first = self.start + np.arange(len(self.places), dtype=np.float32) * self.side
        return np.stack([first, first + self.side], axis=1) + np.float32(0.5)


def sampled(start: np.float32, end: np.float32, bins: int, sampling: int, *, aligned: bool) -> Axis:
    """Where RoIAlign interpolates from `start` to `end` (in cells); see `roi_align`."""
    offset = np.float32(0.5 if aligned else 0)
    first = np.float32(start) - offset
    length = (np.float32(end) - offset) - first
    if not aligned:
        length = np.maximum(length, np.float32(1))
    side = length / np.float32(bins)
    count = sampling if sampling > 0 else max(0, int(np.ceil(side)))
    index = np.arange(bins, dtype=np.float32)[:, None]
    within = np.arange(count, dtype=np.float32) + np.float32(0.5)
    return Axis(first, side, first + index * side + within * side / np.float32(max(count, 1)))


def fpn_level(
    box: Float32,
    lowest: int,
    highest: int,
    canonical: tuple[float, float] = (CANONICAL_SIDE, CANONICAL_LEVEL),
) -> tuple[int, float]:
    """The pyramid level that a box of the network's input is cut from, and its unrounded number.

    k = floor(k0 + log2(sqrt(w h) / s0)), kept within `lowest` and `highest` (Lin et al. 2017,
    equation 1); level k has a stride of 2^k. The unrounded number is -inf for a box without an
    area, which goes to the lowest level.

    Args:
        box: (4,) in pixels of the input.
        lowest: Level of the finest map.
        highest: Level of the coarsest map.
        canonical: s0 and k0: a box with this root of its area comes from this level.
    """
    area = max((box[2] - box[0]) * (box[3] - box[1]), 0)
    with np.errstate(divide="ignore"):
        power = np.log2(np.sqrt(np.float32(area)) / np.float32(canonical[0]))
    exact = np.float32(canonical[1]) + power
    level = np.clip(np.floor(exact + np.float32(_EPS)), lowest, highest)
    return int(level), float(exact)


def _max_pooled(
    features: Float32, window: tuple[int, int, int, int], size: tuple[int, int]
) -> Pooled:
    x0, y0, x1, y1 = window
    height, width = features.shape[1:]
    rows, columns = cuts(y1 - y0, size[0]) + y0, cuts(x1 - x0, size[1]) + x0
    values = np.zeros((len(features), *size), np.float32)
    for i, (top, bottom) in enumerate(np.clip(rows, 0, height).tolist()):
        for j, (left, right) in enumerate(np.clip(columns, 0, width).tolist()):
            if top < bottom and left < right:
                values[:, i, j] = features[:, top:bottom, left:right].max(axis=(1, 2))
    bins = _rectangles(rows.astype(np.float32), columns.astype(np.float32))
    frame = (float(x0), float(y0), float(x1), float(y1))
    return Pooled(values, frame, bins, np.zeros((0, 2), np.float32))


def _interpolated(features: Float32, rows: Axis, columns: Axis, how: Reduction) -> Pooled:
    bins = _rectangles(rows.edges(), columns.edges())
    window = (float(bins[0, 0]), float(bins[0, 1]), float(bins[-1, 2]), float(bins[-1, 3]))
    (h, n), (w, m) = rows.places.shape, columns.places.shape
    if n == 0 or m == 0:  # a box without an area
        empty = np.zeros((len(features), h, w), np.float32)
        return Pooled(empty, window, bins, np.zeros((0, 2), np.float32))
    down = taps(rows.places.ravel(), features.shape[1])
    across = taps(columns.places.ravel(), features.shape[2])
    left, right = int(across.low.min()), int(across.high.max()) + 1
    lines = _along(features[:, :, left:right], down, axis=1)
    near = Taps(across.low - left, across.high - left, across.share, across.inside)
    parts = _along(lines, near, axis=2).reshape(len(features), h, n, w, m)
    values = parts.max(axis=(2, 4)) if how == "max" else parts.mean(axis=(2, 4), dtype=np.float32)
    x, y = np.meshgrid(columns.places.ravel(), rows.places.ravel())
    samples = np.stack([x.ravel(), y.ravel()], axis=1) + np.float32(0.5)
    return Pooled(values, window, bins, samples.astype(np.float32))


def _along(features: Float32, where: Taps, axis: int) -> Float32:
    shape = (-1, 1) if axis == 1 else (-1,)
    share = np.where(where.inside, where.share, 0).astype(np.float32).reshape(shape)
    rest = np.where(where.inside, 1 - where.share, 0).astype(np.float32).reshape(shape)
    found = features.take(where.low, axis=axis) * rest
    found += features.take(where.high, axis=axis) * share
    return found


def _rectangles(rows: Float32, columns: Float32) -> Float32:
    """(B, 4) x0, y0, x1, y1 of all bins, row after row, from (h, 2) and (w, 2) edges."""
    h, w = len(rows), len(columns)
    boxes = np.empty((h, w, 4), np.float32)
    boxes[..., 0::2] = columns[None]
    boxes[..., 1::2] = rows[:, None]
    return boxes.reshape(-1, 4)


def when_shifted(
    channel: Float32,
    box: Float32,
    shifts: Float32,
    size: tuple[int, int],
    at: tuple[int, int],
    *,
    sampling: int = 2,
    aligned: bool = False,
) -> dict[str, Float32]:
    """One bin of one channel while the box is shifted to the right.

    Args:
        channel: (H, W) float32.
        box: (4,) in cells.
        shifts: (k,) float32, in cells.
        size: Rows and columns of the output.
        at: Row and column of the bin.
        sampling: See `roi_align`.
        aligned: See `roi_align`.

    Returns:
        (k,) float32 each for "RoIPool", "RoIWarp" and "RoIAlign".
    """
    maps, way = channel[None], np.array([1, 0, 1, 0], np.float32)
    moved = np.asarray(box, np.float32) + shifts[:, None] * way
    windows, which = np.unique(rounded(moved[:, 0::2]), axis=0, return_inverse=True)
    pool, warp = np.empty((2, len(windows)), np.float32)
    for number, (x0, x1) in enumerate(windows.tolist()):
        one = np.array([x0, box[1], x1, box[3]], np.float32)
        pool[number] = roi_pool(maps, one, size).values[0][at]
        warp[number] = roi_warp(maps, one, size, sampling=sampling).values[0][at]
    which = which.reshape(-1)
    rows = sampled(box[1], box[3], size[0], sampling, aligned=aligned)
    columns = sampled(box[0], box[2], size[1], sampling, aligned=aligned)
    align = np.zeros(len(shifts), np.float32)
    if rows.places.size and columns.places.size:
        line = _along(maps, taps(rows.places[at[0]], channel.shape[0]), axis=1).mean(axis=1)
        places = (columns.places[at[1]] + shifts[:, None]).astype(np.float32)
        found = _along(line[None], taps(places.ravel(), channel.shape[1]), axis=2)
        align = found.reshape(places.shape).mean(axis=1)
    return {"RoIPool": pool[which], "RoIWarp": warp[which], "RoIAlign": align}
