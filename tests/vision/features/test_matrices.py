"""Products of matrices are the convolutions of torch."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import functional

from explorer.vision.features.matrices import dilated, im2col, read_by, toeplitz
from explorer.vision.features.resampling import spread, stamped

SIZES = [
    ((5, 6), (3, 3), 1, 1),
    ((7, 7), (3, 2), 2, 1),
    ((9, 8), (2, 3), 2, 3),
    ((4, 4), (1, 1), 3, 1),
]


@pytest.mark.parametrize(("size", "kernel", "stride", "dilation"), SIZES)
def test_both_matrices_are_the_convolution(
    size: tuple[int, int], kernel: tuple[int, int], stride: int, dilation: int
) -> None:
    random = np.random.default_rng(0)
    values, weights = random.normal(size=size), random.normal(size=kernel)
    x, w = torch.from_numpy(values)[None, None], torch.from_numpy(weights)[None, None]
    own = functional.conv2d(x, w, stride=stride, dilation=dilation)[0, 0].numpy().ravel()
    columns = im2col(values, kernel, stride, dilation)
    unfolded = functional.unfold(x, kernel, dilation=dilation, stride=stride)[0].numpy()
    np.testing.assert_array_equal(columns, unfolded)
    np.testing.assert_allclose(weights.ravel() @ columns, own, atol=1e-12)
    matrix = toeplitz(weights, size, stride, dilation)
    np.testing.assert_allclose(matrix @ values.ravel(), own, atol=1e-12)


@pytest.mark.parametrize(("size", "kernel", "stride", "dilation"), SIZES)
def test_the_transpose_is_the_transposed_convolution(
    size: tuple[int, int], kernel: tuple[int, int], stride: int, dilation: int
) -> None:
    random = np.random.default_rng(1)
    given, weights = random.normal(size=size), random.normal(size=kernel)
    y, w = torch.from_numpy(given)[None, None], torch.from_numpy(weights)[None, None]
    own = functional.conv_transpose2d(y, w, stride=stride, dilation=dilation)[0, 0].numpy()
    matrix = toeplitz(weights, own.shape, stride, dilation).T
    np.testing.assert_allclose((matrix @ given.ravel()).reshape(own.shape), own, atol=1e-12)
    wide = torch.from_numpy(dilated(weights, dilation))[None, None]
    np.testing.assert_allclose(stamped(y, wide, stride)[0, 0].numpy(), own, atol=1e-12)


def test_the_rows_of_the_transpose_are_what_each_cell_puts_down() -> None:
    kernel = torch.arange(1.0, 7.0).view(1, 1, 2, 3)
    parts = spread(lambda one: stamped(one, kernel, 2), (2, 2))
    matrix = toeplitz(kernel[0, 0].numpy(), tuple(parts.shape[1:]), 2)
    np.testing.assert_array_equal(matrix, parts.flatten(1).numpy())


def test_by_hand() -> None:
    assert toeplitz(np.array([[1, 2]]), (1, 4), 1).tolist() == [
        [1, 2, 0, 0], [0, 1, 2, 0], [0, 0, 1, 2],
    ]  # fmt: skip
    assert dilated(np.array([[1, 2], [3, 4]]), 2).tolist() == [[1, 0, 2], [0, 0, 0], [3, 0, 4]]
    assert im2col(np.arange(6).reshape(2, 3), (2, 2), 1).tolist() == [
        [0, 1], [1, 2], [3, 4], [4, 5],
    ]  # fmt: skip
    assert read_by((2, 2), (3, 3), 1).shape == (0, 0, 3, 3)
