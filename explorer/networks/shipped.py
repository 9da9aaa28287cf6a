"""The embedded networks: what the cards beside their weights say."""

from __future__ import annotations

import json
import logging
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from explorer.core.errors import ExplorerError
from explorer.core.listing import plural
from explorer.core.network_info import task_of
from explorer.core.resources import resource_path
from explorer.networks.definition import Definition, Variant
from explorer.networks.embedded import ARCHITECTURES
from explorer.networks.entry import Entry, WeightsOption
from explorer.networks.preprocess import Preprocess
from explorer.networks.zoo import LONGEST, LONGEST_DETECTION

if TYPE_CHECKING:
    from collections.abc import Iterator

    from explorer.core.network_info import Task

log = logging.getLogger(__name__)

CLASS_TREE = "classes/tiny-imagenet.json"
"""The tree of a card that names none; used when its classes are the card's, in order."""


def definitions() -> tuple[Definition, ...]:
    """One for every card in resources/weights; a damaged card is logged and left out."""
    found = []
    for card in sorted(resource_path("weights").glob("*.json")):
        try:
            found.append(_definition(card))
        except (ExplorerError, OSError, ValueError, KeyError, TypeError):
            log.exception("the card %s was left out", card.name)
    return tuple(found)


def _definition(path: Path) -> Definition:
    card: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    task = task_of(str(card["task"]))
    classes = tuple(str(word) for word in card["classes"])
    options = tuple(_options(card, path, len(classes)))
    entry = Entry(
        name=str(card["name"]),
        title=str(card["title"]),
        task=task,
        family="embedded",
        summary=_summary(task, card, len(classes)),
        weights=options,
        num_classes=len(classes),
        parameters=int(card.get("parameters", 0)),
    )
    variant = Variant(
        classes,
        _preprocess(card.get("preprocessing", {}), task),
        class_paths=_class_paths(classes, card.get("class_tree", CLASS_TREE)),
        default_layer=str(card.get("default_layer", "")),
    )
    architecture = card["architecture"]
    build = ARCHITECTURES[architecture["function"]]
    kwargs = {**architecture.get("kwargs", {})}
    kwargs.pop("num_classes", None)
    variants = {option.name: variant for option in options}
    return Definition(entry, partial(build, **kwargs), variant, variants)


def _options(card: dict[str, Any], path: Path, classes: int) -> Iterator[WeightsOption]:
    file = path.with_suffix(".safetensors")
    shares = tuple(
        (str(path.with_name(f"{share['network']}.safetensors")), share["prefix"], share["source"])
        for share in card.get("shares", ())
    )
    missing = [name for name, _, _ in shares if not Path(name).is_file()]
    if missing:
        log.warning("%s needs %s, which is not there", path.name, ", ".join(missing))
    elif file.is_file():
        yield WeightsOption(
            name="embedded",
            title=f"trained for this program, {plural(classes, 'class', 'classes')}",
            state="shipped",
            megabytes=file.stat().st_size / 1e6,
            metrics=tuple(
                (str(name), float(value))
                for name, value in card.get("metrics", {}).items()
                if isinstance(value, (int, float))
            ),
            categories=classes,
            path=str(file),
            shares=shares,
        )


def _summary(task: Task, card: dict[str, Any], classes: int) -> str:
    what = {
        "classification": "Classifies photos",
        "localization": "Classifies photos and predicts one box",
        "detection": "Detects objects with boxes",
        "segmentation": "Classifies every pixel",
    }.get(task, "Computes features")
    size = int(card.get("parameters", 0)) / 1e6
    count = plural(classes, "class", "classes")
    return f"{what}: {count}, {size:.1f} million parameters, ships with the program."


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
    if not file.is_file():
        return ()
    rows = json.loads(file.read_text(encoding="utf-8"))
    if [row["name"] for row in rows] != list(classes):
        return ()
    return tuple(tuple(row["path"]) for row in rows)
