"""The field of a cell on the photo, and the cells that a pixel reaches, layer by layer."""

from __future__ import annotations

from math import ceil
from typing import TYPE_CHECKING

import numpy as np

from explorer.core.layers import Boxes, Heat, Masks, Pane, Picture, Points
from explorer.core.listing import quantity
from explorer.views.shared.common import CROP_COLOR, size_of
from explorer.views.shared.grids.cells import BLUE, ORANGE
from explorer.vision.features.mosaics import Tiling

if TYPE_CHECKING:
    from explorer.core.layers import Float32, Layer
    from explorer.core.values import Point
    from explorer.views.inside.receptive_field.result import Result

PLATE = (70, 76, 88)
"""Under the words above a picture."""
CUT = 0.995
"""The part of the gradients that the color scale spans."""
LAYERS = 6
"""Of which the projective fields are drawn side by side, from the first to the last."""
TILE = 240.0
"""The longer side of such a picture in units of its pane."""
ABOVE, BETWEEN = 56, 10
"""Units above a picture, for its words, and between two."""
SMALLER = 480
"""Pixels of the longer side of the photo in them."""


def _box(xyxy: Float32, color: tuple[int, int, int], name: str, *, dotted: bool = False) -> Boxes:
    colors = np.array([color], np.uint8)
    return Boxes(
        xyxy.reshape(1, 4).astype(np.float32), colors, dotted=dotted, selectable=False, name=name
    )


def field_pane(
    result: Result, cell: tuple[int, int] | None, opacity: float, *, clicked: bool
) -> Pane:
    layers: list[Layer] = [result.photo]
    title = "Outside the network's input"
    if clicked and result.effective is not None and result.effective.gradient.any():
        layers.append(result.cache.get(opacity, lambda: _heat(result, opacity)))
    layers.append(_box(np.array(result.extent), CROP_COLOR, "input", dotted=True))
    if cell is not None:
        row, column = cell
        if result.cells.spatial:
            place = np.array([column, row, column + 1, row + 1], np.float32)
            layers.append(_box(result.to_cells.inverse().boxes(place[None])[0], BLUE, "cell"))
            title = f"Field of row {row}, column {column}"
        else:
            title = "Field of all units"
        layers.append(_box(result.on_photo(result.cells.xyxy[cell]), ORANGE, "field"))
    return Pane("image", size_of(result.photo), tuple(layers), title=title)


def _heat(result: Result, opacity: float) -> Heat:
    assert result.effective is not None
    values = result.effective.gradient
    high = float(np.quantile(values[values > 0], CUT))
    return Heat(
        values, 0.0, high, "viridis", extent=result.extent, opacity=opacity, alpha_by_value=True,
        unit="|dy/dx|", name="gradient",
    )  # fmt: skip


def reached_pane(result: Result, here: Point, pixel: tuple[float, float]) -> Pane:
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


def layers_pane(result: Result, here: Point, pixel: tuple[float, float]) -> Pane:
    """The projective field of the pixel in several layers, from the first to the last."""
    width, height = size_of(result.photo)
    scale = TILE / max(width, height)
    wide, high = width * scale, height * scale
    names = _spread_over(result.shown)
    across = min(LAYERS // 2, max(len(names), 1))
    tiling = Tiling(len(names), ceil(high) + ABOVE, ceil(wide) + BETWEEN, across)
    corners = [(x + BETWEEN / 2, y + ABOVE - 4.0) for x, y in map(tiling.corner, range(len(names)))]
    layers: list[Layer] = [
        _small(result, (x, y, x + wide, y + high)) for x, y in corners
    ]  # drawn first: a map may be a little larger than the photo
    layers += result.cache.get(
        ("layers", *map(int, pixel)),
        lambda: [
            _tile(result, name, corner, scale, pixel)
            for name, corner in zip(names, corners, strict=True)
        ],
    )
    words = []
    for name in names:
        reached = result.fields[name].reached(*pixel)
        words.append(f"{name}\n{int(reached.sum()):,} of {quantity(reached.size, 'cell')}")
    above = np.array([[x, y - ABOVE + 6, x + wide, y - 2] for x, y in corners], np.float32)
    shades = np.tile(np.array([PLATE], np.uint8), (len(names), 1))
    layers.append(
        Boxes(
            above.reshape(-1, 4), shades, labels=tuple(words), width=1.0, fill=1.0, letters=18.0,
            selectable=False, name="words",
        )
    )  # fmt: skip
    at = np.array([[x + here.x * scale, y + here.y * scale] for x, y in corners], np.float32)
    tints = np.tile(np.array([ORANGE], np.uint8), (len(corners), 1))
    layers.append(Points(at.reshape(-1, 2), tints, radius=2.0, name="pixels"))
    size = tiling.size
    return Pane(
        "layers", (float(size[0]), float(size[1])), tuple(layers),
        title="Cells reached, layer by layer", frame="layers", drawing=True,
    )  # fmt: skip


def _tile(
    result: Result, name: str, corner: tuple[float, float], scale: float, pixel: tuple[float, float]
) -> Masks:
    """The cells of a layer that the pixel reaches, over a small photo."""
    reached = result.fields[name].reached(*pixel)
    rows, columns = reached.shape
    to_photo = result.to_input.then(result.fields.to_cells(name)).inverse()
    x0, y0, x1, y1 = (scale * side for side in to_photo.extent(columns, rows))
    x, y = corner
    return Masks(
        np.where(reached, np.int32(0), np.int32(-1)).astype(np.int32),
        np.array([BLUE], np.uint8), extent=(x + x0, y + y0, x + x1, y + y1), opacity=0.55,
        outline=False, name=name,
    )  # fmt: skip


def _spread_over(names: tuple[str, ...]) -> tuple[str, ...]:
    """The first, the last and some evenly between."""
    if len(names) <= LAYERS:
        return names
    return tuple(names[round(k)] for k in np.linspace(0, len(names) - 1, LAYERS))


def _small(result: Result, extent: tuple[float, float, float, float]) -> Picture:
    """The photo in few pixels, the same array for all of them."""

    def made() -> Picture:
        apart = max(1, max(result.photo.rgb.shape) // SMALLER)
        return Picture(np.ascontiguousarray(result.photo.rgb[::apart, ::apart]))

    rgb = result.cache.get("small", made).rgb
    return Picture(rgb, extent=extent, opacity=0.75, name="small")
