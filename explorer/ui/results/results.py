"""The bottom area: the answer in one line, and a tab per table and per plot of the board."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtWidgets import QLabel, QStackedLayout, QTabWidget, QVBoxLayout, QWidget

from explorer.core.layers import Board, Plot, Table
from explorer.ui.items.item_images import assert_gui_thread
from explorer.ui.results.plots import BarsPlot, CurvesPlot
from explorer.ui.results.table import TableWidget
from explorer.ui.widgets.lifetime import discard
from explorer.ui.widgets.small_widgets import UNIT, Label

if TYPE_CHECKING:
    from PySide6.QtGui import QResizeEvent

    from explorer.ui.board.pane_view import Selection

Tab = TableWidget | CurvesPlot | BarsPlot


class Results(QWidget):
    """Shows the tables and plots of a board; a live update of a tab only changes its numbers.

    Signals:
        selection_changed: The `Selection` of the row that the user has gone to, or None.
        photo_wanted: The file that a row of a table is about, the view to show it with, and values
            of that view's parameters.
        steered: The parameter that a plot's marker writes, and where the user has dragged it.
    """

    selection_changed = Signal(object)
    photo_wanted = Signal(str, str, object)
    steered = Signal(str, float)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._tabs = QTabWidget(self)
        self._tabs.setDocumentMode(True)
        self._tabs.setUsesScrollButtons(True)
        self._tabs.tabBar().setAccessibleName(self.tr("Tables and plots"))
        self._empty = QLabel(self)
        self._empty.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._empty.setEnabled(False)
        self._known: dict[tuple[str, str], Tab] = {}
        self._wanted = ""
        self._summary = Label(bold=True)
        self._summary.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self._summary.setContentsMargins(12, 8, 12, 4)
        self._summary.hide()
        self._stack = QStackedLayout()
        self._stack.addWidget(self._empty)
        self._stack.addWidget(self._tabs)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self._summary)
        column.addLayout(self._stack, 1)
        self._selection: Selection | None = None
        self._setting = False
        self._tabs.currentChanged.connect(self._tab_chosen)
        self._tabs.tabBarClicked.connect(self._tab_chosen)  # also on the one that is in front

    @property
    def tabs(self) -> QTabWidget:
        return self._tabs

    @property
    def summary(self) -> str:
        """The answer in one line, as it stands above the tabs."""
        return self._summary.text()

    def minimumSizeHint(self) -> QSize:
        """Room for the whole answer, the tabs, and two lines of a table or a low plot."""
        line = self.fontMetrics().height()
        words = self._summary.heightForWidth(max(self.width(), 1)) if self.summary else 0
        return QSize(210, words + self._tabs.tabBar().sizeHint().height() + 4 * line + 2 * UNIT)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        if event.size().width() != event.oldSize().width():
            self.updateGeometry()

    def set_board(self, board: Board | None) -> None:
        """Show the board's summary, then its plots and tables, in their order, plots first."""
        assert_gui_thread()
        self._summary.setText(board.summary if board is not None else "")
        self._summary.setVisible(bool(self.summary))
        self._setting = True
        parts: list[Plot | Table] = [*board.plots, *board.tables] if board is not None else []
        wanted = {self._kind(part): part for part in parts}
        for key in [key for key in self._known if key not in wanted]:
            gone = self._known.pop(key)
            self._tabs.removeTab(self._tabs.indexOf(gone))
            discard(gone)
        for place, (key, part) in enumerate(wanted.items()):
            tab = self._known.get(key)
            if tab is None:
                tab = self._known[key] = self._new(part)
                self._tabs.insertTab(place, tab, "")
            elif (before := self._tabs.indexOf(tab)) != place:
                self._tabs.tabBar().moveTab(before, place)  # another view has them in this order
            words = part.title or part.name
            if isinstance(part, Table):
                words = f"{words} ({len(part.rows)})"
            if self._tabs.tabText(place) != words:
                self._tabs.setTabText(place, words)
            if isinstance(tab, TableWidget) and isinstance(part, Table):
                if tab.table_model().table is not part:
                    tab.set_table(part)
                    self._point_at(tab)
            elif isinstance(part, Plot) and not isinstance(tab, TableWidget):
                tab.set_plot(part)
        named = (tab for (_, name), tab in self._known.items() if name == self._wanted)
        chosen = next(named, self._tabs.widget(0))  # the plot that comes is what it is about
        if chosen is not None:
            self._tabs.setCurrentWidget(chosen)
        self._setting = False
        # Before the first answer there is nothing to say.
        words = self.tr("This view has no tables or plots.") if board is not None else ""
        self._empty.setText(words)
        self._stack.setCurrentWidget(self._tabs if wanted else self._empty)

    def set_selection(self, selection: Selection | None) -> None:
        """Go to the row of a box; silent."""
        if selection != self._selection:
            self._selection = selection
            self._show_selection()

    def tab(self, name: str) -> Tab:
        """The widget of the table or plot called `name`.

        Raises:
            KeyError: When the board has none.
        """
        for (_, known), tab in self._known.items():
            if known == name:
                return tab
        raise KeyError(name)

    def _show_selection(self) -> None:
        for tab in self._known.values():
            if isinstance(tab, TableWidget):
                self._point_at(tab)

    def _point_at(self, tab: TableWidget) -> None:
        chosen = self._selection
        ours = chosen is not None and tab.layer == chosen[0]
        tab.set_key(chosen[1] if ours and chosen is not None else None)

    @staticmethod
    def _kind(part: Plot | Table) -> tuple[str, str]:
        if isinstance(part, Table):
            return "table", part.name
        return ("bars" if part.bars and not part.curves else "curves"), part.name

    def _new(self, part: Plot | Table) -> Tab:
        if isinstance(part, Table):
            table = TableWidget(self._tabs)
            table.key_chosen.connect(self._key_chosen)
            table.photo_wanted.connect(self.photo_wanted)
            return table
        if self._kind(part)[0] == "bars":
            return BarsPlot(self._tabs)
        curves = CurvesPlot(self._tabs)
        curves.steered.connect(self._steered)
        return curves

    def _steered(self, x: float) -> None:
        plot = self.sender()
        if isinstance(plot, CurvesPlot) and plot.shown is not None and plot.shown.steers:
            self.steered.emit(plot.shown.steers, x)

    def _tab_chosen(self, place: int) -> None:
        if self._setting:  # it is us
            return
        for (_, name), tab in self._known.items():
            if tab is self._tabs.widget(place):
                self._wanted = name

    def _key_chosen(self, key: object) -> None:
        tab = self.sender()
        if not isinstance(tab, TableWidget) or not tab.layer:
            return
        self._selection = (tab.layer, key) if isinstance(key, int) else None
        self.selection_changed.emit(self._selection)
