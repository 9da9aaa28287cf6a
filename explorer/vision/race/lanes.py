"""The five lanes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import torch
from torch.nn import functional
from torchvision.models.detection.generalized_rcnn import GeneralizedRCNN
from torchvision.ops import clip_boxes_to_image

from explorer.core.runner import measuring
from explorer.vision.detection.boxes import clip
from explorer.vision.detection.detections import Detections, detections_of
from explorer.vision.pipelines import rcnn, sppnet
from explorer.vision.pipelines.rcnn import NMS_IOU, RCNN, Features, Heads, Prepared
from explorer.vision.race.candidates import Candidates
from explorer.vision.race.clock import Clock, Runs

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray
    from torch import nn

    from explorer.networks.network import Network

    Float32 = NDArray[np.float32]

A = TypeVar("A")

BATCH = 32
"""Regions that R-CNN warps and runs on between two steps."""

LEAST_MARGIN = -1.0
"""Of the SVMs; a smaller one is a clear no."""


@dataclass(frozen=True, slots=True, eq=False)
class Lane:
    """One way, really gone.

    Attributes:
        fixed: Seconds of the stages that do not depend on the number of proposals.
        each: Seconds of those that do, per proposal.
        done: Proposals that were used; 0 = the pipeline needs none from outside.
        candidates: Its outputs for them; None where it needs none.
        found: What it found without them.
        totals: Seconds of all stages in every measured run, ascending; empty where there was one
            pass over many regions.
    """

    fixed: dict[str, float]
    each: dict[str, float]
    done: int = 0
    candidates: Candidates | None = None
    found: Detections | None = None
    totals: tuple[float, ...] = ()

    def spread(self, count: int) -> tuple[float, ...]:
        """The quickest and the slowest run, for this many proposals; empty where there was one."""
        if len(self.totals) < 2:
            return ()
        share = self.seconds(count) / self.totals[len(self.totals) // 2]
        return self.totals[0] * share, self.totals[-1] * share

    def stages(self, count: int) -> dict[str, float]:
        """Seconds by stage for this many proposals."""
        found = dict(self.fixed)
        for stage, seconds in self.each.items():
            found[stage] = found.get(stage, 0.0) + seconds * count
        return found

    def seconds(self, count: int) -> float:
        """All stages together."""
        return sum(self.stages(count).values())


def _shared(seconds: dict[str, float], count: int) -> dict[str, float]:
    return {stage: value / max(1, count) for stage, value in seconds.items()}


def _judged(
    heads: Heads, seen: Features, boxes: Float32, size: tuple[int, ...], clock: Clock
) -> Candidates:
    """The SVMs and the regressors, and a suppression for the time it takes."""
    with clock.stage("head"):
        margins = rcnn.scores(heads, seen)
        moved = rcnn.refined(heads, seen, boxes)
        moved = clip(moved.reshape(-1, 4), (size[0], size[1])).reshape(moved.shape)
    found = Candidates(moved, margins, LEAST_MARGIN, NMS_IOU, 100)
    with clock.stage("suppression"):
        found.detections(len(boxes), 0.0)
    return found


@dataclass(slots=True, eq=False)
class WarpedRegions:
    """R-CNN's features of the first regions of a list, which keeps growing.

    Attributes:
        boxes: (N, 4) all of them, in the photo's pixels.
        seconds: Spent so far, by stage.
        parts: What is known of the regions so far, batch by batch.
        photo: What they are cut out of, once it was asked for.
    """

    boxes: Float32
    seconds: dict[str, float] = field(default_factory=dict)
    parts: list[Features] = field(default_factory=list)
    photo: Prepared | None = None

    @property
    def done(self) -> int:
        return sum(len(part.vector) for part in self.parts)

    @property
    def complete(self) -> bool:
        return bool(self.parts) and self.done == len(self.boxes)

    def features(self) -> Features:
        """Of the first `done` regions."""
        return Features(
            np.concatenate([part.vector for part in self.parts]),
            np.concatenate([part.map for part in self.parts]),
        )

    def go_on(self, own: RCNN, pixels: NDArray[np.uint8]) -> None:
        """Warps the next `BATCH` regions and runs on them."""
        with measuring():
            self.next_batch(own, pixels)

    def next_batch(self, own: RCNN, pixels: NDArray[np.uint8]) -> None:
        """As `go_on` where nobody looks at the seconds: other work may run beside it."""
        device = next(own.body.parameters()).device
        boxes = self.boxes[self.done : self.done + BATCH]
        clock = Clock(device)
        if self.photo is None:
            with clock.stage("resize"):
                self.photo = rcnn.prepared(pixels, device)
            # the first pass of a network takes longer; that is not the method's fault
            rcnn.features(own.body, rcnn.warp(self.photo, boxes[:4], own.side))
        with clock.stage("resize"):
            crops = rcnn.warp(self.photo, boxes, own.side)
        with clock.stage("network"):
            self.parts.append(rcnn.features(own.body, crops))
        for stage, seconds in clock.seconds.items():
            self.seconds[stage] = self.seconds.get(stage, 0.0) + seconds
        if self.complete:
            self.photo = None


def rcnn_lane(own: RCNN, regions: WarpedRegions, size: tuple[int, ...]) -> Lane:
    """R-CNN's outputs for the regions computed so far (Girshick et al. 2014)."""
    clock = Clock(torch.device("cpu"))
    done = regions.done
    found = _judged(own.heads, regions.features(), regions.boxes[:done], size, clock)
    return Lane({}, _shared({**regions.seconds, **clock.seconds}, done), done, found)


def spp_net(own: RCNN, pixels: NDArray[np.uint8], boxes: Float32) -> Lane:
    """One pass, a pyramid of bins per region, linear SVMs (He et al. 2014)."""
    device = next(own.body.parameters()).device

    def once() -> tuple[Clock, Clock, Candidates]:
        fixed, each = Clock(device), Clock(device)
        with fixed.stage("resize"):
            image = sppnet.resized(pixels, device)
        with fixed.stage("network"):
            found = sppnet.last_map(own.body, image)
        with each.stage("pooling"):
            seen = sppnet.pooled(found, boxes, pixels.shape[:2])
        return fixed, each, _judged(own.pyramid, seen, boxes, pixels.shape[:2], each)

    fixed, each, judged, totals = median_run(once)
    shared = _shared(each.seconds, len(boxes))
    return Lane(fixed.seconds, shared, len(boxes), judged, totals=totals)


@torch.no_grad()
def fast_rcnn(network: Network, pixels: NDArray[np.uint8], boxes: Float32) -> Lane:
    """A two-stage detector whose second stage gets regions from outside (Girshick 2015).

    Its RPN is not run; every other part is the network's own.

    Args:
        network: Whose module is a torchvision `GeneralizedRCNN`.
        pixels: (H, W, 3) uint8 RGB.
        boxes: (N, 4) in the photo's pixels.
    """
    module: Any = network.module
    heads = module.roi_heads

    frame = network.preprocess.frame(*pixels.shape[:2])
    inside, back = frame.boxes(boxes), frame.inverse()

    def once() -> tuple[Clock, Clock, Candidates]:
        fixed, each = Clock(network.device), Clock(network.device)
        with fixed.stage("resize"):
            image = network.preprocess(pixels).to(network.device, network.dtype)[0]
            images, _ = module.transform([image])
        with fixed.stage("network"):
            features = module.backbone(images.tensors)
            if isinstance(features, torch.Tensor):  # of a backbone without a pyramid
                features = {"0": features}
        sizes = images.image_sizes
        (height, width), (own_height, own_width) = image.shape[-2:], sizes[0]
        scale = np.array([own_width / width, own_height / height] * 2, np.float32)
        regions = torch.from_numpy(inside * scale).to(network.device)
        with each.stage("pooling"):
            crops = heads.box_roi_pool(features, [regions.to(network.dtype)], sizes)
        with each.stage("head"):
            logits, deltas = heads.box_predictor(heads.box_head(crops))
            scores = functional.softmax(logits.float(), -1)[:, 1:]
            decoded = heads.box_coder.decode(deltas.float(), [regions])
            moved = clip_boxes_to_image(decoded, sizes[0])[:, 1:]
        plain = (moved.cpu().numpy() / scale).reshape(-1, 4)
        found = Candidates(
            back.boxes(plain).reshape(len(boxes), -1, 4), scores.cpu().numpy(),
            heads.score_thresh, heads.nms_thresh, heads.detections_per_img,
        )  # fmt: skip
        with each.stage("suppression"):
            found.detections(len(boxes), heads.score_thresh)
        return fixed, each, found

    fixed, each, found, totals = median_run(once)
    return Lane(fixed.seconds, _shared(each.seconds, len(boxes)), len(boxes), found, totals=totals)


def faster_rcnn(network: Network, pixels: NDArray[np.uint8]) -> Lane:
    """The network's own forward; the regions come from its RPN (Ren et al. 2015)."""
    return _forward(network, pixels, two_stage_parts(network.module))


def two_stage_parts(module: nn.Module) -> dict[str, tuple[nn.Module, ...]]:
    """By stage, the modules of a detector of the R-CNN family whose forwards count for it."""
    whole: Any = module
    heads = whole.roi_heads
    branches = [  # those of masks and keypoints, where it has them
        (pool, head, predictor)
        for kind in ("box", "mask", "keypoint")
        if (pool := getattr(heads, f"{kind}_roi_pool", None)) is not None
        and (head := getattr(heads, f"{kind}_head", None)) is not None
        and (predictor := getattr(heads, f"{kind}_predictor", None)) is not None
    ]
    return {
        "resize": (whole.transform,),
        "network": (whole.backbone,),
        "proposals": (whole.rpn,),
        "pooling": tuple(pool for pool, *_ in branches),
        "head": tuple(part for _, *parts in branches for part in parts),
    }


def single_stage(network: Network, pixels: NDArray[np.uint8]) -> Lane:
    """The network's own forward; there are no regions at all (Redmon et al. 2016; Liu et al. 2016).

    What is neither resizing, backbone nor head counts as suppression (decoding is part of it).
    """
    return _forward(network, pixels, single_stage_parts(network.module))


def single_stage_parts(module: nn.Module) -> dict[str, tuple[nn.Module, ...]]:
    """The same of a single-stage detector."""
    parts: dict[str, tuple[nn.Module, ...]] = {"resize": (), "network": (), "head": ()}
    for name, part in module.named_children():
        if name == "body":  # of our YOLOs, which call its layers and stages one by one
            for layer in part.children():
                parts["network"] += tuple(layer.children()) or (layer,)
        else:
            parts[{"transform": "resize", "backbone": "network"}.get(name, "head")] += (part,)
    return parts


def two_stage(network: Network) -> bool:
    """Whether `fast_rcnn` and `faster_rcnn` can take it."""
    return isinstance(network.module, GeneralizedRCNN)


@torch.no_grad()
def _forward(
    network: Network, pixels: NDArray[np.uint8], parts: dict[str, tuple[nn.Module, ...]]
) -> Lane:
    image = network.preprocess(pixels).to(network.device, network.dtype)[0]

    def once() -> tuple[Clock, Clock, Any]:
        clock = Clock(network.device)
        with clock.watching(parts, "suppression"):
            output = network.module([image])
        return clock, Clock(network.device), output

    clock, _, output, totals = median_run(once)
    height, width = image.shape[-2:]
    frame = network.preprocess.frame(*pixels.shape[:2])
    found = detections_of(output, frame, (height, width))
    return Lane(clock.seconds, {}, found=found, totals=totals)


def median_run(
    once: Callable[[], tuple[Clock, Clock, A]],
) -> tuple[Clock, Clock, A, tuple[float, ...]]:
    """The median of several runs after one that only warms up, and the seconds of all of them.

    Args:
        once: Runs everything: the clocks of the stages that do not depend on the number of
            proposals and of those that do, and the result.

    Returns:
        The clocks and the result of the median run, and the seconds of every run, ascending.
    """
    runs: Runs[tuple[Clock, Clock, A]] = Runs()
    with measuring():
        once()
        while not runs.enough:
            found = once()
            runs.add(sum(sum(clock.seconds.values()) for clock in found[:2]), found)
    return *runs.median, runs.seconds
