"""Concepts: directions in a layer that its activations on many photos are sums of (CRAFT).

Activations are factorized into non-negative parts (Lee and Seung 1999). How much the score of a
class depends on a concept is Sobol's total effect, as in Fel et al. 2023, *CRAFT: Concept Recursive
Activation FacTorization for Explainability*, section 3.2. Differences: the cells of a feature map
take the place of crops that are run through the network one by one, there is no recursion to
earlier layers, and what the factorization does not explain is left in the activations.
"""

from __future__ import annotations

import contextlib
import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from explorer.networks.hooks import map_tensors, replaced
from explorer.vision.features.classification import class_scores

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Float32 = NDArray[np.float32]

DESIGNS = 16
"""Pairs of masks; K concepts take (K + 2) x 16 scores."""


def factorized(activations: Float32, count: int, seed: int = 0) -> Float32:
    """(K, C) float32 directions of length 1, by non-negative matrix factorization.

    Args:
        activations: (M, C); negative ones count as 0.
        count: K at most; M or C where they are smaller.
        seed: Of the beginning.
    """
    from sklearn.decomposition import NMF  # slow to import
    from sklearn.exceptions import ConvergenceWarning

    given = np.maximum(activations, 0).astype(np.float32)
    count = min(count, *given.shape)
    if not given.any():
        return np.zeros((count, given.shape[1]), np.float32)
    method = NMF(count, init="nndsvda", max_iter=150, tol=1e-3, random_state=seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # it is near enough by then
        method.fit(given)
    directions = method.components_
    lengths = np.linalg.norm(directions, axis=1, keepdims=True)
    found: Float32 = (directions / np.where(lengths > 0, lengths, 1.0)).astype(np.float32)
    return found


def coefficients(activations: Float32, directions: Float32, steps: int = 200) -> Float32:
    """(M, K) float32, at least 0: how much of each direction is in every cell.

    The least squares solution, by the multiplicative updates of Lee and Seung 2001, theorem 1.

    Args:
        activations: (M, C); negative ones count as 0.
        directions: (K, C), at least 0.
        steps: Of the updates.
    """
    given = np.maximum(activations, 0).astype(np.float64)
    basis = directions.astype(np.float64)
    target, gram = given @ basis.T, basis @ basis.T
    found = np.maximum(target, 1e-9)
    for _ in range(steps):
        found *= target / np.maximum(found @ gram, 1e-12)
    found[target <= 0] = 0.0
    result: Float32 = found.astype(np.float32)
    return result


def designs(count: int, seed: int = 0, pairs: int = DESIGNS) -> Float32:
    """((K + 2) * N, K) float32 masks in [0, 1], whose scores `total_effects` takes.

    Args:
        count: K factors.
        seed: Of the scrambled Sobol sequence.
        pairs: N, a power of two.
    """
    from scipy.stats import qmc  # slow to import

    sample = qmc.Sobol(2 * count, seed=seed).random(pairs).astype(np.float32)
    first, second = sample[:, :count], sample[:, count:]
    groups = [first, second]
    for factor in range(count):
        mixed = first.copy()
        mixed[:, factor] = second[:, factor]
        groups.append(mixed)
    return np.concatenate(groups)


def total_effects(scores: NDArray[np.floating[Any]], count: int) -> NDArray[np.float64]:
    """(K,) Sobol's total effect of every factor, by the estimator of Jansen 1999.

    The fraction of the score's variance that is left on average if all other factors are held
    fixed. With the own effect of a factor come those that it has together with others, so the sum
    may exceed 1.

    Args:
        scores: ((K + 2) * N,) of the masks of `designs`.
        count: K.

    Returns:
        Zeros where the score does not change at all.
    """
    groups = np.asarray(scores, np.float64).reshape(count + 2, -1)
    variance = float(groups[:2].var())
    if variance <= 1e-12:
        return np.zeros(count)
    effects: NDArray[np.float64] = ((groups[0] - groups[2:]) ** 2).mean(axis=1) / (2 * variance)
    return effects


@torch.no_grad()
def masked_scores(
    module: nn.Module,
    images: Tensor,
    layer: str,
    parts: Tensor,
    masks: Float32,
    label: int,
) -> Float32:
    """The logit of a class where concepts are weakened in the activations of a layer.

    Args:
        module: A classifier in eval mode.
        images: (1, C, H, W), its input.
        layer: The dotted name of one of its modules; its first call counts.
        parts: (K, c, h, w): what each concept contributes to the layer's output.
        masks: (N, K) in [0, 1]: 1 leaves a concept as it is, 0 removes it.
        label: The class.

    Returns:
        (N,) float32.
    """
    removed = torch.from_numpy(1 - masks).to(parts)

    def change(output: Any, call: int) -> Any:
        if call:
            return output
        return map_tensors(
            output, lambda values: values - torch.einsum("nk,kchw->nchw", removed, parts).to(values)
        )

    # The photo runs up to the layer once; what follows gets a batch.
    with contextlib.suppress(RuntimeError):
        with replaced(module, {layer: change}):
            found = class_scores(module(images))
        if len(found) == len(masks):
            return _logits(found, label)
    # A branch around the layer is joined with it in a way that needs equal batches.
    with replaced(module, {layer: change}):
        found = class_scores(module(images.expand(len(masks), -1, -1, -1)))
    return _logits(found, label)


def _logits(scores: Tensor, label: int) -> Float32:
    found: Float32 = scores[:, label].float().cpu().numpy()
    return found
