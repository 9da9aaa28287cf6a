"""True positives, false positives and false negatives: a detector's boxes against ground truth."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from explorer.annotations.truth import LAYER, not_counted
from explorer.core.errors import ExplorerError
from explorer.core.layers import Boxes, Text
from explorer.evaluation.matching import DataClass, match
from explorer.evaluation.metrics import (
    PASSED,
    RIGHT,
    WRONG,
    Found,
    Objects,
    outcomes,
    voc_ap,
)
from explorer.views.shared.anchors import (
    BLUE,
    GRAY,
    GREEN,
    RED,
    WHITE,
    passed_layer,
    same,
    truth_boxes,
)
from explorer.views.shared.plural import plural

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from explorer.core.layers import Color, Float32, UInt8
    from explorer.core.network_info import NetworkInfo
    from explorer.core.params import Box
    from explorer.vision.detection.detections import Detections

YELLOW: Color = (255, 196, 0)
COLORS: dict[str, Color] = {"TP": GREEN, "FP": RED, "FN": YELLOW}

IGNORED = "ignored"
"""The word for a detection on a difficult object or in a crowd."""

_WORDS = {RIGHT: "TP", WRONG: "FP", PASSED: IGNORED}


@dataclass(frozen=True, slots=True, eq=False)
class Matches:
    """What the shown boxes are against the objects that take part.

    Attributes:
        words: For every shown box "TP", "FP" or `IGNORED`.
        ious: (n,) float64: its IoU with the object of its class that it has found, else with the
            one that it overlaps most; 0 = none. In a crowd: the fraction of its area there.
        truth: The objects that take part.
        missed: (M,) bool: which of them are false negatives; never one that does not count.
        apart: Objects of no class, or of one that the network does not have.
    """

    words: tuple[str, ...]
    ious: NDArray[np.float64]
    truth: tuple[Box, ...]
    missed: NDArray[np.bool_]
    apart: tuple[Box, ...] = ()

    @property
    def counts(self) -> dict[str, int]:
        """How many of each, in the order of `COLORS`."""
        words = self.words
        return {"TP": words.count("TP"), "FP": words.count("FP"), "FN": int(self.missed.sum())}

    @property
    def passed(self) -> NDArray[np.bool_]:
        """(M,) bool: which objects count neither as found nor as missed."""
        return np.array([not box.counts for box in self.truth], np.bool_)

    @property
    def missed_boxes(self) -> Float32:
        """(F, 4) of the missed objects, in the photo's pixels."""
        return truth_boxes(self.truth)[self.missed]

    @property
    def colors(self) -> UInt8:
        """(n, 3) of the shown boxes."""
        colors = COLORS | {IGNORED: BLUE}
        return np.array([colors[word] for word in self.words], np.uint8).reshape(-1, 3)

    @property
    def summary(self) -> str:
        """As in "2 TP, 1 FP, 1 FN, 1 difficult object (not counted)"."""
        words = [f"{count} {word}" for word, count in self.counts.items()]
        return ", ".join([*words, *(f"{some} (not counted)" for some in not_counted(self.truth))])

    @property
    def note(self) -> str:
        """About the objects that take no part; empty when all do."""
        if not self.apart:
            return ""
        objects = "object is" if len(self.apart) == 1 else "objects are"
        return (
            f"{len(self.apart)} {objects} ignored: no class, or one that the network does not have."
        )


def matches(
    found: Detections,
    rows: NDArray[np.intp],
    truth: tuple[Box, ...],
    info: NetworkInfo,
    *,
    iou: float,
    classes: Sequence[str] = (),
) -> Matches:
    """Compares boxes and objects class by class, by the rule of the evaluation.

    A difficult object and a crowd are neither found nor missed, and a detection on them is no false
    positive. Objects without a class are compared whatever the class, if none has one. Where
    others have, they are ignored, and so are those of classes that the network does not have.

    Args:
        found: The network's boxes.
        rows: Those that are shown.
        truth: The objects.
        info: The network.
        iou: From which a box has found its object.
        classes: Only objects of these take part; none means all.
    """
    aim = targets(truth, info, classes)
    boxes = aim.compared(found, rows)
    result = outcomes(aim.objects, boxes, iou)
    words = tuple(_WORDS[mark] for mark in result.marks.tolist())
    return Matches(words, result.ious, aim.truth, result.missed, aim.apart)


@dataclass(frozen=True, slots=True, eq=False)
class Targets:
    """The objects that take part, with the network's labels; see `matches`.

    Attributes:
        objects: One for each box of `truth`; all of label 0 where none has a class.
        truth: The objects that take part.
        apart: Those that do not.
        named: Whether classes are compared.
    """

    objects: Objects
    truth: tuple[Box, ...]
    apart: tuple[Box, ...]
    named: bool

    def compared(self, found: Detections, rows: NDArray[np.intp]) -> Found:
        """Those rows of the detections, with labels as `objects` has them."""
        labels = found.labels[rows]
        labels = labels if self.named else np.zeros_like(labels)
        return Found(found.xyxy[rows], labels, found.scores[rows])


def targets(truth: tuple[Box, ...], info: NetworkInfo, classes: Sequence[str] = ()) -> Targets:
    """Which objects take part, with their labels; the rule is that of `matches`."""
    named = any(box.label for box in truth)
    labels = _labels(truth, info) if named else np.zeros(len(truth), np.int64)
    known = labels >= 0
    apart = tuple(box for box, part in zip(truth, known, strict=True) if not part)
    if classes and named:
        known &= np.isin(labels, [k for k, name in enumerate(info.classes) if name in classes])
    taking_part = tuple(box for box, part in zip(truth, known, strict=True) if part)
    objects = replace(
        Objects.plain(truth_boxes(taking_part), labels[known]),
        difficult=np.array([box.difficult for box in taking_part], np.bool_),
        crowd=np.array([box.crowd for box in taking_part], np.bool_),
    )
    return Targets(objects, taking_part, apart, named)


def average_precision(
    found: Detections, truth: tuple[Box, ...], info: NetworkInfo, iou: float
) -> float:
    """The mean over the classes of Pascal VOC's average precision on one photo, in [0, 1].

    All detections count, whatever their score. NaN where no object counts.
    """
    aim = targets(truth, info)
    by_class = voc_ap([aim.objects], [aim.compared(found, np.arange(len(found)))], iou)
    areas = [one.every_point for one in by_class.values()]
    return float(np.mean(areas)) if areas else math.nan


def _labels(truth: tuple[Box, ...], info: NetworkInfo) -> NDArray[np.int64]:
    """(G,): the network's class of every object; -1 = it has none."""
    names = tuple(dict.fromkeys(box.label for box in truth if box.label))
    try:
        known = dict(zip(names, match([DataClass(n) for n in names], info).labels, strict=True))
    except ExplorerError:  # none of them
        known = {}
    return np.array([known.get(box.label, -1) for box in truth], np.int64)


def truth_of_matches(found: Matches) -> list[Boxes]:
    """The objects: white where found, dashed and yellow where missed, else gray.

    Those that do not count are dashed and blue.
    """
    boxes = truth_boxes(found.truth)
    here = boxes[~(found.missed | found.passed)]
    colors = np.concatenate([same(WHITE, len(here)), same(GRAY, len(found.apart))])
    # The class of an object that is found stands at the box that found it.
    words = ("",) * len(here) + tuple(box.label for box in found.apart)
    all_of = np.concatenate([here, truth_boxes(found.apart)])
    layers = [Boxes(all_of, colors, words, width=1.0, selectable=False, name=LAYER)]
    if found.missed.any():
        names = [
            f"FN {box.label}".rstrip()
            for box, missed in zip(found.truth, found.missed.tolist(), strict=True)
            if missed
        ]
        layers.append(
            Boxes(
                found.missed_boxes, same(COLORS["FN"], len(names)), tuple(names), width=2.5,
                dotted=True, selectable=False, name=f"{LAYER}, missed",
            )
        )  # fmt: skip
    return [*layers, *passed_layer(found.truth)]


def key_of_matches(found: Matches, height: float) -> Text:
    """What the colors mean and how many there are, in the lower left corner."""
    titles = {"TP": "true positive", "FP": "false positive", "FN": "false negative"}
    lines = [f"{count} {plural(titles[word], count)}" for word, count in found.counts.items()]
    swatches = tuple(COLORS.values())
    for some in not_counted(found.truth):
        lines.append(f"{some} (dashed): not counted")
        swatches += (BLUE,)
    return Text("\n".join(lines), (0.0, height), size=9.0, swatches=swatches, name="key")
