"""The edited photo: what the parameters make of the pixels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from explorer.core.errors import ExplorerError
from explorer.images.edits import GRAY as GRAY_COLOR
from explorer.images.edits import (
    blur,
    fill,
    inpaint,
    mean_color,
    paste,
    resized,
    span_of,
    widened,
)
from explorer.images.pixels import shrunk
from explorer.views.inside.what_if import params as words
from explorer.views.shared.before_after.outputs import Found, Regions
from explorer.views.shared.common import class_name
from explorer.vision.classic.box_masks import enlarged, grab_cut
from explorer.vision.features.segmentation import in_photo

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from explorer.core.params import Box
    from explorer.engine.scene import Scene
    from explorer.views.inside.what_if.params import Params
    from explorer.views.shared.before_after.outputs import Prediction

    UInt8 = NDArray[np.uint8]
    Area = NDArray[np.bool_]

CUT_SIZE = 256
"""Longer side of the surroundings of a box that GrabCut works on."""
CUT_ROUNDS = 3
CUT_AROUND = 0.3
"""Of the box's longer side: how much of its surroundings GrabCut takes as background."""


@dataclass(frozen=True, slots=True, eq=False)
class Edited:
    """A photo after the edits.

    Attributes:
        pixels: (H, W, 3) uint8, read-only.
        area: (H, W), the pixels that an edit has written.
        notes: Sentences about what was done or could not be done.
    """

    pixels: UInt8
    area: Area
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class _Part:
    """What is moved or pasted: `shape` (h, w) of `pixels` (h, w, 3), which were at `span`."""

    pixels: UInt8
    shape: Area
    span: tuple[slice, slice]


def edited(scene: Scene, params: Params, before: Prediction) -> Edited:
    """The scene's photo after the edits: what is moved or pasted first, then the brush.

    Until there is an edit, an example: the network's main object is removed, or, where it has no
    boxes or regions, the middle of the photo is gray.
    """
    photo = scene.image.pixels
    pixels = photo.copy()
    strokes, notes = _strokes(params, pixels.shape[:2])
    area = np.zeros(pixels.shape[:2], np.bool_)
    if params.other is not None:
        part = _cut(scene.image_of(params.other).pixels, params.part, params.cut, notes)
        place = params.place
        middle = (photo.shape[1] / 2, photo.shape[0] / 2) if place is None else (place.x, place.y)
        area |= paste(pixels, *resized(part.pixels, part.shape, params.size), middle)
    else:
        found = _object(photo, params, strokes, notes)
        if found is not None:
            area |= _moved(pixels, found, params)
        elif strokes is None:
            return _example(scene, params, before, pixels, notes)
    if strokes is not None:
        area |= _brushed(pixels, strokes, params, photo)
    pixels.flags.writeable = False
    return Edited(pixels, area, tuple(notes))


def _strokes(params: Params, size: tuple[int, ...]) -> tuple[UInt8 | None, list[str]]:
    """(H, W) what the brush has painted; None when nothing is."""
    if params.strokes is None:
        return None, []
    if (params.strokes.height, params.strokes.width) != size:
        return None, ["The strokes were painted on a photo of another size; they are not used."]
    return params.strokes.index(), []


def _brushed(pixels: UInt8, strokes: UInt8, params: Params, photo: UInt8) -> Area:
    does: dict[str, Callable[[Area], None]] = {
        words.INPAINT: lambda area: inpaint(pixels, area, params.detail),
        words.BLUR: lambda area: blur(pixels, area, params.sigma),
        words.GRAY: lambda area: fill(pixels, area, GRAY_COLOR),
        words.MEAN: lambda area: fill(pixels, area, mean_color(photo)),
    }
    for tool, change in does.items():
        change(strokes == words.TOOLS.index(tool) + 1)
    known = strokes <= len(words.TOOLS)
    changed: Area = (strokes > 0) & known & (strokes != words.TOOLS.index(words.OBJECT) + 1)
    return changed


# -- an object of the photo -----------------------------------------------------------------------


def _object(photo: UInt8, params: Params, strokes: UInt8 | None, notes: list[str]) -> _Part | None:
    """The painted object, or what is in the box; None where neither is."""
    if strokes is not None:
        painted = strokes == words.TOOLS.index(words.OBJECT) + 1
        span = span_of(painted)
        if span is not None:
            return _part(photo, painted, span)
    if params.box is None or not _has_area(params.box):
        return None
    return _cut(photo, params.box, params.cut, notes)


def _moved(pixels: UInt8, part: _Part, params: Params) -> Area:
    """Takes the object away and puts it where it goes; without a place it is only removed."""
    left = np.zeros(pixels.shape[:2], np.bool_)
    if params.place is None or params.leaves != words.KEPT:
        left[part.span] = part.shape
        if params.leaves == words.GRAYED:
            fill(pixels, left, GRAY_COLOR)
        else:
            inpaint(pixels, left, params.detail)
    if params.place is None:
        return left
    goes = (params.place.x, params.place.y)
    return left | paste(pixels, *resized(part.pixels, part.shape, params.size), goes)


def _cut(photo: UInt8, box: Box | None, how: str, notes: list[str]) -> _Part:
    """What is in a box of a photo, whole or cut out; without a box its middle."""
    height, width = photo.shape[:2]
    rows, columns = _span(box, height, width)
    area = np.zeros((height, width), np.bool_)
    area[rows, columns] = True
    if how == words.GRAB_CUT:
        try:
            area = _grab_cut(photo, (rows, columns))
        except ExplorerError as error:
            notes.append(f"{error.message} {error.hint}")
    return _part(photo, area, span_of(area) or (rows, columns))


def _part(photo: UInt8, area: Area, span: tuple[slice, slice]) -> _Part:
    return _Part(photo[span].copy(), area[span].copy(), span)


def _grab_cut(photo: UInt8, span: tuple[slice, slice]) -> Area:
    """The object in a rectangle, by GrabCut on a small copy of it and its surroundings."""
    rows, columns = span
    reach = round(CUT_AROUND * max(rows.stop - rows.start, columns.stop - columns.start)) + 2
    wide = widened(span, reach, photo.shape[:2])
    around = np.ascontiguousarray(photo[wide])
    small = shrunk(around, CUT_SIZE)
    share = small.shape[1] / around.shape[1]
    y, x = wide[0].start, wide[1].start
    box = (
        (columns.start - x) * share, (rows.start - y) * share,
        (columns.stop - x) * share, (rows.stop - y) * share,
    )  # fmt: skip
    (*_, mask) = grab_cut(small, box, CUT_ROUNDS)
    found = np.zeros(photo.shape[:2], np.bool_)
    found[wide] = enlarged(mask, (around.shape[0], around.shape[1]))
    return found


def _has_area(box: Box) -> bool:
    return box.x1 - box.x0 >= 1 and box.y1 - box.y0 >= 1


def _span(box: Box | None, height: int, width: int) -> tuple[slice, slice]:
    """The pixels of a box, at least one; of the photo's middle where there is none."""
    x0, y0, x1, y1 = 0.25 * width, 0.25 * height, 0.75 * width, 0.75 * height
    if box is not None and _has_area(box):
        x0, y0, x1, y1 = box.x0, box.y0, box.x1, box.y1
    left, top = min(max(round(x0), 0), width - 1), min(max(round(y0), 0), height - 1)
    right, bottom = min(max(round(x1), left + 1), width), min(max(round(y1), top + 1), height)
    return slice(top, bottom), slice(left, right)


# -- before anything is edited --------------------------------------------------------------------


def _example(
    scene: Scene, params: Params, before: Prediction, pixels: UInt8, notes: list[str]
) -> Edited:
    area, what = _main_object(scene, before)
    if area is None:
        area = np.zeros(pixels.shape[:2], np.bool_)
        height, width = pixels.shape[:2]
        area[_span(None, height, width)] = True
        fill(pixels, area, GRAY_COLOR)
        what = "the middle of the photo is gray"
    else:
        inpaint(pixels, area, params.detail)
    pixels.flags.writeable = False
    notes.append(f"An example, until you edit the photo: {what}. Paint on the original.")
    return Edited(pixels, area, tuple(notes))


def _main_object(scene: Scene, before: Prediction) -> tuple[Area | None, str]:
    """The highest-scoring box or the largest region, and in words that it is removed."""
    photo = scene.image.pixels
    match before:
        case Found(found=found, least=least) if len(found) and found.scores.max() >= least:
            best = int(found.scores.argmax())
            x0, y0, x1, y1 = found.xyxy[best].tolist()
            area = np.zeros(photo.shape[:2], np.bool_)
            area[max(int(y0), 0) : int(y1) + 1, max(int(x0), 0) : int(x1) + 1] = True
            if area.any() and not area.all():
                name = class_name(before.names, int(found.labels[best]))
                return area, f"{name} {found.scores[best]:.2f} is inpainted"
        case Regions(classes=classes):
            there = in_photo(classes, scene.frame, (photo.shape[0], photo.shape[1]))
            counts = np.bincount(there[there >= 0], minlength=1)
            area = there == counts.argmax()
            if counts.any() and not area.all():
                return area, f"{class_name(before.names, int(counts.argmax()))} is inpainted"
    return None, ""
