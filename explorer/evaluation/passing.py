"""One photo after the other through a network, in batches, with a state that can be kept."""

from __future__ import annotations

import hashlib
import logging
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from torch.utils.flop_counter import FlopCounterMode

from explorer.core.errors import ExplorerError
from explorer.core.storage.checkpoint import Checkpoint
from explorer.networks.hooks import interruptible

if TYPE_CHECKING:
    from collections.abc import Callable

    from explorer.evaluation.folder_job import Evaluate, Item
    from explorer.evaluation.scores import Score

log = logging.getLogger(__name__)

FORMAT = 4

_MOST_VALUES = 16 * 3 * 224 * 224
_MOST_AT_ONCE = 64

_MOST_FLOPS = {"cpu": 3e9}
_MOST_FLOPS_ELSEWHERE = 3e11
"""A batch takes about a tenth of a second: so long a question may have to wait for it."""


@dataclass(frozen=True, slots=True)
class _Mark:
    """Where the pass stood when nothing was waiting: what `score` holds is of these photos."""

    done: int = 0
    left_out: int = 0
    skipped: int = 0
    seconds: float = 0.0


class Pass:
    """The photos of an evaluation on their way through the network.

    Batches depend on the photos alone, never on the time, and a state is kept between two of them:
    a pass that is resumed gives the same batches, and so the same numbers to the last bit.

    Attributes:
        done: Photos that were read, or could not be.
        left_out: Objects of classes that the network does not have.
        skipped: Photos that could not be read, each with the reason.
        seconds: Of work, those of earlier runs included.
    """

    def __init__(self, job: Evaluate, score: Score, cancelled: Callable[[], bool]) -> None:
        self._job, self._score = job, score
        self._network, self._cases = job.network, job.cases
        self._cancelled = cancelled
        self._waiting: list[Item] = []
        self._flops = 0  # of one photo, as soon as one went through alone
        self._mark = _Mark()
        self.done = self.left_out = 0
        self.skipped: list[tuple[str, str]] = []
        self.seconds = 0.0

    def look_at_next(self) -> None:
        """Reads the next photo; the network runs when enough of one size have come."""
        began = time.perf_counter()
        item = self._loaded(self.done)
        if item is not None:
            if self._waiting and self._waiting[0].values.shape != item.values.shape:
                self._flush()  # of the photos before this one
                self._set_mark()
            self.left_out += item.look.truth.left_out
            self._waiting.append(item)
        self.done += 1
        full = bool(self._waiting) and len(self._waiting) >= self._at_once(self._waiting[0])
        if full or (self._waiting and self.done == len(self._cases)):
            self._flush()
        self.seconds += time.perf_counter() - began
        if not self._waiting:
            self._set_mark()

    # -- the state --------------------------------------------------------------------------------

    def checkpoint(self) -> Checkpoint:
        """What `resume` needs: the counts after the last batch, and what they were counted on."""
        mark = self._mark
        content = {
            "format": FORMAT,
            "photos": self._photos(),
            "network": self._network.info.digest,
            "done": mark.done,
            "left_out": mark.left_out,
            "skipped": self.skipped[: mark.skipped],
            "seconds": mark.seconds,
            "flops": self._flops,
        }
        return Checkpoint(content, self._score.arrays())

    def resume(self, state: Checkpoint) -> bool:
        """Resumes from a state of the same photos and weights; else stays at the beginning."""
        content = state.content
        mine = (FORMAT, self._photos(), self._network.info.digest)
        if (content.get("format"), content.get("photos"), content.get("network")) != mine:
            return False
        try:
            skipped = [(str(name), str(reason)) for name, reason in content["skipped"]]
            mark = _Mark(
                int(content["done"]), int(content["left_out"]), len(skipped),
                float(content["seconds"]),
            )  # fmt: skip
            flops = int(content["flops"])
            self._score.extend(state.arrays)
        except (KeyError, ValueError, TypeError) as error:
            log.warning("the state of an evaluation cannot be used: %s", error)
            return False
        self._mark, self._flops, self.skipped = mark, flops, skipped
        self.done, self.left_out, self.seconds = mark.done, mark.left_out, mark.seconds
        return True

    def _photos(self) -> str:
        """The photos by their names: another folder, or a new photo in it, is another pass."""
        digest = hashlib.sha256()
        for case in self._cases:
            digest.update(f"{case.name}\n".encode("utf-8", "surrogateescape"))
        return digest.hexdigest()

    def _set_mark(self) -> None:
        self._mark = _Mark(self.done, self.left_out, len(self.skipped), self.seconds)

    # -- the work ---------------------------------------------------------------------------------

    def _loaded(self, number: int) -> Item | None:
        try:
            return self._job.item(number)
        except ExplorerError as error:
            self.skipped.append((self._cases[number].name, error.message))
            return None

    def _at_once(self, item: Item) -> int:
        """How many photos of this size go through together; a detector takes one at a time."""
        if self._job.alike(item) is None or not self._flops:
            return 1  # the first one goes alone and is measured
        most = _MOST_FLOPS.get(self._network.device.type, _MOST_FLOPS_ELSEWHERE)
        room = min(_MOST_VALUES // item.values.numel(), int(most / self._flops), _MOST_AT_ONCE)
        return max(room, 1)

    def _flush(self) -> None:
        network = self._network
        with interruptible(network.module, self._cancelled):
            if self._flops or not network.preprocess.batched:
                rows = self._job.rows(self._waiting)
            else:
                with FlopCounterMode(display=False) as counter:
                    rows = self._job.rows(self._waiting)
                self._flops = max(counter.get_total_flops() // len(rows), 1)
        for row in rows:
            self._score.extend(row.arrays)
        self._waiting.clear()
