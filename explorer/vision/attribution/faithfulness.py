"""Does a map name the pixels that matter? The most important ones are removed, and it is measured.

All three give the confidence over the part of the pixels that was changed, most important first.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import torch
from torch import Tensor
from torch.nn import functional as F

from explorer.vision.attribution.gradients import CHUNK
from explorer.vision.attribution.targets import measured

if TYPE_CHECKING:
    from collections.abc import Iterator

    from explorer.vision.attribution.targets import Target

Measure = Literal["deletion", "insertion", "ROAD"]

BLUR = 10.0
"""Standard deviation of the blurred input that insertion begins with, for 224 pixels."""
NOISE = 0.01
"""Standard deviation of what ROAD adds to imputed pixels, in parts of the input's range."""
TOLERANCE = 1e-3
"""Of ROAD's linear system: the residual's norm, in parts of that of its right side."""
MOST_ITERATIONS = 400


def curve(
    measure: Measure,
    target: Target,
    values: Tensor,
    importance: Tensor,
    baseline: Tensor,
    *,
    steps: int,
    generator: torch.Generator,
) -> Iterator[list[float]]:
    """Confidences at the parts 0, 1/steps, … 1 of the pixels, as many as are known.

    ``deletion``: the most important pixels get the baseline's values (Petsiuk et al. 2018, RISE,
    section 4.3); a faithful map makes it fall early. ``insertion``: they are put back into a
    blurred input; it rises early. ``ROAD``: they are replaced by what their neighbors predict, so
    that the shape of the hole says little (Rong et al. 2022, "A Consistent and Efficient Evaluation
    Strategy for Attribution Methods", section 5); it falls early.

    Args:
        measure: See above.
        target: What is measured; for a class fix the class.
        values: (1, C, H, W).
        importance: (H, W).
        baseline: (1, C, H, W), of the deletion.
        steps: At least 1.
        generator: Of ROAD's noise.

    Yields:
        The list, longer every time; ``steps + 1`` numbers at the end.
    """
    order = importance.flatten().argsort(descending=True, stable=True)
    found: list[float] = []
    start = blurred(values) if measure == "insertion" else values
    for first in range(0, steps + 1, CHUNK):
        parts = range(first, min(first + CHUNK, steps + 1))
        changed = torch.cat(
            [
                _changed(
                    measure, values, start, baseline, _top(order, k / steps, importance), generator
                )
                for k in parts
            ]
        )
        found = [*found, *measured(target, changed).confidence.tolist()]
        yield found


def area(confidences: list[float]) -> float:
    """Under a curve over [0, 1] whose points are equally far apart, by the trapezoidal rule."""
    inner = sum(confidences[1:-1])
    return (inner + (confidences[0] + confidences[-1]) / 2) / max(len(confidences) - 1, 1)


def _top(order: Tensor, part: float, importance: Tensor) -> Tensor:
    """(H, W) bool: the most important pixels."""
    chosen = torch.zeros(importance.numel(), dtype=torch.bool, device=importance.device)
    chosen[order[: round(part * len(order))]] = True
    return chosen.view(importance.shape)


def _changed(
    measure: Measure,
    values: Tensor,
    start: Tensor,
    baseline: Tensor,
    top: Tensor,
    generator: torch.Generator,
) -> Tensor:
    if measure == "deletion":
        return torch.where(top, baseline, values)
    if measure == "insertion":
        return torch.where(top, values, start)
    return imputed(values, top, generator)


def blurred(values: Tensor, sigma: float = BLUR) -> Tensor:
    """(1, C, H, W) smoothed by a Gaussian whose width is for 224 pixels of the shorter side."""
    height, width = int(values.shape[-2]), int(values.shape[-1])
    sigma = sigma * min(height, width) / 224
    radius = min(max(1, round(3 * sigma)), min(height, width) - 1)
    x = torch.arange(-radius, radius + 1, device=values.device, dtype=torch.float32)
    weights = torch.exp(-0.5 * (x / max(sigma, 1e-3)).square())
    weights = (weights / weights.sum()).to(values)
    padded = F.pad(values, (radius,) * 4, mode="reflect").transpose(0, 1)
    across = F.conv2d(padded, weights.view(1, 1, 1, -1))
    return F.conv2d(across, weights.view(1, 1, -1, 1)).transpose(0, 1)


_NEIGHBORS = ((1 / 12, 1 / 6, 1 / 12), (1 / 6, 0.0, 1 / 6), (1 / 12, 1 / 6, 1 / 12))


def imputed(values: Tensor, holes: Tensor, generator: torch.Generator) -> Tensor:
    """(1, C, H, W) with every pixel of `holes` the weighted mean of its neighbors, plus noise.

    Direct neighbors weigh 1/6, diagonal ones 1/12 (Rong et al. 2022, section 5.2, noisy linear
    imputation); at the border the weights that are left are scaled up. The linear system of all
    holes is solved by conjugate gradients.

    Args:
        values: (1, C, H, W).
        holes: (H, W) bool.
        generator: Of the noise, on the CPU.
    """
    if not bool(holes.any()):
        return values
    if bool(holes.all()):
        return values.mean((2, 3), keepdim=True).expand_as(values).clone()
    planes = values[0][:, None].float()  # (C, 1, H, W)
    kernel = torch.tensor(_NEIGHBORS, device=values.device)[None, None]
    inside = holes.float()[None, None]

    def around(x: Tensor) -> Tensor:
        return F.conv2d(x, kernel, padding=1)

    degree = around(torch.ones_like(inside))

    def system(x: Tensor) -> Tensor:
        return inside * (degree * x - around(x))

    right = inside * around(planes * (1 - inside))
    x = inside * planes.mean((2, 3), keepdim=True)
    residual = right - system(x)
    along = residual.clone()
    size = residual.square().sum((1, 2, 3), keepdim=True)
    goal = TOLERANCE**2 * right.square().sum((1, 2, 3), keepdim=True)
    for _ in range(MOST_ITERATIONS):
        if bool((size <= goal).all()):
            break
        image = system(along)
        step = size / (along * image).sum((1, 2, 3), keepdim=True).clamp(min=1e-20)
        x = x + step * along
        residual = residual - step * image
        after = residual.square().sum((1, 2, 3), keepdim=True)
        along = residual + after / size.clamp(min=1e-20) * along
        size = after
    noise = NOISE * float(values.max() - values.min())
    x = x + noise * torch.randn(x.shape, generator=generator).to(x)
    filled = torch.where(holes, x, planes)
    return filled[:, 0][None].to(values)


def points_at(importance: Tensor, boxes: Tensor, slack: float = 0.0) -> bool:
    """The pointing game: whether the largest value lies in one of the boxes.

    Args:
        importance: (H, W).
        boxes: (N, 4) xyxy in its pixels.
        slack: Pixels beyond a box that count, too (the paper: 15).

    Source: Zhang et al. 2016, "Top-down Neural Attention by Excitation Backprop", section 4.1.
    """
    row, column = divmod(int(importance.argmax()), int(importance.shape[1]))
    x, y = column + 0.5, row + 0.5
    low, high = boxes[:, :2] - slack, boxes[:, 2:] + slack
    inside = (low[:, 0] <= x) & (x <= high[:, 0]) & (low[:, 1] <= y) & (y <= high[:, 1])
    return bool(inside.any())
