"""Editors of what is painted or placed on the photo: a mask with its brush, ordered points."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, Signal
from PySide6.QtGui import QAction
from PySide6.QtWidgets import (
    QFileDialog,
    QHBoxLayout,
    QLineEdit,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from explorer.core.errors import ExplorerError
from explorer.core.param_forms import read_mask
from explorer.core.params import Mask, Pick, Point
from explorer.core.storage.atomic import write_bytes
from explorer.ui.board.brush import LARGEST, SMALLEST, Brush
from explorer.ui.dialogs.save_place import ask_place
from explorer.ui.form.around import Around
from explorer.ui.form.choices import Combo
from explorer.ui.form.editor import Editor
from explorer.ui.form.numbers import NumberPair, Scale
from explorer.ui.form.picks import places_by_button
from explorer.ui.form.text import TextEditor
from explorer.ui.widgets.button_row import ButtonRow, TextButton
from explorer.ui.widgets.small_widgets import UNIT, IconButton, Label
from explorer.ui.widgets.theme import icon

if TYPE_CHECKING:
    from explorer.core.network_info import NetworkInfo
    from explorer.core.params import Parameter


class MaskEditor(Editor):
    """How much is painted, the brush, and the way to files.

    Signals:
        brush_changed: The `Brush` that the user wants.
        said: A sentence about a file that could not be taken.
    """

    brush_changed = Signal(object)
    said = Signal(str)

    def __init__(self, parameter: Parameter, parent: QObject) -> None:
        super().__init__(parameter, parent)
        self._mask: Mask | None = None
        self._around = Around()
        self._info: NetworkInfo | None = None
        self.brush = Brush()
        self.share = Label(quiet=True)
        self.share.hug()
        self.beside = self.share
        self.paint = self._tool("brush", self.tr("Paint (E switches to erasing)"), erase=False)
        self.erase = self._tool("eraser", self.tr("Erase (E)"), erase=True)
        self.paint.setChecked(True)
        scale = Scale(SMALLEST, LARGEST, log=True)
        self.size = NumberPair(scale, "px", slides=True, parent=self)
        self.size.edited.connect(self._sized)
        self.size.field.setAccessibleName(self.tr("Brush radius ([ and ])"))
        self.size.field.setToolTip(self.size.field.accessibleName())
        tools = QWidget()
        line = QHBoxLayout(tools)
        line.setContentsMargins(0, 0, 0, 0)
        line.setSpacing(UNIT // 2)
        line.addWidget(self.paint)
        line.addWidget(self.erase)
        if self.size.slider is not None:
            self.size.slider.setAccessibleName(self.size.field.accessibleName())
            line.addWidget(self.size.slider, 1)
        line.addWidget(self.size.field)
        self.labels = Combo()
        self.labels.setAccessibleName(self.tr("Class to paint"))
        self.labels.activated.connect(self._labeled)
        self.clear = TextButton("reset", self.tr("Clear"), self.tr("Clear the mask"))
        self.clear.clicked.connect(self._clear)
        self.load = TextButton(
            "folder", self.tr("Load…"), self.tr("Load a mask (indexed PNG or COCO)")
        )
        self.load.clicked.connect(self._load)
        self.save = TextButton("save", self.tr("Save…"), self.tr("Save as an indexed PNG"))
        self.save.clicked.connect(self._save)
        foot = ButtonRow((self.load, self.save, self.clear))
        self.below = QWidget()
        layout = QVBoxLayout(self.below)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(UNIT // 2)
        layout.addWidget(tools)
        if parameter.meta.pick is Pick.NONE:  # it can be loaded only
            tools.hide()
        layout.addWidget(self.labels)
        layout.addWidget(foot)
        self.set_info(None)
        self.show_brush(self.brush)
        self.show_value(None)

    @property
    def widgets(self) -> tuple[QWidget, ...]:
        return ()

    @property
    def first(self) -> QWidget | None:
        return self.paint

    def set_info(self, info: NetworkInfo | None) -> None:
        self._info = info
        words = self.parameter.meta.options(info)
        if [self.labels.itemText(row) for row in range(self.labels.count())] != list(words):
            self.labels.clear()
            self.labels.addItems(list(words))
        self.labels.setVisible(bool(words))

    def set_around(self, around: Around) -> None:
        self._around = around

    def show_value(self, value: Any) -> None:
        self._mask = value
        self.share.setText(self.text(value))
        for button in (self.save, self.clear):
            button.setVisible(value is not None)

    def show_brush(self, brush: Brush) -> None:
        """The brush as it is; silent."""
        self.brush = brush
        self.paint.setChecked(not brush.erase)
        self.erase.setChecked(brush.erase)
        self.size.show_value(brush.radius)
        if 0 < brush.label <= self.labels.count():
            self.labels.setCurrentIndex(brush.label - 1)

    def text(self, value: Any) -> str:
        if value is None:
            return self.tr("empty")
        index = value.index()
        return self.tr("{share:.1%} painted").format(share=float((index > 0).mean()))

    def accepts(self, value: Any) -> Any:
        if value is not None and not isinstance(value, Mask):
            raise TypeError("expected a mask")
        return value

    def read(self, path: str) -> None:
        """Takes the mask of a file; an error, or what was ignored, is shown."""
        from explorer.annotations.masks import mask_for

        around, classes = self._around, self.parameter.meta.options(self._info)
        try:
            if around.size is None:
                mask, notes = read_mask(path), tuple[str, ...]()
            else:
                mask, notes = mask_for(path, around.photo, around.size, classes)
        except ExplorerError as error:
            self.said.emit(f"{error.message} {error.hint}".strip())
            return
        for words in notes:
            self.said.emit(words)
        self._tell(mask)

    def _tell(self, mask: Mask | None) -> None:
        self.show_value(mask)
        self.edited.emit(mask)

    def _clear(self) -> None:
        self._tell(None)

    def _load(self) -> None:
        title = self.tr("Load a mask: {what}").format(what=self.parameter.meta.title)
        path, _ = QFileDialog.getOpenFileName(
            self.below, title, "", self.tr("Masks (*.png *.json)")
        )
        if path:
            self.read(path)

    def _save(self) -> None:
        if self._mask is None:
            return
        title = self.tr("Save the mask: {what}").format(what=self.parameter.meta.title)
        path, _ = ask_place(self.below, title, "mask.png", "PNG (*.png)")
        if path:
            try:
                write_bytes(path, self._mask.png)
            except (ExplorerError, OSError) as error:
                self.said.emit(str(error))

    def _change(self, brush: Brush) -> None:
        self.show_brush(brush)
        self.brush_changed.emit(brush)

    def _sized(self, radius: object) -> None:
        if isinstance(radius, float):
            self._change(replace(self.brush, radius=radius))

    def _labeled(self, row: int) -> None:
        self._change(replace(self.brush, label=row + 1, erase=False))

    def _tool(self, symbol: str, words: str, *, erase: bool) -> IconButton:
        button = IconButton(symbol, words, checkable=True)

        def choose() -> None:
            self._change(replace(self.brush, erase=erase))

        button.clicked.connect(choose)
        return button


class PointsEditor(TextEditor):
    """Ordered points: placed on the photo, or typed as x, y; x, y.

    Signals:
        placing_changed: The next clicks on the photo are to place them, or no longer.
    """

    placing_changed = Signal(bool)

    def __init__(self, parameter: Parameter, parent: QObject) -> None:
        super().__init__(parameter, parent)
        polygon = parameter.meta.pick is Pick.POLYGON
        words = self.tr("x, y; x, y")
        if parameter.meta.pick is Pick.TRUTH:
            words = self.tr("Click points on the picture")
        self.field.setPlaceholderText(words)
        self.field.setMaxLength(100_000)
        symbol = icon("polygon" if polygon else "point")
        self.field.addAction(symbol, QLineEdit.ActionPosition.LeadingPosition)
        self._clear = QAction(icon("close"), self.tr("Remove all points"), self)
        self._clear.triggered.connect(self._take_back)
        self.field.addAction(self._clear, QLineEdit.ActionPosition.TrailingPosition)
        self.count = Label(quiet=True)
        self.count.hug()
        self.beside = self.count
        self.place = QPushButton(icon("polygon" if polygon else "point"), self._to_place())
        self.place.setCheckable(True)
        self.place.toggled.connect(self._toggled)
        if places_by_button(parameter):
            self.below = QWidget()
            layout = QVBoxLayout(self.below)
            layout.setContentsMargins(0, 0, 0, 0)
            layout.setSpacing(UNIT // 2)
            layout.addWidget(self.place)
            layout.addWidget(self.field)

    def _to_place(self) -> str:
        if self.parameter.meta.pick is Pick.POLYGON:
            return self.tr("Draw a polygon")
        return self.tr("Draw a line") if self.parameter.meta.most == 2 else self.tr("Place points")

    def _toggled(self, on: bool) -> None:
        self.place.setText(self.tr("Click on the picture…") if on else self._to_place())
        self.placing_changed.emit(on)

    def end_placing(self) -> None:
        """All are placed, or something else has begun."""
        self.place.setChecked(False)

    def stop(self) -> None:
        self.end_placing()

    @property
    def widgets(self) -> tuple[QWidget, ...]:
        return (self.place, self.field) if places_by_button(self.parameter) else (self.field,)

    def show_value(self, value: Any) -> None:
        super().show_value(value)
        self.count.setText(self._count(len(value)))
        self._clear.setVisible(bool(value))

    def text(self, value: Any) -> str:
        return "; ".join(f"{point.x:.1f}, {point.y:.1f}" for point in value)

    def accepts(self, value: Any) -> Any:
        if not all(isinstance(point, Point) for point in value):
            raise TypeError("expected points")
        return super().accepts(tuple(value))

    def _count(self, n: int) -> str:
        if n == 0:
            return self.tr("none")
        return self.tr("1 point") if n == 1 else self.tr("{n} points").format(n=n)

    def _take_back(self) -> None:
        self.show_value(())
        self.edited.emit(())
