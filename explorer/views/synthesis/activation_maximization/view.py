"""Pictures to which a channel, a neuron, a class or a layer answers most."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from explorer.core.errors import ExplorerError
from explorer.core.layers import Board, Pane, Picture, Text
from explorer.core.params import Effect, FolderRef, param
from explorer.core.step import Step
from explorer.engine.view import Group, Needs, View
from explorer.views.shared.common import class_name
from explorer.views.shared.synthesis.dreams import (
    channels_of,
    label_choices,
    layer_param,
    require_layer,
)
from explorer.views.shared.synthesis.growth import (
    NEWEST,
    Grown,
    Run,
    history_pane,
    loss_plot,
    rewind_param,
    sheet_tiling,
    shown_param,
)
from explorer.views.synthesis.activation_maximization import photos
from explorer.views.synthesis.activation_maximization.photos import Ranking, TopPhotos
from explorer.vision.synthesis import objectives
from explorer.vision.synthesis.maximization import (
    CPPN,
    FOURIER,
    PIXELS,
    Recipe,
    image_of,
    maximization,
    maximization_objective,
    transforms_of,
)
from explorer.vision.synthesis.objectives import LOGITS
from explorer.vision.synthesis.optimizers import TorchOptimizer
from explorer.vision.synthesis.target import Target

if TYPE_CHECKING:
    from collections.abc import Generator

    from explorer.core.network_info import NetworkInfo
    from explorer.engine.scene import Scene
    from explorer.vision.synthesis.objectives import Objective

EXPLANATION = r"""
A picture is made from noise so that the activation of one part of the network is as large as
possible:

$$ x^* = \arg\max_x \; a(x) - \lambda \, R(x) $$

Here $a$ is the mean of a **channel** over all places, one cell of it (a **neuron**, the one in the
middle), the logit of a **class**, or the mean square of a whole **layer**. The weights of the
network stay fixed.

**Reading it.** The picture shows what the part responds to most, not everything that it responds
to. *Variations* makes several pictures of the same part at once; the *diversity* term keeps them
apart, which shows different sides of one channel (a dog's head and a dog's fur).

**Parameterization.** *Fourier* optimizes the spectrum of decorrelated colors, so that large shapes
grow as easily as fine grain. *CPPN* lets a small network paint from the coordinates: smooth
pictures of any size. *Pixels* is the plain method, which ends in fine noise without priors.

**Amplitude limit.** Of the spectrum, no frequency becomes stronger than it is on average in photos.
Without the limit (0) most channels end in hard colors and fine grain, to which the layers respond
still more.

**Transforms.** Before every step the picture is padded, shifted, scaled and rotated at random: only
what survives this is drawn, or else high frequencies win.

**Top photos.** Beside it are the photos to which the same part responds most: for a channel or
neuron those with the largest activation at any place, which a dot marks, for a class those with the
largest logit, for a layer those with the largest mean square. They are the samples, or those of
your folder; a channel may respond to things of which there is no photo among them.

**Sources.** Erhan, Bengio, Courville and Vincent 2009, *Visualizing Higher-Layer Features of a Deep
Network*; Simonyan, Vedaldi and Zisserman 2014, *Deep Inside Convolutional Networks* (classes);
Olah, Mordvintsev and Schubert 2017, *Feature Visualization*; Fel et al. 2023, *Unlocking Feature
Visualization for Deeper Networks with MAgnitude Constrained Optimization* (which fixes amplitudes).
"""

CHANNEL, NEURON, CLASS, LAYER = "channel", "neuron", "class", "layer"
MOST = 16
"""Pictures at once."""


def _kinds(info: NetworkInfo) -> tuple[str, ...]:
    plain = (CHANNEL, NEURON, LAYER)
    return (*plain, CLASS) if info.task == "classification" else plain


def _of_layer(params: Params, info: NetworkInfo | None) -> bool:
    return params.kind != CLASS


def _of_channels(params: Params, info: NetworkInfo | None) -> bool:
    return params.kind in (CHANNEL, NEURON)


def _of_class(params: Params, info: NetworkInfo | None) -> bool:
    return params.kind == CLASS and (info is None or info.task == "classification")


def _of_spectrum(params: Params, info: NetworkInfo | None) -> bool:
    return params.image == FOURIER


def _varies(params: Params, info: NetworkInfo | None) -> bool:
    return params.image != CPPN


@dataclass(frozen=True, slots=True)
class Params:
    """See the help of each."""

    kind: str = param(CHANNEL, "Maximize", "Which part of the network.", choices=_kinds)
    layer: str = layer_param(when=_of_layer, effect=Effect.COMPUTE)
    channels: str = param(
        "0", "Channels", "Channel numbers, such as 3, 17: a picture for each.",
        when=_of_channels,
    )  # fmt: skip
    label: str = param(
        "", "Class", "The class whose logit grows.", choices=label_choices, when=_of_class
    )
    variations: int = param(
        1, "Variations", "Pictures of each channel, class or layer.", low=1, high=4, when=_varies
    )
    diversity: float = param(
        0.0, "Diversity", "Weight of the term that keeps the pictures apart.",
        effect=Effect.STEER, low=0.0, high=100.0, step=1.0, when=_varies,
    )  # fmt: skip
    steps: int = param(128, "Steps", "Steps of the optimizer.", low=1, high=2000, log=True)
    size: int = param(
        224, "Picture size", "Side of a picture.", low=32, high=1024, step=32, unit="px"
    )
    image: str = param(
        FOURIER, "Parameterization", "What is optimized: a spectrum, pixels, or a small network.",
        choices=(FOURIER, PIXELS, CPPN),
    )  # fmt: skip
    rate: float = param(
        1.0, "Step size", "Factor of the optimizer's own step size.",
        effect=Effect.STEER, low=0.1, high=10.0, log=True,
    )  # fmt: skip
    transforms: float = param(
        1.5, "Transforms", "How much the picture is moved before each step; 0 is not at all.",
        effect=Effect.STEER, low=0.0, high=3.0, step=0.1,
    )  # fmt: skip
    limit: float = param(
        1.5, "Amplitude limit",
        "Largest amplitude of a frequency, in parts of the mean one of photos: less gives softer "
        "pictures, 0 is no limit.",
        low=0.0, high=10.0, step=0.1, when=_of_spectrum,
    )  # fmt: skip
    variation: float = param(
        0.0, "TV weight", "Weight of the total variation per pixel.",
        effect=Effect.STEER, low=0.0, high=50.0, step=0.5,
    )  # fmt: skip
    shown: int = shown_param()
    rewind: int = rewind_param()
    photos: FolderRef | None = param(
        None, "Top photos from",
        "A folder of photos, of which the first 300 are run through the network; those with the "
        "largest responses are shown beside. Empty: the samples.",
    )  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class Result:
    """`titles` has one entry for each picture of the run's sheet, and `top` a row for each part."""

    grown: Grown
    titles: tuple[str, ...]
    where: str
    note: str
    top: TopPhotos


def compute(scene: Scene, params: Params) -> Generator[Step[Result], Any, None]:
    info, target = scene.network.info, Target.of(scene.network)
    if not _of_class(params, info) and params.kind == CLASS:
        raise ExplorerError("This network has no classes to maximize.", "Choose a channel.")
    layer = LOGITS if params.kind == CLASS else params.layer
    if params.kind != CLASS:
        require_layer(layer)
    numbers = _numbers(params, info)
    repeats = 1 if params.image == CPPN else params.variations
    titles = [title for title in _titles(params, numbers, info) for _ in range(repeats)]
    if params.image == CPPN:
        numbers, titles = numbers[:1], titles[:1]
    if len(titles) > MOST:
        raise ExplorerError(
            f"{len(titles)} pictures are too many at once.", f"Choose at most {MOST}."
        )
    recipe = _recipe(params)
    activation = _activation(params.kind, layer, numbers, repeats)
    ranking = Ranking(
        scene.network, layer, None if params.kind == LAYER else numbers, params.photos
    )
    generator, device = scene.generator(), scene.network.device
    image = image_of(
        recipe, len(titles), (params.size, params.size), generator,
        channels=scene.network.preprocess.channels, device=device,
    )  # fmt: skip
    objective = maximization_objective(activation, layer, recipe, len(titles))
    run = Run(maximization(target, objective, image, recipe, generator), rewinds=True)
    where = f"{params.kind} of {layer}" if layer else "class"
    total = max(params.steps, ranking.total)
    for number in range(1, total + 1):
        if number <= params.steps:
            run.step()
            note = f"step {number} of {params.steps}"
        ranking.advance()
        result = Result(run.grown(), tuple(titles), where, note, ranking.top())
        news = yield Step(result, number, total, note)
        if run.stopped:
            return
        if news is not None:
            recipe = _recipe(news)
            made = maximization_objective(activation, layer, recipe, len(titles))
            run.synthesis.objective = made
            run.synthesis.transforms = transforms_of(recipe, params.size)
            optimizer = run.synthesis.optimizer
            if isinstance(optimizer, TorchOptimizer):
                optimizer.rate *= news.rate / params.rate
            if news.rewind != NEWEST:
                run.rewind(news.rewind)
            params = news


def draw(result: Result, params: Params) -> Board:
    grown = result.grown
    moment = grown.at(params.shown)
    tiling = sheet_tiling(len(result.titles), moment.rgb)
    words = tuple(
        Text(title, tiling.corner(tile), size=9.0, name=f"title {tile}")
        for tile, title in enumerate(result.titles)
    )
    height, width = moment.rgb.shape[:2]
    picture = Picture(moment.rgb, smooth=True, name="maximization")
    pane = Pane(
        "maximization", (float(width), float(height)), (picture, *words),
        title=f"What maximizes the {result.where}", frame="maximization",
    )  # fmt: skip
    note = result.note if params.shown == NEWEST else f"after {moment.step} steps"
    beside = [photos.pane(result.top, tuple(dict.fromkeys(result.titles)))]
    if len(result.titles) == 1:
        beside.append(history_pane(grown))
    return Board(
        panes=(pane, *beside),
        plots=(loss_plot(grown, title="Objective", y_label="loss"),),
        summary=f"{', '.join(dict.fromkeys(result.titles))} · {note}",
        notes=(grown.problem,) if grown.problem else (),
    )


def data(result: Result, params: Params) -> dict[str, Any]:
    """What was made, and the top photos.

    Keys: `pictures`, one (h, w, 3) uint8 sheet, `titles`, `loss` (n,) float64; `responses`, a list
    of numbers for each part, and `photos`, how many were run through the network.
    """
    return {
        "pictures": result.grown.rgb,
        "titles": list(result.titles),
        "loss": result.grown.losses,
        "responses": [[value for _, value, _ in row] for row in result.top.rows],
        "photos": result.top.known,
    }


def _recipe(params: Params) -> Recipe:
    return Recipe(
        params.image, params.rate, params.transforms, params.limit, params.variation,
        params.diversity,
    )  # fmt: skip


def _numbers(params: Params, info: NetworkInfo) -> tuple[int, ...]:
    if params.kind == CLASS:
        return (info.classes.index(params.label),)
    if params.kind == LAYER:
        return (0,)
    found = channels_of(params.channels)
    if not found:
        raise ExplorerError("No channel is given.", "Give channel numbers, such as 3, 17.")
    return found


def _titles(params: Params, numbers: tuple[int, ...], info: NetworkInfo) -> list[str]:
    if params.kind == CLASS:
        return [class_name(info.classes, number) for number in numbers]
    if params.kind == LAYER:
        return [params.layer]
    return [f"{params.kind} {number}" for number in numbers]


def _activation(kind: str, layer: str, numbers: tuple[int, ...], repeats: int) -> Objective:
    if kind == LAYER:
        return objectives.energy(layer)
    several = [number for number in numbers for _ in range(repeats)]
    if kind == NEURON:
        return objectives.neuron_each(layer, several)
    return objectives.channel_each(layer, several)


VIEW = View(
    name="activation_maximization",
    title="Activation maximization",
    group=Group.SYNTHESIS,
    summary="Pictures, made from noise, that maximize a channel, a neuron, a class or a layer.",
    explanation=EXPLANATION,
    reference="Olah, Mordvintsev and Schubert 2017, Feature Visualization",
    Params=Params,
    compute=compute,
    draw=draw,
    data=data,
    live=False,
    film=True,
    needs=Needs.NETWORK,
)
