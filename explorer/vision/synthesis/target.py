"""The network that a picture is made for, run up to the layers that are asked for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import nn

from explorer.core.errors import ExplorerError
from explorer.networks.fast.folding import folded
from explorer.networks.hooks import outputs_until, tensors_in

if TYPE_CHECKING:
    from collections.abc import Collection

    from torch import Tensor

    from explorer.networks.network import Network

EXAMPLE_SIDE = 160
"""Of the noise that shows which normalizations belong to which convolutions."""


@dataclass(frozen=True, slots=True, eq=False)
class Target:
    """A network on pictures of any size.

    A detector resizes its input and answers with boxes, which no gradient should pass: only its
    `backbone` is run, on a picture normalized as the detector would.

    Attributes:
        part: The module that is called.
        swift: A frozen copy of it with its normalizations in its convolutions, channels last; it
            gives the same up to rounding.
        changed: The layers of `swift` that give something else: the convolutions that normalize.
        prefix: What `part` is called in the network ("" or "backbone."); layer names start with it.
        mean: (1, C, 1, 1), subtracted from pictures in [0, 1].
        std: (1, C, 1, 1).
        dtype: Of the weights.
        half: Compute in bfloat16: sooner on some processors, with two to three digits.
    """

    part: nn.Module
    swift: nn.Module
    changed: frozenset[str]
    prefix: str
    mean: Tensor
    std: Tensor
    dtype: torch.dtype
    half: bool = False

    @classmethod
    def of(cls, network: Network, *, half: bool = False) -> Target:
        """Raises `ExplorerError` for a detector without a backbone of its own."""
        module, preprocess = network.module, network.preprocess
        mean, std = preprocess.mean, preprocess.std
        prefix = ""
        if not preprocess.batched:
            backbone = getattr(module, "backbone", None)
            if not isinstance(backbone, torch.nn.Module):
                raise ExplorerError(
                    "The backbone of this detector cannot be run on its own.",
                    "Choose another network.",
                )
            transform = getattr(module, "transform", None)
            mean, std = getattr(transform, "image_mean", mean), getattr(transform, "image_std", std)
            module, prefix = backbone, "backbone."
        channels = preprocess.channels
        shift = torch.tensor(mean or [0.0] * channels, device=network.device).view(1, -1, 1, 1)
        scale = torch.tensor(std or [1.0] * channels, device=network.device).view(1, -1, 1, 1)
        swift, changed = network.memo(("swift", prefix), lambda: _swift(network, module))
        return cls(module, swift, changed, prefix, shift, scale, network.dtype, half)

    def answers(self, picture: Tensor, layers: Collection[str]) -> dict[str, Tensor]:
        """What `layers` give for (N, C, H, W) float32 in [0, 1]; nothing behind is computed.

        Of a layer that answers with several tensors the first one counts.

        Raises:
            ExplorerError: A layer lies outside the part that is run, is not used, or gives no
                tensor; the picture is too small for the network.
        """
        if not layers:
            return {}
        for layer in layers:
            if not layer.startswith(self.prefix):
                raise ExplorerError(
                    f"The layer {layer!r} lies outside the backbone, which alone is run on the "
                    "image.",
                    f"Choose one whose name starts with {self.prefix}",
                )
        inner = {layer[len(self.prefix) :]: layer for layer in layers}
        module = self.part if self.changed & inner.keys() else self.swift
        values = ((picture - self.mean) / self.std).to(self.dtype)
        values = values.contiguous(memory_format=torch.channels_last)
        with torch.autocast(values.device.type, dtype=torch.bfloat16, enabled=self.half):
            outputs = outputs_until(module, list(inner), lambda: module(values))
        found = {}
        for name, output in outputs.items():
            tensors = tensors_in(output)
            if not tensors:
                raise ExplorerError(
                    f"The layer {inner[name]!r} does not output a tensor.", "Choose another layer."
                )
            found[inner[name]] = tensors[0]
        return found

    def answer(self, picture: Tensor, layer: str) -> Tensor:
        """`answers` of one layer."""
        return self.answers(picture, (layer,))[layer]


def _swift(network: Network, module: nn.Module) -> tuple[nn.Module, frozenset[str]]:
    """The copy and its changed layers; see `Target`. `module` itself where it cannot be copied."""
    noise = np.random.default_rng(0).integers(0, 256, (EXAMPLE_SIDE, EXAMPLE_SIDE, 3), np.uint8)
    example = network.preprocess(noise).to(network.device, network.dtype)
    if isinstance(module, torch.jit.ScriptModule):
        return module, frozenset()
    found = folded(module, example).requires_grad_(requires_grad=False)
    changed = frozenset(
        name
        for name, layer in module.named_modules()
        if isinstance(layer, nn.Conv2d) and not _same(layer, found.get_submodule(name))
    )
    return found.to(memory_format=torch.channels_last), changed


def _same(layer: nn.Conv2d, other: nn.Module) -> bool:
    if not isinstance(other, nn.Conv2d) or (layer.bias is None) != (other.bias is None):
        return False
    return all(
        torch.equal(one, two)
        for one, two in zip(layer.parameters(), other.parameters(), strict=True)
    )
