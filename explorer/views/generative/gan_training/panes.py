"""What is drawn of a run: points over the field of scores, samples, curves."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from explorer.core.layers import Boxes, Heat, Lines, Pane, Picture, Plot, Points, Table, Text
from explorer.training.adversarial.history import PULLED, REACH
from explorer.training.adversarial.recipe import GanRecipe
from explorer.training.adversarial.sources import SIDE
from explorer.views.shared.grids.matrix import BLUE, GREEN, ORANGE, RED, stairs
from explorer.views.shared.learning.charts import blank_pane, curve_of, training_curve
from explorer.vision.features.mosaics import picture_sheet

if TYPE_CHECKING:
    from collections.abc import Sequence

    from explorer.core.layers import Color, Float32, Layer, UInt8
    from explorer.training.adversarial.history import Look
    from explorer.training.small.runs import Run
    from explorer.views.generative.gan_training.course import Result

REAL, MADE = (20, 20, 24), (255, 214, 40)
"""Colors of points."""
PLANE = 640.0
"""Of a side of the plane in the pane."""
ARROWS, LONG, LONGEST = 60, 0.5, 0.8
"""Points with an arrow; its length for a derivative of 1, and its largest, in the plane's units."""
FRAMES, FRAME, GAP = (4, 3), 200.0, 26.0
"""Small planes in a row and in a column; their side, and the room for words above each."""
COLUMNS, ENLARGED = 6, 4.0
"""Of samples in a sheet, and how many units of the pane one of their pixels has."""


def until(result: Result, percent: int) -> tuple[Look, ...]:
    """The looks up to the moment that is shown."""
    last = round((len(result.looks) - 1) * percent / 100)
    return result.looks[: last + 1]


def spaced(looks: Sequence[Look], count: int) -> list[Look]:
    """At most `count` of them over the whole run, the last one always."""
    rows = np.unique(np.linspace(0, len(looks) - 1, min(count, len(looks))).round().astype(int))
    return [looks[row] for row in rows]


def panes(result: Result, looks: Sequence[Look]) -> tuple[Pane, ...]:
    if not looks:
        return (blank_pane("samples", "Samples", "not yet"),)
    if looks[-1].side:
        return sheet(looks[-1], result), gradients(looks[-1]), sheets(looks)
    return plane(looks[-1], result), planes(looks, result)


# -- points ---------------------------------------------------------------------------------------


def plane(look: Look, result: Result) -> Pane:
    """The points over the field, with the directions that the generator's loss pulls them in."""
    values, low, high, unit = field(look, result.recipe)
    field_layer = Heat(
        values, low, high, colormap="coolwarm", extent=(0.0, 0.0, PLANE, PLANE), smooth=True,
        unit=unit, name="field",
    )  # fmt: skip
    start = look.samples[:ARROWS].astype(np.float32)
    ends = start + _shortened(LONG * look.pull[:ARROWS])
    segments = np.concatenate([placed(start, PLANE), placed(ends, PLANE)], axis=1)
    layers: list[Layer] = [
        field_layer,
        _dots(result.real, PLANE, REAL, 2.0, "real points"),
        Lines(
            segments, np.full((len(segments), 3), 60, np.uint8), width=1.2, arrow=True,
            name="pull of the loss",
        ),
        _dots(look.samples.astype(np.float32), PLANE, MADE, 3.0, "made points"),
        Text(
            "real\nmade", (8.0, 8.0), swatches=(REAL, MADE), name="key",
        ),
    ]  # fmt: skip

    def words(x: float, y: float) -> str:
        row, column = (int(v / PLANE * len(values)) for v in (y, x))
        inside = 0 <= row < len(values) and 0 <= column < len(values)
        return f"{unit} {values[row, column]:.3f}" if inside else ""

    title = f"Step {look.step}: {look.quality:.0f} of {look.truth:.0f} modes"
    return Pane(
        "samples", (PLANE, PLANE), tuple(layers), title=title, frame="samples", readout=words
    )


def _shortened(arrows: Float32) -> Float32:
    lengths = np.linalg.norm(arrows, axis=1, keepdims=True)
    found: Float32 = arrows * np.minimum(1, LONGEST / np.maximum(lengths, 1e-9))
    return found.astype(np.float32)


def field(look: Look, recipe: GanRecipe) -> tuple[Float32, float, float, str]:
    """Values, both ends of their scale and unit: probabilities where the loss makes scores some."""
    if recipe.loss in ("minimax", "non-saturating"):
        probabilities = 1 / (1 + np.exp(-np.clip(look.field, -60, 60)))
        most = max(float(np.abs(probabilities - 0.5).max()), 0.02)
        return probabilities.astype(np.float32), 0.5 - most, 0.5 + most, "D(x)"
    middle = 0.5 if recipe.loss == "least squares" else 0.0
    most = max(float(np.nan_to_num(np.abs(look.field - middle)).max()), 1e-6)
    return look.field, middle - most, middle + most, "score"


def planes(looks: Sequence[Look], result: Result) -> Pane:
    """Where the made points were, from the first look to the last."""
    shown = spaced(looks, FRAMES[0] * FRAMES[1])
    boxes: list[tuple[float, float, float, float]] = []
    dots: list[Float32] = []
    real: list[Float32] = []
    for place, look in enumerate(shown):
        x = place % FRAMES[0] * (FRAME + 8.0)
        y = place // FRAMES[0] * (FRAME + GAP) + GAP
        boxes.append((x, y, x + FRAME, y + FRAME))
        corner = np.array([x, y], np.float32)
        for points, into in ((look.samples[:200], dots), (result.real[:48], real)):
            kept = points[np.abs(points).max(axis=1, initial=0.0) < REACH].astype(np.float32)
            into.append(placed(kept, FRAME) + corner)
    rows = -(-len(shown) // FRAMES[0])
    size = (FRAMES[0] * (FRAME + 8.0) - 8.0, rows * (FRAME + GAP))
    layers = (
        Boxes(
            np.array(boxes, np.float32), np.full((len(boxes), 3), 120, np.uint8), width=1.0,
            labels=tuple(f"step {look.step}" for look in shown), selectable=False, name="frames",
        ),
        _colored(np.concatenate(real), (140, 140, 140), 1.2, "real points"),
        _colored(np.concatenate(dots), ORANGE, 1.5, "made points"),
    )  # fmt: skip
    return Pane(
        "over the steps", size, layers, title="Made points over the steps", frame="over the steps",
        drawing=True,
    )  # fmt: skip


def placed(points: Float32, side: float) -> Float32:
    """Points of the plane in a pane of this side, y down."""
    found: Float32 = ((points * (1.0, -1.0) + REACH) / (2 * REACH) * side).astype(np.float32)
    return found


def _dots(points: Float32, side: float, color: Color, radius: float, name: str) -> Points:
    return _colored(placed(points, side), color, radius, name)


def _colored(xy: Float32, color: Color, radius: float, name: str) -> Points:
    colors = np.tile(np.array(color, np.uint8), (len(xy), 1))
    return Points(xy, colors, radius=radius, name=name)


# -- pictures -------------------------------------------------------------------------------------


def sheet(look: Look, result: Result) -> Pane:
    pictures, _ = picture_sheet(list(look.samples), columns=COLUMNS, gap=2)
    faded = result.level % 1
    words = f", {faded:.0%} faded in" if faded and look is result.looks[-1] else ""
    return _picture_pane(
        "samples", f"Step {look.step}: {look.side} x {look.side} pixels{words}", pictures
    )


def gradients(look: Look) -> Pane:
    """Samples, and below each how strongly the loss pulls at which of its pixels."""
    pictures, tiling = picture_sheet(list(look.samples[:PULLED]), columns=PULLED, gap=2)
    wide, high = (side * ENLARGED for side in (pictures.shape[1], pictures.shape[0]))
    values = np.full(pictures.shape[:2], np.nan, np.float32)
    for number in range(PULLED):
        x, y = tiling.corner(number)
        values[y : y + SIDE, x : x + SIDE] = look.pull[number]
    most = float(np.nan_to_num(look.pull).max())
    layers = (
        Picture(pictures, extent=(0.0, 0.0, wide, high), name="samples"),
        Heat(
            values, 0.0, most if most > 0 else 1.0, colormap="magma",
            extent=(0.0, high + 8.0, wide, 2 * high + 8.0), unit="|dL/dx|", name="gradient",
        ),
    )  # fmt: skip
    return Pane(
        "gradient", (wide, 2 * high + 8.0), layers, title="Gradient at samples",
        frame="gradient",
    )  # fmt: skip


def sheets(looks: Sequence[Look]) -> Pane:
    """The same latents at several steps, one row each."""
    shown = spaced(looks, 6)
    pictures, _ = picture_sheet(
        [picture for look in shown for picture in look.samples[:8]], columns=8, gap=2
    )
    first, last = shown[0].step, shown[-1].step
    return _picture_pane("over the steps", f"Fixed latents, steps {first} to {last}", pictures)


def _picture_pane(name: str, title: str, pictures: UInt8) -> Pane:
    size = (pictures.shape[1] * ENLARGED, pictures.shape[0] * ENLARGED)
    return Pane(
        name, size, (Picture(pictures, extent=(0.0, 0.0, *size), name="samples"),), title=title,
        frame=name,
    )  # fmt: skip


# -- curves and tables ----------------------------------------------------------------------------


def plots(result: Result, looks: Sequence[Look]) -> tuple[Plot, ...]:
    if not looks:
        return ()
    losses, taken = [], result.taken
    if len(taken):
        names = (("discriminator", BLUE), ("generator", ORANGE), ("penalty", RED))
        losses = [
            training_curve(taken[:, column], label, color)
            for column, (label, color) in enumerate(names)
            if column < 2 or taken[:, column].any()
        ]
    scores = [
        training_curve(taken[:, column], label, color)
        for column, label, color in ((3, "real", GREEN), (4, "made", ORANGE))
        if len(taken)
    ]
    last = looks[-1]
    spread = [
        stairs(values, label, color)
        for values, label, color in ((last.real, "real", GREEN), (last.made, "made", ORANGE))
    ]
    quality = [curve_of([(float(e.step), e.quality) for e in looks], "made", ORANGE)]
    quality.append(curve_of([(float(e.step), e.truth) for e in looks], "real", GREEN))
    words = "Diversity (RMS of 255)" if last.side else "Modes covered"
    return (
        Plot("losses", "Losses", "step", "loss", tuple(losses), whole_x=True),
        Plot("scores", "Mean scores", "step", "score", tuple(scores), whole_x=True),
        Plot("histogram", f"Scores at step {last.step}", "score", "fraction", tuple(spread)),
        Plot("quality", words, "step", "", tuple(quality), whole_x=True),
    )


def tables(result: Result) -> tuple[Table, ...]:
    found = []
    if result.changes:
        changes = tuple((each.step, each.words) for each in result.changes)
        found.append(Table("changes", ("step", "changed to"), changes, title="Changes on the way"))
    if result.others:
        rows = tuple(
            (run.name, settings(run), run.seed, run.step, round(run.accuracy, 2))
            for run in result.others
        )
        what = "diversity" if result.recipe.pictures else "modes"
        columns = ("run", "settings", "seed", "steps", what)
        found.append(Table("runs", columns, rows, title="Kept runs on these samples"))
    return tuple(found)


def settings(run: Run[GanRecipe]) -> str:
    """What is special about a run: how it differs from the defaults."""
    recipe = run.recipe
    plain = GanRecipe(recipe.pictures, batch=recipe.batch, steps=recipe.steps)
    return plain.differences(recipe) or "defaults"
