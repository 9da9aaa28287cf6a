"""What the training half has so far."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from explorer.views.shared.draw_cache import DrawCache

if TYPE_CHECKING:
    from explorer.core.layers import Picture
    from explorer.views.detection.rcnn_training.fitting import Fit
    from explorer.views.detection.rcnn_training.samples import Samples


@dataclass(frozen=True, slots=True)
class Disk:
    """R-CNN's features of this photo's proposals as a file.

    Attributes:
        numbers: Of one region, float32 each.
        regions: That are in the file.
        found: Proposals of this photo in all.
        size: Bytes on disk; 0 where it could not be written.
        why: Why not.
    """

    numbers: int
    regions: int
    found: int
    size: int = 0
    why: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Result:
    """`example` says where the object comes from when there is no ground truth; else it is ""."""

    photo: Picture
    samples: Samples | None = None
    fit: Fit | None = None
    disk: Disk | None = None
    example: str = ""
    card: dict[str, Any] = field(default_factory=dict)
    cache: DrawCache = field(default_factory=lambda: DrawCache(16))
