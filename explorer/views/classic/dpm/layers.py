"""The scale of the chosen placement as the layers of a CNN, compared with the steps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from explorer.core.layers import Boxes, Heat, Pane, Table
from explorer.views.classic.dpm.drawings import directions
from explorer.views.classic.dpm.panes import part_colors, root_extent, span
from explorer.views.shared.anchors import WHITE, same
from explorer.views.shared.common import size_of
from explorer.views.shared.hog.glyphs import bin_angles, glyph_heat
from explorer.vision.dpm.features import SECTORS
from explorer.vision.features.mosaics import Tiling

if TYPE_CHECKING:
    from explorer.core.layers import Float32, Picture
    from explorer.views.classic.dpm.panes import Look
    from explorer.views.classic.dpm.search import Chosen, Working
    from explorer.views.shared.draw_cache import DrawCache
    from explorer.vision.dpm.network import LayerOutput

TITLES = {
    "root": ("1. Convolution: root", "root filter"),
    "parts": ("2. Convolutions: parts", "part filters"),
    "pooled": ("3. Distance transform pooling", "distance transform"),
    "geometry": ("4. Object geometry filter", "value at the anchor"),
    "score": ("5. Sum and bias", "score"),
}
"""Of each layer: the pane's title, and the step that it stands for."""


@dataclass(frozen=True, slots=True, eq=False)
class Compared:
    """The layers beside the steps, and in words how far they are apart."""

    table: Table
    words: str


def steps_of(picked: Chosen) -> dict[str, list[Float32]]:
    """The maps of the steps by the layer that computes the same."""
    its = picked.responses
    return {
        "root": [its.root], "parts": list(its.raw), "pooled": list(its.moved),
        "geometry": list(its.added), "score": [its.score],
    }  # fmt: skip


def largest_difference(maps: list[Float32], output: Float32) -> float:
    """Between maps of any size and the channels of a layer, which are filled up with zeros."""
    most = 0.0
    for values, channel in zip(maps, output, strict=True):
        height, width = values.shape
        if values.size:
            most = max(most, float(np.abs(values - channel[:height, :width]).max()))
    return most


def compared(picked: Chosen, outputs: tuple[LayerOutput, ...]) -> Compared:
    steps = steps_of(picked)
    rows: list[tuple[str | int | float, ...]] = []
    for output in outputs:
        apart = largest_difference(steps[output.name], output.values)
        shape = " x ".join(str(side) for side in output.values.shape)
        rows.append(
            (output.name, TITLES[output.name][1], output.words, shape, output.weights,
             float(f"{apart:.2g}"))
        )  # fmt: skip
    columns = ("layer", "step", "kind", "output", "weights", "largest difference")
    table = Table("layers", columns, tuple(rows), title="Layers of the CNN beside the steps")
    return Compared(table, f"CNN and steps differ by at most {rows[-1][-1]:g}")


def panes(
    photo: Picture, working: Working, picked: Chosen, outputs: tuple[LayerOutput, ...], look: Look,
    cache: DrawCache,
) -> tuple[Pane, ...]:  # fmt: skip
    """The input and the output of every layer."""
    found = [cache.get("cells", lambda: _cells(photo, working, picked))]
    for output in outputs:
        found.append(
            cache.get(
                (output.name, look),
                lambda output=output: (  # type: ignore[misc]
                    _over(photo, working, picked, output, look)
                    if len(output.values) == 1
                    else _mosaic(picked, output, look)
                ),
            )
        )
    return tuple(found)


def _cells(photo: Picture, working: Working, picked: Chosen) -> Pane:
    """The cells of the root filter's level over the photo."""
    level = picked.scale.root
    height, width = level.cells.shape[:2]
    corners = (level.stride, level.stride, (width + 1) * level.stride, (height + 1) * level.stride)
    x0, y0, x1, y1 = (float(side) for side in working.in_photo(corners))
    glyphs = glyph_heat(
        directions(level.cells), bin_angles(SECTORS, centered=False), (x0, y0, x1, y1),
        unit="cells", name="cells",
    )  # fmt: skip
    root = Boxes(
        working.in_photo(picked.root)[None], same(WHITE, 1), width=1.5, selectable=False,
        name="root",
    )  # fmt: skip
    return Pane("cells", size_of(photo), (photo, glyphs, root), title="Input: HOG cells")


def _over(
    photo: Picture, working: Working, picked: Chosen, output: LayerOutput, look: Look
) -> Pane:
    values = output.values[0]
    low, high = span(values)
    heat = Heat(
        values, low, high, look.colormap, extent=root_extent(working, picked, values.shape),
        opacity=look.opacity, unit="response", name=output.name,
    )  # fmt: skip
    return Pane(output.name, size_of(photo), (photo, heat), title=TITLES[output.name][0])


def _mosaic(picked: Chosen, output: LayerOutput, look: Look) -> Pane:
    """All channels of a layer, each with its part's color around it, on one scale."""
    count, height, width = output.values.shape
    tiling = Tiling.of(count, height + 1, width + 1)
    maps = np.full((count, height + 1, width + 1), np.nan, np.float32)
    maps[:, :height, :width] = output.values
    low, high = span(output.values)
    mosaic = Heat(tiling.mosaic(maps), low, high, look.colormap, unit="response", name=output.name)
    frames = tiling.boxes() - np.array([0, 0, 1, 1], np.float32)
    numbers = tuple(str(number + 1) for number in range(count))
    boxes = Boxes(
        frames, part_colors(len(picked.parts)), numbers, width=1.5, selectable=False, name="parts"
    )
    size = float(tiling.size[0]), float(tiling.size[1])
    return Pane(output.name, size, (mosaic, boxes), title=TITLES[output.name][0], frame=output.name)
