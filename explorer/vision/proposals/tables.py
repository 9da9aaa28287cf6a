"""The small trained tables of BING, objectness, Rahtu's cascade and Randomized Prim.

`explorer train proposal-scores` fits them (`explorer.training.lessons.proposal_scores`).
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from explorer.core.resources import resource_path

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Float32 = NDArray[np.float32]

FILE = "proposal-scores.npz"


@dataclass(frozen=True, slots=True, eq=False)
class Tables:
    """What the training photos say about boxes around objects.

    Attributes:
        bing_filter: (8, 8) float32, the template on normed gradients in [0, 255].
        bing_sizes: (S, 2) float32, width and height of the windows on a photo whose longer side is
            `bing.SIDE` pixels.
        bing_lines: (S, 2) float32, slope and offset from the filter's score to log odds.
        cue_edges: (4, B - 1) float32, where the bins of the objectness cues meet, in the order of
            `objectness.CUES`.
        cue_ratios: (4, B) float32, the log of how much more often an object's box falls into the
            bin than another window.
        rahtu_weights: (4,) float32, of the features in the order of `rahtu.FEATURES`.
        prim_weights: (4,) float32, of the three similarities of `prim`, and the offset.
        bing_larger: Windows with a side up to so many times that of the photo are cut to it; 1 =
            they are left away.
    """

    bing_filter: Float32
    bing_sizes: Float32
    bing_lines: Float32
    cue_edges: Float32
    cue_ratios: Float32
    rahtu_weights: Float32
    prim_weights: Float32
    bing_larger: float = field(default=1.0, kw_only=True)


@lru_cache(maxsize=1)
def tables() -> Tables:
    """Those that ship."""
    with np.load(resource_path("weights", FILE), allow_pickle=False) as file:
        names = [each.name for each in fields(Tables) if not each.kw_only]
        return Tables(*(np.asarray(file[name], np.float32) for name in names))
