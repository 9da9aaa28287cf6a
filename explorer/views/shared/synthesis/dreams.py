"""What the views that dream have in common: their layers, their parameters, their board."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from explorer.core.errors import ExplorerError
from explorer.core.layers import Board, Curve, Pane, Picture, Plot
from explorer.core.params import Effect, param
from explorer.views.shared.common import size_of
from explorer.views.shared.detection_params import class_choices
from explorer.vision.synthesis import objectives

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from explorer.core.layers import UInt8
    from explorer.core.network_info import LayerInfo, NetworkInfo
    from explorer.core.params import When
    from explorer.vision.synthesis.objectives import Objective

BLIND = frozenset({"Dropout", "Identity", "Linear", "Flatten", "AdaptiveAvgPool2d", "Softmax"})
"""Kinds of layers in which there is nothing to dream of."""


def dream_layers(info: NetworkInfo) -> tuple[str, ...]:
    """Layers that can be climbed on a picture of any size, a good one first."""
    prefix = "backbone." if info.task == "detection" else ""
    fit = [layer for layer in info.layers if layer.name.startswith(prefix) and _sees(layer)]
    if not fit:
        return ()
    names = [layer.name for layer in fit]
    convolutions = [layer.name for layer in fit if layer.kind == "Conv2d"] or names
    first = convolutions[len(convolutions) * 2 // 3]
    if info.default_layer in names:
        first = info.default_layer
    return tuple(dict.fromkeys((first, *names)))


def _sees(layer: LayerInfo) -> bool:
    return layer.kind not in BLIND and (layer.parameters > 0 or layer.leaf)


def stage_layers(info: NetworkInfo, count: int) -> tuple[str, ...]:
    """Layers from the first to the last, evenly over the depth: blocks, not what is inside them.

    Args:
        info: Of the network.
        count: How many at most.
    """
    prefix = "backbone." if info.task == "detection" else ""
    names = [
        layer.name
        for layer in info.layers
        if layer.name.startswith(prefix)
        and layer.parameters > 0
        and layer.kind not in BLIND
        and "Norm" not in layer.kind
        and layer.name.removeprefix(prefix).count(".") <= 1
    ]
    outer = {name.rpartition(".")[0] for name in names}
    fit = [name for name in names if name not in outer]
    if len(fit) <= count:
        return tuple(fit)
    return tuple(fit[place] for place in np.linspace(0, len(fit) - 1, count).round().astype(int))


NO_CLASSES = "no classes"
"""The choice of a class where a network has none."""


def label_choices(info: NetworkInfo) -> tuple[str, ...]:
    """The classes of a classifier or detector, each once."""
    names = class_choices(info) if info.task in ("classification", "detection") else ()
    return names or (NO_CLASSES,)


def require_layer(layer: str) -> None:
    """Before anything is climbed.

    Raises:
        ExplorerError: The network has no layer to climb.
    """
    if not layer:
        raise ExplorerError("This network has no suitable layer.", "Choose another network.")


def channels_of(text: str) -> tuple[int, ...]:
    """The channel numbers in "3, 17"; none in an empty text.

    Raises:
        ExplorerError: When something else stands there.
    """
    words = text.replace(",", " ").replace(";", " ").split()
    if not all(word.isdecimal() for word in words):
        raise ExplorerError(
            f"channels={text} is not valid.", "Give channel numbers from 0, such as 3, 17."
        )
    return tuple(dict.fromkeys(int(word) for word in words))


def dream_objective(layer: str, numbers: tuple[int, ...]) -> Objective:
    """The loss of a dream: minus the activations of a layer, or of some of its channels."""
    return -(objectives.channels(layer, numbers) if numbers else objectives.energy(layer))


# -- parameters -----------------------------------------------------------------------------------


def layer_param(*, when: When | None = None, effect: Effect = Effect.STEER) -> Any:
    """The layer to climb."""
    return param(
        "", "Layer", "The layer whose activations are maximized.", effect=effect,
        choices=dream_layers, when=when,
    )  # fmt: skip


def channels_param(*, when: When | None = None) -> Any:
    """Text for `channels_of`."""
    return param(
        "", "Channels", "Channels to maximize, such as 3, 17; empty means all.",
        effect=Effect.STEER, when=when,
    )  # fmt: skip


def step_param(default: float) -> Any:
    """`NormalizedDescent.rate`."""
    return param(
        default, "Step size", "Mean change of a pixel in one step; 1 is from black to white.",
        effect=Effect.STEER, low=0.001, high=0.1, log=True,
    )  # fmt: skip


def jitter_param(default: int) -> Any:
    """`Transforms.jitter`."""
    return param(
        default, "Jitter", "Maximum random shift before each step.", effect=Effect.STEER,
        low=0, high=64, unit="px", advanced=True,
    )  # fmt: skip


def smoothing_param(default: float = 0.5) -> Any:
    """`NormalizedDescent.smoothing`."""
    return param(
        default, "Smoothing", "Standard deviation of the Gaussian blur of the gradient.",
        effect=Effect.STEER,
        low=0.0, high=4.0, step=0.1, unit="px", advanced=True,
    )  # fmt: skip


def tv_param() -> Any:
    """`NormalizedDescent.variation`."""
    return param(
        0.02, "TV weight",
        "Strength of the total variation term, which pulls each pixel toward its neighbors.",
        effect=Effect.STEER, low=0.0, high=0.2, step=0.005, advanced=True,
    )  # fmt: skip


def half_param() -> Any:
    """`Target.half`."""
    return param(
        False, "bfloat16",
        "Computes the network in bfloat16: faster on some processors, with two to three digits.",
        advanced=True,
    )  # fmt: skip


# -- what is shown --------------------------------------------------------------------------------


def titled(title: str, *, half: bool) -> str:
    """The title of a picture that says when it was computed in bfloat16."""
    return f"{title}, computed in bfloat16" if half else title


def dream_board(
    photo: Picture,
    rgb: UInt8,
    heights: NDArray[np.float64],
    layer: str,
    *,
    first: int,
    unit: str,
    note: str,
    problem: str,
    half: bool = False,
) -> Board:
    """The dream over the frame of its photo, and the activations of the layer.

    Args:
        photo: What it grows on.
        rgb: (h, w, 3) uint8, the dream at its working size.
        heights: (n,) L of steps or rounds `first`, `first + 1`, …
        layer: The one that is climbed.
        first: Number of the first of `heights`.
        unit: What is counted: "step", "round".
        note: Where it is; may be empty.
        problem: Why it stopped; may be empty.
        half: It was computed in bfloat16.
    """
    size = size_of(photo)
    picture = Picture(rgb, extent=(0.0, 0.0, *size), smooth=True, name="dream")
    numbers = np.arange(first, first + len(heights), dtype=np.float64)
    curve = Curve(numbers, heights, label="L", color=(230, 120, 60))
    return Board(
        panes=(Pane("dream", size, (picture,), title=titled(f"Dream of {layer}", half=half)),),
        plots=(Plot("objective", "Activation of the layer", unit, "L", (curve,), whole_x=True),),
        summary=" · ".join(words for words in (layer, note) if words),
        notes=(problem,) if problem else (),
    )
