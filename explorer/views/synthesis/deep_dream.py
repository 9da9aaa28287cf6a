"""A dream that grows on the photo: the activations of a layer are amplified."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import torch

from explorer.core.errors import ExplorerError
from explorer.core.params import Effect, ImageRef, param
from explorer.core.step import Step
from explorer.engine.view import Group, View
from explorer.views.shared.common import photo_of
from explorer.views.shared.synthesis.dreams import (
    channels_of,
    channels_param,
    dream_board,
    dream_objective,
    half_param,
    jitter_param,
    layer_param,
    require_layer,
    smoothing_param,
    step_param,
    tv_param,
)
from explorer.views.shared.synthesis.growth import NEWEST, Grown, Run, shown_param
from explorer.vision.synthesis import objectives
from explorer.vision.synthesis.images import Pixels
from explorer.vision.synthesis.octaves import octave_sizes, pictured, resized, zoomed
from explorer.vision.synthesis.optimizers import NormalizedDescent
from explorer.vision.synthesis.synthesis import Synthesis
from explorer.vision.synthesis.target import Target
from explorer.vision.synthesis.tiles import Tiles
from explorer.vision.synthesis.transforms import Transforms

if TYPE_CHECKING:
    from collections.abc import Generator

    from torch import Tensor

    from explorer.core.layers import Board, Picture
    from explorer.core.network_info import NetworkInfo
    from explorer.engine.scene import Scene
    from explorer.vision.synthesis.objectives import Objective

EXPLANATION = r"""
The weights of the network are fixed; the **picture** $x$ is changed by gradient ascent so that an
objective $L$ grows: the mean squared activation of the chosen layer, or the mean activation of the
chosen channels $K$.

$$ L = \mathrm{mean}_{k,i,j} \; a_{kij}^2 $$

$$ L = \mathrm{mean}_{k \in K,\, i,j} \; a_{kij} $$

With a **guide**, each cell $a_{ij}$ of the layer is drawn toward the cell $b_q$ of the guide that
it resembles most; *More layers* adds the mean squares of others. *All class scores* raises the mean
of all scores of a classifier together.

$$ L = \mathrm{mean}_{i,j} \; \max_q \; a_{ij} \cdot b_q $$

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

**History.** *Moment shown* goes back through the run without stopping it. With *Zoom frames* the
finished dream is enlarged and dreamed on again and again: a film that flies into the picture.

Pictures larger than 768 pixels run through the network in tiles with a margin, so that a picture of
several megapixels fits into memory.

For a detector, only the backbone runs, on a picture normalized as in the detector. The same seed
and parameters give the same picture.

**Sources.** Mordvintsev, Olah and Tyka 2015, *Inceptionism*; Mahendran and Vedaldi 2015,
*Understanding Deep Image Representations by Inverting Them* (the TV term); Olah et al. 2017,
*Feature Visualization* (channels).
"""

PHOTO, NOISE = "the photo", "noise"
LAYER, SCORES = "layer activations", "all class scores"
GUIDE_SIDE = 224
"""Longer side of the guide as the network sees it, in pixels."""

FRAME_STEPS = 4
"""Steps of a frame of the zoom."""

TILES = Tiles(side=512, margin=128)
"""Of pictures that are larger."""


def _classifies(params: Params, info: NetworkInfo | None) -> bool:
    return info is None or info.task == "classification"


def _climbs_layer(params: Params, info: NetworkInfo | None) -> bool:
    return params.objective == LAYER


@dataclass(frozen=True, slots=True)
class LayerWeight:
    """One more layer of the objective."""

    layer: str = layer_param()
    weight: float = param(
        1.0, "Weight", "Factor of this layer in the sum; the layer above has 1.",
        effect=Effect.STEER, low=-10.0, high=10.0, step=0.1,
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Params:
    """See the help of each."""

    objective: str = param(
        LAYER, "Maximize", "The activations of a layer, or the mean of all class scores.",
        effect=Effect.STEER, choices=(LAYER, SCORES), when=_classifies,
    )  # fmt: skip
    layer: str = layer_param(when=_climbs_layer)
    channels: str = channels_param(when=_climbs_layer)
    more: tuple[LayerWeight, ...] = param(
        (), "More layers", "Layers whose activations are added, each with its weight.",
        effect=Effect.STEER, when=_climbs_layer, advanced=True, most=8,
    )  # fmt: skip
    guide: ImageRef | None = param(
        None, "Guide", "A photo whose features in the layer the dream is drawn toward.",
        when=_climbs_layer,
    )  # fmt: skip
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
        high=4096, step=32, unit="px",
    )  # fmt: skip
    start: str = param(
        PHOTO, "Start from", "The photo, or random gray noise.",
        choices=(PHOTO, NOISE),
    )  # fmt: skip
    frames: int = param(
        0, "Zoom frames",
        "After the last octave: this many frames, each of which enlarges the one before and dreams "
        "on. Export them as a film.",
        low=0, high=1000,
    )  # fmt: skip
    zoom: float = param(
        1.03, "Zoom per frame", "Magnification from frame to frame.", effect=Effect.STEER,
        low=1.0, high=1.2, step=0.005, when=lambda params, info: params.frames > 0,
    )  # fmt: skip
    shown: int = shown_param()
    jitter: int = jitter_param(16)
    smoothing: float = smoothing_param(1.2)
    tv: float = tv_param()
    half: bool = half_param()


@dataclass(frozen=True, slots=True, eq=False)
class Result:
    """The dream so far, on its photo; `title` says what is maximized."""

    photo: Picture
    grown: Grown
    title: str
    half: bool
    note: str = ""


def compute(scene: Scene, params: Params) -> Generator[Step[Result], Any, None]:
    if not _classifies(params, scene.network.info):
        params = replace(params, objective=LAYER)
    dream = _Dream(scene, params)
    octaves = len(dream.sizes)
    total = octaves * params.steps + params.frames
    for number in range(total):
        octave, step = divmod(number, params.steps)
        if octave < octaves:
            if step == 0:
                dream.begin(octave)
            dream.step()
            size = dream.sizes[octave]
            words = f"octave {octave + 1} of {octaves} ({size[1]} x {size[0]})"
            note = f"{words}, step {step + 1} of {params.steps}"
        else:
            note = f"zoom frame {number + 1 - octaves * params.steps} of {params.frames}"
            dream.zoom()
        news = yield Step(dream.result(note), number + 1, total, note)
        if dream.stopped:
            return
        if news is not None:
            dream.steer(news)


def draw(result: Result, params: Params) -> Board:
    grown = result.grown
    moment = grown.at(params.shown)
    note = result.note if params.shown == NEWEST else f"after {moment.step} steps"
    return dream_board(
        result.photo, moment.rgb, -grown.losses, result.title,
        first=1, unit="step", note=note, problem=grown.problem, half=result.half,
    )  # fmt: skip


def data(result: Result, params: Params) -> dict[str, Any]:
    """Keys: `picture` (h, w, 3) uint8 at the working size, `objective` (n,) float64, `layer`."""
    grown = result.grown
    return {"picture": grown.rgb, "objective": -grown.losses, "layer": result.title}


class _Dream:
    """The picture on its way through the octaves; lives on the runner's thread."""

    def __init__(self, scene: Scene, params: Params) -> None:
        network = scene.network
        self._scene = scene
        self._photo = photo_of(scene)
        self._params = params
        pixels = scene.image.pixels
        self.sizes = octave_sizes(
            *pixels.shape[:2], longest=params.size, octaves=params.octaves, scale=params.scale
        )
        target, generator = Target.of(network, half=params.half), scene.generator()
        self._base = self._start(scene, self.sizes[-1], generator)
        if params.objective == LAYER:
            require_layer(params.layer)
        first = Pixels(resized(self._base, self.sizes[0]))
        self._guides: dict[str, Tensor] = {}
        self._run = Run(
            Synthesis(
                first, target, self._objective(target, params), self._optimizer(params),
                generator, Transforms(jitter=params.jitter), TILES,
            )
        )  # fmt: skip

    @property
    def stopped(self) -> bool:
        return self._run.stopped

    def begin(self, octave: int) -> None:
        """Carries what was dreamed so far over to the next size: its difference to the photo."""
        if octave == 0:
            return
        before, size = self.sizes[octave - 1], self.sizes[octave]
        dreamed = self._run.synthesis.picture() - resized(self._base, before)
        picture = resized(self._base, size) + resized(dreamed, size)
        self._run.synthesis.image = Pixels(picture.clamp_(0.0, 1.0))

    def zoom(self) -> None:
        """One frame of the zoom."""
        picture = self._run.synthesis.picture()
        self._run.synthesis.image = Pixels(zoomed(picture, self._params.zoom).clamp_(0.0, 1.0))
        for _ in range(FRAME_STEPS):
            self.step()

    def steer(self, params: Params) -> None:
        """Takes new values; a half-typed list of channels leaves the old one in place."""
        synthesis = self._run.synthesis
        try:
            synthesis.objective = self._objective(synthesis.target, params)
        except ExplorerError:
            params = replace(params, channels=self._params.channels)
        self._params = params
        synthesis.optimizer = self._optimizer(params)
        synthesis.transforms = Transforms(jitter=params.jitter)

    def step(self) -> None:
        self._run.step()

    def result(self, note: str) -> Result:
        scores = self._params.objective == SCORES
        title = SCORES if scores else self._params.layer
        return Result(self._photo, self._run.grown(), title, self._run.synthesis.target.half, note)

    def _objective(self, target: Target, params: Params) -> Objective:
        if params.objective == SCORES:
            return -objectives.all_scores()
        numbers = channels_of(params.channels)
        loss = self._guided(target, params.layer) or dream_objective(params.layer, numbers)
        for row in params.more:
            if row.layer:
                loss = loss + row.weight * dream_objective(row.layer, ())
        return loss

    def _guided(self, target: Target, layer: str) -> Objective | None:
        guide = self._params.guide
        if guide is None:
            return None
        if layer not in self._guides:
            pixels, network = self._scene.image_of(guide).pixels, self._scene.network
            (size,) = octave_sizes(*pixels.shape[:2], longest=GUIDE_SIDE, octaves=1, scale=2.0)
            picture = pictured(pixels, size, network.preprocess.channels).to(network.device)
            with torch.no_grad():
                self._guides[layer] = target.answer(picture, layer)
        return -objectives.guided(layer, self._guides[layer])

    def _optimizer(self, params: Params) -> NormalizedDescent:
        return NormalizedDescent(params.step, params.smoothing, params.tv)

    def _start(self, scene: Scene, size: tuple[int, int], generator: torch.Generator) -> Tensor:
        network = scene.network
        channels = network.preprocess.channels
        if self._params.start == NOISE:
            noise = torch.randn(1, channels, *size, generator=generator)
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
