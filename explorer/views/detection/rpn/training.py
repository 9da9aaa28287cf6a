"""One network, four losses: what a training step on this photo would use, as a board."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from explorer.core.layers import Board, Boxes, Pane, Plot
from explorer.views.shared.anchors import (
    BLUE,
    GREEN,
    ORANGE,
    RED,
    counted,
    passed_words,
    same,
    truth_layer,
)
from explorer.views.shared.common import size_of
from explorer.views.shared.training_pass import TITLES, hardest, losses_table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from explorer.core.layers import Color, Picture
    from explorer.core.params import Box
    from explorer.views.shared.training_pass import Lesson, Samples

TINTS: tuple[Color, ...] = (BLUE, GREEN, ORANGE, (200, 120, 255))


def lesson_board(lesson: Lesson, photo: Picture, truth: Sequence[Box], most: int) -> Board:
    """One pane for each kind of sample, the losses as bars, and the most expensive samples."""
    panes = tuple(
        _pane("image" if number == 0 else samples.name, samples, photo, truth, most)
        for number, samples in enumerate(lesson.samples)
    )
    total = sum(term.value for term in lesson.terms)
    bars = tuple(
        (TITLES.get(term.name, term.name), term.value, TINTS[number % len(TINTS)])
        for number, term in enumerate(lesson.terms)
    )
    words = " + ".join(f"{term.value:.3f}" for term in lesson.terms)
    count = {2: "Two", 3: "Three", 4: "Four"}.get(len(lesson.terms), str(len(lesson.terms)))
    return Board(
        panes=panes,
        plots=(Plot("losses", "Losses on this photo", bars=bars),),
        tables=(
            losses_table(lesson),
            *(hardest(samples, lesson.classes) for samples in lesson.samples),
        ),
        summary=f"{count} losses: {words} = {total:.3f}{passed_words(truth)}",
        notes=lesson.notes,
    )


def _pane(name: str, samples: Samples, photo: Picture, truth: Sequence[Box], most: int) -> Pane:
    good, bad = np.flatnonzero(samples.positive), np.flatnonzero(~samples.positive)
    few = bad[:most]
    rows = np.concatenate([few, good[:most]])
    colors = np.where(samples.positive[rows, None], same(GREEN, 1), same(RED, 1))
    keys = tuple(int(row) for row in rows)
    boxes = Boxes(samples.boxes[rows], colors, keys=keys, width=1.5, name=samples.name)
    name_first = samples.name[:1].upper() + samples.name[1:]
    title = f"{name_first}: {counted(len(good))} object, {counted(len(bad))} background"
    if len(few) < len(bad):
        title += f" (hardest {len(few)} drawn)"
    return Pane(name, size_of(photo), (photo, *truth_layer(truth), boxes), title=title)
