"""The photos of a folder that are most similar to the open one, by the features of any layer."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from explorer.batch.index.store import FEATURES
from explorer.core.layers import Board, Pane
from explorer.core.listing import quantity
from explorer.core.params import Effect, FolderRef, Pick, param
from explorer.core.step import Step
from explorer.engine.view import Group, View
from explorer.views.inside.similar_images import charts, panes
from explorer.views.inside.similar_images.result import Plane, Result
from explorer.views.shared.common import photo_of, size_of
from explorer.views.shared.draw_cache import DrawCache
from explorer.views.shared.folders.album import small, thumbnails
from explorer.views.shared.folders.indexing import beside, feature_layers, index_of
from explorer.vision.photo_sets.maps import LEAST, clusters, principal, tsne
from explorer.vision.photo_sets.neighbors import Neighbors

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping

    from numpy.typing import NDArray

    from explorer.core.layers import Float32, UInt8
    from explorer.engine.scene import Scene
    from explorer.views.shared.folders.indexing import FolderIndex
    from explorer.vision.photo_sets.maps import Axes

EXPLANATION = r"""
The activations of a late layer are a **feature vector** $f$ of the photo: the mean of every feature
map over its positions. Photos with similar contents have vectors that point in similar directions,
even where no pixel is alike. Without a folder the samples are compared; choose one of your own, and
every photo that you open or drop is looked up in it.

**Nearest neighbors.** The distance of two photos $a$ and $b$ is one minus the cosine of the angle
between their vectors, from 0 (the same direction) to 2:

$$ d_{ab} = 1 - \frac{f_a \cdot f_b}{\| f_a \| \, \| f_b \|} $$

All photos are compared, so none is overlooked. The file of the open photo itself does not count.
Open a row of the table: that photo is looked up next.

**Layer.** The input of the classifier describes what is in the photo. Early layers have colors and
textures: the neighbors then look alike, whatever they show.

**Map.** The vectors, brought to length 1, on a plane. *PCA* shows the two directions in which they
vary most; distances are true to scale as far as two axes allow. *t-SNE* places neighbors next to
each other; the distance of groups, their size and their shape mean nothing. The open photo stands
among the three nearest ones there, if it is none of the folder. Frames and points have the color of
the photo's **cluster** (k-means of 50 principal components); lines lead from the open photo to its
five nearest ones. Thumbnails that would hide each other are points.

**Large folders** are indexed photo by photo, and what is there is shown at once. The index is kept:
it goes on where it was, and a photo that was replaced is computed again, no other one. *Continue in
the background* (beside *Cancel*) completes it while you look at something else. For hundreds of
thousands of photos `explorer batch index` makes it on several processes or machines; choose its
result as the folder.

**Sources.** Krizhevsky, Sutskever and Hinton 2012, *ImageNet Classification with Deep Convolutional
Neural Networks*, section 6.1 (neighbors by the features before the last layer); van der Maaten and
Hinton 2008, *Visualizing Data using t-SNE*; Arthur and Vassilvitskii 2007, *k-means++*; Donahue et
al. 2014, *DeCAF* (layers on the plane).
"""

PCA, TSNE = "PCA", "t-SNE"
MOST_NEIGHBORS = 48
MOST_MAPPED = {PCA: 3000, TSNE: 1000}
_AMONG = 3
"""On a map by t-SNE the open photo is in the middle of that many of its nearest photos."""
_AT_A_TIME = 6
"""Thumbnails that are read between two steps."""


@dataclass(frozen=True, slots=True)
class Params:
    """See the help of each."""

    folder: FolderRef | None = param(
        None, "Folder",
        "Photos that are compared with the open one, those of subfolders too; or the result of "
        "`explorer batch index`. By default the samples.",
    )  # fmt: skip
    layer: str = param(
        "", "Layer", "The layer whose features are compared.", choices=feature_layers
    )
    count: int = param(
        12, "Neighbors", "How many of the nearest photos are shown.",
        effect=Effect.DRAW, low=1, high=MOST_NEIGHBORS,
    )  # fmt: skip
    method: str = param(
        PCA, "Map", "PCA is there at once; t-SNE shows neighborhoods and takes some seconds.",
        choices=(PCA, TSNE),
    )  # fmt: skip
    clusters: int = param(
        5, "Clusters", "The number of clusters, by k-means.", low=1, high=24
    )  # fmt: skip
    chosen: int | None = param(
        None, "Chosen photo", "The photo that is marked on the map: click a neighbor.",
        effect=Effect.DRAW, pick=Pick.SELECT, layer="neighbors", low=0, high=2**31 - 1, kept=False,
    )  # fmt: skip


def compute(scene: Scene, params: Params) -> Generator[Step[Result], Any, None]:
    index = index_of(scene.network, params.folder, params.layer, FEATURES)
    feature = scene.memo(("feature", index.job.about()["layer"]), lambda: _feature(scene, index))
    shown = -1
    for state in index.fill(params.folder):
        count = len(state.entries)
        if state.complete or shown < 0 or count >= shown + max(4, shown // 8):
            shown = count
            result = _compared(scene, params, index, feature)
            yield Step(result, state.done, state.total, f"{state.done:,} of {state.total:,} photos")
    if params.method == TSNE and len(result.names) >= LEAST:
        for _ in _placing(index, params, scene.seed):
            yield Step(result, 0, 0, "t-SNE")
        result = _replaced(result, _neighborhoods(index, params, result, scene.seed))
        yield Step(result, 1, 1)
    # Only now: reading files is slower than all of the above.
    members = _members(result)
    waiting = [(result.names[row], result.addresses[row]) for row in members]
    while thumbnails(waiting, index.thumbnails, _AT_A_TIME):
        result = _replaced(result, result.plane, _small(index, result, members))
        yield Step(result, len(result.thumbnails), len(members), "thumbnails")


def _placing(index: FolderIndex, params: Params, seed: int) -> Generator[None, None, None]:
    """t-SNE of the folder, once: another open photo does not change it."""
    if (TSNE, seed) not in index.made:
        rows = _mapped(index, params.method, seed)
        coefficients = _coefficients(index, seed)[rows]
        index.made[TSNE, seed] = yield from beside(lambda: tsne(coefficients, seed))


def _neighborhoods(index: FolderIndex, params: Params, result: Result, seed: int) -> Plane:
    """The map by t-SNE, where the open photo is among the nearest ones that are on it."""
    assert result.plane is not None
    rows = _mapped(index, params.method, seed)
    placed: Float32 = index.made[TSNE, seed]
    near = np.array([row for row in (*result.same, *result.nearest.tolist()) if row in rows])
    place = placed.mean(axis=0)
    if len(near):
        near = near[:1] if result.same else near[:_AMONG]
        place = placed[np.searchsorted(rows, near)].mean(axis=0)
    return _plane(rows, placed, place, result.plane.labels, TSNE)


def _feature(scene: Scene, index: FolderIndex) -> Float32:
    ((_, _, arrays),) = index.job.described([scene.input()])
    found: Float32 = arrays["feature"].astype(np.float32)
    return found


def _vectors(index: FolderIndex) -> NDArray[np.float16]:
    """(N, C) of the index so far."""
    if "vectors" in index.made:
        found: NDArray[np.float16] = index.made["vectors"]
        return found
    stacked = np.stack([entry.arrays["feature"] for entry in index.state.entries])
    if index.state.complete:
        index.made["vectors"] = stacked
    return stacked


def _neighbors(scene: Scene, index: FolderIndex) -> Neighbors:
    if not index.state.complete:
        return Neighbors(_vectors(index), scene.network.device)
    if "neighbors" not in index.made:
        index.made["neighbors"] = Neighbors(_vectors(index), scene.network.device)
    found: Neighbors = index.made["neighbors"]
    return found


def _compared(scene: Scene, params: Params, index: FolderIndex, feature: Float32) -> Result:
    state = index.state
    names = tuple(entry.name for entry in state.entries)
    addresses = tuple(entry.address for entry in state.entries)
    nearest, distances, plane = np.empty(0, np.intp), np.empty(0, np.float32), None
    same: tuple[int, ...] = ()
    if names:
        found, cosines = _neighbors(scene, index).nearest(feature, MOST_NEIGHBORS + 1)
        others = np.array([not _same(scene, addresses[row]) for row in found])
        same = tuple(found[~others].tolist())
        nearest = found[others][:MOST_NEIGHBORS]
        distances = (1 - cosines[others][:MOST_NEIGHBORS]).clip(0, 2).astype(np.float32)
        plane = _by_components(scene, params, index, feature, nearest)
    result = Result(
        photo_of(scene),
        scene.memo("small photo", lambda: small(scene.image.pixels)),
        index.job.about()["layer"], index.source, names, addresses, nearest, distances, same,
        feature, plane, {}, state.total, len(state.failures), index.notes(),
    )  # fmt: skip
    return _replaced(result, plane, _small(index, result, _members(result)))


def _same(scene: Scene, address: str) -> bool:
    """Whether it is the open photo itself: its file, or the picture the program makes."""
    path = scene.image.path
    if path is not None:
        return str(path) == address
    return address.endswith(f"://{scene.image.name}")


def _mapped(index: FolderIndex, method: str, seed: int) -> NDArray[np.intp]:
    """Rows of the photos on the map: all, or a sample."""
    count, most = len(index.state.entries), MOST_MAPPED[method]
    if count <= most:
        return np.arange(count)
    return np.sort(np.random.default_rng(seed).choice(count, most, replace=False))


def _axes(index: FolderIndex, seed: int) -> Axes:
    if not index.state.complete:
        return principal(_vectors(index), 2, seed)
    if ("axes", seed) not in index.made:
        index.made["axes", seed] = principal(_vectors(index), seed=seed)
    found: Axes = index.made["axes", seed]
    return found


def _coefficients(index: FolderIndex, seed: int) -> Float32:
    """(N, K) of all photos, once they are there."""
    if ("coefficients", seed) not in index.made:
        index.made["coefficients", seed] = _axes(index, seed).of(_vectors(index))
    found: Float32 = index.made["coefficients", seed]
    return found


def _by_components(
    scene: Scene, params: Params, index: FolderIndex, feature: Float32, nearest: NDArray[np.intp]
) -> Plane:
    """The map by PCA: of all photos, or of a sample with the nearest ones."""
    seed, vectors = scene.seed, _vectors(index)
    rows = np.unique(np.concatenate([_mapped(index, PCA, seed), nearest]))
    labels = np.zeros(len(vectors), np.intp)  # until all photos are there
    axes = _axes(index, seed)
    if index.state.complete:
        coefficients = _coefficients(index, seed)
        key = ("clusters", params.clusters, seed)
        if key not in index.made:
            index.made[key] = clusters(coefficients, params.clusters, seed)
        labels, placed = index.made[key], coefficients[rows]
    else:
        placed = axes.of(vectors[rows])
    return _plane(rows, placed, axes.of(feature[None])[0], labels, PCA)


def _plane(
    rows: NDArray[np.intp], placed: Float32, place: Float32, labels: NDArray[np.intp], method: str
) -> Plane:
    """From (M, K) positions of any range and that of the open photo, of which two count."""
    both = np.concatenate([placed, place[None]])[:, :2]
    xy = panes.on_map(np.pad(both, ((0, 0), (0, 2 - both.shape[1]))))
    return Plane(rows, xy[:-1], (float(xy[-1, 0]), float(xy[-1, 1])), labels, method)


def _members(result: Result) -> list[int]:
    """Rows of the index whose thumbnails are drawn, the most important first."""
    found = dict.fromkeys(result.nearest.tolist())
    if result.plane is not None:
        drawn, _ = _drawn(result)
        found |= dict.fromkeys(int(result.plane.rows[index]) for index in drawn)
    return list(found)


def _drawn(result: Result) -> tuple[list[int], int]:
    """Indices into the rows of the map that are thumbnails, and their side."""
    plane = result.plane
    assert plane is not None
    first = np.searchsorted(plane.rows, _on_plane(result))
    order = [*first.tolist(), *range(len(plane.rows))]
    return panes.placed_thumbnails(plane.xy, list(dict.fromkeys(order)))


def _on_plane(result: Result) -> NDArray[np.intp]:
    """Rows of the nearest photos that are on the map."""
    assert result.plane is not None
    return result.nearest[np.isin(result.nearest, result.plane.rows)]


def _small(index: FolderIndex, result: Result, members: list[int]) -> dict[int, UInt8]:
    known = index.thumbnails
    return {
        row: known[address] for row in members if (address := result.addresses[row]) in known
    }  # fmt: skip


def _replaced(
    result: Result, plane: Plane | None, pictures: Mapping[int, UInt8] | None = None
) -> Result:
    kept = result.thumbnails if pictures is None else pictures
    return replace(result, plane=plane, thumbnails=kept, cache=DrawCache())


def draw(result: Result, params: Params) -> Board:
    rows = result.nearest[: params.count].tolist()
    distances = result.distances[: params.count].tolist()
    labels = result.plane.labels if result.plane is not None else np.empty(0, np.intp)
    own = Pane("image", size_of(result.photo), (result.photo,), title="Open photo")
    if result.plane is None:
        words = "The first photos are on their way."
        return Board(
            (own, result.cache.get("hint", lambda: panes.hint_pane(words))),
            summary=f"Indexing {result.source}: {quantity(result.total, 'photo')}",
            notes=result.notes,
        )
    sheet = result.cache.get(
        ("sheet", params.count),
        lambda: panes.sheet_pane(
            rows, result.thumbnails, distances, labels,
            f"Nearest of {quantity(len(result.names), 'photo')}, with the cosine distance",
            result.names,
        ),
    )  # fmt: skip
    chosen = params.chosen if params.chosen in result.plane.rows else None
    plane = result.cache.get(("map", chosen), lambda: _map(result, chosen))
    tables = [charts.neighbors_table(result, rows, distances, labels)]
    if int(labels.max(initial=0)) > 0:
        tables.append(charts.clusters_table(result, labels))
    return Board(
        (sheet, own, plane),
        plots=(charts.distances_plot(result),) if len(result.distances) > 1 else (),
        tables=tuple(tables),
        summary=_summary(result, chosen),
        notes=result.notes,
    )


def _map(result: Result, chosen: int | None) -> Pane:
    plane = result.plane
    assert plane is not None
    drawn, side = _drawn(result)
    place = {int(row): index for index, row in enumerate(plane.rows)}

    def readout(x: float, y: float) -> str:
        away = np.abs(plane.xy - np.array([x, y])).max(axis=1)
        index = int(away.argmin())
        if away[index] > side / 2:
            return ""
        row = int(plane.rows[index])
        return f"{result.names[row]} (cluster {int(plane.labels[row]) + 1})"

    some = "" if len(plane.rows) == len(result.names) else f", {len(plane.rows):,} photos"
    return panes.map_pane(
        plane.xy, plane.query, drawn, side, result.thumbnails, plane.rows,
        plane.labels[plane.rows], [place[row] for row in _on_plane(result).tolist()],
        None if chosen is None else place[chosen], result.small,
        f"{plane.method} of the features{some}", readout,
    )  # fmt: skip


def _summary(result: Result, chosen: int | None) -> str:
    words = f"{result.layer} · {quantity(len(result.names), 'photo')} of {result.source}"
    if not len(result.nearest):
        return words
    nearest = result.names[int(result.nearest[0])]
    words += f" · nearest: {nearest}, cosine distance {result.distances[0]:.2f}"
    place = np.flatnonzero(result.nearest == chosen) if chosen is not None else np.empty(0)
    if len(place):
        far = result.distances[int(place[0])]
        words += f" · chosen: {result.names[int(chosen or 0)]}, {far:.2f}"
    return words


def data(result: Result, params: Params) -> dict[str, Any]:
    """Keys: `layer`, `feature` (C,) float32 of the open photo; of the nearest photos `names`,
    `rows` (K,) in the folder and `distances` (K,) float32, 1 - cosine; of the map `map_rows` (M,),
    `map` (M, 2) float32 in pixels of the pane and `map_query`, and `clusters` (N,) of all photos.
    """  # noqa: D205
    found: dict[str, Any] = {
        "layer": result.layer,
        "feature": result.feature,
        "names": [result.names[row] for row in result.nearest.tolist()],
        "rows": result.nearest,
        "distances": result.distances,
    }
    if result.plane is not None:
        plane = result.plane
        found |= {"map_rows": plane.rows, "map": plane.xy, "map_query": list(plane.query)}
        found["clusters"] = plane.labels
    return found


VIEW = View(
    name="similar_images",
    title="Similar images",
    group=Group.INSIDE,
    summary="The photos of a folder that are most similar to the open one, and a map of them all.",
    explanation=EXPLANATION,
    reference="Krizhevsky, Sutskever and Hinton 2012, ImageNet Classification with Deep "
    "Convolutional Neural Networks, section 6.1",
    Params=Params,
    compute=compute,
    draw=draw,
    data=data,
    live=False,
    keeps=True,
)
