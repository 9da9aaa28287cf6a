"""Which regions train what in R-CNN: its three rules of IoU.

Girshick et al. 2014, "Rich feature hierarchies", sections 2.3 and appendices B and C. One class at
a time; `iou` is (N,), of every region with the nearest object of that class. Roles are (N,) int8.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Float32 = NDArray[np.float32]
    Roles = NDArray[np.int8]

POSITIVE = 0.5
"""From this IoU on a region is one of the class in the fine-tuning; below, it is background."""

BACKGROUND = 0.3
"""Under this IoU with all objects of the class a region is a negative of its SVM."""

NEAR = 0.6
"""From this IoU on a region trains the box regressor."""

NORM = 20.0
"""The mean length of the SVMs' feature vectors after scaling, as in the authors' code."""

POSITIVE_ROLE, NEGATIVE_ROLE, IGNORED_ROLE = 1, -1, 0


def fine_tuning_roles(iou: Float32) -> Roles:
    """No region is ignored: many of the positives are far from exact (appendix B)."""
    return np.where(iou >= POSITIVE, POSITIVE_ROLE, NEGATIVE_ROLE).astype(np.int8)


def svm_roles(iou: Float32, own: NDArray[np.bool_]) -> Roles:
    """The objects' own boxes (`own`) are the positives; what overlaps one a little is ignored."""
    roles = np.where(iou < BACKGROUND, NEGATIVE_ROLE, IGNORED_ROLE).astype(np.int8)
    roles[own] = POSITIVE_ROLE
    return roles


def regressor_roles(iou: Float32) -> Roles:
    """Regions near an object, each paired with that object; there are no negatives."""
    return np.where(iou >= NEAR, POSITIVE_ROLE, IGNORED_ROLE).astype(np.int8)


def norm_scale(vectors: Float32) -> float:
    """The factor that gives (N, D) vectors the mean length `NORM`; 1 where all are zero."""
    mean = float(np.linalg.norm(vectors, axis=1).mean()) if len(vectors) else 0.0
    return NORM / mean if mean > 0 else 1.0
