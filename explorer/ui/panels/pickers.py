"""The two questions of the window: which view, of which network."""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QSize, Signal
from PySide6.QtWidgets import QHBoxLayout, QWidget

from explorer.ui.panels.network_words import state_words
from explorer.ui.panels.picker_button import PickerButton, Popup
from explorer.ui.widgets.small_widgets import UNIT

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from explorer.core.network_info import NetworkInfo, NetworkSpec
    from explorer.core.unavailable import Unavailable
    from explorer.engine.view import View
    from explorer.networks.entry import Entry
    from explorer.ui.panels.network_panel import NetworkPanel
    from explorer.ui.panels.view_panel import ViewPanel


class ViewPicker(QWidget):
    """A button with the present view; its pop-up lists them all.

    Signals:
        chosen: A view's name.
    """

    chosen = Signal(str)

    def __init__(self) -> None:
        super().__init__()
        self._titles: dict[str, str] = {}
        self.button = PickerButton("view")
        self.button.show_choice(self.tr("Choose a view"))
        self.button.setAccessibleName(self.tr("View"))
        self.button.clicked.connect(self.open)
        _only(self, self.button)

    @cached_property
    def panel(self) -> ViewPanel:
        """The list in the pop-up; hidden at first."""
        from explorer.ui.panels.view_panel import ViewPanel

        panel = ViewPanel()
        panel.chosen.connect(self._choose)
        self.popup = Popup(self, panel)
        return panel

    def set_views(
        self, views: Sequence[View[Any, Any]], unavailable: Sequence[Unavailable] = ()
    ) -> None:
        self._titles = {view.name: view.title for view in views}
        self.panel.set_views(views, unavailable)

    def set_current(self, name: str) -> None:
        """Shows `name` as the present view; emits nothing."""
        self.panel.set_current(name)
        title = self._titles.get(name, name)
        self.button.show_choice(title)
        self.button.setToolTip(self.tr("View: {title}").format(title=title))

    def set_companions(self, companions: Mapping[str, str]) -> None:
        self.panel.set_companions(companions)

    def set_recent(self, names: Sequence[str]) -> None:
        self.panel.set_recent(names)

    def open(self) -> None:
        """Opens the pop-up under the button."""
        self.panel.cards.search.clear()
        self.panel.cards.point_at(self.panel.cards.model.current)
        self.popup.open_at(self.button, QSize(400, 520))

    def _choose(self, name: str) -> None:
        self.popup.hide()
        self.chosen.emit(name)


class NetworkPicker(QWidget):
    """A button with the present network and the state of its weights; its pop-up is the catalog.

    Signals:
        opened: The catalog is shown.
        chosen: A NetworkSpec.
        checkpoint_wanted: The name of the entry that a file is to be loaded onto.
        classes_wanted: The checkpoint in use is to get other class names.
    """

    opened = Signal()
    chosen = Signal(object)
    checkpoint_wanted = Signal(str)
    classes_wanted = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.button = PickerButton("network")
        self.button.show_choice(self.tr("Choose a network"))
        self.button.setAccessibleName(self.tr("Network"))
        self.button.clicked.connect(self.open)
        _only(self, self.button)

    @cached_property
    def panel(self) -> NetworkPanel:
        """The catalog in the pop-up; hidden at first."""
        from explorer.ui.panels.network_panel import NetworkPanel

        panel = NetworkPanel()
        panel.chosen.connect(self._choose)
        panel.adjusted.connect(self._adjust)
        panel.checkpoint_wanted.connect(self._want)
        panel.classes_wanted.connect(self._want_classes)
        for wanted in (
            panel.rename_wanted, panel.export_wanted, panel.delete_wanted, panel.answers_wanted,
        ):  # fmt: skip
            wanted.connect(self._leave)
        self.popup = Popup(self, panel)
        return panel

    @property
    def spec(self) -> NetworkSpec | None:
        """The present choice."""
        return self.panel.spec

    def set_entries(
        self, entries: Sequence[Entry], unavailable: Sequence[Unavailable] = ()
    ) -> None:
        """The catalog; called again when states have changed (a download is done)."""
        self.panel.set_entries(entries, unavailable)
        self._show()

    def set_devices(self, devices: Sequence[tuple[str, str]]) -> None:
        """Name and title of every device, "auto" first."""
        self.panel.set_devices(devices)

    def set_tasks(self, tasks: frozenset[str], view_title: str = "") -> None:
        """Dims the networks that the current view does not support; empty dims none."""
        self.panel.set_tasks(tasks, view_title)

    def set_spec(self, spec: NetworkSpec) -> None:
        """Shows `spec` as the present choice; emits nothing."""
        self.panel.set_spec(spec)
        self._show()

    def set_info(self, info: NetworkInfo) -> None:
        """Shows what was really loaded: the state of its weights and its device."""
        self.panel.set_info(info)
        self._show()

    def open(self) -> None:
        """Opens the pop-up under the button, unless the view needs no network."""
        if not self.isEnabled():
            return  # the pop-up would be disabled as well
        self.panel.prepare()
        self.popup.open_at(self.button, QSize(440, 640))
        self.opened.emit()

    def _leave(self, _name: str) -> None:
        self.popup.hide()  # what follows is asked in a dialog

    def _show(self) -> None:
        spec = self.panel.spec
        if spec is None:
            return
        title, state, detail = self.panel.summary()
        self.button.show_choice(title, *state_words(self, state))
        self.button.setToolTip(detail)
        self.button.setAccessibleDescription(detail)

    def _choose(self, spec: NetworkSpec) -> None:
        self.popup.hide()
        self._adjust(spec)

    def _adjust(self, spec: NetworkSpec) -> None:
        self.set_spec(replace(spec))
        self.chosen.emit(spec)

    def _want(self, name: str) -> None:
        self.popup.hide()
        self.checkpoint_wanted.emit(name)

    def _want_classes(self) -> None:
        self.popup.hide()
        self.classes_wanted.emit()


def _only(owner: QWidget, child: QWidget) -> None:
    layout = QHBoxLayout(owner)
    layout.setContentsMargins(0, 0, 0, 0)
    layout.setSpacing(UNIT)
    layout.addWidget(child)
    owner.setFocusProxy(child)
