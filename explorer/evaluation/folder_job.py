"""The evaluation of a network on a data set, photo by photo, and as a folder job.

A photo's row holds the counts of a score that has seen this photo alone. The rows of all photos,
wherever they were computed, add up to the metrics.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from explorer.batch.job import EndsJob, Row
from explorer.batch.photos import Photo
from explorer.batch.ready import (
    entry_of,
    loaded,
    network_settings,
    out_of_memory_told,
    spec_of,
    threads_set,
)
from explorer.core.errors import ExplorerError
from explorer.core.listing import quantity
from explorer.core.storage.atomic import write_bytes
from explorer.engine.scene import checked
from explorer.evaluation.datasets import background_of, coco_files, open_source
from explorer.evaluation.keypoints.poses import Poses
from explorer.evaluation.keypoints.scores import KeypointBoxes
from explorer.evaluation.keypoints.skeletons import places_of
from explorer.evaluation.masks.scores import MaskBoxes
from explorer.evaluation.matching import NO_THING, Match, canonical, match
from explorer.evaluation.report import Report, csv_of, json_of
from explorer.evaluation.scores import Look, score_for
from explorer.vision.detection.detections import score_floor

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence

    from explorer.core.network_info import NetworkInfo
    from explorer.evaluation.cases import Case, Source, Truth
    from explorer.evaluation.scores import Score
    from explorer.networks.network import Network

REPORTS = ("report.json", "report.csv")
"""What the folder job writes."""

_CHUNK = 64

_NOTHING = "These photos have no objects to evaluate: there is no metric."
_NO_PIXELS = "The masks of these photos have no pixel that counts: there is no metric."

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


@dataclass(frozen=True, slots=True, eq=False)
class Item:
    """A photo on its way to the network.

    Attributes:
        look: What is known of it.
        values: (1, C, h, w) float32, the network's input.
    """

    look: Look
    values: Tensor


def evaluate(params: Mapping[str, Any]) -> Evaluate:
    """The job; its parameters are `spec`, `data`, `images`, `limit`, `eleven_point`, `threads`.

    Raises:
        ExplorerError: As `Evaluate` and `datasets.open_source`.
    """
    threads_set(params)
    network = loaded(spec_of(params))
    data, images = Path(params["data"]), params.get("images")
    source = open_source(data, network.info.task, Path(images) if images else None)
    return Evaluate(
        network, source, limit=int(params.get("limit") or 0),
        eleven_point=bool(params.get("eleven_point")), annotations=_annotations(data),
    )  # fmt: skip


class Evaluate:
    """See `batch.job.FolderJob`; its photos are those of the data set.

    Args:
        network: Any of the catalog with classes.
        source: What `datasets.open_source` gave for the network's task.
        limit: At most this many photos, drawn at random but always the same; 0 = all.
        eleven_point: Detectors get `voc_AP_11` as well.
        annotations: The digest of the file of annotations, where there is one for all photos.

    Attributes:
        cases: The photos; an item's number is its place among them.
        blank: The report before the first of them.

    Raises:
        ExplorerError: Data and network do not fit.
    """

    chunk = _CHUNK

    def __init__(
        self,
        network: Network,
        source: Source,
        *,
        limit: int = 0,
        eleven_point: bool = False,
        annotations: str = "",
    ) -> None:
        info = network.info
        found = _fitting(info, source)
        self.network = network
        self._source, self._limit, self._annotations = source, limit, annotations
        self._eleven_point = eleven_point
        self.cases = _drawn(source.make(info.task, found.labels, info), limit)
        if not self.cases:
            raise ExplorerError(
                f"{source.title} has no photo that {info.title} can be evaluated on.",
                "Choose other photos or another network.",
            )
        self.blank = _blank(network, source, found, self.cases)
        self._annotated = np.unique(found.labels[found.labels >= 0])
        self._names = _told_apart(info.classes)

    # -- the folder job ---------------------------------------------------------------------------

    def photos(self) -> Iterator[Photo]:
        """See `batch.job.OwnPhotos`."""
        for number, case in enumerate(self.cases):
            yield Photo(case.name, "" if case.path is None else str(case.path), id=number)

    def settings(self) -> Mapping[str, Any]:
        return {
            **network_settings(self.network),
            "data": self._source.kind,
            "annotations": self._annotations,
            "drawn": self._limit,
            "eleven-point": self._eleven_point,
        }

    def load(self, photo: Photo) -> Item:
        assert isinstance(photo.id, int)
        return self.item(photo.id)

    def alike(self, item: Item) -> Hashable:
        info = self.network.info
        alone = info.task == "segmentation" or not self.network.preprocess.batched
        return None if alone else tuple(item.values.shape)

    def compute(self, items: Sequence[Item]) -> Sequence[Row]:
        return out_of_memory_told(lambda: self.rows(items))

    def merge(self, rows: Callable[[], Iterator[Row]], out: Path) -> Sequence[str]:
        score, skipped, left_out = self.score(), [], 0
        for row in rows():
            if row.reason:
                skipped.append((row.name, row.reason))
            else:
                score.extend(row.arrays)
                left_out += row.content["left_out"]
        counted = replace(self.blank, skipped=tuple(skipped), objects_left_out=left_out)
        report = self.report(counted, score)
        for name, data in zip(REPORTS, (json_of(report), csv_of(report)), strict=True):
            write_bytes(out / name, data)
        return REPORTS

    # -- a photo ----------------------------------------------------------------------------------

    def item(self, number: int) -> Item:
        """A photo with its ground truth, ready for the network.

        Raises:
            ExplorerError: It cannot be read.
        """
        pixels, truth = self.cases[number].load()
        _check_size(pixels, truth)
        preprocess = self.network.preprocess
        values = preprocess(pixels)
        height, width = pixels.shape[:2]
        frame = preprocess.frame(height, width)
        return Item(Look(number, truth, frame, (height, width), tuple(values.shape[-2:])), values)

    @torch.no_grad()
    def rows(self, items: Sequence[Item]) -> list[Row]:
        """What the network makes of photos of one size, each compared with its ground truth.

        Raises:
            EndsJob: The network's output is not of its task's kind.
            ExplorerError: The output is not finite.
        """
        network = self.network
        values = torch.cat([item.values for item in items]).to(network.device, network.dtype)
        output = checked(network.module(values if network.preprocess.batched else [values[0]]))
        found = []
        for number, item in enumerate(items):
            score = self.score()
            try:
                score.add([item.look], entry_of(output, number) if len(items) > 1 else output)
            except ExplorerError as error:
                raise EndsJob(error.message, error.hint) from error
            found.append(Row({"left_out": item.look.truth.left_out}, score.arrays()))
        return found

    # -- all photos -------------------------------------------------------------------------------

    def score(self) -> Score:
        """An empty one, for the network's task and what the data set offers."""
        info, source = self.network.info, self._source
        eleven_point, known = self._eleven_point, self._annotated
        if info.task == "detection" and info.keypoints and "keypoints" in source.offers:
            return KeypointBoxes(info.keypoints, eleven_point=eleven_point, annotated=known)
        if info.task == "detection" and "mask" in source.offers and info.has_masks:
            return MaskBoxes(eleven_point=eleven_point, annotated=known)
        if info.task == "pose":
            return Poses(info.keypoints)
        return score_for(info.task, len(info.classes), eleven_point=eleven_point, annotated=known)

    def figured(self, report: Report, score: Score) -> Report:
        """The report with the metrics so far."""
        figures, by_class = score.figures(self._names)
        return replace(report, figures=figures, by_class=by_class)

    def report(self, report: Report, score: Score) -> Report:
        """The complete one, with all metrics; `report` has what was skipped and left out.

        Raises:
            ExplorerError: No photo can be read.
        """
        if score.photos == 0:
            raise ExplorerError("None of the photos can be read.", report.skipped[0][1])
        report = self.figured(report, score)
        if not report.figures:
            words = _NO_PIXELS if report.task == "segmentation" else _NOTHING
            report = replace(report, notes=(*report.notes, words))
        return replace(
            report, photos=score.photos, objects=score.objects, complete=True,
            measures=score.measures(),
        )  # fmt: skip


def _annotations(data: Path) -> str:
    """The digest of the one file that the ground truth is in; "" where every photo has its own."""
    files = coco_files(data)[:1] if os.path.isdir(data) else [data]
    try:
        return "".join(hashlib.sha256(file.read_bytes()).hexdigest()[:16] for file in files)
    except OSError:
        return ""  # reading it says what is wrong


def _check_size(pixels: np.ndarray[Any, Any], truth: Truth) -> None:
    if truth.mask is not None and truth.mask.shape != pixels.shape[:2]:
        raise ExplorerError("Its mask has a different size.")


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


def _not_annotated(info: NetworkInfo, found: Match) -> int:
    """How many of the network's classes the data set does not have."""
    things = {k for k, name in enumerate(info.classes) if canonical(name) not in NO_THING}
    return len(things - set(found.labels.tolist()))


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
    if info.task == "detection" and (others := _not_annotated(info, found)):
        classes = quantity(others, "class", "classes")
        notes.append(
            f"{source.title} has no objects of {classes} of the network: detections of them are "
            "not counted."
        )
    if note := _keypoint_note(info, source):
        notes.append(note)
    return Report(
        network=info.spec.name, title=info.title, weights=info.weights_title, task=info.task,
        data=source.title, kind=source.kind, wanted=len(cases), matched=found.matched,
        left_out=found.left_out, notes=tuple(dict.fromkeys(notes)), info=info,
        cases=tuple((case.name, "" if case.path is None else str(case.path)) for case in cases),
    )  # fmt: skip
