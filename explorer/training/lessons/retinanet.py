"""Training of `mini-retinanet`: two heads on the frozen body and pyramid of `mini-fasterrcnn`.

Lin et al. 2017, "Focal Loss for Dense Object Detection".
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from explorer.networks.embedded.retinanet import mini_retinanet
from explorer.training.cards import Share
from explorer.training.data.scene_task import PHOTOS_PER_SCENE, SceneTask, part_of, to_tensor
from explorer.training.lessons import detector
from explorer.training.lessons.detector import detector_facts, scene_targets
from explorer.training.loop import Recipe

if TYPE_CHECKING:
    from collections.abc import Sequence

    from explorer.evaluation.scenes import Scene
    from explorer.training.cards import Facts
    from explorer.training.lessons.registry import Material

RECIPE = Recipe(epochs=3, batch=16, peak=0.02, warmup=0.1, decay=1e-4, average=0.998, clip=5.0)

DETECTOR, BACKBONE = "mini-fasterrcnn", "backbone."
"""The network whose part this one stands on, and how that part's weights are called."""

measure = detector.measure


@dataclass(slots=True, eq=False, kw_only=True)
class RetinaNetTask(SceneTask):
    """RetinaNet on the frozen body and pyramid of a trained `mini_fasterrcnn`."""

    recipe: Recipe = RECIPE
    name: str = "mini-retinanet"
    frozen: tuple[str, ...] = ("backbone",)

    def settings(self) -> dict[str, object]:
        return {
            "backbone": "random" if self.weights is None else DETECTOR,
            "side": self.side,
            "frozen": list(self.frozen),
            "photos per scene": PHOTOS_PER_SCENE,
        }

    def build(self) -> nn.Module:
        model: nn.Module = mini_retinanet(max(self.group_labels) + 1, side=self.side)
        if self.weights is not None:
            model.get_submodule("backbone").load_state_dict(part_of(self.weights, BACKBONE))
        return model

    def losses(
        self, model: nn.Module, step: int, progress: float, device: torch.device
    ) -> dict[str, Tensor]:
        return retina_losses(model, self.scenes(step), device)


def retina_losses(model: Any, scenes: Sequence[Scene], device: torch.device) -> dict[str, Tensor]:
    """Focal loss and L1: the parts of torchvision's `RetinaNet` in their order.

    The backbone runs without gradients, and it and the heads in the caller's autocast.

    Args:
        model: As `mini_retinanet` makes it, in training mode.
        scenes: With or without objects.
        device: Where the model is.

    Returns:
        `classification` and `bbox_regression`, per anchor that has an object.
    """
    with torch.autocast(device.type, enabled=False):
        batch, targets = model.transform(
            [to_tensor(scene).to(device) for scene in scenes], scene_targets(scenes, device)
        )
    with torch.no_grad():
        pixels = batch.tensors.contiguous(memory_format=torch.channels_last)
        features = list(model.backbone(pixels).values())
    answers = {name: value.float() for name, value in model.head(features).items()}
    with torch.autocast(device.type, enabled=False):
        anchors = model.anchor_generator(batch, features)
        losses: dict[str, Tensor] = model.compute_loss(targets, answers, anchors)
    return losses


def task(name: str, material: Material) -> RetinaNetTask:
    """See `lessons`."""
    return RetinaNetTask(
        material.train,
        material.group_labels,
        material.trained(DETECTOR),
        recipe=material.recipe(RECIPE),
        name=name,
    )


def facts(_name: str, _material: Material) -> Facts:
    """See `lessons`."""
    shares = (Share(DETECTOR, BACKBONE, BACKBONE),)
    found = detector_facts("Mini RetinaNet", "mini_retinanet", "backbone.body.layer3", shares)
    return replace(found, kwargs={**found.kwargs, "short_side": detector.SHORT_SIDE})
