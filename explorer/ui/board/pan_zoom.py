"""A graphics view that pans and zooms without scroll bars, exactly and on device pixels.

The view's transform holds the whole camera: scroll bars move by whole window pixels and would let
the picture drift while zooming. The position is kept as the pane's point in the window's middle.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from PySide6.QtCore import QEvent, QPoint, QPointF, QRectF, Qt, QVariantAnimation, Signal
from PySide6.QtGui import QNativeGestureEvent, QPainter, QResizeEvent, QTransform, QWheelEvent
from PySide6.QtWidgets import QFrame, QGraphicsScene, QGraphicsView, QWidget

from explorer.ui.items.layer_item import EVERYWHERE

ZOOM_STEP = 1.25
MAX_SCALE = 256.0
FIT_MARGIN = 14.0
ZOOM_MS = 110


@dataclass(frozen=True, slots=True)
class Viewpoint:
    """The viewpoint: the pane's point in the window's middle, and window pixels per pane unit.

    A view that fits stays fitted when the window changes its size.
    """

    x: float
    y: float
    scale: float
    fit: bool = False


class PanZoomView(QGraphicsView):
    """Camera work only: what is shown, and what a click means, is the subclass's.

    Signals:
        viewpoint_changed: A `Viewpoint`, when the user (not `set_viewpoint`) has moved the view.
    """

    viewpoint_changed = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        scene = QGraphicsScene(self)
        scene.setItemIndexMethod(QGraphicsScene.ItemIndexMethod.NoIndex)
        scene.setSceneRect(EVERYWHERE)
        self.setScene(scene)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setTransformationAnchor(QGraphicsView.ViewportAnchor.NoAnchor)
        self.setResizeAnchor(QGraphicsView.ViewportAnchor.NoAnchor)
        self.setViewportUpdateMode(QGraphicsView.ViewportUpdateMode.FullViewportUpdate)
        self.setOptimizationFlag(QGraphicsView.OptimizationFlag.DontSavePainterState)
        self.setRenderHint(QPainter.RenderHint.Antialiasing, False)
        self.setInteractive(False)
        self._content = (1.0, 1.0)
        self._view = Viewpoint(0.5, 0.5, 1.0, fit=True)
        self._anchor = QPointF()
        self._goal = 1.0
        self._zooming = QVariantAnimation(self)
        self._zooming.setDuration(ZOOM_MS)
        self._zooming.valueChanged.connect(self._zoom_frame)

    # -- where the pane lies ------------------------------------------------------------------

    @property
    def viewpoint(self) -> Viewpoint:
        return self._view

    def set_viewpoint(self, view: Viewpoint) -> None:
        """Take over a viewpoint, silently; a fitting one fits this window's own size."""
        self._zooming.stop()
        self._show(self._fitting() if view.fit else view)

    def set_content_size(self, width: float, height: float, *, keep: bool) -> None:
        """The frame to show; `keep` leaves zoom and position alone."""
        before, self._content = self._content, (max(width, 1e-6), max(height, 1e-6))
        if not keep:
            self._zooming.stop()
        if not keep or (self._view.fit and before != self._content):
            self._show(self._fitting())

    def to_pane(self, position: QPointF | QPoint) -> QPointF:
        """A position of the viewport, in the pane's units (not rounded)."""
        there = self.viewportTransform()
        return QPointF(
            (position.x() - there.dx()) / there.m11(), (position.y() - there.dy()) / there.m22()
        )

    def from_pane(self, x: float, y: float) -> QPointF:
        """A position of the pane, in viewport pixels (not rounded)."""
        there = self.viewportTransform()
        return QPointF(x * there.m11() + there.dx(), y * there.m22() + there.dy())

    def content_rect(self) -> QRectF:
        return QRectF(0.0, 0.0, *self._content)

    # -- slots --------------------------------------------------------------------------------

    def fit(self) -> None:
        self._zooming.stop()
        self._show(self._fitting(), tell=True)

    def actual_size(self) -> None:
        """One pane unit on one device pixel, around the middle of the window."""
        self._zoom_to(1.0 / self.devicePixelRatioF(), self._middle())

    def zoom_in(self) -> None:
        self._zoom_to(self._pending() * ZOOM_STEP**2, self._middle())

    def zoom_out(self) -> None:
        self._zoom_to(self._pending() / ZOOM_STEP**2, self._middle())

    def pan_by(self, dx: float, dy: float) -> None:
        """Move the content by window pixels."""
        view = self._view
        self._show(
            Viewpoint(view.x - dx / view.scale, view.y - dy / view.scale, view.scale), tell=True
        )

    # -- zooming ------------------------------------------------------------------------------

    def wheelEvent(self, event: QWheelEvent) -> None:
        turns = (event.angleDelta().y() or event.angleDelta().x()) / 120.0
        event.accept()
        if turns == 0.0:
            return
        goal = self._pending() * ZOOM_STEP**turns
        if abs(turns) < 0.5:  # a touchpad or a fine wheel is smooth by itself
            self._zoom_now(goal, event.position())
        else:
            self._zoom_to(goal, event.position())

    def viewportEvent(self, event: QEvent) -> bool:
        if isinstance(event, QNativeGestureEvent) and (
            event.gestureType() == Qt.NativeGestureType.ZoomNativeGesture
        ):
            self._zoom_now(self._view.scale * (1.0 + event.value()), event.position())
            return True
        return super().viewportEvent(event)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._show(self._fitting() if self._view.fit else self._view)

    def _zoom_to(self, scale: float, anchor: QPointF) -> None:
        self._goal = self._bounded(scale)
        self._anchor = QPointF(anchor)
        start = math.log(self._view.scale)
        self._zooming.stop()
        self._zooming.setStartValue(start)
        self._zooming.setEndValue(math.log(self._goal))
        self._zooming.start()

    def _zoom_now(self, scale: float, anchor: QPointF) -> None:
        self._zooming.stop()
        self._zoom_about(scale, anchor)

    def _zoom_frame(self, log_scale: object) -> None:
        if isinstance(log_scale, float):
            self._zoom_about(math.exp(log_scale), self._anchor)

    def _zoom_about(self, scale: float, anchor: QPointF) -> None:
        """Zoom so that the pane's point under `anchor` stays there."""
        scale = self._bounded(scale)
        view, middle = self._view, self._middle()
        off = anchor - middle
        x = view.x + off.x() / view.scale - off.x() / scale
        y = view.y + off.y() / view.scale - off.y() / scale
        self._show(Viewpoint(x, y, scale), tell=True)

    def _pending(self) -> float:
        """The scale that a running zoom is heading for: quick turns of the wheel add up."""
        running = self._zooming.state() == QVariantAnimation.State.Running
        return self._goal if running else self._view.scale

    def _bounded(self, scale: float) -> float:
        least = min(self._fitting().scale, 1.0) / 8.0
        return min(max(scale, least), MAX_SCALE)

    # -- applying -----------------------------------------------------------------------------

    def _middle(self) -> QPointF:
        return QPointF(self.viewport().width() / 2.0, self.viewport().height() / 2.0)

    def _fitting(self) -> Viewpoint:
        width, height = self._content
        room_x = max(self.viewport().width() - 2 * FIT_MARGIN, 8.0)
        room_y = max(self.viewport().height() - 2 * FIT_MARGIN, 8.0)
        scale = min(room_x / width, room_y / height, MAX_SCALE)
        return Viewpoint(width / 2.0, height / 2.0, scale, fit=True)

    def _show(self, view: Viewpoint, *, tell: bool = False) -> None:
        width, height = self._content
        # The pane can be pushed to the border of the window, not out of it.
        x, y = min(max(view.x, 0.0), width), min(max(view.y, 0.0), height)
        view = Viewpoint(x, y, view.scale, view.fit)
        self._view = view
        middle, ratio = self._middle(), self.devicePixelRatioF()
        # On whole device pixels, so that nothing shimmers while the view is moved.
        dx = round((middle.x() - view.x * view.scale) * ratio) / ratio
        dy = round((middle.y() - view.y * view.scale) * ratio) / ratio
        self.setTransform(QTransform(view.scale, 0, 0, view.scale, dx, dy))
        for bar in (self.horizontalScrollBar(), self.verticalScrollBar()):
            bar.setValue(0)
        self.viewpoint_shown()
        if tell:
            self.viewpoint_changed.emit(view)

    def viewpoint_shown(self) -> None:
        """Called whenever the camera has moved."""
