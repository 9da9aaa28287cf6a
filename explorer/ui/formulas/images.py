"""Formulas drawn as mathematics: LaTeX to an SVG by ziamath, to an image by Qt."""

from __future__ import annotations

import functools
import logging
import re

from PySide6.QtCore import QByteArray, QSizeF, Qt
from PySide6.QtGui import QColor, QImage, QPainter
from PySide6.QtSvg import QSvgRenderer

log = logging.getLogger(__name__)

POINTS = 24.0
"""What a formula is laid out with; it is scaled to what is wanted."""


@functools.lru_cache(maxsize=256)
def _svg(latex: str) -> str:
    """The formula in black; "" where it cannot be set."""
    from ziamath.config import config  # reads a font: not before the first formula
    from ziamath.zmath import Latex

    config.svg2 = False  # Qt draws SVG 1.1
    config.math.color = "#000000"
    try:
        return str(Latex(latex, size=POINTS).svg())
    except Exception:  # its parsers raise whatever they stumble over
        log.exception("the formula %r cannot be set", latex)
        return ""


def formula_size(latex: str, pixels: float) -> QSizeF:
    """Width and height of a formula whose letters are `pixels` high; empty: it cannot be set."""
    found = re.search(r'width="([\d.]+)" height="([\d.]+)"', _svg(latex))
    if found is None:
        return QSizeF()
    return QSizeF(float(found[1]), float(found[2])) * (pixels / POINTS)


def formula_image(latex: str, size: QSizeF, color: QColor, ratio: float) -> QImage:
    """The formula as an image.

    Args:
        latex: One that `formula_size` knows.
        size: In the window's pixels.
        color: Of its strokes.
        ratio: The screen's dots for each of these pixels.
    """
    image = QImage((size * ratio).toSize().expandedTo(QSizeF(1, 1).toSize()),
                   QImage.Format.Format_ARGB32_Premultiplied)  # fmt: skip
    image.fill(Qt.GlobalColor.transparent)
    drawn = _svg(latex).replace("#000000", color.name())
    with QPainter(image) as painter:
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        QSvgRenderer(QByteArray(drawn.encode())).render(painter)
    image.setDevicePixelRatio(ratio)
    return image
