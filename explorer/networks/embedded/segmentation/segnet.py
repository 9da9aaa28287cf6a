"""A decoder of max-unpoolings on `mini_vgg` (Badrinarayanan et al. 2017, "SegNet")."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor, nn
from torch.nn import functional
from torchvision.ops import Conv2dNormActivation

from explorer.networks.embedded.segmentation.parts import enlarged
from explorer.networks.embedded.vgg import BLOCKS, MiniVGG


class Switches(NamedTuple):
    """Where the largest values of a max pooling were.

    `indices` (N, C, h, w) int64 count the cells of the map that was pooled, row by row; `size` is
    that map's (H, W).
    """

    indices: Tensor
    size: tuple[int, int]


class MiniSegNet(nn.Module):
    """Every max pooling of the body is undone by an unpooling with its switches.

    An unpooling puts each value where the largest was and leaves zeros elsewhere; a convolution of
    3x3 after it fills these and makes the channels that the next switches have.

    Args:
        num_classes: With the background, which is class 0.
    """

    def __init__(self, num_classes: int) -> None:
        super().__init__()
        self.features = MiniVGG().features
        widths = [block[-1] for block in reversed(BLOCKS)]
        outputs = [*widths[1:], widths[-1]]
        self.decoder = nn.ModuleList(
            Conv2dNormActivation(wide, narrow, 3)
            for wide, narrow in zip(widths, outputs, strict=True)
        )
        self.classifier = nn.Conv2d(outputs[-1], num_classes, 1)

    def encoded(self, images: Tensor) -> tuple[Tensor, list[Switches]]:
        """(N, 3, H, W) normalized RGB -> the last pooled map, and the switches of all poolings."""
        x, switches = images, []
        for layer in self.features:
            if isinstance(layer, nn.MaxPool2d):
                size = (x.shape[-2], x.shape[-1])
                x, indices = functional.max_pool2d(x, 2, return_indices=True)
                switches.append(Switches(indices, size))
            else:
                x = layer(x)
        return x, switches

    def scores(self, x: Tensor, switches: list[Switches]) -> Tensor:
        """What `encoded` gives -> (N, num_classes, H, W) logits."""
        for convolution, (indices, size) in zip(self.decoder, reversed(switches), strict=True):
            x = convolution(functional.max_unpool2d(x, indices, [2, 2], output_size=size))
        found: Tensor = self.classifier(x)
        return found

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        """(N, 3, H, W) normalized RGB, sides of at least 16 -> `out` (N, num_classes, H, W)."""
        return {"out": enlarged(self.scores(*self.encoded(images)), images)}


def mini_segnet(num_classes: int) -> MiniSegNet:
    """See `MiniSegNet`."""
    return MiniSegNet(num_classes)
