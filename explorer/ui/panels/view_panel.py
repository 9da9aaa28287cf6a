"""The list of views in the pop-up of their picker."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QVBoxLayout, QWidget

from explorer.ui.panels.cards import CardList, CardRow, unavailable_cards

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from explorer.core.unavailable import Unavailable
    from explorer.engine.view import View


class ViewPanel(QWidget):
    """All views by group, those that were used last above them, with a search field.

    Signals:
        chosen: A view's name.
    """

    chosen = Signal(str)

    def __init__(self) -> None:
        super().__init__()
        self._views: tuple[View[Any, Any], ...] = ()
        self._unavailable: tuple[Unavailable, ...] = ()
        self._companions: dict[str, str] = {}
        self._recent: tuple[str, ...] = ()
        self.cards = CardList(self.tr("Search the views"))
        self.cards.activated.connect(self.chosen)
        self.cards.entered.connect(self.chosen)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.cards)
        self.setFocusProxy(self.cards)

    def set_views(
        self, views: Sequence[View[Any, Any]], unavailable: Sequence[Unavailable] = ()
    ) -> None:
        """The views, and those that could not be loaded, which are shown with the reason."""
        self._views = tuple(views)
        self._unavailable = tuple(unavailable)
        self._fill()

    def set_companions(self, companions: Mapping[str, str]) -> None:
        """By view: the title of the network that it would choose, shown on its card."""
        if companions != self._companions:
            self._companions = dict(companions)
            self._fill()

    def set_recent(self, names: Sequence[str]) -> None:
        """The views that were used last, the newest first."""
        if tuple(names) != self._recent:
            self._recent = tuple(names)
            self._fill()

    def set_current(self, name: str) -> None:
        self.cards.set_current(name)

    def _fill(self) -> None:
        cards = {view.name: self._card(view) for view in self._views}
        group = self.tr("Recent")
        recent = [replace(cards[name], group=group) for name in self._recent if name in cards]
        dead = unavailable_cards(self, self._unavailable)
        self.cards.set_cards((*cards.values(), *dead), above=tuple(recent))

    def _card(self, view: View[Any, Any]) -> CardRow:
        network = self._companions.get(view.name, "")
        return CardRow(
            view.name,
            view.group.title,
            view.title,
            view.summary,
            reason=self.tr("with {network}").format(network=network) if network else "",
            words=view.reference,
        )
