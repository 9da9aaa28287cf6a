"""The plots and tables of one method."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from explorer.core.layers import Curve, Plot, Table
from explorer.views.detection.proposals.table import method_row
from explorer.views.shared.anchors import GREEN, ORANGE, counted, truth_boxes
from explorer.views.shared.regions.proposals import object_name
from explorer.vision.detection.boxes import iou_matrix
from explorer.vision.detection.recall import first_ranks, recall_by_count

if TYPE_CHECKING:
    from explorer.views.detection.proposals.params import Params, Result, State

MOST_ROWS = 100


def chosen(result: Result, params: Params) -> int | None:
    """The selected box; None when there is none of that number."""
    row = params.selected
    return row if row is not None and 0 <= row < len(result.found.boxes) else None


def tables(result: Result, params: Params, state: State) -> tuple[Table, ...]:
    """Of the selected box, the objects, the top boxes, and the method's published row."""
    found = []
    row = chosen(result, params)
    if row is not None:
        found.append(_box_table(result, params, row))
    if params.truth:
        found.append(_object_table(params, state))
    found.append(_proposal_table(result, params, state))
    published = method_row(result.method, result.found.seconds)
    if published is not None:
        found.append(published)
    return tuple(found)


def _box_table(result: Result, params: Params, row: int) -> Table:
    found = result.found
    x0, y0, x1, y1 = found.boxes[row].tolist()
    rows: list[tuple[str, str]] = [("rank", f"{row + 1} of {counted(len(found.boxes))}")]
    if found.scores is not None:
        rows.append(("score", f"{found.scores[row]:.4f}"))
    if found.levels is not None:
        rows.append(("pyramid level", str(int(found.levels[row]) + 1)))
    rows += [
        ("corners", f"{x0:.1f}, {y0:.1f}, {x1:.1f}, {y1:.1f}"),
        ("size", f"{x1 - x0:.1f} x {y1 - y0:.1f} px"),
    ]
    overlaps = iou_matrix(truth_boxes(params.truth), found.boxes[row : row + 1])
    for number, overlap in enumerate(overlaps[:, 0]):
        rows.append((f"IoU with {object_name(params.truth, number)}", f"{overlap:.3f}"))
    return Table("box", ("", "this box"), tuple(rows), title="Selected box")


def _object_table(params: Params, state: State) -> Table:
    """Which objects are found at which IoU by which rank, among all boxes."""
    marks = (0.5, 0.7, 0.9)
    ranks = [first_ranks(state.table, mark) for mark in marks]
    rows: list[tuple[str | int | float, ...]] = []
    for number, box in enumerate(params.truth):
        size = f"{box.x1 - box.x0:.0f} x {box.y1 - box.y0:.0f}"
        places = tuple(f"#{rank[number]}" if rank[number] else "never" for rank in ranks)
        best = round(float(state.best[number]), 3)
        rows.append((object_name(params.truth, number), size, best, *places))
    columns = ("object", "size", "best IoU", *(f"IoU {mark} by" for mark in marks))
    return Table("objects", columns, tuple(rows), title="Objects")


def _proposal_table(result: Result, params: Params, state: State) -> Table:
    found, shown = result.found, state.rows[: min(state.top, MOST_ROWS)]
    best = iou_matrix(truth_boxes(params.truth), found.boxes[shown]).max(axis=0, initial=0.0)
    columns: tuple[str, ...] = ("rank", "size")
    rows: list[tuple[str | int | float, ...]] = []
    if found.scores is not None:
        columns += ("score",)
    if params.truth:
        columns += ("best IoU",)
    for place, row in enumerate(shown):
        x0, y0, x1, y1 = found.boxes[row].tolist()
        entry: tuple[str | int | float, ...] = (int(row) + 1, f"{x1 - x0:.0f} x {y1 - y0:.0f}")
        if found.scores is not None:
            entry += (round(float(found.scores[row]), 4),)
        if params.truth:
            entry += (round(float(best[place]), 3),)
        rows.append(entry)
    keys = tuple(int(row) for row in shown)
    return Table("proposals", columns, tuple(rows), title="Top boxes", layer="proposals", keys=keys)


def plots(result: Result, params: Params, state: State) -> tuple[Plot, ...]:
    """Recall by the number of boxes and the scores, where there are some."""
    count = len(state.rows)
    if count == 0:
        return ()
    xs, marker = np.arange(1, count + 1, dtype=np.float64), float(state.top)
    found = []
    if params.truth:
        shares = recall_by_count(state.table, params.iou)[1:]
        found.append(
            Plot(
                "recall", "Recall", "boxes", f"recall at IoU {params.iou:.2f}",
                (Curve(xs, shares, color=GREEN),), log_x=True, marker=marker, steers="top",
            )
        )  # fmt: skip
    if result.found.scores is not None:
        scores = result.found.scores[state.rows].astype(np.float64)
        found.append(
            Plot(
                "scores", "Scores", "rank", "score", (Curve(xs, scores, color=ORANGE),),
                log_x=True, marker=marker, steers="top",
            )
        )  # fmt: skip
    return tuple(found)
