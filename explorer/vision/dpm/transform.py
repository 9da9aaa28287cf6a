"""The generalized distance transform of a response (Felzenszwalb and Huttenlocher 2012)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Float32 = NDArray[np.float32]
    Float64 = NDArray[np.float64]
    Places = NDArray[np.intp]


def distance_transform(
    values: NDArray[np.floating[Any]], costs: NDArray[np.floating[Any]]
) -> tuple[Float32, Places, Places]:
    """The best value around every position, less the cost of moving there.

    With the displacement (dx, dy) from the position to where the value is taken,

        D(x, y) = max over dx, dy of  f(x + dx, y + dy) - (a dx + b dy + c dx^2 + d dy^2).

    The cost is a sum over x and y, so that rows come first and columns after them. In one
    dimension every value is a parabola, and D their upper envelope, built from left to right in
    linear time (section 3.1 there). All rows of all maps are worked on at once.

    Args:
        values: (N, h, w), finite.
        costs: (N, 4), a, b, c, d of each map, c and d above 0.

    Returns:
        D (N, h, w) float32, and the x and y at which the maximum is, (N, h, w) each.
    """
    count, height, width = values.shape
    a, b, c, d = (np.asarray(costs, np.float64)[:, place] for place in range(4))
    rows = values.astype(np.float64).reshape(count * height, width)
    across, xs = _envelopes(rows, np.repeat(a, height), np.repeat(c, height))
    columns = across.reshape(count, height, width).transpose(0, 2, 1).reshape(-1, height)
    down, ys = _envelopes(columns, np.repeat(b, width), np.repeat(d, width))
    found = down.reshape(count, width, height).transpose(0, 2, 1).astype(np.float32)
    y = ys.reshape(count, width, height).transpose(0, 2, 1)
    x = np.take_along_axis(xs.reshape(count, height, width), y, axis=1)
    return found, x, y


def _envelopes(f: Float64, slope: Float64, curve: Float64) -> tuple[Float64, Places]:
    """Of each row of f (R, n), at each p, the maximum over q, and the q where it is.

    The maximum is of f(q) - slope (q - p) - curve (q - p)^2.
    """
    count, length = f.shape
    lines = np.arange(count)
    q = np.arange(length)
    # Over p, parabola q is lifted(q) + 2 curve q p + what all have in common.
    lifted = f - slope[:, None] * q - curve[:, None] * q**2
    # The parabolas of the envelope, left to right, and where each of them begins.
    chosen = np.zeros((count, length), np.intp)
    begins = np.full((count, length + 1), np.inf)
    begins[:, 0] = -np.inf
    last = np.zeros(count, np.intp)
    for new in range(1, length):
        active = lines
        crossing = np.empty(count)
        while len(active):
            old = chosen[active, last[active]]
            gained = lifted[active, old] - lifted[active, new]
            crossing[active] = gained / (2 * curve[active] * (new - old))
            hidden = crossing[active] <= begins[active, last[active]]
            active = active[hidden]
            last[active] -= 1
        last += 1
        chosen[lines, last] = new
        begins[lines, last] = crossing
        begins[lines, last + 1] = np.inf

    at = np.zeros(count, np.intp)
    places = np.empty((count, length), np.intp)
    for p in range(length):
        active = lines
        while len(active):
            active = active[begins[active, at[active] + 1] < p]
            at[active] += 1
        places[:, p] = chosen[lines, at]
    moved = places - q
    taken = np.take_along_axis(f, places, axis=1)
    return taken - slope[:, None] * moved - curve[:, None] * moved**2, places
