"""How much of some classes is in features already: a linear classifier on a few photos.

Logistic regression of scikit-learn on frozen features, and for comparison a small network that is
trained on the same photos from random weights.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from numpy.typing import NDArray

    Float32 = NDArray[np.float32]
    Labels = NDArray[np.int64]

STRENGTH = 10.0
"""The inverse of the regularization of logistic regression, for features of mean length 1."""

SCRATCH_SIDE = 32
SCRATCH_STEPS = 120
SCRATCH_STATES = 12
"""That are shown of it, evenly spaced; the steps are a multiple."""

_SCRATCH_BATCH = 32


def linear_predictions(
    train: Float32, labels: Labels, test: Float32, *, strength: float = STRENGTH
) -> Labels:
    """The classes that logistic regression predicts.

    Features are centered, and scaled by one number to a mean length of 1, both as the training
    photos have it: a scale for each channel would be noise where there are few photos.

    Args:
        train: (N, C).
        labels: (N,), at least two different ones.
        test: (M, C).
        strength: The larger, the less the weights are held small.

    Returns:
        (M,) labels.
    """
    from sklearn.exceptions import ConvergenceWarning  # slow to import
    from sklearn.linear_model import LogisticRegression

    mean = train.mean(axis=0)
    length = float(np.linalg.norm(train - mean, axis=1).mean())
    scale = np.float32(1.0 / length if length > 0 else 1.0)
    method = LogisticRegression(C=strength, max_iter=300)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # it is near enough by then
        method.fit((train - mean) * scale, labels)
    found: Labels = method.predict((test - mean) * scale).astype(np.int64)
    return found


def drawn(labels: Labels, count: int, generator: np.random.Generator) -> NDArray[np.intp]:
    """Rows of `count` photos of each class at random; all of a class that has fewer."""
    rows = []
    for label in np.unique(labels):
        own = np.flatnonzero(labels == label)
        rows.append(np.sort(generator.permutation(own)[:count]))
    return np.concatenate(rows)


def counts_per_class(fewest: int) -> tuple[int, ...]:
    """1, 3, 6, 12 … up to the photos of the smallest class, which is the last one."""
    usual = [count for count in (1, 3, 6, 12, 24, 48, 96) if count < fewest]
    return (*usual, fewest)


@dataclass(frozen=True, slots=True, eq=False)
class Scratch:
    """A small network after some steps; `predictions` (M,) of the test pictures."""

    step: int
    predictions: Labels
    parameters: int


def scratch(
    train: Tensor, labels: Sequence[int], test: Tensor, *, seed: int, steps: int = SCRATCH_STEPS
) -> Generator[Scratch, Any, None]:
    """Trains three convolutions and a linear layer from random weights.

    Adam with a learning rate that falls to 0 as half a cosine; pictures are mirrored and shifted at
    random. It takes place on the CPU.

    Args:
        train: (N, 3, S, S) float32 in [0, 1].
        labels: N classes from 0 to K - 1.
        test: (M, 3, S, S).
        seed: Of the weights and of all that is drawn.
        steps: Batches of up to 32 pictures.

    Yields:
        Now and then the state; the last one is the result.
    """
    generator = torch.Generator().manual_seed(seed)
    target = torch.tensor(list(labels))
    network = _small(int(target.max()) + 1, seed)
    parameters = sum(p.numel() for p in network.parameters())
    optimizer = torch.optim.Adam(network.parameters(), lr=3e-3, weight_decay=1e-4)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    mean, std = train.mean((0, 2, 3), keepdim=True), train.std((0, 2, 3), keepdim=True) + 1e-3
    for step in range(1, steps + 1):
        rows = torch.randperm(len(train), generator=generator)[:_SCRATCH_BATCH]
        _step(network, optimizer, (train[rows] - mean) / std, target[rows], generator)
        schedule.step()
        if step % (SCRATCH_STEPS // SCRATCH_STATES) == 0 or step == steps:
            yield Scratch(step, _predicted(network, (test - mean) / std), parameters)


def _small(classes: int, seed: int) -> nn.Sequential:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        layers: list[nn.Module] = []
        inputs = 3
        for width in (16, 32, 64):
            layers += [
                nn.Conv2d(inputs, width, 3, padding=1, bias=False), nn.BatchNorm2d(width),
                nn.ReLU(), nn.MaxPool2d(2),
            ]  # fmt: skip
            inputs = width
        return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, classes))


@torch.enable_grad()
def _step(
    network: nn.Module,
    optimizer: torch.optim.Optimizer,
    pictures: Tensor,
    target: Tensor,
    generator: torch.Generator,
) -> None:
    side = pictures.shape[-1]
    mirrored = torch.rand(len(pictures), 1, 1, 1, generator=generator) < 0.5
    pictures = torch.where(mirrored, pictures.flip(-1), pictures)
    padded = functional.pad(pictures, (4, 4, 4, 4), mode="reflect")
    y, x = torch.randint(0, 9, (2,), generator=generator).tolist()
    network.train()
    loss = functional.cross_entropy(network(padded[..., y : y + side, x : x + side]), target)
    optimizer.zero_grad()
    loss.backward()  # type: ignore[no-untyped-call]
    optimizer.step()


@torch.no_grad()
def _predicted(network: nn.Module, pictures: Tensor) -> Labels:
    network.eval()
    found: Labels = network(pictures).argmax(1).numpy()
    return found
