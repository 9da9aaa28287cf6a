"""A fully convolutional network for segmentation (Long, Shelhamer & Darrell 2015, "FCN")."""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn

from explorer.networks.embedded.resnet import MiniResNet, stages
from explorer.networks.embedded.vgg import fused


class MiniFCN(nn.Module):
    """FCN-32s, FCN-16s and FCN-8s in one, with the names of the paper's own layers.

    `layer3` and `layer4` of the body have strides 8 and 16 as `pool3` and `pool4` of the paper's
    VGG-16; `fc6` and `fc7`, convolutions in place of a classifier's fully connected layers, see a
    map of stride 32. Scores of the classes are made at all three and added from coarse to fine. The
    convolutions that enlarge them twofold begin as bilinear interpolation and are learned; the last
    enlargement is bilinear and fixed, as in the paper.

    Args:
        num_classes: With the background, which is class 0.
        hidden: Channels of `fc6` and `fc7`.
        skip: Channels between a map of the body and its scores.
        norm: With batch normalization before the ReLUs behind the body, which is how it is trained;
            `without_norm` makes the same function without it.
    """

    def __init__(
        self, num_classes: int, *, hidden: int = 80, skip: int = 64, norm: bool = False
    ) -> None:
        super().__init__()
        body = MiniResNet()
        self.body = stages(body)
        fine, coarse = body.widths[2:]
        self.fc6 = nn.Sequential(
            *_layer(coarse, hidden, 1, norm=norm), *_layer(hidden, hidden, 3, stride=2, norm=norm)
        )
        self.fc7 = nn.Sequential(*_layer(hidden, hidden, 3, norm=norm))
        self.score_fr = nn.Conv2d(hidden, num_classes, 1)
        self.score_pool4 = _scores(coarse, skip, num_classes, norm=norm)
        self.score_pool3 = _scores(fine, skip, num_classes, norm=norm)
        self.upscore2 = twice_as_fine(num_classes)
        self.upscore_pool4 = twice_as_fine(num_classes)
        self.upscore32, self.upscore16, self.upscore8 = (
            nn.Upsample(scale_factor=stride, mode="bilinear") for stride in (32, 16, 8)
        )
        for layer in self.modules():
            if isinstance(layer, nn.Conv2d) and layer.bias is not None:
                nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
                nn.init.zeros_(layer.bias)
        for scores in (self.score_fr, self.score_pool4[-1], self.score_pool3[-1]):
            nn.init.normal_(scores.weight, std=0.01)  # type: ignore[arg-type]

    def features(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """(N, 3, H, W) normalized RGB -> the maps of `layer3` (H/8) and `layer4` (H/16)."""
        fine = self.body[:-1](images)
        return fine, self.body[-1](fine)

    def scores(self, fine: Tensor, coarse: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The maps of `features` -> scores of the classes at strides 32, 16 and 8, sums so far."""
        at32 = self.score_fr(self.fc7(self.fc6(coarse)))
        at16 = self.score_pool4(coarse)
        at16 = at16 + _cropped(self.upscore2(at32), at16)
        at8 = self.score_pool3(fine)
        at8 = at8 + _cropped(self.upscore_pool4(at16), at8)
        return at32, at16, at8

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        """(N, 3, H, W) normalized RGB -> `out`, `out16`, `out32` of (N, num_classes, H, W).

        They are the scores before the softmax of FCN-8s, FCN-16s and FCN-32s.
        """
        at32, at16, at8 = self.scores(*self.features(images))
        return {
            "out": _cropped(self.upscore8(at8), images),
            "out16": _cropped(self.upscore16(at16), images),
            "out32": _cropped(self.upscore32(at32), images),
        }


def mini_fcn(num_classes: int, *, hidden: int = 80, skip: int = 64, norm: bool = False) -> MiniFCN:
    """See `MiniFCN`."""
    return MiniFCN(num_classes, hidden=hidden, skip=skip, norm=norm)


def without_norm(model: MiniFCN) -> MiniFCN:
    """The same function in eval mode, each normalization taken into the convolution before it."""
    plain = copy.deepcopy(model).eval()
    for name in ("fc6", "fc7", "score_pool4", "score_pool3"):
        setattr(plain, name, fused(getattr(plain, name)))
    return plain


def _scores(channels: int, between: int, num_classes: int, *, norm: bool) -> nn.Sequential:
    # Two convolutions more than in the paper, as the body is not trained along.
    return nn.Sequential(
        *_layer(channels, between, 1, norm=norm),
        *_layer(between, between, 3, norm=norm),
        nn.Conv2d(between, num_classes, 1),
    )


def _layer(
    inputs: int, outputs: int, kernel: int, *, stride: int = 1, norm: bool
) -> list[nn.Module]:
    convolution = nn.Conv2d(inputs, outputs, kernel, stride=stride, padding=kernel // 2)
    return [convolution, *([nn.BatchNorm2d(outputs)] if norm else []), nn.ReLU(inplace=True)]


def twice_as_fine(channels: int) -> nn.ConvTranspose2d:
    """Enlarges twofold; at first bilinearly, every channel for itself (section 3.3)."""
    layer = nn.ConvTranspose2d(channels, channels, 4, stride=2, padding=1, bias=False)
    line = torch.tensor([0.25, 0.75, 0.75, 0.25])
    with torch.no_grad():
        layer.weight.zero_()
        layer.weight[range(channels), range(channels)] = torch.outer(line, line)
    return layer


def _cropped(values: Tensor, like: Tensor) -> Tensor:
    # A map of an odd number of rows comes from one of half as many, rounded up.
    return values[..., : like.shape[-2], : like.shape[-1]]
