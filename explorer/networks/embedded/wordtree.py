"""A tree of words above the classes: one softmax for every family of siblings."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from collections.abc import Sequence

ROOT = -1
"""The parent of the topmost words, and where a descent stops when all are below the threshold."""


class WordTree(nn.Module):
    """From one number per word to probabilities (Redmon & Farhadi 2017, "YOLO9000", section 4).

    A word's value is its probability given its parent: a softmax over its siblings. How
    probable it is at all is the product along its way from the root. So a prediction can stop at
    "dog" when no breed is probable enough. It has no parameters.

    Args:
        words: T names, parents before their children.
        parents: For each the position of its parent, or `ROOT`.
        labels: For each leaf the detector's label it counts for; 0 for all other words.
    """

    def __init__(self, words: Sequence[str], parents: Sequence[int], labels: Sequence[int]) -> None:
        super().__init__()
        if not len(words) == len(parents) == len(labels):
            raise ValueError("words, parents and labels must be equally many")
        if any(not ROOT <= parent < i for i, parent in enumerate(parents)):
            raise ValueError("a parent must come before its children")
        self.words = tuple(words)
        self.parents = tuple(parents)
        self.labels = tuple(labels)
        none = len(words)  # the place of a padding column
        families = [[i for i, p in enumerate(parents) if p == above] for above in set(parents)]
        ways: list[list[int]] = []
        for i, parent in enumerate(parents):
            ways.append([*(ways[parent] if parent != ROOT else []), i])
        self.families: Tensor
        self.ways: Tensor
        self.leaves: Tensor
        self.leaf_labels: Tensor
        leaves = [i for i, label in enumerate(labels) if label]
        for name, values in (
            ("families", _padded(families, none)),
            ("ways", _padded(ways, none)),
            ("leaves", torch.tensor(leaves)),
            ("leaf_labels", torch.tensor([labels[i] for i in leaves])),
        ):
            self.register_buffer(name, values, persistent=False)

    def __len__(self) -> int:
        return len(self.words)

    def way(self, word: int) -> tuple[str, ...]:
        """The words from the root down to this one; empty for `ROOT`."""
        found: list[str] = []
        while word != ROOT:
            found.append(self.words[word])
            word = self.parents[word]
        return tuple(reversed(found))

    def conditional(self, logits: Tensor) -> Tensor:
        """(N, T) -> (N, T): the logarithm of each word's probability given its parent."""
        with_none = torch.cat([logits, torch.full_like(logits[:, :1], -torch.inf)], dim=1)
        shares = with_none[:, self.families].log_softmax(dim=2)
        found = torch.zeros_like(with_none)
        found = found.index_copy(1, self.families[self._real], shares[:, self._real])
        return found[:, :-1]

    @property
    def _real(self) -> Tensor:
        return self.families < len(self.words)

    def logarithms(self, logits: Tensor) -> Tensor:
        """(N, T) -> (N, T): the logarithm of each word's probability, all in all."""
        given = self.conditional(logits)
        given = torch.cat([given, torch.zeros_like(given[:, :1])], dim=1)
        return given[:, self.ways].sum(dim=2)

    def forward(self, logits: Tensor) -> Tensor:
        """(N, T) -> (N, T) probabilities."""
        return self.logarithms(logits).exp()

    def loss(self, logits: Tensor, words: Tensor) -> Tensor:
        """(N, T) and (N,) the deepest word that is known -> (N,) cross entropies along its way.

        Words below it and beside its way learn nothing, as in the paper.
        """
        given = self.conditional(logits)
        given = torch.cat([given, torch.zeros_like(given[:, :1])], dim=1)
        return -given.gather(1, self.ways[words]).sum(dim=1)

    def per_label(self, probabilities: Tensor, count: int) -> Tensor:
        """(N, T) -> (N, count): the sum over the leaves of every label; 0 for label 0."""
        found = probabilities.new_zeros(len(probabilities), count)
        return found.index_add(1, self.leaf_labels, probabilities[:, self.leaves])

    def descend(self, probabilities: Tensor, least: float = 0.5) -> Tensor:
        """From the root always to the most probable child, as long as it has `least`.

        Args:
            probabilities: (N, T), see `forward`.
            least: In [0, 1].

        Returns:
            (N,) int64: where each row stops; `ROOT` where no word is above the threshold.
        """
        parents = torch.tensor(self.parents, device=probabilities.device)
        here = torch.full((len(probabilities),), ROOT, device=probabilities.device)
        for _ in range(self.ways.shape[1]):
            below = parents[None] == here[:, None]
            best, child = probabilities.where(below, -1.0).max(dim=1)
            here = torch.where(best >= max(least, 0.0), child, here)
        return here


def flat(num_classes: int) -> WordTree:
    """One word for every label from 1 on: the plain softmax of YOLO v2."""
    labels = range(1, num_classes)
    return WordTree([str(label) for label in labels], [ROOT] * len(labels), labels)


def _padded(rows: Sequence[Sequence[int]], none: int) -> Tensor:
    longest = max(len(row) for row in rows)
    return torch.tensor([[*row, *[none] * (longest - len(row))] for row in rows])
