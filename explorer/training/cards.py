"""What gets shipped: the averaged weights in half precision and a model card beside them."""

from __future__ import annotations

import datetime
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from safetensors.torch import save_file
from torch.utils.flop_counter import FlopCounterMode

from explorer.networks.embedded import ARCHITECTURES, MEAN, STD
from explorer.training import classifier, evaluate
from explorer.training.loop import CHECKPOINT, CONFIG, load_average, write_json
from explorer.training.scenes import SceneMaker
from explorer.training.superclasses import group_labels, group_names

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from torch import Tensor, nn

    from explorer.training.data import Category, Photos
    from explorer.training.scenes import Scene

DATA = (
    "Tiny ImageNet (Stanford CS231n): 76 000 photos of 64x64 for training, 5 000 others for the"
    " figures; 200 classes, one box each"
)
LICENCE = (
    "Learned from photos that ImageNet offers for non-commercial research and education: mind its"
    " terms before any other use. The program contains none of these photos."
)
CLASSIFIER_SIDE = 80
"""Short side and centre crop for a photo of any size: the best of those tried."""

DETECTOR_SIDE = 192
"""Less than the side of the training scenes: objects fill more of a real photo than of a scene, and
they look more like the small photos that the scenes are made of. On 128 COCO photos AP50 was 0.050
at 256, 0.073 at 192 and 0.077 at 160; on the scenes 0.241, 0.225 and 0.198."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Facts:
    """What the cards of the networks differ in."""

    title: str
    task: str
    function: str
    kwargs: dict[str, Any]
    classes: list[str]
    preprocessing: dict[str, Any]
    example: tuple[int, ...]
    measured_on: str
    default_layer: str
    extra: dict[str, Any]


def classifier_facts(categories: Sequence[Category]) -> Facts:
    side = CLASSIFIER_SIDE
    return Facts(
        title="Mini ResNet",
        task="classification",
        function="mini_resnet",
        kwargs={"num_classes": len(categories)},
        classes=[c.name for c in categories],
        preprocessing={
            "resize": side,
            "crop": side,
            "mean": list(MEAN),
            "std": list(STD),
            "interpolation": "bilinear",
            "batched": True,
        },
        example=(1, 3, side, side),
        measured_on="{} photos that the training did not use",
        default_layer="layer3",
        extra={
            "wnids": [c.wnid for c in categories],
            "class_tree": "classes/tiny-imagenet.json",
        },
    )


def detector_facts() -> Facts:
    names = ["background", *group_names()]
    return Facts(
        title="Mini Faster R-CNN",
        task="detection",
        function="mini_fasterrcnn",
        kwargs={"num_classes": len(names), "short_side": DETECTOR_SIDE},
        classes=names,
        preprocessing={"resize": None, "crop": None, "mean": None, "std": None, "batched": False},
        example=(1, 3, 320, 320),
        measured_on="300 scenes made of {} photos that the training did not use",
        default_layer="backbone.body.layer3",
        extra={"input": f"the network itself resizes the short side to {DETECTOR_SIDE}"},
    )


def export(
    name: str,
    facts: Facts,
    source: Path,
    target: Path,
    val: Photos,
    categories: Sequence[Category],
    coco: Path | None = None,
) -> dict[str, Any]:
    """Write NAME.safetensors and NAME.json into `target` from the checkpoint in `source`.

    The figures on the card are those of the rounded weights that are shipped, on photos that were
    not used for training.
    """
    weights, step = load_average(source / CHECKPOINT)
    weights = to_half(weights)
    model = ARCHITECTURES[facts.function](**facts.kwargs)
    model.load_state_dict({key: _single(value) for key, value in weights.items()})
    model.eval()
    metrics = measure(model, facts, val, categories, coco)

    target.mkdir(parents=True, exist_ok=True)
    path = target / f"{name}.safetensors"
    partial = path.with_suffix(".partial")
    save_file(weights, partial)
    partial.chmod(0o644)  # safetensors writes for the owner only
    partial.replace(path)
    config = json.loads((source / CONFIG).read_text(encoding="utf-8"))
    card = {
        "name": name,
        "title": facts.title,
        "task": facts.task,
        "architecture": {"function": facts.function, "kwargs": facts.kwargs},
        "weights": path.name,
        "bytes": path.stat().st_size,
        "dtype": "float16 in the file, float32 in use",
        "parameters": sum(p.numel() for p in model.parameters()),
        "flops": {"input": list(facts.example), "value": flops(model, facts.example)},
        "preprocessing": facts.preprocessing,
        "default_layer": facts.default_layer,
        "metrics": metrics,
        "measured_on": facts.measured_on.format(len(val)),
        "data": DATA,
        "licence": LICENCE,
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "seed": config["seed"],
        "recipe": {**config, "steps": step},
        **facts.extra,
        "classes": facts.classes,
    }
    write_json(target / f"{name}.json", card)
    return card


def measure(
    model: nn.Module,
    facts: Facts,
    val: Photos,
    categories: Sequence[Category],
    coco: Path | None = None,
) -> dict[str, Any]:
    """The figures of a card; `coco` is a folder with real photos to try detectors on."""
    if facts.task == "classification":
        side = facts.preprocessing["crop"]
        found = classifier.accuracy(model, val, side=side)
        return {key: round(value, 4) for key, value in found.items()}
    scenes = evaluate.held_out_scenes(SceneMaker(val, group_labels(categories)))
    figures = _precision(model, scenes, facts.classes)
    if coco is not None:
        figures["COCO photos"] = _precision(model, evaluate.coco_scenes(coco), facts.classes)
    return figures


def _precision(model: nn.Module, scenes: list[Scene], names: list[str]) -> dict[str, Any]:
    figures = evaluate.average_precision(scenes, evaluate.detect(model, scenes), names)
    return {k: round(v, 4) if isinstance(v, float) else v for k, v in figures.items()}


def flops(model: nn.Module, shape: tuple[int, ...]) -> int:
    """Floating-point operations of one input (a multiplication and an addition are two)."""
    images = torch.rand(shape)
    # torchvision's detectors take a list of photos, everything else a batch
    value = list(images) if hasattr(model, "roi_heads") else images
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        model(value)
    return int(counter.get_total_flops())


def to_half(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """float16 where the value is a float; raises ValueError where one would overflow."""
    result = {}
    for name, value in weights.items():
        half = value.half() if value.is_floating_point() else value
        if value.is_floating_point() and not torch.isfinite(half).all():
            raise ValueError(f"{name} does not fit into float16")
        result[name] = half.contiguous()
    return result


def _single(value: Tensor) -> Tensor:
    return value.float() if value.is_floating_point() else value
