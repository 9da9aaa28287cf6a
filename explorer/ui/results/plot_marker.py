"""The vertical line of a plot that is dragged to write a parameter."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, Qt, Signal

if TYPE_CHECKING:
    from PySide6.QtGui import QColor

    from explorer.core.layers import Plot


class Marker(QObject):
    """A line in a pyqtgraph plot, in the axis' own numbers (logarithms on a log axis).

    Signals:
        dragged: The x under the line, while the user drags it.
    """

    dragged = Signal(float)

    def __init__(self, plot_widget: Any, library: Any, parent: QObject) -> None:
        super().__init__(parent)
        self._library = library
        self._view = plot_widget.getPlotItem().getViewBox()
        self._log = False
        self._free: list[bool] | None = None  # which axes followed the curves before the drag
        self.line = library.InfiniteLine(angle=90, movable=True)
        self.line.setVisible(False)
        self.line.setZValue(50)
        self.line.sigDragged.connect(self._on_dragged)
        self.line.sigPositionChangeFinished.connect(self._on_finished)
        # Not `ignoreBounds`: a value beyond the curves must be seen, too.
        plot_widget.addItem(self.line)

    def show(self, plot: Plot) -> None:
        """Moves to the marker of `plot`."""
        at = plot.marker
        self._log = plot.log_x
        there = at is not None and math.isfinite(at) and (at > 0 or not plot.log_x)
        self.line.setVisible(there)
        if there and at is not None:
            self.line.setPos(math.log10(at) if plot.log_x else at)
        movable = bool(plot.steers)
        if movable != self.line.movable:
            self.line.setMovable(movable)
        # The wide, unseen part of the line is what the mouse finds.
        self.line.setCursor(Qt.CursorShape.SizeHorCursor if movable else Qt.CursorShape.ArrowCursor)
        tip = self.tr("Drag to change the parameter") if movable else ""
        self.line.setToolTip(tip)

    def restyle(self, accent: QColor) -> None:
        self.line.setPen(self._library.mkPen(accent, width=2.5))
        self.line.setHoverPen(self._library.mkPen(accent, width=4.5))

    def _on_dragged(self, line: Any) -> None:
        if self._free is None:  # the curves hold still under the line that is dragged
            self._free = [bool(axis) for axis in self._view.autoRangeEnabled()]
            self._view.disableAutoRange()
        x = float(line.value())
        try:
            self.dragged.emit(10.0**x if self._log else x)
        except OverflowError:
            return

    def _on_finished(self, line: Any) -> None:
        if self._free is not None:
            self._view.enableAutoRange(x=self._free[0], y=self._free[1])
            self._free = None
