"""Two networks as another package would bring them: what a plug-in for `explorer.networks` is.

A Faster R-CNN with a mobile trunk (FBNetV3-A, blocks 1 to 4, without feature pyramid) for the 91
labels of COCO, and a DeepLabV3 on MobileNetV2 for the 21 classes of PASCAL VOC. Their weights lie
among the shared test data; without them both networks are UNTRAINED.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torchvision.models import get_model_weights, mobilenet_v2
from torchvision.models._utils import IntermediateLayerGetter
from torchvision.models.detection import FasterRCNN
from torchvision.models.detection.anchor_utils import AnchorGenerator
from torchvision.models.detection.faster_rcnn import FastRCNNPredictor
from torchvision.models.segmentation.deeplabv3 import ASPP, DeepLabV3
from torchvision.ops import MultiScaleRoIAlign, roi_align

from explorer.networks.plugins import Plugin
from explorer.networks.preprocess import Preprocess
from tests.data import shared_data

if TYPE_CHECKING:
    from collections.abc import Iterator

FRCNN = "weights/fasterrcnn_fbnetv3a_c4_coco_fp16.pth"
DEEPLAB = "weights/deeplabv3_mobilenetv2_voc21_fp16.pth"

VOC = (
    "__background__", "aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat",
    "chair", "cow", "diningtable", "dog", "horse", "motorbike", "person", "pottedplant", "sheep",
    "sofa", "train", "tvmonitor",
)  # fmt: skip


class InvertedResidual(nn.Module):
    """Widen, filter each channel by itself, narrow (Sandler et al. 2018); norms are folded in."""

    def __init__(self, inputs: int, wide: int, outputs: int, kernel: int, stride: int = 1) -> None:
        super().__init__()
        self.pw = nn.Conv2d(inputs, wide, 1) if wide else None
        wide = wide or inputs
        self.dw = nn.Conv2d(wide, wide, kernel, stride, kernel // 2, groups=wide)
        self.pwl = nn.Conv2d(wide, outputs, 1)
        self.relu = nn.ReLU()
        self.residual = inputs == outputs and stride == 1

    def forward(self, x: Tensor) -> Tensor:
        y = x if self.pw is None else self.relu(self.pw(x))
        y = self.pwl(self.dw(y))
        return x + y if self.residual else y


class Trunk(nn.Sequential):
    """(N, 3, H, W) -> (N, 112, H/16, W/16)."""

    out_channels = 112

    def __init__(self) -> None:
        rows = [
            (16, 0, 16, 3, 1), (16, 64, 32, 5, 2), (32, 64, 32, 5, 1), (32, 128, 40, 5, 2),
            (40, 120, 40, 3, 1), (40, 120, 40, 3, 1), (40, 120, 40, 3, 1), (40, 160, 72, 5, 2),
            (72, 216, 72, 3, 1), (72, 216, 72, 3, 1), (72, 216, 72, 3, 1), (72, 288, 112, 5, 1),
            (112, 448, 112, 5, 1), (112, 448, 112, 5, 1), (112, 448, 112, 5, 1),
        ]  # fmt: skip
        super().__init__(
            nn.Conv2d(3, 16, 3, 2, 1), nn.ReLU(), *(InvertedResidual(*row) for row in rows)
        )


class ProposalHead(nn.Module):
    """Three blocks, then 15 anchors at every place."""

    def __init__(self) -> None:
        super().__init__()
        self.feat = nn.Sequential(*(InvertedResidual(112, 448, 112, 5) for _ in range(3)))
        self.cls_logits = nn.Conv2d(112, 15, 1)
        self.bbox_pred = nn.Conv2d(112, 60, 1)

    def forward(self, maps: list[Tensor]) -> tuple[list[Tensor], list[Tensor]]:
        seen = [self.feat(x) for x in maps]
        return [self.cls_logits(x) for x in seen], [self.bbox_pred(x) for x in seen]


class BoxHead(nn.Sequential):
    """(K, 112, 6, 6) -> (K, 160)."""

    def __init__(self) -> None:
        super().__init__(
            InvertedResidual(112, 448, 128, 3, 2),
            InvertedResidual(128, 768, 128, 3),
            InvertedResidual(128, 768, 128, 3),
            InvertedResidual(128, 768, 160, 3),
        )

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x).mean(dim=(2, 3))


class AlignedPooler(MultiScaleRoIAlign):
    """Samples half a pixel where torchvision's pooler does not: ``aligned=True``."""

    def __init__(self) -> None:
        super().__init__(featmap_names=["0"], output_size=6, sampling_ratio=0)

    def forward(
        self, x: dict[str, Tensor], boxes: list[Tensor], image_shapes: list[tuple[int, int]]
    ) -> Tensor:
        return roi_align(x["0"], boxes, self.output_size, 1 / 16, self.sampling_ratio, aligned=True)


def faster_rcnn(num_classes: int) -> FasterRCNN:
    """Its own scale is a short side of 320."""
    return FasterRCNN(
        Trunk(),
        rpn_anchor_generator=AnchorGenerator(((32, 64, 96, 128, 160),), ((0.5, 1.0, 2.0),)),
        rpn_head=ProposalHead(),
        box_roi_pool=AlignedPooler(),
        box_head=BoxHead(),
        box_predictor=FastRCNNPredictor(160, num_classes),
        min_size=320,
        max_size=640,
        rpn_pre_nms_top_n_test=1000,
        rpn_post_nms_top_n_test=30,
    )


def deeplab(num_classes: int) -> DeepLabV3:
    """Stride 16: the last stage of MobileNetV2 is dilated instead of strided."""
    features = mobilenet_v2().features[:18]
    for index in range(14, 18):
        filters = features[index].conv[1][0]
        if index == 14:
            filters.stride = (1, 1)
        else:
            filters.dilation = filters.padding = (2, 2)
    head = nn.Sequential(ASPP(320, [], 256), nn.Conv2d(256, num_classes, 1))
    return DeepLabV3(IntermediateLayerGetter(features, {"17": "out"}), head)


def networks() -> Iterator[Plugin]:
    """What the entry point names."""
    coco = get_model_weights("fasterrcnn_resnet50_fpn").COCO_V1.meta["categories"]
    yield Plugin(
        name="fasterrcnn_fbnetv3a_c4",
        title="Faster R-CNN FBNetV3-A C4",
        task="detection",
        classes=tuple(coco),
        build=faster_rcnn,
        preprocess=Preprocess(batched=False),
        summary="Finds the objects of COCO with a mobile trunk of one scale.",
        weights=shared_data(FRCNN),
        weights_title="COCO, 80 classes",
        metrics=(("VOC mAP50", 0.694),),
    )
    yield Plugin(
        name="deeplabv3_mobilenet_v2",
        title="DeepLabV3 MobileNet v2",
        task="segmentation",
        classes=VOC,
        build=deeplab,
        preprocess=Preprocess(resize=(513, 513), mean=(0.5,) * 3, std=(0.5,) * 3),
        summary="Classifies every pixel with one of the 20 VOC classes.",
        weights=shared_data(DEEPLAB),
        weights_title="PASCAL VOC, 20 classes",
    )


def failing() -> Iterator[Plugin]:
    """A plug-in that breaks while it lists its networks."""
    yield next(networks())
    torch.empty(-1)
