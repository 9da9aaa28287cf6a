"""The box of every window in one pass: a localizer's regressor in convolutional form.

OverFeat runs its regressor over all places of the last map (Sermanet et al. 2014, section 4.1), as
its classifier: the first linear layer becomes a convolution, the others convolutions of 1x1.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch.nn import functional

from explorer.core.errors import ExplorerError
from explorer.networks.embedded.localizer import BoxHead, corners
from explorer.vision.dense.convolutional import TOLERANCE, convolutionalized

if TYPE_CHECKING:
    from torch import Tensor, nn

    from explorer.vision.dense.convolutional import FullyConvolutional

HEAD = "head"
"""The name of a localizer's box head."""


@dataclass(frozen=True, slots=True, eq=False)
class BoxRegressor:
    """A localizer whose boxes are computed for every window of a picture of any size.

    Attributes:
        classifier: The classes of the localizer in convolutional form: its windows are the cells.
        head: What makes boxes of the last map.
        bins: Rows and columns of the last map as the head's first linear layer takes it.
    """

    classifier: FullyConvolutional
    head: BoxHead
    bins: int

    @torch.no_grad()
    def boxes(self, pictures: Tensor) -> Tensor:
        """(N, C, H, W) normalized pictures -> (N, K, 4, rows, columns), K = 1 or the classes.

        Boxes are x0, y0, x1, y1 as fractions of their window, in [0, 1].

        Raises:
            ExplorerError: The pictures are smaller than a window.
        """
        maps = self.classifier.maps(pictures)
        if self.head.attach == "conv":
            maps = functional.relu(self.head.reduce(maps))
        layers = (self.head.fc1, self.head.relu, self.head.fc2)
        numbers = self.classifier.slid(maps, layers, self.bins, pictures.shape[-2:])
        each = numbers.reshape(len(numbers), -1, 4, *numbers.shape[-2:])
        found = corners(each.movedim(2, -1)).clamp(0, 1)
        return found.movedim(-1, 2)


@torch.no_grad()
def box_regressor(module: nn.Module, picture: Tensor) -> BoxRegressor:
    """The localizer's regressor in convolutional form, with its own weights.

    It is proved on `picture`: its one box must be the module's own.

    Args:
        module: A localizer in eval mode with a `BoxHead` named `head`.
        picture: (1, C, W, W) normalized, of the size that the module takes.

    Raises:
        ExplorerError: The module is of another kind.
    """
    head = getattr(module, HEAD, None)
    refusal = ExplorerError(
        "The boxes of this network cannot be computed convolutionally.",
        "Choose a localization network such as lite-boxes-conv.",
    )
    if not isinstance(head, BoxHead):
        raise refusal
    classifier = convolutionalized(module, picture, apart=HEAD)
    grid: Any = head.pool.output_size if head.attach == "conv" else 1
    bins = int(grid if isinstance(grid, int) else grid[0])
    if classifier.side % bins:
        raise refusal
    found = BoxRegressor(classifier, head, bins)
    own = module(picture)["boxes_per_class"][0]
    made = found.boxes(picture)[0, :, :, 0, 0]
    if not torch.allclose(made.expand_as(own), own, rtol=0.0, atol=TOLERANCE):
        raise refusal
    return found
