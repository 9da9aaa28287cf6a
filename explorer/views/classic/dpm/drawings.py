"""The filters of a component as glyphs, and the costs of moving its parts (figure 1 there)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from explorer.core.layers import Boxes, Heat, Pane, Text
from explorer.views.classic.dpm.panes import part_colors
from explorer.views.shared.hog.glyphs import bin_angles, glyph_heat, glyph_scale
from explorer.vision.dpm.features import SECTORS

if TYPE_CHECKING:
    from explorer.core.layers import Float32, Layer
    from explorer.views.classic.dpm.search import Chosen
    from explorer.views.classic.dpm.source import Filters

GAP = 2.0
"""Between the drawings, in cells of the parts, the unit of the pane."""
HEAD = 2.0
"""Above them, for their names."""


def directions(values: Float32) -> Float32:
    """(h, w, 9): the positive weights of each orientation, with and without the contrast's sign."""
    positive = values.clip(0)
    dark, light = positive[:, :, :SECTORS], positive[:, :, SECTORS : 2 * SECTORS]
    found: Float32 = dark + light + positive[:, :, 2 * SECTORS : 3 * SECTORS]
    return found


def pane(picked: Chosen, filters: Filters) -> Pane:
    """Root filter, part filters at their anchors, and their costs, side by side."""
    component = picked.component
    rows, columns = component.root.shape[:2]
    width, height = 2.0 * columns, 2.0 * rows
    angles = bin_angles(SECTORS, centered=False)
    layers: list[Layer] = [
        glyph_heat(
            directions(component.root), angles, (0.0, HEAD, width, HEAD + height),
            unit="weight", name="root filter",
        ),
        _name("root filter", width / 2),
    ]  # fmt: skip
    count = len(component.parts)
    total = width
    if count:
        total = 3 * width + 2 * GAP
        left, right = width + GAP, 2 * (width + GAP)
        high = max(glyph_scale(directions(part.filter)) for part in component.parts)
        costs = [cost_map(part.filter.shape[:2], part.cost) for part in component.parts]
        most = max(float(values.max()) for values in costs) or 1.0
        boxes = []
        for part, cost in zip(component.parts, costs, strict=True):
            y, x = HEAD + part.anchor[1], float(part.anchor[0])
            h, w = part.filter.shape[:2]
            layers += [
                glyph_heat(
                    directions(part.filter), angles, (left + x, y, left + x + w, y + h), high=high,
                    unit="weight", name="part filter",
                ),
                Heat(
                    cost, 0.0, most, "gray", extent=(right + x, y, right + x + w, y + h),
                    smooth=True, unit="cost", name="cost",
                ),
            ]  # fmt: skip
            boxes.append((x, y, x + w, y + h))
        corners = np.array(boxes, np.float32)
        for at in (left, right):
            moved = corners + np.array([at, 0, at, 0], np.float32)
            numbers = tuple(str(number + 1) for number in range(count))
            layers.append(
                Boxes(moved, part_colors(count), numbers, width=1.5, selectable=False, name="parts")
            )
        layers += [_name("parts", left + width / 2), _name("costs", right + width / 2)]
    name = filters.classes[picked.index]
    own = [number for number, other in enumerate(filters.classes) if other == name]
    title = f"Filters: {name}"
    if len(own) > 1:
        title += f", {own.index(picked.index) + 1} of {len(own)}"
    return Pane("filters", (total, HEAD + height), tuple(layers), title=title, frame="filters")


def cost_map(size: tuple[int, ...], cost: tuple[float, float, float, float]) -> Float32:
    """The cost of each displacement, (h, w), from the part's anchor in the middle; at least 0."""
    a, b, c, d = cost
    dy, dx = (np.arange(side) - (side - 1) / 2 for side in size)
    values = (a * dx + c * dx**2)[None, :] + (b * dy + d * dy**2)[:, None]
    return values.clip(0).astype(np.float32)


def _name(words: str, x: float) -> Text:
    return Text(words, (x, 0.0), size=9.0, anchor=(0.5, 0.0), name="name")
