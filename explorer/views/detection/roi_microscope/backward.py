"""The backward side of RoI pooling: where the gradient of the outputs lands on the map."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from explorer.core.layers import Boxes, Heat, Layer, Pane, Picture
from explorer.views.detection.roi_microscope.panes import BACKDROP, BIN, PINK, crop_of
from explorer.views.shared.anchors import BLUE, ORANGE, same
from explorer.views.shared.plural import plural
from explorer.vision.detection.roi_gradient import roi_align_gradient, roi_pool_gradient

if TYPE_CHECKING:
    from collections.abc import Callable

    from explorer.core.layers import Float32
    from explorer.views.detection.roi_microscope.panes import Cut
    from explorer.views.shared.draw_cache import DrawCache
    from explorer.vision.detection.roi_head import RoiMaps

NO_GRADIENT, ONE_BIN, ALL_BINS = "off", "chosen bin", "all bins"
BACKWARD = ("RoIPool", "RoIAlign")
"""Methods whose gradient is shown."""


def other_rois(maps: RoiMaps, number: int, count: int, chosen: int | None) -> Float32:
    """(N, 4) in cells: the highest-scoring proposals that are pooled from map `number`.

    Args:
        maps: With the proposals.
        number: Of the map.
        count: At most so many.
        chosen: A proposal to leave out.
    """
    inside = maps.frame.boxes(maps.proposals)
    rows = [
        row for row in range(len(inside)) if row != chosen and maps.level(inside[row])[0] == number
    ][:count]
    return np.array([maps.cells(inside[row], number) for row in rows], np.float32).reshape(-1, 4)


def gradient_of(cut: Cut, method: str, others: Float32, bin_number: int | None) -> Float32:
    """(H, W) float32: of the sum of one bin, or of all, of the box and the others."""
    upstream = np.ones((cut.size, cut.size), np.float32)
    if bin_number is not None:
        upstream[:] = 0
        upstream.flat[bin_number] = 1
    total = np.zeros_like(cut.feature)
    for box in (cut.cells, *others):
        if method == "RoIPool":
            total += roi_pool_gradient(cut.feature, box, upstream)
        else:
            total += roi_align_gradient(
                cut.feature.shape, box, upstream, sampling=cut.sampling, aligned=cut.aligned
            )  # fmt: skip
    return total


def backward_pane(
    cut: Cut,
    method: str,
    others: Float32,
    bin_number: int | None,
    chosen: int,
    zoom: bool,
    cache: DrawCache,
) -> Pane:
    """The gradient around the box, in the crop of the map beside it.

    Args:
        cut: The channel and the box.
        method: One of `BACKWARD`.
        others: (N, 4) in cells: further RoIs, whose gradients are added.
        bin_number: The bin whose gradient it is; None = of all bins.
        chosen: The bin that is marked.
        zoom: Only the cells around the box.
        cache: Of the result.
    """
    key = ("gradient", id(cut), method, others.tobytes(), bin_number)
    gradient = cache.get(key, lambda: gradient_of(cut, method, others, bin_number))
    left, top, side_x, side_y = crop_of(cut, zoom)
    origin = np.array([left, top, left, top], np.float32)
    size = (float(side_x), float(side_y))
    layers: list[Layer] = [Picture(BACKDROP, (0.0, 0.0, *size), name="ground")]
    heat = cache.get((*key, left, top, side_x), lambda: _heat(gradient, left, top, side_x, side_y))
    layers += [heat] if heat is not None else []
    if len(others):
        layers.append(
            Boxes(
                others - origin, same(BLUE, len(others)), width=1.0, selectable=False, name="others"
            )
        )  # fmt: skip
    found = cut.pooled[method]
    bins = found.bins - origin
    if bin_number is None:
        layers.append(Boxes(bins, same(BIN, len(bins)), width=0.75, selectable=False, name="bins"))
    else:
        one = bins[chosen : chosen + 1]
        layers.append(Boxes(one, same(PINK, 1), width=2.5, selectable=False, name="chosen bin"))
    window = np.array([found.window], np.float32) - origin
    layers.append(Boxes(window, same(ORANGE, 1), width=2.5, selectable=False, name="window"))
    cells = int((gradient > 0).sum())
    what = "all bins" if bin_number is None else f"bin {chosen // cut.size + 1}, "
    what += "" if bin_number is None else f"{chosen % cut.size + 1}"
    return Pane(
        "backward", size, tuple(layers),
        f"Gradient of {what}: {cells} {plural('cell', cells)} ({method})", frame="cells",
        readout=_words(gradient, left, top),
    )  # fmt: skip


def _heat(gradient: Float32, left: int, top: int, side_x: int, side_y: int) -> Heat | None:
    height, width = gradient.shape
    x0, y0 = max(left, 0), max(top, 0)
    x1, y1 = min(left + side_x, width), min(top + side_y, height)
    if x0 >= x1 or y0 >= y1:
        return None
    most = float(gradient.max())
    return Heat(
        np.array(gradient[y0:y1, x0:x1]), 0.0, most if most > 0 else 1.0, "magma",
        unit="d output / d cell", extent=(x0 - left, y0 - top, x1 - left, y1 - top),
        name="gradient",
    )  # fmt: skip


def _words(gradient: Float32, left: int, top: int) -> Callable[[float, float], str]:
    def words(x: float, y: float) -> str:
        row, column = int(np.floor(y)) + top, int(np.floor(x)) + left
        height, width = gradient.shape
        if not (0 <= row < height and 0 <= column < width):
            return "outside the map"
        return f"cell {row}, {column}: gradient {gradient[row, column]:.4g}"

    return words
