"""Ordered points on a canvas, joints or the corners of a polygon: dragged, added, removed."""

from __future__ import annotations

from PySide6.QtCore import QPointF, Qt
from PySide6.QtGui import QColor, QPainter, QPen, QPolygonF
from PySide6.QtWidgets import QApplication

from explorer.core.values import Point
from explorer.ui.items.item_images import Lens, draw_plate, small_font

Several = tuple[Point, ...]


class PointMarks:
    """The points of one canvas.

    Attributes:
        points: In pixels of the photo; None where the pane takes none.
        chosen: The one that the keyboard moves.
        closed: They are the corners of a polygon.
        most: The largest number; a further one takes the place of all.
        adding: A click where there is none adds one.
        dragging: One is in the hand of the user.
    """

    def __init__(self) -> None:
        self.points: Several | None = None
        self.chosen: int | None = None
        self.closed = False
        self.most: int | None = None
        self.adding = True
        self.dragging = False
        self._before: Several = ()

    def set(self, points: Several | None, *, closed: bool, most: int | None) -> None:
        """Takes the points over; not while one is in the hand of the user."""
        self.closed, self.most = closed, most
        if not self.dragging:
            self.points = points
            if self.chosen is not None and self.chosen >= len(points or ()):
                self.chosen = None

    def at(self, x: float, y: float, reach: float) -> int | None:
        """The point within `reach` of a position, the last one first."""
        for number, point in reversed(list(enumerate(self.points or ()))):
            if abs(point.x - x) <= reach and abs(point.y - y) <= reach:
                return number
        return None

    def add(self, point: Point) -> Several:
        """One more; where there are enough, they start over."""
        before = self.points or ()
        if self.most is not None and len(before) >= self.most:
            before = ()
        self.points, self.chosen = (*before, point), len(before)
        return self.points

    def begin(self, number: int) -> None:
        """The point is taken into the hand."""
        self.chosen, self.dragging, self._before = number, True, self.points or ()

    def move(self, x: float, y: float, size: tuple[float, float]) -> Several:
        """The chosen point at another position, inside a pane of `size`."""
        points = self.points or ()
        if self.chosen is not None:
            point = Point(min(max(x, 0.0), size[0] - 0.01), min(max(y, 0.0), size[1] - 0.01))
            points = (*points[: self.chosen], point, *points[self.chosen + 1 :])
        self.points = points
        return points

    def end(self, *, cancel: bool = False) -> Several:
        """It is let go; canceled, it is where it was."""
        self.dragging = False
        if cancel:
            self.points = self._before
        return self.points or ()

    def remove(self) -> Several:
        """Without the chosen point."""
        kept = tuple(point for n, point in enumerate(self.points or ()) if n != self.chosen)
        self.points, self.chosen = kept, None
        return kept

    def draw(self, painter: QPainter, lens: Lens, accent: QColor) -> None:
        """A line through them, a numbered disc at each."""
        points = self.points or ()
        if not points:
            return
        painter.resetTransform()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        places = [lens.at(point.x, point.y) for point in points]
        line = QPolygonF(places)
        fill = QColor(accent)
        fill.setAlphaF(0.12)
        for color, width in ((QColor(0, 0, 0, 150), 4.0), (QColor(255, 255, 255), 1.8)):
            painter.setPen(QPen(color, width))
            painter.setBrush(fill if self.closed and width > 3 else Qt.BrushStyle.NoBrush)
            if self.closed and len(places) > 2:
                painter.drawPolygon(line)
            else:
                painter.drawPolyline(line)
        painter.setFont(small_font(QApplication.font(), 8.0))
        for number, place in enumerate(places):
            painter.setPen(QPen(QColor(0, 0, 0, 190), 1.5))
            painter.setBrush(accent if number == self.chosen else QColor(255, 255, 255))
            painter.drawEllipse(place, 5, 5)
            if not self.closed:
                draw_plate(
                    painter, place + QPointF(7, -18), str(number + 1),
                    ink=QColor(255, 255, 255), paper=QColor(0, 0, 0, 170),
                )  # fmt: skip
