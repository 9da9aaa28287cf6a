"""The parameters: most of them reach the running training at its next step."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from explorer.core.params import Effect, FolderRef, param
from explorer.training.small.augmentation import KINDS
from explorer.training.small.recipe import CLIPPING, OPTIMIZERS, SCHEDULES, Recipe
from explorer.views.shared.learning.source import DATA_HELP
from explorer.vision.statistics.layers import INITIALIZATIONS

if TYPE_CHECKING:
    from explorer.core.network_info import NetworkInfo
    from explorer.vision.statistics.layers import Initialization

DATA, NETWORK, OPTIMIZATION, SHOWN = "Data", "Network", "Optimization", "Shown"
NEWEST = 100
_DEFAULT = Recipe()


def _trains(params: Any, _info: NetworkInfo | None) -> bool:
    return params.run is None


def _clips(params: Any, info: NetworkInfo | None) -> bool:
    return _trains(params, info) and params.clipping != CLIPPING[0]


@dataclass(frozen=True, slots=True)
class Augmentation:
    """One random change of every picture of a batch."""

    kind: str = param(
        KINDS[0], "Change", "What is done to a picture.", choices=KINDS, effect=Effect.STEER
    )
    strength: float = param(
        0.5, "Strength", "0 changes nothing, 1 is the largest change.",
        low=0.0, high=1.0, step=0.05, effect=Effect.STEER,
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Params:
    """See the help of each."""

    data: FolderRef | None = param(None, "Data", DATA_HELP, section="Data")
    augmentation: tuple[Augmentation, ...] = param(
        (), "Augmentation", "Random changes of the training pictures, in this order.",
        effect=Effect.STEER, most=8, section=DATA, when=_trains,
    )  # fmt: skip
    batch: int = param(
        _DEFAULT.batch, "Batch size", "Pictures of a step.",
        effect=Effect.STEER, low=1, high=256, log=True, section=DATA, when=_trains,
    )  # fmt: skip
    layers: int = param(
        _DEFAULT.layers, "Layers", "Convolutions and the linear layer. Starts a new run.",
        low=2, high=56, section=NETWORK, when=_trains,
    )  # fmt: skip
    width: int = param(
        _DEFAULT.width, "Channels", "Of the first layers; later ones have 2 and 4 times as many. "
        "Starts a new run.",
        low=4, high=32, step=4, section=NETWORK, when=_trains,
    )  # fmt: skip
    initialization: str = param(
        _DEFAULT.initialization, "Initialization",
        "Of the weights. *too small* and *too large* are half and twice the standard deviation of "
        "He. While it runs: all weights are drawn again.",
        choices=INITIALIZATIONS, effect=Effect.STEER, section=NETWORK, when=_trains,
    )  # fmt: skip
    norm: bool = param(
        _DEFAULT.norm, "Batch norm", "Normalizes the output of every convolution.",
        effect=Effect.STEER, section=NETWORK, when=_trains,
    )  # fmt: skip
    shortcuts: bool = param(
        _DEFAULT.shortcuts, "Shortcuts", "Adds the input of every two convolutions to their "
        "output (a residual network).",
        effect=Effect.STEER, section=NETWORK, when=_trains,
    )  # fmt: skip
    keep: float = param(
        _DEFAULT.keep, "Keep (dropout)",
        "Probability with which a feature before the last layer is kept; 1 = no dropout.",
        effect=Effect.STEER, low=0.1, high=1.0, step=0.05, section=NETWORK, when=_trains,
    )  # fmt: skip
    optimizer: str = param(
        _DEFAULT.optimizer, "Optimizer", "The rule of a step. A change clears its memory.",
        choices=OPTIMIZERS, effect=Effect.STEER, section=OPTIMIZATION, when=_trains,
    )  # fmt: skip
    rate: float = param(
        _DEFAULT.rate, "Learning rate", "The highest one of the schedule.",
        effect=Effect.STEER, low=0.0001, high=10.0, log=True, section=OPTIMIZATION, when=_trains,
    )  # fmt: skip
    schedule: str = param(
        _DEFAULT.schedule, "Schedule", "How the learning rate changes over the steps.",
        choices=SCHEDULES, effect=Effect.STEER, section=OPTIMIZATION, when=_trains,
    )  # fmt: skip
    decay: float = param(
        _DEFAULT.decay, "Weight decay", "Pulls every weight toward 0.",
        effect=Effect.STEER, low=0.0, high=0.1, step=0.0001, section=OPTIMIZATION, when=_trains,
    )  # fmt: skip
    clipping: str = param(
        _DEFAULT.clipping, "Clipping", "Limits the gradient of a step.",
        choices=CLIPPING, effect=Effect.STEER, section=OPTIMIZATION, when=_trains,
    )  # fmt: skip
    limit: float = param(
        _DEFAULT.limit, "Clipped at", "Largest magnitude of a derivative, or largest norm of all.",
        effect=Effect.STEER, low=0.001, high=100.0, log=True, section=OPTIMIZATION, when=_clips,
    )  # fmt: skip
    steps: int = param(
        _DEFAULT.steps, "Steps", "Of the training. More of them continue a run that has ended.",
        effect=Effect.STEER, low=10, high=20000, log=True, section=OPTIMIZATION, when=_trains,
    )  # fmt: skip
    run: FolderRef | None = param(
        None, "Open a run",
        "A folder with a kept run, also from another person: it is shown again, and goes on if it "
        "is not done and the data are the same.",
        section=SHOWN,
    )  # fmt: skip
    moment: int = param(
        NEWEST, "Moment shown", "0 is the start of the run, 100 the newest.",
        effect=Effect.DRAW, low=0, high=NEWEST, unit="%", play=True, section=SHOWN, kept=False,
    )  # fmt: skip
    compared: int = param(
        2, "Kept runs", "So that they can be compared, the curves of this many are drawn in gray.",
        effect=Effect.DRAW, low=0, high=6, section=SHOWN,
    )  # fmt: skip


def recipe_of(params: Params) -> Recipe:
    """What the form says."""
    changes = tuple((each.kind, each.strength) for each in params.augmentation)
    return Recipe(
        params.layers, params.width, params.steps, params.batch,
        cast("Initialization", params.initialization), params.norm, params.shortcuts, params.keep,
        params.optimizer, params.rate, params.schedule, params.decay, params.clipping, params.limit,
        changes,
    )  # fmt: skip
