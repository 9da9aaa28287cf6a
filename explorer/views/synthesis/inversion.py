"""What a layer knows of a photo: another picture to which it gives the same answer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from explorer.core.layers import Board, Curve, Pane, Picture, Plot, class_colors
from explorer.core.params import Effect, param
from explorer.core.step import Step
from explorer.engine.view import Group, View
from explorer.views.shared.common import class_name, color
from explorer.views.shared.seen import probabilities, says, seen_picture
from explorer.views.shared.synthesis.dreams import layer_param, require_layer
from explorer.views.shared.synthesis.growth import NEWEST, Grown, Run, shown_param
from explorer.vision.synthesis.inversion import (
    ADAM,
    FEATURES,
    FOURIER,
    LBFGS,
    MOMENTUM,
    PIXELS,
    Recipe,
    inversion,
    inversion_objective,
)
from explorer.vision.synthesis.octaves import preview
from explorer.vision.synthesis.target import Target

if TYPE_CHECKING:
    from collections.abc import Generator

    import torch

    from explorer.core.layers import Float32, UInt8
    from explorer.engine.scene import Scene

EXPLANATION = r"""
A layer computes the features $\Phi(x_0)$ of the photo $x_0$. **Inversion** searches for a picture
$x$, starting from noise, that has the same features:

$$ E(x) = d(x) + \lambda_{TV} \, TV(x) + \lambda_{\alpha} \, \| 2x - 1 \|_6^6 $$

$$ d(x) = \frac{ \| \Phi(x) - \Phi(x_0) \|^2 }{ \| \Phi(x_0) \|^2 } $$

The first term $d$ is the **normalized feature distance**: 0 means that the layer cannot tell the
two pictures apart, 1 is the distance to features that are all zero. What the inverted picture
shows, the layer has kept; what is gone or changes from seed to seed, it has discarded.

**Priors.** Many pictures fit equally well, most of them noise. The total variation $TV$ prefers
smooth ones, the $\alpha$-norm keeps colors away from black and white (both per pixel).

**Parameterization.** *Fourier* optimizes the spectrum of decorrelated colors: large shapes are as
easy to change as fine grain, which gives cleaner pictures. *Pixels* is the method of the paper.

**Reading it.** Early layers keep nearly everything. Deeper layers keep parts but lose their exact
places and colors; the logits keep little more than what kinds of objects there are. The bars
compare the network's own classes for the photo and for the inverted picture.

**Sources.** Mahendran and Vedaldi 2015, *Understanding Deep Image Representations by Inverting
Them*, equations 1 to 5; Olah et al. 2017, *Feature Visualization* (the Fourier parameterization).
"""

SIDE = 224
"""Longer side of the picture where the network has no input size of its own."""

TOP = 5


@dataclass(frozen=True, slots=True)
class Params:
    """See the help of each."""

    layer: str = layer_param()
    steps: int = param(
        60, "Steps", "Steps of the optimizer; of L-BFGS each has five iterations.", low=1, high=1000
    )  # fmt: skip
    variation: float = param(
        0.01, "TV weight", "Weight of the total variation per pixel: more gives smoother pictures.",
        effect=Effect.STEER, low=0.0, high=2.0, step=0.005,
    )  # fmt: skip
    norm: float = param(
        0.01, "Alpha-norm weight", "Weight of the norm that keeps colors away from the extremes.",
        effect=Effect.STEER, low=0.0, high=2.0, step=0.005,
    )  # fmt: skip
    seeds: int = param(
        1, "Starting points", "Inversions from different noise, side by side.", low=1, high=4
    )
    image: str = param(
        FOURIER, "Parameterization", "What is optimized: the spectrum or the pixels.",
        choices=(FOURIER, PIXELS),
    )  # fmt: skip
    optimizer: str = param(
        LBFGS, "Optimizer", "How steps are taken.", choices=(LBFGS, ADAM, MOMENTUM), advanced=True
    )
    shown: int = shown_param()


@dataclass(frozen=True, slots=True, eq=False)
class Result:
    """`runs` has one run for each seed; `before` and `after` are class probabilities or None."""

    photo: UInt8
    runs: tuple[Grown, ...]
    layer: str
    before: Float32 | None
    after: Float32 | None
    classes: tuple[str, ...]
    note: str


def compute(scene: Scene, params: Params) -> Generator[Step[Result], Any, None]:
    require_layer(params.layer)
    info, target = scene.network.info, Target.of(scene.network)
    photo = seen_picture(scene, SIDE)
    generator = scene.generator()
    recipe = _recipe(params)
    runs = [
        Run(inversion(target, params.layer, photo, recipe, generator)) for _ in range(params.seeds)
    ]
    features = _features(target, params.layer, photo)
    before = probabilities(target, photo, info)
    for number in range(1, params.steps + 1):
        for run in runs:
            run.step()
        picture = runs[0].synthesis.picture()
        result = Result(
            preview(photo), tuple(run.grown() for run in runs), params.layer, before,
            probabilities(target, picture, info), info.classes,
            f"step {number} of {params.steps}",
        )  # fmt: skip
        news = yield Step(result, number, params.steps, result.note)
        if any(run.stopped for run in runs):
            return
        if news is not None:
            objective = inversion_objective(params.layer, features, _recipe(news))
            for run in runs:
                run.synthesis.objective = objective


def draw(result: Result, params: Params) -> Board:
    panes = [_pane("photo", result.photo, f"Photo: {says(result.before, result.classes)}")]
    for number, grown in enumerate(result.runs, 1):
        distance = grown.parts[FEATURES][-1] if len(grown.losses) else np.nan
        words = f"Inversion {number}" if len(result.runs) > 1 else "Inversion"
        title = f"{words}: distance {distance:.3f}"
        panes.append(_pane(f"inversion {number}", grown.at(params.shown).rgb, title))
    last = result.runs[0].parts
    distance = last[FEATURES][-1] if FEATURES in last else np.nan
    shown = "" if params.shown == NEWEST else f", moment {params.shown}%"
    says_now = says(result.after, result.classes)
    summary = f"{result.layer}: normalized feature distance {distance:.3f} at {result.note}{shown}"
    return Board(
        panes=tuple(panes),
        plots=(_distances(result), *_classes(result)),
        summary=" · ".join(words for words in (summary, says_now) if words),
        notes=tuple(dict.fromkeys(grown.problem for grown in result.runs if grown.problem)),
    )


def data(result: Result, params: Params) -> dict[str, Any]:
    """Keys: `photo` and `inversion` uint8, `feature_distance` (seeds, n) float64, `layer`."""
    return {
        "photo": result.photo,
        "inversion": np.stack([grown.rgb for grown in result.runs]),
        "feature_distance": np.stack([grown.parts[FEATURES] for grown in result.runs]),
        "layer": result.layer,
    }


def _recipe(params: Params) -> Recipe:
    return Recipe(
        image=params.image, optimizer=params.optimizer,
        variation=params.variation, norm=params.norm,
    )  # fmt: skip


def _features(target: Target, layer: str, photo: torch.Tensor) -> torch.Tensor:
    return target.answer(photo, layer).detach().float()


def _pane(name: str, rgb: UInt8, title: str) -> Pane:
    height, width = rgb.shape[:2]
    picture = Picture(rgb, name=name)
    return Pane(name, (float(width), float(height)), (picture,), title=title, frame="input")


def _distances(result: Result) -> Plot:
    shades = class_colors(len(result.runs))
    curves = tuple(
        Curve(
            np.arange(1, len(grown.losses) + 1, dtype=np.float64),
            grown.parts[FEATURES],
            label=f"seed {number + 1}" if len(result.runs) > 1 else "",
            color=color(shades[number]),
        )
        for number, grown in enumerate(result.runs)
        if FEATURES in grown.parts
    )
    return Plot(
        "distance", "Normalized feature distance", "step", "distance", curves=curves, log_y=True
    )


def _classes(result: Result) -> tuple[Plot, ...]:
    if result.before is None or result.after is None:
        return ()
    shades = class_colors(len(result.before))
    order = np.argsort(-result.before, kind="stable")[:TOP]
    bars = []
    for k in order:
        name, shade = class_name(result.classes, int(k)), color(shades[k])
        bars.append((f"{name}, photo", float(result.before[k]), shade))
        bars.append((f"{name}, inversion", float(result.after[k]), shade))
    return (
        Plot(
            "classes", "Classes of the photo and of the inversion", "probability",
            bars=tuple(bars), bar_range=(0.0, 1.0),
        ),
    )  # fmt: skip


VIEW = View(
    name="inversion",
    title="Inversion",
    group=Group.SYNTHESIS,
    summary="A picture, made from noise, that has the same features in a layer as the photo.",
    explanation=EXPLANATION,
    reference="Mahendran and Vedaldi 2015, Understanding Deep Image Representations by Inverting "
    "Them",
    Params=Params,
    compute=compute,
    draw=draw,
    data=data,
    live=False,
    film=True,
)
