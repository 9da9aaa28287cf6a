"""Scores of root placements, the best place of each part, and the detections of a photo."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch.nn import functional as F

from explorer.vision.dpm.features import INTERVAL, scales
from explorer.vision.dpm.transform import distance_transform

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from explorer.vision.dpm.features import Scale
    from explorer.vision.dpm.models import Component, Model

    Float32 = NDArray[np.float32]
    Places = NDArray[np.intp]

FIRST = 1
"""The fine cell, without a border, at the corner of the first root cell.

Cells at the border of a picture are cut off (see `hog`), and those of the root are twice as large.
"""
SHORT = 5e-8
"""By how much the stride of sizes falls short for each scale: a width of 160 pixels becomes 159."""
SUPPRESSED_FROM = 0.5
"""The share of a lower-scoring box that may lie within a higher-scoring one."""


@dataclass(frozen=True, slots=True)
class Border:
    """Cells of zeros around the root's map; the fine map has twice as many.

    Objects that the photo's border cuts are found with it.
    """

    down: int
    across: int

    @classmethod
    def of(cls, model: Model) -> Border:
        height, width = model.largest
        return cls((height + 1) // 2 + 1, (width + 1) // 2 + 1)


@dataclass(frozen=True, slots=True, eq=False)
class Responses:
    """What the filters of a component give at one scale, step by step.

    Position (i, j) of a root map is that of the filter's upper left cell, in cells from the corner
    of the border.

    Attributes:
        root: (H, W) float32, the root filter's response.
        raw: Of each part, its filter's response (h, w) at all fine cells.
        moved: Of each part, `raw` after the distance transform.
        x: Of each part, (h, w) the x of the position that `moved` has its value from.
        y: The same for y.
        added: (P, H, W) float32, what each part adds to the score of each root position.
        score: (H, W) float32, the sum with the bias.
    """

    root: Float32
    raw: tuple[Float32, ...]
    moved: tuple[Float32, ...]
    x: tuple[Places, ...]
    y: tuple[Places, ...]
    added: Float32
    score: Float32


@dataclass(frozen=True, slots=True, eq=False)
class Placement:
    """Where a part is for one root position, and what that gives.

    `dx` and `dy` are fine cells from the anchor, `box` xyxy in the photo's pixels, `anchor` the
    same of the place it has no cost at; what the part adds is `response - cost`.
    """

    dx: int
    dy: int
    response: float
    cost: float
    box: tuple[float, float, float, float]
    anchor: tuple[float, float, float, float]


@dataclass(frozen=True, slots=True, eq=False)
class Hypotheses:
    """Root placements with their scores, the highest first.

    Attributes:
        boxes: (N, 4) float32 xyxy of the objects, whole pixels of the photo, inside of it.
        scores: (N,) float32.
        places: (N, 4) component, scale, row and column in the root's map.
    """

    boxes: Float32
    scores: Float32
    places: Places


def convolved(cells: Float32, filters: Sequence[Float32]) -> list[Float32]:
    """The response of each filter (h, w, 31) at all places where it fits into the cells."""
    grid = torch.from_numpy(np.ascontiguousarray(cells.transpose(2, 0, 1)))[None]
    found: list[Float32] = [np.empty((0, 0), np.float32)] * len(filters)
    shapes = [values.shape for values in filters]
    for shape in dict.fromkeys(shapes):
        rows = [place for place, other in enumerate(shapes) if other == shape]
        if shape[0] > cells.shape[0] or shape[1] > cells.shape[1]:
            continue
        weights = np.stack([filters[row].transpose(2, 0, 1) for row in rows])
        maps = F.conv2d(grid, torch.from_numpy(weights))[0].numpy()
        for row, values in zip(rows, maps, strict=True):
            found[row] = values
    return found


def bordered(cells: Float32, down: int, across: int) -> Float32:
    """The cells with zeros around them."""
    return np.pad(cells, ((down, down), (across, across), (0, 0)))


@torch.no_grad()
def respond(scale: Scale, component: Component, border: Border) -> Responses | None:
    """What the component gives at a scale; None where its root filter does not fit.

    A part that does not fit at its anchor adds 0.
    """
    coarse = bordered(scale.root.cells, border.down, border.across)
    fine = bordered(scale.fine.cells, 2 * border.down, 2 * border.across)
    (root,) = convolved(coarse, [component.root])
    if root.size == 0:
        return None
    raw = convolved(fine, [part.filter for part in component.parts])
    count = len(raw)
    moved: list[Float32] = list(raw)
    x: list[Places] = [np.zeros(values.shape, np.intp) for values in raw]
    y: list[Places] = [np.zeros(values.shape, np.intp) for values in raw]
    for shape in dict.fromkeys(values.shape for values in raw):
        rows = [place for place in range(count) if raw[place].shape == shape]
        if 0 in shape:
            continue
        costs = np.array([component.parts[row].cost for row in rows])
        found = distance_transform(np.stack([raw[row] for row in rows]), costs)
        for place, row in enumerate(rows):
            moved[row], x[row], y[row] = (values[place] for values in found)
    added = np.zeros((count, *root.shape), np.float32)
    for number, part in enumerate(component.parts):
        across, down = (side + FIRST for side in part.anchor)
        here = moved[number][down::2, across::2][: root.shape[0], : root.shape[1]]
        added[number, : here.shape[0], : here.shape[1]] = here
    score = root + added.sum(axis=0) + np.float32(component.bias)
    return Responses(root, tuple(raw), tuple(moved), tuple(x), tuple(y), added, score)


def root_box(
    scale: Scale, component: Component, border: Border, row: int, column: int
) -> tuple[float, float, float, float]:
    """The root filter at a position of its map, xyxy in the photo's pixels."""
    stride = scale.root.stride
    height, width = component.root.shape[:2]
    x, y = (column - border.across + 1) * stride, (row - border.down + 1) * stride
    return x, y, x + width * stride, y + height * stride


def placements(
    scale: Scale, component: Component, responses: Responses, border: Border, row: int, column: int
) -> tuple[Placement, ...]:
    """Where each part is when the root is at (row, column) of its map."""
    stride = scale.fine.stride
    found = []
    for number, part in enumerate(component.parts):
        x, y = (2 * at + FIRST + side for at, side in zip((column, row), part.anchor, strict=True))
        raw = responses.raw[number]
        height, width = part.filter.shape[:2]
        placed_x, placed_y, response = x, y, 0.0
        if y < raw.shape[0] and x < raw.shape[1]:
            placed_x = int(responses.x[number][y, x])
            placed_y = int(responses.y[number][y, x])
            response = float(raw[placed_y, placed_x])
        dx, dy = placed_x - x, placed_y - y

        def box(left: int, top: int, wide: int = width, high: int = height) -> tuple[float, ...]:
            x0 = (left - 2 * border.across + 1) * stride
            y0 = (top - 2 * border.down + 1) * stride
            return x0, y0, x0 + wide * stride, y0 + high * stride

        x0, y0, x1, y1 = box(placed_x, placed_y)
        a0, b0, a1, b1 = box(x, y)
        found.append(
            Placement(dx, dy, response, part.cost_of(dx, dy), (x0, y0, x1, y1), (a0, b0, a1, b1))
        )
    return tuple(found)


def hypotheses(
    scale: Scale,
    responses: Responses,
    component: Component,
    border: Border,
    number: tuple[int, int],
    above: float,
    size: tuple[int, int],
) -> Hypotheses:
    """The root positions of one scale with a score above `above`.

    Args:
        scale: As `respond` had it.
        responses: Of it.
        component: The same.
        border: The same.
        number: Of the component and of the scale.
        above: The score threshold.
        size: Height and width of the photo, to which boxes are cut.
    """
    rows, columns = np.nonzero(responses.score > above)
    stride = scale.root.stride
    height, width = component.root.shape[:2]
    x = (columns - border.across + 1) * stride
    y = (rows - border.down + 1) * stride
    x0, y0, x1, y1 = component.box
    # Whole pixels, as OpenCV has them: whether a box lies half within another depends on it. Its
    # strides for sizes are powers of a float32 number, by so much below those of places.
    less = 1 - SHORT * number[1]
    wide, high = width * stride * less, height * stride * less
    left, top = np.trunc(x + x0 * wide), np.trunc(y + y0 * high)
    right, bottom = np.trunc(left + (x1 - x0) * wide), np.trunc(top + (y1 - y0) * high)
    boxes = np.stack([left, top, right, bottom], axis=1)
    boxes = boxes.clip(0, [size[1] - 1, size[0] - 1] * 2).astype(np.float32)
    places = np.stack(
        [np.full(len(rows), number[0]), np.full(len(rows), number[1]), rows, columns], axis=1
    )
    return ranked([Hypotheses(boxes, responses.score[rows, columns], places)])


def ranked(several: Sequence[Hypotheses], most: int | None = None) -> Hypotheses:
    """All of them, the highest score first, at most `most`."""
    scores = np.concatenate([np.zeros(0, np.float32), *(some.scores for some in several)])
    boxes = np.concatenate([np.zeros((0, 4), np.float32), *(some.boxes for some in several)])
    places = np.concatenate([np.zeros((0, 4), np.intp), *(some.places for some in several)])
    order = np.argsort(-scores, kind="stable")[:most]
    return Hypotheses(boxes[order], scores[order], places[order])


def kept(boxes: Float32, share: float = SUPPRESSED_FROM) -> Places:
    """Rows of the detections among boxes (N, 4), the highest-scoring first.

    Suppressed is a box of which more than `share` lies within one that is kept (section 5.3; pixels
    are counted, as there).
    """
    left = np.arange(len(boxes))
    areas = (boxes[:, 2:] - boxes[:, :2] + 1).prod(axis=1)
    found: list[int] = []
    while len(left):
        first, left = left[0], left[1:]
        found.append(int(first))
        low = np.maximum(boxes[first, :2], boxes[left, :2])
        high = np.minimum(boxes[first, 2:], boxes[left, 2:])
        shared = (high - low + 1).clip(0).prod(axis=1)
        left = left[shared <= share * areas[left]]
    return np.array(found, np.intp)


def detect(
    pixels: NDArray[np.uint8],
    model: Model,
    *,
    above: float | None = None,
    interval: int = INTERVAL,
    most: int = 5000,
) -> Hypotheses:
    """The detections of a model in a photo, (h, w, 3) uint8: all scales, then suppression.

    Args:
        pixels: The photo.
        model: Its filters.
        above: The score threshold; by default the model's.
        interval: Scales in an octave.
        most: Of the highest-scoring placements, which go into the suppression.

    Raises:
        ExplorerError: See `features.scales`.
    """
    border = Border.of(model)
    least = model.threshold if above is None else above
    found = []
    for number, _, scale in scales(pixels, interval):
        for index, component in enumerate(model.components):
            responses = respond(scale, component, border)
            if responses is not None:
                size = pixels.shape[0], pixels.shape[1]
                place = index, number
                found.append(hypotheses(scale, responses, component, border, place, least, size))
    every = ranked(found, most)
    rows = kept(every.boxes)
    return Hypotheses(every.boxes[rows], every.scores[rows], every.places[rows])
