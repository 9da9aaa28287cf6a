"""A drawing as a PDF of one page, written by fpdf2; fonts and arrays are embedded in it."""

from __future__ import annotations

import tempfile
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path as FilePath
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape

from fpdf import FPDF
from fpdf.drawing import PaintedPath
from fpdf.drawing_primitives import rgb8
from PIL import Image

from explorer import __version__
from explorer.core.errors import ExplorerError
from explorer.render.vector.drawing import (
    UNITS,
    Bitmap,
    Circle,
    Drawing,
    Part,
    Path,
    Rectangle,
    Words,
)
from explorer.render.vector.font_files import em_width, embedded, font_runs

if TYPE_CHECKING:
    from collections.abc import Sequence

    from explorer.core.layers import Color
    from explorer.render.vector.drawing import Mark, Pen
    from explorer.render.vector.font_files import FontFile

NAMESPACE = "urn:convnet-explorer"
"""Of the element `metadata` in the file's XMP."""


def pdf_bytes(drawing: Drawing, *, title: str, metadata: str) -> bytes:
    """The file; `metadata` is kept in its XMP.

    Raises:
        ExplorerError: When a character of the drawing is in no font that can be embedded.
    """
    page = FPDF(unit="pt", format=(drawing.width / UNITS, drawing.height / UNITS))
    page.set_auto_page_break(False)
    page.set_margin(0)
    page.c_margin = 0
    page.set_image_filter("FlateDecode")  # as it is: a figure loses nothing
    page.set_title(title)
    page.set_creator(f"Convnet Explorer {__version__}")
    page.set_xmp_metadata(_xmp(title, metadata))
    page.add_page()
    with tempfile.TemporaryDirectory() as folder:
        names = _add_fonts(page, drawing, FilePath(folder))
        _Painter(page, names).paint(drawing.marks)
        return bytes(page.output())


def _add_fonts(page: FPDF, drawing: Drawing, folder: FilePath) -> dict[FontFile, str]:
    """Puts the characters that are used of each font into the file; the fonts' names in it."""
    used: dict[FontFile, set[str]] = {}
    unknown: set[str] = set()
    for words in drawing.words():
        for font, run in font_runs(words.text, bold=words.bold):
            characters = unknown if font is None else used.setdefault(font, set())
            characters.update(run)
    if unknown:
        raise ExplorerError(
            f"No font on this computer can write {''.join(sorted(unknown))!r} into a PDF.",
            "Install a font that has these characters, or save the figure as SVG.",
        )
    names = {font: f"F{number}" for number, font in enumerate(used)}
    for font, name in names.items():
        path = folder / f"{name}.ttf"
        path.write_bytes(embedded(font, used[font]))
        page.add_font(name, fname=path)
    return names


class _Painter:
    def __init__(self, page: FPDF, names: dict[FontFile, str]) -> None:
        self._page, self._names = page, names

    def paint(self, marks: Sequence[Mark]) -> None:
        for mark in marks:
            match mark:
                case Rectangle():
                    self._rectangle(mark)
                case Path():
                    self._path(mark)
                case Circle():
                    style = self._colors(mark.fill, mark.pen)
                    self._page.circle(mark.x, mark.y, mark.radius, style=style)
                case Bitmap():
                    self._bitmap(mark)
                case Words():
                    self._text(mark)
                case Part():
                    x0, y0, x1, y1 = mark.box
                    clip = self._page.rect_clip(x0, y0, x1 - x0, y1 - y0)
                    with self._page.local_context(), clip:  # fpdf2 forgets what it set inside
                        self.paint(mark.marks)

    def _rectangle(self, mark: Rectangle) -> None:
        x0, y0, x1, y1 = mark.box
        with ExitStack() as faded:
            if mark.opacity < 1:
                faded.enter_context(self._faded(mark.opacity))
            self._page.rect(
                x0, y0, x1 - x0, y1 - y0,
                style=self._colors(mark.fill, mark.pen),
                round_corners=mark.radius > 0, corner_radius=mark.radius,
            )  # fmt: skip

    def _path(self, mark: Path) -> None:
        path = PaintedPath()
        for run in mark.runs:
            (x, y), *rest = run.tolist()
            path.move_to(x, y)
            for x, y in rest:
                path.line_to(x, y)
            if mark.closed:
                path.close()
        style = path.style
        style.auto_close = False
        style.intersection_rule = "evenodd"
        style.stroke_join_style = "round"
        style.fill_color = None if mark.fill is None else rgb8(*mark.fill)
        style.stroke_color = None if mark.pen is None else rgb8(*mark.pen.color)
        style.fill_opacity = style.stroke_opacity = mark.opacity
        if mark.pen is not None:
            style.stroke_width = mark.pen.width
            style.stroke_dash_pattern = mark.pen.dashes
        with self._page.drawing_context() as context:
            context.add_item(path)

    def _bitmap(self, mark: Bitmap) -> None:
        x0, y0, x1, y1 = mark.box
        with ExitStack() as faded:
            if mark.opacity < 1:
                faded.enter_context(self._faded(mark.opacity))
            self._page.image(Image.fromarray(mark.pixels), x0, y0, x1 - x0, y1 - y0)

    def _text(self, words: Words) -> None:
        self._page.set_text_color(*words.color)
        x = words.x
        for font, run in font_runs(words.text, bold=words.bold):
            assert font is not None, "they have been looked for"
            self._page.set_font(self._names[font], size=words.size)
            self._page.text(x, words.y, run)
            x += words.size * em_width(run, bold=words.bold)

    def _colors(self, fill: Color | None, pen: Pen | None) -> str:
        """Sets the colors and the stroke; returns fpdf2's letters for what to draw."""
        if fill is not None:
            self._page.set_fill_color(*fill)
        if pen is not None:
            self._page.set_draw_color(*pen.color)
            self._page.set_line_width(pen.width)
            dash, gap = pen.dashes or (0.0, 0.0)
            self._page.set_dash_pattern(dash, gap)
        return ("D" if pen is not None else "") + ("F" if fill is not None else "")

    def _faded(self, opacity: float) -> AbstractContextManager[None]:
        return self._page.local_context(fill_opacity=opacity, stroke_opacity=opacity)


def _xmp(title: str, metadata: str) -> str:
    return (
        '<x:xmpmeta xmlns:x="adobe:ns:meta/">'
        '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
        '<rdf:Description rdf:about="" xmlns:dc="http://purl.org/dc/elements/1.1/" '
        f'xmlns:explorer="{NAMESPACE}">'
        '<dc:title><rdf:Alt><rdf:li xml:lang="x-default">'
        f"{escape(title)}</rdf:li></rdf:Alt></dc:title>"
        f"<explorer:metadata>{escape(metadata)}</explorer:metadata>"
        "</rdf:Description></rdf:RDF></x:xmpmeta>"
    )
