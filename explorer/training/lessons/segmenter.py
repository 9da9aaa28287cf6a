"""Training of `mini-fcn`: the groups of the 200 classes, pixel by pixel, from pseudo-masks.

The body is frozen; what follows it learns from scenes with the masks of `pseudo_masks`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from explorer.evaluation.metrics import Confusion
from explorer.evaluation.scenes import SCENES, SIDE, Scene
from explorer.networks.class_names import label_names
from explorer.networks.embedded import MEAN, STD, MiniFCN, mini_fcn
from explorer.networks.embedded.fcn import without_norm
from explorer.networks.preprocess import Preprocess
from explorer.training.cards import Facts, Share
from explorer.training.data.pseudo_masks import PSEUDO, masked_photos
from explorer.training.data.scene_task import PHOTOS_PER_SCENE, SceneTask
from explorer.training.evaluate import measured
from explorer.training.lessons.classifier import normalize, preprocessing
from explorer.training.loop import Recipe

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from explorer.training.lessons.registry import Material

RECIPE = Recipe(epochs=3, batch=16, peak=0.1, warmup=0.1, decay=1e-4, average=0.998, clip=5.0)

WEIGHTS = (0.3, 0.3, 1.0)
"""Of the losses of FCN-32s, FCN-16s and FCN-8s, which learn together (Shelhamer et al. 2017)."""

STRIDE = 4
"""The loss looks at every fourth row and column, which says nearly as much."""


@dataclass(slots=True, eq=False, kw_only=True)
class SegmenterTask(SceneTask):
    """FCN on the frozen body of a trained `mini_resnet`. The photos have masks."""

    recipe: Recipe = RECIPE
    name: str = "mini-fcn"
    frozen: tuple[str, ...] = ("body",)

    def settings(self) -> dict[str, object]:
        return {
            "body": "random" if self.weights is None else "mini-resnet",
            "side": self.side,
            "photos per scene": PHOTOS_PER_SCENE,
            "weights at 32, 16, 8": list(WEIGHTS),
        }

    def build(self) -> nn.Module:
        model = mini_fcn(max(self.group_labels) + 1, norm=True)
        if self.weights is not None:
            body = {k: v for k, v in self.weights.items() if not k.startswith("fc.")}
            model.body.load_state_dict(body)
            begin_as_classifier(model, self.weights["fc.weight"], self.group_labels)
        return model

    def losses(
        self, model: nn.Module, step: int, progress: float, device: torch.device
    ) -> dict[str, Tensor]:
        return pixel_losses(model, self.scenes(step), device)


@torch.no_grad()
def begin_as_classifier(model: MiniFCN, weight: Tensor, group_labels: Sequence[int]) -> None:
    """Set the layers behind `layer4` so that they begin with the classifier's own answers.

    That is how the paper gets its network out of VGG-16 (section 3.1). The score of a group is the
    mean of those of its classes; as ReLUs follow, it goes through them once as it is and once
    negated.

    Args:
        model: The network of a `SegmenterTask`.
        weight: (classes, channels of `layer4`), of the classifier's `fc`.
        group_labels: See `SegmenterTask`.
    """
    groups = max(group_labels)
    member = functional.one_hot(torch.tensor(group_labels), groups + 1)[:, 1:].T.to(weight)
    means = member @ weight / member.sum(1, keepdim=True).clamp(min=1)
    means -= means.mean(0)
    one = torch.eye(groups)
    chains = (
        [*model.fc6, *model.fc7, model.score_fr],
        model.score_pool4,
    )
    for chain in chains:
        first, *others, last = (layer for layer in chain if isinstance(layer, nn.Conv2d))
        first.weight[: 2 * groups] = torch.cat([means, -means])[..., None, None]
        for layer in others:
            kernel = layer.weight.mul_(0.1)
            kernel[range(2 * groups), range(2 * groups)] += 1 / 9  # the mean of what it looks at
        last.weight[1:, : 2 * groups] = 0.5 * torch.cat([one, -one], dim=1)[..., None, None]


def pixel_losses(model: Any, scenes: Sequence[Scene], device: torch.device) -> dict[str, Tensor]:
    """Cross-entropy of the classes of the pixels for each of the three answers, weighted.

    Args:
        model: A `MiniFCN` with a frozen body.
        scenes: With masks, all of one size, a multiple of 32.
        device: Where the model is.
    """
    pixels = torch.from_numpy(np.stack([scene.pixels for scene in scenes])).to(device)
    truth = torch.from_numpy(np.stack([label_map(scene) for scene in scenes])).to(device)
    truth = truth[:, STRIDE // 2 :: STRIDE, STRIDE // 2 :: STRIDE]
    with torch.no_grad():
        maps = model.features(normalize(pixels).contiguous(memory_format=torch.channels_last))
    losses = {}
    for stride, weight, scores in zip((32, 16, 8), WEIGHTS, model.scores(*maps), strict=True):
        enlarged = functional.interpolate(scores.float(), size=truth.shape[1:], mode="bilinear")
        losses[f"at {stride}"] = weight * functional.cross_entropy(enlarged, truth)
    return losses


def label_map(scene: Scene) -> NDArray[np.int64]:
    """(H, W): the label of the object that every pixel of a scene with masks shows; 0 = none."""
    labels = np.zeros(scene.pixels.shape[:2], np.int64)
    assert scene.masks is not None
    for mask, label in zip(scene.masks, scene.labels, strict=True):
        labels[mask] = label
    return labels


def task(name: str, material: Material) -> SegmenterTask:
    """See `lessons`."""
    photos, masks = masked_photos(material, "train")
    return SegmenterTask(
        photos,
        material.group_labels,
        material.trained("mini-resnet"),
        recipe=material.recipe(RECIPE),
        name=name,
        masks=masks,
    )


def shipped(_name: str, weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """See `lessons`: without the normalization layers."""
    learned = mini_fcn(len(weights["score_fr.bias"]), norm=True)
    learned.load_state_dict(weights)
    return without_norm(learned).state_dict()


def facts(_name: str, _material: Material) -> Facts:
    """See `lessons`."""
    names = label_names()
    stages = ("conv1", "bn1", "layer1", "layer2", "layer3", "layer4")
    return Facts(
        title="Mini FCN",
        task="segmentation",
        function="mini_fcn",
        kwargs={"num_classes": len(names)},
        classes=names,
        preprocessing={**preprocessing(SIDE), "crop": None},
        example=(1, 3, SIDE, SIDE),
        measured_on=f"{SCENES} scenes composed of {{}} held-out photos; the ground-truth masks are"
        " GrabCut's, too",
        default_layer="score_pool3",
        shares=tuple(Share("mini-resnet", f"body.{name}.", f"{name}.") for name in stages),
        extra={"note": PSEUDO},
    )


def measure(_name: str, model: nn.Module, material: Material) -> dict[str, Any]:
    """See `lessons`."""
    return measured(lambda scenes: mean_iou(model, scenes, label_names()), material, masks=True)


@torch.inference_mode()
def mean_iou(model: nn.Module, scenes: Sequence[Scene], names: Sequence[str]) -> dict[str, Any]:
    """How much of the pixels of every class is found (Long et al. 2015, section 5).

    Args:
        model: Like `MiniFCN`, in eval mode.
        scenes: With masks. The network sees them with a short side of `SIDE` pixels.
        names: By label; 0 is the background.

    Returns:
        `mIoU`, `mIoU of FCN-16s` and `mIoU of FCN-32s`, means over the classes that occur; `object
        IoU`, as if all classes but the background were one; and `IoU by class`. All in [0, 1].
    """
    device = next(model.parameters()).device
    preprocess = Preprocess(resize=SIDE, mean=MEAN, std=STD)
    counts = {answer: Confusion(len(names)) for answer in ("out", "out16", "out32")}
    for scene in scenes:
        truth = label_map(scene)
        found = model(preprocess(scene.pixels).to(device))
        for answer, confusion in counts.items():
            scores = functional.interpolate(found[answer], size=truth.shape, mode="bilinear")
            confusion.add(truth, scores[0].argmax(0).cpu().numpy())
    by_class, pairs = counts["out"].iou(), counts["out"].counts
    return {
        "mIoU": float(np.mean(list(by_class.values()))),
        "mIoU of FCN-16s": float(np.mean(list(counts["out16"].iou().values()))),
        "mIoU of FCN-32s": float(np.mean(list(counts["out32"].iou().values()))),
        "object IoU": float(pairs[1:, 1:].sum() / (pairs.sum() - pairs[0, 0])),
        "IoU by class": {names[label]: round(iou, 4) for label, iou in by_class.items()},
    }
