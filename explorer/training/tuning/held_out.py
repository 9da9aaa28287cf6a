"""How good the network is on the photos held out, and what it finds there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from explorer.core.errors import ExplorerError
from explorer.evaluation.coco import coco_ap
from explorer.evaluation.metrics import Found

if TYPE_CHECKING:
    from collections.abc import Sequence

    from explorer.training.tuning.photos import HeldOut


@torch.no_grad()
def detect(model: Any, photo: HeldOut) -> Found:
    """A detector's output in eval mode for the photo: its own forward pass after its transform.

    Raises:
        ExplorerError: The numbers are not finite.
    """
    sizes = [photo.input_size]
    batch = _Batch(photo.inputs, sizes)
    maps = model.backbone(photo.inputs)
    proposals, _ = model.rpn(batch, maps)
    found, _ = model.roi_heads(maps, proposals, sizes)
    (answer,) = model.transform.postprocess(found, sizes, [photo.size])
    boxes = answer["boxes"].float()
    if not bool(torch.isfinite(boxes).all() and torch.isfinite(answer["scores"]).all()):
        raise ExplorerError(
            "The training diverged: the network's outputs are not finite.",
            "Choose a smaller learning rate.",
        )
    return Found(
        boxes.cpu().numpy(), answer["labels"].cpu().numpy(), answer["scores"].float().cpu().numpy()
    )


class _Batch:
    """The two fields of torchvision's `ImageList` that are read."""

    def __init__(self, tensors: torch.Tensor, image_sizes: list[tuple[int, int]]) -> None:
        self.tensors, self.image_sizes = tensors, image_sizes


def ap50(photos: Sequence[HeldOut], found: Sequence[Found]) -> tuple[float, dict[int, float]]:
    """COCO's AP50, and that of every class by its label; nothing counts without a photo."""
    if not photos:
        return 0.0, {}
    result = coco_ap([photo.objects for photo in photos], found)
    return result.ap50, {label: own.ap50 for label, own in result.by_class.items()}
