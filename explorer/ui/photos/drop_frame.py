"""A frame around the picture while something is dragged over the window: it may be dropped."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QObject, QRectF, Qt
from PySide6.QtGui import QColor, QPainter, QPaintEvent, QPalette, QPen
from PySide6.QtWidgets import QWidget

from explorer.ui.widgets.small_widgets import UNIT


class DropFrame(QWidget):
    """Lies over `host`; it takes no drops itself, the window does."""

    def __init__(self, host: QWidget) -> None:
        super().__init__(host)
        self._host = host
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        host.installEventFilter(self)
        self.hide()

    def set_active(self, active: bool) -> None:
        self.setGeometry(self._host.rect())
        self.setVisible(active)
        self.raise_()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() == QEvent.Type.Resize:
            self.setGeometry(self._host.rect())
        return False

    def paintEvent(self, event: QPaintEvent) -> None:
        accent = self.palette().color(QPalette.ColorRole.Highlight)
        fill = QColor(accent)
        fill.setAlphaF(0.12)
        with QPainter(self) as painter:
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            painter.setPen(QPen(accent, 2, Qt.PenStyle.DashLine))
            painter.setBrush(fill)
            inside = QRectF(self.rect()).adjusted(UNIT, UNIT, -UNIT, -UNIT)
            painter.drawRoundedRect(inside, UNIT, UNIT)
