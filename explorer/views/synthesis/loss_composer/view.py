"""One composer for everything that is made by gradients on a picture."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import torch

from explorer.core.errors import ExplorerError
from explorer.core.layers import Board, Pane, Picture
from explorer.core.params import Box, Effect, ImageRef, Mask, Pick, param
from explorer.core.step import Step
from explorer.engine.view import Group, View
from explorer.views.shared.common import photo_of, size_of
from explorer.views.shared.synthesis.dreams import half_param, titled
from explorer.views.shared.synthesis.growth import (
    NEWEST,
    Grown,
    Run,
    history_pane,
    loss_plot,
    rewind_param,
    shown_param,
)
from explorer.views.synthesis.loss_composer.terms import Material, Term
from explorer.vision.synthesis.images import Cppn, Fourier, Image, Masked, Pixels
from explorer.vision.synthesis.octaves import octave_sizes, pictured
from explorer.vision.synthesis.optimizers import NormalizedDescent, Optimizer, adam, lbfgs, momentum
from explorer.vision.synthesis.synthesis import Synthesis
from explorer.vision.synthesis.target import Target
from explorer.vision.synthesis.transforms import Transforms

if TYPE_CHECKING:
    from collections.abc import Generator

    from torch import Tensor

    from explorer.core.network_info import NetworkInfo
    from explorer.engine.scene import Scene

EXPLANATION = r"""
One network, the gradient with respect to the **picture** and a choice of loss: that is all there is
behind dreams, inversions, style transfer and adversarial examples. Here the loss is composed of
terms, each with its weight:

$$ L(x) = - \sum_{i \in large} w_i \, t_i(x) + \sum_{j \in small} w_j \, t_j(x) $$

Activations and scores are made large; distances and priors are made small. A negative weight turns
a term around.

**Recipes.** A *channel* with *total variation*: activation maximization. *Features of the other
photo* in a middle layer, started from noise: inversion. The same plus *style of the style picture*:
neural style. A *class logit* plus *distance to the photo*, started from the photo: an adversarial
example. A *layer*, started from the photo with normalized steps: DeepDream.

**While it runs**, terms, weights, step size and transforms can be changed; the next step uses them.
The curves are the values of the terms without their weights. *Rewind to* goes back to an earlier
moment and continues from there with the present settings. Paint a mask to change the picture only
inside it.

**Normalized descent** divides the gradient by its mean magnitude, so every step moves equally far;
Adam, momentum and L-BFGS are the usual optimizers.

**Sources.** Mordvintsev, Olah and Tyka 2015, *Inceptionism*; Mahendran and Vedaldi 2015,
*Understanding Deep Image Representations by Inverting Them*; Gatys, Ecker and Bethge 2016, *Image
Style Transfer Using Convolutional Neural Networks*; Olah et al. 2017, *Feature Visualization*.
"""

PHOTO, NOISE, GRAY, OTHER = "the photo", "noise", "gray", "the other photo"
PIXELS, FOURIER, CPPN = "pixels", "Fourier", "CPPN"
NORMALIZED, ADAM, MOMENTUM, LBFGS = "normalized descent", "Adam", "momentum", "L-BFGS"

RATES = {
    (PIXELS, NORMALIZED): 0.01, (PIXELS, ADAM): 0.02, (PIXELS, MOMENTUM): 10.0,
    (FOURIER, NORMALIZED): 0.002, (FOURIER, ADAM): 0.008, (FOURIER, MOMENTUM): 0.01,
    (CPPN, NORMALIZED): 0.002, (CPPN, ADAM): 0.008, (CPPN, MOMENTUM): 0.01,
}  # fmt: skip
"""Step sizes by parameterization and optimizer; those of L-BFGS are found by its line search."""

DEFAULT = (Term(),)
"""What a layer sees is amplified, as in DeepDream."""


def _detects(params: Params, info: NetworkInfo | None) -> bool:
    return info is not None and info.task == "detection"


def _smooths(params: Params, info: NetworkInfo | None) -> bool:
    return params.image == PIXELS and params.optimizer == NORMALIZED


def _paints(params: Params, info: NetworkInfo | None) -> bool:
    return params.start == PHOTO


@dataclass(frozen=True, slots=True)
class Params:
    """See the help of each."""

    terms: tuple[Term, ...] = param(
        DEFAULT, "Terms", "The terms of the loss and their weights.", effect=Effect.STEER, most=12
    )
    start: str = param(
        PHOTO, "Start from", "The picture before the first step.",
        choices=(PHOTO, NOISE, GRAY, OTHER),
    )  # fmt: skip
    other: ImageRef | None = param(
        None, "Other photo", "For the terms that compare; without one the photo itself is used."
    )
    style: ImageRef | None = param(None, "Style picture", "For the style term.")
    box: Box | None = param(
        None, "Box", "For the term of a detector's box: drag it on the photo.",
        pick=Pick.DRAG, when=_detects,
    )  # fmt: skip
    inside: Mask | None = param(
        None, "Only inside", "Paint where the picture may change; nothing painted means all of it.",
        pick=Pick.BRUSH, when=_paints,
    )  # fmt: skip
    image: str = param(
        PIXELS, "Parameterization", "What is optimized: pixels, a spectrum, or a small network.",
        choices=(PIXELS, FOURIER, CPPN),
    )  # fmt: skip
    optimizer: str = param(
        NORMALIZED, "Optimizer", "How steps are taken.",
        choices=(NORMALIZED, ADAM, MOMENTUM, LBFGS),
    )  # fmt: skip
    rate: float = param(
        1.0, "Step size", "Factor of the optimizer's own step size.", effect=Effect.STEER,
        low=0.01, high=100.0, log=True,
    )  # fmt: skip
    steps: int = param(100, "Steps", "Number of steps.", low=1, high=5000, log=True)
    size: int = param(
        256, "Working size", "Longer side of the picture.", low=32, high=2048, step=32, unit="px"
    )
    shown: int = shown_param()
    rewind: int = rewind_param()
    jitter: int = param(
        8, "Jitter", "Maximum random shift before each step.", effect=Effect.STEER,
        low=0, high=64, unit="px", section="Transforms",
    )  # fmt: skip
    scaling: float = param(
        0.0, "Scaling", "Maximum random enlargement or reduction; 0.1 is 10%.",
        effect=Effect.STEER, low=0.0, high=0.5, step=0.01, section="Transforms",
    )  # fmt: skip
    rotation: float = param(
        0.0, "Rotation", "Maximum random angle.", effect=Effect.STEER,
        low=0.0, high=45.0, step=1.0, unit="°", section="Transforms",
    )  # fmt: skip
    smoothing: float = param(
        0.5, "Smoothing", "Standard deviation of the Gaussian blur of the gradient.",
        effect=Effect.STEER, low=0.0, high=4.0, step=0.1, unit="px", section="Transforms",
        when=_smooths,
    )  # fmt: skip
    half: bool = half_param()


@dataclass(frozen=True, slots=True, eq=False)
class Result:
    """The picture so far, over its photo."""

    photo: Picture
    grown: Grown
    note: str
    half: bool


def compute(scene: Scene, params: Params) -> Generator[Step[Result], Any, None]:
    network = scene.network
    target = Target.of(network, half=params.half)
    (size,) = octave_sizes(*scene.image.pixels.shape[:2], longest=params.size, octaves=1, scale=2.0)
    material = Material(
        target, network.info, _pictured(scene, None, size),
        _pictured(scene, params.other, size) if params.other else None,
        _styled(scene, params.style, params.size) if params.style else None,
        network.module, _scaled(params.box, scene, size),
    )  # fmt: skip
    generator = scene.generator()
    image = _image(params, material, generator)
    run = Run(
        Synthesis(
            image, target, material.objective(params.terms), _optimizer(params), generator,
            _transforms(params),
        ),
        rewinds=True,
    )  # fmt: skip
    for number in range(1, params.steps + 1):
        run.step()
        note = f"step {number} of {params.steps}"
        result = Result(photo_of(scene), run.grown(), note, params.half)
        news = yield Step(result, number, params.steps, note)
        if run.stopped:
            return
        if news is not None:
            params = _steered(run, material, params, news)


def _steered(run: Run, material: Material, before: Params, params: Params) -> Params:
    """Takes new settings; terms that make no sense yet (half-typed, say) leave the old ones."""
    synthesis = run.synthesis
    if params.terms != before.terms:
        try:
            synthesis.objective = material.objective(params.terms)
        except ExplorerError as error:
            run.problem = f"{error.message} {error.hint}"
            params = replace(params, terms=before.terms)
    if (params.rate, params.smoothing) != (before.rate, before.smoothing):
        synthesis.optimizer = _optimizer(params)
    synthesis.transforms = _transforms(params)
    if params.rewind not in (NEWEST, before.rewind):
        run.rewind(params.rewind)
    return params


def draw(result: Result, params: Params) -> Board:
    grown = result.grown
    moment = grown.at(params.shown)
    size = size_of(result.photo)
    picture = Picture(moment.rgb, extent=(0.0, 0.0, *size), smooth=True, name="picture")
    note = result.note if params.shown == NEWEST else f"after {moment.step} steps"
    return Board(
        panes=(
            Pane("picture", size, (picture,), title=titled("Picture", half=result.half)),
            history_pane(grown),
        ),
        plots=(loss_plot(grown, title="Loss and its terms", y_label="loss"),),
        summary=f"loss {grown.losses[-1]:.4g} · {note}" if len(grown.losses) else note,
        notes=(grown.problem,) if grown.problem else (),
    )


def data(result: Result, params: Params) -> dict[str, Any]:
    """Keys: `picture` (h, w, 3) uint8, `loss` (n,) float64, and a (n,) array for every term."""
    return {
        "picture": result.grown.rgb, "loss": result.grown.losses, **result.grown.parts,
    }  # fmt: skip


def _pictured(scene: Scene, ref: ImageRef | None, size: tuple[int, int]) -> Tensor:
    image = scene.image if ref is None else scene.image_of(ref)
    network = scene.network
    return pictured(image.pixels, size, network.preprocess.channels).to(network.device)


def _scaled(box: Box | None, scene: Scene, size: tuple[int, int]) -> Tensor | None:
    """(4,) in pixels of a picture of (H, W) `size`."""
    if box is None:
        return None
    height, width = scene.image.pixels.shape[:2]
    x, y = size[1] / width, size[0] / height
    sides = (box.x0 * x, box.y0 * y, box.x1 * x, box.y1 * y)
    return torch.tensor(sides, device=scene.network.device)


def _styled(scene: Scene, ref: ImageRef, longest: int) -> Tensor:
    pixels = scene.image_of(ref).pixels
    (size,) = octave_sizes(*pixels.shape[:2], longest=longest, octaves=1, scale=2.0)
    return _pictured(scene, ref, size)


def _image(params: Params, material: Material, generator: torch.Generator) -> Image:
    photo = material.photo
    size, channels = (photo.shape[-2], photo.shape[-1]), photo.shape[1]
    start: Tensor | None = None
    match params.start:
        case "the photo":
            start = photo
        case "gray":
            start = torch.full_like(photo, 0.5)
        case "the other photo":
            if material.other is None:
                raise ExplorerError("There is no other photo to start from.", "Choose one.")
            start = material.other
    image: Image
    if params.image == CPPN:
        image = Cppn(size, generator, channels=channels, device=photo.device)
    elif params.image == FOURIER:
        image = Fourier(1, size, generator, channels=channels, start=start, device=photo.device)
    else:
        if start is None:
            noise = torch.randn(photo.shape, generator=generator).mul_(0.05).add_(0.5)
            start = noise.clamp_(0.0, 1.0).to(photo.device)
        image = Pixels(start)
    if params.inside is None or params.start != PHOTO:
        return image
    return Masked(image, photo, _mask(params.inside, size).to(photo.device))


def _mask(mask: Mask, size: tuple[int, int]) -> Tensor:
    """(1, 1, H, W) in [0, 1] from what was painted on the photo."""
    painted = (mask.index() > 0).astype(np.float32)
    small = cv2.resize(painted, (size[1], size[0]), interpolation=cv2.INTER_AREA)
    return torch.from_numpy(np.ascontiguousarray(small))[None, None]


def _optimizer(params: Params) -> Optimizer:
    if params.optimizer == LBFGS:
        return lbfgs(params.rate)
    rate = params.rate * RATES[params.image, params.optimizer]
    if params.optimizer == ADAM:
        return adam(rate)
    if params.optimizer == MOMENTUM:
        return momentum(rate)
    return NormalizedDescent(rate, params.smoothing if params.image == PIXELS else 0.0)


def _transforms(params: Params) -> Transforms:
    return Transforms(jitter=params.jitter, scale=params.scaling, rotation=params.rotation)


VIEW = View(
    name="loss_composer",
    title="Loss composer",
    group=Group.SYNTHESIS,
    summary="Optimize a picture for any sum of terms: channels, classes, features, style, priors.",
    explanation=EXPLANATION,
    reference="Olah, Mordvintsev and Schubert 2017, Feature Visualization",
    Params=Params,
    compute=compute,
    draw=draw,
    data=data,
    live=False,
    film=True,
)
