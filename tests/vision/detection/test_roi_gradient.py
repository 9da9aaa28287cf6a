"""The way back through RoI pooling equals torch's own, also where RoIs overlap."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torchvision.ops import roi_align, roi_pool

from explorer.vision.detection.roi_gradient import roi_align_gradient, roi_pool_gradient


def boxes() -> np.ndarray:
    """Inside, across every edge, far outside, tiny, and several over one another."""
    return np.array(
        [
            [2.3, 1.7, 9.1, 7.4], [3.0, 2.0, 8.0, 9.0], [-3.5, -2.0, 4.2, 5.0], [8.0, 6.5, 20, 18],
            [30, 30, 40, 40], [5.2, 5.1, 5.3, 5.15], [0, 0, 13, 11], [4.5, 4.5, 4.5, 4.5],
        ],
        np.float32,
    )  # fmt: skip


def rows_of(found: np.ndarray) -> torch.Tensor:
    return torch.cat([torch.zeros(len(found), 1), torch.from_numpy(found)], dim=1)


@pytest.mark.parametrize("size", [(1, 1), (3, 3), (7, 5)])
def test_roi_pool(size: tuple[int, int]) -> None:
    rng = np.random.default_rng(0)
    feature = rng.normal(size=(11, 13)).astype(np.float32)
    feature[3:6, 4:7] = 2.5  # several cells hold the maximum: the first of them gets it
    upstream = rng.normal(size=(len(boxes()), *size)).astype(np.float32)
    ours = sum(
        roi_pool_gradient(feature, box, part) for box, part in zip(boxes(), upstream, strict=True)
    )
    tensor = torch.from_numpy(feature)[None, None].requires_grad_()
    pooled = roi_pool(tensor, rows_of(boxes()), size)
    (own,) = torch.autograd.grad(pooled, tensor, torch.from_numpy(upstream)[:, None])
    np.testing.assert_allclose(ours, own[0, 0], atol=1e-5)


@pytest.mark.parametrize("aligned", [False, True])
@pytest.mark.parametrize("sampling", [0, 1, 2, 3])
@pytest.mark.parametrize("size", [(1, 1), (7, 5)])
def test_roi_align(size: tuple[int, int], sampling: int, aligned: bool) -> None:
    rng = np.random.default_rng(1)
    upstream = rng.normal(size=(len(boxes()), *size)).astype(np.float32)
    ours = sum(
        roi_align_gradient((11, 13), box, part, sampling=sampling, aligned=aligned)
        for box, part in zip(boxes(), upstream, strict=True)
    )
    tensor = torch.zeros(1, 1, 11, 13, requires_grad=True)
    pooled = roi_align(tensor, rows_of(boxes()), size, 1.0, sampling, aligned)
    (own,) = torch.autograd.grad(pooled, tensor, torch.from_numpy(upstream)[:, None])
    np.testing.assert_allclose(ours, own[0, 0], atol=1e-5)


def test_one_bin_by_hand() -> None:
    """RoIPool gives everything to one cell; RoIAlign halves it between two neighbors."""
    feature = np.arange(16, dtype=np.float32).reshape(4, 4)
    box = np.array([0, 0, 1, 1], np.float32)
    one = np.ones((1, 1), np.float32)
    pooled = roi_pool_gradient(feature, box, one)
    assert pooled[1, 1] == 1
    assert pooled.sum() == 1
    spread = roi_align_gradient((4, 4), np.array([0.5, 0, 1.5, 0], np.float32), one, sampling=1)
    np.testing.assert_allclose(spread[:2, :3].sum(axis=0), [0, 1, 0])
    both = roi_align_gradient((4, 4), np.array([1, 1, 2, 2], np.float32), one, sampling=1)
    np.testing.assert_allclose(both[1:3, 1:3], 0.25)
