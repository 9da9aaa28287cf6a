"""Tables and plots: order, selection, copying, live updates and odd numbers."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
from PySide6.QtCore import QEvent, QPoint, QPointF, Qt
from PySide6.QtGui import QColor, QGuiApplication, QPainter, QPalette
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from explorer.core.layers import Board, Curve, Plot, Table
from explorer.ui.results.legend import Legend
from explorer.ui.results.plots import BarsPlot, CurvesPlot, drawable, nearest_sample
from explorer.ui.results.results import Results
from explorer.ui.results.table import MOST_WIDTH, TableModel, TableWidget, decimals, written

DISPLAY = Qt.ItemDataRole.DisplayRole

# The offscreen platform says so for every window with a smallest size.
pytestmark = pytest.mark.qt_log_ignore("propagateSizeHints")


def table(rows: int = 3, first_key: int = 10, **rest: object) -> Table:
    cells = tuple((f"name {i}", (i * 7 % 5) / 10, i * 100) for i in range(rows))
    keys = tuple(range(first_key, first_key + rows))
    given = {
        "title": "Detections",
        "layer": "boxes",
        "keys": keys,
        "swatches": ((255, 0, 0),) * rows,
    }
    return Table("detections", ("class", "score", "area"), cells, **(given | rest))  # type: ignore[arg-type]


def curves(count: int = 1, points: int = 50) -> Plot:
    x = np.arange(points, dtype=np.float64)
    lines = tuple(Curve(x, np.sin(x / 9 + k), f"c{k}") for k in range(count))
    return Plot("loss", "Loss", "step", "loss", lines)


def bars(*values: float, **rest: object) -> Plot:
    rows = tuple((f"class {i}", value, (200, 50, 50)) for i, value in enumerate(values))
    return Plot("scores", "Scores", bars=rows, **rest)  # type: ignore[arg-type]


@pytest.fixture
def results(qtbot: QtBot) -> Iterator[Results]:
    results = Results()
    qtbot.addWidget(results)
    results.resize(700, 260)
    with qtbot.waitExposed(results):
        results.show()
    return results


def shown(widget: TableWidget, column: int = 0) -> list[str]:
    model = widget.table_model()
    return [model.index(row, column).data(DISPLAY) for row in range(model.rowCount())]


def first(results: Results) -> TableWidget:
    tab = results.tab("detections")
    assert isinstance(tab, TableWidget)
    return tab


# -- tables --------------------------------------------------------------------------------------


def test_cells_alignment_and_swatch(results: Results) -> None:
    results.set_board(Board((), tables=(table(),)))
    model = first(results).table_model()
    assert shown(first(results), 1) == ["0.000", "0.200", "0.400"]
    assert shown(first(results), 2) == ["0", "100", "200"]
    right = model.index(0, 1).data(Qt.ItemDataRole.TextAlignmentRole)
    assert right & Qt.AlignmentFlag.AlignRight
    icon = model.index(0, 0).data(Qt.ItemDataRole.DecorationRole)
    image = icon.pixmap(32, 32).toImage()
    assert QColor(image.pixel(16, 16)) == QColor(255, 0, 0)
    assert model.index(0, 1).data(Qt.ItemDataRole.DecorationRole) is None


@pytest.mark.parametrize(
    ("values", "places"),
    [([], 1), ([0.0], 1), ([0.5, 1.0], 3), ([0.01], 4), ([55.5], 2), ([12345.6], 1), ([1e-5], None),
     ([1e9], None), ([float("nan"), float("inf")], 1)],
)  # fmt: skip
def test_precision(values: list[float], places: int | None) -> None:
    assert decimals(values) == places


def test_odd_values_are_written() -> None:
    assert written(float("nan"), 2) == "nan"
    assert written(1e-12, None) == "1e-12"
    assert written(True, 2) == "True"


def test_sorting_by_numbers_and_words(results: Results) -> None:
    results.set_board(Board((), tables=(table(12),)))
    widget = first(results)
    widget.sortByColumn(1, Qt.SortOrder.DescendingOrder)
    scores = [float(word) for word in shown(widget, 1)]
    assert scores == sorted(scores, reverse=True)
    widget.sortByColumn(0, Qt.SortOrder.AscendingOrder)
    assert shown(widget) == sorted(f"name {i}" for i in range(12))
    widget.sortByColumn(-1, Qt.SortOrder.AscendingOrder)
    assert shown(widget) == [f"name {i}" for i in range(12)]


@pytest.mark.parametrize("order", [Qt.SortOrder.AscendingOrder, Qt.SortOrder.DescendingOrder])
def test_nan_sorts_to_the_end(qtbot: QtBot, order: Qt.SortOrder) -> None:
    model = TableModel()
    rows = tuple((value,) for value in (2.0, float("nan"), 1.0, 3.0))
    model.set_table(Table("t", ("v",), rows))
    model.sort(0, order)
    assert model.index(3, 0).data(DISPLAY) == "nan"


@pytest.mark.parametrize("order", [Qt.SortOrder.AscendingOrder, Qt.SortOrder.DescendingOrder])
def test_an_empty_cell_among_numbers_leaves_them_numbers(qtbot: QtBot, order: Qt.SortOrder) -> None:
    model = TableModel()
    model.set_table(Table("t", ("v",), (("",), (10.0,), (9.0,))))
    right = model.index(0, 0).data(Qt.ItemDataRole.TextAlignmentRole)
    assert right & Qt.AlignmentFlag.AlignRight
    model.sort(0, order)
    rising = order == Qt.SortOrder.AscendingOrder
    first = ["9.00", "10.00"] if rising else ["10.00", "9.00"]
    assert [model.index(row, 0).data(DISPLAY) for row in range(3)] == [*first, ""]


def test_a_live_update_keeps_order_scroll_and_selection(results: Results) -> None:
    results.set_board(Board((), tables=(table(200),)))
    widget = first(results)
    widget.sortByColumn(0, Qt.SortOrder.DescendingOrder)
    results.set_selection(("boxes", 15))
    scroll = widget.verticalScrollBar()
    scroll.setValue(scroll.maximum() // 2)
    there, before = scroll.value(), widget
    results.set_board(Board((), tables=(table(190),)))
    assert first(results) is before
    assert scroll.value() == there
    assert shown(widget) == sorted((f"name {i}" for i in range(190)), reverse=True)
    assert widget.table_model().key(widget.currentIndex().row()) == 15


def test_a_selection_that_is_gone_comes_back(results: Results) -> None:
    results.set_board(Board((), tables=(table(20),)))
    results.set_selection(("boxes", 25))
    results.set_board(Board((), tables=(table(3),)))
    assert not first(results).currentIndex().isValid()
    results.set_board(Board((), tables=(table(20),)))
    assert first(results).table_model().key(first(results).currentIndex().row()) == 25


def test_selection_both_ways(qtbot: QtBot, results: Results) -> None:
    results.set_board(Board((), tables=(table(5),)))
    widget = first(results)
    with qtbot.assertNotEmitted(results.selection_changed):
        results.set_selection(("boxes", 12))
    assert widget.currentIndex().row() == 2
    spot = widget.visualRect(widget.table_model().index(4, 0)).center()
    with qtbot.waitSignal(results.selection_changed) as told:
        QTest.mouseClick(widget.viewport(), Qt.MouseButton.LeftButton, pos=spot)
    assert told.args == [("boxes", 14)]
    with qtbot.waitSignal(results.selection_changed) as told:
        QTest.keyClick(widget, Qt.Key.Key_Up)
    assert told.args == [("boxes", 13)]
    results.set_selection(("another layer", 1))
    assert not widget.selectionModel().hasSelection()


def test_copy_as_tsv(results: Results) -> None:
    results.set_board(Board((), tables=(table(3),)))
    widget = first(results)
    widget.selectRow(1)
    widget.setFocus()
    QTest.keyClick(widget, Qt.Key.Key_C, Qt.KeyboardModifier.ControlModifier)
    assert QGuiApplication.clipboard().text() == "class\tscore\tarea\nname 1\t0.2\t100\n"
    widget.copy_all()
    assert QGuiApplication.clipboard().text().count("\n") == 4


def test_no_rows(results: Results) -> None:
    results.set_board(Board((), tables=(table(0),)))
    first(results).copy()
    first(results).sortByColumn(1, Qt.SortOrder.AscendingOrder)
    assert first(results).table_model().rowCount() == 0


def test_a_hundred_thousand_rows(results: Results) -> None:
    results.set_board(Board((), tables=(table(100_000),)))
    widget = first(results)
    widget.sortByColumn(1, Qt.SortOrder.DescendingOrder)
    results.set_selection(("boxes", 99_999))
    assert widget.table_model().key(widget.currentIndex().row()) == 99_999
    results.grab()


def test_columns_may_change(results: Results) -> None:
    results.set_board(Board((), tables=(table(3),)))
    results.set_board(Board((), tables=(Table("detections", ("only",), (("x",), ("y",))),)))
    assert shown(first(results)) == ["x", "y"]
    assert first(results).table_model().columnCount() == 1


# -- tabs ----------------------------------------------------------------------------------------


def test_tabs_are_kept_by_name(results: Results) -> None:
    results.set_board(Board((), plots=(bars(0.5, 0.2),), tables=(table(),)))
    kept = [results.tabs.widget(i) for i in range(2)]
    assert [results.tabs.tabText(i) for i in range(2)] == ["Scores", "Detections (3)"]
    results.set_board(Board((), plots=(bars(0.7),), tables=(table(4),)))
    assert [results.tabs.widget(i) for i in range(2)] == kept
    assert results.tabs.tabText(1) == "Detections (4)"
    results.set_board(Board((), tables=(table(4),)))
    assert results.tabs.count() == 1
    results.set_board(None)
    assert results.tabs.count() == 0
    with pytest.raises(KeyError):
        results.tab("scores")


def test_tabs_stand_in_the_order_of_the_board(results: Results) -> None:
    """Two views have the same plots in another order: every title stays with its own plot."""
    plots = (bars(0.5), curves())
    results.set_board(Board((), plots=plots))
    for order in (plots[::-1], plots):
        results.set_board(Board((), plots=order))
        for place, plot in enumerate(order):
            assert results.tabs.widget(place) is results.tab(plot.name)
            assert results.tabs.tabText(place) == (plot.title or plot.name)


def test_the_tab_that_was_chosen_stays_when_others_come(results: Results) -> None:
    results.set_board(Board((), tables=(table(),)))
    bar = results.tabs.tabBar()
    QTest.mouseClick(bar, Qt.MouseButton.LeftButton, pos=bar.tabRect(0).center())
    results.set_board(Board((), plots=(bars(0.5), curves()), tables=(table(),)))
    assert results.tabs.currentWidget() is first(results)


def test_the_first_tab_is_in_front_until_the_user_chooses(results: Results) -> None:
    parts = Board((), plots=(bars(0.5), curves()), tables=(table(),))
    results.set_board(Board((), tables=(table(),)))
    results.set_board(parts)  # as when ground truth is drawn: now there is a plot of it
    assert results.tabs.currentIndex() == 0
    results.tabs.tabBar().setFocus()
    QTest.keyClick(results.tabs.tabBar(), Qt.Key.Key_Right)
    assert results.tabs.currentWidget() is results.tab("loss")
    results.set_board(parts)
    assert results.tabs.currentWidget() is results.tab("loss")
    results.set_board(Board((), plots=(bars(0.5),)))
    results.set_board(parts)  # it is back, and it was chosen
    assert results.tabs.currentWidget() is results.tab("loss")


# -- plots ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "values", [(), (0.5,), (0.0, 0.0), (-1.0, 2.0), (float("nan"), float("inf"), 1.0), (1e-9,)]
)
def test_bars_of_any_values(results: Results, values: tuple[float, ...]) -> None:
    results.set_board(Board((), plots=(bars(*values), curves())))
    results.grab()
    if values:
        tab = results.tab("scores")
        assert isinstance(tab, BarsPlot)
        assert not tab.bars.failed


def test_bars_are_as_long_as_their_values(results: Results) -> None:
    results.set_board(Board((), plots=(bars(1.0, 0.5, bar_range=(0, 1)),)))
    tab = results.tab("scores")
    image = tab.grab().toImage()
    lengths = []
    pitch = tab.bars.pitch()  # type: ignore[union-attr]
    for row in range(2):
        y = 10 + row * pitch + pitch // 2 - 1
        reds = [QColor(image.pixel(x, y)) == QColor(200, 50, 50) for x in range(image.width())]
        lengths.append(sum(reds))
    assert lengths[0] > 300
    assert lengths[1] == pytest.approx(lengths[0] / 2, rel=0.03)


def test_bars_copy(results: Results) -> None:
    results.set_board(Board((), plots=(bars(0.5, 0.25),)))
    tab = results.tab("scores")
    assert isinstance(tab, BarsPlot)
    tab.copy()
    assert QGuiApplication.clipboard().text() == "class 0\t0.5\nclass 1\t0.25\n"


def test_curves_reuse_their_items(results: Results) -> None:
    results.set_board(Board((), plots=(curves(2),)))
    tab = results.tab("loss")
    assert isinstance(tab, CurvesPlot)
    before = list(tab.curves)
    results.set_board(Board((), plots=(curves(2, points=90),)))
    assert list(tab.curves) == before
    assert len(tab.curves[0].getData()[0]) == 90
    results.set_board(Board((), plots=(curves(3),)))
    assert len(tab.curves) == 3


def test_one_point_is_a_dot(results: Results) -> None:
    for points, symbol in ((1, "o"), (2, None)):
        results.set_board(Board((), plots=(curves(1, points=points),)))
        tab = results.tab("loss")
        assert isinstance(tab, CurvesPlot)
        assert tab.curves[0].opts["symbol"] == symbol


@pytest.mark.parametrize("points", [0, 1, 2, 100_000])
@pytest.mark.parametrize("log_y", [False, True])
def test_curves_of_any_length(results: Results, points: int, log_y: bool) -> None:
    x = np.arange(points, dtype=np.float64)
    y = np.where(x % 3 == 0, np.nan, x - 5)
    results.set_board(Board((), plots=(Plot("p", curves=(Curve(x, y),), log_y=log_y),)))
    results.grab()


def test_only_what_can_be_drawn_reaches_the_library() -> None:
    x = np.array([0.0, np.nan, 2.0, 3.0, 4.0])
    y = np.array([1.0, 1.0, np.inf, -1.0, 5.0])
    for log_y, gaps in ((False, [1, 2]), (True, [1, 2, 3])):
        xs, ys = drawable(Curve(x, y), log_y=log_y)
        assert np.isfinite(xs).all()
        assert np.flatnonzero(np.isnan(ys)).tolist() == gaps


def test_values_under_the_mouse(results: Results) -> None:
    results.set_board(Board((), plots=(curves(2),)))
    tab = results.tab("loss")
    assert isinstance(tab, CurvesPlot)
    results.grab()
    QTest.mouseMove(tab.chart.viewport(), QPoint(350, 100))
    tab.chart.scene().sigMouseMoved.emit(tab.chart.mapToScene(QPoint(350, 100)))
    heading, values = tab.legend.said
    assert heading
    assert len(values) == 2
    assert all(values)
    assert [label for label, _ in tab.legend.entries] == ["c0", "c1"]
    assert tab.line.isVisible()
    assert not tab.words.isVisible(), "nothing lies over the curves"
    curve = Curve(np.array([0.0, 1.0, 2.0]), np.array([5.0, np.nan, 7.0]))
    assert nearest_sample(curve, 1.2) == (2.0, 7.0)
    assert nearest_sample(Curve(np.zeros(0), np.zeros(0)), 1.0) is None


def test_all_curves_are_named_beside_them_with_their_values(results: Results) -> None:
    x = np.array([0.0, 1.0])
    flat = tuple(Curve(x, np.full(2, float(level)), f"level {level}") for level in range(12))
    results.set_board(Board((), plots=(Plot("p", curves=flat),)))
    tab = results.tab("p")
    assert isinstance(tab, CurvesPlot)
    results.grab()
    assert tab.legend.isVisible()
    assert not tab.legend.geometry().intersects(tab.chart.geometry())
    assert [label for label, _ in tab.legend.entries] == [f"level {n}" for n in range(12)]
    box = tab.chart.plotItem.vb
    tab.chart.scene().sigMouseMoved.emit(box.mapViewToScene(QPointF(0.9, 10.9)))
    assert tab.legend.said == ("x  1", tuple(str(level) for level in range(12)))
    QApplication.sendEvent(tab.chart.viewport(), QEvent(QEvent.Type.Leave))
    assert tab.legend.said == ("", ())


def test_in_a_narrow_plot_the_legend_stands_below(results: Results, qtbot: QtBot) -> None:
    results.resize(380, 500)
    results.set_board(Board((), plots=(curves(3),)))
    tab = results.tab("loss")
    assert isinstance(tab, CurvesPlot)
    results.grab()
    qtbot.waitUntil(lambda: tab.legend.geometry().top() >= tab.chart.geometry().bottom())


def test_names_stand_on_the_axis(results: Results) -> None:
    plot = Plot(
        "p", curves=(Curve(np.array([1.0, 2.0]), np.array([3.0, 4.0]), "a"),),
        x_label="stage", x_names=("scores", "NMS"),
    )  # fmt: skip
    results.set_board(Board((), plots=(plot,)))
    tab = results.tab("p")
    assert isinstance(tab, CurvesPlot)
    results.grab()
    axis = tab.chart.getAxis("bottom")
    # private: pyqtgraph tells only here which ticks were set
    assert [words for _, words in axis._tickLevels[0]] == ["scores", "NMS"]
    box = tab.chart.plotItem.vb
    tab.chart.scene().sigMouseMoved.emit(box.mapViewToScene(QPointF(1.9, 3.5)))
    assert tab.legend.said == ("stage  NMS", ("4",))


def test_the_last_name_of_an_axis_has_room_at_the_right(qtbot: QtBot) -> None:
    curve = Curve(np.array([1.0, 2.0]), np.array([3.0, 4.0]), "a")
    plot = CurvesPlot()
    qtbot.addWidget(plot)
    plot.resize(700, 200)

    def room(*names: str) -> float:
        plot.set_plot(Plot("p", curves=(curve,), x_names=names))
        layout = plot.chart.plotItem.layout
        layout.activate()
        plot.grab()
        chart = plot.chart.plotItem
        return float(chart.boundingRect().right() - chart.vb.geometry().right())

    assert room("a", "global_pool") > room("a", "b") + 20
    assert room() < 5


def test_only_whole_numbers_stand_on_an_axis_that_counts(results: Results) -> None:
    x = np.arange(3.0)
    plot = Plot("p", curves=(Curve(x, x / 2),), whole_x=True)

    def words(plot: Plot) -> dict[str, set[str]]:
        results.set_board(Board((), plots=(plot,)))
        tab = results.tab("p")
        assert isinstance(tab, CurvesPlot)
        results.grab()
        found = {}
        for side, span in (("bottom", (0.0, 2.0)), ("left", (0.0, 1.0))):
            axis = tab.chart.getAxis(side)
            levels = axis.tickValues(*span, 600)[:1]
            found[side] = {word for gap, at in levels for word in axis.tickStrings(at, 1.0, gap)}
        return found

    found = words(plot)
    assert found["bottom"] == {"0", "1", "2"}
    assert not found["left"] <= {"0", "1"}
    assert words(replace(plot, whole_y=True))["left"] == {"0", "1"}
    assert not words(replace(plot, whole_x=False))["bottom"] <= {"0", "1", "2"}


def test_importing_the_plot_library_leaves_the_exception_hooks(results: Results) -> None:
    hooks = sys.excepthook, threading.excepthook
    results.set_board(Board((), plots=(curves(),)))
    assert (sys.excepthook, threading.excepthook) == hooks


def test_plots_follow_the_palette(qtbot: QtBot, results: Results) -> None:
    results.set_board(Board((), plots=(curves(), bars(0.3))))
    palette = QPalette(results.palette())
    palette.setColor(QPalette.ColorRole.Base, QColor(10, 20, 30))
    results.setPalette(palette)

    def corner(name: str) -> QColor:
        image = results.tab(name).grab().toImage()
        return QColor(image.pixel(image.width() - 3, image.height() - 3))

    for name in ("loss", "scores"):
        results.tabs.setCurrentWidget(results.tab(name))
        qtbot.waitUntil(lambda name=name: corner(name) == QColor(10, 20, 30))


def test_the_summary_stands_above_the_tabs(results: Results) -> None:
    results.set_board(Board((), tables=(table(),), summary="3 of 9 boxes: 3 cat"))
    assert results.summary == "3 of 9 boxes: 3 cat"
    results.set_board(None)
    assert results.summary == ""


def test_words_are_not_cut_while_there_is_room(qtbot: QtBot) -> None:
    def table(name: str) -> Table:
        return Table("found", ("class", "score", "x0"), ((name, 0.5, 3.0),))

    widget = TableWidget()
    qtbot.addWidget(widget)
    widget.resize(1200, 200)
    widget.show()
    long = "an enormously long class name, as some data sets do have them " * 2
    widget.set_table(table("cat"))
    narrow = widget.columnWidth(0)
    widget.set_table(table(long))
    assert widget.columnWidth(0) >= widget.fontMetrics().horizontalAdvance(long) > narrow
    widget.resize(400, 200)
    assert widget.columnWidth(0) == MOST_WIDTH
    widget.setColumnWidth(0, 90)  # by hand: it stays
    widget.resize(1200, 200)
    assert widget.columnWidth(0) == 90


def test_a_low_legend_counts_what_it_cannot_list(
    qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    legend = Legend()
    qtbot.addWidget(legend)
    legend.set_entries([(f"method {n}", (9 * n, 80, 120)) for n in range(13)])
    drawn: list[str] = []

    class Pen(QPainter):
        def drawText(self, at: object, words: str) -> None:  # type: ignore[override]
            drawn.append(words)

    monkeypatch.setattr("explorer.ui.results.legend.QPainter", Pen)
    for high, listed in ((400, 13), (70, 0)):
        drawn.clear()
        legend.resize(160, high)
        legend.grab()
        names = [words for words in drawn if words.startswith("method")]
        more = [words for words in drawn if words.startswith("and ")]
        if listed:
            assert (len(names), more) == (listed, [])
        else:
            assert more == [f"and {13 - len(names)} more"]
            assert names
    assert "method 12" in legend.toolTip()
