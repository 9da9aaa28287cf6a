"""The refinements as panes, tables and bars."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from explorer.annotations.truth import LAYER, counting
from explorer.core.layers import Boxes, Lines, Pane, Plot, Table
from explorer.core.listing import quantity
from explorer.views.detection.refinements.variants import PLAIN
from explorer.views.shared.anchors import (
    BLUE,
    GRAY,
    GREEN,
    passed_layer,
    same,
    truth_boxes,
)
from explorer.views.shared.before_after.changes import COLORS, UNCHANGED, change_of, shift_of
from explorer.views.shared.before_after.outputs import Found
from explorer.views.shared.before_after.pairs import KEPT, LOST, NEW, OTHER
from explorer.views.shared.common import size_of
from explorer.views.shared.matches import YELLOW, average_precision, matches
from explorer.vision.race.published import REFINED, RESNET

if TYPE_CHECKING:
    from explorer.core.layers import Layer
    from explorer.core.values import Box
    from explorer.views.detection.refinements.variants import Result, Variant
    from explorer.views.shared.before_after.changes import Change, Look
    from explorer.views.shared.before_after.pairs import Pair
    from explorer.vision.race.published import Refined

STILL = 0.5
"""A center that moves by less, in pixels, has not moved."""

IOUS = tuple(round(0.5 + 0.05 * step, 2) for step in range(10))
"""COCO's thresholds."""

CONTEXT = "+ context"
HERE = {
    "+ box refinement": "box refinement and box voting",
    CONTEXT: "not run: it needs a head that is trained with the feature of the whole photo",
    "+ multi-scale testing": "multi-scale testing",
    "ensemble": "ensemble",
}
"""What of the ResNet paper's table this view runs."""


@dataclass(frozen=True, slots=True, eq=False)
class Compared:
    """A variant against the plain detections.

    Attributes:
        change: Table and layers.
        before: The plain side.
        after: The variant's.
    """

    change: Change
    before: Found
    after: Found

    @property
    def kept(self) -> list[Pair]:
        """Boxes that are on both sides, with the same class."""
        return [pair for pair in self.change.pairs if pair.kind == KEPT]

    def count(self, kind: str) -> int:
        return sum(pair.kind == kind for pair in self.change.pairs)

    def shift(self, pair: Pair) -> float:
        return shift_of(pair, self.before, self.after)

    @property
    def moved(self) -> list[float]:
        """How far, in pixels, of the kept boxes that have moved."""
        return [far for far in map(self.shift, self.kept) if far >= STILL]

    def scores_up(self, *, up: bool) -> int:
        """How many kept boxes have a higher (else lower) score."""
        sign = 1 if up else -1
        return sum(sign * self._rise(pair) >= UNCHANGED for pair in self.kept)

    def _rise(self, pair: Pair) -> float:
        scores = self.before.found.scores, self.after.found.scores
        return float(scores[1][pair.after]) - float(scores[0][pair.before])


def compared(result: Result, variant: Variant, look: Look) -> Compared:
    """What a variant changes; `look` has the least score and the IoU of the same box."""
    names, least = result.info.classes, result.info.score_threshold
    before = Found(names, result.variants[PLAIN].found, least)
    after = Found(names, variant.found, least)
    change = change_of(before, after, look, size_of(result.photo))
    assert change is not None, "both are detections"
    return Compared(change, before, after)


def panes(
    result: Result, found: Compared, title: str, truth: tuple[Box, ...], *, labels: bool
) -> tuple[Pane, Pane]:
    """The plain detections, and the variant's with where each box was before."""
    size = size_of(result.photo)
    before, after = (
        tuple(_plain(layer) if not labels else layer for layer in layers)
        for layers in (found.change.before, found.change.after)
    )
    own = counting(truth)
    objects: list[Layer] = [*passed_layer(truth)]
    if own:
        objects.append(
            Boxes(truth_boxes(own), same(GRAY, len(own)), width=1.0, selectable=False, name=LAYER)
        )
    counts = [len(layers[0].xyxy) for layers in (before, after) if isinstance(layers[0], Boxes)]
    words = [quantity(count, "box", "boxes") for count in counts]
    return (
        Pane("image", size, (result.photo, *objects, *before), title=f"Plain: {words[0]}"),
        Pane(
            "refined", size, (result.photo, *objects, *_moves(found), *after),
            title=f"{title[:1].upper()}{title[1:]}: {words[1]}",
        ),
    )  # fmt: skip


def _plain(layer: Layer) -> Layer:
    if not isinstance(layer, Boxes):
        return layer
    return Boxes(layer.xyxy, layer.colors, keys=layer.keys, name=layer.name)


def _moves(found: Compared) -> list[Layer]:
    """Where the boxes that have moved were, and arrows between the centers."""
    pairs = [pair for pair in found.kept if found.shift(pair) >= STILL]
    lost = [pair for pair in found.change.pairs if pair.kind == LOST]
    old = found.before.found.xyxy[np.array([p.before for p in (*pairs, *lost)], np.intp)]
    new = found.after.found.xyxy[np.array([p.after for p in pairs], np.intp)]
    tints = np.concatenate([same(YELLOW, len(pairs)), same(COLORS[LOST], len(lost))])
    ends = [(boxes[:, :2] + boxes[:, 2:]) / 2 for boxes in (old[: len(pairs)], new)]
    return [
        Boxes(old, tints, width=1.0, dotted=True, selectable=False, name="plain boxes"),
        Lines(
            np.concatenate(ends, axis=1).astype(np.float32), same(YELLOW, len(pairs)), arrow=True,
            name="moves",
        ),
    ]  # fmt: skip


def variants_table(
    result: Result, all_compared: dict[str, Compared], truth: tuple[Box, ...], least: float
) -> Table:
    """One row for each refinement alone and for all of them; with ground truth its AP."""
    rows = []
    for name, variant in result.variants.items():
        found = all_compared[name]
        moved = found.moved
        changes: tuple[str | int | float, ...] = ("",) * 6
        if name != PLAIN:
            changes = (
                found.count(NEW), found.count(LOST), found.count(OTHER), len(moved),
                found.scores_up(up=True), found.scores_up(up=False),
            )  # fmt: skip
        far = round(float(np.mean(moved)), 1) if moved else ""
        shown = int((variant.found.scores >= least).sum())
        rows.append(
            (name, variant.passes, shown, *changes, far, *_accuracy(result, variant, truth, least))
        )
    columns: tuple[str, ...] = (
        "refinement", "passes", "boxes", "new", "lost", "other class", "moved", "score up",
        "score down", "mean shift [px]",
    )  # fmt: skip
    if truth:
        columns = (*columns, "AP50", "AP 0.50 to 0.95", "TP", "FP", "FN")
    return Table("refinements", columns, tuple(rows), title="Each refinement alone")


def _accuracy(
    result: Result, variant: Variant, truth: tuple[Box, ...], least: float
) -> tuple[str | int | float, ...]:
    if not truth:
        return ()
    areas = [average_precision(variant.found, truth, result.info, iou) for iou in IOUS]
    cells: tuple[str | float, ...] = ("", "")
    if not math.isnan(areas[0]):
        cells = round(areas[0], 3), round(float(np.mean(areas)), 3)
    rows = np.flatnonzero(variant.found.scores >= least)
    counts = matches(variant.found, rows, truth, result.info, iou=0.5).counts
    return (*cells, *counts.values())


def published_table() -> Table:
    """The lines of the ResNet paper, with what each adds to the one before."""
    rows: list[tuple[str | float, ...]] = []
    for before, row in zip((None, *REFINED), REFINED, strict=False):
        val, test = (each or ("", "") for each in (row.val, row.test))
        gain = _gain(before, row)
        rows.append((row.name, *val, *test, *gain, HERE.get(row.name, ""), RESNET))
    columns = (
        "ResNet paper", "val AP50", "val AP", "test-dev AP50", "test-dev AP", "gain in AP50",
        "gain in AP", "here", "source",
    )  # fmt: skip
    return Table("published", columns, tuple(rows), title="Published on COCO, percent")


def _gain(before: Refined | None, row: Refined) -> tuple[str | float, str | float]:
    """What a line adds in AP50 and AP, on the set that both lines have."""
    if before is not None:
        for then, now in ((before.val, row.val), (before.test, row.test)):
            if then is not None and now is not None:
                return round(now[0] - then[0], 1), round(now[1] - then[1], 1)
    return "", ""


def bars(
    result: Result, all_compared: dict[str, Compared], truth: tuple[Box, ...]
) -> tuple[Plot, ...]:
    """AP where there is ground truth; else how much each refinement changes."""
    if truth:
        areas = {
            name: average_precision(variant.found, truth, result.info, 0.5)
            for name, variant in result.variants.items()
        }
        shown = tuple(
            (name, area, GRAY if name == PLAIN else BLUE)
            for name, area in areas.items()
            if not math.isnan(area)
        )
        if shown:
            return (Plot("ap", "AP at IoU >= 0.50 on this photo", bars=shown, bar_range=(0, 1)),)
    counted = tuple(
        (f"{name}: {kind}", found.count(kind), GREEN if kind == NEW else COLORS[LOST])
        for name, found in all_compared.items()
        if name != PLAIN
        for kind in (NEW, LOST)
        if found.count(kind)
    )
    return (Plot("changes", "New and lost boxes", bars=counted),) if counted else ()
