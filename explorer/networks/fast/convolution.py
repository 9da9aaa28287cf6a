"""Convolutions whose weights are put in the processor's own order once.

oneDNN, which convolves for torch on processors, uses blocks of channels and rearranges the weights
at every call; small networks lose a sixth of their time to that. The operators that torch's
compiler uses take weights that were rearranged before.
"""

from __future__ import annotations

import copy
import functools
import logging

import torch
from torch import Tensor, nn

log = logging.getLogger(__name__)

TOLERANCE = 1e-4
"""Largest difference at which the operators are used: they add up in another order."""

MOST_BYTES = 12_000_000
"""Of one layer's rearranged weights; those of one size are always kept."""


def pack(module: nn.Module) -> None:
    """Every plain convolution of `module` in single precision on a processor becomes a packed one.

    Where torch has no such operators, or they give wrong results, nothing is changed.
    """
    for layer in module.modules():
        if type(layer) is nn.Conv2d and _fits(layer) and available():
            layer.__class__ = PackedConv2d


def unpacked(module: nn.Module) -> None:
    """Every packed convolution of `module` becomes a plain one again."""
    layer: nn.Module
    for layer in module.modules():
        if type(layer) is PackedConv2d:
            layer.__dict__.pop("kept", None)
            layer.__class__ = nn.Conv2d  # type: ignore[assignment]


def _fits(layer: nn.Conv2d) -> bool:
    weight = layer.weight
    plain = layer.padding_mode == "zeros" and not isinstance(layer.padding, str)
    return plain and weight.device.type == "cpu" and weight.dtype == torch.float32


class PackedConv2d(nn.Conv2d):
    """A convolution for inference only: no gradients, and its weights stay as they are.

    The best order depends on the size of the input. A layer with inputs of several sizes (the maps
    of a pyramid, say) keeps an order for each, up to `MOST_BYTES`.
    """

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002 - the name of the base class
        if len(input) != 1:  # as many regions as were found: a new size at every frame
            return super().forward(input)
        found: Tensor = torch.ops.mkldnn._convolution_pointwise(
            input, self.rearranged(input.shape), self.bias, self.padding, self.stride,
            self.dilation, self.groups, "none", [], "",
        )  # fmt: skip
        return found

    def __getstate__(self) -> dict[str, object]:
        # Weights in the processor's own order cannot be copied; a copy makes them again.
        return {name: value for name, value in self.__dict__.items() if name != "kept"}

    def rearranged(self, shape: torch.Size) -> Tensor:
        """The weights in the order that is the best for an input of this shape."""
        kept: dict[torch.Size, Tensor] = self.__dict__.setdefault("kept", {})
        if shape not in kept:
            while kept and (len(kept) + 1) * self.weight.nbytes > MOST_BYTES:
                kept.pop(next(iter(kept)))
            kept[shape] = torch.ops.mkldnn._reorder_convolution_weight(
                self.weight.detach(), self.padding, self.stride, self.dilation, self.groups, shape
            )
        return kept[shape]


@functools.cache
def available() -> bool:
    """Whether the operators are there and compute what a convolution does."""
    with torch.random.fork_rng(devices=[]):  # no random numbers change elsewhere
        layer = nn.Conv2d(8, 16, 3, padding=1)
        values = torch.randn(1, 8, 9, 11)
    packed = copy.deepcopy(layer)
    packed.__class__ = PackedConv2d
    try:
        with torch.no_grad():
            wanted, found = layer(values), packed(values)
    except (RuntimeError, AttributeError, TypeError, NotImplementedError) as error:
        log.info("convolutions are not packed: %s", error)
        return False
    return bool(torch.allclose(wanted, found, atol=TOLERANCE))
