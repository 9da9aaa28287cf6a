"""A change of the prediction as a table, a plot, words, and layers of two pictures."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from explorer.core.layers import (
    Boxes,
    Layer,
    Lines,
    Masks,
    Plot,
    Points,
    Table,
    Text,
    class_colors,
    colors_apart,
)
from explorer.core.listing import quantity
from explorer.views.shared.anchors import BLUE, GRAY, GREEN, ORANGE, RED, same
from explorer.views.shared.before_after.outputs import Classes, Found, Joints, Regions
from explorer.views.shared.before_after.pairs import KEPT, LOST, NEW, OTHER, Pair, paired
from explorer.views.shared.common import class_name, color, percent

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from explorer.core.layers import Color
    from explorer.views.shared.before_after.outputs import Prediction

COLORS: dict[str, Color] = {KEPT: BLUE, LOST: RED, NEW: GREEN, OTHER: ORANGE}
NOTHING = "no detection"
MOST_BARS = 6
KEYED = 3
"""Classes that are written on a picture."""
UNCHANGED = 0.005
"""A score that moves by less is the same with two decimals."""


@dataclass(frozen=True, slots=True)
class Look:
    """What of a change is shown.

    Attributes:
        top: Classes in the table, of each side.
        score: Detections with a lower score do not count; None = the network's own threshold.
        iou: Two boxes are the same from this IoU on.
        opacity: Of masks.
    """

    top: int = 5
    score: float | None = None
    iou: float = 0.5
    opacity: float = 0.5


@dataclass(frozen=True, slots=True, eq=False)
class Change:
    """What is shown of it.

    Attributes:
        words: One line.
        table: Of everything that changed, with before, after and the difference.
        plots: The same as bars, where it is probabilities.
        before: Layers over the picture before, in the photo's pixels.
        after: Over the picture after.
        pairs: Of boxes which is which; the rows of the table.
    """

    words: str
    table: Table
    plots: tuple[Plot, ...] = ()
    before: tuple[Layer, ...] = ()
    after: tuple[Layer, ...] = ()
    pairs: tuple[Pair, ...] = ()


def change_of(
    before: Prediction, after: Prediction, look: Look, size: tuple[float, float]
) -> Change | None:
    """What changed from one prediction of a network to another; None without predictions.

    Args:
        before: Of the network's task.
        after: Of the same.
        look: What is shown.
        size: Width and height of the photo.
    """
    match before, after:
        case Classes(), Classes():
            return _classes(before, after, look, size)
        case Found(), Found():
            return _boxes(before, after, look)
        case Regions(), Regions():
            return _regions(before, after, look)
        case Joints(), Joints():
            return _joints(before, after)
    return None


def difference(before: float, after: float, digits: int = 4) -> tuple[float, float, float]:
    """Two numbers and their difference, rounded so that they add up as they are written."""
    first, second = round(before, digits), round(after, digits)
    return first, second, round(second - first, digits)


# -- classes --------------------------------------------------------------------------------------


def _classes(before: Classes, after: Classes, look: Look, size: tuple[float, float]) -> Change:
    firsts = [np.argsort(-side.logits, kind="stable")[: look.top] for side in (before, after)]
    union = np.unique(np.concatenate(firsts))
    largest = np.maximum(before.probabilities[union], after.probabilities[union])
    order = union[np.argsort(-largest, kind="stable")]
    tints = [color(tint) for tint in colors_apart(order.tolist(), len(before.logits))]
    rows = tuple(
        (
            class_name(before.names, int(k)),
            *difference(float(before.probabilities[k]), float(after.probabilities[k])),
            *difference(float(before.logits[k]), float(after.logits[k]), 2)[2:],
        )
        for k in order
    )
    columns = ("class", "before", "after", "difference", "difference of the logit")
    table = Table("change", columns, rows, title="Probabilities", swatches=tuple(tints))
    bars: list[tuple[str, float, Color]] = []
    for k, tint in zip(order[:MOST_BARS], tints, strict=False):
        bars += [
            (class_name(before.names, int(k)), float(before.probabilities[k]), GRAY),
            ("→", float(after.probabilities[k]), tint),
        ]
    plot = Plot(
        "probabilities", "Before (gray) and after", x_label="probability", bars=tuple(bars),
        bar_range=(0.0, 1.0),
    )  # fmt: skip
    own = dict(zip(order.tolist(), tints, strict=True))
    keys = [
        _key(side, first[:KEYED], own, size)
        for side, first in zip((before, after), firsts, strict=True)
    ]
    words = " → ".join(_top(side) for side in (before, after))
    return Change(words, table, (plot,), (keys[0],), (keys[1],))


def _top(side: Classes) -> str:
    best = int(side.logits.argmax())
    return f"{class_name(side.names, best)} {percent(float(side.probabilities[best]))}"


def _key(
    side: Classes, first: NDArray[np.intp], tints: dict[int, Color], size: tuple[float, float]
) -> Text:
    words = [f"{class_name(side.names, k)} {percent(float(side.probabilities[k]))}" for k in first]
    return Text(
        "\n".join(words), (0.0, size[1]), size=9.0, swatches=tuple(tints[int(k)] for k in first),
        name="key",
    )  # fmt: skip


# -- boxes ----------------------------------------------------------------------------------------


def rows_of(side: Found, look: Look) -> NDArray[np.intp]:
    """The detections that count, the highest score first."""
    least = side.least if look.score is None else look.score
    rows = np.flatnonzero(side.found.scores >= least)
    return rows[np.argsort(-side.found.scores[rows], kind="stable")]


def _boxes(before: Found, after: Found, look: Look) -> Change:
    pairs = paired(
        before.found, after.found, iou=look.iou, rows_before=rows_of(before, look),
        rows_after=rows_of(after, look),
    )  # fmt: skip
    rows = tuple(_box_row(pair, before, after) for pair in pairs)
    table = Table(
        "change",
        ("object", "change", "score before", "score after", "difference", "IoU", "moved [px]"),
        rows, title="Detections", layer="found", keys=tuple(range(len(pairs))),
        swatches=tuple(COLORS[pair.kind] for pair in pairs),
    )  # fmt: skip
    return Change(
        _counted(pairs, before, after), table, before=(_layer(before, pairs, after=False),),
        after=(_layer(after, pairs, after=True),), pairs=pairs,
    )  # fmt: skip


def _box_row(pair: Pair, before: Found, after: Found) -> tuple[str | float, ...]:
    """What the box is, what became of it, its scores, their difference, IoU and shift."""
    if pair.before is None or pair.after is None:
        side, row = (after, pair.after) if pair.before is None else (before, pair.before)
        assert row is not None, "one of both is there"
        score = round(float(side.found.scores[row]), 3)
        if pair.before is None:
            return (side.name(row), pair.kind, "", score, "", "", "")
        return (side.name(row), pair.kind, score, "", "", "", "")
    first, second = before.name(pair.before), after.name(pair.after)
    shown = difference(
        float(before.found.scores[pair.before]), float(after.found.scores[pair.after]), 3
    )
    kind = pair.kind
    if kind == KEPT:
        moved = shown[2]
        kind = "higher score" if moved > 0 else "lower score"
        kind = "same score" if abs(moved) < UNCHANGED else kind
    words = first if pair.kind == KEPT else f"{first} → {second}"
    return (words, kind, *shown, round(pair.iou, 2), round(shift_of(pair, before, after), 1))


def shift_of(pair: Pair, before: Found, after: Found) -> float:
    """How far the center of a box that is on both sides has moved, in pixels of the photo."""
    assert pair.before is not None, "it is on both sides"
    assert pair.after is not None, "it is on both sides"
    ends = before.found.xyxy[pair.before], after.found.xyxy[pair.after]
    return float(np.hypot(*(ends[1].reshape(2, 2).mean(0) - ends[0].reshape(2, 2).mean(0))))


def _counted(pairs: Sequence[Pair], before: Found, after: Found) -> str:
    kinds = [pair.kind for pair in pairs]
    if not pairs:
        return "No detection before and after."
    words = [quantity(kinds.count(KEPT), "box kept", "boxes kept")]
    words += [f"{kinds.count(kind)} {kind}" for kind in (LOST, NEW, OTHER) if kind in kinds]
    lost = [pair for pair in pairs if pair.kind == LOST]
    if lost and lost[0].before is not None:
        row = lost[0].before
        words.append(f"{before.name(row)} {before.found.scores[row]:.2f} → {NOTHING}")
    return ", ".join(words)


def _layer(side: Found, pairs: Sequence[Pair], *, after: bool) -> Boxes:
    keys = [key for key, pair in enumerate(pairs) if _row(pair, after=after) is not None]
    rows = np.array([_row(pairs[key], after=after) for key in keys], np.intp)
    labels = tuple(f"{side.name(row)} {side.found.scores[row]:.2f}" for row in rows.tolist())
    tints = np.array([COLORS[pairs[key].kind] for key in keys], np.uint8).reshape(-1, 3)
    return Boxes(side.found.xyxy[rows], tints, labels=labels, keys=tuple(keys), name="found")


def _row(pair: Pair, *, after: bool) -> int | None:
    return pair.after if after else pair.before


# -- regions and joints ---------------------------------------------------------------------------


def _regions(before: Regions, after: Regions, look: Look) -> Change:
    sides, count = (before.classes, after.classes), len(before.names)
    there = np.unique(np.concatenate([np.unique(side) for side in sides]))
    there = there[there >= 0]
    colors = class_colors(max(count, int(there.max(initial=0)) + 1)).copy()
    if len(there):
        colors[there] = colors_apart(there.tolist(), len(colors))
    lines = []
    for k in there.tolist():
        one, other = (side == k for side in sides)
        iou = float((one & other).sum() / (one | other).sum())
        lines.append((k, difference(100 * float(one.mean()), 100 * float(other.mean()), 2), iou))
    lines.sort(key=lambda line: -max(line[1][:2]))
    table = Table(
        "change", ("class", "before [%]", "after [%]", "difference", "IoU of both"),
        tuple((class_name(before.names, k), *shares, round(iou, 3)) for k, shares, iou in lines),
        title="Pixels of each class", swatches=tuple(color(colors[k]) for k, _, _ in lines),
    )  # fmt: skip
    other_class = float((before.classes != after.classes).mean())
    names = tuple(class_name(before.names, k) for k in range(len(colors)))
    masks = [
        Masks(side, colors, names, extent=before.extent, opacity=look.opacity, name="classes")
        for side in sides
    ]
    words = f"{percent(other_class)} of the pixels have another class"
    return Change(words, table, before=(masks[0],), after=(masks[1],))


def _joints(before: Joints, after: Joints) -> Change:
    moved = np.linalg.norm(after.xy - before.xy, axis=1)
    rows: tuple[tuple[str | int | float, ...], ...] = tuple(
        (name.replace("_", " "), *(round(float(v), 1) for v in (*one, *other, far)))
        for name, one, other, far in zip(before.names, before.xy, after.xy, moved, strict=True)
    )
    columns = ("keypoint", "x before", "y before", "x after", "y after", "moved [px]")
    table = Table("change", columns, rows, title="Keypoints")
    farthest = int(moved.argmax())
    arrows = Lines(
        np.concatenate([before.xy, after.xy], axis=1).astype(np.float32),
        same(ORANGE, len(moved)), arrow=True, name="moves",
    )  # fmt: skip
    points = [
        Points(side.xy, same(tint, len(moved)), name="keypoints")
        for side, tint in ((before, BLUE), (after, GREEN))
    ]
    name = before.names[farthest].replace("_", " ")
    return Change(
        f"Keypoints move by {moved.mean():.1f} px on average, most the {name}: "
        f"{moved[farthest]:.1f} px",
        table, before=(points[0],), after=(arrows, points[1]),
    )  # fmt: skip
