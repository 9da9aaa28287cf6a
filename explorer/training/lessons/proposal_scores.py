"""The tables of BING, objectness, Rahtu's cascade and Randomized Prim, from photos with boxes.

Each method is fitted to what its paper fits it to: the template and the lines of BING to objects
and other windows, the histograms of the objectness cues likewise, Rahtu's weights to the order of
windows by overlap, and Prim's to pairs of superpixels that lie in one object or not.
"""

from __future__ import annotations

import json
import logging
from dataclasses import asdict
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from explorer.core.errors import ExplorerError
from explorer.training.data.pool import complete, read_pool
from explorer.vision.classic.superpixels import SPACES, superpixels
from explorer.vision.detection.boxes import iou_matrix, recall
from explorer.vision.proposals import bing, objectness, prim, rahtu
from explorer.vision.proposals.tables import FILE, Tables
from explorer.vision.proposals.windows import grid

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from explorer.training.data.pool import PoolPhoto
    from explorer.training.lessons.registry import Material

    Float32 = NDArray[np.float32]
    Float64 = NDArray[np.float64]
    UInt8 = NDArray[np.uint8]
    Make = Callable[[UInt8, int, int, Tables], tuple[Float32, Float32 | None]]

log = logging.getLogger(__name__)

__all__ = ["FILE", "fit"]

BING_PHOTOS, OTHER_PHOTOS = 240, 80
"""Photos that the tables are fitted to. BING has the most numbers: two for each of its sizes."""

HELD_OUT = 30
"""Photos for the metrics."""

OBJECT, OTHER = 0.6, 0.4
"""A window shows an object from this IoU on, and none below the other."""

EACH = 60
"""Windows of either kind of a photo."""

BINS = 16
"""Of every objectness cue."""

LEAST = 15
"""A size of BING's windows needs this many objects."""

COUNTS = (100, 1000)


def fit(name: str, material: Material, folder: Path) -> None:
    """See `registry`: writes FILE with the fields of `Tables`.

    `figures` in the same file is JSON: the recall of each method on photos that were not used.
    """
    photos = complete(read_pool(material.folder)).photos
    photos = tuple(photo for photo in photos if len(photo.boxes))
    if not photos:
        raise ExplorerError(
            "No category of the photos has enough high-scoring objects.",
            "Give a folder with more objects.",
        )
    rng = np.random.default_rng(material.seed)
    order = rng.permutation(len(photos))
    apart = min(HELD_OUT, -(-len(photos) // 10))
    held_out = [photos[i] for i in order[:apart]]
    known = [photos[i] for i in order[apart : apart + BING_PHOTOS]]
    found = fitted(known, rng)
    figures = metrics(held_out, found)
    log.info("%s: %s", name, figures)
    folder.mkdir(parents=True, exist_ok=True)
    arrays = asdict(found)
    np.savez_compressed(folder / FILE, figures=np.array(json.dumps(figures)), **arrays)


def fitted(photos: Sequence[PoolPhoto], rng: np.random.Generator) -> Tables:
    """The tables for those photos, each of which has objects; some need the first of them only."""
    template = bing_filter(photos, rng)
    log.info("BING's template is fitted")
    sizes, lines = bing_lines(photos, template)
    log.info("BING's %d sizes are fitted", len(sizes))
    photos = photos[:OTHER_PHOTOS]
    edges, ratios = cue_tables(photos, rng)
    log.info("the cues are counted")
    return Tables(
        template, sizes, lines, edges, ratios, rahtu_weights(photos, rng), prim_weights(photos)
    )


def pixels_of(photo: PoolPhoto) -> UInt8:
    with Image.open(photo.path) as picture:
        return np.asarray(picture.convert("RGB"), np.uint8)


def _overlap(photo: PoolPhoto, boxes: Float32) -> tuple[Float32, NDArray[np.bool_]]:
    """The highest IoU of each box with an object; whether it may be called background."""
    best = iou_matrix(photo.boxes, boxes).max(axis=0, initial=0.0)
    vague = iou_matrix(photo.ignored, boxes).max(axis=0, initial=0.0)
    return best, vague < OTHER


def _some(rows: NDArray[np.bool_], rng: np.random.Generator) -> NDArray[np.intp]:
    """At most `EACH` of the rows."""
    there = np.flatnonzero(rows)
    return np.sort(rng.choice(there, EACH, replace=False)) if len(there) > EACH else there


# -- BING


def template_cells(pixels: UInt8, box: Float32) -> UInt8 | None:
    """(8, 8) normed gradients of a box, with the pixels around it; None = it is too small."""
    import cv2

    x0, y0, x1, y1 = box.tolist()
    if min(x1 - x0, y1 - y0) < bing.CELLS:
        return None
    # One cell more on every side: a gradient takes both neighbors.
    cells = bing.CELLS + 2
    wide, tall = (x1 - x0) / bing.CELLS, (y1 - y0) / bing.CELLS
    low = max(0, round(x0 - wide)), max(0, round(y0 - tall))
    part = pixels[low[1] : round(y1 + tall), low[0] : round(x1 + wide)]
    small = cv2.resize(part, (cells, cells), interpolation=cv2.INTER_AREA)
    return bing.normed_gradient(np.asarray(small, np.uint8))[1:-1, 1:-1]


def bing_filter(photos: Sequence[PoolPhoto], rng: np.random.Generator) -> Float32:
    """(8, 8) float32: a linear support vector machine on objects against other windows."""
    from sklearn.svm import LinearSVC

    rows: list[UInt8] = []
    names: list[bool] = []
    for photo in photos:
        pixels = pixels_of(photo)
        windows = grid(pixels.shape[0], pixels.shape[1], 2000)
        best, background = _overlap(photo, windows)
        others = windows[_some((best < OTHER) & background, rng)]
        for boxes, name in ((photo.boxes, True), (others, False)):
            for box in boxes:
                cells = template_cells(pixels, box)
                if cells is not None:
                    rows += [cells, cells[:, ::-1]]  # mirrored, it is as good
                    names += [name, name]
    values = np.stack(rows).reshape(len(rows), -1) / 255.0
    svm = LinearSVC(C=0.01, class_weight="balanced", dual=False, random_state=0)
    svm.fit(values, np.array(names))
    found: Float32 = (svm.coef_[0] / 255.0).reshape(bing.CELLS, bing.CELLS).astype(np.float32)
    return found


def bing_lines(photos: Sequence[PoolPhoto], template: Float32) -> tuple[Float32, Float32]:
    """(S, 2) sizes with enough objects, and (S, 2) slope and offset of their log odds."""
    every = [(wide, tall) for wide in bing.SIDES for tall in bing.SIDES]
    scores: dict[tuple[int, int], list[Float32]] = {size: [] for size in every}
    hits: dict[tuple[int, int], list[NDArray[np.bool_]]] = {size: [] for size in every}
    for photo in photos:
        pixels = pixels_of(photo)
        for size in every:
            boxes, values = bing.windows_of(pixels, size, template)
            best, background = _overlap(photo, boxes)
            keep = (best >= 0.5) | background
            scores[size].append(values[keep])
            hits[size].append(best[keep] >= 0.5)
    sizes, lines = [], []
    for size in every:
        value, hit = np.concatenate(scores[size]), np.concatenate(hits[size])
        if LEAST <= hit.sum() < len(hit):
            slope, offset = logistic(value[:, None].astype(np.float64), hit)
            sizes.append(size)
            lines.append((slope[0], offset))
    return np.array(sizes, np.float32).reshape(-1, 2), np.array(lines, np.float32).reshape(-1, 2)


def logistic(
    values: Float64, hit: NDArray[np.bool_], *, balanced: bool = False
) -> tuple[Float64, float]:
    """Weights and offset of the log odds of a hit by (N, D) values; 0 when all or none are hits."""
    if hit.all() or not hit.any():
        return np.zeros(values.shape[1]), 0.0
    from sklearn.linear_model import LogisticRegression

    middle, spread = values.mean(axis=0), values.std(axis=0) + 1e-9
    model = LogisticRegression(class_weight="balanced" if balanced else None)
    model.fit((values - middle) / spread, hit)
    weights: Float64 = model.coef_[0] / spread
    return weights, float(model.intercept_[0] - weights @ middle)


# -- objectness


def cue_tables(photos: Sequence[PoolPhoto], rng: np.random.Generator) -> tuple[Float32, Float32]:
    """(4, B - 1) edges of bins with equally many windows, and (4, B) log ratios."""
    values: dict[bool, list[Float32]] = {True: [], False: []}
    for photo in photos:
        pixels = pixels_of(photo)
        windows = grid(pixels.shape[0], pixels.shape[1], objectness.CANDIDATES)
        best, background = _overlap(photo, windows)
        for name, rows in ((True, best >= OBJECT), (False, (best < OTHER) & background)):
            values[name].append(objectness.cues(pixels, windows[_some(rows, rng)]))
    own, other = (np.concatenate(values[name]) for name in (True, False))
    edges = np.empty((len(objectness.CUES), BINS - 1), np.float32)
    ratios = np.empty((len(objectness.CUES), BINS), np.float32)
    for cue in range(len(objectness.CUES)):
        # As many of the one kind as of the other.
        places = np.linspace(0, 1, 201)
        both = np.concatenate([np.quantile(v[:, cue], places) for v in (own, other)])
        edges[cue] = np.quantile(both, np.linspace(0, 1, BINS + 1)[1:-1])
        counts = [
            np.bincount(np.searchsorted(edges[cue], v[:, cue]), minlength=BINS) + 1.0
            for v in (own, other)
        ]  # one more each: no bin is impossible
        ratios[cue] = np.log(counts[0] / counts[0].sum()) - np.log(counts[1] / counts[1].sum())
    return edges, ratios


# -- Rahtu


def rahtu_weights(photos: Sequence[PoolPhoto], rng: np.random.Generator) -> Float32:
    """(4,) float32: a ranking support vector machine; windows on objects above others."""
    from sklearn.svm import LinearSVC

    differences = [np.empty((0, len(rahtu.FEATURES)), np.float32)]
    for photo in photos:
        pixels = pixels_of(photo)
        windows = rahtu.candidates(pixels, 0)
        best, background = _overlap(photo, windows)
        own, other = _some(best >= OBJECT, rng), _some((best < OTHER) & background, rng)
        count = min(len(own), len(other))
        if count:
            rows = np.concatenate([rng.permutation(own)[:count], rng.permutation(other)[:count]])
            values = rahtu.features(pixels, windows[rows])
            differences.append(values[:count] - values[count:])
    pairs = np.concatenate(differences)
    spread = pairs.std(axis=0) + 1e-9
    signs = rng.choice([-1.0, 1.0], len(pairs))
    svm = LinearSVC(C=1.0, fit_intercept=False, dual=False, random_state=0)
    svm.fit(pairs / spread * signs[:, None], signs)
    weights: Float32 = (svm.coef_[0] / spread).astype(np.float32)
    return weights


# -- Randomized Prim


def prim_weights(photos: Sequence[PoolPhoto]) -> Float32:
    """(4,) float32: the log odds that two superpixels that touch lie in one object.

    They do when one object's box holds nine tenths of both; they do not when a box holds nine
    tenths of one and no more than a tenth of the other.
    """
    values, names = [np.empty((0, 3))], [np.empty(0, np.bool_)]
    for photo in photos:
        channels = SPACES["Lab"](pixels_of(photo))
        labels = superpixels(channels, prim.SCALE)
        edges, alike = prim.similarities(labels, channels)
        within = held(labels, photo.boxes)
        one, other = within[:, edges[:, 0]], within[:, edges[:, 1]]
        together: NDArray[np.bool_] = np.asarray(((one >= 0.9) & (other >= 0.9)).any(axis=0))
        parted = (((one >= 0.9) & (other <= 0.1)) | ((other >= 0.9) & (one <= 0.1))).any(axis=0)
        decided: NDArray[np.bool_] = np.logical_or(together, parted)
        values.append(alike[decided])
        names.append(together[decided])
    weights, offset = logistic(np.concatenate(values), np.concatenate(names), balanced=True)
    return np.array([*weights, offset], np.float32)


def held(labels: NDArray[np.int32], boxes: Float32) -> Float64:
    """(G, n) float64: the part of each superpixel that lies in each box."""
    sizes = np.bincount(labels.ravel())
    found = np.zeros((len(boxes), len(sizes)))
    for row, (x0, y0, x1, y1) in enumerate(np.rint(boxes).astype(np.int64).tolist()):
        inside = labels[y0:y1, x0:x1].ravel()
        found[row] = np.bincount(inside, minlength=len(sizes)) / sizes
    return found


# -- metrics


def metrics(photos: Sequence[PoolPhoto], known: Tables) -> dict[str, float]:
    """The recall at IoU 0.5 of every method on photos that were not used."""
    methods: dict[str, Make] = {
        "BING": bing.bing, "objectness": objectness.objectness, "Rahtu": rahtu.rahtu,
        "Randomized Prim": prim.randomized_prim,
    }  # fmt: skip
    figures = {}
    for name, make in methods.items():
        hits, total = np.zeros(len(COUNTS)), 0
        for photo in photos:
            boxes, _ = make(pixels_of(photo), max(COUNTS), 0, known)
            total += len(photo.boxes)
            for place, count in enumerate(COUNTS):
                hits[place] += recall(photo.boxes, boxes[:count], (0.5,))[0] * len(photo.boxes)
        for count, hit in zip(COUNTS, hits.tolist(), strict=True):
            figures[f"{name}: recall of {count} at IoU 0.5"] = round(hit / total, 4)
    return figures
