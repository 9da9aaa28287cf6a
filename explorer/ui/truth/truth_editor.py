"""The form's editor of the photo's ground truth: which boxes there are and what they are called."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, QStringListModel, Qt, Signal
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QCompleter, QHBoxLayout, QLineEdit, QVBoxLayout, QWidget

from explorer.ui.board.readout import number
from explorer.ui.form.choices import Combo
from explorer.ui.form.editor import Editor
from explorer.ui.widgets.button_row import ButtonRow, TextButton
from explorer.ui.widgets.field import Field
from explorer.ui.widgets.small_widgets import UNIT, IconButton, Label, Switch
from explorer.ui.widgets.theme import icon

if TYPE_CHECKING:
    from explorer.core.network_info import NetworkInfo
    from explorer.core.params import Box, Parameter
    from explorer.ui.truth.photo_truth import Truth

MOST_LABEL = 80


class ClassField(Field):
    """A class name: typed, or chosen among those of the network.

    Signals:
        named: The new name, made by the user.
    """

    named = Signal(str)

    def __init__(self) -> None:
        super().__init__()
        self._shown = ""
        self._words = QStringListModel(self)
        completer = QCompleter(self._words, self)
        completer.setCaseSensitivity(Qt.CaseSensitivity.CaseInsensitive)
        completer.setFilterMode(Qt.MatchFlag.MatchContains)
        completer.activated.connect(self._finish)
        self.setCompleter(completer)
        self.setMaxLength(MOST_LABEL)
        self.setPlaceholderText(self.tr("Class"))
        self.setAccessibleName(self.tr("Class of the selected box"))
        every = QAction(icon("chevron-down"), self.tr("All classes"), self)
        every.triggered.connect(self._show_all)
        self.addAction(every, QLineEdit.ActionPosition.TrailingPosition)
        self.editingFinished.connect(self._finish)

    def set_words(self, words: tuple[str, ...]) -> None:
        if tuple(self._words.stringList()) != words:
            self._words.setStringList(list(words))

    def show_label(self, label: str) -> None:
        if label != self._shown:
            self._shown = label
            self.setText(label)
            self.setCursorPosition(0)

    def _show_all(self) -> None:
        completer = self.completer()
        completer.setCompletionPrefix("")
        completer.complete()

    def _finish(self) -> None:
        # A comma or a semicolon would part the boxes of the command line's --set.
        label = " ".join(self.text().replace(";", " ").split())
        if label != self._shown:
            self._shown = label
            self.named.emit(label)


class TruthEditor(Editor):
    """How many boxes there are, the chosen one with its class, and the way to files.

    Signals:
        chosen: The index of a box that the user has chosen here, or None.
        wanted: "load" or "save": a file.
    """

    chosen = Signal(object)
    wanted = Signal(str)

    def __init__(self, parameter: Parameter, parent: QObject) -> None:
        super().__init__(parameter, parent)
        self._boxes: Truth = ()
        self._chosen: int | None = None
        self.count = Label(quiet=True)
        self.count.hug()
        self.beside = self.count
        self.below = QWidget()
        self.boxes = Combo()
        self.boxes.setAccessibleName(self.tr("Box of the ground truth"))
        self.boxes.setPlaceholderText(self.tr("Box"))
        self.boxes.activated.connect(self._picked)
        self.label = ClassField()
        self.label.named.connect(self._named)
        self._line = QWidget()
        line = QHBoxLayout(self._line)
        line.setContentsMargins(0, 0, 0, 0)
        line.setSpacing(UNIT // 2)
        line.addWidget(self.boxes, 1)
        line.addWidget(self.label, 1)
        self.remove = IconButton("close", self.tr("Remove this box (Delete)"))
        self.remove.clicked.connect(self._remove)
        line.addWidget(self.remove)
        self._flags: list[QWidget] = []
        self.difficult = self._flag(
            self.tr("Difficult object"),
            self.tr("Pascal VOC's flag: the object counts neither as found nor as missed."),
        )
        self.difficult.clicked.connect(self._set_difficult)
        self.crowd = self._flag(
            self.tr("Crowd region"),
            self.tr("COCO's flag: detections inside the region count neither way."),
        )
        self.crowd.clicked.connect(self._set_crowd)
        self.hint = Label(
            self.tr(
                "Drag on the photo to draw a box (Shift+drag where dragging does something "
                "else). Drag a box or its handles to edit it; Delete removes it."
            ),
            quiet=True,
            factor=0.92,
        )
        self.load = TextButton("folder", self.tr("Load…"), self.tr("Load annotations of the photo"))
        self.load.clicked.connect(self._load)
        self.save = TextButton("save", self.tr("Save…"), self.tr("Save as COCO, VOC or YOLO"))
        self.save.clicked.connect(self._save)
        self.clear = TextButton("reset", self.tr("Clear"), self.tr("Remove all boxes"))
        self.clear.clicked.connect(self._clear)
        foot = ButtonRow((self.load, self.save, self.clear))
        layout = QVBoxLayout(self.below)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(UNIT // 2)
        layout.addWidget(self._line)
        for row in self._flags:
            layout.addWidget(row)
        layout.addWidget(self.hint)
        layout.addWidget(foot)
        self.show_value(())

    def _flag(self, title: str, help_text: str) -> Switch:
        """A further line of the editor, for a flag of the chosen box."""
        switch = Switch()
        switch.setAccessibleName(title)
        switch.setToolTip(help_text)
        row = QWidget()
        line = QHBoxLayout(row)
        line.setContentsMargins(0, 0, 0, 0)
        line.addWidget(Label(title, quiet=True))
        line.addStretch(1)
        line.addWidget(switch)
        self._flags.append(row)
        return switch

    def set_info(self, info: NetworkInfo | None) -> None:
        names = info.classes if info is not None else ()
        real = (name for name in names if name not in ("__background__", "background", "N/A"))
        self.label.set_words(tuple(dict.fromkeys(real)))

    def show_value(self, value: Any) -> None:
        boxes: Truth = tuple(value)
        words = [f"{n}  {_words(box)}" for n, box in enumerate(boxes, 1)]
        self._boxes = boxes
        blocked = self.boxes.blockSignals(True)
        while self.boxes.count() > len(words):
            self.boxes.removeItem(self.boxes.count() - 1)
        for row, text in enumerate(words):
            if row == self.boxes.count():
                self.boxes.addItem(text)
            elif self.boxes.itemText(row) != text:
                self.boxes.setItemText(row, text)
        self.boxes.blockSignals(blocked)
        self.count.setText(self.text(boxes))
        self._line.setVisible(bool(boxes))
        for line in self._flags:
            line.setVisible(bool(boxes))
        self.hint.setVisible(not boxes)
        self.save.setVisible(bool(boxes))
        self.clear.setVisible(bool(boxes))
        self.show_chosen(self._chosen)

    def show_chosen(self, index: int | None) -> None:
        """The box that is chosen on the canvas; silent."""
        self._chosen = index if index is not None and index < len(self._boxes) else None
        if self.boxes.currentIndex() != (-1 if self._chosen is None else self._chosen):
            self.boxes.setCurrentIndex(-1 if self._chosen is None else self._chosen)
        there = self._chosen is not None
        self.label.setEnabled(there)
        self.remove.setEnabled(there)
        box = self._boxes[self._chosen] if self._chosen is not None else None
        self.label.show_label(box.label if box is not None else "")
        self.difficult.setEnabled(there)
        self.difficult.setChecked(box is not None and box.difficult)
        self.crowd.setEnabled(there)
        self.crowd.setChecked(box is not None and box.crowd)

    def text(self, value: Any) -> str:
        if not value:
            return self.tr("no boxes")
        return self.tr("1 box") if len(value) == 1 else self.tr("{n} boxes").format(n=len(value))

    def accepts(self, value: Any) -> Any:
        return tuple(value)

    def _tell(self, boxes: Truth, chosen: int | None) -> None:
        self._chosen = chosen
        self.show_value(boxes)
        self.edited.emit(boxes)

    def _picked(self, row: int) -> None:
        self.show_chosen(row)
        self.chosen.emit(row)

    def _named(self, label: str) -> None:
        self._change(label=label)

    def _set_difficult(self, difficult: bool) -> None:
        self._change(difficult=difficult)

    def _set_crowd(self, crowd: bool) -> None:
        self._change(crowd=crowd)

    def _change(self, **values: Any) -> None:
        if self._chosen is not None:
            changed = replace(self._boxes[self._chosen], **values)
            boxes = (*self._boxes[: self._chosen], changed, *self._boxes[self._chosen + 1 :])
            self._tell(boxes, self._chosen)

    def _remove(self) -> None:
        if self._chosen is not None:
            self._tell(self._boxes[: self._chosen] + self._boxes[self._chosen + 1 :], None)

    def _clear(self) -> None:
        self._tell((), None)

    def _load(self) -> None:
        self.wanted.emit("load")

    def _save(self) -> None:
        self.wanted.emit("save")


def _words(box: Box) -> str:
    size = f"{number(round(box.x1 - box.x0))} x {number(round(box.y1 - box.y0))}"
    return f"{box.label}, {size}" if box.label else size
