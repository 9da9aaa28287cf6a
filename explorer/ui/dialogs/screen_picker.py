"""Choosing a part of the screen: every screen is dimmed, and a rectangle is dragged on one."""

from __future__ import annotations

import sys

from PySide6.QtCore import QObject, QPoint, QRect, QRectF, QSize, Qt, Signal
from PySide6.QtGui import (
    QColor,
    QCursor,
    QGuiApplication,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPalette,
    QPen,
    QPixmap,
    QScreen,
)
from PySide6.QtWidgets import QWidget

from explorer.live.screen import LEAST
from explorer.ui.widgets.fonts import scaled_font
from explorer.ui.widgets.lifetime import discard
from explorer.ui.widgets.small_widgets import UNIT

DIM = QColor(0, 0, 0, 130)


class ScreenPicker(QObject):
    """Covers all screens until a part is chosen or it is canceled; used once.

    Signals:
        chosen: The rectangle as "left,top,width,height" of the desktop.
        closed: The screens are free again.
    """

    chosen = Signal(str)
    closed = Signal()

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self.covers: list[Cover] = []

    def open(self) -> None:
        self.covers = [Cover(screen) for screen in QGuiApplication.screens()]
        for cover in self.covers:
            cover.picked.connect(self._picked)
            cover.cancelled.connect(self.close)
            cover.confirmed.connect(self._whole)
            cover.show()
            cover.raise_()
        first = self._under_mouse()
        first.activateWindow()
        first.setFocus(Qt.FocusReason.PopupFocusReason)
        first.grabKeyboard()  # also where no window manager gives it the focus

    def close(self) -> None:
        for cover in self.covers:
            cover.releaseKeyboard()
            discard(cover)
        if self.covers:
            self.covers = []
            self.closed.emit()

    def _under_mouse(self) -> Cover:
        at = QCursor.pos()
        return next((c for c in self.covers if c.geometry().contains(at)), self.covers[0])

    def _whole(self) -> None:
        cover = self._under_mouse()
        self._picked(cover.native(cover.rect()))

    def _picked(self, part: QRect) -> None:
        self.close()
        self.chosen.emit(f"{part.x()},{part.y()},{part.width()},{part.height()}")


class Cover(QWidget):
    """One dimmed screen.

    It is painted over a picture of the screen: a translucent window would need a compositor.

    Signals:
        picked: The dragged rectangle, as `native` gives it.
        confirmed: The whole screen is chosen.
        cancelled: Nothing is chosen.
    """

    picked = Signal(QRect)
    confirmed = Signal()
    cancelled = Signal()

    def __init__(self, screen: QScreen) -> None:
        flags = Qt.WindowType.FramelessWindowHint | Qt.WindowType.WindowStaysOnTopHint
        super().__init__(None, flags | Qt.WindowType.Tool)
        self.setWindowTitle(self.tr("Choose a part of the screen"))
        self.setAttribute(Qt.WidgetAttribute.WA_TranslucentBackground)
        self.setCursor(Qt.CursorShape.CrossCursor)
        self.setMouseTracking(True)
        self.setScreen(screen)
        self.setGeometry(screen.geometry())
        self.picture: QPixmap = screen.grabWindow(0)
        self._begin: QPoint | None = None
        self._end = QPoint()

    def native(self, part: QRect) -> QRect:
        """`part` of this screen as the system counts on the desktop."""
        ratio = 1.0 if sys.platform == "darwin" else self.screen().devicePixelRatio()
        return native_rect(part, self.screen().geometry().topLeft(), ratio)

    @property
    def part(self) -> QRect:
        """What is dragged, cut to the screen."""
        if self._begin is None:
            return QRect()
        (left, right), (top, bottom) = (
            sorted(pair)
            for pair in ((self._begin.x(), self._end.x()), (self._begin.y(), self._end.y()))
        )
        return QRect(QPoint(left, top), QPoint(right, bottom)).intersected(self.rect())

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if event.button() == Qt.MouseButton.LeftButton:
            self._begin = self._end = event.position().toPoint()
            self.update()
        elif event.button() == Qt.MouseButton.RightButton:
            self.cancelled.emit()

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        if self._begin is not None:
            self._end = event.position().toPoint()
            self.update()

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        if event.button() != Qt.MouseButton.LeftButton or self._begin is None:
            return
        self._end = event.position().toPoint()
        part = self.native(self.part)
        self._begin = None
        self.update()
        if part.width() >= LEAST and part.height() >= LEAST:
            self.picked.emit(part)

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        self.confirmed.emit()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Escape:
            self.cancelled.emit()
        elif event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self.confirmed.emit()

    def paintEvent(self, event: QPaintEvent) -> None:
        part = self.part
        accent = self.palette().color(QPalette.ColorRole.Highlight)
        with QPainter(self) as painter:
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            painter.drawPixmap(self.rect(), self.picture)
            for strip in _around(self.rect(), part):
                painter.fillRect(strip, DIM)
            if part.isValid():
                painter.setPen(QPen(accent, 2))
                painter.drawRect(part)
                size = self.native(part).size()
                self._say(painter, f"{size.width()} x {size.height()}", self._beside(part))
            else:
                words = self.tr(
                    "Drag to select a part of the screen.  Enter or double-click: the whole "
                    "screen.  Esc: cancel."
                )
                self._say(painter, words, QPoint(self.width() // 2, UNIT * 8))

    def _beside(self, part: QRect) -> QPoint:
        below = part.bottom() + UNIT * 3
        inside = part.bottom() - UNIT * 3
        return QPoint(part.center().x(), below if below < self.height() - UNIT * 2 else inside)

    def _say(self, painter: QPainter, words: str, middle: QPoint) -> None:
        painter.setFont(scaled_font(self.font(), 1.1, bold=True))
        line = painter.fontMetrics()
        plate = QRectF(0, 0, line.horizontalAdvance(words) + UNIT * 3, line.height() + UNIT * 1.5)
        plate.moveCenter(middle.toPointF())
        plate.moveLeft(min(max(plate.left(), 4.0), max(4.0, self.width() - plate.width() - 4)))
        painter.setPen(QPen(QColor(255, 255, 255, 90), 1))
        painter.setBrush(QColor(20, 20, 24, 230))
        painter.drawRoundedRect(plate, 6, 6)
        painter.setPen(QColor("white"))
        painter.drawText(plate, int(Qt.AlignmentFlag.AlignCenter), words)


def native_rect(part: QRect, corner: QPoint, ratio: float) -> QRect:
    """Window pixels on a screen whose `corner` is already the system's, as the system's pixels."""
    left, top = round(part.x() * ratio), round(part.y() * ratio)
    size = QSize(round(part.width() * ratio), round(part.height() * ratio))
    return QRect(corner + QPoint(left, top), size)


def _around(whole: QRect, part: QRect) -> list[QRect]:
    """`whole` without `part`, as strips."""
    if not part.isValid():
        return [whole]
    right, bottom = part.x() + part.width(), part.y() + part.height()
    return [
        QRect(0, 0, whole.width(), part.y()),
        QRect(0, bottom, whole.width(), whole.height() - bottom),
        QRect(0, part.y(), part.x(), part.height()),
        QRect(right, part.y(), whole.width() - right, part.height()),
    ]
