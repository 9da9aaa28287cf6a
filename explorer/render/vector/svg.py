"""A drawing as SVG 1.1: shapes stay shapes, words stay words, arrays become PNGs inside it."""

from __future__ import annotations

import base64
import io
import re
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

from PIL import Image

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
from explorer.render.vector.font_files import FAMILIES, arimo, embedded, font_runs

if TYPE_CHECKING:
    from collections.abc import Sequence

    from explorer.core.layers import Color, UInt8
    from explorer.render.vector.drawing import Mark, Pen

_NOT_IN_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_MM = 25.4 / 72  # of a point


def svg_bytes(drawing: Drawing, *, title: str, metadata: str, letters: bool = True) -> bytes:
    """The file. One user unit is one point; `metadata` is kept word for word in <metadata>.

    The letters of Arimo that are used go along for browsers, but for `letters=False`. A program
    without Arimo takes Arial or Helvetica, whose letters are as wide.
    """
    width, height = drawing.width / UNITS, drawing.height / UNITS
    root = ET.Element(
        "svg",
        {
            "xmlns": "http://www.w3.org/2000/svg",
            "xmlns:xlink": "http://www.w3.org/1999/xlink",
            "version": "1.1",
            "width": f"{_number(width * _MM)}mm",
            "height": f"{_number(height * _MM)}mm",
            "viewBox": f"0 0 {_number(width)} {_number(height)}",
        },
    )
    ET.SubElement(root, "title").text = _clean(title)
    ET.SubElement(root, "metadata").text = _clean(metadata)
    definitions = ET.SubElement(root, "defs")
    if letters:
        ET.SubElement(definitions, "style").text = _font_faces(drawing)
    everything = ET.SubElement(root, "g", {"font-family": FAMILIES})
    _add(everything, drawing.marks, definitions)
    answer: bytes = ET.tostring(root, encoding="utf-8", xml_declaration=True)
    return answer


def _add(parent: ET.Element, marks: Sequence[Mark], definitions: ET.Element) -> None:
    for mark in marks:
        match mark:
            case Rectangle():
                ET.SubElement(parent, "rect", {**_place(mark.box), **_round(mark), **_paint(mark)})
            case Path():
                shape = {"fill-rule": "evenodd", "stroke-linejoin": "round"}
                ET.SubElement(parent, "path", {"d": _route(mark), **_paint(mark), **shape})
            case Circle():
                center = {"cx": _number(mark.x), "cy": _number(mark.y), "r": _number(mark.radius)}
                paint = {"fill": _hex(mark.fill), **_stroke(mark.pen)}
                ET.SubElement(parent, "circle", {**center, **paint})
            case Bitmap():
                _image(parent, mark)
            case Words():
                _text(parent, mark)
            case Part():
                _add(_group(parent, mark, definitions), mark.marks, definitions)


def _group(parent: ET.Element, part: Part, definitions: ET.Element) -> ET.Element:
    name = f"clip-{len(definitions)}"
    clip = ET.SubElement(definitions, "clipPath", {"id": name})
    ET.SubElement(clip, "rect", _place(part.box))
    return ET.SubElement(
        parent, "g", {"clip-path": f"url(#{name})", "data-name": _clean(part.name)}
    )


def _image(parent: ET.Element, mark: Bitmap) -> None:
    how = {**_place(mark.box), "preserveAspectRatio": "none", "data-name": _clean(mark.name)}
    if mark.opacity < 1:
        how["opacity"] = _number(mark.opacity)
    if mark.cells:
        how["image-rendering"] = "optimizeSpeed"  # the word of SVG 1.1, which is little known
        how["style"] = "image-rendering:pixelated"
    how["xlink:href"] = f"data:image/png;base64,{_base64(_png(mark.pixels))}"
    ET.SubElement(parent, "image", how)


def _text(parent: ET.Element, words: Words) -> None:
    how = {"x": _number(words.x), "y": _number(words.y), "fill": _hex(words.color)}
    how["font-size"] = _number(words.size)
    if words.bold:
        how["font-weight"] = "700"
    ET.SubElement(parent, "text", how).text = _clean(words.text)


def _font_faces(drawing: Drawing) -> str:
    used: dict[bool, set[str]] = {}
    for words in drawing.words():
        for font, run in font_runs(words.text, bold=words.bold):
            if font == arimo(words.bold):
                used.setdefault(words.bold, set()).update(run)
    return "".join(
        f"@font-face{{font-family:Arimo;font-weight:{700 if bold else 400};"
        f'src:url("data:font/ttf;base64,{_base64(embedded(arimo(bold), characters))}")}}'
        for bold, characters in sorted(used.items())
    )


def _place(box: tuple[float, float, float, float]) -> dict[str, str]:
    x0, y0, x1, y1 = box
    sides = {"x": x0, "y": y0, "width": x1 - x0, "height": y1 - y0}
    return {name: _number(value) for name, value in sides.items()}


def _round(mark: Rectangle) -> dict[str, str]:
    return {"rx": _number(mark.radius)} if mark.radius > 0 else {}


def _route(path: Path) -> str:
    lines = (
        "M" + "L".join(f"{_number(x)} {_number(y)}" for x, y in run.tolist()) for run in path.runs
    )
    return ("Z" if path.closed else "").join([*lines, ""])


def _paint(mark: Rectangle | Path) -> dict[str, str]:
    fill = {"fill": "none" if mark.fill is None else _hex(mark.fill)}
    faded = {"opacity": _number(mark.opacity)} if mark.opacity < 1 else {}
    return {**fill, **_stroke(mark.pen), **faded}


def _stroke(pen: Pen | None) -> dict[str, str]:
    if pen is None:
        return {}
    how = {"stroke": _hex(pen.color), "stroke-width": _number(pen.width)}
    if pen.dashes is not None:
        how["stroke-dasharray"] = " ".join(map(_number, pen.dashes))
    return how


def _png(pixels: UInt8) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")


def _number(value: float) -> str:
    return f"{value:.3f}".rstrip("0").rstrip(".")


def _hex(color: Color) -> str:
    return "#{:02x}{:02x}{:02x}".format(*color)


def _clean(text: str) -> str:
    return _NOT_IN_XML.sub("\ufffd", text)
