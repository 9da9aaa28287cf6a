"""What the page is about: an item of the strip, a source of frames, or nothing yet."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QObject
from PySide6.QtWidgets import QApplication

if TYPE_CHECKING:
    from explorer.ui.live.live import Live
    from explorer.ui.panels.page import Page
    from explorer.ui.photos.intake import Intake
    from explorer.ui.shell.desk import Panels
    from explorer.ui.shell.restore import Restore


class CurrentItem(QObject):
    """Shows the page and the docks for it, and clears them when it goes.

    A source of frames takes the place of the photo, which comes back when the source is left.
    """

    def __init__(
        self, panels: Panels, page: Page, restore: Restore, intake: Intake, live: Live
    ) -> None:
        super().__init__(panels.main)
        self._panels, self._page, self._restore = panels, page, restore
        self._intake, self._live = intake, live
        self._item: object = None
        self._before_live: object = None
        live.photo_again = self._photo_again
        panels.study.subject_changed.connect(self.show_page)
        panels.strip.current_changed.connect(self.choose)
        live.followed.connect(self._followed)
        live.previewed.connect(self._previewed)
        live.gave_up.connect(self._nothing_chosen)

    def show_page(self) -> None:
        """The docks come with the first item; the welcome page goes with the first photo of one.

        A view that needs no photo has its page at once.
        """
        panels = self._panels
        looking = panels.study.image is not None or panels.board.board is not None
        alone = not panels.study.wants_photo
        self._restore.show_docks(self._item is not None or alone)
        shown = alone or (self._item is not None and looking)
        if not shown:
            panels.status.time.setText("")
            panels.docks["results"].hide()  # it comes with something to list
        self._page.show_board(shown)

    def choose(self, item: object) -> None:
        """An item of the strip is the one from now on; None = no longer any."""
        self._live.stop_for_photo()
        self._panels.inspector.settle()
        if item is None:
            self._nothing_chosen()
        else:
            self._item = item
            self.show_page()

    def clear(self) -> None:
        """It cannot be shown: nor is what was there before."""
        self._panels.study.clear()
        self._panels.board.set_board(None)
        self._panels.results.set_board(None)
        self.show_page()

    def _nothing_chosen(self) -> None:
        self._item = None
        self.clear()
        self._panels.status.time.setText("")

    def _followed(self, on: bool) -> None:
        if on:
            self._before_live = self._panels.strip.current or self._before_live
            self._item = self._live
            self._panels.strip.deselect()
            self._intake.choose(None)

    def _photo_again(self) -> bool:
        return self._before_live is not None and self._panels.strip.select_item(self._before_live)

    def _previewed(self) -> None:
        focus = QApplication.focusWidget()
        if focus is not None and self._live.bar.isAncestorOf(focus):
            # Qt has put it on a button when the first page went: Space would press that.
            self._panels.board.setFocus()
