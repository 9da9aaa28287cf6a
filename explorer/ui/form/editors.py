"""One editor per kind of parameter: what is shown beside and below its title.

An editor never raises on what the user does; it hands out valid values only.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from PySide6.QtGui import QAction
from PySide6.QtWidgets import QCheckBox, QHBoxLayout, QLineEdit, QWidget

from explorer.core.errors import ExplorerError
from explorer.core.param_forms import parse
from explorer.core.params import Box, Effect, Kind, Parameter, Pick, Point
from explorer.ui.form.choices import ChoiceBox, SubsetBox
from explorer.ui.form.editor import Editor
from explorer.ui.form.numbers import WIDEST, NumberPair, Scale
from explorer.ui.form.places import MaskEditor, PointsEditor
from explorer.ui.form.player import Player
from explorer.ui.form.records import RecordsEditor
from explorer.ui.form.references import FolderEditor, ImageEditor, NetworkEditor, NetworksEditor
from explorer.ui.form.text import TextEditor
from explorer.ui.truth.truth_editor import TruthEditor
from explorer.ui.widgets.small_widgets import Switch
from explorer.ui.widgets.theme import icon

if TYPE_CHECKING:
    from collections.abc import Callable

    from PySide6.QtCore import QObject

    from explorer.core.network_info import NetworkInfo


class SwitchEditor(Editor):
    def __init__(self, parameter: Parameter, parent: QObject) -> None:
        super().__init__(parameter, parent)
        self.switch = Switch()
        self.switch.toggled.connect(self._toggled)
        self.beside = self.switch

    def show_value(self, value: Any) -> None:
        blocked = self.switch.blockSignals(True)
        self.switch.setChecked(bool(value))
        self.switch.blockSignals(blocked)

    def text(self, value: Any) -> str:
        return self.tr("on") if value else self.tr("off")

    def _toggled(self, on: bool) -> None:
        self.edited.emit(on)

    def accepts(self, value: Any) -> Any:
        return bool(value)


class OptionalSwitchEditor(Editor):
    """On, off, or not set, where the view decides."""

    def __init__(self, parameter: Parameter, parent: QObject) -> None:
        super().__init__(parameter, parent)
        self._values = {
            self.tr("automatic"): None, self.tr("on"): True, self.tr("off"): False
        }  # fmt: skip
        self.box = ChoiceBox()
        self.box.set_words(tuple(self._values), {})
        self.box.picked.connect(self._picked)
        self.below = self.box

    def show_value(self, value: Any) -> None:
        self.box.show_word(self.text(value))

    def text(self, value: Any) -> str:
        return next(words for words, known in self._values.items() if known is value)

    def _picked(self, words: str) -> None:
        self.edited.emit(self._values[words])

    def accepts(self, value: Any) -> Any:
        return None if value is None else bool(value)


class NumberEditor(Editor):
    """An int or a float; an optional one has a tick box that switches it off.

    Where the network suggests a number, that one is shown instead as long as there is none.
    """

    def __init__(self, parameter: Parameter, parent: QObject) -> None:
        super().__init__(parameter, parent)
        meta = parameter.meta
        self._whole = parameter.type is int
        slides = meta.low is not None and meta.high is not None
        low = meta.low if meta.low is not None else -WIDEST
        high = meta.high if meta.high is not None else WIDEST
        self._scale = Scale(low, high, meta.step or 0.0, meta.log and high > 0, self._whole)
        self.pair = NumberPair(self._scale, meta.unit, slides=slides, parent=self)
        self.pair.edited.connect(self._edited)
        self.below: QWidget | None = self.pair.slider
        self.player: Player | None = None
        if meta.play and self.pair.slider is not None:
            self.player = Player(self.pair.slider, self)
            self.player.moved.connect(self.pair.go)
            self.pair.slider.setAccessibleName(meta.title)
            self.below = self.player.widget
        self._box: QCheckBox | None = None
        self._suggested = meta.suggested(None) if meta.suggested is not None else None
        if parameter.optional and meta.suggested is None:
            self.beside = QWidget()
            self._box = QCheckBox()
            self._box.setAccessibleName(self.tr("Use {title}").format(title=meta.title))
            self._box.toggled.connect(self._switched)
            line = QHBoxLayout(self.beside)
            line.setContentsMargins(0, 0, 0, 0)
            line.addWidget(self._box)
            line.addWidget(self.pair.field)
        else:
            self.beside = self.pair.field

    def set_info(self, info: NetworkInfo | None) -> None:
        suggested = self.parameter.meta.suggested
        self._suggested = suggested(info) if suggested is not None else None

    def show_value(self, value: Any) -> None:
        value = self._suggested if value is None else value
        if self._box is not None:
            blocked = self._box.blockSignals(True)
            self._box.setChecked(value is not None)
            self._box.blockSignals(blocked)
            self._enable(value is not None)
        if value is not None:
            self.pair.show_value(float(value))
        self._check()

    def text(self, value: Any) -> str:
        value = self._suggested if value is None else value
        if value is None:
            return self.tr("off")
        return f"{self._scale.text(float(value))} {self.parameter.meta.unit}".rstrip()

    def accepts(self, value: Any) -> Any:
        if value is None and self.parameter.optional:
            return None
        number = float(value)
        if math.isnan(number):
            raise ExplorerError(f"{self.parameter.name} cannot be NaN.")
        number = min(max(number, self._scale.low), self._scale.high)
        return round(number) if self._whole else number

    def snapped(self, value: Any) -> Any:
        value = self.accepts(value)
        return value if value is None or self._whole else self._scale.rounded(value)

    def set_busy(self, busy: bool) -> None:
        # A steered computation continues while it is steered, and drawing alone is no computation.
        if self.player is not None and self.parameter.meta.effect is Effect.COMPUTE:
            self.player.set_busy(busy)

    def ends_at(self, value: float | None) -> None:
        if self.player is not None:
            self.player.last = None if value is None else self._scale.position(value)

    def stops_at(self, value: float | None) -> None:
        self.pair.limit(value)

    def stop(self) -> None:
        if self.player is not None:
            self.player.stop()

    def _check(self) -> None:
        if self.player is not None:
            self.player.check()

    def _edited(self, value: float) -> None:
        self._check()
        self.edited.emit(round(value) if self._whole else float(value))

    def _switched(self, used: bool) -> None:
        self._enable(used)
        if used:
            self._edited(self.pair.field.value)
        else:
            self.edited.emit(None)

    def _enable(self, used: bool) -> None:
        self.pair.field.setEnabled(used)
        if self.pair.slider is not None:
            self.pair.slider.setEnabled(used)
        if self.player is not None:
            self.player.button.setEnabled(used)


class ChoiceEditor(Editor):
    def __init__(self, parameter: Parameter, parent: QObject) -> None:
        super().__init__(parameter, parent)
        self.box = ChoiceBox()
        self.box.picked.connect(self.edited)
        self.below = self.box

    def set_info(self, info: NetworkInfo | None) -> None:
        self.box.set_words(*_choices(self.parameter, info))

    def show_value(self, value: Any) -> None:
        self.box.show_word(str(value))

    def text(self, value: Any) -> str:
        return str(value) or self.tr("the first choice")


class SubsetEditor(Editor):
    def __init__(self, parameter: Parameter, parent: QObject) -> None:
        super().__init__(parameter, parent)
        self.box = SubsetBox()
        self.box.picked.connect(self.edited)
        self.below = self.box

    def set_info(self, info: NetworkInfo | None) -> None:
        self.box.set_words(*_choices(self.parameter, info))

    def show_value(self, value: Any) -> None:
        self.box.show_words(tuple(value))

    def text(self, value: Any) -> str:
        return ", ".join(value) if value else self.tr("all")


class PickEditor(TextEditor):
    """A value that the canvas writes: shown, typed by who has no mouse, cleared by a button."""

    def __init__(self, parameter: Parameter, parent: QObject) -> None:
        super().__init__(parameter, parent)
        symbol, words = {
            Pick.CLICK: ("point", self.tr("Click on the picture")),
            Pick.HOVER: ("point", self.tr("Move over the picture")),
            Pick.DRAG: ("box", self.tr("Drag a box on the picture")),
            Pick.SELECT: ("box", self.tr("Click one on the picture")),
            Pick.NONE: ("point", self.tr("x, y") if parameter.type is Point else "x0, y0, x1, y1"),
        }[parameter.meta.pick]
        self.field.setPlaceholderText(words)
        self.field.addAction(icon(symbol), QLineEdit.ActionPosition.LeadingPosition)
        self._clear = QAction(icon("close"), self.tr("Clear"), self)
        self._clear.triggered.connect(self._take_back)
        self.field.addAction(self._clear, QLineEdit.ActionPosition.TrailingPosition)

    def show_value(self, value: Any) -> None:
        super().show_value(value)
        self._clear.setVisible(value is not None and self.parameter.optional)

    def text(self, value: Any) -> str:
        match value:
            case None:
                return self.tr("none")
            case Point(x, y):
                return f"{x:.1f}, {y:.1f}"
            case Box(x0, y0, x1, y1):
                digits = 2 if self.parameter.meta.step else 1  # as fine as the arrow keys move it
                return ", ".join(f"{side:.{digits}f}" for side in (x0, y0, x1, y1))
        return str(value)

    def read(self, text: str) -> Any:
        parts = text.replace(";", ",").split(",")
        if self.parameter.type is Box and len(parts) == 4:
            text = ",".join(_in_order(parts))
        return parse(self.parameter, text)

    def _take_back(self) -> None:
        self.show_value(None)
        self.edited.emit(None)


def _in_order(parts: list[str]) -> list[str]:
    """Two corners of a box, given in any order, as upper left and lower right."""
    try:
        x0, y0, x1, y1 = (float(part) for part in parts)
    except ValueError:
        return parts
    return [repr(v) for v in (min(x0, x1), min(y0, y1), max(x0, x1), max(y0, y1))]


def _choices(
    parameter: Parameter, info: NetworkInfo | None
) -> tuple[tuple[str, ...], dict[str, str]]:
    words = parameter.meta.options(info)
    kinds = {layer.name: layer.kind for layer in info.layers} if info is not None else {}
    return words, kinds


def _word(parameter: Parameter, parent: QObject) -> Editor:
    free = parameter.meta.choices is None
    return (TextEditor if free else ChoiceEditor)(parameter, parent)


def _words(parameter: Parameter, parent: QObject) -> Editor:
    free = parameter.meta.choices is None
    return (TextEditor if free else SubsetEditor)(parameter, parent)


def _whole(parameter: Parameter, parent: QObject) -> Editor:
    selects = parameter.meta.pick is Pick.SELECT
    return (PickEditor if selects else NumberEditor)(parameter, parent)


def _records(parameter: Parameter, parent: QObject) -> Editor:
    return RecordsEditor(parameter, parent, editor_for)


_EDITORS: dict[Kind, Callable[[Parameter, QObject], Editor]] = {
    Kind.SWITCH: SwitchEditor,
    Kind.WHOLE: _whole,
    Kind.NUMBER: NumberEditor,
    Kind.WORD: _word,
    Kind.WORDS: _words,
    Kind.POINT: PickEditor,
    Kind.POINTS: PointsEditor,
    Kind.BOX: PickEditor,
    Kind.BOXES: TruthEditor,
    Kind.MASK: MaskEditor,
    Kind.IMAGE: ImageEditor,
    Kind.NETWORK: NetworkEditor,
    Kind.NETWORKS: NetworksEditor,
    Kind.FOLDER: FolderEditor,
    Kind.ROWS: _records,
}
assert set(_EDITORS) == set(Kind)


def editor_for(parameter: Parameter, parent: QObject) -> Editor:
    """The editor that suits what the parameter holds."""
    if parameter.kind is Kind.SWITCH and parameter.optional:
        return OptionalSwitchEditor(parameter, parent)
    return _EDITORS[parameter.kind](parameter, parent)
