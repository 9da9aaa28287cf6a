"""What the view computes: all scales of a photo, and one placement in detail."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import cv2
import numpy as np

from explorer.core.errors import ExplorerError
from explorer.vision.dpm.features import LEAST_SIDE
from explorer.vision.dpm.matching import (
    Border,
    Hypotheses,
    placements,
    ranked,
    root_box,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from explorer.core.layers import UInt8
    from explorer.vision.dpm.features import Scale
    from explorer.vision.dpm.matching import Placement, Responses
    from explorer.vision.dpm.models import Component, Model

SMALL = 2 * LEAST_SIDE
"""A photo with a smaller side is enlarged first, in pixels."""
LONGEST = 2048
"""Pixels of the longer side of an enlarged photo at most."""


@dataclass(frozen=True, slots=True, eq=False)
class Working:
    """The photo at the size that is searched; `share` is its width and height by the photo's."""

    pixels: UInt8
    share: tuple[float, float]

    @property
    def size(self) -> tuple[int, int]:
        """Height and width."""
        return self.pixels.shape[0], self.pixels.shape[1]

    def in_photo(self, box: Sequence[float]) -> NDArray[np.float32]:
        """A box xyxy of the working size in the photo's pixels."""
        moved: NDArray[np.float32] = np.asarray(box, np.float32) / self.corners
        return moved

    @property
    def corners(self) -> NDArray[np.float32]:
        """`share` for the four sides of a box."""
        return np.array([*self.share, *self.share], np.float32)


def working(pixels: UInt8, side: int) -> Working:
    """The photo with a longer side of at most `side`, and a shorter one of at least `SMALL`.

    Raises:
        ExplorerError: It is so long and narrow that it cannot be.
    """
    height, width = pixels.shape[:2]
    factor = max(min(1.0, side / max(height, width)), SMALL / min(height, width))
    if factor * max(height, width) > max(LONGEST, side):
        raise ExplorerError(
            f"A photo of {width} x {height} pixels is too narrow for the filters.",
            "Choose a photo with other proportions.",
        )
    if factor == 1.0:
        return Working(pixels, (1.0, 1.0))
    size = max(1, round(width * factor)), max(1, round(height * factor))
    how = cv2.INTER_AREA if factor < 1 else cv2.INTER_LINEAR
    small = np.asarray(cv2.resize(pixels, size, interpolation=how), np.uint8)
    return Working(small, (size[0] / width, size[1] / height))


@dataclass
class Found:
    """The scales so far: cells, what each component gives there, and all placements."""

    scales: list[Scale] = field(default_factory=list)
    responses: list[list[Responses | None]] = field(default_factory=list)
    placed: list[Hypotheses] = field(default_factory=list)


@dataclass(frozen=True, slots=True, eq=False)
class Chosen:
    """One placement in detail; boxes are xyxy in pixels of the working size.

    `index` and `number` count components and scales, `row` and `column` are in the root's map.
    """

    index: int
    number: int
    row: int
    column: int
    component: Component
    scale: Scale
    border: Border
    responses: Responses
    parts: tuple[Placement, ...]
    root: tuple[float, float, float, float]
    box: tuple[float, float, float, float]

    @property
    def score(self) -> float:
        return float(self.responses.score[self.row, self.column])

    @property
    def root_response(self) -> float:
        return float(self.responses.root[self.row, self.column])


def chosen(
    found: Found, model: Model, border: Border, at: tuple[float, float] | None
) -> Chosen | None:
    """The highest-scoring placement of all, or of those around a point; None before there is one.

    Args:
        found: The scales so far.
        model: The filters.
        border: Of the maps.
        at: A point in pixels of the working size: at each scale the root position counts whose
            middle is nearest.
    """
    best: tuple[float, int, int, int, int] | None = None
    for number, several in enumerate(found.responses):
        stride = found.scales[number].root.stride
        for index, responses in enumerate(several):
            if responses is None:
                continue
            score = responses.score
            if at is None:
                row, column = (int(k) for k in np.unravel_index(int(score.argmax()), score.shape))
            else:
                high, wide = model.components[index].root.shape[:2]
                column = round(at[0] / stride - wide / 2 + border.across - 1)
                row = round(at[1] / stride - high / 2 + border.down - 1)
                if not (0 <= row < score.shape[0] and 0 <= column < score.shape[1]):
                    continue
            if best is None or score[row, column] > best[0]:
                best = float(score[row, column]), index, number, row, column
    if best is None:
        return None
    _, index, number, row, column = best
    component, scale = model.components[index], found.scales[number]
    its = found.responses[number][index]
    assert its is not None
    root = root_box(scale, component, border, row, column)
    x0, y0, x1, y1 = component.box
    wide, high = root[2] - root[0], root[3] - root[1]
    box = root[0] + x0 * wide, root[1] + y0 * high, root[0] + x1 * wide, root[1] + y1 * high
    return Chosen(
        index, number, row, column, component, scale, border, its,
        placements(scale, component, its, border, row, column), root, box,
    )  # fmt: skip


def merged(found: Found, working: Working, most: int) -> Hypotheses:
    """The highest-scoring placements, their boxes in the photo's pixels."""
    every = ranked(found.placed, most)
    boxes: NDArray[np.float32] = every.boxes / working.corners
    return Hypotheses(boxes, every.scores, every.places)
