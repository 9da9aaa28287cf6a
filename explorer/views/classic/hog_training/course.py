"""The course of a training: what was read, every epoch, every round of hard negatives."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from explorer.core.errors import ExplorerError
from explorer.core.listing import quantity
from explorer.core.step import Step
from explorer.views.classic.hog_training.sources import sources_of
from explorer.views.shared.common import photo_of
from explorer.views.shared.draw_cache import DrawCache
from explorer.vision.hog.detector import levels, scales_of, windows
from explorer.vision.hog.features import PAPER, gradients
from explorer.vision.hog.svm import LinearSvm
from explorer.vision.hog.template import PERSON, TEMPLATES
from explorer.vision.hog.training import (
    Negatives,
    det_curve,
    hard_windows,
    joined,
    random_windows,
    scan,
    vector_of,
)

if TYPE_CHECKING:
    from collections.abc import Generator

    from explorer.core.layers import Float32, Picture, UInt8
    from explorer.engine.scene import Scene
    from explorer.views.classic.hog_training.sources import Sources, Wanted
    from explorer.vision.hog.detector import Level, Windows
    from explorer.vision.hog.svm import Objective
    from explorer.vision.hog.template import Template
    from explorer.vision.hog.training import Det, Shape

SHOWN = 16
"""Crops of a kind that are drawn."""
DONE = 0.02
"""Violation of the optimality conditions at which a round ends before its last epoch."""
STEPS = 40
"""Steps that are shown while the photos are read once."""


@dataclass(frozen=True, slots=True, eq=False)
class Round:
    """One training of the SVM.

    Attributes:
        number: From 0, before any hard negatives.
        negatives: Examples of the background that it was trained with.
        hard: How many of them the round before had scored inside the margin.
        crops: (n, h, w, 3) uint8 the highest-scoring of those.
        scores: (n,) float32 theirs, before this round.
        det: On held-out windows; None before it is known.
        support: Examples with a multiplier above 0.
    """

    number: int
    negatives: int
    hard: int
    crops: UInt8
    scores: Float32
    det: Det | None = None
    support: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class Result:
    """What there is so far.

    Attributes:
        photo: As a layer.
        shape: Of the windows.
        words: What the positives are.
        own: They are boxes of the photo.
        positives: Crops in the training.
        held: Crops in the test.
        crops: (n, h, w, 3) uint8 some of them.
        mean: (h, w) float32 the mean gradient magnitude of the crops that were read.
        template: None before the first epoch.
        objectives: One for each epoch.
        rounds: The last one may be at work.
        reference: OpenCV's detector of people on the same windows, where it has this shape.
        levels: The photo, scored by the last round.
        found: Its windows.
        notes: Sentences that must not be missed.
    """

    photo: Picture
    shape: Shape
    words: str
    own: bool
    positives: int = 0
    held: int = 0
    crops: UInt8 | None = None
    mean: Float32 | None = None
    template: Template | None = None
    objectives: tuple[Objective, ...] = ()
    rounds: tuple[Round, ...] = ()
    reference: Det | None = None
    levels: tuple[Level, ...] = ()
    found: Windows | None = None
    notes: tuple[str, ...] = ()
    cache: DrawCache = field(default_factory=lambda: DrawCache(12))


@dataclass(frozen=True, slots=True)
class Plan:
    """How long and how hard: see the view's parameters of these names."""

    rounds: int
    epochs: int
    cost: float
    windows: int


class Course:
    """A training, step by step; `run` is the whole of it."""

    def __init__(self, scene: Scene, wanted: Wanted, plan: Plan) -> None:
        self._scene, self._plan = scene, plan
        self._sources: Sources = sources_of(scene, wanted)
        self._shape = self._sources.shape
        self._random = np.random.default_rng(scene.seed)
        self._result = Result(
            photo_of(scene),
            self._shape,
            self._sources.words,
            self._sources.own,
            notes=self._sources.notes,
        )
        self._done = 0
        self._total = (
            len(self._sources.positives)
            + (plan.rounds + 1) * len(self._sources.negatives)
            + (plan.rounds + 1) * plan.epochs
        )
        self._seen: set[bytes] = set()
        self._held_levels: list[Float32] = []
        self._held_vectors = np.zeros((0, self._shape.length), np.float32)

    def run(self) -> Generator[Step[Result], Any, None]:
        """Every step; the last one is the end.

        Raises:
            ExplorerError: There is nothing to train with.
        """
        vectors = yield from self._read_positives()
        negatives = yield from self._read_negatives()
        rows = len(vectors)
        labels = np.concatenate([np.ones(rows, int), -np.ones(len(negatives.scores), int)])
        svm = LinearSvm(np.concatenate([vectors, negatives.vectors]), labels, self._plan.cost)
        found = Negatives.none(self._shape)
        for number in range(self._plan.rounds + 1):
            if number:
                found = yield from self._mine(number)
                svm.add(found.vectors, -np.ones(len(found.scores), int))
            self._begin(number, svm, found)
            yield from self._train(number, svm)
            self._end(svm)
            if number == self._plan.rounds or (number and not len(found.scores)):
                break
            yield self._step(f"round {number + 1} is trained")
        yield Step(self._result, self._total, self._total)

    # -- reading --------------------------------------------------------------------------------

    def _read_positives(self) -> Generator[Step[Result], Any, Float32]:
        train: list[Float32] = []
        held: list[Float32] = []
        crops: list[UInt8] = []
        cell = self._shape.settings.cell
        total = np.zeros(self._shape.size, np.float64)
        groups = self._sources.positives
        for number, group in enumerate(groups, start=1):
            for picture in group.load():
                (held if group.held else train).append(vector_of(picture, self._shape))
                inside = picture[cell:-cell, cell:-cell]
                total += _magnitude(picture)[cell:-cell, cell:-cell]
                if len(crops) < SHOWN and not group.held:
                    crops.append(inside)
            self._done += 1
            if crops and self._due(number, len(groups)):
                self._show_positives(crops, total, len(train), len(held))
                yield self._step(f"reads crops: {group.name}")
        if not train:
            raise ExplorerError(
                "There are no crops to train with.",
                "The objects must be larger than a third of the window: choose other photos.",
            )
        self._show_positives(crops, total, len(train), len(held))
        yield self._step("the crops are read")
        if held:
            self._held_vectors = np.stack(held)
        return np.stack(train)

    def _show_positives(self, crops: list[UInt8], total: Any, positives: int, held: int) -> None:
        mean = (total / max(positives + held, 1)).astype(np.float32)
        self._result = replace(
            self._result, positives=positives, held=held, crops=np.stack(crops), mean=mean,
            cache=DrawCache(12),
        )  # fmt: skip

    def _read_negatives(self) -> Generator[Step[Result], Any, Negatives]:
        parts = []
        blank = self._shape.template(np.zeros(self._shape.length, np.float32), 0.0)
        photos = self._sources.negatives
        for number, source in enumerate(photos, start=1):
            pixels = source.load()
            if source.held:
                self._held_levels += [level.blocks for level in scan(pixels, blank)]
            else:
                parts.append(
                    random_windows(
                        pixels, self._shape, self._plan.windows, self._random, source.boxes
                    )
                )
            self._done += 1
            if self._due(number, len(photos)):
                yield self._step(f"draws windows: {source.name}")
        found = joined(parts, self._shape)
        if not len(found.scores):
            raise ExplorerError(
                "There are no negative windows to train with.",
                "Open a folder of photos without the object under Negatives.",
            )
        self._seen.update(vector.tobytes() for vector in found.vectors)
        return found

    # -- rounds ---------------------------------------------------------------------------------

    def _begin(self, number: int, svm: LinearSvm, found: Negatives) -> None:
        negatives = int((svm.labels < 0).sum())
        new = Round(
            number, negatives, len(found.scores), found.crops[:SHOWN].copy(), found.scores[:SHOWN]
        )
        self._result = replace(
            self._result, rounds=(*self._result.rounds, new), cache=DrawCache(12)
        )

    def _train(self, number: int, svm: LinearSvm) -> Generator[Step[Result], Any, None]:
        for epoch in range(self._plan.epochs):
            violation = svm.epoch(self._random.permutation(len(svm.labels)))
            self._result = replace(
                self._result,
                template=self._shape.template(svm.weights, svm.bias),
                objectives=(*self._result.objectives, svm.objective()),
                cache=DrawCache(12),
            )
            self._done += 1
            yield self._step(f"round {number + 1}, epoch {epoch + 1}")
            if violation < DONE:
                self._done += self._plan.epochs - epoch - 1
                return

    def _end(self, svm: LinearSvm) -> None:
        """The errors of a round on held-out windows, and what it finds on the photo."""
        template = self._result.template
        assert template is not None, "a round has an epoch"
        now = replace(
            self._result.rounds[-1], det=self._det(template), support=int((svm.alpha > 0).sum())
        )
        reference = self._result.reference
        if reference is None and self._shape.settings == PAPER and self._shape.size == (128, 64):
            reference = self._det(TEMPLATES[PERSON]())
        pixels = self._scene.image.pixels
        scales = scales_of(pixels.shape[:2], template.size, step=1.1, longest=480)
        found = tuple(levels(pixels, template, scales))
        self._result = replace(
            self._result, rounds=(*self._result.rounds[:-1], now), reference=reference,
            levels=found, found=windows(found, template, -np.inf), cache=DrawCache(12),
        )  # fmt: skip

    def _det(self, template: Template) -> Det | None:
        if not len(self._held_vectors) or not self._held_levels:
            return None
        positive = self._held_vectors @ template.weights.ravel() + np.float32(template.bias)
        scores = [template.scores(blocks).ravel() for blocks in self._held_levels]
        return det_curve(positive, np.concatenate(scores))

    def _mine(self, number: int) -> Generator[Step[Result], Any, Negatives]:
        template = self._result.template
        assert template is not None, "the round before has trained it"
        parts = []
        photos = self._sources.negatives
        for place, source in enumerate(photos, start=1):
            self._done += 1
            if source.held:
                continue
            found = hard_windows(source.load(), template, self._shape, source.boxes)
            keys = [vector.tobytes() for vector in found.vectors]
            new = np.array([key not in self._seen for key in keys], bool)
            self._seen.update(keys)
            parts.append(Negatives(found.vectors[new], found.crops[new], found.scores[new]))
            if self._due(place, len(photos)):
                count = sum(len(part.scores) for part in parts)
                words = quantity(count, "hard negative")
                yield self._step(f"round {number + 1}, {words}: {source.name}")
        return joined(parts, self._shape)

    # -- steps ----------------------------------------------------------------------------------

    def _due(self, number: int, total: int) -> bool:
        """Whether entry `number` of `total` is worth a step."""
        return number % max(1, total // STEPS) == 0

    def _step(self, note: str) -> Step[Result]:
        return Step(self._result, min(self._done, self._total), self._total, note)


def _magnitude(picture: UInt8) -> Float32:
    return gradients(picture).magnitude
