"""The inspector: what is shown, how far the work is, what went wrong, settings, explanation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QTimer, Signal
from PySide6.QtWidgets import QVBoxLayout, QWidget

from explorer.core.errors import Incomplete
from explorer.core.runner import Failure, State, Update
from explorer.ui.dialogs.messages import ErrorCard, NoteCard
from explorer.ui.form.form import Form
from explorer.ui.panels.action_buttons import ActionButtons
from explorer.ui.panels.explanation import Explanation
from explorer.ui.panels.progress import JobStrip
from explorer.ui.widgets.lifetime import discard
from explorer.ui.widgets.scrolled import scrolled
from explorer.ui.widgets.small_widgets import UNIT, Fold, Label

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from explorer.engine.view import View
    from explorer.ui.dialogs.messages import Way


class Inspector(QWidget):
    """Header, job strip, messages, notes, form, actions and explanation, in a column that scrolls.

    Signals:
        cancel_requested: The running computation is to be canceled.
        background_requested: It is to be completed in the background.
        pause_toggled: True = pause the job, False = resume it.
    """

    cancel_requested = Signal()
    background_requested = Signal()
    pause_toggled = Signal(bool)

    def __init__(self) -> None:
        super().__init__()
        self._view: View[Any, Any] | None = None
        self._stays = False
        self._form = Form()
        self.strip = JobStrip()
        self.strip.hide()  # until there is a view; from then on its place is kept
        self.strip.cancel_requested.connect(self.cancel_requested)
        self.strip.background_requested.connect(self.background_requested)
        self.strip.pause_toggled.connect(self.pause_toggled)
        self.error = ErrorCard()
        self.title = Label(self.tr("Nothing to show yet"), factor=1.35, bold=True)
        self.reference = Label(quiet=True, factor=0.92)
        self.reference.hide()
        self.action_buttons = ActionButtons()
        self._notes = QVBoxLayout()
        self._notes.setSpacing(UNIT)
        self.explanation = Explanation()
        self.about = Fold(self.tr("What you see"), self.explanation, opened=True)
        self.about.hide()

        head = QVBoxLayout()
        head.setSpacing(UNIT // 2)
        head.addWidget(self.title)
        head.addWidget(self.reference)
        column = QWidget()
        layout = QVBoxLayout(column)
        layout.setContentsMargins(UNIT * 2, UNIT * 2, UNIT * 2, UNIT * 2)
        layout.setSpacing(UNIT * 2)
        layout.addLayout(head)
        layout.addWidget(self.strip)
        layout.addWidget(self.error)
        layout.addLayout(self._notes)
        layout.addWidget(self._form)
        layout.addWidget(self.action_buttons)
        layout.addWidget(self.about)
        layout.addStretch(1)

        self._scroll = scrolled(column)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.addWidget(self._scroll)
        self.setMinimumWidth(260)

    @property
    def form(self) -> Form:
        return self._form

    def set_view(self, view: View[Any, Any]) -> None:
        """Shows what belongs to `view`; the form is filled by `form.set_view`."""
        if view is self._view:
            return
        self._view = view
        self.strip.show()
        self.strip.can_leave = view.keeps
        self.title.setText(view.title)
        self.reference.setText(view.reference)
        self.reference.setVisible(bool(view.reference))
        self.action_buttons.set_actions(view.actions)
        self.explanation.show_markdown(view.explanation)
        self.about.setVisible(bool(view.explanation))
        self.clear_message()
        self.strip.clear()

    def set_update(self, update: Update, can_pause: bool) -> None:
        """Shows how far a job is; a failure shows its error, a good value clears the last one."""
        failure: Failure | None = update.failure if update.state is State.FAILED else None
        if failure is not None and failure.about == Incomplete.ABOUT:
            self.strip.clear()
            self._stays = False
            self.error.set_error(failure.message, failure.hint, "", kind="info")
            return
        self.strip.set_update(update, can_pause)
        if failure is not None:
            self.show_error(failure.message, failure.hint, failure.details)
        elif update.state in (State.DONE, State.RUNNING) and update.value is not None:
            self.clear_message()

    def set_waiting(self, note: str, can_pause: bool = False) -> None:
        """A job was submitted and has sent no update yet."""
        self.strip.show()
        self.strip.set_waiting(note, can_pause)

    def show_error(
        self,
        message: str,
        hint: str = "",
        details: str = "",
        ways: Sequence[Way] = (),
        *,
        stays: bool = False,
    ) -> None:
        """Shows what went wrong.

        Args:
            message: One sentence.
            hint: What can be done.
            details: For a report.
            ways: Buttons that lead out of it.
            stays: It is not about what is shown (a photo or a network that cannot be had): a
                good result does not settle it, `settle` does.
        """
        self._stays = stays
        self.error.set_error(message, hint, details, ways)
        QTimer.singleShot(0, self, self._see_error)  # when it has got its place

    def _see_error(self) -> None:
        self._scroll.ensureWidgetVisible(self.error)

    def clear_message(self) -> None:
        """Something else is shown, or the result is there."""
        if not self._stays:
            self.error.hide()

    def settle(self) -> None:
        """Another photo or network was chosen: earlier messages are no longer true."""
        self._stays = False
        self.error.hide()

    def set_notes(
        self, notes: tuple[str, ...], ways: Mapping[str, Sequence[Way]] | None = None
    ) -> None:
        """Sentences that must not be missed; the same ones leave everything as it is.

        Args:
            notes: The sentences.
            ways: For some of them the buttons below.
        """
        if notes == self.notes:
            return
        for card in self.cards():
            self._notes.removeWidget(card)
            discard(card)
        for note in notes:
            self._notes.addWidget(NoteCard(note, (ways or {}).get(note, ())))

    @property
    def notes(self) -> tuple[str, ...]:
        return tuple(card.note for card in self.cards())

    def cards(self) -> list[NoteCard]:
        items = (self._notes.itemAt(row) for row in range(self._notes.count()))
        cards = (item.widget() for item in items if item is not None)
        return [card for card in cards if isinstance(card, NoteCard)]
