"""The parameters."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from explorer.core.params import Effect, FolderRef, ImageRef, param
from explorer.vision.latent.walks import WAYS

if TYPE_CHECKING:
    from explorer.core.network_info import NetworkInfo
    from explorer.core.params import When

SAMPLES, WALK, CORNERS, RESOLUTIONS, MIXING, PROJECTION = SHOWS = (
    "samples", "walk", "four corners", "resolutions", "style mixing", "projection",
)  # fmt: skip
MOST = 999


def _only(*shows: str) -> When:
    def matters(params: Any, _info: NetworkInfo | None) -> bool:
        return params.show in shows

    return matters


@dataclass(frozen=True, slots=True)
class Params:
    """See the help of each."""

    show: str = param(SAMPLES, "Show", "What is made.", choices=SHOWS)
    run: FolderRef | None = param(
        None, "Run",
        "A folder with a kept run of GAN training on pictures, whose generator is used. By default "
        "the generator of faces that comes with the program, or else the newest such run.",
    )  # fmt: skip
    first: int = param(
        0, "First sample", "Its number: each number is a latent, drawn at random.",
        low=0, high=MOST,
    )  # fmt: skip
    second: int = param(
        1, "Second sample", "The other end of the walk, or where the colors come from.",
        low=0, high=MOST, when=_only(WALK, CORNERS, MIXING),
    )  # fmt: skip
    truncation: float = param(
        0.7, "Truncation",
        "Styles are moved toward their mean: 0 = the mean style, 1 = as they are.",
        low=0.0, high=1.5, step=0.05, when=_only(SAMPLES, WALK, CORNERS, RESOLUTIONS, MIXING),
    )  # fmt: skip
    way: str = param(
        WAYS[0], "Way", "Between two latents, or between their styles.",
        choices=WAYS, when=_only(WALK, CORNERS),
    )  # fmt: skip
    place: int = param(
        50, "Place", "On the way: 0 = the first sample, 100 = the second.",
        effect=Effect.DRAW, low=0, high=100, unit="%", play=True, when=_only(WALK), kept=False,
    )  # fmt: skip
    switch: int = param(
        1, "Colors from resolution",
        "The styles of the upper sample are used from this resolution on: 0 = from the lowest.",
        low=0, high=5, when=_only(MIXING),
    )  # fmt: skip
    own: ImageRef | None = param(
        None, "Photo to project", "Its middle square is compared with the generated picture.",
        when=_only(PROJECTION),
    )  # fmt: skip
    steps: int = param(
        120, "Steps", "Of the descent to the styles of the photo.",
        low=10, high=1000, log=True, when=_only(PROJECTION),
    )  # fmt: skip
