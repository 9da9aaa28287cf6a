"""A linear SVM, trained by dual coordinate descent (Hsieh et al. 2008, algorithm 1)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Float32 = NDArray[np.float32]

CLOSE = 0.02
"""The training ends where no dual variable would change its margin by more."""


def fit_svm(
    x: Float32, y: Float32, c: Float32, rng: np.random.Generator, epochs: int = 200
) -> Float32:
    """The weights w (D,) that minimize |w|^2 / 2 + sum of c max(0, 1 - y w x), the hinge loss.

    Args:
        x: (N, D) examples; a bias is a column of equal numbers.
        y: (N,) 1 or -1.
        c: (N,) weight of each example's loss.
        rng: For the order of the examples.
        epochs: At most.
    """
    weights = np.zeros(x.shape[1], np.float32)
    dual = np.zeros(len(x), np.float64)
    squares = np.einsum("nd,nd->n", x, x).astype(np.float64)
    active = np.arange(len(x))
    for _ in range(epochs):
        gradients = np.zeros(len(active))
        for place, row in enumerate(rng.permutation(active)):
            slope = float(y[row] * (weights @ x[row])) - 1.0
            bound = (dual[row] <= 0 and slope > 0) or (dual[row] >= c[row] and slope < 0)
            if bound or squares[row] == 0:
                continue
            gradients[place] = abs(slope)
            new = min(max(dual[row] - slope / squares[row], 0.0), float(c[row]))
            if new != dual[row]:
                weights += np.float32((new - dual[row]) * y[row]) * x[row]
                dual[row] = new
        if gradients.max(initial=0.0) < CLOSE:
            if len(active) == len(x):
                break
            active = np.arange(len(x))  # what was set aside may have become an error again
            continue
        # Examples far beyond their margin, without a part in the weights, are set aside.
        margins = y[active] * (x[active] @ weights)
        active = active[(dual[active] > 0) | (margins < 1.5)]
    return weights
