"""What gets shipped: the averaged weights in 16 or 8 bits and a model card beside them."""

from __future__ import annotations

import datetime
import json
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

import torch
from safetensors.torch import load_file, save_file
from torch.utils.flop_counter import FlopCounterMode

from explorer.core.resources import resource_path
from explorer.networks.checkpoints.eight_bit import packed, unpacked
from explorer.networks.embedded import ARCHITECTURES
from explorer.networks.faces import FACES
from explorer.networks.generative import GENERATIVE
from explorer.training.checkpoints import CHECKPOINT, load_average
from explorer.training.loop import CONFIG, write_json

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from torch import Tensor, nn

    from explorer.training.lessons.registry import Material

DATA = (
    "Tiny ImageNet (Stanford CS231n): 76,000 training photos of 64 x 64 pixels, 5,000 held-out"
    " photos for the metrics; 200 classes, one box per photo"
)
LICENSE = (
    "Trained on photos that ImageNet offers for non-commercial research and education: check its"
    " terms before any other use. The program contains none of these photos."
)

_MAKERS = {**ARCHITECTURES, **GENERATIVE, **FACES}


@dataclass(frozen=True, slots=True)
class Share:
    """Weights called `prefix`… here are those called `source`… in the file of `network`."""

    network: str
    prefix: str
    source: str


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Facts:
    """What the cards of the networks differ in.

    `shares` are weights that lie in another network's file and are not written a second time.
    "{}" in `measured_on` becomes the number of photos kept apart. With `eight_bit` large tensors
    are stored as in `checkpoints.eight_bit`.
    """

    title: str
    task: str
    function: str
    kwargs: dict[str, Any]
    classes: list[str]
    preprocessing: dict[str, Any]
    example: tuple[int, ...]
    measured_on: str
    default_layer: str
    data: str = DATA
    license: str = LICENSE
    extra: dict[str, Any] = field(default_factory=dict)
    shares: tuple[Share, ...] = ()
    eight_bit: bool = False


def export(
    name: str, teaches: Any, material: Material, source: Path, target: Path
) -> dict[str, Any]:
    """Write NAME.safetensors and NAME.json into `target` from the checkpoint in `source`.

    The metrics on the card are those of the rounded weights that are shipped, on photos that were
    not used for training.

    Args:
        name: Of the network.
        teaches: Its lesson, see `lessons`.
        material: The data to measure on.
        source: Folder of the training.
        target: Folder of the weights; those that are shared lie there or are shipped already.
    """
    facts: Facts = teaches.facts(name, material)
    average, step = load_average(source / CHECKPOINT)
    if hasattr(teaches, "shipped"):
        average = teaches.shipped(name, average)
    model = _MAKERS[facts.function](**facts.kwargs)
    own = {
        key: value
        for key, value in to_half(average).items()
        if key in model.state_dict()  # some trainings have heads that are not shipped
        and not any(key.startswith(share.prefix) for share in facts.shares)
    }
    if facts.eight_bit:
        own = packed(own)
    weights = {**unpacked(own), **shared_weights(facts.shares, target)}
    model.load_state_dict({key: _single(value) for key, value in weights.items()})
    model.eval()
    metrics = teaches.measure(name, model, material)

    target.mkdir(parents=True, exist_ok=True)
    path = target / f"{name}.safetensors"
    partial = path.with_suffix(".partial")
    save_file(own, partial)
    partial.chmod(0o644)  # safetensors writes for the owner only
    partial.replace(path)
    config = json.loads((source / CONFIG).read_text(encoding="utf-8"))
    card = {
        "name": name,
        "title": facts.title,
        "task": facts.task,
        "architecture": {"function": facts.function, "kwargs": facts.kwargs},
        "weights": path.name,
        "shares": [asdict(share) for share in facts.shares],
        "bytes": path.stat().st_size,
        "dtype": f"{'8 bits' if facts.eight_bit else 'float16'} in the file, float32 in use",
        "parameters": sum(p.numel() for p in model.parameters()),
        "flops": {"input": list(facts.example), "value": flops(model, facts.example)},
        "preprocessing": facts.preprocessing,
        "default_layer": facts.default_layer,
        "metrics": metrics,
        # Only what was measured on the val photos has any.
        "measured_on": facts.measured_on.format(f"{len(material.val):,}")
        if "{}" in facts.measured_on
        else facts.measured_on,
        "data": facts.data,
        "license": facts.license,
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "seed": config["seed"],
        "recipe": {**config, "steps": step},
        **facts.extra,
        "classes": facts.classes,
    }
    write_json(target / f"{name}.json", card)
    if hasattr(teaches, "beside"):
        teaches.beside(material, target)
    return card


def shared_weights(shares: Sequence[Share], folder: Path) -> dict[str, Tensor]:
    """The tensors that `shares` name, under their names here.

    They come out of the files in `folder`, or else out of those that are shipped already.
    """
    found = {}
    for share in shares:
        file = f"{share.network}.safetensors"
        path = folder / file if (folder / file).exists() else resource_path("weights", file)
        for key, value in unpacked(load_file(path)).items():
            if key.startswith(share.source):
                found[share.prefix + key.removeprefix(share.source)] = value
    return found


def rounded(figures: dict[str, Any]) -> dict[str, Any]:
    """Four digits are all that a few thousand photos can tell."""
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
