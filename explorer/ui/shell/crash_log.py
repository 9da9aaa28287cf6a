"""Where failures go: a rotating log, a file for native crashes, a quiet notice."""

from __future__ import annotations

import faulthandler
import logging
import logging.handlers
import os
import sys
import threading
import time
import traceback
from contextlib import suppress
from typing import IO, TYPE_CHECKING, Any

from PySide6.QtCore import QMessageLogContext, QObject, QtMsgType, Signal, qInstallMessageHandler

from explorer.core.errors import ExplorerError
from explorer.core.reading import listed
from explorer.core.settings import log_folder

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

log = logging.getLogger(__name__)

MOST_PER_MINUTE = 6
HANG_SECONDS = 30
_LEVELS = {
    QtMsgType.QtDebugMsg: logging.DEBUG,
    QtMsgType.QtInfoMsg: logging.INFO,
    QtMsgType.QtWarningMsg: logging.WARNING,
    QtMsgType.QtCriticalMsg: logging.ERROR,
    QtMsgType.QtFatalMsg: logging.CRITICAL,
}
_HARMLESS = ("propagateSizeHints", "Could not parse application stylesheet")


def log_path() -> Path:
    return log_folder() / "explorer.log"


def start_log() -> logging.Handler | None:
    """Sends the package's log lines to a rotating file; None (and no log) when that cannot be."""
    try:
        log_folder().mkdir(parents=True, exist_ok=True)
        handler = logging.handlers.RotatingFileHandler(
            log_path(), maxBytes=1_000_000, backupCount=3, encoding="utf-8", delay=True
        )
    except OSError:
        return None
    handler.setFormatter(
        logging.Formatter("%(asctime)s %(levelname)s %(threadName)s %(name)s: %(message)s")
    )
    root = logging.getLogger()
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    return handler


class FaultFile:
    """Native crashes and hangs of this process are written to a file that a clean end removes."""

    def __init__(self) -> None:
        self._file: IO[str] | None = None
        self._path = log_folder() / f"fault-{os.getpid()}.txt"

    def start(self) -> None:
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._file = self._path.open("w", encoding="utf-8")
        except OSError as error:
            log.warning("crashes cannot be recorded: %s", error)
            return
        faulthandler.enable(self._file)

    def alive(self) -> None:
        """Called by a timer: when it is not for long, every thread's stack is written down."""
        if self._file is not None:
            faulthandler.dump_traceback_later(HANG_SECONDS, file=self._file)

    def end(self) -> None:
        if self._file is None:
            return
        faulthandler.cancel_dump_traceback_later()
        faulthandler.disable()
        self._file.close()
        self._file = None
        self._path.unlink(missing_ok=True)


def last_crash() -> str:
    """What an earlier run that crashed has written; "" when none did. It is offered only once."""
    text = ""
    for path in listed(log_folder(), "fault-*.txt"):
        if _running(path):
            continue
        with suppress(OSError):
            text = path.read_text("utf-8", "replace")[:100_000] or text
            if path.stat().st_size:
                path.replace(path.with_name("last-crash.txt"))
            else:
                path.unlink()
    return text


def _running(path: Path) -> bool:
    try:
        number = int(path.stem.removeprefix("fault-"))
    except ValueError:
        return True  # not one of ours
    if number == os.getpid():
        return True
    try:
        os.kill(number, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


class ErrorHooks(QObject):
    """The hooks for uncaught exceptions.

    Signals:
        problem: ``(sentence, details)``; at most a few a minute, from any thread.
    """

    problem = Signal(str, str)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._times: list[float] = []
        self._lock = threading.Lock()

    def install(self) -> None:
        """May be called again: libraries that are imported later put hooks of their own there."""
        sys.excepthook = self._uncaught
        threading.excepthook = self._uncaught_in_thread
        qInstallMessageHandler(self._from_qt)

    def uninstall(self) -> None:
        sys.excepthook = sys.__excepthook__
        threading.excepthook = threading.__excepthook__
        qInstallMessageHandler(None)

    def _uncaught(
        self, kind: type[BaseException], error: BaseException, where: TracebackType | None
    ) -> None:
        try:
            if issubclass(kind, KeyboardInterrupt):
                return
            text = "".join(traceback.format_exception(kind, error, where))
            log.error("nobody caught this\n%s", text)
            if isinstance(error, ExplorerError):
                self._tell(str(error), text)
            else:
                words = str(error).strip().splitlines()
                self._tell(words[0] if words else kind.__name__, text)
        except Exception:  # noqa: BLE001 - a failing hook would end the process
            with suppress(Exception):
                sys.__excepthook__(kind, error, where)

    def _uncaught_in_thread(self, args: Any) -> None:
        if args.exc_value is not None:
            self._uncaught(args.exc_type, args.exc_value, args.exc_traceback)

    def _from_qt(self, kind: QtMsgType, context: QMessageLogContext, message: str | None) -> None:
        with suppress(Exception):
            text = message or ""
            level = _LEVELS.get(kind, logging.INFO)
            if any(words in text for words in _HARMLESS):
                level = logging.DEBUG
            logging.getLogger("qt").log(level, "%s", text)
            if kind in (QtMsgType.QtCriticalMsg, QtMsgType.QtFatalMsg):
                self._tell(text, text)

    def _tell(self, sentence: str, details: str) -> None:
        with self._lock:
            now = time.monotonic()
            self._times = [then for then in self._times if now - then < 60.0]
            if len(self._times) >= MOST_PER_MINUTE:
                return
            self._times.append(now)
        self.problem.emit(sentence[:300], details)
