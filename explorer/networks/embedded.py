"""The architectures of the networks that ship with the program.

Small enough to train on a laptop and to run live on its processor, and ordinary enough (blocks,
layer names and detection classes are torchvision's own) that everything the program shows about
them holds for their big relatives too.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING

from torch import Tensor, nn
from torchvision.models.detection.anchor_utils import AnchorGenerator
from torchvision.models.detection.faster_rcnn import FasterRCNN, FastRCNNPredictor, TwoMLPHead
from torchvision.models.detection.rpn import RPNHead
from torchvision.models.resnet import BasicBlock
from torchvision.ops import FeaturePyramidNetwork, MultiScaleRoIAlign
from torchvision.ops.feature_pyramid_network import LastLevelMaxPool

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

MEAN = (0.485, 0.456, 0.406)
"""Subtracted from RGB in [0, 1], as torchvision's own networks want it."""

STD = (0.229, 0.224, 0.225)


class MiniResNet(nn.Module):
    """A residual network (He et al. 2015, "Deep Residual Learning") with torchvision's layer names.

    The stem is one 5x5 convolution of stride 2 without the usual max pooling, and the stages have
    strides 1, 2, 2, 2: 1/16 of the input at the end instead of 1/32, because it learns from photos
    of 64x64. It is fully convolutional up to `avgpool`, so inputs of any size from 16x16 work.

    Args:
        num_classes: Size of the answer.
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
        self.conv1 = nn.Conv2d(3, widths[0], 5, stride=2, padding=2, bias=False)
        self.bn1 = nn.BatchNorm2d(widths[0])
        self.relu = nn.ReLU(inplace=True)
        self.layer1 = _stage(widths[0], widths[0], blocks[0], stride=1)
        self.layer2 = _stage(widths[0], widths[1], blocks[1], stride=2)
        self.layer3 = _stage(widths[1], widths[2], blocks[2], stride=2)
        self.layer4 = _stage(widths[2], widths[3], blocks[3], stride=2)
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(widths[3], num_classes)
        _initialise(self)

    def forward(self, images: Tensor) -> Tensor:
        """(N, 3, H, W) normalised RGB -> (N, num_classes) logits."""
        x = self.relu(self.bn1(self.conv1(images)))
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        logits: Tensor = self.fc(self.avgpool(x).flatten(1))
        return logits


class MiniResNetFPN(nn.Module):
    """`MiniResNet` up to `layer4` with a feature pyramid (Lin et al. 2017) on its last two stages.

    The maps have strides 8, 16 and 32 (the last one is a max pooling of the second).
    """

    def __init__(self, width: int, body: MiniResNet) -> None:
        super().__init__()
        stages = ("conv1", "bn1", "relu", "layer1", "layer2", "layer3", "layer4")
        self.body = nn.Sequential(OrderedDict((name, getattr(body, name)) for name in stages))
        channels = [_outputs(body.layer3), _outputs(body.layer4)]
        self.fpn = FeaturePyramidNetwork(channels, width, extra_blocks=LastLevelMaxPool())
        self.out_channels = width

    def forward(self, images: Tensor) -> OrderedDict[str, Tensor]:
        """(N, 3, H, W) -> maps "0", "1" and "pool" of (N, width, H/8, W/8), …/16, …/32."""
        features: OrderedDict[str, Tensor] = OrderedDict()
        x = images
        for name, module in self.body.named_children():
            x = module(x)
            if name in ("layer3", "layer4"):
                features[str(len(features))] = x
        maps: OrderedDict[str, Tensor] = self.fpn(features)
        return maps


def mini_resnet(num_classes: int = 200) -> MiniResNet:
    """2.6 million parameters, 0.16 GMAC for a photo of 64x64."""
    return MiniResNet(num_classes)


def mini_fasterrcnn(
    num_classes: int,
    *,
    width: int = 96,
    hidden: int = 256,
    side: int = 256,
    short_side: int | None = None,
) -> FasterRCNN:
    """A Faster R-CNN (Ren et al. 2015) of torchvision's own parts on `MiniResNetFPN`.

    Args:
        num_classes: With the background, which is class 0.
        width: Channels of the feature pyramid and of the region proposal network.
        hidden: Width of the two fully connected layers of the box head.
        side: The side of the scenes it learns from, in pixels. Its anchors are 1/13 to 4/5 of it.
        short_side: To which the network resizes the short side of a photo; None = `side`.
    """
    scales = [side / 12.8 * 1.6**i for i in range(6)]
    sizes = tuple((round(scales[i]), round(scales[i + 1])) for i in (0, 2, 4))
    anchors = AnchorGenerator(sizes=sizes, aspect_ratios=((0.5, 1.0, 2.0),) * len(sizes))
    resolution = 7
    return FasterRCNN(
        MiniResNetFPN(width, MiniResNet()),
        rpn_anchor_generator=anchors,
        rpn_head=RPNHead(width, anchors.num_anchors_per_location()[0]),
        box_roi_pool=MultiScaleRoIAlign(["0", "1"], output_size=resolution, sampling_ratio=2),
        box_head=TwoMLPHead(width * resolution**2, hidden),
        num_classes=None,
        box_predictor=FastRCNNPredictor(hidden, num_classes),
        min_size=short_side or side,
        max_size=2 * (short_side or side),
        image_mean=list(MEAN),
        image_std=list(STD),
        rpn_pre_nms_top_n_train=600,
        rpn_pre_nms_top_n_test=300,
        rpn_post_nms_top_n_train=300,
        rpn_post_nms_top_n_test=100,
        rpn_batch_size_per_image=128,
        box_batch_size_per_image=64,
        box_score_thresh=0.05,
        box_detections_per_img=50,
    )


ARCHITECTURES: dict[str, Callable[..., nn.Module]] = {
    "mini_resnet": mini_resnet,
    "mini_fasterrcnn": mini_fasterrcnn,
}
"""Functions by the name that a model card gives under `architecture`."""


def _stage(inputs: int, outputs: int, blocks: int, *, stride: int) -> nn.Sequential:
    downsample = None
    if stride != 1 or inputs != outputs:
        downsample = nn.Sequential(
            nn.Conv2d(inputs, outputs, 1, stride=stride, bias=False), nn.BatchNorm2d(outputs)
        )
    first = BasicBlock(inputs, outputs, stride, downsample)
    return nn.Sequential(first, *(BasicBlock(outputs, outputs) for _ in range(1, blocks)))


def _outputs(stage: nn.Sequential) -> int:
    last = [m for m in stage.modules() if isinstance(m, nn.Conv2d)][-1]
    return last.out_channels


def _initialise(model: nn.Module) -> None:
    # He et al. 2015, "Delving Deep into Rectifiers"; branches start at zero (Goyal et al. 2017).
    for module in model.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
        elif isinstance(module, BasicBlock):
            nn.init.zeros_(module.bn2.weight)
