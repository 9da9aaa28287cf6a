"""How well the borders of regions are met (Csurka et al. 2013, section 2)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Classes = NDArray[np.int32]

REACH = 0.0075
"""Of the photo's diagonal: so far a border may be off."""


def boundary_scores(truth: Classes, predicted: Classes, reach: float = REACH) -> dict[int, float]:
    """The boundary F of every class of the ground truth that has a border.

    The border of a class are its pixels beside (left, right, above or below) a pixel of another
    class. Precision is the share of the predicted border within the reach of the true one, recall
    the share of the true border within the reach of the predicted one; F = 2 P R / (P + R). Pixels
    that do not count, in either map, belong to no border.

    Args:
        truth: (H, W) int32, negative = not counted.
        predicted: (H, W) int32, likewise.
        reach: In diagonals; the distance is Euclidean, in pixels, between centers.
    """
    if truth.shape != predicted.shape:
        raise ValueError(f"the prediction must be {truth.shape}, got {predicted.shape}")
    unknown = (truth < 0) | (predicted < 0)
    truth, predicted = (np.where(unknown, np.int32(-1), each) for each in (truth, predicted))
    limit = reach * float(np.hypot(*truth.shape))
    scores = {}
    for label in np.unique(truth[truth >= 0]).tolist():
        true, found = border(truth, label), border(predicted, label)
        if not true.any():
            continue
        precision, recall = _share_near(found, true, limit), _share_near(true, found, limit)
        both = precision + recall
        scores[int(label)] = 2 * precision * recall / both if both else 0.0
    return scores


def border(classes: Classes, label: int) -> NDArray[np.bool_]:
    """(H, W) bool: the pixels of `label` beside a pixel of another class that counts."""
    own, other = classes == label, (classes != label) & (classes >= 0)
    beside = np.zeros_like(own)
    beside[1:] |= other[:-1]
    beside[:-1] |= other[1:]
    beside[:, 1:] |= other[:, :-1]
    beside[:, :-1] |= other[:, 1:]
    found: NDArray[np.bool_] = own & beside
    return found


def _share_near(these: NDArray[np.bool_], those: NDArray[np.bool_], limit: float) -> float:
    """Which share of these pixels has one of those within `limit` pixels."""
    if not these.any() or not those.any():
        return 0.0
    away = cv2.distanceTransform((~those).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    return float((away[these] <= limit + 1e-4).mean())
