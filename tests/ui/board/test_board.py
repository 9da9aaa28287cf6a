"""The board: arranged, linked, compared, picked on."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from PySide6.QtCore import QEvent, QPoint, QPointF, Qt
from PySide6.QtGui import QFontMetrics, QMouseEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QSplitter
from pytestqt.qtbot import QtBot

from explorer.core.layers import Board, Boxes, Link, Pane, Picture
from explorer.core.params import Box, Pick, Point
from explorer.ui.board.arrange import BORDERS, LEAST, alike, arranged, heights, rows_of
from explorer.ui.board.board import BoardView
from explorer.ui.board.canvas import Canvas, Mode
from explorer.ui.board.pan_zoom import Viewpoint
from explorer.ui.form.picks import PickSpec

LEFT = Qt.MouseButton.LeftButton

# The offscreen platform says so for every window with a smallest size.
pytestmark = pytest.mark.qt_log_ignore("propagateSizeHints")


def picture(color: tuple[int, int, int] = (90, 90, 90)) -> Picture:
    return Picture(np.full((100, 200, 3), color, np.uint8))


def boxes(name: str = "boxes") -> Boxes:
    xyxy = np.array([[20, 20, 60, 60], [100, 20, 160, 80]], np.float32)
    return Boxes(xyxy, np.full((2, 3), 200, np.uint8), keys=(4, 5), name=name)


def pane(name: str, *layers: Any, frame: str = "image") -> Pane:
    return Pane(name, (200, 100), layers or (picture(),), frame=frame)


def board(*names: str) -> Board:
    return Board(tuple(pane(name) for name in names))


@pytest.fixture
def view(qtbot: QtBot) -> Iterator[BoardView]:
    view = BoardView()
    qtbot.addWidget(view)
    view.resize(900, 500)
    with qtbot.waitExposed(view):
        view.show()
    return view


def send(
    canvas: Canvas, kind: QEvent.Type, x: float, y: float, held: Any = LEFT,
    keys: Any = Qt.KeyboardModifier.NoModifier,
) -> None:  # fmt: skip
    spot = canvas.from_pane(x, y)
    button = Qt.MouseButton.NoButton if kind is QEvent.Type.MouseMove else LEFT
    there = canvas.viewport().mapToGlobal(spot)
    event = QMouseEvent(kind, QPointF(spot), there, button, held, keys)
    QApplication.sendEvent(canvas.viewport(), event)


def hover(canvas: Canvas, x: float, y: float) -> None:
    send(canvas, QEvent.Type.MouseMove, x, y, Qt.MouseButton.NoButton)


def click(canvas: Canvas, x: float, y: float, keys: Any = Qt.KeyboardModifier.NoModifier) -> None:
    send(canvas, QEvent.Type.MouseButtonPress, x, y, keys=keys)
    send(canvas, QEvent.Type.MouseButtonRelease, x, y, keys=keys)


def drag(canvas: Canvas, start: tuple[float, float], end: tuple[float, float]) -> None:
    send(canvas, QEvent.Type.MouseButtonPress, *start)
    send(canvas, QEvent.Type.MouseMove, *end)
    send(canvas, QEvent.Type.MouseButtonRelease, *end)


# -- arrangement ---------------------------------------------------------------------------------


def test_rows() -> None:
    assert rows_of(3, 2) == ((0,), (1, 2)), "the longer rows last"
    assert rows_of(5, 3) == ((0, 1), (2, 3, 4))
    assert rows_of(4, 2) == ((0, 1), (2, 3))
    assert arranged([(1, 1)], (100, 100)) == ((0,),)
    assert arranged([], (100, 100)) == ()
    assert arranged([(4, 3)] * 2, (1400, 700)) == ((0, 1),)
    assert arranged([(4, 3)] * 2, (500, 1000)) == ((0,), (1,))
    assert arranged([(4, 3)] * 4, (1400, 900)) == ((0, 1), (2, 3))


def test_the_present_arrangement_stays_for_a_small_gain() -> None:
    present = ((0,), (1,))
    assert arranged([(4, 3)] * 2, (1000, 1000), present) == present
    assert arranged([(4, 3)] * 2, (3000, 500), present) == ((0, 1),)


def test_a_strip_takes_the_height_that_it_needs() -> None:
    rows = ((0,), (1,))
    room = (1000.0 + BORDERS[0], 900.0)
    assert heights(rows, [(4, 3)] * 2, room) == (450, 450)
    # 1000 pixels wide and 8 times wider than high, under a caption
    assert heights(rows, [(4, 3), (8, 1)], room) == (900 - 125 - BORDERS[1], 125 + BORDERS[1])
    assert heights(rows, [(4, 3), (100, 1)], room) == (900 - LEAST, LEAST)
    assert heights(rows, [(100, 1)] * 2, room) == (450, 450), "both need less than there is"
    assert sum(heights(((0,), (1, 2), (3,)), [(4, 3), (9, 1), (1, 1), (9, 1)], room)) == 900
    assert alike((450, 450), (420, 480))
    assert not alike((450, 450), (700, 200))


def strip(width: int, height: int) -> Board:
    rgb = np.zeros((height, width, 3), np.uint8)
    wide = Pane("history", (width, height), (Picture(rgb),), frame="history")
    return Board((pane("image"), wide))


def rows_on(view: BoardView) -> tuple[int, ...]:
    """The heights of the two rows."""
    return view.cell("image").height(), view.cell("history").height()


def test_a_wide_strip_leaves_the_window_to_the_picture(view: BoardView, qtbot: QtBot) -> None:
    view.resize(800, 700)
    view.set_board(strip(800, 100))
    qtbot.waitUntil(lambda: rows_on(view)[1] < 200)
    first, second = rows_on(view)
    assert second == pytest.approx(770 / 8 + BORDERS[1], abs=6)
    assert first + second == pytest.approx(700, abs=8)


def test_heights_that_the_user_has_dragged_survive_steps_and_sizes(
    view: BoardView, qtbot: QtBot
) -> None:
    view.resize(800, 700)
    view.set_board(strip(800, 100))
    qtbot.waitUntil(lambda: rows_on(view)[1] < 200)
    before = rows_on(view)
    (root,) = (s for s in view.findChildren(QSplitter) if s.isVisible() and s.parent() is view)
    handle = root.handle(1)
    middle = QPointF(handle.rect().center())
    kinds = QEvent.Type.MouseButtonPress, QEvent.Type.MouseMove, QEvent.Type.MouseButtonRelease
    for kind, down in zip(kinds, (0, -80, -80), strict=True):
        there = QPointF(handle.mapToGlobal(middle.toPoint())) + QPointF(0, down)
        if kind is QEvent.Type.MouseButtonRelease:
            there = QPointF(handle.mapToGlobal(middle.toPoint()))
        held = Qt.MouseButton.NoButton if kind is QEvent.Type.MouseButtonRelease else LEFT
        QApplication.sendEvent(
            handle,
            QMouseEvent(kind, middle, there, LEFT, held, Qt.KeyboardModifier.NoModifier),
        )
    dragged = rows_on(view)
    assert dragged[1] > before[1] + 40
    for width in (800, 700, 600):
        view.set_board(strip(width, 100))
        assert rows_on(view) == dragged
    view.resize(800, 760)
    share = rows_on(view)[1] / sum(rows_on(view))
    assert share == pytest.approx(dragged[1] / sum(dragged), abs=0.03)


@pytest.mark.parametrize("count", [0, 1, 2, 3, 4, 9])
def test_any_number_of_panes(view: BoardView, count: int) -> None:
    view.set_board(board(*(f"p{i}" for i in range(count))))
    for i in range(count):
        assert view.canvas(f"p{i}").isVisible()
    view.set_board(None)
    assert view.current() is None


def test_canvases_stay_by_name(view: BoardView) -> None:
    view.set_board(board("image", "maps"))
    image = view.canvas("image")
    image.set_viewpoint(Viewpoint(50, 50, 5.0))
    view.set_board(board("image"))
    assert view.canvas("image") is image
    assert image.viewpoint == Viewpoint(50, 50, 5.0)
    with pytest.raises(KeyError):
        view.canvas("maps")


def test_a_pane_that_comes_back_finds_its_zoom(view: BoardView) -> None:
    view.set_board(Board((pane("image"), pane("maps", frame="maps"))))
    view.canvas("maps").set_viewpoint(Viewpoint(50, 50, 5.0))
    view.set_board(board("image"))
    view.set_board(Board((pane("image"), pane("maps", frame="maps"))))
    assert view.canvas("maps").viewpoint == Viewpoint(50, 50, 5.0)


# -- linked panes --------------------------------------------------------------------------------


def test_panes_of_one_frame_move_together(view: BoardView) -> None:
    view.set_board(Board((pane("a"), pane("b"), pane("c", frame="own"))))
    alone = view.canvas("c").viewpoint
    view.canvas("a").set_viewpoint(Viewpoint(100, 50, 4.0))
    view.canvas("a").pan_by(40, 0)
    assert view.canvas("b").viewpoint == Viewpoint(90, 50, 4.0)
    assert view.canvas("c").viewpoint == alone


def test_cursors_are_linked(view: BoardView) -> None:
    view.set_board(Board((pane("a"), pane("b"), pane("c", frame="own"))))
    before = [view.canvas(name).viewport().grab().toImage() for name in "bc"]
    hover(view.canvas("a"), 100.5, 50.5)
    after = [view.canvas(name).viewport().grab().toImage() for name in "bc"]
    assert before[0] != after[0]
    assert before[1] == after[1]
    QApplication.sendEvent(view.canvas("a"), QEvent(QEvent.Type.Leave))
    assert view.canvas("b").viewport().grab().toImage() == before[0]


def test_a_pane_may_go_while_the_mouse_is_on_it(view: BoardView) -> None:
    view.set_board(Board((pane("a"), pane("b"))))
    hover(view.canvas("b"), 100.5, 50.5)
    gone = view.canvas("b")
    view.set_board(board("a"))
    QApplication.sendEvent(gone, QEvent(QEvent.Type.Leave))
    assert view.canvas("a").linked_cursor is None


def test_nothing_is_said_of_a_pane_that_is_gone(view: BoardView) -> None:
    said: list[str] = []
    view.status.connect(said.append)
    view.set_board(board("a", "b"))
    hover(view.canvas("b"), 100.5, 50.5)
    assert said[-1].startswith("x 100")
    view.set_board(board("a"))
    assert said[-1] == ""


def test_the_keyboard_stays_on_the_board(qtbot: QtBot, view: BoardView) -> None:
    """Else Qt gives it to some button far away, which the next Space presses."""
    view.set_board(board("a", "b"))
    view.activateWindow()
    view.canvas("b").setFocus()
    qtbot.waitUntil(lambda: view.canvas("b").hasFocus())
    view.set_board(board("c", "a"))
    assert view.canvas("c").hasFocus()
    view.canvas("a").setFocus()
    view.resize(300, 900)  # the panes are laid out anew, one below the other
    assert view.canvas("a").hasFocus()
    view.set_board(board("a"))
    assert view.canvas("a").hasFocus()
    view.set_board(None)
    assert view.hasFocus(), "the window: its keys go on working"


# -- comparing -----------------------------------------------------------------------------------


def test_split_shows_both_and_moves_them_together(view: BoardView) -> None:
    view.set_board(board("image"))
    view.set_reference(Board((pane("image", picture((200, 0, 0))),)), "split")
    cell = view.cell("image")
    assert cell.reference.isVisible()
    assert not cell.reference.geometry().intersects(cell.canvas.geometry())
    cell.reference.set_viewpoint(Viewpoint(100, 50, 3.0))
    cell.reference.pan_by(30, 0)
    assert cell.canvas.viewpoint == Viewpoint(90, 50, 3.0)
    view.set_reference(None)
    assert not cell.reference.isVisible()
    assert cell.canvas.width() == cell.width()


def test_wipe_divides_where_the_divider_is(view: BoardView) -> None:
    view.set_board(Board((pane("image", picture((0, 0, 200))),)))
    view.set_reference(Board((pane("image", picture((200, 0, 0))),)), "wipe")
    cell = view.cell("image")
    middle = cell.height() // 2 + 60
    quarter, rest = cell.width() // 4, 3 * cell.width() // 4

    def seen() -> list[tuple[int, ...]]:
        rgb = view.grab_rgb()
        return [tuple(rgb[middle, x].tolist()) for x in (quarter, rest)]

    assert seen() == [(200, 0, 0), (0, 0, 200)]
    grip = cell.divider
    start = grip.rect().center()
    QTest.mousePress(grip, LEFT, pos=start)
    goal = grip.mapFromParent(QPoint(round(cell.width() * 0.9), 50))
    keys = Qt.KeyboardModifier.NoModifier
    move = QMouseEvent(
        QEvent.Type.MouseMove, QPointF(goal), grip.mapToGlobal(QPointF(goal)), LEFT, LEFT, keys
    )
    QApplication.sendEvent(grip, move)
    QTest.mouseRelease(grip, LEFT, pos=start)
    assert cell.share == pytest.approx(0.9, abs=0.01)
    assert seen() == [(200, 0, 0), (200, 0, 0)]
    QTest.keyClick(grip, Qt.Key.Key_Left)
    assert cell.share < 0.9


def test_a_reference_without_that_pane(view: BoardView) -> None:
    view.set_board(board("image"))
    view.set_reference(board("other"), "wipe")
    assert view.cell("image").compare is None


# -- picks ---------------------------------------------------------------------------------------


def test_modes_follow_the_picks(view: BoardView) -> None:
    view.set_board(Board((pane("image"), pane("maps", frame="maps"))))
    view.set_picks([("region", Pick.DRAG, "", ""), ("unit", Pick.CLICK, "maps", "")])
    assert view.canvas("image").mode is Mode.BOX
    assert view.canvas("maps").mode is Mode.POINT
    view.set_mode(Mode.LOOK)
    assert view.canvas("image").mode is Mode.LOOK
    view.set_mode(None)
    view.set_picks([])
    assert view.canvas("maps").mode is Mode.LOOK


def test_click_and_drag_write_their_parameters(qtbot: QtBot, view: BoardView) -> None:
    view.set_board(Board((pane("image"), pane("maps", frame="maps"))))
    view.set_picks([("region", Pick.DRAG, "", ""), ("unit", Pick.CLICK, "maps", "")])
    with qtbot.waitSignal(view.picked) as heard:
        click(view.canvas("maps"), 10.5, 20.5)
    assert heard.args is not None
    assert heard.args[0] == "unit"
    assert (heard.args[1].x, heard.args[1].y) == pytest.approx((10.5, 20.5), abs=0.01)
    with qtbot.waitSignal(view.picked) as heard:
        drag(view.canvas("image"), (20, 20), (60, 70))
    assert heard.args is not None
    name, box = heard.args
    assert name == "region"
    assert (box.x0, box.y0, box.x1, box.y1) == pytest.approx((20, 20, 60, 70), abs=0.01)


def test_several_points_are_clicked_one_after_the_other(view: BoardView) -> None:
    view.set_board(board("image"))
    picks = [("start", Pick.CLICK, "", ""), ("end", Pick.CLICK, "", "")]
    view.set_picks([*picks, ("region", Pick.DRAG, "", "")], {"start": None, "end": None})
    heard: list[tuple[str, float]] = []
    view.picked.connect(lambda name, point: heard.append((name, round(point.x, 1))))
    for x in (10.5, 20.5, 30.5):
        click(view.canvas("image"), x, 40.5)
    assert heard == [("start", 10.5), ("end", 20.5)], "both are there: a click chooses boxes only"
    view.set_pick_values({"start": None})
    click(view.canvas("image"), 50.5, 40.5)
    assert heard[2:] == [("start", 50.5)]


def test_hover_is_told_once_a_frame_with_the_latest(qtbot: QtBot, view: BoardView) -> None:
    view.set_board(board("image"))
    view.set_picks([("at", Pick.HOVER, "", "")])
    heard: list[tuple[str, Any]] = []
    view.picked.connect(lambda name, value: heard.append((name, value)))
    for x in range(10, 150):
        hover(view.canvas("image"), x + 0.5, 50.5)
    qtbot.waitUntil(lambda: bool(heard) and heard[-1][1].x == pytest.approx(149.5, abs=0.01))
    assert len(heard) < 30


def test_a_view_that_draws_what_is_hovered_does_not_ask_itself(
    qtbot: QtBot, view: BoardView
) -> None:
    view.set_board(board("image"))
    view.set_picks([("at", Pick.HOVER, "", "")])
    told: list[object] = []

    def redraw(name: str, value: object) -> None:
        told.append(value)
        view.set_board(board("image"))

    view.picked.connect(redraw)
    hover(view.canvas("image"), 50, 50)
    qtbot.waitUntil(lambda: bool(told))
    view.set_board(board("image"))
    assert not view._tick.isActive()  # private: that nothing is about to be told has no other sign
    assert len(told) == 1


def test_values_are_shown_and_edited(qtbot: QtBot, view: BoardView) -> None:
    view.set_board(board("image"))
    picks = [("region", Pick.DRAG, "", "")]
    view.set_picks(picks, {"region": Box(40, 20, 100, 60)})
    with qtbot.waitSignal(view.picked, check_params_cb=lambda _, box: box == Box(60, 30, 120, 70)):
        drag(view.canvas("image"), (70, 40), (90, 50))
    view.set_pick_values({"region": None})
    plain = view.canvas("image").viewport().grab().toImage()
    view.set_pick_values({"region": Box(40, 20, 100, 60), "unknown": Point(1, 1)})
    assert view.canvas("image").viewport().grab().toImage() != plain


def test_a_click_follows_the_link_of_a_pane(qtbot: QtBot, view: BoardView) -> None:
    link = Link("maps", {"channel": 3}, "Open channel 3")
    view.set_board(Board((replace(pane("tile"), link=link), pane("image"))))
    tile = view.canvas("tile")
    with qtbot.waitSignal(view.link_followed) as told:
        click(tile, 20, 20)
    assert told.args == [link]
    hover(tile, 20, 20)
    assert tile.viewport().cursor().shape() is Qt.CursorShape.PointingHandCursor
    assert tile.toolTip() == "Open channel 3"
    with qtbot.waitSignal(view.link_followed):
        QTest.keyClick(tile, Qt.Key.Key_Return)
    with qtbot.assertNotEmitted(view.link_followed):
        drag(tile, (20, 20), (60, 60))
        click(view.canvas("image"), 20, 20)
        view.set_mode(Mode.BOX)
        click(tile, 20, 20)


# -- selection -----------------------------------------------------------------------------------


def test_a_click_with_ctrl_adds_the_key_of_a_box_or_takes_it_away(
    qtbot: QtBot, view: BoardView
) -> None:
    ctrl = Qt.KeyboardModifier.ControlModifier
    view.set_board(Board((pane("image", picture(), boxes()),)))
    view.set_picks([PickSpec("some", Pick.COLLECT, "", "boxes", most=2)], {"some": ("9",)})
    heard: list[Any] = []
    view.picked.connect(lambda name, value: heard.append((name, value)))
    with qtbot.assertNotEmitted(view.selection_changed):
        click(view.canvas("image"), 130, 50, ctrl)
    assert heard == [("some", ("9", "5"))]
    view.set_pick_values({"some": ("5",)})
    click(view.canvas("image"), 130, 50, ctrl)
    assert heard[-1] == ("some", ())
    view.set_pick_values({"some": ("8", "9")})
    click(view.canvas("image"), 130, 50, ctrl)
    assert len(heard) == 2, "no more than two"
    view.set_picks([])
    with qtbot.waitSignal(view.selection_changed) as told:
        click(view.canvas("image"), 130, 50, ctrl)
    assert told.args == [("boxes", 5)], "where nothing collects it is a click as any other"


def test_selection_is_told_and_taken(qtbot: QtBot, view: BoardView) -> None:
    view.set_board(Board((pane("image", picture(), boxes()),)))
    view.set_picks([("which", Pick.SELECT, "", "boxes"), ("other", Pick.SELECT, "", "else")])
    heard: list[Any] = []
    view.picked.connect(lambda name, value: heard.append((name, value)))
    with qtbot.waitSignal(view.selection_changed) as told:
        click(view.canvas("image"), 130, 50)
    assert told.args == [("boxes", 5)]
    assert heard == [("which", 5)]
    with qtbot.assertNotEmitted(view.selection_changed):
        view.set_selection(("boxes", 4))
    assert view.selection == ("boxes", 4)
    assert heard[-1] == ("which", 4)
    with qtbot.waitSignal(view.selection_changed) as told:
        click(view.canvas("image"), 199, 99)
    assert told.args == [None]


def test_a_click_beside_the_boxes_of_one_pane_leaves_another_ones_choice(
    view: BoardView,
) -> None:
    view.set_board(
        Board((pane("image", picture()), pane("maps", picture(), boxes("maps"), frame="maps")))
    )
    view.set_selection(("maps", 4))
    click(view.canvas("image"), 190, 95)
    assert view.selection == ("maps", 4)
    click(view.canvas("maps"), 190, 95)
    assert view.selection is None


def test_selection_survives_a_redraw(view: BoardView) -> None:
    view.set_board(Board((pane("image", picture(), boxes()),)))
    view.set_selection(("boxes", 5))
    view.set_board(Board((pane("image", picture(), boxes()),)))
    (item,) = [i for i in view.canvas("image").items_of_layers if isinstance(i.layer, Boxes)]
    assert item.selected == 5  # type: ignore[attr-defined]


# -- state ---------------------------------------------------------------------------------------


def test_view_state_is_plain_and_comes_back(qtbot: QtBot, view: BoardView) -> None:
    view.set_board(board("image"))
    view.canvas("image").set_viewpoint(Viewpoint(30, 40, 6.0))
    view.set_overlays_visible(False)
    state = json.loads(json.dumps(view.view_state()))
    other = BoardView()
    qtbot.addWidget(other)
    other.restore_view_state(state)
    other.set_board(board("image"))
    assert other.canvas("image").viewpoint == Viewpoint(30, 40, 6.0)
    assert not other.canvas("image").overlays_visible


@pytest.mark.parametrize(
    "state",
    [
        None, [], {"views": 3}, {"views": {"image": [1, 2]}}, {"wipe": "x", "overlays": 1},
        {"views": {"image": [200, 100, float("nan"), 0, 1, False]}},
        {"views": {"image": [200, 100, 1, 10**400, 1, False]}},
        {"views": {"image": [200, 100, 1, 1, -3, False]}},
        {"views": {"image": [200, 100, "a", 1, 3, False]}},
    ],
)  # fmt: skip
def test_broken_state_is_ignored(view: BoardView, state: object) -> None:
    view.set_board(board("image"))
    before = view.canvas("image").viewpoint
    view.restore_view_state(state)
    assert view.canvas("image").viewpoint == before


def test_grab_is_what_is_on_the_screen(view: BoardView) -> None:
    view.set_board(Board((pane("image", picture((10, 200, 30))),)))
    rgb = view.grab_rgb()
    assert rgb.shape == (500, 900, 3)
    assert rgb[260, 450].tolist() == [10, 200, 30]


def test_the_right_side_of_a_wipe_covers_nothing_of_the_left_one(view: BoardView) -> None:
    view.set_board(board("image"))
    view.set_reference(board("image"), "wipe")
    canvas = view.canvas("image")
    divider = view.cell("image").width() // 2
    for widget in (canvas, canvas.viewport()):
        seen = widget.mask().boundingRect().translated(widget.mapTo(view.cell("image"), QPoint()))
        assert seen.left() == divider
    view.set_reference(board("image"), "split")
    assert canvas.viewport().mask().isEmpty()


def test_a_long_title_of_a_pane_ends_in_an_ellipsis(qtbot: QtBot) -> None:
    view = BoardView()
    qtbot.addWidget(view)
    view.resize(300, 200)
    view.show()
    qtbot.waitExposed(view)
    title = "Feature maps of layer4.2.conv3 over the photo, on one scale for all of them"
    view.set_board(Board((Pane("image", (40, 30), (), title=title),)))
    caption = view.canvas("image")._caption
    qtbot.waitUntil(lambda: caption.text().endswith("…"))
    assert title.startswith(caption.text().rstrip("…"))
    assert caption.toolTip() == title
    view.resize(1200, 200)
    qtbot.waitUntil(lambda: caption.text() == title)
    assert caption.toolTip() == ""


def test_the_zoom_gives_way_to_the_title(qtbot: QtBot) -> None:
    view = BoardView()
    qtbot.addWidget(view)
    view.resize(600, 200)
    view.show()
    qtbot.waitExposed(view)
    title = "Feature maps of layer4.2.conv3"
    view.set_board(Board((Pane("image", (40, 30), (), title=title),)))
    canvas = view.canvas("image")
    caption, zoom = canvas._caption, canvas._zoom_words
    qtbot.waitUntil(lambda: caption.width() > 400)
    assert zoom.isVisible()
    assert caption.geometry().right() < zoom.geometry().left()
    view.resize(round(caption.width_of(title, 0.8)) + 36, 200)
    qtbot.waitUntil(zoom.isHidden)
    assert caption.text() == title
    assert QFontMetrics(caption.letters).horizontalAdvance(title) <= caption.width()
