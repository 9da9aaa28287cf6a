"""The residual classifier."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import Tensor, nn
from torchvision.models.resnet import BasicBlock

if TYPE_CHECKING:
    from collections.abc import Sequence


class MiniResNet(nn.Module):
    """A residual network (He et al. 2015, "Deep Residual Learning") with torchvision's layer names.

    The stem is one 5x5 convolution of stride 2 without the usual max pooling, and the stages have
    strides 1, 2, 2, 2: 1/16 of the input at the end instead of 1/32, because it learns from photos
    of 64x64. It is fully convolutional up to `avgpool`, so inputs of any size from 16x16 work.

    Args:
        num_classes: Number of outputs.
        widths: Channels of the stem and `layer1`, `layer2`, `layer3`, `layer4`.
        blocks: Basic blocks in each stage.
    """

    def __init__(
        self,
        num_classes: int = 200,
        *,
        widths: Sequence[int] = (40, 80, 160, 320),
        blocks: Sequence[int] = (1, 2, 2, 1),
    ) -> None:
        super().__init__()
        self.num_classes = num_classes
        self.conv1 = nn.Conv2d(3, widths[0], 5, stride=2, padding=2, bias=False)
        self.bn1 = nn.BatchNorm2d(widths[0])
        self.relu = nn.ReLU(inplace=True)
        self.layer1 = _stage(widths[0], widths[0], blocks[0], stride=1)
        self.layer2 = _stage(widths[0], widths[1], blocks[1], stride=2)
        self.layer3 = _stage(widths[1], widths[2], blocks[2], stride=2)
        self.layer4 = _stage(widths[2], widths[3], blocks[3], stride=2)
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(widths[3], num_classes)
        _initialize(self)

    def forward(self, images: Tensor) -> Tensor:
        """(N, 3, H, W) normalized RGB -> (N, num_classes) logits."""
        x = self.relu(self.bn1(self.conv1(images)))
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        logits: Tensor = self.fc(self.avgpool(x).flatten(1))
        return logits


def mini_resnet(num_classes: int = 200) -> MiniResNet:
    """2.6 million parameters, 0.16 GMAC for a photo of 64x64."""
    return MiniResNet(num_classes)


def _stage(inputs: int, outputs: int, blocks: int, *, stride: int) -> nn.Sequential:
    downsample = None
    if stride != 1 or inputs != outputs:
        downsample = nn.Sequential(
            nn.Conv2d(inputs, outputs, 1, stride=stride, bias=False), nn.BatchNorm2d(outputs)
        )
    first = BasicBlock(inputs, outputs, stride, downsample)
    return nn.Sequential(first, *(BasicBlock(outputs, outputs) for _ in range(1, blocks)))


def _initialize(model: nn.Module) -> None:
    # He et al. 2015, "Delving Deep into Rectifiers"; branches start at zero (Goyal et al. 2017).
    for module in model.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
        elif isinstance(module, BasicBlock):
            nn.init.zeros_(module.bn2.weight)
