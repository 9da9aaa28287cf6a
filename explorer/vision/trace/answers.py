"""What every anchor of a detector answers, in one form for all networks that have anchors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, runtime_checkable

import torch
from torch import Tensor

from explorer.vision.trace import TwoStage, trace_of

if TYPE_CHECKING:
    from explorer.engine.scene import Scene
    from explorer.networks.preprocess import Frame
    from explorer.vision.trace.parts import Level, Nms


@dataclass(frozen=True, eq=False)
class AnchorAnswers:
    """N anchors, cell by cell, and what the network says about each.

    Boxes are x0, y0, x1, y1 in pixels of the network's own (transformed) image, y down.

    Attributes:
        frame: From the pixels of the module's input (in `anchor_answers(scene)`: of the photo) to
            those of the boxes.
        size: Height and width of the transformed image without padding.
        levels: Where the anchors stand (`explorer.vision.trace.make_levels` makes them).
        anchors: (N, 4).
        scores: (N,) in [0, 1]: objectness, or the best class's score.
        refined: (N, 4), the anchors moved by the network's deltas, not clipped.
        labels: (N,) int64, the best class of each anchor; None where anchors have no class.
        meaning: What a score is, in a word or two: "objectness", "best class".
    """

    frame: Frame
    size: tuple[int, int]
    levels: tuple[Level, ...]
    anchors: Tensor
    scores: Tensor
    refined: Tensor
    labels: Tensor | None
    meaning: str


@runtime_checkable
class HasAnchors(Protocol):
    """A module that is no torchvision detector but has anchors: one method makes it shown.

    The answer's `frame` is from the module's input to the frame of the boxes; `Frame()` where the
    module does not resize.
    """

    def anchor_answers(self, images: list[Tensor] | Tensor) -> AnchorAnswers:
        """Takes what `forward` takes: a list with one (C, H, W) image, or (1, C, H, W)."""
        ...


@runtime_checkable
class HasSuppression(Protocol):
    """A module that is no torchvision detector but suppresses overlapping boxes as those do."""

    def suppression(self, images: list[Tensor] | Tensor) -> tuple[Frame, Nms]:
        """What goes into it and what stays, and the frame of its boxes.

        Takes what `forward` takes; the frame is as in `HasAnchors`, from the module's input.
        """
        ...


def anchor_answers(scene: Scene) -> AnchorAnswers:
    """The anchors of the scene's network, worked out once; `frame` is from the photo.

    Raises:
        ExplorerError: When the network has no anchors that can be followed.
    """
    return scene.memo("anchor_answers", lambda: _answers(scene))


@torch.no_grad()
def _answers(scene: Scene) -> AnchorAnswers:
    module = scene.network.module
    if isinstance(module, HasAnchors):
        values = scene.input()
        own = module.anchor_answers(values if scene.network.preprocess.batched else [values[0]])
        return AnchorAnswers(
            scene.frame.then(own.frame), own.size, own.levels, own.anchors, own.scores,
            own.refined, own.labels, own.meaning,
        )  # fmt: skip
    trace = trace_of(scene)
    seen = trace.pyramid
    if isinstance(trace, TwoStage):
        scores, refined, labels, meaning = trace.rpn.scores, trace.rpn.decoded, None, "objectness"
    else:
        scores, labels = trace.scores[:, 1:].max(dim=1)  # class 0 is the background
        labels, refined, meaning = labels + 1, trace.decoded, "best class"
    return AnchorAnswers(
        seen.frame, seen.size, seen.levels, seen.anchors, scores, refined, labels, meaning
    )
