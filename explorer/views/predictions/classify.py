"""The class probabilities of a classification network for the photo."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from explorer.core.layers import (
    Board,
    Boxes,
    Pane,
    Picture,
    Plot,
    Table,
    Text,
    class_colors,
    colors_apart,
)
from explorer.core.listing import quantity
from explorer.core.params import Effect, param
from explorer.core.step import Step
from explorer.engine.view import Group, View
from explorer.views.shared.common import CROP_COLOR, class_name, color, percent, photo_of, size_of
from explorer.views.shared.draw_cache import DrawCache
from explorer.vision.features.classification import logits_of, softmax, tree_masses

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from numpy.typing import NDArray

    from explorer.core.layers import Color, Extent, Float32
    from explorer.core.network_info import NetworkInfo
    from explorer.engine.scene import Scene

EXPLANATION = r"""
The network computes one number per class, the **logit** $z_k$. The softmax converts the logits to
probabilities that add up to one:

$$ p_k = \frac{\exp(z_k / T)}{\sum_j \exp(z_j / T)} $$

**Reading it.** The bars are the classes with the highest probabilities. These are probabilities
*among the classes of the network*: on a photo of something else they still add up to 100%, so a
high bar is no proof. The *temperature* $T$ only flattens or sharpens the distribution (1 is the
network's own); it never changes the order.

**The network's input** shows exactly the pixels that went in, after resizing and cropping. The
dotted frame on the photo is what that crop covers: pixels outside it are not used.

**The path** is shown for networks whose classes are in the WordNet tree. The probability of a node
is the sum over all classes below it, so it can be low for each breed and high for dog.

**Sources.** Krizhevsky, Sutskever and Hinton 2012, *ImageNet Classification with Deep Convolutional
Neural Networks*, section 3.5 (softmax); Hinton, Vinyals and Dean 2015, *Distilling the Knowledge in
a Neural Network*, section 2, equation 1 (temperature); Miller 1995, *WordNet*, and Deng et al.
2009, *ImageNet* (the tree).
"""

TOP = "the top class"
KEYED = 5
"""Classes that are written on the photo."""


def _path_choices(info: NetworkInfo) -> tuple[str, ...]:
    return (TOP, *dict.fromkeys(info.classes)) if info.class_paths else (TOP,)


@dataclass(frozen=True, slots=True)
class Params:
    """See the help of each."""

    top: int = param(
        5, "Classes shown", "How many classes are listed, most probable first.",
        effect=Effect.DRAW, low=1, high=50,
    )  # fmt: skip
    show_input: bool = param(
        True, "Show the network's input",
        "Shows the pixels of the network's input, and the part of the photo that they come from.",
        effect=Effect.DRAW,
    )  # fmt: skip
    temperature: float = param(
        1.0, "Temperature",
        "Divides the logits before the softmax: above 1 flattens the distribution, below 1 "
        "sharpens it. 1 is the network's own; the order never changes.",
        effect=Effect.DRAW, low=0.1, high=10.0, log=True,
    )  # fmt: skip
    path_of: str = param(
        TOP, "Path in the class tree",
        "The class whose path from the WordNet root is shown.",
        effect=Effect.DRAW, choices=_path_choices, advanced=True,
        when=lambda _, info: info is not None and bool(info.class_paths),
    )  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class Result:
    """`seen` is the network's input, `crop` its place in the photo; `logits` is (C,) float32."""

    photo: Picture
    seen: Picture
    crop: Extent
    logits: Float32
    classes: tuple[str, ...]
    paths: tuple[tuple[str, ...], ...]
    cache: DrawCache = field(default_factory=DrawCache)


def compute(scene: Scene, params: Params) -> Generator[Step[Result], Any, None]:
    yield Step(_classified(scene))


def draw(result: Result, params: Params) -> Board:
    shares = softmax(result.logits, params.temperature)
    order = np.argsort(-result.logits, kind="stable")[: params.top]
    tints = [color(tint) for tint in colors_apart(order.tolist(), len(shares))]
    first = int(order[0])
    name = class_name(result.classes, first)
    plots = [
        Plot(
            "probabilities",
            f"Top {len(order)} of {quantity(len(shares), 'class', 'classes')}",
            x_label="probability",
            bars=tuple(
                (class_name(result.classes, k), float(shares[k]), tint)
                for k, tint in zip(order, tints, strict=True)
            ),
            bar_range=(0.0, 1.0),
        )
    ]
    leaf = first if params.path_of == TOP else result.classes.index(params.path_of)
    if len(result.paths) == len(shares):
        own = dict(zip(order.tolist(), tints, strict=True))
        tint = own.get(leaf) or color(class_colors(len(shares))[leaf])
        plots.append(_path_plot(result, shares, leaf, tint))
    return Board(
        panes=_panes(result, params, _key(result, shares, order, tints)),
        plots=tuple(plots),
        tables=(_table(result, shares, order, tints),),
        summary=f"{name}: {percent(float(shares[first]))}",
        notes=()
        if params.temperature == 1.0
        else (f"Probabilities at temperature {params.temperature:g}; the network's own are at 1.",),
    )


def data(result: Result, params: Params) -> dict[str, Any]:
    """All classes, the most probable first: `class`, `index`, `probability`, `logit`."""
    order = np.argsort(-result.logits, kind="stable")
    return {
        "class": [class_name(result.classes, int(k)) for k in order],
        "index": order.astype(np.int64),
        "probability": softmax(result.logits, params.temperature)[order],
        "logit": result.logits[order],
    }


def _classified(scene: Scene) -> Result:
    values = scene.input()
    height, width = values.shape[-2:]
    return Result(
        photo=photo_of(scene),
        seen=Picture(scene.network.preprocess.picture(values), name="input"),
        crop=scene.frame.inverse().extent(float(width), float(height)),
        logits=logits_of(scene.output()),
        classes=scene.network.info.classes,
        paths=scene.network.info.class_paths,
    )


def _key(
    result: Result, shares: NDArray[np.float32], order: NDArray[np.intp], tints: Sequence[Color]
) -> Text:
    """The top classes in the corner: a recorded film has no bars beside the picture."""
    first = order[:KEYED]
    words = [f"{class_name(result.classes, int(k))} {percent(float(shares[k]))}" for k in first]
    below = (0.0, size_of(result.photo)[1])
    return Text("\n".join(words), below, size=9.0, swatches=tuple(tints[:KEYED]), name="key")


def _panes(result: Result, params: Params, key: Text) -> tuple[Pane, ...]:
    size = size_of(result.photo)
    if not params.show_input:
        return (Pane("image", size, (result.photo, key)),)
    crop = result.cache.get("crop", lambda: _crop_box(result.crop))
    height, width = result.seen.rgb.shape[:2]
    return (
        Pane("image", size, (result.photo, crop, key), title="Photo and network input"),
        Pane(
            "input",
            (float(width), float(height)),
            (result.seen,),
            title=f"Network input: {width} x {height}",
            frame="input",
        ),
    )


def _crop_box(crop: Extent) -> Boxes:
    return Boxes(
        np.array([crop], np.float32),
        np.array([CROP_COLOR], np.uint8),
        dotted=True,
        selectable=False,
        name="crop",
    )


def _path_plot(result: Result, shares: NDArray[np.float32], leaf: int, tint: Color) -> Plot:
    masses = tree_masses(result.paths, shares, leaf)
    return Plot(
        "path",
        f"WordNet path to {class_name(result.classes, leaf)}: summed probabilities",
        x_label="probability",
        bars=tuple((word, mass, tint) for word, mass in masses),
        bar_range=(0.0, 1.0),
    )


def _table(
    result: Result, shares: NDArray[np.float32], order: NDArray[np.intp], tints: Sequence[Color]
) -> Table:
    rows = tuple(
        (
            rank + 1,
            class_name(result.classes, int(k)),
            round(float(shares[k]), 5),
            round(float(result.logits[k]), 4),
            int(k),
        )
        for rank, k in enumerate(order)
    )
    return Table(
        "classes",
        ("rank", "class", "probability", "logit", "index"),
        rows,
        title="Most probable classes",
        swatches=tuple(tints),
    )


VIEW = View(
    name="classify",
    title="Classify",
    group=Group.PREDICTIONS,
    summary="The most probable classes of the photo, with their probabilities.",
    explanation=EXPLANATION,
    reference="Krizhevsky, Sutskever and Hinton 2012, ImageNet Classification with Deep CNNs",
    Params=Params,
    compute=compute,
    draw=draw,
    tasks=frozenset({"classification", "localization"}),
    data=data,
    answer_only=True,
)
