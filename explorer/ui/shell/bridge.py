"""The one crossing between the window's thread and the worker threads.

One runner for what touches torch, one for files (decoding, exports), one for addresses: opening
a photo never waits for a long forward pass. Torch, views and catalog are imported by a job
on the first one, after the window has been painted.
"""

from __future__ import annotations

import logging
import sys
import threading
import time
import weakref
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, Qt, Signal
from shiboken6 import isValid

from explorer.core.runner import JobSteps, Runner, State, Token, Update, lower_priority
from explorer.core.step import Step
from explorer.ui.photos.step_film import StepFilm

if TYPE_CHECKING:
    from collections.abc import Generator, Hashable, Mapping

    from explorer.core.network_info import NetworkSpec, Task
    from explorer.core.unavailable import Unavailable
    from explorer.engine.answer import Ask
    from explorer.engine.engine import Engine
    from explorer.engine.view import Action, View
    from explorer.live.pace import Pace
    from explorer.live.slot import Slot
    from explorer.networks.entry import Entry

log = logging.getLogger(__name__)

Receiver = Callable[[Update], object]
"""A bound method of a QObject: it gets the news of the job it was named for, and no other."""

START = "start"
LOOK = "look"
ACT = "act"
TASKS: tuple[Task, ...] = (
    "classification", "localization", "detection", "segmentation", "pose", "features",
)  # fmt: skip
QUIT_SECONDS = 3.0


@dataclass(frozen=True, slots=True, eq=False)
class Ready:
    """What the start-up job found: plain data that the window may keep."""

    views: Mapping[str, View[Any, Any]]
    entries: tuple[Entry, ...]
    devices: tuple[tuple[str, str], ...]
    defaults: Mapping[str, NetworkSpec]
    unavailable: tuple[Unavailable, ...] = ()  # views
    unavailable_networks: tuple[Unavailable, ...] = ()


class Bridge(QObject):
    """Owns the runners; all news arrives on the window's thread.

    Every job is submitted with the receiver of its news: the newest `Update` of the newest job of
    its key, stale ones never. A receiver is not kept alive by its job; when it is gone, its news
    is dropped and the job ends as it would.
    """

    _news = Signal()

    def __init__(
        self,
        parent: QObject | None = None,
        *,
        start_up: Callable[[], Generator[Step[Any], Any, None]] | None = None,
    ) -> None:
        super().__init__(parent)
        self._start_up = start_up or start_up_steps
        self._engine: Engine | None = None  # made and touched on the runner's thread only
        self.step_film = StepFilm(self.fetch, self)
        self._expected: dict[Hashable, tuple[int, weakref.WeakMethod[Receiver]]] = {}
        self._closed = False
        self._news.connect(self._drain, Qt.ConnectionType.QueuedConnection)
        self._runner = Runner(self._news.emit, "runner")
        self._files = Runner(self._news.emit, "files")
        self._web: Runner | None = None

    # -- what the window asks ---------------------------------------------------------------------

    def start(self, receiver: Receiver) -> None:
        """Imports torch, the views and the catalog; its last step is a `Ready`."""
        self._submit(self._runner, START, lambda _: self._start_up(), receiver)

    def look(self, ask: Ask, receiver: Receiver) -> int:
        """Asks the engine: steps of `Answer` follow."""

        def begin(engine: Engine, token: Token) -> JobSteps:
            steps = engine.steps(ask, token)
            return self.step_film.recorded(steps) if ask.view.film else steps

        return self.compute(LOOK, begin, receiver)

    def follow(
        self, ask: Ask, slot: Slot, pace: Pace, receiver: Receiver, *, any_runtime: bool = False
    ) -> int:
        """As `look`, on the newest frame of `slot` again and again; the photo stands for it."""

        def begin(engine: Engine, token: Token) -> JobSteps:
            return engine.follow(ask, slot, token, pace, any_runtime=any_runtime)

        return self.compute(LOOK, begin, receiver, live=True)

    def act(self, ask: Ask, action: Action, receiver: Receiver) -> int:
        """Runs an action of the view on what it shows: steps of `Answer` follow."""

        def begin(engine: Engine, token: Token) -> JobSteps:
            return engine.act(ask, action, token)

        return self.compute(ACT, begin, receiver)

    def compute(
        self,
        key: Hashable,
        begin: Callable[[Engine, Token], JobSteps],
        receiver: Receiver,
        *,
        live: bool = False,
        background: bool = False,
    ) -> int:
        """A job with the networks that are in memory, on the runner's thread."""

        def with_engine(token: Token) -> JobSteps:
            from explorer.engine.engine import Engine

            if self._engine is None:
                self._engine = Engine()
            return begin(self._engine, token)

        return self._submit(
            self._runner, key, with_engine, receiver, live=live, background=background
        )

    def work(self, key: Hashable, begin: Callable[[Token], JobSteps], receiver: Receiver) -> int:
        """A job that needs torch, on the runner's thread."""
        return self._submit(self._runner, key, begin, receiver)

    def fetch(self, key: Hashable, begin: Callable[[Token], JobSteps], receiver: Receiver) -> int:
        """A job that reads or writes files or addresses, beside whatever the networks do."""
        return self._submit(self._files, key, begin, receiver)

    def download(
        self, key: Hashable, begin: Callable[[Token], JobSteps], receiver: Receiver
    ) -> int:
        """A job that may wait for another computer for long, on a runner of its own."""
        if self._web is None and not self._closed:
            self._web = Runner(self._news.emit, "web")
        return self._submit(self._web, key, begin, receiver) if self._web is not None else 0

    def steer(self, params: Any) -> bool:
        """Hands `params` to the running question; False when none is running."""
        return self._runner.steer(LOOK, params)

    def pause(self, paused: bool, key: Hashable = LOOK) -> bool:
        """Stops giving turns to a job of the runner, or resumes; False when there is none."""
        return self._runner.pause(key, paused)

    def cancel(self, key: Hashable = LOOK) -> bool:
        return any(runner.cancel(key) for runner in self._runners)

    def leave(self, key: Hashable = LOOK) -> None:
        """Ends a job whose updates are no longer needed."""
        self._expected.pop(key, None)
        self.cancel(key)

    @property
    def busy(self) -> bool:
        return any(runner.busy for runner in self._runners)

    def close(self, timeout: float = QUIT_SECONDS) -> bool:
        """Cancels everything and joins the threads; False when one did not end in time."""
        self._closed = True
        ends = time.monotonic() + timeout
        for runner in self._runners:  # all are asked before any is waited for
            runner.close(0.0)
        ended = [runner.close(max(0.0, ends - time.monotonic())) for runner in self._runners]
        if not all(ended):
            log.error("a worker did not end within %.1f s", timeout)
        return all(ended)

    @property
    def _runners(self) -> tuple[Runner, ...]:
        known = (self._runner, self._files, self._web)
        return tuple(runner for runner in known if runner is not None)

    # -- what comes back --------------------------------------------------------------------------

    def _submit(
        self,
        runner: Runner,
        key: Hashable,
        begin: Callable[[Token], JobSteps],
        receiver: Receiver,
        *,
        live: bool = False,
        background: bool = False,
    ) -> int:
        if not isinstance(getattr(receiver, "__self__", None), QObject):
            raise TypeError(f"the news of {key!r} needs a bound method of a QObject: {receiver!r}")
        if self._closed:
            return 0
        ticket = runner.submit(key, begin, live=live, background=background)
        self._expected[key] = ticket, weakref.WeakMethod(receiver)
        return ticket

    def _drain(self) -> None:
        assert threading.current_thread() is threading.main_thread()
        for update in [update for runner in self._runners for update in runner.take()]:
            ticket, reference = self._expected.get(update.key, (0, None))
            if self._closed or reference is None or update.ticket != ticket:
                continue
            if is_over(update):  # first: the receiver may well submit the next job of this key
                del self._expected[update.key]
            receiver = reference()
            if receiver is None or not isValid(receiver.__self__):  # type: ignore[attr-defined]
                log.info("nobody is left to hear about %r", update.key)
                continue
            try:
                receiver(update)
            except Exception:  # noqa: BLE001 - one receiver's defect must not cost the others their news
                sys.excepthook(*sys.exc_info())  # as after a slot


def is_over(update: Update) -> bool:
    """True when no more news of this job will come."""
    return update.state is not State.RUNNING


def start_up_steps() -> Generator[Step[Any], Any, None]:
    """Imports torch, the views and the catalog; the last step is a `Ready`."""
    lower_priority()  # the window's thread has priority
    yield Step(None, 0, 3, "Loading PyTorch")
    import torch  # noqa: F401 - the longest part of the imports below

    yield Step(None, 1, 3, "Loading the networks")
    from explorer.core.network_info import NetworkSpec
    from explorer.networks import catalog, devices
    from explorer.networks.external import timm_models
    from explorer.views import survey

    yield Step(None, 2, 3, "Loading the views")
    entries = catalog.entries(timm=timm_models.is_listed())
    defaults: dict[str, NetworkSpec] = {}
    for task in TASKS:
        fitting = [entry for entry in entries if entry.task == task]
        best = catalog.default_for(task) or next(iter(fitting), None)
        if best is not None:
            defaults[task] = NetworkSpec(best.name)
    found = survey()
    ready = Ready(
        found.views, entries, devices.available(), defaults, tuple(found.unavailable),
        catalog.unavailable(),
    )  # fmt: skip
    yield Step(ready, 3, 3)
