"""The one crossing between the window's thread and the worker threads.

Two runners: one for everything that touches torch, one for files and the network (decoding, downloads of
pictures, exports), so that opening a photo never waits for a long forward pass. Torch, the views and the
catalogue are imported by a job on the first one, after the window has been painted.
"""

from __future__ import annotations

import logging
import os
import sys
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, Qt, Signal

from explorer.runner import JobSteps, Runner, State, Token, Update
from explorer.view import Step, View

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Hashable
    from collections.abc import Mapping

    from explorer.engine import Engine
    from explorer.image import Image
    from explorer.networks.entry import Entry
    from explorer.networks.network import NetworkSpec

log = logging.getLogger(__name__)

START = "start"
LOOK = "look"
QUIT_SECONDS = 3.0


@dataclass(frozen=True, slots=True, eq=False)
class Ready:
    """What the start-up job found: plain data that the window may keep."""

    views: Mapping[str, View[Any]]
    entries: tuple[Entry, ...]
    devices: tuple[str, ...]
    defaults: Mapping[str, NetworkSpec]


class Bridge(QObject):
    """Owns the runners; every signal arrives on the window's thread.

    Signals:
        ready: The start-up job's `Ready`.
        updated: The newest `Update` of a job; stale ones never arrive.
    """

    ready = Signal(object)
    updated = Signal(object)
    _news = Signal()

    def __init__(
        self,
        parent: QObject | None = None,
        *,
        start_up: Callable[[], Generator[Step[Any], Any, None]] | None = None,
    ) -> None:
        super().__init__(parent)
        self._start_up = start_up or _start_up
        self._engine: Engine | None = None  # made and touched on the runner's thread only
        self._tickets: dict[Hashable, int] = {}
        self._closed = False
        self._news.connect(self._drain, Qt.ConnectionType.QueuedConnection)
        self._runner = Runner(self._news.emit, "runner")
        self._files = Runner(self._news.emit, "files")

    # -- what the window asks ---------------------------------------------------------------------

    def start(self) -> None:
        """Imports torch, the views and the catalogue; `ready` follows."""
        self._submit(self._runner, START, lambda _: self._start_up())

    def look(self, view: View[Any], spec: NetworkSpec, image: Image, params: Any, seed: int) -> int:
        """Asks for `view` of the network of `spec` on `image`: steps of `engine.Answer` follow."""

        def begin(token: Token) -> JobSteps:
            from explorer.engine import Ask, Engine

            if self._engine is None:
                self._engine = Engine()
            return self._engine.steps(Ask(view, spec, image, params, seed), token)

        return self._submit(self._runner, LOOK, begin)

    def work(self, key: Hashable, begin: Callable[[Token], JobSteps]) -> int:
        """A job that needs torch, on the runner's thread."""
        return self._submit(self._runner, key, begin)

    def fetch(self, key: Hashable, begin: Callable[[Token], JobSteps]) -> int:
        """A job that reads or writes files or addresses, beside whatever the networks do."""
        return self._submit(self._files, key, begin)

    def steer(self, params: Any) -> bool:
        """Hands `params` to the running look; False when none is running."""
        return self._runner.steer(LOOK, params)

    def pause(self, paused: bool) -> bool:
        return self._runner.pause(LOOK, paused)

    def cancel(self, key: Hashable = LOOK) -> bool:
        return self._runner.cancel(key) or self._files.cancel(key)

    @property
    def busy(self) -> bool:
        return self._runner.busy or self._files.busy

    def close(self, timeout: float = QUIT_SECONDS) -> bool:
        """Cancels everything and joins both threads; False when one did not end in time."""
        self._closed = True
        ends = time.monotonic() + timeout
        files = self._files.close(0.0)  # both are asked before either is waited for
        runner = self._runner.close(max(0.0, ends - time.monotonic()))
        files = files or self._files.close(max(0.05, ends - time.monotonic()))
        if not (runner and files):
            log.error("a worker did not end within %.1f s", timeout)
        return runner and files

    # -- what comes back --------------------------------------------------------------------------

    def _submit(self, runner: Runner, key: Hashable, begin: Callable[[Token], JobSteps]) -> int:
        if self._closed:
            return 0
        self._tickets[key] = runner.submit(key, begin)
        return self._tickets[key]

    def _drain(self) -> None:
        assert threading.current_thread() is threading.main_thread()
        for update in (*self._runner.take(), *self._files.take()):
            if self._closed or update.ticket != self._tickets.get(update.key):
                continue
            if update.key == START and update.state is State.DONE:
                self.ready.emit(update.value)
            self.updated.emit(update)


def is_over(update: Update) -> bool:
    """True when no more news of this job will come."""
    return update.state is not State.RUNNING


def _start_up() -> Generator[Step[Any], Any, None]:
    _be_polite()
    yield Step(None, 0, 3, "Loading PyTorch")
    import torch  # noqa: F401 - the long part of the two imports below, told apart for the progress

    yield Step(None, 1, 3, "Loading the networks")
    from explorer.networks import catalogue
    from explorer.views import discover

    yield Step(None, 2, 3, "Finding the views")
    views = discover()
    tasks = ("classification", "detection", "segmentation", "features")
    defaults = {task: catalogue.default_for(task) for task in tasks}
    found = Ready(
        views,
        tuple(catalogue.entries()),
        tuple(catalogue.devices()),
        {task: spec for task, spec in defaults.items() if spec is not None},
    )
    yield Step(found, 3, 3, "")


def _be_polite() -> None:
    """Lets the window's thread go first: on Linux niceness belongs to the thread and its offspring."""
    if sys.platform == "linux":
        try:
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), 5)
        except OSError as error:
            log.info("the worker keeps its priority: %s", error)
