"""The disk cache in the preferences: where it is, how large, and a button that empties it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtWidgets import QHBoxLayout, QPushButton, QVBoxLayout, QWidget

from explorer.core.runner import State
from explorer.core.step import Step
from explorer.core.storage.disk_cache import DiskCache
from explorer.ui.widgets.small_widgets import UNIT, Label

if TYPE_CHECKING:
    from collections.abc import Generator

    from explorer.core.runner import Update
    from explorer.ui.shell.bridge import Bridge

JOB = "disk-cache"


class CacheRow(QWidget):
    """Counts and clears on the thread that reads files: a large cache takes a while."""

    def __init__(self, bridge: Bridge) -> None:
        super().__init__()
        self._bridge = bridge
        self._cache = DiskCache()
        self.words = Label(quiet=True, factor=0.92)
        self.clear = QPushButton(self.tr("Clear"))
        self.clear.setAccessibleName(self.tr("Clear the disk cache"))
        self.clear.clicked.connect(self._clear)
        column = QVBoxLayout()
        column.setSpacing(0)
        column.addWidget(Label(self.tr("Disk cache")))
        column.addWidget(self.words)
        line = QHBoxLayout(self)
        line.setContentsMargins(0, 0, 0, 0)
        line.setSpacing(UNIT)
        line.addLayout(column, 1)
        line.addWidget(self.clear)
        self._count(self.tr("Counting…"))

    def _count(self, words: str, *, clear: bool = False) -> None:
        cache = self._cache

        def job() -> Generator[Step[int], object, None]:
            if clear:
                cache.clear()
            yield Step(cache.size())

        self._show(words)
        self.clear.setEnabled(False)
        self._bridge.fetch(JOB, lambda _: job(), self._counted)

    def _clear(self) -> None:
        self._count(self.tr("Clearing…"), clear=True)

    def _counted(self, update: Update) -> None:
        if update.state is not State.DONE:
            return
        words = self.tr("{size} of at most {most}").format(
            size=in_words(update.value), most=in_words(self._cache.most)
        )
        self._show(words)
        self.clear.setEnabled(update.value > 0)

    def _show(self, words: str) -> None:
        self.words.setText(f"{words} · {self._cache.folder}")


def in_words(size: int) -> str:
    """As in: 0 MB, 0.4 MB, 12 MB, 3.2 GB."""
    if size >= 1e9:
        return f"{size / 1e9:.1f} GB"
    return f"{size / 1e6:.0f} MB" if size >= 1e7 or not size else f"{max(size / 1e6, 0.1):.1f} MB"
