"""What is drawn of a scan: the heat map, the best windows, their crops, counts and costs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from explorer.core.layers import Boxes, Curve, Heat, Pane, Picture, Plot, Table
from explorer.core.listing import duration, quantity
from explorer.views.shared.common import class_name, percent, size_of
from explorer.views.shared.folders.sheet import labeled_sheet
from explorer.vision.classic.sliding_window import WindowGrid, coverage, warped
from explorer.vision.detection.nms import by_score, overlaps, suppress

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from explorer.core.layers import Float32, Layer
    from explorer.views.classic.sliding_window.result import Result
    from explorer.vision.classic.sliding_window import Coverage

ORANGE, GREEN, GRAY = (255, 150, 30), (60, 220, 90), (150, 150, 150)
FINEST = 160
"""Cells of the heat map along the photo's longer side."""
CANDIDATES = 300
"""Highest-scoring windows that NMS is given."""
CROPS, COLUMNS = 9, 3
"""Crops shown at most, and in a row."""
THIN = 96
"""Pixels of a crop's side as it is drawn, where the network's input is larger."""
ENDS = (0.001, 0.002, 0.003, 0.005, 0.01, 0.02, 0.03, 0.05, 0.1, 0.2, 0.3, 0.5, 1.0)
"""Of the scale of probabilities."""
STRIDES = np.geomspace(0.05, 1.0, 60)


def kept_windows(
    result: Result, label: int, *, most: int, threshold: float, least: float
) -> NDArray[np.intp]:
    """Rows of the windows that NMS keeps, the highest-scoring first."""

    def make() -> NDArray[np.intp]:
        scores = result.shares[:, label]
        rows = by_score(scores)[:CANDIDATES]
        rows = rows[scores[rows] >= least]
        if not len(rows):
            return rows
        history = suppress(overlaps(result.boxes[rows]), scores[rows], threshold=threshold)
        return rows[history.picks]

    return result.cache.get(("kept", label, threshold, least), make)[:most]


def heat_pane(result: Result, label: int, *, mean: bool, opacity: float) -> Pane:
    """The photo under the probabilities of the windows over each place."""
    found = _coverage(result, label)
    name, size = class_name(result.classes, label), size_of(result.photo)
    layers: list[Layer] = [result.photo]
    values = found.mean if mean else found.highest
    if result.done:
        layers.append(
            result.cache.get(("heat", label, mean, opacity), lambda: _heat(values, size, opacity))
        )
    if result.batch and not result.finished:
        xyxy = result.boxes[result.done - result.batch : result.done]
        tints = np.full((len(xyxy), 3), ORANGE, np.uint8)
        layers.append(Boxes(xyxy, tints, selectable=False, name="current batch"))
    cells = values.shape

    def readout(x: float, y: float) -> str:
        row, column = int(y / size[1] * cells[0]), int(x / size[0] * cells[1])
        if not (0 <= row < cells[0] and 0 <= column < cells[1]) or not found.count[row, column]:
            return ""
        high, average = (float(each[row, column]) for each in (found.highest, found.mean))
        over = quantity(int(found.count[row, column]), "window")
        return f"{name}: up to {percent(high)}, mean {percent(average)}, {over} over this place"

    return Pane("image", size, tuple(layers), title=f"Heat map: {name}", readout=readout)


def _coverage(result: Result, label: int) -> Coverage:
    def make() -> Coverage:
        height, width = result.size
        scale = FINEST / max(height, width)
        cells = max(1, round(height * scale)), max(1, round(width * scale))
        return coverage(result.grids, result.shares[:, label], (height, width), cells)

    return result.cache.get(("coverage", label), make)


def _heat(values: Float32, size: tuple[float, float], opacity: float) -> Heat:
    # Rounded up: the scale must not change with every window that comes.
    highest = float(np.nanmax(values))
    high = next((end for end in ENDS if end >= highest), 1.0)
    return Heat(
        values, 0.0, high, "viridis", extent=(0.0, 0.0, *size), opacity=opacity, smooth=True,
        alpha_by_value=True, unit="probability", name="heat map",
    )  # fmt: skip


def boxes_pane(result: Result, label: int, kept: NDArray[np.intp]) -> Pane:
    """The photo with the windows that NMS keeps."""
    name = class_name(result.classes, label)
    rows = kept[::-1]  # the best on top
    boxes = Boxes(
        result.boxes[rows],
        np.full((len(rows), 3), GREEN, np.uint8),
        tuple(f"{name} {result.shares[row, label]:.0%}" for row in rows),
        keys=tuple(rows.tolist()),
        name="best windows",
    )
    title = f"Best windows after NMS: {len(kept)}"
    return Pane("boxes", size_of(result.photo), (result.photo, boxes), title=title)


def crops_pane(result: Result, label: int, kept: NDArray[np.intp]) -> Pane:
    """The network's input for the current batch, at the end for the best windows."""
    latest = np.arange(result.done - result.batch, result.done)
    rows = (kept if result.finished else latest)[:CROPS]

    def make() -> tuple[Picture, Float32, tuple[float, float]]:
        side = min(result.side, THIN)
        pictures = [warped(result.photo.rgb, box, result.side) for box in _whole(result, rows)]
        pictures = [warped(each, (0, 0, *each.shape[1::-1]), side) for each in pictures]
        sheet = labeled_sheet(pictures, columns=COLUMNS, gap=8)
        return Picture(sheet.rgb, name="crops"), sheet.xyxy, sheet.size

    picture, xyxy, size = result.cache.get(("crops", tuple(rows.tolist())), make)
    labels = tuple(f"{result.shares[row, label]:.0%}" for row in rows)
    tint = GREEN if result.finished else ORANGE
    frames = Boxes(
        xyxy, np.full((len(rows), 3), tint, np.uint8), labels, width=1.5, selectable=False,
        name="crop frames",
    )  # fmt: skip
    words = "best windows" if result.finished else f"batch of {result.batch}"
    return Pane(
        "crops", size, (picture, frames), title=f"Warped to {result.side} x {result.side}: {words}",
        frame="crops",
    )  # fmt: skip


def _whole(result: Result, rows: NDArray[np.intp]) -> list[tuple[int, int, int, int]]:
    boxes = result.boxes[rows].astype(int).tolist()
    return [(x0, y0, x1, y1) for x0, y0, x1, y1 in boxes]


def count_plot(result: Result, stride: float) -> Plot:
    """How many windows there are with other strides."""

    def make() -> Curve:
        counts = [_count(result, each) for each in STRIDES]
        return Curve(STRIDES, np.array(counts, np.float64), "windows", ORANGE)

    curve = result.cache.get("counts", make)
    return Plot(
        "count", "Predicted number of windows", "stride, in sides of the window", "windows",
        curves=(curve,), log_y=True, log_x=True, marker=stride, steers="stride",
    )  # fmt: skip


def _count(result: Result, stride: float) -> int:
    return sum(
        WindowGrid.of(result.size, grid.width, grid.height, stride).count for grid in result.grids
    )


def kept_table(result: Result, label: int, kept: NDArray[np.intp]) -> Table:
    rows = []
    for rank, row in enumerate(kept.tolist(), start=1):
        x0, y0, x1, y1 = result.boxes[row].astype(int).tolist()
        first = class_name(result.classes, int(result.shares[row].argmax()))
        rows.append((rank, round(float(result.shares[row, label]), 4), x0, y0, x1, y1, first))
    columns = ("rank", "probability", "x0", "y0", "x1", "y1", "top class")
    return Table(
        "best", columns, tuple(rows), title="Best windows", layer="best windows",
        keys=tuple(kept.tolist()),
    )  # fmt: skip


def sizes_table(result: Result) -> Table:
    """The predicted windows of each size, and what they take."""
    rows = []
    first = 0
    for grid in result.grids:
        done = min(max(result.done - first, 0), grid.count)
        first += grid.count
        rows.append(
            (
                f"{grid.width} x {grid.height}", f"{grid.across}, {grid.down}",
                f"{grid.columns} x {grid.rows}", grid.count, done, _time(result, grid.count),
            )
        )  # fmt: skip
    rows.append(("all", "", "", result.total, result.done, _time(result, result.total)))
    columns = ("window, px", "step, px", "columns x rows", "windows", "classified", "time")
    return Table("sizes", columns, tuple(rows), title="Windows, predicted")


def cost_table(result: Result, stride: float) -> Table:
    """What this scan and finer ones cost."""
    kinds = (
        (f"stride {stride:.2g} of a window", result.total),
        (f"half of it, {stride / 2:.2g}", _count(result, stride / 2)),
        ("every pixel", _count(result, 0.0)),
    )
    rows = tuple((name, count, _time(result, count)) for name, count in kinds)
    columns = ("scan with these sizes", "windows", "time, extrapolated")
    return Table("cost", columns, rows, title="What a finer scan costs")


def _time(result: Result, windows: int) -> str:
    return duration(windows * result.per_window) if result.done else "not measured yet"
