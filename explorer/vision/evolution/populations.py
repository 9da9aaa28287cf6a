"""Who survives: the best picture of every class (MAP-Elites), or the best of one class."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

import numpy as np
import torch

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray
    from torch import Tensor

G = TypeVar("G")
TOP = 5
EVERYBODY = 1e-6
"""Added to the weights of parents, so that each has a chance."""


class Encoding(Protocol[G]):
    """How genomes are made and what pictures they stand for."""

    def random(self, rng: np.random.Generator) -> G: ...

    def mutated(self, genome: G, rng: np.random.Generator, generation: int) -> G: ...

    def pictures(
        self, genomes: Sequence[G], size: tuple[int, int], device: torch.device
    ) -> Tensor: ...


@dataclass(frozen=True, slots=True, eq=False)
class Individual(Generic[G]):
    """A picture and what the classifier gave for it.

    Attributes:
        genome: What it was made of.
        picture: (H, W, C) uint8, what the classifier was given.
        top: (t,) intp, its `TOP` most probable classes, the most probable first.
        shares: (t,) float32, their probabilities.
        born: The generation that it comes from, from 0.
    """

    genome: G
    picture: NDArray[np.uint8]
    top: NDArray[np.intp]
    shares: NDArray[np.float32]
    born: int


class Population(Protocol[G]):
    """Places for individuals; `labels` says for which class each place is."""

    labels: NDArray[np.intp]
    scores: NDArray[np.float32]
    members: list[Individual[G] | None]

    def parents(self, count: int, rng: np.random.Generator) -> list[Individual[G]]: ...

    def offer(
        self,
        young: Sequence[Individual[G]],
        shares: NDArray[np.float32],
        logits: NDArray[np.float32],
    ) -> int: ...


class MapElites(Generic[G]):
    """One elite per class: a picture replaces those of every class where its score is higher.

    Source: Mouret and Clune 2015, Illuminating Search Spaces by Mapping Elites; Nguyen et al. 2015,
    section 2.3.

    Attributes:
        labels: (C,) intp, 0, 1, …
        scores: (C,) float32, the probability of its class for each elite; 0 before the first.
        members: C elites.
    """

    def __init__(self, classes: int) -> None:
        self.labels = np.arange(classes, dtype=np.intp)
        self.scores = np.zeros(classes, np.float32)
        self.members: list[Individual[G] | None] = [None] * classes

    def parents(self, count: int, rng: np.random.Generator) -> list[Individual[G]]:
        """Elites of classes drawn at random, as likely as p (1 - p) of their probability p is high.

        Those are the ones that a mutation may improve. The paper draws all with equal probability,
        which takes many more generations.
        """
        rows = [row for row, elite in enumerate(self.members) if elite is not None]
        scores = self.scores[rows].astype(np.float64)
        weights = scores * (1.0 - scores) + EVERYBODY
        drawn = rng.choice(len(rows), size=count, p=weights / weights.sum())
        return [elite for row in drawn if (elite := self.members[rows[row]]) is not None]

    def offer(
        self,
        young: Sequence[Individual[G]],
        shares: NDArray[np.float32],
        logits: NDArray[np.float32],
    ) -> int:
        """Takes what is better than what is there.

        Args:
            young: B individuals.
            shares: (B, C) their probabilities of all classes.
            logits: (B, C) the same before the softmax.

        Returns:
            How many classes have a new elite.
        """
        best = shares.argmax(axis=0)
        scores = shares[best, self.labels]
        better = np.flatnonzero(scores > self.scores)
        self.scores[better] = scores[better]
        for label in better.tolist():
            self.members[label] = young[int(best[label])]
        return len(better)


class Fittest(Generic[G]):
    """The `count` pictures with the highest logit of one class, the best first.

    The probability is a bad guide for one class alone: a blank picture, which is equally improbable
    in all classes, has a higher one than most pictures of something else. The logit has no such
    optimum (Simonyan et al. 2013, section 2, for gradient ascent).

    Attributes:
        labels: (count,) intp, the class again and again.
        scores: (count,) float32, the probabilities; 0 before the first.
        members: `count` individuals.
    """

    def __init__(self, label: int, count: int) -> None:
        self.labels = np.full(count, label, np.intp)
        self.scores = np.zeros(count, np.float32)
        self.members: list[Individual[G] | None] = [None] * count
        self._logits = np.full(count, -np.inf, np.float32)

    def parents(self, count: int, rng: np.random.Generator) -> list[Individual[G]]:
        """The winner of a tournament of three each time."""
        there = [member for member in self.members if member is not None]
        winners = rng.integers(len(there), size=(count, 3)).min(axis=1)
        return [there[row] for row in winners]

    def offer(
        self,
        young: Sequence[Individual[G]],
        shares: NDArray[np.float32],
        logits: NDArray[np.float32],
    ) -> int:
        """As `MapElites.offer`; returns how many of `young` were taken."""
        label, count = self.labels[0], len(self.scores)
        heights = np.concatenate([self._logits, logits[:, label]])
        scores = np.concatenate([self.scores, shares[:, label]])
        order = np.argsort(-heights, kind="stable")[:count]
        everybody = [*self.members, *young]
        self.members = [everybody[row] for row in order]
        self.scores, self._logits = scores[order], heights[order]
        return int((order >= count).sum())


class Evolution(Generic[G]):
    """Generation after generation of mutated copies.

    Args:
        encoding: Makes genomes and pictures of them.
        population: Who survives.
        judge: (N, C, H, W) float32 in [0, 1] -> (N, classes) float32 logits.
        size: H and W of the pictures.
        device: Where they are made.
        rng: All that is random comes from it.
    """

    def __init__(
        self,
        encoding: Encoding[G],
        population: Population[G],
        judge: Callable[[Tensor], NDArray[np.float32]],
        size: tuple[int, int],
        device: torch.device,
        rng: np.random.Generator,
    ) -> None:
        self.population = population
        self.generation = 0
        self._encoding, self._judge, self._rng = encoding, judge, rng
        self._size, self._device = size, device

    @torch.no_grad()
    def advance(self, count: int) -> int:
        """One generation of `count` offspring; the first one is random.

        Pictures are rounded to 8 bits before they are judged, so that a file of one gives the same.

        Returns:
            How many members the population has taken.
        """
        rng, encoding = self._rng, self._encoding
        if self.generation == 0:
            genomes = [encoding.random(rng) for _ in range(count)]
        else:
            parents = self.population.parents(count, rng)
            genomes = [encoding.mutated(each.genome, rng, self.generation) for each in parents]
        pictures = encoding.pictures(genomes, self._size, self._device)
        levels = pictures.mul(255.0).round_().to(torch.uint8)
        logits = self._judge(levels.float().div_(255.0))
        shares = torch.from_numpy(logits).softmax(1).numpy()
        shown = levels.permute(0, 2, 3, 1).contiguous().cpu().numpy()
        order = np.argsort(-shares, axis=1, kind="stable")[:, :TOP]
        young = [
            # A copy: a row of the batch would keep all of the batch in memory.
            Individual(genome, shown[row].copy(), order[row], shares[row, order[row]],
                       self.generation)
            for row, genome in enumerate(genomes)
        ]  # fmt: skip
        self.generation += 1
        return self.population.offer(young, shares, logits)
