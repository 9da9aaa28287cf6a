"""Training of `mini-vgg`: the photos of `mini-resnet`, which is its teacher.

It learns with batch normalization behind every convolution and ships without: what a
normalization does to the numbers of a trained network is one more scale and shift, which the
convolution before it can do as well.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from explorer.networks.embedded import MiniVGG, mini_resnet
from explorer.networks.embedded.vgg import without_norm
from explorer.training.cards import rounded
from explorer.training.lessons.classifier import (
    RECIPE,
    ClassifierTask,
    Phase,
    accuracy,
    classifier_facts,
)

if TYPE_CHECKING:
    from torch import Tensor, nn

    from explorer.training.cards import Facts
    from explorer.training.lessons.registry import Material

SIDE = 64
"""Short side and center crop for a photo of any size: the better one of 64 and 80."""

EPOCHS = 9

PHASES = (
    Phase(0.35, (40,)),
    Phase(0.65, (48,)),
    Phase(0.88, (56, 64)),
    Phase(1.00, (64, 80)),
)


def task(name: str, material: Material) -> ClassifierTask:
    """See `lessons`."""
    classes = len(material.categories)
    teacher = mini_resnet(classes)
    teacher.load_state_dict(material.trained("mini-resnet"))
    recipe = replace(RECIPE, epochs=EPOCHS, peak=0.1, average=0.998, clip=5.0)
    return ClassifierTask(
        material.train,
        material.recipe(recipe),
        classes,
        phases=PHASES,
        name=name,
        make=partial(MiniVGG, norm=True),
        teacher=teacher.requires_grad_(requires_grad=False),
    )


def shipped(_name: str, weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """See `lessons`: without the normalization layers."""
    learned = MiniVGG(len(weights["classifier.3.bias"]), norm=True)
    learned.load_state_dict(weights)
    return without_norm(learned).state_dict()


def facts(_name: str, material: Material) -> Facts:
    """See `lessons`."""
    found = classifier_facts("Mini VGG", "mini_vgg", "features.12", SIDE, material)
    note = (
        "Trained with batch normalization after every convolution and by distillation from"
        " mini-resnet; the normalizations were then folded into the convolutions, which computes"
        " the same function."
    )
    return replace(found, extra={**found.extra, "note": note})


def measure(_name: str, model: nn.Module, material: Material) -> dict[str, Any]:
    """See `lessons`."""
    return rounded(accuracy(model, material.val, side=SIDE))
