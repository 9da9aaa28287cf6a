"""The architectures of the networks that ship with the program.

Small enough to train on a laptop and to run live on its processor, and ordinary enough (blocks,
layer names and detection classes are torchvision's own) that everything the program shows about
them holds for their big relatives too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from explorer.networks.embedded.color_range import MEAN, STD
from explorer.networks.embedded.face_points import FacePoints, lite_face_points
from explorer.networks.embedded.lite import EfficientNetLite0, efficientnet_lite0
from explorer.networks.embedded.lite_keypoints import lite_keypointrcnn
from explorer.networks.embedded.lite_masks import lite_maskrcnn
from explorer.networks.embedded.lite_pose import LitePose, lite_pose
from explorer.networks.embedded.lite_rcnn import lite_fasterrcnn
from explorer.networks.embedded.lite_single_stage import lite_retinanet, lite_ssd
from explorer.networks.embedded.localizer import LiteLocalizer, lite_localizer
from explorer.networks.embedded.resnet import MiniResNet, mini_resnet
from explorer.networks.embedded.segmentation.decoders import lite_deconvnet, lite_unet
from explorer.networks.embedded.segmentation.deeplab import LiteDeepLab, lite_deeplab
from explorer.networks.embedded.segmentation.fcn import LiteFCN, lite_fcn
from explorer.networks.embedded.segmentation.frrn import lite_frrn
from explorer.networks.embedded.segmentation.pspnet import lite_pspnet
from explorer.networks.embedded.segmentation.segnet import MiniSegNet, mini_segnet
from explorer.networks.embedded.vgg import MiniVGG, mini_vgg
from explorer.networks.embedded.yolo import YOLOv1, YOLOv2, lite_yolo_v1, lite_yolo_v2

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import nn

ARCHITECTURES: dict[str, Callable[..., nn.Module]] = {
    "mini_resnet": mini_resnet,
    "mini_vgg": mini_vgg,
    "lite_localizer": lite_localizer,
    "efficientnet_lite0": efficientnet_lite0,
    "lite_fasterrcnn": lite_fasterrcnn,
    "lite_retinanet": lite_retinanet,
    "lite_ssd": lite_ssd,
    "lite_yolo_v1": lite_yolo_v1,
    "lite_yolo_v2": lite_yolo_v2,
    "lite_deeplab": lite_deeplab,
    "lite_fcn": lite_fcn,
    "lite_pspnet": lite_pspnet,
    "lite_unet": lite_unet,
    "lite_deconvnet": lite_deconvnet,
    "mini_segnet": mini_segnet,
    "lite_frrn": lite_frrn,
    "lite_keypointrcnn": lite_keypointrcnn,
    "lite_maskrcnn": lite_maskrcnn,
    "lite_pose": lite_pose,
    "lite_face_points": lite_face_points,
}
"""Functions by the name that a model card gives under `architecture`."""

__all__ = [
    "ARCHITECTURES",
    "MEAN",
    "STD",
    "EfficientNetLite0",
    "FacePoints",
    "LiteDeepLab",
    "LiteFCN",
    "LiteLocalizer",
    "LitePose",
    "MiniResNet",
    "MiniSegNet",
    "MiniVGG",
    "YOLOv1",
    "YOLOv2",
    "efficientnet_lite0",
    "lite_deconvnet",
    "lite_deeplab",
    "lite_face_points",
    "lite_fasterrcnn",
    "lite_fcn",
    "lite_frrn",
    "lite_keypointrcnn",
    "lite_localizer",
    "lite_maskrcnn",
    "lite_pose",
    "lite_pspnet",
    "lite_retinanet",
    "lite_ssd",
    "lite_unet",
    "lite_yolo_v1",
    "lite_yolo_v2",
    "mini_resnet",
    "mini_segnet",
    "mini_vgg",
]
