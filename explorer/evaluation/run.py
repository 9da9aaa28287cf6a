"""One photo after the other through a network, and what it was worth.

`evaluate` is a generator of steps like every other long computation: it can be canceled between
any two photos, and every step carries the metrics so far.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from explorer.core.errors import ExplorerError
from explorer.core.reading import display_name
from explorer.core.step import Step
from explorer.engine.engine import is_oom
from explorer.evaluation.datasets import background_of, open_source
from explorer.evaluation.keypoints.poses import Poses
from explorer.evaluation.keypoints.scores import KeypointBoxes
from explorer.evaluation.keypoints.skeletons import places_of
from explorer.evaluation.masks.scores import MaskBoxes
from explorer.evaluation.matching import Match, match
from explorer.evaluation.passing import Pass
from explorer.evaluation.report import Report
from explorer.evaluation.scores import score_for
from explorer.vision.detection.detections import score_floor

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Sequence
    from pathlib import Path

    from explorer.core.jobs import Work
    from explorer.core.network_info import NetworkInfo, NetworkSpec
    from explorer.engine.engine import Engine
    from explorer.evaluation.cases import Case, Source
    from explorer.evaluation.scores import Score
    from explorer.networks.network import Network


@dataclass(frozen=True, slots=True)
class Wish:
    """What is to be evaluated on what; see `evaluate` and `datasets.open_source`."""

    spec: NetworkSpec
    data: Path
    images: Path | None = None
    limit: int = 0
    eleven_point: bool = False


ONE_OBJECT = (
    "{data} has boxes: only its photos of a single object can be classified. Choose a detection "
    "network to evaluate them all."
)

NEEDS: dict[str, tuple[str, str, str]] = {
    "classification": (
        "label", "classifies photos, but {data} has no class per photo",
        "Use a folder with one subfolder of photos per class, or choose a detector.",
    ),
    "localization": (
        "label", "classifies photos, but {data} has no class per photo",
        "Use photos with one object each, or choose a detector.",
    ),
    "detection": (
        "objects", "predicts boxes, but {data} has none",
        "Use COCO or Pascal VOC annotations, or choose a classifier.",
    ),
    "segmentation": (
        "mask", "classifies pixels, but {data} has no masks",
        "Use a folder of masks or COCO polygons, or choose a detector.",
    ),
    "pose": (
        "keypoints", "locates keypoints, but {data} has none with names",
        "Use COCO annotations with keypoints, or choose another network.",
    ),
}  # fmt: skip

_NOTHING = "These photos have no objects to evaluate: there is no metric."
_NO_PIXELS = "The masks of these photos have no pixel that counts: there is no metric."

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
    yield Step(None, 0, 0, f"Reading {display_name(wish.data)}")
    source = open_source(wish.data, network.info.task, wish.images)
    try:
        yield from evaluate(
            network, source, limit=wish.limit, eleven_point=wish.eleven_point,
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
    info = network.info
    found = _fitting(info, source)
    cases = _drawn(source.make(info.task, found.labels, info), limit)
    if not cases:
        raise ExplorerError(
            f"{source.title} has no photo that {info.title} can be evaluated on.",
            "Choose other photos or another network.",
        )
    report = _blank(network, source, found, cases)
    score = _score(info, source, eleven_point=eleven_point)
    going = Pass(network, cases, score, cancelled)
    if work is not None:
        if work.resumed is not None and not going.resume(work.resumed):
            words = "The photos or the network have changed: starting over."
            report = replace(report, notes=(*report.notes, words))
        work.keep(going.checkpoint)
    names = _told_apart(info.classes)
    due, measured = max(_FIRST_FIGURES, score.photos * 3 // 2), 0
    while True:
        if going.done < len(cases):
            going.look_at_next()
        last = going.done == len(cases)
        if last and score.photos == 0:
            raise ExplorerError("None of the photos can be read.", going.skipped[0][1])
        if last or (score.cheap and score.photos > report.photos) or score.photos >= due:
            due = max(due, score.photos * 3 // 2)
            began = time.perf_counter()
            figures, by_class = score.figures(names)
            if last or not score.cheap or score.photos > measured * 3 // 2:
                measured = score.photos
                report = replace(report, measures=score.measures())
            if score.photos > _FEW and time.perf_counter() - began > _MOST_SECONDS:
                due = len(cases)  # questions would wait for it: from here on only at the end
            report = replace(report, figures=figures, by_class=by_class)
        if last and not report.figures:
            words = _NO_PIXELS if info.task == "segmentation" else _NOTHING
            report = replace(report, notes=(*report.notes, words))
        report = replace(
            report, photos=score.photos, objects=score.objects, complete=last,
            objects_left_out=going.left_out, skipped=tuple(going.skipped), seconds=going.seconds,
        )  # fmt: skip
        name = cases[going.done - 1].name
        yield Step(report, going.done, len(cases), report.headline() or name)
        if last:
            return


def _score(info: NetworkInfo, source: Source, *, eleven_point: bool) -> Score:
    if info.task == "detection" and info.keypoints and "keypoints" in source.offers:
        return KeypointBoxes(info.keypoints, eleven_point=eleven_point)
    if info.task == "detection" and "mask" in source.offers and info.has_masks:
        return MaskBoxes(eleven_point=eleven_point)
    if info.task == "pose":
        return Poses(info.keypoints)
    return score_for(info.task, len(info.classes), eleven_point=eleven_point)


def _fitting(info: NetworkInfo, source: Source) -> Match:
    if info.task not in NEEDS:
        raise ExplorerError(
            f"{info.title} has no predictions to evaluate: it outputs features.",
            "Choose a network for classification, detection or segmentation.",
        )
    need, words, hint = NEEDS[info.task]
    if need not in source.offers:
        raise ExplorerError(f"{info.title} {words.format(data=source.title)}.", hint)
    return match(source.classes, info)


def _keypoint_note(info: NetworkInfo, source: Source) -> str:
    """Why the keypoints of the network or some of them cannot be evaluated; "" if all can."""
    pose = info.task == "pose"
    if not info.keypoints or not (pose or info.task == "detection"):
        return ""
    if "keypoints" not in source.offers:
        return f"{source.title} has no keypoints with names: only boxes are evaluated."
    places = np.array([
        places_of(info.keypoints, own, without_constant=pose) for own in source.keypoints.values()
    ])  # fmt: skip
    missing = [name for name, row in zip(info.keypoints, places.T, strict=True) if row.max() < 0]
    if not missing:
        return ""
    words = ", ".join(name.replace("_", " ") for name in missing)
    if len(missing) == len(info.keypoints):
        return f"{source.title} has none of the network's keypoints ({words})."
    return f"Not evaluated, because {source.title} does not have them: {words}."


def _told_apart(names: Sequence[str]) -> list[str]:
    """Two of ImageNet's classes are called "crane": the second gets its number."""
    seen: set[str] = set()
    found = []
    for index, name in enumerate(names):
        found.append(f"{name} ({index})" if name in seen else name)
        seen.add(name)
    return found


def _drawn(cases: Sequence[Case], limit: int) -> Sequence[Case]:
    """A part of all photos: not the first ones, which are often of one class."""
    if not 0 < limit < len(cases):
        return cases
    if all(case.mixed for case in cases):
        return cases[:limit]
    rows = np.random.default_rng(0).permutation(len(cases))[:limit]
    return [cases[row] for row in np.sort(rows)]


def _blank(network: Network, source: Source, found: Match, cases: Sequence[Case]) -> Report:
    info = network.info
    notes = [*info.notes, *source.notes]
    if source.kind in ("COCO", "VOC") and info.task in ("classification", "localization"):
        notes.insert(0, ONE_OBJECT.format(data=source.title))
    if found.left_out and info.task == "segmentation" and background_of(info) >= 0:
        notes.append("Pixels of classes that the network does not have count as background.")
    if info.task == "detection" and score_floor(network.module) > 0.05:
        floor = score_floor(network.module)
        notes.append(f"The network drops boxes with a score below {floor:g}, which lowers AP.")
    if note := _keypoint_note(info, source):
        notes.append(note)
    return Report(
        network=info.spec.name, title=info.title, weights=info.weights_title, task=info.task,
        data=source.title, kind=source.kind, wanted=len(cases), matched=found.matched,
        left_out=found.left_out, notes=tuple(dict.fromkeys(notes)), info=info,
        cases=tuple((case.name, "" if case.path is None else str(case.path)) for case in cases),
    )  # fmt: skip
