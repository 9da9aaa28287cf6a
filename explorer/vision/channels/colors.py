"""All channels of a layer in one picture: three principal components as red, green and blue."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Float32 = NDArray[np.float32]

CUT = 0.01
"""Of the cells on each side: beyond them a component's color does not change any more."""


@dataclass(frozen=True, slots=True, eq=False)
class Colored:
    """`rgb` is (h, w, 3) uint8; `ratios` (3,) the fraction of the variance in each component."""

    rgb: NDArray[np.uint8]
    ratios: Float32


def pca_colors(maps: Float32) -> Colored | None:
    """The feature vectors of all cells along their first three principal components, as colors.

    Cells with similar vectors have similar colors (as shown of transformers by Oquab et al. 2024,
    DINOv2, figure 1). A component is turned so that its largest weight is positive, and is 128
    where it is 0; components that are missing are 128 everywhere.

    Args:
        maps: (C, h, w) with at least two cells.

    Returns:
        None when all cells are alike, or a value is not finite.
    """
    count, height, width = maps.shape
    vectors = maps.reshape(count, -1).T.astype(np.float64)
    vectors = vectors - vectors.mean(axis=0)
    total = float(np.square(vectors).sum())
    if not np.isfinite(total) or total <= 0 or height * width < 2:
        return None
    few = len(vectors) < count  # the smaller of both products has the same eigenvalues
    product = vectors @ vectors.T if few else vectors.T @ vectors
    values, axes = np.linalg.eigh(product)
    order = np.argsort(-values, kind="stable")[:3]
    axes, values = axes[:, order], values[order].clip(min=0.0)
    weights = vectors.T @ axes if few else axes
    signs = np.sign(weights[np.abs(weights).argmax(axis=0), np.arange(len(order))])
    along = (axes * np.sqrt(values) if few else vectors @ axes) * np.where(signs, signs, 1.0)
    rgb = np.full((len(vectors), 3), 128, np.uint8)
    for component in range(len(order)):
        column = along[:, component]
        reach = float(np.abs(np.quantile(column, (CUT, 1 - CUT))).max())
        if values[component] > 1e-9 * total and reach > 0:
            rgb[:, component] = np.rint(127.5 + 127.5 * (column / reach).clip(-1, 1))
    ratios = np.zeros(3, np.float32)
    ratios[: len(order)] = values / total
    return Colored(rgb.reshape(height, width, 3), ratios)
