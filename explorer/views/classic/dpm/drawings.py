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
HEAD = 0.16
"""Above each of them, for its name and that of the parts, in parts of all their sides."""
LEAST_HEAD = 2.0
"""In cells."""


def directions(values: Float32) -> Float32:
    """(h, w, 9): the positive weights of each orientation, with and without the contrast's sign."""
    positive = values.clip(0)
    dark, light = positive[:, :, :SECTORS], positive[:, :, SECTORS : 2 * SECTORS]
    found: Float32 = dark + light + positive[:, :, 2 * SECTORS : 3 * SECTORS]
    return found


def pane(picked: Chosen, filters: Filters) -> Pane:
    """Root filter, part filters at their anchors, and their costs; wide ones below each other."""
    component = picked.component
    rows, columns = component.root.shape[:2]
    width, height = 2.0 * columns, 2.0 * rows
    count = len(component.parts)
    drawings = 3 if count else 1
    wide = width > height
    head = max(LEAST_HEAD, HEAD * (drawings * height if wide else drawings * width))
    step = (0.0, height + head + GAP) if wide else (width + GAP, 0.0)
    corners = [(number * step[0], head + number * step[1]) for number in range(drawings)]
    angles = bin_angles(SECTORS, centered=False)
    layers: list[Layer] = [
        glyph_heat(
            directions(component.root), angles, (0.0, head, width, head + height),
            unit="weight", name="root filter",
        ),
    ]  # fmt: skip
    if count:
        (left, upper), (right, lower) = corners[1:]
        high = max(glyph_scale(directions(part.filter)) for part in component.parts)
        costs = [cost_map(part.filter.shape[:2], part.cost) for part in component.parts]
        most = max(float(values.max()) for values in costs) or 1.0
        boxes = []
        for part, cost in zip(component.parts, costs, strict=True):
            x, y = float(part.anchor[0]), float(part.anchor[1])
            h, w = part.filter.shape[:2]
            first = (left + x, upper + y, left + x + w, upper + y + h)
            second = (right + x, lower + y, right + x + w, lower + y + h)
            layers += [
                glyph_heat(
                    directions(part.filter), angles, first, high=high, unit="weight",
                    name="part filter",
                ),
                Heat(
                    cost, 0.0, most, "gray", extent=second, smooth=True, unit="cost", name="cost",
                ),
            ]  # fmt: skip
            boxes.append((x, y, x + w, y + h))
        for corner in corners[1:]:
            moved = np.array(boxes, np.float32) + np.array(corner * 2, np.float32)
            numbers = tuple(str(number + 1) for number in range(count))
            layers.append(
                Boxes(moved, part_colors(count), numbers, width=1.5, selectable=False, name="parts")
            )
    titles = ("root filter", "parts", "costs")[:drawings]
    layers += [
        _name(title, (x + width / 2, y - head))
        for title, (x, y) in zip(titles, corners, strict=True)
    ]
    name = filters.classes[picked.index]
    own = [number for number, other in enumerate(filters.classes) if other == name]
    title = f"Filters: {name}"
    if len(own) > 1:
        title += f", {own.index(picked.index) + 1} of {len(own)}"
    size = (corners[-1][0] + width, corners[-1][1] + height)
    return Pane("filters", size, tuple(layers), title=title, frame="filters")


def cost_map(size: tuple[int, ...], cost: tuple[float, float, float, float]) -> Float32:
    """The cost of each displacement, (h, w), from the part's anchor in the middle; at least 0."""
    a, b, c, d = cost
    dy, dx = (np.arange(side) - (side - 1) / 2 for side in size)
    values = (a * dx + c * dx**2)[None, :] + (b * dy + d * dy**2)[:, None]
    return values.clip(0).astype(np.float32)


def _name(words: str, place: tuple[float, float]) -> Text:
    return Text(words, place, size=9.0, anchor=(0.5, 0.0), name="name")
