"""Tiny networks whose answers can be worked out by hand, and real ones small enough for a test."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torchvision.models.detection import FasterRCNN
from torchvision.models.detection.anchor_utils import AnchorGenerator
from torchvision.models.detection.mask_rcnn import MaskRCNNHeads, MaskRCNNPredictor
from torchvision.ops import MultiScaleRoIAlign

from explorer.core.network_info import LayerInfo, NetworkInfo, NetworkSpec, Task
from explorer.images.image import Image, from_array
from explorer.networks.digest import lazily
from explorer.networks.embedded import ARCHITECTURES
from explorer.networks.embedded.lite_keypoints import lite_keypointrcnn
from explorer.networks.embedded.localizer import BoxHead
from explorer.networks.network import Network
from explorer.networks.preprocess import Preprocess


def make_network(
    module: nn.Module,
    task: Task,
    *,
    classes: tuple[str, ...] = (),
    preprocess: Preprocess | None = None,
    default_layer: str = "",
    class_paths: tuple[tuple[str, ...], ...] = (),
    name: str = "toy",
    keypoints: tuple[str, ...] = (),
) -> Network:
    """Any module as a network on the CPU: in eval mode, weights frozen."""
    module.eval().requires_grad_(requires_grad=False)
    preprocess = preprocess or Preprocess(batched=task != "detection")
    layers = tuple(
        LayerInfo(
            path, type(child).__name__, path.count("."), next(child.children(), None) is None,
            sum(p.numel() for p in child.parameters()),
        )
        for path, child in module.named_modules() if path
    )  # fmt: skip
    info = NetworkInfo(
        spec=NetworkSpec(name), title=name, task=task, classes=classes, layers=layers,
        state="local", weights_title="by hand", device="cpu", dtype="float32",
        parameters=sum(p.numel() for p in module.parameters()), input_title=preprocess.title(),
        class_paths=class_paths, default_layer=default_layer, keypoints=keypoints,
        digester=lazily(module),
    )  # fmt: skip
    return Network(info, module, preprocess, torch.device("cpu"), torch.float32)


def toy_image(height: int = 48, width: int = 64, seed: int = 0) -> Image:
    """A smooth colored gradient with a bright square, and some noise."""
    y, x = np.mgrid[0:height, 0:width]
    rgb = np.stack([255 * x / width, 255 * y / height, 128 + 0 * x], axis=2)
    rgb[height // 4 : height // 2, width // 4 : width // 2] = 250
    rgb += np.random.default_rng(seed).normal(0, 4, rgb.shape)
    return from_array(rgb.clip(0, 255).astype(np.uint8), "toy")


class MeanClassifier(nn.Module):
    """Logit k of class k is gain[k] times the mean of color channel k."""

    def __init__(self, gain: tuple[float, ...] = (1.0, 2.0, 4.0)) -> None:
        super().__init__()
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(3, len(gain), bias=False)
        self.fc.weight.data = torch.diag(torch.tensor(gain))

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(self.pool(x).flatten(1))


class ToyConvNet(nn.Module):
    """Two convolutions with in-place ReLUs; the first one's three kernels are set by hand.

    `conv1` channel 0 is red, channel 1 is minus green (dead after the ReLU), channel 2 is blue -
    0.25; stride 2 and a 1x1 kernel, so cell (i, j) is pixel (2i, 2j).
    """

    def __init__(self, classes: int = 4) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 3, 1, stride=2)
        self.relu = nn.ReLU(inplace=True)
        self.conv2 = nn.Conv2d(3, 8, 3, padding=1)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(8, classes)
        self.conv1.weight.data = torch.diag(torch.tensor([1.0, -1.0, 1.0])).view(3, 3, 1, 1)
        self.conv1.bias.data = torch.tensor([0.0, 0.0, -0.25])
        generator = torch.Generator().manual_seed(0)
        for layer in (self.conv2, self.fc):
            layer.weight.data = torch.randn(layer.weight.shape, generator=generator) * 0.3
            layer.bias.data.zero_()

    def forward(self, x: Tensor) -> Tensor:
        x = self.relu(self.conv1(x))
        x = self.relu(self.conv2(x))  # the same ReLU twice, as many real networks do
        return self.fc(self.pool(x).flatten(1))


class WindowClassifier(nn.Module):
    """Two convolutions and poolings without padding, then two linear layers on 2 x 2 bins."""

    def __init__(self, padding: int = 0) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(3, 8, 3, padding=padding), nn.ReLU(inplace=True), nn.MaxPool2d(2),
            nn.Conv2d(8, 12, 3, padding=padding), nn.ReLU(inplace=True), nn.MaxPool2d(2),
        )  # fmt: skip
        self.avgpool = nn.AdaptiveAvgPool2d(2)
        self.classifier = nn.Sequential(
            nn.Linear(48, 10), nn.ReLU(inplace=True), nn.Dropout(), nn.Linear(10, 5)
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.classifier(self.avgpool(self.features(x)).flatten(1))


class ToyBackbone(ToyConvNet):
    """The same without its head: answers with the maps of `conv2`."""

    def __init__(self) -> None:
        super().__init__()
        del self.pool, self.fc

    def forward(self, x: Tensor) -> Tensor:
        return self.relu(self.conv2(self.relu(self.conv1(x))))


class ToyPose(ToyConvNet):
    """The same as a cascade of two stages that locates two joints, the second near the first."""

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        first = super().forward(x).sigmoid().unflatten(1, (-1, 2))
        parts = torch.cat([first - 0.1, first + 0.1], dim=2)
        return {
            "joints": first + 0.05,
            "stages": torch.stack([first, first + 0.05]),
            "parts": parts[None],
        }


class FixedDetector(nn.Module):
    """Always answers with the same boxes; `score_thresh` is its floor, as in torchvision."""

    def __init__(self, answer: dict[str, Tensor]) -> None:
        super().__init__()
        self.answer = answer
        self.score_thresh = 0.05
        self.identity = nn.Identity()

    def forward(self, images: list[Tensor]) -> list[dict[str, Tensor]]:
        self.identity(images[0])
        return [self.answer]


class FixedSegmenter(nn.Module):
    """Logits of three classes per pixel: 0, 4 x red, 4 x green; torchvision's dict."""

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Conv2d(3, 3, 1, bias=False)
        self.head.weight.data = torch.tensor([[0.0, 0, 0], [4, 0, 0], [0, 4, 0]]).view(3, 3, 1, 1)

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        return OrderedDict(out=self.head(x))


class _Backbone(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 8, 3, stride=4, padding=1)
        self.relu = nn.ReLU(inplace=True)
        self.conv2 = nn.Conv2d(8, 16, 3, stride=4, padding=1)
        self.out_channels = 16

    def forward(self, x: Tensor) -> Tensor:
        return self.conv2(self.relu(self.conv1(x)))


def tiny_faster_rcnn(classes: int = 5, *, min_size: int = 64, max_size: int = 96) -> FasterRCNN:
    """A real Faster R-CNN that takes milliseconds; random weights, always the same."""
    with torch.random.fork_rng():
        torch.manual_seed(1)
        return FasterRCNN(
            _Backbone(), num_classes=classes, min_size=min_size, max_size=max_size,
            rpn_anchor_generator=AnchorGenerator(((16, 32),), ((0.5, 1.0, 2.0),)),
            box_roi_pool=MultiScaleRoIAlign(["0"], 3, 2), box_score_thresh=0.0,
            box_detections_per_img=20,
        )  # fmt: skip


def tiny_mask_rcnn(classes: int = 5) -> FasterRCNN:
    """The same with a mask branch of two convolutions on 6x6 bins, which gives masks of 12x12."""
    module = tiny_faster_rcnn(classes)
    heads: Any = module.roi_heads
    with torch.random.fork_rng():
        torch.manual_seed(5)
        heads.mask_roi_pool = MultiScaleRoIAlign(["0"], 6, 2)
        heads.mask_head = MaskRCNNHeads(16, (8, 8), 1)
        heads.mask_predictor = MaskRCNNPredictor(8, 8, classes)
    return module


def toy_mask_network() -> Network:
    """A network for views of instances."""
    names = ("__background__", "cat", "dog", "N/A", "car")
    return make_network(
        tiny_mask_rcnn(len(names)), "detection", classes=names, default_layer="backbone.conv2"
    )


def toy_yolo_network(version: int = 1) -> Network:
    """A YOLO of the embedded kind with random weights; v2 has a small tree of words."""
    names = ("__background__", "cat", "dog", "cup")
    tree = {
        "words": ("animal", "cat", "dog", "cup"), "parents": (-1, 0, 0, -1), "labels": (0, 1, 2, 3),
        "priors": ((1.0, 1.0), (3.0, 2.0)), "fine": 4,
    }  # fmt: skip
    options = tree if version == 2 else {}
    with torch.random.fork_rng():
        torch.manual_seed(3)
        module = ARCHITECTURES[f"lite_yolo_v{version}"](4, side=96, width=8, **options)
        for part in module.body.modules():  # as made, its maps are all but zero
            if isinstance(part, nn.Conv2d):
                nn.init.kaiming_normal_(part.weight)
        nn.init.normal_(module.predictor.weight, std=0.02)
    module.score_thresh = 0.0
    return make_network(module, "detection", classes=names, default_layer="head")


def toy_single_stage_network() -> Network:
    """An SSD of the embedded kind with random weights."""
    names = ("__background__", "cat", "dog", "cup")
    with torch.random.fork_rng():
        torch.manual_seed(4)
        module = ARCHITECTURES["lite_ssd"](4, width=16, score=0.0)
    return make_network(module, "detection", classes=names, default_layer="backbone.extra")


def few_proposals(module: Any, *, before: int, after: int, overlap: float = 0.7) -> None:
    """A Faster R-CNN lets so many boxes of a level into its first suppression, and out of it."""
    rpn = module.rpn
    # private: torchvision takes both only when the network is made
    rpn._pre_nms_top_n["testing"] = before
    rpn._post_nms_top_n["testing"] = after
    rpn.nms_thresh = overlap


def toy_keypoint_network(*, score: float = 0.0) -> Network:
    """A Keypoint R-CNN of the embedded kind for any view of keypoints; random weights."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        module = lite_keypointrcnn(
            2, fine=5, layers=(8, 8), score=score, most=6, width=16, hidden=16,
            short_side=64, long_side=96,
        )  # fmt: skip
    return make_network(
        module, "detection", classes=("__background__", "person"), default_layer="backbone.fpn"
    )


class ToyLocalizer(nn.Module):
    """Four classes, each with a box of its own from the last map."""

    attached_to = "body"

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(3, 8, 3, stride=2, padding=1), nn.ReLU(inplace=True),
            nn.Conv2d(8, 16, 3, stride=2, padding=1), nn.ReLU(inplace=True),
        )  # fmt: skip
        self.classifier = nn.Linear(16, 4)
        self.head = BoxHead(16, "conv", 4, grid=2)

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        found = self.body(x)
        logits, boxes = self.classifier(found.mean((2, 3))), self.head(found).clamp(0, 1)
        best = boxes[torch.arange(len(x), device=x.device), logits.argmax(1)]
        return {"logits": logits, "boxes": best, "boxes_per_class": boxes}


def toy_network(task: str) -> Network:
    """A network for any view of `task`, with names, a class tree where there can be one."""
    if task == "detection":
        names = ("__background__", "cat", "dog", "N/A", "car")
        return make_network(
            tiny_faster_rcnn(len(names)), "detection", classes=names, default_layer="backbone.conv2"
        )
    if task == "localization":
        with torch.random.fork_rng():
            torch.manual_seed(2)
            localizer = ToyLocalizer()
        return make_network(
            localizer, "localization",
            classes=("cat", "dog", "car", "cup"), default_layer="body.0",
            preprocess=Preprocess(resize=32, crop=32, mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5)),
        )  # fmt: skip
    if task == "pose":
        return make_network(
            ToyPose(), "pose", classes=("__background__", "person"), default_layer="conv2",
            keypoints=("left_shoulder", "right_hip"),
            preprocess=Preprocess(resize=32, crop=32, mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5)),
        )  # fmt: skip
    if task == "features":
        return make_network(ToyBackbone(), "features", default_layer="conv2")
    if task == "segmentation":
        return make_network(
            FixedSegmenter(), "segmentation", classes=("__background__", "red", "green"),
            default_layer="head",
        )  # fmt: skip
    paths = (
        ("thing", "animal", "cat"),
        ("thing", "animal", "dog"),
        ("thing", "car"),
        ("thing", "cup"),
    )
    preprocess = Preprocess(resize=32, crop=32, mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5))
    return make_network(
        ToyConvNet(), "classification", classes=("cat", "dog", "car", "cup"), class_paths=paths,
        preprocess=preprocess, default_layer="conv2",
    )  # fmt: skip


def hook_count(module: nn.Module) -> int:
    """Forward, pre-forward and backward hooks on the module and everything below it."""
    kinds: tuple[Any, ...] = (
        "_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks",
    )  # fmt: skip
    return sum(len(getattr(child, kind)) for child in module.modules() for kind in kinds)
