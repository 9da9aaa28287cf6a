"""A slider drawn from the palette."""

from __future__ import annotations

from PySide6.QtCore import QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QMouseEvent, QPainter, QPaintEvent, QPalette, QWheelEvent
from PySide6.QtWidgets import QSlider, QStyle, QStyleOptionSlider

from explorer.ui.widgets.small_widgets import blend


class Slider(QSlider):
    """A horizontal slider: a click jumps to its place, the wheel is the page's unless focused."""

    def __init__(self) -> None:
        super().__init__(Qt.Orientation.Horizontal)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setMinimumWidth(48)

    def sizeHint(self) -> QSize:
        return QSize(120, 20)

    def wheelEvent(self, event: QWheelEvent) -> None:
        if self.hasFocus():
            super().wheelEvent(event)
        else:
            event.ignore()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if event.button() == Qt.MouseButton.LeftButton:
            handle = self._handle()
            if not handle.contains(event.position()):
                room = max(1.0, self.width() - handle.width())
                place = round(event.position().x() - handle.width() / 2)
                self.setValue(
                    QStyle.sliderValueFromPosition(
                        self.minimum(), self.maximum(), place, int(room), self.invertedAppearance()
                    )
                )
        super().mousePressEvent(event)

    def _handle(self) -> QRectF:
        option = QStyleOptionSlider()
        self.initStyleOption(option)
        return QRectF(
            self.style().subControlRect(
                QStyle.ComplexControl.CC_Slider, option, QStyle.SubControl.SC_SliderHandle, self
            )
        )

    def paintEvent(self, event: QPaintEvent) -> None:
        palette = self.palette()
        window = palette.color(QPalette.ColorRole.Window)
        text = palette.color(QPalette.ColorRole.WindowText)
        accent = palette.color(QPalette.ColorRole.Highlight)
        if not self.isEnabled():
            accent = blend(text, window, 0.3)
        middle = QPointF(self._handle().center().x(), self.height() / 2)
        groove = QRectF(2, self.height() / 2 - 2, self.width() - 4, 4)
        with QPainter(self) as painter:
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(blend(text, window, 0.18))
            painter.drawRoundedRect(groove, 2, 2)
            painter.setBrush(accent)
            painter.drawRoundedRect(
                QRectF(groove.left(), groove.top(), middle.x() - groove.left(), 4), 2, 2
            )
            if self.hasFocus():
                painter.setBrush(blend(accent, window, 0.35))
                painter.drawEllipse(middle, 9.5, 9.5)
            painter.setBrush(accent)
            painter.drawEllipse(middle, 7, 7)
            painter.setBrush(QColor("white"))
            inner = 4.0 if self.isSliderDown() or self.underMouse() else 3.0
            painter.drawEllipse(middle, inner, inner)
