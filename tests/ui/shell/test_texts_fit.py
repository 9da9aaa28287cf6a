"""No word is cut: every view's form, every sheet, the start page, at two sizes of text."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtWidgets import QApplication, QWidget
from pytestqt.exceptions import TimeoutError as QtBotTimeout
from pytestqt.qtbot import QtBot

from explorer.annotations.truth import truth_name
from explorer.core.layers import Board, Heat, Pane
from explorer.core.settings import Preferences
from explorer.core.values import Box
from explorer.engine.view import View
from explorer.networks import catalog
from explorer.ui.board.board import BoardView
from explorer.ui.opening.contents_sheet import ContentsSheet
from explorer.ui.opening.onnx_sheet import OnnxSheet
from explorer.ui.panels.inspector import Inspector
from explorer.ui.shell.window import Window
from explorer.ui.widgets import fonts, theme
from explorer.views import discover
from tests.networks.onnx_files import outputs
from tests.ui.fitting import cut_words
from tests.ui.toy_desk import look

pytestmark = pytest.mark.qt_log_ignore("propagateSizeHints", extend=True)
SIZES = ((1440, 900), (1000, 700))
VIEWS = discover()


def application() -> QApplication:
    app = QApplication.instance()
    assert isinstance(app, QApplication)
    return app


@pytest.fixture(params=[100, 150], ids=lambda percent: f"{percent}%")
def percent(request: pytest.FixtureRequest) -> Iterator[int]:
    app = application()
    font, sheet = app.font(), app.styleSheet()
    fonts.set_fonts(app)
    theme.apply(app, "light")
    fonts.set_text_size(app, request.param)
    yield request.param
    fonts.set_text_size(app, 100)
    app.setStyleSheet(sheet)
    app.setFont(font)


@pytest.mark.parametrize("name", sorted(VIEWS))
def test_the_form_of_every_view(qtbot: QtBot, percent: int, name: str) -> None:
    view: View = VIEWS[name]
    inspector = Inspector()
    qtbot.addWidget(inspector)
    inspector.resize(round(300 * (1.05 if percent > 100 else 1)), 900)
    inspector.set_view(view)
    params = view.Params()
    truth = truth_name(view.Params)
    if truth:
        params = replace(params, **{truth: (Box(0, 0, 20, 10, "traffic light"),) * 12})
    inspector.form.set_view(view, params, None)
    inspector.show()
    settled(qtbot, inspector)


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
def test_the_start_page(
    qtbot: QtBot, percent: int, toy_window: Window, size: tuple[int, int]
) -> None:
    toy_window.resize(*size)
    settled(qtbot, toy_window)


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
def test_the_sheets_about_a_file(
    qtbot: QtBot, percent: int, toy_window: Window, size: tuple[int, int], tmp_path: Path
) -> None:
    toy_window.resize(*size)
    path = outputs(tmp_path / "a-detector.onnx", (1, 100, 4), (1, 100, 81))
    sheet = OnnxSheet(toy_window, catalog.questions(path))
    sheet.open_sheet()
    sheet.scale.setCurrentIndex(sheet.scale.findData("own"))
    sheet.preview.show()
    settled(qtbot, sheet)
    sheet.close_sheet()
    lines = catalog.inspect(path).lines()
    contents = ContentsSheet(
        toy_window, "What is in a-detector.onnx", lines, [("Use ResNet-18", "a"), ("Use X", "b")]
    )
    contents.open(contents.first)
    settled(qtbot, contents)


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
def test_the_window_and_its_sheets(
    qtbot: QtBot, percent: int, toy_window: Window, size: tuple[int, int]
) -> None:
    w = toy_window
    w.resize(*size)
    look(w)
    settled(qtbot, w)
    w.sheets.open_preferences()
    w.sheets.open_shortcuts()
    for sheet in (w.sheets.preferences, w.sheets.shortcuts):
        assert sheet is not None
        settled(qtbot, sheet)
        sheet.close_sheet()
    for act in (w.exporter.save_picture, w.exporter.export):
        act()
        for row in range(w.exporter.sheet.what.count()):
            w.exporter.sheet.what.setCurrentIndex(row)
            settled(qtbot, w.exporter.sheet)
        w.exporter.sheet.close_sheet()
    for popup, opened in ((w.views.popup, w.views.open), (w.networks.popup, w.networks.open)):
        opened()
        settled(qtbot, popup)
        popup.close()
    w.open_jobs()
    settled(qtbot, w.job_list)
    w.job_list.close()


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
def test_the_title_of_every_view_is_whole(
    qtbot: QtBot, percent: int, toy_window: Window, size: tuple[int, int]
) -> None:
    w = toy_window
    w.resize(*size)
    look(w)
    w.views.set_views(list(VIEWS.values()))
    w.networks.button.show_choice("Lite Mask R-CNN with a long name", "DOWNLOADS")
    button, cut = w.views.button, []

    def whole() -> bool:
        return button.isVisible() and button.width() >= button.sizeHint().width()

    for view in VIEWS.values():
        w.views.set_current(view.name)
        with suppress(QtBotTimeout):
            qtbot.waitUntil(whole, timeout=500)
        if not whole():
            cut.append(f"{view.title}: {button.width()} of {button.sizeHint().width()}")
    assert cut == []


def test_the_title_of_a_narrow_mosaic_is_whole_beside_its_scale(qtbot: QtBot, percent: int) -> None:
    title = "aspp: 80 channels of 25 x 17"
    values = np.zeros((136, 260), np.float32)
    view = BoardView()
    qtbot.addWidget(view)
    view.resize({100: 300, 150: 219}[percent], 250)  # two panes in a window of 1000 x 700
    view.set_board(Board((Pane("maps", (260, 136), (Heat(values, 0.0, 1.0),), title=title),)))
    view.show()
    canvas = view.canvas("maps")
    qtbot.waitUntil(lambda: canvas._caption.text().replace("\n", " ") == title)
    assert canvas._scale.isVisible()
    assert canvas._caption.geometry().right() < canvas._scale.geometry().left()


def test_the_text_size_changes_while_it_is_open(qtbot: QtBot, toy_window: Window) -> None:
    app = application()
    font, sheet = app.font(), app.styleSheet()
    theme.apply(app, "light")
    w = toy_window
    look(w)
    try:
        for size in (150, 200, 100):
            w.apply_preferences(replace(Preferences(theme="light"), text_size=size))
            settled(qtbot, w)
    finally:
        fonts.set_text_size(app, 100)
        app.setStyleSheet(sheet)
        app.setFont(font)


def settled(qtbot: QtBot, root: QWidget) -> None:
    """Layouts take a moment; then nothing is cut."""
    try:
        qtbot.waitUntil(lambda: cut_words(root) == [], timeout=2000)
    except Exception as late:
        raise AssertionError("\n".join(cut_words(root))) from late
