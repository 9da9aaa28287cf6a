"""Words in a picture: measured and drawn with a font that ships with OpenCV or Pillow.

OpenCV 5 carries a Unicode font and draws it straight into an array in microseconds. With OpenCV 4
the words go through Pillow: a system font where one is found, else Pillow's own (ASCII only).
"""

from __future__ import annotations

import threading
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from explorer.render.typeface import Typeface, line_height

if TYPE_CHECKING:
    from explorer.core.layers import Color, UInt8

_REGULAR, _BOLD = 400, 500
_SYSTEM_FONTS = (
    "DejaVuSans.ttf",
    "NotoSans-Regular.ttf",
    "segoeui.ttf",
    "Helvetica.ttc",
    "Arial.ttf",
)
_faces = threading.local()  # a face keeps the state of its last drawing: one per thread


class PixelTypeface(Typeface):
    """Words as `write` draws them, in whole pixels."""

    def line_width(self, line: str, size: float, *, bold: bool) -> int:
        return _width(line, _pixels(size), bold)


PIXEL_TYPEFACE = PixelTypeface()


def write(
    canvas: UInt8,
    text: str,
    at: tuple[float, float],
    size: float,
    color: Color,
    *,
    bold: bool = False,
) -> None:
    """Draws `text` into `canvas` (H, W, 3), its first line's upper left corner at (x, y) `at`.

    What lies outside the canvas is not drawn.
    """
    pixels = _pixels(size)
    x, y = round(at[0]), round(at[1])
    for number, line in enumerate(text.split("\n")):
        top = y + number * line_height(size)
        if line and top < canvas.shape[0] and top + line_height(size) > 0 and x < canvas.shape[1]:
            baseline = top + round(0.02 * size) + pixels
            _draw(canvas, line, x, baseline, pixels, color, bold)


def _pixels(size: float) -> int:
    return max(6, round(size))


@lru_cache(maxsize=4096)
def _width(line: str, pixels: int, bold: bool) -> int:
    if not line:
        return 0
    face = _face()
    if face is None:
        length: float = _pillow_font(pixels).getlength(_plain(line))
        return round(length)
    size = cv2.getTextSize((1, 1), line, (0, 0), face, pixels, _BOLD if bold else _REGULAR)
    return int(np.asarray(size)[2])


def _draw(
    canvas: UInt8, line: str, x: int, baseline: int, pixels: int, color: Color, bold: bool
) -> None:
    face = _face()
    if face is not None:
        cv2.putText(canvas, line, (x, baseline), color, face, pixels, _BOLD if bold else _REGULAR)
        return
    left, top = max(x, 0), max(baseline - 2 * pixels, 0)
    part = canvas[top : baseline + pixels, left : x + _width(line, pixels, bold) + pixels]
    if part.size == 0:
        return
    picture = Image.fromarray(part)
    ImageDraw.Draw(picture).text(
        (x - left, baseline - top), _plain(line), color, _pillow_font(pixels), anchor="ls"
    )
    part[:] = np.asarray(picture)


def _face() -> Any:
    """This thread's OpenCV font, or None before OpenCV 5."""
    if not hasattr(cv2, "FontFace"):
        return None
    if not hasattr(_faces, "sans"):
        _faces.sans = cv2.FontFace("sans")
    return _faces.sans


@lru_cache(maxsize=32)
def _pillow_font(pixels: int) -> Any:
    name = _system_font()
    return ImageFont.truetype(name, pixels) if name else ImageFont.load_default(pixels)


@lru_cache(maxsize=1)
def _system_font() -> str:
    for name in _SYSTEM_FONTS:
        try:
            ImageFont.truetype(name, 12)
        except OSError:
            continue
        return name
    return ""


def _plain(line: str) -> str:
    """`line` in characters that Pillow's own font has, where there is no other."""
    if _system_font():
        return line
    line = line.translate(str.maketrans("–—−×·“”‘’", "---x.\"\"''")).replace("…", "...")
    return line.encode("ascii", "replace").decode()
