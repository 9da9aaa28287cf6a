"""A training that was left goes on: its checkpoint lies in the disk cache, under its settings."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Any, TypeVar

import torch

from explorer.core.errors import ExplorerError
from explorer.core.storage import checkpoint
from explorer.core.storage.disk_cache import DiskCache

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Mapping

    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor

    from explorer.core.step import Step
    from explorer.core.storage.checkpoint import Checkpoint

log = logging.getLogger(__name__)

KEPT_EVERY = 30.0
"""Seconds of training between two checkpoints."""
WORTH_KEEPING = 25
"""Steps since the last checkpoint from which on a training that is left is kept."""
FORMAT, FILE = 1, "state.npz"

R = TypeVar("R")
P = TypeVar("P")


def keeping(
    steps: Generator[Step[R], P | None, None], keep: Callable[[], None]
) -> Generator[Step[R], P | None, None]:
    """The same steps; their state is kept now and then, at their end, and when they are left.

    Args:
        steps: A training: after every step it can go on from what `keep` writes.
        keep: Writes the state of the moment. Where it cannot (a full disk) the training goes on.
    """
    kept, fresh = time.monotonic(), 0
    news: P | None = None
    try:
        while True:
            try:
                step = steps.send(news)
            except StopIteration:
                _quietly(keep)
                return
            if time.monotonic() - kept >= KEPT_EVERY:
                _quietly(keep)
                kept, fresh = time.monotonic(), 0
            news = yield step
            fresh += 1
    except GeneratorExit:
        if fresh >= WORTH_KEEPING:
            _quietly(keep)
        raise
    finally:
        steps.close()


def _quietly(keep: Callable[[], None]) -> None:
    try:
        keep()
    except ExplorerError as error:
        log.warning("a training is not kept: %s", error)


class Kept:
    """Where a training keeps its state.

    Args:
        kind: A word that names a folder of the cache.
        key: Plain values, everything that the numbers depend on but the number of threads.
    """

    def __init__(self, kind: str, **key: Any) -> None:
        self._cache = DiskCache()
        self._entry = self._cache.entry(kind, format=FORMAT, **key)
        self._first = True

    def read(self) -> Checkpoint | None:
        """What was kept last; None when there is none, or a damaged one."""
        return checkpoint.read(self._entry.file(FILE))

    def write(self, state: Checkpoint) -> None:
        """Replaces it, unless another window is writing it just now.

        Raises:
            ExplorerError: It cannot be written.
        """
        with self._entry.filling() as mine:
            if mine:
                checkpoint.write(self._entry.file(FILE), state)
        if self._first:
            self._cache.shrink(keep=self._entry)
            self._first = False

    def forget(self) -> None:
        """The training with these settings starts over.

        Raises:
            ExplorerError: There is none; it cannot be removed.
        """
        place = self._entry.file(FILE)
        try:
            place.unlink()
        except FileNotFoundError:
            raise ExplorerError(
                "No training with these settings is kept.", "Wait until its first steps are done."
            ) from None
        except OSError as error:
            raise ExplorerError(
                f"{place} cannot be deleted: {error.strerror or error}.", "Check its permissions."
            ) from error


def misfit(error: Exception) -> ExplorerError:
    """What to say of a state that belongs to another program version."""
    log.warning("a kept training cannot be used: %r", error)
    return ExplorerError(
        "The kept training does not fit its settings.", "Choose Start over to train anew."
    )


MISFITS = (KeyError, ValueError, RuntimeError, TypeError, IndexError)
"""What tensors of another network raise."""


def arrays_of(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, NDArray[np.generic]]:
    """For a checkpoint; `restored_tensors` is the inverse."""
    return {f"{prefix}{name}": tensor.numpy() for name, tensor in tensors.items()}


def restored_tensors(arrays: Mapping[str, NDArray[Any]], prefix: str) -> dict[str, Tensor]:
    """The tensors whose names begin with `prefix`, without it."""
    return {
        name.removeprefix(prefix): torch.as_tensor(value)
        for name, value in arrays.items()
        if name.startswith(prefix)
    }
