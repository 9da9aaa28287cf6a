"""A linear SVM by dual coordinate descent, which can be watched and given more examples.

Hsieh, Chang, Lin, Keerthi and Sundararajan 2008, "A Dual Coordinate Descent Method for Large-scale
Linear SVM", algorithm 1 for the hinge loss; liblinear and scikit-learn's LinearSVC (with
``loss="hinge"``) minimize the same, and a test compares them:

    1/2 (|w|² + b²) + C * sum of max(0, 1 - y (w x + b * BIAS_SCALE))

What is reported as the bias is b * BIAS_SCALE.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Float32 = NDArray[np.float32]

BIAS_SCALE = 10.0
"""The constant feature: the larger, the less the bias is held back."""


@dataclass(frozen=True, slots=True)
class Objective:
    """`primal` is the loss that is minimized, `dual` its lower bound: both meet at the end."""

    primal: float
    dual: float


class LinearSvm:
    """Examples, their multipliers, and the weights that follow from them.

    Args:
        features: (N, D) float32.
        labels: (N,) +1 or -1.
        cost: C, the largest multiplier: how much a violated margin costs.

    Attributes:
        alpha: (N,) float64 multipliers in [0, C]; above 0 = a support vector.
    """

    def __init__(self, features: Float32, labels: NDArray[np.int64], cost: float) -> None:
        self._features = np.ascontiguousarray(features, np.float32)
        self._labels = labels.astype(np.float64)
        self._cost = cost
        self.alpha = np.zeros(len(labels))
        self._weights = np.zeros(features.shape[1], np.float32)
        self._bias = 0.0
        self._squares = self._lengths(self._features)

    @property
    def weights(self) -> Float32:
        """(D,) float32."""
        return self._weights.copy()

    @property
    def bias(self) -> float:
        return self._bias * BIAS_SCALE

    @property
    def labels(self) -> NDArray[np.int64]:
        """(N,) +1 or -1."""
        return self._labels.astype(np.int64)

    def add(self, features: Float32, labels: NDArray[np.int64]) -> None:
        """More examples; the multipliers so far are where the next epoch begins."""
        more = np.ascontiguousarray(features, np.float32)
        self._features = np.concatenate([self._features, more])
        self._labels = np.concatenate([self._labels, labels.astype(np.float64)])
        self.alpha = np.concatenate([self.alpha, np.zeros(len(labels))])
        self._squares = np.concatenate([self._squares, self._lengths(more)])

    def epoch(self, order: NDArray[np.int64]) -> float:
        """One step for every example, in this order.

        Returns:
            The largest violation of the optimality conditions that was met: 0 = done.
        """
        largest = 0.0
        labels, alpha, squares = self._labels, self.alpha, self._squares
        weights, bias, cost = self._weights, self._bias, self._cost
        for row in order.tolist():
            example, label = self._features[row], labels[row]
            gradient = label * (float(example @ weights) + bias * BIAS_SCALE) - 1
            old = alpha[row]
            if (old <= 0 and gradient >= 0) or (old >= cost and gradient <= 0):
                continue
            largest = max(largest, abs(gradient))
            new = min(max(old - gradient / squares[row], 0.0), cost)
            step = (new - old) * label
            if step:
                alpha[row] = new
                weights += np.float32(step) * example
                bias += step * BIAS_SCALE
        self._bias = bias
        return largest

    def margins(self, features: Float32) -> Float32:
        """(M,) w x + b of other examples."""
        found: Float32 = features @ self._weights + np.float32(self.bias)
        return found

    def objective(self) -> Objective:
        """Of the examples so far."""
        norm = float(self._weights.astype(np.float64) @ self._weights) + self._bias**2
        slack = np.clip(1 - self._labels * self.margins(self._features), 0, None)
        primal = norm / 2 + self._cost * float(slack.sum())
        return Objective(primal, float(self.alpha.sum()) - norm / 2)

    @staticmethod
    def _lengths(features: Float32) -> NDArray[np.float64]:
        found: NDArray[np.float64] = np.einsum("ij,ij->i", features, features).astype(np.float64)
        return found + BIAS_SCALE**2
