"""What the view has worked out so far."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from explorer.views.shared.draw_cache import DrawCache

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from explorer.core.layers import Float32, Picture
    from explorer.views.predictions.faces.reader import Gallery, Read
    from explorer.vision.faces.cascade import Level, Stage


@dataclass(frozen=True, slots=True, eq=False)
class Other:
    """A second photo and its faces."""

    photo: Picture
    read: Read


@dataclass(frozen=True, slots=True, eq=False)
class Result:
    """What there is so far.

    Attributes:
        photo: The photo.
        note: What is being done; "" at the end.
        levels: The pyramid, the largest picture first, as far as P-Net has gone.
        alone: (k,) float32, for the first levels the score of the highest-scoring window, cut out.
        proposals: (n, 4) float32 xyxy after NMS among all levels; None = not yet.
        refined: R-Net's stage.
        finished: O-Net's stage.
        read: The faces, aligned and embedded.
        other: The second photo.
        gallery: The folder.
        threshold: The distance up to which two faces are judged to be one person's.
        roc: (m, 3) float64, threshold of the distance and the rates of false and true positives of
            the network's held-out pairs; (0, 3) where none are known.
        notes: Sentences.
    """

    photo: Picture
    note: str
    levels: tuple[Level, ...] = ()
    alone: tuple[float, ...] = ()
    proposals: Float32 | None = None
    refined: Stage | None = None
    finished: Stage | None = None
    read: Read | None = None
    other: Other | None = None
    gallery: Gallery | None = None
    threshold: float = 0.0
    roc: NDArray[np.float64] | None = None
    notes: tuple[str, ...] = ()
    cache: DrawCache = field(default_factory=lambda: DrawCache(12))

    def chosen(self, face: int | None) -> int | None:
        """The face that is asked for, by default the largest; None = there is none."""
        if self.read is None or len(self.read.faces) == 0:
            return None
        if face is not None and face < len(self.read.faces):
            return face
        return self.read.faces.largest
