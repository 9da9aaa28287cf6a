"""The photo painted in the style of another picture."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

from explorer.core.layers import Board, Pane, Picture
from explorer.core.params import Effect, ImageRef, param
from explorer.core.step import Step
from explorer.engine.view import Group, View
from explorer.views.shared.common import photo_of, size_of
from explorer.views.shared.seen import answered
from explorer.views.shared.synthesis.dreams import dream_layers, require_layer, stage_layers
from explorer.views.shared.synthesis.growth import NEWEST, Grown, Run, loss_plot, shown_param
from explorer.vision.synthesis.images import Fourier, Image, Pixels
from explorer.vision.synthesis.octaves import octave_sizes, pictured, preview, resized
from explorer.vision.synthesis.optimizers import Optimizer, adam, lbfgs
from explorer.vision.synthesis.style import Weights, style_objective, with_colors_of
from explorer.vision.synthesis.synthesis import Synthesis
from explorer.vision.synthesis.target import Target

if TYPE_CHECKING:
    from collections.abc import Generator

    from torch import Tensor

    from explorer.core.layers import UInt8
    from explorer.core.network_info import NetworkInfo
    from explorer.engine.scene import Scene
    from explorer.vision.synthesis.objectives import Objective

EXPLANATION = r"""
A picture $x$ keeps the **content** of the photo $p$ and takes the **style** of another picture $a$:

$$ L = \alpha \, L_{content} + \beta \, L_{style} + \gamma \, TV(x) $$

$$ L_{content} = \frac{ \| F(x) - F(p) \|^2 }{ \| F(p) \|^2 } $$

$$ L_{style} = \frac{1}{N} \sum_l \frac{ \| G_l(x) - G_l(a) \|^2 }{ \| G_l(a) \|^2 } $$

$F$ are the features of the content layer: they say what is where. $G_l$ is the **Gram matrix** of a
style layer, the inner products of its channels summed over all $M$ places: which features occur
together, wherever they are.

$$ G_{ij} = \frac{1}{M} \sum_k F_{ik} \, F_{jk} $$

**Settings.** Move the ratio with *Style weight*. Deep content layers leave more freedom; early
style layers bring colors and strokes, deeper ones larger motifs. *Keep the photo's colors* takes
only the lightness of the result. With two octaves the large shapes are painted first, on a small
picture.

The division by the style's own Gram matrix makes layers and networks comparable; the paper divides
by sizes only. *Fourier* optimizes the spectrum, which gives broad strokes; *pixels* is the method
of the paper.

**Sources.** Gatys, Ecker and Bethge 2016, *Image Style Transfer Using Convolutional Neural
Networks*, equations 1 to 7; Gatys et al. 2017, *Controlling Perceptual Factors in Neural Style
Transfer* (colors); Olah et al. 2017, *Feature Visualization* (the Fourier parameterization).
"""

PHOTO, NOISE = "the photo", "noise"
FOURIER, PIXELS = "Fourier", "pixels"
LBFGS, ADAM = "L-BFGS", "Adam"
STAGES = 6
"""Stages that style layers are chosen from by default: all but the last."""


def content_layers(info: NetworkInfo) -> tuple[str, ...]:
    """A layer past the middle first."""
    stages = stage_layers(info, STAGES)
    if not stages:
        return ()
    first = stages[min(len(stages) - 1, STAGES // 2)]
    if info.default_layer in stages:
        first = info.default_layer
    return tuple(dict.fromkeys((first, *dream_layers(info))))


def _two(params: Params, info: NetworkInfo | None) -> bool:
    return params.second is not None


@dataclass(frozen=True, slots=True)
class Params:
    """See the help of each."""

    style: ImageRef = param(
        ImageRef("strokes"), "Style", "The picture whose style is taken: a file or a sample."
    )
    second: ImageRef | None = param(None, "Second style", "A second picture, to mix both styles.")
    mix: float = param(
        0.5, "Share of the second", "How much of the second style is mixed in.",
        effect=Effect.STEER, low=0.0, high=1.0, step=0.05, when=_two,
    )  # fmt: skip
    weight: float = param(
        2.0, "Style weight", "Weight of the style; the content has 1.",
        effect=Effect.STEER, low=0.01, high=10000.0, log=True,
    )  # fmt: skip
    content: str = param(
        "", "Content layer", "The layer whose features are kept.", choices=content_layers,
        effect=Effect.STEER,
    )  # fmt: skip
    layers: str = param(
        "", "Style layers",
        "Layers whose Gram matrices are matched, with commas between them; empty means "
        "five, evenly over the depth.",
        effect=Effect.STEER, advanced=True,
    )  # fmt: skip
    variation: float = param(
        0.0, "TV weight", "Weight of the total variation per pixel: more gives smoother pictures.",
        effect=Effect.STEER, low=0.0, high=5.0, step=0.05,
    )  # fmt: skip
    colors: bool = param(
        False, "Keep the photo's colors", "Takes only the lightness of the result.",
        effect=Effect.DRAW,
    )  # fmt: skip
    size: int = param(
        320, "Working size", "Longer side of the picture.", low=64, high=1536, step=32, unit="px"
    )
    octaves: int = param(
        2, "Octaves", "Number of picture sizes, each twice the one before.", low=1, high=4
    )
    steps: int = param(
        25, "Steps per octave", "Steps of the optimizer; of L-BFGS each has five iterations.",
        low=1, high=500,
    )  # fmt: skip
    start: str = param(PHOTO, "Start from", "The photo, or noise.", choices=(PHOTO, NOISE))
    image: str = param(
        FOURIER, "Parameterization", "What is optimized: the spectrum or the pixels.",
        choices=(FOURIER, PIXELS), advanced=True,
    )  # fmt: skip
    optimizer: str = param(
        LBFGS, "Optimizer", "How steps are taken.", choices=(LBFGS, ADAM), advanced=True
    )
    shown: int = shown_param()


@dataclass(frozen=True, slots=True, eq=False)
class Result:
    """`small` is the photo at the working size; `styles` are the style pictures."""

    photo: Picture
    small: UInt8
    styles: tuple[UInt8, ...]
    grown: Grown
    note: str


def compute(scene: Scene, params: Params) -> Generator[Step[Result], Any, None]:
    painting = _Painting(scene, params)
    total = len(painting.sizes) * params.steps
    for octave, size in enumerate(painting.sizes):
        painting.begin(octave)
        for step in range(params.steps):
            painting.run.step()
            words = f"octave {octave + 1} of {len(painting.sizes)} ({size[1]} x {size[0]})"
            note = f"{words}, step {step + 1} of {params.steps}"
            news = yield Step(painting.result(note), octave * params.steps + step + 1, total, note)
            if painting.run.stopped:
                return
            if news is not None:
                painting.steer(news)


def draw(result: Result, params: Params) -> Board:
    moment = result.grown.at(params.shown)
    rgb = _colored(moment.rgb, result.small) if params.colors else moment.rgb
    size = size_of(result.photo)
    picture = Picture(rgb, extent=(0.0, 0.0, *size), smooth=True, name="painting")
    panes = [Pane("painting", size, (picture,), title="Photo in the style")]
    for number, style in enumerate(result.styles, 1):
        height, width = style.shape[:2]
        words = "Style" if len(result.styles) == 1 else f"Style {number}"
        layers = (Picture(style, smooth=True, name=f"style {number}"),)
        frame = f"style {number}"
        panes.append(Pane(frame, (float(width), float(height)), layers, title=words, frame=frame))
    note = result.note if params.shown == NEWEST else f"after {moment.step} steps"
    plot = loss_plot(result.grown, title="Distances and loss", y_label="loss", log=True)
    grown = result.grown
    distances = ", ".join(f"{name} {values[-1]:.3f}" for name, values in grown.parts.items())
    return Board(
        panes=tuple(panes),
        plots=(plot,),
        summary=" · ".join(words for words in (distances, note) if words),
        notes=(grown.problem,) if grown.problem else (),
    )


def data(result: Result, params: Params) -> dict[str, Any]:
    """Keys: `picture` (h, w, 3) uint8, `loss` (n,) float64, and its parts."""
    rgb = result.grown.rgb
    return {
        "picture": _colored(rgb, result.small) if params.colors else rgb,
        "loss": result.grown.losses,
        **result.grown.parts,
    }


class _Painting:
    """The picture on its way through the octaves; lives on the runner's thread."""

    def __init__(self, scene: Scene, params: Params) -> None:
        network = scene.network
        self._scene, self._params = scene, params
        require_layer(params.content)
        pixels = scene.image.pixels
        self.sizes = octave_sizes(
            *pixels.shape[:2], longest=params.size, octaves=params.octaves, scale=2.0
        )
        self._content = self._pictured(pixels, self.sizes[-1])
        refs = (params.style, *((params.second,) if params.second else ()))
        self._styles = [scene.image_of(ref).pixels for ref in refs]
        self._generator = scene.generator()
        self._target = Target.of(network)
        small = resized(self._content, self.sizes[0])
        stages = answered(self._target, small, stage_layers(network.info, STAGES)[:-1])
        self._stages = stages or (params.content,)
        first = self._start(self.sizes[0], None)
        self.run = Run(
            Synthesis(
                first, self._target, self._objective(self.sizes[0], params),
                self._optimizer(), self._generator,
            )
        )  # fmt: skip
        self._octave = 0

    def begin(self, octave: int) -> None:
        """Goes on at the next size with what was painted."""
        self._octave = octave
        if octave == 0:
            return
        size, synthesis = self.sizes[octave], self.run.synthesis
        synthesis.image = self._start(size, resized(synthesis.picture(), size))
        synthesis.objective = self._objective(size, self._params)
        synthesis.optimizer = self._optimizer()

    def steer(self, params: Params) -> None:
        """Takes new weights and layers."""
        self._params = params
        self.run.synthesis.objective = self._objective(self.sizes[self._octave], params)

    def result(self, note: str) -> Result:
        size = self.sizes[self._octave]
        small = preview(resized(self._content, size))
        styles = tuple(preview(self._style(pixels, self.sizes[-1])) for pixels in self._styles)
        return Result(photo_of(self._scene), small, styles, self.run.grown(), note)

    def _objective(self, size: tuple[int, int], params: Params) -> Objective:
        shares = (1.0,) if len(self._styles) == 1 else (1.0 - params.mix, params.mix)
        styles = [(s, self._style(p, size)) for s, p in zip(shares, self._styles, strict=True)]
        return style_objective(
            self._target, resized(self._content, size), styles, params.content,
            _named(params.layers) or self._stages, Weights(1.0, params.weight, params.variation),
        )  # fmt: skip

    def _style(self, pixels: UInt8, size: tuple[int, int]) -> Tensor:
        (own,) = octave_sizes(*pixels.shape[:2], longest=max(size), octaves=1, scale=2.0)
        return self._pictured(pixels, own)

    def _pictured(self, pixels: UInt8, size: tuple[int, int]) -> Tensor:
        network = self._scene.network
        return pictured(pixels, size, network.preprocess.channels).to(network.device)

    def _start(self, size: tuple[int, int], before: Tensor | None) -> Image:
        start = before
        if start is None and self._params.start == PHOTO:
            start = resized(self._content, size)
        channels, device = self._content.shape[1], self._content.device
        if self._params.image == FOURIER:
            return Fourier(1, size, self._generator, channels=channels, start=start, device=device)
        if start is None:
            start = torch.rand(1, channels, *size, generator=self._generator).to(device)
        return Pixels(start)

    def _optimizer(self) -> Optimizer:
        if self._params.optimizer == LBFGS:
            return lbfgs()
        return adam(0.005 if self._params.image == FOURIER else 0.03)


def _named(text: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(text.replace(",", " ").split()))


def _colored(rgb: UInt8, content: UInt8) -> UInt8:
    """`with_colors_of` on pixels of one size, or of the nearest octave's."""
    picture = pictured(rgb, (rgb.shape[0], rgb.shape[1]), 3)
    return preview(with_colors_of(picture, pictured(content, (rgb.shape[0], rgb.shape[1]), 3)))


VIEW = View(
    name="neural_style",
    title="Neural style",
    group=Group.SYNTHESIS,
    summary="The photo's content in the style of one or two other pictures.",
    explanation=EXPLANATION,
    reference="Gatys, Ecker and Bethge 2016, Image Style Transfer Using Convolutional Neural "
    "Networks",
    Params=Params,
    compute=compute,
    draw=draw,
    data=data,
    live=False,
    film=True,
)
