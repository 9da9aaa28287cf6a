"""The form of a view: made from its Params dataclass, live while a slider moves."""

from __future__ import annotations

from dataclasses import replace
from math import inf, isfinite
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QRectF, QSize, Qt, Signal
from PySide6.QtGui import QPainter, QPaintEvent, QPalette
from PySide6.QtWidgets import QHBoxLayout, QToolButton, QVBoxLayout, QWidget

from explorer.annotations.truth import truth_name
from explorer.core.errors import ExplorerError
from explorer.core.params import Effect, Parameter, effect_of, parameters, resolved
from explorer.ui.form.editors import editor_for
from explorer.ui.truth.truth_editor import TruthEditor
from explorer.ui.widgets.small_widgets import UNIT, Fold, HelpButton, Label

if TYPE_CHECKING:
    from collections.abc import Sequence

    from explorer.core.layers import Plot
    from explorer.core.network_info import NetworkInfo
    from explorer.engine.view import View
    from explorer.ui.form.editor import Editor


class ResetDot(QToolButton):
    """A dot that says "changed" and takes the change back."""

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

    def __init__(self, parameter: Parameter) -> None:
        super().__init__()
        self.parameter = parameter
        self.editor: Editor = editor_for(parameter, self)
        self.editor.edited.connect(self._edited)
        self.default = parameter.default
        meta = parameter.meta
        self._title = Label(meta.title)
        self._title.hug()
        self._title.clicked.connect(self._focus)
        self.about = HelpButton(self.tr("What “{title}” means").format(title=meta.title))
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

    def set_info(self, info: NetworkInfo | None) -> None:
        self.editor.set_info(info)

    def show_value(self, value: Any) -> None:
        self.editor.show_value(value)
        self.mark(value)

    def mark(self, value: Any) -> None:
        """Shows the dot where `value` is not the default."""
        self.dot.setVisible(value != self.default)
        words = self.tr("Back to {value}").format(value=self.editor.text(self.default)[:80])
        self.dot.setToolTip(words)
        self.dot.setAccessibleName(f"{self.parameter.meta.title}: {words}")

    def _edited(self, value: object) -> None:
        self.edited.emit(self.parameter.name, value)

    def _reset(self) -> None:
        self.editor.show_value(self.default)
        self.edited.emit(self.parameter.name, self.default)

    def _focus(self) -> None:
        self.editor.widgets[0].setFocus(Qt.FocusReason.MouseFocusReason)


class Form(QWidget):
    """Edits the parameters of one view.

    Signals:
        changed: ``(new params, Effect)``, for every change that the user makes, while dragging too.
        truth_chosen: The index of the ground-truth box that the user has chosen here, or None.
        truth_wanted: "load" or "save": ground truth from or to a file.
    """

    changed = Signal(object, object)
    truth_chosen = Signal(object)
    truth_wanted = Signal(str)

    def __init__(self) -> None:
        super().__init__()
        self._view: View[Any, Any] | None = None
        self._params: Any = None
        self._defaults: Any = None
        self._info: NetworkInfo | None = None
        self.rows: dict[str, ParameterRow] = {}
        self._body: QWidget | None = None
        self._advanced: Fold | None = None
        self._unfolded: set[str] = set()
        self._heading = Label(self.tr("Settings"), bold=True)
        self._reset = QToolButton()
        self._reset.setText(self.tr("Reset"))
        self._reset.setToolTip(self.tr("All settings back to their defaults"))
        self._reset.setAutoRaise(True)
        self._reset.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        policy = self._reset.sizePolicy()
        policy.setRetainSizeWhenHidden(True)
        self._reset.setSizePolicy(policy)
        self._reset.clicked.connect(self.reset)
        line = QHBoxLayout()
        line.addWidget(self._heading, 1)
        line.addWidget(self._reset)
        self._layout = QVBoxLayout(self)
        self._layout.setContentsMargins(0, 0, 0, 0)
        self._layout.setSpacing(UNIT)
        self._layout.addLayout(line)
        self._layout.addStretch(1)
        self.hide()

    @property
    def params(self) -> Any:
        """The Params of the view as they stand; None before the first view."""
        return self._params

    def set_view(self, view: View[Any, Any], params: Any, info: NetworkInfo | None) -> None:
        """Shows `params` of `view`; choices that depend on the network come from `info`.

        Choices that the network lacks are replaced by its first ones (`params` tells). No signal.
        """
        if view is not self._view:
            self._build(view)
        self._view, self._info = view, info
        self._defaults = view.Params()
        if info is not None:
            params = resolved(params, info)
            self._defaults = resolved(self._defaults, info)
        for name, row in self.rows.items():
            row.default = getattr(self._defaults, name)
            row.set_info(info)
        self.set_params(params)

    def set_params(self, params: Any) -> None:
        """Shows `params` without a signal (undo, a session)."""
        self._params = params
        # The boxes are the photo's, not settings: to reset the settings must not remove them.
        if name := truth_name(type(params)):
            self._keep(name, getattr(params, name))
        for name, row in self.rows.items():
            row.show_value(getattr(params, name))
        self._mark_reset()

    def show_truth_chosen(self, index: int | None) -> None:
        """The ground-truth box that is chosen on the canvas; silent."""
        for row in self.rows.values():
            if isinstance(row.editor, TruthEditor):
                row.editor.show_chosen(index)

    def _keep(self, name: str, value: object) -> None:
        self._defaults = replace(self._defaults, **{name: value})
        self.rows[name].default = value

    def set_value(self, name: str, value: Any) -> None:
        """As if the user had entered it (a pick on the canvas): `changed` follows when it differs.

        What the parameter cannot take is put right or left alone.
        """
        row = self.rows.get(name)
        if row is None:
            return
        try:
            value = row.editor.accepts(value)
        except (ExplorerError, TypeError, ValueError):
            return
        row.editor.show_value(value)
        self._edited(name, value)

    def steer(self, name: str, value: float) -> None:
        """The marker of a plot was dragged: `set_value` with what the slider could have said."""
        if name in self.rows and isfinite(value):
            self.set_value(name, self.rows[name].editor.snapped(value))

    def set_plots(self, plots: Sequence[Plot]) -> None:
        """A parameter that a plot steers plays to the plot's end, not beyond."""
        ends = {plot.steers: _end(plot) for plot in plots if plot.steers and plot.curves}
        for name, row in self.rows.items():
            end = ends.get(name, inf)
            row.editor.ends_at(end if isfinite(end) else None)

    def set_busy(self, busy: bool) -> None:
        """An answer is computed, or no longer."""
        for row in self.rows.values():
            row.editor.set_busy(busy)

    def stop(self) -> None:
        """Ends whatever moves by itself."""
        for row in self.rows.values():
            row.editor.stop()

    def reset(self) -> None:
        """Everything back to the defaults."""
        before, self._params = self._params, self._defaults
        self.set_params(self._defaults)
        self._tell(before)

    def _edited(self, name: str, value: object) -> None:
        before = self._params
        self._params = replace(before, **{name: value})
        if name == truth_name(type(before)):
            self._keep(name, value)
        self.rows[name].mark(value)
        self._mark_reset()
        self._tell(before)

    def _tell(self, before: Any) -> None:
        effect = effect_of(before, self._params)
        if isinstance(effect, Effect):
            self.changed.emit(self._params, effect)

    def _mark_reset(self) -> None:
        self._reset.setVisible(self._params != self._defaults)

    def _build(self, view: View[Any, Any]) -> None:
        self.stop()
        self._remember()
        if self._body is not None:
            self._layout.removeWidget(self._body)
            self._body.hide()
            self._body.deleteLater()
        self.rows = {}
        self._advanced = None
        plain, more = QWidget(), QWidget()
        plain_rows, more_rows = QVBoxLayout(plain), QVBoxLayout(more)
        for rows in (plain_rows, more_rows):
            rows.setContentsMargins(0, 0, 0, 0)
            rows.setSpacing(UNIT * 2)
        for parameter in parameters(view.Params):
            row = ParameterRow(parameter)
            row.edited.connect(self._edited)
            if isinstance(row.editor, TruthEditor):
                row.editor.chosen.connect(self.truth_chosen)
                row.editor.wanted.connect(self.truth_wanted)
            self.rows[parameter.name] = row
            (more_rows if parameter.meta.advanced else plain_rows).addWidget(row)
        body = QWidget()
        layout = QVBoxLayout(body)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(UNIT * 2)
        layout.addWidget(plain)
        plain.setVisible(plain_rows.count() > 0)
        if more_rows.count():
            title = self.tr("More settings ({count})").format(count=more_rows.count())
            self._advanced = Fold(title, more, opened=view.name in self._unfolded)
            layout.addWidget(self._advanced)
        else:
            more.deleteLater()
        self._layout.insertWidget(1, body)
        self._body = body
        self.setVisible(bool(self.rows))

    def _remember(self) -> None:
        if self._view is None or self._advanced is None:
            return
        if self._advanced.opened:
            self._unfolded.add(self._view.name)
        else:
            self._unfolded.discard(self._view.name)


def _end(plot: Plot) -> float:
    """The x at which playing the parameter of the plot ends."""
    if plot.stop is not None:
        return plot.stop
    return max(float(curve.x.max(initial=-inf)) for curve in plot.curves)
