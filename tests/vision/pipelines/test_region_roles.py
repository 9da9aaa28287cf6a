"""The rules of IoU at their borders."""

from __future__ import annotations

import numpy as np
import pytest

from explorer.vision.pipelines.region_roles import (
    fine_tuning_roles,
    norm_scale,
    regressor_roles,
    svm_roles,
)

IOU = np.array([1, 1, 0.6, 0.59, 0.5, 0.49, 0.3, 0.29, 0], np.float32)
OWN = np.arange(9) == 0


def test_what_fine_tunes() -> None:
    assert fine_tuning_roles(IOU).tolist() == [1, 1, 1, 1, 1, -1, -1, -1, -1]


def test_what_trains_an_svm() -> None:
    roles = svm_roles(IOU, OWN)
    assert roles.tolist() == [1, 0, 0, 0, 0, 0, 0, -1, -1], "an exact proposal is no own box"
    assert roles.dtype == np.int8


def test_what_trains_a_regressor() -> None:
    assert regressor_roles(IOU).tolist() == [1, 1, 1, 0, 0, 0, 0, 0, 0]


def test_vectors_get_the_mean_length() -> None:
    vectors = np.array([[3, 4], [0, 15]], np.float32)  # of lengths 5 and 15
    assert norm_scale(vectors) == pytest.approx(2.0)
    assert norm_scale(np.zeros((2, 2), np.float32)) == 1.0
    assert norm_scale(vectors[:0]) == 1.0
