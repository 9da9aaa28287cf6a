"""The board: original, perturbation and result, probabilities before and after, every update."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from explorer.core.layers import (
    Board,
    Boxes,
    Curve,
    Layer,
    Pane,
    Picture,
    Plot,
    Table,
    label_colors,
)
from explorer.views.shared.common import class_name, percent
from explorer.views.shared.synthesis.attacks import paired_bars
from explorer.views.synthesis.adversarial.params import DESCENT, LBFGS, Params
from explorer.views.synthesis.adversarial.results import BoxOutput, ClassOutput, Result, Row
from explorer.vision.adversarial.pictures import amplified

if TYPE_CHECKING:
    from collections.abc import Callable

    from explorer.core.layers import Color

MOST_ROWS = 60
GOOD: Color = (34, 160, 80)
BAD: Color = (214, 64, 52)
NOW: Color = (64, 120, 216)
WANTED: Color = (230, 120, 60)


def board(result: Result, params: Params) -> Board:
    """Everything that the view shows."""
    output = result.output
    if isinstance(output, ClassOutput):
        plots = [_bars(output), _shares(result, output)]
    else:
        plots = [_scores(result, output)]
    notes = [result.problem] if result.problem else []
    if isinstance(output, BoxOutput) and output.lowered:
        notes.append(
            "No detection chosen here has the minimum score; detections count from "
            f"{output.score:.2f}."
        )
    return Board(
        panes=_panes(result, params),
        plots=(*plots, _objective(result, params)),
        tables=(*_check_table(result), *_rounds(result), *_detections(result), _updates(result)),
        summary=_summary(result),
        notes=tuple(notes),
    )


# -- panes ----------------------------------------------------------------------------------------


def _panes(result: Result, params: Params) -> tuple[Pane, ...]:
    cache, extent = result.cache, result.extent
    whole = (0.0, 0.0, *result.size)
    original = cache.get("original", lambda: Picture(result.around, whole, name="original"))
    picture = cache.get("result", lambda: Picture(result.photo, whole, name="result"))
    shown = cache.get(
        ("gain", params.gain),
        lambda: Picture(amplified(result.change, params.gain), extent, name="perturbation"),
    )
    first: list[Layer] = [original]
    last: list[Layer] = [picture]
    if isinstance(result.output, BoxOutput):
        first += _boxes(result.output, before=True, selectable=True)
        if params.boxes:
            last += _boxes(result.output, before=False, selectable=False)
    size, frame = result.size, result.frame
    return (
        Pane("original", size, tuple(first), _original_title(result), frame),
        Pane(
            "perturbation", size, (shown,), f"Perturbation x {params.gain}", frame,
            readout=_readout(result),
        ),
        Pane("result", size, tuple(last), _result_title(result), frame),
    )  # fmt: skip


def _original_title(result: Result) -> str:
    output = result.output
    if isinstance(output, ClassOutput):
        share = float(output.shares()[0][output.label])
        return f"Original: {output.name(output.label)} {percent(share)}"
    return f"Original: {output.first}"


def _result_title(result: Result) -> str:
    output = result.output
    if isinstance(output, ClassOutput):
        share = float(output.shares()[1][output.top])
        return f"Result: {output.name(output.top)} {percent(share)}"
    return f"Result: {output.at_place(output.after)[0]}"


def _readout(result: Result) -> Callable[[float, float], str]:
    """The change of the pixel under the mouse, in levels of 8 bits."""
    change, (x0, y0, x1, y1) = result.change, result.extent
    rows, columns = change.shape[:2]

    def words(x: float, y: float) -> str:
        row = int((y - y0) / (y1 - y0) * rows)
        column = int((x - x0) / (x1 - x0) * columns)
        if not (0 <= row < rows and 0 <= column < columns):
            return ""
        levels = " ".join(f"{255 * value:+.1f}" for value in change[row, column].tolist())
        return f"pixel {column}, {row}: {levels} of 255"

    return words


def _boxes(output: BoxOutput, *, before: bool, selectable: bool) -> list[Layer]:
    both = (output.before, output.after)
    found = both[0] if before else both[1]
    rows = np.flatnonzero(found.scores >= output.score)
    shown = [each.labels[each.scores >= output.score] for each in both]
    colors = label_colors(found.labels[rows], np.concatenate(shown).tolist())
    labels = tuple(
        f"{class_name(output.classes, label)} {score:.2f}"
        for label, score in zip(
            found.labels[rows].tolist(), found.scores[rows].tolist(), strict=True
        )
    )
    place = Boxes(
        output.box[None], np.array([WHITE], np.uint8), width=3.0, dotted=True,
        selectable=False, name="place",
    )  # fmt: skip
    boxes = Boxes(
        found.xyxy[rows], colors, labels, tuple(rows.tolist()), selectable=selectable,
        name="detections" if selectable else "detections after",
    )  # fmt: skip
    return [place, boxes]


WHITE = (255, 255, 255)


# -- plots ----------------------------------------------------------------------------------------


def _bars(output: ClassOutput) -> Plot:
    before, after = output.shares()
    return paired_bars(
        "probabilities", "Probabilities before and after", ("before", before), ("after", after),
        output.name, () if output.target is None else (output.target,),
    )  # fmt: skip


def _shares(result: Result, output: ClassOutput) -> Plot:
    wanted = "highest probability" if output.target is None else output.name(output.target)
    return _two_curves(
        result, "by_step", "Probability by step", "probability",
        f"{output.name(output.label)} (before)", wanted,
    )  # fmt: skip


def _scores(result: Result, output: BoxOutput) -> Plot:
    """The highest score at the place, of the class that was there and of the wanted ones."""
    before = output.label_before
    wanted = "other classes" if output.row is not None else "any class"
    if output.label is not None:
        wanted = class_name(output.classes, output.label)
    return _two_curves(
        result, "scores", "Highest score at the place, by step", "score",
        "" if before is None else f"{class_name(output.classes, before)} (before)", wanted,
    )  # fmt: skip


def _two_curves(result: Result, name: str, title: str, unit: str, before: str, wanted: str) -> Plot:
    number = np.arange(len(result.rows), dtype=np.float64)
    now = np.array([row.now for row in result.rows])
    then = np.array([row.wanted for row in result.rows])
    curves = [Curve(number, then, wanted, WANTED)]
    if before:
        curves.insert(0, Curve(number, now, before, NOW))
    return Plot(name, title, "step", unit, tuple(curves))


def _objective(result: Result, params: Params) -> Plot:
    number = np.arange(len(result.rows), dtype=np.float64)
    loss = np.array([row.loss for row in result.rows])
    curves = [Curve(number, loss, "d" if _penalized(params) else "loss", NOW)]
    if _penalized(params):
        penalty = np.array([row.penalty for row in result.rows])
        curves.append(Curve(number, penalty, "lambda |r|²", WANTED))
        return Plot("objective", "Objective by step", "step", "d, lambda |r|²", tuple(curves))
    return Plot("objective", "Loss by step", "step", "loss", tuple(curves))


def _penalized(params: Params) -> bool:
    return params.method in (DESCENT, LBFGS)


# -- words ----------------------------------------------------------------------------------------


def _check_table(result: Result) -> tuple[Table, ...]:
    if not result.checks:
        return ()
    score = "probability" if isinstance(result.output, ClassOutput) else "score"
    rows = tuple(
        (check.what, check.answer, round(check.score, 4), "yes" if check.reached else "no")
        for check in result.checks
    )
    colors = tuple(GOOD if check.reached else BAD for check in result.checks)
    return (
        Table(
            "checks", ("result", "prediction", score, "succeeds"), rows,
            title="Does it still succeed?", swatches=colors,
        ),
    )  # fmt: skip


def _rounds(result: Result) -> tuple[Table, ...]:
    """What each lambda gave, while there are several."""
    if len(result.rounds) < 2:
        return ()
    rows = tuple(
        (f"{row.weight:.3g}", row.words, round(row.l2, 3), "yes" if row.reached else "no")
        for row in result.rounds
    )
    colors = tuple(GOOD if row.reached else BAD for row in result.rounds)
    columns = ("lambda", "prediction", "|r|", "succeeds")
    return (Table("lambdas", columns, rows, title="Values of lambda", swatches=colors),)


def _detections(result: Result) -> tuple[Table, ...]:
    """Those of the photo, to be chosen from."""
    output = result.output
    if not isinstance(output, BoxOutput):
        return ()
    found = output.before
    shown = np.flatnonzero(found.scores >= output.score).tolist()
    rows = tuple(
        (class_name(output.classes, int(found.labels[k])), round(float(found.scores[k]), 3))
        for k in shown
    )
    return (
        Table(
            "detections", ("class", "score"), rows, title="Detections of the original",
            layer="detections", keys=tuple(shown),
        ),
    )  # fmt: skip


def _updates(result: Result) -> Table:
    """The updates, the last first; the rule with its numbers above."""
    rows = result.rows[::-1][:MOST_ROWS]
    penalized = any(row.penalty for row in result.rows)
    columns = ["step", "prediction", "loss", "|gradient|", "max |r| /255", "|r|", "succeeds"]
    if penalized:
        columns[2:3] = ["lambda", "d", "lambda |r|²"]
    return Table(
        "updates", tuple(columns), tuple(_update_row(row, penalized=penalized) for row in rows),
        title=f"Updates: {result.update}",
    )  # fmt: skip


def _update_row(row: Row, *, penalized: bool) -> tuple[str | int | float, ...]:
    middle: tuple[float, ...] = (round(row.loss, 5),)
    if penalized:
        middle = (row.weight, round(row.loss, 5), round(row.penalty, 5))
    return (
        row.step, row.words, *middle, round(row.slope, 5), round(row.linf, 2), round(row.l2, 3),
        "yes" if row.reached else "no",
    )  # fmt: skip


def _summary(result: Result) -> str:
    last = result.last
    size = f"max |r| {last.linf:.1f}/255, |r| {last.l2:.2f}"
    success = "succeeds" if last.reached else "does not succeed"
    if last.reached and result.checks:
        kept = result.checks[1].reached
        success = "succeeds, also as 8 bits" if kept else "succeeds as computed, not as 8 bits"
    parts = (result.output.words(), success, size, f"step {last.step}")
    return " · ".join(parts)
