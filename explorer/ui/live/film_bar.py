"""The controls of a film: play, step, in and out points, speed; and the way back of a freeze."""

from __future__ import annotations

from dataclasses import replace

from PySide6.QtCore import QPointF, QRectF, Signal
from PySide6.QtGui import QPainter, QPaintEvent, QPalette, QPen
from PySide6.QtWidgets import QHBoxLayout, QLabel, QWidget

from explorer.live.capture import Phase, Playback, Status
from explorer.ui.form.choices import Combo
from explorer.ui.form.slider import Slider
from explorer.ui.widgets.small_widgets import UNIT, IconButton, blend
from explorer.ui.widgets.theme import icon

SPEEDS = (0.25, 0.5, 1.0, 2.0, 4.0)
PLACES = 1000
"""Positions of the slider."""


class FilmBar(QWidget):
    """One line of controls.

    Attributes:
        at: Position of the frame that is on the screen, in seconds; set by what shows it.

    Signals:
        playback_changed: The new `Playback`.
        sought: A position in seconds.
        stepped: This many frames on (or back) from the one that is shown.
        rewound: Share (0 oldest … 1 newest) of the last seconds, while frozen.
    """

    playback_changed = Signal(object)
    sought = Signal(float)
    stepped = Signal(int)
    rewound = Signal(float)

    def __init__(self) -> None:
        super().__init__()
        self._duration = 0.0
        self.at = 0.0
        self._frozen = False
        self._ended = False
        self._playback = Playback()
        self.play = IconButton("pause", self.tr("Pause (Space)"))
        self.play.clicked.connect(self.toggle_play)
        self.back = IconButton("previous", self.tr("Previous frame (,)"))
        self.back.clicked.connect(self.one_back)
        self.ahead = IconButton("next", self.tr("Next frame (.)"))
        self.ahead.clicked.connect(self.one_on)
        self.place = MarkedSlider()
        self.place.setRange(0, PLACES)
        self.place.setAccessibleName(self.tr("Position"))
        self.place.valueChanged.connect(self._place_moved)
        self.time = QLabel()
        self.first = IconButton("mark-in", self.tr("Set the in point (I)"))
        self.first.clicked.connect(self.mark_in)
        self.last = IconButton("mark-out", self.tr("Set the out point (O)"))
        self.last.clicked.connect(self.mark_out)
        self.clear = IconButton("close", self.tr("Clear the in and out points"))
        self.clear.clicked.connect(self.clear_marks)
        self.speed = Combo()
        self.speed.setAccessibleName(self.tr("Speed"))
        self.speed.setMaximumWidth(UNIT * 9)
        for value in SPEEDS:
            self.speed.addItem(f"{value:g}x", value)
        self.speed.setCurrentIndex(SPEEDS.index(1.0))
        self.speed.currentIndexChanged.connect(self._speed_chosen)
        self.loop = IconButton("reset", self.tr("Loop"), checkable=True)
        self.loop.setChecked(True)
        self.loop.clicked.connect(self._loop_clicked)
        line = QHBoxLayout(self)
        line.setContentsMargins(0, 0, 0, 0)
        line.setSpacing(UNIT // 2)
        for button in (self.play, self.back, self.ahead):
            line.addWidget(button)
        line.addWidget(self.place, 1)
        for widget in (self.time, self.first, self.last, self.clear, self.speed, self.loop):
            line.addWidget(widget)
        self._show_controls()

    # -- what is said -----------------------------------------------------------------------------

    def begin(self) -> None:
        """A new source."""
        self._playback = Playback()
        self._duration = self.at = 0.0
        self._ended = self._frozen = False
        self.loop.setChecked(True)
        self.speed.setCurrentIndex(SPEEDS.index(1.0))
        self._show_controls()

    def set_status(self, status: Status) -> None:
        self._ended = status.phase is Phase.ENDED
        if self._duration != status.duration:
            self._duration = status.duration
            self._show_controls()
        self._show_play()
        if self._duration and not self._frozen and not self.place.isSliderDown():
            self._set_place(status.position / self._duration)
            self._show_time(status.position)

    def set_frozen(self, frozen: bool) -> None:
        """The slider goes back in time while the picture stands still."""
        self._frozen = frozen
        if frozen:
            self._set_place(1.0)
        self._show_controls()

    @property
    def film(self) -> bool:
        """There is something to play."""
        return self._duration > 0 and not self._frozen

    @property
    def playback(self) -> Playback:
        """How the film is to be played."""
        return self._playback

    # -- what is asked ----------------------------------------------------------------------------

    def toggle_play(self) -> None:
        paused = not self._playback.paused and not self._ended
        self._change(replace(self._playback, paused=paused))
        if self._ended:
            self.to_first()

    def one_back(self) -> None:
        self._step(-1)

    def one_on(self) -> None:
        self._step(1)

    def to_first(self) -> None:
        """To the in point, which may be the first frame."""
        self.sought.emit(self._playback.first)

    def to_last(self) -> None:
        self.sought.emit(self._playback.last or self._duration)

    def mark_in(self) -> None:
        """The loop begins at the frame that is shown; an out point before it goes."""
        at = self.at
        last = self._playback.last if self._playback.last > at else 0.0
        self._change(replace(self._playback, first=at, last=last))

    def mark_out(self) -> None:
        """The loop ends with the frame that is shown; an in point behind it goes."""
        at = self.at
        first = self._playback.first if self._playback.first < at else 0.0
        self._change(replace(self._playback, first=first, last=at))

    def clear_marks(self) -> None:
        self._change(replace(self._playback, first=0.0, last=0.0))

    def _step(self, frames: int) -> None:
        if not self._playback.paused:
            self._change(replace(self._playback, paused=True))
        self.stepped.emit(frames)

    def _change(self, playback: Playback) -> None:
        self._playback = playback
        self._show_play()
        self._show_marks()
        self.playback_changed.emit(playback)

    def _speed_chosen(self) -> None:
        speed = self.speed.currentData()
        if speed and speed != self._playback.speed:
            self._change(replace(self._playback, speed=float(speed)))

    def _loop_clicked(self, loop: bool) -> None:
        self._change(replace(self._playback, loop=loop))

    def _place_moved(self, place: int) -> None:
        share = place / PLACES
        if self._frozen:
            self.rewound.emit(share)
        elif self._duration:
            self._show_time(share * self._duration)
            self.sought.emit(share * self._duration)

    # -- how it looks -----------------------------------------------------------------------------

    def _set_place(self, share: float) -> None:
        blocked = self.place.blockSignals(True)
        self.place.setValue(round(min(max(share, 0.0), 1.0) * PLACES))
        self.place.blockSignals(blocked)

    def _show_play(self) -> None:
        still = self._playback.paused or self._ended
        self.play.setIcon(icon("play" if still else "pause"))
        self.play.rename(self.tr("Play (Space)") if still else self.tr("Pause (Space)"))

    def _show_marks(self) -> None:
        first, last = self._playback.first, self._playback.last
        marked = self.film and bool(first or last)
        self.clear.setVisible(marked)
        whole = self._duration
        self.place.set_marks((first / whole, (last or whole) / whole) if marked else None)

    def _show_time(self, position: float) -> None:
        self.time.setText(f"{_clock(position)} / {_clock(self._duration)}")

    def _show_controls(self) -> None:
        # A frozen camera has the slider too: it goes back in time.
        self.setVisible(self._duration > 0 or self._frozen)
        for widget in (self.play, self.back, self.ahead, self.time, self.first, self.last,
                       self.speed, self.loop):  # fmt: skip
            widget.setVisible(self.film)
        self._show_marks()
        self._show_play()


class MarkedSlider(Slider):
    """A slider that shows the part between two marks."""

    def __init__(self) -> None:
        super().__init__()
        self.marks: tuple[float, float] | None = None

    def set_marks(self, marks: tuple[float, float] | None) -> None:
        """Shares (0 … 1) of the in and the out point; None = there are none."""
        if marks != self.marks:
            self.marks = marks
            self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        super().paintEvent(event)
        if self.marks is None:
            return
        palette = self.palette()
        color = palette.color(QPalette.ColorRole.WindowText)
        window = palette.color(QPalette.ColorRole.Window)
        half = self._handle().width() / 2
        room = self.width() - 2 * half
        left, right = (half + min(share, 1.0) * room for share in self.marks)
        top, bottom = 1.5, self.height() - 1.5
        with QPainter(self) as painter:
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            shade = blend(window, color, 0.5)
            shade.setAlpha(60)
            painter.fillRect(QRectF(left, top + 2, right - left, bottom - top - 4), shade)
            painter.setPen(QPen(color, 1.6))
            for x, way in ((left, 4.0), (right, -4.0)):
                painter.drawPolyline(
                    [QPointF(x + way, top), QPointF(x, top), QPointF(x, bottom),
                     QPointF(x + way, bottom)]
                )  # fmt: skip


def _clock(seconds: float) -> str:
    minutes, rest = divmod(max(0.0, seconds), 60)
    return f"{int(minutes)}:{rest:04.1f}"
