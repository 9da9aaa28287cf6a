"""From the outputs of classification networks to one vector of class scores."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from explorer.core.errors import ExplorerError
from explorer.networks.hooks import tensors_in

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from torch import Tensor


def class_scores(output: Any) -> Tensor:
    """The class scores before the softmax: (N, C) float32 with their graph.

    Takes a tensor, or the named tuples of Inception and GoogLeNet (the main head comes first), or a
    dict. (N, C, h, w) scores of a fully convolutional classifier are averaged over the places.

    Raises:
        ExplorerError: When the output is not one vector of scores for each picture.
    """
    found = tensors_in(output)
    scores = found[0].float() if found else torch.empty(0)
    if scores.ndim == 4:
        scores = scores.mean(dim=(2, 3))
    if scores.ndim != 2 or scores.shape[1] == 0:
        raise _no_scores(scores)
    return scores


@torch.no_grad()
def logits_of(output: Any) -> NDArray[np.float32]:
    """`class_scores` of one picture, as an array: (C,) float32."""
    scores = class_scores(output)
    if scores.shape[0] != 1:
        raise _no_scores(scores)
    vector: NDArray[np.float32] = scores[0].cpu().numpy().copy()
    return vector


def _no_scores(scores: Tensor) -> ExplorerError:
    return ExplorerError(
        f"This network's output has shape {tuple(scores.shape)}, not one score per class.",
        "Choose a classification network.",
    )


def softmax(logits: NDArray[np.float32], temperature: float = 1.0) -> NDArray[np.float32]:
    """exp(z_k / T) / sum_j exp(z_j / T), in double precision inside; (C,) float32.

    T = 1 is the network's own output, above it is flatter, below it is sharper (Hinton et al. 2015,
    "Distilling the Knowledge in a Neural Network", equation 1).
    """
    scaled = logits.astype(np.float64) / temperature
    powers = np.exp(scaled - scaled.max())
    shares: NDArray[np.float32] = (powers / powers.sum()).astype(np.float32)
    return shares


def tree_masses(
    paths: Sequence[Sequence[str]], probabilities: NDArray[np.float32], leaf: int
) -> list[tuple[str, float]]:
    """The words from the root of the class tree to class `leaf`, with the mass below each.

    Args:
        paths: For every class the words from the root to the class.
        probabilities: (C,).
        leaf: A class.

    Returns:
        One (word, mass) per node of the path; the mass falls from 1 at the root to the class's own.
    """
    path = tuple(paths[leaf])
    inside = np.ones(len(paths), bool)
    masses = []
    for depth, word in enumerate(path):
        inside &= np.array([len(other) > depth and other[depth] == word for other in paths])
        masses.append((word, float(probabilities[inside].sum())))
    return masses
