"""The photo with detections and one placement, and the responses that lead to its score."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from explorer.core.colormaps import class_colors
from explorer.core.layers import Boxes, Heat, Lines, Pane
from explorer.views.shared.anchors import ORANGE, WHITE, same
from explorer.views.shared.common import size_of

if TYPE_CHECKING:
    from explorer.core.layers import Colormap, Extent, Float32, Layer, Picture, UInt8
    from explorer.views.classic.dpm.search import Chosen, Working
    from explorer.views.classic.dpm.source import Filters
    from explorer.views.shared.draw_cache import DrawCache
    from explorer.vision.dpm.matching import Hypotheses

CUT = 0.02
"""The part of a map's values that are below its color scale: the faint ones are all alike."""


@dataclass(frozen=True, slots=True)
class Look:
    """How responses are drawn."""

    colormap: Colormap
    opacity: float


def part_colors(count: int) -> UInt8:
    """(count, 3) uint8, one for each part."""
    return class_colors(count + 1)[1:]  # the first one is that of the detections


def photo_pane(
    photo: Picture, working: Working, filters: Filters, shown: Hypotheses, picked: Chosen | None
) -> Pane:
    labels = tuple(
        f"{filters.classes[at]} {score:.2f}"
        for at, score in zip(shown.places[:, 0], shown.scores, strict=True)
    )
    boxes = Boxes(shown.boxes, same(ORANGE, len(labels)), labels, width=2.0, name="detections")
    layers: list[Layer] = [photo, boxes]
    title = "Detections"
    if picked is not None:
        layers += placement(working, picked)
        title += f", placement {picked.score:.2f}"
    return Pane("image", size_of(photo), tuple(layers), title=title)


def placement(working: Working, picked: Chosen) -> list[Layer]:
    """The root filter and the parts where they are, with arrows from the anchors of those moved."""
    colors = part_colors(len(picked.parts))
    root = working.in_photo(picked.root)[None]
    layers: list[Layer] = [
        Boxes(root, same(WHITE, 1), width=2.0, dotted=True, selectable=False, name="root")
    ]
    if not picked.parts:
        return layers
    boxes = np.stack([working.in_photo(part.box) for part in picked.parts])
    anchors = np.stack([working.in_photo(part.anchor) for part in picked.parts])
    layers.append(Boxes(boxes, colors, width=2.0, selectable=False, name="parts"))
    starts, ends = (_middles(corners) for corners in (anchors, boxes))
    far = np.abs(ends - starts).max(axis=1) > 1
    if far.any():
        arrows = np.concatenate([starts, ends], axis=1)[far]
        layers.append(Lines(arrows, colors[far], width=2.0, arrow=True, name="displacements"))
    return layers


def _middles(boxes: Float32) -> Float32:
    middles: Float32 = ((boxes[:, :2] + boxes[:, 2:]) / 2).astype(np.float32)
    return middles


def root_extent(working: Working, picked: Chosen, shape: tuple[int, ...]) -> Extent:
    """Where a map of root positions lies on the photo: each value in the middle of the filter."""
    size = picked.component.root.shape[:2]
    border = picked.border.down, picked.border.across
    return _extent(working, picked.scale.root.stride, border, size, shape)


def part_extent(working: Working, picked: Chosen, part: int, shape: tuple[int, ...]) -> Extent:
    """The same for a map of positions of part number `part`, from 0."""
    size = picked.component.parts[part].filter.shape[:2]
    border = 2 * picked.border.down, 2 * picked.border.across
    return _extent(working, picked.scale.fine.stride, border, size, shape)


def _extent(
    working: Working, stride: float, border: tuple[int, int], size: tuple[int, ...],
    shape: tuple[int, ...],
) -> Extent:  # fmt: skip
    y0, x0 = ((1 - edge + (side - 1) / 2) * stride for edge, side in zip(border, size, strict=True))
    corners = x0, y0, x0 + shape[1] * stride, y0 + shape[0] * stride
    left, top, right, bottom = (float(side) for side in working.in_photo(corners))
    return left, top, right, bottom


def span(values: Float32) -> tuple[float, float]:
    """The ends of a map's color scale."""
    if not values.size:
        return 0.0, 1.0
    low, high = float(np.quantile(values, CUT)), float(values.max())
    return low, high if high > low else low + 1.0


def responses(
    photo: Picture, working: Working, picked: Chosen, look: Look, *, part: int, added: int,
    cache: DrawCache,
) -> tuple[Pane, ...]:  # fmt: skip
    """The root's response, part number `part` before and after the transform, and the sum."""
    its = picked.responses
    extent = root_extent(working, picked, its.root.shape)
    every = added == len(picked.parts)
    total = cache.get(("sum", added), lambda: summed(picked, added))
    root = working.in_photo(picked.root)[None]
    mark = Boxes(root, same(WHITE, 1), width=1.5, selectable=False, name="root")

    def pane(name: str, values: Float32, where: Extent, title: str, frame: Layer) -> Pane:
        key = (name, part if "part" in name else added if name == "sum" else 0, look)

        def heat() -> Heat:
            low, high = span(values)
            return Heat(
                values, low, high, look.colormap, extent=where, opacity=look.opacity, smooth=False,
                unit="score" if name == "sum" else "response", name=name,
            )  # fmt: skip

        return Pane(name, size_of(photo), (photo, cache.get(key, heat), frame), title=title)

    found = [pane("root", its.root, extent, "1. Root filter", mark)]
    if part and its.raw[part - 1].size:
        values, moved = its.raw[part - 1], its.moved[part - 1]
        where = part_extent(working, picked, part - 1, values.shape)
        colors = part_colors(len(picked.parts))[part - 1 : part]
        placed = picked.parts[part - 1]
        here = Boxes(
            working.in_photo(placed.box)[None], colors, width=2.0, selectable=False, name="part"
        )
        anchor = Boxes(
            working.in_photo(placed.anchor)[None], colors, width=2.0, dotted=True,
            selectable=False, name="part",
        )  # fmt: skip
        found += [
            pane("part", values, where, f"2. Part {part}", here),
            pane("part moved", moved, where, f"3. Part {part}, transformed", anchor),
        ]
    words = "all parts and bias" if every else f"{added} of {len(picked.parts)} parts"
    found.append(pane("sum", total, extent, f"4. Root + {words}", mark))
    return tuple(found)


def summed(picked: Chosen, added: int) -> Float32:
    """The root's response and what the first `added` parts add; with all of them the bias."""
    its = picked.responses
    if added == len(picked.parts):
        return its.score
    total: Float32 = its.root + its.added[:added].sum(axis=0)
    return total
