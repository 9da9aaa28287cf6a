"""The parameters: most of them reach the running training at its next step."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from explorer.core.params import Effect, FolderRef, param
from explorer.training.adversarial.losses import KINDS
from explorer.training.adversarial.recipe import GanRecipe

if TYPE_CHECKING:
    from explorer.core.network_info import NetworkInfo
    from explorer.training.adversarial.losses import Kind

POINTS, PICTURES = "eight Gaussians", "pictures"
BATCH = {POINTS: 256, PICTURES: 16}
"""Samples of a step."""
LOSSES: dict[str, Kind] = {"WGAN-GP" if kind == "wasserstein" else kind: kind for kind in KINDS}
TRAINING, SHOWN = "Training", "Shown"
NEWEST = 100
_DEFAULT = GanRecipe()


def _trains(params: Any, _info: NetworkInfo | None) -> bool:
    return params.run is None


def _pictures(params: Any, _info: NetworkInfo | None) -> bool:
    return bool(params.samples == PICTURES)


def _trains_pictures(params: Any, info: NetworkInfo | None) -> bool:
    return _trains(params, info) and _pictures(params, info)


@dataclass(frozen=True, slots=True)
class Params:
    """See the help of each."""

    samples: str = param(
        POINTS, "Samples",
        "Points in the plane with fully connected networks, or pictures with convolutional ones.",
        choices=(POINTS, PICTURES),
    )  # fmt: skip
    folder: FolderRef | None = param(
        None, "Folder", "At least 24 photos, whatever they show. By default shapes that the "
        "program draws.",
        when=_pictures,
    )  # fmt: skip
    loss: str = param(
        "minimax", "Loss", "Of both networks. It may change while the training runs.",
        choices=tuple(LOSSES), effect=Effect.STEER, section=TRAINING, when=_trains,
    )  # fmt: skip
    rate: float = param(
        _DEFAULT.rate, "Generator's learning rate", "Of Adam.",
        effect=Effect.STEER, low=0.00001, high=0.1, log=True, section=TRAINING, when=_trains,
    )  # fmt: skip
    rate_d: float = param(
        _DEFAULT.rate_d, "Discriminator's learning rate",
        "Of Adam. Five times as high, the discriminator keeps up, and the modes come back.",
        effect=Effect.STEER, low=0.00001, high=0.1, log=True, section=TRAINING, when=_trains,
    )  # fmt: skip
    turns: int = param(
        _DEFAULT.turns, "Discriminator's steps", "For each step of the generator.",
        effect=Effect.STEER, low=1, high=10, section=TRAINING, when=_trains,
    )  # fmt: skip
    r1: float = param(
        _DEFAULT.r1, "R1 penalty",
        "Gamma: weight of the squared gradient of the scores at real samples; 0 = none.",
        effect=Effect.STEER, low=0.0, high=10.0, step=0.1, section=TRAINING, when=_trains,
    )  # fmt: skip
    spectral: bool = param(
        _DEFAULT.spectral, "Spectral norm",
        "Divides every layer of the discriminator by its largest singular value. Starts a new run.",
        section=TRAINING, when=_trains,
    )  # fmt: skip
    steps: int = param(
        _DEFAULT.steps, "Steps", "Of the generator. More of them continue a run that has ended.",
        effect=Effect.STEER, low=10, high=100000, log=True, section=TRAINING, when=_trains,
    )  # fmt: skip
    growing: bool = param(
        _DEFAULT.growing, "Progressive growing",
        "Begins with 4 x 4 pixels and fades in 8, 16 and 32. Starts a new run.",
        section=TRAINING, when=_trains_pictures,
    )  # fmt: skip
    augmented: float = param(
        _DEFAULT.augmented, "Augmented",
        "Fraction of the pictures, real and made, that are varied before the discriminator gets "
        "them; useful with few photos.",
        effect=Effect.STEER, low=0.0, high=1.0, step=0.05, section=TRAINING, when=_trains_pictures,
    )  # fmt: skip
    run: FolderRef | None = param(
        None, "Open a run",
        "A folder with a kept run: it is shown again, and goes on if it is not done and the "
        "samples are the same.",
        section=SHOWN,
    )  # fmt: skip
    moment: int = param(
        NEWEST, "Moment shown", "0 is the start of the run, 100 the newest.",
        effect=Effect.DRAW, low=0, high=NEWEST, unit="%", play=True, section=SHOWN, kept=False,
    )  # fmt: skip


def recipe_of(params: Params) -> GanRecipe:
    """What the form says."""
    pictures = params.samples == PICTURES
    return GanRecipe(
        pictures, LOSSES[params.loss], params.spectral, params.r1, params.turns, params.rate,
        params.rate_d, BATCH[params.samples], params.steps, params.growing, params.augmented,
    )  # fmt: skip
