"""Training of `lite-retinanet` and `lite-ssd`: heads on the frozen body of `lite-fasterrcnn`.

Lin et al. 2017, "Focal Loss for Dense Object Detection"; Liu et al. 2016, "SSD".
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from explorer.networks.embedded.lite_single_stage import lite_retinanet, lite_ssd
from explorer.training.cards import Share
from explorer.training.checkpoints import part_of
from explorer.training.data.canvas_task import CanvasTask, mosaics_at
from explorer.training.data.canvases import MOSAICS
from explorer.training.data.pool import complete, read_pool
from explorer.training.lessons.lite import detector
from explorer.training.loop import Recipe
from explorer.training.single_stage_losses import retina_losses, ssd_losses

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import torch
    from torch import Tensor, nn

    from explorer.training.cards import Facts
    from explorer.training.data.canvases import Canvas
    from explorer.training.lessons.registry import Material

DETECTOR = "lite-fasterrcnn"

RECIPE = Recipe(
    epochs=12, batch=16, peak=2e-3, warmup=0.05, decay=0.01, average=0.997, clip=5.0,
    optimizer="adamw", floor=0.01,
)  # fmt: skip

FAILURES = (
    "Fails where lite-fasterrcnn does, and more often: misses small objects and crowds, and"
    " localizes less accurately."
)

measure = detector.measure


@dataclass(frozen=True, slots=True)
class Kind:
    """What the two differ in; `shared` is the part that is the detector's own and is frozen.

    Of the boxes above its threshold on the held-out COCO photos 61 % of RetinaNet's are correct and
    59 % of SSD's.
    """

    title: str
    make: Callable[..., nn.Module]
    losses: Callable[[Any, Sequence[Canvas], torch.device], dict[str, Tensor]]
    shared: str
    default_layer: str
    score_threshold: float


KINDS = {
    "lite-retinanet": Kind(
        "Lite RetinaNet", lite_retinanet, retina_losses, "backbone.", "backbone.body.blocks.4", 0.45
    ),
    "lite-ssd": Kind("Lite SSD", lite_ssd, ssd_losses, "backbone.body.", "backbone.necks.0", 0.4),
}
"""By the network's name."""


@dataclass(slots=True, eq=False, kw_only=True)
class SingleStageTask(CanvasTask):
    """See `loop.Task`.

    Args:
        pool: The photos.
        weights: Of the trained `lite_fasterrcnn`; None = random ones.
        recipe: The numbers.
        name: Of the network, one of `KINDS`.
    """

    weights: dict[str, Tensor] | None
    recipe: Recipe = RECIPE
    name: str = "lite-retinanet"

    @property
    def kind(self) -> Kind:
        return KINDS[self.name]

    def settings(self) -> dict[str, object]:
        return {
            "detector": DETECTOR,
            "frozen": self.kind.shared.rstrip("."),
            "four photos on a canvas": MOSAICS,
            "ignored": list(self.pool.left_out),
        }

    def build(self) -> nn.Module:
        model = self.kind.make(len(self.pool.names))
        if self.weights is not None:
            shared = self.kind.shared
            self.frozen(model).load_state_dict(part_of(self.weights, shared))
        return model

    def frozen(self, model: nn.Module) -> nn.Module:
        """The part of `model` that is the detector's own."""
        return model.get_submodule(self.kind.shared.rstrip("."))

    def prepare(self, model: nn.Module) -> None:
        model.train()
        self.frozen(model).eval().requires_grad_(requires_grad=False)

    def losses(
        self, model: nn.Module, step: int, progress: float, device: torch.device
    ) -> dict[str, Tensor]:
        return self.kind.losses(model, self.canvases(step, mosaics_at(progress)), device)


def task(name: str, material: Material) -> SingleStageTask:
    """See `lessons`."""
    return SingleStageTask(
        pool=complete(read_pool(material.folder)),
        weights=material.trained(DETECTOR),
        recipe=material.recipe(RECIPE),
        name=name,
    )


def facts(name: str, material: Material) -> Facts:
    """See `lessons`."""
    kind = KINDS[name]
    found = detector.facts(DETECTOR, material)
    return replace(
        found,
        title=kind.title,
        function=kind.make.__name__,
        default_layer=kind.default_layer,
        shares=(Share(DETECTOR, kind.shared, kind.shared),),
        extra=found.extra | {"score_threshold": kind.score_threshold, "failures": FAILURES},
    )
