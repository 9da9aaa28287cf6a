"""Training of `mini-retinanet`: two heads on the frozen body and pyramid of `mini-fasterrcnn`."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from explorer.networks.embedded.retinanet import mini_retinanet
from explorer.training import detector
from explorer.training.cards import Share
from explorer.training.detector import PHOTOS_PER_SCENE, detector_facts, scene_targets
from explorer.training.loop import Recipe, step_seed
from explorer.training.scenes import SIDE, Scene, SceneMaker, to_tensor

if TYPE_CHECKING:
    from collections.abc import Sequence

    from explorer.training.cards import Facts
    from explorer.training.data import Photos
    from explorer.training.lessons import Material

RECIPE = Recipe(epochs=3, batch=16, peak=0.02, warmup=0.1, decay=1e-4, average=0.998, clip=5.0)

BACKBONE = "backbone."

measure = detector.measure


@dataclass(slots=True, eq=False)
class RetinaNetTask:
    """What the loop needs to know; see `loop.Task`.

    Args:
        data: Photos with boxes.
        group_labels: For every class of the photos its label, 1..; 0 = none.
        backbone: Weights of the trained body and pyramid; None begins from random ones. They stay
            as they are.
        recipe: The numbers.
        side: Of the scenes.
    """

    data: Photos
    group_labels: Sequence[int]
    backbone: dict[str, Tensor] | None = None
    recipe: Recipe = RECIPE
    side: int = SIDE
    name: str = "mini-retinanet"
    photos: int = field(init=False)
    _maker: SceneMaker = field(init=False)

    def __post_init__(self) -> None:
        self.photos = max(1, len(self.data) // PHOTOS_PER_SCENE)
        self._maker = SceneMaker(self.data, self.group_labels, self.side)

    def settings(self) -> dict[str, object]:
        return {
            "backbone": "random" if self.backbone is None else "mini-fasterrcnn",
            "side": self.side,
            "frozen": ["backbone"],
            "photos per scene": PHOTOS_PER_SCENE,
        }

    def build(self) -> nn.Module:
        model: nn.Module = mini_retinanet(max(self.group_labels) + 1, side=self.side)
        if self.backbone is not None:
            model.get_submodule("backbone").load_state_dict(self.backbone)
        return model

    def prepare(self, model: nn.Module) -> None:
        model.train()
        model.get_submodule("backbone").eval().requires_grad_(requires_grad=False)

    def losses(
        self, model: nn.Module, step: int, progress: float, device: torch.device
    ) -> dict[str, Tensor]:
        rng = np.random.default_rng(step_seed(self.recipe.seed, step))
        scenes = [self._maker.make(rng) for _ in range(self.recipe.batch)]
        return retina_losses(model, scenes, device)


def retina_losses(model: Any, scenes: Sequence[Scene], device: torch.device) -> dict[str, Tensor]:
    """Focal loss and L1 of torchvision's `RetinaNet`, its parts in their order.

    The backbone runs without gradients, and it and the heads in the caller's autocast.
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
    trained = material.trained("mini-fasterrcnn")
    backbone = {
        key.removeprefix(BACKBONE): value
        for key, value in trained.items()
        if key.startswith(BACKBONE)
    }
    recipe = material.recipe(RECIPE)
    return RetinaNetTask(material.train, material.group_labels, backbone, recipe, name=name)


def facts(_name: str, _material: Material) -> Facts:
    """See `lessons`."""
    shares = (Share("mini-fasterrcnn", BACKBONE, BACKBONE),)
    found = detector_facts("Mini RetinaNet", "mini_retinanet", "backbone.body.layer3", shares)
    return replace(found, kwargs={**found.kwargs, "short_side": detector.SHORT_SIDE})
