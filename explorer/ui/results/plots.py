"""The plots of a board: curves by pyqtgraph, bars by our own hand."""

from __future__ import annotations

import math
import sys
import threading
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from PySide6.QtCore import QEvent, QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import (
    QAction,
    QColor,
    QFontMetricsF,
    QGuiApplication,
    QHelpEvent,
    QPainter,
    QPaintEvent,
    QResizeEvent,
)
from PySide6.QtWidgets import QApplication, QBoxLayout, QFrame, QScrollArea, QToolTip, QWidget

from explorer.core.layers import Curve, Plot
from explorer.ui.board.readout import number
from explorer.ui.items.item_images import Contained, qcolor
from explorer.ui.results.legend import SMALLEST, Legend
from explorer.ui.results.plot_marker import Marker
from explorer.ui.widgets.fonts import scaled_font

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

TOP = 10

TICKS = 0.95
"""The letters of axes, in those of the program."""
DOT = 7
"""The size of a curve that is one point, in pixels."""
GRID = 0.12
NARROW = 420
"""Pixels: in a plot that is not wider the legend stands below the curves."""


def pyqtgraph() -> Any:
    """The library, imported when the first curve is shown: it costs a third of a second.

    Its import replaces the exception hooks of the process; they are put back.
    """
    hooks = sys.excepthook, threading.excepthook
    import pyqtgraph as library

    sys.excepthook, threading.excepthook = hooks
    return library


def drawable(
    curve: Curve, *, log_y: bool, log_x: bool = False
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The curve's numbers as pyqtgraph survives them: floats, gaps where nothing can be drawn."""
    x, y = np.array(curve.x, np.float64), np.array(curve.y, np.float64)
    bad = ~(np.isfinite(x) & np.isfinite(y))
    if log_y:
        bad |= y <= 0
    if log_x:
        bad |= x <= 0
    x[bad & ~np.isfinite(x)] = 0.0
    if log_x:
        x[x <= 0] = 1.0  # its y is a gap
    y[bad] = np.nan
    return x, y


def log_words(
    values: Sequence[float], scale: float, spacing: float | None, room: int = 27
) -> list[str]:
    """Words for ticks of a log axis: for more ticks than `room` only those at powers of ten."""
    lead = (1,) if len(values) > room else (1, 2, 5)
    return [
        number(scale * 10.0**value) if round(10.0 ** (value % 1.0)) in lead else ""
        for value in values
    ]


def whole_levels(axis: Any, low: float, high: float, size: float) -> list[tuple[float, float]]:
    """Spacing and offset of the marks of a pyqtgraph axis: its own that are whole numbers."""
    levels = type(axis).tickSpacing(axis, low, high, size)
    return [level for level in levels if level[0] >= 1.0] or [(1.0, 0.0)]


class CurvesPlot(QWidget):
    """Curves over common axes, with a legend and the values under the mouse.

    Signals:
        steered: The x of the plot's marker, while the user drags it.
    """

    steered = Signal(float)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        library = pyqtgraph()
        self.chart = library.PlotWidget(self)
        self.chart.setMenuEnabled(False)
        self.chart.hideButtons()
        self.chart.setFrameShape(QFrame.Shape.NoFrame)
        for side in ("bottom", "left"):  # an IoU of 0.7 is not "700 (x0.001)"
            self.chart.getAxis(side).enableAutoSIPrefix(False)
        self.chart.getAxis("bottom").logTickStrings = log_words
        self.chart.getAxis("left").logTickStrings = partial(log_words, room=9)
        self.legend = Legend(self)
        self.curves: list[Any] = []
        self._shown: Plot | None = None
        self.line = library.InfiniteLine(angle=90, movable=False)
        self.line.setVisible(False)
        self.words = library.TextItem(anchor=(0, 1))
        self.words.setVisible(False)
        for extra in (self.line, self.words):
            self.chart.addItem(extra, ignoreBounds=True)
        self.marker = Marker(self.chart, library, self)
        self.marker.dragged.connect(self.steered)
        self.chart.scene().sigMouseMoved.connect(self._mouse_moved)
        self.chart.viewport().installEventFilter(self)
        self._layout = QBoxLayout(QBoxLayout.Direction.LeftToRight, self)
        self._layout.setContentsMargins(0, 0, 0, 0)
        self._layout.setSpacing(0)
        self._layout.addWidget(self.chart, 1)
        self._layout.addWidget(self.legend)
        copy = QAction(self.tr("Copy the values"), self)
        copy.triggered.connect(self.copy)
        whole = QAction(self.tr("Show all"), self)
        whole.triggered.connect(self.chart.getPlotItem().enableAutoRange)
        self.chart.addActions([whole, copy])
        self.chart.setContextMenuPolicy(Qt.ContextMenuPolicy.ActionsContextMenu)
        self._restyle()

    def set_plot(self, plot: Plot) -> None:
        """Show `plot`; curves that are there already only take new numbers."""
        library = pyqtgraph()
        before, self._shown = self._shown, plot
        if before is None or (before.x_label, before.y_label) != (plot.x_label, plot.y_label):
            self.chart.setLabel("bottom", plot.x_label)
            self.chart.setLabel("left", plot.y_label)
        if before is None or _scales(before) != _scales(plot):
            self._scale_axes(plot)
        labels = [curve.label for curve in plot.curves]
        if before is None or [curve.label for curve in before.curves] != labels:
            for item in self.curves:
                self.chart.removeItem(item)
            self.curves = [self.chart.plot([], [], name=label or None) for label in labels]
            named = any(labels) and labels != [plot.y_label]  # the axis has it already
            self.legend.setVisible(named)
        if before is None or before.x_names != plot.x_names:
            self._name_places()
        self._fit_titles()
        self.legend.set_entries([(curve.label, curve.color) for curve in plot.curves])
        self._place_legend()
        for item, curve in zip(self.curves, plot.curves, strict=True):
            x, y = drawable(curve, log_y=plot.log_y, log_x=plot.log_x)
            item.setPen(library.mkPen(qcolor(curve.color), width=1.8))
            alone = len(x) == 1 and bool(np.isfinite(y).all())  # no line goes through one point
            item.setData(
                x, y, connect="finite", symbol="o" if alone else None,
                symbolSize=DOT, symbolPen=None, symbolBrush=qcolor(curve.color),
            )  # fmt: skip
        self.marker.show(plot)
        self.setAccessibleName(plot.title or plot.name)

    def _scale_axes(self, plot: Plot) -> None:
        self.chart.setLogMode(x=plot.log_x, y=plot.log_y)
        for side, (log, whole) in zip(("bottom", "left"), _scales(plot), strict=True):
            axis = self.chart.getAxis(side)
            vars(axis).pop("tickSpacing", None)
            if whole and not log:
                axis.tickSpacing = partial(whole_levels, axis)
            # A third level of grid lines makes a paint four times as slow, and a linear axis no
            # clearer; on a log axis it has the words between the powers of ten.
            axis.setStyle(maxTickLevel=2 if log else 1)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._place_legend()
        if self._shown is not None and self._shown.x_names:
            self._name_places()
        self._fit_titles()

    def _fit_titles(self) -> None:
        """The words along the axes: smaller where those are short, none rather than cut."""
        if self._shown is None:
            return
        font, box = scaled_font(QApplication.font(), TICKS), self.chart.plotItem.vb
        for side, words, room in (
            ("left", self._shown.y_label, box.height()),
            ("bottom", self._shown.x_label, box.width()),
        ):
            if words:
                share = room / (QFontMetricsF(font).horizontalAdvance(words) + 4)
                axis = self.chart.getAxis(side)
                axis.label.setFont(scaled_font(font, min(1.0, max(share, SMALLEST))))
                axis.showLabel(share >= SMALLEST)

    def _name_places(self) -> None:
        """Names along the axis: every one, or every other where they would touch."""
        names = self._shown.x_names if self._shown is not None else ()
        axis = self.chart.getAxis("bottom")
        margins = self.chart.plotItem.layout.getContentsMargins()
        if not names:
            self.chart.plotItem.layout.setContentsMargins(*margins[:2], margins[0], margins[3])
            axis.setTicks(None)
            axis.setGrid(round(255 * GRID))
            return
        metrics = QFontMetricsF(scaled_font(QApplication.font(), TICKS))
        widest = max(metrics.horizontalAdvance(name) for name in names) + 8
        room = max(1.0, self.chart.width() - self.chart.getAxis("left").width()) / len(names)
        step = max(1, math.ceil(widest / room))
        places = list(enumerate(names, 1))
        axis.setTicks([places[::step]])
        last = metrics.horizontalAdvance(places[::step][-1][1]) / 2
        self.chart.plotItem.layout.setContentsMargins(*margins[:2], last, margins[3])
        # The first and the last one reach beyond the axis; pyqtgraph allows it without a grid only.
        axis.setGrid(False)
        axis.setStyle(hideOverlappingLabels=round(widest))

    def _place_legend(self) -> None:
        below = self.width() <= NARROW
        direction = QBoxLayout.Direction
        self._layout.setDirection(direction.TopToBottom if below else direction.LeftToRight)
        self.legend.place(self.width(), below=below)

    @property
    def shown(self) -> Plot | None:
        return self._shown

    def copy(self) -> None:
        """All curves as tab-separated columns to the clipboard."""
        if self._shown is None:
            return
        lines = [f"{self.tr('curve')}\t{self._shown.x_label or 'x'}\t{self._shown.y_label or 'y'}"]
        for curve in self._shown.curves:
            lines += [f"{curve.label}\t{x:g}\t{y:g}" for x, y in zip(curve.x, curve.y, strict=True)]
        QGuiApplication.clipboard().setText("\n".join(lines) + "\n")

    def eventFilter(self, watched: Any, event: QEvent) -> bool:
        if event.type() == QEvent.Type.Leave:
            self.line.setVisible(False)
            self.words.setVisible(False)
            self.legend.hush()
        return bool(super().eventFilter(watched, event))

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() in (QEvent.Type.PaletteChange, QEvent.Type.FontChange):
            self._restyle()

    def _restyle(self) -> None:
        library, palette = pyqtgraph(), self.palette()
        font = scaled_font(QApplication.font(), TICKS)
        ink = palette.text().color()
        faint = QColor(ink)
        faint.setAlphaF(0.35)
        self.chart.setBackground(palette.base().color())
        for side in ("left", "bottom"):
            axis = self.chart.getAxis(side)
            axis.setPen(library.mkPen(faint))
            axis.setTextPen(library.mkPen(ink))
            axis.setTickFont(font)
            axis.label.setFont(font)
        self._fit_titles()
        self.chart.showGrid(x=True, y=True, alpha=GRID)
        self._name_places()
        self.line.setPen(library.mkPen(faint))
        self.marker.restyle(palette.highlight().color())
        self.words.setColor(ink)

    def _mouse_moved(self, position: QPointF) -> None:
        plot = self._shown
        if plot is None or not self.chart.plotItem.vb.sceneBoundingRect().contains(position):
            return
        mouse = self.chart.plotItem.vb.mapSceneToView(position)
        x = 10.0 ** min(mouse.x(), 300.0) if plot.log_x else mouse.x()
        found = [(curve.label, nearest_sample(curve, x)) for curve in plot.curves]
        samples = [(label, *sample) for label, sample in found if sample is not None]
        if not samples:
            return
        view = self.chart.plotItem.vb.viewRange()
        nearest = min((at for _, at, _ in samples), key=lambda at: abs(at - x))
        if plot.log_x and nearest <= 0:
            return
        spot = math.log10(nearest) if plot.log_x else nearest
        self.line.setPos(spot)
        self.line.setVisible(True)
        heading = f"{plot.x_label or 'x'}  {_x_words(plot, nearest)}"
        if not self.legend.isHidden():
            values = [number(sample[1]) if sample is not None else "" for _, sample in found]
            self.legend.say(heading, values)
            return
        words = [f"{label}  {number(value)}".strip() for label, _, value in samples]
        self.words.setText("\n".join([heading, *words]))
        self.words.setAnchor((1, 0) if spot > sum(view[0]) / 2 else (0, 0))
        self.words.setPos(spot, view[1][1])
        self.words.setVisible(True)


def _scales(plot: Plot) -> tuple[tuple[bool, bool], tuple[bool, bool]]:
    """Of the x and the y axis: whether it is logarithmic, and whether it counts."""
    return (plot.log_x, plot.whole_x), (plot.log_y, plot.whole_y)


def _x_words(plot: Plot, x: float) -> str:
    """The name of a place on the axis, or its number."""
    place = round(x) - 1
    named = place == x - 1 and 0 <= place < len(plot.x_names)
    return plot.x_names[place] if named else number(x)


def nearest_sample(curve: Curve, x: float) -> tuple[float, float] | None:
    """The finite sample whose x is nearest."""
    good = np.isfinite(curve.x) & np.isfinite(curve.y)
    if not good.any():
        return None
    xs, ys = curve.x[good], curve.y[good]
    at = int(np.argmin(np.abs(xs - x)))
    return float(xs[at]), float(ys[at])


class BarsPlot(QScrollArea):
    """Horizontal bars with their labels and values, the first on top."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.bars = _Bars(self)
        self.setWidget(self.bars)
        self.setWidgetResizable(True)
        self.setFrameShape(QFrame.Shape.NoFrame)
        copy = QAction(self.tr("Copy the values"), self)
        copy.triggered.connect(self.copy)
        self.addAction(copy)
        self.setContextMenuPolicy(Qt.ContextMenuPolicy.ActionsContextMenu)

    def set_plot(self, plot: Plot) -> None:
        self.bars.set_plot(plot)
        self.setAccessibleName(plot.title or plot.name)

    def copy(self) -> None:
        """Labels and values as tab-separated columns to the clipboard."""
        rows = [f"{label}\t{value:g}" for label, value, _ in self.bars.plot.bars]
        QGuiApplication.clipboard().setText("\n".join(rows) + "\n")


class _Bars(QWidget):
    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.plot = Plot("")
        self._contained = Contained("the bars")
        self.setMouseTracking(True)

    def set_plot(self, plot: Plot) -> None:
        self.plot = plot
        self.setMinimumHeight(TOP + self.pitch() * len(plot.bars) + 10)
        self.update()

    @property
    def failed(self) -> bool:
        """Drawing them has raised: they are not drawn until there are others."""
        return self._contained.failed

    def pitch(self) -> int:
        return self.fontMetrics().height() + 9

    def sizeHint(self) -> QSize:
        return QSize(320, self.minimumHeight())

    def limits(self) -> tuple[float, float]:
        """The values at both ends of the axis; zero is on it unless the plot says otherwise."""
        given = self.plot.bar_range
        if given is not None and all(map(math.isfinite, given)) and given[0] < given[1]:
            return given
        values = [value for _, value, _ in self.plot.bars if math.isfinite(value)]
        low, high = min([0.0, *values]), max([0.0, *values])
        return (low, high) if low < high else (0.0, 1.0)

    def event(self, event: QEvent) -> bool:
        if isinstance(event, QHelpEvent):
            row = (event.pos().y() - TOP) // self.pitch()
            if 0 <= row < len(self.plot.bars):
                label, value, _ = self.plot.bars[row]
                QToolTip.showText(event.globalPos(), f"{label}: {value:.6g}", self)
            return True
        return super().event(event)

    def paintEvent(self, event: QPaintEvent) -> None:
        with QPainter(self) as painter:
            self._contained(self._draw, painter, event.rect())

    def _draw(self, painter: QPainter, dirty: Any) -> None:
        palette, plot = self.palette(), self.plot
        painter.fillRect(self.rect(), palette.base())
        ink, muted = palette.text().color(), palette.placeholderText().color()
        metrics = QFontMetricsF(self.font())
        painter.setFont(self.font())
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        low, high = self.limits()
        widest = max((metrics.horizontalAdvance(label) for label, _, _ in plot.bars), default=0.0)
        names = min(widest, self.width() * 0.4)
        figures = max((metrics.horizontalAdvance(_figure(v)) for _, v, _ in plot.bars), default=0.0)
        track = QRectF(12 + names + 10, 0, max(self.width() - names - figures - 44, 20.0), 0)
        track.setHeight(self.pitch() - 7)
        track_color = QColor(ink)
        track_color.setAlphaF(0.07)
        zero = track.left() + track.width() * (min(max(0.0, low), high) - low) / (high - low)
        for row, (label, value, color) in enumerate(plot.bars):
            top = TOP + row * self.pitch()
            if top > dirty.bottom() or top + self.pitch() < dirty.top():
                continue
            track.moveTop(top + 3)
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(track_color)
            painter.drawRoundedRect(track, 4, 4)
            if math.isfinite(value):
                end = track.left() + track.width() * (min(max(value, low), high) - low) / (
                    high - low
                )
                bar = QRectF(min(zero, end), track.top(), max(abs(end - zero), 2.0), track.height())
                painter.setBrush(qcolor(color))
                painter.drawRoundedRect(bar, 4, 4)
            base = track.center().y() + (metrics.ascent() - metrics.descent()) / 2
            painter.setPen(ink)
            words = metrics.elidedText(label, Qt.TextElideMode.ElideRight, names)
            painter.drawText(QPointF(12 + names - metrics.horizontalAdvance(words), base), words)
            painter.setPen(ink if row == 0 else muted)
            painter.drawText(QPointF(track.right() + 10, base), _figure(value))


def _figure(value: float) -> str:
    """A bar's value, with the digits that make a column of probabilities comparable."""
    counted = isinstance(value, int)
    if counted or not math.isfinite(value) or not 5e-5 <= abs(value) < 10:
        return number(value)
    return f"{value:.3f}" if abs(value) >= 1e-3 else f"{value:.4f}"
