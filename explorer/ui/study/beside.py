"""The menu of views of the same photo beside the main one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from PySide6.QtWidgets import QMenu

if TYPE_CHECKING:
    from PySide6.QtWidgets import QWidget

    from explorer.ui.study.study import Study


class BesideMenu(QMenu):
    """Lists the views that suit the network, each time it is opened; those shown have a tick."""

    def __init__(self, study: Study, parent: QWidget) -> None:
        super().__init__(parent)
        self.setTitle(self.tr("Show beside"))
        self._study = study
        self.aboutToShow.connect(self._fill)
        self._fill()

    def _fill(self) -> None:
        self.clear()
        offered = self._study.offered()
        for view in offered:
            action = self.addAction(view.title)
            action.setCheckable(True)
            action.setChecked(view.name in self._study.beside)
            action.setData(view.name)
            action.setToolTip(view.summary)
            action.triggered.connect(self._chosen)
        if not offered:
            self.addAction(self.tr("No other view suits this network")).setEnabled(False)
        elif self._study.beside:
            self.addSeparator()
            self.addAction(self.tr("Main view only")).triggered.connect(self._none)

    def _chosen(self, shown: bool) -> None:
        action: Any = self.sender()
        self._study.set_beside(action.data(), shown)

    def _none(self) -> None:
        for name in self._study.beside:
            self._study.set_beside(name, False)
