"""The filmstrip: the user's photos and the samples; thumbnails are made when visible."""

from __future__ import annotations

from os import PathLike, fspath
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import (
    QModelIndex,
    QObject,
    QPersistentModelIndex,
    QPoint,
    QRect,
    QSize,
    QStringListModel,
    Qt,
    QUrl,
    Signal,
)
from PySide6.QtGui import QDesktopServices, QGuiApplication, QKeyEvent, QResizeEvent
from PySide6.QtWidgets import (
    QButtonGroup,
    QFrame,
    QHBoxLayout,
    QListView,
    QMenu,
    QStackedLayout,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from explorer.ui.photos.thumbnails import Thumbnails
from explorer.ui.photos.tiles import ErrorRole, ItemRole, PixmapRole, TileDelegate
from explorer.ui.widgets.small_widgets import UNIT, Label

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

Index = QModelIndex | QPersistentModelIndex


def key_of(item: object) -> str:
    """What tells one item from another: the path, or the sample's name."""
    if isinstance(item, str | PathLike):
        return fspath(item)
    return f"sample:{getattr(item, 'name', item)}"


def name_of(sample: object) -> str:
    """What an `ImageRef` calls a sample."""
    return str(getattr(sample, "name", sample))


def title_of(item: object) -> str:
    if isinstance(item, str | PathLike):
        return Path(item).name.encode(errors="replace").decode(errors="replace")
    return str(getattr(item, "title", "") or getattr(item, "name", item))


class StripModel(QStringListModel):
    """Items in order, without doubles; thumbnails are asked for when a row is painted.

    The string list only counts the rows (its strings stay empty): a view asks for their number once
    per row, which takes 0.4 s for 100 000 in Python and 0.02 s in Qt.
    """

    def __init__(self, thumbnails: Thumbnails, parent: QObject) -> None:
        super().__init__(parent)
        self.items: list[object] = []
        self._rows: dict[str, int] = {}
        self._thumbnails = thumbnails
        thumbnails.ready.connect(self._ready)

    def set_items(self, items: Iterable[object]) -> None:
        unique = {key_of(item): item for item in items}
        self.items = list(unique.values())
        self._rows = {key: row for row, key in enumerate(unique)}
        self.setStringList([""] * len(unique))

    def add(self, items: Iterable[object]) -> int:
        """Appends what is new; the row of the first of `items`, or -1 when there is none."""
        asked = {key_of(item): item for item in items}
        fresh = {key: item for key, item in asked.items() if key not in self._rows}
        if fresh:
            start = len(self.items)
            self.items.extend(fresh.values())
            self._rows.update({key: start + n for n, key in enumerate(fresh)})
            self.insertRows(start, len(fresh))
        return next((self._rows[key] for key in asked), -1)

    def remove(self, row: int) -> None:
        self.removeRows(row, 1)  # the view still looks at the old rows while it moves on
        del self.items[row]
        self._rows = {key_of(item): n for n, item in enumerate(self.items)}

    def row_of(self, item: object) -> int:
        return self._rows.get(key_of(item), -1)

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if not index.isValid() or index.row() >= len(self.items):
            return None
        item = self.items[index.row()]
        if role in (Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.AccessibleTextRole):
            return title_of(item)
        if role == ItemRole:
            return item
        if role == PixmapRole:
            thumb = self._thumbnails.get(key_of(item), item)
            return thumb.pixmap if thumb is not None else None
        if role in (ErrorRole, Qt.ItemDataRole.ToolTipRole):
            thumb = self._thumbnails.peek(key_of(item))
            error = thumb.error if thumb is not None else ""
            if role == ErrorRole:
                return error
            place = fspath(item) if isinstance(item, str | PathLike) else title_of(item)
            return "\n".join(part for part in (place, error) if part)
        return None

    def flags(self, index: Index) -> Qt.ItemFlag:
        return Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsSelectable

    def _ready(self, key: object) -> None:
        row = self._rows.get(str(key))
        if row is not None:
            index = self.index(row)
            self.dataChanged.emit(index, index)


class StripView(QListView):
    """A row or a column of tiles, whichever the space suggests."""

    def __init__(self) -> None:
        super().__init__()
        self.setUniformItemSizes(True)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setItemDelegate(TileDelegate(self))
        self.setSpacing(0)
        self.setMovement(QListView.Movement.Static)
        self.setSelectionMode(QListView.SelectionMode.SingleSelection)
        self.setVerticalScrollMode(QListView.ScrollMode.ScrollPerPixel)
        self.setHorizontalScrollMode(QListView.ScrollMode.ScrollPerPixel)
        self.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        self.setMouseTracking(True)

    def keyboardSearch(self, search: str) -> None:
        """Letters are the window's shortcuts here; a search would walk through every name."""

    def set_across(self, across: bool) -> None:
        flow = QListView.Flow.LeftToRight if across else QListView.Flow.TopToBottom
        if flow != self.flow():
            self.setFlow(flow)
            self.scrollTo(self.currentIndex())

    def resizeEvent(self, event: QResizeEvent) -> None:
        """The current photo stays whole, unless the user has scrolled away from it."""
        current = self.visualRect(self.currentIndex())
        seen = QRect(QPoint(), event.oldSize()).contains(current)
        super().resizeEvent(event)
        if seen:
            self.scrollTo(self.currentIndex())


class Filmstrip(QWidget):
    """Two sources, the user's photos and the gallery; one current item.

    Signals:
        current_changed: The item (a path or a sample) that the user or the program chose; None when
            the last one is gone.
        removed: An item that the user took off the strip.
    """

    current_changed = Signal(object)
    removed = Signal(object)

    def __init__(self, thumbnails: Thumbnails | None = None) -> None:
        super().__init__()
        self.thumbnails = thumbnails or Thumbnails(self)
        self.photos = StripModel(self.thumbnails, self)
        self.samples = StripModel(self.thumbnails, self)
        self._current: object = None
        self._views = (StripView(), StripView())
        for view, model in zip(self._views, (self.photos, self.samples), strict=True):
            view.setModel(model)
            view.selectionModel().currentChanged.connect(self._moved)
            view.customContextMenuRequested.connect(self._menu)
        self._views[0].setAccessibleName(self.tr("Photos"))
        self._views[1].setAccessibleName(self.tr("Samples"))
        self.empty = Label(self.tr("Opened photos appear here."), quiet=True)
        self.empty.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.empty.setContentsMargins(UNIT * 2, UNIT, UNIT * 2, UNIT)
        self._tabs = QButtonGroup(self)
        tabs = QHBoxLayout()
        tabs.setContentsMargins(UNIT, UNIT // 2, UNIT, UNIT // 2)
        tabs.setSpacing(UNIT // 2)
        for number, words in enumerate((self.tr("Photos"), self.tr("Samples"))):
            button = QToolButton()
            button.setText(words)
            button.setCheckable(True)
            button.setAutoRaise(True)
            button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
            self._tabs.addButton(button, number)
            tabs.addWidget(button)
        tabs.addStretch(1)
        self._tabs.button(0).setChecked(True)
        self._tabs.idClicked.connect(self._show_source)
        self._count = Label(quiet=True, factor=0.92)
        self._count.hug()
        tabs.addWidget(self._count)
        self._stack = QStackedLayout()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addLayout(tabs)
        layout.addLayout(self._stack, 1)
        for page in (*self._views, self.empty):  # it shows the first one: as a part of this widget
            self._stack.addWidget(page)
        self.setMinimumHeight(112)  # as narrow as its two tabs allow
        self._show_source(0)

    # -- what the window calls --------------------------------------------------------------------

    @property
    def current(self) -> object:
        """The current item, or None."""
        return self._current

    @property
    def items(self) -> tuple[object, ...]:
        """The user's photos, in order."""
        return tuple(self.photos.items)

    def add(self, items: Sequence[object], *, select: bool = True) -> None:
        """Appends photos (those that are there stay where they are); selects the first of them."""
        row = self.photos.add(items)
        self._show_source(0)
        if select and row >= 0:
            self.select(row)

    def set_items(self, items: Sequence[object]) -> None:
        """Replaces the photos (a session); nothing is selected."""
        self._current = None
        self.photos.set_items(items)
        self._show_source(0)

    def set_samples(self, samples: Sequence[object]) -> None:
        """The gallery, shown under its own tab."""
        self.samples.set_items(samples)
        self._show_source(self._tabs.checkedId())

    def select(self, index: int) -> None:
        """Makes a row of the visible source current; a row out of range does nothing."""
        view = self.view
        view.setCurrentIndex(view.model().index(index, 0))

    def select_item(self, item: object) -> bool:
        """Makes `item` current wherever it is; False when it is on neither strip."""
        for number, model in enumerate((self.photos, self.samples)):
            row = model.row_of(item)
            if row >= 0:
                self._show_source(number)
                self.select(row)
                return True
        return False

    def deselect(self) -> None:
        """No item is current, without a signal: something else than a photo is shown."""
        self._current = None
        for view in self._views:
            view.setCurrentIndex(QModelIndex())

    def next(self) -> None:
        self._go(1)

    def previous(self) -> None:
        self._go(-1)

    def remove_current(self) -> None:
        """Takes the current photo off the strip; the file stays. Its neighbor becomes current."""
        index = self.view.currentIndex()
        if self.view is not self._views[0] or not index.isValid():
            return
        item = self.photos.items[index.row()]
        self.photos.remove(index.row())
        self.thumbnails.forget(key_of(item))
        self.removed.emit(item)
        self._show_source(0)
        if not self.photos.items:
            self._set_current(None)

    def clear(self) -> None:
        """Takes every photo off the strip."""
        self.photos.set_items(())
        self._show_source(0)
        self._set_current(None)

    def close_worker(self) -> None:
        """Joins the thumbnail thread; to be called before the window goes."""
        self.thumbnails.close()

    # -- inside -----------------------------------------------------------------------------------

    @property
    def view(self) -> StripView:
        """The visible source."""
        return self._views[max(0, self._tabs.checkedId())]

    def _show_source(self, number: int) -> None:
        self._tabs.button(number).setChecked(True)
        model = self._views[number].model()
        count = model.rowCount()
        empty = number == 0 and count == 0
        self._stack.setCurrentWidget(self.empty if empty else self._views[number])
        words = f"{count:,}".replace(",", "\N{NARROW NO-BREAK SPACE}") if count else ""
        self._count.setText(words)
        self._tabs.button(number).setToolTip(words)

    def _go(self, steps: int) -> None:
        view = self.view
        row = view.currentIndex().row() + steps
        if 0 <= row < view.model().rowCount():
            self.select(row)

    def _moved(self, index: QModelIndex, _before: QModelIndex) -> None:
        if index.isValid():
            self._set_current(index.data(ItemRole))

    def _set_current(self, item: object) -> None:
        if item is self._current:
            return
        self._current = item
        self.current_changed.emit(item)

    def _menu(self, place: QPoint) -> None:
        index = self.view.indexAt(place)
        if not index.isValid():
            return
        self.select(index.row())
        item = index.data(ItemRole)
        menu = QMenu(self)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        if isinstance(item, str | PathLike):
            menu.addAction(self.tr("Show in folder"), self._show_in_folder)
            menu.addAction(self.tr("Copy path"), self._copy_path)
        if self.view is self._views[0]:
            menu.addSeparator()
            menu.addAction(self.tr("Remove from the list"), self.remove_current)
            menu.addAction(self.tr("Remove all"), self.clear)
        if menu.isEmpty():
            menu.deleteLater()
            return
        menu.popup(self.view.viewport().mapToGlobal(place))

    def _show_in_folder(self) -> None:
        if isinstance(self._current, str | PathLike):
            folder = Path(self._current).absolute().parent
            QDesktopServices.openUrl(QUrl.fromLocalFile(str(folder)))

    def _copy_path(self) -> None:
        if isinstance(self._current, str | PathLike):
            QGuiApplication.clipboard().setText(str(Path(self._current).absolute()))

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Delete:
            self.remove_current()
        else:
            super().keyPressEvent(event)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        across = self.width() > self.height() * 1.2
        for view in self._views:
            view.set_across(across)
        self._count.setVisible(across)  # a narrow column has no room for it: the tab's tooltip has

    def sizeHint(self) -> QSize:
        return QSize(max(144, self.minimumSizeHint().width()), 400)
