"""The panes: the photo with all skeletons, and how one person's heat maps came about."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from explorer.core.layers import Boxes, Grid, Heat, Layer, Pane, Picture, Points, Text
from explorer.core.listing import quantity
from explorer.networks.preprocess import Frame
from explorer.views.shared.anchors import BLUE, ORANGE, WHITE, same
from explorer.views.shared.common import size_of
from explorer.views.shared.skeletons import skeletons
from explorer.vision.features.mosaics import Statistics, Tiling, stretched

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from explorer.core.layers import Color, Extent, Float32
    from explorer.views.segmentation.keypoints.result import Opened, Result

LOGITS, SOFTMAX = VALUES = ("logits", "softmax")
PINK: Color = (255, 60, 170)
BIN: Color = (255, 214, 160)
AROUND = 0.12
"""Of the longer side of the box, shown around it: the part is a square."""
LEAST_APART = 0.015
"""Of the pane's side: samples and lines that lie closer would hide what is below them."""
OPAQUE = 0.9
RING = 4.0
"""Cells from a maximum to the frame around it."""
BACKDROP = np.full((1, 1, 3), 36, np.uint8)


def image_pane(
    result: Result, rows: NDArray[np.intp], *, least: float, opacity: float,
    names: bool,
) -> Pane:  # fmt: skip
    """All people above the score, and the heat map of the chosen one's keypoint in its box."""
    layers: list[Layer] = [result.photo]
    person = result.person
    if person is not None and opacity > 0:
        x0, y0, x1, y1 = (float(side) for side in person.box)
        layers.append(_heat(result, person, SOFTMAX, (x0, y0, x1, y1), opacity, fades=True))
    words = tuple(f"{result.found.scores[row]:.2f}" for row in rows)
    colors = same(BLUE, len(rows))
    chosen = None
    if person is not None and person.row in rows:
        chosen = int(np.flatnonzero(rows == person.row)[0])
        colors[chosen] = ORANGE
    layers.append(
        Boxes(
            result.found.xyxy[rows], colors, words, keys=tuple((rows + 1).tolist()), width=1.5,
            name="people",
        )
    )  # fmt: skip
    layers += skeletons(
        result.points[rows][..., :2], result.names, shown=result.scores[rows] >= least,
        labeled=chosen if names else None,
    )  # fmt: skip
    if person is not None:
        word = "" if names else result.names[person.joint].replace("_", " ")
        layers.append(_mark(result.points[person.row, person.joint, :2], word))
    return Pane("image", size_of(result.photo), tuple(layers), title="On the photo")


def grid_pane(result: Result, person: Opened, channel: int | None) -> Pane:
    """The feature map around the person, with RoIAlign's bins and sampling points."""
    around = Around.of(result, person)
    region = person.region
    pooled = result.cache.get(("pooled", channel), lambda: region.pooled(channel))
    step = _cells(person).inverse()
    layers: list[Layer] = [*around.backdrop]
    layers += result.cache.get(("feature map", channel), lambda: _feature(person, around, channel))
    layers.append(_bins(around.boxes(step.boxes(pooled.bins)), region.size[1]))
    apart = step.sx * np.diff(pooled.samples[:2, 0]).sum()
    if len(pooled.samples) and apart >= LEAST_APART * around.size[0]:
        places = _moved(pooled.samples, step) - around.origin
        layers.append(Points(places, same(WHITE, len(places)), radius=0.8, name="samples"))
    layers.append(_frame(person, around))
    rows, columns = region.size
    which = "mean" if channel is None else f"channel {channel}"
    title = f"{columns} x {rows} bins on map {region.name} ({which})"
    return Pane("grid", around.size, tuple(layers), title, frame="person")


def maps_pane(result: Result, person: Opened, channel: int | None) -> Pane:
    """All channels of the chosen stage, each from its own minimum to its own maximum."""
    count, height, width = person.maps.shape
    tiling = Tiling.of(count, height, width, 1.0)
    layers: list[Layer] = list(result.cache.get("maps", lambda: _mosaic(person.maps, tiling)))
    if channel is not None:
        edge = tiling.boxes()[channel : channel + 1]
        layers.append(Boxes(edge, same(ORANGE, 1), width=2.5, selectable=False, name="chosen"))
    stage = person.stage.removeprefix("roi_heads.")
    title = f"{stage}: {quantity(count, 'map')} of {width} x {height}"
    readout = _reading(person.maps, tiling, "channel")
    size = (float(tiling.size[0]), float(tiling.size[1]))
    return Pane("maps", size, tuple(layers), title, frame="maps", readout=readout)


def heat_pane(result: Result, person: Opened, values: str) -> Pane:
    """The heat map of the chosen keypoint over the person, and where its maximum lies."""
    around = Around.of(result, person)
    joint = person.joint
    x0, y0, x1, y1 = (float(side) for side in around.boxes(person.box[None])[0])
    heat = _heat(result, person, values, (x0, y0, x1, y1), OPAQUE, fades=False)
    rows, columns = person.logits.shape[1:]
    wide, tall = (x1 - x0) / columns, (y1 - y0) / rows
    corner, cell = np.array([x0, y0], np.float32), np.array([wide, tall], np.float32)
    peak = corner + (person.peaks[joint, ::-1] + 0.5).astype(np.float32) * cell
    layers: list[Layer] = [*around.backdrop, heat]
    if min(wide, tall) >= LEAST_APART * around.size[0]:
        lines = [
            np.linspace(low, high, count + 1, dtype=np.float32)
            for low, high, count in ((x0, x1, columns), (y0, y1, rows))
        ]
        grid = Grid(lines[0], lines[1], (x0, y0, x1, y1), opacity=0.08, name="places")
        layers.append(grid)
    layers.append(_frame(person, around))
    ring = _ring(peak[None], cell)
    layers.append(Boxes(ring, same(WHITE, 1), width=1.5, selectable=False, name="maximum"))
    name = result.names[joint].replace("_", " ")
    title = f"{name}: {columns} x {rows} places"

    def readout(x: float, y: float) -> str:
        i, j = int((y - y0) // tall), int((x - x0) // wide)
        if not (0 <= i < rows and 0 <= j < columns):
            return "outside the box"
        logit, share = person.logits[joint, i, j], person.shares[joint, i, j]
        return f"place {i}, {j}: logit {logit:.2f}, probability {share:.4f}"

    return Pane("heat", around.size, tuple(layers), title, frame="person", readout=readout)


def joints_pane(result: Result, person: Opened, values: str) -> Pane:
    """The heat maps of all keypoints with one scale, and the maximum of each."""
    shown = person.shares if values == SOFTMAX else person.logits
    count, height, width = shown.shape
    tiling = Tiling.of(count, height, width, 1.25)
    layers: list[Layer] = list(
        result.cache.get(("joints", values), lambda: _joint_mosaic(person, values, tiling))
    )
    corners = tiling.boxes()[:, :2]
    rings = _ring(
        corners + (person.peaks[:, ::-1] + 0.5).astype(np.float32), np.ones(2, np.float32)
    )
    layers.append(Boxes(rings, same(WHITE, count), width=1.2, selectable=False, name="maxima"))
    words = (name.replace("_", " ") for name in result.names)
    for tile, name in enumerate(words):
        x, y = corners[tile]
        layers.append(
            Text(name, (float(x) + 1, float(y) + 1), size=8.0, plate=False, name=f"name {tile}")
        )
    edge = tiling.boxes()[person.joint : person.joint + 1]
    layers.append(Boxes(edge, same(PINK, 1), width=2.5, selectable=False, name="chosen"))
    size = (float(tiling.size[0]), float(tiling.size[1]))
    title = f"All keypoints ({values})"
    readout = _reading(shown, tiling, "", result.names)
    return Pane("joints", size, tuple(layers), title, frame="joints", readout=readout)


class Around:
    """The part of the photo around the person: a frame of its own, one unit a pixel of the photo.

    Attributes:
        origin: (2,) float32, its corner in the photo's pixels.
        size: Width and height.
        backdrop: The photo in it.
    """

    def __init__(self, result: Result, box: Float32) -> None:
        middle, side = (box[:2] + box[2:]) / 2, float(max(box[2] - box[0], box[3] - box[1]))
        half = max(side * (0.5 + AROUND), 1.0)
        height, width = result.photo.rgb.shape[:2]
        # moved into the photo where it fits
        moved = [
            float(np.clip(at, half, side - half)) if side > 2 * half else float(at)
            for at, side in zip(middle, (width, height), strict=True)
        ]
        left, top = (int(np.floor(at - half)) for at in moved)
        right, bottom = (int(np.ceil(at + half)) for at in moved)
        self.origin = np.array([left, top], np.float32)
        self.size = (float(right - left), float(bottom - top))
        self.backdrop: list[Layer] = [Picture(BACKDROP, (0.0, 0.0, *self.size), name="ground")]
        x0, y0 = max(left, 0), max(top, 0)
        x1, y1 = min(right, width), min(bottom, height)
        if x0 < x1 and y0 < y1:
            part = np.ascontiguousarray(result.photo.rgb[y0:y1, x0:x1])
            extent = (float(x0 - left), float(y0 - top), float(x1 - left), float(y1 - top))
            self.backdrop.append(Picture(part, extent, name="photo"))

    @classmethod
    def of(cls, result: Result, person: Opened) -> Around:
        """Kept with the result."""
        around: Around = result.cache.get("around", lambda: cls(result, person.box))
        return around

    def boxes(self, xyxy: Float32) -> Float32:
        """(N, 4) of the photo in this frame."""
        return (xyxy - np.tile(self.origin, 2)).astype(np.float32)


def _cells(person: Opened) -> Frame:
    """From the photo's pixels to cells of the map."""
    return person.frame.then(Frame(person.region.scale, person.region.scale))


def _moved(points: Float32, frame: Frame) -> Float32:
    scale, shift = np.array([frame.sx, frame.sy]), np.array([frame.tx, frame.ty])
    moved: Float32 = (points * scale + shift).astype(np.float32)
    return moved


def _feature(person: Opened, around: Around, channel: int | None) -> list[Layer]:
    """What of the map lies in the frame of the person."""
    values = person.region.values
    plane = values.mean(axis=0) if channel is None else values[channel]
    (x0, y0), (x1, y1) = around.origin, around.origin + np.array(around.size, np.float32)
    ((left, top, right, bottom),) = _cells(person).boxes(np.array([[x0, y0, x1, y1]], np.float32))
    rows = slice(max(int(np.floor(top)), 0), min(int(np.ceil(bottom)), plane.shape[0]))
    columns = slice(max(int(np.floor(left)), 0), min(int(np.ceil(right)), plane.shape[1]))
    part = np.ascontiguousarray(plane[rows, columns])
    if part.size == 0:
        return []
    cells = np.array([[columns.start, rows.start, columns.stop, rows.stop]], np.float32)
    (extent,) = around.boxes(_cells(person).inverse().boxes(cells)).tolist()
    low, high = float(plane.min()), float(plane.max())
    return [
        Heat(part, low, high, extent=tuple(extent), opacity=0.85, unit="activation", name="map")
    ]


def _heat(
    result: Result, person: Opened, values: str, extent: Extent, opacity: float, *, fades: bool
) -> Heat:
    """The heat map of the chosen keypoint over the box."""
    shown = person.shares if values == SOFTMAX else person.logits
    plane = shown[person.joint]
    low = 0.0 if values == SOFTMAX else float(plane.min())
    unit = "probability" if values == SOFTMAX else "logit"
    return result.cache.get(
        ("heat", values, extent, opacity),
        lambda: Heat(
            plane, low, float(plane.max()), "magma", extent, opacity, alpha_by_value=fades,
            unit=unit, name="heat map",
        ),
    )  # fmt: skip


def _mosaic(maps: Float32, tiling: Tiling) -> tuple[Layer, ...]:
    values = tiling.mosaic(stretched(maps, Statistics.of(maps)))
    heat = Heat(values, 0.0, 1.0, unit="of each map's range", name="maps")
    tiles = Boxes(tiling.boxes(), same((90, 90, 90), tiling.count), width=1.0, name="channels")
    return heat, tiles


def _joint_mosaic(person: Opened, values: str, tiling: Tiling) -> tuple[Layer, ...]:
    shown = person.shares if values == SOFTMAX else person.logits
    low = 0.0 if values == SOFTMAX else float(shown.min())
    unit = "probability" if values == SOFTMAX else "logit"
    heat = Heat(tiling.mosaic(shown), low, float(shown.max()), "magma", unit=unit, name="joints")
    keys = tuple(range(1, tiling.count + 1))
    gray = same((90, 90, 90), tiling.count)
    tiles = Boxes(tiling.boxes(), gray, keys=keys, width=1.0, name="joints")
    return heat, tiles


def _reading(
    maps: Float32, tiling: Tiling, word: str, names: tuple[str, ...] = ()
) -> Callable[[float, float], str]:
    def readout(x: float, y: float) -> str:
        place = tiling.at(x, y)
        if place is None:
            return ""
        tile, row, column = place
        name = names[tile].replace("_", " ") if names else f"{word} {tile}"
        return f"{name}, row {row}, column {column}: {maps[tile, row, column]:.4g}"

    return readout


def _bins(boxes: Float32, columns: int) -> Grid:
    """The edges of (B, 4) bins, row after row."""
    xs = np.append(boxes[:columns, 0], boxes[columns - 1, 2])
    ys = np.append(boxes[::columns, 1], boxes[-1, 3])
    extent = (float(xs[0]), float(ys[0]), float(xs[-1]), float(ys[-1]))
    return Grid(xs, ys, extent, BIN, opacity=0.8, name="bins")


def _frame(person: Opened, around: Around) -> Boxes:
    box = around.boxes(person.box[None])
    return Boxes(box, same(ORANGE, 1), width=2.0, selectable=False, name="box")


def _ring(centers: Float32, cell: Float32) -> Float32:
    """(N, 4) a frame around each place that leaves the values in it visible."""
    reach = RING * cell
    return np.concatenate([centers - reach, centers + reach], axis=1).astype(np.float32)


def _mark(xy: Float32, word: str) -> Points:
    words = (word,) if word else ()
    return Points(np.array([xy], np.float32), same(PINK, 1), 5.0, words, "chosen keypoint")
