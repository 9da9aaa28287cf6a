"""The nearest photos and the clusters as tables, the distances as a curve."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from explorer.core.layers import Curve, Plot, Table
from explorer.views.inside.similar_images import panes
from explorer.views.shared.folders.album import file_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from explorer.views.inside.similar_images.result import Result


def neighbors_table(
    result: Result, rows: list[int], distances: list[float], labels: NDArray[np.intp]
) -> Table:
    """The nearest photos; opening a row looks it up in its turn."""
    lines = tuple(
        (rank, result.names[row], round(distance, 4), int(labels[row]) + 1)
        for rank, (row, distance) in enumerate(zip(rows, distances, strict=True), 1)
    )
    return Table(
        "neighbors", ("rank", "photo", "cosine distance", "cluster"), lines,
        title="Nearest photos", layer="neighbors", keys=tuple(rows),
        photos=tuple(file_of(result.addresses[row]) for row in rows), photos_view="similar_images",
    )  # fmt: skip


def clusters_table(result: Result, labels: NDArray[np.intp]) -> Table:
    """How many photos each cluster has, in its color."""
    counts = np.bincount(labels)
    near = np.bincount(labels[result.nearest], minlength=len(counts))
    first = {int(label): row for row, label in reversed(list(enumerate(labels.tolist())))}
    rows = tuple(
        (number + 1, int(counts[number]), int(near[number]), result.names[first[number]])
        for number in range(len(counts))
    )
    colors = panes.cluster_colors(np.arange(len(counts)))
    return Table(
        "clusters", ("cluster", "photos", "of the nearest", "one of them"), rows, title="Clusters",
        swatches=tuple((int(r), int(g), int(b)) for r, g, b in colors),
    )  # fmt: skip


def distances_plot(result: Result) -> Plot:
    """Where the distances rise, the similar photos end."""
    rank = np.arange(1.0, len(result.distances) + 1)
    return Plot(
        "distances", "Distances of the nearest photos", "rank", "cosine distance",
        curves=(Curve(rank, result.distances.astype(np.float64)),), whole_x=True,
    )  # fmt: skip
