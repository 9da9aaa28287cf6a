"""An index of a folder for a view: what is known at once, the rest while it is computed."""

from __future__ import annotations

import contextlib
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from explorer.batch.features import LayerFeatures, head_of
from explorer.batch.index.filling import Filling, filled
from explorer.batch.index.job import Index, is_index, opened
from explorer.core.listing import quantity
from explorer.core.storage.disk_cache import DiskCache
from explorer.views.shared.common import default_layer
from explorer.views.shared.folders.album import album_of, open_member

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Mapping

    from explorer.batch.index.store import Entry, Key
    from explorer.core.layers import UInt8
    from explorer.core.network_info import NetworkInfo
    from explorer.core.values import FolderRef
    from explorer.networks.network import Network

T = TypeVar("T")

FRESH = 30.0
"""Seconds for which a folder is taken to be as it was: another photo is then looked up at once."""

_BEFORE = "input of "


def feature_layers(info: NetworkInfo) -> tuple[str, ...]:
    """The choices of a layer whose features describe a photo, the usual one first."""
    head = head_of(info)
    first = (f"{_BEFORE}{head}",) if head else ()
    return tuple(dict.fromkeys((*first, default_layer(info), *info.layer_names())))


def features_of(network: Network, word: str) -> LayerFeatures:
    """The layer that one of the words of `feature_layers` means.

    Raises:
        ExplorerError: There is none.
    """
    if not word or (word.startswith(_BEFORE) and head_of(network.info)):
        return LayerFeatures.of(network)
    return LayerFeatures.of(network, word)


class FolderIndex:
    """The rows of a folder's photos, and what is worked out from them.

    Attributes:
        job: Describes a photo.
        source: For people.
        state: How far it is.
        made: What a view made of a complete index, by its own keys.
        thumbnails: By address, see `album.thumbnails`.
    """

    def __init__(self, job: Index) -> None:
        self.job = job
        self.source = ""
        self.state = Filling(0)
        self.problems: tuple[str, ...] = ()
        self.made: dict[Any, Any] = {}
        self.thumbnails: dict[str, UInt8] = {}
        self._checked = float("-inf")

    def fill(self, folder: FolderRef | None) -> Generator[Filling, None, None]:
        """Brings it up to date.

        Yields:
            `state`, the first time with what is known.

        Raises:
            ExplorerError: The folder has no photos, or nothing can be computed of this layer.
        """
        if self.state.total and self.state.complete and time.monotonic() - self._checked < FRESH:
            yield self.state
            return
        before = [entry.key for entry in self.state.entries]
        with contextlib.closing(self._steps(folder)) as steps:
            for state in steps:
                self.state = state
                if not state.complete:
                    yield state
        if [entry.key for entry in self.state.entries] != before:
            self.made = {}
        self._checked = time.monotonic()
        yield self.state

    def notes(self) -> tuple[str, ...]:
        """Sentences about what could not be read."""
        failures = self.state.failures
        if not failures:
            return self.problems
        name, reason = failures[0]
        words = reason if name in reason else f"{name}: {reason}"
        more = len(failures) - 1
        if more:
            words += f" {quantity(more, 'more photo')} cannot be read either."
        return (*self.problems, words)

    def _steps(self, folder: FolderRef | None) -> Generator[Filling, None, None]:
        if folder is not None and is_index(Path(folder.path)):
            entries = list(opened(Path(folder.path), self.job.about()).values())
            self.source = Path(folder.path).name
            yield Filling(len(entries), entries)
            return
        album = album_of(folder)
        self.source, self.problems = album.source, album.problems
        yield from filled(self.job, album.photos, DiskCache(), album.place)


def index_of(
    network: Network,
    folder: FolderRef | None,
    layer: str,
    kind: str,
    known: Callable[[], Mapping[Key, Entry]] = dict,
) -> FolderIndex:
    """The index that the network remembers, or a new one that is empty yet.

    Args:
        network: Computes it.
        folder: None = the samples.
        layer: One of the words of `feature_layers`.
        kind: One of `store.KINDS`.
        known: Gives rows of photos that need not be computed.

    Raises:
        ExplorerError: The network has no such layer.
    """
    features = features_of(network, layer)
    key = ("folder index", None if folder is None else folder.path, features.title, kind)
    return network.memo(key, lambda: FolderIndex(Index(features, kind, open_member, known())))


def beside(work: Callable[[], T]) -> Generator[None, None, T]:
    """What `work()` gives: it runs in a thread of its own, so that the caller can be closed.

    It must not touch a network. Where the caller is closed, it ends by itself and is forgotten.
    """
    pool = ThreadPoolExecutor(1, "explorer beside")
    try:
        future = pool.submit(work)
        while True:
            try:
                return future.result(0.1)
            except TimeoutError:
                if future.done():
                    raise
                yield
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
