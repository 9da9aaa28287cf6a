"""The rows of a form: a title, its help and its editor, under the headings of their sections."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QRectF, QSize, Qt, Signal
from PySide6.QtGui import QPainter, QPaintEvent, QPalette
from PySide6.QtWidgets import QHBoxLayout, QToolButton, QVBoxLayout, QWidget

from explorer.ui.widgets.small_widgets import UNIT, HelpButton, Label

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable

    from PySide6.QtCore import QObject

    from explorer.core.network_info import NetworkInfo
    from explorer.core.params import Parameter
    from explorer.ui.form.around import Around
    from explorer.ui.form.editor import Editor

    Make = Callable[[Parameter, QObject], Editor]


class ResetDot(QToolButton):
    """A dot that marks a change and takes it back."""

    def __init__(self) -> None:
        super().__init__()
        self.setAutoRaise(True)
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        policy = self.sizePolicy()
        policy.setRetainSizeWhenHidden(True)
        self.setSizePolicy(policy)

    def sizeHint(self) -> QSize:
        return QSize(UNIT * 2, UNIT * 2)

    def paintEvent(self, event: QPaintEvent) -> None:
        radius = 4.5 if self.underMouse() or self.hasFocus() else 3.0
        with QPainter(self) as painter:
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(self.palette().color(QPalette.ColorRole.Highlight))
            painter.drawEllipse(QRectF(self.rect()).center(), radius, radius)


class ParameterRow(QWidget):
    """Title, (i), reset dot and editor; the help unfolds below."""

    edited = Signal(str, object)

    def __init__(self, parameter: Parameter, make: Make) -> None:
        super().__init__()
        self.parameter = parameter
        self.editor: Editor = make(parameter, self)
        self.editor.edited.connect(self._edited)
        self.default = parameter.default
        meta = parameter.meta
        self._title = Label(meta.title)
        self._title.hug()
        self._title.clicked.connect(self._focus)
        self.about = HelpButton(self.tr("Help: {title}").format(title=meta.title), meta.help)
        self.dot = ResetDot()
        self.dot.clicked.connect(self._reset)
        self.help = Label(meta.help, quiet=True, factor=0.92)
        self.help.hide()
        self.about.toggled.connect(self.help.setVisible)
        line = QHBoxLayout()
        line.setSpacing(UNIT // 2)
        line.addWidget(self._title)
        line.addWidget(self.about)
        line.addStretch(1)
        line.addWidget(self.dot)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(UNIT // 2)
        layout.addLayout(line)
        if self.editor.beside is not None:
            line.addSpacing(UNIT // 2)
            line.addWidget(self.editor.beside)
        if self.editor.below is not None:
            layout.addWidget(self.editor.below)
        layout.addWidget(self.help)
        self.setToolTip(meta.help)
        for widget in self.editor.widgets:
            widget.setAccessibleName(meta.title)
            widget.setAccessibleDescription(meta.help)

    def set_around(self, around: Around) -> None:
        self.editor.set_around(around)

    def set_info(self, info: NetworkInfo | None) -> None:
        self.editor.set_info(info)

    def show_value(self, value: Any) -> None:
        self.editor.show_value(value)
        self.mark(value)

    def mark(self, value: Any) -> None:
        """Shows the dot where `value` is not the default."""
        self.dot.setVisible(value != self.default)
        words = self.tr("Reset to {value}").format(value=self.editor.text(self.default)[:80])
        self.dot.setToolTip(words)
        self.dot.setAccessibleName(f"{self.parameter.meta.title}: {words}")

    def _edited(self, value: object) -> None:
        self.edited.emit(self.parameter.name, value)

    def _reset(self) -> None:
        self.editor.show_value(self.default)
        self.edited.emit(self.parameter.name, self.default)

    def _focus(self) -> None:
        if self.editor.first is not None:
            self.editor.first.setFocus(Qt.FocusReason.MouseFocusReason)


class Column(QWidget):
    """Rows under the headings of their sections; those that do not apply are not shown.

    Signals:
        edited: Name and new value of a parameter.
    """

    edited = Signal(str, object)

    def __init__(
        self, entries: Iterable[Parameter], make: Make, *, spacing: int = UNIT * 2
    ) -> None:
        super().__init__()
        self.rows: dict[str, ParameterRow] = {}
        self._headings: dict[str, Label] = {}
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(spacing)
        for parameter in entries:
            section = parameter.meta.section
            if section and section not in self._headings:
                heading = self._headings[section] = Label(section, quiet=True, bold=True)
                heading.setContentsMargins(0, UNIT if self.rows else 0, 0, 0)
                layout.addWidget(heading)
            row = ParameterRow(parameter, make)
            row.edited.connect(self.edited)
            self.rows[parameter.name] = row
            layout.addWidget(row)

    def show_applying(
        self, params: Any, info: NetworkInfo | None, idle: Collection[str] = ()
    ) -> int:
        """Shows the rows that matter with `params` and this network; returns how many.

        Args:
            params: Of the view.
            info: Of the network.
            idle: Names of parameters that change nothing.
        """
        shown = {
            name
            for name, row in self.rows.items()
            if row.parameter.applies(params, info) and name not in idle
        }
        for name, row in self.rows.items():
            row.setVisible(name in shown)
        sections = {self.rows[name].parameter.meta.section for name in shown}
        for section, heading in self._headings.items():
            heading.setVisible(section in sections)
        self.setVisible(bool(shown))
        return len(shown)
