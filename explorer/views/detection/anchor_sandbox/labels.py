"""What the anchor sandbox draws of labeled anchors: cells, badges, targets, tables."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from explorer.annotations.truth import LAYER
from explorer.core.layers import Boxes, Curve, Lines, Plot, Table, Text
from explorer.views.shared.anchors import RED, WHITE, level_name, same, truth_boxes
from explorer.vision.detection.boxes import centers, encode
from explorer.vision.trace import place_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from explorer.core.layers import Color, Extent, Float32, Layer
    from explorer.core.params import Box
    from explorer.networks.preprocess import Frame
    from explorer.vision.detection.matching import Match
    from explorer.vision.trace import Level

    Indices = NDArray[np.intp]

GREEN: Color = (60, 220, 110)
AMBER: Color = (255, 176, 32)
DIM: Color = (16, 20, 38)
MOVE: Color = (255, 90, 200)
GROW: Color = (80, 210, 255)


@dataclass(frozen=True, slots=True, eq=False)
class Anchors:
    """(N, 4) float32 `xyxy` in pixels of the network's input; `frame` is from the photo to it."""

    xyxy: Float32
    levels: tuple[Level, ...]
    frame: Frame

    def on_photo(self, rows: Indices) -> Float32:
        return self.frame.inverse().boxes(self.xyxy[rows])

    def extent(self, level: int) -> Extent:
        """Where the cells of a level (1 …) or of the finest one (0) lie on the photo.

        Each is drawn around the middle of its anchors, which torchvision puts at its corner.
        """
        place = self.levels[max(level - 1, 0)]
        (x, y), (width, height) = self.middle(place), place.stride
        left, top = x - width / 2, y - height / 2
        back = self.frame.inverse()
        return (
            *back.point(left, top),
            *back.point(left + place.columns * width, top + place.rows * height),
        )

    def middle(self, place: Level) -> tuple[float, float]:
        """The center of the anchors of the first cell of a level."""
        x0, y0, x1, y1 = self.xyxy[place.first].tolist()
        return (x0 + x1) / 2, (y0 + y1) / 2

    def cell_at(self, level: int, x: float, y: float) -> tuple[int, int] | None:
        """Row and column of the cell whose anchors are nearest to a place of the photo."""
        place = self.levels[max(level - 1, 0)]
        (left, top), (across, down) = self.middle(place), self.frame.point(x, y)
        column = round((across - left) / place.stride[0])
        row = round((down - top) / place.stride[1])
        return (row, column) if 0 <= row < place.rows and 0 <= column < place.columns else None

    def counts(self, found: Match) -> list[tuple[int, int]]:
        """Positive and ignored anchors of every level."""
        edges = [level.first for level in self.levels] + [len(self.xyxy)]
        both = [np.searchsorted(rows, edges) for rows in (found.positive, found.ignored)]
        positive, ignored = (np.diff(ends).tolist() for ends in both)
        return list(zip(positive, ignored, strict=True))


def drawn_rows(anchors: Anchors, rows: Indices, best: Float32, level: int, most: int) -> Indices:
    """Those of `rows` that are drawn: at most `most` of the level (0 = all), the best last."""
    if level:
        place = anchors.levels[level - 1]
        rows = rows[(rows >= place.first) & (rows < place.first + place.count)]
    if len(rows) > most:
        rows = rows[np.argpartition(-best[rows], most)[:most]] if most else rows[:0]
    return rows[np.argsort(best[rows], kind="stable")]


def best_cells(anchors: Anchors, values: NDArray[Any], level: int) -> NDArray[Any]:
    """(rows, columns): the largest value of the anchors of each cell of a level (1 …).

    0 means of all levels, at the cells of the finest one.
    """
    if level:
        return _cell_map(anchors.levels[level - 1], values)
    fine = anchors.levels[0]
    found = _cell_map(fine, values)
    (x, y), (width, height) = anchors.middle(fine), fine.stride
    for place in anchors.levels[1:]:
        (left, top), (wide, tall) = anchors.middle(place), place.stride
        columns = _nearest(x + np.arange(fine.columns) * width - left, wide, place.columns)
        rows = _nearest(y + np.arange(fine.rows) * height - top, tall, place.rows)
        coarse = _cell_map(place, values)
        found = np.maximum(found, coarse[rows[:, None], columns])
    return found


def label_cells(anchors: Anchors, found: Match, level: int) -> NDArray[np.int32]:
    """As `best_cells`: 2 where an anchor is positive, 1 ignored, 0 all are negative."""
    codes = np.zeros(len(anchors.xyxy), np.int8)
    codes[found.ignored] = 1
    codes[found.positive] = 2
    return best_cells(anchors, codes, level).astype(np.int32)


def _nearest(ways: NDArray[Any], stride: float, count: int) -> NDArray[np.int64]:
    return np.clip(np.floor(ways / stride + 0.5), 0, count - 1).astype(np.int64)


def _cell_map(place: Level, values: NDArray[Any]) -> NDArray[Any]:
    # Column by column: a maximum along a short last axis is many times slower.
    own = values[place.first : place.first + place.count].reshape(-1, place.per_cell)
    best = own[:, 0].copy()
    for prior in range(1, place.per_cell):
        np.maximum(best, own[:, prior], out=best)
    return best.reshape(place.rows, place.columns)


def badges(truth: Sequence[Box], found: Match, high: float) -> list[Layer]:
    """The boxes themselves, with their best IoU; red where no anchor learns them."""
    if not truth:
        return []
    names = []
    for number, box in enumerate(truth):
        share, top = int(found.shares[number]), float(found.tops[number])
        name = box.label or f"box {number + 1}"
        if share == 0:
            names.append(f"{name}: no positive anchor, best IoU {top:.2f}")
        elif top < np.float32(high):
            names.append(f"{name}: {share} forced, IoU {top:.2f}")
        else:
            names.append(f"{name}: {share} positive, IoU {top:.2f}")
    boxes, missed = truth_boxes(truth), found.shares == 0
    colors = np.where(missed[:, None], RED, WHITE).astype(np.uint8)
    # The window draws its handles over these boxes: red has to show beside its lines.
    glow = Boxes(
        boxes[missed], same(RED, int(missed.sum())), width=9.0, fill=0.12, selectable=False,
        name="missed",
    )  # fmt: skip
    plain = Boxes(boxes, colors, tuple(names), width=2.5, selectable=False, name=LAYER)
    return [glow, plain] if missed.any() else [plain]


def target_layers(anchors: Anchors, truth: Float32, found: Match, chosen: int) -> list[Layer]:
    """The chosen anchor dotted, and four arrows: how its center moves and how its sides grow."""
    back = anchors.frame.inverse()
    anchor = back.boxes(anchors.xyxy[chosen : chosen + 1])
    box = back.boxes(truth[found.owner[chosen]][None])
    (ax, ay, aw, ah), (x, y, w, h) = centers(anchor)[0].tolist(), centers(box)[0].tolist()
    right, bottom = ax + aw / 2, ay + ah / 2
    segments = np.array(
        [[ax, ay, x, ay], [x, ay, x, y], [right, ay, ax + w / 2, ay], [ax, bottom, ax, ay + h / 2]],
        np.float32,
    )
    colors = np.array([MOVE, MOVE, GROW, GROW], np.uint8)
    tx, ty, tw, th = _targets(anchors, truth, found, chosen)
    words = f"tx {tx:+.2f}  ty {ty:+.2f}  tw {tw:+.2f}  th {th:+.2f}   IoU {found.best[chosen]:.2f}"
    return [
        Boxes(anchor, same(WHITE, 1), width=2.0, dotted=True, selectable=False, name="chosen"),
        Lines(segments, colors, width=2.0, arrow=True, name="targets"),
        Text(words, (float(anchor[0, 0]), float(anchor[0, 3])), size=9.5, name="numbers"),
    ]


def _targets(anchors: Anchors, truth: Float32, found: Match, chosen: int) -> list[float]:
    with np.errstate(divide="ignore"):  # a box without an area: log 0
        codes = encode(truth[found.owner[chosen]][None], anchors.xyxy[chosen : chosen + 1])
    return [float(code) for code in codes[0]]


def target_table(anchors: Anchors, truth: Float32, found: Match, chosen: int) -> Table:
    """The four regression targets and where the anchor stands."""
    place = place_of(anchors.levels, chosen)
    wide, tall = anchors.levels[place.level].shapes[place.prior]
    owner = int(found.owner[chosen])
    tx, ty, tw, th = _targets(anchors, truth, found, chosen)
    label = {1: "positive", 0: "negative", -1: "ignored"}[found.label_of(chosen)]
    rows = (
        ("tx", f"{tx:+.4f}", f"center {tx * wide:+.1f} px in x"),
        ("ty", f"{ty:+.4f}", f"center {ty * tall:+.1f} px in y"),
        ("tw", f"{tw:+.4f}", f"width {wide:g} px x {np.exp(tw):.3f}"),
        ("th", f"{th:+.4f}", f"height {tall:g} px x {np.exp(th):.3f}"),
        ("IoU", f"{found.best[chosen]:.4f}", f"{label}, matched to box {owner + 1}"),
        ("place", f"#{chosen}", f"level {place.level + 1}, row {place.row}, column {place.column}"),
    )
    return Table(
        "targets", ("target", "value", "meaning"), rows, title="Regression targets of the anchor"
    )


def level_table(anchors: Anchors, counts: list[tuple[int, int]]) -> Table:
    """Anchors of every label on every level."""
    rows = [
        (
            number, level_name(level), level.count, positive, ignored,
            level.count - positive - ignored,
        )
        for number, (level, (positive, ignored)) in enumerate(
            zip(anchors.levels, counts, strict=True), start=1
        )
    ]  # fmt: skip
    columns = ("level", "grid", "anchors", "positive", "ignored", "negative")
    return Table("levels", columns, tuple(rows), title="Anchors per level")


def truth_table(anchors: Anchors, truth: Sequence[Box], found: Match) -> Table:
    """What became of every box."""
    rows = []
    for number, box in enumerate(truth):
        share, top = int(found.shares[number]), float(found.tops[number])
        size = f"{box.x1 - box.x0:.0f} x {box.y1 - box.y0:.0f}"
        rows.append((box.label or f"box {number + 1}", size, round(top, 3), share))
    columns = ("box", "size", "best IoU", "positive anchors")
    return Table("truth", columns, tuple(rows), title="Ground truth")


def curve(found: Match, high: float) -> Plot:
    """How many anchors reach each IoU; the line is the upper threshold."""
    steps = 100
    bins = np.bincount((found.best * steps).astype(np.uint8), minlength=steps + 1)[: steps + 1]
    reached = np.cumsum(bins[::-1])[::-1].astype(np.float64)
    x = np.arange(steps + 1) / steps
    some = reached > 0
    last = max(int(np.flatnonzero(some)[-1]) if some.any() else 0, 1)
    return Plot(
        "reached", "Anchors above each IoU", x_label="highest IoU with a box",
        y_label="anchors", curves=(Curve(x[1 : last + 1], np.maximum(reached[1 : last + 1], 0.5)),),
        log_y=True, marker=high, steers="high",
    )  # fmt: skip
