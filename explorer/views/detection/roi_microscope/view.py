"""A box on its feature map: how RoIPool, RoIWarp, RoIAlign and SPP cut a fixed grid out of it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from explorer.core.errors import ExplorerError
from explorer.core.layers import Board, Boxes, Layer, Pane, Picture
from explorer.core.step import Step
from explorer.engine.stages import head_answer_of, layer_maps_of, pooled_maps_of
from explorer.engine.view import Group, View
from explorer.views.detection.roi_microscope.backward import (
    BACKWARD,
    NO_GRADIENT,
    ONE_BIN,
    backward_pane,
    gradient_of,
    other_rois,
)
from explorer.views.detection.roi_microscope.charts import (
    class_bars,
    geometry_table,
    level_table,
    proposal_table,
    shift_plot,
)
from explorer.views.detection.roi_microscope.panes import (
    KEYS,
    METHODS,
    Cut,
    map_pane,
    pool_all,
    pooled_pane,
)
from explorer.views.detection.roi_microscope.params import HEAD, Params, layer_choices
from explorer.views.shared.anchors import BLUE, GREEN, ORANGE, same
from explorer.views.shared.common import class_name, default_layer, photo_of, size_of
from explorer.views.shared.draw_cache import DrawCache

if TYPE_CHECKING:
    from collections.abc import Generator

    from explorer.core.layers import Float32
    from explorer.engine.scene import Scene
    from explorer.vision.detection.roi_head import HeadAnswer, RoiMaps

EXPLANATION = r"""
The second stage of a detector needs the same number of values for every box, large or small. It
pools each box from the feature map into a grid of bins ($7 \times 7$, for example). The pooling
**method** limits the accuracy of boxes and masks, because one cell of the map is 8, 16 or 32 pixels
wide.

**Try it.** Click a proposal, or draw a box and move it with the arrow keys, a quarter of a pixel at
a time (Delete removes it and brings the proposal back). *On the map*: the dotted white frame is the
box itself, the orange one the window that the method uses, with its bins and sampling points.

- **RoIPool** (Girshick 2015) rounds the corners to whole cells, then the borders of the bins (floor
  and ceil), and takes the maximum of each bin. Small shifts change nothing until a border jumps by
  a cell: the staircase in the plot.
- **RoIWarp** (Dai et al. 2016) interpolates between cells, but within a rounded box, and takes the
  maximum of each bin.
- **RoIAlign** (He et al. 2017) rounds nothing: every bin is the mean of a few sampling points, each
  interpolated from four cells. The curve is smooth.
- **SPP** (He et al. 2014) takes the maximum in grids of $1 \times 1$, $2 \times 2$ and $4 \times
  4$.

**Interpolation** at $(x, y)$, with the value $f_{ij}$ of the cell in row $i$ and column $j$ at
integer coordinates:

$$ f(x, y) = \sum_{i,j} \, f_{ij} \; b(x - j) \; b(y - i) $$

$$ b(d) = \max(0, \, 1 - |d|) $$

*Aligned* subtracts half a cell first, because the value of a cell belongs to its center.
torchvision's detectors do not: they sample half a cell too far to the right and down, and were
trained that way.

**Which map?** With a feature pyramid, a box of $w \times h$ pixels of the network's input is pooled
from level $k$ with stride $2^k$:

$$ k = \left\lfloor 4 + \log_2 \left( \sqrt{wh} \, / \, s_0 \right) \right\rfloor $$

clamped to the existing levels, with $s_0 = 224$ in the paper; the table shows the values of this
network and box.

**Backward.** In training, the gradient of an output goes back to the cells that it was made from.
RoIPool passes that of a bin to the one cell that held the maximum; RoIAlign spreads it over the
four cells around each sampling point, with the weights of the interpolation $w$. With the gradient
$g_{rk}$ of bin $k$ of RoI $r$, a cell $f_{ij}$ gets

$$ \frac{\partial L}{\partial f_{ij}} = \sum_r \sum_k w_{rk}(i, j) \; g_{rk} $$

where $w$ is 0 or 1 for RoIPool. Overlapping RoIs add up: cells under many proposals learn most.
*RoIs added* shows it.

**The head** of the network runs on your box: class probabilities as bars, the refined box in green.
Any layer of any network can be chosen instead of the head's feature maps.

**Sources.** Girshick 2015, *Fast R-CNN*, section 2.1; He et al. 2014, *SPP-net*, section 2; Dai et
al. 2016, *Multi-task Network Cascades* (MNC), section 3; He et al. 2017, *Mask R-CNN*, section 3;
Lin et al. 2017, *Feature Pyramid Networks*, equation 1 (the level).
"""

UNLIKELY = 0.05
"""A class that is less probable gets no box."""


@dataclass(frozen=True, slots=True, eq=False)
class Result:
    """`base` and `box` (4,) float32 in pixels of the network's input, before and after the shift.

    `number` is the map it is cut from, `exact` its unrounded level, `origin` where it comes from,
    `chosen` the proposal, if it is one.
    """

    photo: Picture
    maps: RoiMaps
    base: Float32
    box: Float32
    number: int
    exact: float
    origin: str
    chosen: int | None
    answer: HeadAnswer | None
    classes: tuple[str, ...]
    note: str = ""
    cache: DrawCache = field(default_factory=lambda: DrawCache(12))


def compute(scene: Scene, params: Params) -> Generator[Step[Result], Any, None]:
    info = scene.network.info
    layer, note = params.layer or layer_choices(info)[0], ""
    try:
        maps = pooled_maps_of(scene) if layer == HEAD else layer_maps_of(scene, layer)
    except ExplorerError as error:
        if params.layer not in ("", HEAD):
            raise
        layer = default_layer(info)
        maps, note = layer_maps_of(scene, layer), f"{error.message} The layer {layer} is shown."
    on_photo, origin, chosen = _subject(scene, maps, params)
    base = maps.frame.boxes(on_photo[None])[0]
    box = base + np.array([params.shift, 0, params.shift, 0], np.float32)
    number, exact = maps.level(box)
    answer = head_answer_of(scene, box) if params.head and maps.size is not None else None
    yield Step(
        Result(
            photo_of(scene), maps, base, box, number, exact, origin, chosen, answer, info.classes,
            note,
        )
    )  # fmt: skip


def _subject(scene: Scene, maps: RoiMaps, params: Params) -> tuple[Float32, str, int | None]:
    """(4,) in the photo's pixels, where it comes from, and the proposal's number."""
    if params.box is not None:
        box = params.box
        return np.array([box.x0, box.y0, box.x1, box.y1], np.float32), "your box", None
    if len(maps.proposals):
        chosen = min(max(params.proposal or 1, 1), len(maps.proposals)) - 1
        return maps.proposals[chosen], f"proposal {chosen + 1}", chosen
    height, width = scene.image.pixels.shape[:2]
    middle = np.array([0.3 * width, 0.3 * height, 0.7 * width, 0.7 * height], np.float32)
    return middle, "the middle of the photo", None


def draw(result: Result, params: Params) -> Board:
    maps, cache = result.maps, result.cache
    channel = _channel(result, params)
    key = (channel, params.size, params.sampling, _aligned(result, params))
    cut = cache.get(("cut", key), lambda: _cut(result, params, channel))
    bin_number = _bin(params)
    plot = cache.get(
        ("shift", key, bin_number, params.plot_range),
        lambda: shift_plot(cut, maps, result.base, result.number, bin_number, params.plot_range),
    )
    name = maps.names[result.number]
    which = f"mean of all {len(maps.values[result.number])} channels"
    which = which if channel is None else f"channel {channel}"
    title = f"{'Map ' if maps.size else ''}{name}, {which}"
    panes = [
        _image_pane(result, params),
        map_pane(cut, params.method, params.zoom, bin_number, title, cache),
    ]
    if _goes_back(params):
        others = _others(result, params)
        shown = bin_number if params.backward == ONE_BIN else None
        panes.append(
            backward_pane(cut, params.method, others, shown, bin_number, params.zoom, cache)
        )
    panes.append(pooled_pane(cut, params.difference, bin_number, cache))
    tables = [geometry_table(cut), level_table(maps, result.box, result.number, result.exact)]
    plots = [replace(plot, marker=params.shift)]
    if result.answer is not None:
        plots.append(class_bars(result.answer, result.classes))
    if len(maps.proposals):
        tables.append(proposal_table(maps, params.most))
    return Board(
        panes=tuple(panes), plots=tuple(plots), tables=tuple(tables), summary=_summary(result, cut),
        notes=_notes(result, params),
    )  # fmt: skip


def _goes_back(params: Params) -> bool:
    return params.method in BACKWARD and params.backward != NO_GRADIENT


def _others(result: Result, params: Params) -> Float32:
    """The RoIs whose gradients are added, in cells."""
    return result.cache.get(
        ("others", params.added),
        lambda: other_rois(result.maps, result.number, params.added, result.chosen),
    )


def data(result: Result, params: Params) -> dict[str, Any]:
    """The outputs of all methods in all channels.

    Keys: `box` (4,) float32 in the photo's pixels; `cells` (4,) the same in cells of the map;
    `map` its name; `scale` cells per pixel of the network's input in x and y; `roi_pool`,
    `roi_warp`, `roi_align` (C, n, n) and `spp` (C, 1, 21) float32; `windows` (4, 4), the part of
    the map that each of these methods divides; with a head `probabilities` (K,) and `refined` (K,
    4) in the photo's pixels; where it is shown, `gradient` (H, W) float32 of the bins with respect
    to the channel.
    """
    maps, number = result.maps, result.number
    cells = maps.cells(result.box, number)
    aligned = _aligned(result, params)
    pooled = pool_all(maps.values[number], cells, params.size, params.sampling, aligned)
    found: dict[str, Any] = {
        "box": maps.frame.inverse().boxes(result.box[None])[0],
        "cells": cells,
        "map": maps.names[number],
        "scale": maps.scales[number],
        "roi_pool": pooled["RoIPool"].values,
        "roi_warp": pooled["RoIWarp"].values,
        "roi_align": pooled["RoIAlign"].values,
        "spp": pooled["SPP"].values,
        "windows": np.array([pooled[name].window for name in METHODS], np.float32),
    }
    if _goes_back(params):
        found["gradient"] = _gradient(result, params)
    if result.answer is not None:
        found |= {"probabilities": result.answer.probabilities, "refined": result.answer.boxes}
    return found


def _gradient(result: Result, params: Params) -> Float32:
    cut = _cut(result, params, _channel(result, params))
    shown = _bin(params) if params.backward == ONE_BIN else None
    return gradient_of(cut, params.method, _others(result, params), shown)


def _bin(params: Params) -> int:
    """The bin that was clicked; the one in the middle before."""
    number = params.cell % KEYS if params.cell is not None else params.size**2
    return number if number < params.size**2 else (params.size // 2) * (params.size + 1)


def _channel(result: Result, params: Params) -> int | None:
    """The channel that is shown; None = the mean of all."""
    if params.channel is None:
        return None
    return min(params.channel, len(result.maps.values[result.number]) - 1)


def _cut(result: Result, params: Params, channel: int | None) -> Cut:
    maps, number = result.maps, result.number
    values = maps.values[number]
    feature = np.ascontiguousarray(values.mean(axis=0) if channel is None else values[channel])
    cells = maps.cells(result.box, number)
    return Cut.of(feature, cells, params.size, params.sampling, _aligned(result, params))


def _aligned(result: Result, params: Params) -> bool:
    """Whether half a cell is taken off."""
    return result.maps.aligned if params.aligned is None else params.aligned


def _notes(result: Result, params: Params) -> tuple[str, ...]:
    notes = [result.note] if result.note else []
    if params.box is not None and params.proposal is not None and len(result.maps.proposals):
        notes.append(f"Your box is used instead of proposal {params.proposal}. Delete removes it.")
    return tuple(notes)


def _image_pane(result: Result, params: Params) -> Pane:
    maps = result.maps
    back = maps.frame.inverse()
    layers: list[Layer] = [result.photo]
    count = min(params.most, len(maps.proposals))
    rows = list(range(count))
    if result.chosen is not None and result.chosen >= count:
        rows.append(result.chosen)
    if rows:
        layers.append(
            Boxes(
                maps.proposals[rows], same(BLUE, len(rows)), keys=tuple(row + 1 for row in rows),
                width=1.0, name="proposals",
            )
        )  # fmt: skip
    layers.append(
        Boxes(
            back.boxes(result.box[None]), same(ORANGE, 1), (result.origin,), width=2.5,
            selectable=False, name="box",
        )
    )  # fmt: skip
    if (best := _best_class(result.answer)) is not None and result.answer is not None:
        name = class_name(result.classes, best)
        layers.append(
            Boxes(
                result.answer.boxes[best : best + 1], same(GREEN, 1),
                (f"{name} {result.answer.probabilities[best]:.2f}, refined",), width=2.5,
                selectable=False, name="refined",
            )
        )  # fmt: skip
    return Pane("image", size_of(result.photo), tuple(layers), title="On the photo")


def _best_class(answer: HeadAnswer | None) -> int | None:
    """The most probable class but the background; None without a head or where it is unlikely."""
    if answer is None or len(answer.probabilities) < 2:
        return None
    best = 1 + int(answer.probabilities[1:].argmax())
    return best if answer.probabilities[best] >= UNLIKELY else None


def _summary(result: Result, cut: Cut) -> str:
    maps, number = result.maps, result.number
    wide, tall = result.box[2:] - result.box[:2]
    across, down = cut.cells[2:] - cut.cells[:2]
    stride = 1 / maps.scales[number][0]
    words = (
        f"{result.origin[0].upper()}{result.origin[1:]}: {wide:.1f} x {tall:.1f} px of the input "
        f"are {across:.2f} x {down:.2f} cells of {stride:.3g} px; rounding moves a side by up to "
        f"{cut.rounding:.2f} cells = {cut.rounding * stride:.1f} px"
    )
    if result.answer is not None:
        sure = result.answer.probabilities
        for row in np.argsort(-sure, kind="stable")[:2]:
            name = class_name(result.classes, int(row)) if row else "background"
            words += f" · {name} {sure[row]:.2f}" if sure[row] >= UNLIKELY else ""
    return words


VIEW = View(
    name="roi_microscope",
    title="RoI pooling",
    group=Group.DETECTION,
    summary="How a box is pooled from a feature map: RoIPool, RoIWarp, RoIAlign and SPP side by "
    "side.",
    explanation=EXPLANATION,
    reference="He et al. 2017, Mask R-CNN, section 3",
    Params=Params,
    compute=compute,
    draw=draw,
    data=data,
)
