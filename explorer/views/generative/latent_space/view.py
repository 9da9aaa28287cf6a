"""What a style-based generator makes of its latents: samples, walks, resolutions, styles."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from explorer.core.layers import Board, Curve, Plot
from explorer.core.step import Step
from explorer.engine.view import Group, Needs, View
from explorer.evaluation.generated.pictures import to_pixels
from explorer.networks.generative.style_gan import enlarged
from explorer.training.lessons.generative.pictures import pictures_of
from explorer.training.small.data_set import fitted
from explorer.views.generative.latent_space.params import (
    CORNERS,
    MIXING,
    PROJECTION,
    RESOLUTIONS,
    SAMPLES,
    WALK,
    Params,
)
from explorer.views.generative.latent_space.source import MISSING, source_of
from explorer.views.shared.draw_cache import DrawCache
from explorer.views.shared.learning.charts import blank_pane
from explorer.views.shared.sheets import Sheet, sheet_pane
from explorer.vision.latent.projection import projected
from explorer.vision.latent.walks import between, between_four, latent, mixed

if TYPE_CHECKING:
    from collections.abc import Generator

    from numpy.typing import NDArray

    from explorer.core.layers import Float32, Pane, UInt8
    from explorer.engine.scene import Scene
    from explorer.networks.generative.style_gan import StyleGenerator

EXPLANATION = r"""
A style-based generator makes a picture out of a **latent** $z$, a vector of normal random numbers.
A mapping network turns $z$ into a **style** $w$; at every resolution $w$ scales the channels of the
convolutions, and a share of the picture is added to the enlarged one of the resolutions below:

$$ x_r = \mathrm{up}(x_{r/2}) + \mathrm{rgb}_r(h_r, w) $$

*Samples*: 24 latents, beginning with *First sample*. **Truncation** moves styles toward their mean,
$w' = m + \psi (w - m)$: a smaller $\psi$ gives more typical pictures that differ less.

*Walk* goes from one sample to another, *four corners* fills the square between four. A straight
line between two latents passes closer to the origin than random latents ever are; an arc *on the
sphere* keeps their length. This generator divides every latent by its length first, so both ways
meet the same pictures, the straight one faster in the middle: see the two plots. Between *styles*
it is another way.

*Resolutions*: above, the picture as it is so far; below, what each resolution adds, multiplied so
that its largest value can be shown.

*Style mixing*: the layout of the samples at the left, with the styles of the upper ones from the
chosen resolution on. From a low one they bring shapes along, from a high one colors alone.

*Projection* looks for the styles, one for each resolution, whose picture is closest to a photo, by
gradient descent from the mean style. The distance is that of the pixels at all scales. What comes
out shows what the generator can make; a photo unlike its training pictures comes back as one of
them. A face should fill the square as in the training pictures: nothing is aligned here.

**Sources.** Karras et al. 2019, *A Style-Based Generator Architecture*; Karras et al. 2020,
*Analyzing and Improving the Image Quality of StyleGAN*; White 2016, *Sampling Generative Networks*;
Abdal et al. 2019, *Image2StyleGAN*.
"""

COUNT = 24
"""Samples."""
STATIONS = 41
"""Pictures of a walk."""
SIDES = 6
"""Pictures of a side of the square between four corners."""
SOURCES = 5
"""Samples in a row and in a column of style mixing."""
PER_STEP = 5
"""Steps of the projection between two results."""


@dataclass(frozen=True, slots=True, eq=False)
class Result:
    """What was made.

    Attributes:
        show: The parameter of that name.
        words: About the generator; "" = there is none.
        sheets: What is shown; of a walk its pictures in one row.
        lengths: (STATIONS,) of a walk, of the latents, in parts of a random one's expected length.
        speeds: (STATIONS - 1,) RMS differences of neighboring pictures of a walk, of 255.
        distances: (N,) of a projection.
    """

    show: str
    words: str
    sheets: tuple[Sheet, ...] = ()
    lengths: NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))
    speeds: NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))
    distances: NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))
    cache: DrawCache = field(default_factory=DrawCache)


def compute(scene: Scene, params: Params) -> Generator[Step[Result], Any, None]:
    source = source_of(scene, params.run)
    if source is None:
        yield Step(Result(params.show, ""))
        return
    generator, words = source.generator, source.words
    match params.show:
        case show if show == PROJECTION:
            yield from _projection(scene, generator, words, params)
        case show if show == WALK:
            yield Step(_walk(generator, words, params, scene.seed))
        case show:
            make = {
                SAMPLES: _samples, CORNERS: _corners, RESOLUTIONS: _resolutions, MIXING: _mixing,
            }[show]  # fmt: skip
            yield Step(Result(show, words, make(generator, params, scene.seed)))


def _styles(generator: StyleGenerator, params: Params, seed: int, first: int, count: int) -> Any:
    latents = [latent(first + number, seed, generator.size) for number in range(count)]
    return generator.truncated(generator.mapping(torch.cat(latents)), params.truncation)


def _pictures(generator: StyleGenerator, styles: torch.Tensor) -> UInt8:
    return to_pixels(generator.synthesize([styles] * len(generator.resolutions)))


@torch.no_grad()
def _samples(generator: StyleGenerator, params: Params, seed: int) -> tuple[Sheet, ...]:
    styles = _styles(generator, params, seed, params.first, COUNT)
    labels = tuple(str(params.first + number) for number in range(COUNT))
    return (Sheet("samples", "Samples", _pictures(generator, styles), 6, labels),)


@torch.no_grad()
def _walk(generator: StyleGenerator, words: str, params: Params, seed: int) -> Result:
    start, end = (latent(each, seed, generator.size) for each in (params.first, params.second))
    parts = np.linspace(0, 1, STATIONS)
    styles = torch.cat([between(generator, start, end, float(p), params.way) for p in parts])
    pictures = _pictures(generator, generator.truncated(styles, params.truncation))
    steps = np.diff(pictures.astype(np.float64), axis=0)
    lengths = np.array([float(torch.lerp(start, end, float(p)).norm()) for p in parts])
    return Result(
        params.show, words, (Sheet("walk", "On the way", pictures, STATIONS),),
        lengths / np.sqrt(generator.size), np.sqrt((steps**2).mean(axis=(1, 2, 3))),
    )  # fmt: skip


@torch.no_grad()
def _corners(generator: StyleGenerator, params: Params, seed: int) -> tuple[Sheet, ...]:
    numbers = (params.first, params.second, params.first + 2, params.second + 2)
    corners = [latent(number, seed, generator.size) for number in numbers]
    line = np.linspace(0, 1, SIDES)
    styles = [
        between_four(generator, corners, float(x), float(y), params.way) for y in line for x in line
    ]
    pictures = _pictures(generator, generator.truncated(torch.cat(styles), params.truncation))
    title = "Between samples {}, {}, {} and {}".format(*numbers)
    return (Sheet("four corners", title, pictures, SIDES),)


@torch.no_grad()
def _resolutions(generator: StyleGenerator, params: Params, seed: int) -> tuple[Sheet, ...]:
    style = _styles(generator, params, seed, params.first, 1)
    levels = len(generator.resolutions)
    whole, alone, words = [], [], []
    picture: torch.Tensor | None = None
    for number, share in enumerate(generator.shares([style] * levels)):
        picture = share if picture is None else enlarged(picture) + share
        most = max(float(share.abs().max()), 1e-6)
        whole.append(_full(picture, generator))
        alone.append(_full(share / most, generator))
        words.append(f"{generator.resolutions[number]}, x {1 / most:.2g}")
    labels = tuple(f"{side} x {side}" for side in generator.resolutions)
    return (
        Sheet("so far", "The picture up to each resolution", np.concatenate(whole), levels, labels),
        Sheet("shares", "What each resolution adds", np.concatenate(alone), levels, tuple(words)),
    )


def _full(picture: torch.Tensor, generator: StyleGenerator) -> UInt8:
    side = generator.resolutions[-1]
    return to_pixels(torch.nn.functional.interpolate(picture, (side, side), mode="nearest"))


@torch.no_grad()
def _mixing(generator: StyleGenerator, params: Params, seed: int) -> tuple[Sheet, ...]:
    rows = _styles(generator, params, seed, params.first, SOURCES - 1)
    columns = _styles(generator, params, seed, params.second + SOURCES, SOURCES)
    sides = generator.resolutions
    switch = sides[params.switch] if params.switch < len(sides) else 2 * sides[-1]
    layout = rows.repeat_interleave(SOURCES, dim=0)
    colors = columns.repeat(SOURCES - 1, 1)
    cells = to_pixels(mixed(generator, layout, colors, switch))
    cells = cells.reshape(SOURCES - 1, SOURCES, *cells.shape[1:])
    left, top = _pictures(generator, rows), _pictures(generator, columns)
    corner = np.full_like(top[:1], 90)
    sheet = [corner, top, *(part for k in range(len(left)) for part in (left[k : k + 1], cells[k]))]
    title = (
        f"Layout from the left, colors from above (from {switch} x {switch})"
        if switch <= sides[-1] else "Layout and colors from the left"
    )  # fmt: skip
    return (Sheet("style mixing", title, np.concatenate(sheet), SOURCES + 1),)


def _projection(
    scene: Scene, generator: StyleGenerator, words: str, params: Params
) -> Generator[Step[Result], Any, None]:
    side = generator.resolutions[-1]
    if params.own is None:
        yield Step(Result(params.show, words))
        return
    wanted = fitted(scene.image_of(params.own).pixels, side)[None]
    target = pictures_of(wanted, torch.device("cpu"))
    distances: list[float] = []
    for number, (styles, apart) in enumerate(projected(generator, target, params.steps), 1):
        distances.append(apart)
        if number % PER_STEP == 0 or number == params.steps:
            made = _of_styles(generator, styles)
            pictures = np.concatenate([wanted, made])
            sheet = Sheet("projection", f"Step {number}", pictures, 2, ("photo", "generated"))
            result = Result(params.show, words, (sheet,), distances=np.array(distances))
            yield Step(result, number, params.steps, f"step {number} of {params.steps}")


@torch.no_grad()
def _of_styles(generator: StyleGenerator, styles: torch.Tensor) -> UInt8:
    return to_pixels(generator.synthesize([row[None] for row in styles]))


def draw(result: Result, params: Params) -> Board:
    if not result.sheets:
        words = "Choose a photo to project." if result.words else MISSING
        pane = blank_pane("samples", "Latent space", words.partition(":")[0].rstrip("."))
        return Board((pane,), summary=words, notes=() if result.words else (words,))
    panes = result.cache.get(
        params.place if result.show == WALK else "", lambda: _panes(result, params)
    )
    summary = f"{result.words} · {result.show}"
    if len(result.distances):
        summary += f" · distance {result.distances[-1]:.4f}, at the start {result.distances[0]:.4f}"
    return Board(panes, plots=_plots(result), summary=summary)


def _panes(result: Result, params: Params) -> tuple[Pane, ...]:
    if result.show != WALK:
        return tuple(map(sheet_pane, result.sheets))
    (whole,) = result.sheets
    place = round(params.place / 100 * (STATIONS - 1))
    here = Sheet("here", f"At {params.place}% of the way", whole.pictures[place : place + 1], 1)
    rows = np.linspace(0, STATIONS - 1, 9).round().astype(int)
    labels = tuple(f"{row / (STATIONS - 1):.0%}" for row in rows)
    return sheet_pane(here), sheet_pane(
        Sheet("walk", "On the way", whole.pictures[rows], 3, labels)
    )


def _plots(result: Result) -> tuple[Plot, ...]:
    found = []
    if len(result.speeds):
        x = np.linspace(0, 100, STATIONS)
        found.append(
            Plot(
                "speed", "Change from picture to picture", "% of the way", "RMS of 255",
                (Curve(x[1:], result.speeds),),
            )
        )  # fmt: skip
        found.append(
            Plot(
                "length", "Length of the latent on the straight way", "% of the way",
                "of a random one's", (Curve(x, result.lengths),),
            )
        )  # fmt: skip
    if len(result.distances):
        x = np.arange(1.0, len(result.distances) + 1)
        curve = Curve(x, result.distances)
        found.append(Plot("distance", "Distance", "step", "", (curve,), whole_x=True))
    return tuple(found)


def data(result: Result, params: Params) -> dict[str, Any]:
    """The pictures, under the names of their panes: (N, R, R, 3) uint8.

    Also `lengths` and `speeds` of a walk, `distances` of a projection: see `Result`.
    """
    found: dict[str, Float32 | Any] = {sheet.name: sheet.pictures for sheet in result.sheets}
    for name in ("lengths", "speeds", "distances"):
        if len(getattr(result, name)):
            found[name] = getattr(result, name)
    return found


VIEW = View(
    name="latent_space",
    title="Latent space",
    group=Group.GENERATIVE,
    summary="Samples, walks, resolutions and styles of a generator; projects a photo into it.",
    explanation=EXPLANATION,
    reference="Karras et al. 2019, A Style-Based Generator Architecture",
    Params=Params,
    compute=compute,
    draw=draw,
    data=data,
    live=False,
    film=True,
    needs=Needs.NEITHER,
)
