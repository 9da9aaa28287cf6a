"""A board as SVG and PDF: shapes stay shapes, words stay words, arrays stay what they are."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, get_args
from xml.etree import ElementTree as ET

import numpy as np
import pypdf
import pytest
from PIL import Image

from explorer.core.errors import ExplorerError
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
    lookup_table,
    stamped,
)
from explorer.render.vector import font_files
from explorer.render.vector.drawing import UNITS, Drawing, borders
from explorer.render.vector.figure import FigureSize, render_figure, render_pane_figure
from explorer.render.vector.pdf import pdf_bytes
from explorer.render.vector.svg import svg_bytes
from tests.boards import BLUE, GREEN, RED, colors, full_board, noise, one_of_each

SVG = "{http://www.w3.org/2000/svg}"
HREF = "{http://www.w3.org/1999/xlink}href"
POINT = 25.4 / 72  # mm
SIZE = FigureSize(width_mm=40 * POINT * 5, font_size=8)  # a pane 40 wide: 5 points for each unit


def _cleared() -> None:
    # private: the program never clears them, because a computer's fonts stay the same
    for cache in (font_files._others, font_files._font_of, font_files.em_width):
        cache.cache_clear()


def _svg(drawing: Drawing) -> ET.Element:
    return ET.fromstring(svg_bytes(drawing, title="Title", metadata="{}"))


def _pane(*layers: Layer, size: tuple[float, float] = (40, 30)) -> ET.Element:
    return _svg(render_pane_figure(Pane("image", size, layers), SIZE))


def _marks(root: ET.Element, kind: str) -> list[dict[str, str]]:
    """The elements of a kind that are drawn: not the backdrop, nor what clips."""
    (part,) = (group for group in root.iter(f"{SVG}g") if group.get("clip-path"))
    found = [dict(e.attrib) for e in part.iter(f"{SVG}{kind}")]
    return found[1:] if kind == "rect" else found


def _box(mark: dict[str, str]) -> list[float]:
    x, y, width, height = (float(mark[name]) for name in ("x", "y", "width", "height"))
    return [x, y, x + width, y + height]


def _points(route: str) -> list[list[tuple[float, float]]]:
    runs = [run.removesuffix("Z").split("L") for run in route.split("M") if run]
    return [[tuple(map(float, point.split())) for point in run] for run in runs]


def _pixels(root: ET.Element) -> list[np.ndarray]:
    data = [e.attrib[HREF].removeprefix("data:image/png;base64,") for e in root.iter(f"{SVG}image")]
    return [np.asarray(Image.open(io.BytesIO(base64.b64decode(text)))) for text in data]


def _texts(root: ET.Element) -> list[str]:
    return [e.text or "" for e in root.iter(f"{SVG}text")]


def _page(drawing: Drawing, title: str = "Title") -> pypdf.PageObject:
    (page,) = pypdf.PdfReader(io.BytesIO(pdf_bytes(drawing, title=title, metadata="{}"))).pages
    return page


# -- size -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("width", "font"), [(86.0, 8.0), (178.0, 7.0), (30.0, 5.0)])
def test_a_figure_has_the_width_and_the_letters_that_were_asked_for(
    width: float, font: float
) -> None:
    drawing = render_figure(full_board(), FigureSize(width, font))
    root = _svg(drawing)
    assert root.attrib["width"].endswith("mm")
    assert float(root.attrib["width"].removesuffix("mm")) == pytest.approx(width, abs=0.02)
    assert float(root.attrib["viewBox"].split()[2]) == pytest.approx(width / POINT, abs=0.05)
    (summary,) = (e for e in root.iter(f"{SVG}text") if e.text == "A summary")
    assert float(summary.attrib["font-size"]) == pytest.approx(font, abs=0.01)
    page = _page(drawing)
    assert float(page.mediabox.width) == pytest.approx(width / POINT, abs=0.05)
    assert float(page.mediabox.height) == pytest.approx(drawing.height / UNITS, abs=0.05)


@pytest.mark.parametrize(("width", "font"), [(5, 8), (2000, 8), (86, 1), (86, 200), (20, 40)])
def test_a_size_that_cannot_be_drawn_is_a_sentence(width: float, font: float) -> None:
    with pytest.raises(ExplorerError, match=r"cannot be drawn|too large"):
        FigureSize(width, font)


def test_a_light_figure_stands_on_white_and_a_dark_one_does_not() -> None:
    for theme, page in (("light", "#ffffff"), ("dark", "#181a1e")):
        root = _svg(render_figure(full_board(), theme=theme))  # type: ignore[arg-type]
        first = next(e for e in root.iter(f"{SVG}rect") if "fill" in e.attrib)
        assert first.attrib["fill"] == page


# -- layers ---------------------------------------------------------------------------------------


def test_a_box_is_a_rectangle_at_its_place() -> None:
    boxes = Boxes(np.array([[10, 8, 30, 20], [30, 20, 35, 25]], np.float32), colors(RED, GREEN))
    first, second = _marks(_pane(boxes), "rect")
    assert _box(first) == [50, 40, 150, 100]
    assert _box(second) == [150, 100, 175, 125]
    assert (first["stroke"], first["fill"]) == ("#ff0000", "none")
    assert second["stroke"] == "#00ff00"
    assert "stroke-dasharray" not in first


def test_a_dotted_box_has_dashes_and_a_filled_one_is_filled() -> None:
    boxes = Boxes(np.array([[10, 8, 30, 20]], np.float32), colors(RED), dotted=True, fill=0.25)
    inside, edge = _marks(_pane(boxes), "rect")
    assert (inside["fill"], inside["opacity"]) == ("#ff0000", "0.25")
    assert float(edge["stroke-dasharray"].split()[0]) == pytest.approx(
        3 * float(edge["stroke-width"]), abs=0.01
    )


def test_boxes_that_are_not_finite_or_far_away_do_no_harm() -> None:
    xyxy = np.array([[np.nan, 0, 1, 1], [-1e9, -1e9, 1e9, 1e9], [1, 1, 2, 2]], np.float32)
    marks = _marks(_pane(Boxes(xyxy, colors(RED, GREEN, BLUE), ("a", "b", "c"))), "rect")
    outlines = [mark for mark in marks if "stroke" in mark]
    assert len(outlines) == 2
    assert max(map(abs, _box(outlines[0]))) < 1000


def test_a_label_is_text_with_its_words() -> None:
    boxes = Boxes(np.array([[10, 8, 30, 20]], np.float32), colors(RED), ("a <cat> & ≥ 0.5",))
    root = _pane(boxes)
    assert _texts(root) == ["a <cat> & ≥ 0.5"]
    (text,) = root.iter(f"{SVG}text")
    plate = _box(_marks(root, "rect")[-1])
    assert plate[0] < float(text.attrib["x"]) < plate[2]
    assert plate[1] < float(text.attrib["y"]) < plate[3]
    wide = font_files.em_width("a <cat> & ≥ 0.5", bold=False) * float(text.attrib["font-size"])
    assert float(text.attrib["x"]) + wide < plate[2]


@pytest.mark.parametrize("smooth", [False, True])
def test_a_photo_is_embedded_pixel_by_pixel(smooth: bool) -> None:
    photo = noise(60, 80)
    root = _pane(Picture(photo, extent=(0, 0, 40, 30), smooth=smooth, opacity=0.5))
    (found,) = _pixels(root)
    assert np.array_equal(found, photo)
    (image,) = _marks(root, "image")
    assert _box(image) == [0, 0, 200, 150]
    assert (image["opacity"], image["preserveAspectRatio"]) == ("0.5", "none")
    assert ("image-rendering" in image) is not smooth
    (embedded,) = _page(render_pane_figure(
        Pane("a", (40, 30), (Picture(photo, extent=(0, 0, 40, 30)),)), SIZE)).images  # fmt: skip
    assert np.array_equal(np.asarray(embedded.image), photo)


def test_a_fine_photo_may_be_smoothed_where_it_is_shown() -> None:
    (image,) = _marks(_pane(Picture(noise(900, 1200), extent=(0, 0, 40, 30))), "image")
    assert "image-rendering" not in image


def test_a_heat_map_is_embedded_cell_by_cell() -> None:
    values = np.array([[0, 1, np.nan], [0.5, 2, -1]], np.float32)
    root = _pane(Heat(values, 0, 1, "gray", extent=(0, 0, 40, 30), opacity=0.5))
    (found,) = _pixels(root)
    table = lookup_table("gray")
    assert found.shape == (2, 3, 4)
    assert np.array_equal(found[0, 1, :3], table[255])
    assert np.array_equal(found[1, 1, :3], table[255])
    assert np.array_equal(found[1, 0, :3], table[127])
    assert found[..., 3].tolist() == [[128, 128, 0], [128, 128, 128]]
    assert "pixelated" in _marks(root, "image")[0]["style"]


def test_masks_are_colors_at_their_own_size_and_outlines_are_paths() -> None:
    index = np.full((3, 4), -1, np.int32)
    index[0:2, 1:3] = 1
    index[2, 3] = 9  # no color
    root = _pane(Masks(index, colors(RED, GREEN), extent=(0, 0, 40, 30), opacity=0.4))
    (found,) = _pixels(root)
    assert found.shape == (3, 4, 4)
    assert found[0, 1].tolist() == [0, 255, 0, 102]
    assert found[2, 3, 3] == found[0, 0, 3] == 0
    (path,) = _marks(root, "path")
    (loop,) = _points(path["d"])
    assert set(loop) == {(50, 0), (150, 0), (150, 100), (50, 100)}
    assert path["stroke"] == "#00ff00"
    without = replace(Masks(index, colors(RED, GREEN), extent=(0, 0, 40, 30)), outline=False)
    assert not _marks(_pane(without), "path")


def test_borders_follow_the_edges_of_pixels_and_of_holes() -> None:
    mask = np.ones((3, 3), bool)
    assert [set(map(tuple, loop.tolist())) for loop in borders(mask)] == [
        {(0, 0), (3, 0), (3, 3), (0, 3)}
    ]
    mask[1, 1] = False
    outer, hole = sorted(borders(mask), key=lambda loop: -np.ptp(loop[:, 0]))
    assert set(map(tuple, outer.tolist())) == {(0, 0), (3, 0), (3, 3), (0, 3)}
    assert set(map(tuple, hole.tolist())) == {(1, 1), (2, 1), (2, 2), (1, 2)}
    assert borders(np.zeros((2, 2), bool)) == []


@pytest.mark.parametrize("seed", range(4))
def test_what_borders_enclose_is_the_mask(seed: int) -> None:
    mask = np.random.default_rng(seed).random((9, 11)) < 0.5
    loops = borders(mask)
    y, x = np.mgrid[:9, :11] + 0.5
    crossings = np.zeros(mask.shape, int)
    for loop in loops:  # a ray to the left crosses the upright edges of each loop
        for (x0, y0), (x1, y1) in zip(loop, np.roll(loop, -1, axis=0), strict=True):
            assert x0 == x1 or y0 == y1
            if x0 == x1:
                crossings += (x > x0) & (y > min(y0, y1)) & (y < max(y0, y1))
    assert np.array_equal(crossings % 2 == 1, mask)


def test_points_are_circles() -> None:
    (circle,) = _marks(_pane(Points(np.array([[10, 8]], np.float32), colors(RED))), "circle")
    assert (float(circle["cx"]), float(circle["cy"])) == (50, 40)
    assert circle["fill"] == "#ff0000"
    assert float(circle["r"]) > float(circle["stroke-width"]) > 0


def test_lines_are_paths_and_arrows_have_heads() -> None:
    segments = np.array([[0, 0, 20, 10], [10, 10, 30, 10]], np.float32)
    line, other, *heads = _marks(_pane(Lines(segments, colors(RED, GREEN), arrow=True)), "path")
    assert _points(line["d"]) == [[(0, 0), (100, 50)]]
    assert _points(other["d"]) == [[(50, 50), (150, 50)]]
    assert [head["fill"] for head in heads] == ["#ff0000", "#00ff00"]
    assert _points(heads[1]["d"])[0][0] == (150, 50)
    (both,) = _marks(_pane(Lines(segments, colors(RED, RED), dotted=True)), "path")
    assert len(_points(both["d"])) == 2
    assert "stroke-dasharray" in both


def test_a_grid_is_one_path() -> None:
    grid = Grid(np.array([10, np.nan, 99], np.float32), np.array([5], np.float32), (0, 0, 40, 30))
    (path,) = _marks(_pane(grid), "path")
    assert _points(path["d"]) == [[(50, 0), (50, 150)], [(0, 25), (200, 25)]]
    assert path["opacity"] == "0.6"


def test_lines_of_a_text_are_texts() -> None:
    assert _texts(_pane(Text("two\nlines", (1, 1)))) == ["two", "lines"]


def test_a_pane_clips_what_sticks_out() -> None:
    drawing = render_figure(Board((Pane("a", (40, 30), (one_of_each()[Lines],)),)), SIZE)
    root = _svg(drawing)
    (group,) = (e for e in root.iter(f"{SVG}g") if e.get("clip-path"))
    assert group.attrib["data-name"] == "a"
    (clip,) = (e for e in root.iter(f"{SVG}clipPath"))
    assert f"url(#{clip.attrib['id']})" == group.attrib["clip-path"]
    x0, y0, x1, y1 = _box(dict(clip[0].attrib))
    ((start, end),) = _points(next(e for e in group.iter(f"{SVG}path")).attrib["d"])
    assert x0 < start[0] < end[0] < x1
    assert y0 < start[1] < end[1] < y1


@pytest.mark.parametrize("kind", get_args(Layer))
@pytest.mark.parametrize("write", [svg_bytes, pdf_bytes])
def test_every_layer_is_written(kind: type, write: Any) -> None:
    with_it = Pane("a", (40, 30), (one_of_each()[kind],))
    without = Pane("a", (40, 30))
    sizes = [len(write(render_pane_figure(p), title="", metadata="")) for p in (without, with_it)]
    assert sizes[1] > sizes[0] + 50


# -- charts ---------------------------------------------------------------------------------------


def test_curves_are_paths_with_gaps_and_lone_points() -> None:
    y = np.array([0, 1, np.nan, 1, np.nan, 0, 1])
    plot = Plot("p", "Loss", "step", "value", (Curve(np.arange(7.0), y, "a", RED),), marker=2.0)
    root = _svg(render_figure(Board((), plots=(plot,)), SIZE))
    curve, marker = root.iter(f"{SVG}path")
    assert [len(run) for run in _points(curve.attrib["d"])] == [2, 2]
    assert curve.attrib["stroke"] == "#ff0000"
    ((x0, _), (x1, _)) = _points(marker.attrib["d"])[0]
    assert x0 == x1
    (point,) = root.iter(f"{SVG}circle")
    (_, second), (_, last) = _points(curve.attrib["d"])
    assert second[0] < float(point.attrib["cx"]) < last[0]
    assert {"Loss", "step", "value", "a", "0", "2", "4", "6"} <= set(_texts(root))


def test_every_curve_has_its_name() -> None:
    names = [f"a method called {n}" for n in range(14)]
    curves = tuple(Curve(np.arange(3.0), np.arange(3.0), name) for name in names)
    root = _svg(render_figure(Board((), plots=(Plot("p", curves=curves),)), SIZE))
    assert set(names) <= set(_texts(root))


@pytest.mark.parametrize("log", [False, True])
def test_bars_and_logarithmic_axes_are_drawn(log: bool) -> None:
    curve = Curve(np.array([1.0, 10.0, 100.0]), np.array([1.0, 10.0, 100.0]))
    plots = (
        Plot("c", "Curves", curves=(curve,), log_x=log, log_y=log),
        Plot("b", "Bars", bars=(("cat", 0.75, RED), ("dog", -0.25, GREEN))),
    )
    root = _svg(render_figure(Board((), plots=plots), SIZE))
    fills = [e.attrib["fill"] for e in root.iter(f"{SVG}rect")]
    assert {"#ff0000", "#00ff00"} <= set(fills)
    assert {"cat", "dog", "0.75", "-0.25"} <= set(_texts(root))


def test_a_wide_table_is_smaller_and_not_cut() -> None:
    columns = tuple(f"column {n}" for n in range(6))
    table = Table("t", columns, (tuple(f"cell {n}" for n in range(6)),))
    root = _svg(render_figure(Board((), tables=(table,)), SIZE))
    assert {*columns, *(f"cell {n}" for n in range(6))} <= set(_texts(root))


def test_headings_in_a_narrow_pane_do_not_overlap() -> None:
    texts = tuple(
        Text("113 x 112", (float(x), 5.0), size=9.0, name="shape") for x in range(0, 40, 8)
    )
    drawing = render_pane_figure(Pane("a", (40, 30), texts), FigureSize(86, 8))
    lines = sorted(drawing.words(), key=lambda words: words.x)
    ends = [line.x + line.size * font_files.em_width(line.text, bold=True) for line in lines]
    assert len(lines) == 5
    assert all(end < line.x for end, line in zip(ends, lines[1:], strict=False))


def test_a_narrow_board_puts_panes_below_one_another() -> None:
    panes = tuple(Pane(name, (400, 300), (Picture(noise(3, 4)),), title=name) for name in "abc")
    for width, rows in ((300.0, 1), (60.0, 3)):
        root = _svg(render_figure(Board(panes), FigureSize(width, 8)))
        clips = [dict(clip[0].attrib) for clip in root.iter(f"{SVG}clipPath")]
        assert len({clip["y"] for clip in clips}) == rows


# -- words ----------------------------------------------------------------------------------------


def test_the_words_of_a_pdf_are_text() -> None:
    board = stamped(replace(full_board(), summary="score ≥ 0.5 · Σ θ σ · Żółw Жук"), UNTRAINED)
    drawing = render_figure(board, FigureSize(178, 8), title="Detections · photo")
    said = _page(drawing).extract_text()
    for words in drawing.words():
        assert words.text in said
    assert "score ≥ 0.5 · Σ θ σ · Żółw Жук" in said
    assert UNTRAINED in said
    fonts = _page(drawing)["/Resources"]["/Font"]
    for font in fonts.values():
        (descendant,) = font.get_object()["/DescendantFonts"]
        assert "/FontFile2" in descendant.get_object()["/FontDescriptor"].get_object()


def test_words_of_a_pane_and_around_it_keep_their_fonts() -> None:
    """What is set inside a clipped part of a PDF is forgotten after it."""
    pane = Pane("a", (40, 30), (Text("bold", (1, 1)),), title="above")
    table = Table("t", ("plain",), (("cell",),))
    drawing = render_figure(Board((pane,), tables=(table,), summary="summary"), FigureSize(86, 8))
    seen: dict[str, tuple[Any, float]] = {}

    def visit(text: str, _cm: Any, _tm: Any, font: Any, size: float) -> None:
        if text.strip():
            seen[text.strip()] = (font.get("/BaseFont"), size)

    _page(drawing).extract_text(visitor_text=visit)
    assert {"above", "bold", "plain", "cell", "summary"} <= set(seen)
    by_words = {words.text: words for words in drawing.words()}
    for text, (_, size) in seen.items():
        assert size == pytest.approx(by_words[text].size, abs=0.01), text


def test_an_svg_brings_the_letters_it_uses() -> None:
    root = _svg(render_figure(full_board()))
    (style,) = root.iter(f"{SVG}style")
    assert (style.text or "").count("@font-face") == 2
    group = next(root.iter(f"{SVG}g"))
    assert group.attrib["font-family"].startswith("Arimo, Arial, Helvetica")


def test_what_xml_cannot_hold_becomes_a_sign_that_says_so() -> None:
    pane = Pane("a\x00", (40, 30), (Text("a\x01b\ud800c", (1, 1)),))
    assert _texts(_svg(render_pane_figure(pane))) == ["a\ufffdb\ufffdc"]


def test_a_character_of_no_font_is_a_sentence_in_a_pdf_and_text_in_an_svg(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(font_files, "_folders", list)
    _cleared()
    pane = Pane("a", (40, 30), (Text("a 猫", (1, 1)),))
    drawing = render_pane_figure(pane)
    assert _texts(_svg(drawing)) == ["a 猫"]
    with pytest.raises(ExplorerError, match="猫") as caught:
        pdf_bytes(drawing, title="", metadata="")
    assert "SVG" in caught.value.hint
    _cleared()


@pytest.fixture
def another_font(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A computer whose only font is Arimo's letter A, filed as the Chinese for "cat"."""
    from fontTools.ttLib import TTFont

    with TTFont(font_files.arimo(False).path) as face:
        for table in face["cmap"].tables:
            table.cmap = {ord("猫"): "A"}
        face.save(tmp_path / "cat.ttf")
    (tmp_path / "broken.ttf").write_bytes(b"no font")
    (tmp_path / "aaa.otf").mkdir()
    monkeypatch.setattr(font_files, "_folders", lambda: [tmp_path, tmp_path / "missing"])
    _cleared()
    yield
    _cleared()


@pytest.mark.usefixtures("another_font")
def test_characters_that_arimo_lacks_come_from_another_font() -> None:
    pane = Pane("a", (40, 30), (Text("a 猫 b", (1, 1)),))
    page = _page(render_pane_figure(pane))
    said = page.extract_text()
    assert "a" in said
    assert "猫" in said
    assert len(page["/Resources"]["/Font"]) == 2


def test_words_are_as_wide_as_their_font_says() -> None:
    typeface = font_files.OUTLINE_TYPEFACE
    assert typeface.width("A", 2048, bold=False) == 1366  # Arial's
    assert typeface.width("A", 2048, bold=True) == 1479
    assert typeface.width("AA\nA", 2048) == 2732
    short = typeface.elided("a sentence that is too long", 1000, 160)
    assert short.endswith("…")
    assert typeface.width(short, 160) <= 1000


def test_long_names_of_bars_and_long_cells_are_broken_into_lines() -> None:
    name = "the probability of a class whose name is long"
    words = "a sentence in a table that says in some detail what has happened to the box"
    plot = Plot("b", bars=((name, 0.5, RED), ("short", 0.25, GREEN)))
    table = Table("t", ("n", "what became of it"), ((1, words), (2, "short")))
    drawing = render_figure(Board((), (plot,), (table,)), FigureSize(60, 8))
    lines = list(drawing.words())
    written = " ".join(line.text for line in lines)
    assert name in written
    assert words in written
    (next_row,) = (line.y for line in lines if line.text == "2")
    of_cell = [line for line in lines if line.text in words and line.y < next_row]
    assert len(of_cell) > 1
    assert of_cell[-1].y + of_cell[-1].size < next_row + 0.1


def test_a_wide_table_is_split_before_a_number_is_cut() -> None:
    columns = tuple(f"column{n}" for n in range(12))
    rows = tuple((f"row {r}", *(r * 1000.125 + n for n in range(11))) for r in range(3))
    root = _svg(render_figure(Board((), tables=(Table("t", columns, rows),)), FigureSize(86, 8)))
    texts = _texts(root)
    assert set(columns) <= set(texts)
    assert texts.count("column0") > 1, "the first column says again what a row is of"
    for row in rows:
        for value in row[1:]:
            assert isinstance(value, float)
            assert {f"{value:,.0f}", f"{value:,.3f}"} & set(texts)
    right = max(float(e.attrib["x"]) for e in root.iter(f"{SVG}text"))
    assert right < float(root.attrib["viewBox"].split()[2])


def test_a_color_key_is_as_wide_as_its_pane_at_most() -> None:
    key = Text("a very long name of a class 11.4%", (2, 20), swatches=(RED,), name="key")
    drawing = render_pane_figure(Pane("image", (40, 30), (key,)), FigureSize(40, 8))
    (words,) = drawing.words()
    face = drawing.typeface
    assert words.x + face.width(words.text, words.size, bold=True) <= drawing.width
