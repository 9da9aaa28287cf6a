"""The catalog of networks as a panel: list, details with the weights, device and precision.

Nothing is downloaded from here: the button that names the megabytes emits the choice of those
weights, and only that click does.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import Qt, Signal, SignalInstance
from PySide6.QtWidgets import (
    QButtonGroup,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from explorer.core.network_info import NetworkInfo, NetworkSpec
from explorer.ui.form.choices import Combo
from explorer.ui.panels.cards import CardList, CardRow, unavailable_cards
from explorer.ui.panels.network_words import (
    RANDOM,
    Choice,
    facts,
    metric,
    state_words,
    tasks_in_words,
)
from explorer.ui.widgets.badges import Badge
from explorer.ui.widgets.small_widgets import UNIT, Card, Label, Switch

if TYPE_CHECKING:
    from collections.abc import Sequence

    from explorer.core.unavailable import Unavailable
    from explorer.networks.entry import Entry, WeightsOption


class NetworkPanel(QWidget):
    """See the module.

    Signals:
        chosen: A NetworkSpec: the user asked for this network.
        adjusted: A NetworkSpec: the present network on another device or in another precision.
        checkpoint_wanted: The name of the entry that a file is to be loaded onto.
        classes_wanted: The checkpoint in use is to get other class names.
        answers_wanted: The name of an ONNX file's network, about which is to be asked again.
        rename_wanted: The name of a network that was made here.
        export_wanted: The same.
        delete_wanted: The same.
    """

    chosen = Signal(object)
    adjusted = Signal(object)
    checkpoint_wanted = Signal(str)
    classes_wanted = Signal()
    answers_wanted = Signal(str)
    rename_wanted = Signal(str)
    export_wanted = Signal(str)
    delete_wanted = Signal(str)

    def __init__(self) -> None:
        super().__init__()
        self._entries: dict[str, Entry] = {}
        self._unavailable: tuple[Unavailable, ...] = ()
        self._choices: tuple[Choice, ...] = ()
        self._spec: NetworkSpec | None = None
        self._info: NetworkInfo | None = None
        self._tasks: frozenset[str] = frozenset()
        self._view = ""
        self._task = ""
        self.cards = CardList(self.tr("Search the networks"))
        self.cards.current_changed.connect(self._look_at)
        self.cards.entered.connect(self._enter)
        self._build_tabs()
        self._build_details()
        self._build_foot()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(UNIT)
        layout.addLayout(self._tab_line)
        layout.addWidget(self.cards, 1)
        layout.addWidget(self._details)
        layout.addLayout(self._foot)
        self.setFocusProxy(self.cards)

    @property
    def spec(self) -> NetworkSpec | None:
        return self._spec

    # -- what the picker calls --------------------------------------------------------------------

    def set_entries(
        self, entries: Sequence[Entry], unavailable: Sequence[Unavailable] = ()
    ) -> None:
        self._entries = {entry.name: entry for entry in entries}
        self._unavailable = tuple(unavailable)
        self._fill()

    def set_devices(self, devices: Sequence[tuple[str, str]]) -> None:
        blocked = self.device.blockSignals(True)
        self.device.clear()
        for name, title in devices:
            self.device.addItem(title, name)
        self._show_device()
        self.device.blockSignals(blocked)

    def set_tasks(self, tasks: frozenset[str], view_title: str) -> None:
        if (tasks, view_title) != (self._tasks, self._view):
            self._tasks, self._view = tasks, view_title
            self._fill()

    def set_spec(self, spec: NetworkSpec) -> None:
        self._spec = spec
        self._show_device()
        self.cards.set_current(spec.name)
        self._look_at(self.cards.current_key())

    def set_info(self, info: NetworkInfo) -> None:
        self._info = info
        self._look_at(self.cards.current_key())

    def prepare(self) -> None:
        """The panel is about to be shown: shows the present choice."""
        self.cards.search.clear()
        if self._spec is not None:
            self.cards.point_at(self._spec.name)

    def summary(self) -> tuple[str, str, str]:
        """Title, state and a line with everything, of the present choice."""
        spec = self._spec
        if spec is None:
            return "", "", ""
        entry = self._entries.get(spec.name)
        title = entry.title if entry is not None else spec.name or Path(spec.weights).name
        info = self._info if self._info is not None and self._info.spec == spec else None
        if info is not None:
            title = info.title if entry is None else title
            parts = (title, info.weights_title, info.device, info.dtype)
            return title, info.state, " · ".join(part for part in parts if part)
        choice = next((c for c in self._choices_of(spec.name) if self._is_present(c)), None)
        if choice is None:
            return title, "", title
        return title, choice.state, f"{title} · {choice.title}"

    # -- building ---------------------------------------------------------------------------------

    def _build_tabs(self) -> None:
        self.tabs = QButtonGroup(self)
        self._tab_line = QHBoxLayout()
        self._tab_line.setSpacing(2)
        for number, (task, words) in enumerate(tasks_in_words(self).items()):
            button = QToolButton()
            button.setText(words)
            button.setCheckable(True)
            button.setAutoRaise(True)
            button.setChecked(not task)
            self.tabs.addButton(button, number)
            self._tab_line.addWidget(button)
        self._tab_line.addStretch(1)
        self.tabs.idClicked.connect(self._filter)

    def _build_details(self) -> None:
        self._details = Card()
        self._title = Label(bold=True)
        self._badge = Badge()
        self._summary = Label(quiet=True, factor=0.92)
        self.facts = Label(quiet=True, factor=0.92)
        self.weights = Combo()
        self.weights.setAccessibleName(self.tr("Weights"))
        self.weights.currentIndexChanged.connect(self._show_choice)
        self.use = QPushButton()
        self.use.setDefault(True)
        self.use.clicked.connect(self._use)
        self.checkpoint = QPushButton(self.tr("Open checkpoint…"))
        self.checkpoint.setToolTip(self.tr("Load a .pth, .pt or .safetensors file of this network"))
        self.checkpoint.clicked.connect(self._want_checkpoint)
        self.classes = QPushButton(self.tr("Class names…"))
        self.classes.setToolTip(
            self.tr("Choose a list of names: one a line, a data.yaml or a COCO .json")
        )
        self.classes.clicked.connect(self._want_classes)
        self.answers = QPushButton(self.tr("Change answers…"))
        self.answers.setToolTip(self.tr("Task, class names and preprocessing of this ONNX file"))
        self.answers.clicked.connect(partial(self._want, self.answers_wanted))
        self.rename = QPushButton(self.tr("Rename…"))
        self.export = QPushButton(self.tr("Export…"))
        self.delete = QPushButton(self.tr("Delete…"))
        for button, wanted in (
            (self.rename, self.rename_wanted),
            (self.export, self.export_wanted),
            (self.delete, self.delete_wanted),
        ):
            button.clicked.connect(partial(self._want, wanted))
        self._own = QWidget()
        own = QHBoxLayout(self._own)
        own.setContentsMargins(0, 0, 0, 0)
        own.setSpacing(UNIT)
        for button in (self.rename, self.export, self.delete):
            own.addWidget(button)
        own.addStretch(1)
        head = QHBoxLayout()
        head.addWidget(self._title, 1)
        head.addWidget(self._badge)
        buttons = QHBoxLayout()
        buttons.setSpacing(UNIT)
        buttons.addWidget(self.checkpoint)
        buttons.addWidget(self.answers)
        buttons.addWidget(self.classes)
        buttons.addStretch(1)
        buttons.addWidget(self.use)
        layout = QVBoxLayout(self._details)
        layout.setContentsMargins(UNIT + 4, UNIT + 2, UNIT + 4, UNIT + 4)
        layout.setSpacing(UNIT)
        layout.addLayout(head)
        layout.addWidget(self._summary)
        layout.addWidget(self.weights)
        layout.addWidget(self.facts)
        layout.addWidget(self._own)
        layout.addLayout(buttons)
        self._details.hide()

    def _build_foot(self) -> None:
        self.device = Combo()
        self.device.addItem(self.tr("Automatic"), "auto")
        self.device.setAccessibleName(self.tr("Device"))
        self.device.currentIndexChanged.connect(self._adjust)
        self.half = Switch()
        self.half.setAccessibleName(self.tr("Half precision"))
        self.half.setToolTip(
            self.tr("16-bit floats: faster where supported; results differ slightly.")
        )
        self.half.toggled.connect(self._adjust)
        self._foot = QHBoxLayout()
        self._foot.setSpacing(UNIT)
        self._foot.addWidget(QLabel(self.tr("Device")))
        self._foot.addWidget(self.device, 1)
        self._foot.addSpacing(UNIT)
        self._foot.addWidget(QLabel(self.tr("Half precision")))
        self._foot.addWidget(self.half)

    # -- showing ----------------------------------------------------------------------------------

    def _fill(self) -> None:
        families = {
            "embedded": self.tr("Shipped with the program"),
            "made": self.tr("Made here"),
            "onnx": self.tr("ONNX files"),
            "torchvision": "torchvision",
            "timm": "timm",
            "plugin": self.tr("From plug-ins"),
        }
        suiting, others = [], []
        for entry in self._entries.values():
            if self._task and entry.task != self._task:
                continue
            first = entry.at_hand or (entry.weights[0] if entry.weights else None)
            badge, kind = state_words(self, entry.state, first.megabytes if first else 0.0)
            card = CardRow(
                entry.name,
                families.get(entry.family, entry.family),
                entry.title,
                self._line(entry, first),
                badge,
                kind,
                words=f"{entry.task} {entry.family} {entry.summary}",
            )
            if not self._tasks or entry.task in self._tasks:
                suiting.append(card)
            else:
                others.append(replace(card, group=self._reason(), dim=True))
        dead = () if self._task else unavailable_cards(self, self._unavailable)
        self.cards.set_cards((*suiting, *others, *dead))
        self._look_at(self.cards.current_key())

    def _line(self, entry: Entry, option: WeightsOption | None) -> str:
        """As in: Classification · acc@1 72.2 · 3.5 M weights."""
        parts = [entry.task.capitalize()]
        if option is not None and option.metrics:
            first = next((m for m in option.metrics if m[1] <= 100), option.metrics[0])
            parts.append(metric(*first, short=True))  # rather a score than a number of photos
        if entry.parameters:
            parts.append(self.tr("{count:.1f} M parameters").format(count=entry.parameters / 1e6))
        return " · ".join(parts)

    def _reason(self) -> str:
        return self.tr("Not for {view}, which needs a network for {wanted}").format(
            view=self._view or self.tr("this view"),
            wanted=self.tr(" or ").join(sorted(self._tasks)),
        )

    def _filter(self, number: int) -> None:
        self._task = list(tasks_in_words(self))[number]
        self._fill()

    def _choices_of(self, name: str) -> tuple[Choice, ...]:
        entry = self._entries.get(name)
        if entry is None:
            return ()
        if entry.family == "onnx":  # the file is the network: it has no other weights
            return tuple(
                Choice(option.name, option.title, "local", option.megabytes, option.path)
                for option in entry.weights
            )
        choices = [
            Choice(option.name, option.title, option.state, option.megabytes, facts(option))
            for option in entry.weights
        ]
        choices.append(Choice(RANDOM, self.tr("Random weights"), "untrained"))
        spec = self._spec
        if spec is not None and spec.name == name and spec.weights:
            known = {choice.weights for choice in choices}
            if spec.weights not in known:
                path = spec.weights
                info = self._info if self._info is not None and self._info.spec == spec else None
                title = info.weights_title if info is not None else Path(path).name
                others = info.others if info is not None else ()
                choices[:0] = [
                    Choice(path, title, "local", detail=path),
                    *(Choice(other, Path(other).name, "local", detail=other) for other in others),
                ]
        return tuple(choices)

    def _is_present(self, choice: Choice) -> bool:
        """Whether `choice` is what the present spec means."""
        spec = self._spec
        if spec is None:
            return False
        if spec.weights:
            return spec.weights == choice.weights
        entry = self._entries.get(spec.name)
        at_hand = entry.at_hand if entry is not None else None
        return choice.weights == (at_hand.name if at_hand is not None else RANDOM)

    def _look_at(self, name: str) -> None:
        entry = self._entries.get(name)
        self._details.setVisible(entry is not None)
        if entry is None:
            return
        self._title.setText(entry.title)
        self._summary.setText(entry.summary)
        self._own.setVisible(entry.family == "made")
        self.answers.setVisible(entry.family == "onnx")
        self.checkpoint.setVisible(entry.family != "onnx")
        in_use = self._spec is not None and self._spec.name == name
        self.delete.setEnabled(not in_use)
        hint = self.tr("In use: choose another network first") if in_use else ""
        self.delete.setToolTip(hint)
        self._choices = self._choices_of(name)
        chosen = 0
        present = self._spec is not None and self._spec.name == name
        for row, choice in enumerate(self._choices):
            at_hand = entry.at_hand
            if self._is_present(choice) if present else at_hand and choice.weights == at_hand.name:
                chosen = row
                break
        blocked = self.weights.blockSignals(True)
        self.weights.clear()
        for choice in self._choices:
            word, _ = state_words(self, choice.state, choice.megabytes)
            self.weights.addItem(f"{choice.title}  ·  {word}" if word else choice.title)
        self.weights.setCurrentIndex(chosen)
        self.weights.blockSignals(blocked)
        self._show_choice()

    def _show_choice(self, _row: int = 0) -> None:
        choice = self._choice()
        if choice is None:
            return
        word, kind = state_words(self, choice.state, choice.megabytes)
        self._badge.set(word, kind)
        self.facts.setText(choice.detail)
        self.facts.setVisible(bool(choice.detail))
        spec = self._asked(choice)
        in_use = (
            self._spec is not None and self._spec.name == spec.name and self._is_present(choice)
        )
        asked = self.answers.isVisibleTo(self._details)  # its form has the class names too
        self.classes.setVisible(in_use and choice.state == "local" and not asked)
        self.use.setEnabled(not in_use)
        self.use.setDefault(not in_use)
        if in_use:
            loaded = self._info is not None and self._info.spec == self._spec
            self.use.setText(self.tr("In use") if loaded else self.tr("Chosen"))
        elif choice.state == "download":
            size = f" {choice.megabytes:.0f} MB" if choice.megabytes >= 1 else ""
            self.use.setText(self.tr("Download{size}").format(size=size))
        elif choice.state == "untrained":
            self.use.setText(self.tr("Use random weights"))
        else:
            self.use.setText(self.tr("Use"))

    def _show_device(self) -> None:
        if self._spec is None:
            return
        blocked = self.device.blockSignals(True), self.half.blockSignals(True)
        row = self.device.findData(self._spec.device)
        if row < 0:  # a device that a session remembers and this computer lacks
            self.device.addItem(self._spec.device, self._spec.device)
            row = self.device.count() - 1
        self.device.setCurrentIndex(row)
        self.half.setChecked(self._spec.half)
        self.device.blockSignals(blocked[0])
        self.half.blockSignals(blocked[1])

    # -- choosing ---------------------------------------------------------------------------------

    def _choice(self) -> Choice | None:
        row = self.weights.currentIndex()
        return self._choices[row] if 0 <= row < len(self._choices) else None

    def _asked(self, choice: Choice) -> NetworkSpec:
        device, name = str(self.device.currentData() or "auto"), self.cards.current_key()
        spec = self._spec
        same = spec is not None and (spec.name, spec.weights) == (name, choice.weights)
        classes = spec.classes if spec is not None and same else ""
        return NetworkSpec(name, choice.weights, device, self.half.isChecked(), classes)

    def _use(self) -> None:
        choice = self._choice()
        if choice is not None and self.cards.current_key():
            self.chosen.emit(self._asked(choice))

    def _enter(self, name: str) -> None:
        """Enter or a double click takes a network that is available.

        A download is asked for by its button, to which the keyboard goes: a second Enter.
        """
        self._look_at(name)
        choice = self._choice()
        if choice is not None and choice.state in ("shipped", "cached", "local"):
            self._use()
        elif self.use.isEnabled():
            self.use.setFocus(Qt.FocusReason.TabFocusReason)

    def _want_checkpoint(self) -> None:
        if self.cards.current_key():
            self.checkpoint_wanted.emit(self.cards.current_key())

    def _want_classes(self) -> None:
        self.classes_wanted.emit()

    def _want(self, wanted: SignalInstance, _checked: bool = False) -> None:
        if self.cards.current_key():
            wanted.emit(self.cards.current_key())

    def _adjust(self, _value: object = None) -> None:
        if self._spec is None:
            return
        spec = replace(
            self._spec,
            device=str(self.device.currentData() or "auto"),
            half=self.half.isChecked(),
        )
        if spec != self._spec:
            self.adjusted.emit(spec)
