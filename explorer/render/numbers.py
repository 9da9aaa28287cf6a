"""Numbers as a person would write them, and the marks of an axis."""

from __future__ import annotations

from math import floor, isfinite, log10
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence


def number(value: float) -> str:
    """A value as a person would write it: four significant digits, whole numbers in full."""
    if isinstance(value, int):
        return count(value)
    if not isfinite(value):
        return str(value)
    if value == 0:
        return "0"
    if 1e-3 <= abs(value) < 1e7:
        digits = max(0, 3 - floor(log10(abs(value))))
        text = f"{value:,.{digits}f}"
        return text.rstrip("0").rstrip(".") if "." in text else text
    return f"{value:.3g}"


def count(value: int) -> str:
    """A whole number in full, with commas: 217,413."""
    return str(value) if isinstance(value, bool) else f"{value:,}"


def numbers(values: Sequence[float]) -> list[str]:
    """A column of values: as many decimals for each as the largest one needs for four digits.

    No more than say something: a column that was rounded to two has two.
    """
    finite = [abs(value) for value in values if isfinite(value)]
    largest = max(finite, default=0.0)
    if all(isinstance(value, int) for value in values) or not 1e-3 <= largest < 1e7:
        return [number(value) for value in values]
    decimals = min(4, max(0, 3 - floor(log10(largest))))
    while decimals and all(abs(value - round(value, decimals - 1)) < 1e-9 for value in finite):
        decimals -= 1
    return [fixed(value, decimals) for value in values]


def fixed(value: float, decimals: int) -> str:
    """With so many decimals; a zero has no sign."""
    text = f"{value:,.{decimals}f}"
    return text.removeprefix("-") if not text.strip("-0.") else text


def ticks(low: float, high: float, most: int, *, whole: bool = False) -> list[float]:
    """Round numbers between `low` and `high`, at most about `most` of them; `whole` ones only."""
    span = high - low
    if not (isfinite(span) and span > 0):
        return [low] if isfinite(low) else []
    rough = max(span / max(1, most), 1.0 if whole else 0.0)
    power = 10.0 ** floor(log10(rough))
    steps = [factor * power for factor in (1, 2, 2.5, 5, 10)]
    step = next(
        each for each in steps if each >= rough * 0.999 and not (whole and each != round(each))
    )
    first = np.ceil(low / step - 1e-9)
    last = np.floor(high / step + 1e-9)
    return [float(n * step) for n in np.arange(first, last + 1)]


def log_ticks(low: float, high: float, most: int) -> list[float]:
    """Where 1, 2, 5, 10, 20 … lie on a logarithmic axis from 10^`low` to 10^`high`.

    Powers of ten alone where those are more than `most`, and round steps in between where they are
    fewer than two.

    Returns:
        Exponents of ten, rising.
    """
    powers = range(floor(low), floor(high) + 1)
    every = [power + log10(digit) for power in powers for digit in (1, 2, 5)]
    marks = [mark for mark in every if low - 1e-9 <= mark <= high + 1e-9]
    if len(marks) < 2:
        return [log10(value) for value in ticks(10.0**low, 10.0**high, most) if value > 0]
    decades = [mark for mark in marks if mark == round(mark)]
    if len(marks) <= most or len(decades) < 2:
        return marks
    apart = -(-len(decades) // most)
    return [mark for mark in decades if mark % apart == 0]
