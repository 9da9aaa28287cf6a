"""The boxes half of the selective search view: which are shown, and what they find."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from explorer.annotations.truth import counting
from explorer.core.layers import Board, Boxes, Curve, Layer, Pane, Plot, Table
from explorer.core.listing import quantity
from explorer.views.shared.anchors import BLUE, GREEN, RED, counted, passed_layer, same, truth_boxes
from explorer.views.shared.common import size_of
from explorer.vision.detection.boxes import iou_matrix

if TYPE_CHECKING:
    from explorer.core.layers import Float32
    from explorer.core.params import Box
    from explorer.views.classic.selective_search.tree import Grown
    from explorer.views.shared.draw_cache import DrawCache

SHOWN = ("top-ranked", "this level", "so far")
FOUND = 0.5
THRESHOLDS = np.arange(0.5, 1.0, 0.05)
MOST_ROWS = 500
MOST_POINTS = 400


def proposal_board(
    grown: Grown, cache: DrawCache, proposals: Float32, left: int, *, shown: str, most: int,
    truth: tuple[Box, ...],
) -> Board:  # fmt: skip
    """The pane "proposals", their table, and recall where there is ground truth.

    `proposals` is (N, 4) in the photo's pixels, the best first. Difficult objects and crowds among
    `truth` do not count.
    """
    marked, truth = truth, counting(truth)
    level = left if shown != SHOWN[0] else 0
    boxes, keys, title = cache.get(
        ("shown", shown, level, most), lambda: _taken(grown, proposals, left, shown, most)
    )
    layers: list[Layer] = [
        grown.photo,
        cache.get(
            ("boxes", shown, level, most),
            lambda: Boxes(boxes, same(BLUE, len(boxes)), keys=keys, width=1.0, name="proposals"),
        ),
    ]  # fmt: skip
    overlaps: Float32 | None = None
    summary, plots = "", list[Plot]()
    if truth:
        overlaps = cache.get(
            ("overlaps", shown, level, most, truth), lambda: iou_matrix(truth_boxes(truth), boxes)
        )
        layers.append(_best_layer(boxes, overlaps))
        summary = _recall_words(overlaps.max(axis=1))
        plots.append(_recall_plot(cache, proposals, truth, most))
    table = cache.get(
        ("table", shown, level, most, truth), lambda: _table(boxes, keys, overlaps, shown)
    )
    layers += passed_layer(marked)
    pane = Pane("proposals", size_of(grown.photo), tuple(layers), title)
    return Board((pane,), tuple(plots), (table,), summary)


def _taken(
    grown: Grown, proposals: Float32, left: int, shown: str, most: int
) -> tuple[Float32, tuple[int, ...], str]:
    """The boxes, their keys (places in the list, or regions), and a title."""
    if shown == SHOWN[0]:
        taken = proposals[:most]
        total = counted(len(proposals))
        return taken, tuple(range(len(taken))), f"Top {counted(len(taken))} of {total} boxes"
    formed = 2 * grown.tree.leaves - left
    if shown == SHOWN[1]:
        there = np.unique(grown.tree.level(left)).astype(np.intp)
        many = f"Boxes of the {quantity(left, 'region')} left"
        title = many if left > 1 else "Box of the last region"
    else:
        there = np.arange(formed)
        title = f"Boxes of all {counted(formed)} regions so far"
    return grown.boxes[there], tuple(there.tolist()), title


def _best_layer(boxes: Float32, overlaps: Float32) -> Boxes:
    """The box that fits each object best, green when it counts as found."""
    rows, tops = overlaps.argmax(axis=1), overlaps.max(axis=1)
    colors = np.where((tops >= FOUND)[:, None], same(GREEN, 1), same(RED, 1))
    return Boxes(
        boxes[rows], colors, tuple(f"IoU {top:.2f}" for top in tops), width=2.5, selectable=False,
        name="best",
    )  # fmt: skip


def _recall_words(tops: Float32) -> str:
    found = int((tops >= FOUND).sum())
    average = float((tops[:, None] >= THRESHOLDS).mean())
    return (
        f" · the boxes shown find {found} of {quantity(len(tops), 'object')} at IoU 0.5, "
        f"average recall {average:.2f}"
    )


def _recall_plot(cache: DrawCache, proposals: Float32, truth: tuple[Box, ...], most: int) -> Plot:
    def curves() -> tuple[Curve, ...]:
        best = np.maximum.accumulate(iou_matrix(truth_boxes(truth), proposals), axis=1)
        points = np.unique(np.geomspace(1, len(proposals), MOST_POINTS).astype(np.int64))
        at = best[:, points - 1]
        xs = points.astype(np.float64)
        average = (at[:, :, None] >= THRESHOLDS).mean(axis=(0, 2))
        return (
            Curve(xs, (at >= FOUND).mean(axis=0), "IoU 0.5", GREEN),
            Curve(xs, (at >= 0.7).mean(axis=0), "IoU 0.7", BLUE),
            Curve(xs, average, "average 0.5 to 0.95", (255, 160, 40)),
        )

    return Plot(
        "recall", "Recall", "number of boxes", "fraction of objects found",
        cache.get(("recall", truth), curves), log_x=True, marker=float(most), steers="most",
    )  # fmt: skip


def _table(
    boxes: Float32, keys: tuple[int, ...], overlaps: Float32 | None, shown: str
) -> Table:  # fmt: skip
    tops = None if overlaps is None else overlaps.max(axis=0)
    rows = tuple(
        (
            key + 1 if shown == SHOWN[0] else key,
            *(round(float(side), 1) for side in box),
            *(() if tops is None else (round(float(tops[row]), 3),)),
        )
        for row, (key, box) in enumerate(zip(keys[:MOST_ROWS], boxes[:MOST_ROWS], strict=False))
    )
    first = "place" if shown == SHOWN[0] else "region"
    columns = (first, "x0", "y0", "x1", "y1", *(() if tops is None else ("IoU",)))
    more = f" (the first {MOST_ROWS})" if len(boxes) > MOST_ROWS else ""
    return Table(
        "proposals", columns, rows, f"Boxes{more}", layer="proposals", keys=keys[: len(rows)]
    )  # fmt: skip
