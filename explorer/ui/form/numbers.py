"""A number: a slider to feel it and a field to type it, which agree on every value.

What is shown is what is used: a value that comes from the slider or the keyboard is rounded to the
digits that the field shows. Anything may be typed; nonsense is put right with a gentle sign.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from PySide6.QtCore import QEvent, QObject, QSize, Qt, Signal
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QSizePolicy

from explorer.ui.form.slider import Slider
from explorer.ui.widgets.field import Field
from explorer.ui.widgets.small_widgets import Flash

if TYPE_CHECKING:
    from PySide6.QtGui import QWheelEvent

WIDEST = 2.0**53
"""The largest whole number that a double still tells from its neighbors."""

_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,6})?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Scale:
    """How slider positions 0..`positions` stand for values from `low` to `high`.

    With `log`, `step` is the least value above a `low` of zero. Where `low` is negative the scale
    is logarithmic on both sides of zero, which is in the middle, and as long on either side.
    """

    low: float
    high: float
    step: float = 0.0
    log: bool = False
    whole: bool = False

    @property
    def endless(self) -> bool:
        """Whether an end is missing: there is no slider, and digits follow the value alone."""
        return self.high >= WIDEST or self.low <= -WIDEST

    @property
    def positions(self) -> int:
        span = self.high - self.low
        if span <= 0:
            return 0
        if self.log:
            return 400 if not self.whole else int(min(400, span))
        return max(1, int(min(10_000, round(span / self._least))))

    def value(self, position: int) -> float:
        share = position / self.positions if self.positions else 0.0
        if not self.log:
            return self.rounded(self.low + share * (self.high - self.low))
        floor, most = self._floor, self._most
        if self.low < 0:
            share = 2 * share - 1
            size = floor * (most / floor) ** abs(share) if share else 0.0
            return self.rounded(math.copysign(size, share))
        if position == 0:
            return self.low
        return self.rounded(floor * (most / floor) ** share)

    def position(self, value: float) -> int:
        if not self.positions:
            return 0
        value = min(max(value, self.low), self.high)
        if not self.log:
            return round((value - self.low) / (self.high - self.low) * self.positions)
        floor, most = self._floor, self._most
        size = abs(value)
        share = math.log(size / floor) / math.log(most / floor) if size > floor else 0.0
        if self.low < 0:
            share = (1 + math.copysign(share, value)) / 2
        return round(share * self.positions)

    @property
    def _least(self) -> float:
        """The distance of two slider positions: the step, or a round part of the span."""
        span = self.high - self.low
        if self.step or self.whole or span <= 0:
            return self.step or 1.0
        return float(10.0 ** math.floor(math.log10(span / 100) + 1e-9))

    @property
    def _floor(self) -> float:
        # A logarithm never reaches zero: the lowest position stands for `low` itself.
        return self.low if self.low > 0 else self.step or (1.0 if self.whole else self._most / 1e4)

    @property
    def _most(self) -> float:
        return max(self.high, -self.low)

    def rounded(self, value: float) -> float:
        """The value that the field can show: on the step, within the ends."""
        if self.whole:
            value = float(round(value))
        elif self.step and not self.log and not self.endless:
            value = self.low + round((value - self.low) / self.step) * self.step
        return min(max(float(self.text(value)), self.low), self.high)

    def text(self, value: float) -> str:
        """As few digits as tell two slider positions apart."""
        if self.whole:
            return str(round(value))
        if self.log:
            return f"{float(f'{value:.3g}'):.12g}"  # the second one: 1000 and not 1e+03
        if self.endless:
            return f"{value:.6g}"
        least = self._least
        digits = min(12, max(0, -math.floor(math.log10(least) + 1e-9)))
        while digits < 12 and self.step and abs(round(self.step, digits) - self.step) > 1e-12:
            digits += 1
        return f"{value:.{digits}f}"


class NumberField(Field):
    """Swallows any text and makes the nearest valid number of it; arrow keys and the wheel step.

    Signals:
        value_changed: A float, made by the user.
    """

    value_changed = Signal(float)

    def __init__(self, scale: Scale, unit: str) -> None:
        super().__init__()
        self._scale = scale
        self._suffix = unit if unit == "%" else f"\N{NO-BREAK SPACE}{unit}" if unit else ""
        self._value = 0.0 if scale.endless else scale.low
        self._most: float | None = None
        self._flash = Flash(self)
        self.setMaxLength(400)
        self.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        self.editingFinished.connect(self._commit)
        if not scale.endless:
            ends = f"{scale.text(scale.low)} – {scale.text(scale.high)}{self._suffix}"
            self.setToolTip(ends)

    def limit(self, high: float | None) -> None:
        """A larger value is shown and typed as `high`; None = the scale's own end."""
        self._most = high
        self.show_value(self._value)

    @property
    def value(self) -> float:
        return self._value

    @property
    def _shown(self) -> str:
        value = self._value if self._most is None else min(self._value, self._most)
        return self._scale.text(value) + self._suffix

    def show_value(self, value: float) -> None:
        """Shows `value` as it is, without a signal."""
        self._value = value
        self.setText(self._shown)
        self.updateGeometry()

    def sizeHint(self) -> QSize:
        scale, metrics = self._scale, self.fontMetrics()
        ends = [scale.text(end) for end in (scale.low, scale.high) if abs(end) < WIDEST]
        sample = max([*ends, scale.text(self._value), "0.00"], key=len)
        width = metrics.horizontalAdvance(sample + self._suffix) + 22
        return QSize(min(width, 136), super().sizeHint().height())

    def minimumSizeHint(self) -> QSize:
        return self.sizeHint()

    def step(self, steps: int) -> None:
        """Moves by slider positions on a scale that has both ends, else by its step."""
        scale = self._scale
        if not scale.endless and scale.positions:
            stride = max(1, scale.positions // 100)
            position = scale.position(self._value) + steps * stride
            value = scale.value(min(max(position, 0), scale.positions))
        else:
            value = scale.rounded(self._value + steps * (scale.step or 1.0))
        self._take(value)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        steps = {
            Qt.Key.Key_Up: 1,
            Qt.Key.Key_Down: -1,
            Qt.Key.Key_PageUp: 10,
            Qt.Key.Key_PageDown: -10,
        }.get(Qt.Key(event.key()), 0)
        if event.key() == Qt.Key.Key_Escape and self.text() != self._shown:
            self.show_value(self._value)
        elif steps:
            self._commit()
            self.step(steps)
        else:
            super().keyPressEvent(event)

    def event(self, event: QEvent) -> bool:
        # Esc takes a half-typed number back; only then does it mean "cancel" to the window.
        if (
            event.type() == QEvent.Type.ShortcutOverride
            and isinstance(event, QKeyEvent)
            and event.key() == Qt.Key.Key_Escape
            and self.text() != self._shown
        ):
            event.accept()
            return True
        return super().event(event)

    def wheelEvent(self, event: QWheelEvent) -> None:
        if not self.hasFocus():
            event.ignore()
            return
        notches = event.angleDelta().y() / 120
        if notches:
            self.step(1 if notches > 0 else -1)
        event.accept()

    def _commit(self) -> None:
        typed = self.text().strip()
        if typed == self._shown:
            return  # a field that was only looked at changes nothing
        plain = typed.removesuffix(self._suffix.strip()).replace("−", "-").replace(",", ".").strip()
        if not _NUMBER.fullmatch(plain):
            self._flash.show()
            self.show_value(self._value)
            return
        number = float(plain)  # 1e999 is inf, which the ends cut
        high = self._scale.high if self._most is None else self._most
        value = self._scale.rounded(min(max(number, self._scale.low), high))
        if abs(number - value) > 1e-9 * max(1.0, abs(value)):
            self._flash.show()
        self._take(value)

    def _take(self, value: float) -> None:
        before = self._value
        self.show_value(value)
        if value != before:
            self.value_changed.emit(value)


class NumberPair(QObject):
    """The field, and the slider where both ends are known.

    Signals:
        edited: A float, for every move.
    """

    edited = Signal(object)

    def __init__(self, scale: Scale, unit: str, *, slides: bool, parent: QObject) -> None:
        super().__init__(parent)
        self._scale = scale
        self.field = NumberField(scale, unit)
        self.slider = Slider() if slides else None
        if self.slider is not None:
            self.slider.setRange(0, scale.positions)
            self.slider.setPageStep(max(1, scale.positions // 10))
            self.slider.valueChanged.connect(self._slid)
        self.field.value_changed.connect(self._typed)

    def show_value(self, value: float) -> None:
        self.field.show_value(value)
        self._place(value)

    def go(self, position: int) -> None:
        """To a slider position, as if the user had moved it there."""
        if self.slider is not None:
            self.slider.setValue(position)

    def limit(self, high: float | None) -> None:
        """The slider ends at `high`; None = at the end of its scale. Silent."""
        if self.slider is None:
            return
        scale, value = self._scale, self.field.value
        last = scale.positions if high is None else max(1, scale.position(high))
        if last == self.slider.maximum():
            return
        blocked = self.slider.blockSignals(True)
        self.slider.setRange(0, last)
        self.slider.setPageStep(max(1, last // 10))
        self.slider.setValue(scale.position(value))
        self.slider.blockSignals(blocked)
        self.field.limit(None if high is None else scale.value(last))

    def _place(self, value: float) -> None:
        if self.slider is None:
            return
        blocked = self.slider.blockSignals(True)
        self.slider.setValue(self._scale.position(value))
        self.slider.blockSignals(blocked)

    def _slid(self, position: int) -> None:
        value = self._scale.value(position)
        self.field.show_value(value)
        self.edited.emit(value)

    def _typed(self, value: float) -> None:
        self._place(value)
        self.edited.emit(value)
