"""Layers on the screen: colors at places, reuse, and inputs that must not hurt."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from PySide6.QtCore import QPointF, QRectF
from PySide6.QtGui import QColor, QImage
from pytestqt.qtbot import QtBot

from explorer.annotations.truth import LAYER
from explorer.core.layers import (
    Boxes,
    Grid,
    Heat,
    Layer,
    Lines,
    Masks,
    Pane,
    Picture,
    Points,
    Text,
    lookup_table,
)
from explorer.core.values import Box
from explorer.ui.board.canvas import Canvas
from explorer.ui.board.pan_zoom import Viewpoint
from explorer.ui.items import image_items, labeled_item
from explorer.ui.items.box_item import BoxesItem
from explorer.ui.items.image_items import borders
from explorer.ui.items.item_images import Pyramid
from explorer.ui.items.items import KEY_LETTERS, KEY_SHARE, PointsItem, TextItem
from explorer.ui.items.layer_item import LayerItem

RED, GREEN, BLUE = (255, 0, 0), (0, 255, 0), (0, 0, 255)


def colors(*rows: tuple[int, int, int]) -> np.ndarray:
    return np.array(rows, np.uint8).reshape(-1, 3)


def boxes(*rows: tuple[float, ...], **rest: object) -> Boxes:
    xyxy = np.array(rows, np.float32).reshape(-1, 4)
    return Boxes(xyxy, np.tile(colors(RED), (len(xyxy), 1)), **rest)  # type: ignore[arg-type]


def plain(width: int = 40, height: int = 30, color: tuple[int, int, int] = (90, 90, 90)) -> Picture:
    return Picture(np.full((height, width, 3), color, np.uint8))


@pytest.fixture
def canvas(qtbot: QtBot) -> Iterator[Canvas]:
    canvas = Canvas()
    qtbot.addWidget(canvas)
    canvas.resize(400, 324)  # the caption takes 24
    with qtbot.waitExposed(canvas):
        canvas.show()
    yield canvas
    canvas.set_pane(None)


def show(
    canvas: Canvas, *layers: Layer, size: tuple[float, float] = (40, 30), scale: float = 10
) -> QImage:
    canvas.set_pane(Pane("p", size, layers))
    canvas.set_viewpoint(Viewpoint(size[0] / 2, size[1] / 2, scale))
    return grab(canvas)


def grab(canvas: Canvas) -> QImage:
    return canvas.viewport().grab().toImage()


def at(canvas: Canvas, image: QImage, x: float, y: float) -> tuple[int, int, int]:
    spot = canvas.from_pane(x, y).toPoint()
    color = QColor(image.pixel(spot))
    return color.red(), color.green(), color.blue()


def item(canvas: Canvas, place: int = 0) -> LayerItem:
    return canvas.items_of_layers[place]


def counted(monkeypatch: pytest.MonkeyPatch, module: Any, name: str) -> list[tuple[Any, ...]]:
    """With what `name` of a module is called from now on; it does what it did."""
    calls: list[tuple[Any, ...]] = []
    real = getattr(module, name)

    def call(*args: Any, **more: Any) -> Any:
        calls.append(args)
        return real(*args, **more)

    monkeypatch.setattr(module, name, call)
    return calls


def test_picture_magnified_is_nearest_neighbor(canvas: Canvas) -> None:
    rgb = np.zeros((30, 40, 3), np.uint8)
    rgb[10, 20] = RED
    image = show(canvas, Picture(rgb))
    for x in (20.1, 20.5, 20.9):
        assert at(canvas, image, x, 10.5) == RED
    assert at(canvas, image, 19.85, 10.5) == (0, 0, 0)
    assert at(canvas, image, 21.15, 10.5) == (0, 0, 0)


def test_smooth_picture_blends_when_magnified(canvas: Canvas) -> None:
    rgb = np.zeros((30, 40, 3), np.uint8)
    rgb[:, 20:] = 255
    image = show(canvas, Picture(rgb, smooth=True))
    assert 40 < at(canvas, image, 20.0, 15)[0] < 215


def test_picture_shrunk_is_averaged(canvas: Canvas) -> None:
    rgb = np.zeros((1200, 1600, 3), np.uint8)
    rgb[::2] = 255  # a comb that thinning would turn black or white
    image = show(canvas, Picture(rgb), size=(1600, 1200), scale=0.2)
    assert 100 < at(canvas, image, 800, 600)[0] < 155


def test_picture_extent_places_it(canvas: Canvas) -> None:
    image = show(
        canvas, plain(), Picture(np.full((2, 2, 3), RED, np.uint8), extent=(10, 10, 20, 20))
    )
    assert at(canvas, image, 15, 15) == RED
    assert at(canvas, image, 21, 15) == (90, 90, 90)


def test_heat_uses_its_table_and_its_range(canvas: Canvas) -> None:
    values = np.linspace(-1, 1, 40, dtype=np.float32)[None].repeat(30, 0).copy()
    image = show(canvas, Heat(values, -1, 1, "viridis"))
    table = lookup_table("viridis")
    assert at(canvas, image, 0.5, 15) == tuple(table[0])
    assert at(canvas, image, 39.5, 15) == tuple(table[255])


def test_heat_leaves_out_what_is_not_finite(canvas: Canvas) -> None:
    values = np.ones((30, 40), np.float32)
    values[:, :20] = np.nan
    values[:, 38:] = np.inf
    image = show(canvas, plain(), Heat(values, 0, 1, "gray"))
    assert at(canvas, image, 5, 15) == (90, 90, 90)
    assert at(canvas, image, 39, 15) == (90, 90, 90)
    assert at(canvas, image, 30, 15) == (255, 255, 255)


def test_heat_fades_by_value(canvas: Canvas) -> None:
    values = np.linspace(0, 1, 40, dtype=np.float32)[None].repeat(30, 0).copy()
    image = show(canvas, plain(), Heat(values, 0, 1, "gray", alpha_by_value=True))
    assert at(canvas, image, 0.5, 15) == (90, 90, 90)
    assert at(canvas, image, 39.5, 15) == (255, 255, 255)


def test_another_color_map_over_the_same_numbers_uploads_nothing(
    canvas: Canvas, monkeypatch: pytest.MonkeyPatch
) -> None:
    uploads = counted(monkeypatch, image_items, "Pyramid")
    first = Heat(np.zeros((30, 40), np.float32), 0, 1, "gray")
    show(canvas, first)
    image = show(canvas, replace(first, colormap="viridis"))
    assert len(uploads) == 1
    assert at(canvas, image, 5, 5) == tuple(lookup_table("viridis")[0])


def test_changing_opacity_of_a_heat_is_seen(canvas: Canvas) -> None:
    heat = Heat(np.ones((30, 40), np.float32), 0, 1, "gray", opacity=0.0)
    assert at(canvas, show(canvas, plain(), heat), 5, 5) == (90, 90, 90)
    assert at(canvas, show(canvas, plain(), replace(heat, opacity=1.0)), 5, 5) == (255, 255, 255)


def test_masks_fill_and_border(canvas: Canvas) -> None:
    index = np.full((30, 40), -1, np.int32)
    index[10:20, 10:20] = 1
    image = show(canvas, plain(), Masks(index, colors(RED, GREEN), opacity=0.5))
    red, green, _ = at(canvas, image, 15, 15)
    assert (red, green) == pytest.approx((45, 172), abs=3)
    assert at(canvas, image, 25, 15) == (90, 90, 90)
    edge = [at(canvas, image, 10 + off, 15) for off in (-0.1, 0.0, 0.1)]
    assert GREEN in edge


@pytest.mark.parametrize("count", [1, 255, 256, 1000])
def test_masks_of_any_number_of_classes(canvas: Canvas, count: int) -> None:
    index = np.full((30, 40), count - 1, np.int32)
    table = np.zeros((count, 3), np.uint8)
    table[-1] = BLUE
    image = show(canvas, Masks(index, table, opacity=1.0, outline=False))
    assert at(canvas, image, 15, 15) == BLUE


def test_masks_ignore_indices_without_a_color(canvas: Canvas) -> None:
    index = np.full((30, 40), 7, np.int32)
    index[0, 0] = -9
    image = show(canvas, plain(), Masks(index, colors(RED, GREEN)))
    assert at(canvas, image, 15, 15) == (90, 90, 90)


def test_masks_of_noise_are_drawn_in_time(canvas: Canvas) -> None:
    noise = np.random.default_rng(0).integers(-1, 20, (1000, 1000)).astype(np.int32)
    masks = Masks(noise, np.full((20, 3), 200, np.uint8), extent=(0, 0, 40, 30))
    show(canvas, plain(), masks)
    assert not item(canvas, 1).failed


def test_masks_with_the_same_index_keep_their_borders(
    canvas: Canvas, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = counted(monkeypatch, image_items, "borders")
    masks = Masks(np.eye(30, 40, dtype=np.int32) - 1, colors(RED))
    show(canvas, masks)
    show(canvas, replace(masks, opacity=0.9))
    assert len(found) == 1


def test_borders_are_runs_along_the_edges() -> None:
    index = np.full((4, 5), -1, np.int32)
    index[1:3, 1:4] = 0
    segments, owner = borders(index)
    assert sorted(map(tuple, segments.tolist())) == [
        (1, 1, 1, 3),
        (1, 1, 4, 1),
        (1, 3, 4, 3),
        (4, 1, 4, 3),
    ]
    assert owner.tolist() == [0, 0, 0, 0]


def test_borders_between_two_regions_belong_to_the_upper_one() -> None:
    segments, owner = borders(np.array([[0, 1]], np.int32))
    middle = [int(o) for s, o in zip(segments.tolist(), owner, strict=True) if s == [1, 0, 1, 1]]
    assert middle == [1]


def test_boxes_few_are_stroked(canvas: Canvas) -> None:
    image = show(canvas, plain(), boxes((10, 10, 20, 20)))
    assert RED in [at(canvas, image, 10 + off, 15) for off in (-0.1, 0, 0.1)]
    assert at(canvas, image, 15, 15) == (90, 90, 90)


@pytest.mark.parametrize("scale", [0.7, 10, 37.3])
def test_boxes_many_lie_where_few_do(canvas: Canvas, scale: float) -> None:
    one = boxes((17, 10, 23, 20))
    many = boxes(*[(17, 10, 23, 20)] * 600)
    few_image = show(canvas, plain(color=(0, 0, 0)), one, scale=scale)
    many_image = show(canvas, plain(color=(0, 0, 0)), many, scale=scale)
    reds = []
    for image in (few_image, many_image):
        row = canvas.from_pane(20, 15).toPoint().y()
        left = canvas.from_pane(20, 15).toPoint().x()
        line = [QColor(image.pixel(x, row)).red() > 200 for x in range(left)]
        reds.append(np.flatnonzero(line).mean())
    assert reds[0] == pytest.approx(reds[1], abs=1.0)


@pytest.mark.parametrize("count", [254, 300, 70_000])
def test_boxes_of_many_colors(canvas: Canvas, count: int) -> None:
    n = max(count, 600)
    color = np.arange(n, dtype=np.uint32) % count
    rgb = np.stack([color >> 16, color >> 8 & 255, color & 255], 1).astype(np.uint8)
    rgb[-1] = (240, 0, 240)  # survives the coarser colors of very many
    xyxy = np.tile(np.array([[5, 5, 35, 25]], np.float32), (n, 1))
    show(canvas, plain(), Boxes(xyxy, rgb))
    image = grab(canvas)
    assert (240, 0, 240) in [at(canvas, image, 5 + off, 15) for off in (-0.1, 0, 0.1)]


def test_boxes_many_are_drawn_once_while_panning(canvas: Canvas) -> None:
    rng = np.random.default_rng(0)
    corner = rng.random((2000, 2)) * [40, 30]
    layer = boxes(*np.concatenate([corner, corner + 2], 1).tolist())
    show(canvas, plain(), layer)
    # private: how often something is rendered cannot be seen
    cache = item(canvas, 1)._cache  # type: ignore[attr-defined]
    once = cache.renders
    for _ in range(5):
        canvas.pan_by(9, 5)
        grab(canvas)
    assert cache.renders == once
    canvas.pan_by(400, 0)
    grab(canvas)
    assert cache.renders == once + 1


def test_boxes_with_nonsense_coordinates(canvas: Canvas) -> None:
    rows = [(np.nan, 0, 5, 5), (0, 0, np.inf, 3), (1e30, 0, 1e31, 9)]
    rows += [(-1e9, -1e9, 1e9, 1e9), (20, 20, 10, 10)]
    nasty = boxes(*rows, labels=tuple("abcde"))
    for key in (None, 0, 2, 3, 4):
        canvas.set_selected(None if key is None else ("boxes", key))
        show(canvas, plain(), nasty)
        assert not item(canvas, 1).failed


def test_selected_box_stands_out_and_others_fade(canvas: Canvas) -> None:
    layer = boxes((2, 10, 12, 20), (22, 10, 32, 20))
    show(canvas, plain(), layer)
    canvas.set_selected(("boxes", 1))
    image = grab(canvas)
    assert at(canvas, image, 27, 15) != (90, 90, 90)  # lightly filled
    faded = max(at(canvas, image, 2 + off, 15)[0] for off in (-0.1, 0, 0.1))
    assert faded < 200


def test_boxes_without_frames_are_seen_when_they_are_selected(canvas: Canvas) -> None:
    bare = show(canvas, plain())
    layer = boxes((2, 10, 12, 20), (22, 10, 32, 20), width=0.0)
    assert show(canvas, plain(), layer) == bare
    canvas.set_selected(("boxes", 1))
    image = grab(canvas)
    assert at(canvas, image, 27, 15) != (90, 90, 90)
    assert max(max(at(canvas, image, 22 + off, 15)) for off in (-0.1, 0, 0.1)) > 200
    assert at(canvas, image, 2, 15) == (90, 90, 90)


def test_dotted_boxes_have_gaps(canvas: Canvas) -> None:
    image = show(canvas, plain(color=(0, 0, 0)), boxes((5, 5, 35, 25), dotted=True))
    top = canvas.from_pane(0, 5).toPoint().y()
    line = [max(QColor(image.pixel(x, top + dy)).red() for dy in (-1, 0)) for x in range(80, 320)]
    assert 0.2 < np.mean(np.array(line) > 128) < 0.9


def test_labels_hold_still_while_panning(canvas: Canvas, monkeypatch: pytest.MonkeyPatch) -> None:
    placings = counted(monkeypatch, labeled_item, "Plates")
    layer = boxes((10, 12, 20, 20), (11, 12.5, 20, 20), labels=("first", "second"))
    show(canvas, plain(), layer)
    shown = item(canvas, 1)
    assert isinstance(shown, BoxesItem)
    first, second = shown.plates
    apart = second[1] >= first[3] or second[3] <= first[1]
    assert apart, "the second has another place where it would lie on the first"
    canvas.pan_by(3, 4)
    grab(canvas)
    assert len(placings) == 1


def test_labels_without_room_are_counted(canvas: Canvas) -> None:
    layer = boxes(*[(10, 12, 20, 20)] * 60, labels=("a long label",) * 60)
    show(canvas, plain(), layer)
    shown = item(canvas, 1)
    assert isinstance(shown, BoxesItem)
    plates = [QRectF(QPointF(x0, y0), QPointF(x1, y1)) for x0, y0, x1, y1 in shown.plates]
    assert len(plates) >= 4
    for number, plate in enumerate(plates):
        assert not any(plate.intersects(other) for other in plates[:number])
    assert shown.unlabeled == 60 - len(plates)


def test_labels_of_several_layers_make_room_for_each_other(canvas: Canvas) -> None:
    one, two = (boxes((10, 12, 20, 20), labels=(name,), name=name) for name in ("one", "two"))
    show(canvas, plain(), one, two)
    first, second = item(canvas, 1), item(canvas, 2)
    assert isinstance(first, BoxesItem)
    assert isinstance(second, BoxesItem)
    (a,), (b,) = first.plates, second.plates
    assert a[3] <= b[1] or b[3] <= a[1] or a[2] <= b[0] or b[2] <= a[0]


def test_labels_of_points_lie_on_the_pane_and_off_one_another(canvas: Canvas) -> None:
    xy = np.array([[39.5, 15], [0.5, 0.5], [20, 29.5], [39.5, 29.5], [20.5, 29], [80, 5]])
    names = ("right wrist", "left eye", "left knee", "right ankle", "nose", "off the pane")
    points = Points(xy.astype(np.float32), colors(*[RED] * 6), labels=names)
    show(canvas, plain(), boxes((30, 20, 39, 29), labels=("person",)), points)
    frame, shown = item(canvas, 1), item(canvas, 2)
    assert isinstance(frame, BoxesItem)
    assert isinstance(shown, PointsItem)
    assert shown.unlabeled == 0
    plates = [QRectF(QPointF(x0, y0), QPointF(x1, y1)) for x0, y0, x1, y1 in shown.plates]
    assert len(plates) == 5
    pane = QRectF(canvas.from_pane(0, 0), canvas.from_pane(40, 30))
    others = [QRectF(QPointF(x0, y0), QPointF(x1, y1)) for x0, y0, x1, y1 in frame.plates]
    for number, plate in enumerate(plates):
        assert pane.contains(plate.translated(pane.topLeft())), names[number]
        assert not any(plate.intersects(other) for other in (*others, *plates[:number]))


@pytest.mark.parametrize(("width", "scale"), [(400, 3), (140, 3), (140, 30)])
def test_a_label_is_never_wider_than_the_window(
    qtbot: QtBot, canvas: Canvas, monkeypatch: pytest.MonkeyPatch, width: int, scale: float
) -> None:
    canvas.resize(width, 324)
    qtbot.waitUntil(lambda: canvas.viewport().width() == width)
    written = counted(monkeypatch, labeled_item, "plate_picture")
    name = "chocolate labrador retriever 0.87"
    show(canvas, plain(), boxes((10, 5, 20, 25), labels=(name,)), scale=scale)
    shown = item(canvas, 1)
    assert isinstance(shown, BoxesItem)
    ((x0, _, x1, _),) = shown.plates
    assert x1 - x0 <= width
    if scale * 40 < width:  # it reaches beyond the pane, where there is room
        left = canvas.from_pane(0, 0).x()
        assert left + x0 >= 0
        assert left + x1 <= width
    ((label, *_),) = written
    assert label == name if width == 400 else label.endswith("… 0.87")


def test_a_tiny_box_has_a_label(canvas: Canvas) -> None:
    show(canvas, plain(), boxes((10, 12, 10.5, 12.5), labels=("tiny",)))
    shown = item(canvas, 1)
    assert isinstance(shown, BoxesItem)
    assert len(shown.plates) == 1


def test_frames_are_thinner_on_small_boxes(canvas: Canvas) -> None:
    layer = boxes((5, 5, 35, 25), (20, 10, 21, 11), width=3.0)
    image = show(canvas, plain(color=(0, 0, 0)), layer)

    def thickness(x: float, y: float) -> int:
        """Bright pixels on a level line across the left edge of a box."""
        middle = canvas.from_pane(x, y).toPoint()
        row = [QColor(image.pixel(middle.x() + dx, middle.y())).lightness() for dx in range(-5, 5)]
        return sum(value > 60 for value in row)

    assert thickness(5, 15) == 3
    assert thickness(20, 10.5) == 1


def test_a_color_key_stays_in_the_corner_of_the_photo(canvas: Canvas) -> None:
    key = Text("one\ntwo", (0, 30), swatches=(RED, GREEN), name="key")
    image = show(canvas, plain(color=(255, 255, 255)), key)
    low = canvas.from_pane(0, 30)
    part = image.copy(round(low.x()), round(low.y()) - 60, 60, 60)
    seen = {QColor(part.pixel(x, y)).getRgb()[:3] for x in range(60) for y in range(60)}
    assert {RED, GREEN} <= seen


def test_a_color_key_leaves_half_of_a_small_photo_to_be_seen(canvas: Canvas) -> None:
    key = Text("\n".join(f"class {n}" for n in range(5)), (0, 30), size=9.0, name="key")

    def covered(scale: float) -> float:
        show(canvas, plain(), key, scale=scale)
        text = item(canvas, 1)
        assert isinstance(text, TextItem)
        return text.covered.height()

    usual = covered(10.0)
    assert covered(0.85 * usual / (KEY_SHARE * 30)) == pytest.approx(0.85 * usual, rel=0.05)
    assert covered(1.0) == pytest.approx(KEY_LETTERS * usual, rel=0.08), "it stays readable"


def test_points_lines_grid_and_text(canvas: Canvas) -> None:
    points = Points(
        np.array([[5, 5], [np.nan, 1]], np.float32), colors(RED, RED), labels=("a", "b")
    )
    lines = Lines(
        np.array([[0, 20, 40, 20], [3, 3, 3, 3]], np.float32), colors(GREEN, GREEN), arrow=True
    )
    grid = Grid(
        np.array([30], np.float32), np.array([99], np.float32), (0, 0, 40, 30), BLUE, 2.0, 1.0
    )
    image = show(canvas, plain(), points, lines, grid, Text("hello\nworld", (10, 10)))
    assert at(canvas, image, 5, 5) == RED
    assert max(at(canvas, image, 15, 20 + off)[1] for off in (-0.1, 0, 0.1)) > 200
    assert BLUE in [at(canvas, image, 30 + off, 15) for off in (-0.1, 0, 0.1)]
    assert at(canvas, image, 10.3, 10.3) != (90, 90, 90)
    assert not any(i.failed for i in canvas.items_of_layers)


@pytest.mark.parametrize("count", [0, 1, 3000])
def test_counts(canvas: Canvas, count: int) -> None:
    rng = np.random.default_rng(1)
    xy = (rng.random((count, 2)) * 30).astype(np.float32)
    color = np.full((count, 3), 200, np.uint8)
    four = np.concatenate([xy, xy + 3], 1).astype(np.float32)
    names = tuple(f"n{i}" for i in range(count))
    show(
        canvas,
        Boxes(four, color, labels=names, keys=tuple(range(count))),
        Boxes(four, color, dotted=True, fill=0.2),
        Points(xy, color, labels=names),
        Lines(four, color, arrow=True, dotted=True),
        Grid(xy[:, 0].copy(), xy[:, 1].copy(), (0, 0, 30, 30)),
    )
    assert not any(i.failed for i in canvas.items_of_layers)


@pytest.mark.parametrize("anchor", [(0.0, 0.0), (0.5, 0.5), (1.0, 0.5)])
def test_a_text_lies_with_its_anchor_on_its_place(
    canvas: Canvas, anchor: tuple[float, float]
) -> None:
    image = show(canvas, plain(), Text("I", (20, 15), anchor=anchor))
    dark = np.array([
        [QColor(image.pixel(x, y)).red() < 60 for x in range(image.width())]
        for y in range(image.height())
    ])  # fmt: skip
    ys, xs = np.nonzero(dark)
    place = canvas.from_pane(20, 15)
    assert place.x() == pytest.approx(xs.min() + anchor[0] * (xs.max() + 1 - xs.min()), abs=1.5)
    assert place.y() == pytest.approx(ys.min() + anchor[1] * (ys.max() + 1 - ys.min()), abs=1.5)


def test_stamp_stays_in_the_window(canvas: Canvas) -> None:
    stamp = Text("UNTRAINED", (0, 0), color=(255, 196, 0), name="stamp")
    show(canvas, plain(), stamp)
    canvas.pan_by(-150, -150)
    image = grab(canvas)
    corner = np.array([QColor(image.pixel(x, y)).red() for x in range(60) for y in range(30)])
    assert (corner > 230).any()


def test_an_item_that_raises_is_left_out_and_logged_once(
    canvas: Canvas, caplog: pytest.LogCaptureFixture
) -> None:
    class Broken(LayerItem):
        def draw(self, painter: object, lens: object) -> None:
            raise ValueError("no")

    canvas.scene().addItem(broken := Broken(Text("x", (0, 0))))
    show(canvas, plain())
    grab(canvas)
    assert len([r for r in caplog.records if "left out" in r.message]) == 1
    canvas.scene().removeItem(broken)


def test_pyramid_stops_at_single_rows() -> None:
    pyramid = Pyramid(np.zeros((1, 5000), np.uint8), average=True)
    assert pyramid.image(0.001).height() == 1
    assert Pyramid(np.zeros((9, 7), np.uint8), average=False).image(0.25).width() == 2


def test_ground_truth_that_the_view_shows_is_drawn_once(canvas: Canvas) -> None:
    layer = boxes((5, 5, 35, 25), labels=("cat",), name=LAYER, selectable=False)
    shown = show(canvas, plain(), layer)
    canvas.set_truth((Box(5, 5, 35, 25, "cat"),))
    assert grab(canvas) == shown
    canvas.set_truth((Box(6, 6, 35, 25, "cat"),))
    assert grab(canvas) != shown, "a box that is being dragged away from it is seen"


def test_no_frame_of_an_upper_layer_crosses_a_label(canvas: Canvas) -> None:
    below = boxes((5, 12, 30, 25), labels=("the label",), name="below")
    above = Boxes(np.array([(4, 11, 31, 26)], np.float32), colors(GREEN), name="above")
    image = show(canvas, plain(), below, above)
    shown = item(canvas, 1)
    assert isinstance(shown, BoxesItem)
    (plate,) = shown.plates
    corner = canvas.from_pane(0, 0)
    rows = range(round(plate[1]) + 1, round(plate[3]) - 1)
    middle = round((plate[0] + plate[2]) / 2 + corner.x())
    seen = {QColor(image.pixel(middle, round(corner.y()) + row)).getRgb()[:3] for row in rows}
    assert GREEN not in seen


def test_texts_of_one_name_get_smaller_before_they_overlap(canvas: Canvas) -> None:
    tiles = [
        Text("365 x 182", (x, y), name="sizes") for x in range(0, 40, 10) for y in range(0, 30, 10)
    ]
    show(canvas, plain(), *tiles)
    sizes = {shown.letters for shown in canvas.items_of_layers if isinstance(shown, TextItem)}
    assert len(sizes) == 1
    canvas.set_viewpoint(Viewpoint(20, 15, 2.0))
    grab(canvas)
    left = [shown.letters for shown in canvas.items_of_layers if isinstance(shown, TextItem)]
    assert 0.0 in left, "where even the smallest overlap, some give way"
    assert max(left) < 1.0


def test_a_number_that_leaves_its_cell_is_smaller_or_not_drawn(canvas: Canvas) -> None:
    """Its ink is chosen for the color of the cell: outside half a number could be read as one."""
    show(canvas, plain(), Text("-16.07", (20, 15), plate=False, anchor=(0.5, 0.5), room=10.0))
    (number,) = [item for item in canvas.items_of_layers if isinstance(item, TextItem)]
    drawn = {}
    for scale in (1.0, 6.0, 40.0):
        canvas.set_viewpoint(Viewpoint(20, 15, scale))
        grab(canvas)
        drawn[scale] = number.letters
    assert drawn[1.0] == 0.0
    assert drawn[40.0] == 1.0
    assert 0.0 < drawn[6.0] <= 1.0
