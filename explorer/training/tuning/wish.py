"""What is to be fine-tuned, to what and how; as JSON has it, too."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from explorer.core.errors import ExplorerError
from explorer.core.network_info import NetworkSpec
from explorer.training.tuning.trainer import FROZEN

if TYPE_CHECKING:
    from collections.abc import Mapping

MINUTES, RATE, HELD_OUT = 10.0, 5e-4, 0.2
LEAST_MINUTES, MOST_MINUTES = 0.1, 600.0
LEAST_RATE, MOST_RATE = 1e-5, 1e-2
MOST_HELD_OUT = 0.5


@dataclass(frozen=True, slots=True)
class Wish:
    """A fine-tuning.

    Attributes:
        spec: The network that it begins from.
        data: The folder, see `folder.read_folder`.
        minutes: Of work.
        rate: The highest learning rate, that of the box head.
        frozen: One of `trainer.FROZEN`.
        held_out: The part of the photos that the metrics come from, where the folder has no parts.
        seed: Of the parts, the new rows and the training.
        steps: Instead of the minutes: it then ends after this many, on every computer; 0 = by time.
    """

    spec: NetworkSpec
    data: Path
    minutes: float = MINUTES
    rate: float = RATE
    frozen: str = FROZEN[0]
    held_out: float = HELD_OUT
    seed: int = 0
    steps: int = 0


def params_of(wish: Wish) -> dict[str, Any]:
    """`wish` as JSON has it."""
    return {**asdict(wish), "data": str(wish.data)}


def wish_of(params: Mapping[str, Any]) -> Wish:
    """The inverse of `params_of`.

    Raises:
        ExplorerError: The values are not those of a fine-tuning.
    """
    try:
        wish = Wish(
            NetworkSpec(**params["spec"]), Path(params["data"]), float(params["minutes"]),
            float(params["rate"]), str(params["frozen"]), float(params["held_out"]),
            int(params["seed"]), int(params["steps"]),
        )  # fmt: skip
        good = (
            LEAST_MINUTES <= wish.minutes <= MOST_MINUTES
            and LEAST_RATE <= wish.rate <= MOST_RATE
            and wish.frozen in FROZEN
            and 0 <= wish.held_out <= MOST_HELD_OUT
            and wish.steps >= 0
        )
        if not good:
            raise ValueError("a number is out of range")
    except (KeyError, TypeError, ValueError) as error:
        raise ExplorerError(
            "The settings of this training cannot be read.", "Start it again."
        ) from error
    return wish


def identity(wish: Wish) -> str:
    """The same for the same wish, in every process: the new network's card has it."""
    text = json.dumps(params_of(wish), sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]
