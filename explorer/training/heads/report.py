"""What is known of heads in training: plain values and arrays, to be shown or written."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import isnan, nan
from typing import TYPE_CHECKING, Any

import numpy as np

from explorer.training.heads.sets import BOTH, CLASS, JOINTS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from explorer.core.layers import UInt8

    Floats = NDArray[np.float64]
    Float32 = NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Tested:
    """One example with what is predicted for it; places are pixels of `picture`.

    Attributes:
        name: For people.
        picture: (h, w, 3) uint8, what the network is given.
        label: Its class.
        predicted: The class with the largest logit; -1 = not known.
        truth: (B, 4) float32 boxes.
        boxes: (B, 4) float32, predicted; empty = not known.
        points: (J, 2) float32, its joints.
        found: (J, 2) float32, predicted; empty = not known.
    """

    name: str
    picture: UInt8
    label: int
    predicted: int
    truth: Float32
    boxes: Float32
    points: Float32
    found: Float32


@dataclass(frozen=True, slots=True, eq=False)
class OnPhoto:
    """What the new network outputs for the open photo.

    Attributes:
        probabilities: (K,) float32 softmax of its logits; empty where no class was trained.
        boxes: (B, 4) float32 xyxy in the photo's pixels.
        points: (J, 2) float32 likewise.
    """

    probabilities: Float32
    boxes: Float32
    points: Float32


def none_of(columns: int) -> Floats:
    """No rows yet."""
    return np.zeros((0, columns), np.float64)


CURVE = ("step", "accuracy", "held-out accuracy", "IoU", "held-out IoU", "PCK", "held-out PCK")
"""Columns of `Report.curve`."""


@dataclass(frozen=True, slots=True, eq=False)
class Report:
    """The state of a training of heads.

    Attributes:
        kind: One of `sets.KINDS`.
        names: Of the classes, or of the places of several boxes.
        source: For people: where the examples are from.
        network: Title of the network that the heads are attached to.
        train: Examples to train on, so far.
        tests: Those held out, so far; the training ones where none is.
        held_out: `tests` are held out.
        steps: Done so far.
        losses: (steps, 2) float64: of the class, and of boxes or joints.
        curve: (measurements, 7) float64, see `CURVE`; NaN where a column does not apply.
        constant: The metric where every photo gets the same: the most frequent class, the mean box
            or the mean joints of the training examples; NaN = not known yet.
        words: Held-out accuracy of the bag of visual words; NaN = none.
        photo: What the new network outputs for the open photo; None = not yet.
        notes: Sentences.
        complete: The training has ended.
    """

    kind: str
    names: tuple[str, ...]
    source: str
    network: str
    train: int = 0
    tests: tuple[Tested, ...] = ()
    held_out: bool = True
    steps: int = 0
    losses: Floats = field(default_factory=lambda: none_of(2))
    curve: Floats = field(default_factory=lambda: none_of(len(CURVE)))
    constant: float = nan
    words: float = nan
    photo: OnPhoto | None = None
    notes: tuple[str, ...] = ()
    complete: bool = False

    @property
    def has_class(self) -> bool:
        return self.kind in (CLASS, BOTH)

    @property
    def has_boxes(self) -> bool:
        return self.kind not in (CLASS, JOINTS)

    def value(self, column: str) -> float:
        """The last measurement of one of `CURVE`; NaN where there is none."""
        return float(self.curve[-1, CURVE.index(column)]) if len(self.curve) else nan

    @property
    def figures(self) -> dict[str, float]:
        """Names and values of the metrics that apply, in [0, 1]."""
        found = {name: self.value(name) for name in CURVE[1:]}
        return {name: round(value, 4) for name, value in found.items() if not isnan(value)}

    def content(self) -> dict[str, Any]:
        """For programs: metrics and counts as plain values."""
        return {
            "kind": self.kind, "classes": list(self.names), "data": self.source,
            "network": self.network, "train": self.train,
            "held_out": len(self.tests) if self.held_out else 0, "constant": _known(self.constant),
            "steps": self.steps,
            **self.figures, **({} if isnan(self.words) else {"bag of visual words": self.words}),
            "notes": list(self.notes),
        }  # fmt: skip


def _known(value: float) -> float | None:
    return None if isnan(value) else round(value, 4)
