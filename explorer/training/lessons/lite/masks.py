"""Training of the masks of `lite-maskrcnn`, on a detector that is ready and frozen.

He et al. 2017, "Mask R-CNN", section 3: a binary cross-entropy for each of the 28 x 28 places of a
box, but of one mask for all classes (table 2b). The photos have masks of classes and none of
objects: what has an object's class inside its box is taken to be the object, unless another box of
that class is in the way.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional
from torchvision.models.detection.roi_heads import paste_masks_in_image
from torchvision.ops import roi_align

from explorer.evaluation.coco import Masks, coco_mask_ap50
from explorer.evaluation.masks.folders import VOC_CLASSES
from explorer.evaluation.matching import canonical
from explorer.images.image import open_image
from explorer.networks.embedded.lite_masks import lite_maskrcnn
from explorer.training.cards import Share
from explorer.training.data.canvas_task import CanvasTask
from explorer.training.data.canvases import UNSURE_PIXEL
from explorer.training.data.pool import complete, masked, read_pool
from explorer.training.evaluate import inside
from explorer.training.lessons.lite import detector
from explorer.training.lessons.lite.segmenter import MASKS
from explorer.training.lite_body import edge_maps, normalized
from explorer.training.loop import Recipe
from explorer.training.two_stage_losses import boxes_about

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from explorer.training.cards import Facts
    from explorer.training.data.canvases import Canvas
    from explorer.training.lessons.registry import Material

DETECTOR = "lite-fasterrcnn"

SHARED = ("backbone.", "rpn.", "roi_heads.box_head.", "roi_heads.box_predictor.")
"""What is the detector's own, and lies in its file only."""

BOXES = "roi_heads.box_predictor.bbox_pred."

RECIPE = Recipe(
    epochs=12, batch=16, peak=2e-3, warmup=0.05, decay=0.01, average=0.995, clip=5.0,
    optimizer="adamw",
)  # fmt: skip

MOSAICS = 0.15

ALONE = 0.2
"""An object of which another box of its class covers more is dropped."""

SEEN = 0.15
"""At least this part of its box has the object's class; else the mask is of something else."""

LEAST_SIDE = 32
"""Pixels of a photo: smaller objects do not count in the metric."""

DATA = f"{MASKS} The detector is lite-fasterrcnn, with its data."
FAILURES = (
    "Masks have 28 x 28 places: thin parts of large objects (legs, handlebars) are missed or"
    " too thick. In crowds a mask takes in parts of the neighbor. Where the box is wrong, so is the"
    " mask."
)


@dataclass(slots=True, eq=False, kw_only=True)
class MaskTask(CanvasTask):
    """See `loop.Task`.

    Args:
        pool: Photos with masks of Pascal VOC's classes.
        weights: Of the trained detector; None = random ones.
        recipe: The numbers.
        name: Of the network.
    """

    weights: dict[str, Tensor] | None
    recipe: Recipe = RECIPE
    name: str = "lite-maskrcnn"

    def settings(self) -> dict[str, object]:
        return {
            "detector": DETECTOR,
            "frozen": "all but the mask branch",
            "four photos on a canvas": MOSAICS,
        }

    def build(self) -> nn.Module:
        model: nn.Module = lite_maskrcnn(len(self.pool.names))
        if self.weights is not None:
            given = dict(self.weights)
            for kind in ("weight", "bias"):  # one box regression in training, one per class later
                given[BOXES + kind] = torch.cat([given[BOXES + kind][:4]] * len(self.pool.names))
            model.load_state_dict({**model.state_dict(), **given})
        return model

    def prepare(self, model: nn.Module) -> None:
        model.eval().requires_grad_(requires_grad=False)
        for part in ("mask_head", "mask_predictor"):
            model.get_submodule(f"roi_heads.{part}").requires_grad_(requires_grad=True)

    def losses(
        self, model: nn.Module, step: int, progress: float, device: torch.device
    ) -> dict[str, Tensor]:
        values = mask_values(self.pool.names)
        return {"mask": mask_loss(model, self.canvases(step, MOSAICS), values, device)}


def mask_values(names: Sequence[str]) -> NDArray[np.int64]:
    """For every class of a detector, by label: its number in Pascal VOC's masks; -1 = none.

    The background is none either.
    """
    number = {canonical(name): i for i, name in enumerate(VOC_CLASSES) if i}
    return np.array([number.get(canonical(name), -1) for name in names])


def outlined(canvas: Canvas, values: NDArray[np.int64]) -> list[int]:
    """The rows of the objects whose outlines a canvas's mask shows.

    Args:
        canvas: With or without a mask.
        values: Of the classes, see `mask_values`.
    """
    found: list[int] = []
    if canvas.mask is None:
        return found
    for row, (box, label) in enumerate(zip(canvas.boxes, canvas.labels, strict=True)):
        value, others = values[label], (canvas.labels == label)
        others[row] = False
        x0, y0, x1, y1 = (round(float(side)) for side in box)
        part = canvas.mask[max(0, y0) : y1, max(0, x0) : x1]
        if value < 0 or not part.size or (part == value).mean() < SEEN:
            continue
        if _covered(box, canvas.boxes[others]) <= ALONE:
            found.append(row)
    return found


def _covered(box: NDArray[np.float32], others: NDArray[np.float32]) -> float:
    """The largest part of `box` that one of the others covers."""
    sides = np.minimum(box[2:], others[:, 2:]) - np.maximum(box[:2], others[:, :2])
    area = float((box[2] - box[0]) * (box[3] - box[1]))
    return float(np.clip(sides, 0, None).prod(1).max(initial=0.0)) / max(area, 1.0)


def mask_loss(
    model: Any, canvases: Sequence[Canvas], values: NDArray[np.int64], device: torch.device
) -> Tensor:
    """The binary cross-entropy of masks in boxes about the objects, where they are known.

    Args:
        model: As `lite_maskrcnn` makes it, all but the mask branch frozen.
        canvases: Of one shape; the global generator draws the boxes.
        values: Of the classes, see `mask_values`.
        device: Where the model is.
    """
    heads, size = model.roi_heads, canvases[0].pixels.shape[:2]
    boxes, wholes = [], []
    for canvas in canvases:
        rows = outlined(canvas, values)
        about, of = boxes_about(canvas.boxes[rows], size)
        boxes.append(about.to(device))
        for row in of.tolist():
            assert canvas.mask is not None
            known = canvas.mask != UNSURE_PIXEL
            wholes.append(np.stack([canvas.mask == values[canvas.labels[rows[row]]], known]))
    with torch.no_grad():
        maps = edge_maps(model.backbone, normalized(canvases, device))
        pooled = heads.mask_roi_pool(maps, boxes, [tuple(size)] * len(canvases))
    logits: Tensor = heads.mask_predictor(heads.mask_head(pooled))[:, 0].float()
    if not len(logits):
        return logits.sum()
    with torch.autocast(device.type, enabled=False):
        planes = torch.from_numpy(np.stack(wholes)).to(device).float()
        number = torch.arange(len(planes), device=device, dtype=torch.float32)[:, None]
        places = torch.cat([number, torch.cat(boxes)], dim=1)
        cut = roi_align(planes, places, logits.shape[-2:], aligned=True) >= 0.5
        total = functional.binary_cross_entropy_with_logits(
            logits, cut[:, 0].float(), cut[:, 1].float(), reduction="sum"
        )
        loss: Tensor = total / cut[:, 1].sum().clamp(min=1)
        return loss


def task(name: str, material: Material) -> MaskTask:
    """See `lessons`."""
    pool = masked(read_pool(material.folder), material.folder)
    return MaskTask(
        pool=complete(pool),
        weights=material.trained(DETECTOR),
        recipe=material.recipe(RECIPE),
        name=name,
    )


def facts(_name: str, material: Material) -> Facts:
    """See `lessons`."""
    found = detector.facts(DETECTOR, material)
    return replace(
        found,
        title="Lite Mask R-CNN",
        function="lite_maskrcnn",
        measured_on="100 held-out COCO photos with hand-drawn masks: Pascal VOC's 20 classes",
        default_layer="roi_heads.mask_head",
        data=DATA,
        shares=tuple(Share(DETECTOR, prefix, prefix) for prefix in SHARED),
        extra={**found.extra, "failures": FAILURES},
    )


def measure(_name: str, model: nn.Module, material: Material) -> dict[str, Any]:
    """See `lessons`: the metrics of the boxes are the detector's own."""
    if material.coco is None:
        return {}
    names = detector.facts(DETECTOR, material).classes
    return mask_figures(model, outlined_photos(material.coco, names))


@dataclass(frozen=True, slots=True, eq=False)
class OutlinedPhoto:
    """A photo, (H, W, 3) uint8 RGB, with the outlines of all objects of Pascal VOC's classes.

    `boxes` (N, 4) float32 xyxy and `truth` with labels of the detector's.
    """

    pixels: NDArray[np.uint8]
    boxes: NDArray[np.float32]
    truth: Masks


def outlined_photos(folder: Path, names: Sequence[str]) -> list[OutlinedPhoto]:
    """`folder`/instance_masks.json in COCO's format with its photos in images/.

    Args:
        folder: With hand-drawn polygons.
        names: Of the detector's classes, by label.
    """
    content = json.loads((folder / "instance_masks.json").read_text(encoding="utf-8"))
    values = mask_values(names)
    label = {canonical(name): i for i, name in enumerate(names) if values[i] >= 0}
    named = {int(row["id"]): canonical(row["name"]) for row in content["categories"]}
    photos = []
    for image in content["images"]:
        pixels = open_image(folder / "images" / image["file_name"]).pixels
        notes = [
            note
            for note in content["annotations"]
            if note["image_id"] == image["id"]
            and named[note["category_id"]] in label
            and not note.get("iscrowd")
        ]
        boxes = np.array([note["bbox"] for note in notes], np.float32).reshape(-1, 4)
        boxes[:, 2:] += boxes[:, :2]
        masks = np.zeros((len(notes), *pixels.shape[:2]), np.bool_)
        for mask, note in zip(masks, notes, strict=True):
            mask[:] = inside(note["segmentation"], mask.shape)
        labels = np.array([label[named[note["category_id"]]] for note in notes], np.int64)
        photos.append(OutlinedPhoto(pixels, boxes, Masks(masks, labels)))
    return photos


@torch.inference_mode()
def mask_figures(model: Any, photos: Sequence[OutlinedPhoto]) -> dict[str, float]:
    """How good the masks are, together with the boxes and in boxes that are given.

    Args:
        model: As `lite_maskrcnn` makes it, in eval mode, on the CPU.
        photos: With every object of the classes that count.

    Returns:
        `mask AP50`: COCO's, of all that the network finds; `mask IoU in true boxes`: the mean over
        objects of at least `LEAST_SIDE` pixels each way; `IoU of the box itself`: the same for a
        mask that fills the box, which is what a useful one has to beat. All in [0, 1].
    """
    counted = sorted({int(label) for photo in photos for label in photo.truth.labels})
    ious, filled, found = [], [], []
    for photo in photos:
        image = torch.from_numpy(np.array(photo.pixels)).permute(2, 0, 1).float() / 255
        answer = model([image])[0]
        among = torch.isin(answer["labels"], torch.tensor(counted))
        found.append(
            Masks(
                (answer["masks"][among, 0] >= 0.5).numpy(), answer["labels"][among].numpy(),
                answer["scores"][among].numpy(),
            )
        )  # fmt: skip
        sides = photo.boxes[:, 2:] - photo.boxes[:, :2]
        for row in np.flatnonzero((sides >= LEAST_SIDE).all(1)):
            whole = photo.truth.masks[row]
            if not whole.any():
                continue
            mask = masks_in(model, image, photo.boxes[row : row + 1])[0] >= 0.5
            x0, y0, x1, y1 = (round(float(side)) for side in photo.boxes[row])
            box = np.zeros_like(whole)
            box[y0:y1, x0:x1] = True
            ious.append(_iou(mask, whole))
            filled.append(_iou(box, whole))
    return {
        "mask AP50": round(coco_mask_ap50([photo.truth for photo in photos], found), 4),
        "mask IoU in true boxes": round(float(np.mean(ious)), 4),
        "IoU of the box itself": round(float(np.mean(filled)), 4),
    }


def masks_in(model: Any, image: Tensor, boxes: NDArray[np.float32]) -> NDArray[np.float32]:
    """The mask branch's output in given boxes.

    Args:
        model: As `lite_maskrcnn` makes it, in eval mode, on the CPU.
        image: (3, H, W) in [0, 1].
        boxes: (N, 4) xyxy in its pixels.

    Returns:
        (N, H, W) float32 probabilities, 0 outside the box.
    """
    labels = torch.ones(len(boxes), dtype=torch.int64)
    given = torch.from_numpy(boxes)
    batch, there = model.transform([image], [{"boxes": given, "labels": labels}])
    heads, rows = model.roi_heads, [there[0]["boxes"]]
    pooled = heads.mask_roi_pool(model.backbone(batch.tensors), rows, batch.image_sizes)
    inside_box = heads.mask_predictor(heads.mask_head(pooled))[:, :1].sigmoid()
    pasted: Tensor = paste_masks_in_image(inside_box, given, tuple(image.shape[-2:]))
    return pasted[:, 0].numpy()


def _iou(one: NDArray[np.bool_], other: NDArray[np.bool_]) -> float:
    return float((one & other).sum() / (one | other).sum())
