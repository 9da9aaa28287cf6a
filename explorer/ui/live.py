"""Live: frames of a camera, a film or the built-in scene, followed by whatever view is chosen."""

from __future__ import annotations

import time
from collections import deque
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from PySide6.QtCore import QObject, Qt, QTimer, Signal
from PySide6.QtGui import QAction, QKeySequence
from PySide6.QtWidgets import QFileDialog, QInputDialog, QLineEdit, QMenu

from explorer.image import Image, from_array
from explorer.live.capture import Capture
from explorer.live.opening import PLAYED, film_spec, source_of
from explorer.live.slot import Shot, Slot
from explorer.live.source import SourceSpec
from explorer.runner import State, Update
from explorer.ui.live_bar import Budget, LiveBar
from explorer.view import Step

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from explorer.live.capture import Playback
    from explorer.live.source import Source
    from explorer.ui.window import Window

POLL_MILLISECONDS = 200
CAMERAS = "cameras"
CLOSE_SECONDS = 0.5


class Live(QObject):
    """Owns the source that is read and the slot with its newest frame.

    Signals:
        changed: A source was begun or left.
    """

    changed = Signal()
    _woken = Signal()

    def __init__(self, window: Window, make: Callable[[SourceSpec], Source] = source_of) -> None:
        super().__init__(window)
        self._window, self._make = window, make
        self.bar = LiveBar()
        self.capture: Capture | None = None
        self._spec: SourceSpec | None = None
        self._source: Image | None = None
        self._past: tuple[Shot, ...] = ()
        self._shown: Shot | None = None
        self._unpainted: Shot | None = None
        self._times: deque[float] = deque(maxlen=240)
        self._age = 0.0
        self._menu: QMenu | None = None
        self._before: QAction | None = None
        self._listed: list[QAction] = []
        self._poll = QTimer(self)
        self._poll.setInterval(POLL_MILLISECONDS)
        self._poll.timeout.connect(self._look)
        self._woken.connect(self._look, Qt.ConnectionType.QueuedConnection)
        self.bar.freeze_toggled.connect(self.freeze)
        self.bar.stop_requested.connect(self.leave)
        self.bar.playback_changed.connect(self._play)
        self.bar.sought.connect(self._seek)
        self.bar.stepped.connect(self._step)
        self.bar.rewound.connect(self._rewind)
        window.bridge.updated.connect(self._on_update)
        window.painted.connect(self._painted)

    # -- sources ----------------------------------------------------------------------------------

    def start(self, spec: SourceSpec) -> None:
        """Follows the source of `spec`; the one before is given back first."""
        before = self.capture
        self._end(0.0)
        self._spec = spec
        title = spec.title or self.tr("Built-in scene")
        key = f"live {spec.kind} {spec.where}"
        grey = np.full((480, 640, 3), 40, np.uint8)
        self._source = replace(from_array(grey, title), key=key)
        make = self._make
        self.capture = Capture(lambda: make(spec), Slot(), self._woken.emit, after=before)
        self.bar.begin(title)
        self._times.clear()
        self._poll.start()
        self._keys(live=True)
        self._window.show_live(title)
        self._window.study.follow(self.capture.slot, self._source)
        self.changed.emit()

    def scene(self) -> None:
        self.start(SourceSpec("moving", title=self.tr("Built-in scene")))

    def film(self, path: str) -> None:
        self.start(film_spec(path))

    def film_dialog(self) -> None:
        patterns = " ".join(f"*{suffix}" for suffix in sorted(PLAYED | {".gif"}))
        path, _ = QFileDialog.getOpenFileName(
            self._window, self.tr("Open a film"), "", f"{self.tr('Films')} ({patterns});;* (*)"
        )
        if path:
            self.film(path)

    def address_dialog(self) -> None:
        dialog = QInputDialog(self._window)
        dialog.setWindowTitle(self.tr("Open a network stream"))
        dialog.setLabelText(
            self.tr("Address of a camera or stream (rtsp, http). The program connects to it:")
        )
        dialog.setTextEchoMode(QLineEdit.EchoMode.Normal)
        dialog.setOkButtonText(self.tr("Connect"))
        dialog.setMinimumWidth(480)
        dialog.textValueSelected.connect(self._address)
        dialog.open()
        self._dialog = dialog

    def _address(self, where: str) -> None:
        if where.strip():
            self.start(SourceSpec("address", where.strip(), title=where.strip()))

    def leave(self) -> None:
        """No source any more; the frame that is shown stays as an ordinary picture."""
        if self.capture is None:
            return
        if self._shown is None:
            self._window.leave_live()
        elif not self.bar.frozen:
            self._show(self._shown)
        self._end(0.0)

    def stop_for_photo(self) -> None:
        """A photo was chosen instead."""
        self._end(0.0)

    def stop(self) -> None:
        """Gives the device back; a read that hangs is waited for a moment only."""
        self._end(CLOSE_SECONDS)

    def _end(self, timeout: float) -> None:
        capture, self.capture = self.capture, None
        if capture is None:
            return
        self._poll.stop()
        self.bar.hide()
        self.bar.set_frozen(False)
        self._past, self._shown, self._unpainted = (), None, None
        self._keys(live=False)
        capture.stop(timeout)
        self.changed.emit()

    # -- freezing ---------------------------------------------------------------------------------

    def toggle_freeze(self) -> None:
        if self.capture is not None:
            self.freeze(not self.bar.frozen)

    def freeze(self, frozen: bool) -> None:
        """Stands still on the frame that is shown, for every view; or goes on."""
        if self.capture is None or self._source is None:
            return
        self.bar.set_frozen(frozen)
        if frozen:
            if self.capture.status.duration > 0:
                self.capture.playback = replace(self.bar.playback, paused=True)
            shown = self._shown or self.capture.slot.newest
            past = self.capture.slot.past
            self._past = tuple(s for s in past if shown is None or s.number <= shown.number)
            self._show(shown)
        else:
            self._past = ()
            self.capture.playback = self.bar.playback
            self._window.study.follow(self.capture.slot, self._source)
        self._look()

    def _rewind(self, share: float) -> None:
        if self._past:
            self._show(self._past[round(share * (len(self._past) - 1))])

    def _show(self, shot: Shot | None) -> None:
        if shot is None or self._spec is None or self._source is None:
            return
        words = self.tr("{title}, frame {number}").format(
            title=self._source.name, number=f"{shot.number:,}"
        )
        self._window.setWindowTitle(f"{words} — Convnet Explorer")
        self._window.study.set_image(from_array(shot.pixels, words))

    # -- films ------------------------------------------------------------------------------------

    def _play(self, playback: Playback) -> None:
        if self.capture is not None:
            self.capture.playback = playback

    def _seek(self, position: float) -> None:
        if self.capture is not None:
            self.capture.seek(position)

    def _step(self, frames: int) -> None:
        if self.capture is None or self._shown is None:
            return
        if not self.capture.playback.paused:
            self.bar.toggle_play()
        pace = self.capture.status.pace
        if pace > 0:
            self.capture.seek(self._shown.position + frames / pace)

    # -- news -------------------------------------------------------------------------------------

    def answered(self, answer: Any) -> None:
        """A live answer has been drawn."""
        shot: Shot | None = answer.shot
        if shot is None or shot is self._shown:
            return
        self._shown = self._unpainted = shot

    def _painted(self) -> None:
        shot, self._unpainted = self._unpainted, None
        if shot is not None:
            self._age = shot.age
            self._times.append(time.perf_counter())

    def _look(self) -> None:
        capture = self.capture
        if capture is None:
            return
        status = capture.status
        self.bar.set_status(status)
        newest = capture.slot.newest
        if self._shown is None and newest is not None and self._source is not None:
            # The network is still loading: the frames themselves are there.
            self._window.study.image = replace(self._source, pixels=newest.pixels)
            self._window.presenter.bare()
        if not self.bar.frozen:
            now = time.perf_counter()
            recent = [t for t in self._times if now - t < 2.0]
            rate = (len(recent) - 1) / (recent[-1] - recent[0]) if len(recent) > 1 else 0.0
            self.bar.set_budget(self._budget(status.rate, rate))

    def _budget(self, captured: float, shown: float) -> Budget:
        study, capture = self._window.study, self.capture
        answer = study.answer
        parts: list[tuple[str, float]] = []
        share = 1.0
        if answer is not None and answer.shot is not None and study.view is not None:
            parts = [(study.view.title, answer.seconds)]
            parts += [(side.view.title, side.seconds) for side in answer.beside]
            share = answer.share
        dropped = capture.slot.dropped if capture is not None else 0
        return Budget(captured, tuple(parts), study.drawing, shown, self._age, dropped, share)

    def _on_update(self, update: Update) -> None:
        if update.key == CAMERAS and update.state is State.DONE and self._menu is not None:
            self._list(update.value or ())
        failed = update.state is State.FAILED and update.failure is not None
        if failed and self._window.study.live and not update.failure.expected:  # type: ignore[union-attr]
            self.leave()

    # -- the menu ---------------------------------------------------------------------------------

    def fill(self, menu: QMenu, before: QAction) -> None:
        """Lists the cameras above `before`, anew each time the menu is opened; a worker looks."""
        self._menu, self._before = menu, before
        menu.aboutToShow.connect(self._find_cameras)
        self._list(None)
        self._keys(live=False)

    def _find_cameras(self) -> None:
        def job() -> Generator[Step[Any], Any, None]:
            from explorer.live.video import cameras

            yield Step(tuple(cameras()))

        self._window.bridge.fetch(CAMERAS, lambda _: job())

    def _list(self, found: tuple[tuple[str, str], ...] | None) -> None:
        assert self._menu is not None
        assert self._before is not None
        for action in self._listed:
            self._menu.removeAction(action)
            action.deleteLater()
        self._listed = []
        for where, name in found or ():
            action = self._menu.addAction(name)
            action.setData(SourceSpec("camera", where, title=name))
            action.triggered.connect(self._camera_chosen)
            self._menu.insertAction(self._before, action)
            self._listed.append(action)
        if not found:
            looks, none = self.tr("Looking for cameras …"), self.tr("No camera found")
            action = self._menu.addAction(looks if found is None else none)
            action.setEnabled(False)
            self._menu.insertAction(self._before, action)
            self._listed.append(action)

    def _camera_chosen(self) -> None:
        action: Any = self.sender()
        self.start(action.data())

    def _keys(self, *, live: bool) -> None:
        # F freezes while there is something to freeze, and fits the picture else.
        actions = self._window.actions_
        for name, keys in (("fit", "" if live else "F"), ("freeze", "F" if live else "")):
            actions[name].setShortcuts([QKeySequence(keys)] if keys else [])
            actions[name].setEnabled(name == "fit" or live)
        actions["leave_live"].setEnabled(live)
