"""One pane of the board, alone or compared with the same pane of another board."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from PySide6.QtCore import QEvent, QPoint, QRect, QRectF, Qt, QTimer, Signal
from PySide6.QtGui import (
    QColor,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPen,
    QRegion,
    QResizeEvent,
)
from PySide6.QtWidgets import QLabel, QWidget

from explorer.ui.board.canvas import Canvas
from explorer.ui.board.pan_zoom import Viewpoint
from explorer.ui.widgets.fonts import set_own_font

if TYPE_CHECKING:
    from explorer.core.layers import Pane

Compare = Literal["split", "wipe"]
GRIP = 22


class Divider(QWidget):
    """The line between two wiped pictures: dragged, or moved with the arrow keys.

    Signals:
        moved: The new x in the parent's pixels.
    """

    moved = Signal(int)

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setCursor(Qt.CursorShape.SplitHCursor)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setAccessibleName(self.tr("Divider between A and B"))

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        if event.buttons() & Qt.MouseButton.LeftButton:
            self.moved.emit(self.mapToParent(event.position().toPoint()).x())

    def keyPressEvent(self, event: QKeyEvent) -> None:
        step = {Qt.Key.Key_Left: -10, Qt.Key.Key_Right: 10}.get(Qt.Key(event.key()), 0)
        if step:
            self.moved.emit(self.geometry().center().x() + step)
        else:
            event.ignore()

    def paintEvent(self, event: QPaintEvent) -> None:
        middle, center = self.width() / 2, self.height() / 2
        with QPainter(self) as painter:
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            for color, width in ((QColor(0, 0, 0, 110), 4.0), (QColor(255, 255, 255), 2.0)):
                painter.setPen(QPen(color, width))
                painter.drawLine(
                    QRectF(middle, 0, 0, self.height()).topLeft(),
                    QRectF(middle, self.height(), 0, 0).topLeft(),
                )
            painter.setPen(QPen(QColor(0, 0, 0, 120), 1))
            accent = self.palette().highlight().color()
            painter.setBrush(accent if self.hasFocus() else QColor(255, 255, 255))
            painter.drawRoundedRect(QRectF(middle - 8, center - 16, 16, 32), 6, 6)
            painter.setPen(QPen(QColor(90, 90, 90), 1.5))
            for off in (-2.5, 2.5):
                painter.drawLine(
                    QRectF(middle + off, center - 6, 0, 12).topLeft(),
                    QRectF(middle + off, center + 6, 0, 0).topLeft(),
                )


class PaneCell(QWidget):
    """A canvas, and where two boards are compared a second one of the same frame beside or over it.

    Signals, each with the pane's name first: see `Canvas`; `moved` carries a `Viewpoint`.
    """

    moved = Signal(str, object)
    hovered = Signal(str, object)
    clicked = Signal(str, object)
    box_drawn = Signal(str, object)
    box_dragged = Signal(str, object)
    box_selected = Signal(str, object)
    box_collected = Signal(str, object)
    truth_edited = Signal(str, object, bool)
    truth_chosen = Signal(str, object)
    points_edited = Signal(str, object, bool)
    mask_painted = Signal(str, object, bool)
    brush_changed = Signal(object)
    status = Signal(str)
    wiped = Signal(float)

    def __init__(self, name: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.name = name
        self.setMinimumSize(120, 100)
        self._compare: Compare | None = None
        self._share = 0.5
        self.canvas = Canvas(self)
        self.reference = Canvas(self)
        self.divider = Divider(self)
        self._badges = (self._badge("A"), self._badge("B"))
        self.canvas.viewpoint_changed.connect(self._canvas_moved)
        self.reference.viewpoint_changed.connect(self._reference_moved)
        self.canvas.hovered.connect(self._canvas_hovered)
        self.reference.hovered.connect(self._reference_hovered)
        for canvas in (self.canvas, self.reference):
            canvas.clicked.connect(self._clicked)
            canvas.box_drawn.connect(self._box_drawn)
            canvas.box_dragged.connect(self._box_dragged)
            canvas.truth_edited.connect(self._truth_edited)
            canvas.truth_chosen.connect(self._truth_chosen)
            canvas.points_edited.connect(self._points_edited)
            canvas.mask_painted.connect(self._mask_painted)
            canvas.brush_changed.connect(self.brush_changed)
            canvas.status.connect(self.status)
        self.canvas.box_selected.connect(self._box_selected)
        self.canvas.box_collected.connect(self._box_collected)
        self.divider.moved.connect(self._divider_moved)
        self._arrange()

    def _badge(self, letter: str) -> QLabel:
        badge = QLabel(letter, self)
        set_own_font(badge, 0.95, bold=True)
        badge.setAlignment(Qt.AlignmentFlag.AlignCenter)
        badge.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        badge.setStyleSheet(
            "background: rgba(0, 0, 0, 170); color: white; border-radius: 4px; padding: 2px 7px;"
        )
        return badge

    @property
    def canvases(self) -> tuple[Canvas, ...]:
        return (self.canvas,) if self._compare is None else (self.reference, self.canvas)

    @property
    def compare(self) -> Compare | None:
        return self._compare

    def set_reference(self, pane: Pane | None, mode: Compare, labels: tuple[str, str]) -> None:
        """Show `pane` as A beside or under this one, or nothing."""
        if pane is None and self.reference.pane is None:
            return  # as at every frame of a film
        compare = None if pane is None else mode
        for badge, words in zip(self._badges, labels, strict=True):
            badge.setText(words)
            badge.adjustSize()
        self.reference.set_pane(pane)
        if compare != self._compare:
            self._compare = compare
            self._arrange()
            if compare is not None:
                self.reference.set_viewpoint(self.canvas.viewpoint)

    @property
    def share(self) -> float:
        """How much of the width A takes in a wipe, 0..1."""
        return self._share

    def set_share(self, share: float) -> None:
        self._share = min(max(share, 0.0), 1.0)
        self._arrange()

    def set_viewpoint(self, view: Viewpoint) -> None:
        for canvas in (self.canvas, self.reference):
            canvas.set_viewpoint(view)

    # -- geometry -----------------------------------------------------------------------------

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._arrange()

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.FontChange:
            QTimer.singleShot(0, self, self._arrange)  # the badges get it after this

    def _arrange(self) -> None:
        whole = self.rect()
        half = whole.width() // 2
        compared, wipe = self._compare is not None, self._compare == "wipe"
        self.reference.setVisible(compared)
        self.divider.setVisible(wipe)
        for widget in (self.canvas, self.canvas.viewport()):
            widget.clearMask()
        if not compared:
            self.canvas.setGeometry(whole)
        elif wipe:
            self.reference.setGeometry(whole)
            self.canvas.setGeometry(whole)
            x = round(whole.width() * self._share)
            # A mask keeps both canvases of one size, so that they share every pixel of the camera.
            # Its viewport needs one, too: Qt takes it for solid and would not repaint A below it.
            for widget in (self.canvas, self.canvas.viewport()):
                right = QRegion(x, 0, max(whole.width() - x, 1), whole.height())
                widget.setMask(right.translated(-widget.mapTo(self, QPoint(0, 0))))
            self.canvas.raise_()
            top = self.canvas.caption_height
            self.divider.setGeometry(x - GRIP // 2, top, GRIP, whole.height() - top)
            self.divider.raise_()
        else:
            self.reference.setGeometry(QRect(0, 0, half - 1, whole.height()))
            self.canvas.setGeometry(QRect(half + 1, 0, whole.width() - half - 1, whole.height()))
        a, b = self._badges
        for badge in self._badges:
            badge.adjustSize()
        top = self.canvas.caption_height + 8
        a.move(QPoint(8, top))
        b.move(QPoint(whole.width() - b.width() - 8 if wipe else half + 9, top))
        for badge in self._badges:
            badge.setVisible(compared)
            badge.raise_()

    def _divider_moved(self, x: int) -> None:
        self.set_share(x / max(self.width(), 1))
        self.wiped.emit(self._share)

    # -- the canvases' signals, with the pane's name -----------------------------------------

    def _canvas_moved(self, view: object) -> None:
        if isinstance(view, Viewpoint):
            self.reference.set_viewpoint(view)
            self.moved.emit(self.name, view)

    def _reference_moved(self, view: object) -> None:
        if isinstance(view, Viewpoint):
            self.canvas.set_viewpoint(view)
            self.moved.emit(self.name, view)

    def _canvas_hovered(self, point: object) -> None:
        if self._compare == "split":
            self.reference.set_linked_cursor(point)  # type: ignore[arg-type]
        self.hovered.emit(self.name, point)

    def _reference_hovered(self, point: object) -> None:
        if self._compare == "split":
            self.canvas.set_linked_cursor(point)  # type: ignore[arg-type]
        self.hovered.emit(self.name, point)

    def _clicked(self, point: object) -> None:
        self.clicked.emit(self.name, point)

    def _box_drawn(self, box: object) -> None:
        self.box_drawn.emit(self.name, box)

    def _box_dragged(self, box: object) -> None:
        self.box_dragged.emit(self.name, box)

    def _truth_edited(self, boxes: object, done: bool) -> None:
        self.truth_edited.emit(self.name, boxes, done)

    def _truth_chosen(self, index: object) -> None:
        self.truth_chosen.emit(self.name, index)

    def _points_edited(self, points: object, done: bool) -> None:
        self.points_edited.emit(self.name, points, done)

    def _mask_painted(self, mask: object, done: bool) -> None:
        self.mask_painted.emit(self.name, mask, done)

    def _box_selected(self, selection: object) -> None:
        self.box_selected.emit(self.name, selection)

    def _box_collected(self, selection: object) -> None:
        self.box_collected.emit(self.name, selection)
