"""Errors as they are drawn: a circle for each detector, bars, tables, and the report."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from explorer.core.layers import Board, Heat, Picture, Text
from explorer.evaluation.errors import KINDS
from explorer.evaluation.measures import box_measures
from explorer.evaluation.report import Report
from explorer.views.evaluation.evaluation.errors import HEAD, PIE, kind_colors, pies_pane
from explorer.views.evaluation.evaluation.view import CONFUSION, ERRORS, VIEW, Params, data, page
from tests.evaluation.test_errors import at_random
from tests.toys import toy_network


def report(seed: int = 3, title: str = "One", **more: Any) -> Report:
    truth, found = at_random(seed)
    names = ("background", "ant", "bee", "cow", "dog", "elk")
    info = replace(toy_network("detection").info, classes=names)
    return Report(
        "toy", title, "", "detection", "data", "COCO", figures={"AP": 0.5, "AP_small": 0.25},
        info=info, cases=tuple((f"{k}.png", f"/{k}.png") for k in range(len(truth))),
        matched={name: name for name in names[1:]}, complete=True, photos=len(truth),
        measures=box_measures(range(len(truth)), truth, found), **more,
    )  # fmt: skip


def two() -> Report:
    return report(other=report(4, "Two"))


def rows(board: Board, name: str) -> dict[Any, tuple[Any, ...]]:
    (table,) = (table for table in board.tables if table.name == name)
    return {row[0]: row[1:] for row in table.rows}


def test_a_circle_has_a_sector_for_every_kind() -> None:
    one = report()
    pane = pies_pane(one)
    assert pane is not None
    assert pane.size == (PIE, PIE)
    (pie,) = (layer for layer in pane.layers if isinstance(layer, Picture))
    counts = one.measures.kinds_of_best()  # type: ignore[union-attr]
    total = sum(counts.values())
    inside = (pie.rgb[:, :, None] == np.array([*kind_colors().values()])).all(-1)
    pixels = inside.sum(axis=(0, 1))
    np.testing.assert_allclose(pixels / pixels.sum(), [
        *(count / total for count in counts.values()), 0.0
    ], atol=0.01)  # fmt: skip
    shown = [layer.text for layer in pane.layers if isinstance(layer, Text)]
    assert f"Correct {counts['Correct'] / total:.0%}" in shown
    assert f"One: {total}" in shown
    assert pane.readout is not None
    just_right_of_the_top = pane.readout(PIE / 2 + 1, HEAD + 40)
    assert just_right_of_the_top.startswith(f"Correct: {counts['Correct']} of {total}")
    assert pane.readout(1, 1) == ""


def test_two_detectors_stand_side_by_side() -> None:
    board = VIEW.draw(two(), Params())
    pane = board.pane("errors")
    assert pane.size == (2 * PIE, PIE)
    errors = rows(board, "errors")
    assert [*errors] == [*KINDS, "all FP", "all FN"]
    own = [one.measures.errors_by_photo(0.5).sum(0) for one in (two(), two().other)]  # type: ignore[union-attr]
    assert [errors[kind][0] for kind in KINDS] == own[0].tolist()
    assert [errors[kind][2] for kind in KINDS] == own[1].tolist()
    (bars,) = (plot for plot in board.plots if plot.name == "errors")
    assert [name for name, *_ in bars.bars][:2] == ["Cls · One", "Cls · Two"]
    curves = next(plot for plot in board.plots if plot.name == "precision_recall").curves
    assert [curve.label for curve in curves] == ["One", "Two"]
    assert rows(board, "figures")["AP"][:2] == (0.5, 0.5)
    counts = [one.measures.kinds_of_best() for one in (two(), two().other)]  # type: ignore[union-attr]
    shares = [f"{count['Bkg'] / sum(count.values()):.1%}" for count in counts]
    assert board.summary.startswith("One and Two on data: AP 50.0% and 50.0%; errors of the ")
    assert f"detections: background {' and '.join(shares)}, localization " in board.summary
    content = data(two(), Params())
    assert content["compared_with"]["errors"].keys() == set(KINDS)


def test_the_iou_moves_matches_and_the_worst_photos_are_first() -> None:
    one = report()
    counts = {}
    for iou in (0.05, 0.95):
        board = VIEW.draw(one, Params(iou=iou, min_score=0.0))
        (table,) = (table for table in board.tables if table.name == "photos")
        assert table.columns == ("photo", "errors", "FN", "FP", "TP", *KINDS)
        errors = [int(row[1]) for row in table.rows]
        assert errors == sorted(errors, reverse=True)
        assert all(row[1] == row[2] + row[3] for row in table.rows)
        assert table.photos_params == {"score": 0.0, "iou": iou, "classes": ()}
        counts[iou] = sum(int(row[4]) for row in table.rows)
        sizes = rows(board, "by_size")
        assert sum(found for _, found, *_ in sizes.values()) == counts[iou]
        heat = board.pane("confusion").layers[0]
        assert isinstance(heat, Heat)
        assert any(f"IoU {iou:.2f}" in plot.title for plot in board.plots)
    assert counts[0.05] > counts[0.95]


def test_one_class_alone_under_each_networks_own_name() -> None:
    other = report(4, "Two")
    names = ("background", "the elk", "dog", "cow", "bee", "ant")
    matched = dict(zip(("elk", "dog", "cow", "bee", "ant"), names[1:], strict=True))
    other = replace(other, info=replace(other.info, classes=names), matched=matched)  # type: ignore[type-var]
    board = VIEW.draw(report(other=other), Params(of="elk", min_score=0.0))
    errors = rows(board, "errors")
    alone = other.measures.errors_by_photo(0.0, 1).sum(0)  # type: ignore[union-attr]
    assert [errors[kind][2] for kind in KINDS] == alone.tolist()


@pytest.mark.parametrize(
    ("shown", "panes"), [(CONFUSION, ["confusion"]), (ERRORS, ["errors"]), ("both", None)]
)
def test_either_picture_can_stand_alone(shown: str, panes: list[str] | None) -> None:
    found = [pane.name for pane in VIEW.draw(report(), Params(shown=shown)).panes]
    assert found == (panes or ["confusion", "errors"])


def test_a_report_has_the_curves_of_every_class() -> None:
    one = report()
    board = page(one, Params())
    curves = [curve.label for plot in board.plots[:1] for curve in plot.curves]
    assert sorted(curves) == ["ant", "bee", "cow", "dog", "elk"]
    assert [plot.name for plot in page(two(), Params()).plots[:2]] == [
        "precision_recall", "precision_recall_0",
    ]  # fmt: skip
    assert page(replace(one, measures=None), Params()).plots == ()
