"""The result of a fine-tuning: plain values and arrays, to be shown or written."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import nan
from typing import TYPE_CHECKING, Any

import numpy as np

from explorer.core.listing import quantity
from explorer.training.tuning.trainer import LOSSES

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from explorer.core.layers import Picture
    from explorer.core.network_info import NetworkInfo
    from explorer.evaluation.metrics import Found, Objects

    Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class OwnClass:
    """One class of the folder.

    Attributes:
        name: As the folder calls it.
        known_as: The network's class whose row it keeps; "" = its row is new.
        boxes: To learn from.
        photos: With such a box.
        held_out: Boxes in the photos held out.
        before: AP50 before the training; NaN while or where there is none.
        now: Likewise at the last measurement.
    """

    name: str
    known_as: str
    boxes: int
    photos: int
    held_out: int
    before: float = nan
    now: float = nan


@dataclass(frozen=True, slots=True, eq=False)
class ShownPhoto:
    """One photo held out, with what is in it and what is found there.

    Attributes:
        name: Of its file.
        picture: The photo, made smaller; all boxes are in its pixels.
        truth: Its objects.
        before: Detected before the training; None = not computed yet.
        now: Found at the last measurement, likewise.
    """

    name: str
    picture: Picture
    truth: Objects
    before: Found | None = None
    now: Found | None = None


def _no_losses() -> Floats:
    return np.zeros((0, 1 + len(LOSSES)), np.float64)


def _no_curve() -> Floats:
    return np.zeros((0, 2), np.float64)


@dataclass(frozen=True, slots=True, eq=False)
class Report:
    """The state of a fine-tuning.

    Attributes:
        info: Of the network that it began from.
        data: The folder's name.
        kind: "COCO", "VOC" or "YOLO".
        classes: In the order of the new network's rows.
        photos: To learn from.
        held_out: That the metrics come from.
        own_parts: The folder itself has a held-out part.
        minutes: That it is to take.
        seconds: Of work so far.
        steps: Done so far.
        seen: Photos that were trained on so far, each as often as it came.
        losses: (steps, 5) float64: seconds of work, then the four `trainer.LOSSES`.
        curve: (measurements, 2) float64: seconds of work and AP50; the first is before it began.
        shown: Some of the photos held out.
        notes: Sentences about what was ignored, skipped or is new.
        complete: It is done.
        made: The catalog's name of the new network; "" = there is none yet.
        made_title: Its title.
    """

    info: NetworkInfo
    data: str
    kind: str
    classes: tuple[OwnClass, ...]
    photos: int = 0
    held_out: int = 0
    own_parts: bool = False
    minutes: float = 0.0
    seconds: float = 0.0
    steps: int = 0
    seen: int = 0
    losses: Floats = field(default_factory=_no_losses)
    curve: Floats = field(default_factory=_no_curve)
    shown: tuple[ShownPhoto, ...] = ()
    notes: tuple[str, ...] = ()
    complete: bool = False
    made: str = ""
    made_title: str = ""

    @property
    def new(self) -> tuple[str, ...]:
        """Classes whose rows are new."""
        return tuple(entry.name for entry in self.classes if not entry.known_as)

    @property
    def before(self) -> float | None:
        """AP50 before the training; None while it is not measured."""
        return float(self.curve[0, 1]) if len(self.curve) else None

    @property
    def now(self) -> float | None:
        """AP50 at the last measurement; None before the first step was measured."""
        return float(self.curve[-1, 1]) if len(self.curve) > 1 else None

    def figures(self) -> dict[str, float]:
        """`AP50` and `AP50 before`, what there is of them, in [0, 1]."""
        found = {"AP50": self.now, "AP50 before": self.before}
        return {key: round(value, 4) for key, value in found.items() if value is not None}

    def content(self) -> dict[str, Any]:
        """For programs: metrics, classes and curves as plain values."""
        return {
            "network": self.info.spec.name,
            "data": self.data,
            "kind": self.kind,
            **self.figures(),
            "photos": self.photos,
            "held_out": self.held_out,
            "classes": [
                {
                    "name": entry.name, "kept_row": entry.known_as or None, "boxes": entry.boxes,
                    "photos": entry.photos, "held_out_boxes": entry.held_out,
                    "AP50 before": _known(entry.before), "AP50": _known(entry.now),
                }
                for entry in self.classes
            ],
            "steps": self.steps,
            "photos_seen": self.seen,
            "complete": self.complete,
            "made": self.made or None,
            "notes": list(self.notes),
        }  # fmt: skip

    def headline(self) -> str:
        """The metrics in a few words: "AP50 12.0% → 45.1%"."""
        words = [f"{100 * value:.1f}%" for value in (self.before, self.now) if value is not None]
        return f"AP50 {' → '.join(words)}" if words else ""

    def counts(self) -> str:
        """The photos in a few words."""
        return f"{quantity(self.photos, 'training photo')}, {self.held_out:,} held out"


def _known(value: float) -> float | None:
    return None if np.isnan(value) else round(value, 4)
