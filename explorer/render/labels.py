"""The words of a pane: texts, and labels of boxes and points on plates that do not overlap.

They are drawn after all shapes, so that no line strikes a label through.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from explorer.core.layers import (
    SMALLEST_LETTERS,
    Boxes,
    Color,
    Extent,
    Layer,
    Points,
    Text,
    letters_inside,
    lines_inside,
)
from explorer.render.placing import (
    DARK,
    MOST_LABELS,
    Plates,
    free_of_earlier,
    label_within,
    places_at,
    places_beside,
)
from explorer.render.surface import Mapped, ordered
from explorer.render.typeface import line_height

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_LETTERS = 12.0
_SCALES = (1.0, 0.85, 0.7, 0.55)  # of the letters of texts that are in each other's way
_PINNED = ("stamp", "key")


def render_words(surface: Mapped, layers: Iterable[Layer]) -> None:
    """Draws the texts and labels of all `layers`; labels make room for texts and earlier labels."""
    layers = tuple(layers)
    texts, left_out = _apart(surface, [layer for layer in layers if isinstance(layer, Text)])
    plates = [_text_plate(surface, text) for text in texts if text.plate]
    taken = Plates(surface.height, plates)
    taken.left_out = left_out
    for layer in layers:
        if isinstance(layer, Boxes) and layer.labels and layer.letters > 0:
            _inside_boxes(surface, layer)
        elif isinstance(layer, Boxes) and layer.labels:
            _box_labels(surface, layer, taken)
        elif isinstance(layer, Points) and layer.labels:
            _point_labels(surface, layer, taken)
    for text in texts:
        _text(surface, text)
    if taken.left_out:
        _say_left_out(surface, taken.left_out)


def _say_left_out(surface: Mapped, count: int) -> None:
    """In the lower right corner: labels that are not there are not missed in silence."""
    text = f"{count} {'label' if count == 1 else 'labels'} not shown"
    wide, high = _plate_size(surface, text)
    right, bottom = surface.width - 6 * surface.density, surface.height - 6 * surface.density
    _label(surface, text, (right - wide, bottom - high, right, bottom), DARK)


def ink_on(color: Sequence[int]) -> Color:
    """Black or white, whichever has more contrast with `color`: 4.5 at least.

    Source: Web Content Accessibility Guidelines 2.2, relative luminance and contrast ratio.
    """
    share = np.asarray(color, np.float64) / 255
    linear = np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4)
    light = float(linear @ (0.2126, 0.7152, 0.0722))
    return (0, 0, 0) if (light + 0.05) / 0.05 > 1.05 / (light + 0.05) else (255, 255, 255)


def _box_labels(surface: Mapped, layer: Boxes, taken: Plates) -> None:
    """A plate for each box: above it, else inside it or below, to the left or right, where free."""
    drawn = 0
    size = (surface.width, surface.height)
    for row, box in enumerate(ordered(surface.scaled(layer.xyxy)).tolist()):
        text = layer.labels[row]
        x0, y0, x1, y1 = box
        seen = x0 < surface.width and x1 > 0 and y0 < surface.height and y1 > 0
        seen &= bool(np.isfinite(layer.xyxy[row]).all())
        if not (text and seen) or drawn == MOST_LABELS:
            continue
        drawn += 1
        text = label_within(text, surface.width, lambda words: _plate_size(surface, words)[0])
        plates = places_at(box, _plate_size(surface, text), size)
        _label(surface, text, taken.choose(plates), _color(layer.colors[row]))


def _inside_boxes(surface: Mapped, layer: Boxes) -> None:
    """The labels of boxes inside them, each line in the middle."""
    typeface = surface.on.typeface
    for row, box in enumerate(ordered(surface.scaled(layer.xyxy)).tolist()):
        x0, y0, x1, y1 = box
        lines = layer.labels[row].split("\n")
        if not (np.isfinite(box).all() and layer.labels[row]):
            continue
        size, wanted = (x1 - x0, y1 - y0), layer.letters * surface.sy
        widest = typeface.width(layer.labels[row], wanted, bold=True) / wanted
        letters = letters_inside(wanted, size, len(lines), widest)
        if letters < SMALLEST_LETTERS * surface.density:
            continue
        ink = ink_on(_color(layer.colors[row]))
        for number, top in enumerate(lines_inside(letters, size, len(lines))):
            bold = number == 0
            wide = typeface.width(lines[number], letters, bold=bold)
            at = ((x0 + x1 - wide) / 2, y0 + top - 0.15 * letters)
            surface.on.write(lines[number], at, letters, ink, bold=bold)


def _point_labels(surface: Mapped, layer: Points, taken: Plates) -> None:
    """A plate for each point: to its right, else below, above or to its left, where free."""
    gap = (layer.radius + 3) * surface.density
    drawn = 0
    size = (surface.width, surface.height)
    for row, (x, y) in enumerate(surface.scaled(layer.xy)):
        text = layer.labels[row]
        seen = 0 <= x <= surface.width and 0 <= y <= surface.height
        if not (text and seen) or drawn == MOST_LABELS:
            continue
        drawn += 1
        text = label_within(text, surface.width, lambda words: _plate_size(surface, words)[0])
        plates = places_beside((x, y), gap, _plate_size(surface, text), size)
        _label(surface, text, taken.choose(plates), DARK)


def _plate_size(surface: Mapped, text: str) -> tuple[int, int]:
    size = _LETTERS * surface.density
    wide = surface.on.typeface.width(text, size) + 2 * round(4 * surface.density)
    return wide, line_height(size) + round(2 * surface.density)


def _label(surface: Mapped, text: str, plate: Extent | None, color: Color) -> None:
    if plate is None:
        return
    surface.on.rounded(plate, color, radius=3 * surface.density, alpha=0.92)
    at = (plate[0] + round(4 * surface.density), plate[1] + round(surface.density))
    surface.on.write(text, at, _LETTERS * surface.density, ink_on(color))


def _apart(surface: Mapped, texts: list[Text]) -> tuple[list[Text], int]:
    """The texts in letters so small that they are off one another and fit, and how many do not.

    Stamp and key keep their letters.
    """
    group = [text for text in texts if text.name not in _PINNED]
    free: list[bool] = []
    for scale in _SCALES:
        smaller = [replace(text, size=scale * text.size) for text in group]
        fits = [_fits(surface, text) for text in smaller]
        fitting = [text for text, fit in zip(smaller, fits, strict=True) if fit]
        apart = iter(free_of_earlier([_text_plate(surface, text) for text in fitting]))
        free = [fit and next(apart) for fit in fits]
        if all(free):
            break
    found = [text for text, shown in zip(smaller, free, strict=True) if shown]
    found += [text for text in texts if text.name in _PINNED]
    return [_within(surface, text) for text in found], free.count(False)


def _fits(surface: Mapped, text: Text) -> bool:
    """Whether its words stay in their room."""
    wide = surface.on.typeface.width(text.text, _letters(surface, text), bold=True)
    return not text.room or wide <= text.room * surface.sx


def _within(surface: Mapped, text: Text) -> Text:
    """The text in letters so small that it is as wide as the surface at most: none of it is cut."""
    x0, _, x1, _ = _text_plate(surface, text)
    room = surface.width - 2 * (6 * surface.density if text.plate else 0.0)
    return text if x1 - x0 <= room else replace(text, size=text.size * 0.97 * room / (x1 - x0))


def _text_plate(surface: Mapped, layer: Text) -> Extent:
    """Where the text goes: its anchor at `xy`, moved as far as it takes to be on the surface."""
    size, pad = _letters(surface, layer), _pad(surface, layer)
    wide = surface.on.typeface.width(layer.text, size, bold=True) + 2 * pad
    wide += line_height(size) if layer.swatches else 0
    high = line_height(size) * (layer.text.count("\n") + 1) + pad
    x = layer.xy[0] * surface.sx - layer.anchor[0] * wide
    y = layer.xy[1] * surface.sy - layer.anchor[1] * high
    edge = 6 * surface.density if layer.plate else 0.0
    left = round(max(edge, min(x, surface.width - wide - edge)))
    top = round(max(edge, min(y, surface.height - high - edge)))
    return (left, top, left + wide, top + high)


def _text(surface: Mapped, layer: Text) -> None:
    plate, pad = _text_plate(surface, layer), _pad(surface, layer)
    if layer.plate:
        surface.on.rounded(plate, DARK, radius=4 * surface.density, alpha=0.75)
    size = _letters(surface, layer)
    left, top, high = plate[0] + pad, plate[1] + pad // 2, line_height(size)
    side = 0.65 * size
    for row, color in enumerate(layer.swatches):
        edge = top + row * high + (high - side) / 2
        box = (left, edge, left + side, edge + side)
        surface.on.rounded(box, color, radius=2 * surface.density)
    at = (left + (high if layer.swatches else 0), top)
    color = surface.ink if layer.color is None else layer.color
    surface.on.write(layer.text, at, size, color, bold=True)


def _pad(surface: Mapped, layer: Text) -> int:
    """Around the words on their plate; less where the letters were made smaller."""
    return round(min(5 * surface.density, 0.42 * _letters(surface, layer))) if layer.plate else 0


def _letters(surface: Mapped, layer: Text) -> float:
    return layer.size * 4 / 3 * surface.density  # points to screen units at 96 in an inch


def _color(row: np.ndarray[tuple[int, ...], np.dtype[np.uint8]]) -> Color:
    return (int(row[0]), int(row[1]), int(row[2]))
