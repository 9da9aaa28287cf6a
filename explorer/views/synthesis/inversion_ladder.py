"""The inversion of every stage of a network, from the first convolution to the logits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from explorer.core.layers import Board, Curve, Pane, Picture, Plot, Table, Text
from explorer.core.params import param
from explorer.core.step import Step
from explorer.engine.view import Group, View
from explorer.views.shared.common import percent
from explorer.views.shared.seen import answered, probabilities, says, seen_picture
from explorer.views.shared.synthesis.dreams import require_layer, stage_layers
from explorer.views.shared.synthesis.growth import Run
from explorer.vision.features.mosaics import picture_sheet
from explorer.vision.synthesis.inversion import FEATURES, Recipe, inversion
from explorer.vision.synthesis.objectives import LOGITS
from explorer.vision.synthesis.octaves import preview
from explorer.vision.synthesis.target import Target

if TYPE_CHECKING:
    from collections.abc import Generator

    from explorer.core.layers import UInt8
    from explorer.core.network_info import NetworkInfo
    from explorer.engine.scene import Scene

EXPLANATION = r"""
Every stage of the network is inverted in turn: a picture is made from noise that has the same
features in this stage as the photo. Side by side the pictures show what is lost on the way to the
classes: first exact colors, then exact places, at last everything but the kinds of objects.

Under each picture stands its **normalized feature distance** (0: the stage cannot tell the picture
from the photo) and what the *whole network* says of it. A picture that looks like nothing to us and
still gets the photo's class is **identical for the network**: everything behind the stage receives
the same numbers for both.

$$ d = \frac{ \| \Phi(x) - \Phi(x_0) \|^2 }{ \| \Phi(x_0) \|^2 } $$

The method and its priors are those of the view *Inversion*, which shows one layer with all
settings.

**Source.** Mahendran and Vedaldi 2015, *Understanding Deep Image Representations by Inverting
Them*, figure 6.
"""

SIDE = 224
COLUMNS = 4
IDENTICAL = 0.05
"""Below this feature distance a picture with the photo's class is called identical."""


@dataclass(frozen=True, slots=True)
class Params:
    """See the help of each."""

    stages: int = param(7, "Stages", "How many layers, evenly over the depth.", low=2, high=16)
    steps: int = param(
        40, "Steps per stage", "Steps of L-BFGS, each with five iterations.", low=1, high=500
    )
    variation: float = param(
        0.01, "TV weight", "Weight of the total variation per pixel.", low=0.0, high=2.0, step=0.005
    )


@dataclass(frozen=True, slots=True, eq=False)
class Rung:
    """The inversion of one stage: a picture, its distance, the network's word on it."""

    layer: str
    rgb: UInt8
    distance: float
    says: str
    same: bool


@dataclass(frozen=True, slots=True, eq=False)
class Result:
    """`says` is the network's word on the photo."""

    photo: UInt8
    says: str
    rungs: tuple[Rung, ...]
    note: str
    problem: str = ""


def layers_of(info: NetworkInfo, count: int) -> tuple[str, ...]:
    """The stages that are inverted; the last is the output of a classifier."""
    found = stage_layers(info, count - 1 if info.task == "classification" else count)
    return (*found, LOGITS) if info.task == "classification" else found


def title_of(layer: str) -> str:
    return layer or "logits"


def compute(scene: Scene, params: Params) -> Generator[Step[Result], Any, None]:
    info, target = scene.network.info, Target.of(scene.network)
    photo = seen_picture(scene, SIDE)
    layers = answered(target, photo, layers_of(info, params.stages))
    if not layers:
        require_layer("")
    before = probabilities(target, photo, info)
    recipe = Recipe(variation=params.variation)
    rungs: list[Rung] = []
    total = len(layers) * params.steps
    problem = ""
    for stage, layer in enumerate(layers):
        run = Run(inversion(target, layer, photo, recipe, scene.generator()))
        for number in range(1, params.steps + 1):
            report = run.step()
            after = probabilities(target, run.synthesis.picture(), info)
            distance = report.parts.get(FEATURES, np.nan)
            same = before is not None and after is not None and before.argmax() == after.argmax()
            rung = Rung(
                title_of(layer), preview(run.synthesis.picture()), float(distance),
                says(after, info.classes), bool(same),
            )  # fmt: skip
            note = f"{title_of(layer)}, step {number} of {params.steps}"
            problem = run.problem or problem
            result = Result(
                preview(photo), says(before, info.classes), (*rungs, rung), note, problem
            )
            yield Step(result, stage * params.steps + number, total, note)
            if run.stopped:
                break
        rungs.append(rung)


def draw(result: Result, params: Params) -> Board:
    pictures = [result.photo, *(rung.rgb for rung in result.rungs)]
    sheet, tiling = picture_sheet(pictures, columns=COLUMNS, gap=6)
    titles = [_words("photo", "", result.says)]
    titles += [_words(r.layer, f"distance {r.distance:.3f}", r.says) for r in result.rungs]
    texts = tuple(
        Text(words, tiling.corner(tile), size=9.0, name=f"stage {tile}")
        for tile, words in enumerate(titles)
    )
    height, width = sheet.shape[:2]
    picture = Picture(sheet, name="ladder")
    pane = Pane(
        "ladder", (float(width), float(height)), (picture, *texts),
        title="Inversions by stage", frame="ladder",
    )  # fmt: skip
    return Board(
        panes=(pane,),
        plots=(_plot(result),),
        tables=(_table(result),),
        summary=f"{len(result.rungs)} stages · {result.note}",
        notes=(result.problem,) if result.problem else (),
    )


def data(result: Result, params: Params) -> dict[str, Any]:
    """Keys: `layer`, `feature_distance` (n,), `says`, `pictures` (n, h, w, 3) uint8."""
    return {
        "layer": [rung.layer for rung in result.rungs],
        "feature_distance": np.array([rung.distance for rung in result.rungs]),
        "says": [rung.says for rung in result.rungs],
        "pictures": np.stack([rung.rgb for rung in result.rungs]),
    }


def _words(*lines: str) -> str:
    return "\n".join(line for line in lines if line)


def _plot(result: Result) -> Plot:
    places = np.arange(1, len(result.rungs) + 1, dtype=np.float64)
    distances = np.array([max(rung.distance, 1e-9) for rung in result.rungs])
    return Plot(
        "distances", "Normalized feature distance by stage", "stage", "distance",
        curves=(Curve(places, distances),), log_y=True,
        x_names=tuple(rung.layer for rung in result.rungs),
    )  # fmt: skip


def _table(result: Result) -> Table:
    rows = tuple(
        (
            rung.layer, round(rung.distance, 4), rung.says,
            "yes" if rung.same and rung.distance < IDENTICAL else "no",
        )
        for rung in result.rungs
    )  # fmt: skip
    return Table(
        "stages",
        ("layer", "feature distance", "network's class", "identical for the network"),
        rows,
        title=f"Same class as the photo and distance below {percent(IDENTICAL)}: identical",
    )


VIEW = View(
    name="inversion_ladder",
    title="Inversion of every stage",
    group=Group.SYNTHESIS,
    summary="What each stage keeps of the photo, from the first convolution to the logits.",
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
