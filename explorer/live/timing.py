"""From frames with their own times to a film of a constant rate that lasts as long."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from explorer.live.slot import Shot

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np
    from numpy.typing import NDArray

    from explorer.live.video import Film

_TINY = 1e-3  # the unit of many files' times


def timed(
    film: Film, rate: float, start: float = 0.0, end: float = 0.0
) -> Iterator[tuple[Shot, int]]:
    """Every frame of an open film, with the number of frames that it fills at `rate` a second.

    A frame that lasts long fills several, one that is over at once none. Together they last as long
    as the film does, whether its own rate is constant or not.

    Args:
        film: It is read to its end.
        rate: Frames a second that are counted.
        start: The in point in seconds: the first frame is the one that is shown then.
        end: Position of the out point, exclusive; 0 = the end.

    Raises:
        ExplorerError: No frame can be read.
    """
    before: Shot | None = None
    filled = 0
    for pixels, position in _between(film, start, end):
        if before is None:
            before = _shot(pixels, 0, position)
            first = position
            continue
        times = max(0, round((position - first) * rate) - filled)
        yield before, times
        filled += times
        before = _shot(pixels, before.number + 1, position)
    if before is not None:
        yield before, max(1, round(rate / film.rate))


def _between(film: Film, start: float, end: float) -> Iterator[tuple[NDArray[np.uint8], float]]:
    if start > 0:
        if 0 < film.duration <= start:
            return
        film.seek(start)
    while (found := film.read()) is not None:
        if end and found[1] >= end - _TINY:
            return
        yield found


def _shot(pixels: NDArray[np.uint8], number: int, position: float) -> Shot:
    pixels.setflags(write=False)
    return Shot(pixels, number, time.perf_counter(), position)
