"""The networks of this chapter that ship with the program: their cards and their modules."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from safetensors import SafetensorError
from safetensors.torch import load_file

from explorer.core.errors import ExplorerError
from explorer.core.resources import resource_path
from explorer.networks.checkpoints.eight_bit import unpacked
from explorer.networks.faces import FACES
from explorer.networks.generative import GENERATIVE

if TYPE_CHECKING:
    from pathlib import Path

    from torch import nn

FOLDER = ("weights", "generative")
"""Of the cards and weights; not beside those of the catalog, which take photos."""


@dataclass(frozen=True, slots=True, eq=False)
class Shipped:
    """A network in eval mode, on the CPU, and what its card says."""

    module: nn.Module
    card: dict[str, Any]


def names() -> tuple[str, ...]:
    """Of all that ship."""
    return tuple(sorted(path.stem for path in resource_path(*FOLDER).glob("*.json")))


def card_path(name: str) -> Path:
    """Where the card of a network is, or would be."""
    return resource_path(*FOLDER, f"{name}.json")


def not_shipped(name: str) -> str:
    """What is said without the network `name`: one sentence."""
    return f"The weights of {name} are not in this version of the program."


def load(name: str) -> Shipped:
    """The network `name` with its shipped weights, in float32.

    Raises:
        ExplorerError: Its files are missing or damaged.
    """
    try:
        card = json.loads(card_path(name).read_text(encoding="utf-8"))
        made = card["architecture"]
        module = {**GENERATIVE, **FACES}[made["function"]](**made["kwargs"])
        weights = unpacked(load_file(resource_path(*FOLDER, card["weights"])))
        for share in card["shares"]:
            path = resource_path("weights", f"{share['network']}.safetensors")
            for key, value in unpacked(load_file(path)).items():
                if key.startswith(share["source"]):
                    weights[share["prefix"] + key.removeprefix(share["source"])] = value
        module.load_state_dict(
            {k: v.float() if v.is_floating_point() else v for k, v in weights.items()}
        )
    except (OSError, ValueError, KeyError, TypeError, RuntimeError, SafetensorError) as error:
        raise ExplorerError(
            f"The weights of {name} that come with the program cannot be read.",
            "Install the program again.",
        ) from error
    return Shipped(module.eval().requires_grad_(False), card)
