"""The steps of a fine-tuning: photo by photo, so that nothing waits long for one of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from explorer.training.checkpoints import State, arrays_of, restore
from explorer.training.data.canvas_task import mosaics_at
from explorer.training.lessons.lite.detector import shipped
from explorer.training.lite_body import FROZEN_STAGES, LARGE
from explorer.training.loop import (
    Recipe,
    average_of,
    optimizer_for,
    step_seed,
    update_average,
)
from explorer.training.two_stage_losses import detector_losses

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from explorer.training.data.canvases import CanvasMaker

    Arrays = Mapping[str, NDArray[Any]]

FROZEN = ("backbone", "backbone, FPN and RPN", "first stages")
"""What may keep its weights; the first is the default. Normalizations always do."""

LOSSES = ("objectness", "rpn_box_reg", "classifier", "box_reg")

_PARTS: dict[str, tuple[str, ...]] = {
    "backbone": ("backbone.body",),
    "backbone, FPN and RPN": ("backbone.body", "backbone.fpn", "rpn"),
    "first stages": (
        "backbone.body.conv_stem", *(f"backbone.body.blocks.{i}" for i in range(FROZEN_STAGES)),
    ),
}  # fmt: skip
assert set(_PARTS) == set(FROZEN)

_SHARE = 0.3
"""Of the learning rate, for all but the box head: it was trained on far more photos."""


def recipe_for(rate: float, minutes: float, seed: int) -> Recipe:
    """The numbers of a fine-tuning; they were chosen on photos of Pascal VOC."""
    return Recipe(
        epochs=0, batch=8, peak=rate, warmup=0.05, decay=0.02, average=0.99, clip=10.0, seed=seed,
        optimizer="adamw", slower={"backbone.": _SHARE, "rpn.": _SHARE}, minutes=minutes,
        floor=0.02,
    )  # fmt: skip


def freeze(model: nn.Module, frozen: str) -> None:
    """Puts the detector into its training mode; what `frozen` names keeps its weights."""
    model.train().requires_grad_(True)
    body = model.get_submodule("backbone.body").eval()
    for module in body.modules():
        large = isinstance(module, nn.Conv2d) and module.kernel_size[0] >= LARGE
        if large or isinstance(module, nn.BatchNorm2d):
            module.requires_grad_(False)
    for name in _PARTS[frozen]:
        model.get_submodule(name).requires_grad_(False)


@dataclass(frozen=True, slots=True)
class Length:
    """When a training ends: after this many minutes of work or, where they are given, steps."""

    minutes: float
    steps: int = 0


class Trainer:
    """A detector in training; `look` is called for each photo of a step.

    A step is a pure function of the weights before, the seed and its number, so that a training
    that was interrupted between any two photos continues as if it had not been. With a length in
    minutes the learning rate follows the clock, and the result depends on the computer's speed.

    Args:
        model: What `rows.module_for` gave; its mode and what learns is set here.
        maker: Of the canvases.
        recipe: The numbers.
        length: When it ends.
        frozen: One of `FROZEN`.
        dtype: Of the convolutions.
    """

    def __init__(
        self,
        model: nn.Module,
        maker: CanvasMaker,
        recipe: Recipe,
        length: Length,
        frozen: str,
        dtype: torch.dtype = torch.float32,
    ) -> None:
        freeze(model, frozen)
        self._maker, self._recipe, self._length = maker, recipe, length
        self._device = next(model.parameters()).device
        self._state = State(model, average_of(model), optimizer_for(model, recipe), dtype)
        self._learns = [name for name, value in model.named_parameters() if value.requires_grad]
        self._photo = 0
        self._losses: list[list[float]] = []

    @property
    def dtype(self) -> torch.dtype:
        """Of the convolutions."""
        return self._state.dtype

    @property
    def step(self) -> int:
        """Complete steps."""
        return self._state.step

    @property
    def photos(self) -> int:
        """Photos of complete steps."""
        return self._state.step * self._recipe.batch

    @property
    def progress(self) -> float:
        """In [0, 1]."""
        if self._length.steps:
            return min(1.0, self._state.step / self._length.steps)
        return min(1.0, self._state.seconds / (60 * self._length.minutes))

    @property
    def seconds(self) -> float:
        """Of work."""
        return self._state.seconds

    def spend(self, seconds: float) -> None:
        """So long took what was done last; the clock that a length in minutes goes by."""
        self._state.seconds += seconds

    def look(self) -> tuple[float, ...] | None:
        """Learns from the next photo; the last one of a step gives the means of its `LOSSES`."""
        devices = [self._device] if self._device.type == "cuda" else []
        with torch.random.fork_rng(devices), torch.enable_grad():
            self._one()
        self._photo += 1
        if self._photo < self._recipe.batch:
            return None
        self._finish()
        losses = tuple(float(value) for value in np.mean(self._losses, axis=0))
        self._photo, self._losses = 0, []
        return losses

    def _one(self) -> None:
        state, recipe = self._state, self._recipe
        if self._photo == 0:
            state.optimizer.zero_grad(set_to_none=True)
        seed = step_seed(recipe.seed, state.step * recipe.batch + self._photo)
        torch.manual_seed(seed)  # of torchvision's samplers
        rng = np.random.default_rng(seed)
        canvases = self._maker.batch(rng, 1, mosaics_at(self.progress))
        half = state.dtype != torch.float32
        with torch.autocast(self._device.type, dtype=state.dtype if half else None, enabled=half):
            losses = detector_losses(state.model, canvases, self._device)
            loss = torch.stack(list(losses.values())).sum() / recipe.batch
        loss.backward()  # type: ignore[no-untyped-call]
        self._losses.append([float(losses[name].detach()) for name in LOSSES])

    def _finish(self) -> None:
        state, recipe = self._state, self._recipe
        for group in state.optimizer.param_groups:
            group["lr"] = recipe.rate(self.progress) * group.get("share", 1.0)
        nn.utils.clip_grad_norm_(
            [value for value in state.model.parameters() if value.grad is not None], recipe.clip
        )
        state.optimizer.step()
        state.step += 1
        update_average(state, recipe.average)

    def shipped(self) -> dict[str, Tensor]:
        """The averaged weights in the form that is used: a box regression for every class."""
        return shipped("", self._state.average)

    # -- the state --------------------------------------------------------------------------------

    def arrays(self) -> dict[str, NDArray[Any]]:
        """What `restore` needs, as it was after the last complete step: of what learns alone."""
        return arrays_of(self._state, self._learns)

    def restore(self, arrays: Arrays, dtype: torch.dtype) -> None:
        """Resumes from there, with convolutions of `dtype`.

        Raises:
            KeyError: Something is missing.
            ValueError: Something has another shape.
        """
        restore(self._state, self._learns, arrays)
        self._state.dtype = dtype
