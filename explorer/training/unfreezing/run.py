"""The comparison as a generator of steps, and a look at the photos before it."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import torch
from torch import Tensor

from explorer.core.errors import ExplorerError
from explorer.core.listing import quantity
from explorer.core.step import Step
from explorer.core.storage.checkpoint import Checkpoint
from explorer.core.values import FolderRef
from explorer.networks.made import NewNetwork
from explorer.training.heads.bench import Bench
from explorer.training.heads.body import Body
from explorer.training.heads.head import Plan
from explorer.training.heads.sets import CLASS, Wanted, set_for
from explorer.training.unfreezing.lane import (
    EXTRACTION,
    LANES,
    TUNING,
    Lane,
    stages_of,
)
from explorer.training.unfreezing.report import Report, Row
from explorer.training.unfreezing.wish import SAMPLES, Wish, identity, params_of
from explorer.vision.classic import visual_words
from explorer.vision.photo_sets.probe import drawn

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping, Sequence

    from numpy.typing import NDArray

    from explorer.core.jobs import Work
    from explorer.core.layers import Float32
    from explorer.networks.network import Network
    from explorer.networks.preprocess import Preprocess
    from explorer.training.data.class_photos import Classes, Example

log = logging.getLogger(__name__)

FORMAT = 1
BATCH = 8
"""Photos that are predicted in one step."""

MEASUREMENTS = 8
"""Of a training, at even distances."""

COUNTS = (1, 3, 10, 30)
"""Photos per class that are tried on the way to all."""

USUAL_SIDE, LEAST_SIDE = 128, 32

MOST_TESTS = 200
_MOST_SKIPPED = 3


def photos_for(wish: Wish) -> Classes:
    """The photos, or crops of boxes, of a wish.

    Raises:
        ExplorerError: There is nothing to train on.
    """
    folder = None if wish.data == SAMPLES else FolderRef(wish.data)
    found = set_for(Wanted(CLASS, folder, most=wish.most, seed=wish.seed))
    if not found.test:
        raise ExplorerError(
            f"{found.source} has too few photos to hold some out.",
            "Give every class at least two photos.",
        )
    if len(found.test) > MOST_TESTS:
        rows = np.linspace(0, len(found.test) - 1, MOST_TESTS).round().astype(int).tolist()
        words = f"{MOST_TESTS} of {len(found.test):,} held-out photos are used, drawn evenly."
        found = replace(
            found, test=tuple(found.test[row] for row in rows), notes=(*found.notes, words)
        )
    return found


def scaled(steps: Preprocess, side: int) -> Preprocess:
    """The same preprocessing to a square input.

    Args:
        steps: The network's own.
        side: In pixels, at least `LEAST_SIDE`; 0 = the network's own, at most `USUAL_SIDE`.
    """
    resize = min(steps.resize) if isinstance(steps.resize, tuple) else steps.resize
    own = steps.crop or resize or USUAL_SIDE
    chosen = max(LEAST_SIDE, side) if side else min(own, USUAL_SIDE)
    share = resize / own if resize else 1.0
    return replace(steps, resize=round(chosen * share), crop=chosen, longest=0, letterbox="")


def survey(wish: Wish, network: Network) -> Generator[Step[Report], Any, None]:
    """What is known in seconds: a head on frozen features, and the bag of visual words.

    Raises:
        ExplorerError: Network or folder will not do.
    """
    body, classes = Body(network, whole=False), photos_for(wish)
    blank = _blank(wish, body, classes)
    bench = Bench(body, classes, Plan(CLASS, seed=wish.seed), words=True, photo=None)
    for step in bench.run():
        found = step.value
        predicted = np.array([test.predicted for test in found.tests], np.int64)
        rows: tuple[Row, ...] = ()
        if len(found.curve):
            held, train = found.value("held-out accuracy"), found.value("accuracy")
            rows = (Row(EXTRACTION, wish.most, held, train),)
        report = replace(
            blank, train=found.train, tests=tuple(test.picture for test in found.tests),
            labels=np.array([test.label for test in found.tests], np.int64),
            predicted={EXTRACTION: predicted}, rows=rows, words=found.words,
            constant=found.constant, notes=found.notes,
        )  # fmt: skip
        yield Step(report, step.done, step.total, step.note)


def _blank(wish: Wish, body: Body, classes: Classes) -> Report:
    stages = stages_of(body.network.info, body.network.module, body.head)
    return Report(
        body.network.info, classes.source, classes.names,
        stages[max(0, len(stages) - wish.stages) :], count=wish.most, notes=classes.notes,
    )  # fmt: skip


def compare(
    wish: Wish, network: Network, work: Work | None = None
) -> Generator[Step[Report], Any, NewNetwork]:
    """All trainings; the generator's return value is the fine-tuned network.

    Args:
        wish: What is to be compared.
        network: That of `wish.spec`; it is left as it is.
        work: In the background: what an earlier run had, and where the state is kept.

    Yields:
        The report so far; the last one is complete.

    Raises:
        ExplorerError: Network or folder will not do, or the numbers grow without limit.
    """
    run = _Run(wish, network)
    yield Step(run.report(), 0, 0, "reading the photos")
    yield from run.read()
    resumed = None if work is None else work.resumed
    if resumed is not None and not run.resume(resumed):
        run.notes.append("The photos or the network have changed: starting over.")
    if work is not None:
        work.keep(run.checkpoint)
    while not run.done:
        yield from run.train()
    if np.isnan(run.words):
        yield from run.bag_of_words()
    yield Step(replace(run.report(), complete=True), 1000, 1000)
    return run.network()


class _Run:
    """The trainings with one number of photos per class after the other."""

    def __init__(self, wish: Wish, network: Network) -> None:
        self._wish = wish
        self._body, self._classes = Body(network, whole=False), photos_for(wish)
        self._steps = scaled(network.preprocess, wish.side)
        self._blank = _blank(wish, self._body, self._classes)
        self.notes: list[str] = list(self._classes.notes)
        self.words = self._constant = float("nan")
        self._skipped: list[str] = []
        self._rows: list[Row] = []
        self._predicted: dict[str, NDArray[np.int64]] = {}
        self._lanes: tuple[Lane, ...] = ()
        self._clear()

    def _clear(self) -> None:
        self._losses = np.zeros((0, 1 + len(LANES)))
        self._curve = np.zeros((0, 1 + len(LANES)))
        self._last: list[float] = []

    # -- photos -----------------------------------------------------------------------------------

    def read(self) -> Generator[Step[Report], Any, None]:
        """Decodes all photos; those that cannot be read are skipped and counted."""
        parts: list[tuple[list[Example], list[Tensor]]] = []
        total, done = len(self._classes.train) + len(self._classes.test), 0
        for wanted in (self._classes.train, self._classes.test):
            parts.append(([], []))
            for example in wanted:
                try:
                    values = self._steps(example.load())
                except ExplorerError as error:
                    self._skipped.append(error.message)
                    log.info("%s is skipped: %s", example.name, error)
                else:
                    parts[-1][0].append(example)
                    parts[-1][1].append(values)
                done += 1
                if done % 4 == 0:
                    yield Step(self.report(), done, total, f"reading {example.name}")
        (self._examples, train), (self._tests, test) = parts
        labels = np.array([example.label for example in self._examples], np.int64)
        if len(np.unique(labels)) < 2 or not test:
            why = f" {self._skipped[0]}" if self._skipped else ""
            raise ExplorerError(
                f"Too few photos of {self._classes.source} can be read.{why}",
                "Choose another folder.",
            )
        device = self._body.network.device
        self._inputs, self._test_inputs = (torch.cat(part).to(device) for part in (train, test))
        self._labels = labels
        self._truth = np.array([example.label for example in self._tests], np.int64)
        self._pictures = tuple(_shown(self._steps, values) for values in test)
        self._constant = float((self._truth == np.bincount(labels).argmax()).mean())
        largest = int(np.bincount(labels).max())
        fewer = [count for count in COUNTS if count < largest] if self._wish.curve else []
        self._counts = (*fewer, largest)
        if self._skipped:
            reasons = " ".join(dict.fromkeys(self._skipped[:_MOST_SKIPPED]))
            self.notes.insert(0, f"Skipped {quantity(len(self._skipped), 'photo')}: {reasons}")
        self._begin()

    def _begin(self) -> None:
        """The trainings with the next number of photos per class."""
        if self.done:
            return
        generator = np.random.default_rng((self._wish.seed, self.count))
        rows = drawn(self._labels, self.count, generator)
        device = self._body.network.device
        self._chosen = rows
        labels = torch.from_numpy(self._labels[rows]).to(device)
        inputs = self._inputs[torch.from_numpy(rows).to(device)]
        self._lanes = tuple(
            Lane(name, self._body, len(self._classes.names), self._wish, inputs, labels)
            for name in LANES
        )
        self._clear()

    # -- trainings --------------------------------------------------------------------------------

    @property
    def done(self) -> bool:
        return len(self._rows) == len(LANES) * len(self._counts)

    @property
    def count(self) -> int:
        """Photos per class of the trainings that run, or ran last."""
        return self._counts[min(len(self._rows) // len(LANES), len(self._counts) - 1)]

    def train(self) -> Generator[Step[Report], Any, None]:
        """The trainings with one number of photos, each a step in turn."""
        every = max(1, self._wish.steps // MEASUREMENTS)
        while True:
            step = min(lane.step for lane in self._lanes)
            even = all(lane.step == step for lane in self._lanes)
            last = step == self._wish.steps
            due = even and (step % every == 0 or last)
            if due and (not len(self._curve) or self._curve[-1, 0] < step):
                yield from self._measure(step)
            if even and last:
                break
            lane = next(one for one in self._lanes if one.step == step)
            loss = lane.learn()
            if not np.isfinite(loss):
                raise ExplorerError(
                    f"The training {lane.name} diverged: the loss is not finite.",
                    "Choose a smaller learning rate.",
                )
            self._last.append(loss)
            if len(self._last) == len(LANES):
                self._losses = np.vstack([self._losses, (step + 1, *self._last)])
                self._last = []
            yield self._step(f"{lane.name}, step {step + 1}")
        yield from self._finish()

    def _measure(self, step: int) -> Generator[Step[Report], Any, None]:
        """Held-out accuracies; they are kept when all are known."""
        found = {}
        for lane in self._lanes:
            found[lane.name] = yield from self._predictions(lane, self._test_inputs)
        accuracies = [float((found[lane.name] == self._truth).mean()) for lane in self._lanes]
        self._curve = np.vstack([self._curve, (step, *accuracies)])
        self._predicted = found
        yield self._step("measured")

    def _predictions(
        self, lane: Lane, inputs: Tensor
    ) -> Generator[Step[Report], Any, NDArray[np.int64]]:
        found = []
        for start in range(0, len(inputs), BATCH):
            found.append(lane.predict(inputs[start : start + BATCH]))
            yield self._step(f"measuring {lane.name}")
        return np.concatenate(found)

    def _finish(self) -> Generator[Step[Report], Any, None]:
        """The rows of these trainings; then the next ones begin."""
        rows = []
        for place, lane in enumerate(self._lanes, start=1):
            inputs = self._inputs[torch.from_numpy(self._chosen).to(self._inputs.device)]
            found = yield from self._predictions(lane, inputs)
            train = float((found == self._labels[self._chosen]).mean())
            rows.append(Row(lane.name, self.count, float(self._curve[-1, place]), train))
        self._rows += rows
        self._begin()
        yield self._step("measured")

    def bag_of_words(self) -> Generator[Step[Report], Any, None]:
        """The row before convolutional networks, with all photos."""
        found: list[list[Float32]] = []
        for inputs in (self._inputs, self._test_inputs):
            found.append([])
            for values in inputs:
                found[-1].append(visual_words.descriptors(self._steps.picture(values[None])))
                if len(found[-1]) % BATCH == 0:
                    yield self._step("visual words")
        centers = visual_words.vocabulary(found[0], visual_words.WORDS, self._wish.seed)
        yield self._step("visual words")
        train, test = (
            np.stack([visual_words.histogram(one, centers) for one in part]) for part in found
        )
        answers = visual_words.svm_predictions(train, self._labels, test, self._wish.seed)
        self.words = float((answers == self._truth).mean())

    # -- what is known ----------------------------------------------------------------------------

    def _step(self, note: str) -> Step[Report]:
        whole = len(self._counts) * len(LANES) * self._wish.steps
        finished = len(self._rows) * self._wish.steps
        running = 0 if self.done else sum(lane.step for lane in self._lanes)
        return Step(self.report(), round(1000 * (finished + running) / whole), 1000, note)

    def report(self) -> Report:
        """What is known so far."""
        if not self._lanes:
            return replace(self._blank, notes=tuple(self.notes))
        return replace(
            self._blank, learns={lane.name: lane.parameters for lane in self._lanes},
            train=len(self._labels), tests=self._pictures, labels=self._truth,
            predicted=dict(self._predicted), count=self.count, losses=self._losses,
            curve=self._curve, rows=tuple(self._rows), words=self.words, constant=self._constant,
            notes=tuple(dict.fromkeys(self.notes)),
        )  # fmt: skip

    def network(self) -> NewNetwork:
        """The fine-tuned network, with its card."""
        (lane,) = (one for one in self._lanes if one.name == TUNING)
        report, base, wish = replace(self.report(), complete=True), self._body.network, self._wish
        module = lane.module.eval().requires_grad_(False)
        return NewNetwork.of(
            base, f"{base.info.title.partition(' on ')[0]} on {report.source}, fine-tuned",
            module=module, classes=report.names, preprocess=self._steps,
            note=f"last {quantity(len(report.unfrozen), 'stage')} and a new head of "
            f"{base.info.title} trained on {quantity(report.train, 'photo')} of {report.source}.",
            metrics=tuple(report.figures().items()),
            recipe={
                "id": identity(wish), **params_of(wish), **report.content(),
                "source": base.info.digest,
            },
        )  # fmt: skip

    # -- the state --------------------------------------------------------------------------------

    def checkpoint(self) -> Checkpoint:
        """After the last complete step."""
        content = {
            **self._made_of(), "last": self._last, "words": None if np.isnan(self.words) else
            self.words, "rows": [[r.lane, r.count, r.held_out, r.train] for r in self._rows],
        }  # fmt: skip
        arrays: dict[str, NDArray[Any]] = {"losses": self._losses, "curve": self._curve}
        arrays |= {f"predicted/{name}": found for name, found in self._predicted.items()}
        for lane in self._lanes:
            arrays |= {f"{lane.name}/{key}": value for key, value in lane.arrays().items()}
        return Checkpoint(content, arrays)

    def _made_of(self) -> dict[str, Any]:
        return {
            "format": FORMAT,
            "photos": [f"{e.path}: {e.name}" for e in (*self._examples, *self._tests)],
            "classes": list(self._classes.names),
            "network": self._body.network.info.digest,
        }

    def resume(self, state: Checkpoint) -> bool:
        """Resumes from a state of the same photos and network; else stays as it is."""
        content, mine = state.content, self._made_of()
        if any(content.get(key) != value for key, value in mine.items()):
            return False
        try:
            rows = [Row(str(n), int(c), float(h), float(t)) for n, c, h, t in content["rows"]]
            last = [float(value) for value in content["last"]]
            losses, curve = (state.arrays[name].reshape(-1, 1 + len(LANES))
                             for name in ("losses", "curve"))  # fmt: skip
            words = content["words"]
            self._rows = rows
            self._begin()
            for lane in self._lanes:
                lane.restore(_part(state.arrays, f"{lane.name}/"))
        except (KeyError, ValueError, TypeError, AttributeError) as error:
            log.warning("the state of a comparison cannot be used: %s", error)
            self._rows = []
            self._begin()
            return False
        self._losses, self._curve, self._last = losses, curve, last
        self._predicted = _part(state.arrays, "predicted/")
        self.words = float("nan") if words is None else float(words)
        return True


def _part(arrays: Mapping[str, NDArray[Any]], prefix: str) -> dict[str, NDArray[Any]]:
    found = {key: value for key, value in arrays.items() if key.startswith(prefix)}
    return {key.removeprefix(prefix): value for key, value in found.items()}


def _shown(steps: Preprocess, values: Tensor) -> NDArray[np.uint8]:
    """A small picture of a network's input."""
    picture = steps.picture(values)
    small = cv2.resize(picture, (96, 96), interpolation=cv2.INTER_AREA)
    return np.ascontiguousarray(small, np.uint8)


def lanes_of(rows: Sequence[Row], name: str) -> tuple[Row, ...]:
    """The rows of one training, by photos per class."""
    return tuple(sorted((r for r in rows if r.lane == name), key=lambda row: row.count))
