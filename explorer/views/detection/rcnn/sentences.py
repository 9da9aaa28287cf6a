"""The move of a box regressor in words: where the proposal was wrong, and by how much."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from explorer.vision.detection.boxes import LARGEST_LOG

if TYPE_CHECKING:
    from collections.abc import Sequence

FINE = 0.02
"""A smaller number is no fault: 2% of a side."""

NAMES = ("t_x", "t_y", "t_w", "t_h")
FAULTS = (
    ("too far left", "too far right"),
    ("too high", "too low"),
    ("too narrow", "too wide"),
    ("too short", "too tall"),
)
"""Of the proposal, where the number is positive and where it is negative."""

MOVES = (("right", "left"), ("down", "up"))

Row = tuple[str, float, str, float]
"""Name, number, words, pixels of the photo."""


def faults(deltas: Sequence[float]) -> tuple[str, ...]:
    """What is wrong with a proposal whose regressor gives these tx, ty, tw, th."""
    return tuple(
        words[value < 0] for value, words in zip(deltas, FAULTS, strict=True) if abs(value) >= FINE
    )


def verdict(deltas: Sequence[float]) -> str:
    """All of it: "too far left, too wide"; "it fits" where nothing is."""
    return ", ".join(faults(deltas)) or "it fits"


def rows(deltas: Sequence[float], sides: tuple[float, float]) -> tuple[Row, ...]:
    """One row per number.

    Args:
        deltas: tx, ty, tw, th.
        sides: Width and height of the proposal in pixels.
    """
    found = []
    for k, value in enumerate(deltas):
        side = sides[k % 2]
        pixels = side * (value if k < 2 else math.exp(min(value, LARGEST_LOG)) - 1.0)
        found.append((NAMES[k], round(value, 3), _words(k, value, pixels / side), round(pixels, 1)))
    return tuple(found)


def _words(k: int, value: float, part: float) -> str:
    side = ("width", "height")[k % 2]
    if abs(value) < FINE:
        return "fits"
    fault = FAULTS[k][value < 0]
    if k < 2:
        return f"{fault}: move {MOVES[k][value < 0]} by {abs(part):.0%} of the {side}"
    return f"{fault}: {side} x {1 + part:.2f}"
