"""Training of `mini-fasterrcnn`: groups of the 200 classes in scenes made of several photos."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn

from explorer.networks.embedded import mini_fasterrcnn
from explorer.training.loop import Recipe, step_seed
from explorer.training.scenes import Scene, SceneMaker

if TYPE_CHECKING:
    from collections.abc import Sequence

    from explorer.training.data import Photos

RECIPE = Recipe(epochs=3, batch=8, peak=0.02, warmup=0.08, decay=1e-4, average=0.998, clip=10.0)

PHOTOS_PER_SCENE = 4
"""About; so that an epoch is one use of every photo."""


@dataclass(slots=True, eq=False)
class DetectorTask:
    """What the loop needs to know; see `loop.Task`.

    Args:
        data: Photos with boxes.
        group_labels: For every class of the photos its label, 1..; 0 = none.
        backbone: Weights of a trained `mini_resnet`; None begins from random ones.
        recipe: The numbers.
        side: Of the scenes.
        frozen: Parts of the backbone that keep the classifier's weights. All its normalisation
            layers keep their statistics, as batches are small.
    """

    data: Photos
    group_labels: Sequence[int]
    backbone: dict[str, Tensor] | None = None
    recipe: Recipe = RECIPE
    side: int = 256
    frozen: tuple[str, ...] = ("conv1", "bn1", "layer1")
    name: str = "mini-fasterrcnn"
    photos: int = field(init=False)
    _maker: SceneMaker = field(init=False)

    def __post_init__(self) -> None:
        self.photos = max(1, len(self.data) // PHOTOS_PER_SCENE)
        self._maker = SceneMaker(self.data, self.group_labels, self.side)

    def settings(self) -> dict[str, object]:
        return {
            "backbone": "random" if self.backbone is None else "mini-resnet",
            "side": self.side,
            "frozen": list(self.frozen),
            "photos per scene": PHOTOS_PER_SCENE,
        }

    def build(self) -> nn.Module:
        model: nn.Module = mini_fasterrcnn(max(self.group_labels) + 1, side=self.side)
        if self.backbone is not None:
            body = {k: v for k, v in self.backbone.items() if not k.startswith("fc.")}
            model.get_submodule("backbone.body").load_state_dict(body)
        return model

    def prepare(self, model: nn.Module) -> None:
        model.train()
        body = model.get_submodule("backbone.body")
        body.eval()
        for name in self.frozen:
            body.get_submodule(name).requires_grad_(False)

    def losses(
        self, model: nn.Module, step: int, progress: float, device: torch.device
    ) -> dict[str, Tensor]:
        rng = np.random.default_rng(step_seed(self.recipe.seed, step))
        scenes = [self._maker.make(rng) for _ in range(self.recipe.batch)]
        return scene_losses(model, scenes, device)


def scene_losses(
    model: nn.Module, scenes: Sequence[Scene], device: torch.device
) -> dict[str, Tensor]:
    """The four losses of Faster R-CNN: the parts of torchvision's `GeneralizedRCNN` in their order.

    Only the backbone runs in the caller's autocast; box arithmetic and the losses stay in float32.
    """
    images = [to_tensor(scene).to(device) for scene in scenes]
    targets = [
        {
            "boxes": torch.from_numpy(scene.boxes).to(device),
            "labels": torch.from_numpy(scene.labels).to(device),
        }
        for scene in scenes
    ]
    transform, backbone, rpn, roi_heads = (
        model.get_submodule(name) for name in ("transform", "backbone", "rpn", "roi_heads")
    )
    with torch.autocast(device.type, enabled=False):
        batch, targets = transform(images, targets)
    pixels = batch.tensors.contiguous(memory_format=torch.channels_last)
    features = {name: value.float() for name, value in backbone(pixels).items()}
    with torch.autocast(device.type, enabled=False):
        proposals, rpn_losses = rpn(batch, features, targets)
        _, head_losses = roi_heads(features, proposals, batch.image_sizes, targets)
    losses: dict[str, Tensor] = {**head_losses, **rpn_losses}
    return {name.removeprefix("loss_"): value for name, value in losses.items()}


def to_tensor(scene: Scene) -> Tensor:
    """(H, W, 3) uint8 -> (3, H, W) float32 in [0, 1]."""
    return torch.from_numpy(scene.pixels).permute(2, 0, 1).float() / 255
