"""A network that lies in a folder of its own, as the Hugging Face Hub has it.

``config.json`` says what to build, ``*.safetensors`` has the weights. timm's folders are built by
timm, the others by `transformers` (both extras); nothing in the folder is executed and nothing is
downloaded.
"""

from __future__ import annotations

import importlib
import json
import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from explorer.core.errors import ExplorerError
from explorer.core.listing import quantity
from explorer.core.network_info import FOLDER_CONFIG, FOLDER_WEIGHTS
from explorer.core.reading import read_file
from explorer.core.step import Step
from explorer.networks.checkpoints import loading, reading
from explorer.networks.external import timm_models
from explorer.networks.given import MEAN, STD, from_module
from explorer.networks.preprocess import Preprocess
from explorer.networks.zoo import LONGEST, LONGEST_DETECTION

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping, Sequence

    from explorer.core.network_info import NetworkSpec, Task
    from explorer.networks.network import Network

_MOST_BYTES = 1 << 24
_TASKS: dict[str, tuple[Task, str]] = {
    "ForImageClassification": ("classification", "AutoModelForImageClassification"),
    "ForSemanticSegmentation": ("segmentation", "AutoModelForSemanticSegmentation"),
    "ForObjectDetection": ("detection", "AutoModelForObjectDetection"),
}
_BICUBIC = 3
"""Pillow's number of the filter."""

_EDGES = (800, 1333)
"""Of DETR: the short side, and at most the long one."""


def load(spec: NetworkSpec, device: torch.device) -> Generator[Step[None], Any, Network]:
    """Builds the network of the folder `spec.weights`; the return value is the network.

    Raises:
        ExplorerError: A file is damaged, an extra is missing, or the network is of another kind.
    """
    folder = Path(spec.weights).expanduser()
    config = _json(folder / FOLDER_CONFIG)
    yield Step(None, 0, 2, f"Reading {folder.name}")
    if isinstance(config.get("architecture"), str):
        return (yield from _of_timm(folder, config, spec, device))
    if config.get("auto_map"):
        raise ExplorerError(
            f"The network of {folder.name} comes with code of its own, which is never run.",
            "Use a network that transformers itself can build.",
        )
    named = config.get("architectures")
    word = str(named[0]) if isinstance(named, list) and named else ""
    kind = next((found for end, found in _TASKS.items() if word.endswith(end)), None)
    if kind is None:
        raise ExplorerError(
            f"{folder.name} is {word or 'no network'}: it classifies, segments or detects nothing.",
            "Choose a folder of an image classification, semantic segmentation or object "
            "detection network.",
        )
    task, auto = kind
    yield Step(None, 1, 2, f"Building {word}")
    module, names = _built(folder, auto, task)
    preprocess, notes = preprocess_of(folder, task)
    if task == "detection":
        module = Detector(module, preprocess, first=int(names[:1] != ("N/A",)))
        names = names if names[:1] == ("N/A",) else ("__background__", *names)
        preprocess = Preprocess(longest=LONGEST_DETECTION, batched=False)
    else:
        module = Classifier(module) if task == "classification" else Segmenter(module)
    module = module.eval().requires_grad_(False).to(device)
    network = from_module(module, task=task, classes=names, preprocess=preprocess)
    network.info = replace(
        network.info, spec=spec, title=word, weights_title=folder.name, notes=notes
    )
    return network


def _of_timm(
    folder: Path, config: Mapping[str, Any], spec: NetworkSpec, device: torch.device
) -> Generator[Step[None], Any, Network]:
    name = f"{timm_models.PREFIX}{config['architecture']}"
    known = {each.entry.name: each for each in timm_models.definitions()}
    if name not in known:
        hint = 'Install it: pip install "convnet-explorer[timm]"'
        raise ExplorerError(
            f"{folder.name} is timm's {config['architecture']}, which is not there.",
            "Its version may not have it." if known else hint,
        )
    definition = known[name]
    labels = config.get("label_names") or ()
    names = tuple(map(str, labels)) if isinstance(labels, list) else ()
    own = config.get("pretrained_cfg")
    variant = definition.assumed
    if isinstance(own, dict):
        variant = replace(variant, preprocess=timm_models.preprocess_of(own))
    checkpoint = reading.read(_weights(folder)[0])
    if names:
        checkpoint = replace(checkpoint, classes=names)
    definition = replace(definition, assumed=variant)
    return (yield from loading.from_checkpoint(definition, spec, device, checkpoint))


def _weights(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.name.endswith(FOLDER_WEIGHTS))


def _built(folder: Path, auto: str, task: Task) -> tuple[nn.Module, tuple[str, ...]]:
    """The module of transformers with its weights, and the names of its classes."""
    try:
        transformers = importlib.import_module("transformers")
    except ImportError as error:
        raise ExplorerError(
            f"{folder.name} is a network of transformers, which is not installed.",
            'Install it: pip install "convnet-explorer[transformers]"',
        ) from error
    transformers.utils.logging.disable_progress_bar()
    try:
        config = transformers.AutoConfig.from_pretrained(
            folder, local_files_only=True, trust_remote_code=False
        )
        if getattr(config, "use_pretrained_backbone", False):
            config.use_pretrained_backbone = False  # it would be downloaded, and replaced
        module, loaded = getattr(transformers, auto).from_pretrained(
            folder, config=config, local_files_only=True, trust_remote_code=False,
            use_safetensors=True, output_loading_info=True,
        )  # fmt: skip
    # transformers raises almost anything for a folder that is damaged or of another version.
    except Exception as error:
        line = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise ExplorerError(
            f"transformers cannot build the network of {folder.name}: {line}",
            "Download the folder again, or update transformers.",
        ) from error
    lacking = sorted({*loaded["missing_keys"], *map(str, loaded.get("mismatched_keys", ()))})
    if lacking:
        raise ExplorerError(
            f"{folder.name} has no weights for {quantity(len(lacking), 'tensor')} of its network, "
            f"among them {lacking[0]}.",
            "They would be random: choose a folder with all weights.",
        )
    labels: Mapping[int, str] = config.id2label or {}
    names = tuple(str(labels.get(number, "N/A")) for number in range(max(labels, default=-1) + 1))
    return module.float(), names


def preprocess_of(folder: Path, task: Task) -> tuple[Preprocess, tuple[str, ...]]:
    """What `preprocessor_config.json` says, as our own steps, and sentences about what it does not.

    Of detectors it gives the size that `Detector` resizes to.
    """
    path = folder / "preprocessor_config.json"
    if not os.path.isfile(path):
        usual = Preprocess(resize=256, crop=224, mean=MEAN, std=STD, longest=LONGEST)
        usual = usual if task == "classification" else replace(usual, resize=512, crop=None)
        return usual, (f"{folder.name} does not say how photos are prepared: assumed as usual.",)
    found = _json(path)
    resize = _resize(found)
    crop = _sides(found.get("crop_size")) if found.get("do_center_crop", False) else None
    share = found.get("crop_pct")
    if isinstance(resize, int) and isinstance(share, float) and resize < 384:
        crop, resize = (resize, resize), int(resize / share)  # ConvNeXt's rule
    normalized = found.get("do_normalize", True)
    return Preprocess(
        resize=resize if found.get("do_resize", True) else None,
        crop=crop[0] if crop else None,
        mean=tuple(found.get("image_mean") or MEAN) if normalized else None,
        std=tuple(found.get("image_std") or STD) if normalized else None,
        longest=LONGEST,
        interpolation="bicubic" if found.get("resample") == _BICUBIC else "bilinear",
    ), ()


def _resize(found: Mapping[str, Any]) -> int | tuple[int, int] | None:
    size = found.get("size")
    if isinstance(size, dict) and "shortest_edge" in size:
        return int(size["shortest_edge"])
    return int(size) if isinstance(size, int) else _sides(size)


def _sides(size: Any) -> tuple[int, int] | None:
    if isinstance(size, int):
        return size, size
    if isinstance(size, dict) and {"height", "width"} <= set(size):
        return int(size["height"]), int(size["width"])
    return None


def _json(path: Path) -> dict[str, Any]:
    data = read_file(
        path, limit=_MOST_BYTES, kind="a configuration", smaller="Choose another folder."
    )
    try:
        found = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise ExplorerError(f"{path.name} is no JSON: {error}.", "Download it again.") from error
    if not isinstance(found, dict):
        raise ExplorerError(f"{path.name} is no configuration.", "Download it again.")
    return found


# -- outputs as torchvision's ---------------------------------------------------------------------


class Classifier(nn.Module):
    """(1, 3, H, W) to (1, classes) logits."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, images: Tensor) -> Tensor:
        found: Tensor = self.model(pixel_values=images).logits
        return found


class Segmenter(nn.Module):
    """(1, 3, H, W) to logits of the same size: those of the network are coarser."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        coarse = self.model(pixel_values=images).logits
        size = images.shape[-2:]
        return {"out": functional.interpolate(coarse, size, mode="bilinear", align_corners=False)}


class Detector(nn.Module):
    """A list of (3, H, W) in [0, 1] to torchvision's boxes, labels and scores.

    DETR (Carion et al. 2020) predicts a set: each query is one box, or none; there is no NMS.

    Args:
        model: Gives `logits` (1, Q, classes + 1), "no object" last, and `pred_boxes` (1, Q, 4)
            center x, center y, width, height as fractions.
        preprocess: Its size and normalization.
        first: The label of class 0.
    """

    def __init__(self, model: nn.Module, preprocess: Preprocess, first: int) -> None:
        super().__init__()
        self.model = model
        self.first = first
        resize = preprocess.resize
        self.short = resize if isinstance(resize, int) else _EDGES[0]
        mean, std = preprocess.mean or (0.0,) * 3, preprocess.std or (1.0,) * 3
        self.mean: Tensor
        self.std: Tensor
        self.register_buffer("mean", torch.tensor(mean).view(-1, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(std).view(-1, 1, 1), persistent=False)

    def forward(self, images: Sequence[Tensor]) -> list[dict[str, Tensor]]:
        return [self._one(image) for image in images]

    def _one(self, image: Tensor) -> dict[str, Tensor]:
        height, width = image.shape[-2:]
        scale = min(self.short / min(height, width), _EDGES[1] / max(height, width))
        size = [max(1, round(side * scale)) for side in (height, width)]
        values = functional.interpolate(
            image[None], size, mode="bilinear", antialias=True, align_corners=False
        )
        found = self.model(pixel_values=(values - self.mean) / self.std)
        scores, labels = found.logits[0].softmax(-1)[:, :-1].max(-1)
        x, y, w, h = found.pred_boxes[0].unbind(-1)
        corners = torch.stack([x - w / 2, y - h / 2, x + w / 2, y + h / 2], -1)
        sides = corners.new_tensor([width, height, width, height])
        order = scores.argsort(descending=True)
        boxes = (corners * sides).clamp(min=0).minimum(sides)
        return {
            "boxes": boxes[order], "labels": labels[order] + self.first, "scores": scores[order],
        }  # fmt: skip
