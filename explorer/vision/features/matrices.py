"""A convolution as a product of matrices, in two ways, and the matrix of a transposed convolution.

All functions take one map of numbers without padding: zeros around it are cells like any other.
They are written by what they do to a cell; `torch.nn.functional.unfold` and `conv2d` give the same.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[Any]


def read_by(
    size: tuple[int, int], kernel: tuple[int, int], stride: int, dilation: int = 1
) -> NDArray[np.intp]:
    """Which cells every output reads.

    Args:
        size: (h, w) of the map.
        kernel: (kh, kw).
        stride: Cells between neighboring positions of the kernel.
        dilation: Cells between neighboring weights of the kernel.

    Returns:
        (rows, columns, kh, kw): the cells, counted row by row: ``row * w + column``. Without any
        row or column where the kernel is larger than the map.
    """
    starts, taps = [], []
    for side, weights in zip(size, kernel, strict=True):
        starts.append(np.arange(0, max(0, side - dilation * (weights - 1)), stride))
        taps.append(dilation * np.arange(weights))
    rows = starts[0][:, None, None, None] + taps[0][None, None, :, None]
    columns = starts[1][None, :, None, None] + taps[1][None, None, None, :]
    found: NDArray[np.intp] = rows * size[1] + columns
    return found


def im2col(values: Array, kernel: tuple[int, int], stride: int, dilation: int = 1) -> Array:
    """The patches of a map (h, w) as columns: (kh * kw, outputs).

    A kernel, written as a row, times this matrix gives all outputs at once (Chellapilla et al.
    2006, "High Performance Convolutional Neural Networks for Document Processing").
    """
    cells = read_by(values.shape, kernel, stride, dilation)
    return values.ravel()[cells].reshape(-1, kernel[0] * kernel[1]).T


def toeplitz(kernel: Array, size: tuple[int, int], stride: int, dilation: int = 1) -> Array:
    """The matrix of a convolution: (outputs, h * w), each row the kernel at one position.

    Times the map, written as a column, it gives the outputs; its transpose is the matrix of the
    transposed convolution (Dumoulin and Visin 2016, section 4.1).

    Args:
        kernel: (kh, kw).
        size: (h, w) of the map.
        stride: As in `read_by`.
        dilation: As in `read_by`.
    """
    cells = read_by(size, kernel.shape, stride, dilation)
    cells = cells.reshape(-1, kernel.size)
    matrix = np.zeros((len(cells), size[0] * size[1]), kernel.dtype)
    matrix[np.arange(len(cells))[:, None], cells] = kernel.ravel()
    return matrix


def dilated(kernel: Array, dilation: int) -> Array:
    """(kh, kw) with ``dilation - 1`` rows and columns of zeros between its own."""
    rows, columns = ((side - 1) * dilation + 1 for side in kernel.shape)
    found = np.zeros((rows, columns), kernel.dtype)
    found[::dilation, ::dilation] = kernel
    return found
