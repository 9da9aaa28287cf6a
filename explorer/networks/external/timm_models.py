"""timm's image networks as catalog definitions, where the package `timm` is installed.

timm takes seconds to import, so its list is kept in the data folder by timm's version: listing
imports nothing, building one imports it. Weights are the files of the Hugging Face Hub that timm
itself takes; nothing is downloaded unless a user names them.

An architecture is called ``timm.resnet50``, its weights by timm's tag: ``timm.resnet50@a1_in1k``.
"""

from __future__ import annotations

import importlib
import json
import logging
import os
from functools import cache, partial
from importlib.metadata import PackageNotFoundError, version
from math import floor
from typing import TYPE_CHECKING, Any

from explorer.core.errors import ExplorerError
from explorer.core.listing import quantity
from explorer.core.settings import data_folder
from explorer.core.storage.atomic import write_bytes
from explorer.networks.definition import Definition, Variant
from explorer.networks.entry import Entry, WeightsOption
from explorer.networks.given import MEAN, STD
from explorer.networks.preprocess import Preprocess
from explorer.networks.zoo import LONGEST

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from torch import nn

    from explorer.core.network_info import Task

log = logging.getLogger(__name__)

PREFIX = "timm."
HUB = "https://huggingface.co/{id}/resolve/main/model.safetensors"

FORMAT = 1
"""Of the kept list: another one is made again."""

USUAL: dict[str, Any] = {
    "input_size": (3, 224, 224), "crop_pct": 0.875, "crop_mode": "center",
    "interpolation": "bicubic", "mean": MEAN, "std": STD,
}  # fmt: skip
"""What timm takes for what a configuration does not say."""

_FIELDS = (
    "num_classes", "input_size", "crop_pct", "crop_mode", "interpolation", "mean", "std", "license",
)  # fmt: skip


def definitions() -> tuple[Definition, ...]:
    """One for each architecture with published weights, by name; () without timm.

    A list that cannot be made is logged, and tried again by the next start of the program.
    """
    found = installed()
    return _definitions(found, data_folder()) if found else ()


def installed() -> str:
    """The version of timm; "" where it is not installed."""
    try:
        return version("timm")
    except PackageNotFoundError:
        return ""


def is_listed() -> bool:
    """Whether `definitions` has its list already, and need not import timm for it."""
    found = installed()
    return bool(found) and os.path.isfile(_list_path(data_folder(), found))


def _list_path(folder: Path, timm_version: str) -> Path:
    return folder / f"timm-{timm_version}.json"


@cache
def _definitions(timm_version: str, folder: Path) -> tuple[Definition, ...]:
    path = _list_path(folder, timm_version)
    try:
        listed = _read(path)
        if listed is None:
            listed = survey()
            _keep(path, listed)
        names = {subset: tuple(words) for subset, words in listed["classes"].items()}
        return tuple(
            _definition(architecture, tags, names)
            for architecture, tags in sorted(listed["architectures"].items())
        )
    # timm's own code is imported for the list: whatever it raises must not take the rest away.
    except Exception:
        log.exception("the networks of timm %s cannot be listed", timm_version)
        return ()


def _read(path: Path) -> dict[str, Any] | None:
    """The kept list; None where there is none that can be used."""
    try:
        listed = json.loads(path.read_bytes())
        return listed if listed["format"] == FORMAT else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _keep(path: Path, listed: Mapping[str, Any]) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_bytes(path, json.dumps(listed).encode())
    except (ExplorerError, OSError) as error:
        log.warning("timm's list is not kept: %s", error)


def survey() -> dict[str, Any]:
    """What timm has, as JSON has it; imports it.

    `architectures` gives by name the list of its weights, timm's preferred ones first; `classes`
    the names of a data set's classes. Weights in another form than timm's own files are no part.
    """
    timm = importlib.import_module("timm")
    models, data = importlib.import_module("timm.models"), importlib.import_module("timm.data")
    found: dict[str, list[dict[str, Any]]] = {}
    for name in timm.list_models(pretrained=True):
        architecture, _, tag = name.partition(".")
        config = models.get_pretrained_cfg(name)
        if config is None or config.hf_hub_id != f"timm/{name}" or config.hf_hub_filename:
            continue
        subset = data.infer_imagenet_subset(config.to_dict()) or ""
        values = {field: getattr(config, field) for field in _FIELDS}
        weights = {"tag": tag, "subset": subset, **values}
        found.setdefault(architecture, []).append(weights)
    for architecture, tags in found.items():
        preferred = models.get_pretrained_cfg(architecture)
        first = "" if preferred is None else preferred.tag
        tags.sort(key=lambda weights: weights["tag"] != first)
    subsets = {weights["subset"] for tags in found.values() for weights in tags} - {""}
    classes = {subset: data.ImageNetInfo(subset).label_descriptions() for subset in sorted(subsets)}
    return {"format": FORMAT, "architectures": found, "classes": classes}


def _definition(
    architecture: str, tags: list[dict[str, Any]], names: Mapping[str, tuple[str, ...]]
) -> Definition:
    variants = {weights["tag"]: _variant(weights, names) for weights in tags}
    options = tuple(_options(architecture, tags))
    first = tags[0]
    task: Task = "classification" if first["num_classes"] else "features"
    side = "×".join(map(str, first["input_size"][1:]))
    entry = Entry(
        name=f"{PREFIX}{architecture}",
        title=f"timm {architecture}",
        task=task,
        family="timm",
        summary=f"timm's {architecture}, {side} pixels: "
        f"{quantity(len(tags), 'set of weights', 'sets of weights')}.",
        weights=options,
        num_classes=first["num_classes"],
    )
    return Definition(
        entry=entry,
        make=partial(_make, architecture),
        assumed=variants[first["tag"]],
        variants=variants,
    )


def _options(architecture: str, tags: list[dict[str, Any]]) -> Iterator[WeightsOption]:
    for weights in tags:
        tag, count = weights["tag"], weights["num_classes"]
        yield WeightsOption(
            name=tag,
            title=f"{weights['subset'] or 'features'} ({tag})",
            state="download",
            categories=count if weights["subset"] else 0,
            url=HUB.format(id=f"timm/{architecture}.{tag}"),
            license=weights["license"] or "",
        )


def _variant(weights: Mapping[str, Any], names: Mapping[str, tuple[str, ...]]) -> Variant:
    classes = names.get(weights["subset"], ())
    headless = len(classes) != weights["num_classes"] or not classes
    return Variant(
        classes=() if headless else classes,
        preprocess=preprocess_of(weights),
        features_only=headless,
        notes=("These weights have no classes: use them for features.",) if headless else (),
    )


def preprocess_of(config: Mapping[str, Any]) -> Preprocess:
    """The transform of timm for evaluation as our own steps with a frame.

    The short side (with `crop_mode` "squash" both sides) becomes the input's divided by `crop_pct`,
    then the center is cropped.

    Args:
        config: `input_size`, `crop_pct`, `crop_mode`, `interpolation`, `mean` and `std` of a
            pretrained configuration; what it lacks is `USUAL`.
    """
    config = {**USUAL, **config}
    _, height, width = config["input_size"]
    side = floor(min(height, width) / config["crop_pct"])
    whole = config["crop_mode"] == "squash"
    return Preprocess(
        resize=(side, side) if whole else side,
        crop=min(height, width),
        mean=tuple(config["mean"]),
        std=tuple(config["std"]),
        longest=LONGEST,
        interpolation="bicubic" if config["interpolation"] == "bicubic" else "bilinear",
    )


def _make(architecture: str, *, num_classes: int, **arguments: Any) -> nn.Module:
    try:
        timm = importlib.import_module("timm")
    except ImportError as error:
        raise ExplorerError(
            f"timm cannot be imported: {error}.", 'Install it: pip install "convnet-explorer[timm]"'
        ) from error
    module: nn.Module = timm.create_model(
        architecture, pretrained=False, num_classes=num_classes, **arguments
    )
    return module
