"""Live: frames of a camera, a film or the built-in scene, followed by whatever view is chosen."""

from __future__ import annotations

import time
from collections import deque
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from PySide6.QtCore import QObject, Qt, QTimer, Signal
from PySide6.QtWidgets import QFileDialog

from explorer.core.runner import State, Update
from explorer.images.image import Image, from_array
from explorer.live.capture import Capture, Phase
from explorer.live.opening import PLAYED, film_spec, source_of
from explorer.live.screen import why_not
from explorer.live.slot import Shot, Slot
from explorer.live.source import SourceSpec
from explorer.ui.live.camera_menu import CameraMenu
from explorer.ui.live.live_bar import Budget, LiveBar
from explorer.ui.live.live_runtime import LiveRuntime
from explorer.ui.live.recording import Recording

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from PySide6.QtGui import QAction
    from PySide6.QtWidgets import QMenu

    from explorer.live.capture import Playback
    from explorer.live.source import Source
    from explorer.ui.shell.desk import Desk

POLL_MILLISECONDS = 200
MENU_MILLISECONDS = 250
"""After which an open menu has gone from the screen, and from pictures of it."""
CLOSE_SECONDS = 0.5


class Live(QObject):
    """Owns the source that is read and the slot with its newest frame.

    Attributes:
        make: Opens the source of a spec.
        photo_again: Goes back to the photo that was shown before; False when there is none.
        capture: What is read, or None.
        runtime: What is said of the runtime that computes the frames.

    Signals:
        followed: A source was begun (True) or left.
        film_shown: What is followed is a film that can be played, or no longer.
        previewed: An `Image` of the newest frame, before there is a result.
        gave_up: The source was left before there was any frame.
    """

    followed = Signal(bool)
    film_shown = Signal(bool)
    previewed = Signal(object)
    gave_up = Signal()
    _woken = Signal()

    def __init__(self, desk: Desk, make: Callable[[SourceSpec], Source] = source_of) -> None:
        super().__init__(desk.main)
        self._desk = desk
        self.make = make
        self.photo_again: Callable[[], bool] = bool
        self.recording = Recording(desk)
        self.bar = LiveBar(self.recording.controls)
        self.runtime = LiveRuntime(desk)
        self.capture: Capture | None = None
        self._spec: SourceSpec | None = None
        self._source: Image | None = None
        self._past: tuple[Shot, ...] = ()
        self._shown: Shot | None = None
        self._unpainted: Shot | None = None
        self._times: deque[float] = deque(maxlen=240)
        self._age = 0.0
        self._resting = False
        self._frozen_for_view = False
        self._closed = False
        self._film_shown = False
        self._poll = QTimer(self)
        self._poll.setInterval(POLL_MILLISECONDS)
        self._poll.timeout.connect(self.look)
        self._woken.connect(self.look, Qt.ConnectionType.QueuedConnection)
        self.bar.freeze_toggled.connect(self.freeze)
        self.bar.stop_requested.connect(self.leave)
        self.bar.film.playback_changed.connect(self._play)
        self.bar.film.sought.connect(self._seek)
        self.bar.film.stepped.connect(self._step)
        self.bar.film.rewound.connect(self._rewind)
        desk.study.still_wanted.connect(self._stand_still)
        desk.study.waiting.connect(self._look_again)
        desk.study.news.connect(self._on_news)

    def handlers(self) -> Mapping[str, Callable[..., object]]:
        """The commands that are handled here."""
        film = self.bar.film
        return {
            "live_scene": self.scene,
            "live_film": self.film_dialog,
            "live_address": self.address_dialog,
            "live_screen": self.screen_dialog,
            "freeze": self.toggle_freeze,
            "record": self.recording.toggle,
            "leave_live": self.leave,
            "film_play": film.toggle_play,
            "film_back": film.one_back,
            "film_on": film.one_on,
            "film_in": film.mark_in,
            "film_out": film.mark_out,
            "film_clear": film.clear_marks,
        }

    # -- sources ----------------------------------------------------------------------------------

    def start(self, spec: SourceSpec) -> None:
        """Follows the source of `spec`; the one before is given back first."""
        if self._closed:
            return  # the window has: nothing would release the device
        before = self.capture
        self._end(0.0)
        self._spec = spec
        title = spec.title or self.tr("Built-in scene")
        key = f"live {spec.kind} {spec.where}"
        gray = np.full((480, 640, 3), 40, np.uint8)
        self._source = replace(from_array(gray, title), key=key)
        self.bar.begin(title)
        self._times.clear()
        self._poll.start()
        self.followed.emit(True)
        self._open(before)

    def _open(self, before: Capture | None = None) -> None:
        """Reads the source from now on, when `before` has given its device back."""
        spec, make = self._spec, self.make
        assert spec is not None
        assert self._source is not None
        self.capture = Capture(
            lambda: make(spec), Slot(), self._woken.emit, after=before or self.capture
        )
        self.capture.playback = self.bar.film.playback
        self.recording.capture = self.capture
        self._resting = False
        self._desk.study.follow(self.capture.slot, self._source)

    def scene(self) -> None:
        self.start(SourceSpec("moving", title=self.tr("Built-in scene")))

    def film(self, path: str) -> None:
        self.start(film_spec(path))

    def film_dialog(self) -> None:
        patterns = " ".join(f"*{suffix}" for suffix in sorted(PLAYED | {".gif"}))
        path, _ = QFileDialog.getOpenFileName(
            self._desk.main, self.tr("Open a film"), "", f"{self.tr('Films')} ({patterns});;* (*)"
        )
        if path:
            self.film(path)

    def address_dialog(self) -> None:
        from explorer.ui.dialogs.address import ask_address

        ask_address(
            self._desk.main, self.tr("Open a network stream"),
            self.tr("Address of a camera or stream (rtsp, http):"), self.tr("Connect"),
            self._address,
        )  # fmt: skip

    def screen_dialog(self) -> None:
        """Asks for a part of the screen, on the screen itself; the window stays where it is."""
        reason = why_not()
        if reason:
            self._desk.notices.say(reason, "warning")
            return
        from explorer.ui.dialogs.screen_picker import ScreenPicker

        picker = ScreenPicker(self)
        picker.chosen.connect(self._screen)
        picker.closed.connect(picker.deleteLater)
        self.picker = picker
        QTimer.singleShot(MENU_MILLISECONDS, picker.open)

    def _screen(self, where: str) -> None:
        width, height = where.split(",")[2:]
        title = self.tr("Screen, {width} x {height}").format(width=width, height=height)
        self.start(SourceSpec("screen", where, title=title))

    def _address(self, where: str) -> None:
        if where.strip():
            self.start(SourceSpec("address", where.strip(), title=where.strip()))

    def leave(self) -> None:
        """No source any more: back to the photos; without any the frame that is shown stays."""
        if self.capture is None:
            return
        if self.photo_again():
            return  # choosing a photo has ended it
        if self._shown is None:
            self.gave_up.emit()
        elif not self.bar.frozen:
            self._show(self._shown)
        self._end(0.0)

    def stop_for_photo(self) -> None:
        """A photo was chosen instead."""
        self._end(0.0)

    def may_close(self) -> bool:
        """The window is to be closed: not before a film that was recorded is written."""
        if self.recording.recorder is not None:
            self.leave()
        return self.recording.writing.may_close()

    def stop(self) -> None:
        """Gives the device back for good; a read that hangs is waited for a moment only."""
        self._closed = True
        self._end(CLOSE_SECONDS)
        self.recording.finish()

    def _end(self, timeout: float) -> None:
        capture, self.capture = self.capture, None
        if capture is None:
            return
        self._poll.stop()
        self.recording.stop()
        self.recording.capture = None
        self.bar.hide()
        self.bar.set_frozen(False)
        self._past, self._shown, self._unpainted = (), None, None
        self._resting = self._frozen_for_view = False
        self.runtime.clear()
        self._film_shown = False
        capture.stop(timeout)
        self.followed.emit(False)

    @property
    def shown(self) -> Shot | None:
        """The frame whose result was drawn last."""
        return self._shown

    # -- freezing ---------------------------------------------------------------------------------

    def toggle_freeze(self) -> None:
        if self.capture is not None:
            self.freeze(not self.bar.frozen)

    def freeze(self, frozen: bool) -> None:
        """Freezes the frame that is shown, for every view; or continues."""
        if self.capture is None or self._source is None:
            return
        self.bar.set_frozen(frozen)
        self._frozen_for_view = False
        if frozen:
            if self.capture.status.duration > 0:
                self.capture.playback = replace(self.bar.film.playback, paused=True)
            shown = self._shown or self.capture.slot.newest
            past = self.capture.slot.past
            self._past = tuple(s for s in past if shown is None or s.number <= shown.number)
            self.runtime.compare(self._desk.study.answer)
            self.runtime.clear()
            self._show(shown)
        elif self._resting:
            self._past = ()
            self._open()
        else:
            self._past = ()
            self.capture.playback = self.bar.film.playback
            self._desk.study.follow(self.capture.slot, self._source)
        self.look()

    def _stand_still(self, wanted: bool) -> None:
        """A view that cannot follow frames gets the one that is shown; the next view continues."""
        capture, view = self.capture, self._desk.study.view
        if capture is None or view is None:
            return
        if wanted and not self.bar.frozen and (self._shown or capture.slot.newest):
            self.freeze(True)
            self._frozen_for_view = True
            if capture.status.duration <= 0:  # a film is paused; a camera is given back
                self._rest()
            words = self.tr("{view} does not support films or cameras: it shows this frame.")
            self._desk.notices.say(words.format(view=view.title))
        elif not wanted and self._frozen_for_view:
            self.freeze(False)

    def _rewind(self, share: float) -> None:
        if self._past:
            self._show(self._past[round(share * (len(self._past) - 1))])

    def _show(self, shot: Shot | None) -> None:
        if shot is None or self._spec is None or self._source is None:
            return
        words = self.tr("{title}, frame {number}").format(
            title=self._source.name, number=f"{shot.number:,}"
        )
        self._desk.study.set_image(from_array(shot.pixels, words))

    # -- films ------------------------------------------------------------------------------------

    def _play(self, playback: Playback) -> None:
        if self.capture is not None:
            self.capture.playback = playback

    def _seek(self, position: float) -> None:
        if self.capture is not None:
            self.capture.seek(position)

    def _step(self, frames: int) -> None:
        if self.capture is not None:
            self.capture.step(frames)

    def film_key(self, key: int) -> bool:
        """A key that no part of the window used: True when the film took it."""
        act = {
            Qt.Key.Key_Space: self.bar.film.toggle_play,
            Qt.Key.Key_Home: self.bar.film.to_first,
            Qt.Key.Key_End: self.bar.film.to_last,
        }.get(Qt.Key(key))
        if act is None or self.capture is None or not self.bar.film.film:
            return False
        act()
        return True

    # -- news -------------------------------------------------------------------------------------

    def _answered(self, answer: Any) -> None:
        shot: Shot | None = answer.shot
        if shot is None or shot is self._shown:
            return
        self._shown = self._unpainted = shot
        self.recording.take(answer)
        self.runtime.take(answer)
        self.bar.film.at = shot.position

    def painted(self) -> None:
        """What was waiting to be painted has been: the newest result is on the screen now."""
        shot, self._unpainted = self._unpainted, None
        if shot is not None:
            self._age = shot.age
            self._times.append(time.perf_counter())

    def look(self) -> None:
        """Shows the state of the source and the frame rates; called a few times a second."""
        capture = self.capture
        if capture is None:
            return
        status = capture.status
        if self._resting and not self.bar.frozen:
            words = self.tr("Stopped: no view uses it.")
            hint = self.tr("Choose another view or network, or freeze the last frame.")
            status = replace(status, phase=Phase.STOPPED, message=words, hint=hint)
        self.bar.set_status(status)
        self.recording.look()
        if self.bar.film.film != self._film_shown:
            self._film_shown = self.bar.film.film
            self.film_shown.emit(self._film_shown)
        newest = capture.slot.newest
        if self._shown is None and newest is not None and self._source is not None:
            # The network is still loading: the frames themselves are there.
            self.bar.film.at = newest.position
            self.previewed.emit(replace(self._source, pixels=newest.pixels))
        if status.phase in (Phase.PAUSED, Phase.ENDED):
            self._times.clear()  # what stands still has no rate
            self.bar.set_budget(None)
        elif not self.bar.frozen:
            now = time.perf_counter()
            recent = [t for t in self._times if now - t < 2.0]
            rate = (len(recent) - 1) / (recent[-1] - recent[0]) if len(recent) > 1 else 0.0
            self.bar.set_budget(self._budget(status.rate, rate))

    def _budget(self, captured: float, shown: float) -> Budget:
        study, capture = self._desk.study, self.capture
        answer = study.answer
        parts: list[tuple[str, float]] = []
        share = 1.0
        if answer is not None and answer.shot is not None and study.view is not None:
            parts = [(study.view.title, answer.seconds)]
            parts += [(side.view.title, side.seconds) for side in answer.beside]
            share = answer.share
        dropped = capture.slot.dropped if capture is not None else 0
        return Budget(captured, tuple(parts), study.drawing, shown, self._age, dropped, share)

    def _on_news(self, update: Update) -> None:
        study = self._desk.study
        if not study.live or self.capture is None:
            return
        if update.state is State.RUNNING:
            if study.answer is not None:
                self._answered(study.answer)
        elif update.state is State.CANCELLED:
            self.leave()
        elif update.state is State.FAILED and update.failure is not None:
            if update.failure.expected:
                self._rest()
            else:
                self.leave()

    def _rest(self) -> None:
        """No view follows: the device is released; past frames can still be frozen."""
        if self.capture is not None and not self._resting:
            self._resting = True
            self.recording.stop()
            self.capture.stop(0.0)
            self.look()

    def _look_again(self) -> None:
        """Another view or network is to follow: the source is opened once more."""
        study = self._desk.study
        if self._resting and study.live and study.view is not None and study.view.live:
            self._open()

    # -- the menu ---------------------------------------------------------------------------------

    def fill(self, menu: QMenu, before: QAction) -> None:
        """Lists the cameras above `before`."""
        self.cameras = CameraMenu(self._desk.bridge, menu, before)
        self.cameras.chosen.connect(self.start)
