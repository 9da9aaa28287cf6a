"""A dream that feeds on itself: every frame begins with what was dreamed of the frame before."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from explorer.core.errors import ExplorerError
from explorer.core.params import Effect, param
from explorer.core.step import Step
from explorer.engine.view import Group, View
from explorer.live.memory import brought_back
from explorer.views.shared.common import photo_of
from explorer.views.shared.memory import recalled, remember
from explorer.views.shared.synthesis.dreams import (
    channels_of,
    channels_param,
    dream_board,
    dream_objective,
    jitter_param,
    layer_param,
    require_layer,
    smoothing_param,
    step_param,
    tv_param,
)
from explorer.vision.synthesis.images import Pixels
from explorer.vision.synthesis.octaves import octave_sizes, pictured, preview, resized, zoomed
from explorer.vision.synthesis.optimizers import NormalizedDescent
from explorer.vision.synthesis.synthesis import Synthesis
from explorer.vision.synthesis.target import Target
from explorer.vision.synthesis.transforms import Transforms

if TYPE_CHECKING:
    from collections.abc import Generator

    from numpy.typing import NDArray
    from torch import Tensor

    from explorer.core.layers import Board, Picture
    from explorer.engine.scene import Scene

EXPLANATION = r"""
DeepDream with feedback: the result $d$ for one frame $f$ is blended into the next one, with the
weight $\beta$ of *Feedback*, before its gradient steps start:

$$ x_0 = (1 - \beta) \, f + \beta \; \mathrm{zoom}(d) $$

$$ x_{i+1} = x_i + \eta \, \frac{g}{\mathrm{mean} \, |g|} + \lambda \, \nabla^2 x_i $$

$$ g = \frac{\partial L}{\partial x_i} $$

The objective $L$, the step size $\eta$ and the TV weight $\lambda$ are those of the view
*DeepDream*. After the last step, $x$ is the new $d$.

**Live**, every frame of the camera or film is one iteration. With *Feedback* at 0 each frame is
processed independently; at 0.9 moving objects leave trails; at 1 only the first frame is used. The
zoom enlarges the previous dream about its center, so that patterns move outward.

**On a photo**, the photo takes the place of new frames; the steps can be exported as a film.

**While it runs**, all settings can be changed; the next iteration uses them. The plot is $L$ before
the first step of each iteration: it rises, then levels off where blending removes as much as the
steps add.

**Sources.** Mordvintsev, Olah and Tyka 2015, *Inceptionism* (which applies the method to its own,
zoomed output); Mahendran and Vedaldi 2015, *Understanding Deep Image Representations by Inverting
Them* (the TV term).
"""

NAME = "feedback_dream"
REMEMBERED = 300
"""Rounds in the plot."""


@dataclass(frozen=True, slots=True)
class Params:
    """See the help of each."""

    layer: str = layer_param()
    channels: str = channels_param()
    feedback: float = param(
        0.6, "Feedback", "Weight of the previous dream in the next starting picture; 1 is all.",
        effect=Effect.STEER, low=0.0, high=1.0, step=0.01,
    )  # fmt: skip
    zoom: float = param(
        1.02, "Zoom", "Magnification of the previous dream about its center; below 1 it shrinks.",
        effect=Effect.STEER, low=0.9, high=1.2, step=0.005,
    )  # fmt: skip
    step: float = step_param(0.015)
    steps: int = param(
        2, "Steps per frame", "Gradient steps per frame; more steps take longer.",
        effect=Effect.STEER, low=1, high=20, step=1,
    )  # fmt: skip
    size: int = param(
        256, "Working size", "Longer side of the dream. Twice the size takes four times as long.",
        effect=Effect.STEER, low=64, high=1024, step=32, unit="px",
    )  # fmt: skip
    iterations: int = param(
        120, "Iterations on a photo", "Number of iterations when there is no camera or film.",
        low=1, high=2000, log=True,
    )  # fmt: skip
    jitter: int = jitter_param(8)
    smoothing: float = smoothing_param()
    tv: float = tv_param()


@brought_back
@dataclass(frozen=True, slots=True, eq=False)
class Dream:
    """What goes from round to round.

    Attributes:
        picture: (1, C, h, w) float32 in [0, 1], on the network's device.
        heights: (n,) float64, L before the first step of every round.
        rounds: How many there were.
        problem: A sentence when the last round was given up.
    """

    picture: Tensor
    heights: NDArray[np.float64]
    rounds: int
    problem: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Result:
    """`rgb` is the dream, (h, w, 3) uint8; see `Dream` for the rest."""

    photo: Picture
    rgb: NDArray[np.uint8]
    heights: NDArray[np.float64]
    rounds: int
    layer: str
    live: bool
    problem: str = ""


def compute(scene: Scene, params: Params) -> Generator[Step[Result], Any, None]:
    require_layer(params.layer)
    target, moment = Target.of(scene.network), scene.moment
    if moment is not None:
        generator = torch.Generator().manual_seed(scene.seed + moment.number)
        before = recalled(moment, NAME)
        dream = _round(before, scene, target, params, generator)
        remember(moment, NAME, before, dream)
        yield Step(_result(dream, scene, params))
        return
    generator, past = scene.generator(), None
    for number in range(1, params.iterations + 1):
        past = _round(past, scene, target, params, generator)
        note = f"iteration {number} of {params.iterations}"
        news = yield Step(_result(past, scene, params), number, params.iterations, note)
        params = params if news is None else replace(news, iterations=params.iterations)


def _round(
    before: Dream | None, scene: Scene, target: Target, params: Params, generator: torch.Generator
) -> Dream:
    """What `dreamed` gives; with values that make no sense (half-typed, say) the dream stands."""
    try:
        return dreamed(before, scene, target, params, generator)
    except ExplorerError as error:
        if before is None:
            raise
        return replace(before, problem=f"{error.message} {error.hint}")


def dreamed(
    before: Dream | None, scene: Scene, target: Target, params: Params, generator: torch.Generator
) -> Dream:
    """One round: the dream before, or none, mixed with the scene's photo, and some steps up.

    A step that gives NaN ends the round with its last good picture; the next round tries again.

    Raises:
        ExplorerError: When the layer has no such channels.
    """
    network, pixels = scene.network, scene.image.pixels
    (size,) = octave_sizes(*pixels.shape[:2], longest=params.size, octaves=1, scale=2.0)
    picture = pictured(pixels, size, network.preprocess.channels).to(network.device)
    heights = np.zeros(0)
    if before is not None:
        old = zoomed(resized(before.picture, size), params.zoom)
        picture = picture.lerp_(old, params.feedback).clamp_(0.0, 1.0)
        heights = before.heights[-REMEMBERED + 1 :]
    synthesis = Synthesis(
        Pixels(picture),
        target,
        dream_objective(params.layer, channels_of(params.channels)),
        NormalizedDescent(params.step, params.smoothing, params.tv),
        generator,
        Transforms(jitter=params.jitter),
    )
    rounds = 1 if before is None else before.rounds + 1
    problem = ""
    for step in range(params.steps):
        report = synthesis.step()
        if not report.finite:
            problem = (
                f"Iteration {rounds} stopped at step {step + 1}: the activation is not finite. "
                "The last finite picture is kept."
            )
            break
        if step == 0:
            heights = np.append(heights, -report.loss)
    return Dream(synthesis.picture(), heights, rounds, problem)


def draw(result: Result, params: Params) -> Board:
    where = "live" if result.live else f"of {params.iterations}"
    return dream_board(
        result.photo, result.rgb, result.heights, result.layer,
        first=result.rounds - len(result.heights) + 1, unit="iteration",
        note=f"iteration {result.rounds} {where}", problem=result.problem,
    )  # fmt: skip


def data(result: Result, params: Params) -> dict[str, Any]:
    """Keys: `picture` (h, w, 3) uint8, `objective` (n,) float64, `layer`, `rounds`."""
    return {
        "picture": result.rgb,
        "objective": result.heights,
        "layer": result.layer,
        "rounds": result.rounds,
    }


def _result(dream: Dream, scene: Scene, params: Params) -> Result:
    return Result(
        photo_of(scene), preview(dream.picture), dream.heights, dream.rounds, params.layer,
        live=scene.moment is not None, problem=dream.problem,
    )  # fmt: skip


VIEW = View(
    name=NAME,
    title="Feedback dream",
    group=Group.SYNTHESIS,
    summary="DeepDream with feedback: every frame starts from the previous result.",
    explanation=EXPLANATION,
    reference="Mordvintsev, Olah and Tyka 2015, Inceptionism",
    Params=Params,
    compute=compute,
    draw=draw,
    data=data,
    film=True,
)
