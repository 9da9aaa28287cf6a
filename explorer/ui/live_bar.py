"""The line under the picture while frames are followed: how the source is, and its controls."""

from __future__ import annotations

from dataclasses import dataclass, replace

from PySide6.QtCore import QCoreApplication, QSize, Qt, Signal
from PySide6.QtGui import QPainter, QPaintEvent
from PySide6.QtWidgets import QHBoxLayout, QLabel, QSizePolicy, QVBoxLayout, QWidget

from explorer.live.capture import Phase, Playback, Status
from explorer.ui.bits import UNIT, IconButton, Label, line_color, tone
from explorer.ui.choices import Combo
from explorer.ui.slider import Slider
from explorer.ui.theme import icon

SPEEDS = (0.25, 0.5, 1.0, 2.0, 4.0)
PLACES = 1000
"""Positions of the sliders."""


@dataclass(frozen=True, slots=True)
class Budget:
    """Where the time of a followed frame goes.

    Attributes:
        captured: Frames a second that the source gives.
        parts: Title of every view and the seconds that it took for the newest frame.
        drawing: Seconds from the newest answer to what is painted.
        shown: Frames a second that were painted with their answers.
        age: Seconds from when the frame was complete to when it was painted.
        dropped: Frames that were left out, because a newer one was there.
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
        said = [tr("Budget", "{rate:.0f} captured").format(rate=self.captured)]
        if computed > 0:
            said.append(tr("Budget", "{rate:.0f} computed").format(rate=1 / computed))
        said.append(tr("Budget", "{rate:.1f} shown /s").format(rate=self.shown))
        end = [
            tr("Budget", "{age:.0f} ms old").format(age=self.age * 1000),
            tr("Budget", "{count:,} left out").format(count=self.dropped),
        ]
        if self.share < 1:
            end.append(tr("Budget", "{share:.0%} of the size").format(share=self.share))
        return " · ".join([" → ".join(said), *end])

    def details(self) -> str:
        """What each number is, and the time of every view."""
        tr = QCoreApplication.translate
        lines = [
            tr("Budget", "Captured: frames a second that the source gives."),
            tr("Budget", "Computed: frames a second that the views could answer:"),
            *(
                tr("Budget", "    {title}: {time:.1f} ms").format(title=title, time=seconds * 1000)
                for title, seconds in self.parts
            ),
            tr("Budget", "Drawing: {time:.1f} ms a frame.").format(time=self.drawing * 1000),
            tr("Budget", "Shown: frames a second that were painted with their answers."),
            tr("Budget", "Age: from the complete frame to its answer on the screen."),
            tr("Budget", "Left out: frames for which a newer one was there."),
        ]
        return "\n".join(lines)


class LiveBar(QWidget):
    """Says and asks; what is done about it is the `Live`'s.

    Signals:
        freeze_toggled: True = stand still on a frame, False = go on.
        stop_requested: Enough of this source.
        playback_changed: The new `Playback` of a film.
        sought: A position in a film, in seconds.
        stepped: So many frames on (or back) from the one that is shown.
        rewound: Share (0 oldest … 1 newest) of the last seconds, while frozen.
    """

    freeze_toggled = Signal(bool)
    stop_requested = Signal()
    playback_changed = Signal(object)
    sought = Signal(float)
    stepped = Signal(int)
    rewound = Signal(float)

    def __init__(self) -> None:
        super().__init__()
        self._duration = 0.0
        self._playback = Playback()
        self.dot = Dot()
        self.title = Label(bold=True)
        self.title.setWordWrap(False)
        self.phase = Label(quiet=True)
        self.phase.setWordWrap(False)
        self.phase.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self.budget = Label(quiet=True)
        self.budget.setWordWrap(False)
        self.budget.setAccessibleName(self.tr("Live budget"))
        self.play = IconButton("pause", self.tr("Pause"))
        self.play.clicked.connect(self.toggle_play)
        self.back = IconButton("previous", self.tr("One frame back"))
        self.back.clicked.connect(self._one_back)
        self.ahead = IconButton("next", self.tr("One frame on"))
        self.ahead.clicked.connect(self._one_on)
        self.place = Slider()
        self.place.setRange(0, PLACES)
        self.place.setAccessibleName(self.tr("Position"))
        self.place.valueChanged.connect(self._place_moved)
        self.time = QLabel()
        self.speed = Combo()
        self.speed.setAccessibleName(self.tr("Speed"))
        for value in SPEEDS:
            self.speed.addItem(f"{value:g}x", value)
        self.speed.setCurrentIndex(SPEEDS.index(1.0))
        self.speed.currentIndexChanged.connect(self._speed_chosen)
        self.loop = IconButton("reset", self.tr("Begin anew at the end"))
        self.loop.setCheckable(True)
        self.loop.setChecked(True)
        self.loop.clicked.connect(self._loop_clicked)
        self.freeze = IconButton("freeze", self.tr("Freeze this frame (F)"))
        self.freeze.setCheckable(True)
        self.freeze.clicked.connect(self.freeze_toggled)
        self.stop = IconButton("close", self.tr("Leave live"))
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
        upper.addWidget(self.freeze)
        upper.addWidget(self.stop)
        lower = QHBoxLayout()
        lower.setSpacing(UNIT // 2)
        for button in (self.play, self.back, self.ahead):
            lower.addWidget(button)
        lower.addWidget(self.place, 1)
        for widget in (self.time, self.speed, self.loop):
            lower.addWidget(widget)
        self._film = QWidget()
        self._film.setLayout(lower)
        lower.setContentsMargins(0, 0, 0, 0)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(UNIT * 2, UNIT // 2, UNIT, UNIT // 2)
        layout.setSpacing(UNIT // 2)
        layout.addLayout(upper)
        layout.addWidget(self._film)

    # -- what is said -----------------------------------------------------------------------------

    def begin(self, title: str) -> None:
        """A new source."""
        self._playback = Playback()
        self._duration = 0.0
        self._show_play()
        self.title.setText(title)
        self.budget.setText("")
        self.loop.setChecked(True)
        self.speed.setCurrentIndex(SPEEDS.index(1.0))
        self.set_frozen(False)
        self.set_status(Status(Phase.OPENING))
        self.show()

    def set_status(self, status: Status) -> None:
        words = {
            Phase.OPENING: self.tr("Opening …"),
            Phase.PAUSED: self.tr("Paused"),
            Phase.ENDED: self.tr("At the end"),
        }.get(status.phase, " ".join(part for part in (status.message, status.hint) if part))
        if self.frozen:
            words = self.tr("Frozen: any view can look at it. Drag back in time; F goes on.")
        self.phase.setText(words)
        self.phase.setToolTip(words)
        bad = status.phase in (Phase.LOST, Phase.FAILED)
        self.dot.set_kind("warning" if bad else "info" if self.frozen else "good")
        if self._duration != status.duration:
            self._duration = status.duration
            self._show_controls()
        if self._duration and not self.frozen and not self.place.isSliderDown():
            self._set_place(status.position / self._duration)
            self._show_time(status.position)

    def set_budget(self, budget: Budget) -> None:
        """What was measured over the last seconds."""
        self.budget.setText(budget.words())
        self.budget.setToolTip(budget.details())

    def set_frozen(self, frozen: bool) -> None:
        self.freeze.setChecked(frozen)
        self.freeze.rename(self.tr("Go on (F)") if frozen else self.tr("Freeze this frame (F)"))
        if frozen:
            self._set_place(1.0)
            self.time.setText("")
        self.budget.setVisible(not frozen)
        self._show_controls()

    @property
    def playback(self) -> Playback:
        """How the film is to be played."""
        return self._playback

    @property
    def frozen(self) -> bool:
        return self.freeze.isChecked()

    # -- what is asked ----------------------------------------------------------------------------

    def toggle_play(self) -> None:
        self._change(replace(self._playback, paused=not self._playback.paused))

    def _one_back(self) -> None:
        self.stepped.emit(-1)

    def _one_on(self) -> None:
        self.stepped.emit(1)

    def _change(self, playback: Playback) -> None:
        self._playback = playback
        self._show_play()
        self.playback_changed.emit(playback)

    def _show_play(self) -> None:
        paused = self._playback.paused
        self.play.setIcon(icon("play" if paused else "pause"))
        self.play.rename(self.tr("Play") if paused else self.tr("Pause"))

    def _speed_chosen(self) -> None:
        speed = self.speed.currentData()
        if speed and speed != self._playback.speed:
            self._change(replace(self._playback, speed=float(speed)))

    def _loop_clicked(self, loop: bool) -> None:
        self._change(replace(self._playback, loop=loop))

    def _place_moved(self, place: int) -> None:
        share = place / PLACES
        if self.frozen:
            self.rewound.emit(share)
        elif self._duration:
            self._show_time(share * self._duration)
            self.sought.emit(share * self._duration)

    def _set_place(self, share: float) -> None:
        blocked = self.place.blockSignals(True)
        self.place.setValue(round(min(max(share, 0.0), 1.0) * PLACES))
        self.place.blockSignals(blocked)

    def _show_time(self, position: float) -> None:
        self.time.setText(f"{_clock(position)} / {_clock(self._duration)}")

    def _show_controls(self) -> None:
        # A frozen camera has the slider too: it goes back in time.
        film = self._duration > 0
        self._film.setVisible(film or self.frozen)
        for widget in (self.play, self.back, self.ahead, self.time, self.speed, self.loop):
            widget.setVisible(film and not self.frozen)

    def paintEvent(self, event: QPaintEvent) -> None:
        with QPainter(self) as painter:
            painter.setPen(line_color(self.palette()))
            painter.drawLine(0, 0, self.width(), 0)


class Dot(QWidget):
    """A small disc: green = live, blue = frozen, amber = there is trouble."""

    def __init__(self) -> None:
        super().__init__()
        self._kind = "good"
        self.setFixedSize(QSize(UNIT + 4, UNIT + 4))

    def set_kind(self, kind: str) -> None:
        if kind != self._kind:
            self._kind = kind
            self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        with QPainter(self) as painter:
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(tone(self._kind, self.palette()))
            painter.drawEllipse(self.rect().adjusted(2, 2, -2, -2))


def _clock(seconds: float) -> str:
    minutes, rest = divmod(max(0.0, seconds), 60)
    return f"{int(minutes)}:{rest:04.1f}"
