"""The board on the screen: its panes arranged, linked and compared, and the picks taken on them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from PySide6.QtCore import QSize, Qt, QTimer, Signal
from PySide6.QtGui import QImage, QResizeEvent
from PySide6.QtWidgets import QSplitter, QVBoxLayout, QWidget

from explorer.core.params import Box, Pick, Point
from explorer.ui.board.arrange import Rows, alike, arranged, heights
from explorer.ui.board.brush import Brush
from explorer.ui.board.compare_pane import Compare, PaneCell
from explorer.ui.board.pan_zoom import Viewpoint
from explorer.ui.board.pane_picks import PanePicks
from explorer.ui.board.view_state import readable
from explorer.ui.items.item_images import assert_gui_thread
from explorer.ui.widgets.lifetime import discard
from explorer.ui.widgets.small_widgets import UNIT, Label

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from explorer.core.layers import Board, Pane, UInt8
    from explorer.ui.board.canvas import Canvas, Mode
    from explorer.ui.board.pane_picks import PaneOffer
    from explorer.ui.board.pane_view import Selection
    from explorer.ui.form.picks import PickSpec

FRAME_MS = 16


class _Row(QSplitter):
    """Panes beside each other; the rows of a board share its height as their hints say."""

    def __init__(self, height: int) -> None:
        super().__init__(Qt.Orientation.Horizontal)
        self._height = height

    def sizeHint(self) -> QSize:
        return QSize(super().sizeHint().width(), self._height)


class BoardView(QWidget):
    """Shows a `Board` and turns what the user does on it into picks and selections.

    Panes of an equal frame share zoom, position and a cross-hair. Canvases live as long as a pane
    of their name is on the board; a pane that comes back finds its zoom again.

    Signals:
        picked: Parameter name and its new value: Point, Box, int (a key) or None.
        selection_changed: A `Selection` or None, when the user has chosen on a canvas.
        truth_chosen: The index of the ground-truth box that the user has chosen, or None.
        brush_changed: The `Brush` that the user has changed by a key.
        placing_ended: The name of a parameter whose points are all placed.
        link_followed: The `Link` of a pane that was clicked.
        status: Words for the status bar.
    """

    picked = Signal(str, object)
    selection_changed = Signal(object)
    truth_chosen = Signal(object)
    brush_changed = Signal(object)
    placing_ended = Signal(str)
    link_followed = Signal(object)
    status = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._board: Board | None = None
        self._reference: Board | None = None
        self._compare: Compare = "split"
        self._labels = ("A", "B")
        self._cells: dict[str, PaneCell] = {}
        self._names: tuple[str, ...] = ()
        self._rows: Rows = ()
        self._root: QSplitter | None = None
        self._heights: tuple[float, ...] = ()  # of the rows, as they were laid out
        self._dragged = False  # the user has given the rows other heights
        self._past: dict[str, tuple[tuple[float, float], Viewpoint]] = {}
        self._picks = PanePicks()
        self._mode: Mode | None = None
        self._brush = Brush()
        self._overlays = True
        self._share = 0.5
        self._selection: Selection | None = None
        self._waiting: dict[str, object] = {}
        self._tick = QTimer(self)
        self._tick.setSingleShot(True)
        self._tick.setInterval(FRAME_MS)
        self._tick.setTimerType(Qt.TimerType.PreciseTimer)
        self._tick.timeout.connect(self._flush)
        self._hint = Label(quiet=True, factor=1.1)
        self._hint.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._hint.setContentsMargins(UNIT * 4, 0, UNIT * 4, 0)
        self._hint.hide()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._hint, 1)
        self.setAccessibleName(self.tr("Board"))

    # -- boards -------------------------------------------------------------------------------

    @property
    def board(self) -> Board | None:
        return self._board

    def set_board(self, board: Board | None, hint: str = "") -> None:
        """Show `board`; unchanged layers are not uploaded again, zoom and position stay.

        Without one, `hint` tells what is missing.
        """
        assert_gui_thread()
        self._board = board
        self._hint.setText(hint if board is None else "")
        self._hint.setVisible(board is None and bool(hint))
        panes = board.panes if board is not None else ()
        names = tuple(pane.name for pane in panes)
        keyboard = self._keyboard()
        if names != self._names:
            self._exchange(names)
        moved = False
        for pane in panes:
            cell = self._cells[pane.name]
            before = cell.canvas.pane
            moved = moved or before is None or before.frame != pane.frame
            cell.canvas.set_pane(pane)
            if before is None:
                self._welcome(pane, cell)
        self._apply_reference()
        if moved:
            self._apply_picks()
        self._rearrange(keyboard)

    def set_reference(
        self, board: Board | None, mode: Compare = "split", labels: tuple[str, str] = ("A", "B")
    ) -> None:
        """Compare with another board (A): "split" puts it beside, "wipe" under a divider."""
        assert_gui_thread()
        self._reference, self._compare, self._labels = board, mode, labels
        self._apply_reference()
        self._rearrange()

    def canvas(self, name: str) -> Canvas:
        """The canvas that shows the pane called `name`.

        Raises:
            KeyError: When the board has no such pane.
        """
        return self._cells[name].canvas

    def cell(self, name: str) -> PaneCell:
        """The place of the pane called `name`, with its comparison."""
        return self._cells[name]

    def _exchange(self, names: tuple[str, ...]) -> None:
        for name in set(self._cells) - set(names):
            cell = self._cells.pop(name)
            if cell.canvas.pane is not None:
                self._past[name] = (cell.canvas.pane.size, cell.canvas.viewpoint)
            cell.blockSignals(True)  # the mouse leaves it when it goes
            discard(cell)
            self.status.emit("")
            for canvas in self._canvases():
                canvas.set_linked_cursor(None)
        for name in names:
            if name not in self._cells:
                self._cells[name] = self._new_cell(name)
        self._names, self._rows, self._heights = names, (), ()

    def _new_cell(self, name: str) -> PaneCell:
        cell = PaneCell(name, self)
        cell.moved.connect(self._moved)
        cell.hovered.connect(self._hovered)
        cell.clicked.connect(self._clicked)
        cell.box_drawn.connect(self._box_drawn)
        cell.box_dragged.connect(self._box_dragged)
        cell.box_selected.connect(self._box_selected)
        cell.box_collected.connect(self._box_collected)
        cell.truth_edited.connect(self._truth_edited)
        cell.truth_chosen.connect(self._truth_chosen)
        cell.points_edited.connect(self._points_edited)
        cell.mask_painted.connect(self._mask_painted)
        cell.brush_changed.connect(self._brush_changed)
        cell.status.connect(self.status)
        cell.wiped.connect(self._wiped)
        cell.set_share(self._share)
        for canvas in (cell.canvas, cell.reference):
            canvas.set_overlays_visible(self._overlays)
            canvas.set_brush(self._brush)
        return cell

    def _welcome(self, pane: Pane, cell: PaneCell) -> None:
        """A new canvas takes the zoom that its name, or its frame, had before."""
        size, view = self._past.get(pane.name, (None, None))
        if view is not None and size == pane.size:
            cell.set_viewpoint(view)
            return
        for other in self._linked(pane.name):
            if other.canvas.pane is not None and other.canvas.pane.size == pane.size:
                cell.set_viewpoint(other.canvas.viewpoint)
                return

    def _apply_reference(self) -> None:
        others = {pane.name: pane for pane in self._reference.panes} if self._reference else {}
        for name, cell in self._cells.items():
            cell.set_reference(others.get(name), self._compare, self._labels)

    # -- arrangement --------------------------------------------------------------------------

    def _keyboard(self) -> str:
        """The name of the pane whose canvas has the keyboard; "" when none has."""
        return next((name for name, cell in self._cells.items() if cell.canvas.hasFocus()), "")

    def _rearrange(self, keyboard: str = "") -> None:
        """Lays the panes out again where that is better; `keyboard` = who had it before."""
        keyboard = keyboard or self._keyboard()
        self._lay_out()
        if keyboard and self._names:
            name = keyboard if keyboard in self._cells else self._names[0]
            self._cells[name].canvas.setFocus()

    def _lay_out(self) -> None:
        panes = self._board.panes if self._board else ()
        sizes = []
        for pane in panes:
            twice = 2 if self._cells[pane.name].compare == "split" else 1
            sizes.append((max(pane.size[0], 1.0) * twice, max(pane.size[1], 1.0)))
        room = (max(self.width(), 1.0), max(self.height(), 1.0))
        rows = arranged(sizes, room, self._rows or None)
        high = heights(rows, sizes, room)
        there = rows == self._rows and self._root is not None
        if there and (self._dragged or alike(high, self._heights)):  # the user's heights stay
            return
        self._rows, self._heights, self._dragged = rows, high, False
        old, self._root = self._root, QSplitter(Qt.Orientation.Vertical)
        self._root.splitterMoved.connect(self._note_drag)
        self._root.setChildrenCollapsible(False)
        self._root.setHandleWidth(3)
        for row, height in zip(rows, high, strict=True):
            line = _Row(round(height))
            line.setChildrenCollapsible(False)
            line.setHandleWidth(3)
            for index in row:
                line.addWidget(self._cells[self._names[index]])
            line.setSizes([10_000] * len(row))
            self._root.addWidget(line)
        layout = self.layout()
        if layout is not None:
            layout.addWidget(self._root)
        if old is not None:
            discard(old)
        for name in self._names:
            self._cells[name].show()
        # Layouts show new children later; a board is on the screen when this returns.
        self._root.show()
        if layout is not None:
            layout.activate()

    def _note_drag(self) -> None:
        self._dragged = True

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._rearrange()

    def sizeHint(self) -> QSize:
        return QSize(900, 620)

    # -- all canvases -------------------------------------------------------------------------

    def _canvases(self) -> list[Canvas]:
        return [canvas for cell in self._cells.values() for canvas in (cell.canvas, cell.reference)]

    @property
    def dragging(self) -> bool:
        """Whether a box is in the hand of the user."""
        return any(canvas.dragging for canvas in self._canvases())

    def current(self) -> Canvas | None:
        """The canvas with the keyboard, else the first one."""
        for canvas in self._canvases():
            if canvas.hasFocus():
                return canvas
        return self._cells[self._names[0]].canvas if self._names else None

    def zoom_in(self) -> None:
        if canvas := self.current():
            canvas.zoom_in()

    def zoom_out(self) -> None:
        if canvas := self.current():
            canvas.zoom_out()

    def actual_size(self) -> None:
        if canvas := self.current():
            canvas.actual_size()

    def fit(self) -> None:
        """Fit every pane."""
        for cell in self._cells.values():
            cell.canvas.fit()

    def set_overlays_visible(self, visible: bool) -> None:
        self._overlays = visible
        for canvas in self._canvases():
            canvas.set_overlays_visible(visible)

    def set_mode(self, mode: Mode | None) -> None:
        """One mode for all canvases; None lets the possible picks decide."""
        self._mode = mode
        self._apply_picks()

    # -- picks --------------------------------------------------------------------------------

    def set_picks(
        self,
        picks: Sequence[PickSpec | tuple[Any, ...]],
        values: Mapping[str, object] | None = None,
    ) -> None:
        """What can be picked, and the present values (shown as a mark or an editable box)."""
        self._picks.set(picks, values)
        self._apply_picks()

    def set_pick_values(self, values: Mapping[str, object]) -> None:
        """The parameters' values, after the form or an undo has changed them."""
        self._picks.values.update(values)
        self._apply_picks()

    def _params(self, name: str, kind: Pick) -> list[str]:
        return self._picks.params(kind, self._cells[name].canvas.pane)

    def _apply_picks(self) -> None:
        for cell in self._cells.values():
            offer = self._picks.offer(cell.canvas.pane)
            for canvas in (cell.canvas, cell.reference):
                self._show_offer(canvas, offer)

    def _show_offer(self, canvas: Canvas, offer: PaneOffer) -> None:
        canvas.set_mode(self._mode or offer.mode)
        canvas.set_box(offer.box, offer.step)
        canvas.set_truth(offer.truth, alone=offer.truth_alone)
        canvas.set_marker(offer.marker)
        canvas.set_mask(offer.mask, wanted=offer.painted)
        if offer.several is None:
            canvas.set_points(None)
            return
        closed, most = offer.several.kind is Pick.POLYGON, offer.several.most
        canvas.set_points(offer.points, closed=closed, most=most, adding=offer.adding)

    def set_placing(self, param: str, wanted: bool) -> None:
        """The next clicks place the points of a parameter, or no longer. Silent."""
        if wanted:
            self._picks.placing = param
        elif param == self._picks.placing:
            self._picks.placing = ""
        self._apply_picks()

    def _clicked(self, name: str, point: object) -> None:
        canvas = self._cells[name].canvas
        for param in self._picks.clicked(canvas.pane):
            self._pick(param, point)
        if canvas.leads_on and canvas.pane is not None:
            self.link_followed.emit(canvas.pane.link)

    def _box_drawn(self, name: str, box: object) -> None:
        for param in self._params(name, Pick.DRAG):
            self._waiting.pop(param, None)
            self._pick(param, box)

    def _box_dragged(self, name: str, box: object) -> None:
        for param in self._params(name, Pick.DRAG):
            self._pick_soon(param, box)

    def _truth_edited(self, name: str, boxes: object, done: bool) -> None:
        for param in self._params(name, Pick.TRUTH):
            if done:
                self._waiting.pop(param, None)
                self._pick(param, boxes)
            else:
                self._pick_soon(param, boxes)

    def _points_edited(self, name: str, points: object, done: bool) -> None:
        spec = self._picks.several(self._cells[name].canvas.pane)
        if spec is None:
            return
        if done:
            self._waiting.pop(spec.param, None)
            if spec.param == self._picks.placing and len(points) == spec.most:  # type: ignore[arg-type]
                self.set_placing(spec.param, False)
                self.placing_ended.emit(spec.param)
            self._pick(spec.param, points)
        else:
            self._pick_soon(spec.param, points)

    def _mask_painted(self, name: str, mask: object, done: bool) -> None:
        for param in self._params(name, Pick.BRUSH)[:1]:
            self._waiting.pop(param, None)
            if done:
                self._pick(param, mask)
            else:
                self._picks.values[param] = mask
                self.picked.emit(param, mask)

    def set_brush(self, brush: Brush) -> None:
        """How the next stroke paints, in all panes. Silent."""
        self._brush = brush
        for canvas in self._canvases():
            canvas.set_brush(brush)

    def _brush_changed(self, brush: object) -> None:
        assert isinstance(brush, Brush)
        self.set_brush(brush)
        self.brush_changed.emit(brush)

    def _truth_chosen(self, name: str, index: object) -> None:
        self.choose_truth(index if isinstance(index, int) else None)
        self.truth_chosen.emit(index)

    def choose_truth(self, index: int | None) -> None:
        """Gives a ground-truth box its handles, in all panes; silent."""
        for canvas in self._canvases():
            canvas.choose_truth(index)

    def _hovered(self, name: str, point: object) -> None:
        at = point if isinstance(point, Point) else None
        for other in self._linked(name):
            for canvas in other.canvases:
                canvas.set_linked_cursor(at)
        for param in self._params(name, Pick.HOVER):
            self._pick_soon(param, at)

    def _pick(self, param: str, value: object) -> None:
        self._picks.values[param] = value
        self._apply_picks()
        self.picked.emit(param, value)

    def _pick_soon(self, param: str, value: object) -> None:
        """At most once a frame, the latest value."""
        self._waiting[param] = value
        if not self._tick.isActive():
            self._tick.start()

    def _flush(self) -> None:
        waiting, self._waiting = self._waiting, {}
        for param, value in waiting.items():
            self._picks.values[param] = value
            if isinstance(value, Box | tuple):
                self._apply_picks()
            self.picked.emit(param, value)

    # -- selection ----------------------------------------------------------------------------

    @property
    def selection(self) -> Selection | None:
        return self._selection

    def set_selection(self, selection: Selection | None) -> None:
        """Highlight a box in all panes; parameters picked by selection are set."""
        if selection == self._selection:
            return
        about = selection or self._selection
        layers = ("", about[0]) if about else ("",)
        self._selection = selection
        for cell in self._cells.values():
            cell.canvas.set_selected(selection)
        for spec in self._picks.specs:
            if spec.kind is Pick.SELECT and spec.layer in layers:
                self._pick(spec.param, None if selection is None else selection[1])

    def _box_selected(self, name: str, selection: object) -> None:
        chosen: Selection | None = selection if isinstance(selection, tuple) else None
        if chosen is None and self._selection is not None:
            pane = self._cells[name].canvas.pane
            if pane and all(layer.name != self._selection[0] for layer in pane.layers):
                return  # a click beside the boxes of one pane leaves another pane's choice alone
        if chosen != self._selection:
            self.set_selection(chosen)
            self.selection_changed.emit(chosen)

    def _box_collected(self, name: str, selection: Selection) -> None:
        """Adds the key to a parameter that collects, or takes it away; else it is selected."""
        layer, key = selection
        specs = [s for s in self._picks.specs if s.kind is Pick.COLLECT and s.layer == layer]
        for spec in specs:
            before, word = tuple(self._picks.values.get(spec.param) or ()), str(key)
            rest = tuple(each for each in before if each != word)
            if rest != before:
                self._pick(spec.param, rest)
            elif spec.most is None or len(before) < spec.most:
                self._pick(spec.param, (*before, word))
        if not specs:
            self._box_selected(name, selection)

    # -- linked panes -------------------------------------------------------------------------

    def _linked(self, name: str) -> list[PaneCell]:
        pane = self._cells[name].canvas.pane
        return [
            cell
            for other, cell in self._cells.items()
            if other != name and pane and cell.canvas.pane and cell.canvas.pane.frame == pane.frame
        ]

    def _moved(self, name: str, view: object) -> None:
        if isinstance(view, Viewpoint):
            for cell in self._linked(name):
                cell.set_viewpoint(view)

    def _wiped(self, share: float) -> None:
        self._share = share
        for cell in self._cells.values():
            if cell.share != share:
                cell.set_share(share)

    # -- state --------------------------------------------------------------------------------

    def view_state(self) -> dict[str, Any]:
        """Zoom and position per pane name, and the toggles, as plain values for a session file."""
        views: dict[str, Any] = {}
        for name, cell in self._cells.items():
            pane, view = cell.canvas.pane, cell.canvas.viewpoint
            if pane is not None:
                views[name] = [*pane.size, view.x, view.y, view.scale, view.fit]
        return {"views": views, "overlays": self._overlays, "wipe": self._share}

    def restore_view_state(self, state: object) -> None:
        """What `view_state` gave, before or after the board is set; anything else is ignored."""
        overlays, wipe, views = readable(state)
        if overlays is not None:
            self.set_overlays_visible(overlays)
        if wipe is not None:
            self._wiped(wipe)
        self._past.update(views)
        for name, cell in self._cells.items():
            if cell.canvas.pane is not None and name in views:
                self._welcome(cell.canvas.pane, cell)

    def grab_rgb(self) -> UInt8:
        """What is on the screen, (H, W, 3) uint8 in device pixels."""
        image = self.grab().toImage().convertToFormat(QImage.Format.Format_RGB888)
        rows = np.frombuffer(image.constBits(), np.uint8).reshape(
            image.height(), image.bytesPerLine()
        )
        return rows[:, : image.width() * 3].reshape(image.height(), image.width(), 3).copy()
