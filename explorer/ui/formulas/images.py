"""Formulas that have been set, as images in the size and color of the text around them."""

from __future__ import annotations

import re
from functools import lru_cache

from PySide6.QtCore import QByteArray, QSize, QSizeF, Qt
from PySide6.QtGui import QColor, QImage, QPainter
from PySide6.QtSvg import QSvgRenderer

from explorer.ui.formulas import setting


def formula_size(latex: str, pixels: float) -> QSizeF:
    """Width and height of a formula whose letters are `pixels` high; empty: it has not been set."""
    found = re.search(r'width="([\d.]+)" height="([\d.]+)"', setting.ready(latex) or "")
    if found is None:
        return QSizeF()
    return QSizeF(float(found[1]), float(found[2])) * (pixels / setting.POINTS)


def formula_image(latex: str, size: QSizeF, color: QColor, ratio: float) -> QImage:
    """The formula as an image.

    Args:
        latex: One that has been set.
        size: In the window's pixels.
        color: Of its strokes.
        ratio: The screen's dots for each of these pixels.
    """
    dots = (size * ratio).toSize().expandedTo(QSize(1, 1))
    image = QImage(_drawn(latex, dots.width(), dots.height(), color.name()))
    image.setDevicePixelRatio(ratio)
    return image


@lru_cache(maxsize=64)  # a panel whose width is dragged draws the same formulas again
def _drawn(latex: str, width: int, height: int, color: str) -> QImage:
    image = QImage(width, height, QImage.Format.Format_ARGB32_Premultiplied)
    image.fill(Qt.GlobalColor.transparent)
    drawn = (setting.ready(latex) or "").replace("#000000", color)
    with QPainter(image) as painter:
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        QSvgRenderer(QByteArray(drawn.encode())).render(painter)
    return image
