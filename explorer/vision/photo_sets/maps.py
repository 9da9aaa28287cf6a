"""Many feature vectors on a plane, and in clusters: PCA, t-SNE, k-means."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Float32 = NDArray[np.float32]

COMPONENTS = 50
"""Principal components that t-SNE and k-means are given: van der Maaten and Hinton 2008, 4.2."""

_FIT = 4096
LEAST = 5
"""Vectors that t-SNE needs."""

PERPLEXITY = 30.0


@dataclass(frozen=True, slots=True, eq=False)
class Axes:
    """Principal components of unit-length vectors.

    Attributes:
        mean: (C,) float32 of the vectors at length 1.
        directions: (C, K) float32, orthonormal, that of the largest variance first.
    """

    mean: Float32
    directions: Float32

    def of(self, features: NDArray[np.floating[Any]]) -> Float32:
        """(N, K) float32 coefficients of (N, C) vectors of any length."""
        found = np.empty((len(features), self.directions.shape[1]), np.float32)
        for begin in range(0, len(features), _FIT):  # float32 of them all would be large
            units = _units(features[begin : begin + _FIT])
            found[begin : begin + _FIT] = (units - self.mean) @ self.directions
        return found


def principal(features: NDArray[np.floating[Any]], count: int = COMPONENTS, seed: int = 0) -> Axes:
    """The first principal components of vectors that are brought to length 1 first.

    Distances then follow the cosine: for unit vectors the squared distance is 2 - 2 cos. With more
    than 4 096 vectors the components are those of a random sample. The sign of a component is such
    that the largest of its coefficients is positive.

    Args:
        features: (N, C).
        count: K at most; N or C where they are smaller.
        seed: Of the sample.
    """
    sample = features
    if len(features) > _FIT:
        rows = np.random.default_rng(seed).choice(len(features), _FIT, replace=False)
        sample = features[np.sort(rows)]
    units = _units(sample)
    mean = units.mean(axis=0)
    centered = (units - mean).astype(np.float64)
    # The smaller of the two Gram matrices: photos by photos, or channels by channels.
    if len(centered) <= centered.shape[1]:
        values, left = np.linalg.eigh(centered @ centered.T)
        right = centered.T @ left / np.sqrt(np.maximum(values, 1e-18))
    else:
        values, right = np.linalg.eigh(centered.T @ centered)
    right = np.where(values > 1e-12, right, 0.0)  # no direction where nothing varies
    axes = right[:, ::-1][:, : min(count, *centered.shape)]
    along = centered @ axes
    signs = np.sign(along[np.abs(along).argmax(axis=0), np.arange(along.shape[1])])
    return Axes(mean, (axes * np.where(signs == 0, 1.0, signs)).astype(np.float32))


def _units(features: NDArray[np.floating[Any]]) -> Float32:
    given = np.asarray(features, np.float32)
    lengths = np.linalg.norm(given, axis=1, keepdims=True)
    found: Float32 = (given / np.where(lengths > 0, lengths, 1.0)).astype(np.float32)
    return found


def tsne(coefficients: Float32, seed: int = 0) -> Float32:
    """(N, 2) positions by t-SNE (van der Maaten and Hinton 2008), from the PCA map.

    Args:
        coefficients: (N, K) of principal components, N at least 5.
        seed: Of the optimization.
    """
    from sklearn.manifold import TSNE  # slow to import

    count = len(coefficients)
    if count < LEAST:
        raise ValueError(f"t-SNE needs {LEAST} vectors, got {count}")
    method = TSNE(
        n_components=2, perplexity=min(PERPLEXITY, (count - 1) / 3), init="pca",
        learning_rate="auto", random_state=seed,
    )  # fmt: skip
    found: Float32 = method.fit_transform(coefficients.astype(np.float32)).astype(np.float32)
    return found


def clusters(coefficients: Float32, count: int, seed: int = 0) -> NDArray[np.intp]:
    """(N,) numbers of clusters by k-means with k-means++ (Arthur and Vassilvitskii 2007).

    The largest cluster has number 0.

    Args:
        coefficients: (N, K) of principal components.
        count: Clusters at most; not more than there are different vectors.
        seed: Of the beginning.
    """
    from sklearn.cluster import MiniBatchKMeans  # slow to import

    count = min(count, len(np.unique(coefficients, axis=0)))
    if count < 2:
        return np.zeros(len(coefficients), np.intp)
    method = MiniBatchKMeans(count, n_init=4, random_state=seed, batch_size=1024)
    labels = method.fit_predict(coefficients)
    order = np.argsort(-np.bincount(labels, minlength=count), kind="stable")
    places = np.empty(count, np.intp)
    places[order] = np.arange(count)
    found: NDArray[np.intp] = places[labels]
    return found
