"""Are the same boxes proposed again on a photo that was changed? A part of the recall lab."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from explorer.core.layers import Board, Boxes, Curve, Pane, Picture, Plot, Table
from explorer.core.listing import quantity
from explorer.core.step import Step
from explorer.views.shared.anchors import shades
from explorer.views.shared.common import photo_of, size_of
from explorer.views.shared.draw_cache import DrawCache
from explorer.views.shared.regions.proposals import (
    COLORS,
    NAMES,
    Again,
    again,
    changed_photos,
    headed,
)
from explorer.vision.detection.boxes import iou_matrix
from explorer.vision.detection.corruptions import CHANGES
from explorer.vision.detection.recall import recall_by_iou
from explorer.vision.proposals.methods import METHODS

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from explorer.core.layers import Layer
    from explorer.engine.scene import Scene

IOUS = np.linspace(0.0, 1.0, 51)


@dataclass(frozen=True, slots=True, eq=False)
class RepeatResult:
    """`runs` has for every method what is known so far, from the first strength on."""

    photo: Picture
    change: str
    pictures: tuple[Picture, ...]
    runs: tuple[tuple[str, tuple[Again, ...]], ...]
    missing: str
    cache: DrawCache = field(default_factory=DrawCache)

    @property
    def strengths(self) -> tuple[float, ...]:
        return CHANGES[self.change].strengths

    def words(self, number: int) -> str:
        """The strength at that place, with its unit."""
        return CHANGES[self.change].words.format(self.strengths[number])


def repeat(
    scene: Scene, names: Sequence[str], change: str, most: int, missing: str
) -> Generator[Step[Any], Any, None]:
    """A step for every method and strength; each carries all that is known so far."""
    photo = photo_of(scene)
    changed = changed_photos(scene, change)
    pictures = tuple(Picture(part.pixels, name="changed photo") for part in changed)
    runs: dict[str, tuple[Again, ...]] = {}
    total, done = len(names) * len(changed), 0

    def result() -> RepeatResult:
        listed = tuple(sorted(runs.items(), key=lambda run: NAMES.index(run[0])))
        return RepeatResult(photo, change, pictures, listed, missing)

    yield Step(result(), 0, total, names[0] if names else "")
    for name in names:
        for number in range(len(changed)):
            found = again(scene, name, change, number, most)
            runs[name] = (*runs.get(name, ()), found)
            done += 1
            yield Step(result(), done, total, name)


def repeat_board(result: RepeatResult, strength: int, top: int, of: str) -> Board:
    """The photo and its changed form side by side; the plots of all methods."""
    number = min(strength, len(result.strengths)) - 1
    runs = {name: parts for name, parts in result.runs if len(parts) > number}
    shown = (
        of
        if of in runs
        else max(runs, key=lambda name: _merit(name, runs[name][number]), default="")
    )
    layers: tuple[Layer, ...] = (result.photo,)
    title = ""
    if shown:
        part = runs[shown][number]
        layers += result.cache.get(("boxes", number, shown, top), lambda: _pairs(part, top))
        title = f"{headed(shown)}; dotted: from the changed photo"
    picture = result.pictures[number]
    words = f"{result.change}, {result.words(number)}"
    panes = (
        Pane("image", size_of(result.photo), layers, title),
        Pane("changed", size_of(picture), (picture,), words, frame="changed"),
    )
    return Board(
        panes=panes,
        plots=_plots(result, number),
        tables=(_table(result),),
        summary=_summary(result, number, runs),
        notes=(result.missing,) if result.missing else (),
    )


def _looks(name: str) -> bool:
    return name not in METHODS or METHODS[name].looks


def _merit(name: str, part: Again) -> tuple[bool, float]:
    """Methods independent of the photo repeat by construction: nothing to compare."""
    return _looks(name), part.score if np.isfinite(part.score) else -1.0


def _pairs(part: Again, top: int) -> tuple[Boxes, Boxes]:
    """The first boxes and, dotted, the nearest one to each that came again."""
    first = part.first[:top]
    colors = shades(part.best[:top], 0.2)
    width = 2.0 if len(first) <= 30 else 1.0
    same_keys = tuple(range(len(first)))
    if len(part.boxes) == 0:
        nearest = first[:0]
    else:
        nearest = part.boxes[iou_matrix(first, part.boxes).argmax(axis=1)]
    labels = tuple(f"{iou:.2f}" for iou in part.best[:top]) if len(first) <= 10 else ()
    return (
        Boxes(first, colors, labels, same_keys, width=width, name="first"),
        Boxes(
            nearest,
            colors[: len(nearest)],
            width=width,
            dotted=True,
            selectable=False,
            name="again",
        ),
    )


def _plots(result: RepeatResult, number: int) -> tuple[Plot, ...]:
    steps = np.arange(1, len(result.strengths) + 1, dtype=np.float64)
    along, curves = [], []
    for name, parts in result.runs:
        if not parts:
            continue
        scores = np.array([part.score for part in parts])
        along.append(Curve(steps[: len(parts)], scores, name, COLORS[name]))
        if len(parts) > number and len(parts[number].best):
            shares = recall_by_iou(parts[number].best, IOUS)
            curves.append(Curve(IOUS, shares, name, COLORS[name]))
    words = ", ".join(result.words(place) for place in range(len(result.strengths)))
    strengths = f"strength: {words}"
    return (
        Plot(
            "strength", "Repeatability by strength", strengths, "repeatability",
            tuple(along), marker=float(number + 1), steers="strength", whole_x=True,
        ),
        Plot(
            "again", "By IoU", "IoU threshold",
            "matched boxes", tuple(curves),
        ),
    )  # fmt: skip


def _table(result: RepeatResult) -> Table:
    rows: list[tuple[str | int | float, ...]] = []
    for name, parts in result.runs:
        scores = [f"{part.score:.3f}" for part in parts]
        scores += ["…"] * (len(result.strengths) - len(parts))
        rows.append((name, len(parts[0].first) if parts else 0, *scores))
    columns = ("method", "boxes", *(result.words(place) for place in range(len(result.strengths))))
    swatches = tuple(COLORS[name] for name, _ in result.runs)
    return Table(
        "repeatability", columns, tuple(rows), "Methods",
        swatches=swatches,
    )  # fmt: skip


def _summary(result: RepeatResult, number: int, runs: dict[str, tuple[Again, ...]]) -> str:
    looking = {
        name: parts[number].score
        for name, parts in runs.items()
        if _looks(name) and np.isfinite(parts[number].score)
    }
    at = result.words(number)
    if not looking:
        return f"Comparing the proposals under {result.change} ({at}) …"
    best, worst = max(looking, key=looking.__getitem__), min(looking, key=looking.__getitem__)
    words = f"{result.change}, {at}: highest repeatability {best} ({looking[best]:.2f})"
    if worst != best:
        words += f", lowest {worst} ({looking[worst]:.2f})"
    count = max((len(parts[number].first) for parts in runs.values()), default=0)
    most = quantity(count, "box", "boxes")
    return f"{words} · up to {most} per method, {quantity(len(runs), 'method')}"
