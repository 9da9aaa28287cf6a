"""Networks made here: what a view or an action has trained, changed or forked joins the catalog.

Each is two files in the data folder: NAME.safetensors with the weights and NAME.json, its card,
which says whose architecture it has and what it was made from. The card is written last and removed
first, so a network is whole or not there. Reading one validates as reading any file does.
"""

from __future__ import annotations

import json
import logging
import os
import re
import shutil
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Self

import torch
from safetensors.torch import save

from explorer.core.errors import ExplorerError
from explorer.core.network_info import Task, task_of
from explorer.core.reading import listed
from explorer.core.settings import data_folder
from explorer.core.storage.atomic import replacing, write_bytes
from explorer.core.storage.lock import holding
from explorer.core.unavailable import Unavailable
from explorer.networks.definition import same_names
from explorer.networks.digest import weights_digest
from explorer.networks.entry import Entry, WeightsOption, classes_in
from explorer.networks.preprocess import Preprocess

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping
    from pathlib import Path

    from torch import nn

    from explorer.networks.definition import Definition
    from explorer.networks.network import Network

log = logging.getLogger(__name__)

FAMILY = "made"
FORMAT = 1
MOST_CARD_BYTES = 16 * 1024 * 1024

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,79}")


@dataclass(frozen=True, slots=True, eq=False)
class NewNetwork:
    """What a view's `compute`, or an action, returns to have it kept; see `of`.

    Attributes:
        title: For people.
        module: Its weights are kept as they are when it is returned.
        task: Its task.
        base: The catalog's name of the network whose architecture it has.
        variant: The weights whose finishing touches it carries; "" = the architecture's own.
        classes: Names by index.
        preprocess: From a photo to its input.
        note: One sentence: what it was made from, as in "Mini ResNet after 20 steps on 12 photos".
        metrics: Names and values as measured.
        use: It is to be used at once.
        recipe: How it was made, as JSON has it; its `id` is what `made_by` looks for.
        keypoints: Names of the points of a network that outputs some; () = the architecture's own.
    """

    title: str
    module: nn.Module
    task: Task
    base: str
    variant: str
    classes: tuple[str, ...]
    preprocess: Preprocess
    note: str = ""
    metrics: tuple[tuple[str, float], ...] = ()
    use: bool = False
    recipe: Mapping[str, Any] = field(default_factory=dict)
    keypoints: tuple[str, ...] = ()

    @classmethod
    def of(
        cls, network: Network, title: str, *, module: nn.Module | None = None, **changed: Any
    ) -> Self:
        """A relative of `network`: what is not given is as it is there.

        Args:
            network: Whose architecture it has.
            title: For people.
            module: With the new weights; by default the network's own.
            changed: Other attributes.
        """
        info, extras = network.info, network.extras
        return cls(
            title,
            network.module if module is None else module,
            **{
                "task": info.task,
                "base": str(extras.get("architecture", info.spec.name)),
                "variant": str(extras.get("variant", "")),
                "classes": info.classes,
                "preprocess": network.preprocess,
                **changed,
            },
        )


def folder() -> Path:
    """Where they are."""
    return data_folder() / "networks"


def keep(new: NewNetwork, taken: Collection[str]) -> str:
    """Writes the network and returns the name that it got.

    Args:
        new: What was made.
        taken: Names of other networks.

    Raises:
        ExplorerError: It cannot be written.
    """
    place = folder()
    with holding(place / ".lock"):
        name = _free(new.title, taken)
        tensors = {
            key: value.detach().cpu().contiguous().clone()
            for key, value in new.module.state_dict().items()
            if isinstance(value, torch.Tensor)
        }
        card = {
            "format": FORMAT,
            "name": name,
            "title": new.title,
            "task": new.task,
            "base": new.base,
            "variant": new.variant,
            "classes": list(new.classes),
            "preprocessing": asdict(new.preprocess),
            "note": new.note,
            "metrics": dict(new.metrics),
            "parameters": sum(parameter.numel() for parameter in new.module.parameters()),
            "weights": weights_digest(new.module),
            "made": datetime.now(UTC).isoformat(timespec="seconds"),
            "recipe": dict(new.recipe),
        }
        if new.keypoints:
            card["keypoints"] = list(new.keypoints)
        write_bytes(place / f"{name}.safetensors", save(tensors))
        _write_card(card)
    return name


def made_by(recipe_id: str) -> tuple[str, str] | None:
    """Name and title of the newest network whose recipe has this `id`; None when there is none."""
    found = [
        (str(card["made"]), str(card["name"]), str(card["title"]))
        for card in _cards()
        if isinstance(card, dict)
        and isinstance(card.get("recipe"), dict)
        and card["recipe"].get("id") == recipe_id
    ]
    return max(found)[1:] if found else None


def rename(name: str, title: str) -> None:
    """Gives it another title. The name stays: sessions, scripts and jobs refer to it.

    Raises:
        ExplorerError: It is not there, or cannot be written; an empty title.
    """
    if not title.strip():
        raise ExplorerError("A network needs a title.", "Enter a title.")
    with holding(folder() / ".lock"):
        _write_card({**_card(name), "title": title.strip()})


def delete(name: str) -> None:
    """Removes it.

    Raises:
        ExplorerError: It is not there, or cannot be removed.
    """
    with holding(folder() / ".lock"):
        _card(name)
        try:
            (folder() / f"{name}.json").unlink()
            (folder() / f"{name}.safetensors").unlink(missing_ok=True)
        except OSError as error:
            raise ExplorerError(
                f"{name} could not be deleted: {error.strerror or error}.", "Check its permissions."
            ) from error


def export(name: str, path: Path) -> tuple[Path, Path]:
    """Copies its weights to `path` and its card beside; returns both places.

    Raises:
        ExplorerError: It is not there, or cannot be written.
    """
    card = _card(name)
    beside = path.with_suffix(".json")
    if beside == path:
        raise ExplorerError(
            f"{path.name} is not a valid file name for weights.",
            "Use a name that ends in .safetensors.",
        )
    with replacing(path) as temporary:
        try:
            shutil.copyfile(folder() / f"{name}.safetensors", temporary)
        except FileNotFoundError as error:
            raise ExplorerError(
                f"The weights of {name} are missing.", "Delete the network and make it again."
            ) from error
    write_bytes(beside, _text(card))
    return path, beside


def survey(
    known: Mapping[str, Definition],
) -> tuple[tuple[Definition, ...], tuple[Unavailable, ...]]:
    """The networks made here, by title, and those that cannot be used, with the reasons.

    Args:
        known: The architectures that there are, by name; their names are taken.
    """
    found: dict[str, Definition] = {}
    unavailable = []
    for card in _cards():
        if isinstance(card, Unavailable):
            unavailable.append(card)
            continue
        try:
            definition = _definition(card, known)
        except (ExplorerError, KeyError, TypeError, ValueError) as error:
            reason = error.message if isinstance(error, ExplorerError) else f"Its card: {error!r}."
            log.warning("the network %s was left out: %s", card["name"], reason)
            unavailable.append(Unavailable(card["name"], str(folder()), reason))
        else:
            found[definition.entry.name] = definition
    ordered = sorted(found.values(), key=lambda one: one.entry.title.casefold())
    return tuple(ordered), tuple(unavailable)


def _definition(card: dict[str, Any], known: Mapping[str, Definition]) -> Definition:
    name, base = card["name"], known.get(card["base"])
    if name in known:
        raise ExplorerError(f"The name {name!r} is taken by another network.")
    if base is None:
        raise ExplorerError(f"Its architecture {card['base']!r} is not in the catalog.")
    task = task_of(str(card["task"]))
    weights = folder() / f"{name}.safetensors"
    if not os.path.isfile(weights):
        raise ExplorerError("Its weights are missing.")
    classes = tuple(str(word) for word in card["classes"])
    like = base.variants.get(card["variant"], base.assumed)
    variant = replace(
        like,
        classes=classes,
        preprocess=_preprocess(card["preprocessing"]),
        keypoints=tuple(str(word) for word in card.get("keypoints", like.keypoints)),
        class_paths=like.class_paths if classes == like.classes else (),
        features_only=task == "features",
        renamed=same_names,
        notes=(),
        origin=str(card["variant"]),
    )
    option = WeightsOption(
        FAMILY,
        str(card["note"]) or "made here",
        "cached",
        megabytes=weights.stat().st_size / 1e6,
        metrics=tuple((str(key), float(value)) for key, value in dict(card["metrics"]).items()),
        categories=classes_in(classes),
        path=str(weights),
    )
    entry = Entry(
        name=name,
        title=str(card["title"]),
        task=task,
        family="made",
        summary=f"{card['note']} Made here on {str(card['made'])[:10]}, as {name}.".strip(),
        weights=(option,),
        num_classes=len(classes) or base.entry.num_classes,
        parameters=int(card["parameters"]),
        min_size=base.entry.min_size,
    )
    return replace(
        base, entry=entry, assumed=variant, variants={FAMILY: variant}, architecture=card["base"]
    )


def _preprocess(steps: dict[str, Any]) -> Preprocess:
    known: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in steps.items()}
    return Preprocess(**known)


def _cards() -> Iterator[dict[str, Any] | Unavailable]:
    """Every card, or why it cannot be read."""
    for path in listed(folder(), "*.json"):
        try:
            yield _read_card(path)
        except (OSError, ValueError, RecursionError) as error:
            log.warning("the card %s cannot be read: %s", path, error)
            yield Unavailable(path.stem, str(path.parent), f"Its card cannot be read: {error}.")


def _card(name: str) -> dict[str, Any]:
    path = folder() / f"{name}.json"
    try:
        return _read_card(path)
    except (OSError, ValueError, RecursionError) as error:
        raise ExplorerError(
            f"There is no network {name!r} that was made here.",
            "`explorer list networks` names them all.",
        ) from error


def _read_card(path: Path) -> dict[str, Any]:
    if not _NAME.fullmatch(path.stem):
        raise ValueError(f"{path.stem!r} is not a valid name for a network")
    if path.stat().st_size > MOST_CARD_BYTES:
        raise ValueError("it is too large")
    card = json.loads(path.read_text("utf-8"))
    if not isinstance(card, dict) or card.get("format") != FORMAT:
        raise ValueError("it is not in the form that this program writes")
    return {**card, "name": path.stem}


def _write_card(card: Mapping[str, Any]) -> None:
    write_bytes(folder() / f"{card['name']}.json", _text(card))


def _text(card: Mapping[str, Any]) -> bytes:
    return json.dumps(card, indent=1, ensure_ascii=False, allow_nan=False).encode("utf-8")


def _free(title: str, taken: Collection[str]) -> str:
    """A name for the command line like the title, which is free."""
    plain = re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")[:60].strip("-") or "network"
    there = {
        path.stem for path in listed(folder(), "*") if path.suffix in (".json", ".safetensors")
    }
    name, number = plain, 1
    while name in taken or name in there:
        number += 1
        name = f"{plain}-{number}"
    return name
