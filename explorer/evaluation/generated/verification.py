"""One person or two: the ROC of a similarity over pairs of faces."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, eq=False)
class Roc:
    """Rates at falling thresholds: `thresholds`, `false_positives`, `true_positives`, (n,) each."""

    thresholds: NDArray[np.float64]
    false_positives: NDArray[np.float64]
    true_positives: NDArray[np.float64]

    @property
    def area(self) -> float:
        """Under the curve: how often a pair of one person is more similar than one of two."""
        return float(np.trapezoid(self.true_positives, self.false_positives))

    def best(self) -> tuple[float, float]:
        """The threshold with the highest mean of the rates of both kinds, and that mean."""
        balanced = (self.true_positives + 1 - self.false_positives) / 2
        place = int(balanced.argmax())
        return float(self.thresholds[place]), float(balanced[place])


def roc(similarity: NDArray[np.float64], same: NDArray[np.bool_]) -> Roc:
    """Of pairs with a similarity, (n,), and whether they are of one person, (n,).

    Pairs of equal similarity count at once, so that their order does not matter.
    """
    order = np.argsort(-similarity, kind="stable")
    values, hits = similarity[order], same[order]
    last = np.flatnonzero(np.append(values[1:] != values[:-1], True))
    true = np.cumsum(hits)[last] / max(1, int(hits.sum()))
    false = np.cumsum(~hits)[last] / max(1, int((~hits).sum()))
    return Roc(
        np.concatenate([[np.inf], values[last]]), np.append(0.0, false), np.append(0.0, true)
    )
