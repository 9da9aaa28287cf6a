"""Training of the joints of `lite-keypointrcnn`, on a detector that is ready and frozen.

He et al. 2017, "Mask R-CNN", section 5: for each joint a cross-entropy over the 56 x 56 places of a
box, of which one is correct. The boxes lie about the people's own, as a detector's do.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn
from torchvision.models.detection.roi_heads import keypointrcnn_inference, keypointrcnn_loss

from explorer.core.errors import ExplorerError
from explorer.images.image import open_image
from explorer.networks.embedded.lite_keypoints import JOINTS, lite_keypointrcnn
from explorer.training.cards import Facts, Share
from explorer.training.data.canvas_task import CanvasTask
from explorer.training.data.pool import complete, people, read_lspet, read_pool
from explorer.training.lessons.lite import detector
from explorer.training.lite_body import edge_maps, normalized
from explorer.training.loop import Recipe
from explorer.training.two_stage_losses import boxes_about

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from explorer.training.data.canvases import Canvas
    from explorer.training.data.pool import PoolPhoto
    from explorer.training.lessons.registry import Material

DETECTOR = "lite-fasterrcnn"

SHARED = ("backbone.", "rpn.", "roi_heads.box_head.", "roi_heads.box_predictor.cls_score.")
"""What is the detector's own, and lies in its file only."""

BOXES = "roi_heads.box_predictor.bbox_pred."
"""The same for all of the detector's classes: the first rows of it are copied."""

RECIPE = Recipe(
    epochs=12, batch=16, peak=2e-3, warmup=0.05, decay=0.01, average=0.995, clip=5.0,
    optimizer="adamw",
)  # fmt: skip

LEAST_JOINTS = 3
"""People with fewer known ones are dropped."""

PCK = 0.2
"""A joint is correct within this share of the torso, from the left shoulder to the right hip."""

LEFT_SHOULDER, RIGHT_HIP = 5, 12

DATA = (
    "4,952 people with COCO keypoints in 1,643 COCO photos, and 2,000 people of Leeds Sports Pose"
    " Extended with the twelve keypoints that both data sets have. The detector is lite-fasterrcnn,"
    " with its data."
)
FAILURES = (
    "Confuses left and right on people seen from behind; keypoints of lying, upside-down and"
    " crowded people are often wrong, and so are eyes and ears of small people."
)


@dataclass(slots=True, eq=False, kw_only=True)
class KeypointTask(CanvasTask):
    """See `loop.Task`.

    Args:
        pool: Photos with people whose joints are known.
        weights: Of the trained detector; None = random ones.
        recipe: The numbers.
        name: Of the network.
    """

    weights: dict[str, Tensor] | None
    recipe: Recipe = RECIPE
    name: str = "lite-keypointrcnn"

    def settings(self) -> dict[str, object]:
        return {"detector": DETECTOR, "frozen": "all but the joints' own layers"}

    def build(self) -> nn.Module:
        model: nn.Module = lite_keypointrcnn(2, fine=len(self.pool.names))
        if self.weights is not None:
            own = model.state_dict()
            given = {name: value for name, value in self.weights.items() if name in own}
            for kind in ("weight", "bias"):  # one box regression there, one for each class here
                given[BOXES + kind] = torch.cat([self.weights[BOXES + kind][:4]] * 2)
            model.load_state_dict({**own, **given})
        return model

    def prepare(self, model: nn.Module) -> None:
        model.eval().requires_grad_(requires_grad=False)
        for part in ("keypoint_head", "keypoint_predictor"):
            model.get_submodule(f"roi_heads.{part}").requires_grad_(requires_grad=True)

    def losses(
        self, model: nn.Module, step: int, progress: float, device: torch.device
    ) -> dict[str, Tensor]:
        canvases = self.canvases(step, 0.0)
        return {"joints": joint_loss(model, canvases, device)}


def joint_loss(model: Any, canvases: Sequence[Canvas], device: torch.device) -> Tensor:
    """The cross-entropy of the places of all known joints.

    Args:
        model: As `lite_keypointrcnn` makes it, all but the joints' layers frozen.
        canvases: Of one shape; the global generator draws the boxes.
        device: Where the model is.
    """
    heads = model.roi_heads
    posed = [_posed(canvas) for canvas in canvases]
    about = [boxes_about(canvas.boxes, canvas.pixels.shape[:2]) for canvas in posed]
    boxes, rows = [box.to(device) for box, _ in about], [row.to(device) for _, row in about]
    joints = [torch.from_numpy(canvas.joints).to(device) for canvas in posed]
    with torch.no_grad():
        maps = edge_maps(model.backbone, normalized(canvases, device))
        sizes = [tuple(canvases[0].pixels.shape[:2])] * len(canvases)
        pooled = heads.keypoint_roi_pool(maps, boxes, sizes)
    logits: Tensor = heads.keypoint_predictor(heads.keypoint_head(pooled)).float().contiguous()
    if not len(logits):
        return logits.sum()
    with torch.autocast(device.type, enabled=False):
        loss: Tensor = keypointrcnn_loss(logits, boxes, joints, rows)
    return loss


def _posed(canvas: Canvas) -> Canvas:
    """Only those whose joints are known."""
    assert canvas.joints is not None
    known = (canvas.joints[..., 2] > 0).sum(axis=1) >= LEAST_JOINTS
    return replace(canvas, boxes=canvas.boxes[known], joints=canvas.joints[known])


def task(name: str, material: Material) -> KeypointTask:
    """See `lessons`."""
    pool = people(read_pool(material.folder))
    if material.joints is not None:
        pool = replace(pool, photos=(*pool.photos, *read_lspet(material.joints, "train")))
    if not pool.photos:
        raise ExplorerError(
            f"No person in {material.folder} has keypoints.",
            "Give annotations with keypoints, or a folder with --joints.",
        )
    pool, weights = complete(pool), material.trained(DETECTOR)
    return KeypointTask(pool=pool, weights=weights, recipe=material.recipe(RECIPE), name=name)


def facts(_name: str, material: Material) -> Facts:
    """See `lessons`."""
    found = detector.facts(DETECTOR, material)
    return replace(
        found,
        title="Lite Keypoint R-CNN",
        function="lite_keypointrcnn",
        kwargs={"num_classes": 2, "fine": len(found.classes)},
        classes=found.classes[:2],
        measured_on="300 held-out photos of Leeds Sports Pose Extended, in the ground-truth"
        " boxes of the people",
        default_layer="roi_heads.keypoint_head",
        data=DATA,
        shares=tuple(Share(DETECTOR, prefix, prefix) for prefix in SHARED),
        extra={"failures": FAILURES, "keypoints": list(JOINTS)},
    )


def measure(_name: str, model: nn.Module, material: Material) -> dict[str, Any]:
    """See `lessons`."""
    if material.joints is None:
        return {}
    return correct_joints(model, read_lspet(material.joints, "validation"))


@torch.inference_mode()
def correct_joints(model: Any, photos: Sequence[PoolPhoto]) -> dict[str, Any]:
    """The percentage of correct keypoints (Yang & Ramanan 2013), of the torso.

    Args:
        model: As `lite_keypointrcnn` makes it, in eval mode, on the CPU.
        photos: With one person each, whose box is given to the network.

    Returns:
        `PCK@0.2` over all known joints of people whose torso is known, and `PCK by joint`.
    """
    right, known = np.zeros(len(JOINTS)), np.zeros(len(JOINTS))
    for photo in photos:
        assert photo.joints is not None
        truth = photo.joints[0]
        if (truth[[LEFT_SHOULDER, RIGHT_HIP], 2] == 0).any():
            continue
        torso = float(np.linalg.norm(truth[LEFT_SHOULDER, :2] - truth[RIGHT_HIP, :2]))
        found = joints_in(model, open_image(photo.path).pixels, photo.boxes)[0]
        near = np.linalg.norm(found[:, :2] - truth[:, :2], axis=1) <= PCK * torso
        seen = truth[:, 2] > 0
        known += seen
        right += seen & near
    by_joint = right / np.maximum(known, 1)
    return {
        f"PCK@{PCK}": round(float(right.sum() / max(known.sum(), 1)), 4),
        "PCK by joint": {
            name: round(float(by_joint[i]), 4) for i, name in enumerate(JOINTS) if known[i]
        },
    }


def joints_in(model: Any, pixels: NDArray[np.uint8], boxes: NDArray[np.float32]) -> Any:
    """The network's joints in given boxes.

    Args:
        model: As `lite_keypointrcnn` makes it, in eval mode, on the CPU.
        pixels: (H, W, 3) RGB.
        boxes: (N, 4) xyxy in its pixels.

    Returns:
        (N, 17, 3) float32 x, y, 1 in the photo's pixels.
    """
    image = torch.from_numpy(np.array(pixels)).permute(2, 0, 1).float() / 255
    labels = torch.ones(len(boxes), dtype=torch.int64)
    given = [{"boxes": torch.from_numpy(boxes), "labels": labels}]
    batch, there = model.transform([image], given)
    heads, rows = model.roi_heads, [there[0]["boxes"]]
    pooled = heads.keypoint_roi_pool(model.backbone(batch.tensors), rows, batch.image_sizes)
    logits = heads.keypoint_predictor(heads.keypoint_head(pooled))
    (joints,), _ = keypointrcnn_inference(logits, rows)
    height, width = batch.image_sizes[0]
    back = torch.tensor([image.shape[-1] / width, image.shape[-2] / height, 1.0])
    return (joints * back).numpy()
