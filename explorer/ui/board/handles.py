"""Editing a box by its handles: pure geometry, in the units of the pane."""

from __future__ import annotations

from dataclasses import replace

from explorer.core.params import Box

Handle = str
"""Any of "move", or the sides that it moves: "l", "r", "t", "b", "lt", "rt", "lb", "rb"."""


def handle_points(box: Box) -> dict[Handle, tuple[float, float]]:
    """Where the eight handles of a box lie."""
    x0, y0, x1, y1 = box.x0, box.y0, box.x1, box.y1
    x, y = (x0 + x1) / 2, (y0 + y1) / 2
    corners = {"lt": (x0, y0), "rt": (x1, y0), "lb": (x0, y1), "rb": (x1, y1)}
    return corners | {"l": (x0, y), "r": (x1, y), "t": (x, y0), "b": (x, y1)}


def handle_at(box: Box, x: float, y: float, reach: float) -> Handle | None:
    """The handle within `reach` of a position (corners first), "move" inside the box, or None."""
    for handle, (at_x, at_y) in handle_points(box).items():
        if abs(x - at_x) <= reach and abs(y - at_y) <= reach:
            return handle
    near = box.x0 - reach <= x <= box.x1 + reach and box.y0 - reach <= y <= box.y1 + reach
    if near:
        sides = {"l": x - box.x0, "r": x - box.x1, "t": y - box.y0, "b": y - box.y1}
        for handle, distance in sides.items():
            if abs(distance) <= reach:
                return handle
    return "move" if box.x0 <= x <= box.x1 and box.y0 <= y <= box.y1 else None


def moved(box: Box, handle: Handle, dx: float, dy: float, size: tuple[float, float]) -> Box:
    """The box after dragging `handle` by (dx, dy), inside a pane of `size`.

    Its class and flags stay. A side dragged beyond its opposite turns the box over; moving keeps
    its width and height.
    """
    width, height = size
    if handle == "move":
        dx = min(max(dx, -box.x0), width - box.x1)
        dy = min(max(dy, -box.y0), height - box.y1)
        return _put(box, _written(box.x0 + dx, box.y0 + dy, box.x1 + dx, box.y1 + dy))
    left, right = box.x0 + dx * ("l" in handle), box.x1 + dx * ("r" in handle)
    top, bottom = box.y0 + dy * ("t" in handle), box.y1 + dy * ("b" in handle)
    return _put(box, spanned((left, top), (right, bottom), size))


def spanned(
    corner: tuple[float, float], opposite: tuple[float, float], size: tuple[float, float]
) -> Box:
    """The box between two corners in any order, cut off at the pane's borders."""
    xs = sorted(min(max(x, 0.0), size[0]) for x in (corner[0], opposite[0]))
    ys = sorted(min(max(y, 0.0), size[1]) for y in (corner[1], opposite[1]))
    return _written(xs[0], ys[0], xs[1], ys[1])


def _put(box: Box, at: Box) -> Box:
    """`box` with the corners of `at`."""
    return replace(box, x0=at.x0, y0=at.y0, x1=at.x1, y1=at.y1)


def _written(x0: float, y0: float, x1: float, y1: float) -> Box:
    """No hand is finer than a thousandth of a pixel; it should not read 238.07500000000002."""
    return Box(round(x0, 3), round(y0, 3), round(x1, 3), round(y1, 3))
