"""Training of `mini-fasterrcnn`: groups of the 200 classes in scenes made of several photos.

Ren et al. 2015, "Faster R-CNN", all of it at once (section 3.2, approximate joint training).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torchvision.models.detection.roi_heads import fastrcnn_loss

from explorer.evaluation.scenes import SCENES, Scene
from explorer.networks.class_names import label_names
from explorer.networks.embedded import mini_fasterrcnn
from explorer.training.cards import Facts, Share
from explorer.training.data.scene_task import PHOTOS_PER_SCENE, SceneTask, to_tensor
from explorer.training.evaluate import figures, measured
from explorer.training.loop import Recipe

if TYPE_CHECKING:
    from collections.abc import Sequence

    from explorer.training.lessons.registry import Material

RECIPE = Recipe(epochs=4, batch=8, peak=0.005, warmup=0.08, decay=1e-4, average=0.998, clip=10.0)

FINE_WEIGHT = 0.5
"""Of the loss over the photos' own classes: the groups alone give little information."""

SHORT_SIDE = 160
"""Of the pictures it is used on, in pixels. Under that of the scenes: what fills a whole photo is
named better, and a third of the time is saved, for 0.2 points of AP50 on scenes.
"""


@dataclass(slots=True, eq=False, kw_only=True)
class DetectorTask(SceneTask):
    """Faster R-CNN, whose body begins as a trained `mini_resnet`.

    Args:
        frozen: Parts of the body that keep the classifier's weights. All its normalization layers
            keep their statistics, as batches are small.
    """

    recipe: Recipe = RECIPE
    name: str = "mini-fasterrcnn"
    frozen: tuple[str, ...] = ("conv1", "bn1", "layer1")

    def settings(self) -> dict[str, object]:
        return {
            "backbone": "random" if self.weights is None else "mini-resnet",
            "side": self.side,
            "frozen": list(self.frozen),
            "photos per scene": PHOTOS_PER_SCENE,
            "weight of the photos' classes": FINE_WEIGHT,
        }

    def build(self) -> nn.Module:
        fine = len(self.group_labels)
        model: nn.Module = mini_fasterrcnn(max(self.group_labels) + 1, fine=fine, side=self.side)
        predictor: Any = model.get_submodule("roi_heads.box_predictor")
        predictor.assign(self.group_labels)
        if self.weights is not None:
            body = {k: v for k, v in self.weights.items() if not k.startswith("fc.")}
            model.get_submodule("backbone.body").load_state_dict(body)
            begin_as_classifier(model, self.weights["fc.weight"], self.weights["fc.bias"])
        return model

    def prepare(self, model: nn.Module) -> None:
        model.train()
        # One point per bin: the backward pass of RoIAlign is else a quarter of a step.
        pool: Any = model.get_submodule("roi_heads.box_roi_pool")
        pool.sampling_ratio = 1
        body = model.get_submodule("backbone.body")
        body.eval()
        for name in self.frozen:
            body.get_submodule(name).requires_grad_(False)

    def losses(
        self, model: nn.Module, step: int, progress: float, device: torch.device
    ) -> dict[str, Tensor]:
        return detector_losses(model, self.scenes(step), device)


@torch.no_grad()
def begin_as_classifier(model: nn.Module, weight: Tensor, bias: Tensor) -> None:
    """Set the pyramid and the box head so that its classes begin as the classifier's last layer.

    The pyramid's maps become the directions of the last stage's features by which the classifier
    tells its classes apart (the singular vectors of its weights, as many as the pyramid is wide),
    `fc6` averages each of them over the box, once as it is and once negated because a ReLU
    follows, and `fc7` lets them through. So what single photos taught needs not be learned again.

    Args:
        model: The network of a `DetectorTask`.
        weight: (classes, channels of the last stage), of the classifier's `fc`.
        bias: (classes,).
    """
    fpn, heads = model.get_submodule("backbone.fpn"), model.get_submodule("roi_heads")
    fine_map, coarse_map = (fpn.get_submodule(f"inner_blocks.{i}.0") for i in (0, 1))
    width, channels = (int(n) for n in _weight(coarse_map).shape[:2])
    left, strength, right = torch.linalg.svd(weight - weight.mean(0), full_matrices=False)
    rank = min(width, len(strength))
    _weight(coarse_map)[:rank] = right[:rank].view(rank, channels, 1, 1)
    _weight(fine_map).mul_(0.1)
    for i in (0, 1):
        block = _weight(fpn.get_submodule(f"layer_blocks.{i}.0"))
        block.copy_(0.1 * block + nn.init.dirac_(torch.empty_like(block)))
    fc6, fc7 = (_weight(heads.get_submodule(f"box_head.{name}")) for name in ("fc6", "fc7"))
    bins = fc6.shape[1] // width
    mean = torch.zeros(rank, width, bins, device=fc6.device)
    mean[range(rank), range(rank)] = 1 / bins
    fc6[: 2 * rank] = torch.cat([mean, -mean]).flatten(1)
    fc7.copy_(0.1 * fc7 + torch.eye(len(fc7), device=fc7.device))
    scores: Any = heads.get_submodule("box_predictor.cls_score")
    scaled = left[:, :rank] * strength[:rank]
    scores.weight[1:].zero_()
    scores.weight[1:, : 2 * rank] = torch.cat([scaled, -scaled], dim=1)
    scores.bias[1:] = bias


def _weight(module: nn.Module) -> Tensor:
    weight: Tensor = module.weight  # type: ignore[assignment]
    return weight


def detector_losses(
    model: nn.Module, scenes: Sequence[Scene], device: torch.device
) -> dict[str, Tensor]:
    """The four losses of Faster R-CNN: the parts of torchvision's `GeneralizedRCNN` in their order.

    Only the backbone runs in the caller's autocast; box arithmetic and the losses stay in float32.

    Args:
        model: The network of a `DetectorTask`, in training mode.
        scenes: With or without objects; the global generator draws the samples.
        device: Where the model is.

    Returns:
        `objectness` and `rpn_box_reg` of the proposals, and those of `box_losses`.
    """
    transform, backbone, rpn = (model.get_submodule(n) for n in ("transform", "backbone", "rpn"))
    with torch.autocast(device.type, enabled=False):
        batch, targets = transform(
            [to_tensor(s).to(device) for s in scenes], scene_targets(scenes, device)
        )
    pixels = batch.tensors.contiguous(memory_format=torch.channels_last)
    features = {name: value.float() for name, value in backbone(pixels).items()}
    with torch.autocast(device.type, enabled=False):
        proposals, rpn_losses = rpn(batch, features, targets)
        losses = box_losses(
            model.get_submodule("roi_heads"), features, proposals, batch.image_sizes, targets
        )
    return {**losses, **{name.removeprefix("loss_"): value for name, value in rpn_losses.items()}}


def box_losses(
    heads: nn.Module,
    features: dict[str, Tensor],
    proposals: list[Tensor],
    sizes: list[tuple[int, int]],
    targets: list[dict[str, Tensor]],
) -> dict[str, Tensor]:
    """The losses of torchvision's `RoIHeads.forward`, and that of the photos' classes.

    Args:
        heads: With a `GroupPredictor`.
        features: The pyramid's maps, (N, channels, h, w) each.
        proposals: For every scene (P, 4), in pixels of the network's input.
        sizes: (H, W) of every scene there.
        targets: See `scene_targets`; the boxes in the same pixels.

    Returns:
        `classifier` over the groups, `box_reg`, and `fine` over the photos' own classes.
    """
    select: Any = heads.select_training_samples
    pool, head = heads.get_submodule("box_roi_pool"), heads.get_submodule("box_head")
    predictor: Any = heads.get_submodule("box_predictor")
    proposals, matched, labels, regression = select(proposals, targets)
    found = head(pool(features, proposals, sizes))
    scores, deltas = predictor.cls_score(found), predictor.bbox_pred(found)
    classifier, box_reg = fastrcnn_loss(predictor.summed(scores), deltas, labels, regression)
    target = torch.cat(
        [
            torch.where(label > 0, _taken(target["classes"], match), -1)
            for target, match, label in zip(targets, matched, labels, strict=True)
        ]
    )
    summed = functional.cross_entropy(scores[:, 1:], target, ignore_index=-1, reduction="sum")
    fine = FINE_WEIGHT * summed / (target >= 0).sum().clamp(min=1)
    return {"classifier": classifier, "box_reg": box_reg, "fine": fine}


def _taken(values: Tensor, rows: Tensor) -> Tensor:
    # An empty scene has no classes; its proposals are all background.
    return values[rows] if len(values) else torch.full_like(rows, -1)


def scene_targets(scenes: Sequence[Scene], device: torch.device) -> list[dict[str, Tensor]]:
    """`boxes` (N, 4), `labels` (N,) and `classes` (N,) of every scene, for torchvision."""
    return [
        {
            "boxes": torch.from_numpy(scene.boxes).to(device),
            "labels": torch.from_numpy(scene.labels).to(device),
            "classes": torch.from_numpy(scene.classes).to(device),
        }
        for scene in scenes
    ]


def task(name: str, material: Material) -> DetectorTask:
    """See `lessons`."""
    return DetectorTask(
        material.train,
        material.group_labels,
        material.trained("mini-resnet"),
        recipe=material.recipe(RECIPE),
        name=name,
    )


def facts(_name: str, material: Material) -> Facts:
    """See `lessons`."""
    facts = detector_facts("Mini Faster R-CNN", "mini_fasterrcnn", "backbone.body.layer3")
    kwargs = {**facts.kwargs, "fine": len(material.group_labels), "short_side": SHORT_SIDE}
    return replace(facts, kwargs=kwargs)


def detector_facts(
    title: str, function: str, default_layer: str, shares: tuple[Share, ...] = ()
) -> Facts:
    """What the cards of all detectors of the groups say."""
    names = label_names()
    return Facts(
        title=title,
        task="detection",
        function=function,
        kwargs={"num_classes": len(names)},
        classes=names,
        preprocessing={"resize": None, "crop": None, "mean": None, "std": None, "batched": False},
        example=(1, 3, 320, 320),
        measured_on=f"{SCENES} scenes composed of {{}} held-out photos",
        default_layer=default_layer,
        shares=shares,
    )


def measure(_name: str, model: nn.Module, material: Material) -> dict[str, Any]:
    """See `lessons`."""
    return measured(lambda scenes: figures(model, scenes, label_names()), material)
