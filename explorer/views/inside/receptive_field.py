"""The part of the photo that a cell of a layer depends on, and the cells that a pixel reaches."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from explorer.core.layers import Board, Boxes, Curve, Heat, Masks, Pane, Plot, Points, Table
from explorer.core.listing import quantity
from explorer.core.params import Effect, Pick, Point, param
from explorer.core.step import Step
from explorer.engine.stages import fields_of
from explorer.engine.view import Group, View
from explorer.views.shared.common import CROP_COLOR, default_layer, photo_of, size_of
from explorer.views.shared.draw_cache import DrawCache
from explorer.vision.features.receptive_field import effective_field

if TYPE_CHECKING:
    from collections.abc import Generator

    from explorer.core.layers import Float32, Layer, Picture
    from explorer.core.network_info import NetworkInfo
    from explorer.engine.scene import Scene
    from explorer.networks.preprocess import Frame
    from explorer.vision.features.receptive_field import EffectiveField, Fields, LayerFields

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

**Projective field.** The other picture turns the question around: which cells of the layer can the
pixel under the mouse influence? Those whose frame contains it. The plots show both over the depth
of the network.

**Sources.** Luo, Li, Urtasun and Zemel 2016, *Understanding the Effective Receptive Field in Deep
Convolutional Neural Networks*; Araujo, Norris and Sim 2019, *Computing Receptive Fields of
Convolutional Neural Networks* (the formula); Lehky and Sejnowski 1988, *Network Model of
Shape-from-Shading* (the projective field).
"""

ORANGE = (255, 160, 40)
BLUE = (70, 150, 255)
CUT = 0.995
"""The part of the gradients that the color scale spans."""


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
        pick=Pick.CLICK, pane="image",
    )  # fmt: skip
    at: Point | None = param(
        None, "Under the mouse", "Shows the theoretical field of the cell under the mouse.",
        effect=Effect.DRAW, pick=Pick.HOVER, pane="image", advanced=True,
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


@dataclass(frozen=True, slots=True, eq=False)
class Result:
    """`effective` is of the cell at `place`, its gradient over `extent` of the photo, or None.

    `to_input` leads from the photo to the network's input; `shown` names the layers
    of the plots and the table, of which `depth` are not behind the chosen one.
    """

    photo: Picture
    layer: str
    fields: Fields
    to_input: Frame
    shown: tuple[str, ...]
    depth: int
    place: Point
    extent: tuple[float, float, float, float]
    effective: EffectiveField | None = None
    cache: DrawCache = field(default_factory=DrawCache)

    @property
    def cells(self) -> LayerFields:
        return self.fields[self.layer]

    @property
    def frame(self) -> Frame:
        """From the photo to the pixels that fields are counted in."""
        return self.to_input.then(self.fields.frame)

    @property
    def to_cells(self) -> Frame:
        return self.to_input.then(self.fields.to_cells(self.layer))

    def cell(self, point: Point) -> tuple[int, int] | None:
        """Row and column of the layer's cell at a place of the photo."""
        height, width = self.cells.xyxy.shape[:2]
        if not self.cells.spatial:
            return 0, 0
        across, down = self.to_cells.point(point.x, point.y)
        row, column = int(np.floor(down)), int(np.floor(across))
        return (row, column) if 0 <= row < height and 0 <= column < width else None


def compute(scene: Scene, params: Params) -> Generator[Step[Result], Any, None]:
    info = scene.network.info
    layer = params.layer or default_layer(info)
    height, width = scene.input().shape[-2:]
    found = fields_of(scene)
    rows, columns = scene.image.pixels.shape[:2]
    shown = _steps(info, found)
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


def _steps(info: NetworkInfo, found: Fields) -> tuple[str, ...]:
    """The layers with maps where fields or cells are others than in the layer before.

    Batch norms and activation functions repeat them; a layer that only pads adds cells of nothing.
    """
    shown: list[str] = []
    size, shape = (0.0, 0.0), (0, 0)
    for entry in info.layers:
        cells = found.layers.get(entry.name)
        if not entry.leaf or cells is None or not cells.spatial:
            continue
        now = cells.xyxy.shape[:2]
        pads = cells.size == size and not (cells.xyxy[..., 2] > cells.xyxy[..., 0]).all()
        if (cells.size, now) != (size, shape) and not pads:
            shown.append(entry.name)
            size, shape = cells.size, (now[0], now[1])
    return tuple(shown)


def draw(result: Result, params: Params) -> Board:
    here = params.at or result.place
    cell, pixel = result.cell(here), result.frame.point(here.x, here.y)
    clicked = cell is not None and cell == result.cell(result.place)
    growth = result.cache.get("growth", lambda: _growth(result))
    return Board(
        panes=(
            _field_pane(result, params, cell, clicked=clicked),
            _reached_pane(result, here, pixel),
        ),
        plots=(growth, _reach_plot(result, pixel)),
        tables=(_table(result, pixel),),
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
        found |= {"cell": cell, "field_in_input": box, "field": _on_photo(result, box)}
    if result.effective is not None:
        found |= {"gradient": result.effective.gradient, "extent": result.extent}
        found |= {"channel": result.effective.channel, "effective_area": result.effective.area}
    return found


def _on_photo(result: Result, box: Float32) -> Float32:
    on_photo: Float32 = result.frame.inverse().boxes(box[None])[0]
    return on_photo


def _box(xyxy: Float32, color: tuple[int, int, int], name: str, *, dotted: bool = False) -> Boxes:
    colors = np.array([color], np.uint8)
    return Boxes(
        xyxy.reshape(1, 4).astype(np.float32), colors, dotted=dotted, selectable=False, name=name
    )


def _field_pane(
    result: Result, params: Params, cell: tuple[int, int] | None, *, clicked: bool
) -> Pane:
    layers: list[Layer] = [result.photo]
    title = "Outside the network's input"
    if clicked and result.effective is not None and result.effective.gradient.any():
        layers.append(result.cache.get(params.opacity, lambda: _heat(result, params.opacity)))
    layers.append(_box(np.array(result.extent), CROP_COLOR, "input", dotted=True))
    if cell is not None:
        row, column = cell
        if result.cells.spatial:
            place = np.array([column, row, column + 1, row + 1], np.float32)
            layers.append(_box(result.to_cells.inverse().boxes(place[None])[0], BLUE, "cell"))
            title = f"Field of row {row}, column {column}"
        else:
            title = "Field of all units"
        layers.append(_box(_on_photo(result, result.cells.xyxy[cell]), ORANGE, "field"))
    return Pane("image", size_of(result.photo), tuple(layers), title=title)


def _heat(result: Result, opacity: float) -> Heat:
    assert result.effective is not None
    values = result.effective.gradient
    high = float(np.quantile(values[values > 0], CUT))
    return Heat(
        values, 0.0, high, "viridis", extent=result.extent, opacity=opacity, alpha_by_value=True,
        unit="|dy/dx|", name="gradient",
    )  # fmt: skip


def _reached_pane(result: Result, here: Point, pixel: tuple[float, float]) -> Pane:
    reached = result.cells.reached(*pixel)
    height, width = reached.shape
    count = int(reached.sum())
    mask = result.cache.get(
        ("reached", *map(int, pixel)),
        lambda: Masks(
            np.where(reached, np.int32(0), np.int32(-1)).astype(np.int32),
            np.array([BLUE], np.uint8),
            extent=result.to_cells.inverse().extent(width, height),
            opacity=0.35,
            name="reached",
        ),
    )
    at = Points(
        np.array([[here.x, here.y]], np.float32), np.array([ORANGE], np.uint8), name="pixel"
    )
    layers: tuple[Layer, ...] = (result.photo, mask, at) if result.cells.spatial else (
        result.photo, at,
    )  # fmt: skip
    return Pane(
        "reached", size_of(result.photo), layers,
        title=f"This pixel reaches {quantity(count, 'cell')}",
    )  # fmt: skip


def _growth(result: Result) -> Plot:
    """The width of the fields over the layers that have maps."""
    widths = np.array([result.fields[name].size[0] for name in result.shown])
    return _over_layers(result, "growth", "Theoretical field", "width [px of the input]", widths)


def _reach_plot(result: Result, pixel: tuple[float, float]) -> Plot:
    parts = [100.0 * float(result.fields[name].reached(*pixel).mean()) for name in result.shown]
    return _over_layers(result, "reach", "Projective field", "cells reached [%]", np.array(parts))


def _over_layers(
    result: Result, name: str, title: str, label: str, values: np.ndarray[Any, Any]
) -> Plot:
    x = np.arange(1.0, len(values) + 1)
    return Plot(
        name, title, "layers where fields or cells change, in their order", label,
        curves=(Curve(x, values.astype(np.float64)),), marker=float(max(result.depth, 1)),
        whole_x=True,
    )  # fmt: skip


def _table(result: Result, pixel: tuple[float, float]) -> Table:
    rows = []
    area = result.fields.size[0] * result.fields.size[1]
    for name in result.shown:
        cells = result.fields[name]
        height, width = cells.xyxy.shape[:2]
        across, down = cells.size
        least = "at least " if cells.padded.all() else ""
        rows.append(
            (
                name, f"{width} x {height}", f"{least}{across:.0f} x {down:.0f}",
                f"{100 * across * down / area:.1f}%", int(cells.reached(*pixel).sum()),
            )
        )  # fmt: skip
    columns = ("layer", "cells", "field [px]", "of the input", "cells reached")
    return Table("layers", columns, tuple(rows), title="Layers")


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
