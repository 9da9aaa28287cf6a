"""All methods measured on one photo or on those of a data set, for the published table."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from explorer.core.errors import ExplorerError
from explorer.core.listing import quantity
from explorer.core.step import Step
from explorer.engine.scene import Scene
from explorer.engine.stages import trace_of
from explorer.evaluation.datasets import open_source
from explorer.evaluation.matching import DataClass, match
from explorer.evaluation.metrics import Found, Objects, voc_ap
from explorer.images.image import from_array
from explorer.views.shared.anchors import truth_boxes
from explorer.views.shared.regions.proposals import RPN, again, proposals_of
from explorer.vision.detection.corruptions import CHANGES
from explorer.vision.detection.recall import average_recall, covered
from explorer.vision.detection.roi_head import detect_on
from explorer.vision.proposals.published import MOST, TABLE
from explorer.vision.race.networks import has_proposals

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Sequence

    from numpy.typing import NDArray

    from explorer.core.network_info import NetworkInfo
    from explorer.core.params import Box, FolderRef
    from explorer.evaluation.cases import Case
    from explorer.images.image import Image
    from explorer.networks.network import Network
    from explorer.vision.detection.detections import Detections
    from explorer.vision.proposals.methods import Proposals
    from explorer.vision.proposals.tables import Tables

EXTRA = ("SLIC", "k-means boxes", RPN)
"""Measured below the rows of the paper."""

MEASURED = (*(row.ours for row in TABLE if row.ours), *EXTRA)
"""The methods here, in the order of the rows."""

MIDDLE = 2
"""The place of the strength that repeatability is measured at, of every change."""


@dataclass(frozen=True, slots=True, eq=False)
class Run:
    """One method on one photo.

    Attributes:
        found: Its proposals, at most `MOST`.
        detections: Of Fast R-CNN on them; None = not computed yet.
        repeated: Its repeatability under those of `CHANGES` that are done.
    """

    found: Proposals
    detections: Detections | None = None
    repeated: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """One photo: `runs` by method, and its `truth` in the detector's classes.

    A label is -1 where the detector lacks the class. `truth` is None for the open photo, whose
    ground truth comes with every drawing.
    """

    truth: Objects | None
    runs: dict[str, Run]


@dataclass(frozen=True, slots=True, eq=False)
class Comparison:
    """What is known so far.

    Attributes:
        samples: One for every photo that was begun.
        total: Photos in all.
        source: Name of the data set; "" = the open photo.
        detector: Whose head is Fast R-CNN's.
        notes: About what cannot be measured.
        done: Parts of the work; it tells two of these apart.
    """

    samples: tuple[Sample, ...]
    total: int
    source: str
    detector: NetworkInfo
    notes: tuple[str, ...] = ()
    done: int = 0


@dataclass(frozen=True, slots=True)
class Figures:
    """Of one method over all photos; NaN = not measured.

    Attributes:
        seconds: Mean for a photo.
        repeatability: Mean over photos and changes.
        recall: Average recall over all objects.
        precision: Mean over the classes of VOC's average precision at IoU 0.5.
    """

    seconds: float
    repeatability: float
    recall: float
    precision: float


@dataclass(slots=True, eq=False)
class _Photo:
    """One photo of the data; its runs stay when the computation is stopped and begun again."""

    load: Callable[[], tuple[Image, Objects | None]]
    truth: Objects | None = None
    runs: dict[str, Run] = field(default_factory=dict)

    def scene(self, detector: Network, seed: int) -> Scene:
        image, self.truth = self.load()
        return Scene(detector, image, seed)


@dataclass(slots=True, eq=False)
class _Data:
    photos: list[_Photo]
    source: str = ""
    notes: tuple[str, ...] = ()


def compared(
    scene: Scene,
    detector: Network,
    folder: FolderRef | None,
    photos: int,
    *,
    repeat: bool,
    known: Tables | None = None,
) -> Generator[Step[Comparison], None, None]:
    """A step for every method on every photo; what was measured before is not measured again.

    Args:
        scene: Of the open photo; it remembers what was measured.
        detector: A two-stage detector.
        folder: A data set, whose photos are measured; None = the open photo.
        photos: At most this many of it.
        repeat: Whether to measure repeatability: five more searches of every method.
        known: Tables for BING; None = those that ship.

    Raises:
        ExplorerError: The detector has no proposals, or the folder no boxes.
    """
    if not has_proposals(detector.info):
        raise ExplorerError(
            f"{detector.info.title} is not a two-stage detector.", "Choose one of the R-CNN family."
        )
    key = ("proposal table", folder, detector.info.spec, known)
    data = scene.memo(key, lambda: _opened(scene, detector, folder))
    chosen = data.photos[:photos] if folder is not None else data.photos
    so_far = Comparison((), len(chosen), data.source, detector.info, data.notes)
    done, total = 0, len(chosen) * len(tuple(_work(repeat=repeat)))
    yield Step(so_far, done, total, MEASURED[0])
    for number, photo in enumerate(chosen):
        place = f"photo {number + 1} of {len(chosen)}: " if len(chosen) > 1 else ""
        before = so_far.samples
        inner: Scene | None = None
        for name, part in _work(repeat=repeat):
            done += 1
            if not _lacks(photo.runs.get(name), part):
                continue
            inner = inner or photo.scene(detector, scene.seed)
            photo.runs[name] = _with(inner, photo.runs.get(name), name, part, known)
            sample = Sample(photo.truth, dict(photo.runs))
            so_far = replace(so_far, samples=(*before, sample), done=done)
            yield Step(so_far, done, total, f"{place}{name}, {part}")
        so_far = replace(so_far, samples=(*before, Sample(photo.truth, dict(photo.runs))))
    yield Step(replace(so_far, done=total), total, total)


SEARCH, DETECTION = "proposals", "detection"


def _work(*, repeat: bool) -> Generator[tuple[str, str], None, None]:
    """Method and what to do with it: the proposals of all come first, the longest work last."""
    for part in (SEARCH, DETECTION, *(CHANGES if repeat else ())):
        for name in MEASURED:
            yield name, part


def _lacks(run: Run | None, part: str) -> bool:
    if run is None:
        return True
    if part == SEARCH:
        return False
    return run.detections is None if part == DETECTION else len(run.repeated) <= _place(part)


def _place(change: str) -> int:
    return tuple(CHANGES).index(change)


def _with(scene: Scene, run: Run | None, name: str, part: str, known: Tables | None) -> Run:
    """The run with one part more."""
    if run is None:
        run = Run(proposals_of(scene, name, MOST, known))
    if part == DETECTION:
        found = detect_on(scene.network.module, trace_of(scene), run.found.boxes)
        return replace(run, detections=found)
    if part in CHANGES:
        score = again(scene, name, part, MIDDLE, MOST, known).score
        return replace(run, repeated=(*run.repeated, score))
    return run


def _opened(scene: Scene, detector: Network, folder: FolderRef | None) -> _Data:
    if folder is None:
        return _Data([_Photo(lambda: (scene.image, None))])
    source = open_source(Path(folder.path), "detection")
    if "objects" not in source.offers:
        raise ExplorerError(
            f"{source.title} has no ground-truth boxes.",
            "Choose a folder with COCO, Pascal VOC or YOLO annotations.",
        )
    labels = labels_of(source.classes, detector.info)
    # Objects of every class are to be found, whether or not the detector knows it.
    cases = source.make("detection", np.arange(len(labels)), detector.info)
    lacking = [c.name for c, label in zip(source.classes, labels, strict=True) if label < 0]
    notes: tuple[str, ...] = ()
    if lacking:
        count = quantity(len(lacking), "class", "classes")
        notes = (f"{detector.info.title} lacks {count} of the data: no AP50 for it.",)
    return _Data([_Photo(_loader(case, labels)) for case in cases], source.title, notes)


def _loader(
    case: Case, labels: NDArray[np.int64]
) -> Callable[[], tuple[Image, Objects | None]]:  # fmt: skip
    def load() -> tuple[Image, Objects | None]:
        pixels, truth = case.load()
        objects = truth.objects or Objects.plain(np.zeros((0, 4)), np.zeros(0, np.int64))
        return from_array(pixels, case.name), replace(objects, labels=labels[objects.labels])

    return load


def labels_of(classes: Sequence[DataClass], info: NetworkInfo) -> NDArray[np.int64]:
    """(D,) int64: the detector's label of each class of the data, -1 where it has none."""
    try:
        return match(classes, info).labels
    except ExplorerError:  # it has none of them
        return np.full(len(classes), -1, np.int64)


def truth_of(boxes: Sequence[Box], info: NetworkInfo) -> Objects:
    """Boxes of the open photo, in the detector's classes."""
    names = tuple(dict.fromkeys(box.label for box in boxes))
    labels = dict(zip(names, labels_of([DataClass(name) for name in names], info), strict=True))
    return Objects(
        truth_boxes(boxes).astype(np.float64),
        np.array([labels[box.label] for box in boxes], np.int64),
        np.array([box.crowd for box in boxes], np.bool_),
        np.array([box.difficult for box in boxes], np.bool_),
    )


def figures(known: Comparison, truth: Sequence[Box]) -> dict[str, Figures]:
    """By method, those of which something is known; `truth` is the open photo's."""
    own = truth_of(truth, known.detector)
    wanted = [sample.truth if sample.truth is not None else own for sample in known.samples]
    found = {}
    for name in MEASURED:
        pairs = [
            (objects, sample.runs[name])
            for objects, sample in zip(wanted, known.samples, strict=True)
            if name in sample.runs
        ]
        if pairs:
            found[name] = _figures(pairs)
    return found


def _figures(pairs: Sequence[tuple[Objects, Run]]) -> Figures:
    best = np.concatenate([_best(objects, run) for objects, run in pairs])
    scored = [(o, run.detections) for o, run in pairs if run.detections is not None]
    classes = voc_ap([_of_known_class(o) for o, _ in scored], [_found(d) for _, d in scored])
    again_ = [score for _, run in pairs for score in run.repeated]
    return Figures(
        float(np.mean([run.found.seconds for _, run in pairs])),
        _mean(again_),
        average_recall(best),
        _mean([entry.every_point for entry in classes.values()]),
    )


def _best(objects: Objects, run: Run) -> NDArray[np.float32]:
    counted = objects.xyxy[~objects.passed].astype(np.float32)
    return covered(counted, run.found.boxes)[:, -1]


def _of_known_class(objects: Objects) -> Objects:
    keep = objects.labels >= 0
    return Objects(
        objects.xyxy[keep], objects.labels[keep], objects.crowd[keep], objects.difficult[keep]
    )


def _found(detections: Detections) -> Found:
    return Found(detections.xyxy, detections.labels, detections.scores)


def _mean(values: Sequence[float]) -> float:
    finite = [value for value in values if np.isfinite(value)]
    return float(np.mean(finite)) if finite else float("nan")
