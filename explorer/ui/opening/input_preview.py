"""What a photo becomes before it goes into a network: the picture, its size, its values."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QRectF, QSize, QSizeF, Qt
from PySide6.QtGui import QPainter, QPaintEvent, QPen, QPixmap
from PySide6.QtWidgets import QSizePolicy, QVBoxLayout, QWidget

from explorer.ui.items.item_images import rgb_image
from explorer.ui.widgets.small_widgets import UNIT, Label, line_color

if TYPE_CHECKING:
    from explorer.networks.onnx.answers import Prepared

SIDE = UNIT * 29


class _Picture(QWidget):
    """The picture in its own shape, as large as there is room."""

    def __init__(self) -> None:
        super().__init__()
        self._pixmap = QPixmap()
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)

    def sizeHint(self) -> QSize:
        return QSize(SIDE, SIDE)

    def set_pixmap(self, pixmap: QPixmap) -> None:
        self._pixmap = pixmap
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        room = QRectF(self.rect()).adjusted(0.5, 0.5, -0.5, -0.5)
        size = QSizeF(self._pixmap.size()).scaled(room.size(), Qt.AspectRatioMode.KeepAspectRatio)
        if size.isEmpty():
            size = room.size()
        place = QRectF(room.topLeft(), size)
        with QPainter(self) as painter:
            painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
            if not self._pixmap.isNull():
                painter.drawPixmap(place, self._pixmap, QRectF(self._pixmap.rect()))
            painter.setPen(QPen(line_color(self.palette()), 1))
            painter.drawRect(place)


class InputPreview(QWidget):
    """The picture with a caption; empty until something is shown."""

    def __init__(self) -> None:
        super().__init__()
        self._picture = _Picture()
        self.caption = Label(quiet=True, factor=0.92)
        self.setFixedWidth(SIDE)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(UNIT)
        title = Label(self.tr("This photo as the input"), bold=True)
        column.addWidget(title)
        column.addWidget(self._picture)
        column.addWidget(self.caption)
        column.addStretch(1)

    def show_input(self, prepared: Prepared, order: str) -> None:
        """Shows what a photo has become; `order` is that of its channels."""
        image, _bytes = rgb_image(prepared.picture)
        self._picture.set_pixmap(QPixmap.fromImage(image))  # copied: the array may go
        shape = " x ".join(map(str, prepared.shape))
        words = self.tr("{shape}, {order}; values from {low} to {high}")
        low, high = (_number(value) for value in (prepared.low, prepared.high))
        self.caption.setText(words.format(shape=shape, order=order, low=low, high=high))


def _number(value: float) -> str:
    return f"{value:.0f}" if abs(value) >= 10 else f"{value:.2f}"
