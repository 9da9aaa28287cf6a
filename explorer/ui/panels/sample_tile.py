"""A picture of the gallery on the welcome page."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QFontMetrics, QKeyEvent, QPainter, QPaintEvent, QPalette, QPen
from PySide6.QtWidgets import QAbstractButton, QSizePolicy

from explorer.ui.photos.filmstrip import key_of, title_of
from explorer.ui.photos.tiles import draw_tile, picture_size
from explorer.ui.widgets.fonts import scaled_font
from explorer.ui.widgets.small_widgets import UNIT, muted

if TYPE_CHECKING:
    from explorer.ui.photos.thumbnails import Thumbnails


class SampleTile(QAbstractButton):
    """One picture of the gallery, to click.

    Signals:
        chosen: The sample.
    """

    chosen = Signal(object)

    def __init__(self, item: object, thumbnails: Thumbnails) -> None:
        super().__init__()
        self.item = item
        self._thumbnails = thumbnails
        self.setText(title_of(item))
        self.setAccessibleName(title_of(item))
        self.setToolTip(title_of(item))
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        thumbnails.ready.connect(self._ready)
        self.clicked.connect(self._choose)

    def sizeHint(self) -> QSize:
        line = QFontMetrics(scaled_font(self.font(), 0.88)).height()
        return picture_size() + QSize(UNIT, line + UNIT * 2)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self.click()
        else:
            super().keyPressEvent(event)

    def paintEvent(self, event: QPaintEvent) -> None:
        thumb = self._thumbnails.get(key_of(self.item), self.item)
        area = QRectF(QPointF(UNIT / 2, UNIT / 2), picture_size().toSizeF())
        palette = self.palette()
        with QPainter(self) as painter:
            pixmap = thumb.pixmap if thumb is not None else None
            broken = thumb is not None and bool(thumb.error)
            draw_tile(painter, area, pixmap, broken=broken, palette=palette)
            if self.underMouse() or self.hasFocus():
                painter.setBrush(Qt.BrushStyle.NoBrush)
                painter.setPen(QPen(palette.color(QPalette.ColorRole.Highlight), 2))
                painter.drawRoundedRect(area.adjusted(-2.5, -2.5, 2.5, 2.5), 7, 7)
            font = scaled_font(self.font(), 0.88)
            painter.setFont(font)
            painter.setPen(muted(palette))
            line = QFontMetrics(font)
            words = QRectF(area.left(), area.bottom() + 6, area.width(), line.height())
            name = line.elidedText(self.text(), Qt.TextElideMode.ElideRight, int(words.width()))
            painter.drawText(words, int(Qt.AlignmentFlag.AlignCenter), name)

    def _ready(self, key: object) -> None:
        if key == key_of(self.item):
            self.update()

    def _choose(self) -> None:
        self.chosen.emit(self.item)
