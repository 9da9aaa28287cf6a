"""Recording what is followed: the button, what it says, and the way to the recorder."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, QStandardPaths, Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QSizePolicy, QWidget

from explorer.core.errors import ExplorerError
from explorer.core.runner import State, Update
from explorer.core.step import Step
from explorer.live.capture import Phase
from explorer.live.recording.recorder import FilmRecorder, Look
from explorer.live.recording.writer import RecordStatus
from explorer.ui.dialogs.export import ExportKind, ExportSheet, Options
from explorer.ui.dialogs.save_folder import ask_save_place
from explorer.ui.live.writing import Writing
from explorer.ui.widgets.small_widgets import UNIT, Dot, IconButton, Label

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping

    from explorer.live.capture import Capture
    from explorer.ui.shell.desk import Desk

RECOVERED = "recovered"
FILMS = "*.mp4"
USUAL_RATE = 25.0
ON_SCREEN = 30.0
"""Frames a second of a film at most: what is drawn comes from a screen."""


class RecordingControls(QWidget):
    """The part of the live bar that is about recording.

    Signals:
        toggled: It is to be begun or ended.
    """

    toggled = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.dot = Dot("error")
        self.words = Label(quiet=True)
        self.words.setWordWrap(False)
        self.words.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Preferred)
        self.words.setAccessibleName(self.tr("Recording"))
        self.button = IconButton("record", self.tr("Record"), checkable=True)
        self.button.clicked.connect(self._clicked)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(UNIT // 2)
        for widget in (self.dot, self.words, self.button):
            layout.addWidget(widget)
        self.show_status(None)

    def _clicked(self) -> None:
        self.toggled.emit()

    def show_status(self, status: RecordStatus | None) -> None:
        """None = nothing is recorded."""
        on = status is not None
        self.dot.setVisible(on)
        self.words.setVisible(on)
        self.button.setChecked(on)
        keys = "Ctrl+Shift+R"
        name = self.tr("Stop recording ({keys})") if on else self.tr("Record ({keys})")
        self.button.rename(name.format(keys=keys))
        if status is None:
            return
        minutes, seconds = divmod(int(status.seconds), 60)
        words = f"{minutes}:{seconds:02d} · {_size(status.bytes)}"
        if status.left_out:
            left_out = self.tr("{count:,} dropped").format(count=status.left_out)
            words = f"{words} · {left_out}"
        self.words.setText(words)
        self.words.setToolTip(
            self.tr(
                "Recorded time, file size, and frames dropped because they could not be drawn in "
                "time."
            )
        )


class Handover:
    """Gives a recorder every frame of a capture once.

    Args:
        capture: What is read.
        last: The number of the newest frame that is not to be recorded any more.
    """

    def __init__(self, capture: Capture | None = None, last: int = -1) -> None:
        self._capture, self._last = capture, last

    def give(self, recorder: FilmRecorder, capture: Capture) -> None:
        """What has come since the last time; what was missed meanwhile is counted as dropped.

        The slot keeps the last seconds: nothing is missed between two looks.
        """
        if capture is not self._capture:  # the source was reopened: its numbers start over
            self._capture, self._last = capture, -1
        for shot in capture.slot.past:
            if shot.number <= self._last:
                continue
            if not recorder.room:
                break  # the next look finds it, unless it is too old by then
            if shot.number > self._last + 1 > 0:
                recorder.leave_out(shot.number - self._last - 1)
            recorder.add(Look(shot))
            self._last = shot.number


class Recording(QObject):
    """Begins, feeds and ends the recording of what is followed.

    Attributes:
        capture: What is followed, or None; set from outside.
    """

    _woken = Signal()

    def __init__(self, desk: Desk) -> None:
        super().__init__(desk.main)
        self._desk = desk
        self.capture: Capture | None = None
        self.controls = RecordingControls()
        self.recorder: FilmRecorder | None = None
        self.writing = Writing(desk)
        self._raw = False
        self._handover = Handover()
        self.controls.toggled.connect(self.toggle)
        self._woken.connect(self._ended, Qt.ConnectionType.QueuedConnection)

    # -- beginning and end ------------------------------------------------------------------------

    def toggle(self) -> None:
        """Asks where to, and begins; or ends."""
        if self.recorder is not None:
            self.stop()
        else:
            self._ask()
        self.show()

    def _ask(self) -> None:
        """What, and how fast; then where to."""
        beside = bool(self._desk.study.beside)
        rate = (round(self._pace()), round(ON_SCREEN))

        def drawn(path: str, options: Options) -> None:
            self.start(path, rate=options.rate, beside=options.beside)

        def raw(path: str, options: Options) -> None:
            self.start(path, raw=True, rate=options.rate)

        kinds = (
            ExportKind(
                self.tr("Frames with results"),
                FILMS,
                drawn,
                rate=rate,
                beside=True if beside else None,
            ),
            ExportKind(self.tr("Source frames"), FILMS, raw, rate=rate),
        )
        self.sheet = ExportSheet(self._desk.main, self.tr("Record"), kinds)
        self.sheet.accepted.connect(self._ask_place)
        self.sheet.closed.connect(self.sheet.deleteLater)
        self.sheet.open(self.sheet.what)

    def _ask_place(self, kind: ExportKind, options: Options) -> None:
        films, title = f"{kind.title} ({FILMS})", self.tr("Record")
        movies = QStandardPaths.writableLocation(QStandardPaths.StandardLocation.MoviesLocation)
        path, _ = ask_save_place(
            self._desk, title, self._name(), films, at_first=movies, strict=True
        )
        if path:
            kind.write(path, options)
        self.show()

    def _pace(self) -> float:
        """Frames a second of what is followed, as far as a screen shows them."""
        capture = self.capture
        if capture is None:
            return USUAL_RATE
        pace = capture.status.pace * capture.playback.speed or capture.status.rate or USUAL_RATE
        return min(max(pace, 1.0), ON_SCREEN)

    def start(self, path: str, *, raw: bool = False, rate: float = 0, beside: bool = False) -> None:
        """Records from now on into `path`, and the data into the same name with .jsonl.

        Args:
            path: Ends in .mp4.
            raw: Source frames, not what is drawn on them.
            rate: Frames a second at most; 0 = those of the source.
            beside: With the views that are shown beside.
        """
        capture = self.capture
        if capture is None:
            return
        self._raw = raw
        newest = capture.slot.newest
        self._handover = Handover(capture, newest.number - 1 if newest is not None else -1)
        self.recorder = FilmRecorder(
            Path(path),
            rate or self._pace(),
            whole=beside,
            notify=self._woken.emit,
        )
        self.show()

    def stop(self) -> None:
        """The film gets its name as soon as everything is written."""
        recorder, self.recorder = self.recorder, None
        if recorder is not None:
            if self._raw and self.capture is not None:
                self._handover.give(recorder, self.capture)
            recorder.stop()
            self.writing.add(recorder)
        self.show()

    def finish(self) -> None:
        """The window is closed."""
        self.stop()
        self.writing.finish()

    # -- what comes -------------------------------------------------------------------------------

    def take(self, answer: Any) -> None:
        """A live result has been drawn."""
        recorder, finished = self.recorder, self._desk.study.finished
        if recorder is None or finished is None:
            return
        board = finished.bare

        def data() -> Mapping[str, Any]:
            return finished.data

        network = answer.info.spec.name if answer.info is not None else ""
        drawn = None if self._raw else board
        recorder.add(Look(answer.shot, not self._raw, drawn, finished.view.name, network, data))

    def look(self) -> None:
        """Now and then while there is a source: its frames, and what is said."""
        if self.recorder is None:
            return
        capture = self.capture
        if self._raw and capture is not None:
            self._handover.give(self.recorder, capture)
        if capture is not None and capture.status.phase is Phase.FAILED:
            self.stop()
        self.show()

    def show(self) -> None:
        status = self.recorder.status if self.recorder is not None else None
        self.controls.show_status(status)

    # -- what is said -----------------------------------------------------------------------------

    def _ended(self) -> None:
        recorder = self.recorder
        if recorder is not None and recorder.status.over:  # it has ended by itself
            self.recorder = None
            self.writing.add(recorder)
            self.show()
        self.writing.look()

    def _name(self) -> str:
        name = datetime.now().astimezone().strftime("%Y-%m-%d %H-%M-%S")  # no colon: Windows
        view = self._desk.study.view
        stem = f"{view.title} {name}" if view is not None else name
        return f"{stem}.mp4"

    # -- what an earlier run has left -------------------------------------------------------------

    def recover(self) -> None:
        """Names what an earlier run that ended in the middle has recorded."""

        def job() -> Generator[Step[Any], Any, None]:
            from explorer.live.recording.unfinished import recover

            yield Step(list(recover()))

        self._desk.bridge.fetch(RECOVERED, lambda _: job(), self._recovered)

    def _recovered(self, update: Update) -> None:
        if update.state is not State.DONE:
            return
        for film, found in update.value or ():
            if isinstance(found, ExplorerError):
                words = f"{found.message} {found.hint}".strip()
                self._desk.notices.say(words, "warning", seconds=0)
            else:
                words = self.tr(
                    "The program closed while recording: {path} has the part recorded before."
                )
                self._desk.notices.say(words.format(path=film), "warning", seconds=0)


def _size(count: int) -> str:
    return f"{count / 1e6:.1f} MB" if count < 1e9 else f"{count / 1e9:.2f} GB"
