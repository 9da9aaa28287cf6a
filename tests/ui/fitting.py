"""What a machine can tell of looks: words that are wider or higher than where they stand."""

from __future__ import annotations

from PySide6.QtCore import QRect, Qt
from PySide6.QtWidgets import (
    QAbstractButton,
    QComboBox,
    QLabel,
    QScrollArea,
    QTabBar,
    QToolButton,
    QWidget,
)

from explorer.ui.panels.picker_button import PickerButton

SLACK = 2


def cut_words(root: QWidget) -> list[str]:
    """A line for each text in `root` that is cut; pickers elide theirs and have it as a tooltip."""
    found = []
    for widget in (root, *root.findChildren(QWidget)):
        if not widget.isVisible() or widget.width() < 2:
            continue
        for words, wanted, room, side in _needs(widget):
            if wanted > room + SLACK:
                found.append(f"{type(widget).__name__} {words!r}: {side} {wanted} in {room}")
    return found


def _needs(widget: QWidget) -> list[tuple[str, int, int, str]]:
    """Words, what they need and what they have, across or down."""
    metrics, room = widget.fontMetrics(), widget.contentsRect()
    if isinstance(widget, QScrollArea):
        inner = widget.widget()
        never = Qt.ScrollBarPolicy.ScrollBarAlwaysOff
        if inner is None or widget.horizontalScrollBarPolicy() is not never:
            return []
        least = inner.minimumSizeHint().width()
        return [("what is scrolled", least, widget.viewport().width(), "width")]
    if isinstance(widget, QLabel):
        words = widget.text()
        if not words or words.startswith("<"):
            return []
        if not widget.wordWrap():
            return [(words, metrics.horizontalAdvance(words), room.width(), "width")]
        page = QRect(0, 0, room.width(), 100_000)
        high = metrics.boundingRect(page, int(Qt.TextFlag.TextWordWrap), words).height()
        longest = max(metrics.horizontalAdvance(word) for word in words.replace("/", "/ ").split())
        return [
            (words, high, room.height(), "height"),
            (words, longest, room.width(), "width"),
        ]
    if isinstance(widget, QTabBar):
        return [
            (widget.tabText(tab), metrics.horizontalAdvance(widget.tabText(tab)),
             widget.tabRect(tab).width(), "width")
            for tab in range(widget.count())
        ]  # fmt: skip
    if isinstance(widget, QComboBox):
        return [(widget.currentText(), metrics.height(), widget.height(), "height")]
    if isinstance(widget, QAbstractButton) and not isinstance(widget, PickerButton):
        icon_alone = (
            isinstance(widget, QToolButton)
            and widget.toolButtonStyle() is Qt.ToolButtonStyle.ToolButtonIconOnly
            and not widget.icon().isNull()
        )
        words = widget.text().replace("&", "")
        if not words or icon_alone:
            return []
        icon = 0 if widget.icon().isNull() else widget.iconSize().width() + 4
        wide = metrics.horizontalAdvance(words) + icon
        return [
            (words, wide, widget.width(), "width"),
            (words, metrics.height(), widget.height(), "height"),
        ]
    return []
