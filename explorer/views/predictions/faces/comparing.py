"""Alignment, embeddings and distances as panes, plots and tables."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from explorer.core.layers import Boxes, Curve, Heat, Pane, Picture, Plot, Points, Table, Text
from explorer.core.listing import quantity
from explorer.evaluation.generated.verification import roc
from explorer.networks.faces.embedding import SIDE
from explorer.views.predictions.faces.finding import POINT_COLORS
from explorer.views.shared.anchors import BLUE, GREEN, ORANGE, RED, WHITE, same
from explorer.views.shared.common import percent, size_of
from explorer.views.shared.folders.sheet import captions, labeled_sheet
from explorer.vision.faces.cascade import squares
from explorer.vision.faces.comparison import POSITIONS, distances, persons

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from explorer.core.layers import Color, Float32, Layer, UInt8
    from explorer.views.predictions.faces.reader import Gallery, Read
    from explorer.views.predictions.faces.result import Other, Result
    from explorer.vision.faces.alignment import Similarity

ZOOM = 2
"""Faces of 64 pixels are shown so much larger."""

MOST_FACES = 8
MOST_NEAREST = 12
MOST_PERSONS, MOST_OF_ONE = 8, 8
BINS = 40
AXES_GAP = 10
ROW = 20.0


def enlarged(face: UInt8) -> UInt8:
    """(n, n, 3) uint8 at `ZOOM`, smoothly."""
    size = (face.shape[1] * ZOOM, face.shape[0] * ZOOM)
    return np.ascontiguousarray(cv2.resize(face, size, interpolation=cv2.INTER_CUBIC), np.uint8)


def alignment_pane(result: Result, read: Read, chosen: int) -> Pane:
    """Every face as its box cuts it out, and as its points turn it."""
    count = min(MOST_FACES, len(read.faces))
    rows = sorted(range(len(read.faces)), key=lambda row: (row != chosen, row))[:count]
    side, step = SIDE * ZOOM, SIDE * ZOOM + AXES_GAP
    columns = min(count, 4)
    lines = -(-count // columns)
    block = 2 * (side + AXES_GAP) + ROW
    size = (columns * step - AXES_GAP, lines * block - AXES_GAP)
    corners = [(k % columns * step, ROW + k // columns * block) for k in range(count)]

    def sheet() -> Picture:
        whole = np.full((round(size[1]), size[0], 3), 32, np.uint8)
        for (x, y), row in zip(corners, rows, strict=True):
            for face, top in ((read.cut[row], y), (read.aligned[row], y + side + AXES_GAP)):
                whole[round(top) : round(top) + side, x : x + side] = enlarged(face)
        return Picture(whole, smooth=True, name="faces")

    squared = squares(read.faces.boxes)
    before, after = [], []
    for (x, y), row in zip(corners, rows, strict=True):
        box = squared[row]
        inside = (read.faces.points[row] - box[:2]) / max(float(box[2] - box[0]), 1e-6)
        before.append(inside * side + (x, y))
        moved = read.changes[row](read.faces.points[row]) / SIDE
        after.append(moved * side + (x, y + side + AXES_GAP))
    wanted = [POSITIONS * side + (x, y + side + AXES_GAP) for x, y in corners]
    places = np.concatenate(before + after).astype(np.float32)
    words = [
        Text(
            f"{row + 1}: {_turned(read.changes[row])}",
            (float(x), y - ROW), size=8.5, plate=False, name=f"face {row}",
        )
        for (x, y), row in zip(corners, rows, strict=True)
    ]  # fmt: skip
    rings = np.concatenate(wanted)
    rings = np.concatenate([rings - 4, rings + 4], axis=1).astype(np.float32)
    layers: tuple[Layer, ...] = (
        result.cache.get(("alignment", chosen), sheet),
        Boxes(rings, same(WHITE, len(rings)), width=1.0, selectable=False, name="positions"),
        Points(places, np.tile(POINT_COLORS, (2 * count, 1)), radius=2.5, name="points"),
        *words,
    )
    return Pane(
        "alignment", (float(size[0]), float(size[1])), layers,
        title="Cut out by its box; aligned below", frame="alignment",
    )  # fmt: skip


def _turned(change: Similarity) -> str:
    return f"{-change.degrees:+.0f} degrees, x {change.scale:.2f}"


def embedding_pane(vectors: Float32, chosen: int) -> Pane:
    """The numbers of the chosen face, in rows of 16."""
    numbers = vectors[chosen].reshape(-1, 16)
    most = float(np.abs(numbers).max())
    height, width = numbers.shape
    heat = Heat(numbers.astype(np.float32), -most, most, colormap="coolwarm", name="embedding")

    def readout(x: float, y: float) -> str:
        row, column = int(y), int(x)
        if not (0 <= row < height and 0 <= column < width):
            return ""
        return f"number {row * width + column}: {numbers[row, column]:.3f}"

    return Pane(
        "embedding", (float(width), float(height)), (heat,),
        title=f"Embedding: {vectors.shape[1]} numbers", frame="embedding", readout=readout,
    )  # fmt: skip


def matrix_pane(read: Read, threshold: float) -> Pane:
    """The distances of all faces of the photo from each other."""
    apart = distances(read.vectors, read.vectors)
    np.fill_diagonal(apart, 0.0)  # but for rounding
    count = float(len(apart))
    heat = Heat(
        apart, 0.0, max(1.0, float(apart.max())), extent=(0.0, 0.0, count, count),
        unit="distance", name="distances",
    )  # fmt: skip
    rows, columns = np.nonzero(np.triu(apart <= threshold, 1))
    both = np.concatenate([np.stack([columns, rows], 1), np.stack([rows, columns], 1)])
    cells = np.concatenate([both, both + 1], axis=1).astype(np.float32)
    frames = Boxes(cells, same(GREEN, len(cells)), width=2.0, selectable=False, name="one person")

    def readout(x: float, y: float) -> str:
        if not (0 <= x < count and 0 <= y < count):
            return ""
        return f"faces {int(y) + 1} and {int(x) + 1}: {apart[int(y), int(x)]:.2f}"

    words = [
        Text(str(row + 1), (row + 0.04, row + 0.03), size=9.0, plate=False, name=f"face {row}")
        for row in range(len(apart))
    ]
    return Pane(
        "distances", (count, count), (heat, frames, *words), frame="distances",
        title=f"Distances of the {len(apart)} faces", readout=readout,
    )  # fmt: skip


def other_pane(other: Other, apart: Float32, threshold: float) -> Pane:
    """The second photo: green faces are judged to be the chosen person's."""
    faces = other.read.faces
    colors = same(RED, len(faces))
    colors[apart <= threshold] = GREEN
    words = tuple(f"{value:.2f}" for value in apart)
    boxes = Boxes(faces.boxes, colors, words, width=2.5, selectable=False, name="other faces")
    title = f"Second photo: {quantity(len(faces), 'face')}"
    return Pane("other", size_of(other.photo), (other.photo, boxes), title=title, frame="other")


def faces_sheet(
    name: str, title: str, faces: Sequence[UInt8], words: Sequence[str], colors: UInt8,
    columns: int,
) -> Pane:  # fmt: skip
    """Faces with a colored word above each."""
    sheet = labeled_sheet([enlarged(face) for face in faces], columns=columns)
    frames = Boxes(sheet.xyxy, colors, width=2.0, selectable=False, name="frames")
    layers: tuple[Layer, ...] = (
        Picture(sheet.rgb, smooth=True, name="sheet"), frames, captions(sheet.xyxy, words, colors),
    )  # fmt: skip
    return Pane(name, sheet.size, layers, title=title, frame=name)


def pair_pane(read: Read, chosen: int, other: Other, apart: Float32, threshold: float) -> Pane:
    """The chosen face and those of the second photo, the nearest first."""
    order = np.argsort(apart, kind="stable")[:MOST_FACES]
    faces = [read.aligned[chosen], *other.read.aligned[order]]
    words = ["chosen", *(f"{apart[row]:.2f}" for row in order)]
    colors = _verdicts(apart[order], threshold)
    return faces_sheet(
        "pairs", _verdict(apart, threshold), faces, words, colors, min(3, len(faces))
    )


def nearest_pane(read: Read, chosen: int, gallery: Gallery, apart: Float32, limit: float) -> Pane:
    """The chosen face and the nearest ones of the gallery."""
    order = nearest(apart)
    faces = [read.aligned[chosen], *gallery.aligned[order]]
    words = ["chosen", *(_short(gallery.people[row], apart[row]) for row in order)]
    title = f"Nearest of {quantity(len(apart), 'face')}"
    return faces_sheet("nearest", title, faces, words, _verdicts(apart[order], limit), 5)


def nearest(apart: Float32) -> NDArray[np.intp]:
    """Rows of the nearest faces, the nearest first."""
    return np.argsort(apart, kind="stable")[:MOST_NEAREST]


def _short(person: str, apart: float) -> str:
    """As much of a name as fits over a face."""
    words = person.replace("_", " ")
    words = words if len(words) <= 9 else words[:8] + "…"
    return f"{words} {apart:.2f}".strip()


def _verdicts(apart: Float32, threshold: float) -> UInt8:
    """Of the chosen face, then of the others."""
    colors = same(RED, len(apart) + 1)
    colors[1:][apart <= threshold] = GREEN
    colors[0] = ORANGE
    return colors


def _verdict(apart: Float32, threshold: float) -> str:
    if not len(apart):
        return "No face in the second photo"
    least = float(apart.min())
    return f"{least:.2f}: {'one person' if least <= threshold else 'two people'}"


def persons_pane(gallery: Gallery, labels: NDArray[np.intp]) -> Pane:
    """The largest clusters, a row for each."""
    faces, words = [], []
    blank = np.full((SIDE, SIDE, 3), 32, np.uint8)
    sizes = np.bincount(labels)
    shown = min(MOST_PERSONS, len(sizes))
    columns = max(1, min(MOST_OF_ONE, int(sizes.max())))
    for label in range(shown):
        rows = np.flatnonzero(labels == label)
        first = rows[:columns]
        faces += [*gallery.aligned[first], *[blank] * (columns - len(first))]
        words += [f"person {label + 1}: {len(rows)}", *[""] * (columns - 1)]
    colors = same(BLUE, len(faces))
    sheet = labeled_sheet([enlarged(face) for face in faces], columns=columns)
    wide = sheet.xyxy.copy()
    wide[:, 2] = np.maximum(wide[:, 2], wide[:, 0] + SIDE * ZOOM)
    return Pane(
        "persons", sheet.size,
        (Picture(sheet.rgb, smooth=True, name="sheet"), captions(wide, words, colors)),
        title=f"{quantity(len(sizes), 'cluster')} of {quantity(len(labels), 'face')}",
        frame="persons",
    )  # fmt: skip


# -- plots and tables -----------------------------------------------------------------------------


def roc_plot(result: Result, threshold: float) -> Plot | None:
    """Both rates over the threshold: of the card's pairs, and of the gallery's own people."""
    curves = []
    known = result.roc
    if known is not None and len(known):
        curves += [
            Curve(known[:, 0], known[:, 2], "held-out pairs: same person accepted", GREEN),
            Curve(known[:, 0], known[:, 1], "held-out pairs: two people accepted", RED),
        ]
    own = None if result.gallery is None else own_pairs(result.gallery)
    if own is not None:
        apart, same_person = own
        found = roc(-apart, same_person)
        curves += [
            Curve(-found.thresholds[1:], found.true_positives[1:], "folder: same person", BLUE),
            Curve(-found.thresholds[1:], found.false_positives[1:], "folder: two people", ORANGE),
        ]
    if not curves:
        return None
    return Plot(
        "rates", "ROC: rates of accepted pairs over the threshold", "distance", "fraction",
        curves=tuple(curves), marker=threshold, steers="threshold",
    )  # fmt: skip


def own_pairs(gallery: Gallery) -> tuple[NDArray[np.float64], NDArray[np.bool_]] | None:
    """Distances of all pairs of the gallery and whether they are of one subfolder.

    None where there are not both kinds of pairs.
    """
    people = np.array(gallery.people)
    rows = np.flatnonzero(people != "")
    first, second = (rows[half] for half in np.triu_indices(len(rows), 1))
    one = people[first] == people[second]
    if not one.any() or one.all():
        return None
    apart = distances(gallery.vectors, gallery.vectors)[first, second].astype(np.float64)
    return apart, one


def histogram(gallery: Gallery, threshold: float) -> Plot:
    """The distances of all pairs of the gallery."""
    apart = distances(gallery.vectors, gallery.vectors)[np.triu_indices(len(gallery.vectors), 1)]
    edges = np.linspace(0, max(1.2, float(apart.max(initial=0))), BINS + 1)
    middles = (edges[1:] + edges[:-1]) / 2
    own = own_pairs(gallery)
    parts: list[tuple[str, NDArray[np.floating[Any]], Color]] = [("pairs", apart, BLUE)]
    if own is not None:
        parts = [("same person", own[0][own[1]], GREEN), ("two people", own[0][~own[1]], RED)]
    curves = []
    for label, values, color in parts:
        counts = np.histogram(values, edges)[0] / max(1, len(values))
        curves.append(Curve(middles, counts.astype(np.float64), label, color))
    return Plot(
        "pairs", "Distances of the folder's pairs", "distance", "fraction of the pairs",
        curves=tuple(curves), marker=threshold, steers="threshold",
    )  # fmt: skip


def nearest_table(gallery: Gallery, apart: Float32, threshold: float) -> Table:
    """The nearest faces; a row opens its photo."""
    order = nearest(apart)
    rows = tuple(
        (
            rank, gallery.people[row] or "-", gallery.names[row], round(float(apart[row]), 3),
            "one person" if apart[row] <= threshold else "two people",
        )
        for rank, row in enumerate(order.tolist(), 1)
    )  # fmt: skip
    return Table(
        "nearest", ("rank", "folder", "photo", "distance", "judged"), rows, title="Nearest faces",
        photos=tuple(gallery.files[row] for row in order), photos_view="faces",
    )  # fmt: skip


def clusters_of(gallery: Gallery, threshold: float) -> NDArray[np.intp]:
    """(n,) of the gallery's faces."""
    return persons(gallery.grown, len(gallery.names), threshold)


def rates_at(known: NDArray[np.float64] | None, threshold: float) -> str:
    """What the threshold means on the network's held-out pairs, as words; "" if unknown."""
    if known is None or not len(known):
        return ""
    false = float(np.interp(threshold, known[:, 0], known[:, 1]))
    true = float(np.interp(threshold, known[:, 0], known[:, 2]))
    return f"accepts {percent(true)} of pairs of one person and {percent(false)} of two"
