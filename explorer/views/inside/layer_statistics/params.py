"""The parameters of the view, and what its parts have in common."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from explorer.core.params import Effect, param
from explorer.vision.statistics.layers import INITIALIZATIONS

if TYPE_CHECKING:
    from collections.abc import Callable

    from explorer.core.network_info import NetworkInfo

ACTIVATIONS, GRADIENTS, RANDOM, RESIDUAL, NORM, DROPOUT = SHOW = (
    "activations", "gradients", "depth and initialization", "residual blocks", "batch norm",
    "dropout",
)  # fmt: skip
TRAINED = "as they are"
TOP = "the top class"
FIRST = "the first"
NORMS = ("BatchNorm2d", "FrozenBatchNorm2d", "BatchNorm1d")


def _for(*shown: str) -> Callable[[Any, NetworkInfo | None], bool]:
    return lambda params, _info: params.show in shown


def _classes(info: NetworkInfo) -> tuple[str, ...]:
    return (TOP, *dict.fromkeys(info.classes))


def _norms(info: NetworkInfo) -> tuple[str, ...]:
    return (FIRST, *info.layer_names(*NORMS))


@dataclass(frozen=True, slots=True)
class Params:
    """See the help of each."""

    show: str = param(
        ACTIVATIONS, "Show",
        "Outputs of the layers, gradients, random networks of any depth, residual blocks, batch "
        "norm or dropout.",
        choices=SHOW,
    )  # fmt: skip
    weights: str = param(
        TRAINED, "Weights",
        "The network's own, or new random ones: too small and too large are half and twice the "
        "standard deviation of He.",
        choices=(TRAINED, *INITIALIZATIONS), when=_for(ACTIVATIONS, GRADIENTS),
    )  # fmt: skip
    shortcuts: bool = param(
        True, "Shortcuts",
        "Off turns every residual block into a plain one: F(x) instead of x + F(x).",
        when=_for(ACTIVATIONS, GRADIENTS),
    )  # fmt: skip
    of: str = param(
        TOP, "Class", "The class whose cross-entropy is differentiated.",
        choices=_classes, when=_for(GRADIENTS),
    )  # fmt: skip
    value: float = param(
        0.001, "Clip by value", "Every derivative is cut at plus and minus this.",
        low=1e-8, high=100.0, log=True, when=_for(GRADIENTS),
    )  # fmt: skip
    norm: float = param(
        1.0, "Clip by norm",
        "All derivatives are scaled by one factor, so that their norm is this at most.",
        low=1e-6, high=1000.0, log=True, when=_for(GRADIENTS),
    )  # fmt: skip
    depth: int = param(
        50, "Depth", "Convolutions of the random networks.", low=2, high=150, when=_for(RANDOM)
    )
    batch_norm: bool = param(
        False, "Batch norm", "Behind every convolution of the random networks.", when=_for(RANDOM)
    )
    layer: str = param(
        FIRST, "Layer", "The batch norm whose channels are shown.", choices=_norms, when=_for(NORM)
    )
    channel: int = param(
        0, "Channel", "The channel whose values are normalized; at most the last.",
        low=0, high=65535, when=_for(NORM),
    )  # fmt: skip
    photos: int = param(
        16, "Batch", "Pictures of the batch: the photo and random parts of it.",
        low=2, high=32, when=_for(NORM),
    )  # fmt: skip
    keep: float = param(
        0.5, "Keep", "The probability that a value is kept.",
        low=0.05, high=1.0, when=_for(DROPOUT),
    )  # fmt: skip
    masks: int = param(
        20, "Masks", "Random masks; each gives a prediction of its own.",
        low=2, high=100, when=_for(DROPOUT),
    )  # fmt: skip
    names: bool = param(
        True, "Names of layers", "Writes names and numbers on the picture.", effect=Effect.DRAW
    )
