"""How decoders get from coarse scores to every pixel, each with what it contributes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from explorer.core.layers import Board, Pane, Plot, Table
from explorer.core.params import Effect, Mask, NetworkRef, Pick, Point, param
from explorer.core.step import Step
from explorer.engine.view import Group, View
from explorer.views.segmentation.decoder_bench import arithmetic, numbers, structure
from explorer.views.segmentation.decoder_bench.arithmetic import ONES, Arithmetic
from explorer.views.segmentation.decoder_bench.structure import (
    ATROUS,
    FCN,
    PYRAMID,
    STREAM,
    UNET,
    Structure,
)
from explorer.views.shared.common import class_name, color, percent, photo_of, size_of
from explorer.vision.dense.labels import object_classes

if TYPE_CHECKING:
    from collections.abc import Generator

    from explorer.core.layers import Layer, Picture
    from explorer.core.network_info import NetworkInfo
    from explorer.core.params import When
    from explorer.engine.scene import Scene
    from explorer.views.segmentation.decoder_bench.maps import ClassMap

EXPLANATION = r"""
A segmentation network computes its class scores on a coarse grid. Its **output stride** is the
number of pixels between neighboring cells: 32 after five halvings, 8 or 16 where the network adds
finer maps or dilates its convolutions instead of striding. The decoder enlarges the grid to the
size of the photo. *Method* chooses how; the photo, the place and the class stay the same.

**Arithmetic on your photo.** The first five methods enlarge a few real scores of the network, with
the numbers in the cells. Click the photo for other cells, and a cell to follow it; the status bar
shows the sum behind every number.

- *Nearest neighbor* copies a value to its whole block.
- *Bilinear* weights the nearest four cells by their distance $d$ in cells:

$$ w = (1 - |d_x|)(1 - |d_y|) $$

- *Bed of nails* puts the value in one cell of the block and 0 in the others.
- *Max unpooling* puts it where the maximum was before the pooling. These **switches** (blue) are
  remembered by the encoder; the other cells are 0. Convolutions must fill the zeros.
- A *transposed convolution* with stride $s$ is learned: each cell puts the kernel $k$, times its
  value $x$, on the larger map, and overlapping **stamps** are added:

$$ y_{si+u,\,sj+v} \mathrel{+}= x_{ij} \, k_{uv} $$

With the *bilinear* kernel it interpolates; *learned* is the kernel of the class in the network's
first such layer, on that layer's input (the small weights between different classes are used for
the classes, not for the numbers). *All ones* counts the stamps: with a side that is no multiple of
the stride they overlap unevenly, which is seen as a **checkerboard** in generated pictures.
Another name, deconvolution, is misleading: it does not invert a convolution.

**Decoders of networks.** The others open a trained decoder. *Part* chooses one of its parts: what
it adds, and the pixels that get another class if it gives zeros instead. With all parts, the
result is exactly the network's output.

- *FCN*: scores of strides 32, 16 and 8 are added; FCN-32s, FCN-16s and FCN-8s by the two switches.
- *DeepLab*: parallel 3 x 3 convolutions whose samples lie $r$ cells apart (**atrous** rates), so
  that the field grows without losing resolution.
- *PSPNet*: means over 1 to 36 regions of the photo tell each cell about the rest of the scene.
- *FRRN*: a residual stream keeps the size of the photo; units at coarser strides add to it.
- *U-Net*: maps of the encoder are concatenated with the enlarged ones, stride by stride.

Where parts are concatenated, what one adds is the next convolution's output from its channels
alone; its size is the L2 norm over the channels.

**Ground truth.** Paint the true classes with *Edit ground truth*, or load a mask: the mean IoU of
every result is computed.

**Sources.** Long, Shelhamer and Darrell 2015, *Fully Convolutional Networks*, sections 3.3, 4.2;
Zeiler and Fergus 2014 (switches); Noh et al. 2015 (DeconvNet); Dumoulin and Visin 2016, *A Guide to
Convolution Arithmetic*, chapter 4; Odena et al. 2016, *Deconvolution and Checkerboard Artifacts*;
Chen et al. 2017, *Rethinking Atrous Convolution*; Zhao et al. 2017, *Pyramid Scene Parsing
Network*; Pohlen et al. 2016, *Full-Resolution Residual Networks*; Ronneberger et al. 2015, *U-Net*.
"""

THERE = "the largest class there"


def methods_of(info: NetworkInfo) -> tuple[str, ...]:
    """What the network itself has comes first: its decoder, or else its scores."""
    own = structure.structure_of(info)
    first = (own,) if own else arithmetic.METHODS
    return tuple(dict.fromkeys((*first, *structure.METHODS, *arithmetic.METHODS)))


def _classes(info: NetworkInfo) -> tuple[str, ...]:
    names = info.classes
    return (THERE, *dict.fromkeys(class_name(names, k) for k in range(len(names))))


def _painted(info: NetworkInfo) -> tuple[str, ...]:
    return object_classes(info.classes)


def _method(params: Params, info: NetworkInfo | None) -> str:
    """The chosen method, or the first one where none is chosen yet."""
    return params.method or (methods_of(info)[0] if info is not None else "")


def _of(*methods: str) -> When:
    return lambda params, info: _method(params, info) in methods


def _borrowed(method: str) -> When:
    """The method is chosen, and the chosen network has no such decoder."""
    return lambda params, info: (
        info is not None
        and _method(params, info) == method
        and structure.structure_of(info) != method
    )


BORROWED = "The network whose decoder is opened: the chosen one has no such decoder."
SEGMENTERS = frozenset({"segmentation"})


@dataclass(frozen=True, slots=True)
class Params:
    """See the help of each."""

    method: str = param(
        "", "Method", "How coarse scores become finer: plain arithmetic, or a network's decoder.",
        choices=methods_of,
    )  # fmt: skip
    place: Point | None = param(
        None, "Place",
        "Click on the photo: the cells there. By default a border of the largest region.",
        pick=Pick.CLICK, pane="image",
    )  # fmt: skip
    label: str = param(
        THERE, "Class", "The class whose scores are enlarged, or added by the parts of an FCN.",
        choices=_classes, when=_of(*arithmetic.METHODS, FCN),
    )  # fmt: skip
    part: int = param(
        2, "Part", "The part of the decoder that is shown and left off, as numbered in the table.",
        low=1, high=6, play=True, when=_of(*structure.METHODS),
    )  # fmt: skip
    skip16: bool = param(
        True, "Add stride 16", "Adds the scores of stride 16: FCN-16s.", when=_of(FCN)
    )
    skip8: bool = param(True, "Add stride 8", "Adds the scores of stride 8: FCN-8s.", when=_of(FCN))
    fcn: NetworkRef = param(
        NetworkRef("lite-fcn"), "FCN", BORROWED, tasks=SEGMENTERS, when=_borrowed(FCN)
    )
    deeplab: NetworkRef = param(
        NetworkRef("lite-deeplab"), "DeepLab", BORROWED, tasks=SEGMENTERS, when=_borrowed(ATROUS)
    )
    pspnet: NetworkRef = param(
        NetworkRef("lite-pspnet"), "PSPNet", BORROWED, tasks=SEGMENTERS, when=_borrowed(PYRAMID)
    )
    frrn: NetworkRef = param(
        NetworkRef("lite-frrn"), "FRRN", BORROWED, tasks=SEGMENTERS, when=_borrowed(STREAM)
    )
    unet: NetworkRef = param(
        NetworkRef("lite-unet"), "U-Net", BORROWED, tasks=SEGMENTERS, when=_borrowed(UNET)
    )
    kernel: str = param(
        arithmetic.TENT, "Kernel",
        "Bilinear interpolation, the network's own learned kernel, or ones that count the stamps.",
        choices=arithmetic.kernels_of, when=_of(arithmetic.TRANSPOSED),
    )  # fmt: skip
    size: int = param(
        3, "Kernel size", "Side of the kernel of ones; the stride is 2.", low=1, high=5,
        when=lambda params, _info: (
            params.method == arithmetic.TRANSPOSED and params.kernel == ONES
        ),
    )  # fmt: skip
    cell: int | None = param(
        None, "Cell", "Click a cell with a number: its places in the larger map are framed.",
        effect=Effect.DRAW, pick=Pick.SELECT, layer="cells", low=0, high=63,
        when=_of(*arithmetic.METHODS), advanced=True,
    )  # fmt: skip
    paint: bool = param(
        False, "Edit ground truth", "Shows a pane on which the brush paints the true classes.",
        effect=Effect.DRAW, section="Ground truth",
    )  # fmt: skip
    truth: Mask | None = param(
        None, "Mask",
        "The true class of every pixel, painted or from a file, for the mIoU. What is not painted "
        "is background; index 255 of a file is not counted.",
        effect=Effect.DRAW, pick=Pick.TRUTH, pane="truth", choices=_painted,
        section="Ground truth",
    )  # fmt: skip
    opacity: float = param(
        0.55, "Opacity", "Opacity of the colors over the photo.",
        effect=Effect.DRAW, low=0.0, high=1.0,
    )  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class Result:
    """`names` are the classes of the chosen network, which a mask is painted in."""

    photo: Picture
    method: str
    names: tuple[str, ...]
    place: tuple[float, float]
    found: Arithmetic | Structure


def compute(scene: Scene, params: Params) -> Generator[Step[Result], Any, None]:
    info = scene.network.info
    method = _method(params, info)
    photo = photo_of(scene)
    if method in arithmetic.METHODS:
        found = arithmetic.arithmetic(
            scene, method=method, kernel=params.kernel, size=params.size, label=params.label,
            at=params.place,
        )  # fmt: skip
        x0, y0, x1, y1 = found.place.boxes(found.window)[0]
        middle = (float(x0 + x1) / 2, float(y0 + y1) / 2)
        yield Step(Result(photo, method, info.classes, middle, found))
        return
    network = scene.network
    if structure.structure_of(info) != method:
        refs = {
            FCN: params.fcn, ATROUS: params.deeplab, PYRAMID: params.pspnet, STREAM: params.frrn,
            UNET: params.unet,
        }  # fmt: skip
        network = scene.network_of(refs[method])
    off: frozenset[int] = frozenset()
    if method == FCN:
        switches = ((1, params.skip16), (2, params.skip8))
        off = frozenset(place for place, on in switches if not on)
    for decoder, done, total in structure.structures(
        scene, network, method=method, part=params.part - 1, off=off, label=params.label
    ):
        at = _place(decoder, params.place)
        yield Step(Result(photo, method, info.classes, at, decoder), done, total, "parts")


def _place(decoder: Structure, place: Point | None) -> tuple[float, float]:
    """Where the geometry is drawn: the middle of the largest region, if nowhere else."""
    if place is not None:
        return place.x, place.y
    own = decoder.own
    top, left, rows, columns = arithmetic.window_at(own.shown, 4, None)
    x0, y0, x1, y1 = own.place.boxes(
        np.array([[left, top, left + columns, top + rows]], np.float32)
    )[0]
    return float(x0 + x1) / 2, float(y0 + y1) / 2


def draw(result: Result, params: Params) -> Board:
    if isinstance(result.found, Arithmetic):
        return _arithmetic_board(result, result.found, params)
    return _structure_board(result, result.found, params)


def _titled(method: str) -> str:
    return method[0].upper() + method[1:]


def _arithmetic_board(result: Result, found: Arithmetic, params: Params) -> Board:
    panes = [numbers.score_pane(found, result.photo, params.opacity)]
    panes += numbers.panes_of(found, params.cell)
    if found.classes is not None:
        panes.append(_classes_pane(result, found.classes, params, f"x{found.factor}"))
    rows = [
        (name, f"{way.place.columns} x {way.place.rows}", f"{same:.2%}", *_iou(result, way, params))
        for name, way, same in numbers.rows_of(found)
    ]
    columns = ("enlargement", "cells", "classes as the network's own", *_iou_column(params))
    return Board(
        panes=(*panes, *_truth_pane(result, params)),
        tables=(Table("ways", columns, tuple(rows), title="Whole photo, by enlargement"),),
        summary=f"{_titled(result.method)}: {numbers.summary_of(found)}",
        notes=_notes(result, params),
    )


def _structure_board(result: Result, found: Structure, params: Params) -> Board:
    panes = structure.panes_of(found, result.photo, result.place, params.opacity)
    panes.append(_classes_pane(result, found.shown, params, found.shown_words))
    panes.append(structure.without_pane(found, result.photo, params.opacity))
    rows: list[tuple[str | int | float, ...]] = []
    for number, part in enumerate(found.parts, start=1):
        change = percent(part.changed) if part.without is not None else ""
        size = float(np.abs(part.adds).mean())
        without = _iou(result, part.without, params) if part.without is not None else ("",)
        rows.append(
            (number, part.name, f"{part.place.columns} x {part.place.rows}", round(size, 4),
             change, *without[: len(_iou_column(params))])
        )  # fmt: skip
    adds = f"mean score of {found.label}" if found.label else "mean norm"
    columns = (
        "part", "name", "cells", adds, "pixels that change without it",
        *(f"{name} without it" for name in _iou_column(params)),
    )  # fmt: skip
    known = [part for part in found.parts if part.without is not None]
    bars = tuple(
        (part.name, part.changed, color(structure.TINTS[k % len(structure.TINTS)]))
        for k, part in enumerate(known)
    )
    plots = (Plot("changed", "Pixels that change without a part", bars=bars),) if bars else ()
    return Board(
        panes=(*panes, *_truth_pane(result, params)),
        plots=plots,
        tables=(Table("parts", columns, tuple(rows), title=f"Parts of {found.network}"),),
        summary=f"{_titled(result.method)}: {structure.summary_of(found)}",
        notes=_notes(result, params),
    )


def _classes_pane(result: Result, classes: ClassMap, params: Params, words: str) -> Pane:
    size = size_of(result.photo)
    cache = result.found.cache
    colors = result.found.colors()
    masks = cache.get(
        ("classes", params.opacity, colors.tobytes()),
        lambda: classes.layer(params.opacity, colors),
    )
    title = f"Classes, {words}" if words else "Classes"
    for value in _iou(result, classes, params):
        title += f": mIoU {value}"

    def readout(x: float, y: float) -> str:
        cell = classes.place.cell(x, y)
        if cell is None:
            return "outside the network's input"
        index = int(classes.index[cell])
        return classes.names[index] if index >= 0 else "no score"

    layers: tuple[Layer, ...] = (result.photo, masks, *classes.key(size[1], colors))
    return Pane("classes", size, layers, title=title, readout=readout)


def _truth_pane(result: Result, params: Params) -> tuple[Pane, ...]:
    """What the brush paints on; the window shows the mask there."""
    if not params.paint:
        return ()
    return (Pane("truth", size_of(result.photo), (result.photo,), title="Ground truth"),)


def _iou_column(params: Params) -> tuple[str, ...]:
    return () if params.truth is None else ("mIoU",)


def _iou(result: Result, classes: ClassMap, params: Params) -> tuple[str, ...]:
    """The mean IoU with the ground truth, if there is one."""
    if params.truth is None:
        return ()
    truth, size = params.truth, result.photo.rgb.shape[:2]
    height, width = size

    def value() -> str:
        found = classes.mean_iou(truth, result.names, (height, width))
        return "" if found is None else f"{found:.3f}"

    return (result.found.cache.get(("mIoU", id(classes), truth), value),)


def _notes(result: Result, params: Params) -> tuple[str, ...]:
    if params.truth is None:
        return ()
    height, width = result.photo.rgb.shape[:2]
    mask = params.truth
    if (mask.width, mask.height) == (width, height):
        return ()
    return (
        f"The ground truth has {mask.width} x {mask.height} pixels, the photo {width} x {height}: "
        "it is not used.",
    )


def data(result: Result, params: Params) -> dict[str, Any]:
    """What is drawn.

    Keys: `method`, and where it gives classes `classes` (h, w) int32, `extent` (x0, y0, x1, y1 of
    them in the photo's pixels), `names` of the classes. Of an arithmetic method `class`, `given`
    (r, c) and `found` (R, C) float32, with `kernel` (k, k) and `stamps` (R, C), or `switches`
    (r, c), and `score` (H, W) float32, the enlarged scores of the class (NaN = none). Of a
    decoder `parts`, their names, `changed` (n,) float64, the fraction of the pixels that change
    without each (NaN = not computed), and `adds` (h, w) float32 of the chosen one.
    """
    found = result.found
    shown = found.classes if isinstance(found, Arithmetic) else found.shown
    answer: dict[str, Any] = {"method": result.method}
    if shown is not None:
        answer |= {"classes": shown.index, "extent": shown.place.extent, "names": shown.names}
    if isinstance(found, Arithmetic):
        arrays = {"kernel": found.kernel, "stamps": found.stamps, "switches": found.switches}
        answer |= {"class": found.label, "given": found.given, "found": found.found}
        answer["score"] = found.score
        return answer | {name: values for name, values in arrays.items() if values is not None}
    changed = [part.changed if part.without is not None else np.nan for part in found.parts]
    answer |= {"parts": [part.name for part in found.parts], "changed": np.array(changed)}
    return answer | {"adds": found.parts[found.part].adds}


VIEW = View(
    name="decoder_bench",
    title="Decoders compared",
    group=Group.SEGMENTATION,
    summary="How coarse scores become a class for every pixel: each step with its numbers.",
    explanation=EXPLANATION,
    reference="Long, Shelhamer and Darrell 2015, Fully Convolutional Networks, section 3.3",
    Params=Params,
    compute=compute,
    draw=draw,
    tasks=frozenset({"segmentation"}),
    data=data,
)
