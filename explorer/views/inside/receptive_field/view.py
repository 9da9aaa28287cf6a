"""The part of the photo that a cell of a layer depends on, and the cells that a pixel reaches."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from explorer.core.layers import Board
from explorer.core.params import Effect, Pick, Point, param
from explorer.core.step import Step
from explorer.engine.stages import fields_of
from explorer.engine.view import Group, View
from explorer.views.inside.receptive_field import charts, panes
from explorer.views.inside.receptive_field.result import Result, steps_of
from explorer.views.shared.common import default_layer, photo_of
from explorer.views.shared.draw_cache import DrawCache
from explorer.vision.features.receptive_field import effective_field

if TYPE_CHECKING:
    from collections.abc import Generator

    from explorer.core.network_info import NetworkInfo
    from explorer.engine.scene import Scene

EXPLANATION = r"""
A cell of a feature map depends on a part of the input only, its **receptive field**. Click on the
photo: the orange frame is the field of the cell at that place, in the chosen layer. Move the mouse
to compare cells.

**Theoretical field.** The frame is the smallest one around all pixels that can change the cell;
none outside can. A chain of convolutions and poolings with kernels $k_l$ and strides $s_l$ has
fields of $r$ pixels:

$$ r = 1 + \sum_l (k_l - 1) \prod_{m < l} s_m $$

Where branches meet, the largest field counts. The frame is worked out for the network as it runs,
operation by operation. Padding is no part of the photo: fields that reach into it are cut off
(where all cells of a layer do, the table says "at least"). Global pooling and attention make the
whole input the field. Dilated convolutions leave pixels in the frame unused.

**Effective field.** Not all pixels of the field matter equally. The colors are the gradient of one
unit $y$ of the cell, of the channel that is largest there or of *Channel*, with respect to the
input $x$ with its color channels $c$:

$$ g_{ij} = \max_c \left| \frac{\partial y}{\partial x_{cij}} \right| $$

It fades from the middle outward, roughly as a Gaussian, because more paths lead from there to the
cell. The summary counts the pixels whose gradient is above 4.55% of the largest one. The effective
field of an untrained network is small; it grows in training.

**Projective field.** The other pictures turn the question around: which cells can the pixel under
the mouse, or the clicked one, influence? Those whose frame contains it (of a dilated convolution
perhaps a few less): in the chosen layer, and in several from the first to the last. The plots show
both fields over the depth of the network.

**Sources.** Luo, Li, Urtasun and Zemel 2016, *Understanding the Effective Receptive Field in Deep
Convolutional Neural Networks*; Araujo, Norris and Sim 2019, *Computing Receptive Fields of
Convolutional Neural Networks* (the formula); Lehky and Sejnowski 1988, *Network Model of
Shape-from-Shading* (the projective field).
"""


def _layers(info: NetworkInfo) -> tuple[str, ...]:
    # An empty parameter means the first choice, so the default layer is first in the list.
    return tuple(dict.fromkeys((default_layer(info), *info.layer_names())))


@dataclass(frozen=True, slots=True)
class Params:
    """See the help of each."""

    layer: str = param(
        "", "Layer", "The layer whose cells are shown, by its name in the network.", choices=_layers
    )
    place: Point | None = param(
        None, "Place",
        "Click on the photo: the field of the cell there. By default the middle of the photo.",
        pick=Pick.CLICK,
    )  # fmt: skip
    at: Point | None = param(
        None, "Under the mouse", "Shows the theoretical field of the cell under the mouse.",
        effect=Effect.DRAW, pick=Pick.HOVER, advanced=True,
    )  # fmt: skip
    effective: bool = param(
        True, "Effective field", "Computes the gradient of the clicked cell; a backward pass."
    )
    channel: int | None = param(
        None, "Channel",
        "The channel that is differentiated; by default the one with the largest value there.",
        low=0, high=65535, when=lambda params, _info: params.effective,
    )  # fmt: skip
    opacity: float = param(
        0.8, "Opacity", "Opacity of the effective field over the photo.",
        effect=Effect.DRAW, low=0.0, high=1.0,
    )  # fmt: skip


def compute(scene: Scene, params: Params) -> Generator[Step[Result], Any, None]:
    info = scene.network.info
    layer = params.layer or default_layer(info)
    height, width = scene.input().shape[-2:]
    found = fields_of(scene)
    rows, columns = scene.image.pixels.shape[:2]
    shown = steps_of(info, found)
    if layer == default_layer(info) and layer not in found.layers and shown:
        layer = shown[-1]  # the last convolution may be of an auxiliary head, for training alone
    order = {e.name: number for number, e in enumerate(info.layers)}
    within = [number for name, number in order.items() if f"{name}.".startswith(f"{layer}.")]
    result = Result(
        photo=photo_of(scene),
        layer=layer,
        fields=found,
        to_input=scene.frame,
        shown=shown,
        depth=sum(order[name] <= max(within, default=-1) for name in shown),
        place=params.place or Point(columns / 2, rows / 2),
        extent=scene.frame.inverse().extent(float(width), float(height)),
    )
    cell = result.cell(result.place)  # an unknown layer raises here
    if not params.effective or cell is None:
        yield Step(result)
        return
    yield Step(result, 1, 2, "effective field")
    images = scene.shown(scene.input())
    effective = effective_field(scene.network.module, images, layer, *cell, channel=params.channel)
    yield Step(replace(result, effective=effective, cache=DrawCache()), 2, 2)


def draw(result: Result, params: Params) -> Board:
    here = params.at or result.place
    cell, pixel = result.cell(here), result.frame.point(here.x, here.y)
    clicked = cell is not None and cell == result.cell(result.place)
    growth = result.cache.get("growth", lambda: charts.growth(result))
    drawn = [
        panes.field_pane(result, cell, params.opacity, clicked=clicked),
        panes.reached_pane(result, here, pixel),
    ]
    if result.shown:  # a network of vectors has no maps
        drawn.append(panes.layers_pane(result, here, pixel))
    return Board(
        panes=tuple(drawn),
        plots=(growth, charts.reach_plot(result, pixel)),
        tables=(charts.table(result, pixel),),
        summary=_summary(result, cell, clicked=clicked),
        notes=_notes(result),
    )


def data(result: Result, params: Params) -> dict[str, Any]:
    """Of the clicked cell and of all layers.

    Keys: `layer`, `cell` (row, column), `field` (x0, y0, x1, y1 in pixels of the photo),
    `field_in_input` (the same in pixels of the network's input), `fields` (h, w, 4) float32 of all
    cells of the layer in those pixels, `reached` (h, w) bool, `layers` with `sizes` (n, 2) float32
    width and height of their fields in those pixels; with an effective field `channel`, `gradient`
    (H, W) float32 over `extent` of the photo and `effective_area` in pixels of the network's input.
    """
    cell = result.cell(result.place)
    sizes = [result.fields[name].size for name in result.shown]
    found: dict[str, Any] = {
        "layer": result.layer,
        "fields": result.cells.xyxy,
        "reached": result.cells.reached(*result.frame.point(result.place.x, result.place.y)),
        "layers": list(result.shown),
        "sizes": np.array(sizes, np.float32).reshape(-1, 2),
    }
    if cell is not None:
        box = result.cells.xyxy[cell]
        found |= {"cell": cell, "field_in_input": box, "field": result.on_photo(box)}
    if result.effective is not None:
        found |= {"gradient": result.effective.gradient, "extent": result.extent}
        found |= {"channel": result.effective.channel, "effective_area": result.effective.area}
    return found


def _summary(result: Result, cell: tuple[int, int] | None, *, clicked: bool) -> str:
    if cell is None:
        return f"{result.layer}: this place is outside the network's input"
    x0, y0, x1, y1 = result.cells.of(*cell)
    height, width = result.fields.size
    part = (x1 - x0) * (y1 - y0) / (width * height)
    words = f"{result.layer}: {x1 - x0:.0f} x {y1 - y0:.0f} px"
    if result.cells.padded[cell]:
        words += " (cut off at the edge)"
    words += f", {100 * part:.1f}% of the input"
    if clicked and result.effective is not None and part > 0:
        area = result.effective.area
        scale = result.fields.frame
        pixels = area * scale.sx * scale.sy  # a detector resizes the picture once more
        words += (
            f" · effective: {pixels:,.0f} px, {100 * area / result.effective.gradient.size:.1f}%"
        )
        words += f" (channel {result.effective.channel})"
    return words


def _notes(result: Result) -> tuple[str, ...]:
    if not result.cells.assumed:
        return ()
    names = ", ".join(result.cells.assumed)
    return (f"Fields may be too large: operations before were not followed ({names}).",)


VIEW = View(
    name="receptive_field",
    title="Receptive field",
    group=Group.INSIDE,
    summary="The part of the photo that a cell depends on, and the cells that a pixel reaches.",
    explanation=EXPLANATION,
    reference="Luo et al. 2016, Understanding the Effective Receptive Field in Deep Convolutional "
    "Neural Networks",
    Params=Params,
    compute=compute,
    draw=draw,
    data=data,
)
