"""From a picture to the styles whose picture comes closest to it.

Abdal et al. 2019, "Image2StyleGAN": gradient descent on a style for each resolution. Where we
differ: the distance is that of the pixels at several scales, without a network of features, and
the styles are held near their mean.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn import functional

if TYPE_CHECKING:
    from collections.abc import Generator

    from explorer.networks.generative.style_gan import StyleGenerator

RATE, HOLD = 0.05, 0.002
"""Of Adam; weight of the squared distance of a style from the mean, a number of it on average."""


def distance(made: Tensor, wanted: Tensor) -> Tensor:
    """The mean squared difference of the pixels, summed over sides of R, R / 2, … 4."""
    total = functional.mse_loss(made, wanted)
    while made.shape[-1] > 4:
        made, wanted = (functional.avg_pool2d(each, 2) for each in (made, wanted))
        total = total + functional.mse_loss(made, wanted)
    return total


def projected(
    generator: StyleGenerator, wanted: Tensor, steps: int
) -> Generator[tuple[Tensor, float], None, None]:
    """The styles after every step, and the distance before it.

    Args:
        generator: Its weights stay as they are.
        wanted: (1, 3, R, R), -1..1.
        steps: Of the descent.

    Yields:
        (resolutions, size) styles, and the distance of their picture.
    """
    mean = generator.mean_style
    assert isinstance(mean, Tensor)
    start = mean.detach().clone()
    styles = start.expand(len(generator.resolutions), -1).clone()
    optimizer = torch.optim.Adam([styles], lr=RATE)
    for _ in range(steps):
        with torch.enable_grad():
            given = styles.requires_grad_()
            made = generator.synthesize([row[None] for row in given])
            apart = distance(made, wanted)
            loss = apart + HOLD * (given - start).square().mean()
            (styles.grad,) = torch.autograd.grad(loss, given)
        optimizer.step()
        yield styles.detach().clone(), float(apart.detach())
