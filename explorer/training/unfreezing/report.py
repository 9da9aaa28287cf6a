"""The state of a comparison: plain values and arrays, to be shown or written."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import nan
from typing import TYPE_CHECKING, Any

import numpy as np

from explorer.training.unfreezing.lane import LANES, TUNING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from explorer.core.layers import UInt8
    from explorer.core.network_info import NetworkInfo

    Floats = NDArray[np.float64]
    Labels = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Row:
    """The result of one training.

    Attributes:
        lane: One of `lane.LANES`.
        count: Photos per class at most.
        held_out: Accuracy on the photos held out.
        train: Accuracy on those trained on.
    """

    lane: str
    count: int
    held_out: float
    train: float


def _none(columns: int) -> Floats:
    return np.zeros((0, columns), np.float64)


@dataclass(frozen=True, slots=True, eq=False)
class Report:
    """What is known so far.

    Attributes:
        info: Of the network.
        source: For people: where the photos are from.
        names: Of the classes.
        unfrozen: Names of the stages that fine-tuning trains.
        learns: Parameters that each of the trainings changes.
        train: Photos to train on.
        tests: (h, w, 3) uint8 photos held out.
        labels: (M,) their classes.
        predicted: By training, (M,) classes at the last measurement.
        count: Photos per class of the trainings that run.
        losses: (steps, 4) float64: step, then the three `LANES`, of the trainings that run.
        curve: (measurements, 4) float64: step, then held-out accuracies, likewise.
        rows: Of finished trainings.
        words: Held-out accuracy of the bag of visual words; NaN = not known.
        constant: That of the most frequent class.
        notes: Sentences.
        complete: It is done.
        made: The catalog's name of the new network; "" = there is none yet.
        made_title: Its title.
        drawn: What is drawn of `tests`, by how many they are; shared by all reports of a run.
    """

    info: NetworkInfo
    source: str
    names: tuple[str, ...]
    unfrozen: tuple[str, ...] = ()
    learns: Mapping[str, int] = field(default_factory=dict)
    train: int = 0
    tests: tuple[UInt8, ...] = ()
    labels: Labels = field(default_factory=lambda: np.zeros(0, np.int64))
    predicted: Mapping[str, Labels] = field(default_factory=dict)
    count: int = 0
    losses: Floats = field(default_factory=lambda: _none(1 + len(LANES)))
    curve: Floats = field(default_factory=lambda: _none(1 + len(LANES)))
    rows: tuple[Row, ...] = ()
    words: float = nan
    constant: float = nan
    notes: tuple[str, ...] = ()
    complete: bool = False
    made: str = ""
    made_title: str = ""
    drawn: dict[int, Any] = field(default_factory=dict)

    def now(self, lane: str) -> float:
        """The last known held-out accuracy of a training; NaN = none."""
        finished = [row.held_out for row in self.rows if row.lane == lane]
        if len(self.curve) and not (self.complete and finished):
            return float(self.curve[-1, 1 + LANES.index(lane)])
        return finished[-1] if finished else nan

    def content(self) -> dict[str, Any]:
        """For programs: accuracies and counts as plain values."""
        return {
            "network": self.info.spec.name, "data": self.source, "classes": list(self.names),
            "train": self.train, "held_out": len(self.tests), "unfrozen": list(self.unfrozen),
            "results": [
                {
                    "training": row.lane, "photos_per_class": row.count,
                    "held_out_accuracy": round(row.held_out, 4), "accuracy": round(row.train, 4),
                }
                for row in self.rows
            ],
            "bag of visual words": None if np.isnan(self.words) else round(self.words, 4),
            "most frequent class": None if np.isnan(self.constant) else round(self.constant, 4),
            "complete": self.complete, "made": self.made or None, "notes": list(self.notes),
        }  # fmt: skip

    def figures(self) -> dict[str, float]:
        """For a card: the accuracies of fine-tuning with most photos."""
        tuned = [row for row in self.rows if row.lane == TUNING]
        if not tuned:
            return {}
        return {
            "held-out accuracy": round(tuned[-1].held_out, 4),
            "accuracy": round(tuned[-1].train, 4),
        }
