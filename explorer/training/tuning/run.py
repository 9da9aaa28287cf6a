"""A fine-tuning as a generator of steps, and a preview of it."""

from __future__ import annotations

import logging
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from explorer.core.errors import ExplorerError
from explorer.core.layers import Picture
from explorer.core.listing import quantity
from explorer.core.step import Step
from explorer.core.storage.checkpoint import Checkpoint
from explorer.networks.made import NewNetwork
from explorer.training.data.canvases import CanvasMaker
from explorer.training.lessons.lite.detector import shipped
from explorer.training.loop import choose_dtype
from explorer.training.tuning import held_out, photos, rows
from explorer.training.tuning.folder import Annotations, read_folder
from explorer.training.tuning.report import OwnClass, Report, ShownPhoto
from explorer.training.tuning.trainer import Length, Trainer, recipe_for
from explorer.training.tuning.wish import Wish, identity, params_of

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from torch import nn

    from explorer.annotations.dataset import Annotated
    from explorer.core.jobs import Work
    from explorer.evaluation.metrics import Found
    from explorer.networks.network import Network
    from explorer.training.data.pool import PoolPhoto
    from explorer.training.tuning.photos import HeldOut

log = logging.getLogger(__name__)

FORMAT = 1

MOST_PHOTOS, MOST_HELD_OUT = 1500, 100
"""To learn from and held out: these are drawn of more, so that memory and time suffice."""

MEASUREMENTS = 10
"""Of a training, at even distances."""

MOST_MEASURING = 0.2
"""Of the time: where photos are many or the computer is slow there are fewer measurements."""

SHOWN = 4

_MOST_SKIPPED = 3

_DTYPES = {torch.float32: "float32", torch.bfloat16: "bfloat16"}


def survey(wish: Wish, network: Network) -> Generator[Step[Report], Any, None]:
    """The classes of the folder, and some photos as the network finds them before any training.

    Raises:
        ExplorerError: Network or folder will not do.
    """
    begun = _Begun(wish, network)
    yield Step(begun.report, 0, SHOWN, begun.report.counts())
    own = begun.annotations
    shown: list[ShownPhoto] = []
    used = _before(begun)
    for photo in _spread(own.held_out or own.train, SHOWN):
        try:
            held = photos.to_measure(photo, photos.opened(photo), begun.labels, used)
        except ExplorerError as error:
            begun.skip(photo, error)
            continue
        shown.append(_shown(held, held_out.detect(used, held)))
        report = replace(begun.report, shown=tuple(shown))
        yield Step(report, len(shown), SHOWN, held.name)
    yield Step(replace(begun.report, shown=tuple(shown), notes=begun.notes()), SHOWN, SHOWN)


def tune(
    wish: Wish, network: Network, work: Work | None = None
) -> Generator[Step[Report], Any, NewNetwork]:
    """The whole training; the generator's return value is the network.

    Args:
        wish: What is to be trained.
        network: That of `wish.spec`; it is left as it is.
        work: In the background: what an earlier run had, and where the state is kept.

    Yields:
        The report so far; the last one is complete.

    Raises:
        ExplorerError: Network or folder will not do, or the numbers grow without limit.
    """
    begun = _Begun(wish, network)
    yield Step(begun.report, 0, 0, begun.report.counts())
    learn, measured = yield from _read(begun)
    used = _before(begun)
    training = _Training(begun, learn, measured, used)
    if work is not None and work.resumed is not None and not training.resume(work.resumed):
        begun.say("The photos or the network have changed: starting over.")
    yield from training.look_before()
    if work is not None:
        work.keep(training.checkpoint)
    yield from training.measure_if_due()
    while training.progress < 1:
        yield training.learned()
        yield from training.measure_if_due()
    report = training.report(complete=True)
    yield Step(report, 1000, 1000, report.headline() or report.counts())
    return training.network()


# -- what everything begins with


class _Begun:
    """The annotations, and the network in the form that learns their classes."""

    def __init__(self, wish: Wish, network: Network) -> None:
        rows.check_tunable(network)
        self.wish, self.base = wish, network
        self.annotations: Annotations = read_folder(wish.data, wish.held_out, wish.seed)
        names = self.annotations.names
        self.rows = rows.rows_for(names, network.info.classes)
        self.labels = {name: number for number, name in enumerate(names, start=1)}
        self.module = rows.module_for(network, self.rows, wish.seed)
        self.said = list(self.annotations.notes)
        self.skipped: list[str] = []
        self.outside = 0
        self.report = self._report()

    def skip(self, photo: Annotated, error: ExplorerError) -> None:
        log.info("%s is skipped: %s", photo.name, error)
        self.skipped.append(error.message)

    def say(self, words: str) -> None:
        self.said.append(words)
        self.report = replace(self.report, notes=self.notes())

    def notes(self) -> tuple[str, ...]:
        """The notes, the most important first."""
        found = []
        if self.rows.new:
            new = ", ".join(self.rows.new)
            found.append(f"New rows in the last layer: {new}. All else keeps its weights at first.")
        if self.skipped:
            reasons = " ".join(dict.fromkeys(self.skipped[:_MOST_SKIPPED]))
            found.append(f"Skipped {quantity(len(self.skipped), 'photo')}: {reasons}")
        if self.outside:
            found.append(
                f"{quantity(self.outside, 'box', 'boxes')} outside the photo or without an area "
                "ignored."
            )
        if not self.annotations.held_out:
            found.append("No photo is held out, so there is no metric.")
        return tuple(dict.fromkeys([*found, *self.said]))

    def _report(self) -> Report:
        own = self.annotations
        classes = []
        for name, known_as in zip(self.rows.names, self.rows.known_as, strict=True):
            with_it = [[e.box.label for e in p.entries if not e.box.crowd].count(name)
                       for p in own.train]  # fmt: skip
            there = sum(p.labels.count(name) for p in own.held_out)
            photos_with = sum(count > 0 for count in with_it)
            classes.append(OwnClass(name, known_as, sum(with_it), photos_with, there))
        return Report(
            self.base.info, own.title, own.kind, tuple(classes), len(own.train), len(own.held_out),
            own.own_parts, self.wish.minutes, notes=self.notes(),
        )  # fmt: skip


def _before(begun: _Begun) -> nn.Module:
    """The network for the folder's classes as it is used, before any training; in eval mode."""
    module = rows.with_classes(begun.base, len(begun.rows.names))
    module.load_state_dict(shipped("", begun.module.state_dict()))
    return module.eval().requires_grad_(False)


def _read(
    begun: _Begun,
) -> Generator[Step[Report], Any, tuple[list[PoolPhoto], list[HeldOut]]]:
    """Decodes the photos; those that cannot be read are skipped and counted."""
    own = begun.annotations
    learn: list[PoolPhoto] = []
    measured: list[HeldOut] = []
    parts = (_spread(own.train, MOST_PHOTOS), _spread(own.held_out, MOST_HELD_OUT))
    for part, whole in zip(parts, (own.train, own.held_out), strict=True):
        if len(part) < len(whole):
            begun.said.append(f"{len(part):,} of {len(whole):,} photos are used, drawn evenly.")
    total = sum(map(len, parts))
    for number, photo in enumerate((*parts[0], *parts[1])):
        try:
            pixels = photos.opened(photo)
            if number < len(parts[0]):
                found, outside = photos.to_learn_from(photo, pixels, begun.labels)
                learn.append(found)
                begun.outside += outside
            else:
                measured.append(photos.to_measure(photo, pixels, begun.labels, begun.module))
        except ExplorerError as error:
            begun.skip(photo, error)
        yield Step(begun.report, number + 1, total, f"Reading {photo.name}")
    if not any(len(photo.labels) for photo in learn):
        why = begun.skipped[0] if begun.skipped else "All boxes lie outside of their photos."
        raise ExplorerError(f"No photo of {own.title} can be used for training. {why}")
    begun.report = replace(
        begun.report, photos=len(learn), held_out=len(measured), notes=begun.notes()
    )
    return learn, measured


def _spread(entries: Sequence[Any], most: int) -> Sequence[Any]:
    """At most this many of them, at even distances."""
    if len(entries) <= most:
        return entries
    chosen = np.linspace(0, len(entries) - 1, most).round().astype(np.int64)
    return [entries[row] for row in chosen]


# -- the training


class _Training:
    """A trainer, its measurements and their report."""

    def __init__(
        self, begun: _Begun, learn: list[PoolPhoto], measured: list[HeldOut], used: nn.Module
    ) -> None:
        wish = begun.wish
        self._begun, self._measured, self._used = begun, measured, used
        maker = CanvasMaker(
            photos.pool_of(learn, begun.rows.names), photos.photos_of_the_most_frequent(learn)
        )
        self._trainer = Trainer(
            begun.module, maker, recipe_for(wish.rate, wish.minutes, wish.seed),
            Length(wish.minutes, wish.steps), wish.frozen, _dtype(begun),
        )  # fmt: skip
        self._names = [photo.path for photo in learn] + [photo.name for photo in measured]
        self._losses, self._curve = begun.report.losses, begun.report.curve
        self._measurements, self._measuring = 0, 0.0
        self._by_class: list[dict[int, float]] = []  # of the first and of the last measurement
        self._shown: tuple[ShownPhoto, ...] = ()

    @property
    def progress(self) -> float:
        return self._trainer.progress

    @property
    def _passed(self) -> int:
        """Places for a measurement that lie behind."""
        return int(self.progress * MEASUREMENTS)

    def learned(self) -> Step[Report]:
        """Learns from one photo."""
        began = time.perf_counter()
        losses = self._trainer.look()
        self._trainer.spend(time.perf_counter() - began)
        if losses is not None:
            if not np.isfinite(losses).all():
                raise ExplorerError(
                    "The training diverged: the loss is not finite.",
                    "Choose a smaller learning rate.",
                )
            self._losses = np.vstack([self._losses, (self._trainer.seconds, *losses)])
        return self._step()

    def look_before(self) -> Generator[Step[Report], Any, None]:
        """What is found before the training; measured only once."""
        if not len(self._curve):
            yield from self.measure()
            return
        chosen = _spread(self._measured, SHOWN)
        before = yield from self._looking(chosen)
        self._show(chosen, before)
        self._used.load_state_dict(self._trainer.shipped())
        now = yield from self._looking(chosen)
        self._show(chosen, now)

    def measure_if_due(self) -> Generator[Step[Report], Any, None]:
        """The last measurement is always made."""
        trainer = self._trainer
        late = self._measuring > MOST_MEASURING * trainer.seconds and not self._begun.wish.steps
        due = trainer.step > 0 and self._passed > self._measurements
        if due and (not late or trainer.progress >= 1):
            yield from self.measure()

    def measure(self) -> Generator[Step[Report], Any, None]:
        """AP50 with the averaged weights of the moment."""
        if self._trainer.step:
            self._used.load_state_dict(self._trainer.shipped())
        found = yield from self._looking(self._measured)
        self._measurements = self._passed
        if self._measured:
            figure, by_class = held_out.ap50(self._measured, found)
            self._curve = np.vstack([self._curve, (self._trainer.seconds, figure)])
            self._by_class = [*self._by_class[:1], by_class]
        answers = {photo.path: answer for photo, answer in zip(self._measured, found, strict=True)}
        chosen = _spread(self._measured, SHOWN)
        self._show(chosen, [answers[photo.path] for photo in chosen])
        yield self._step()

    def _looking(self, chosen: Sequence[HeldOut]) -> Generator[Step[Report], Any, list[Found]]:
        found = []
        for number, photo in enumerate(chosen, start=1):
            began = time.perf_counter()
            found.append(held_out.detect(self._used, photo))
            if self._trainer.step:
                spent = time.perf_counter() - began
                self._trainer.spend(spent)
                self._measuring += spent
            yield self._step(f"Measuring {number} of {len(chosen)}")
        return found

    def _show(self, chosen: Sequence[HeldOut], found: Sequence[Found]) -> None:
        """The first detections are those before the training."""
        if self._shown:
            self._shown = tuple(
                replace(shown, now=_scaled(answer, photo))
                for shown, photo, answer in zip(self._shown, chosen, found, strict=True)
            )
        else:
            self._shown = tuple(_shown(p, answer) for p, answer in zip(chosen, found, strict=True))

    def _step(self, note: str = "") -> Step[Report]:
        report = self.report()
        words = [note or report.headline()]
        if len(self._losses) and not note:
            words.append(f"loss {self._losses[-1, 1:].sum():.2f}")
        return Step(
            report, round(1000 * self.progress), 1000, " · ".join(word for word in words if word)
        )

    def report(self, *, complete: bool = False) -> Report:
        trainer = self._trainer
        before = self._by_class[0] if self._by_class else {}
        now = self._by_class[-1] if len(self._by_class) > 1 else {}
        classes = tuple(
            replace(entry, before=before.get(label, np.nan), now=now.get(label, np.nan))
            for label, entry in enumerate(self._begun.report.classes, start=1)
        )
        blank = self._begun.report
        return replace(
            blank, classes=classes, seconds=trainer.seconds, steps=trainer.step,
            seen=trainer.photos, shown=self._shown, complete=complete,
            losses=self._losses, curve=self._curve,
        )  # fmt: skip

    def network(self) -> NewNetwork:
        """What has been made, with its card."""
        self._used.load_state_dict(self._trainer.shipped())
        begun, report = self._begun, self.report(complete=True)
        base, wish = begun.base, begun.wish
        content = report.content()
        return NewNetwork.of(
            base, f"{base.info.title.partition(' on ')[0]} on {report.data}", module=self._used,
            classes=("background", *begun.rows.names),
            note=f"fine-tuned from {base.info.title} on {quantity(report.photos, 'photo')} of "
            f"{report.data}.",
            metrics=tuple(report.figures().items()),
            recipe={
                "id": identity(wish), **params_of(wish), "source": base.info.digest,
                "new_rows": list(report.new), "minutes_spent": round(report.seconds / 60, 2),
                **{key: content[key] for key in (
                    "kind", "photos", "held_out", "classes", "steps", "photos_seen", "notes",
                )},
                "curve": [[round(seconds / 60, 2), round(ap, 4)]
                          for seconds, ap in self._curve.tolist()],
            },
        )  # fmt: skip

    # -- the state --------------------------------------------------------------------------------

    def checkpoint(self) -> Checkpoint:
        """After the last complete step."""
        content = {
            **self._made_of(),
            "measurements": self._measurements,
            "dtype": _DTYPES[self._trainer.dtype],
            "by_class": [{str(k): v for k, v in row.items()} for row in self._by_class],
        }
        arrays = {"losses": self._losses, "curve": self._curve, **self._trainer.arrays()}
        return Checkpoint(content, arrays)

    def _made_of(self) -> dict[str, Any]:
        return {
            "format": FORMAT,
            "photos": [str(name) for name in self._names],
            "classes": list(self._begun.rows.names),
            "network": self._begun.base.info.digest,
        }

    def resume(self, state: Checkpoint) -> bool:
        """Resumes from a state of the same photos, classes and network; else stays as it is."""
        content, mine = state.content, self._made_of()
        if any(content.get(key) != value for key, value in mine.items()):
            return False
        try:
            losses = state.arrays["losses"].reshape(-1, self._losses.shape[1])
            curve = state.arrays["curve"].reshape(-1, 2)
            by_class = [{int(k): float(v) for k, v in row.items()} for row in content["by_class"]]
            measurements = int(content["measurements"])
            dtypes = {word: dtype for dtype, word in _DTYPES.items()}
            self._trainer.restore(state.arrays, dtypes[content["dtype"]])
        except (KeyError, ValueError, TypeError, AttributeError) as error:
            log.warning("the state of a training cannot be used: %s", error)
            return False
        self._losses, self._curve, self._by_class = losses, curve, by_class
        self._measurements = measurements
        return True


def _dtype(begun: _Begun) -> torch.dtype:
    """Where equal steps are asked for the same one always, else what is fastest here."""
    if begun.wish.steps:
        return torch.float32
    with torch.random.fork_rng([]), torch.enable_grad():
        return choose_dtype(begun.base.device)


def _shown(photo: HeldOut, found: Found) -> ShownPhoto:
    scale = _factors(photo)
    truth = replace(photo.objects, xyxy=photo.objects.xyxy * scale)
    return ShownPhoto(photo.name, Picture(photo.picture), truth, before=_scaled(found, photo))


def _scaled(found: Found, photo: HeldOut) -> Found:
    """In the pixels of the picture that is shown."""
    return replace(found, xyxy=(found.xyxy * _factors(photo)).astype(np.float32))


def _factors(photo: HeldOut) -> Any:
    height, width = photo.picture.shape[:2]
    return np.array([width / photo.size[1], height / photo.size[0]] * 2)


__all__ = ["survey", "tune"]
