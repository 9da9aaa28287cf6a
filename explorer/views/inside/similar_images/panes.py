"""The neighbors as a sheet of thumbnails, and the whole folder as a map of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from explorer.core.colormaps import class_colors
from explorer.core.layers import Boxes, Lines, Pane, Picture, Points, Text
from explorer.views.shared.folders.album import SIDE
from explorer.views.shared.folders.sheet import SHADE, captions, labeled_sheet

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

    from explorer.core.layers import Float32, Layer, UInt8

WIDTH, HEIGHT, MARGIN = 640, 480, 36
"""Of the map, and the room for half a thumbnail around it."""

SHARP = 2
"""Pixels of the map's picture for one unit of it: it may be shown larger."""

WHITE = (255, 255, 255)
_LEAST, _LARGEST = 40, 84
_TO_NEAREST = 5


def sheet_pane(
    rows: Sequence[int],
    thumbnails: Mapping[int, UInt8],
    distances: Sequence[float],
    labels: NDArray[np.intp],
    title: str,
    names: Sequence[str],
) -> Pane:
    """The neighbors, the nearest first, each with its cosine distance and its cluster's color."""
    blank = np.full((SIDE, SIDE, 3), 48, np.uint8)
    columns = max(1, round((3 * len(rows)) ** 0.5))  # three times as wide as high
    sheet = labeled_sheet([_padded(thumbnails.get(row, blank)) for row in rows], columns=columns)
    colors = cluster_colors(labels)[list(rows)] if len(rows) else np.empty((0, 3), np.uint8)
    boxes = Boxes(sheet.xyxy, colors, keys=tuple(rows), name="neighbors")
    words = captions(sheet.xyxy, [f"{distance:.2f}" for distance in distances], colors)

    def readout(x: float, y: float) -> str:
        place = sheet.at(x, y)
        if place is None:
            return ""
        return f"{names[rows[place]]}: cosine distance {distances[place]:.3f}"

    return Pane(
        "neighbors", sheet.size, (Picture(sheet.rgb, name="sheet"), boxes, words),
        title=title, frame="neighbors", readout=readout,
    )  # fmt: skip


def _padded(picture: UInt8) -> UInt8:
    """In the middle of a dark square of `SIDE`."""
    height, width = picture.shape[:2]
    square = np.full((SIDE, SIDE, 3), SHADE + 8, np.uint8)
    y, x = (SIDE - height) // 2, (SIDE - width) // 2
    square[y : y + height, x : x + width] = picture
    return square


def cluster_colors(labels: NDArray[np.intp]) -> NDArray[np.uint8]:
    """(N, 3) uint8 of the photos' clusters."""
    found: NDArray[np.uint8] = class_colors(max(1, int(labels.max(initial=0)) + 1))[labels]
    return found


def on_map(positions: Float32) -> Float32:
    """(N, 2) positions of any range in the map's pixels, both axes on one scale."""
    low, high = positions.min(axis=0), positions.max(axis=0)
    span = np.maximum(high - low, 1e-9)
    room = np.array([WIDTH - 2 * MARGIN, HEIGHT - 2 * MARGIN])
    scale = float((room / span).min())
    # A map much longer than wide is stretched: only neighborhoods can be read from it.
    scales = np.minimum(room / span, 2.5 * scale)
    middle = np.array([WIDTH, HEIGHT]) / 2
    placed: Float32 = ((positions - (low + high) / 2) * scales + middle).astype(np.float32)
    return placed


def placed_thumbnails(xy: Float32, order: Sequence[int], most: int = 160) -> tuple[list[int], int]:
    """Which photos are drawn as thumbnails, and how large: as many as hardly overlap.

    Args:
        xy: (N, 2) on the map.
        order: Rows of `xy`, the most important first.
        most: At most so many.

    Returns:
        Rows, and the side of a thumbnail in pixels.
    """
    side = int(np.clip(np.sqrt(WIDTH * HEIGHT / max(len(xy), 1)) * 0.8, _LEAST, _LARGEST))
    taken: list[int] = []
    for row in order:
        if len(taken) == most:
            break
        apart = np.abs(xy[taken] - xy[row]).max(axis=1) if taken else np.array([np.inf])
        if apart.min() >= 0.72 * side:
            taken.append(row)
    return taken, side


def map_pane(
    xy: Float32,
    query: tuple[float, float],
    shown: Sequence[int],
    side: int,
    pictures: Mapping[int, UInt8],
    rows: NDArray[np.intp],
    labels: NDArray[np.intp],
    nearest: Sequence[int],
    chosen: int | None,
    photo: UInt8,
    title: str,
    readout: Callable[[float, float], str],
) -> Pane:
    """The photos of `rows` at `xy`, the open photo among them.

    Args:
        xy: (M, 2) on the map, of `rows`.
        query: Of the open photo.
        shown: Indices into `rows` that are drawn as thumbnails of `side`.
        side: Their longer side.
        pictures: Thumbnails by row of the index.
        rows: (M,) of the index.
        labels: (M,) clusters.
        nearest: Indices into `rows` of the nearest photos, the nearest first.
        chosen: An index into `rows`.
        photo: Thumbnail of the open photo.
        title: Of the pane.
        readout: See `Pane`.
    """
    colors = cluster_colors(labels)
    canvas = np.full((HEIGHT * SHARP, WIDTH * SHARP, 3), SHADE, np.uint8)
    for place, color in zip(
        np.round(xy * SHARP).astype(int).tolist(), colors.tolist(), strict=True
    ):
        cv2.circle(canvas, place, 4 * SHARP, color, -1, cv2.LINE_AA)  # under the thumbnails
    frames = []
    for index in reversed(shown):
        picture = pictures.get(int(rows[index]))
        if picture is not None:
            frames.append((index, _pasted(canvas, picture, xy[index] * SHARP, side * SHARP)))
    extent = (0.0, 0.0, float(WIDTH), float(HEIGHT))
    layers: list[Layer] = [Picture(canvas, extent=extent, smooth=True, name="map")]
    if frames:
        boxes = (np.array([box for _, box in frames]) / SHARP).astype(np.float32)
        own = [index for index, _ in frames]
        keys = tuple(int(rows[index]) for index in own)
        layers.append(Boxes(boxes, colors[own], keys=keys, width=2.0, name="map"))
    at = np.array(query, np.float32)
    if len(nearest):
        ends = xy[list(nearest[:_TO_NEAREST])]
        segments = np.concatenate([np.tile(at, (len(ends), 1)), ends], axis=1)
        layers.append(
            Lines(
                segments.astype(np.float32),
                np.full((len(ends), 3), 255, np.uint8),
                width=1.0,
                name="nearest",
            )
        )
    large = int(side * 1.25)
    # A layer of its own over those of the index.
    share = large / max(photo.shape[:2])
    half = photo.shape[1] * share / 2, photo.shape[0] * share / 2
    x, y = query
    place = (x - half[0], y - half[1], x + half[0], y + half[1])
    layers.append(Picture(photo, extent=place, smooth=True, name="open photo"))
    layers.append(
        Boxes(
            np.array([place], np.float32), np.array([WHITE], np.uint8),
            width=3.0, selectable=False, name="query",
        )
    )  # fmt: skip
    if chosen is not None:
        layers.append(
            Points(xy[chosen : chosen + 1], np.array([WHITE], np.uint8), radius=9.0, name="chosen")
        )
    return Pane(
        "map", (float(WIDTH), float(HEIGHT)), tuple(layers), title=title, frame="map",
        readout=readout,
    )  # fmt: skip


def _pasted(
    canvas: UInt8, picture: UInt8, center: NDArray[np.floating[Any]], side: int
) -> tuple[int, int, int, int]:
    """Draws a picture with a longer side of `side` around a place; where it is, xyxy."""
    height, width = picture.shape[:2]
    share = side / max(height, width)
    size = max(1, round(width * share)), max(1, round(height * share))
    small = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
    rows, columns = canvas.shape[:2]
    x = int(np.clip(round(float(center[0]) - size[0] / 2), 0, max(0, columns - size[0])))
    y = int(np.clip(round(float(center[1]) - size[1] / 2), 0, max(0, rows - size[1])))
    canvas[y : y + size[1], x : x + size[0]] = small
    return x, y, x + size[0], y + size[1]


def hint_pane(words: str) -> Pane:
    """A pane with words alone, while there is nothing yet."""
    blank = Picture(np.full((HEIGHT // 2, WIDTH // 2, 3), SHADE, np.uint8), name="map")
    return Pane(
        "map", (WIDTH / 2, HEIGHT / 2), (blank, Text(words, (8.0, 8.0))), title="", frame="map"
    )
