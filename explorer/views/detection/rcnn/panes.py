"""The panes: proposals, the warped region, its features, the SVM's sum, the regressor's move."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from explorer.core.layers import Boxes, Heat, Layer, Lines, Pane, Picture, label_colors
from explorer.core.listing import quantity
from explorer.views.detection.rcnn.sentences import verdict
from explorer.views.shared.anchors import GREEN, ORANGE, WHITE, counted, same, shades
from explorer.views.shared.common import size_of
from explorer.vision.features.mosaics import Tiling
from explorer.vision.pipelines.rcnn import CONTEXT, NMS_IOU
from explorer.vision.race.candidates import Candidates

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from explorer.core.layers import Float32
    from explorer.views.detection.rcnn.result import Region, Result
    from explorer.vision.detection.detections import Detections

STRONGEST = 10
"""Features that are marked."""

MOST_DETECTIONS = 100

AROUND = 0.2
"""Of the longer side: what is shown around a box before and after its move."""


def signed(margin: float) -> str:
    """A margin always with its sign: "+1.31"."""
    return f"{margin:+.2f}"


def proposal_pane(result: Result) -> Pane:
    """All proposals, those with a higher margin lighter, and the opened one."""
    layers: list[Layer] = [result.photo]
    done, region = len(result.margins), result.region
    layers.append(result.cache.get(("proposals", done), lambda: _proposals(result)))
    if region is not None:
        layers.append(
            Boxes(
                region.context[None], same(WHITE, 1), width=1.0, dotted=True, selectable=False,
                name="context",
            )
        )  # fmt: skip
        name = f"{result.classes[region.label]} {signed(region.margins[region.label])}"
        layers.append(
            Boxes(
                region.box[None], same(ORANGE, 1), (name,), width=3.0, selectable=False,
                name="region",
            )
        )  # fmt: skip
    count = len(result.boxes)
    title = f"1. {quantity(count, 'proposal')}" if count else "1. Proposals"
    if done < count:
        title = f"1. Proposals: {done} of {count}"
    return Pane("image", size_of(result.photo), tuple(layers), title)


def _proposals(result: Result) -> Boxes:
    best = result.margins.max(axis=1, initial=-2.0)
    rows = np.concatenate([np.arange(len(best), len(result.boxes)), np.argsort(best)])
    strengths = np.zeros(len(result.boxes), np.float32)
    strengths[: len(best)] = np.clip((best + 1) / 2, 0, 1)
    return Boxes(
        result.boxes[rows], shades(strengths[rows], 0.3), keys=tuple(rows.tolist()), width=0.8,
        name="proposals",
    )  # fmt: skip


def crop_pane(region: Region) -> Pane:
    """The square as the network gets it; within the frame is the proposal, around it context."""
    side = region.crop.rgb.shape[0]
    edge = side * CONTEXT
    frame = np.array([[edge, edge, side - edge, side - edge]], np.float32)
    layers = (
        region.crop,
        Boxes(frame, same(WHITE, 1), width=1.0, dotted=True, selectable=False, name="proposal"),
    )
    title = f"2. Warped to {side} x {side}"
    return Pane("crop", (float(side), float(side)), layers, title, frame="crop")


def feature_pane(result: Result, region: Region) -> Pane:
    """The features as one picture, one cell for each, the strongest ones marked."""
    tiling = Tiling.of(len(region.vector), 1, 1)
    high = max(float(region.vector.max()), 1e-6)
    heat = result.cache.get(
        ("features", region.key),
        lambda: Heat(_cells(tiling, region.vector), 0.0, high, unit="activation", name="features"),
    )
    top = strongest(region.vector)
    title = f"3. {counted(len(region.vector))} features"
    return _cell_pane("features", tiling, heat, top, title, region.vector)


def sum_pane(result: Result, region: Region) -> Pane:
    """Weight times feature of the SVM of the class: their sum and the bias are the margin."""
    parts = contributions(result, region)
    tiling = Tiling.of(len(parts), 1, 1)
    most = max(float(np.abs(parts).max()), 1e-6)
    heat = result.cache.get(
        ("sum", region.key),
        lambda: Heat(
            _cells(tiling, parts), -most, most, "coolwarm", unit="weight x feature", name="sum"
        ),
    )
    name, margin = result.classes[region.label], region.margins[region.label]
    title = f"4. SVM of {name}: {signed(margin)}"
    return _cell_pane("sum", tiling, heat, strongest(np.abs(parts)), title, parts)


def contributions(result: Result, region: Region) -> Float32:
    """(D,) weight times feature of the class that is looked at."""
    found: Float32 = result.weight[region.label] * region.vector
    return found


def strongest(values: Float32) -> NDArray[np.intp]:
    """The `STRONGEST` largest, the largest first."""
    return np.argsort(-values, kind="stable")[:STRONGEST]


def _cells(tiling: Tiling, values: Float32) -> Float32:
    return tiling.mosaic(values.reshape(-1, 1, 1))


def _cell_pane(
    name: str, tiling: Tiling, heat: Heat, top: NDArray[np.intp], title: str, values: Float32
) -> Pane:
    width, height = tiling.size
    marks = Boxes(
        tiling.boxes()[top], same(ORANGE, len(top)), width=1.5, selectable=False, name="strongest"
    )
    return Pane(
        name, (float(width), float(height)), (heat, marks), title, frame="features",
        readout=_readout(tiling, values),
    )  # fmt: skip


def _readout(tiling: Tiling, values: Float32) -> Callable[[float, float], str]:
    def words(x: float, y: float) -> str:
        place = tiling.at(x, y)
        return "" if place is None else f"feature {place[0]}: {values[place[0]]:.4g}"

    return words


def regression_pane(result: Result, region: Region) -> Pane:
    """The proposal and what the regressor makes of it, beyond the photo, too, around both."""
    before, after = region.box, region.moved[region.label]
    window = _window(before, after, result.photo.rgb.shape[:2])
    corner = np.tile(window[:2], 2).astype(np.float32)
    layers: tuple[Layer, ...] = (
        result.cache.get(("part", region.key), lambda: _part(result.photo, window)),
        Boxes(
            (before - corner)[None], same(ORANGE, 1), width=2.5, dotted=True, selectable=False,
            name="before",
        ),
        Boxes((after - corner)[None], same(GREEN, 1), width=2.5, selectable=False, name="after"),
        Lines(side_moves(before, after) - corner, same(WHITE, 4), width=2.0, arrow=True,
              name="move"),
    )  # fmt: skip
    words = verdict(region.deltas[region.label].tolist())
    size = (float(window[2] - window[0]), float(window[3] - window[1]))
    return Pane("move", size, layers, f"5. Regressor: {words}", frame="move")


def _window(before: Float32, after: Float32, size: tuple[int, ...]) -> NDArray[np.int64]:
    """(4,) around both boxes and into the photo; at most half a photo beyond its borders."""
    height, width = size
    both = np.concatenate([np.minimum(before, after)[:2], np.maximum(before, after)[2:]])
    more = AROUND * float((both[2:] - both[:2]).max())
    around = both + np.array([-more, -more, more, more])
    low = np.array([-width / 2, -height / 2] * 2)
    high = np.array([width * 1.5, height * 1.5] * 2)
    x0, y0, x1, y1 = np.clip(around, low, high).tolist()
    return np.array(
        [min(x0, width - 1), min(y0, height - 1), max(x1, 1), max(y1, 1)]
    ).round().astype(np.int64)  # fmt: skip


def _part(photo: Picture, window: NDArray[np.int64]) -> Picture:
    """What of the photo is in a window, in the window's frame."""
    height, width = photo.rgb.shape[:2]
    x0, y0, x1, y1 = np.clip(window, 0, [width, height] * 2).tolist()
    left, top = (float(side) for side in window[:2])
    extent = (x0 - left, y0 - top, x1 - left, y1 - top)
    return Picture(np.array(photo.rgb[y0:y1, x0:x1]), extent, name="part of the photo")


def side_moves(before: Float32, after: Float32) -> Float32:
    """(4, 4) arrows from each side of one box to that of the other: left, top, right, bottom."""
    x, y = (after[:2] + after[2:]) / 2
    (x0, y0, x1, y1), (u0, v0, u1, v1) = before, after
    return np.array(
        [[x0, y, u0, y], [x, y0, x, v0], [x1, y, u1, y], [x, y1, x, v1]], np.float32
    )  # fmt: skip


def detections(result: Result, least: float) -> Detections:
    """What NMS within each class leaves of margins above `least`; labels from 1."""
    done = len(result.margins)
    found = Candidates(result.moved, result.margins, -np.inf, NMS_IOU, MOST_DETECTIONS)
    return result.cache.get(("detections", done, least), lambda: found.detections(done, least))


def detection_pane(result: Result, least: float) -> Pane:
    """What is left of all proposals in the end."""
    found = detections(result, least)
    words = tuple(
        f"{result.classes[label - 1]} {signed(score)}"
        for label, score in zip(found.labels.tolist(), found.scores.tolist(), strict=True)
    )
    boxes = Boxes(
        found.xyxy, label_colors(found.labels), words, selectable=False, name="detections"
    )
    title = f"6. {quantity(len(found), 'detection')}"
    return Pane("detections", size_of(result.photo), (result.photo, boxes), title)
