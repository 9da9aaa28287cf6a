"""What the numbers of a line in a YOLO label file are: the file does not tell.

Behind the class stand the center and size of a box (4 numbers), the corners of a polygon (two for
each), or a box and the keypoints of a pose (two or three for each); a score and the number of a
track may follow. How many numbers there are leaves several readings open, so each is tried:
keypoints lie in their box, a polygon does not cross itself, the number of a track is whole.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import isfinite
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from explorer.networks.checkpoints.class_lists import ClassList

    Float64 = NDArray[np.float64]

_MARGIN = 0.05
"""Of the photo: so far may a number lie outside of it."""

_CROSSING_TESTS = 400
"""Corners of a polygon that are tested for crossings; a finer one is no pose."""


@dataclass(frozen=True, slots=True, eq=False)
class Line:
    """One line of a label file.

    Attributes:
        number: Of the class.
        values: (N,) float64, N >= 4: all numbers behind it.
        whole: The last one is written as a whole number, as that of a track is.
        polygon: (K, 2) float64 corners in parts of the photo; None = the first four are a box.
        pose: Keypoints stand behind the box.
    """

    number: int
    values: Float64
    whole: bool
    polygon: Float64 | None = None
    pose: bool = False


def line_of(words: list[str]) -> Line | None:
    """A line's numbers; None when it is no label."""
    try:
        number, values = float(words[0]), [float(word) for word in words[1:]]
    except ValueError:
        return None
    if number < 0 or not number.is_integer() or len(values) < 4:
        return None
    if not all(map(isfinite, values)):
        return None
    return Line(int(number), np.array(values), words[-1].isdigit())


def settled(line: Line, classes: ClassList) -> Line:
    """The line with the reading that it most likely has."""
    count, keypoints = len(line.values), classes.keypoints
    if count <= 5 or _has_track(line):  # a fifth number alone is a score or a track
        return line
    if keypoints is not None and count - 4 - keypoints[0] * keypoints[1] in (0, 1, 2):
        return replace(line, pose=True)
    rest = [line.values[: count - more] for more in (0, 1, 2 if line.whole else 0)]
    outlines = [values.reshape(-1, 2) for values in rest if len(values) % 2 == 0]
    likely = next((outline for outline in outlines if not _odd_shape(outline)), None)
    if likely is None and any(_is_pose(line, each, more) for each in (3, 2) for more in (0, 1, 2)):
        return replace(line, pose=True)
    return replace(line, polygon=outlines[0] if likely is None else likely)


def _has_track(line: Line) -> bool:
    """A box, a score and the number of a track, which is written without a decimal point."""
    score = line.values[4]
    return len(line.values) == 6 and line.whole and 0 <= score <= 1 and _is_box(line)


def _is_box(line: Line) -> bool:
    center, size = line.values[:2], line.values[2:4]
    low, high = center - size / 2, center + size / 2
    inside = low.min() >= -_MARGIN and high.max() <= 1 + _MARGIN
    return bool(inside and size.min() > 0)


def _is_pose(line: Line, each: int, more: int) -> bool:
    """The rest divides into points that lie in the box; (0, 0) is one that is not visible."""
    rest = line.values[4 : len(line.values) - more]
    if len(rest) < each or len(rest) % each or not _is_box(line):
        return False
    points = rest.reshape(-1, each)
    if each == 3 and not ((points[:, 2] >= 0) & (points[:, 2] <= 2)).all():
        return False
    seen = points[points[:, :2].any(axis=1), :2]
    reach = line.values[2:4] * 0.6
    return bool((np.abs(seen - line.values[:2]) <= reach).all())


def _odd_shape(polygon: Float64) -> bool:
    """True for corners that no annotator draws.

    They lie outside of the photo, most of them are one point, the second (a size, if this is a
    pose) lies far off all others, or the outline crosses itself.
    """
    if polygon.min() < -_MARGIN or polygon.max() > 1 + _MARGIN:
        return True
    if len(np.unique(polygon, axis=0)) < max(3, len(polygon) / 2):
        return True
    others = np.delete(polygon, 1, axis=0)
    low, high = others.min(0), others.max(0)
    off = np.linalg.norm(polygon[1] - polygon[1].clip(low, high))
    return bool(off > np.linalg.norm(high - low) / 2) or _crosses_itself(polygon)


def _crosses_itself(polygon: Float64) -> bool:
    if len(polygon) > _CROSSING_TESTS:
        return False
    start, end = polygon, np.roll(polygon, -1, axis=0)

    def side(point: Float64) -> Float64:
        """(N, N): on which side of edge i (row) point j lies."""
        along, to = (end - start)[:, None], point[None] - start[:, None]
        return np.asarray(along[..., 0] * to[..., 1] - along[..., 1] * to[..., 0])

    of_start, of_end = np.sign(side(start)), np.sign(side(end))
    apart = of_start * of_end < 0
    return bool((apart & apart.T).any())
