"""A bag of visual words: how photos were classified before convolutional networks.

Csurka, Dance, Fan, Willamowski and Bray 2004, "Visual Categorization with Bags of Keypoints": local
descriptors (SIFT, Lowe 2004) of many patches, k-means on those of the training photos, a histogram
of the nearest centers for each photo, and a linear SVM. As in later work patches lie on a dense
grid, and square roots are taken of descriptors and histograms (Arandjelovic and Zisserman 2012).
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import cv2
import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Float32 = NDArray[np.float32]
    UInt8 = NDArray[np.uint8]
    Labels = NDArray[np.int64]

SIDE = 128
"""Pixels of the longer side that photos are shrunk to."""

STEP, SIZES = 8, (12.0, 24.0)
"""Pixels between two patches, and their diameters."""

WORDS = 100
_MOST_FITTED = 5_000
"""Descriptors that the k-means gets, drawn evenly."""


def descriptors(pixels: UInt8) -> Float32:
    """The square roots of SIFT descriptors on a grid of patches.

    Args:
        pixels: (H, W, 3) uint8 RGB.

    Returns:
        (N, 128) float32 of length 1 (0 where a patch is of one color); at least one row.
    """
    height, width = pixels.shape[:2]
    share = SIDE / max(height, width)
    size = max(STEP, round(width * share)), max(STEP, round(height * share))
    gray = cv2.cvtColor(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), cv2.COLOR_RGB2GRAY)
    patches = [
        cv2.KeyPoint(float(x), float(y), diameter, 0)  # upright: all have the same direction
        for diameter in SIZES
        for y in range(STEP // 2, size[1], STEP)
        for x in range(STEP // 2, size[0], STEP)
    ]
    _, found = cv2.SIFT.create().compute(gray, patches)
    sums = np.maximum(found.sum(axis=1, keepdims=True), 1e-6)
    roots: Float32 = np.sqrt(found / sums).astype(np.float32)
    return roots


def vocabulary(found: Sequence[Float32], words: int, seed: int) -> Float32:
    """The centers of a k-means on the descriptors of the training photos.

    Args:
        found: Of each photo.
        words: Centers at most; fewer where there are fewer different descriptors.
        seed: Of the first centers.

    Returns:
        (K, 128) float32.
    """
    from sklearn.cluster import MiniBatchKMeans  # slow to import
    from sklearn.exceptions import ConvergenceWarning

    every = np.concatenate(list(found))
    if len(every) > _MOST_FITTED:
        every = every[np.linspace(0, len(every) - 1, _MOST_FITTED).astype(np.int64)]
    count = min(words, len(np.unique(every, axis=0)))
    method = MiniBatchKMeans(
        count, init="random", random_state=seed, n_init=1, batch_size=2048, max_iter=10
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        method.fit(every)
    centers: Float32 = method.cluster_centers_.astype(np.float32)
    return centers


def histogram(found: Float32, centers: Float32) -> Float32:
    """(K,) float32: the square root of the share of the descriptors nearest to each center."""
    squares = (centers**2).sum(axis=1)[None] - 2 * found @ centers.T
    counts = np.bincount(squares.argmin(axis=1), minlength=len(centers))
    return np.sqrt(counts / max(1, len(found))).astype(np.float32)


def svm_predictions(train: Float32, labels: Labels, test: Float32, seed: int) -> Labels:
    """The classes that a linear SVM, one against the rest, gives to histograms.

    Args:
        train: (N, K).
        labels: (N,), at least two different ones.
        test: (M, K).
        seed: Of the order in which the solver takes the photos.

    Returns:
        (M,) labels.
    """
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.svm import LinearSVC

    method = LinearSVC(C=10.0, random_state=seed, max_iter=2000)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # it is near enough by then
        method.fit(train, labels)
    found: Labels = method.predict(test).astype(np.int64)
    return found
