"""Painting a mask and placing points on the canvas, by mouse and by keys."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot

from explorer.core.color_sets import choose_color_set
from explorer.core.colormaps import class_colors
from explorer.core.layers import Board, Pane, Picture
from explorer.core.params import Mask, Pick, Point
from explorer.ui.board import marked_canvas
from explorer.ui.board.board import BoardView
from explorer.ui.board.brush import LARGEST, OPACITY, SMALLEST, Brush, BrushMarks, paint
from explorer.ui.board.canvas import Canvas, Mode
from explorer.ui.form.picks import PickSpec
from tests.toys import toy_image

LEFT = Qt.MouseButton.LeftButton
WIDTH, HEIGHT = 200, 100


def discs(start: tuple[float, float], end: tuple[float, float], radius: float) -> np.ndarray:
    """Where a disc comes on its way, asked for every pixel and many places of the disc."""
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH] + 0.5
    reached = np.zeros((HEIGHT, WIDTH), bool)
    for share in np.linspace(0, 1, 400):
        at = [a + share * (b - a) for a, b in zip(start, end, strict=True)]
        reached |= (x - at[0]) ** 2 + (y - at[1]) ** 2 <= radius**2
    return reached


@pytest.mark.parametrize(
    ("start", "end", "radius"),
    [
        ((50, 50), (50, 50), 10), ((20, 30), (150, 70), 8), ((-5, -5), (30, 40), 12),
        ((190, 90), (230, 130), 15), ((100, 50), (100, 51), 1), ((-90, -90), (-80, -80), 5),
    ],
)  # fmt: skip
def test_a_stroke_is_a_disc_that_moves(start: Any, end: Any, radius: float) -> None:
    index = np.zeros((HEIGHT, WIDTH), np.uint8)
    rows, columns = paint(index, start, end, Brush(radius, label=3))
    wanted = discs(start, end, radius)
    assert ((index == 3) != wanted).sum() <= 6, "but for pixels on the very edge"
    outside = index.copy()
    outside[rows, columns] = 0
    assert not outside.any(), "what has changed is within what is said"
    paint(index, start, end, Brush(radius, erase=True))
    assert not index.any()


def test_the_brush_grows_and_shrinks_within_its_ends() -> None:
    assert Brush(16.0).larger(1).radius == 20.0
    assert Brush(16.0, 2, erase=True).larger(-1) == Brush(12.8, 2, erase=True)
    assert Brush().larger(99).radius == LARGEST
    assert Brush().larger(-99).radius == SMALLEST


def test_a_cancelled_stroke_leaves_the_mask_as_it_was() -> None:
    marks = BrushMarks()
    assert not marks.begin((WIDTH, HEIGHT)), "no mask is wanted here"
    marks.set(None, wanted=True)
    assert marks.begin((WIDTH, HEIGHT))
    marks.stroke((10, 10), (20, 20))
    first = marks.end()
    assert first is not None
    assert marks.begin((WIDTH, HEIGHT))
    marks.stroke((50, 50), (90, 50))
    marks.set(None, wanted=True)  # a late answer
    assert marks.painting
    assert marks.end(cancel=True) == first
    assert not marks.begin((WIDTH + 1, HEIGHT)), "it is of another photo"
    marks.brush = Brush(400.0, erase=True)
    marks.begin((WIDTH, HEIGHT))
    marks.stroke((0, 0), (0, 0))
    assert marks.end() is None, "nothing is painted any more"


class Heard:
    def __init__(self, canvas: Canvas) -> None:
        self.masks: list[tuple[Mask | None, bool]] = []
        self.points: list[tuple[tuple[Point, ...], bool]] = []
        self.brushes: list[Brush] = []
        canvas.mask_painted.connect(lambda mask, done: self.masks.append((mask, done)))
        canvas.points_edited.connect(lambda points, done: self.points.append((points, done)))
        canvas.brush_changed.connect(self.brushes.append)


@pytest.fixture
def canvas(qtbot: QtBot) -> Canvas:
    made = Canvas()
    qtbot.addWidget(made)
    made.resize(2 * WIDTH + 40, 2 * HEIGHT + 80)
    made.set_pane(Pane("image", (WIDTH, HEIGHT), (Picture(toy_image(HEIGHT, WIDTH).pixels),)))
    made.show()
    qtbot.waitExposed(made)
    return made


def at(canvas: Canvas, x: float, y: float) -> QPoint:
    view, port = canvas.viewpoint, canvas.viewport()
    middle = port.width() / 2, port.height() / 2
    return QPoint(
        round(middle[0] + (x - view.x) * view.scale), round(middle[1] + (y - view.y) * view.scale)
    )


def drag(canvas: Canvas, *places: tuple[float, float], release: bool = True) -> None:
    port = canvas.viewport()
    QTest.mousePress(port, LEFT, pos=at(canvas, *places[0]))
    for place in places[1:]:
        QTest.mouseMove(port, at(canvas, *place))
    if release:
        QTest.mouseRelease(port, LEFT, pos=at(canvas, *places[-1]))


def test_a_drag_paints_and_says_so_at_its_end(canvas: Canvas) -> None:
    heard = Heard(canvas)
    canvas.set_mode(Mode.PAINT)
    canvas.set_mask(None, wanted=True)
    canvas.set_brush(Brush(8.0))
    drag(canvas, (40, 50), (80, 50), (120, 50), release=False)
    assert canvas.dragging
    QTest.mouseRelease(canvas.viewport(), LEFT, pos=at(canvas, 120, 50))
    mask, done = heard.masks[-1]
    assert done
    assert mask is not None
    index = mask.index()
    assert index[50, 60] == 1
    assert index[50, 100] == 1
    assert index[70, 80] == 0
    assert abs(int(index.sum()) - 80 * 16 - 201) < 60
    shown = canvas.grab().toImage()
    place = canvas.viewport().mapTo(canvas, at(canvas, 80, 50))
    beside = canvas.viewport().mapTo(canvas, at(canvas, 80, 80))
    assert shown.pixelColor(place) != shown.pixelColor(beside)


def test_a_long_stroke_says_what_is_painted_so_far(
    canvas: Canvas, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard = Heard(canvas)
    canvas.set_mode(Mode.PAINT)
    canvas.set_mask(None, wanted=True)
    monkeypatch.setattr(marked_canvas, "TELL_SECONDS", 0.0)
    monkeypatch.setattr(marked_canvas.time, "monotonic", lambda: 0.0)
    drag(canvas, (40, 50), (80, 50), (120, 50))
    assert [done for _, done in heard.masks] == [False] * (len(heard.masks) - 1) + [True]
    assert len(heard.masks) >= 3


def test_escape_takes_a_stroke_back(canvas: Canvas, qtbot: QtBot) -> None:
    heard = Heard(canvas)
    canvas.set_mode(Mode.PAINT)
    canvas.set_mask(None, wanted=True)
    drag(canvas, (40, 50), (80, 50), release=False)
    qtbot.keyClick(canvas, Qt.Key.Key_Escape)
    assert heard.masks[-1] == (None, True)
    assert not canvas.dragging
    QTest.mouseRelease(canvas.viewport(), LEFT, pos=at(canvas, 80, 50))
    assert len(heard.masks) == 1


def test_keys_change_the_brush_and_paint(canvas: Canvas, qtbot: QtBot) -> None:
    heard = Heard(canvas)
    canvas.set_mode(Mode.PAINT)
    canvas.set_mask(None, wanted=True)
    qtbot.keyClick(canvas, Qt.Key.Key_BracketRight)
    qtbot.keyClick(canvas, Qt.Key.Key_BracketLeft)
    qtbot.keyClick(canvas, Qt.Key.Key_E)
    assert [round(brush.radius) for brush in heard.brushes] == [20, 16, 16]
    assert heard.brushes[-1].erase
    qtbot.keyClick(canvas, Qt.Key.Key_E)
    qtbot.keyClick(canvas, Qt.Key.Key_Return)
    assert not heard.masks, "the first Enter shows where it would paint"
    qtbot.keyClick(canvas, Qt.Key.Key_Right, Qt.KeyboardModifier.ShiftModifier)
    qtbot.keyClick(canvas, Qt.Key.Key_Return)
    mask, done = heard.masks[-1]
    assert done
    assert mask is not None
    assert mask.index()[50, 120] == 1
    assert mask.index()[50, 102] == 0
    qtbot.keyClick(canvas, Qt.Key.Key_Escape)
    canvas.grab()


def test_where_no_mask_is_wanted_a_drag_pans(canvas: Canvas) -> None:
    heard = Heard(canvas)
    canvas.set_mode(Mode.PAINT)
    drag(canvas, (40, 50), (80, 50))
    assert not heard.masks


def test_points_are_added_dragged_and_removed(canvas: Canvas, qtbot: QtBot) -> None:
    heard, port = Heard(canvas), canvas.viewport()
    canvas.set_mode(Mode.POINTS)
    canvas.set_points((), most=3)
    for x, y in ((50, 40), (100, 60)):
        QTest.mouseClick(port, LEFT, pos=at(canvas, x, y))
    points, done = heard.points[-1]
    assert done
    assert [(round(p.x), round(p.y)) for p in points] == [(50, 40), (100, 60)]
    drag(canvas, (50, 40), (60, 30), (70, 20))
    assert heard.points[-2][1] is False
    points, done = heard.points[-1]
    assert (round(points[0].x), round(points[0].y), done) == (70, 20, True)
    qtbot.keyClick(canvas, Qt.Key.Key_Down)
    assert round(heard.points[-1][0][0].y) == 21
    qtbot.keyClick(canvas, Qt.Key.Key_Delete)
    assert len(heard.points[-1][0]) == 1
    qtbot.keyClick(canvas, Qt.Key.Key_Return)
    qtbot.keyClick(canvas, Qt.Key.Key_Return)
    assert len(heard.points[-1][0]) == 3
    QTest.mouseClick(port, LEFT, pos=at(canvas, 20, 90))
    assert len(heard.points[-1][0]) == 1, "where there are enough, they begin anew"
    canvas.set_points(heard.points[-1][0], closed=True, most=3)
    canvas.grab()


def test_escape_puts_a_point_back(canvas: Canvas, qtbot: QtBot) -> None:
    heard = Heard(canvas)
    canvas.set_mode(Mode.POINTS)
    canvas.set_points((Point(50, 40),))
    drag(canvas, (50, 40), (80, 80), (90, 90), release=False)
    qtbot.keyClick(canvas, Qt.Key.Key_Escape)
    assert heard.points[-1] == ((Point(50, 40),), True)
    QTest.mouseRelease(canvas.viewport(), LEFT, pos=at(canvas, 90, 90))


def test_the_board_carries_masks_points_and_brushes(qtbot: QtBot) -> None:
    view, picked = BoardView(), []
    qtbot.addWidget(view)
    view.picked.connect(lambda name, value: picked.append((name, value)))
    view.resize(500, 300)
    view.show()
    qtbot.waitExposed(view)
    pixels = Picture(toy_image(HEIGHT, WIDTH).pixels)
    panes = tuple(Pane(name, (WIDTH, HEIGHT), (pixels,)) for name in ("image", "copy"))
    view.set_board(Board(panes))
    corners = (Point(10, 10), Point(90, 10), Point(50, 80))
    view.set_picks(
        [PickSpec("mask", Pick.BRUSH, "image"), PickSpec("corners", Pick.POLYGON, "copy")],
        {"mask": None, "corners": corners},
    )
    left, right = view.canvas("image"), view.canvas("copy")
    assert (left.mode, right.mode) == (Mode.PAINT, Mode.POINTS)
    view.set_brush(Brush(5.0, 2))
    drag(left, (40, 50), (90, 50))
    name, mask = picked[-1]
    assert name == "mask"
    assert mask.index().max() == 2
    drag(right, (10, 10), (20, 30), (20, 30))
    name, points = picked[-1]
    assert name == "corners"
    assert points[1:] == corners[1:]
    assert (round(points[0].x), round(points[0].y)) == (20, 30)
    brushes = []
    view.brush_changed.connect(brushes.append)
    qtbot.keyClick(left, Qt.Key.Key_E)
    assert brushes == [Brush(5.0, 2, erase=True)]
    view.set_pick_values({"mask": None})
    view.set_brush(Brush(5.0, 1))
    drag(left, (10, 10), (20, 10))
    _, mask = picked[-1]
    assert mask.index().max() == 1, "nothing is left of the first stroke"


def test_points_of_a_button_are_placed_only_after_it(qtbot: QtBot) -> None:
    view, picked, ended = BoardView(), [], []
    qtbot.addWidget(view)
    view.picked.connect(lambda name, value: picked.append((name, value)))
    view.placing_ended.connect(ended.append)
    view.resize(500, 300)
    view.show()
    qtbot.waitExposed(view)
    view.set_board(Board((Pane("image", (WIDTH, HEIGHT), ()),)))
    line = PickSpec("line", Pick.POINTS, "image", most=2, by_button=True)
    view.set_picks([line], {"line": ()})
    canvas = view.canvas("image")

    def click(x: float, y: float) -> None:
        QTest.mouseClick(canvas.viewport(), LEFT, pos=at(canvas, x, y))

    click(20, 20)
    qtbot.keyClick(canvas, Qt.Key.Key_Return)
    assert picked == [], "any click would begin a line"
    view.set_placing("line", True)
    for x, y in ((20, 20), (60, 50), (90, 30)):
        click(x, y)
    assert [len(points) for _, points in picked] == [1, 2], "the third click is no end of it"
    assert ended == ["line"]
    view.set_pick_values({"line": picked[-1][1]})
    drag(canvas, (60, 50), (70, 60), (70, 60))
    assert [round(point.x) for point in picked[-1][1]] == [20, 70], "ends can still be moved"
    view.set_placing("line", True)
    click(30, 70)
    assert len(picked[-1][1]) == 1, "the button begins another line"
    view.set_placing("line", False)
    click(90, 70)
    assert len(picked[-1][1]) == 1


def test_the_mask_takes_the_chosen_set_of_colors(qtbot: QtBot) -> None:
    canvas = Canvas()
    qtbot.addWidget(canvas)
    canvas.resize(400, 300)
    canvas.set_pane(
        Pane("image", (WIDTH, HEIGHT), (Picture(np.zeros((HEIGHT, WIDTH, 3), np.uint8)),))
    )
    index = np.zeros((HEIGHT, WIDTH), np.uint8)
    index[20:80, 20:180] = 2
    canvas.set_mask(Mask.of(index), wanted=True)
    with qtbot.waitExposed(canvas):
        canvas.show()
    seen = []
    try:
        for name in ("standard", "color_blind"):
            choose_color_set(name)
            spot = canvas.viewport().mapTo(canvas, canvas.from_pane(100, 50).toPoint())
            pixel = canvas.grab().toImage().pixelColor(spot)
            seen.append((pixel.red(), pixel.green(), pixel.blue()))
            wanted = class_colors(3)[2] * OPACITY  # that of class 2
            assert np.abs(np.array(seen[-1]) - wanted).max() < 4
    finally:
        choose_color_set("standard")
    assert seen[0] != seen[1]
