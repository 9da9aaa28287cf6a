"""What runs on a worker of a cluster: it is called by name, with plain values only."""

from __future__ import annotations

import json
import threading
from typing import TYPE_CHECKING, Any, NamedTuple

from explorer import __version__
from explorer.batch.chunks import Chunk, computed
from explorer.batch.job import Recipe, digest_of, settings_of
from explorer.batch.photos import Photo
from explorer.batch.run import encoded_part, failures_in
from explorer.core.errors import ExplorerError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from explorer.batch.job import Failure, FolderJob

_lock = threading.Lock()
"""One network computes at a time, in however many threads the worker has."""

_jobs: dict[str, FolderJob] = {}
"""The last job of this process, by its recipe: its network is loaded once."""


class Order(NamedTuple):
    """What a worker is to do, but for the photos."""

    function: str
    params: Mapping[str, Any]
    chunk: int
    batch: int
    decoders: int
    digest: str = ""


class Reply(NamedTuple):
    """What came of it: the bytes of a chunk's file or the settings, else a problem and a hint."""

    data: bytes = b""
    failures: Sequence[Failure] = ()
    settings: Mapping[str, Any] | None = None
    problem: str = ""
    hint: str = ""


def version() -> str:
    """Of the program on this worker."""
    return __version__


def settings(order: Order) -> Reply:
    """What decides the results on this worker; its network is loaded afterwards."""
    try:
        with _lock:
            return Reply(settings=_settings(order, _made(order)))
    except ExplorerError as error:
        return Reply(problem=error.message, hint=error.hint)


def work(order: Order, number: int, photos: Sequence[Sequence[Any]]) -> Reply:
    """One chunk; its photos are the values of `Photo`, one after the other."""
    try:
        with _lock:
            job = _made(order)
            if digest_of(_settings(order, job)) != order.digest:
                return Reply(
                    problem="A worker has other weights, settings or packages than the first one.",
                    hint="Install the same versions and weights on all workers.",
                )
            chunk = Chunk(number, tuple(Photo(*values) for values in photos))
            parts = computed(job, [chunk], batch=order.batch, decoders=order.decoders)
            for part in parts:
                if part.rows:
                    return Reply(encoded_part(part), failures_in(part))
    except ExplorerError as error:
        return Reply(problem=error.message, hint=error.hint)
    raise AssertionError("a chunk without photos")


def _settings(order: Order, job: FolderJob) -> dict[str, Any]:
    recipe = Recipe(order.function, order.params)
    return settings_of(recipe, job, chunk=order.chunk or job.chunk, batch=order.batch)


def _made(order: Order) -> FolderJob:
    key = json.dumps([order.function, order.params], sort_keys=True)
    if key not in _jobs:
        _jobs.clear()
        _jobs[key] = Recipe(order.function, order.params).make()
    return _jobs[key]
