"""Pixel truths of the painted board."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, get_args

import cv2
import numpy as np
import pytest

from explorer.core.layers import (
    UNTRAINED,
    Board,
    Boxes,
    Curve,
    Grid,
    Heat,
    Layer,
    Lines,
    Masks,
    Pane,
    Picture,
    Plot,
    Points,
    Table,
    Text,
    class_colors,
    lookup_table,
    stamped,
)
from explorer.render import charts, fonts, labels, numbers
from explorer.render.board import LARGEST_SIDE, render_board, render_pane
from explorer.render.fonts import PIXEL_TYPEFACE
from explorer.render.legends import MOST_REGIONS
from explorer.render.placing import label_within
from explorer.render.raster import RasterSurface
from explorer.render.surface import clipped, dashed
from explorer.render.typeface import line_height
from tests.boards import BLUE, GREEN, RED, full_board, one_of_each

BLACK = (0, 0, 0)


def _pane(*layers: Layer, size: tuple[float, float] = (40, 30)) -> Pane:
    return Pane("image", size, layers)


def _render(*layers: Layer, size: tuple[float, float] = (40, 30), scale: float = 1.0) -> np.ndarray:
    return render_pane(_pane(*layers, size=size), scale=scale, backdrop=BLACK)


def _colors(*colors: tuple[int, int, int]) -> np.ndarray:
    return np.array(colors, np.uint8)


def _photo(seed: int = 0, size: tuple[int, int] = (30, 40)) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (*size, 3), np.uint8)


def _listen(patch: pytest.MonkeyPatch, written: list[str]) -> None:
    """Words go into a list instead of onto the picture."""
    patch.setattr(RasterSurface, "write", lambda _s, text, *_a, **_k: written.append(text))


def test_there_is_a_sample_of_every_layer_type() -> None:
    assert set(one_of_each()) == set(get_args(Layer))


@pytest.mark.parametrize("kind", get_args(Layer))
@pytest.mark.parametrize("scale", [0.3, 1.0, 2.7])
def test_every_layer_type_draws_something_at_any_scale(kind: type, scale: float) -> None:
    picture = _render(one_of_each()[kind], scale=scale)
    assert picture.shape == (round(30 * scale), round(40 * scale), 3)
    assert picture.dtype == np.uint8
    assert picture.any()


# -- pictures -------------------------------------------------------------------------------------


def test_a_photo_in_its_own_size_is_copied() -> None:
    photo = _photo()
    assert np.array_equal(_render(Picture(photo)), photo)


def test_an_enlarged_photo_repeats_its_pixels() -> None:
    photo = _photo()
    assert np.array_equal(_render(Picture(photo), scale=3), photo.repeat(3, 0).repeat(3, 1))


def test_a_smooth_photo_is_interpolated() -> None:
    photo = np.zeros((1, 2, 3), np.uint8)
    photo[0, 1] = 200
    row = _render(Picture(photo, smooth=True), size=(2, 1), scale=10)[5, :, 0].astype(int)
    assert (np.diff(row) >= 0).all()
    assert 80 < row[9] < 120


def test_a_shrunk_photo_is_averaged() -> None:
    photo = np.zeros((8, 8, 3), np.uint8)
    photo[:, ::2] = 200
    assert np.abs(_render(Picture(photo), size=(8, 8), scale=0.25).astype(int) - 100).max() <= 1


def test_an_extent_says_where_the_array_lies() -> None:
    picture = _render(Picture(np.full((2, 2, 3), 255, np.uint8), extent=(10, 5, 20, 15)))
    lit = np.argwhere(picture[..., 0])
    assert lit.min(0).tolist() == [5, 10]
    assert lit.max(0).tolist() == [14, 19]


@pytest.mark.parametrize("extent", [(-20, -20, 60, 50), (39, 29, 80, 80), (-5, -5, 1, 1)])
def test_an_extent_may_reach_over_the_pane(extent: tuple[float, float, float, float]) -> None:
    white = Picture(np.full((4, 4, 3), 255, np.uint8), extent=extent)
    lit = _render(white)[..., 0] > 0
    x0, y0, x1, y1 = (round(max(0, side)) for side in extent)
    expected = np.zeros((30, 40), bool)
    expected[y0:y1, x0:x1] = True
    assert np.array_equal(lit, expected)


@pytest.mark.parametrize(
    "extent", [(5, 5, 5, 9), (9, 9, 5, 5), (100, 100, 120, 120), (0, 0, np.inf, 3), (np.nan,) * 4]
)
def test_an_extent_without_area_draws_nothing(extent: tuple[float, float, float, float]) -> None:
    assert not _render(Picture(_photo(), extent=extent)).any()


@pytest.mark.parametrize("opacity", [0.0, 0.25, 0.5, 1.0])
def test_opacity_mixes_with_what_is_below(opacity: float) -> None:
    below, above = _photo(1), _photo(2)
    picture = _render(Picture(below), Picture(above, opacity=opacity))
    expected = below + (above.astype(float) - below) * opacity
    assert np.abs(picture - expected).max() <= 0.51


# -- heat -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("colormap", ["viridis", "gray", "coolwarm"])
def test_heat_has_the_colors_of_its_table(colormap: str) -> None:
    values = np.linspace(-1, 3, 256, dtype=np.float32).reshape(16, 16)
    picture = _render(Heat(values, -1, 3, colormap), size=(16, 16))  # type: ignore[arg-type]
    table = lookup_table(colormap).astype(int)  # type: ignore[arg-type]
    expected = table[((values + 1) / 4 * 255).astype(int)]
    assert np.abs(picture - expected).max() <= 2  # one step of the table at most
    assert np.array_equal(picture[0, 0], table[0])
    assert np.array_equal(picture[-1, -1], table[-1])


def test_values_beyond_the_scale_take_its_ends() -> None:
    heat = Heat(np.array([[-9, 9]], np.float32), 0, 1)
    picture = _render(heat, size=(2, 1))
    assert np.array_equal(picture[0], lookup_table("viridis")[[0, 255]])


def test_a_heat_map_of_one_value_is_drawn() -> None:
    picture = _render(Heat(np.full((2, 2), 3, np.float32), 3, 3), size=(2, 2))
    assert (picture == lookup_table("viridis")[0]).all()


@pytest.mark.parametrize("smooth", [False, True])
@pytest.mark.parametrize("scale", [0.5, 1.0, 4.0])
def test_numbers_that_are_not_finite_show_what_is_below(smooth: bool, scale: float) -> None:
    values = np.ones((8, 8), np.float32)
    values[:, 4:] = np.nan
    values[0, 7], values[1, 7] = np.inf, -np.inf
    below = Picture(np.full((8, 8, 3), 7, np.uint8))
    picture = _render(below, Heat(values, 0, 1, smooth=smooth), size=(8, 8), scale=scale)
    assert (picture[:, -1] == 7).all()
    assert (picture[:, 0] == lookup_table("viridis")[255]).all()


def test_low_values_fade_out() -> None:
    heat = Heat(np.array([[0, 0.5, 1]], np.float32), 0, 1, "gray", alpha_by_value=True)
    below = Picture(np.full((1, 3, 3), 100, np.uint8))
    picture = _render(below, heat, size=(3, 1))[0, :, 0]
    assert picture[0] == 100
    assert picture[2] == 255
    assert abs(int(picture[1]) - (100 + 127) // 2) <= 1


# -- masks ----------------------------------------------------------------------------------------


def _disc() -> Masks:
    y, x = np.mgrid[:60, :80]
    index = np.where((x - 40) ** 2 + (y - 30) ** 2 < 400, 1, -1).astype(np.int32)
    return Masks(index, _colors(RED, GREEN), opacity=0.5)


def test_a_mask_tints_its_inside_and_nothing_else() -> None:
    below = Picture(np.full((60, 80, 3), 100, np.uint8))
    picture = _render(below, _disc(), size=(80, 60)).astype(int)
    assert np.abs(picture[30, 40] - (50, 178, 50)).max() <= 2
    assert (picture[2, 2] == 100).all()
    assert (picture[30, 21] == GREEN).all(), "the outline has the full color"
    without = _render(below, replace(_disc(), outline=False), size=(80, 60))
    assert np.abs(without[30, 21].astype(int) - (50, 178, 50)).max() <= 2


def test_a_mask_of_no_opacity_leaves_its_outline() -> None:
    picture = _render(replace(_disc(), opacity=0.0), size=(80, 60))
    assert not picture[30, 40].any()
    assert picture[30, 21].any()


def test_a_class_without_a_color_is_not_drawn() -> None:
    masks = Masks(np.full((4, 4), 7, np.int32), _colors(RED))
    assert not _render(masks, size=(4, 4)).any()


# -- boxes ----------------------------------------------------------------------------------------


def test_a_box_has_its_color_at_its_edge() -> None:
    boxes = Boxes(np.array([[10, 8, 30, 20]], np.float32), _colors(RED))
    picture = _render(boxes)
    for x, y in ((10, 8), (20, 8), (29, 8), (10, 14), (29, 19), (20, 19)):
        assert tuple(picture[y, x]) == RED
    assert not picture[14, 20].any()
    assert not picture[14, 5].any()


def test_a_box_without_a_frame_is_not_drawn() -> None:
    xyxy = np.array([[10, 8, 30, 20]], np.float32)
    assert not _render(Boxes(xyxy, _colors(RED), width=0.0)).any()
    assert _render(Boxes(xyxy, _colors(RED), width=0.0, fill=0.5)).any(), "its inside is"


def test_a_box_follows_the_scale() -> None:
    boxes = Boxes(np.array([[10, 8, 30, 20]], np.float32), _colors(RED))
    picture = _render(boxes, scale=3)
    assert tuple(picture[24, 60]) == RED
    assert tuple(picture[40, 30]) == RED
    assert not picture[42, 60].any()


def test_a_filled_box_tints_its_inside() -> None:
    boxes = Boxes(np.array([[10, 8, 30, 20]], np.float32), _colors(RED), fill=0.5)
    assert tuple(_render(boxes)[14, 20]) == (128, 0, 0)


def test_a_dotted_box_has_gaps() -> None:
    boxes = Boxes(np.array([[5, 5, 195, 95]], np.float32), _colors(RED), dotted=True)
    top = _render(boxes, size=(200, 100))[5, 5:195, 0]
    assert (top > 200).any()
    assert (top == 0).any()


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_box_that_is_not_finite_is_left_out(bad: float) -> None:
    xyxy = np.array([[bad, 20, 80, 90], [50, 60, 130, 120]], np.float32)
    boxes = Boxes(xyxy, _colors(GREEN, RED), ("bad", "good"))
    picture = _render(boxes, size=(200, 200)).astype(int)
    assert tuple(picture[119, 129]) == RED
    assert (picture[..., 1] - picture[..., 0]).max() < 100


@pytest.mark.parametrize("dotted", [False, True])
def test_a_box_far_beyond_the_pane_does_not_wrap_around(dotted: bool) -> None:
    huge = np.array([[-1e9, -1e9, 1e9, 1e9], [1e8, 1e8, 2e8, 2e8]], np.float32)
    assert not _render(Boxes(huge, _colors(RED, GREEN), dotted=dotted)).any()


def test_no_boxes_at_all_are_fine() -> None:
    assert not _render(Boxes(np.empty((0, 4), np.float32), np.empty((0, 3), np.uint8))).any()


def test_twenty_thousand_boxes_are_drawn_by_color(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    corner = rng.uniform(0, 900, (20_000, 2))
    xyxy = np.concatenate([corner, corner + rng.uniform(4, 60, corner.shape)], 1).astype(np.float32)
    colors = _colors(RED, GREEN, BLUE)[rng.integers(0, 3, 20_000)]
    calls = []
    draw = cv2.polylines
    monkeypatch.setattr(cv2, "polylines", lambda *args: calls.append(len(args[1])) or draw(*args))
    picture = _render(Boxes(xyxy, colors), size=(960, 960))
    assert len(calls) == 3
    assert sum(calls) == 20_000
    assert picture.any()


def test_labels_keep_clear_of_each_other() -> None:
    xyxy = np.array([[20, 60, 120, 140]] * 3, np.float32)
    boxes = Boxes(xyxy, _colors(RED, GREEN, BLUE), ("one", "two", "three"))
    picture = _render(boxes, size=(200, 200))
    areas = [int((picture == color).all(axis=2).sum()) for color in (RED, GREEN, BLUE)]
    plates = [int((np.abs(picture.astype(int) - c).max(2) < 40).sum()) for c in (RED, GREEN, BLUE)]
    assert min(plates) > 200, (areas, plates)


def test_a_heap_of_labels_is_thinned_out(monkeypatch: pytest.MonkeyPatch) -> None:
    boxes = Boxes(np.tile(np.array([[20, 60, 120, 140]], np.float32), (200, 1)),
                  np.tile(_colors(RED), (200, 1)), ("word",) * 200)  # fmt: skip
    written: list[str] = []
    _listen(monkeypatch, written)
    _render(boxes, size=(200, 200))
    assert 3 <= len(written) <= 20


@pytest.mark.parametrize(
    ("label", "room", "wanted"),
    [
        ("dog 0.87", 8, "dog 0.87"),
        ("golden retriever 0.87", 14, "golden r… 0.87"),
        ("golden retriever 0.87", 13, "golden… 0.87"),  # no space before the ellipsis
        ("golden retriever 87.5%", 10, "gol… 87.5%"),
        ("golden retriever 0.87", 6, "golde…"),
        ("golden retriever", 10, "golden re…"),
        ("dog", 1, "…"),
    ],
)
def test_a_long_label_loses_letters_of_its_name_first(label: str, room: int, wanted: str) -> None:
    assert label_within(label, room, len) == wanted


@pytest.mark.parametrize("size", [(40, 30), (90, 60)])
def test_a_label_wider_than_its_pane_is_not_cut(
    monkeypatch: pytest.MonkeyPatch, size: tuple[int, int]
) -> None:
    boxes = Boxes(np.array([[20, 20, 38, 28]], np.float32), _colors(RED),
                  ("chocolate labrador retriever 0.87",))  # fmt: skip
    plates: list[tuple[float, ...]] = []
    real = RasterSurface.rounded

    def rounded(self: RasterSurface, box: tuple[float, ...], *rest: object, **more: object) -> None:
        plates.append(box)
        real(self, box, *rest, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(RasterSurface, "rounded", rounded)
    written: list[str] = []
    _listen(monkeypatch, written)
    _render(boxes, size=size)
    ((x0, _, x1, _),) = plates
    assert 0 <= x0 < x1 <= size[0]
    assert written[0].endswith("… 0.87" if size[0] > 60 else "…")


# -- points, lines, grid, text --------------------------------------------------------------------


def test_a_point_covers_its_place_in_its_color() -> None:
    picture = _render(Points(np.array([[20, 15]], np.float32), _colors(RED)))
    assert tuple(picture[15, 20]) == RED
    assert not picture[15, 30].any()


def test_points_outside_or_not_finite_are_left_out() -> None:
    xy = np.array([[1e9, 5], [np.nan, 3], [np.inf, 3], [-50, -50]], np.float32)
    points = Points(xy, _colors(RED, RED, RED, RED), labels=("a", "b", "c", "d"))
    assert not _render(points).any()


def test_labels_of_points_lie_inside_the_picture(monkeypatch: pytest.MonkeyPatch) -> None:
    size = (300, 200)
    xy = [[299, 60], [1, 1], [100, 199], [298, 199], [150, 100], [400, 5]]
    names = ("right wrist", "left eye", "left ankle", "right ankle", "nose", "outside")
    points = Points(np.array(xy, np.float32), _colors(*[RED] * 6), labels=names)
    plates: list[Any] = []
    monkeypatch.setattr(labels, "_label", lambda surface, text, plate, color: plates.append(
        (text, plate)
    ))  # fmt: skip
    _render(points, size=size)
    assert [text for text, _ in plates] == list(names[:5])
    for text, plate in plates:
        assert plate is not None, text
        x0, y0, x1, y1 = plate
        assert x0 >= 0, text
        assert y0 >= 0, text
        assert x1 <= size[0], text
        assert y1 <= size[1], text


def test_a_line_goes_from_end_to_end() -> None:
    lines = Lines(np.array([[5, 15, 35, 15]], np.float32), _colors(RED))
    picture = _render(lines)
    assert (picture[14:16, 6:34, 0].max(0) > 100).all()
    assert not picture[:, :4].any()
    assert not picture[:, 37:].any()


def test_a_line_over_the_whole_world_crosses_the_pane() -> None:
    lines = Lines(np.array([[-3e9, 15, 3e9, 15]], np.float32), _colors(RED))
    assert (_render(lines)[14:16, :, 0].max(0) > 100).all()


def test_an_arrow_has_a_head_at_its_second_end() -> None:
    plain = Lines(np.array([[10, 50, 80, 50]], np.float32), _colors(RED))
    arrow = replace(plain, arrow=True)
    more = _render(arrow, size=(100, 100)).astype(int) - _render(plain, size=(100, 100))
    where = np.argwhere(more[..., 0] > 100)
    assert len(where) > 10
    assert where[:, 1].min() > 60


def test_grid_lines_lie_in_their_extent() -> None:
    xs, ys = np.array([10, 20, np.nan], np.float32), np.array([5, 999], np.float32)
    grid = Grid(xs, ys, (8, 4, 30, 20), opacity=0.5)
    picture = _render(grid)[..., 0]
    assert set(np.unique(picture)) == {0, 128}, "crossings are not brighter"
    lit = np.argwhere(picture)
    assert lit.min(0).tolist() == [4, 8]
    assert lit.max(0).tolist() == [19, 29]


def test_text_outside_is_moved_onto_the_pane() -> None:
    for xy in ((-500.0, -500.0), (500.0, 500.0)):
        assert (_render(Text("words", xy), size=(100, 60)) > 150).any()


@pytest.mark.parametrize("anchor", [(0.0, 0.0), (0.5, 0.5), (1.0, 0.5)])
def test_a_text_lies_with_its_anchor_on_its_place(anchor: tuple[float, float]) -> None:
    ground = Picture(np.full((100, 200, 3), 255, np.uint8))
    picture = _render(ground, Text("I", (100, 50), anchor=anchor), size=(200, 100))
    ys, xs = np.nonzero(picture[..., 0] < 255)
    assert xs.min() + anchor[0] * (xs.max() + 1 - xs.min()) == pytest.approx(100, abs=1)
    assert ys.min() + anchor[1] * (ys.max() + 1 - ys.min()) == pytest.approx(50, abs=1)


def test_texts_without_room_are_left_out_and_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = [Text(f"text {n}", (2.0, 10.0 * n)) for n in range(4)]
    written: list[str] = []
    _listen(monkeypatch, written)
    _render(*texts, size=(200, 100), scale=1.0)
    assert written == ["text 0", "text 2", "2 labels not shown"]
    written.clear()
    _render(*texts, size=(200, 100), scale=4.0)
    assert written == [text.text for text in texts], "with more room all are there"


def test_a_stamp_is_on_every_pane() -> None:
    board = Board((_pane(Picture(_photo())), Pane("b", (9, 9))))
    for pane in stamped(board, UNTRAINED).panes:
        picture = render_pane(pane, size=(300, 300), backdrop=BLACK)
        yellow = np.abs(picture.astype(int) - (255, 196, 0)).max(2) < 30
        assert yellow.sum() > 50


# -- panes and boards -----------------------------------------------------------------------------


def test_a_pane_is_fitted_into_a_size() -> None:
    assert render_pane(_pane(), size=(400, 400)).shape == (300, 400, 3)
    assert render_pane(_pane(), size=(4000, 30)).shape == (30, 40, 3)


def test_a_pane_is_never_larger_than_the_limit() -> None:
    assert render_pane(Pane("a", (1e6, 1.0))).shape == (1, LARGEST_SIDE, 3)


@pytest.mark.parametrize("size", [(0, 5), (5, -1), (np.nan, 5), (np.inf, 5)])
def test_a_pane_without_a_size_is_refused(size: tuple[float, float]) -> None:
    with pytest.raises(ValueError, match="positive"):
        render_pane(Pane("a", size))


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [200, 900, 1600])
def test_a_full_board_has_the_width_that_was_asked_for(width: int, theme: str) -> None:
    picture = render_board(full_board(), width=width, theme=theme, title="Title")  # type: ignore[arg-type]
    assert picture.shape[1] == width
    assert picture.std() > 5


def test_painting_twice_gives_the_same_picture() -> None:
    assert np.array_equal(render_board(full_board()), render_board(full_board()))


@pytest.mark.parametrize(
    "board",
    [
        Board(()),
        Board((Pane("a", (10, 10)),)),
        Board((Pane("a", (1, 5000)), Pane("b", (5000, 1)))),
        Board((), plots=(Plot("p"),)),
        Board((), plots=(Plot("p", curves=(Curve(np.empty(0), np.empty(0)),)),)),
        Board((), plots=(Plot("p", curves=(Curve(np.ones(1), np.full(1, np.nan)),), log_y=True),)),
        Board((), plots=(Plot("p", curves=(Curve(np.ones(1), np.zeros(1), "one"),)),)),
        Board((), plots=(Plot("p", bars=(("a", np.nan, RED), ("b", np.inf, RED))),)),
        Board((), plots=(Plot("p", bars=(("a", 0.0, RED),)),)),
        Board((), tables=(Table("t", (), ()),)),
        Board((), tables=(Table("t", ("a", "b"), ()),)),
        Board((), tables=(Table("t", ("a" * 500, "b"), (("c" * 500, 1),)),)),
        Board((), summary="word " * 400, notes=("x" * 4000,)),
    ],
)  # fmt: skip
def test_odd_boards_are_painted(board: Board) -> None:
    for width in (160, 1000):
        assert render_board(board, width=width).shape[1] == width


def test_notes_and_summary_are_on_the_picture() -> None:
    plain = Board((Pane("a", (10, 10)),))
    assert (
        render_board(replace(plain, notes=("UNTRAINED",))).shape[0] > render_board(plain).shape[0]
    )
    assert render_board(replace(plain, summary="Words")).shape[0] > render_board(plain).shape[0]


def test_a_heat_map_shows_its_scale(monkeypatch: pytest.MonkeyPatch) -> None:
    heat = Heat(np.ones((3, 4), np.float32), -0.25, 12.5, "magma", unit="activation")
    board = Board((Pane("a", (4, 3), (heat, heat)), Pane("b", (4, 3), (replace(heat, high=20),))))
    written: list[str] = []
    _listen(monkeypatch, written)
    picture = render_board(board, width=800)
    assert written == ["-0.25", "12.5", "activation", "-0.25", "20", "activation"]
    table = lookup_table("magma")
    rows = (picture[:, 20:40] == table[:20][None]).all(axis=2).any(axis=1)
    assert not rows.all(), "the bar is a bar, not the background"


def test_named_regions_have_a_legend(monkeypatch: pytest.MonkeyPatch) -> None:
    index = np.zeros((10, 10), np.int32)
    index[:2], index[9] = 2, -1
    masks = Masks(index, _colors(RED, GREEN, BLUE), ("wall", "sky", "cat"))
    written: list[str] = []
    _listen(monkeypatch, written)
    render_board(Board((Pane("a", (10, 10), (masks,)),)))
    assert written == ["wall", "cat"]


def test_a_legend_says_how_many_regions_it_leaves_out(monkeypatch: pytest.MonkeyPatch) -> None:
    count = MOST_REGIONS + 3
    index = np.repeat(np.arange(count, dtype=np.int32)[:, None], count, axis=1)
    names = tuple(f"class {n}" for n in range(count))
    masks = Masks(index, class_colors(count), names)
    written: list[str] = []
    _listen(monkeypatch, written)
    render_board(Board((Pane("a", (count, count), (masks,)),)))
    assert written == [*names[:MOST_REGIONS], "and 3 more"]


def test_a_class_that_the_pictures_own_key_explains_is_listed_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    index = np.arange(9, dtype=np.int32).reshape(3, 3) % 3
    masks = Masks(index, _colors(RED, GREEN, BLUE), ("wall", "sky", "cat"))
    # "cat" has another color in the key: that is another thing, and the legend still needs it.
    key = Text("wall 33%\nsky 33%\ncat 5%", (0, 10), swatches=(RED, GREEN, RED), name="key")
    written: list[str] = []
    _listen(monkeypatch, written)
    render_board(Board((Pane("a", (10, 10), (masks, key)),)))
    assert sorted(written) == sorted([key.text, "cat"])


def test_a_long_table_says_what_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    table = Table("t", ("n",), tuple((n,) for n in range(charts.MOST_ROWS + 7)))
    said: list[str] = []
    real = charts.words
    monkeypatch.setattr(
        charts, "words", lambda text, *a, **k: said.append(text) or real(text, *a, **k)
    )
    render_board(Board((), tables=(table,)))
    assert said == ["… and 7 more"]


# -- numbers and letters --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"), (1, "1"), (0.5, "0.5"), (12345, "12,345"), (0.123456, "0.1235"), (1e-9, "1e-09"),
        (100000.0, "100,000"), (1234567.0, "1,234,567"), (12345678.0, "1.23e+07"),
        (-2.5, "-2.5"), (99.999, "100"), (float("nan"), "nan"),
    ],
)  # fmt: skip
def test_numbers_are_written_with_four_digits(value: float, text: str) -> None:
    assert numbers.number(value) == text


def test_a_column_of_numbers_has_its_points_in_line() -> None:
    assert numbers.numbers([1.5, 0.25, 10.125]) == ["1.50", "0.25", "10.12"]
    assert numbers.numbers([3, 20]) == ["3", "20"]
    assert numbers.numbers([3.0, 20.0]) == ["3", "20"]
    assert numbers.numbers([]) == []
    assert numbers.numbers([float("nan"), 1.5]) == ["nan", "1.5"]


def test_whole_numbers_are_written_in_full() -> None:
    assert numbers.numbers([405_600, 7]) == ["405,600", "7"]
    assert numbers.number(123_456_789) == "123,456,789"


def test_a_column_has_no_decimals_that_say_nothing() -> None:
    assert numbers.numbers([0.98, -0.03, 0.5]) == ["0.98", "-0.03", "0.50"]
    assert numbers.numbers([-0.0, 0.25]) == ["0.00", "0.25"]
    assert numbers.numbers([0.9846, 0.006]) == ["0.9846", "0.0060"]


def test_words_give_way_before_numbers_do() -> None:
    assert charts.shared_widths([300, 80, 200], [False, True, False], 400) == [160, 80, 160]
    assert charts.shared_widths([300, 80], [False, True], 100) == [40, 60]
    assert charts.shared_widths([50, 50], [False, True], 400) == [50, 50]


@pytest.mark.parametrize("span", [(0, 1), (-3, 7), (0, 1e-6), (1e5, 1e5 + 3), (-1e9, 1e9)])
def test_ticks_are_round_and_inside(span: tuple[float, float]) -> None:
    marks = numbers.ticks(*span, 5)
    assert 2 <= len(marks) <= 11
    assert all(span[0] - 1e-9 <= mark <= span[1] + 1e-9 for mark in marks)
    assert np.allclose(np.diff(marks), marks[1] - marks[0])


@pytest.mark.parametrize(
    ("high", "wanted"),
    [(1, [0, 1]), (2, [0, 1, 2]), (10, [0, 2, 4, 6, 8, 10]), (12, [0, 5, 10]), (0.7, [0])],
)
def test_an_axis_that_counts_has_whole_numbers(high: float, wanted: list[float]) -> None:
    assert numbers.ticks(0, high, 5, whole=True) == wanted


@pytest.mark.parametrize(
    ("span", "wanted"),
    [
        ((1, 2000), [1, 10, 100, 1000]),
        ((0.9, 22), [1, 2, 5, 10, 20]),
        ((1.5, 80), [2, 5, 10, 20, 50]),
        ((1e-4, 1e4), [1e-4, 1e-2, 1, 1e2, 1e4]),
        ((3, 90), [5, 10, 20, 50]),
        ((31, 45), [35, 40, 45]),
    ],
)
def test_ticks_of_a_logarithmic_axis_are_round(
    span: tuple[float, float], wanted: list[float]
) -> None:
    marks = numbers.log_ticks(np.log10(span[0]), np.log10(span[1]), 5)
    assert 10.0 ** np.array(marks) == pytest.approx(wanted)


def test_words_are_shortened_and_broken_to_fit() -> None:
    text = "a sentence that is too long for its place"
    short = PIXEL_TYPEFACE.elided(text, 120, 13)
    assert short.endswith("…")
    assert PIXEL_TYPEFACE.width(short, 13) <= 120
    lines = PIXEL_TYPEFACE.wrapped(text, 120, 13)
    assert " ".join(lines) == text
    assert all(PIXEL_TYPEFACE.width(line, 13) <= 120 for line in lines)
    assert PIXEL_TYPEFACE.elided("abc", 0, 13) == ""


@pytest.fixture
def other_fonts(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    """To draw with another font for the length of a test."""
    # private: the program never clears them, because its font stays the same
    caches = (fonts._width, fonts._pillow_font)
    for cache in caches:
        cache.cache_clear()
    yield monkeypatch
    for cache in caches:
        cache.cache_clear()


@pytest.mark.parametrize("face", ["opencv", "pillow", "ascii"])
def test_letters_are_drawn_with_every_font(face: str, other_fonts: pytest.MonkeyPatch) -> None:
    if face == "opencv" and not hasattr(cv2, "FontFace"):
        pytest.skip("OpenCV 4 has no font of its own")
    if face != "opencv":
        other_fonts.setattr(fonts, "_face", lambda: None)
    if face == "ascii":
        other_fonts.setattr(fonts, "_system_font", lambda: "")
    canvas = np.zeros((40, 200, 3), np.uint8)
    fonts.write(canvas, "Żółw × 0.93 …", (4, 4), 16, (255, 255, 255))
    lit = np.argwhere(canvas[..., 0] > 60)
    assert len(lit) > 100
    assert lit[:, 0].min() >= 2
    assert lit[:, 0].max() <= 4 + line_height(16)
    assert abs(lit[:, 1].max() - 4 - PIXEL_TYPEFACE.width("Żółw × 0.93 …", 16)) <= 4
    fonts.write(canvas, "outside", (-500, -500), 16, (255, 255, 255))
    fonts.write(canvas, "outside", (500, 500), 16, (255, 255, 255))


def test_segments_are_clipped_to_the_canvas() -> None:
    segments = np.array(
        [[-10, 5, 20, 5], [0, -5, 0, -1], [2, 2, 4, 4], [5, 5, 5, 5], [np.nan, 0, 1, 1]], float
    )
    inside, rows = clipped(segments, 10, 10)
    assert rows.tolist() == [0, 2, 3]
    assert inside.tolist() == [[0, 5, 10, 5], [2, 2, 4, 4], [5, 5, 5, 5]]


def test_dashes_cover_on_and_leave_off() -> None:
    pieces, rows = dashed(np.array([[0, 0, 10, 0], [0, 0, 0, 1]], float), 3, 2)
    assert rows.tolist() == [0, 0, 1]
    assert pieces.tolist() == [[0, 0, 3, 0], [5, 0, 8, 0], [0, 0, 0, 1]]


def test_a_marker_and_a_log_axis(monkeypatch: pytest.MonkeyPatch) -> None:
    x = np.array([0.1, 1.0, 10.0, 100.0])
    plot = Plot("p", curves=(Curve(x, np.arange(4.0)),), log_x=True, marker=10.0)
    written: list[str] = []
    with monkeypatch.context() as patch:
        _listen(patch, written)
        render_board(Board((), plots=(plot,)), width=800)
    assert {"0.1", "1", "10", "100"} <= set(written)
    with_line = render_board(Board((), plots=(plot,)), width=800)
    without = render_board(Board((), plots=(replace(plot, marker=None),)), width=800)
    columns = np.flatnonzero((with_line != without).any(axis=(0, 2)))
    assert np.ptp(columns) < 4, "an upright line"
    marks = {at: render_board(Board((), plots=(replace(plot, marker=at),)), width=800) for at in x}
    places = [np.flatnonzero((marks[at] != without).any(axis=(0, 2))).mean() for at in x]
    steps = np.diff(places)
    np.testing.assert_allclose(steps, steps[0], atol=1.0)  # decades are equally far apart


def test_only_whole_numbers_are_written_along_a_counting_axis(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    x = np.arange(3.0)
    plot = Plot("p", curves=(Curve(x, x / 2),), whole_x=True)
    written: dict[bool, list[str]] = {False: [], True: []}
    for whole_y, words in written.items():
        with monkeypatch.context() as patch:
            _listen(patch, words)
            render_board(Board((), plots=(replace(plot, whole_y=whole_y),)), width=800)
    assert sorted(filter(None, written[True])) == ["0", "0", "1", "1", "2"]
    assert "0.5" in written[False]


@pytest.mark.parametrize("marker", [np.nan, np.inf, 0.0, -1.0])
def test_a_marker_that_a_log_axis_cannot_show(marker: float) -> None:
    x = np.array([0.0, 1.0, 10.0])
    plot = Plot("p", curves=(Curve(x, x),), log_x=True)
    picture = render_board(Board((), plots=(replace(plot, marker=marker),)), width=400)
    assert np.array_equal(picture, render_board(Board((), plots=(plot,)), width=400))


@pytest.mark.parametrize(("room", "drawn"), [(0.0, True), (4.0, False), (90.0, True)])
def test_words_stay_in_their_room_or_are_not_drawn(room: float, drawn: bool) -> None:
    words = Text("-16.07", (150, 50), plate=False, anchor=(0.5, 0.5), room=room)
    assert (_render(words, size=(300, 200))[30:70] > 150).any() == drawn


@pytest.mark.parametrize(("backdrop", "ink"), [((250, 250, 250), 0), ((20, 20, 20), 255)])
def test_words_without_a_color_are_dark_on_light_and_light_on_dark(
    backdrop: tuple[int, int, int], ink: int
) -> None:
    words = Text("W", (20, 15), color=None, plate=False, anchor=(0.5, 0.5))
    shown = render_pane(_pane(words), scale=4.0, backdrop=backdrop)
    assert (shown == ink).all(axis=2).any()
    assert set(np.unique(shown)) <= set(range(min(*backdrop, ink), max(*backdrop, ink) + 1))
