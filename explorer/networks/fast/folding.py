"""A network for inference only: the same function with fewer and faster steps.

A normalization with fixed statistics is a multiplication and an addition per channel, so the
convolution before it can do both; and convolutions run faster when the channels of a pixel lie side
by side. Views of layers and gradients need the network as it is: these copies are
for live pictures and for many photos.
"""

from __future__ import annotations

import copy
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_weights
from torchvision.models.detection.transform import GeneralizedRCNNTransform
from torchvision.ops import FrozenBatchNorm2d

from explorer.networks.fast.convolution import pack
from explorer.networks.fast.detector import hasten
from explorer.networks.network import Network

if TYPE_CHECKING:
    from collections.abc import Callable

TOLERANCE = 1e-3
"""Largest difference between what a normalization gave and what its convolution gives instead, in
parts of the largest value."""

LEAST_SIDE = 32
"""Of what a network is shown at a reduced size."""

SIDE = 160
"""Of the picture that shows which layers follow each other."""

_Pairs = dict[str, str]


def fast(network: Network) -> Network:
    """A copy of the network that computes the same outputs faster.

    Every normalization that is fed by one convolution and nothing else is taken into it (an
    `nn.Identity` stays in its place, so no name changes), and the weights lie channels last. One
    picture of noise is run to see which layers follow each other, and a second time to compare; a
    network in which a layer then gives something else keeps its normalizations. Convolutions have
    their weights packed on a processor; for parts of torchvision's detectors see
    `fast_detector.hasten`. The copy is for inference; it has no gradients.
    """
    noise = np.random.default_rng(0).integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8)
    values = network.preprocess(noise).to(network.device, network.dtype)
    given = values if network.preprocess.batched else list(values)
    module = folded(network.module, given).to(memory_format=torch.channels_last)
    hasten(module)
    pack(module)
    return Network(
        network.info, module, network.preprocess, network.device, network.dtype,
        dict(network.extras),
    )  # fmt: skip


@torch.no_grad()
def folded(module: nn.Module, example: Any) -> nn.Module:
    """A copy without the normalizations that convolutions can do; see `fast`.

    Args:
        module: In eval mode.
        example: What it is called with.
    """
    seen = _Seen()
    with seen.watching(module):
        module(example)
    pairs = seen.pairs()
    found = copy.deepcopy(module)
    for convolution, norm in pairs.items():
        _fold(found, convolution, norm)
    check = _Seen()
    with check.watching(found, only=set(pairs)):
        found(example)
    for convolution, norm in pairs.items():
        for wanted, value in zip(seen.outputs[norm], check.outputs[convolution], strict=True):
            if float((wanted - value).abs().max()) > TOLERANCE * float(wanted.abs().max()):
                return copy.deepcopy(module)
    return found


@dataclass(slots=True, eq=False)
class _Seen:
    """What went in and out of the layers of a network, in the order of the calls."""

    inputs: dict[str, list[Tensor]] = field(default_factory=dict)
    outputs: dict[str, list[Tensor]] = field(default_factory=dict)
    made_by: dict[int, str] = field(default_factory=dict)
    kept: list[Tensor] = field(default_factory=list)
    kinds: dict[str, nn.Module] = field(default_factory=dict)

    def watching(self, module: nn.Module, only: set[str] | None = None) -> ExitStack:
        """A context in which all layers without children are noted, or `only` some."""
        stack = ExitStack()
        for name, layer in module.named_modules():
            if next(layer.children(), None) is None and (only is None or name in only):
                self.kinds[name] = layer
                stack.callback(layer.register_forward_hook(self._note(name)).remove)
        return stack

    def _note(self, name: str) -> Callable[..., None]:
        def hook(layer: nn.Module, given: tuple[Any, ...], answer: Any) -> None:
            self.inputs.setdefault(name, []).extend(v for v in given if isinstance(v, Tensor))
            if not isinstance(answer, Tensor):
                return
            self.made_by[id(answer)] = name
            self.kept.append(answer)  # or its id would be given to another one
            # a later layer may work in place
            self.outputs.setdefault(name, []).append(answer.clone())

        return hook

    def pairs(self) -> _Pairs:
        """Convolution -> the normalization that alone gets all of its outputs."""
        used: dict[str, list[str]] = {}
        for name, values in self.inputs.items():
            for value in values:
                if id(value) in self.made_by:
                    used.setdefault(self.made_by[id(value)], []).append(name)
        found = {}
        for name, users in used.items():
            if type(self.kinds[name]) is not nn.Conv2d or len(set(users)) != 1:
                continue
            calls = len(self.outputs[name])
            norm = users[0]
            alone = len(users) == calls == len(self.inputs[norm])
            if alone and _can_fold(self.kinds[norm]):
                found[name] = norm
        return found


def _can_fold(layer: nn.Module) -> bool:
    if isinstance(layer, FrozenBatchNorm2d):
        return True
    return type(layer) is nn.BatchNorm2d and not layer.training and layer.running_mean is not None


def _fold(module: nn.Module, convolution: str, norm: str) -> None:
    conv, layer = module.get_submodule(convolution), module.get_submodule(norm)
    assert isinstance(conv, nn.Conv2d)
    statistics: Any = layer
    weight, bias = fuse_conv_bn_weights(
        conv.weight.float(),
        None if conv.bias is None else conv.bias.float(),
        statistics.running_mean.float(),
        statistics.running_var.float(),
        statistics.eps,
        None if statistics.weight is None else statistics.weight.float(),
        None if statistics.bias is None else statistics.bias.float(),
    )
    dtype = conv.weight.dtype
    conv.weight = nn.Parameter(weight.to(dtype), requires_grad=False)
    conv.bias = nn.Parameter(bias.to(dtype), requires_grad=False)
    above, _, name = norm.rpartition(".")
    setattr(module.get_submodule(above), name, nn.Identity())


def at_share(network: Network, share: float) -> Network:
    """The same network with an input whose sides are `share` times its own.

    The weights are shared. A network whose input has one size only (it crops, or its layers count
    on it) is given back as it is; so is any at a share of 1.
    """
    if share == 1.0:
        return network
    preprocess, module = network.preprocess, network.module
    if isinstance(preprocess.resize, int) and preprocess.crop is None:
        resize = max(LEAST_SIDE, round(preprocess.resize * share))
        preprocess = replace(preprocess, resize=resize)
    elif (smaller := _smaller(module, share)) is not None:
        module = smaller
    else:
        return network
    return replace(network, module=module, preprocess=preprocess)


def _smaller(module: nn.Module, share: float) -> nn.Module | None:
    """A detector of torchvision's whose own transform resizes to less; None for other modules."""
    transform = getattr(module, "transform", None)
    fixed = getattr(transform, "fixed_size", None) is not None
    if not isinstance(transform, GeneralizedRCNNTransform) or fixed:
        return None
    resize = copy.copy(transform)
    resize.min_size = tuple(max(LEAST_SIDE, round(side * share)) for side in transform.min_size)
    found = copy.copy(module)
    # Modules keep their parts in a dictionary that a shallow copy would share.
    found._modules = dict(module._modules)
    found.transform = resize
    return found
