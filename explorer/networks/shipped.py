"""The embedded networks: what the cards beside their weights say."""

from __future__ import annotations

import json
import logging
import os
from functools import partial
from typing import TYPE_CHECKING, Any

from explorer.core.errors import ExplorerError
from explorer.core.network_info import SCORE_THRESHOLD, task_of
from explorer.core.resources import resource_path
from explorer.networks.class_names import read_class_paths
from explorer.networks.definition import Definition, Variant, no_arguments, same_names
from explorer.networks.embedded import ARCHITECTURES
from explorer.networks.embedded.lite import from_package
from explorer.networks.embedded.lite_pose import joints_in
from explorer.networks.embedded.small_net import layers_in, small_net
from explorer.networks.entry import Entry, WeightsOption, classes_in, described
from explorer.networks.packaged import Packaged
from explorer.networks.preprocess import Preprocess
from explorer.networks.zoo import LONGEST, LONGEST_DETECTION

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from explorer.core.network_info import Task

log = logging.getLogger(__name__)

CLASS_TREE = "classes/tiny-imagenet.json"
"""The tree of a card that names none; used when its classes are the card's, in order."""

SMALL_PLAIN, SMALL_RESIDUAL = "small-plain", "small-residual"
SMALL_SIDE = 24
"""Of the pictures that small networks are trained on, in pixels."""

RENAMED = {"efficientnet_lite0": from_package}
"""By architecture: how the tensors of its package get the names of the module."""

ARGUMENTS = {"lite_pose": joints_in}
"""By architecture: what tensors say about its options; networks made here may have others."""


def definitions() -> tuple[Definition, ...]:
    """One for every card in resources/weights; a damaged card is logged and skipped."""
    found = []
    for card in sorted(resource_path("weights").glob("*.json"), key=lambda path: path.stem):
        try:
            found.append(_definition(card))
        except (ExplorerError, OSError, ValueError, KeyError, TypeError):
            log.exception("the card %s was left out", card.name)
    return tuple(found)


def unlisted() -> tuple[Definition, ...]:
    """Architectures that only networks made here have: nothing is shipped for them."""
    preprocess = Preprocess(resize=SMALL_SIDE, crop=SMALL_SIDE, mean=(0.5,) * 3, std=(0.25,) * 3)
    return tuple(
        Definition(
            Entry(
                name, title, "classification", "embedded", f"{title}, trained from random weights.",
                min_size=(SMALL_SIDE // 3, SMALL_SIDE // 3),
            ),
            partial(small_net, shortcuts=shortcuts), Variant((), preprocess), arguments=layers_in,
        )
        for name, title, shortcuts in (
            (SMALL_PLAIN, "Small plain network", False),
            (SMALL_RESIDUAL, "Small residual network", True),
        )
    )  # fmt: skip


def _definition(path: Path) -> Definition:
    card: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    task = task_of(str(card["task"]))
    architecture = card["architecture"]
    classes = tuple(str(word) for word in card["classes"])
    options = tuple(_options(card, path, classes_in(classes)))
    entry = Entry(
        name=str(card["name"]),
        title=str(card["title"]),
        task=task,
        family="embedded",
        summary=described(
            task, str(architecture["function"]), classes, int(card.get("parameters", 0))
        )
        + ", ships with the program.",
        weights=options,
        num_classes=len(classes),
        parameters=int(card.get("parameters", 0)),
    )
    variant = Variant(
        classes,
        _preprocess(card.get("preprocessing", {}), task),
        class_paths=_class_paths(classes, card.get("class_tree", CLASS_TREE)),
        keypoints=tuple(str(name) for name in card.get("keypoints", ())),
        default_layer=str(card.get("default_layer", "")),
        score_threshold=float(card.get("score_threshold", SCORE_THRESHOLD)),
        renamed=RENAMED[architecture["function"]] if "package" in card else same_names,
    )
    build = ARCHITECTURES[architecture["function"]]
    kwargs = {**architecture.get("kwargs", {})}
    kwargs.pop("num_classes", None)
    variants = {option.name: variant for option in options}
    arguments = ARGUMENTS.get(architecture["function"], no_arguments)
    return Definition(entry, partial(build, **kwargs), variant, variants, arguments)


def _options(card: dict[str, Any], path: Path, classes: int) -> Iterator[WeightsOption]:
    if "package" in card:
        yield _packaged_option(card, classes)
        return
    file = path.with_suffix(".safetensors")
    shares = tuple(
        (str(path.with_name(f"{share['network']}.safetensors")), share["prefix"], share["source"])
        for share in card.get("shares", ())
    )
    missing = [name for name, _, _ in shares if not os.path.isfile(name)]
    if missing:
        log.warning("%s needs %s, which is not there", path.name, ", ".join(missing))
    elif os.path.isfile(file):
        yield WeightsOption(
            name="embedded",
            title="trained for this program",
            state="shipped",
            megabytes=file.stat().st_size / 1e6,
            metrics=_metrics(card),
            categories=classes,
            path=str(file),
            shares=shares,
        )


def _packaged_option(card: dict[str, Any], classes: int) -> WeightsOption:
    package = Packaged(**card["package"])
    path = package.path()
    return WeightsOption(
        name="imagenet",
        title="ImageNet-1K",
        state="missing" if path is None else "shipped",
        megabytes=float(card["bytes"]) / 1e6,
        metrics=_metrics(card),
        categories=classes,
        path="" if path is None else str(path),
        package=package,
    )


def packaged(name: str) -> Packaged:
    """Where the weights of a network are that come in a package of their own."""
    card = json.loads(resource_path("weights", f"{name}.json").read_text(encoding="utf-8"))
    return Packaged(**card["package"])


def _metrics(card: dict[str, Any]) -> tuple[tuple[str, float], ...]:
    return tuple(
        (str(name), float(value))
        for name, value in card.get("metrics", {}).items()
        if isinstance(value, (int, float))
    )


def _preprocess(steps: dict[str, Any], task: Task) -> Preprocess:
    known: dict[str, Any] = {
        key: tuple(value) if isinstance(value, list) else value for key, value in steps.items()
    }
    detects = task == "detection"
    known.setdefault("batched", not detects)
    known.setdefault("longest", LONGEST_DETECTION if detects else LONGEST)
    return Preprocess(**known)


def _class_paths(classes: tuple[str, ...], tree: str) -> tuple[tuple[str, ...], ...]:
    file = resource_path(*tree.split("/"))
    if not os.path.isfile(file):
        return ()
    rows = read_class_paths(file)
    if [name for name, _ in rows] != list(classes):
        return ()
    return tuple(path for _, path in rows)
