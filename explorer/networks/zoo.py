"""All of torchvision's image networks as catalog definitions.

Nothing here builds a network while listing, and nothing triggers torchvision's own downloads:
modules are built with ``weights=None`` and brought to what torchvision would have built around the
weights (frozen batch norms, auxiliary heads, input size), as their tensors tell.
"""

from __future__ import annotations

import re
from functools import cache, partial
from math import isqrt
from typing import TYPE_CHECKING, Any

import torchvision.models as tv
from torch import nn
from torchvision.ops.misc import FrozenBatchNorm2d

from explorer.networks.definition import Definition, Variant, as_it_is
from explorer.networks.entry import Entry, WeightsOption, classes_in, described
from explorer.networks.preprocess import Preprocess

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor

    from explorer.core.network_info import Task

LONGEST = 8192
"""No input side grows beyond this: a thin strip of a photo would otherwise need gigabytes."""

LONGEST_DETECTION = 4096
"""Detectors shrink every photo to about 1333 pixels by themselves; a huge one is shrunk before."""

_FROZEN_WHEN_TRAINED = {
    "fasterrcnn_resnet50_fpn",
    "fasterrcnn_mobilenet_v3_large_320_fpn",
    "fasterrcnn_mobilenet_v3_large_fpn",
    "fcos_resnet50_fpn",
    "keypointrcnn_resnet50_fpn",
    "maskrcnn_resnet50_fpn",
    "retinanet_resnet50_fpn",
}

# torchvision sets the norms' epsilon to 0 for these, which were trained in another framework.
_NO_EPSILON = {
    ("fasterrcnn_resnet50_fpn", "COCO_V1"),
    ("keypointrcnn_resnet50_fpn", "COCO_V1"),
    ("maskrcnn_resnet50_fpn", "COCO_V1"),
    ("retinanet_resnet50_fpn", "COCO_V1"),
}

_INCEPTIONS = {"googlenet", "inception_v3"}

_WORDS = {
    "alexnet": "AlexNet", "convnext": "ConvNeXt", "deeplabv": "DeepLabV", "densenet": "DenseNet-",
    "efficientnet": "EfficientNet", "fasterrcnn": "Faster R-CNN", "fcn": "FCN", "fcos": "FCOS",
    "fpn": "FPN", "googlenet": "GoogLeNet", "inception": "Inception", "lraspp": "LR-ASPP",
    "keypointrcnn": "Keypoint R-CNN", "maskrcnn": "Mask R-CNN", "maxvit": "MaxViT",
    "mnasnet": "MNASNet ", "mobilenet": "MobileNet", "regnet": "RegNet", "resnet": "ResNet-",
    "resnext": "ResNeXt-", "retinanet": "RetinaNet", "shufflenet": "ShuffleNet", "ssd": "SSD",
    "squeezenet": "SqueezeNet ", "ssdlite": "SSDLite", "swin": "Swin", "vgg": "VGG-", "vit": "ViT",
    "wide": "Wide", "bn": "BN", "large": "Large", "small": "Small", "base": "Base", "tiny": "Tiny",
    "t": "Tiny", "s": "Small", "m": "Medium", "b": "Base", "l": "Large", "h": "Huge",
    "x": "X", "y": "Y",
}  # fmt: skip
_DECIMALS = re.compile(r"(?<=net)(\d)_(\d)|(?<=_x)(\d)_(\d)|(?<=_)(\d)_(\d)(?=gf)")


@cache
def definitions() -> tuple[Definition, ...]:
    """Classification first, then detection, segmentation; in torchvision's order within each."""
    rooms: tuple[tuple[Any, Task], ...] = (
        (tv, "classification"),
        (tv.detection, "detection"),
        (tv.segmentation, "segmentation"),
    )
    return tuple(
        _definition(name, task) for room, task in rooms for name in tv.list_models(module=room)
    )


def _definition(name: str, task: Task) -> Definition:
    kinds = tv.get_model_weights(name)
    members = sorted(kinds, key=lambda member: member is not kinds.DEFAULT)
    variants = {member.name: _variant(name, task, member) for member in members}
    options = tuple(_option(member) for member in members)
    best = members[0]
    entry = Entry(
        name=name,
        title=_title(name),
        task=task,
        family="torchvision",
        summary=described(
            task, name, best.meta.get("categories") or (), best.meta.get("num_params", 0)
        )
        + ".",
        weights=options,
        num_classes=len(best.meta.get("categories") or ()),
        parameters=int(best.meta.get("num_params", 0)),
        min_size=tuple(best.meta.get("min_size", (1, 1))),
    )
    return Definition(
        entry=entry,
        make=partial(_make, name, task),
        assumed=_variant(name, task, best, trained=False),
        variants=variants,
        arguments=partial(_arguments, name, task),
        finish=_drop_auxiliary_heads if name in _INCEPTIONS else as_it_is,
    )


def _option(member: Any) -> WeightsOption:
    metrics = tuple(
        (f"{data} {metric}", float(value))
        for data, values in member.meta.get("_metrics", {}).items()
        for metric, value in values.items()
        if value == value  # weights without a head have NaN here
    )
    return WeightsOption(
        name=member.name,
        title=f"{_data(member)} ({member.name})",
        state="download",
        megabytes=float(member.meta.get("_file_size", 0.0)),
        metrics=metrics,
        categories=classes_in(member.meta.get("categories") or ()),
        url=member.url,
        license=member.meta.get("license", ""),
    )


def _variant(name: str, task: Task, member: Any, *, trained: bool = True) -> Variant:
    classes = tuple(member.meta.get("categories") or ())
    return Variant(
        classes=classes,
        preprocess=preprocess_of(member.transforms(), task),
        keypoints=tuple(member.meta.get("keypoint_names", ())),
        features_only=not classes,
        finish=_no_epsilon if trained and (name, member.name) in _NO_EPSILON else as_it_is,
        notes=("These weights have no trained head: use them for features.",)
        if not classes
        else (),
    )


def preprocess_of(preset: Any, task: Task) -> Preprocess:
    """The transform object of torchvision's weights, as our own steps with a frame."""
    if task == "detection":
        return Preprocess(longest=LONGEST_DETECTION, batched=False)
    crop = getattr(preset, "crop_size", None)
    return Preprocess(
        resize=preset.resize_size[0],
        crop=crop[0] if crop else None,
        mean=tuple(preset.mean),
        std=tuple(preset.std),
        longest=LONGEST,
        interpolation=preset.interpolation.value,
    )


def _arguments(name: str, task: Task, state: Mapping[str, Tensor] | None) -> dict[str, Any]:
    if state is None:
        return {}
    found: dict[str, Any] = {}
    if name in _INCEPTIONS:
        found["aux_logits"] = any(key.startswith(("aux1.", "AuxLogits.")) for key in state)
        found["init_weights"] = False
    if task == "segmentation" and name != "lraspp_mobilenet_v3_large":
        found["aux_loss"] = any(key.startswith("aux_classifier.") for key in state)
    if name in _FROZEN_WHEN_TRAINED:
        found["frozen"] = not any(key.endswith(".num_batches_tracked") for key in state)
    points = state.get("roi_heads.keypoint_predictor.kps_score_lowres.weight")
    if name.startswith("keypointrcnn") and points is not None and points.ndim == 4:
        found["num_keypoints"] = points.shape[1]
    places, patches = state.get("encoder.pos_embedding"), state.get("conv_proj.weight")
    if (
        name.startswith("vit_")
        and places is not None
        and patches is not None
        and (places.ndim, patches.ndim) == (3, 4)
    ):
        found["image_size"] = isqrt(max(places.shape[1] - 1, 1)) * patches.shape[-1]
    return found


def _make(
    name: str, task: Task, *, num_classes: int, frozen: bool = False, **arguments: Any
) -> nn.Module:
    if name in _INCEPTIONS:
        # The trained weights expect inputs normalized as they were in another framework.
        arguments = {"transform_input": True, "init_weights": True, **arguments}
    if task != "classification":
        arguments["weights_backbone"] = None
    module: nn.Module = tv.get_model(name, weights=None, num_classes=num_classes, **arguments)
    if frozen:
        _freeze_norms(module.get_submodule("backbone"))
    return module


def _freeze_norms(module: nn.Module) -> None:
    for name, child in module.named_children():
        if isinstance(child, nn.BatchNorm2d):
            setattr(module, name, FrozenBatchNorm2d(child.num_features, eps=child.eps))
        else:
            _freeze_norms(child)


def _no_epsilon(module: nn.Module) -> None:
    for child in module.modules():
        if isinstance(child, FrozenBatchNorm2d):
            child.eps = 0.0


def _drop_auxiliary_heads(module: nn.Module) -> None:
    # They take part in training only.
    module.__dict__["aux_logits"] = False
    for name in ("aux1", "aux2", "AuxLogits"):
        if hasattr(module, name):
            setattr(module, name, None)


def _data(member: Any) -> str:
    data = next(iter(member.meta.get("_metrics", {})), "")
    return {"COCO-val2017": "COCO", "COCO-val2017-VOC-labels": "COCO with VOC labels"}.get(
        data, data or "ImageNet-1K"
    )


def _title(name: str) -> str:
    name = _DECIMALS.sub(lambda found: ".".join(part for part in found.groups() if part), name)
    return " ".join(" ".join(map(_word, name.split("_"))).split())


def _word(word: str) -> str:
    letters = word.rstrip("0123456789.")
    number = word[len(letters) :]
    if number and len(letters) == 1:  # "b0", "v2", "x0.5"
        return word if letters == "v" else word.upper()
    return f"{_WORDS[letters]}{number}" if letters in _WORDS else word
