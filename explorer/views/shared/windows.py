"""What views of a classifier's windows have in common: words of a cell, colors of differences."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from explorer.views.shared.common import class_name, percent

if TYPE_CHECKING:
    from collections.abc import Sequence

    from explorer.core.layers import Float32

CUT = 0.995
"""The part of the differences that the color scale spans."""


def cell_words(
    cell: tuple[int, int],
    label: int,
    classes: Sequence[str],
    scores: Float32,
    ways: tuple[Float32, Float32],
) -> str:
    """A cell's probability of a class in one pass, and of its cropped window.

    Args:
        cell: Row and column.
        label: The class.
        classes: Names by index.
        scores: (C, h, w) logits of one pass.
        ways: (h, w) probabilities of the class in one pass and of cropped windows; NaN = none.
    """
    one, cropped = (float(way[cell]) for way in ways)
    name = class_name(classes, label)
    words = f"row {cell[0]}, column {cell[1]}: {name} {percent(one)} in one pass"
    if np.isfinite(cropped):
        words += f", {percent(cropped)} cropped"
    top = int(scores[:, cell[0], cell[1]].argmax())
    return words if top == label else f"{words}; top class {class_name(classes, top)}"


def difference_limit(values: Float32) -> float:
    """Where the colors of differences of logits end, on both sides of zero; NaN does not count."""
    sizes = np.abs(values[np.isfinite(values)])
    # Rounding must not fill the colors: a hundredth of a logit is nothing.
    return max(float(np.quantile(sizes, CUT)) if sizes.size else 0.0, 0.01)
