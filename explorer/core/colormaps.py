"""Color tables: for numbers (lookup tables) and for classes."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from explorer.core.color_sets import CLASS_SETS, Color, chosen_color_set

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

Colormap = Literal["viridis", "magma", "inferno", "gray", "turbo", "coolwarm"]

_STOPS: dict[Colormap, tuple[Color, ...]] = {
    # Sampled anchors of the well-known tables (viridis family: van der Walt and Smith, 2015, CC0;
    # turbo: Mikhailov, 2019; coolwarm: Moreland, 2009); between them colors are interpolated.
    "viridis": (
        (68, 1, 84), (71, 44, 122), (59, 81, 139), (44, 113, 142), (33, 144, 141), (39, 173, 129),
        (92, 200, 99), (170, 220, 50), (253, 231, 37),
    ),
    "magma": (
        (0, 0, 4), (28, 16, 68), (79, 18, 123), (129, 37, 129), (181, 54, 122), (229, 80, 100),
        (251, 135, 97), (254, 194, 135), (252, 253, 191),
    ),
    "inferno": (
        (0, 0, 4), (31, 12, 72), (85, 15, 109), (136, 34, 106), (186, 54, 85), (227, 89, 51),
        (249, 140, 10), (249, 201, 50), (252, 255, 164),
    ),
    "gray": ((0, 0, 0), (255, 255, 255)),
    "turbo": (
        (48, 18, 59), (70, 107, 227), (40, 187, 235), (50, 242, 152), (164, 252, 60),
        (238, 207, 58), (251, 126, 33), (209, 47, 5), (122, 4, 3),
    ),
    "coolwarm": (
        (59, 76, 192), (111, 146, 243), (170, 199, 253), (221, 221, 221), (247, 184, 156),
        (231, 117, 92), (180, 4, 38),
    ),
}  # fmt: skip


@functools.cache
def lookup_table(colormap: Colormap) -> NDArray[np.uint8]:
    """(256, 3) uint8 RGB, shared and read-only."""
    stops = np.asarray(_STOPS[colormap], np.float64)
    where = np.linspace(0.0, len(stops) - 1, 256)
    channels = [np.interp(where, np.arange(len(stops)), stops[:, c]) for c in range(3)]
    table: NDArray[np.uint8] = np.stack(channels, axis=1).round().astype(np.uint8)
    table.setflags(write=False)
    return table


APART = 24.0
"""Units of CIELAB between the colors of classes that are shown at once."""
ROUNDS = 4
"""Of the color set, lighter and darker: what a class may get in the place of its own color."""
_XYZ = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])

COLORMAPS: tuple[Colormap, ...] = tuple(_STOPS)


def class_colors(count: int, color_set: str | None = None) -> NDArray[np.uint8]:
    """(count, 3) uint8: distinct, readable on photos, the same for the same class in every view.

    The array is shared and read-only. Without `color_set` the one that was chosen counts.

    The first 32 of "standard" were picked one after the other, each as far as can be from those
    before it (CIELAB, middle lightness, no grays; at least 24 units apart). Later rounds are
    lighter, darker, and so on.
    """
    return _class_colors(count, color_set or chosen_color_set())


@functools.cache
def _class_colors(count: int, color_set: str) -> NDArray[np.uint8]:
    first = CLASS_SETS[color_set]
    k = np.arange(count)
    table = np.array(first, np.float64)[k % len(first)]
    turn = k // len(first)
    toward = np.where(turn % 2 == 1, 255.0, 0.0)[:, None]
    share = np.where(turn == 0, 0.0, 0.2 + 0.08 * (turn % 5))[:, None]
    colors: NDArray[np.uint8] = (table * (1 - share) + toward * share).round().astype(np.uint8)
    colors.setflags(write=False)
    return colors


def colors_apart(classes: Sequence[int], count: int) -> NDArray[np.uint8]:
    """(n, 3) uint8: the colors of some of `count` classes, told apart where they are shown at once.

    A class keeps its own color unless it is nearer than `APART` to that of a class before it in
    `classes`: then it gets the first color of the set that is not, or the farthest if all are. More
    classes behind them change nothing.
    """
    return _colors_apart(tuple(int(k) for k in classes), count, chosen_color_set())


def label_colors(labels: NDArray[np.integer[Any]], among: Sequence[int] = ()) -> NDArray[np.uint8]:
    """(n, 3) uint8 for the classes (n,) of n things in a picture: those of different classes apart.

    The lower label keeps its own color, so that it does not depend on the scores.

    Args:
        labels: Of the things.
        among: Further classes beside them, as in another pane.
    """
    shown = np.unique(np.concatenate([labels, np.asarray(among, np.int64)]).astype(np.int64))
    colors = colors_apart(shown.tolist(), int(shown.max(initial=0)) + 1)
    chosen: NDArray[np.uint8] = colors[np.searchsorted(shown, labels)]
    return chosen


@functools.lru_cache(maxsize=64)
def _colors_apart(classes: tuple[int, ...], count: int, color_set: str) -> NDArray[np.uint8]:
    own = class_colors(count, color_set)[list(classes)]
    offered = np.concatenate([own, class_colors(ROUNDS * len(CLASS_SETS[color_set]), color_set)])
    lab = cielab(offered)
    nearest = np.full(len(offered), np.inf)  # of each color, to those that are chosen
    places = []
    for row in range(len(own)):
        good = len(own) + np.flatnonzero(nearest[len(own) :] >= APART)
        if nearest[row] >= APART:
            places.append(row)
        else:
            places.append(int(good[0] if len(good) else nearest.argmax()))
        nearest = np.minimum(nearest, np.linalg.norm(lab - lab[places[-1]], axis=1))
    chosen = offered[places]
    chosen.setflags(write=False)
    return chosen


def cielab(rgb: NDArray[np.uint8]) -> NDArray[np.float64]:
    """(n, 3) L, a, b of (n, 3) uint8 sRGB, white is D65.

    Source: IEC 61966-2-1 (sRGB); CIE 15 (L*a*b*). A difference of 2 is just seen side by side.
    """
    share = rgb.astype(np.float64) / 255
    linear = np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4)
    xyz = linear @ _XYZ.T / _XYZ.sum(axis=1)
    root = np.where(xyz > (6 / 29) ** 3, np.cbrt(xyz), xyz / (3 * (6 / 29) ** 2) + 4 / 29)
    x, y, z = root.T
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], axis=1)
