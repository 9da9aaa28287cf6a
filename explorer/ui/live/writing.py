"""Films whose recording was stopped and that are still being encoded: how far, and how they end."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, QTimer

from explorer.ui.dialogs.notice import Notice

if TYPE_CHECKING:
    from explorer.live.recording.recorder import FilmRecorder
    from explorer.live.recording.writer import RecordStatus
    from explorer.ui.shell.desk import Desk

log = logging.getLogger(__name__)

TICK_MILLISECONDS = 200
SHORT_SECONDS = 0.5
"""A film that is written sooner holds up nobody who closes the window."""

CLOSE_SECONDS = 5.0
"""A program that must end at once waits so long, then once more for what is encoded."""


class Writing(QObject):
    """See the module."""

    def __init__(self, desk: Desk) -> None:
        super().__init__(desk.main)
        self._desk = desk
        self._recorders: list[FilmRecorder] = []
        self._notice: Notice | None = None
        self._closing = False  # the window closes when all are written
        self._tick = QTimer(self)
        self._tick.setInterval(TICK_MILLISECONDS)
        self._tick.timeout.connect(self.look)

    def add(self, recorder: FilmRecorder) -> None:
        """It is stopped, or has ended by itself."""
        self._recorders.append(recorder)
        self._tick.start()

    def look(self) -> None:
        """Says how far the films are, and which are written."""
        for recorder in [each for each in self._recorders if each.status.over]:
            self._recorders.remove(recorder)
            self._say(recorder, recorder.status)
        if self._recorders:
            self._show()
            return
        self._tick.stop()
        self._withdraw()
        if self._closing:
            self._closing = False
            self._desk.main.close()

    def cancel(self) -> None:
        """The films end with the last frame that is encoded."""
        for recorder in self._recorders:
            recorder.cancel()

    def may_close(self) -> bool:
        """The user closes the window: False when it will be closed as soon as all is written.

        One who closes it again does not want to wait.
        """
        ends = time.monotonic() + SHORT_SECONDS
        waits = [r for r in self._recorders if not r.wait(max(0.0, ends - time.monotonic()))]
        if not waits or self._closing:
            return True
        self._closing = True
        self._withdraw()
        self._show()
        return False

    def finish(self) -> None:
        """The program ends: what is not written in time is dropped."""
        self._tick.stop()
        self._closing = False
        ends = time.monotonic() + CLOSE_SECONDS
        for recorder in self._recorders:
            if not recorder.wait(max(0.0, ends - time.monotonic())):
                recorder.cancel()
                if not recorder.wait(CLOSE_SECONDS):
                    log.info("%s is still being written", recorder.path)
        self._recorders.clear()

    # -- what is said -----------------------------------------------------------------------------

    def _show(self) -> None:
        all_of_them = [recorder.status for recorder in self._recorders]
        words = self.tr("Writing the film: {encoded:,} of {frames:,} frames.").format(
            encoded=sum(status.encoded for status in all_of_them),
            frames=sum(status.frames for status in all_of_them),
        )
        if self._closing:
            words += " " + self.tr("The window closes when it is done.")
        if self._notice is not None:
            self._desk.notices.reword(self._notice, words)
            return
        actions = [(self.tr("Cancel"), self.cancel)]
        if self._closing:
            actions = [(self.tr("Keep open"), self._stay), (self.tr("Close now"), self.cancel)]
        self._notice = Notice(words, "info", "", tuple(actions))
        self._desk.notices.show_notice(self._notice)

    def _stay(self) -> None:
        self._closing = False
        self._withdraw()
        self._show()

    def _withdraw(self) -> None:
        notice, self._notice = self._notice, None
        if notice is not None:
            self._desk.notices.withdraw(notice)

    def _say(self, recorder: FilmRecorder, status: RecordStatus) -> None:
        if status.problem is not None:
            words = f"{status.problem.message} {status.problem.hint}".strip()
            self._desk.notices.say(words, "error", seconds=12)
            return
        words = self.tr("Recorded {path} with the data of {lines} frames.").format(
            path=recorder.path, lines=f"{status.lines:,}"
        )
        if status.left_out:
            words += " " + self.tr("{count:,} frames were dropped.").format(count=status.left_out)
        self._desk.notices.say(words)
