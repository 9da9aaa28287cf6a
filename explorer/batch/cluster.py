"""Chunks on a Dask cluster; needs distributed, the extra `cluster`.

Only the names of functions, plain parameters and photos' addresses go to the workers; bytes of
chunks come back, and this process alone writes them. Dask does the chunks of a lost worker again.
"""

from __future__ import annotations

import contextlib
import logging
import signal
import threading
import time
from dataclasses import astuple
from typing import TYPE_CHECKING, Any

from explorer import __version__
from explorer.batch import worker
from explorer.batch.job import Failure, Recipe, digest_of
from explorer.batch.run import Gain
from explorer.core.errors import ExplorerError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from explorer.batch.chunks import Chunk
    from explorer.batch.job import FolderJob
    from explorer.batch.run import Wish
    from explorer.batch.store import Store

LOCAL = "local:"

_AHEAD = 2
"""Chunks for each thread of a worker: one that it computes, one that waits for it."""

_LOOK_SECONDS = 1.0
"""Between two looks at which workers there are."""

_FOR_NETWORKS = {
    "distributed.nanny.pre-spawn-environ.MALLOC_TRIM_THRESHOLD_": None,
    "distributed.worker.profile.enabled": False,
    "distributed.admin.tick.interval": "1s",
    "distributed.admin.system-monitor.interval": "10s",
}
"""Of Dask's settings for the processes here. Its threshold makes every large tensor a new mapping
of memory, whose pages the system clears one by one, which doubles a network's time; its profiler
stops the network every 10 ms, and its monitors look 50 times a second."""

_WAIT_SECONDS = 60.0
"""So long a cluster may be without a worker."""


class Cluster:
    """See `run.BackEnd`.

    Args:
        address: Of a scheduler, "tcp://HOST:8786" or "tls://HOST:8786" with the certificates of
            Dask's own configuration; or "local:N" for N processes here, which listen on the
            loopback interface alone.
        decoders: Threads of each worker that load photos.
    """

    def __init__(self, address: str, decoders: int) -> None:
        self._decoders = decoders
        self._client, self._here = _connected(address)
        self._checked: dict[str, str] = {}
        self._looked = 0.0
        self._good: frozenset[str] = frozenset()
        self._order: worker.Order | None = None

    @property
    def notes(self) -> list[str]:
        """Sentences about workers that get no photos."""
        wrong = {address: its for address, its in self._checked.items() if its != __version__}
        return [
            f"The worker {address} got no photos: it has {its or 'no Convnet Explorer'}, and this "
            f"is version {__version__}."
            for address, its in sorted(wrong.items())
        ]

    def begin(self, wish: Wish) -> tuple[FolderJob, Mapping[str, Any]]:
        """The job for merging, and the settings that a worker has.

        Raises:
            ExplorerError: There is no worker of this version, or it cannot do the job.
        """
        recipe = wish.recipe
        order = worker.Order(recipe.function, recipe.params, wish.chunk, wish.batch, self._decoders)
        self._wait_for_workers()
        asked = self._client.submit(worker.settings, order, workers=sorted(self._good), pure=False)
        # This machine needs no device of the workers' kind: it only merges.
        params = dict(recipe.params)
        if isinstance(params.get("spec"), dict):
            params["spec"] = {**params["spec"], "device": "cpu", "half": False}
        job = Recipe(recipe.function, params).make()
        settings = _answered(asked).settings
        assert settings is not None
        self._order = order._replace(digest=digest_of(settings))
        return job, settings

    def work(
        self,
        job: FolderJob,
        wish: Wish,
        chunks: Iterable[Chunk],
        store: Store,
        stopped: Callable[[], bool],
    ) -> Iterator[Gain]:
        """See `run.BackEnd`."""
        from distributed import wait

        rest, more = iter(chunks), True
        waiting: dict[Any, tuple[Chunk, frozenset[str]]] = {}
        try:
            while True:
                self._look()
                while more and not stopped() and len(waiting) < _AHEAD * self._threads:
                    chunk = next(rest, None)
                    more = chunk is not None
                    if chunk is not None:
                        waiting[self._sent(chunk)] = chunk, self._good
                if not waiting:
                    return
                try:
                    done = wait(list(waiting), _LOOK_SECONDS, "FIRST_COMPLETED").done
                except TimeoutError:
                    done = set()
                for future in done:
                    chunk, _ = waiting.pop(future)
                    if future.status == "cancelled":
                        waiting[self._sent(chunk)] = chunk, self._good
                        continue
                    reply = _answered(future)
                    store.add(chunk, reply.data)
                    yield Gain(len(chunk.photos), tuple(Failure(*each) for each in reply.failures))
                yield Gain()
                for future, (chunk, allowed) in list(waiting.items()):
                    if not allowed & self._good and not future.done():  # its workers are all gone
                        del waiting[future]
                        future.cancel()
                        waiting[self._sent(chunk)] = chunk, self._good
        finally:
            self._client.cancel(list(waiting))

    def close(self) -> None:
        """Leaves the cluster; one that was started here ends."""
        self._client.close()
        if self._here is not None:
            self._here.close()

    # -- inside -----------------------------------------------------------------------------------

    def _sent(self, chunk: Chunk) -> Any:
        photos = [astuple(photo) for photo in chunk.photos]
        return self._client.submit(
            worker.work, self._order, chunk.number, photos, workers=sorted(self._good), pure=False
        )

    def _look(self) -> None:
        """Which workers there are; those of another version get no photos."""
        if time.monotonic() - self._looked < _LOOK_SECONDS and self._good:
            return
        self._wait_for_workers()

    def _wait_for_workers(self) -> None:
        ends = time.monotonic() + _WAIT_SECONDS
        while True:
            there = self._client.nthreads()
            new = [address for address in there if address not in self._checked]
            if new:
                said = self._client.run(worker.version, workers=new, on_error="return")
                self._checked |= {
                    address: its if isinstance(its, str) else "" for address, its in said.items()
                }
            self._good = frozenset(a for a in there if self._checked.get(a) == __version__)
            self._threads = sum(there[address] for address in self._good)
            self._looked = time.monotonic()
            if self._good:
                return
            if there:
                raise ExplorerError(
                    f"No worker of the cluster has Convnet Explorer {__version__}; the first one "
                    f"has {self._checked[min(there)] or 'none'}.",
                    "Install the same version on all workers.",
                )
            if time.monotonic() > ends:
                raise ExplorerError(
                    "The cluster has no workers.", "Start `dask worker` on its machines."
                )
            time.sleep(0.1)  # the scheduler tells nobody that a worker has come: it is asked


def _answered(future: Any) -> worker.Reply:
    """What a worker sent.

    Raises:
        ExplorerError: The problem that it had.
    """
    from distributed import KilledWorker

    try:
        reply: worker.Reply = future.result()
    except KilledWorker as error:
        raise ExplorerError(
            "A chunk ended its worker several times: the photos may need more memory than it has.",
            "Give workers more memory, or choose a smaller batch.",
        ) from error
    if reply.problem:
        raise ExplorerError(reply.problem, reply.hint)
    return reply


def _connected(address: str) -> tuple[Any, Any]:
    """A client, and the cluster that was started here for it."""
    try:
        import dask
        from distributed import Client, LocalCluster
    except ImportError as error:
        raise ExplorerError(
            "A cluster needs the package distributed.", "pip install 'convnet-explorer[cluster]'."
        ) from error
    if address.startswith(LOCAL):
        number = address.removeprefix(LOCAL)
        if not number.isdecimal() or not 1 <= int(number) <= 1024:
            raise ExplorerError(
                f"{address} is no cluster.", "local:N takes a number of processes, 1 to 1024."
            )
        with _unheard_ctrl_c(), dask.config.set(_FOR_NETWORKS):
            here = LocalCluster(
                n_workers=int(number), threads_per_worker=1, processes=True, host="127.0.0.1",
                dashboard_address=None, silence_logs=logging.CRITICAL,
            )  # fmt: skip
        return Client(here), here
    try:
        return Client(address, timeout=10), None
    except (OSError, TimeoutError, ValueError) as error:
        raise ExplorerError(
            f"The scheduler {address} cannot be reached: {error}.",
            "Check the address, and that `dask scheduler` runs there.",
        ) from error


@contextlib.contextmanager
def _unheard_ctrl_c() -> Iterator[None]:
    """Processes that are started meanwhile ignore Ctrl+C: they are to finish their chunks."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
