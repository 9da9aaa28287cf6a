"""Features of the photos, classifiers on them, and what is known of both so far."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import torch

from explorer.core.errors import ExplorerError
from explorer.core.listing import quantity
from explorer.views.shared.draw_cache import DrawCache
from explorer.views.shared.folders.album import small
from explorer.vision.photo_sets.probe import (
    SCRATCH_SIDE,
    SCRATCH_STATES,
    drawn,
    linear_predictions,
    scratch,
)
from explorer.vision.photo_sets.stages import pooled_features

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping, Sequence

    from numpy.typing import NDArray

    from explorer.core.layers import Float32, UInt8
    from explorer.engine.scene import Scene
    from explorer.training.data.class_photos import Classes, Example

_BATCH = 8
_DRAWS = 5


@dataclass(frozen=True, slots=True, eq=False)
class Result:
    """Accuracies in [0, 1], of `tests` so far, out of `planned` test photos.

    `per_count` are for each layer, and for `SCRATCH`, the accuracies by photos per class; `count`
    are those of the last round, `best` is the best layer of the last complete one. `predicted` (M,)
    are the classes of the test photos by the best layer, -1 = not yet.
    """

    names: tuple[str, ...]
    source: str
    layers: tuple[str, ...]
    per_count: Mapping[str, Mapping[int, float]]
    best: str
    count: int
    tests: tuple[UInt8, ...]
    labels: NDArray[np.int64]
    predicted: NDArray[np.int64]
    train: int
    scratch_parameters: int
    planned: int
    notes: tuple[str, ...] = ()
    cache: DrawCache = field(default_factory=DrawCache)


SCRATCH = "from scratch"


class Run:
    """What is known so far.

    Attributes:
        work: Photos that were tried, layers that were probed and states of the training: each takes
            about as long as another.
    """

    def __init__(self, scene: Scene, classes: Classes, layers: Sequence[str]) -> None:
        self._network, self._seed, self._classes = scene.network, scene.seed, classes
        self._layers = tuple(layers)
        self._known: dict[int, Mapping[str, Float32]] = {}
        self._pictures: dict[int, UInt8] = {}
        self._tests: list[Example] = []
        self._problems: list[str] = []
        self._per_count: dict[str, dict[int, float]] = {}
        self._best, self._count, self._parameters = "", 0, 0
        self._predicted: dict[int, int] = {}
        self._tried: set[int] = set()
        self.work = 0

    def total(self, counts: Sequence[int], *, scratch: bool) -> int:
        """Of `work`, once everything is done."""
        classes = self._classes
        photos = len(classes.train) + len(classes.test)
        probes = len(self._layers) * (len(counts) + 1)
        return photos + probes + (SCRATCH_STATES * len(counts) if scratch else 0)

    def read(
        self, examples: Sequence[Example], *, test: bool = False
    ) -> Generator[None, None, None]:
        """Computes the features of photos that were not tried; those that cannot be read stay out.

        Yields:
            After every batch.
        """
        waiting = [each for each in examples if id(each) not in self._tried]
        batched = self._network.preprocess.batched
        group: list[tuple[Example, Any]] = []
        for number, example in enumerate(waiting):
            self._tried.add(id(example))
            self.work += 1
            try:
                pixels = example.load()
            except ExplorerError as error:
                self._problems.append(error.message)
                continue
            self._pictures[id(example)] = small(pixels)
            if test:
                self._tests.append(example)
            values = self._network.preprocess(pixels)
            if group and group[0][1].shape != values.shape:
                self._features(group)
                group = []
            group.append((example, values))
            if len(group) == (_BATCH if batched else 1) or number + 1 == len(waiting):
                self._features(group)
                group = []
                yield
        if group:
            self._features(group)

    def _features(self, group: Sequence[tuple[Example, Any]]) -> None:
        found = pooled_features(self._network, self._layers, [values for _, values in group])
        self._layers = tuple(layer for layer in self._layers if layer in found)
        for row, (example, _) in enumerate(group):
            self._known[id(example)] = {layer: found[layer][row] for layer in self._layers}

    def _of(self, examples: Sequence[Example], layer: str) -> Float32:
        return np.stack([self._known[id(each)][layer] for each in examples])

    def _readable(self) -> tuple[list[Example], NDArray[np.int64]]:
        train = [each for each in self._classes.train if id(each) in self._known]
        return train, np.array([each.label for each in train], np.int64)

    @property
    def ready(self) -> bool:
        """There are photos of two classes to train on, and some to test on."""
        return bool(self._tests) and len(np.unique(self._readable()[1])) > 1

    def probe(self, count: int) -> Generator[None, None, None]:
        """Accuracies with so many photos of each class, layer by layer."""
        train, labels = self._readable()
        if not self.ready:
            raise ExplorerError(
                "Too few photos of the folder can be read.", "Choose another folder."
            )
        truth = self._labels()
        found: dict[str, NDArray[np.int64]] = {}
        at_once, self._count = not self._best, count
        for layer in self._layers:
            features, tests = self._of(train, layer), self._of(self._tests, layer)
            hits, guesses = [], truth
            for draw in range(_DRAWS if count < self._classes.fewest else 1):
                rows = drawn(labels, count, np.random.default_rng((self._seed, draw)))
                guesses = linear_predictions(features[rows], labels[rows], tests)
                hits.append(float((guesses == truth).mean()))
            found[layer] = guesses
            self._per_count.setdefault(layer, {})[count] = float(np.mean(hits))
            self.work += 1
            if at_once or len(found) == len(self._layers):
                self._choose(found)
            yield

    def _choose(self, found: Mapping[str, NDArray[np.int64]]) -> None:
        """The best layer of a round, the last one of equals, and what it predicts."""
        accuracy = {layer: self._per_count[layer][self._count] for layer in found}
        self._best = max(reversed(list(found)), key=accuracy.__getitem__)
        self._predicted = {
            id(each): int(guess)
            for each, guess in zip(self._tests, found[self._best].tolist(), strict=True)
        }

    def _labels(self) -> NDArray[np.int64]:
        return np.array([each.label for each in self._tests], np.int64)

    def from_scratch(self, count: int) -> Generator[None, None, None]:
        """The small network on the same photos."""
        train, labels = self._readable()
        rows = drawn(labels, count, np.random.default_rng((self._seed, 0)))
        pictures = _tiny([self._pictures[id(train[row])] for row in rows.tolist()])
        tests = _tiny([self._pictures[id(each)] for each in self._tests])
        for state in scratch(pictures, labels[rows].tolist(), tests, seed=self._seed):
            accuracy = float((state.predictions == self._labels()).mean())
            self._per_count.setdefault(SCRATCH, {})[count] = accuracy
            self._parameters = state.parameters
            self.work += 1
            yield

    def result(self) -> Result:
        predicted = [self._predicted.get(id(each), -1) for each in self._tests]
        notes = self._problems[:1]
        if len(self._problems) > 1:
            notes = [f"{notes[0]} {quantity(len(self._problems) - 1, 'more photo')} not read."]
        return Result(
            self._classes.names, self._classes.source, self._layers,
            {name: dict(values) for name, values in self._per_count.items()}, self._best,
            self._count, tuple(self._pictures[id(each)] for each in self._tests), self._labels(),
            np.array(predicted, np.int64), len(self._readable()[0]), self._parameters,
            len(self._classes.test), tuple(notes),
        )  # fmt: skip


def _tiny(pictures: Sequence[UInt8]) -> torch.Tensor:
    """(N, 3, S, S) float32 in [0, 1]."""
    side = (SCRATCH_SIDE, SCRATCH_SIDE)
    stacked = np.stack([cv2.resize(each, side, interpolation=cv2.INTER_AREA) for each in pictures])
    return torch.from_numpy(stacked).permute(0, 3, 1, 2).float() / 255
