"""Choosing words: combo boxes, with a searchable pop-up for long lists, trees and subsets."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QRect, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QIcon, QKeyEvent, QPainter, QPaintEvent, QPalette, QPen, QWheelEvent
from PySide6.QtWidgets import QComboBox, QSizePolicy

from explorer.ui.form.choice_popup import ChoicePopup, Row, flat_rows, tree_rows
from explorer.ui.widgets.theme import icon

if TYPE_CHECKING:
    from collections.abc import Mapping

COMBO_FRAME = 38
"""Pixels of a combo box beside its words."""
LONG = 12
"""More choices than this get the pop-up with a search field."""


class Combo(QComboBox):
    """A combo box that shrinks, leaves the wheel to the page, and shows a path's end first."""

    def __init__(self) -> None:
        super().__init__()
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.setMinimumContentsLength(6)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)

    def wheelEvent(self, event: QWheelEvent) -> None:
        if self.hasFocus():
            super().wheelEvent(event)
        else:
            event.ignore()

    def shown_text(self) -> str:
        return self.currentText() if self.currentIndex() >= 0 else self.placeholderText()

    def sizeHint(self) -> QSize:
        return QSize(super().sizeHint().width(), self.fontMetrics().height() + 13)

    def paintEvent(self, event: QPaintEvent) -> None:
        palette = self.palette()
        group = QPalette.ColorGroup.Normal if self.isEnabled() else QPalette.ColorGroup.Disabled
        edge = QPalette.ColorRole.Highlight if self.hasFocus() else QPalette.ColorRole.Mid
        over = self.underMouse() and self.isEnabled()
        fill = QPalette.ColorRole.Midlight if over else QPalette.ColorRole.Button
        words = self.rect().adjusted(9, 0, -26, 0)
        text = self.fontMetrics().elidedText(
            self.shown_text(), Qt.TextElideMode.ElideLeft, words.width()
        )
        with QPainter(self) as painter:
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            painter.setPen(QPen(palette.color(edge), 1))
            painter.setBrush(palette.color(fill))
            painter.drawRoundedRect(QRectF(self.rect()).adjusted(0.5, 0.5, -0.5, -0.5), 6, 6)
            empty = not self.currentText() and bool(self.placeholderText())
            role = QPalette.ColorRole.PlaceholderText if empty else QPalette.ColorRole.ButtonText
            painter.setPen(palette.color(group, role))
            painter.drawText(words, int(Qt.AlignmentFlag.AlignVCenter), text)
            mode = QIcon.Mode.Normal if self.isEnabled() else QIcon.Mode.Disabled
            place = QRect(self.width() - 23, (self.height() - 16) // 2, 16, 16)
            icon("chevron-down").paint(painter, place, Qt.AlignmentFlag.AlignCenter, mode)


class ChoiceBox(Combo):
    """One word of `words`; long lists and layer trees open with a search field.

    Signals:
        picked: The word, when the user chose another one.
    """

    picked = Signal(object)

    def __init__(self) -> None:
        super().__init__()
        self._words: tuple[str, ...] = ()
        self._rows: tuple[Row, ...] = ()
        self._popup: ChoicePopup | None = None
        self.currentIndexChanged.connect(self._changed)

    def set_words(self, words: tuple[str, ...], kinds: Mapping[str, str]) -> None:
        """`kinds` names the module class of every layer; a list of layers is shown as a tree."""
        self._words = words
        layers = bool(words) and all(word in kinds for word in words)
        self._rows = (
            tree_rows(words, kinds) if layers else flat_rows(words) if len(words) > LONG else ()
        )
        blocked = self.blockSignals(True)
        current = self.currentText()
        self.clear()
        self.addItems(list(words))
        self.setCurrentIndex(words.index(current) if current in words else -1)
        self.blockSignals(blocked)
        self.setEnabled(bool(words))

    def show_word(self, word: str) -> None:
        if word == "" and self._words:
            word = self._words[0]
        blocked = self.blockSignals(True)
        self.setCurrentIndex(self._words.index(word) if word in self._words else -1)
        self.blockSignals(blocked)
        self.setToolTip(word)

    def showPopup(self) -> None:
        if not self._rows:
            super().showPopup()
            return
        if self._popup is None:
            self._popup = ChoicePopup(self, several=False)
            self._popup.chosen.connect(self._take)
        self._popup.model.set_rows(self._rows)
        self._popup.open_below(self, self.currentText())

    def _take(self, word: str) -> None:
        self.setCurrentIndex(self._words.index(word))

    def _changed(self, row: int) -> None:
        if 0 <= row < len(self._words):
            self.setToolTip(self._words[row])
            self.picked.emit(self._words[row])


class SubsetBox(Combo):
    """Any subset of words, in their order; the empty one means all.

    Signals:
        picked: The tuple of words.
    """

    picked = Signal(object)

    def __init__(self) -> None:
        super().__init__()
        self._words: tuple[str, ...] = ()
        self._chosen: tuple[str, ...] = ()
        self._rows: tuple[Row, ...] = ()
        self._popup: ChoicePopup | None = None

    @property
    def chosen(self) -> tuple[str, ...]:
        """The words that are ticked."""
        return self._chosen

    def set_words(self, words: tuple[str, ...], kinds: Mapping[str, str]) -> None:
        self._words = words
        layers = bool(words) and all(word in kinds for word in words)
        self._rows = tree_rows(words, kinds) if layers else flat_rows(words)
        self.setEnabled(bool(words))
        self.update()

    def show_words(self, chosen: tuple[str, ...]) -> None:
        self._chosen = chosen
        self.setToolTip(", ".join(chosen[:40]))
        self.update()

    def shown_text(self) -> str:
        if not self._chosen:
            return self.tr("all {count}").format(count=len(self._words)) if self._words else "—"
        if len(self._chosen) == 1:
            return self._chosen[0]
        return self.tr("{chosen} of {count}").format(
            chosen=len(self._chosen), count=len(self._words)
        )

    def showPopup(self) -> None:
        if self._popup is None:
            self._popup = ChoicePopup(self, several=True)
            self._popup.ticked.connect(self._take)
        self._popup.model.set_rows(self._rows)
        self._popup.model.words = frozenset(self._chosen)
        self._popup.open_below(self, self._chosen[0] if self._chosen else "")

    def keyPressEvent(self, event: QKeyEvent) -> None:
        opening = (Qt.Key.Key_Space, Qt.Key.Key_Return, Qt.Key.Key_Down, Qt.Key.Key_F4)
        if event.key() in opening and self.isEnabled():
            self.showPopup()
            return
        event.ignore()

    def wheelEvent(self, event: QWheelEvent) -> None:
        event.ignore()

    def _take(self, words: frozenset[str]) -> None:
        self.show_words(tuple(word for word in self._words if word in words))
        self.picked.emit(self._chosen)
