"""A template on every window of a photo, at many scales."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np

from explorer.vision.detection.boxes import iou_matrix
from explorer.vision.detection.nms import suppress
from explorer.vision.hog.features import describe, grid_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from explorer.vision.hog.features import Settings
    from explorer.vision.hog.template import Template

    Float32 = NDArray[np.float32]
    UInt8 = NDArray[np.uint8]

MOST_LEVELS = 60
MOST_WINDOWS = 1500
"""Of the highest scores, to be suppressed among themselves."""


@dataclass(frozen=True, slots=True, eq=False)
class Scaled:
    """A photo at one scale.

    Attributes:
        pixels: (H, W, 3) uint8, with its border.
        scale: Pixels of it per pixel of the photo, across and down.
        border: Pixels that were added on every side; they repeat the outermost one.
    """

    pixels: UInt8
    scale: tuple[float, float]
    border: int

    def to_photo(self, xyxy: Float32) -> Float32:
        """(N, 4) boxes in its pixels -> in those of the photo."""
        scale = np.array(self.scale * 2, np.float32)
        moved: Float32 = (xyxy - np.float32(self.border)) / scale
        return moved

    def from_photo(self, x: float, y: float) -> tuple[float, float]:
        """A place of the photo in its own pixels."""
        return x * self.scale[0] + self.border, y * self.scale[1] + self.border


@dataclass(frozen=True, slots=True, eq=False)
class Level:
    """What was computed at one scale: `blocks` of `picture`, `scores` (rows, columns) of windows.

    The window of row i and column j begins at cell (i, j).
    """

    picture: Scaled
    blocks: Float32
    scores: Float32


@dataclass(frozen=True, slots=True, eq=False)
class Windows:
    """N windows, the highest score first.

    Attributes:
        xyxy: (N, 4) float32 in the photo's pixels; windows in the border reach out of it.
        scores: (N,) float32.
        places: (N, 3) int64: level, row and column.
    """

    xyxy: Float32
    scores: Float32
    places: NDArray[np.int64]


def scales_of(
    size: tuple[int, ...],
    window: tuple[int, int],
    *,
    step: float = 1.1,
    longest: int = 640,
    enlarged: float = 1.0,
    border: int = 0,
) -> list[float]:
    """Scales from the largest picture to the one that a window just fits into; at least one.

    Args:
        size: Height and width of the photo.
        window: Those of the window.
        step: Ratio of a scale to the next.
        longest: The photo is made smaller first where its longer side is larger.
        enlarged: How much larger than that the largest picture is, for small objects.
        border: Pixels that are added on every side of each picture.
    """
    fits = max(
        max(1, inside - 2 * border) / side for inside, side in zip(window, size[:2], strict=True)
    )
    scale = max(min(1.0, longest / max(size[:2])) * enlarged, fits)
    found = [scale]
    while len(found) < MOST_LEVELS and scale / step >= fits:
        scale /= step
        found.append(scale)
    return found


def scaled(pixels: UInt8, scale: float, border: int = 0, least: tuple[int, int] = (1, 1)) -> Scaled:
    """The photo at one scale.

    Args:
        pixels: (H, W, 3).
        scale: Pixels per pixel of it; rounded to whole pixels.
        border: Pixels to be added on every side.
        least: Smallest height and width of the result, border included.
    """
    sides = [
        max(1, round(side * scale), inside - 2 * border)
        for side, inside in zip(pixels.shape[:2], least, strict=True)
    ]
    if sides != list(pixels.shape[:2]):
        way = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
        resized = cv2.resize(pixels, (sides[1], sides[0]), interpolation=way)
    else:
        resized = pixels
    if border:
        resized = np.pad(resized, ((border, border), (border, border), (0, 0)), mode="edge")
    share = sides[1] / pixels.shape[1], sides[0] / pixels.shape[0]
    return Scaled(np.ascontiguousarray(resized, np.uint8), share, border)


def levels(
    pixels: UInt8, template: Template, scales: Sequence[float], border: int = 0
) -> Iterator[Level]:
    """Blocks and scores at each scale, in their order."""
    for scale in scales:
        picture = scaled(pixels, scale, border, template.size)
        blocks = describe(picture.pixels, template.settings)
        yield Level(picture, blocks, template.scores(blocks))


def window_box(template: Template, row: int, column: int) -> tuple[float, float, float, float]:
    """x0, y0, x1, y1 of a window in the pixels of its level."""
    side, (height, width) = template.settings.cell, template.size
    return column * side, row * side, column * side + width, row * side + height


def windows(
    found: Sequence[Level], template: Template, least: float, most: int = MOST_WINDOWS
) -> Windows:
    """The windows of all levels with a score of at least `least`, the highest first."""
    places, scores = np.zeros((0, 3), np.int64), np.zeros(0, np.float32)
    for number, level in enumerate(found):
        rows, columns = np.nonzero(level.scores >= least)
        own = np.stack([np.full(len(rows), number), rows, columns], axis=1)
        places = np.concatenate([places, own])
        scores = np.concatenate([scores, level.scores[rows, columns]])
    order = np.argsort(-scores, kind="stable")[:most]
    places, scores = places[order], scores[order]
    xyxy = np.zeros((len(places), 4), np.float32)
    side, (height, width) = template.settings.cell, template.size
    for number, level in enumerate(found):
        own = places[:, 0] == number
        corner = places[own][:, [2, 1]].astype(np.float32) * side
        boxes = np.concatenate([corner, corner + np.array([width, height], np.float32)], axis=1)
        xyxy[own] = level.picture.to_photo(boxes)
    return Windows(xyxy, scores, places)


def kept(found: Windows, threshold: float, iou: float) -> NDArray[np.intp]:
    """Rows of the windows that non-maximum suppression leaves, the highest score first."""
    rows = np.flatnonzero(found.scores >= threshold)
    if not len(rows):
        return rows
    boxes = found.xyxy[rows]
    history = suppress(iou_matrix(boxes, boxes), found.scores[rows], threshold=iou)
    return rows[history.picks]


def best_map(found: Sequence[Level], template: Template, size: tuple[int, ...]) -> Float32:
    """(rows, columns) float32 over the photo: the highest score of any scale of a window there.

    A place stands for the windows that have their middle in it and, at scales with fewer windows
    than places, for the nearest one. Cells are as large as those of the first level; NaN where no
    window has its middle.

    Args:
        found: The levels.
        template: Of their scores.
        size: Height and width of the photo.
    """
    side, (height, width) = template.settings.cell, template.size
    fine = found[0].picture.scale
    rows, columns = (
        max(1, round(n * share / side)) for n, share in zip(size[:2], fine[::-1], strict=True)
    )
    best = np.full((rows, columns), -np.inf, np.float32)
    x, y = (np.arange(columns) + 0.5) * size[1] / columns, (np.arange(rows) + 0.5) * size[0] / rows
    for level in found:
        scale, border = level.picture.scale, level.picture.border
        column = np.round((x * scale[0] + border - width / 2) / side).astype(int)
        row = np.round((y * scale[1] + border - height / 2) / side).astype(int)
        there = np.ix_(
            (row >= 0) & (row < level.scores.shape[0]),
            (column >= 0) & (column < level.scores.shape[1]),
        )
        taken = level.scores[np.ix_(row[there[0].ravel()], column[there[1].ravel()])]
        best[there] = np.maximum(best[there], taken)
        _put(best, level, (height, width), side, size)
    best[np.isinf(best)] = np.nan
    return best


def _put(
    best: Float32, level: Level, window: tuple[int, int], side: int, size: tuple[int, ...]
) -> None:
    """Each window of a level where it has its middle, if that is on the photo."""
    rows, columns = np.indices(level.scores.shape).reshape(2, -1)
    scale, border = level.picture.scale, level.picture.border
    y = (rows * side + window[0] / 2 - border) / scale[1] * best.shape[0] / size[0]
    x = (columns * side + window[1] / 2 - border) / scale[0] * best.shape[1] / size[1]
    inside = (y >= 0) & (y < best.shape[0]) & (x >= 0) & (x < best.shape[1])
    places = y[inside].astype(int), x[inside].astype(int)
    np.maximum.at(best, places, level.scores.ravel()[inside])


def map_extent(level: Level, template: Template) -> tuple[float, float, float, float]:
    """The rectangle of the photo over which the middles of a level's windows are spread."""
    side, (height, width) = template.settings.cell, template.size
    rows, columns = level.scores.shape
    x, y = (width - side) / 2, (height - side) / 2
    corners = np.array([[x, y, x + columns * side, y + rows * side]], np.float32)
    x0, y0, x1, y1 = level.picture.to_photo(corners)[0].tolist()
    return x0, y0, x1, y1


def crop(picture: Scaled, template: Template, row: int, column: int) -> UInt8:
    """(h, w, 3): the pixels of one window."""
    x0, y0, x1, y1 = (int(side) for side in window_box(template, row, column))
    return picture.pixels[y0:y1, x0:x1]


def of_window(level: Level, template: Template, row: int, column: int) -> Float32:
    """The blocks of one window, shaped as the template's weights."""
    down, across = template.weights.shape[:2]
    return level.blocks[row : row + down, column : column + across]


def grid_extent(picture: Scaled, settings: Settings) -> tuple[float, float, float, float]:
    """The part of the photo that the whole cells of a picture cover, in the photo's pixels."""
    rows, columns = grid_of(picture.pixels.shape, settings)
    corners = np.array([[0, 0, columns * settings.cell, rows * settings.cell]], np.float32)
    x0, y0, x1, y1 = picture.to_photo(corners)[0].tolist()
    return x0, y0, x1, y1
