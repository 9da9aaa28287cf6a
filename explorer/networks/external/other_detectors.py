"""torchvision's detectors with another backbone, other anchors, heads or sizes than published ones.

A checkpoint tells its backbone, its levels, the widths of its heads and the number of anchors per
cell by its tensors. What is in no tensor (sizes of anchors, of the input) is torchvision's default,
unless a JSON file beside the checkpoint, ``weights.json`` for ``weights.pth``, says it::

    {"anchor_sizes": [[16], [32], [64], [128], [256]], "aspect_ratios": [0.5, 1.0, 2.0],
     "min_size": 640, "max_size": 1024, "image_mean": [0.5, 0.5, 0.5], "image_std": [0.5, 0.5, 0.5]}
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import torchvision.models as tv
from torch import nn
from torchvision.models.detection import FasterRCNN, KeypointRCNN, MaskRCNN, RetinaNet
from torchvision.models.detection.anchor_utils import AnchorGenerator
from torchvision.models.detection.backbone_utils import BackboneWithFPN, _resnet_fpn_extractor
from torchvision.models.detection.faster_rcnn import FastRCNNConvFCHead, RPNHead
from torchvision.models.detection.retinanet import RetinaNetHead
from torchvision.ops.feature_pyramid_network import LastLevelMaxPool, LastLevelP6P7
from torchvision.ops.misc import FrozenBatchNorm2d

from explorer.core.errors import ExplorerError
from explorer.networks.definition import Definition, Variant
from explorer.networks.entry import Entry
from explorer.networks.preprocess import Preprocess
from explorer.networks.zoo import LONGEST_DETECTION

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor

_BODY = "backbone.body."
_DEPTHS: dict[tuple[str, tuple[int, ...]], str] = {
    ("basic", (2, 2, 2, 2)): "resnet18",
    ("basic", (3, 4, 6, 3)): "resnet34",
    ("bottleneck", (3, 4, 6, 3)): "resnet50",
    ("bottleneck", (3, 4, 23, 3)): "resnet101",
    ("bottleneck", (3, 8, 36, 3)): "resnet152",
}
_WIDER = {
    ("resnet50", 128, 4): "resnext50_32x4d",
    ("resnet101", 256, 8): "resnext101_32x8d",
    ("resnet101", 256, 4): "resnext101_64x4d",
    ("resnet50", 128, 128): "wide_resnet50_2",
    ("resnet101", 128, 128): "wide_resnet101_2",
}
"""By the name of the plain one, the width of its first 3 x 3 convolution and its group's."""

BACKBONES = (*_DEPTHS.values(), *_WIDER.values())
_SIZES = (32, 64, 128, 256, 512)
_RATIOS = (0.5, 1.0, 2.0)

SIDECAR = {
    "anchor_sizes": "a list of sizes in pixels for each level",
    "aspect_ratios": "a list of height / width",
    "min_size": "the input's short side in pixels",
    "max_size": "its long side at most",
    "image_mean": "three numbers",
    "image_std": "three numbers",
}
"""What a file beside a checkpoint may say, and what its values are."""


@cache
def definitions() -> tuple[Definition, ...]:
    """The families; they are not listed, as nothing but a checkpoint makes one of them."""
    return tuple(
        Definition(
            entry=Entry(name, title, "detection", "torchvision", f"{title} of a checkpoint."),
            make=make,
            assumed=Variant((), Preprocess(longest=LONGEST_DETECTION, batched=False)),
            arguments=arguments,
            settings=settings_of,
            told=told,
        )
        for name, title, make, arguments in (
            ("fasterrcnn_resnet_fpn", "Faster R-CNN with a ResNet and FPN", _two_stage, _of_two),
            ("retinanet_resnet_fpn", "RetinaNet with a ResNet and FPN", _retinanet, _of_retinanet),
        )
    )


def settings_of(sidecar: Mapping[str, Any]) -> dict[str, Any]:
    """The values of a file beside the checkpoint, as arguments of `make`.

    Raises:
        ExplorerError: A value is not what `SIDECAR` says.
    """
    found: dict[str, Any] = {}
    for key, meaning in SIDECAR.items():
        if key not in sidecar:
            continue
        try:
            found[key] = _value(key, sidecar[key])
        except (TypeError, ValueError) as error:
            raise ExplorerError(
                f"{key} in the file beside the checkpoint is not {meaning}.", "Correct it."
            ) from error
    return found


def _value(key: str, value: Any) -> Any:
    if key in ("min_size", "max_size"):
        return _number(value, whole=True)
    if not isinstance(value, list) or not value:
        raise TypeError(value)
    if key == "anchor_sizes":
        return tuple(
            tuple(
                _number(size, whole=True)
                for size in (level if isinstance(level, list) else [level])
            )
            for level in value
        )
    numbers = tuple(_number(each, whole=False) for each in value)
    if key.startswith("image_") and len(numbers) != 3:
        raise ValueError(value)
    return numbers


def _number(value: Any, *, whole: bool) -> Any:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value < 1e5:
        raise ValueError(value)
    return int(value) if whole else float(value)


def told(arguments: Mapping[str, Any]) -> tuple[str, ...]:
    """What was inferred, in a sentence."""
    sizes, ratios = _anchors(arguments)
    words = f"backbone {arguments['backbone']}, {arguments['levels']} levels"
    if arguments.get("masks"):
        words += ", masks"
    if arguments.get("keypoints"):
        words += f", {arguments['keypoints']} keypoints"
    where = "as the file beside it says" if "anchor_sizes" in arguments else "as usual"
    listed = "; ".join(", ".join(map(str, level)) for level in sizes)
    return (
        f"Read from the checkpoint: {words}. Anchors {where}: {listed} pixels, aspect ratios "
        f"{', '.join(f'{ratio:g}' for ratio in ratios)}.",
    )


# -- from tensors ---------------------------------------------------------------------------------


def backbone_of(state: Mapping[str, Tensor]) -> str | None:
    """The ResNet whose tensors these are; None for no ResNet of torchvision."""
    blocks = tuple(
        len({key.split(".")[3] for key in state if key.startswith(f"{_BODY}layer{stage}.")})
        for stage in (1, 2, 3, 4)
    )
    kind = "bottleneck" if f"{_BODY}layer1.0.conv3.weight" in state else "basic"
    plain = _DEPTHS.get((kind, blocks))
    middle = state.get(f"{_BODY}layer1.0.conv2.weight")
    if plain is None or middle is None or middle.ndim != 4 or kind == "basic":
        return plain
    width, group = middle.shape[:2]
    return plain if (width, group) == (64, 64) else _WIDER.get((plain, width, group))


def _common(state: Mapping[str, Tensor]) -> dict[str, Any]:
    backbone = backbone_of(state)
    if backbone is None:
        return {}
    inner = {key.split(".")[3] for key in state if key.startswith("backbone.fpn.inner_blocks.")}
    frozen = not any(key.endswith(".num_batches_tracked") for key in state)
    return {"backbone": backbone, "stages": len(inner) or 4, "frozen": frozen}


def _of_two(state: Mapping[str, Tensor] | None) -> dict[str, Any]:
    found = _common(state or {})
    if state is None or not found or "rpn.head.bbox_pred.weight" not in state:
        return {}
    logits, hidden = (
        state.get("rpn.head.cls_logits.weight"),
        state.get("roi_heads.box_head.fc6.weight"),
    )
    found["levels"] = found["stages"] + 1  # one more is pooled
    found["per_cell"] = int(logits.shape[0]) if logits is not None else 3
    found["width"] = int(hidden.shape[0]) if hidden is not None else 0
    convs = {key.split(".")[3] for key in state if key.startswith("rpn.head.conv.")}
    found["convolutions"] = max(1, len(convs))
    found["masks"] = "roi_heads.mask_predictor.mask_fcn_logits.weight" in state
    points = state.get("roi_heads.keypoint_predictor.kps_score_lowres.weight")
    found["keypoints"] = int(points.shape[1]) if points is not None and points.ndim == 4 else 0
    found["norms"] = "backbone.fpn.inner_blocks.0.1.weight" in state
    return found


def _of_retinanet(state: Mapping[str, Tensor] | None) -> dict[str, Any]:
    found = _common(state or {})
    boxes = (state or {}).get("head.regression_head.bbox_reg.weight")
    if state is None or not found or boxes is None:
        return {}
    widths = state.get("backbone.fpn.extra_blocks.p6.weight")
    found["levels"] = found["stages"] + 2
    found["per_cell"] = int(boxes.shape[0]) // 4
    found["from_c5"] = widths is not None and widths.shape[1] != widths.shape[0]
    return found


def _anchors(
    arguments: Mapping[str, Any],
) -> tuple[tuple[tuple[int, ...], ...], tuple[float, ...]]:
    """Sizes by level, and aspect ratios."""
    levels = int(arguments.get("levels", 5))
    ratios = tuple(arguments.get("aspect_ratios", _RATIOS))
    if "anchor_sizes" in arguments:
        sizes = tuple(arguments["anchor_sizes"])
        return (sizes * levels if len(sizes) == 1 else sizes), ratios
    if arguments.get("per_cell", 3) == 9:
        octaves = tuple((x, int(x * 2 ** (1 / 3)), int(x * 2 ** (2 / 3))) for x in _SIZES)
        return octaves[:levels], ratios
    return tuple((size,) for size in _SIZES[:levels]), ratios


# -- to modules -----------------------------------------------------------------------------------


def _generator(arguments: Mapping[str, Any]) -> AnchorGenerator:
    sizes, ratios = _anchors(arguments)
    levels, wanted = int(arguments["levels"]), int(arguments["per_cell"])
    if len(sizes) != levels or any(len(level) * len(ratios) != wanted for level in sizes):
        raise ExplorerError(
            f"The checkpoint has {levels} levels with {wanted} anchors per cell; their sizes and "
            "aspect ratios are in no tensor.",
            'Write them into a .json file of the same name beside it: {"anchor_sizes": '
            '[[32], …], "aspect_ratios": [0.5, 1.0, 2.0]}.',
        )
    return AnchorGenerator(sizes, (ratios,) * len(sizes))


def _body(arguments: Mapping[str, Any], extra: Any) -> BackboneWithFPN:
    norm = FrozenBatchNorm2d if arguments.get("frozen") else nn.BatchNorm2d
    trunk = tv.get_model(arguments["backbone"], weights=None, norm_layer=norm)
    stages = int(arguments["stages"])
    layers = list(range(5 - stages, 5))
    fpn_norm = nn.BatchNorm2d if arguments.get("norms") else None
    return _resnet_fpn_extractor(
        trunk, 5, returned_layers=layers, extra_blocks=extra, norm_layer=fpn_norm
    )


def _resized(arguments: Mapping[str, Any]) -> dict[str, Any]:
    keys = ("min_size", "max_size", "image_mean", "image_std")
    return {
        key: list(value) if isinstance(value := arguments[key], tuple) else value
        for key in keys
        if key in arguments
    }


def _checked(arguments: Mapping[str, Any]) -> Mapping[str, Any]:
    return arguments or {
        "backbone": "resnet50", "stages": 4, "levels": 5, "per_cell": 3, "width": 1024,
        "convolutions": 1,
    }  # fmt: skip


def _two_stage(*, num_classes: int, **arguments: Any) -> nn.Module:
    arguments = dict(_checked(arguments))
    body = _body(arguments, LastLevelMaxPool())
    per_cell, channels = int(arguments["per_cell"]), body.out_channels
    more: dict[str, Any] = {
        "rpn_anchor_generator": _generator(arguments),
        "rpn_head": RPNHead(channels, per_cell, conv_depth=int(arguments["convolutions"])),
        **_resized(arguments),
    }
    kind: Any = FasterRCNN
    if arguments.get("masks"):
        kind = MaskRCNN
    elif arguments.get("keypoints"):
        kind, more["num_keypoints"] = KeypointRCNN, arguments["keypoints"]
    if not arguments["width"]:
        more["box_head"] = FastRCNNConvFCHead(
            (channels, 7, 7), [256] * 4, [1024], norm_layer=nn.BatchNorm2d
        )
    module: nn.Module = kind(body, num_classes=num_classes, **more)
    width = int(arguments["width"])
    if width and width != 1024:
        heads: Any = module.get_submodule("roi_heads")
        heads.box_head = tv.detection.faster_rcnn.TwoMLPHead(channels * 49, width)
        heads.box_predictor = tv.detection.faster_rcnn.FastRCNNPredictor(width, num_classes)
    return module


def _retinanet(*, num_classes: int, **arguments: Any) -> nn.Module:
    usual: dict[str, Any] = {
        "backbone": "resnet50",
        "stages": 3,
        "levels": 5,
        "per_cell": 9,
        "from_c5": False,
    }
    arguments = arguments or usual
    extra = LastLevelP6P7(2048 if arguments["from_c5"] else 256, 256)
    body = _body(arguments, extra)
    head = RetinaNetHead(body.out_channels, int(arguments["per_cell"]), num_classes)
    module: nn.Module = RetinaNet(
        body, num_classes, anchor_generator=_generator(arguments), head=head, **_resized(arguments)
    )
    return module
