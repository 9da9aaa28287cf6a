"""Training of the mask branch of `mini-maskrcnn`, on a detector that is ready and frozen.

The branch learns from pseudo-masks (see `pseudo_masks`), as Khoreva et al. 2017 taught theirs, in
boxes that lie about an object's own as a detector's do.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn
from torchvision.models.detection.roi_heads import maskrcnn_loss, paste_masks_in_image

from explorer.evaluation.coco import Masks, coco_mask_ap50
from explorer.evaluation.scenes import SIDE, Scene
from explorer.networks.embedded.mask_rcnn import mini_maskrcnn
from explorer.training.cards import Facts, Share
from explorer.training.data.pseudo_masks import PSEUDO, masked_photos
from explorer.training.data.scene_task import PHOTOS_PER_SCENE, SceneTask, to_tensor
from explorer.training.evaluate import measured
from explorer.training.lessons import detector
from explorer.training.loop import Recipe
from explorer.training.two_stage_losses import COPIES, SHIFT, boxes_about

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from explorer.training.lessons.registry import Material

DETECTOR = "mini-fasterrcnn"

SHARED = ("backbone.", "rpn.", "roi_heads.box_head.", "roi_heads.box_predictor.")
"""What is the detector's own, and lies in its file only."""

RECIPE = Recipe(epochs=2, batch=8, peak=0.1, warmup=0.1, decay=1e-4, average=0.998, clip=5.0)


@dataclass(slots=True, eq=False, kw_only=True)
class MaskTask(SceneTask):
    """The mask branch of Mask R-CNN, whose other weights are a trained `mini_fasterrcnn`'s.

    Args:
        options: Of `mini_maskrcnn`.
    """

    options: dict[str, Any]
    recipe: Recipe = RECIPE
    name: str = "mini-maskrcnn"

    def settings(self) -> dict[str, object]:
        return {
            "detector": "random" if self.weights is None else DETECTOR,
            "side": self.side,
            "photos per scene": PHOTOS_PER_SCENE,
            "boxes per object": COPIES,
            "shift of their sides": SHIFT,
        }

    def build(self) -> nn.Module:
        model: nn.Module = mini_maskrcnn(**self.options)
        if self.weights is not None:
            own = model.state_dict()
            model.load_state_dict({**own, **{k: v for k, v in self.weights.items() if k in own}})
        return model

    def prepare(self, model: nn.Module) -> None:
        model.eval().requires_grad_(requires_grad=False)
        for part in ("mask_head", "mask_predictor"):
            model.get_submodule(f"roi_heads.{part}").requires_grad_(requires_grad=True)

    def losses(
        self, model: nn.Module, step: int, progress: float, device: torch.device
    ) -> dict[str, Tensor]:
        return {"mask": mask_loss(model, self.scenes(step), device)}


def mask_loss(model: Any, scenes: Sequence[Scene], device: torch.device) -> Tensor:
    """The binary cross-entropy of the masks in boxes about the objects (He et al. 2017, section 3).

    Only the mask of the object's class counts, cut out by the box and resized to 28x28.

    Args:
        model: As `mini_maskrcnn` makes it.
        scenes: With masks, of the size that the model resizes to; the global generator draws the
            boxes.
        device: Where the model is.
    """
    heads = model.roi_heads
    about = [boxes_about(scene.boxes, scene.pixels.shape[:2]) for scene in scenes]
    boxes, rows = [box.to(device) for box, _ in about], [row.to(device) for _, row in about]
    labels = [torch.from_numpy(scene.labels).to(device) for scene in scenes]
    masks = [torch.from_numpy(scene.masks).to(device) for scene in scenes]
    with torch.no_grad():
        batch, _ = model.transform([to_tensor(scene).to(device) for scene in scenes])
        assert batch.image_sizes == [scene.pixels.shape[:2] for scene in scenes]
        maps = model.backbone(batch.tensors.contiguous(memory_format=torch.channels_last))
        pooled = heads.mask_roi_pool(maps, boxes, batch.image_sizes)
    logits: Tensor = heads.mask_predictor(heads.mask_head(pooled)).float()
    if not len(logits):
        return logits.sum()
    loss: Tensor = maskrcnn_loss(logits, boxes, masks, labels, rows)
    return loss


def task(name: str, material: Material) -> MaskTask:
    """See `lessons`."""
    photos, masks = masked_photos(material, "train")
    return MaskTask(
        photos,
        material.group_labels,
        material.trained(DETECTOR),
        options={**detector.facts(DETECTOR, material).kwargs, "side": SIDE, "short_side": SIDE},
        recipe=material.recipe(RECIPE),
        name=name,
        masks=masks,
    )


def facts(_name: str, material: Material) -> Facts:
    """See `lessons`."""
    found = detector.facts(DETECTOR, material)
    return replace(
        found,
        title="Mini Mask R-CNN",
        function="mini_maskrcnn",
        shares=tuple(Share(DETECTOR, prefix, prefix) for prefix in SHARED),
        measured_on=found.measured_on + "; the ground-truth masks are GrabCut's, too",
        extra={"note": PSEUDO},
    )


def measure(name: str, model: nn.Module, material: Material) -> dict[str, Any]:
    """See `lessons`: the boxes' figures are the detector's own."""
    boxes = detector.measure(name, model, material)
    return boxes | measured(lambda scenes: mask_figures(model, scenes), material, masks=True)


@torch.inference_mode()
def mask_figures(model: nn.Module, scenes: Sequence[Scene]) -> dict[str, float]:
    """How good the masks are, alone and together with the boxes.

    Args:
        model: As `mini_maskrcnn` makes it, in eval mode.
        scenes: With masks; what is hidden from sight is left out.

    Returns:
        `mask AP50`: COCO's, of all that the network finds; `mask IoU in true boxes`: the mean over
        the objects, when box and class are given; `IoU of the box itself`: the same for a mask that
        fills the box, which is what a useful one has to beat. All in [0, 1].
    """
    device = next(model.parameters()).device
    ious, boxes, truth, found = [], [], [], []
    for scene in scenes:
        assert scene.masks is not None
        image = to_tensor(scene).to(device)
        truth.append(Masks(scene.masks, scene.labels))
        found.append(_answered(model([image])[0]))
        if not len(scene.boxes):
            continue
        masks = masks_in(
            model, image, torch.from_numpy(scene.boxes), torch.from_numpy(scene.labels)
        )
        for mask, whole, box in zip(
            masks.cpu().numpy() >= 0.5, scene.masks, scene.boxes, strict=True
        ):
            if whole.any():
                x0, y0, x1, y1 = (round(float(v)) for v in box)
                filled = np.zeros_like(whole)
                filled[y0:y1, x0:x1] = True
                ious.append(_iou(mask, whole))
                boxes.append(_iou(filled, whole))
    return {
        "mask AP50": coco_mask_ap50(truth, found),
        "mask IoU in true boxes": float(np.mean(ious)),
        "IoU of the box itself": float(np.mean(boxes)),
    }


def masks_in(model: Any, image: Tensor, boxes: Tensor, labels: Tensor) -> Tensor:
    """What the mask branch says in boxes that are given.

    Args:
        model: As `mini_maskrcnn` makes it, in eval mode.
        image: (3, H, W) in [0, 1].
        boxes: (N, 4) in its pixels.
        labels: (N,): the classes whose masks are asked for.

    Returns:
        (N, H, W) probabilities, 0 outside the box.
    """
    boxes, labels = boxes.to(image.device), labels.to(image.device)
    size = image.shape[-2:]
    batch, there = model.transform([image], [{"boxes": boxes, "labels": labels}])
    heads = model.roi_heads
    maps = model.backbone(batch.tensors)
    pooled = heads.mask_roi_pool(maps, [there[0]["boxes"]], batch.image_sizes)
    logits = heads.mask_predictor(heads.mask_head(pooled)).float()
    own = logits[torch.arange(len(labels)), labels].sigmoid()[:, None]
    pasted: Tensor = paste_masks_in_image(own, boxes, size)
    return pasted[:, 0]


def _answered(answer: dict[str, Tensor]) -> Masks:
    answer = {key: value.cpu() for key, value in answer.items()}
    masks = (answer["masks"][:, 0] >= 0.5).numpy()
    return Masks(masks, answer["labels"].numpy(), answer["scores"].numpy())


def _iou(one: NDArray[np.bool_], other: NDArray[np.bool_]) -> float:
    return float((one & other).sum() / (one | other).sum())
