"""One photo after the other through a network, and what it was worth.

`evaluate` is a generator of steps like every other long computation: it can be canceled between
any two photos, and every step carries the metrics so far.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from explorer.core.errors import ExplorerError
from explorer.core.jobs import Work
from explorer.core.reading import display_name
from explorer.core.step import Step
from explorer.core.storage.checkpoint import Checkpoint
from explorer.engine.engine import is_oom
from explorer.evaluation.datasets import open_source
from explorer.evaluation.folder_job import Evaluate
from explorer.evaluation.passing import Pass

if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from pathlib import Path

    from numpy.typing import NDArray

    from explorer.core.network_info import NetworkSpec
    from explorer.engine.engine import Engine
    from explorer.evaluation.cases import Source
    from explorer.evaluation.report import Report
    from explorer.networks.network import Network


@dataclass(frozen=True, slots=True)
class Wish:
    """What is to be evaluated on what; see `compare` and `datasets.open_source`."""

    spec: NetworkSpec
    data: Path
    images: Path | None = None
    limit: int = 0
    eleven_point: bool = False
    other: NetworkSpec | None = None


COMPARED = "detection"
"""The task whose networks are compared: their errors have types."""

_FIRST_FIGURES = 8
_FEW = 100
_MOST_SECONDS = 0.25
"""Metrics in between that take longer would make a question wait."""


def fulfill(
    wish: Wish,
    engine: Engine,
    cancelled: Callable[[], bool] = lambda: False,
    work: Work | None = None,
) -> Generator[Step[Any], Any, None]:
    """A job for the runner: the network, the data, the photos.

    The steps carry the `Report` so far, None before the first photo.

    Args:
        wish: What is to be evaluated.
        engine: Whose networks are used.
        cancelled: Asked inside long forwards.
        work: In the background: what an earlier run had, and where the state is kept.

    Raises:
        ExplorerError: For whatever the user can mend; out of memory is one of those.
    """
    network = yield from engine.network(wish.spec)
    other = None
    if wish.other is not None and network.info.task == COMPARED:
        other = yield from engine.network(wish.other)
    yield Step(None, 0, 0, f"Reading {display_name(wish.data)}")
    source = open_source(wish.data, network.info.task, wish.images)
    try:
        yield from compare(
            network, other, source, limit=wish.limit, eleven_point=wish.eleven_point,
            cancelled=cancelled, work=work,
        )  # fmt: skip
    except (RuntimeError, MemoryError) as error:
        if not is_oom(error):
            raise
    else:
        return
    raise ExplorerError(  # outside the except: the traceback holds the tensors
        "There is not enough memory for this.", "Choose a smaller network or the CPU."
    )


def compare(
    network: Network,
    other: Network | None,
    source: Source,
    *,
    limit: int = 0,
    eleven_point: bool = False,
    cancelled: Callable[[], bool] = lambda: False,
    work: Work | None = None,
) -> Generator[Step[Report], Any, None]:
    """Evaluates one detector, then the other one, on the same photos; see `evaluate`.

    The reports of the second half have that of the other network in `other`. None = there is none.

    Raises:
        ExplorerError: As `evaluate`; the other network is no detector.
    """
    if other is None:
        yield from evaluate(
            network, source, limit=limit, eleven_point=eleven_point, cancelled=cancelled, work=work
        )
        return
    for one in (network, other):
        if one.info.task != COMPARED:
            raise ExplorerError(
                f"{one.info.title} is no detector, and only detectors are compared.",
                "Choose another network.",
            )
    Evaluate(other, source, limit=limit)  # what does not fit is said before the work begins
    works: tuple[Work | None, Work | None] = (None, None)
    if work is not None:
        works = first, second = _halves(work)
        work.keep(lambda: _joined(first, second))
    how: dict[str, Any] = {"limit": limit, "eleven_point": eleven_point, "cancelled": cancelled}
    found: Report | None = None
    for step in evaluate(network, source, **how, work=works[0]):
        found = replace(step.value, complete=False)
        yield replace(step, value=found, total=2 * step.total)
    assert found is not None
    for step in evaluate(other, source, **how, work=works[1]):
        both = replace(found, other=step.value, complete=step.value.complete)
        yield replace(step, value=both, done=step.done + step.total, total=2 * step.total)


_HALVES = ("first", "second")


def _halves(work: Work) -> tuple[Work, Work]:
    """Both jobs as if each were alone, from where an earlier run of `work` has come."""
    first, second = (Work(work.host, work.token, _part(work.resumed, name)) for name in _HALVES)
    return first, second


def _joined(first: Work, second: Work) -> Checkpoint:
    """What a later run of `_halves` needs; of a half that has not begun what was resumed from."""
    content: dict[str, Any] = {}
    arrays: dict[str, NDArray[Any]] = {}
    for name, half in zip(_HALVES, (first, second), strict=True):
        state = half.checkpoint() or half.resumed
        if state is not None:
            content[name] = dict(state.content)
            arrays |= {f"{name}.{key}": array for key, array in state.arrays.items()}
    return Checkpoint(content, arrays)


def _part(state: Checkpoint | None, name: str) -> Checkpoint | None:
    content = None if state is None else state.content.get(name)
    if state is None or not isinstance(content, dict):
        return None
    start = f"{name}."
    arrays = {
        key.removeprefix(start): array
        for key, array in state.arrays.items()
        if key.startswith(start)
    }
    return Checkpoint(content, arrays)


def evaluate(
    network: Network,
    source: Source,
    *,
    limit: int = 0,
    eleven_point: bool = False,
    cancelled: Callable[[], bool] = lambda: False,
    work: Work | None = None,
) -> Generator[Step[Report], Any, None]:
    """Runs the network on the photos of `source` and compares with the ground truth.

    Args:
        network: Any of the catalog with classes.
        source: What `datasets.open_source` gave for the network's task.
        limit: At most this many photos, drawn at random but always the same; 0 = all.
        eleven_point: Detectors get `voc_AP_11` as well.
        cancelled: Asked inside long forwards.
        work: In the background: what an earlier run had, and where the state is kept.

    Yields:
        The report so far; the last one is complete.

    Raises:
        ExplorerError: Data and network do not fit, or no photo can be read.
    """
    job = Evaluate(network, source, limit=limit, eleven_point=eleven_point)
    report, score, count = job.blank, job.score(), len(job.cases)
    going = Pass(job, score, cancelled)
    if work is not None:
        if work.resumed is not None and not going.resume(work.resumed):
            words = "The photos or the network have changed: starting over."
            report = replace(report, notes=(*report.notes, words))
        work.keep(going.checkpoint)
    due, measured = max(_FIRST_FIGURES, score.photos * 3 // 2), 0
    while True:
        if going.done < count:
            going.look_at_next()
        last = going.done == count
        if last:
            report = job.report(replace(report, skipped=tuple(going.skipped)), score)
        elif (score.cheap and score.photos > report.photos) or score.photos >= due:
            due = max(due, score.photos * 3 // 2)
            began = time.perf_counter()
            report = job.figured(report, score)
            if not score.cheap or score.photos > measured * 3 // 2:
                measured = score.photos
                report = replace(report, measures=score.measures())
            if score.photos > _FEW and time.perf_counter() - began > _MOST_SECONDS:
                due = count  # questions would wait for it: from here on only at the end
        report = replace(
            report, photos=score.photos, objects=score.objects,
            objects_left_out=going.left_out, skipped=tuple(going.skipped), seconds=going.seconds,
        )  # fmt: skip
        name = job.cases[going.done - 1].name
        yield Step(report, going.done, count, report.headline() or name)
        if last:
            return
