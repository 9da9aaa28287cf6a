"""Attributions by gradients with respect to the input: one value for every pixel.

Inputs are (1, C, H, W) as the network is fed them. The maps have one value per pixel: the largest
magnitude over the color channels where the sign means nothing (Simonyan et al. 2013, section 3),
their sum where it does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from explorer.vision.attribution.maps import Attribution
from explorer.vision.attribution.rules import ReluRules, deconvolved, guided
from explorer.vision.attribution.targets import measured, origin

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from torch import Tensor

    from explorer.vision.attribution.targets import Reading, Target

CHUNK = 4
"""Inputs in one pass: more of them take longer each, for want of cache."""


def gradients(target: Target, values: Tensor) -> tuple[Tensor, Reading]:
    """The gradient of each input's own score: (N, C, H, W) float32, and the reading.

    All zero where the score does not depend on the input.
    """
    shown = values.detach().clone().requires_grad_()
    with torch.enable_grad():
        read = target(shown)
        if not read.score.requires_grad:
            return torch.zeros_like(shown), read
        (found,) = torch.autograd.grad(read.score.sum(), shown, allow_unused=True)
    return (torch.zeros_like(shown) if found is None else found).float(), read


def gradient(target: Target, values: Tensor) -> Attribution:
    """The largest |dz/dx| over the color channels.

    Source: Simonyan, Vedaldi and Zisserman 2013, "Deep Inside Convolutional Networks", section 3.
    """
    found, read = gradients(target, values)
    return Attribution.of(_largest(found), read)


def gradient_times_input(target: Target, values: Tensor) -> Attribution:
    """The sum over color channels of x dz/dx, with the input as the first layer gets it.

    Source: Shrikumar et al. 2016, "Not Just a Black Box".
    """
    found, read = gradients(target, values)
    return Attribution.of(_summed(found * (values - origin(target.module, values))), read)


def guided_backprop(target: Target, values: Tensor) -> Attribution:
    """As `gradient`, with ReLUs that pass positive gradients only; see `rules.guided`."""
    return _rectified(target, values, guided)


def deconvnet(target: Target, values: Tensor) -> Attribution:
    """As `gradient`, with ReLUs that rectify the gradient; see `rules.deconvolved`.

    Max poolings put the gradient where the maximum was, as the paper's switches do.
    """
    return _rectified(target, values, deconvolved)


def _rectified(
    target: Target, values: Tensor, rule: Callable[[Tensor, Tensor], Tensor]
) -> Attribution:
    with ReluRules(rule) as rules:
        found, read = gradients(target, values)
    note = "" if rules.used else "The network has no ReLU: this is the gradient."
    return Attribution.of(_largest(found), read, note=note)


def smooth_grad(
    target: Target,
    values: Tensor,
    *,
    samples: int,
    noise: float,
    generator: torch.Generator | None = None,
) -> Iterator[Attribution]:
    """The mean of `gradient` over noisy copies of the input, after every few of them.

    Args:
        target: Its gradient is averaged; for a class fix the class.
        values: (1, C, H, W).
        samples: Copies, at least 1.
        noise: Standard deviation, in parts of the difference of the largest and smallest value.
        generator: Of the noise, on the CPU.

    Source: Smilkov et al. 2017, "SmoothGrad: Removing Noise by Adding Noise"; the mean of the
    magnitudes.
    """
    read = measured(target, values)
    span = noise * float(values.max() - values.min())
    total = torch.zeros_like(values[0, 0], dtype=torch.float32)
    for start in range(0, samples, CHUNK):
        count = min(CHUNK, samples - start)
        drawn = torch.randn((count, *values.shape[1:]), generator=generator)
        found, _ = gradients(target, values + span * drawn.to(values))
        total = total + found.abs().amax(1).sum(0)
        done = start + count
        yield Attribution.of(total / done, read, done=done, total=samples)


def integrated_gradients(
    target: Target, values: Tensor, baseline: Tensor, *, steps: int
) -> Iterator[Attribution]:
    """(x - x') times the mean gradient on the straight way from a baseline x' to the input x.

    The points are those of the Gauss-Legendre quadrature. The sum of the complete map is the
    difference of the scores at both ends, up to `Attribution.gap`.

    Args:
        target: What is attributed; for a class fix the class.
        values: (1, C, H, W), x.
        baseline: (1, C, H, W), x'.
        steps: Points, at least 1.

    Source: Sundararajan, Taly and Yan 2017, "Axiomatic Attribution for Deep Networks", section 3.
    """
    points, weights = _legendre(steps)
    ends = measured(target, torch.cat([values, baseline]))
    difference = float(ends.score[0] - ends.score[1])
    total = torch.zeros_like(values[0], dtype=torch.float32)
    for start in range(0, steps, CHUNK):
        some = points[start : start + CHUNK].to(values).view(-1, 1, 1, 1)
        found, _ = gradients(target, baseline + some * (values - baseline))
        share = weights[start : start + CHUNK].to(found).view(-1, 1, 1, 1)
        total = total + (found * share).sum(0)
        done = start + len(some)
        known = total * (values - baseline)[0].float()
        gap = difference - float(known.double().sum()) if done == steps else None
        scale = float(weights.sum() / weights[:done].sum())
        yield Attribution.of(known.sum(0) * scale, ends, done=done, total=steps, gap=gap)


def _legendre(count: int) -> tuple[Tensor, Tensor]:
    """Points in (0, 1) and weights that add up to 1, (count,) float64.

    The points are the eigenvalues of the Jacobi matrix (Golub and Welsch 1969, "Calculation of
    Gauss Quadrature Rules").
    """
    k = torch.arange(1, count, dtype=torch.float64)
    beside = k / (4 * k.square() - 1).sqrt()
    values, vectors = torch.linalg.eigh(torch.diag(beside, 1) + torch.diag(beside, -1))
    return (values + 1) / 2, vectors[0].square()


def _largest(found: Tensor) -> Tensor:
    return found[0].abs().amax(0)


def _summed(found: Tensor) -> Tensor:
    return found[0].float().sum(0)
