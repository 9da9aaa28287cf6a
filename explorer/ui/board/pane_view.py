"""A pane on the screen: its layers, its caption, its selection; the mouse is the canvas's."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QEvent, QPointF, QRect, QRectF, Qt
from PySide6.QtGui import QFocusEvent, QPainter, QPalette, QPen, QResizeEvent
from PySide6.QtWidgets import QLabel, QWidget

from explorer.core.layers import Boxes, Heat, Layer, Pane, Picture, box_beside
from explorer.ui.board.canvas_marks import (
    NUMBERS_FROM,
    Brief,
    ScaleBar,
    draw_ground,
    draw_pixel_numbers,
    ground_color,
)
from explorer.ui.board.pan_zoom import PanZoomView
from explorer.ui.items.box_item import BoxesItem, say_unlabeled
from explorer.ui.items.item_images import Contained, Lens, assert_gui_thread, lens_of
from explorer.ui.items.items import TextItem, keep_apart, make_item
from explorer.ui.items.labeled_item import LabeledItem
from explorer.ui.widgets.caption import LETTERS, SIZES, Caption
from explorer.ui.widgets.fonts import set_own_font, text_scale

if TYPE_CHECKING:
    from explorer.ui.items.layer_item import LayerItem

Selection = tuple[str, int]
"""The name of a Boxes layer and the key of one of its boxes."""

BOX_SLACK = 2.0
LEAST_DIGITS = 4
"""Of the zoom: one that gets another digit does not move the title."""
HEADS: tuple[tuple[Brief, bool, float], ...] = (
    (0, True, 1.0),
    (1, True, 1.0),
    (1, True, SIZES[-1]),
    (1, False, SIZES[-1]),
    (2, False, SIZES[-1]),
)
"""The head of a pane, tried in this order until the title is whole: how brief the color scale is,
the zoom beside it, and the letters of the title. The last one has two lines where it needs them."""


class PaneView(PanZoomView):
    """Shows one pane, keeping the items of layers that stay."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._pane: Pane | None = None
        self._items: list[LayerItem] = []
        self._overlays = True
        self._selection: Selection | None = None
        self._ring = False
        self._placed: tuple[int, Heat | None, str, int] | None = None
        self._apart: tuple[object, int] | None = None  # texts at a zoom, how many are left out
        self._ground = Contained("the ground of the canvas")
        self._front = Contained("the foreground of the canvas")
        self._scale = ScaleBar(self)
        self._caption = Caption(self)
        self._zoom_words = QLabel(self)
        self._zoom_words.setForegroundRole(QPalette.ColorRole.PlaceholderText)
        self._zoom_words.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        for widget in (self._zoom_words, self._scale):
            widget.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self.setMinimumSize(120, 100)
        self._fit_caption()

    # -- what is shown ------------------------------------------------------------------------

    @property
    def pane(self) -> Pane | None:
        return self._pane

    @property
    def items_of_layers(self) -> tuple[LayerItem, ...]:
        """One item per layer of the pane, in the layers' order."""
        return tuple(self._items)

    def set_pane(self, pane: Pane | None) -> None:
        """Show `pane`; only layers that are not the identical objects are built again."""
        assert_gui_thread()
        before, self._pane = self._pane, pane
        self._apart = None
        left = list(self._items)
        self._items = [self._item(layer, left) for layer in (pane.layers if pane else ())]
        for item in left:
            self.scene().removeItem(item)
        for depth, item in enumerate(self._items):
            item.setZValue(depth)
            if item.scene() is None:
                self.scene().addItem(item)
        below: tuple[LabeledItem, ...] = ()
        for item in self._items:
            if isinstance(item, LabeledItem) and item.layer.labels:
                item.make_room_for(below)
                below = (*below, item)
        if pane is not None:
            keep = before is not None and (before.name, before.size) == (pane.name, pane.size)
            for item in self._items:
                item.frame = pane.size
            self.setAccessibleName(pane.title or pane.name)
            self.set_content_size(*pane.size, keep=keep)
        self._apply_overlays()
        self._apply_selection()
        self._front.retry()
        self.pane_shown()
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
        self._apart = None
        photo = False
        for item in self._items:
            layer = item.layer
            base = isinstance(layer, Picture) or (isinstance(layer, Heat) and not photo)
            photo = photo or isinstance(layer, Picture)
            item.setVisible(self._overlays or base or layer.name == "stamp")
        self._place_caption()

    def set_selected(self, selection: Selection | None) -> None:
        """Highlight one box and dim the others of its layer; silent."""
        self._selection = selection
        self._apply_selection()

    def _apply_selection(self) -> None:
        for item in self._boxes():
            chosen = self._selection is not None and self._selection[0] == item.layer.name
            item.select(self._selection[1] if chosen and self._selection else None)

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

    @property
    def tile_selected(self) -> bool:
        """Whether a tile of this mosaic is; boxes on a photo are none."""
        mosaic = self._pane is not None and self._pane.frame != "image"
        return mosaic and self._selected_tile() is not None

    def tile_beside(self, dx: int, dy: int) -> Selection | None:
        """The tile next to the selected one in a direction (see `box_beside`)."""
        found = self._selected_tile()
        if found is None:
            return None
        layer, row = found
        beside = box_beside(layer.xyxy, row, dx, dy)
        return None if beside is None else (layer.name, layer.key(beside))

    def _selected_tile(self) -> tuple[Boxes, int] | None:
        name, key = self._selection or ("", 0)
        layers = [item.layer for item in self._boxes() if item.layer.selectable]
        rows = [(layer, layer.row(key)) for layer in layers if layer.name == name]
        return next(((layer, row) for layer, row in rows if row is not None), None)

    def focusInEvent(self, event: QFocusEvent) -> None:
        super().focusInEvent(event)
        keys = (Qt.FocusReason.TabFocusReason, Qt.FocusReason.BacktabFocusReason)
        self._ring = event.reason() in keys
        self.viewport().update()

    def focusOutEvent(self, event: QFocusEvent) -> None:
        super().focusOutEvent(event)
        self._ring = False
        self.viewport().update()

    # -- painting -----------------------------------------------------------------------------

    def drawBackground(self, painter: QPainter, rect: QRectF | object) -> None:
        self._ground(self._draw_ground, painter)

    def _draw_ground(self, painter: QPainter) -> None:
        lens = lens_of(painter, self.viewport().width(), self.viewport().height())
        painter.resetTransform()
        painter.fillRect(self.viewport().rect(), ground_color(self.palette()))
        if self._pane is not None:
            checker = not any(item.isVisible() and item.covers() for item in self._items)
            draw_ground(painter, lens, self._pane, self.palette(), checker=checker)

    def drawForeground(self, painter: QPainter, rect: QRectF | object) -> None:
        self._front(self._draw_front, painter)

    def _draw_front(self, painter: QPainter) -> None:
        lens = lens_of(painter, self.viewport().width(), self.viewport().height())
        world = painter.worldTransform()
        if self._pane is not None:
            shown = [i.layer for i in self._items if i.isVisible()]
            arrays = [layer for layer in shown if isinstance(layer, Picture | Heat)]
            if arrays and lens.scale >= NUMBERS_FROM:
                draw_pixel_numbers(painter, lens, arrays[-1])
            self._write(painter, lens)
            painter.setWorldTransform(world)
            self.draw_marks(painter, lens)
        if self._ring:
            painter.resetTransform()
            painter.setPen(QPen(self.palette().highlight().color(), 2))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRect(self.viewport().rect().adjusted(1, 1, -1, -1))

    def _write(self, painter: QPainter, lens: Lens) -> None:
        """The words of all layers, and how many have found no room."""
        shown = [item for item in self._items if item.isVisible()]
        texts = [item for item in shown if isinstance(item, TextItem)]
        at = (lens.scale, lens.dpr, text_scale())
        if self._apart is None or self._apart[0] != at:
            self._apart = (at, keep_apart(texts, painter, lens))
        for item in shown:
            item.write(painter, lens)
        missing = self._apart[1]
        missing += sum(item.unlabeled for item in shown if isinstance(item, LabeledItem))
        if missing:
            say_unlabeled(painter, lens, missing, [text.covered for text in texts])

    def draw_marks(self, painter: QPainter, lens: Lens) -> None:
        """Paint over everything else; for subclasses."""

    def pane_shown(self) -> None:
        """Called when a pane has been set."""

    # -- the caption --------------------------------------------------------------------------

    @property
    def caption_height(self) -> int:
        return self._zoom_words.fontMetrics().height() + 9

    def _fit_caption(self) -> None:
        for widget in (self._zoom_words, self._scale):
            set_own_font(widget, LETTERS)
        self.setViewportMargins(0, self.caption_height, 0, 0)
        self._placed = None
        self._place_caption()

    def viewpoint_shown(self) -> None:
        percent = self.viewpoint.scale * self.devicePixelRatioF() * 100
        self._zoom_words.setText(f"{percent:.0f}%" if percent >= 10 else f"{percent:.1f}%")
        self._place_caption()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._place_caption()

    def _place_caption(self) -> None:
        """The title, then the color scale and the zoom where there is room."""
        heats = [i.layer for i in self._items if i.isVisible() and isinstance(i.layer, Heat)]
        title = self._pane.title if self._pane is not None else ""
        letters = max(len(self._zoom_words.text()), LEAST_DIGITS)
        placed = (self.width(), heats[-1] if heats else None, title, letters)
        if placed == self._placed:
            return  # as at every frame of a film
        self._placed = placed
        self._scale.set_heat(placed[1])
        end = self.width() - 10
        high = self.caption_height
        zoom = self._zoom_words.fontMetrics().horizontalAdvance("0" * letters) + 8
        self._zoom_words.setGeometry(max(end - zoom, 0), 0, zoom, high)
        for brief, zoomed, letter in HEADS:
            self._scale.set_brief(brief)
            right = end - zoom if zoomed else end
            width = self._scale.sizeHint().width()
            left = right - 10 - width
            roomy = bool(heats) and left > 80
            room = max((left if roomy else right) - 20, 0)
            if self._caption.width_of(title, letter) <= room:
                break
        self._zoom_words.setVisible(zoomed)
        self._scale.setVisible(roomy)
        if roomy:
            self._scale.setGeometry(left, 0, width, high)
        self._caption.show_in(QRect(10, 0, room, high), title)

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.FontChange:
            self._fit_caption()
