"""The canvas under real mouse, wheel and key events."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from PySide6.QtCore import QEvent, QPoint, QPointF, Qt
from PySide6.QtGui import (
    QColor,
    QImage,
    QMouseEvent,
    QNativeGestureEvent,
    QPalette,
    QPointingDevice,
    QWheelEvent,
)
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from explorer.core.layers import Boxes, Heat, Masks, Pane, Picture, Text
from explorer.core.params import Box, Point
from explorer.ui.board.canvas import Canvas, Mode
from explorer.ui.board.handles import handle_at, moved, spanned
from explorer.ui.board.pan_zoom import MAX_SCALE, Viewpoint
from explorer.ui.board.readout import number, readout

LEFT, MIDDLE = Qt.MouseButton.LeftButton, Qt.MouseButton.MiddleButton


def photo(width: int = 200, height: int = 100) -> Picture:
    return Picture(np.full((height, width, 3), 90, np.uint8))


def some_boxes(**rest: Any) -> Boxes:
    xyxy = np.array([[10, 10, 90, 90], [30, 30, 60, 60], [120, 20, 180, 80]], np.float32)
    return Boxes(xyxy, np.full((3, 3), 200, np.uint8), keys=(7, 8, 9), **rest)


def pane(
    *layers: Any, name: str = "image", size: tuple[float, float] = (200, 100), **rest: Any
) -> Pane:
    return Pane(name, size, layers or (photo(),), **rest)


class Heard:
    """Every signal of a canvas, in order."""

    def __init__(self, canvas: Canvas) -> None:
        self.all: list[tuple[str, Any]] = []
        for name in ("hovered", "clicked", "box_drawn", "box_dragged", "box_selected", "status"):
            getattr(canvas, name).connect(lambda value, name=name: self.all.append((name, value)))

    def of(self, name: str) -> list[Any]:
        return [value for said, value in self.all if said == name]


@pytest.fixture
def canvas(qtbot: QtBot) -> Iterator[Canvas]:
    canvas = Canvas()
    qtbot.addWidget(canvas)
    canvas.resize(500, 324)
    with qtbot.waitExposed(canvas):
        canvas.show()
    canvas.set_pane(pane())
    canvas.set_viewpoint(Viewpoint(100, 50, 2.0))
    return canvas


def mouse(
    canvas: Canvas, kind: QEvent.Type, spot: QPointF, button: Any = LEFT, **rest: Any
) -> None:
    held = Qt.MouseButton.NoButton if kind is QEvent.Type.MouseButtonRelease else button
    if kind is QEvent.Type.MouseMove:
        held, button = rest.get("held", held), Qt.MouseButton.NoButton
    modifiers = Qt.KeyboardModifier.NoModifier
    where = canvas.viewport().mapToGlobal(spot)
    QApplication.sendEvent(
        canvas.viewport(), QMouseEvent(kind, spot, where, button, held, modifiers)
    )


def drag(
    canvas: Canvas, start: tuple[float, float], end: tuple[float, float], button: Any = LEFT
) -> None:
    """From one pane position to another, in two moves."""
    a, b = canvas.from_pane(*start), canvas.from_pane(*end)
    mouse(canvas, QEvent.Type.MouseButtonPress, a, button)
    mouse(canvas, QEvent.Type.MouseMove, (a + b) / 2, held=button)
    mouse(canvas, QEvent.Type.MouseMove, b, held=button)
    mouse(canvas, QEvent.Type.MouseButtonRelease, b, button)


def click(canvas: Canvas, x: float, y: float) -> None:
    spot = canvas.from_pane(x, y)
    mouse(canvas, QEvent.Type.MouseButtonPress, spot)
    mouse(canvas, QEvent.Type.MouseButtonRelease, spot)


def hover(canvas: Canvas, x: float, y: float) -> None:
    mouse(canvas, QEvent.Type.MouseMove, canvas.from_pane(x, y), held=Qt.MouseButton.NoButton)


def wheel(canvas: Canvas, x: float, y: float, turns: float) -> None:
    spot = canvas.from_pane(x, y)
    none, phase = Qt.MouseButton.NoButton, Qt.ScrollPhase.NoScrollPhase
    there, turn = canvas.viewport().mapToGlobal(spot), QPoint(0, round(120 * turns))
    keys = Qt.KeyboardModifier.NoModifier
    event = QWheelEvent(spot, there, QPoint(), turn, none, keys, phase, False)
    QApplication.sendEvent(canvas.viewport(), event)


# -- the camera ---------------------------------------------------------------------------------


@pytest.mark.parametrize("scale", [0.013, 0.5, 1.0, 7.77, 200.0])
def test_positions_round_trip(canvas: Canvas, scale: float) -> None:
    canvas.set_viewpoint(Viewpoint(33.3, 66.6, scale))
    for x, y in ((0.0, 0.0), (12.25, 99.75), (200.0, 100.0)):
        back = canvas.to_pane(canvas.from_pane(x, y))
        assert (back.x(), back.y()) == pytest.approx((x, y), abs=1e-6)


def test_a_new_pane_fits(canvas: Canvas) -> None:
    canvas.set_pane(pane(name="other", size=(1000, 1000)))
    corner = canvas.from_pane(1000, 1000)
    assert canvas.viewpoint.fit
    assert 0 < corner.y() <= canvas.viewport().height()


def test_zoom_stays_for_the_same_name_and_size(canvas: Canvas) -> None:
    before = canvas.viewpoint
    canvas.set_pane(pane(photo()))
    assert canvas.viewpoint == before
    canvas.set_pane(pane(photo(201), size=(201, 100)))
    assert canvas.viewpoint.fit


def test_fitted_stays_fitted_on_resize(canvas: Canvas) -> None:
    canvas.fit()
    scale = canvas.viewpoint.scale
    canvas.resize(900, 600)
    assert canvas.viewpoint.scale > scale
    canvas.set_viewpoint(Viewpoint(10, 10, 3.0))
    canvas.resize(500, 324)
    assert canvas.viewpoint == Viewpoint(10, 10, 3.0)


@pytest.mark.parametrize("turns", [3.0, -2.0, 0.25])
def test_wheel_keeps_the_point_under_the_mouse(qtbot: QtBot, canvas: Canvas, turns: float) -> None:
    spot = canvas.from_pane(60.5, 70.25)
    goal = 2.0 * 1.25**turns
    wheel(canvas, 60.5, 70.25, turns)
    qtbot.waitUntil(lambda: abs(canvas.viewpoint.scale - goal) < 1e-6)
    there = canvas.to_pane(spot)
    # On whole device pixels: off by half a pixel at most, however often one turns.
    assert abs(there.x() - 60.5) <= 0.51 / goal
    assert abs(there.y() - 70.25) <= 0.51 / goal


def test_pinching_zooms(canvas: Canvas) -> None:
    spot = canvas.from_pane(60.5, 70.25)
    zoom, device = Qt.NativeGestureType.ZoomNativeGesture, QPointingDevice.primaryPointingDevice()
    there = canvas.viewport().mapToGlobal(spot)
    event = QNativeGestureEvent(zoom, device, 2, spot, spot, there, 0.5, QPointF())
    QApplication.sendEvent(canvas.viewport(), event)
    assert canvas.viewpoint.scale == pytest.approx(3.0)
    assert canvas.to_pane(spot).x() == pytest.approx(60.5, abs=0.2)


def test_quick_turns_add_up(qtbot: QtBot, canvas: Canvas) -> None:
    for _ in range(4):
        wheel(canvas, 100, 50, 1)
    qtbot.waitUntil(lambda: abs(canvas.viewpoint.scale - 2.0 * 1.25**4) < 1e-6)


def test_zoom_has_bounds(qtbot: QtBot, canvas: Canvas) -> None:
    wheel(canvas, 100, 50, 100)
    qtbot.waitUntil(lambda: canvas.viewpoint.scale == pytest.approx(MAX_SCALE))
    wheel(canvas, 100, 50, -300)
    qtbot.waitUntil(lambda: canvas.viewpoint.scale < 0.2)
    assert canvas.viewpoint.scale > 0


def test_slots(qtbot: QtBot, canvas: Canvas) -> None:
    canvas.actual_size()
    qtbot.waitUntil(lambda: canvas.viewpoint.scale == pytest.approx(1.0))
    canvas.zoom_in()
    qtbot.waitUntil(lambda: canvas.viewpoint.scale > 1.5)
    canvas.zoom_out()
    qtbot.waitUntil(lambda: canvas.viewpoint.scale == pytest.approx(1.0))
    canvas.fit()
    assert canvas.viewpoint.fit


@pytest.mark.parametrize("button", [LEFT, MIDDLE])
def test_dragging_pans(canvas: Canvas, button: Any) -> None:
    heard = Heard(canvas)
    drag(canvas, (100, 50), (80, 45), button)
    assert (canvas.viewpoint.x, canvas.viewpoint.y) == pytest.approx((120, 55), abs=0.01)
    assert not heard.of("clicked")


def test_space_pans_in_every_mode(qtbot: QtBot, canvas: Canvas) -> None:
    canvas.set_mode(Mode.BOX)
    heard = Heard(canvas)
    qtbot.keyPress(canvas, Qt.Key.Key_Space)
    drag(canvas, (100, 50), (80, 45))
    qtbot.keyRelease(canvas, Qt.Key.Key_Space)
    assert canvas.viewpoint.x == pytest.approx(120, abs=0.01)
    assert not heard.of("box_drawn")


def test_the_pane_cannot_be_lost(canvas: Canvas) -> None:
    canvas.pan_by(1e6, -1e6)
    assert (canvas.viewpoint.x, canvas.viewpoint.y) == (0, 100)


def test_double_click_fits(canvas: Canvas) -> None:
    mouse(canvas, QEvent.Type.MouseButtonDblClick, canvas.from_pane(20, 20))
    assert canvas.viewpoint.fit


def test_twice_as_fine_a_screen_shows_the_same_place(canvas: Canvas) -> None:
    rgb = np.zeros((100, 200, 3), np.uint8)
    rgb[40, 60] = (255, 0, 0)
    many = Boxes(
        np.tile(np.float32([[20, 20, 30, 30]]), (600, 1)),
        np.tile(np.uint8([[0, 255, 0]]), (600, 1)),
    )
    canvas.set_pane(pane(Picture(rgb), many))
    canvas.set_viewpoint(Viewpoint(100, 50, 2.0))
    image = QImage(canvas.viewport().size() * 2, QImage.Format.Format_RGB32)
    image.setDevicePixelRatio(2.0)
    canvas.viewport().render(image)
    spot = canvas.from_pane(60.5, 40.5) * 2
    assert QColor(image.pixel(spot.toPoint())) == QColor(255, 0, 0)
    edge = canvas.from_pane(25, 20) * 2
    column = [
        QColor(image.pixel(int(edge.x()), int(edge.y()) + dy)).green() for dy in (-2, -1, 0, 1)
    ]
    assert max(column) == 255


def test_lines_are_as_wide_to_the_eye_on_a_fine_screen(canvas: Canvas) -> None:
    few = Boxes(np.array([[20, 20, 180, 80]], np.float32), np.array([[0, 255, 0]], np.uint8))
    canvas.set_pane(pane(photo(), few))
    canvas.set_viewpoint(Viewpoint(100, 50, 2.0))
    widths = []
    for ratio in (1, 2):
        image = QImage(canvas.viewport().size() * ratio, QImage.Format.Format_RGB32)
        image.setDevicePixelRatio(ratio)
        canvas.viewport().render(image)
        spot = (canvas.from_pane(100, 20) * ratio).toPoint()
        column = [QColor(image.pixel(spot.x(), spot.y() + dy)) for dy in range(-12, 12)]
        widths.append(sum(color == QColor(0, 255, 0) for color in column))
    assert widths == [2, 4]


# -- layers --------------------------------------------------------------------------------------


def test_the_identical_layer_keeps_its_item(canvas: Canvas) -> None:
    base, boxes = photo(), some_boxes()
    canvas.set_pane(pane(base, boxes))
    before = canvas.items_of_layers
    other = some_boxes()
    canvas.set_pane(pane(base, other))
    after = canvas.items_of_layers
    assert after[0] is before[0]
    assert after[1] is not before[1]
    assert [item.layer for item in after] == [base, other]
    assert len(canvas.scene().items()) == 2


def test_one_layer_twice_and_reordered(canvas: Canvas) -> None:
    base, boxes = photo(), some_boxes()
    canvas.set_pane(pane(base, boxes, base))
    assert len(canvas.scene().items()) == 3
    canvas.set_pane(pane(boxes, base))
    assert [item.layer for item in canvas.items_of_layers] == [boxes, base]
    assert [item.zValue() for item in canvas.items_of_layers] == [0, 1]


def test_overlays_can_be_hidden(canvas: Canvas) -> None:
    heat = Heat(np.ones((4, 4), np.float32), 0, 1)
    canvas.set_pane(pane(photo(), heat, some_boxes()))
    canvas.set_overlays_visible(False)
    assert [item.isVisible() for item in canvas.items_of_layers] == [True, False, False]
    canvas.set_pane(pane(heat, some_boxes()))
    assert [item.isVisible() for item in canvas.items_of_layers] == [True, False]
    canvas.set_overlays_visible(True)
    assert all(item.isVisible() for item in canvas.items_of_layers)


def test_no_pane(canvas: Canvas) -> None:
    heard = Heard(canvas)
    canvas.set_pane(None)
    click(canvas, 5, 5)
    drag(canvas, (1, 1), (9, 9))
    canvas.grab()
    assert not heard.of("clicked")
    assert not canvas.items_of_layers


def test_pixels_are_numbered_when_very_far_in(canvas: Canvas) -> None:
    far, near = 60.0, 30.0
    seen = []
    for scale in (near, far):
        canvas.set_viewpoint(Viewpoint(100, 50, scale))
        image = canvas.viewport().grab().toImage()
        seen.append({image.pixel(x, y) for x in range(100, 160) for y in range(100, 160)})
    assert len(seen[0]) == 1
    assert len(seen[1]) > 3


# -- pointing ------------------------------------------------------------------------------------


def test_click_gives_the_point(canvas: Canvas) -> None:
    heard = Heard(canvas)
    click(canvas, 12.5, 34.5)
    (point,) = heard.of("clicked")
    assert (point.x, point.y) == pytest.approx((12.5, 34.5), abs=0.01)
    click(canvas, -4, 20)
    assert len(heard.of("clicked")) == 1


def test_hover_and_status(canvas: Canvas) -> None:
    heard = Heard(canvas)
    hover(canvas, 50.5, 20.5)
    hover(canvas, -5, 20)
    hover(canvas, -6, 20)
    assert isinstance(heard.of("hovered")[0], Point)
    assert heard.of("hovered")[1:] == [None]
    assert heard.of("status") == ["x 50  y 20   rgb 90 90 90", ""]


def test_leaving_ends_the_hover(canvas: Canvas) -> None:
    heard = Heard(canvas)
    hover(canvas, 50, 20)
    QApplication.sendEvent(canvas, QEvent(QEvent.Type.Leave))
    assert heard.of("hovered")[-1] is None


def test_a_new_board_under_a_still_mouse_renews_the_words_only(canvas: Canvas) -> None:
    hover(canvas, 50.5, 20.5)
    heard = Heard(canvas)
    canvas.set_pane(pane(Picture(np.zeros((100, 200, 3), np.uint8))))
    assert heard.all == [("status", "x 50  y 20   rgb 0 0 0")]


def test_the_panes_own_words() -> None:
    words = readout(pane(readout=lambda x, y: f"channel {x:.0f}"), 3.2, 4.9)
    assert words == "x 3  y 4   channel 3"


def test_words_of_the_topmost_arrays() -> None:
    heat = Heat(
        np.full((10, 20), 0.5, np.float32), 0, 1, extent=(0, 0, 200, 100), unit="p", name="score"
    )
    masks = Masks(np.zeros((100, 200), np.int32), np.zeros((1, 3), np.uint8), ("cat",))
    shown = pane(photo(), heat, masks)
    assert readout(shown, 0, 0) == "x 0  y 0   cat   score 0.5 p   rgb 90 90 90"
    assert readout(shown, 200, 0) == ""
    assert number(float("nan")) == "NaN"
    assert number(-0.00012345) == "-1.23e-04"


def test_click_selects_the_smallest_box_then_the_next(canvas: Canvas) -> None:
    canvas.set_pane(pane(photo(), some_boxes()))
    heard = Heard(canvas)
    for _ in range(3):
        click(canvas, 45, 45)
        canvas.set_selected(heard.of("box_selected")[-1])
    assert heard.of("box_selected") == [("boxes", 8), ("boxes", 7), ("boxes", 8)]
    click(canvas, 199, 99)
    assert heard.of("box_selected")[-1] is None


def test_boxes_that_cannot_be_selected(canvas: Canvas) -> None:
    canvas.set_pane(pane(photo(), some_boxes(selectable=False)))
    heard = Heard(canvas)
    click(canvas, 45, 45)
    assert not heard.of("box_selected")
    assert len(heard.of("clicked")) == 1


# -- boxes ---------------------------------------------------------------------------------------


def test_drawing_a_box(canvas: Canvas) -> None:
    canvas.set_mode(Mode.BOX)
    heard = Heard(canvas)
    drag(canvas, (60, 70), (20, 30))
    (box,) = heard.of("box_drawn")
    assert (box.x0, box.y0, box.x1, box.y1) == pytest.approx((20, 30, 60, 70), abs=0.01)
    drag(canvas, (150, 50), (400, -50))
    assert (heard.of("box_drawn")[-1].x1, heard.of("box_drawn")[-1].y0) == (200, 0)


def test_escape_gives_up_a_box(qtbot: QtBot, canvas: Canvas) -> None:
    canvas.set_mode(Mode.BOX)
    heard = Heard(canvas)
    mouse(canvas, QEvent.Type.MouseButtonPress, canvas.from_pane(20, 20))
    mouse(canvas, QEvent.Type.MouseMove, canvas.from_pane(60, 60), held=LEFT)
    qtbot.keyClick(canvas, Qt.Key.Key_Escape)
    mouse(canvas, QEvent.Type.MouseButtonRelease, canvas.from_pane(60, 60))
    assert not heard.of("box_drawn")


def test_handles_move_and_resize(canvas: Canvas) -> None:
    heard = Heard(canvas)
    canvas.set_box(Box(40, 20, 100, 60))
    drag(canvas, (70, 40), (80, 50))
    assert heard.of("box_drawn")[-1] == Box(50, 30, 110, 70)
    drag(canvas, (110, 70), (130, 80))
    assert heard.of("box_drawn")[-1] == Box(50, 30, 130, 80)
    drag(canvas, (50, 55), (40, 55))
    assert heard.of("box_drawn")[-1] == Box(40, 30, 130, 80)
    assert heard.of("box_dragged")


def test_arrows_nudge_the_box_and_are_the_windows_otherwise(qtbot: QtBot, canvas: Canvas) -> None:
    heard = Heard(canvas)
    canvas.set_box(Box(40, 20, 100, 60), 0.25)
    qtbot.keyClick(canvas, Qt.Key.Key_Right)
    qtbot.keyClick(canvas, Qt.Key.Key_Up, Qt.KeyboardModifier.ShiftModifier)
    qtbot.keyClick(canvas, Qt.Key.Key_Down, Qt.KeyboardModifier.ControlModifier)
    assert heard.of("box_drawn") == [
        Box(40.25, 20, 100.25, 60),
        Box(40.25, 17.5, 100.25, 57.5),
        Box(40.25, 17.5, 100.25, 57.75),
    ]
    qtbot.keyClick(canvas, Qt.Key.Key_Delete)
    assert heard.of("box_drawn")[-1] is None
    view = canvas.viewpoint
    qtbot.keyClick(canvas, Qt.Key.Key_Right)
    assert len(heard.of("box_drawn")) == 4
    assert canvas.viewpoint == view


def test_arrows_go_from_tile_to_tile_of_a_mosaic(qtbot: QtBot, canvas: Canvas) -> None:
    heard = Heard(canvas)
    xyxy = np.array([[0, 0, 40, 40], [40, 0, 80, 40], [0, 40, 40, 80]], np.float32)
    tiles = Boxes(xyxy, np.full((3, 3), 90, np.uint8), keys=(5, 3, 8), name="tiles")
    canvas.set_pane(pane(tiles, name="mosaic", size=(80, 80), frame="mosaic"))
    canvas.set_mode(Mode.POINT)
    qtbot.keyClick(canvas, Qt.Key.Key_Right)
    assert not heard.of("box_selected"), "nothing is selected yet: the key is the window's"
    canvas.set_selected(("tiles", 5))
    qtbot.keyClick(canvas, Qt.Key.Key_Right)
    qtbot.keyClick(canvas, Qt.Key.Key_Down)
    assert heard.of("box_selected") == [("tiles", 3), ("tiles", 8)]
    qtbot.keyClick(canvas, Qt.Key.Key_Left)
    assert len(heard.of("box_selected")) == 2, "there is none"
    canvas.set_pane(pane(photo(), tiles))
    canvas.set_selected(("tiles", 5))
    qtbot.keyClick(canvas, Qt.Key.Key_Right)
    assert len(heard.of("box_selected")) == 2, "boxes on a photo are left alone"


def test_keyboard_places_points_and_boxes(qtbot: QtBot, canvas: Canvas) -> None:
    heard = Heard(canvas)
    canvas.set_mode(Mode.POINT)
    qtbot.keyClick(canvas, Qt.Key.Key_Return)
    qtbot.keyClick(canvas, Qt.Key.Key_Left)
    assert heard.of("clicked") == [Point(100, 50), Point(99, 50)]
    canvas.set_mode(Mode.BOX)
    qtbot.keyClick(canvas, Qt.Key.Key_Return)
    assert isinstance(heard.of("box_drawn")[0], Box)


def test_handle_geometry() -> None:
    box = Box(10, 20, 50, 60)
    assert handle_at(box, 10, 20, 2) == "lt"
    assert handle_at(box, 50, 33, 2) == "r"
    assert handle_at(box, 30, 33, 2) == "move"
    assert handle_at(box, 5, 5, 2) is None
    assert moved(box, "l", 60, 0, (100, 100)) == Box(50, 20, 70, 60)  # turned over
    assert moved(box, "move", 1e9, -1e9, (100, 100)) == Box(60, 0, 100, 40)
    assert spanned((-5, 5), (200, 1), (100, 100)) == Box(0, 1, 100, 5)


def test_another_thread_is_refused(canvas: Canvas) -> None:
    import threading

    caught: list[BaseException] = []

    def touch() -> None:
        try:
            canvas.set_pane(None)
        except RuntimeError as error:
            caught.append(error)

    thread = threading.Thread(target=touch)
    thread.start()
    thread.join()
    assert len(caught) == 1


def test_a_drawn_box_can_be_read_in_a_script() -> None:
    box = spanned((0.1 + 0.2, 7 / 3), (238.07500000000002, 9.0), (640.0, 480.0))
    assert box == Box(0.3, 2.333, 238.075, 9.0)
    assert moved(box, "move", 1 / 3, 0.0, (640.0, 480.0)) == Box(0.633, 2.333, 238.408, 9.0)


def test_a_drawing_lies_on_the_ground_of_the_theme(canvas: Canvas) -> None:
    """Between its layers; a photo that covers its pane, and one that does not, have another."""
    palette = canvas.palette()
    for base in (QColor("#ffffff"), QColor("#17191d")):
        palette.setColor(QPalette.ColorRole.Base, base)
        canvas.setPalette(palette)
        canvas.set_pane(pane(some_boxes(), name="graph", drawing=True))
        middle = canvas.grab().toImage().pixelColor(canvas.width() // 2, canvas.height() // 2)
        assert middle == base


def test_words_without_a_color_have_that_of_the_theme(canvas: Canvas) -> None:
    before = QApplication.palette()
    words = Text("WWW", (20.0, 20.0), color=None, plate=False, size=20.0)
    try:
        for ink in (QColor("#112233"), QColor("#ddeeff")):
            palette = QPalette(before)
            palette.setColor(QPalette.ColorRole.Text, ink)
            QApplication.setPalette(palette)
            canvas.set_pane(pane(words, name="graph", drawing=True))
            image = canvas.grab().toImage()
            places = ((x, y) for x in range(image.width()) for y in range(image.height()))
            assert any(image.pixelColor(x, y) == ink for x, y in places)
    finally:
        QApplication.setPalette(before)
