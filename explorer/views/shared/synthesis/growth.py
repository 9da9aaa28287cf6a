"""What all views share whose picture grows: the run with its history, and how it is drawn."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from explorer.core.errors import ExplorerError
from explorer.core.layers import Curve, Pane, Picture, Plot, Text, class_colors
from explorer.core.params import Effect, param
from explorer.views.shared.common import color
from explorer.vision.features.mosaics import Tiling, picture_sheet
from explorer.vision.synthesis.octaves import preview

if TYPE_CHECKING:
    from collections.abc import Mapping

    import torch
    from numpy.typing import NDArray
    from torch import Tensor

    from explorer.core.layers import UInt8
    from explorer.vision.synthesis.objectives import Objective
    from explorer.vision.synthesis.synthesis import Report, Synthesis

KEPT, KEPT_BYTES = 24, 256 * 2**20
"""Moments of a run that are remembered, and how much memory they may take; when they are more,
every second one is forgotten."""

ZERO = 1e-6
"""Normalized distances below are zero up to rounding."""

GAP = 4
"""Pixels between the pictures of a sheet."""

NEWEST = 100
"""Percent of a run: its end."""


@dataclass(frozen=True, slots=True, eq=False)
class Kept:
    """A moment of a run: the picture (H, W, 3) uint8 after `step` steps."""

    step: int
    rgb: UInt8


@dataclass(frozen=True, slots=True, eq=False)
class Grown:
    """How far a run is; numpy and plain values only.

    Attributes:
        rgb: The newest picture, (H, W, 3) uint8; several side by side as `sheet_of` lays them.
        losses: The objective before every step, float64.
        parts: The values of its named parts, of the same length, NaN where a part was not there.
        kept: Moments, the oldest first, the last one the newest.
        problem: Why it stopped before its end, or why new settings were not taken; may be empty.
    """

    rgb: UInt8
    losses: NDArray[np.float64]
    parts: Mapping[str, NDArray[np.float64]]
    kept: tuple[Kept, ...]
    problem: str = ""

    def at(self, percent: float) -> Kept:
        """The kept moment that is nearest to this part of the run."""
        step = percent / NEWEST * self.kept[-1].step
        return min(self.kept, key=lambda kept: abs(kept.step - step))


@dataclass(slots=True, eq=False)
class Run:
    """A synthesis and what it has been through; lives on the runner's thread.

    Attributes:
        synthesis: Its parts may be replaced between two steps.
        steps: How many were taken.
        problem: As in `Grown`.
        stopped: A step gave no numbers.
        rewinds: Whether `rewind` will be asked for, which takes more memory.
    """

    synthesis: Synthesis
    rewinds: bool = False
    steps: int = 0
    problem: str = ""
    stopped: bool = False
    _good: Objective | None = None
    _losses: list[float] = field(default_factory=list)
    _parts: list[Mapping[str, float]] = field(default_factory=list)
    _kept: list[tuple[Kept, list[torch.Tensor]]] = field(default_factory=list)
    _every: int = 1

    def step(self) -> Report:
        """Take a step of the synthesis and remember it.

        A new objective that this network cannot answer gives way to the one before.

        Raises:
            ExplorerError: The first objective cannot be answered, see `Synthesis.step`.
        """
        if not self._kept:
            self._keep()
        try:
            report = self.synthesis.step()
        except ExplorerError as error:
            if self._good is None or self._good is self.synthesis.objective:
                raise
            self.problem = f"{error.message} {error.hint} The settings before it are still used."
            self.synthesis.objective = self._good
            report = self.synthesis.step()
        else:
            if self._good is not self.synthesis.objective:
                self._good, self.problem = self.synthesis.objective, ""
        if not report.finite:
            self.stopped = True
            self.problem = (
                f"Stopped at step {self.steps + 1}: the objective or its gradient is not finite. "
                "The last finite picture is shown."
            )
            return report
        self.steps += 1
        self._losses.append(report.loss)
        self._parts.append(report.parts)
        if self.steps % self._every == 0:
            self._keep()
        return report

    def rewind(self, percent: float) -> None:
        """Go back to the kept moment nearest to this part of the run; what came later is forgotten.

        Moments of another octave have another size and are passed over.
        """
        own = self.synthesis.image.parameters
        fitting = [
            number
            for number, (_, values) in enumerate(self._kept)
            if [v.shape for v in values] == [p.shape for p in own]
        ]
        if not fitting:
            return
        wanted = percent / NEWEST * self.steps
        best = min(fitting, key=lambda number: abs(self._kept[number][0].step - wanted))
        kept, values = self._kept[best]
        for parameter, value in zip(own, values, strict=True):
            parameter.data.copy_(value)
        del self._kept[best + 1 :], self._losses[kept.step :], self._parts[kept.step :]
        self.steps = kept.step

    def grown(self) -> Grown:
        """What is to be shown now."""
        rgb = sheet_of(self.synthesis.picture())
        kept = [entry for entry, _ in self._kept]
        if not kept or kept[-1].step != self.steps:
            kept.append(Kept(self.steps, rgb))
        names = dict.fromkeys(name for parts in self._parts for name in parts)
        parts = {
            name: np.array([values.get(name, np.nan) for values in self._parts]) for name in names
        }
        return Grown(rgb, np.array(self._losses), parts, tuple(kept), self.problem)

    def _keep(self) -> None:
        image = self.synthesis.image
        values = [v.detach().clone() for v in image.parameters] if self.rewinds else []
        rgb = sheet_of(self.synthesis.picture())
        self._kept.append((Kept(self.steps, rgb), values))
        bytes_each = rgb.nbytes + sum(value.nbytes for value in values)
        if len(self._kept) > max(3, min(KEPT, KEPT_BYTES // bytes_each)):
            del self._kept[1:-1:2]
            self._every *= 2


# -- parameters -----------------------------------------------------------------------------------


def shown_param() -> Any:
    """For `Grown.at`."""
    return param(
        NEWEST, "Moment shown", "Which moment of the run is shown: 0 is its start, 100 the newest.",
        effect=Effect.DRAW, low=0, high=NEWEST, unit="%", play=True, section="History",
    )  # fmt: skip


def rewind_param() -> Any:
    """For `Run.rewind`; 100 = do not."""
    return param(
        NEWEST, "Rewind to",
        "While it runs: goes back to this moment and continues with the present settings.",
        effect=Effect.STEER, low=0, high=NEWEST, unit="%", section="History",
    )  # fmt: skip


# -- what is shown --------------------------------------------------------------------------------


def sheet_of(pictures: Tensor) -> UInt8:
    """(N, C, H, W) in [0, 1] as one (h, w, 3) uint8: itself, or all of them in a near square."""
    if len(pictures) == 1:
        return preview(pictures)
    found = [preview(pictures[row : row + 1]) for row in range(len(pictures))]
    return picture_sheet(found, columns=columns_of(len(pictures)), gap=GAP)[0]


def columns_of(count: int) -> int:
    """Of a sheet of `count` pictures."""
    return -int(-(count**0.5) // 1)


def sheet_tiling(count: int, rgb: UInt8) -> Tiling:
    """Where the pictures lie in what `sheet_of` gave."""
    columns = columns_of(count)
    rows = -(-count // columns)
    height, width = rgb.shape[0] + GAP, rgb.shape[1] + GAP
    return Tiling(count, height // rows, width // columns, columns)


def history_pane(grown: Grown, most: int = 8) -> Pane:
    """A strip of moments from the start to the newest, each with its number of steps."""
    places = np.unique(np.linspace(0, len(grown.kept) - 1, most).round().astype(int))
    kept = [grown.kept[place] for place in places]
    newest = kept[-1].rgb.shape
    first = cv2.resize(kept[0].rgb, (newest[1], newest[0]))
    sheet, tiling = picture_sheet([first, *(moment.rgb for moment in kept[1:])], columns=most)
    words = tuple(
        Text(f"{moment.step}", tiling.corner(tile), name=f"step {moment.step}")
        for tile, moment in enumerate(kept)
    )
    height, width = sheet.shape[:2]
    picture = Picture(sheet, smooth=True, name="history")
    return Pane(
        "history", (width, height), (picture, *words), title="History (steps)", frame="history"
    )


def loss_plot(
    grown: Grown, *, title: str, y_label: str, sign: float = 1.0, log: bool = False
) -> Plot:
    """The objective and its parts over the steps.

    Args:
        grown: A run.
        title: Of the plot.
        y_label: Of the whole objective.
        sign: -1 where the objective was maximized.
        log: Of distances, which fall by orders of magnitude. What is zero up to rounding, as the
            distance of a photo to itself, has no place on such an axis.
    """
    steps = np.arange(1, len(grown.losses) + 1, dtype=np.float64)
    shades = class_colors(len(grown.parts) + 1)
    whole = Curve(steps, sign * grown.losses, label=y_label, color=color(shades[0]))
    parts = tuple(
        Curve(steps, values, label=name, color=color(shades[number]))
        for number, (name, values) in enumerate(grown.parts.items(), 1)
    )
    curves = (whole, *parts) if len(parts) > 1 else (whole,)
    if log:
        curves = tuple(replace(c, y=np.where(np.abs(c.y) < ZERO, np.nan, c.y)) for c in curves)
    return Plot("objective", title, "step", y_label, curves=curves, log_y=log)
