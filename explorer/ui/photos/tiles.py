"""How one tile of a strip or a gallery is drawn: the picture, its name, or a broken picture."""

from __future__ import annotations

from PySide6.QtCore import (
    QModelIndex,
    QPersistentModelIndex,
    QPointF,
    QRectF,
    QSize,
    Qt,
)
from PySide6.QtGui import QFont, QFontMetrics, QPainter, QPainterPath, QPalette, QPen, QPixmap
from PySide6.QtWidgets import QStyle, QStyledItemDelegate, QStyleOptionViewItem

from explorer.ui.widgets.fonts import scaled_font, text_scale
from explorer.ui.widgets.small_widgets import UNIT, blend, line_color, muted, tone

ItemRole = Qt.ItemDataRole.UserRole
PixmapRole = Qt.ItemDataRole.UserRole + 1
ErrorRole = Qt.ItemDataRole.UserRole + 2


def picture_size() -> QSize:
    """Of the picture of a tile: larger with larger text, so that its name has room."""
    return QSize(112, 80) * text_scale()


def draw_tile(
    painter: QPainter,
    area: QRectF,
    pixmap: QPixmap | None,
    *,
    broken: bool,
    palette: QPalette,
) -> None:
    """The picture fills `area`, cropped in the middle; a plate stands in while it is made."""
    painter.setRenderHints(
        QPainter.RenderHint.Antialiasing | QPainter.RenderHint.SmoothPixmapTransform
    )
    path = QPainterPath()
    path.addRoundedRect(area, 5, 5)
    if pixmap is not None:
        scale = max(area.width() / pixmap.width(), area.height() / pixmap.height())
        width, height = area.width() / scale, area.height() / scale
        source = QRectF((pixmap.width() - width) / 2, (pixmap.height() - height) / 2, width, height)
        painter.save()
        painter.setClipPath(path)
        painter.drawPixmap(area, pixmap, source)
        painter.restore()
        return
    window = palette.color(QPalette.ColorRole.Window)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(blend(tone("error", palette), window, 0.10) if broken else line_color(palette))
    painter.drawPath(path)
    if broken:
        _draw_broken(painter, area.center(), palette)


def _draw_broken(painter: QPainter, middle: QPointF, palette: QPalette) -> None:
    pen = QPen(tone("error", palette), 1.6)
    pen.setCapStyle(Qt.PenCapStyle.RoundCap)
    painter.setPen(pen)
    painter.setBrush(Qt.BrushStyle.NoBrush)
    frame = QRectF(middle.x() - 13, middle.y() - 10, 26, 20)
    painter.drawRoundedRect(frame, 3, 3)
    zigzag = [(1, -10), (-3, -3), (3, 2), (-2, 10)]
    painter.drawPolyline([QPointF(middle.x() + x, middle.y() + y) for x, y in zigzag])


class TileDelegate(QStyledItemDelegate):
    """A picture over one line of name; the current one has a frame in the accent color."""

    def sizeHint(
        self, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex
    ) -> QSize:
        line = QFontMetrics(self._font(option.font)).height()
        return picture_size() + QSize(2 * UNIT, line + 2 * UNIT)

    def paint(
        self,
        painter: QPainter,
        option: QStyleOptionViewItem,
        index: QModelIndex | QPersistentModelIndex,
    ) -> None:
        palette = option.palette
        cell = QRectF(option.rect)
        font = self._font(option.font)
        line = QFontMetrics(font).height()
        picture = picture_size()
        area = QRectF(0, 0, picture.width(), picture.height())
        area.moveCenter(
            QPointF(cell.center().x(), cell.top() + UNIT / 2 + picture.height() / 2 + 2)
        )
        selected = bool(option.state & QStyle.StateFlag.State_Selected)
        hovered = bool(option.state & QStyle.StateFlag.State_MouseOver)
        painter.save()
        pixmap = index.data(PixmapRole)
        broken = bool(index.data(ErrorRole))
        draw_tile(painter, area, pixmap, broken=broken, palette=palette)
        if selected or hovered:
            accent = palette.color(QPalette.ColorRole.Highlight)
            if not selected:
                accent = blend(accent, palette.color(QPalette.ColorRole.Window), 0.45)
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.setPen(QPen(accent, 2))
            painter.drawRoundedRect(area.adjusted(-2.5, -2.5, 2.5, 2.5), 7, 7)
        text = palette.color(QPalette.ColorRole.WindowText)
        painter.setPen(text if selected else muted(palette))
        painter.setFont(font)
        words = QRectF(area.left(), area.bottom() + 5, area.width(), line)
        name = QFontMetrics(font).elidedText(
            str(index.data()), Qt.TextElideMode.ElideMiddle, int(words.width())
        )
        painter.drawText(words, int(Qt.AlignmentFlag.AlignCenter), name)
        painter.restore()

    @staticmethod
    def _font(font: QFont) -> QFont:
        return scaled_font(font, 0.88)
