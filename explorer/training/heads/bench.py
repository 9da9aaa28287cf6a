"""A training of heads as a generator of steps, and the network that comes of it."""

from __future__ import annotations

import copy
import logging
from dataclasses import asdict, dataclass, field, replace
from math import nan
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from explorer.core.errors import ExplorerError
from explorer.core.listing import quantity
from explorer.core.step import Step
from explorer.networks.embedded.lite_pose import lite_pose
from explorer.networks.embedded.localizer import lite_localizer
from explorer.networks.made import NewNetwork
from explorer.training.heads.head import (
    Features,
    Trainer,
    accuracy,
    constant,
    mean_iou,
    near,
)
from explorer.training.heads.report import OnPhoto, Report, Tested, none_of
from explorer.training.heads.sets import BOTH, BOX, CLASS, JOINTS, SEVERAL
from explorer.vision.classic import visual_words

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping, Sequence

    from numpy.typing import NDArray

    from explorer.core.layers import Float32, UInt8
    from explorer.training.data.class_photos import Classes, Example
    from explorer.training.heads.body import Body
    from explorer.training.heads.head import Plan, Predicted

log = logging.getLogger(__name__)

BATCH = 4
"""Examples whose features are computed in one step."""

MEASUREMENTS = 30
"""Of a training, at even distances."""

BLOCK = 3
"""Steps of the optimizer that are one step of the generator."""

MOST_SHOWN = 96
_MOST_SKIPPED = 3


@dataclass(slots=True, eq=False)
class _Read:
    """Examples that were read, with their features."""

    examples: list[Example] = field(default_factory=list)
    pictures: list[UInt8] = field(default_factory=list)
    places: list[tuple[Float32, Float32]] = field(default_factory=list)
    vectors: list[Tensor] = field(default_factory=list)
    maps: list[tuple[Tensor, ...]] = field(default_factory=list)


class Bench:
    """Reads the examples, computes their features once, and trains heads on them.

    Args:
        body: What the heads are attached to.
        classes: The examples.
        plan: How they are trained.
        words: A bag of visual words is trained on the same examples, too.
        photo: (H, W, 3) uint8: the open photo.
    """

    def __init__(
        self, body: Body, classes: Classes, plan: Plan, *, words: bool, photo: UInt8 | None
    ) -> None:
        self._body, self._classes, self._photo = body, classes, photo
        self._plan = replace(plan, per_class=plan.per_class and plan.kind == BOTH)
        self._words = words and plan.kind == CLASS
        self._train, self._test = _Read(), _Read()
        self._skipped: list[str] = []
        self._trainer: Trainer | None = None
        self._losses = none_of(2)
        self._curve: list[list[float]] = []
        self._constant = self._bag = nan
        self._answer: OnPhoto | None = None
        self._given: tuple[Features, Features] | None = None
        self._tests: tuple[Tested, ...] = ()
        self._resumed: Mapping[str, NDArray[Any]] = {}

    def run(self) -> Generator[Step[Report], Any, None]:
        """The whole training; the last step is complete.

        Raises:
            ExplorerError: Too few examples can be read; the numbers grow without limit.
        """
        yield Step(self.report(), 0, 0, counts(self._classes))
        total = len(self._classes.train) + len(self._classes.test)
        for part, wanted in ((self._train, self._classes.train), (self._test, self._classes.test)):
            for name in self._read(part, wanted):
                done = len(self._train.vectors) + len(self._test.vectors) + len(self._skipped)
                yield Step(self.report(), min(done, total), total, f"features of {name}")
        self._check()
        given = self._features(self._train)
        tests = self._features(self._test) if self._test.examples else given
        self._given = given, tests
        self._constant = constant(self._plan.kind, given, tests)
        trainer = self._trainer = Trainer(self._plan, len(self._classes.names), given)
        if "curve" in self._resumed:
            self._go_on(trainer)
        else:
            self._measure()
        yield self._step("training")
        every = max(1, self._plan.steps // MEASUREMENTS)
        while not trainer.done:
            for _ in range(BLOCK):
                if not trainer.done:
                    losses = trainer.learn()
                    self._losses = np.vstack([self._losses, losses])
                    if trainer.step % every == 0 or trainer.done:
                        self._measure()
            if not np.isfinite(self._losses[-1]).all():
                raise ExplorerError(
                    "The training diverged: the loss is not finite.",
                    "Choose a smaller learning rate.",
                )
            yield self._step("training")
        if self._photo is not None:
            self._answer = self._on_photo(self._photo)
            yield self._step("this photo")
        if self._words and self._test.examples:
            yield from self._bag_of_words()
        yield Step(replace(self.report(), complete=True), 1, 1)

    # -- examples ---------------------------------------------------------------------------------

    def _read(self, part: _Read, wanted: Sequence[Example]) -> Generator[str, None, None]:
        """Features of examples, a few at a time; those that cannot be read are skipped."""
        waiting: list[Tensor] = []
        known = self._known(part)
        for number, example in enumerate(wanted):
            try:
                pixels = example.load()
            except ExplorerError as error:
                self._skipped.append(error.message)
                log.info("%s is skipped: %s", example.name, error)
            else:
                steps = self._body.preprocess
                values = steps(pixels)
                if waiting and waiting[0].shape != values.shape:
                    self._compute(part, waiting)
                    waiting = []
                frame = steps.frame(*pixels.shape[:2])
                boxes = frame.boxes(np.array(example.boxes, np.float32).reshape(-1, 4))
                flat = np.array(example.points, np.float32).reshape(-1, 2)
                points = frame.boxes(np.tile(flat, (1, 2)))[:, :2]
                part.examples.append(example)
                part.pictures.append(steps.picture(values))
                part.places.append((boxes, points))
                if len(part.vectors) < len(known):
                    vector, maps = known[len(part.vectors)]
                    part.vectors.append(vector)
                    part.maps.extend((maps,) if maps else ())
                    if len(part.vectors) % BATCH == 0:
                        yield example.name
                    continue
                waiting.append(values)
            if len(waiting) == BATCH or (waiting and number + 1 == len(wanted)):
                self._compute(part, waiting)
                waiting = []
                self._show()
                yield example.name
        if waiting:  # pragma: no cover - the last example was of another size and unreadable
            self._compute(part, waiting)

    def _compute(self, part: _Read, waiting: Sequence[Tensor]) -> None:
        values = torch.cat(list(waiting))
        if self._plan.kind == CLASS:
            part.vectors.extend(self._body.vectors(values).unbind())
            return
        if self._plan.kind == JOINTS:
            middle, coarse = self._body.middle(values)
            part.maps.extend(zip(middle.unbind(), coarse.unbind(), strict=True))
            part.vectors.extend(torch.zeros(len(values), 0).to(middle).unbind())
            return
        last, vectors = self._body.ends(values)
        part.vectors.extend(vectors.unbind())
        if self._plan.attach == "conv":
            part.maps.extend((one,) for one in last.unbind())

    def _check(self) -> None:
        labels = {example.label for example in self._train.examples}
        if not labels or (self._plan.has_class and len(labels) < 2):
            why = f" {self._skipped[0]}" if self._skipped else ""
            raise ExplorerError(
                f"Too few photos of {self._classes.source} can be read.{why}",
                "Choose another folder.",
            )

    def _features(self, part: _Read) -> Features:
        device = part.vectors[0].device
        height, width = part.pictures[0].shape[:2]
        scale = np.array([width, height, width, height], np.float32)
        maps = tuple(torch.stack(one) for one in zip(*part.maps, strict=True))
        boxes = np.stack([(boxes / scale).clip(0, 1) for boxes, _ in part.places])
        points = np.stack([points / scale[:2] for _, points in part.places])
        return Features(
            torch.stack(part.vectors), maps,
            torch.tensor([example.label for example in part.examples]).to(device),
            torch.from_numpy(boxes).float().to(device),
            torch.from_numpy(points).float().to(device),
        )  # fmt: skip

    # -- stopping and going on ------------------------------------------------------------------

    def arrays(self) -> dict[str, NDArray[Any]]:
        """What `resume` needs: the features so far, and the training of the heads."""
        found: dict[str, NDArray[Any]] = {}
        for name, part in (("train", self._train), ("test", self._test)):
            for row, vector in enumerate(part.vectors):
                found[f"{name}.{row}.vector"] = vector.cpu().numpy()
                for place, one in enumerate(part.maps[row] if part.maps else ()):
                    found[f"{name}.{row}.map.{place}"] = one.cpu().numpy()
        if self._trainer is not None:
            own = {f"trainer.{name}": value for name, value in self._trainer.arrays().items()}
            found.update(own, losses=self._losses, curve=np.array(self._curve, np.float64))
        return found

    def resume(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Goes on from what a bench with the same examples and plan had; before `run`.

        Its numbers are the same bit for bit, on the same number of threads.
        """
        self._resumed = arrays

    def _known(self, part: _Read) -> list[tuple[Tensor, tuple[Tensor, ...]]]:
        """Features of the first examples that can be read, from an earlier run."""
        name, device = "train" if part is self._train else "test", self._body.network.device
        found: list[tuple[Tensor, tuple[Tensor, ...]]] = []
        while (key := f"{name}.{len(found)}.vector") in self._resumed:
            maps: list[Tensor] = []
            while (own := f"{name}.{len(found)}.map.{len(maps)}") in self._resumed:
                maps.append(torch.from_numpy(self._resumed[own]).to(device))
            found.append((torch.from_numpy(self._resumed[key]).to(device), tuple(maps)))
        return found

    def _go_on(self, trainer: Trainer) -> None:
        arrays, prefix = self._resumed, "trainer."
        own = {k.removeprefix(prefix): v for k, v in arrays.items() if k.startswith(prefix)}
        trainer.restore(own)
        self._losses = np.array(arrays["losses"], np.float64)
        self._curve = arrays["curve"].tolist()
        assert self._given is not None
        self._show(trainer.predict(self._given[1]))

    # -- what is known ----------------------------------------------------------------------------

    def _measure(self) -> None:
        assert self._trainer is not None
        assert self._given is not None
        given, tests = self._given
        found = self._trainer.predict(given)
        other = self._trainer.predict(tests) if tests is not given else found
        row = [float(self._trainer.step)]
        for metric in (accuracy, mean_iou, near):
            row += [metric(found, given), metric(other, tests) if tests is not given else nan]
        self._curve.append(row)
        self._show(other)

    def _show(self, found: Predicted | None = None) -> None:
        """The tests as they are now; the training examples where none is held out."""
        part = self._test if self._test.examples or self._classes.test else self._train
        shown = []
        for row, example in enumerate(part.examples[:MOST_SHOWN]):
            picture = part.pictures[row]
            height, width = picture.shape[:2]
            scale = np.array([width, height, width, height], np.float32)
            boxes, points = part.places[row]
            predicted, own, places = -1, np.zeros((0, 4), np.float32), np.zeros((0, 2), np.float32)
            if found is not None:
                if found.logits.shape[1]:
                    predicted = int(found.logits[row].argmax())
                own = found.boxes[row].cpu().numpy().astype(np.float32) * scale
                places = found.points[row].cpu().numpy().astype(np.float32) * scale[:2]
            shown.append(
                Tested(example.name, picture, example.label, predicted, boxes, own, points, places)
            )
        self._tests = tuple(shown)

    def _step(self, note: str) -> Step[Report]:
        steps = 0 if self._trainer is None else self._trainer.step
        return Step(self.report(), steps, self._plan.steps, note)

    def report(self) -> Report:
        """What is known so far."""
        return Report(
            self._plan.kind, self._classes.names, self._classes.source,
            self._body.network.info.title, len(self._train.examples), self._tests,
            bool(self._classes.test), 0 if self._trainer is None else self._trainer.step,
            self._losses, np.array(self._curve, np.float64).reshape(-1, 7),
            self._constant, self._bag, self._answer, self._notes(),
        )  # fmt: skip

    def _notes(self) -> tuple[str, ...]:
        found = list(self._classes.notes)
        if self._skipped:
            reasons = " ".join(dict.fromkeys(self._skipped[:_MOST_SKIPPED]))
            found.insert(0, f"Skipped {quantity(len(self._skipped), 'photo')}: {reasons}")
        return tuple(dict.fromkeys(found))

    def _bag_of_words(self) -> Generator[Step[Report], Any, None]:
        """The row before convolutional networks, on the same pictures."""
        found: list[list[Float32]] = []
        for part in (self._train, self._test):
            found.append([])
            for picture in part.pictures:
                found[-1].append(visual_words.descriptors(picture))
                if len(found[-1]) % BLOCK == 0:
                    yield self._step("visual words")
        seed = self._plan.seed
        centers = visual_words.vocabulary(found[0], visual_words.WORDS, seed)
        yield self._step("visual words")
        train, test = (
            np.stack([visual_words.histogram(one, centers) for one in each]) for each in found
        )
        labels, truth = (
            np.array([example.label for example in part.examples], np.int64)
            for part in (self._train, self._test)
        )
        answers = visual_words.svm_predictions(train, labels, test, seed)
        self._bag = float((answers == truth).mean())

    # -- the network ------------------------------------------------------------------------------

    def module(self) -> nn.Module:
        """The network with the new heads, in evaluation mode; the body's weights are copied."""
        assert self._trainer is not None
        heads = self._trainer.heads.eval()
        network, plan = self._body.network, self._plan
        own: Any
        if plan.kind == CLASS:
            own = copy.deepcopy(network.module).float()
            own.set_submodule(self._body.head, heads.linear())
        elif plan.kind == JOINTS:
            assert heads.joints is not None
            own = lite_pose(joints=self._points(), reach=())
            own.body.load_state_dict(
                {k: v for k, v in network.module.state_dict().items() if k in own.body.state_dict()}
            )
            own.first.load_state_dict(heads.joints.state_dict())
        else:
            assert heads.box is not None
            several = plan.per_class or plan.kind == SEVERAL
            own = lite_localizer(len(self._classes.names), attach=plan.attach, per_class=several)
            state = network.module.state_dict()
            body = {k: v for k, v in state.items() if not k.startswith("classifier.")}
            own.body.load_state_dict(body, strict=False)
            own.head.load_state_dict(heads.box.state_dict())
            if plan.has_class:
                own.body.classifier.load_state_dict(heads.linear().state_dict())
            else:
                nn.init.zeros_(own.body.classifier.weight)
        module: nn.Module = own.to(network.device).eval().requires_grad_(False)
        return module

    def _points(self) -> int:
        assert self._given is not None
        return int(self._given[0].points.shape[1])

    @torch.no_grad()
    def _on_photo(self, photo: UInt8) -> OnPhoto:
        """What the new network itself outputs."""
        steps, module = self._body.preprocess, self.module()
        values = steps(photo).to(self._body.network.device)
        height, width = values.shape[-2:]
        output = module(values)
        none4, none2 = np.zeros((0, 4), np.float32), np.zeros((0, 2), np.float32)
        empty = np.zeros(0, np.float32)
        back = steps.frame(*photo.shape[:2]).inverse()
        if self._plan.kind == CLASS:
            return OnPhoto(output[0].softmax(0).cpu().numpy(), none4, none2)
        scale = np.array([width, height, width, height], np.float32)
        if self._plan.kind == JOINTS:
            points = output["joints"][0].cpu().numpy() * scale[:2]
            return OnPhoto(empty, none4, back.boxes(np.tile(points, (1, 2)))[:, :2])
        several = self._plan.kind == SEVERAL
        boxes = output["boxes_per_class"][0] if several else output["boxes"]
        shares = output["logits"][0].softmax(0).cpu().numpy() if self._plan.has_class else empty
        return OnPhoto(shares, back.boxes(boxes.cpu().numpy() * scale), none2)

    def network(self) -> NewNetwork:
        """What was made, with its card; after `run`."""
        report, plan, network = self.report(), self._plan, self._body.network
        where = {"fc": "pooled features", "conv": "the last map"}[plan.attach]
        words = {
            CLASS: "class head", BOTH: f"class head and box head on {where}",
            BOX: f"box head on {where}", SEVERAL: f"head of {len(report.names)} boxes",
            JOINTS: f"head of {len(self._classes.train[0].points)} joints",
        }[plan.kind]  # fmt: skip
        changed: dict[str, Any] = {}
        if plan.kind == JOINTS:
            count = self._points()
            changed = {
                "task": "pose", "base": "lite-pose", "variant": "embedded",
                "classes": ("background", "object"),
                "keypoints": tuple(f"joint {k + 1}" for k in range(count)),
            }  # fmt: skip
        elif plan.kind != CLASS:
            several = plan.per_class or plan.kind == SEVERAL
            changed = {
                "task": "localization",
                "variant": "embedded",
                "base": f"lite-boxes-{plan.attach}{'-class' if several else ''}",
            }
        counted = np.bincount([e.label for e in self._train.examples], minlength=len(report.names))
        return NewNetwork.of(
            network, f"{network.info.title} on {report.source}", module=self.module(),
            **{"classes": report.names, **changed},
            preprocess=self._body.preprocess,
            note=f"{words} trained on frozen features of {network.info.title}, on "
            f"{quantity(report.train, 'example')} of {report.source}.",
            metrics=tuple(report.figures.items()),
            recipe={
                **asdict(plan), **report.content(), "source": network.info.digest,
                "examples": dict(zip(report.names, counted.tolist(), strict=True)),
            },
            use=False,
        )  # fmt: skip


def counts(classes: Classes) -> str:
    """As in "40 training examples, 12 held out"."""
    return f"{quantity(len(classes.train), 'training example')}, {len(classes.test):,} held out"
