"""The form of a view: made from its Params dataclass, live while a slider moves."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from math import inf, isfinite
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QToolButton, QVBoxLayout, QWidget

from explorer.core.errors import ExplorerError
from explorer.core.params import Effect, Pick, effect_of, parameters, resolved
from explorer.ui.form.around import Around
from explorer.ui.form.editors import editor_for
from explorer.ui.form.places import MaskEditor, PointsEditor
from explorer.ui.form.row import Column, ParameterRow
from explorer.ui.truth.truth_editor import TruthEditor
from explorer.ui.widgets.lifetime import discard
from explorer.ui.widgets.small_widgets import UNIT, Fold, Label

if TYPE_CHECKING:
    from collections.abc import Sequence

    from explorer.core.layers import Plot
    from explorer.core.network_info import NetworkInfo
    from explorer.engine.view import View
    from explorer.ui.board.brush import Brush

POINTED = (Pick.HOVER, Pick.SELECT, Pick.TRUTH)
"""Picks that belong to the moment or to the photo: Reset does not show for them."""


class Form(QWidget):
    """Edits the parameters of one view.

    Signals:
        changed: ``(new params, Effect)``, for every change that the user makes, while dragging too.
        truth_chosen: The index of the ground-truth box that the user has chosen here, or None.
        truth_wanted: "load" or "save": ground truth from or to a file.
        brush_changed: The `Brush` that the user wants to paint with.
        placing_changed: The name of a parameter, and whether clicks are to place its points.
        said: A sentence about something that could not be done.
    """

    changed = Signal(object, object)
    truth_chosen = Signal(object)
    truth_wanted = Signal(str)
    brush_changed = Signal(object)
    placing_changed = Signal(str, bool)
    said = Signal(str)

    def __init__(self) -> None:
        super().__init__()
        self._view: View[Any, Any] | None = None
        self._params: Any = None
        self._defaults: Any = None
        self._info: NetworkInfo | None = None
        self._around = Around()
        self._plain: Column | None = None
        self._more: Column | None = None
        self.rows: dict[str, ParameterRow] = {}
        self._body: QWidget | None = None
        self._advanced: Fold | None = None
        self._unfolded: set[str] = set()
        self._idle: set[str] = set()
        self._heading = Label(self.tr("Settings"), bold=True)
        self._reset = QToolButton()
        self._reset.setText(self.tr("Reset"))
        self._reset.setToolTip(self.tr("Reset all settings to their defaults"))
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

        Choices that the network lacks are replaced by its first ones (see `params`). No signal.
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
        # Ground truth belongs to the photo, not to the settings: a reset must not remove it.
        for name, row in self.rows.items():
            if row.parameter.meta.pick is Pick.TRUTH:
                self._keep(name, getattr(params, name))
            row.show_value(getattr(params, name))
        self._mark_reset()
        self._show_applying()

    def set_around(self, around: Around) -> None:
        """What is there to choose from: photos, networks."""
        if around != self._around:
            self._around = around
            for row in self.rows.values():
                row.set_around(around)

    def show_brush(self, brush: Brush) -> None:
        """The brush as a key on the canvas has changed it; silent."""
        for row in self.rows.values():
            if isinstance(row.editor, MaskEditor):
                row.editor.show_brush(brush)

    def end_placing(self, name: str) -> None:
        """The points of a parameter have been placed."""
        editor = self.rows[name].editor if name in self.rows else None
        if isinstance(editor, PointsEditor):
            editor.end_placing()

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
        """The marker of a plot was dragged: `set_value` with a value that the slider has."""
        if name in self.rows and isfinite(value):
            self.set_value(name, self.rows[name].editor.snapped(value))

    def set_idle(self, names: Sequence[str]) -> None:
        """Leaves out the parameters that change nothing with what is shown."""
        if set(names) != self._idle:
            self._idle = set(names)
            self._show_applying()

    def set_plots(self, plots: Sequence[Plot]) -> None:
        """A parameter that a plot steers plays to the plot's end, not beyond."""
        ends = {plot.steers: _end(plot) for plot in plots if plot.steers and plot.curves}
        stops = {plot.steers: plot.stop for plot in plots if plot.steers}
        for name, row in self.rows.items():
            end = ends.get(name, inf)
            row.editor.ends_at(end if isfinite(end) else None)
            row.editor.stops_at(stops.get(name))

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
        if self.rows[name].parameter.meta.pick is Pick.TRUTH:
            self._keep(name, value)
        self.rows[name].mark(value)
        self._mark_reset()
        self._show_applying()
        self._tell(before)

    def _tell(self, before: Any) -> None:
        effect = effect_of(before, self._params)
        if isinstance(effect, Effect):
            self.changed.emit(self._params, effect)

    def _mark_reset(self) -> None:
        # What the mouse points at or has chosen is no setting.
        now, usual = self._params, self._defaults
        names = [p.name for p in parameters(type(now)) if p.meta.pick not in POINTED]
        self._reset.setVisible(any(getattr(now, n) != getattr(usual, n) for n in names))

    def _build(self, view: View[Any, Any]) -> None:
        self.stop()
        self._remember()
        self._idle = set()
        if self._body is not None:
            for column in (self._plain, self._more):
                if column is not None:  # a field that ends its editing now speaks of another view
                    column.blockSignals(True)
            self._layout.removeWidget(self._body)
            discard(self._body)
        entries = parameters(view.Params)
        self._plain = Column([p for p in entries if not p.meta.advanced], editor_for)
        self._more = Column([p for p in entries if p.meta.advanced], editor_for)
        self.rows = {p.name: (self._plain.rows | self._more.rows)[p.name] for p in entries}
        for column in (self._plain, self._more):
            column.edited.connect(self._edited)
        for row in self.rows.values():
            row.set_around(self._around)
            if isinstance(row.editor, TruthEditor):
                row.editor.chosen.connect(self.truth_chosen)
                row.editor.wanted.connect(self.truth_wanted)
            elif isinstance(row.editor, MaskEditor):
                row.editor.brush_changed.connect(self.brush_changed)
                row.editor.said.connect(self.said)
            elif isinstance(row.editor, PointsEditor):
                row.editor.placing_changed.connect(
                    partial(self.placing_changed.emit, row.parameter.name)
                )
        self._advanced = Fold("", self._more, opened=view.name in self._unfolded)
        body = QWidget()
        layout = QVBoxLayout(body)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(UNIT * 2)
        layout.addWidget(self._plain)
        layout.addWidget(self._advanced)
        self._layout.insertWidget(1, body)
        self._body = body

    def _show_applying(self) -> None:
        """What does not apply to the other settings and this network is not shown."""
        if self._plain is None or self._more is None or self._advanced is None:
            return
        shown = self._plain.show_applying(self._params, self._info, self._idle)
        more = self._more.show_applying(self._params, self._info, self._idle)
        self._more.setVisible(self._advanced.opened)
        self._advanced.rename(self.tr("More settings ({count})").format(count=more))
        self._advanced.setVisible(more > 0)
        self.setVisible(shown + more > 0)

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
