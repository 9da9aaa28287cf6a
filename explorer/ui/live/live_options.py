"""Input size and precision of the network for frames: the menu of a live source."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from PySide6.QtGui import QActionGroup
from PySide6.QtWidgets import QMenu

from explorer.live.pace import Pace

if TYPE_CHECKING:
    from PySide6.QtWidgets import QWidget

    from explorer.ui.study.study import Study

SHARES = (0.7, 0.5, 0.33)
RATES = (10.0, 15.0, 25.0)


class LiveOptions(QMenu):
    """Network's own input size, a part of it, or whatever holds a rate; full or half precision."""

    def __init__(self, study: Study, parent: QWidget) -> None:
        super().__init__(parent)
        self.setTitle(self.tr("Input size and precision"))
        self._study = study
        self._group = QActionGroup(self)
        self._add(self.tr("Network's own input size"), Pace())
        self.addSeparator()
        for share in SHARES:
            self._add(
                self.tr("{share:.0%} of its input size").format(share=share), Pace(share=share)
            )
        self.addSeparator()
        for rate in RATES:
            words = self.tr("Adaptive, for {rate:.0f} frames per second").format(rate=rate)
            self._add(words, Pace(rate=rate))
        self.addSeparator()
        self._half = self.addAction(self.tr("Half precision"))
        self._half.setCheckable(True)
        self._half.triggered.connect(self._half_chosen)
        self._group.triggered.connect(self._pace_chosen)
        self.aboutToShow.connect(self._mark)
        self._mark()

    def _add(self, title: str, pace: Pace) -> None:
        action = self.addAction(title)
        action.setCheckable(True)
        action.setData(pace)
        self._group.addAction(action)

    def _mark(self) -> None:
        for action in self._group.actions():
            action.setChecked(action.data() == self._study.pace)
        self._half.setChecked(self._study.half)

    def _pace_chosen(self, action: Any) -> None:
        self._study.set_pace(action.data())

    def _half_chosen(self, half: bool) -> None:
        self._study.set_device(self._study.device, half, self._study.seed)
