"""Climbing an objective by changing the picture: parameterization, objective, step, octaves.

Four separate things, so that later methods can mix them: a `Target` runs the network up to a
layer, an `Objective` makes one number of what it gave, `ascend` takes one normalized step, and
`octave_sizes` are the sizes to continue at.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, exp
from typing import TYPE_CHECKING

import numpy as np
import torch
import torch.nn.functional as F

from explorer.core.errors import ExplorerError
from explorer.networks.hooks import output_until, tensors_in

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor, nn

    from explorer.networks.network import Network

SMALLEST_SIDE = 32
"""Of an octave: below this most networks have no cells left."""


@dataclass(frozen=True, slots=True, eq=False)
class Target:
    """A network that is run up to a layer, on a picture of any size.

    A detector resizes its input and outputs boxes, which no gradient should pass: only its
    `backbone` is run, on a picture normalized as the detector would.

    Attributes:
        part: The module that is called.
        prefix: What `part` is called in the network ("" or "backbone."); layer names start with it.
        mean: (1, C, 1, 1), subtracted from pictures in [0, 1].
        std: (1, C, 1, 1).
    """

    part: nn.Module
    prefix: str
    mean: Tensor
    std: Tensor
    dtype: torch.dtype

    @classmethod
    def of(cls, network: Network) -> Target:
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
        return cls(module, prefix, shift, scale, network.dtype)

    def answer(self, picture: Tensor, layer: str) -> Tensor:
        """What `layer` gives for (1, C, H, W) float32 in [0, 1]; nothing behind it is computed.

        Of a layer with several output tensors the first one counts.

        Raises:
            ExplorerError: When the layer lies outside the part that is run, or gives no tensor.
        """
        if not layer.startswith(self.prefix):
            raise ExplorerError(
                f"The layer {layer!r} lies outside the backbone, which alone is run on the image.",
                f"Choose one whose name starts with {self.prefix}",
            )
        values = ((picture - self.mean) / self.std).to(self.dtype)
        output = output_until(self.part, layer[len(self.prefix) :], lambda: self.part(values))
        found = tensors_in(output)
        if not found:
            raise ExplorerError(
                f"The layer {layer!r} does not output a tensor.", "Choose another layer."
            )
        return found[0]


@dataclass(frozen=True, slots=True)
class Objective:
    """How strong the activations of a layer are.

    Without `channels` it is the mean of all squared activations (Mordvintsev et al. 2015 maximize
    their sum: what activates the layer already is amplified). With `channels` it is the mean
    activation of those (Olah et al. 2017, "Feature Visualization").
    """

    channels: tuple[int, ...] = ()

    def __call__(self, answer: Tensor) -> Tensor:
        """(N, C, …) -> a number.

        Raises:
            ExplorerError: When the layer has no such channel.
        """
        if not self.channels:
            return answer.float().square().mean()
        count = answer.shape[1] if answer.ndim > 1 else 0
        beyond = [channel for channel in self.channels if channel >= count]
        if beyond:
            raise ExplorerError(
                f"The layer has {count} channels, so there is no channel {beyond[0]}.",
                f"Choose numbers from 0 to {count - 1}.",
            )
        return answer[:, list(self.channels)].float().mean()


@dataclass(frozen=True, slots=True)
class StepOptions:
    """How a step is taken.

    Attributes:
        step: Length: how far the mean pixel moves, in units of the whole range 0..1.
        jitter: The picture is shifted by up to this many pixels before the forward pass, so that
            the network's own grid leaves no pattern.
        smoothing: Standard deviation, in pixels, of the blur of the gradient; 0 = none.
        variation: Weight of the total variation: how much of the difference to its four
            neighbors a pixel gives up in a step, 0 to 0.2.
    """

    step: float
    jitter: int
    smoothing: float
    variation: float


def ascend(
    picture: Tensor,
    target: Target,
    layer: str,
    objective: Objective,
    options: StepOptions,
    generator: torch.Generator,
) -> tuple[Tensor, float]:
    """One step up: ``x <- clip(x + step * g / mean|g| + variation * Laplacian(x))``.

    The gradient is taken on the picture only, with the network's weights frozen. The Laplacian is
    the descent direction of the total variation with exponent 2 (Mahendran and Vedaldi 2015,
    equation 4).

    Args:
        picture: (1, C, H, W) float32 in [0, 1].
        target: Runs the network.
        layer: Up to which layer.
        objective: What to climb.
        options: How.
        generator: For the jitter; on the CPU.

    Returns:
        The new picture, and the objective before the step.
    """
    shift = [0, 0]
    if options.jitter:
        offsets = torch.randint(-options.jitter, options.jitter + 1, (2,), generator=generator)
        shift = offsets.tolist()
    with torch.enable_grad():
        shown = picture.detach().roll(shift, (2, 3)).requires_grad_()
        height = objective(target.answer(shown, layer))
        (gradient,) = torch.autograd.grad(height, shown)
    with torch.no_grad():
        gradient = gradient.roll([-side for side in shift], (2, 3))
        if options.smoothing > 0:
            gradient = blurred(gradient, options.smoothing)
        gradient *= options.step / gradient.abs().mean().clamp_min(1e-12)
        if options.variation > 0:
            gradient += options.variation * laplacian(picture)
        return gradient.add_(picture).clamp_(0.0, 1.0), float(height)


def octave_sizes(
    height: int, width: int, *, longest: int, octaves: int, scale: float
) -> list[tuple[int, int]]:
    """(H, W) of every octave, the coarsest first; the last one has `longest` as its longer side.

    Every octave is `scale` times smaller than the next; octaves that would be too small for a
    network are skipped, but the last one always stays.
    """
    grow = longest / max(height, width)
    sizes = []
    for octave in range(octaves - 1, -1, -1):
        factor = grow / scale**octave
        size = (max(1, round(height * factor)), max(1, round(width * factor)))
        if octave == 0 or min(size) >= SMALLEST_SIDE:
            sizes.append((max(SMALLEST_SIDE, size[0]), max(SMALLEST_SIDE, size[1])))
    return sizes


def resized(picture: Tensor, size: tuple[int, int]) -> Tensor:
    """(1, C, H, W) at another size: bilinear, antialiased where it shrinks."""
    if tuple(picture.shape[-2:]) == size:
        return picture
    return F.interpolate(picture, size=size, mode="bilinear", antialias=True, align_corners=False)


def blurred(values: Tensor, deviation: float) -> Tensor:
    """(1, C, H, W) under a Gaussian of this deviation in pixels, edges repeated."""
    radius = ceil(2.5 * deviation)
    weights = [exp(-0.5 * (x / deviation) ** 2) for x in range(-radius, radius + 1)]
    padded = F.pad(values, (radius,) * 4, mode="replicate")
    # Adding shifted copies takes a tenth of a depthwise convolution of three channels on a CPU.
    for dim in (2, 3):
        length = values.shape[dim]
        shifted = (padded.narrow(dim, start, length) for start in range(len(weights)))
        total = torch.zeros_like(padded.narrow(dim, 0, length))
        for weight, copy in zip(weights, shifted, strict=True):
            total.add_(copy, alpha=weight / sum(weights))
        padded = total
    return padded


def laplacian(values: Tensor) -> Tensor:
    """Sum of the differences to the four neighbors, (1, C, H, W); none beyond the edge."""
    result = torch.zeros_like(values)
    down, right = values.diff(dim=2), values.diff(dim=3)
    result[:, :, :-1] += down
    result[:, :, 1:] -= down
    result[..., :-1] += right
    result[..., 1:] -= right
    return result


def pictured(pixels: NDArray[np.uint8], size: tuple[int, int], channels: int) -> Tensor:
    """A photo as a picture to climb from.

    Args:
        pixels: (H, W, 3) uint8.
        size: Height and width of the picture.
        channels: 3, or 1 for a network with gray input: ITU-R 601 luma, as in the preprocessing.

    Returns:
        (1, channels, *size) float32 in [0, 1], on the CPU.
    """
    whole = torch.from_numpy(np.array(pixels)).permute(2, 0, 1)[None]
    picture = resized(whole.float().div_(255.0), size).clamp_(0.0, 1.0)
    if channels == 1:
        weights = torch.tensor([0.2989, 0.587, 0.114]).view(1, 3, 1, 1)
        picture = (picture * weights).sum(dim=1, keepdim=True)
    return picture


def zoomed(picture: Tensor, factor: float) -> Tensor:
    """(1, C, H, W) enlarged about its center by `factor`; under 1 the rim is mirrored."""
    if factor == 1.0:
        return picture
    turn = torch.tensor([[[1 / factor, 0, 0], [0, 1 / factor, 0]]], device=picture.device)
    places = F.affine_grid(turn.to(picture.dtype), list(picture.shape), align_corners=False)
    return F.grid_sample(picture, places, padding_mode="reflection", align_corners=False)


def preview(picture: Tensor) -> NDArray[np.uint8]:
    """(1, C, H, W) float in [0, 1] -> (H, W, 3) uint8."""
    levels = picture[0].detach().mul(255.0).add_(0.5).to(torch.uint8)
    rgb = levels.expand(3, -1, -1).permute(1, 2, 0).contiguous().cpu().numpy()
    return np.ascontiguousarray(rgb)
