"""A dream that grows on the photo: the activations of a layer are amplified."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from explorer.core.errors import ExplorerError
from explorer.core.params import param
from explorer.core.step import Step
from explorer.engine.view import Group, View
from explorer.views.shared.common import photo_of
from explorer.views.shared.dreams import (
    channels_of,
    channels_param,
    dream_board,
    is_finite,
    jitter_param,
    layer_param,
    require_layer,
    smoothing_param,
    step_param,
    tv_param,
)
from explorer.vision.synthesis.ascent import (
    Objective,
    StepOptions,
    Target,
    ascend,
    octave_sizes,
    pictured,
    preview,
    resized,
)

if TYPE_CHECKING:
    from collections.abc import Generator

    from torch import Tensor

    from explorer.core.layers import Board, Picture
    from explorer.engine.scene import Scene

EXPLANATION = r"""
The weights of the network are fixed; the **picture** $x$ is changed by gradient ascent so that an
objective $L$ grows: the mean squared activation of the chosen layer, or the mean activation of the
chosen channels $K$.

$$ L = \mathrm{mean}_{k,i,j} \; a_{kij}^2 $$

$$ L = \mathrm{mean}_{k \in K,\, i,j} \; a_{kij} $$

With step size $\eta$ and TV weight $\lambda$, every step is

$$ x \gets x + \eta \, \frac{g}{\mathrm{mean} \, |g|} + \lambda \, \nabla^2 x $$

$$ g = \frac{\partial L}{\partial x} $$

clipped to the range from black to white. The *TV* term (total variation) pulls every pixel toward
its four neighbors: less noise, softer shapes.

**Octaves.** The ascent starts on a small copy of the photo, where a filter covers a large part of
it. What it has added is then enlarged and laid over the next larger copy, where the ascent
continues. *Jitter* shifts the picture at random before every step, so that the strides of the
network leave no grid pattern. *Smoothing* blurs the gradient, not the picture.

**While it runs** change layer, channels, step size, jitter, smoothing or TV: the next step uses
them. Early layers give strokes and textures, middle layers patterns such as eyes and scales, late
layers parts of the classes. The curve is $L$ before every step; it drops when a new octave begins.

For a detector, only the backbone runs, on a picture normalized as in the detector. The same seed
and parameters give the same picture.

**Sources.** Mordvintsev, Olah and Tyka 2015, *Inceptionism*; Mahendran and Vedaldi 2015,
*Understanding Deep Image Representations by Inverting Them* (the TV term); Olah et al. 2017,
*Feature Visualization* (channels).
"""

PHOTO, NOISE = "the photo", "noise"


@dataclass(frozen=True, slots=True)
class Params:
    """See the help of each."""

    layer: str = layer_param()
    channels: str = channels_param()
    step: float = step_param(0.012)
    octaves: int = param(4, "Octaves", "Number of image sizes, smallest first.", low=1, high=8)
    steps: int = param(10, "Steps per octave", "Gradient steps at each size.", low=1, high=200)
    scale: float = param(
        1.4, "Octave scale", "Size of each octave relative to the one before.",
        low=1.1, high=2.5, step=0.05,
    )  # fmt: skip
    size: int = param(
        512, "Working size",
        "Longer side of the last octave. Twice the size takes four times as long.", low=64,
        high=2048, step=32, unit="px",
    )  # fmt: skip
    start: str = param(
        PHOTO, "Start from", "The photo, or random gray noise.",
        choices=(PHOTO, NOISE),
    )  # fmt: skip
    jitter: int = jitter_param(16)
    smoothing: float = smoothing_param()
    tv: float = tv_param()


@dataclass(frozen=True, slots=True, eq=False)
class Result:
    """`rgb` is the dream so far, (h, w, 3) uint8; `heights` is L before every step, float64."""

    photo: Picture
    rgb: np.ndarray[Any, np.dtype[np.uint8]]
    heights: np.ndarray[Any, np.dtype[np.float64]]
    layer: str
    note: str = ""
    problem: str = ""


def compute(scene: Scene, params: Params) -> Generator[Step[Result], Any, None]:
    dream = _Dream(scene, params)
    total = len(dream.sizes) * params.steps
    for octave, size in enumerate(dream.sizes):
        dream.begin(octave)
        for step in range(params.steps):
            result = dream.step()
            words = f"octave {octave + 1} of {len(dream.sizes)} ({size[1]} x {size[0]})"
            note = f"{words}, step {step + 1} of {params.steps}"
            result = replace(result, note=note)
            news = yield Step(result, octave * params.steps + step + 1, total, note)
            if result.problem:
                return
            if news is not None:
                dream.steer(news)


def draw(result: Result, params: Params) -> Board:
    return dream_board(
        result.photo, result.rgb, result.heights, result.layer,
        first=1, unit="step", note=result.note, problem=result.problem,
    )  # fmt: skip


def data(result: Result, params: Params) -> dict[str, Any]:
    """Keys: `picture` (h, w, 3) uint8 at the working size, `objective` (n,) float64, `layer`."""
    return {"picture": result.rgb, "objective": result.heights, "layer": result.layer}


class _Dream:
    """The picture on its way through the octaves; lives on the runner's thread."""

    def __init__(self, scene: Scene, params: Params) -> None:
        network = scene.network
        self._photo = photo_of(scene)
        self._target = Target.of(network)
        self._generator = scene.generator()
        self._params = params
        self._problem = ""
        self._heights: list[float] = []
        pixels = scene.image.pixels
        self.sizes = octave_sizes(
            *pixels.shape[:2], longest=params.size, octaves=params.octaves, scale=params.scale
        )
        self._base = self._start(scene, self.sizes[-1])
        self._picture = resized(self._base, self.sizes[0])
        self._objective = Objective(channels_of(params.channels))
        require_layer(params.layer)

    def begin(self, octave: int) -> None:
        """Carries what was dreamed so far over to the next size: its difference to the photo."""
        if octave == 0:
            return
        before, size = self.sizes[octave - 1], self.sizes[octave]
        dreamed = self._picture - resized(self._base, before)
        self._picture = (resized(self._base, size) + resized(dreamed, size)).clamp_(0.0, 1.0)

    def steer(self, params: Params) -> None:
        """Takes new values; a half-typed list of channels leaves the old one in place."""
        try:
            self._objective = Objective(channels_of(params.channels))
        except ExplorerError:
            params = replace(params, channels=self._params.channels)
        self._params = params

    def step(self) -> Result:
        params = self._params
        options = StepOptions(params.step, params.jitter, params.smoothing, params.tv)
        picture, height = ascend(
            self._picture, self._target, params.layer, self._objective, options, self._generator
        )
        if is_finite(picture, height):
            self._picture = picture
            self._heights.append(height)
        else:
            self._problem = (
                f"Stopped at step {len(self._heights) + 1}: the activation is not finite. The "
                "last finite picture is shown."
            )
        return Result(
            self._photo, preview(self._picture), np.array(self._heights), params.layer,
            problem=self._problem,
        )  # fmt: skip

    def _start(self, scene: Scene, size: tuple[int, int]) -> Tensor:
        network = scene.network
        channels = network.preprocess.channels
        if self._params.start == NOISE:
            noise = torch.randn(1, channels, *size, generator=self._generator)
            return noise.mul_(0.05).add_(0.5).clamp_(0.0, 1.0).to(network.device)
        return pictured(scene.image.pixels, size, channels).to(network.device)


VIEW = View(
    name="deep_dream",
    title="DeepDream",
    group=Group.SYNTHESIS,
    summary="Gradient ascent on the photo to increase the activations of a layer (DeepDream).",
    explanation=EXPLANATION,
    reference="Mordvintsev, Olah and Tyka 2015, Inceptionism",
    Params=Params,
    compute=compute,
    draw=draw,
    data=data,
    live=False,
    film=True,
)
