"""A pane on which a mask is painted and ordered points are placed; the mouse is the canvas's."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from PySide6.QtCore import QPointF, Qt, Signal

from explorer.core.values import Point
from explorer.ui.board.brush import Brush, BrushMarks
from explorer.ui.board.point_marks import PointMarks, Several
from explorer.ui.truth.truth_canvas import ARROWS, TruthCanvas, stride

if TYPE_CHECKING:
    from PySide6.QtGui import QKeyEvent, QPainter
    from PySide6.QtWidgets import QWidget

    from explorer.core.values import Mask
    from explorer.ui.items.item_images import Lens

TELL_SECONDS = 0.1
"""So often an unfinished stroke tells what is painted so far."""


class MarkedCanvas(TruthCanvas):
    """Shows mask and points and handles their keys.

    Signals:
        points_edited: ``(points, done)``; `done` is False while one is dragged.
        mask_painted: ``(mask, done)``: a Mask or None; `done` is False during a stroke.
        brush_changed: The `Brush`, by a key.
    """

    points_edited = Signal(object, bool)
    mask_painted = Signal(object, bool)
    brush_changed = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._points = PointMarks()
        self._mask = BrushMarks()
        self._told = 0.0

    def set_points(
        self,
        points: Several | None,
        *,
        closed: bool = False,
        most: int | None = None,
        adding: bool = True,
    ) -> None:
        """The ordered points, None where they are not used. Silent."""
        self._points.set(points, closed=closed, most=most)
        self._points.adding = adding
        self.viewport().update()

    def set_mask(self, mask: Mask | None, *, wanted: bool) -> None:
        """The mask that is painted on. Silent."""
        self._mask.set(mask, wanted=wanted)
        self.viewport().update()

    def set_brush(self, brush: Brush) -> None:
        """How the next stroke paints. Silent."""
        self._mask.brush = brush
        self.viewport().update()

    @property
    def paints(self) -> bool:
        """Whether a drag paints."""
        return self._mask.wanted and self.overlays_visible

    @property
    def takes_points(self) -> bool:
        return self._points.points is not None and self.overlays_visible

    # -- a stroke ---------------------------------------------------------------------------------

    def begin_stroke(self, position: QPointF) -> bool:
        """The brush is put down; False where the mask is of another photo."""
        if self._pane is None or not self._mask.begin(self._pane.size):
            return False
        self._told = time.monotonic()
        self.go_on_stroke(position, position)
        return True

    def go_on_stroke(self, start: QPointF, end: QPointF) -> None:
        """The brush moves from one window position to another."""
        self._mask.stroke(self.at_pane(start), self.at_pane(end))
        now = time.monotonic()
        if now - self._told >= TELL_SECONDS:
            self.mask_painted.emit(self._mask.mask(), False)
            # Writing it down takes its time, which a large photo must not spend at every move.
            self._told = time.monotonic() + 2 * (time.monotonic() - now)
        self.viewport().update()

    def end_stroke(self, *, cancel: bool = False) -> None:
        """The brush is lifted; canceled, the mask is as before the stroke."""
        self.mask_painted.emit(self._mask.end(cancel=cancel), True)
        self.viewport().update()

    # -- the keyboard -----------------------------------------------------------------------------

    def mark_key(self, event: QKeyEvent) -> bool:
        """What the keyboard does with mask and points; False: nothing."""
        return (self.paints and self._brush_key(event)) or (
            self.takes_points and self._point_key(event)
        )

    def _brush_key(self, event: QKeyEvent) -> bool:
        key, marks = Qt.Key(event.key()), self._mask
        if key in (Qt.Key.Key_BracketLeft, Qt.Key.Key_BracketRight):
            self._change(marks.brush.larger(1 if key == Qt.Key.Key_BracketRight else -1))
        elif key == Qt.Key.Key_E and not event.modifiers():
            self._change(Brush(marks.brush.radius, marks.brush.label, not marks.brush.erase))
        elif key in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self._dab()
        elif key in ARROWS and marks.spot is not None and self._pane is not None:
            dx, dy = (part * stride(event.modifiers()) * 2 for part in ARROWS[key])
            width, height = self._pane.size
            x = min(max(marks.spot.x() + dx, 0.0), width)
            marks.spot = QPointF(x, min(max(marks.spot.y() + dy, 0.0), height))
        elif key == Qt.Key.Key_Escape and marks.spot is not None:
            marks.spot = None
        else:
            return False
        self.viewport().update()
        return True

    def _dab(self) -> None:
        """Paints where the keyboard stands; at first that is the middle of what is seen."""
        marks = self._mask
        if marks.spot is None:
            marks.spot = QPointF(self.viewpoint.x, self.viewpoint.y)
        elif self._pane is not None and marks.begin(self._pane.size):
            at = (marks.spot.x(), marks.spot.y())
            marks.stroke(at, at)
            self.end_stroke()

    def _change(self, brush: Brush) -> None:
        self._mask.brush = brush
        self.brush_changed.emit(brush)

    def _point_key(self, event: QKeyEvent) -> bool:
        key, marks = Qt.Key(event.key()), self._points
        if key in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and marks.adding:
            points = marks.add(Point(self.viewpoint.x, self.viewpoint.y))
        elif marks.chosen is None or self._pane is None:
            return False
        elif key in (Qt.Key.Key_Delete, Qt.Key.Key_Backspace):
            points = marks.remove()
        elif key in ARROWS:
            dx, dy = (part * stride(event.modifiers()) for part in ARROWS[key])
            at = (marks.points or ())[marks.chosen]
            points = marks.move(at.x + dx, at.y + dy, self._pane.size)
        else:
            return False
        self.points_edited.emit(points, True)
        self.viewport().update()
        return True

    def draw_brush(self, painter: QPainter, lens: Lens, at: QPointF) -> None:
        """The brush's outline under the mouse."""
        self._mask.draw_brush(painter, lens, at)

    # -- painting ---------------------------------------------------------------------------------

    def draw_marks(self, painter: QPainter, lens: Lens) -> None:
        if self.paints:
            self._mask.draw(painter, lens)
            if self._mask.spot is not None and self.hasFocus():
                self._mask.draw_brush(painter, lens, self._mask.spot)
        super().draw_marks(painter, lens)
        if self.takes_points:
            self._points.draw(painter, lens, self.palette().highlight().color())
