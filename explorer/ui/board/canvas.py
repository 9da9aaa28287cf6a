"""The canvas: one pane, shown, pointed at and drawn on.

Everything the user does becomes a signal in the pane's own units; what it means is the board's.
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING

from PySide6.QtCore import QEvent, QPointF, Qt, Signal
from PySide6.QtGui import QKeyEvent

from explorer.core.params import Box, Point
from explorer.ui.board.canvas_marks import draw_crosshair, draw_edit_box, draw_marker
from explorer.ui.board.handles import Handle, handle_at, moved, spanned
from explorer.ui.board.marked_canvas import MarkedCanvas
from explorer.ui.board.readout import readout
from explorer.ui.truth.truth_canvas import ARROWS, nudged, stride
from explorer.ui.truth.truth_marks import NEW

if TYPE_CHECKING:
    from PySide6.QtGui import QFocusEvent, QMouseEvent, QPainter
    from PySide6.QtWidgets import QWidget

    from explorer.ui.board.pane_view import Selection
    from explorer.ui.items.item_images import Lens

CLICK_SLACK = 4.0


class Mode(Enum):
    """What a press of the left button means; the middle button and Space always pan."""

    LOOK = "look"
    POINT = "point"
    BOX = "box"
    POINTS = "points"
    PAINT = "paint"


class _Drag(Enum):
    NONE = 0
    PRESSED = 1  # not moved yet: it may become a click
    PAN = 2
    DRAW = 3
    EDIT = 4
    TRUTH = 5
    STROKE = 6
    CORNER = 7


_CURSORS = {
    NEW: Qt.CursorShape.CrossCursor,
    "move": Qt.CursorShape.SizeAllCursor,
    "l": Qt.CursorShape.SizeHorCursor,
    "r": Qt.CursorShape.SizeHorCursor,
    "t": Qt.CursorShape.SizeVerCursor,
    "b": Qt.CursorShape.SizeVerCursor,
    "lt": Qt.CursorShape.SizeFDiagCursor,
    "rb": Qt.CursorShape.SizeFDiagCursor,
    "rt": Qt.CursorShape.SizeBDiagCursor,
    "lb": Qt.CursorShape.SizeBDiagCursor,
}


class Canvas(MarkedCanvas):
    """Shows a pane and reports what the user does on it.

    Signals:
        hovered: The `Point` under the mouse, None outside of the pane.
        clicked: A `Point` that was clicked without dragging (in every mode).
        box_drawn: The `Box` that was drawn or edited; None when it was deleted.
        box_dragged: The `Box` while its handles are dragged, for live views.
        box_selected: A `Selection`, None for a click beside all boxes.
        box_collected: A `Selection` that was clicked while Ctrl was held.
        status: Words for the status bar.
    """

    hovered = Signal(object)
    clicked = Signal(object)
    box_drawn = Signal(object)
    box_dragged = Signal(object)
    box_selected = Signal(object)
    box_collected = Signal(object)
    status = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._mode = Mode.LOOK
        self._box: Box | None = None
        self._step = 1.0
        self._marker: Point | None = None
        self._linked: Point | None = None
        self._mouse: QPointF | None = None
        self._drag = _Drag.NONE
        self._press = QPointF()
        self._last = QPointF()
        self._handle: Handle = ""
        self._grip: Handle = ""  # of the ground truth
        self._drawn: Box | None = None
        self._space = self._panned = False
        self._hovering = False
        self._cycle: tuple[QPointF, list[Selection]] = (QPointF(-99, -99), [])
        self.setMouseTracking(True)
        self.viewport().setMouseTracking(True)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setAccessibleName(self.tr("Canvas"))
        self.setAccessibleDescription(
            self.tr(
                "Enter places a point or a box; arrow keys move it, with Shift by ten pixels, "
                "with Ctrl they resize a box; Delete removes it; Ctrl+D duplicates a "
                "ground-truth box. In a mosaic the arrow keys select the next tile. When painting "
                "a mask, [ and ] change the brush size, E switches to the eraser, Enter paints."
            )
        )

    # -- what is picked -----------------------------------------------------------------------

    def set_mode(self, mode: Mode) -> None:
        self._mode = mode
        self._update_cursor()

    @property
    def mode(self) -> Mode:
        return self._mode

    @property
    def dragging(self) -> bool:
        """Whether a box, a point or the brush is in the hand of the user."""
        edits = (_Drag.DRAW, _Drag.EDIT, _Drag.TRUTH, _Drag.CORNER)
        return self._drag in edits or self._mask.painting

    def set_box(self, box: Box | None, step: float = 1.0) -> None:
        """The picked box, which gets handles; arrow keys move it by `step`. Silent."""
        self._step = step
        if self._drag is not _Drag.EDIT:  # a late answer must not pull the box from the hand
            self._box = box
            self.viewport().update()

    def set_marker(self, point: Point | None) -> None:
        """The picked position; silent."""
        self._marker = point
        self.viewport().update()

    @property
    def linked_cursor(self) -> Point | None:
        """Where the mouse is on another pane of the same frame."""
        return self._linked

    def set_linked_cursor(self, point: Point | None) -> None:
        """The position of the mouse in another pane of the same frame."""
        if point != self._linked:
            self._linked = point
            self.viewport().update()

    @property
    def leads_on(self) -> bool:
        """Whether a click opens another view: it does where nothing is placed by clicks."""
        return self._mode is Mode.LOOK and self._pane is not None and self._pane.link is not None

    def pane_shown(self) -> None:
        link = self._pane.link if self._pane is not None else None
        self.setToolTip(link.words if link is not None else "")
        # Not `hovered`: a view that draws what is hovered would ask for itself for ever.
        self._look_at_mouse(tell=False)

    # -- the mouse ----------------------------------------------------------------------------

    def mousePressEvent(self, event: QMouseEvent) -> None:
        event.accept()
        position = event.position()
        self._press = self._last = position
        left = event.button() == Qt.MouseButton.LeftButton
        if event.button() == Qt.MouseButton.MiddleButton or (left and self._space):
            self._panned = True
            self._drag = _Drag.PAN
        elif left and self._mode is Mode.PAINT and self.paints and self.begin_stroke(position):
            self._drag = _Drag.STROKE
        elif left and self._pane is not None:
            self._handle = self._handle_at(position) or ""
            self._drag = _Drag.PRESSED
            self._grip = self._grip_at(position, event.modifiers())
        self._update_cursor()

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        event.accept()
        self._mouse = position = event.position()
        if self._drag is _Drag.PRESSED and (position - self._press).manhattanLength() > CLICK_SLACK:
            self._begin_drag()
        if self._drag is _Drag.PAN:
            self.pan_by(position.x() - self._last.x(), position.y() - self._last.y())
        elif self._drag is _Drag.STROKE:
            self.go_on_stroke(self._last, position)
        elif self._drag is _Drag.CORNER and self._pane is not None:
            points = self._points.move(*self.at_pane(position), self._pane.size)
            self.points_edited.emit(points, False)
            self.viewport().update()
        elif self._drag in (_Drag.DRAW, _Drag.EDIT):
            self._drag_box(position)
        elif self._drag is _Drag.TRUTH and self._pane is not None:
            start, here = self.to_pane(self._press), self.to_pane(position)
            self.truth_edited.emit(self._truth.drag(start, here, self._pane.size), False)
            self.viewport().update()
        if self._mode is Mode.PAINT and self.paints:
            self.viewport().update()  # the brush's outline follows the mouse
        self._last = position
        self._look_at_mouse()
        self._update_cursor()

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        event.accept()
        drag, self._drag = self._drag, _Drag.NONE
        if drag is _Drag.PRESSED:
            self._click(event.position(), event.modifiers())
        elif drag in (_Drag.DRAW, _Drag.EDIT) and self._drawn is not None:
            self._box, self._drawn = self._drawn, None
            self.box_drawn.emit(self._box)
            self.viewport().update()
        elif drag is _Drag.STROKE:
            self.end_stroke()
        elif drag is _Drag.CORNER:
            self.points_edited.emit(self._points.end(), True)
        elif drag is _Drag.TRUTH:
            self.tell_truth(self._truth.end())
        self._update_cursor()

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        event.accept()
        on = self._handle_at(event.position()) or (
            self.shows_truth and self._truth.at(*self.at_pane(event.position()))
        )
        if event.button() == Qt.MouseButton.LeftButton and self._mode in (Mode.PAINT, Mode.POINTS):
            self.mousePressEvent(event)  # two quick dabs or points, not a request to fit the pane
        elif event.button() == Qt.MouseButton.LeftButton and not on:
            self.fit()

    def leaveEvent(self, event: QEvent) -> None:
        super().leaveEvent(event)
        self._mouse = None
        self._look_at_mouse()

    def _begin_drag(self) -> None:
        if (corner := self._corner_at(self._press)) is not None:
            self._drag = _Drag.CORNER
            self._points.begin(corner)
        elif self._grip:
            self._drag = _Drag.TRUTH
            self._truth.begin(self._grip, *self.at_pane(self._press), self.reach)
            self.truth_chosen.emit(self._truth.chosen)
        elif self._handle:
            self._drag, self._drawn = _Drag.EDIT, self._box
            self._points.chosen = None
        else:
            self._drag = _Drag.DRAW if self._mode is Mode.BOX else _Drag.PAN

    def _drag_box(self, position: QPointF) -> None:
        if self._pane is None:
            return
        start, here = self.to_pane(self._press), self.to_pane(position)
        if self._drag is _Drag.DRAW:
            self._drawn = spanned((start.x(), start.y()), (here.x(), here.y()), self._pane.size)
        elif self._box is not None:
            way = here - start
            self._drawn = moved(self._box, self._handle, way.x(), way.y(), self._pane.size)
            self.box_dragged.emit(self._drawn)
        self.viewport().update()

    def _click(self, position: QPointF, modifiers: Qt.KeyboardModifier) -> None:
        at = self.to_pane(position)
        picks = self._picks_at(at)
        if picks and modifiers & Qt.KeyboardModifier.ControlModifier:
            self.box_collected.emit(picks[0])
            return
        if any(item.isVisible() and item.layer.selectable for item in self._boxes()):
            self.box_selected.emit(self._next_pick(position, picks))
        if self.shows_truth:
            self.truth_chosen.emit(self._truth.choose_at(at.x(), at.y()))
            self.viewport().update()
        if self._inside(at):
            if self._mode in (Mode.POINTS, Mode.BOX) and self.takes_points:
                self._point_clicked(position)
            self.clicked.emit(Point(at.x(), at.y()))

    def _point_clicked(self, position: QPointF) -> None:
        """Chooses the point there, or adds one where that is allowed."""
        corner = self._corner_at(position)
        if corner is None and not self._points.adding:
            return
        if corner is None:
            self.points_edited.emit(self._points.add(Point(*self.at_pane(position))), True)
        else:
            self._points.chosen = corner
        self.viewport().update()

    def _corner_at(self, position: QPointF) -> int | None:
        if not self.takes_points:
            return None
        return self._points.at(*self.at_pane(position), self.reach)

    def _next_pick(self, position: QPointF, picks: list[Selection]) -> Selection | None:
        """Clicking again on the same place goes through the boxes that lie over each other."""
        where, before = self._cycle
        again = (position - where).manhattanLength() <= CLICK_SLACK and picks == before
        self._cycle = (position, picks)
        if not picks:
            return None
        if again and self._selection in picks:
            return picks[(picks.index(self._selection) + 1) % len(picks)]
        return picks[0]

    def _look_at_mouse(self, *, tell: bool = True) -> None:
        """Say what is under the mouse; also when the board, not the mouse, has changed."""
        at = None if self._mouse is None else self.to_pane(self._mouse)
        inside = at is not None and self._inside(at)
        picks = self._picks_at(at) if at is not None and self._drag is _Drag.NONE else []
        for item in self._boxes():
            item.hover(picks[0][1] if picks and picks[0][0] == item.layer.name else None)
        if self._pane is not None and at is not None and inside:
            if tell:
                self.hovered.emit(Point(at.x(), at.y()))
            self.status.emit(readout(self._pane, at.x(), at.y()))
        elif self._hovering:
            self.hovered.emit(None)
            self.status.emit("")
        self._hovering = inside

    def _inside(self, at: QPointF) -> bool:
        return self._pane is not None and (
            0 <= at.x() < self._pane.size[0] and 0 <= at.y() < self._pane.size[1]
        )

    def _handle_at(self, position: QPointF) -> Handle | None:
        if self._box is None:
            return None
        at = self.to_pane(position)
        return handle_at(self._box, at.x(), at.y(), self.reach)

    def _grip_at(self, position: QPointF, modifiers: Qt.KeyboardModifier) -> Handle:
        """What of the ground truth a drag from here would move; the picked box goes before it."""
        shift = bool(modifiers & Qt.KeyboardModifier.ShiftModifier)
        if not self.shows_truth or (self._handle_at(position) and not shift):
            return ""
        return self._truth.grip(*self.at_pane(position), self.reach, shift=shift)

    def _update_cursor(self) -> None:
        if self._drag is _Drag.PAN:
            shape = Qt.CursorShape.ClosedHandCursor
        elif self._space:
            shape = Qt.CursorShape.OpenHandCursor
        elif self._mode is Mode.PAINT and self.paints:
            shape = Qt.CursorShape.CrossCursor
        elif self._mouse is not None and self._corner_at(self._mouse) is not None:
            shape = Qt.CursorShape.SizeAllCursor
        elif self._drag in (_Drag.EDIT, _Drag.TRUTH):
            shape = _CURSORS[self._grip or self._handle]
        elif self._mouse is not None and (
            handle := self._handle_at(self._mouse)
            or self._grip_at(self._mouse, Qt.KeyboardModifier.NoModifier)
        ):
            shape = _CURSORS[handle]
        else:
            looking = self._mode is Mode.LOOK
            shape = Qt.CursorShape.ArrowCursor if looking else Qt.CursorShape.CrossCursor
            if (
                self.leads_on
                and self._mouse is not None
                and self._inside(self.to_pane(self._mouse))
            ):
                shape = Qt.CursorShape.PointingHandCursor
        if self.viewport().cursor().shape() != shape:
            self.viewport().setCursor(shape)

    # -- the keyboard -------------------------------------------------------------------------

    def keyPressEvent(self, event: QKeyEvent) -> None:
        key = Qt.Key(event.key())
        if key == Qt.Key.Key_Space:
            if not event.isAutoRepeat():
                self._space, self._panned = True, False
            self._update_cursor()
        elif key == Qt.Key.Key_Escape and self._drag in (_Drag.DRAW, _Drag.EDIT):
            self._drag, self._drawn = _Drag.NONE, None
            self.viewport().update()
        elif key == Qt.Key.Key_Escape and self._drag is _Drag.TRUTH:
            self._drag = _Drag.NONE
            self.tell_truth(self._truth.end(cancel=True))
        elif key == Qt.Key.Key_Escape and self._drag is _Drag.STROKE:
            self._drag = _Drag.NONE
            self.end_stroke(cancel=True)
        elif key == Qt.Key.Key_Escape and self._drag is _Drag.CORNER:
            self._drag = _Drag.NONE
            self.points_edited.emit(self._points.end(cancel=True), True)
        elif self._drag is _Drag.NONE and self._marks_hear(key) and self.mark_key(event):
            pass
        elif key in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and (
            self._mode is not Mode.LOOK or self.shows_truth or self.leads_on
        ):
            self._place()
        elif self._drag is _Drag.NONE and self.truth_key(event):
            pass
        elif key in (Qt.Key.Key_Delete, Qt.Key.Key_Backspace) and self._box is not None:
            self._box = None
            self.box_drawn.emit(None)
            self.viewport().update()
        elif not (
            key in ARROWS
            and (self._nudge(*ARROWS[key], event.modifiers()) or self._go_on(*ARROWS[key]))
        ):
            event.ignore()  # the window's: next image, and the like

    def _marks_hear(self, key: Qt.Key) -> bool:
        """Whether a key is for the mask or the points before it is for a box."""
        if self._mode is Mode.BOX:  # points beside a box: the chosen one, and Enter after the box
            enter = key in (Qt.Key.Key_Return, Qt.Key.Key_Enter)
            return self._box is not None if enter else self._points.chosen is not None
        return self._mode in (Mode.PAINT, Mode.POINTS)

    def keyReleaseEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Space and not event.isAutoRepeat():
            self._space = False
            self._update_cursor()
            event.setAccepted(self._panned)  # a short press is the window's
        else:
            event.ignore()

    def _place(self) -> None:
        """A point or a box in the middle of what is seen, for the keyboard to move on."""
        if self._pane is None:
            return
        middle = Point(self.viewpoint.x, self.viewpoint.y)
        reach = min(self._pane.size) / 6
        low, high = (middle.x - reach, middle.y - reach), (middle.x + reach, middle.y + reach)
        box = spanned(low, high, self._pane.size)
        if self._mode is Mode.BOX:
            if self._box is None:
                self._box = box
                self.box_drawn.emit(box)
        elif self.shows_truth:
            self.tell_truth(self._truth.add(box))
        elif self.leads_on:
            self.clicked.emit(middle)
        else:
            self._marker = middle
            self.clicked.emit(middle)
        self.viewport().update()

    def _nudge(self, dx: int, dy: int, modifiers: Qt.KeyboardModifier) -> bool:
        """Move the picked box by its step or the point by a pixel (Shift: ten); Ctrl resizes."""
        if self._pane is None:
            return False
        far = stride(modifiers)
        size = self._pane.size
        if self._box is not None:
            far *= self._step
            self._box = moved(self._box, nudged(modifiers), dx * far, dy * far, size)
            self.box_drawn.emit(self._box)
        elif self._marker is not None and self._mode is Mode.POINT:
            x = min(max(self._marker.x + dx * far, 0.0), size[0] - 0.01)
            y = min(max(self._marker.y + dy * far, 0.0), size[1] - 0.01)
            self._marker = Point(x, y)
            self.clicked.emit(self._marker)
        else:
            return False
        self.viewport().update()
        return True

    def _go_on(self, dx: int, dy: int) -> bool:
        """Select the next tile of a mosaic."""
        if not self.tile_selected:
            return False
        beside = self.tile_beside(dx, dy)
        if beside is not None:
            self.box_selected.emit(beside)
        return True

    def event(self, event: QEvent) -> bool:
        # Esc lets go of what is dragged; only then does it mean "cancel" to the window.
        if (
            event.type() == QEvent.Type.ShortcutOverride
            and isinstance(event, QKeyEvent)
            and event.key() == Qt.Key.Key_Escape
            and self.dragging
        ):
            event.accept()
            return True
        return super().event(event)

    def focusOutEvent(self, event: QFocusEvent) -> None:
        super().focusOutEvent(event)
        self._space = False
        self._update_cursor()

    # -- painting -----------------------------------------------------------------------------

    def draw_marks(self, painter: QPainter, lens: Lens) -> None:
        accent = self.palette().highlight().color()
        super().draw_marks(painter, lens)
        if self._marker is not None:
            draw_marker(painter, lens, self._marker, accent)
        box = self._drawn or self._box
        if box is not None:
            drawing = self._drag in (_Drag.DRAW, _Drag.EDIT)
            draw_edit_box(painter, lens, box, accent, drawing=drawing)
        if self._mode is Mode.PAINT and self.paints and self._mouse is not None:
            self.draw_brush(painter, lens, self.to_pane(self._mouse))
        if self._linked is not None and self._mouse is None and self._pane is not None:
            draw_crosshair(painter, lens, self._linked, self._pane.size)
