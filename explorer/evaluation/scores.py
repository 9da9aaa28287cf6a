"""Counts for the metrics, photo by photo: a class for every task."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import torch

from explorer.core.errors import ExplorerError
from explorer.evaluation.coco import ClassAP, CocoAP, coco_ap
from explorer.evaluation.masks.boundaries import boundary_scores
from explorer.evaluation.measures import (
    BoxMeasures,
    LabelMeasures,
    PixelMeasures,
    box_measures,
)
from explorer.evaluation.metrics import Confusion, Found, Objects, overlaps, ranks, voc_ap
from explorer.networks.hooks import tensors_in
from explorer.vision.detection.detections import detections_of
from explorer.vision.features.segmentation import in_photo, scores_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from explorer.core.network_info import Task
    from explorer.evaluation.cases import Truth
    from explorer.evaluation.measures import Measures
    from explorer.networks.preprocess import Frame

Figures = tuple[dict[str, float], dict[str, dict[str, float]]]
"""The metrics by their keys, and by class name."""


@dataclass(frozen=True, slots=True, eq=False)
class Look:
    """A photo that the network has run on.

    Attributes:
        number: Its place among the photos of the evaluation.
        truth: The ground truth.
        frame: From the photo to the network's input.
        size: (H, W) of the photo.
        input_size: (H, W) of the network's input.
    """

    number: int
    truth: Truth
    frame: Frame
    size: tuple[int, int]
    input_size: tuple[int, ...]


class Score(Protocol):
    """What all of them have: counts, and metrics at any time."""

    cheap: bool
    """The metrics cost nothing."""

    @property
    def photos(self) -> int:
        """Evaluated so far."""

    @property
    def objects(self) -> int:
        """Of the ground truth, those that count."""

    def add(self, looks: Sequence[Look], output: Any) -> None:
        """Takes the network's output for a batch of photos."""

    def figures(self, classes: Sequence[str]) -> Figures:
        """The metrics so far."""

    def measures(self) -> Measures:
        """What is kept of every photo so far, for curves, confusions and the worst first."""

    def arrays(self) -> dict[str, NDArray[Any]]:
        """All counts so far, as `extend` takes them: they can be kept in a file."""

    def extend(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Adds the photos of another score, whose `arrays` these are.

        Photo after photo, or all at once: the metrics are the same to the last bit.

        Raises:
            KeyError, ValueError: They are from another kind of score; nothing is added.
        """


def score_for(
    task: Task,
    classes: int,
    *,
    eleven_point: bool = False,
    annotated: NDArray[np.int64] | None = None,
) -> Score:
    """The counter for a network of this task; see `Boxes`."""
    if task == "detection":
        return Boxes(eleven_point=eleven_point, annotated=annotated)
    if task == "segmentation":
        return Pixels()
    return Names(classes)


class Names:
    """Top-1, top-5, and the localization error where the network gives a box (ILSVRC 2012)."""

    cheap = True

    def __init__(self, classes: int) -> None:
        # Photos, top-1 correct, top-5 correct; with a box, class and box correct, one of five so
        self._counts = np.zeros((classes, 6), np.int64)
        # Of every photo: its number, true and predicted class, the rank of the true one from 0, and
        # whether the box is correct (-1 = it has none)
        self._each: list[list[int]] = []
        # The probabilities of the predicted and of the true class
        self._p: list[list[float]] = []

    @property
    def photos(self) -> int:
        return int(self._counts[:, 0].sum())

    @property
    def objects(self) -> int:
        return self.photos

    def add(self, looks: Sequence[Look], output: Any) -> None:
        """See `Score`: (N, C) logits, or a dict of `logits` and (N, 4) `boxes`.

        Where every class has its own box, `boxes_per_class` is (N, C, 4).
        """
        logits = _logits(output, len(looks))
        labels = np.array([look.truth.label for look in looks], np.int64)
        if labels.max() >= logits.shape[1]:
            raise ExplorerError(
                f"The network has {logits.shape[1]} classes, fewer than its names.",
                "Choose weights that fit the class names.",
            )
        place = ranks(logits, labels)
        located = np.full(len(looks), -1)
        if isinstance(output, dict) and "boxes" in output:
            boxes = output.get("boxes_per_class", output["boxes"][:, None])
            every = boxes.detach().float().cpu().numpy()
            for row, (look, each) in enumerate(zip(looks, every, strict=True)):
                # All classes share one box, or each has its own.
                located[row] = _located(look, each[look.truth.label if len(each) > 1 else 0])
        p = np.exp(logits - logits.max(axis=1, keepdims=True), dtype=np.float64)
        p /= p.sum(axis=1, keepdims=True)
        rows, predicted = np.arange(len(labels)), logits.argmax(axis=1)
        numbers = [look.number for look in looks]
        self._take(
            np.column_stack([numbers, labels, predicted, place, located]).astype(np.int64),
            np.column_stack([p[rows, predicted], p[rows, labels]]),
        )

    def _take(self, each: NDArray[np.int64], p: NDArray[np.float64]) -> None:
        _, labels, _, place, located = each.T
        first, five, right = place < 1, place < 5, located > 0
        kinds = (place >= 0, first, five, located >= 0, first & right, five & right)
        for column, found in enumerate(kinds):
            np.add.at(self._counts[:, column], labels[found], 1)
        self._each += each.tolist()
        self._p += p.tolist()

    def figures(self, classes: Sequence[str]) -> Figures:
        """See `Score`."""
        seen = np.flatnonzero(self._counts[:, 0]).tolist()
        rows = {classes[k]: self._row(self._counts[k]) for k in seen}
        by_class = {
            name: {**row, "photos": int(self._counts[k, 0])}
            for (name, row), k in zip(rows.items(), seen, strict=True)
        }
        return self._row(self._counts.sum(0)), by_class

    def _row(self, counts: NDArray[np.int64]) -> dict[str, float]:
        photos, first, five, boxes, located, one_located = counts.tolist()
        row = {"top1": first / max(photos, 1), "top5": five / max(photos, 1)}
        if boxes:
            row["localization_error"] = 1 - located / boxes
            row["localization_error_top5"] = 1 - one_located / boxes
        return row

    def measures(self) -> LabelMeasures:
        """See `Score`."""
        arrays = self.arrays()
        return LabelMeasures(*arrays["each"][:, :3].T, *arrays["p"].T)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """See `Score`."""
        return {
            "each": np.array(self._each, np.int64).reshape(-1, 5),
            "p": np.array(self._p, np.float64).reshape(-1, 2),
        }

    def extend(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        """See `Score`."""
        each, p = arrays["each"], arrays["p"]
        if each.shape != (len(p), 5) or p.shape != (len(each), 2):
            raise ValueError(f"photos of shape {each.shape} with probabilities of {p.shape}")
        if each[:, 1].max(initial=0) >= len(self._counts):
            raise ValueError(f"there are {len(self._counts)} classes")
        self._take(each.astype(np.int64), p.astype(np.float64))


class Boxes:
    """Average precision by COCO and by VOC.

    Args:
        eleven_point: With VOC's metric of before 2010.
        annotated: The classes that the data set has; see `box_measures`.
    """

    cheap = False

    def __init__(
        self, *, eleven_point: bool = False, annotated: NDArray[np.int64] | None = None
    ) -> None:
        self.objects = 0
        self._eleven_point, self._annotated = eleven_point, annotated
        self._numbers: list[int] = []
        self._truth: list[Objects] = []
        self._found: list[Found] = []

    @property
    def photos(self) -> int:
        return len(self._truth)

    def add(self, looks: Sequence[Look], output: Any) -> None:
        """See `Score`: the output of one of torchvision's detectors for one photo."""
        (look,) = looks
        assert look.truth.objects is not None
        height, width = look.input_size
        found = detections_of(output, look.frame, (height, width))
        self.objects += int((~look.truth.objects.passed).sum())
        self._numbers.append(look.number)
        self._truth.append(look.truth.objects)
        self._found.append(Found(found.xyxy, found.labels, found.scores))

    def figures(self, classes: Sequence[str]) -> Figures:
        """See `Score`."""
        coco, voc = coco_ap(self._truth, self._found), voc_ap(self._truth, self._found)
        by_class: dict[str, dict[str, float]] = {}
        for label, area in voc.items():
            row = {**_coco_figures(coco.by_class[label]), "voc_AP": area.every_point}
            if self._eleven_point:
                row["voc_AP_11"] = area.eleven_point
            by_class[classes[label]] = {**row, "objects": area.objects}
        if not voc:  # nothing that counts is there: the reference gives -1 for every metric
            return {}, {}
        figures = _coco_figures(coco) | {"AR1": coco.ar1, "AR10": coco.ar10}
        figures |= {f"AP_{size}": ap for size, (ap, _) in coco.by_size.items()}
        figures |= {f"AR_{size}": ar for size, (_, ar) in coco.by_size.items()}
        figures["voc_AP"] = _mean([area.every_point for area in voc.values()])
        if self._eleven_point:
            figures["voc_AP_11"] = _mean([area.eleven_point for area in voc.values()])
        return figures, by_class

    def measures(self) -> BoxMeasures:
        """See `Score`."""
        return box_measures(self._numbers, self._truth, self._found, self._annotated)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """See `Score`: everything of all photos in a row, and how much of it is whose."""
        truth, found = self._truth, self._found
        return {
            "numbers": np.array(self._numbers, np.int64),
            "objects": np.array([len(photo.labels) for photo in truth], np.int64),
            "xyxy": _joined([photo.xyxy for photo in truth], (0, 4)),
            "labels": _joined([photo.labels for photo in truth]),
            "crowd": _joined([photo.crowd for photo in truth]),
            "difficult": _joined([photo.difficult for photo in truth]),
            "area": _joined([photo.areas for photo in truth]),
            "boxes": np.array([len(photo.labels) for photo in found], np.int64),
            "found_xyxy": _joined([photo.xyxy for photo in found], (0, 4)),
            "found_labels": _joined([photo.labels for photo in found]),
            "found_scores": _joined([photo.scores for photo in found]),
        }

    def extend(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        """See `Score`."""
        objects, boxes = arrays["objects"], arrays["boxes"]
        numbers = [int(number) for number in arrays["numbers"]]
        truth = [
            np.split(arrays[name], np.cumsum(objects)[:-1])
            for name in ("xyxy", "labels", "crowd", "difficult", "area")
        ]
        found = [
            np.split(arrays[f"found_{name}"], np.cumsum(boxes)[:-1])
            for name in ("xyxy", "labels", "scores")
        ]
        if not len(objects):
            return
        photos = [Objects(*parts) for parts in zip(*truth, strict=True)]
        self._found += [Found(*parts) for parts in zip(*found, strict=True)]
        self._truth += photos
        self._numbers += numbers
        self.objects += sum(int((~photo.passed).sum()) for photo in photos)


class Pixels:
    """Mean intersection over union, over the pixels of the photo inside the network's input."""

    cheap = True

    def __init__(self) -> None:
        self.photos = self.objects = 0
        self._confusion: Confusion | None = None
        self._each: list[tuple[int, float, float]] = []  # number, IoU and accuracy of a photo
        # By class: the sum of its boundary F and the photos with a border of it
        self._borders = np.zeros((0, 2))

    def add(self, looks: Sequence[Look], output: Any) -> None:
        """See `Score`: (1, C, h, w) logits or torchvision's dict."""
        (look,) = looks
        assert look.truth.mask is not None
        height, width = look.input_size
        scores = scores_of(output, (height, width))
        if self._confusion is None:
            self._confusion = Confusion(scores.shape[0])
            self._borders = np.zeros((scores.shape[0], 2))
        answer = scores.argmax(dim=0).to(torch.int32).cpu().numpy()
        own = Confusion(len(self._confusion.counts))
        predicted = in_photo(answer, look.frame, look.size)
        own.add(look.truth.mask, predicted)
        for label, score in boundary_scores(look.truth.mask, predicted).items():
            self._borders[label] += score, 1
        self._confusion.counts += own.counts
        if found := own.iou():  # a photo without a pixel that counts is neither good nor bad
            share = float(np.trace(own.counts) / own.counts.sum())
            self._each.append((look.number, _mean(list(found.values())), share))
        self.photos += 1

    def figures(self, classes: Sequence[str]) -> Figures:
        """See `Score`."""
        found = {} if self._confusion is None else self._confusion.iou()
        if self._confusion is None or not found:
            return {}, {}
        pixels = self._confusion.counts.sum(1)
        by_class: dict[str, dict[str, float]] = {}
        borders: list[float] = []
        for k, value in found.items():
            by_class[classes[k]] = {"IoU": value}
            total, photos = self._borders[k].tolist()
            if photos:
                borders.append(total / photos)
                by_class[classes[k]]["boundary_F"] = borders[-1]
            by_class[classes[k]]["pixels"] = int(pixels[k])
        counts = self._confusion.counts
        figures = {
            "mIoU": _mean(list(found.values())),
            "pixel_accuracy": float(np.trace(counts) / counts.sum()),
        }
        if borders:
            figures["boundary_F"] = _mean(borders)
        return figures, by_class

    def measures(self) -> PixelMeasures:
        """See `Score`."""
        numbers, iou, share = np.array(self._each, np.float64).reshape(-1, 3).T
        return PixelMeasures(self._counts.copy(), numbers.astype(np.int64), iou, share)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """See `Score`: of the matrix what is not 0, each with its row and column."""
        counts = self._counts
        rows, columns = np.nonzero(counts)
        met = np.flatnonzero(self._borders[:, 1])
        return {
            "sizes": np.array([len(counts)]),
            "photos": np.array([self.photos]),
            "confusion": np.column_stack([rows, columns, counts[rows, columns]]),
            "each": np.array(self._each, np.float64).reshape(-1, 3),
            "borders": np.column_stack([met, self._borders[met]]),
        }

    def extend(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        """See `Score`."""
        rows, columns, counts = arrays["confusion"].T
        labels, scores, photos = arrays["borders"].T
        each, done = arrays["each"].reshape(-1, 3), int(arrays["photos"].sum())
        size = int(arrays["sizes"].max(initial=0))
        own = len(self._counts) or size
        highest = max(a.max(initial=-1) for a in (rows, columns, labels))
        if size not in (0, own) or highest >= own:
            raise ValueError(f"{size} classes, {own} before")
        if self._confusion is None and size:
            self._confusion = Confusion(size)
            self._borders = np.zeros((size, 2))
        np.add.at(self._counts, (rows, columns), counts)
        np.add.at(self._borders, labels.astype(np.int64), np.column_stack([scores, photos]))
        self.photos += done
        self._each += [(int(number), float(iou), float(share)) for number, iou, share in each]

    @property
    def _counts(self) -> NDArray[np.int64]:
        """(classes, classes); (0, 0) before the first photo."""
        return np.zeros((0, 0), np.int64) if self._confusion is None else self._confusion.counts


def _located(look: Look, box: NDArray[np.float32]) -> int:
    """Whether the box of the true class meets an object of it; -1 = none is known."""
    objects = look.truth.objects
    if objects is None:
        return -1
    mine = objects.labels == look.truth.label
    height, width = look.input_size
    inside = box * np.array([width, height, width, height], np.float32)
    there = look.frame.inverse().boxes(inside[None])
    cover = overlaps(there, objects.xyxy[mine], objects.crowd[mine])
    return int(cover.max(initial=0.0) >= 0.5)


def _joined(parts: Sequence[NDArray[Any]], empty: tuple[int, ...] = (0,)) -> NDArray[Any]:
    return np.concatenate(parts) if parts else np.zeros(empty)


def _mean(values: Sequence[float]) -> float:
    return float(np.mean(values))


def _logits(output: Any, count: int) -> NDArray[np.float32]:
    """(N, C); (N, C, h, w) scores of a fully convolutional classifier are averaged."""
    if isinstance(output, dict) and "logits" in output:
        output = output["logits"]
    found = tensors_in(output)
    scores = found[0].detach().float() if found else torch.empty(0)
    if scores.ndim == 4:
        scores = scores.mean(dim=(2, 3))
    if scores.ndim != 2 or scores.shape[0] != count or scores.shape[1] == 0:
        raise ExplorerError(
            f"This network's output has shape {tuple(scores.shape)}, not one score per class.",
            "Choose a classification network.",
        )
    values: NDArray[np.float32] = scores.cpu().numpy()
    return values


def _coco_figures(figures: CocoAP | ClassAP) -> dict[str, float]:
    return {"AP": figures.ap, "AP50": figures.ap50, "AP75": figures.ap75, "AR": figures.ar}
