"""The parameters."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from explorer.core.params import Box, ImageRef, Pick, param
from explorer.networks.generative.autoencoder import LATENT

if TYPE_CHECKING:
    from explorer.core.network_info import NetworkInfo
    from explorer.core.params import When

RECONSTRUCTION, INTERPOLATION, PLANE, COMPLETION, FAMILIES = SHOWS = (
    "VAE: reconstruction", "VAE: interpolation", "VAE: latent plane",
    "autoregressive: completion", "three families",
)  # fmt: skip


def _only(*shows: str) -> When:
    def matters(params: Any, _info: NetworkInfo | None) -> bool:
        return params.show in shows

    return matters


@dataclass(frozen=True, slots=True)
class Params:
    """See the help of each."""

    show: str = param(
        RECONSTRUCTION, "Show", "One of two networks at work on the photo, or samples of three.",
        choices=SHOWS,
    )  # fmt: skip
    face: Box | None = param(
        None, "Face", "Draw a box around the face, from hair to chin. By default the largest face "
        "that is found, aligned; where there is none, the middle of the photo.",
        pick=Pick.DRAG, when=_only(RECONSTRUCTION, INTERPOLATION, PLANE, COMPLETION),
    )  # fmt: skip
    other: ImageRef | None = param(
        None, "Other photo", "The other end of the interpolation. By default a random latent.",
        when=_only(INTERPOLATION),
    )  # fmt: skip
    across: int = param(
        1, "Across", "Number of the latent that changes from left to right: 1 = the one that "
        "changes the picture most.",
        low=1, high=LATENT, when=_only(PLANE),
    )  # fmt: skip
    down: int = param(
        2, "Down", "Number of the latent that changes from the top down.",
        low=1, high=LATENT, when=_only(PLANE),
    )  # fmt: skip
    known: int = param(
        50, "Known", "How much of the photo is given; the rest below is drawn pixel by pixel.",
        low=0, high=95, step=5, unit="%", when=_only(COMPLETION),
    )  # fmt: skip
    temperature: float = param(
        0.9, "Temperature",
        "Of each draw: 1 = the distribution of the network; a smaller one is closer to the most "
        "probable value.",
        low=0.1, high=1.2, step=0.05, when=_only(COMPLETION, FAMILIES),
    )  # fmt: skip
