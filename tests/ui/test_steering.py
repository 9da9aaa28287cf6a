"""Sliders that play, and the marker of a plot that is dragged."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from PySide6.QtCore import QEvent, QPointF, Qt
from PySide6.QtGui import QMouseEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from explorer.core.layers import Board, Curve, Plot
from explorer.ui.form.editors import NumberEditor
from explorer.ui.form.form import Form
from explorer.ui.form.player import Player
from explorer.ui.results.plots import CurvesPlot, log_words, pyqtgraph
from explorer.ui.results.results import Results
from tests.ui.truth_toys import Drawn, Params, RegionParams, toy_view

pytestmark = pytest.mark.qt_log_ignore("This plugin does not support")


@pytest.fixture
def form(qtbot: QtBot) -> Iterator[Form]:
    form = Form()
    qtbot.addWidget(form)
    form.set_view(toy_view(Drawn()), Params(), None)
    with qtbot.waitExposed(form):
        form.show()
    return form


def player(form: Form) -> Player:
    editor = form.rows["count"].editor
    assert isinstance(editor, NumberEditor)
    assert editor.player is not None
    return editor.player


def test_play_goes_to_the_end_and_starts_again(form: Form, qtbot: QtBot) -> None:
    seen: list[int] = []
    form.changed.connect(lambda params, effect: seen.append(params.count))
    play = player(form)
    qtbot.mouseClick(play.button, Qt.MouseButton.LeftButton)
    assert play.playing
    assert play.button.toolTip() == "Pause"
    qtbot.waitUntil(lambda: not play.playing, timeout=9000)
    assert seen == [4, 5, 6, 7, 8, 9]
    seen.clear()
    qtbot.mouseClick(play.button, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: len(seen) >= 3, timeout=9000)
    assert seen[:3] == [0, 1, 2]
    qtbot.mouseClick(play.button, Qt.MouseButton.LeftButton)
    assert not play.playing


def test_play_stops_when_somebody_else_moves_it(form: Form, qtbot: QtBot) -> None:
    play, editor = player(form), form.rows["count"].editor
    assert isinstance(editor, NumberEditor)
    assert editor.pair.slider is not None
    for change in (
        lambda: QTest.keyClick(editor.pair.slider, Qt.Key.Key_Home),
        lambda: QTest.keyClick(editor.pair.field, Qt.Key.Key_PageUp),
        lambda: form.set_params(Params(count=7)),
        lambda: form.rows["count"].dot.click(),
    ):
        form.set_params(Params(count=2))
        play.start()
        change()
        assert not play.playing
    play.start()
    form.set_params(form.params)  # the same again is no change
    assert play.playing
    play.stop()


def test_play_ends_with_the_view(form: Form) -> None:
    play = player(form)
    play.start()
    form.set_view(toy_view(Drawn(), "other"), Params(), None)
    assert not play.playing
    play = player(form)
    play.start()
    form.stop()
    assert not play.playing


def test_play_waits_for_an_answer(form: Form, qtbot: QtBot) -> None:
    play = player(form)
    play.set_busy(True)
    ticks: list[None] = []
    play.timer.timeout.connect(lambda: ticks.append(None))
    play.start()
    qtbot.waitUntil(lambda: len(ticks) >= 2, timeout=9000)
    assert form.params.count == 3
    play.set_busy(False)
    qtbot.waitUntil(lambda: form.params.count > 3, timeout=9000)
    play.stop()


def test_a_long_range_is_through_in_time(qtbot: QtBot) -> None:
    from explorer.ui.form.player import LONGEST_SECONDS, STEP_MS
    from explorer.ui.form.slider import Slider

    slider = Slider()
    qtbot.addWidget(slider)
    slider.setRange(0, 10_000)
    play = Player(slider, slider)
    qtbot.addWidget(play.widget)
    play.moved.connect(slider.setValue)
    play.start()
    steps = 0
    while play.playing:
        play.step()
        steps += 1
    assert steps * STEP_MS <= LONGEST_SECONDS * 1000
    assert slider.value() == 10_000


def test_play_ends_where_the_curves_end(form: Form, qtbot: QtBot) -> None:
    curve = Curve(np.arange(6.0), np.arange(6.0))
    form.set_plots((Plot("p", curves=(curve,), steers="count"), Plot("q", curves=(curve,))))
    play = player(form)
    play.start()
    assert 300 <= play.timer.interval() <= 900, "few steps are slow enough to be seen"
    steps = 0
    while play.playing:
        play.step()
        steps += 1
    assert (steps, form.params.count) == (2, 5)
    play.start()
    assert form.params.count == 0
    play.stop()
    form.set_plots((Plot("p", curves=(curve,), steers="count", stop=2.0),))
    play.start()
    while play.playing:
        play.step()
    assert form.params.count == 2, "what lies behind is shown, but not played"
    form.set_plots(())
    play.start()
    while play.playing:
        play.step()
    assert form.params.count == 9


def test_only_play_parameters_have_a_button(form: Form) -> None:
    editor = form.rows["share"].editor
    assert isinstance(editor, NumberEditor)
    assert editor.player is None
    form.set_view(toy_view(Drawn(), "region", RegionParams), RegionParams(), None)
    assert set(form.rows) == {"region", "truth"}


# -- the marker


def plot(marker: float | None, *, steers: str = "share", **more: Any) -> Plot:
    x = np.linspace(0.01, 10, 50)
    return Plot("p", curves=(Curve(x, x**2),), marker=marker, steers=steers, **more)


@pytest.fixture
def results(qtbot: QtBot, monkeypatch: pytest.MonkeyPatch) -> Iterator[Results]:
    # The library looks at a hundred moves a second at most; these come faster than any hand.
    monkeypatch.setitem(pyqtgraph().CONFIG_OPTIONS, "mouseRateLimit", -1)
    results = Results()
    qtbot.addWidget(results)
    results.resize(700, 400)
    with qtbot.waitExposed(results):
        results.show()
    return results


def curves(results: Results) -> CurvesPlot:
    tab = results.tab("p")
    assert isinstance(tab, CurvesPlot)
    return tab


def spot(tab: CurvesPlot, x: float) -> QPointF:
    """Where the axis' own x is on the viewport, half-way up."""
    box = tab.chart.getPlotItem().getViewBox()
    y = sum(box.viewRange()[1]) / 2
    return QPointF(tab.chart.mapFromScene(box.mapViewToScene(QPointF(x, y))))


def drag(tab: CurvesPlot, start: float, *ends: float) -> None:
    viewport, left = tab.chart.viewport(), Qt.MouseButton.LeftButton
    none, keys = Qt.MouseButton.NoButton, Qt.KeyboardModifier.NoModifier

    def send(kind: QEvent.Type, at: QPointF, button: Any, held: Any) -> None:
        there = QPointF(viewport.mapToGlobal(at.toPoint()))
        QApplication.sendEvent(viewport, QMouseEvent(kind, at, there, button, held, keys))

    places = [spot(tab, x) for x in (start, *ends)]
    send(QEvent.Type.MouseMove, places[0], none, none)
    send(QEvent.Type.MouseButtonPress, places[0], left, left)
    for a, b in pairwise(places):
        send(QEvent.Type.MouseMove, (a + b) / 2, none, left)
        send(QEvent.Type.MouseMove, b, none, left)
    send(QEvent.Type.MouseButtonRelease, places[-1], left, none)


def test_the_marker_is_dragged(results: Results, qtbot: QtBot) -> None:
    results.set_board(Board((), (plot(2.0),)))
    tab, said = curves(results), []
    results.steered.connect(lambda name, x: said.append((name, x)))
    tab.grab()
    assert tab.marker.line.isVisible()
    assert tab.marker.line.value() == 2.0
    drag(tab, 2.0, 5.0)
    assert said
    assert {name for name, _ in said} == {"share"}
    assert said[-1][1] == pytest.approx(5.0, abs=0.1)


def test_curves_keep_their_ranges_under_the_hand(results: Results) -> None:
    results.set_board(Board((), (plot(2.0),)))
    tab = curves(results)
    tab.grab()
    box = tab.chart.getPlotItem().getViewBox()
    ranges: list[Any] = []

    def follow(name: str, x: float) -> None:
        new = Plot("p", curves=(Curve(np.linspace(0, 90, 9), np.arange(9.0) * x),), marker=x,
                   steers=name)  # fmt: skip
        results.set_board(Board((), (new,)))
        tab.grab()
        ranges.append(box.viewRange())

    before = box.viewRange()
    results.steered.connect(follow)
    drag(tab, 2.0, 3.0, 4.0)
    assert ranges
    assert all(np.allclose(seen, before) for seen in ranges)
    tab.grab()
    assert box.viewRange()[0][1] > 80, "afterwards they follow the curves again"


def test_the_marker_on_a_log_axis(results: Results) -> None:
    results.set_board(Board((), (plot(1.0, log_x=True),)))
    tab, said = curves(results), []
    results.steered.connect(lambda name, x: said.append(x))
    tab.grab()
    assert tab.marker.line.value() == pytest.approx(0.0)
    drag(tab, 0.0, -1.0)
    assert said[-1] == pytest.approx(0.1, rel=0.1)
    results.set_board(Board((), (plot(0.0, log_x=True),)))
    assert not tab.marker.line.isVisible()
    results.set_board(Board((), (plot(float("nan")),)))
    assert not tab.marker.line.isVisible()


def test_a_marker_that_steers_nothing_stays(results: Results) -> None:
    results.set_board(Board((), (plot(2.0, steers=""),)))
    tab, said = curves(results), []
    results.steered.connect(lambda name, x: said.append(x))
    tab.grab()
    drag(tab, 2.0, 5.0)
    assert said == []
    assert tab.marker.line.value() == 2.0


def test_steering_clamps_and_rounds(form: Form) -> None:
    form.steer("count", 100.0)
    assert form.params.count == 9
    form.steer("count", 4.4)
    assert form.params.count == 4
    form.steer("share", -3.0)
    assert form.params.share == 0.01
    form.steer("share", 1.23456)
    assert form.params.share == 1.23
    form.steer("nothing", 1.0)
    form.steer("share", float("nan"))
    assert form.params.share == 1.23


def test_words_on_a_log_axis() -> None:
    minor = [decade + np.log10(n) for decade in (-2, -1) for n in range(1, 10)]
    words = log_words(minor, 1.0, None)
    assert [word for word in words if word] == ["0.01", "0.02", "0.05", "0.1", "0.2", "0.5"]
    assert log_words([0.0, 1.0, 3.0], 1.0, 1.0) == ["1", "10", "1,000"]
    many = [decade + np.log10(n) for decade in range(4) for n in range(1, 10)]
    found = [word for word in log_words(many, 1.0, None) if word]
    assert found == ["1", "10", "100", "1,000"]
