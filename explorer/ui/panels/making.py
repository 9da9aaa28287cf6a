"""Networks that are made here: a view's actions make them, the network panel looks after them."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, Signal
from PySide6.QtWidgets import QInputDialog, QMessageBox

from explorer.core.runner import State
from explorer.core.step import Step
from explorer.ui.dialogs.notice import Notice
from explorer.ui.dialogs.save_folder import ask_save_place
from explorer.ui.jobs.background import Phase
from explorer.ui.shell.bridge import is_over
from explorer.ui.widgets.lifetime import discard

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from explorer.core.runner import Update
    from explorer.core.unavailable import Unavailable
    from explorer.engine.actions import Made
    from explorer.networks.entry import Entry
    from explorer.ui.shell.desk import Panels

LIST, CHANGE, EXPORT = "networks-list", "networks-change", "networks-export"


class Making(QObject):
    """Runs actions, lists what they made, and renames, exports and deletes it.

    Signals:
        report_wanted: What is shown is to be saved as a report.
    """

    report_wanted = Signal()

    def __init__(self, panels: Panels) -> None:
        super().__init__(panels.main)
        self._panels = panels
        self.running = self._complete = False
        self._then: Callable[[], None] | None = None
        self.dialog: QInputDialog | QMessageBox | None = None
        panels.study.made.connect(self._made)
        panels.study.subject_changed.connect(self.refresh)
        panels.study.board_changed.connect(self._board_changed)
        panels.jobs.ended.connect(self._job_ended)
        panels.inspector.action_buttons.chosen.connect(self.act)
        panels.networks.opened.connect(self.complete)
        panels.networks.panel.rename_wanted.connect(self.ask_title)
        panels.networks.panel.export_wanted.connect(self.ask_place)
        panels.networks.panel.delete_wanted.connect(self.ask_delete)

    # -- actions ----------------------------------------------------------------------------------

    def refresh(self) -> None:
        """The buttons can be pressed when there is an answer, and one at a time."""
        ready = self._panels.study.board is not None and not self.running
        self._panels.inspector.action_buttons.set_ready(ready)

    def _board_changed(self, _board: object) -> None:
        self.refresh()

    def act(self, name: str) -> None:
        """Runs the action `name` of the view on what is shown."""
        study = self._panels.study
        if self.running or study.view is None:
            return
        action = next((one for one in study.view.actions if one.name == name), None)
        if action is not None and action.report:
            self.report_wanted.emit()
            return
        if action is not None and action.run is None:
            study.begin_job()
            return
        if action is None or not study.act(action, self._acted):
            return
        self.running = True
        self._panels.inspector.set_waiting(action.title)
        self.refresh()

    def _acted(self, update: Update) -> None:
        self._panels.inspector.set_update(update, False)
        if not is_over(update):
            return
        self.running = False
        self.refresh()
        answer = update.value
        if update.state is State.DONE and answer is not None:
            self._panels.study.look()  # it may have changed what the view shows
            self._made(answer.made)  # the newest job goes first: a training would be in front of it

    def _job_ended(self, job_id: str) -> None:
        """A background job may have made a network, whatever is shown."""
        found = self._panels.jobs.find(job_id)
        name = getattr(found.value, "made", "") if found is not None else ""
        if found is not None and name and found.phase is Phase.DONE:
            from explorer.engine.actions import Made

            self._made((Made(name, found.value.made_title),))

    def _made(self, made: tuple[Made, ...]) -> None:
        if not made:
            return
        newest = made[-1]
        self._list(partial(self._tell, newest))

    def _tell(self, made: Made) -> None:
        if made.use:
            self._panels.study.use(made.name)
            return
        text = self.tr("{title} was added to the networks, under Made here.")
        use = ((self.tr("Use it"), partial(self._panels.study.use, made.name)),)
        self._panels.notices.show_notice(Notice(text.format(title=made.title), actions=use))

    def complete(self) -> None:
        """Lists the networks of timm where that was never done: it takes seconds."""
        if self._complete or self._panels.study.ready is None:
            return
        self._complete = True

        def job() -> Generator[Step[Any], Any, None]:
            from explorer.networks import catalog
            from explorer.networks.external import timm_models

            if timm_models.installed() and not timm_models.is_listed():
                yield Step((catalog.entries(timm=True), catalog.unavailable()))

        self._panels.bridge.work(LIST, lambda _: job(), self._listed)

    # -- the catalog ----------------------------------------------------------------------------

    def _list(self, then: Callable[[], None] | None = None) -> None:
        """Reads the catalog again, then does what is to be done with it."""

        def job() -> Generator[Step[Any], Any, None]:
            from explorer.networks import catalog
            from explorer.networks.external import timm_models

            # Where nobody asked for timm's yet, listing them would take seconds here.
            yield Step((catalog.entries(timm=timm_models.is_listed()), catalog.unavailable()))

        self._then = then
        self._panels.bridge.work(LIST, lambda _: job(), self._listed)

    def _listed(self, update: Update) -> None:
        ready = self._panels.study.ready
        if update.state is not State.DONE or ready is None or update.value is None:
            return
        entries: tuple[Entry, ...]
        unavailable: tuple[Unavailable, ...]
        entries, unavailable = update.value
        self._panels.study.set_ready(
            replace(ready, entries=entries, unavailable_networks=unavailable)
        )
        self._panels.networks.set_entries(entries, unavailable)
        then, self._then = self._then, None
        if then is not None:
            then()

    # -- the network panel ------------------------------------------------------------------------

    def ask_title(self, name: str) -> None:
        """Asks for another title of the network `name`."""
        dialog = QInputDialog(self._panels.main)
        dialog.setWindowTitle(self.tr("Rename a network"))
        words = self.tr("Title (on the command line it stays {name}):")
        dialog.setLabelText(words.format(name=name))
        dialog.setTextValue(self._title(name))
        dialog.setOkButtonText(self.tr("Rename"))
        dialog.setMinimumWidth(420)
        dialog.textValueSelected.connect(partial(self._rename, name))
        dialog.finished.connect(self._answered)
        dialog.open()
        self.dialog = dialog

    def _answered(self, _result: int) -> None:
        if self.dialog is not None:
            discard(self.dialog)
            self.dialog = None

    def ask_delete(self, name: str) -> None:
        """Asks whether the network `name` is to be deleted."""
        words = self.tr("Delete {title}? This cannot be undone.")
        box = QMessageBox(
            QMessageBox.Icon.Warning,
            self.tr("Delete a network"),
            words.format(title=self._title(name)),
            QMessageBox.StandardButton.Cancel,
            self._panels.main,
        )
        delete = box.addButton(self.tr("Delete"), QMessageBox.ButtonRole.DestructiveRole)
        box.setDefaultButton(QMessageBox.StandardButton.Cancel)
        delete.clicked.connect(partial(self._delete, name))
        box.finished.connect(self._answered)
        box.open()
        self.dialog = box

    def ask_place(self, name: str) -> None:
        """Asks where the network `name` is to be written."""
        kinds = f"{self.tr('Weights')} (*.safetensors)"
        title = self.tr("Export a network")
        path, _ = ask_save_place(self._panels, title, f"{name}.safetensors", kinds)
        if path:
            self.export(name, Path(path))

    def export(self, name: str, place: Path) -> None:
        """Writes the weights to `place` and the card beside."""

        def job() -> Generator[Step[Any], Any, None]:
            from explorer.networks import made

            yield Step(made.export(name, place))

        self._panels.bridge.fetch(EXPORT, lambda _: job(), self._exported)

    def _exported(self, update: Update) -> None:
        if update.failure is not None:
            self._complain(update)
        elif update.state is State.DONE:
            weights, card = update.value
            words = self.tr("Saved as {weights}, with its card {card} beside.")
            self._panels.notices.say(words.format(weights=weights, card=card.name))

    def _rename(self, name: str, title: str) -> None:
        def change() -> None:
            from explorer.networks import made

            made.rename(name, title)

        self._change(change)

    def _delete(self, name: str, _checked: bool = False) -> None:
        def change() -> None:
            from explorer.networks import made

            made.delete(name)

        self._change(change)

    def _change(self, change: Callable[[], None]) -> None:
        def job() -> Generator[Step[None], Any, None]:
            change()
            yield Step(None)

        self._panels.bridge.work(CHANGE, lambda _: job(), self._changed)

    def _changed(self, update: Update) -> None:
        if update.failure is not None:
            self._complain(update)
        if is_over(update):
            self._list()

    def _complain(self, update: Update) -> None:
        failure = update.failure
        assert failure is not None
        words = f"{failure.message} {failure.hint}".strip()
        self._panels.notices.say(words, "error", details=failure.details, seconds=0)

    def _title(self, name: str) -> str:
        ready = self._panels.study.ready
        entries = ready.entries if ready is not None else ()
        return next((entry.title for entry in entries if entry.name == name), name)
