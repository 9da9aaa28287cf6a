"""The line under the picture while frames are followed: how the source is, and its controls."""

from __future__ import annotations

from dataclasses import dataclass

from PySide6.QtCore import QCoreApplication, Signal
from PySide6.QtGui import QPainter, QPaintEvent
from PySide6.QtWidgets import QHBoxLayout, QSizePolicy, QVBoxLayout, QWidget

from explorer.live.capture import Phase, Status
from explorer.ui.live.film_bar import FilmBar
from explorer.ui.widgets.small_widgets import UNIT, Dot, IconButton, Label, line_color


@dataclass(frozen=True, slots=True)
class Budget:
    """Where the time of a followed frame goes.

    Attributes:
        captured: Frames a second that the source gives.
        parts: Title of every view and the seconds that it took for the newest frame.
        drawing: Seconds from the newest result to the painted frame.
        shown: Frames a second that were painted with their results.
        age: Seconds from when the frame was complete to when it was painted.
        dropped: Frames that were skipped, because a newer one was there.
        share: Of the network's own input size.
    """

    captured: float
    parts: tuple[tuple[str, float], ...]
    drawing: float
    shown: float
    age: float
    dropped: int
    share: float

    def words(self) -> str:
        """One line."""
        tr = QCoreApplication.translate
        computed = sum(seconds for _, seconds in self.parts)
        said = [tr("Performance", "capture {rate:.0f}/s").format(rate=self.captured)]
        if computed > 0:
            said.append(tr("Performance", "inference {rate:.0f}/s").format(rate=1 / computed))
        said.append(tr("Performance", "display {rate:.1f}/s").format(rate=self.shown))
        end = [
            tr("Performance", "latency {age:.0f} ms").format(age=self.age * 1000),
            tr("Performance", "{count:,} dropped").format(count=self.dropped),
        ]
        if self.share < 1:
            end.append(tr("Performance", "input size {share:.0%}").format(share=self.share))
        return " · ".join([" → ".join(said), *end])

    def brief(self) -> str:
        """What matters most, for a narrow window."""
        words = QCoreApplication.translate(
            "Performance", "display {rate:.1f}/s · latency {age:.0f} ms"
        )
        return words.format(rate=self.shown, age=self.age * 1000)

    def shortest(self) -> str:
        """The same numbers alone."""
        words = QCoreApplication.translate("Performance", "{rate:.1f}/s · {age:.0f} ms")
        return words.format(rate=self.shown, age=self.age * 1000)

    def details(self) -> str:
        """What each number is, and the time of every view."""
        tr = QCoreApplication.translate
        lines = [
            tr("Performance", "Capture: frames per second from the source."),
            tr("Performance", "Inference: frames per second that the views can process:"),
            *(
                tr("Performance", "    {title}: {time:.1f} ms").format(
                    title=title, time=seconds * 1000
                )
                for title, seconds in self.parts
            ),
            tr("Performance", "Drawing: {time:.1f} ms per frame.").format(time=self.drawing * 1000),
            tr("Performance", "Display: frames per second shown with their results."),
            tr("Performance", "Latency: from the captured frame to its result on the screen."),
            tr("Performance", "Dropped: frames skipped for a newer one."),
            tr("Performance", "Input size: {share:.0%} of the network's own.").format(
                share=self.share
            ),
        ]
        return "\n".join(lines)


class LiveBar(QWidget):
    """Shows the state and takes clicks; `Live` acts on them.

    Signals:
        freeze_toggled: True = freeze a frame, False = continue.
        stop_requested: Enough of this source.
    """

    freeze_toggled = Signal(bool)
    stop_requested = Signal()

    def __init__(self, recording: QWidget) -> None:
        super().__init__()
        self.recording = recording
        self.film = FilmBar()
        self.dot = Dot()  # green = live, blue = frozen, amber = there is trouble
        self.title = Label(bold=True)
        self.title.setWordWrap(False)
        self.phase = Label(quiet=True)
        policy = QSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        policy.setHeightForWidth(True)
        self.phase.setSizePolicy(policy)
        self.budget = Label(quiet=True)
        self.budget.setWordWrap(False)
        self.budget.setAccessibleName(self.tr("Frame rates and latency"))
        self.freeze = IconButton("freeze", self.tr("Freeze this frame (F)"))
        self.freeze.setCheckable(True)
        self.freeze.clicked.connect(self.freeze_toggled)
        self.stop = IconButton("close", self.tr("Stop live"))
        self.stop.clicked.connect(self.stop_requested)
        self._lay_out()
        self.set_frozen(False)
        self.hide()

    def _lay_out(self) -> None:
        upper = QHBoxLayout()
        upper.setSpacing(UNIT)
        upper.addWidget(self.dot)
        upper.addWidget(self.title)
        upper.addWidget(self.phase, 1)
        upper.addWidget(self.budget)
        upper.addWidget(self.recording)
        upper.addWidget(self.freeze)
        upper.addWidget(self.stop)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(UNIT * 2, UNIT // 2, UNIT, UNIT // 2)
        layout.setSpacing(UNIT // 2)
        layout.addLayout(upper)
        layout.addWidget(self.film)

    # -- what is said -----------------------------------------------------------------------------

    def begin(self, title: str) -> None:
        """A new source."""
        self.film.begin()
        self.title.setText(title)
        self.title.setMinimumWidth(min(self.title.sizeHint().width(), UNIT * 25))
        self.budget.setText("")
        self.set_frozen(False)
        self.set_status(Status(Phase.OPENING))
        self.show()

    def set_status(self, status: Status) -> None:
        words = {
            Phase.OPENING: self.tr("Opening…"),
            Phase.PAUSED: self.tr("Paused"),
            Phase.ENDED: self.tr("End of film"),
        }.get(status.phase, " ".join(part for part in (status.message, status.hint) if part))
        if self.frozen:
            words = self.tr(
                "Frozen: any view can be used. Drag the slider back in time; F resumes."
            )
        self.phase.setText(words)
        self.phase.setToolTip(words)
        self.budget.setVisible(not self.frozen and not status.message)  # trouble needs the room
        bad = status.phase in (Phase.LOST, Phase.FAILED)
        self.dot.set_kind("warning" if bad else "info" if self.frozen else "good")
        self.film.set_status(status)

    def set_budget(self, budget: Budget | None) -> None:
        """What was measured over the last seconds; None while nothing moves."""
        # The rest of the line: the title, what has a place of its own, and the gaps between.
        others = (self.title, self.recording, self.freeze, self.stop)
        taken = sum(widget.sizeHint().width() + UNIT for widget in others) + 6 * UNIT
        words = ""
        if budget is not None:
            forms = (budget.words(), budget.brief(), budget.shortest())
            fits = (form for form in forms if self._words_width(form) <= self.width() - taken)
            words = next(fits, "")  # too little room for the numbers at all: the tooltip has them
        self.budget.setText(words)
        self.budget.setToolTip(budget.details() if budget is not None else "")

    def _words_width(self, words: str) -> int:
        return self.budget.fontMetrics().horizontalAdvance(words)

    def set_frozen(self, frozen: bool) -> None:
        self.freeze.setChecked(frozen)
        self.freeze.rename(self.tr("Resume (F)") if frozen else self.tr("Freeze this frame (F)"))
        self.budget.setVisible(not frozen)
        self.film.set_frozen(frozen)

    @property
    def frozen(self) -> bool:
        return self.freeze.isChecked()

    def paintEvent(self, event: QPaintEvent) -> None:
        with QPainter(self) as painter:
            painter.setPen(line_color(self.palette()))
            painter.drawLine(0, 0, self.width(), 0)
