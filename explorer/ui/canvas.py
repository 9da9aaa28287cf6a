"""The canvas: one pane, looked at, pointed at and drawn on.

Everything the user does becomes a signal in the pane's own units; what it means is the board's.
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING

from PySide6.QtCore import QEvent, QPointF, QRectF, Qt, Signal
from PySide6.QtGui import QFocusEvent, QKeyEvent, QMouseEvent, QPainter, QPen, QResizeEvent
from PySide6.QtWidgets import QLabel, QWidget

from explorer.layers import Heat, Layer, Pane, Picture
from explorer.ui.box_item import BoxesItem
from explorer.ui.canvas_paint import (
    NUMBERS_FROM,
    draw_crosshair,
    draw_edit_box,
    draw_ground,
    draw_marker,
    draw_pixel_numbers,
    draw_scale,
    ground_colour,
)
from explorer.ui.handles import Handle, handle_at, moved, spanned
from explorer.ui.items import make_item
from explorer.ui.painting import Contained, assert_gui_thread, lens_of, small_font
from explorer.ui.pan_zoom import PanZoomView
from explorer.ui.readout import readout
from explorer.view import Box, Point

if TYPE_CHECKING:
    from explorer.ui.layer_item import LayerItem

Selection = tuple[str, int]
"""The name of a Boxes layer and the key of one of its boxes."""

CLICK_SLACK = 4.0
HANDLE_REACH = 7.0
BOX_SLACK = 2.0
CAPTION_HEIGHT = 24


class Mode(Enum):
    """What a press of the left button means; the middle button and Space always pan."""

    LOOK = "look"
    POINT = "point"
    BOX = "box"


class _Drag(Enum):
    NONE = 0
    PRESSED = 1  # not moved yet: it may become a click
    PAN = 2
    DRAW = 3
    EDIT = 4


_CURSORS = {
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
_ARROWS = {
    Qt.Key.Key_Left: (-1, 0),
    Qt.Key.Key_Right: (1, 0),
    Qt.Key.Key_Up: (0, -1),
    Qt.Key.Key_Down: (0, 1),
}


class Canvas(PanZoomView):
    """Shows a pane and reports what the user does on it.

    Signals:
        hovered: The `Point` under the mouse, None outside of the pane.
        clicked: A `Point` that was clicked without dragging (in every mode).
        box_drawn: The `Box` that was drawn or edited; None when it was deleted.
        box_dragged: The `Box` while its handles are dragged, for live views.
        box_selected: A `Selection`, None for a click beside all boxes.
        status: Words for the status bar.
    """

    hovered = Signal(object)
    clicked = Signal(object)
    box_drawn = Signal(object)
    box_dragged = Signal(object)
    box_selected = Signal(object)
    status = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._pane: Pane | None = None
        self._items: list[LayerItem] = []
        self._overlays = True
        self._mode = Mode.LOOK
        self._selection: Selection | None = None
        self._box: Box | None = None
        self._marker: Point | None = None
        self._linked: Point | None = None
        self._mouse: QPointF | None = None
        self._drag = _Drag.NONE
        self._press = QPointF()
        self._last = QPointF()
        self._handle: Handle = ""
        self._drawn: Box | None = None
        self._space = False
        self._ring = False
        self._cycle: tuple[QPointF, list[Selection]] = (QPointF(-99, -99), [])
        self._ground = Contained("the ground of the canvas")
        self._front = Contained("the foreground of the canvas")
        self._caption = QLabel(self)
        self._caption.setTextFormat(Qt.TextFormat.PlainText)
        self._zoom_words = QLabel(self)
        self._zoom_words.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        for label in (self._caption, self._zoom_words):
            label.setFont(small_font(self.font()))
            label.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self.setViewportMargins(0, CAPTION_HEIGHT, 0, 0)
        self.setMouseTracking(True)
        self.viewport().setMouseTracking(True)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setMinimumSize(120, 100)
        self.setAccessibleName(self.tr("Canvas"))
        self.setAccessibleDescription(
            self.tr("Enter places a point or a box, arrow keys move it, Delete removes the box.")
        )
        self._restyle()

    # -- what is shown ------------------------------------------------------------------------

    @property
    def pane(self) -> Pane | None:
        return self._pane

    @property
    def items_of_layers(self) -> tuple[LayerItem, ...]:
        """One item per layer of the pane, in the layers' order."""
        return tuple(self._items)

    def set_pane(self, pane: Pane | None) -> None:
        """Show `pane`; only layers that are not the identical objects are built anew."""
        assert_gui_thread()
        before, self._pane = self._pane, pane
        left = list(self._items)
        self._items = [self._item(layer, left) for layer in (pane.layers if pane else ())]
        for item in left:
            self.scene().removeItem(item)
        for depth, item in enumerate(self._items):
            item.setZValue(depth)
            if item.scene() is None:
                self.scene().addItem(item)
        if pane is None:
            self._caption.clear()
        else:
            keep = before is not None and (before.name, before.size) == (pane.name, pane.size)
            for item in self._items:
                item.frame = pane.size
            self._caption.setText(pane.title)
            self.setAccessibleName(pane.title or pane.name)
            self.set_content_size(*pane.size, keep=keep)
        self._apply_overlays()
        self._apply_selection()
        self._look_at_mouse()
        self.viewport().update()

    def _item(self, layer: Layer, left: list[LayerItem]) -> LayerItem:
        """The item of the identical layer, taken out of `left`, or a new one."""
        for place, item in enumerate(left):
            if item.layer is layer:
                return left.pop(place)
        item = make_item(layer)
        for old in left:
            if type(old) is type(item) and old.layer.name == layer.name:
                item.take_over(old)
                break
        return item

    def set_overlays_visible(self, visible: bool) -> None:
        """Hide everything but the pictures and the heat maps that stand for themselves."""
        self._overlays = visible
        self._apply_overlays()
        self.viewport().update()

    @property
    def overlays_visible(self) -> bool:
        return self._overlays

    def _apply_overlays(self) -> None:
        photo = False
        for item in self._items:
            layer = item.layer
            base = isinstance(layer, Picture) or (isinstance(layer, Heat) and not photo)
            photo = photo or isinstance(layer, Picture)
            item.setVisible(self._overlays or base or layer.name == "stamp")

    def set_mode(self, mode: Mode) -> None:
        self._mode = mode
        self._update_cursor()

    @property
    def mode(self) -> Mode:
        return self._mode

    def set_selected(self, selection: Selection | None) -> None:
        """Highlight one box and dim the others of its layer; silent."""
        self._selection = selection
        self._apply_selection()

    def _apply_selection(self) -> None:
        for item in self._boxes():
            chosen = self._selection is not None and self._selection[0] == item.layer.name
            item.select(self._selection[1] if chosen and self._selection else None)

    def set_box(self, box: Box | None) -> None:
        """The picked box, which gets handles; silent."""
        if self._drag is not _Drag.EDIT:  # a late answer must not pull the box from the hand
            self._box = box
            self.viewport().update()

    def set_marker(self, point: Point | None) -> None:
        """The picked position; silent."""
        self._marker = point
        self.viewport().update()

    def set_linked_cursor(self, point: Point | None) -> None:
        """The position of the mouse in another pane of the same frame."""
        if point != self._linked:
            self._linked = point
            self.viewport().update()

    def _boxes(self) -> list[BoxesItem]:
        return [item for item in self._items if isinstance(item, BoxesItem)]

    def _picks_at(self, at: QPointF) -> list[Selection]:
        """The visible boxes under a position, upper layers first, smaller boxes first."""
        slack = BOX_SLACK / self.viewpoint.scale
        return [
            (item.layer.name, key)
            for item in reversed(self._boxes())
            if item.isVisible()
            for key in item.keys_at(at.x(), at.y(), slack)
        ]

    # -- the mouse ----------------------------------------------------------------------------

    def mousePressEvent(self, event: QMouseEvent) -> None:
        event.accept()
        position = event.position()
        self._press = self._last = position
        left = event.button() == Qt.MouseButton.LeftButton
        if event.button() == Qt.MouseButton.MiddleButton or (left and self._space):
            self._drag = _Drag.PAN
        elif left and self._pane is not None:
            handle = self._handle_at(position)
            self._handle = handle or ""
            self._drag = _Drag.PRESSED
        self._update_cursor()

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        event.accept()
        self._mouse = position = event.position()
        if self._drag is _Drag.PRESSED and (position - self._press).manhattanLength() > CLICK_SLACK:
            self._drag = (
                _Drag.EDIT if self._handle else _Drag.DRAW if self._mode is Mode.BOX else _Drag.PAN
            )
            self._drawn = self._box if self._drag is _Drag.EDIT else None
        if self._drag is _Drag.PAN:
            self.pan_by(position.x() - self._last.x(), position.y() - self._last.y())
        elif self._drag in (_Drag.DRAW, _Drag.EDIT):
            self._drag_box(position)
        self._last = position
        self._look_at_mouse()
        self._update_cursor()

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        event.accept()
        drag, self._drag = self._drag, _Drag.NONE
        if drag is _Drag.PRESSED:
            self._click(event.position())
        elif drag in (_Drag.DRAW, _Drag.EDIT) and self._drawn is not None:
            self._box, self._drawn = self._drawn, None
            self.box_drawn.emit(self._box)
            self.viewport().update()
        self._update_cursor()

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        event.accept()
        if event.button() == Qt.MouseButton.LeftButton and not self._handle_at(event.position()):
            self.fit()

    def leaveEvent(self, event: QEvent) -> None:
        super().leaveEvent(event)
        self._mouse = None
        self._look_at_mouse()

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

    def _click(self, position: QPointF) -> None:
        at = self.to_pane(position)
        picks = self._picks_at(at)
        if any(item.isVisible() and item.layer.selectable for item in self._boxes()):
            self.box_selected.emit(self._next_pick(position, picks))
        if self._inside(at):
            self.clicked.emit(Point(at.x(), at.y()))

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

    def _look_at_mouse(self) -> None:
        """Say what is under the mouse; also when the board, not the mouse, has changed."""
        at = None if self._mouse is None else self.to_pane(self._mouse)
        inside = at is not None and self._inside(at)
        picks = self._picks_at(at) if at is not None and self._drag is _Drag.NONE else []
        for item in self._boxes():
            item.hover(picks[0][1] if picks and picks[0][0] == item.layer.name else None)
        if self._pane is not None and at is not None and inside:
            self.hovered.emit(Point(at.x(), at.y()))
            self.status.emit(readout(self._pane, at.x(), at.y()))
        elif self._hovering:
            self.hovered.emit(None)
            self.status.emit("")
        self._hovering = inside

    _hovering = False

    def _inside(self, at: QPointF) -> bool:
        return self._pane is not None and (
            0 <= at.x() < self._pane.size[0] and 0 <= at.y() < self._pane.size[1]
        )

    def _handle_at(self, position: QPointF) -> Handle | None:
        if self._box is None:
            return None
        at = self.to_pane(position)
        return handle_at(self._box, at.x(), at.y(), HANDLE_REACH / self.viewpoint.scale)

    def _update_cursor(self) -> None:
        if self._drag is _Drag.PAN:
            shape = Qt.CursorShape.ClosedHandCursor
        elif self._space:
            shape = Qt.CursorShape.OpenHandCursor
        elif self._drag is _Drag.EDIT:
            shape = _CURSORS[self._handle]
        elif self._mouse is not None and (handle := self._handle_at(self._mouse)):
            shape = _CURSORS[handle]
        else:
            looking = self._mode is Mode.LOOK
            shape = Qt.CursorShape.ArrowCursor if looking else Qt.CursorShape.CrossCursor
        if self.viewport().cursor().shape() != shape:
            self.viewport().setCursor(shape)

    # -- the keyboard -------------------------------------------------------------------------

    def keyPressEvent(self, event: QKeyEvent) -> None:
        key = Qt.Key(event.key())
        if key == Qt.Key.Key_Space:
            self._space = True
            self._update_cursor()
        elif key == Qt.Key.Key_Escape and self._drag in (_Drag.DRAW, _Drag.EDIT):
            self._drag, self._drawn = _Drag.NONE, None
            self.viewport().update()
        elif key in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and self._mode is not Mode.LOOK:
            self._place()
        elif key in (Qt.Key.Key_Delete, Qt.Key.Key_Backspace) and self._box is not None:
            self._box = None
            self.box_drawn.emit(None)
            self.viewport().update()
        elif not (key in _ARROWS and self._nudge(*_ARROWS[key], event.modifiers())):
            event.ignore()  # the window's: next image, and the like

    def keyReleaseEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Space and not event.isAutoRepeat():
            self._space = False
            self._update_cursor()
        else:
            event.ignore()

    def _place(self) -> None:
        """A point or a box in the middle of what is seen, for the keyboard to move on."""
        if self._pane is None:
            return
        middle = Point(self.viewpoint.x, self.viewpoint.y)
        if self._mode is Mode.POINT:
            self._marker = middle
            self.clicked.emit(middle)
        elif self._box is None:
            reach = min(self._pane.size) / 6
            low, high = (middle.x - reach, middle.y - reach), (middle.x + reach, middle.y + reach)
            self._box = spanned(low, high, self._pane.size)
            self.box_drawn.emit(self._box)
        self.viewport().update()

    def _nudge(self, dx: int, dy: int, modifiers: Qt.KeyboardModifier) -> bool:
        """Move the picked box or point by a pixel (Shift: a quarter); Ctrl changes the box's size."""
        if self._pane is None:
            return False
        step = 0.25 if modifiers & Qt.KeyboardModifier.ShiftModifier else 1.0
        size = self._pane.size
        if self._box is not None:
            handle = "rb" if modifiers & Qt.KeyboardModifier.ControlModifier else "move"
            self._box = moved(self._box, handle, dx * step, dy * step, size)
            self.box_drawn.emit(self._box)
        elif self._marker is not None and self._mode is Mode.POINT:
            x = min(max(self._marker.x + dx * step, 0.0), size[0] - 0.01)
            y = min(max(self._marker.y + dy * step, 0.0), size[1] - 0.01)
            self._marker = Point(x, y)
            self.clicked.emit(self._marker)
        else:
            return False
        self.viewport().update()
        return True

    def focusInEvent(self, event: QFocusEvent) -> None:
        super().focusInEvent(event)
        keys = (Qt.FocusReason.TabFocusReason, Qt.FocusReason.BacktabFocusReason)
        self._ring = event.reason() in keys
        self.viewport().update()

    def focusOutEvent(self, event: QFocusEvent) -> None:
        super().focusOutEvent(event)
        self._ring = self._space = False
        self._update_cursor()
        self.viewport().update()

    # -- painting -----------------------------------------------------------------------------

    def drawBackground(self, painter: QPainter, rect: QRectF | object) -> None:
        self._ground(self._draw_ground, painter)

    def _draw_ground(self, painter: QPainter) -> None:
        lens = lens_of(painter, self.viewport().width(), self.viewport().height())
        painter.resetTransform()
        painter.fillRect(self.viewport().rect(), ground_colour(self.palette()))
        if self._pane is not None:
            first = self._pane.layers[0] if self._pane.layers else None
            checker = not (isinstance(first, Picture) and first.opacity >= 1.0)
            draw_ground(painter, lens, self._pane.size, self.palette(), checker=checker)

    def drawForeground(self, painter: QPainter, rect: QRectF | object) -> None:
        self._front(self._draw_front, painter)

    def _draw_front(self, painter: QPainter) -> None:
        lens = lens_of(painter, self.viewport().width(), self.viewport().height())
        pane, world = self._pane, painter.worldTransform()
        accent = self.palette().highlight().color()
        if pane is not None:
            shown = [i.layer for i in self._items if i.isVisible()]
            arrays = [layer for layer in shown if isinstance(layer, Picture | Heat)]
            heats = [layer for layer in shown if isinstance(layer, Heat)]
            if arrays and lens.scale >= NUMBERS_FROM:
                draw_pixel_numbers(painter, lens, arrays[-1])
            elif heats:
                draw_scale(painter, lens, heats[-1])
            painter.setWorldTransform(world)
            if self._marker is not None:
                draw_marker(painter, lens, self._marker, accent)
            box = self._drawn or self._box
            if box is not None:
                drawing = self._drag in (_Drag.DRAW, _Drag.EDIT)
                draw_edit_box(painter, lens, box, accent, drawing=drawing)
            if self._linked is not None and self._mouse is None:
                draw_crosshair(painter, lens, self._linked)
        if self._ring:
            painter.resetTransform()
            painter.setPen(QPen(accent, 2))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRect(self.viewport().rect().adjusted(1, 1, -1, -1))

    def viewpoint_shown(self) -> None:
        percent = self.viewpoint.scale * self.devicePixelRatioF() * 100
        self._zoom_words.setText(f"{percent:.0f} %" if percent >= 10 else f"{percent:.1f} %")

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._caption.setGeometry(10, 0, max(self.width() - 90, 0), CAPTION_HEIGHT)
        self._zoom_words.setGeometry(max(self.width() - 80, 0), 0, 70, CAPTION_HEIGHT)

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.PaletteChange:
            self._restyle()

    def _restyle(self) -> None:
        muted = self.palette().placeholderText().color()
        palette = self._zoom_words.palette()
        palette.setColor(self._zoom_words.foregroundRole(), muted)
        self._zoom_words.setPalette(palette)
