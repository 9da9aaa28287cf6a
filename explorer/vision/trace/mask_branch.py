"""The mask branch of Mask R-CNN (He et al. 2017, section 3), layer by layer.

Its layers run inside the network's own forward pass; what they gave is taken from there
(`explorer.networks.hooks.captured`). Run to its end, a branch gives the network's own masks.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torchvision.models.detection.roi_heads import paste_masks_in_image

from explorer.core.errors import ExplorerError
from explorer.core.network_info import MASK_HEAD
from explorer.vision.detection.roi_head import pooled_maps
from explorer.vision.trace import TwoStage

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from torch import Tensor, nn

    from explorer.vision.detection.roi_head import RoiMaps
    from explorer.vision.trace import Trace

POOL = "roi_heads.mask_roi_pool"
HEAD = MASK_HEAD
PREDICTOR = "roi_heads.mask_predictor"


@dataclass(frozen=True, slots=True, eq=False)
class MaskBranch:
    """What the mask branch computed for the M detections of a photo; tensors of the device.

    Attributes:
        boxes: (M, 4) xyxy in pixels of the transformed image: RoIAlign cuts these.
        placed: (M, 4) xyxy in pixels of the network's input: the masks are pasted into these.
        labels: (M,) int64, the class of each.
        stages: By the name of the layer, in order: (M, C, h, w) outputs of RoIAlign, of every
            convolution of the head, and of the layers of the predictor; the last are the logits
            (M, K, h, w), one mask for each of the K classes.
        maps: The feature maps that RoIAlign cuts from, and how.
    """

    boxes: Tensor
    placed: Tensor
    labels: Tensor
    stages: Mapping[str, Tensor]
    maps: RoiMaps

    @property
    def logits(self) -> Tensor:
        """(M, K, h, w)."""
        return self.stages[PREDICTOR]

    @property
    def class_agnostic(self) -> bool:
        """One mask serves all classes (He et al. 2017, table 2b)."""
        logits = self.logits
        return bool((logits == logits[:, :1]).all())


def branch_layers(names: Sequence[str]) -> tuple[str, ...]:
    """The layers of the mask branch among the names of all layers, in the order they run.

    Empty for a network without such a branch.
    """
    known = set(names)
    if POOL not in known:
        return ()
    parts = tuple(
        name for part in (HEAD, PREDICTOR) for name in names if name.rpartition(".")[0] == part
    )
    return (POOL, *(name for name in parts if not name.endswith("mask_fcn_logits")), PREDICTOR)


def branch_of(
    module: nn.Module, trace: Trace, records: Mapping[str, Sequence[Tensor]]
) -> MaskBranch:
    """The branch from the outputs of its layers.

    Args:
        module: The detector.
        trace: Its own.
        records: What the layers gave, by the names of `branch_layers` and in their order.

    Raises:
        ExplorerError: The network has no mask branch, or the branch was not run.
    """
    if not isinstance(trace, TwoStage) or trace.roi.masks is None:
        raise ExplorerError(
            "This network has no mask branch.",
            "Choose Mask R-CNN, such as lite-maskrcnn.",
        )
    nms = trace.roi.filter.nms
    (found,) = trace.output
    pool: Any = module.get_submodule(POOL)
    stages = {name: calls[-1] for name, calls in records.items()}
    # The logits as the network has them: one mask expanded to all classes stays a view of one, for
    # which the sigmoid may round differently than for a copy.
    stages[PREDICTOR] = trace.roi.masks
    return MaskBranch(
        nms.boxes[nms.top], found["boxes"], found["labels"], stages, pooled_maps(trace, pool)
    )


@torch.no_grad()
def pasted(masks: Tensor, boxes: Tensor, size: tuple[int, int]) -> Tensor:
    """The probabilities of small masks in the boxes that they belong to, as torchvision does it.

    A border of zeros is put around each mask, the box grows with it and is rounded to whole
    pixels, and the mask is enlarged bilinearly.

    Args:
        masks: (M, h, w) in [0, 1].
        boxes: (M, 4) xyxy in pixels of the network's input.
        size: Height and width of the input.

    Returns:
        (M, H, W).
    """
    found: Tensor = paste_masks_in_image(masks[:, None], boxes, size)
    return found[:, 0]


@torch.no_grad()
def own_masks(branch: MaskBranch, size: tuple[int, int]) -> Tensor:
    """(M, 1, H, W): the branch run to its end, each mask that of the detection's class."""
    rows = torch.arange(len(branch.labels), device=branch.labels.device)
    small = branch.logits.sigmoid()[rows, branch.labels]
    return pasted(small, branch.placed, size)[:, None]
