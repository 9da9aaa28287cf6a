"""A linear SVM over a window of HOG blocks: the template that is compared with every window."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np

from explorer.vision.hog.features import PAPER, cell_sums

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from explorer.vision.hog.features import Settings

    Float32 = NDArray[np.float32]

PERSON, SMALL_PERSON = "person, 64 x 128 (OpenCV)", "person, 48 x 96 (Daimler)"


@dataclass(frozen=True, slots=True, eq=False)
class Template:
    """`weights` is (rows, columns, block, block, bins) float32, as the blocks of a window.

    The score of a window with blocks x is the sum of weights * x, plus `bias`.
    """

    weights: Float32
    bias: float
    settings: Settings = PAPER

    def __post_init__(self) -> None:
        own = self.settings
        if self.weights.ndim != 5 or self.weights.shape[2:] != (own.block, own.block, own.bins):
            raise ValueError(
                f"a template needs (rows, columns, {own.block}, {own.block}, {own.bins}) weights, "
                f"got {self.weights.shape}"
            )

    @property
    def cells(self) -> tuple[int, int]:
        """Rows and columns of cells in a window."""
        more = self.settings.block - 1
        return self.weights.shape[0] + more, self.weights.shape[1] + more

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of a window in pixels."""
        rows, columns = self.cells
        return rows * self.settings.cell, columns * self.settings.cell

    def cell_weights(self) -> Float32:
        """(rows, columns, bins) of cells: the sum of the weights in all blocks of a cell."""
        return cell_sums(self.weights)

    def contributions(self, blocks: Float32) -> Float32:
        """(rows, columns, bins) of cells: what each adds to the score of a window.

        Their sum and the bias are the score.

        Args:
            blocks: Of the window, shaped as the weights.
        """
        return cell_sums(self.weights * blocks)

    def scores(self, blocks: Float32) -> Float32:
        """(rows, columns) scores of all windows of a picture, one for each whole cell; maybe none.

        Args:
            blocks: (R, C, block, block, bins) of the picture.
        """
        down, across = self.weights.shape[:2]
        rows, columns = blocks.shape[0] - down + 1, blocks.shape[1] - across + 1
        if min(rows, columns) < 1:
            return np.zeros((max(rows, 0), max(columns, 0)), np.float32)
        # Every block with every block of the template, in one product; then the shifted sum.
        flat = blocks.reshape(blocks.shape[0] * blocks.shape[1], -1)
        own = self.weights.reshape(down * across, -1)
        products = (own @ flat.T).reshape(down, across, *blocks.shape[:2])
        total = np.full((rows, columns), self.bias, np.float32)
        for row in range(down):
            for column in range(across):
                total += products[row, column, row : row + rows, column : column + columns]
        return total


def from_opencv(vector: Float32, cells: tuple[int, int], settings: Settings) -> Template:
    """The template of a vector in the order of cv2.HOGDescriptor: columns first, the bias last.

    Args:
        vector: (n,) or (n + 1,); without the last number the bias is 0.
        cells: Rows and columns of cells in a window.
        settings: With which the vector was made.

    Raises:
        ValueError: The vector has another length.
    """
    count, bins = settings.block, settings.bins
    rows, columns = (side - count + 1 for side in cells)
    flat = np.asarray(vector, np.float32).ravel()
    length = rows * columns * settings.length
    if len(flat) not in (length, length + 1):
        raise ValueError(f"windows of {cells} cells have {length} components, got {len(flat)}")
    bias = float(flat[length]) if len(flat) > length else 0.0
    ordered = flat[:length].reshape(columns, rows, count, count, bins).transpose(1, 0, 3, 2, 4)
    return Template(np.ascontiguousarray(ordered), bias, settings)


def _opencv() -> Template:
    vector = np.asarray(cv2.HOGDescriptor.getDefaultPeopleDetector(), np.float32)
    return from_opencv(vector, (16, 8), PAPER)


def _daimler() -> Template:
    vector = np.asarray(cv2.HOGDescriptor.getDaimlerPeopleDetector(), np.float32)
    return from_opencv(vector, (12, 6), PAPER)


TEMPLATES: dict[str, Callable[[], Template]] = {PERSON: _opencv, SMALL_PERSON: _daimler}
"""Templates that come with OpenCV, by their names for people."""
