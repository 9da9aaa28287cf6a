"""What an attribution is about, as a function of the network's input.

A target takes (N, C, H, W) inputs, as the network is fed them, and gives one number for each: the
logit of a class, the activation of a unit, the class of some pixels. Those of detectors are in
`boxes`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, Protocol

import torch
from torch import Tensor

from explorer.core.errors import ExplorerError
from explorer.networks.hooks import output_until, tensors_in
from explorer.vision.features.activations import RESIZE, laid_out, named_tensors
from explorer.vision.features.classification import class_scores
from explorer.vision.features.segmentation import scores_of

if TYPE_CHECKING:
    from torch import nn


class Reading(NamedTuple):
    """What a target is at N inputs.

    Attributes:
        score: (N,) float32 with its graph: what is differentiated and attributed.
        confidence: (N,) float32 without one: the probability where there is one, else the score.
        label: (N,) int64, the class it is about; None without classes.
    """

    score: Tensor
    confidence: Tensor
    label: Tensor | None = None


class Target(Protocol):
    """Anything that can be attributed."""

    @property
    def module(self) -> nn.Module:
        """The network, in eval mode. Layers have the names they have in it."""
        ...

    def __call__(self, values: Tensor) -> Reading:
        """Evaluates (N, C, H, W) inputs of equal size; nothing depends on the others of a batch."""
        ...


@torch.no_grad()
def measured(target: Target, values: Tensor) -> Reading:
    """The reading at (N, C, H, W) inputs, without a graph."""
    return target(values)


@dataclass(frozen=True, slots=True, eq=False)
class ClassTarget:
    """The logit of a class.

    Attributes:
        module: A classification network.
        index: The class; None = the top class of each input.
    """

    module: nn.Module
    index: int | None = None

    def __call__(self, values: Tensor) -> Reading:
        """See `Target`; the confidence is the softmax, of a single logit the sigmoid."""
        return reading(self.module(values), self.index)


def reading(output: object, index: int | None) -> Reading:
    """The reading of a class, by default the top one, from a classification network's output.

    Raises:
        ExplorerError: The output is no vector of scores for each input.
    """
    scores = class_scores(output)
    label = scores.detach().argmax(1)
    if index is not None:
        label = torch.full_like(label, index)
    shares = scores.detach().softmax(1) if scores.shape[1] > 1 else scores.detach().sigmoid()
    at = label[:, None]
    return Reading(scores.gather(1, at)[:, 0], shares.gather(1, at)[:, 0], label)


@dataclass(frozen=True, slots=True, eq=False)
class RegionTarget:
    """The mean logit of a class over some pixels of a segmentation.

    Vinogradova, Dibrov and Myers 2020 (Seg-Grad-CAM), equation 2, sum it; the mean does not depend
    on the size of the region.

    Attributes:
        module: A segmentation network.
        index: The class.
        mask: (H, W) bool, the pixels of the input; at least one.
    """

    module: nn.Module
    index: int
    mask: Tensor

    def __call__(self, values: Tensor) -> Reading:
        """See `Target`; the confidence is the mean probability."""
        output = self.module(values)
        whole = output["out"] if isinstance(output, dict) and "out" in output else None
        maps = whole if whole is not None else (tensors_in(output) or [torch.empty(0)])[0]
        height, width = self.mask.shape
        scores, shares = [], []
        for one in maps.split(1):
            logits = scores_of(one, (height, width))
            scores.append(logits[self.index][self.mask].mean())
            shares.append(logits.detach().softmax(0)[self.index][self.mask].mean())
        label = torch.full((len(values),), self.index, device=values.device)
        return Reading(torch.stack(scores), torch.stack(shares), label)


@dataclass(frozen=True, slots=True, eq=False)
class UnitTarget:
    """The activation of a unit of a layer.

    Attributes:
        module: The network.
        layer: Dotted name; of several calls the first one counts, of several tensors the first.
        channel: Index.
        cell: Row and column; None = the largest activation of the channel.
        batched: False = the module takes a list of (C, H, W).
    """

    module: nn.Module
    layer: str
    channel: int
    cell: tuple[int, int] | None = None
    batched: bool = True

    def __call__(self, values: Tensor) -> Reading:
        """See `Target`; the confidence is the activation itself."""
        found = []
        for maps in layer_outputs(self.module, values, self.layer, batched=self.batched):
            if self.channel >= len(maps):
                raise ExplorerError(
                    f"The layer {self.layer!r} has {len(maps)} channels, and no {self.channel}.",
                    "Choose another channel.",
                )
            chosen = maps[self.channel]
            if self.cell is None:
                found.append(chosen.amax())
            else:
                row, column = (
                    min(at, side - 1) for at, side in zip(self.cell, chosen.shape, strict=True)
                )
                found.append(chosen[row, column])
        score = torch.stack(found).float()
        return Reading(score, score.detach())


def layer_outputs(
    module: nn.Module, values: Tensor, layer: str, *, batched: bool = True
) -> list[Tensor]:
    """The maps of a layer for N inputs, N of (channels, h, w); nothing behind it is computed.

    Args:
        module: The network.
        values: (N, C, H, W).
        layer: Dotted name.
        batched: See `UnitTarget`.

    Raises:
        ExplorerError: The layer does not run, gives no tensor, or one that is not for each input.
    """
    shown = values if batched else list(values)
    tensors = named_tensors(output_until(module, layer, lambda: module(shown)))
    if not tensors or len(tensors[0][1]) != len(values):
        raise ExplorerError(
            f"The layer {layer!r} does not output a tensor for the photo as a whole.",
            "Choose another layer.",
        )
    source = (int(values.shape[-2]), int(values.shape[-1]))
    return [laid_out(tensors[0][1], source, item)[0] for item in range(len(values))]


def origin(module: nn.Module, values: Tensor) -> Tensor:
    """The inputs that arrive at the first layer as 0, in a shape that broadcasts to `values`.

    They are 0 themselves, but for detectors, which subtract a mean color: it is that color.
    """
    mean = getattr(getattr(module, RESIZE, None), "image_mean", None)
    if mean is None:
        return torch.zeros_like(values[:1])
    return torch.tensor(mean, device=values.device).to(values).view(1, -1, 1, 1)
