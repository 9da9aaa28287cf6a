"""Color tables: for numbers (lookup tables) and for classes."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Literal

import numpy as np

from explorer.core.color_sets import CLASS_SETS, Color, chosen_color_set

if TYPE_CHECKING:
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


def lookup_table(colormap: Colormap) -> NDArray[np.uint8]:
    """(256, 3) uint8 RGB."""
    stops = np.asarray(_STOPS[colormap], np.float64)
    where = np.linspace(0.0, len(stops) - 1, 256)
    channels = [np.interp(where, np.arange(len(stops)), stops[:, c]) for c in range(3)]
    table: NDArray[np.uint8] = np.stack(channels, axis=1).round().astype(np.uint8)
    return table


COLORMAPS: tuple[Colormap, ...] = tuple(_STOPS)


def class_colors(count: int, color_set: str | None = None) -> NDArray[np.uint8]:
    """(count, 3) uint8: distinct, readable on photos, the same for the same class in every view.

    The array is shared and read-only. Without `color_set` the one that was chosen counts.

    The first 32 of "standard" were picked one after the other, each as far as can be from those
    before it (CIELAB, middle lightness, no grays; at least 25 units apart). Later rounds are
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
