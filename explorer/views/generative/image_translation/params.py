"""What can be set."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from explorer.core.params import Box, Mask, Pick, param
from explorer.training.data.map_pairs import CLASSES
from explorer.training.lessons.generative.photos import VIVID

if TYPE_CHECKING:
    from explorer.core.network_info import NetworkInfo

LARGER, COLORED, TO_MAP, TO_PHOTO = "4 x larger", "gray to color", "photo to map", "map to photo"
KINDS = (LARGER, COLORED, TO_MAP, TO_PHOTO)

MADE, PHOTO, BLANK = "the photo's map", "the photo as a map", "empty land"
BASES = (MADE, PHOTO, BLANK)

LEVELS = (1, 2, 3, 4)
"""Of the skip connections: at 1/2, 1/4, 1/8 and 1/16 of the side."""


def _maps(params: Params, _info: NetworkInfo | None) -> bool:
    return params.kind in (TO_MAP, TO_PHOTO)


def _photos(params: Params, _info: NetworkInfo | None) -> bool:
    return params.kind in (LARGER, COLORED)


def _drawn(params: Params, _info: NetworkInfo | None) -> bool:
    return params.kind == TO_PHOTO


def _skip(level: int) -> bool:
    return param(
        True, f"Skip at 1/{2**level}",
        f"The skip connection at 1/{2**level} of the side; switched off, it carries zeros.",
        section="U-Net", when=_maps,
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Params:
    """See the help of each."""

    kind: str = param(
        LARGER, "Translation",
        "From what to what. The first two take any photo, the maps an aerial photo of a city.",
        choices=KINDS,
    )  # fmt: skip
    box: Box | None = param(
        None, "Region", "The part of the photo that is translated: drag a box. By default the "
        "middle.",
        pick=Pick.DRAG, pane="image",
    )  # fmt: skip
    strokes: Mask | None = param(
        None, "Brush", "Paints on the map; the photo follows while you paint.",
        pick=Pick.BRUSH, pane="drawing", choices=CLASSES, when=_drawn,
    )  # fmt: skip
    base: str = param(
        MADE, "Paint on", "The map that the photo is translated to, the photo itself where it is "
        "a map, or empty land.",
        choices=BASES, when=_drawn,
    )  # fmt: skip
    temperature: float = param(
        VIVID, "Temperature",
        "1 is the mean of all colors that are possible, which is often grayish; near 0 is the "
        "most probable color.",
        low=0.05, high=1.0, step=0.01, when=lambda params, _: params.kind == COLORED,
    )  # fmt: skip
    skip1: bool = _skip(1)
    skip2: bool = _skip(2)
    skip3: bool = _skip(3)
    skip4: bool = _skip(4)
    dropout: bool = param(
        False, "Dropout as noise",
        "Drops half of the channels of the decoder's first two steps, as in training; another "
        "seed gives another picture.",
        section="U-Net", when=_maps,
    )  # fmt: skip
    side: int = param(
        256, "Working size", "Longest side of the region; a larger one is reduced.",
        low=64, high=512, step=32, unit="px", advanced=True, when=_photos,
    )  # fmt: skip

    @property
    def without(self) -> frozenset[int]:
        """Levels whose skip connection carries zeros."""
        return frozenset(level for level in LEVELS if not getattr(self, f"skip{level}"))
