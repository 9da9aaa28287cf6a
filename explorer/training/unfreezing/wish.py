"""What is to be compared, on what and how; as JSON has it, too."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from explorer.core.errors import ExplorerError
from explorer.core.network_info import NetworkSpec

if TYPE_CHECKING:
    from collections.abc import Mapping

SAMPLES = "samples"
"""Stands for the set that is always there."""

LIMITS: dict[str, tuple[float, float]] = {
    "stages": (1, 8), "rate": (1e-5, 0.1), "share": (0.0, 1.0), "scratch_rate": (1e-5, 0.1),
    "side": (0, 320), "steps": (1, 5000), "batch": (2, 64), "most": (1, 500),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Wish:
    """A comparison.

    Attributes:
        spec: The network.
        data: The folder, or `SAMPLES`.
        stages: The last ones, which fine-tuning trains beside the new head.
        rate: The highest learning rate of the head.
        share: That of the unfrozen stages, as a share of `rate`.
        scratch_rate: That of the training from scratch.
        side: Of the input in pixels; 0 = the network's own, at most 128.
        steps: Of each training.
        batch: Photos of one step.
        most: Photos of each class at most.
        curve: The comparison is made with fewer photos per class first.
        seed: Of the held-out photos, the weights and the order.
    """

    spec: NetworkSpec
    data: str = SAMPLES
    stages: int = 3
    rate: float = 5e-3
    share: float = 0.1
    scratch_rate: float = 2e-3
    side: int = 0
    steps: int = 80
    batch: int = 8
    most: int = 20
    curve: bool = False
    seed: int = 0


def params_of(wish: Wish) -> dict[str, Any]:
    """`wish` as JSON has it."""
    return asdict(wish)


def wish_of(params: Mapping[str, Any]) -> Wish:
    """The inverse of `params_of`.

    Raises:
        ExplorerError: The values are not those of a comparison.
    """
    try:
        numbers = {
            name: type(default)(params[name])
            for name, default in asdict(Wish(NetworkSpec(""))).items()
            if name not in ("spec", "data")
        }
        if any(not low <= numbers[name] <= high for name, (low, high) in LIMITS.items()):
            raise ValueError("a number is out of range")
        return Wish(NetworkSpec(**params["spec"]), str(params["data"]), **numbers)
    except (KeyError, TypeError, ValueError) as error:
        raise ExplorerError(
            "The settings of this training cannot be read.", "Start it again."
        ) from error


def identity(wish: Wish) -> str:
    """The same for the same wish, in every process: the new network's card has it."""
    text = json.dumps(params_of(wish), sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]
