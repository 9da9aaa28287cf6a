"""A layer's activations on many photos as sums of a few concepts, and what depends on each."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from explorer.batch.photos import Photo
from explorer.core.errors import ExplorerError
from explorer.core.layers import Board, Pane, Picture, Plot, Table
from explorer.core.listing import quantity
from explorer.core.params import Effect, FolderRef, Pick, param
from explorer.core.step import Step
from explorer.engine.stages import activation_of
from explorer.engine.view import Group, View
from explorer.views.inside.concepts import panes
from explorer.views.inside.concepts.gathering import Gathering, nothing
from explorer.views.shared.common import class_name, default_layer, photo_of, size_of
from explorer.views.shared.draw_cache import DrawCache
from explorer.views.shared.folders.album import open_member, small
from explorer.views.shared.folders.layers import (
    AUTOMATIC,
    activation_functions,
    layers_or_automatic,
)
from explorer.vision.features.classification import logits_of, softmax
from explorer.vision.photo_sets.concepts import (
    coefficients,
    designs,
    masked_scores,
    total_effects,
)

if TYPE_CHECKING:
    from collections.abc import Generator

    from numpy.typing import NDArray

    from explorer.core.layers import Extent, Float32, UInt8
    from explorer.core.network_info import NetworkInfo
    from explorer.engine.scene import Scene
    from explorer.views.inside.concepts.gathering import Found, Window
    from explorer.vision.features.activations import Activation

EXPLANATION = r"""
A cell of a feature map has hundreds of activations, of which single ones seldom mean anything. But
on many photos they come in groups: a **concept** is a direction of the layer, and the activations
$A$ of all cells of all photos are sums of a few of them with coefficients that are not negative:

$$ A \approx U \, W \qquad U \ge 0, \quad W \ge 0 $$

A row of $W$ is a concept, a row of $U$ says how much of each is in a cell (non-negative matrix
factorization). Without a folder the photos are the samples; with your own, the concepts are those
of your photos. More photos of one kind give finer concepts. What was found is kept; with many
photos *Continue in the background* (beside *Cancel*) completes it while you look at something else.

**Where.** The open photo is gray, its places have the color of the concept that is strongest there;
full color is the strongest place of the concept in all photos. Click a row to see one alone.

**Patches.** Each row shows where the concept is on the open photo, and the places that show it most
in the others: a window of three by three cells around the strongest cell of a photo. What they have
in common is what the concept stands for; it has no name until you give it one.

**How much the class depends on it.** Concepts are weakened in the activations at random, all at a
time, and the rest of the network runs. With masks $m$ in $[0, 1]$ and the class's logit $y$, the
**total effect** of concept $k$ is

$$ S_k = \frac{E[\mathrm{Var}(y \, | \, m_{\sim k})]}{\mathrm{Var}(y)} $$

the fraction of the variance that is left if all the other masks are held fixed. It includes what
the concept does together with others. What the concepts do not explain is left as it is. A high
value means that the logit depends on the concept, in either direction: the table says whether it
rises or falls with it.

**Layer.** *Automatic* is the last activation function with at least 12 x 12 cells. Negative
activations count as 0.

**Sources.** Fel et al. 2023, *CRAFT: Concept Recursive Activation FacTorization for
Explainability* (here the cells take the place of crops, without recursion); Lee and Seung 1999,
*Learning the parts of objects by non-negative matrix factorization*; Jansen 1999, *Analysis of
variance designs for model output* (the estimator of the total effect); Sobol 2001, *Global
sensitivity indices for nonlinear mathematical models*.
"""

TOP = "the top class"
CELLS = 12
_BATCH = 16


def _classes(info: NetworkInfo) -> tuple[str, ...]:
    return (TOP, *dict.fromkeys(info.classes))


@dataclass(frozen=True, slots=True)
class Params:
    """See the help of each."""

    folder: FolderRef | None = param(
        None, "Folder",
        "Photos whose concepts are found, those of subfolders too. By default the samples.",
    )  # fmt: skip
    layer: str = param(
        AUTOMATIC, "Layer", "The layer whose activations are factorized.",
        choices=layers_or_automatic,
    )  # fmt: skip
    count: int = param(6, "Concepts", "The number of concepts.", low=2, high=16)
    of: str = param(
        TOP, "Class", "The class whose dependence on the concepts is measured.", choices=_classes
    )
    most: int = param(
        60, "Photos", "At most this many photos, evenly over the folder.", low=2, high=400
    )
    chosen: int | None = param(
        None, "Chosen concept", "The only one that colors the photo: click a row.",
        effect=Effect.DRAW, pick=Pick.SELECT, layer="concepts", low=0, high=15, kept=False,
    )  # fmt: skip
    opacity: float = param(
        0.9, "Opacity", "Opacity of the colors over the photo.",
        effect=Effect.DRAW, low=0.0, high=1.0,
    )  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class Result:
    """The concepts on the open photo.

    `maps` (K, h, w) float32 in parts of the strongest coefficient of all photos, over `extent` of
    the photo; `importance` (K,) are total effects of the class `label`, NaN = not yet, `slope` (K,)
    the change of its logit from without the concept to with it. Before there are concepts K is 0.
    """

    photo: Picture
    layer: str
    source: str
    found: Found
    maps: Float32
    extent: Extent
    patches: tuple[tuple[UInt8, ...], ...]
    label: str
    probability: float
    importance: NDArray[np.float64]
    slope: NDArray[np.float64]
    failed: int
    notes: tuple[str, ...] = ()
    cache: DrawCache = field(default_factory=DrawCache)


def compute(scene: Scene, params: Params) -> Generator[Step[Result], Any, None]:
    network = scene.network
    layer = params.layer if params.layer not in ("", AUTOMATIC) else _automatic(scene)
    own = activation_of(scene, layer)
    logits = logits_of(scene.output())
    classes = network.info.classes
    label = int(logits.argmax()) if params.of == TOP else classes.index(params.of)
    result = Result(
        photo_of(scene), layer, "", nothing(len(own.values)), np.empty((0, 1, 1), np.float32),
        _extent(scene, own), (), class_name(classes, label), float(softmax(logits)[label]),
        np.empty(0), np.empty(0), 0,
    )  # fmt: skip
    yield Step(result, 0, 1, "reading the folder")
    gathering = Gathering(
        network, layer, params.folder, count=params.count, most=params.most, seed=scene.seed
    )
    for done, total, note in gathering.steps():
        yield Step(replace(result, source=gathering.source), done, total, note)
    found = gathering.found
    assert found is not None
    count = len(found.directions)
    cells = own.values.reshape(len(own.values), -1).T
    amounts = coefficients(cells, found.directions)
    shares = amounts / np.maximum(found.strongest, 1e-9)
    unknown = np.full(count, np.nan)
    result = replace(
        result, source=gathering.source, found=found, failed=gathering.failed,
        maps=np.clip(shares.T.reshape(count, *own.values.shape[1:]), 0, 1).astype(np.float32),
        patches=((),) * count, importance=unknown, slope=unknown, cache=DrawCache(),
        notes=gathering.notes,
    )  # fmt: skip
    yield Step(result, 0, count, "patches")
    patches: list[tuple[UInt8, ...]] = []
    for number, windows in enumerate(found.windows, 1):
        patches.append(tuple(_patches(windows)))
        shown = (*patches, *((),) * (count - number))
        result = replace(result, patches=shown, cache=DrawCache())
        yield Step(result, number, count, "patches")
    if own.shape != (1, *own.values.shape):
        words = "The dependence of the class needs a layer with one feature map for each channel."
        yield Step(replace(result, notes=(*result.notes, words), cache=DrawCache()))
        return
    masks = np.concatenate([designs(count, scene.seed), np.ones((1, count)), 1 - np.eye(count)])
    parts = _parts(scene, amounts, found.directions, own.values.shape[1:])
    scores: list[Float32] = []
    for begin in range(0, len(masks), _BATCH):
        rows = masks[begin : begin + _BATCH].astype(np.float32)
        scores.append(masked_scores(network.module, scene.input(), layer, parts, rows, label))
        yield Step(result, begin, len(masks), "the class without some concepts")
    values = np.concatenate(scores).astype(np.float64)
    removed = values[-count:]
    yield Step(
        replace(
            result, importance=total_effects(values[: -count - 1], count),
            slope=values[-count - 1] - removed, cache=DrawCache(),
        )
    )  # fmt: skip


def _parts(
    scene: Scene, amounts: Float32, directions: Float32, size: tuple[int, ...]
) -> torch.Tensor:
    """(K, C, h, w): what each concept contributes to the layer's output."""
    parts = amounts.T[:, None, :] * directions[:, :, None]
    found = torch.from_numpy(parts.reshape(len(directions), -1, *size))
    return found.to(scene.network.device, scene.network.dtype)


def _automatic(scene: Scene) -> str:
    """The last activation function with at least `CELLS` x `CELLS` cells, or the last with maps."""
    info = scene.network.info
    names = activation_functions(info)
    if not names:
        return default_layer(info)
    records = scene.records(*names)
    sizes = {}
    for name in names:
        tensor = records[name][0] if records[name] else None
        if isinstance(tensor, torch.Tensor) and tensor.ndim == 4:
            sizes[name] = min(tensor.shape[-2:])
    large = [name for name, side in sizes.items() if side >= CELLS]
    maps = [name for name, side in sizes.items() if side > 1]
    return (large or maps or [default_layer(info)])[-1]


def _extent(scene: Scene, own: Activation) -> Extent:
    """Where the layer's cells lie on the photo.

    Raises:
        ExplorerError: They are no places of it.
    """
    if own.frame is None:
        raise ExplorerError(
            "The cells of this layer are not positions on the photo.",
            "Choose a layer with feature maps.",
        )
    height, width = own.values.shape[1:]
    return own.frame.inverse().extent(float(width), float(height))


def _patches(windows: tuple[Window, ...]) -> list[UInt8]:
    found = []
    for window in windows:
        try:
            pixels = open_member(Photo(window.name, window.address)).pixels
        except ExplorerError:
            continue
        height, width = pixels.shape[:2]
        x0, y0 = max(0, int(window.xyxy[0])), max(0, int(window.xyxy[1]))
        x1, y1 = min(width, int(window.xyxy[2]) + 1), min(height, int(window.xyxy[3]) + 1)
        if x1 > x0 and y1 > y0:
            found.append(small(np.ascontiguousarray(pixels[y0:y1, x0:x1]), panes.SIDE))
    return found


def draw(result: Result, params: Params) -> Board:
    count = len(result.maps)
    if not count:
        shown = Pane("image", size_of(result.photo), (result.photo,), title="Open photo")
        return Board(
            (shown,), summary=f"{result.layer}: the concepts of {result.source or 'the folder'}",
            notes=result.notes,
        )  # fmt: skip
    chosen = params.chosen if params.chosen is not None and params.chosen < count else None
    picture = result.cache.get(
        ("photo", chosen, params.opacity), lambda: _tinted(result, chosen, params.opacity)
    )
    title = "Concepts on the photo" if chosen is None else f"Concept {chosen + 1} on the photo"
    image = Pane(
        "image", size_of(result.photo), (picture,), title=title, readout=_readout(result)
    )  # fmt: skip
    sheet = result.cache.get("sheet", lambda: _sheet(result))
    return Board(
        (image, sheet),
        plots=(_importance(result),) if np.isfinite(result.importance).all() else (),
        tables=(_table(result),),
        summary=_summary(result),
        notes=result.notes,
    )


def _tinted(result: Result, chosen: int | None, opacity: float) -> Picture:
    colors = panes.colors_of(len(result.maps))
    rows = slice(None) if chosen is None else slice(chosen, chosen + 1)
    rgb = panes.tinted(
        result.photo.rgb, result.maps[rows], result.extent, colors[rows], opacity
    )  # fmt: skip
    width, height = size_of(result.photo)
    return Picture(rgb, extent=(0.0, 0.0, width, height), smooth=True, name="concepts")


def _sheet(result: Result) -> Pane:
    colors = panes.colors_of(len(result.maps))
    photo = small(result.photo.rgb, 2 * panes.SIDE)
    share = photo.shape[1] / result.photo.rgb.shape[1]
    x0, y0, x1, y1 = (side * share for side in result.extent)
    maps = [
        panes.tinted(photo, result.maps[k : k + 1], (x0, y0, x1, y1), colors[k : k + 1], 1.0)
        for k in range(len(result.maps))
    ]
    return panes.sheet_pane(maps, result.patches, result.importance.tolist())


def _readout(result: Result) -> Any:
    x0, y0, x1, y1 = result.extent
    height, width = result.maps.shape[1:]

    def readout(x: float, y: float) -> str:
        if not (x0 <= x < x1 and y0 <= y < y1):
            return "outside the network's input"
        row = min(int((y - y0) / (y1 - y0) * height), height - 1)
        column = min(int((x - x0) / (x1 - x0) * width), width - 1)
        values = result.maps[:, row, column]
        best = int(values.argmax())
        return f"concept {best + 1}: {100 * values[best]:.0f}% of its strongest place"

    return readout


def _importance(result: Result) -> Plot:
    bars = tuple(
        (f"concept {k + 1}", float(value), panes.color_of(k))
        for k, value in enumerate(result.importance.tolist())
    )
    high = max(1.0, float(result.importance.max()))
    return Plot(
        "importance", f"Total effect on the logit of {result.label}", "total effect",
        bars=bars, bar_range=(0.0, high),
    )  # fmt: skip


def _table(result: Result) -> Table:
    mean = result.maps.reshape(len(result.maps), -1).mean(axis=1)
    rows = []
    for k, (effect, slope) in enumerate(zip(result.importance, result.slope, strict=True)):
        known = np.isfinite(effect)
        rows.append((
            k + 1, f"{100 * effect:.0f}%" if known else "", f"{slope:+.2f}" if known else "",
            f"{100 * mean[k]:.0f}%", ", ".join(w.name for w in result.found.windows[k][:2]),
        ))  # fmt: skip
    colors = tuple(panes.color_of(k) for k in range(len(rows)))
    columns = ("concept", "total effect", "logit by it", "mean on this photo", "strongest in")
    return Table(
        "concepts", columns, tuple(rows), title="Concepts", layer="concepts",
        keys=tuple(range(len(rows))), swatches=colors,
    )  # fmt: skip


def _summary(result: Result) -> str:
    words = f"{result.layer} · {quantity(len(result.maps), 'concept')} of "
    words += f"{quantity(result.found.photos, 'photo')} of {result.source}"
    words += f" · {result.label} ({100 * result.probability:.1f}%)"
    if np.isfinite(result.importance).all() and result.importance.any():
        best = int(result.importance.argmax())
        words += f" depends most on concept {best + 1}"
    return words


def data(result: Result, params: Params) -> dict[str, Any]:
    """Keys: `layer`, `class`, `directions` (K, C) float32 of length 1, `maps` (K, h, w) float32 in
    parts of the strongest coefficient of all photos, over `extent` of the photo, `total_effects`
    and `logit_changes` (K,) float64, NaN = not computed.
    """  # noqa: D205
    return {
        "layer": result.layer,
        "class": result.label,
        "directions": result.found.directions,
        "maps": result.maps,
        "extent": list(result.extent),
        "total_effects": result.importance,
        "logit_changes": result.slope,
    }


VIEW = View(
    name="concepts",
    title="Concepts",
    group=Group.INSIDE,
    summary="A few concepts that a layer's activations are sums of: where they are, their patches, "
    "and how much the class depends on each.",
    explanation=EXPLANATION,
    reference="Fel et al. 2023, CRAFT: Concept Recursive Activation FacTorization for "
    "Explainability, section 3",
    Params=Params,
    compute=compute,
    draw=draw,
    data=data,
    tasks=frozenset({"classification"}),
    live=False,
    keeps=True,
)
