"""Faces as unit vectors: how far apart two are, and which of many are one person."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from scipy.cluster.hierarchy import fcluster, linkage

from explorer.vision.faces.alignment import gray

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import nn

    from explorer.core.layers import Float32, UInt8

EYE, MOUTH = 0.395, 0.79
POSITIONS: Float32 = np.array(
    [[0.318, EYE], [0.682, EYE], [0.5, 0.608], [0.346, MOUTH], [0.654, MOUTH]], np.float32
)
"""Where the five points lie in a crop of `mini-face-embedding`, as fractions: the medians of the
cascade's points in 295 of its training crops, made symmetric."""

AT_ONCE = 64


@torch.no_grad()
def embeddings(network: nn.Module, faces: UInt8) -> Float32:
    """(n, 64, 64, 3) uint8 RGB aligned faces -> (n, 128) float32 unit vectors.

    Args:
        network: A `FaceEmbedding` in eval mode.
        faces: n may be 0.
    """
    device = next(network.parameters()).device
    found = [np.empty((0, 128), np.float32)]
    for start in range(0, len(faces), AT_ONCE):
        batch = torch.from_numpy(gray(faces[start : start + AT_ONCE]))[:, None]
        found.append(network(batch.to(device)).float().cpu().numpy())
    return np.concatenate(found)


def distances(first: Float32, second: Float32) -> Float32:
    """(n, d) and (m, d) unit vectors -> (n, m) float32, 1 - cosine: 0 equal, 1 unrelated."""
    found: Float32 = (1 - first @ second.T).clip(0, 2).astype(np.float32)
    return found


def tree(vectors: Float32) -> NDArray[np.float64]:
    """Agglomerative clustering, average linkage of cosine distances: (n - 1, 4) as scipy's.

    Fewer than two vectors have no tree: (0, 4).
    """
    if len(vectors) < 2:
        return np.empty((0, 4))
    apart = distances(vectors, vectors)[np.triu_indices(len(vectors), 1)]
    found: NDArray[np.float64] = linkage(apart.astype(np.float64), "average")
    return found


def persons(grown: NDArray[np.float64], count: int, threshold: float) -> NDArray[np.intp]:
    """(n,) the cluster of each of `count` faces, numbered from 0 by size, the largest first.

    Clusters are joined while their mean distance is at most `threshold`.
    """
    if len(grown) == 0:
        return np.zeros(count, np.intp)
    labels = fcluster(grown, threshold, "distance")
    values, first, sizes = np.unique(labels, return_index=True, return_counts=True)
    rank = np.empty(int(values.max()) + 1, np.intp)
    rank[values[np.lexsort((first, -sizes))]] = np.arange(len(values))
    found: NDArray[np.intp] = rank[labels]
    return found
