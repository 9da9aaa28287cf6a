"""Training of `lite-fasterrcnn`: COCO's categories on photos, from an ImageNet classifier.

Ren et al. 2015, "Faster R-CNN", all of it at once (section 3.2, approximate joint training). Its
box regression is the same for all classes while it learns, since rare classes have too few boxes
to learn one of their own (as in Dai et al. 2016, R-FCN, section 3), and is copied for each of
them at the end, which is the form that torchvision's class has.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from explorer.core.errors import ExplorerError
from explorer.networks import shipped as packages
from explorer.networks.embedded.lite import from_package
from explorer.networks.embedded.lite_rcnn import lite_fasterrcnn
from explorer.training.cards import Facts
from explorer.training.checkpoints import read_weights
from explorer.training.data.canvas_task import CanvasTask, mosaics_at
from explorer.training.data.canvases import MOSAICS
from explorer.training.data.pool import complete, read_pool
from explorer.training.evaluate import photo_figures
from explorer.training.lite_body import FROZEN_STAGES, LARGE
from explorer.training.loop import Recipe
from explorer.training.two_stage_losses import WEIGHTS, detector_losses

if TYPE_CHECKING:
    from pathlib import Path

    from explorer.training.data.pool import Pool
    from explorer.training.lessons.registry import Material

RECIPE = Recipe(
    epochs=50, batch=16, peak=1e-3, warmup=0.03, decay=0.02, average=0.998, clip=10.0,
    optimizer="adamw", slower={"backbone.body.": 0.2}, floor=0.02,
)  # fmt: skip

BOXES = "roi_heads.box_predictor.bbox_pred."
SCORES = "roi_heads.box_predictor.cls_score.bias"

CALIBRATION = 1.0
"""Added to the background's logit in what is shipped.

Of the boxes that a training samples three in ten are objects, of those that are found in a photo
far fewer, so its scores are too high. With this, chosen on the photos kept apart, boxes with a
score of 0.5 and more are correct more often than not.
"""

MEASURED_ON = "128 held-out COCO photos and 50 of Pascal VOC"

DATA = (
    "11,764 photos with 45,271 boxes of 80 COCO categories: Animal-Pose, COCO 2014 (2,432), Open"
    " Images vehicles, Caltech-101, LSPET, PACS, BSDS500, CamVid and smaller data sets. 17,084"
    " boxes are the data sets' own; the others are high-scoring detections of a teacher, a Faster"
    " R-CNN with an FBNetV3-A backbone trained on COCO. Its low-scoring detections are ignored in"
    " training. The backbone was initialized from efficientnet-lite0, which was trained on"
    " ImageNet."
)
LICENSE = (
    "Trained on photos of several data sets, some of which are offered for research only: check"
    " their terms before any other use. The program contains none of these photos. The backbone was"
    " initialized with weights under Apache 2.0 (EfficientNet-Lite0, Google)."
)
FAILURES = (
    "Misses small objects and most of a crowd; boats, plants, chairs and bottles have few or"
    " unusual training examples and are often missed or badly localized. Seen on held-out photos: a"
    " person-sized teddy bear detected as a person, a cup as a bowl, round things (an eye,"
    " capacitors) as clocks, birds in the sky as kites, a laptop seen from above as a refrigerator,"
    " a second box on half of a horse, a cat's tail as another cat."
)


@dataclass(slots=True, eq=False, kw_only=True)
class LiteDetectorTask(CanvasTask):
    """See `loop.Task`.

    Args:
        pool: The photos.
        weights: Of the classifier, or of a whole detector with these classes; None begins from
            random ones.
        recipe: The numbers.
        name: Of the network.
    """

    weights: dict[str, Tensor] | None
    recipe: Recipe = RECIPE
    name: str = "lite-fasterrcnn"

    def settings(self) -> dict[str, object]:
        return {
            "frozen": f"stem, stages 0 to {FROZEN_STAGES - 1}, 5x5 filters, normalizations",
            "weights of the losses": WEIGHTS,
            "four photos on a canvas": MOSAICS,
            "ignored": list(self.pool.left_out),
        }

    def build(self) -> nn.Module:
        model = agnostic(lite_fasterrcnn(len(self.pool.names)))
        if self.weights is not None:
            own = model.state_dict()
            given = {k: v for k, v in begun(self.weights).items() if k in own}
            model.load_state_dict({**own, **given})
        return model

    def prepare(self, model: nn.Module) -> None:
        model.train()
        body = model.get_submodule("backbone.body").eval()
        for module in body.modules():
            frozen = isinstance(module, nn.BatchNorm2d)
            if isinstance(module, nn.Conv2d):
                frozen = module.kernel_size[0] >= LARGE
            if frozen:
                module.requires_grad_(requires_grad=False)
        for name in ("conv_stem", *(f"blocks.{i}" for i in range(FROZEN_STAGES))):
            body.get_submodule(name).requires_grad_(requires_grad=False)

    def losses(
        self, model: nn.Module, step: int, progress: float, device: torch.device
    ) -> dict[str, Tensor]:
        return detector_losses(model, self.canvases(step, mosaics_at(progress)), device)


def begun(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """The weights to begin with, of a classifier or a detector, under an `agnostic` one's names.

    A detector that is shipped has the same box regression for every class: the first is taken. And
    its scores are `calibrated`, which is taken back.
    """
    if not any(name.startswith("backbone.") for name in weights):
        return {f"backbone.body.{name}": value for name, value in weights.items()}
    if len(weights[f"{BOXES}bias"]) == 4:
        return weights
    found = calibrated(weights, -CALIBRATION)
    return found | {BOXES + kind: weights[BOXES + kind][:4] for kind in ("weight", "bias")}


def agnostic(model: Any) -> nn.Module:
    """The detector with one box regression for all classes in place of one for each."""
    predictor = model.roi_heads.box_predictor
    predictor.bbox_pred = nn.Linear(predictor.bbox_pred.in_features, 4)
    found: nn.Module = model
    return found


def copied(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """The weights of an `agnostic` detector with its box regression copied for every class."""
    classes = len(weights[SCORES])
    copies = {k: torch.cat([weights[BOXES + k]] * classes) for k in ("weight", "bias")}
    return weights | {BOXES + kind: value for kind, value in copies.items()}


def calibrated(weights: dict[str, Tensor], shift: float) -> dict[str, Tensor]:
    """The weights of a detector with `shift` added to the background's logit of every box."""
    bias = weights[SCORES].clone()
    bias[0] += shift
    return weights | {SCORES: bias}


def task(name: str, material: Material) -> LiteDetectorTask:
    """See `lessons`; begins from the package's classifier, or from the weights in `backbone`."""
    return LiteDetectorTask(
        pool=complete(_objects(material.folder)), weights=classifier_weights(material),
        recipe=material.recipe(RECIPE), name=name,
    )  # fmt: skip


def classifier_weights(material: Material) -> dict[str, Tensor]:
    """Those of the package's classifier, or those in `material.backbone`."""
    if material.backbone is not None:
        return read_weights(material.backbone)
    return package_weights()


def package_weights() -> dict[str, Tensor]:
    """Those of the ImageNet classifier."""
    path = packages.packaged("efficientnet-lite0").verified()
    return from_package(torch.load(path, map_location="cpu", weights_only=True))


def _objects(folder: Path) -> Pool:
    pool = read_pool(folder)
    if len(pool.names) == 1:
        raise ExplorerError(
            f"No category of {folder / 'instances.json'} has 30 objects.",
            "Give a folder with more objects.",
        )
    return pool


def shipped(_name: str, weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """See `lessons`."""
    return calibrated(copied(weights), CALIBRATION)


def facts(_name: str, material: Material) -> Facts:
    """See `lessons`."""
    pool = read_pool(material.folder)
    return Facts(
        title="Lite Faster R-CNN",
        task="detection",
        function="lite_fasterrcnn",
        kwargs={"num_classes": len(pool.names)},
        classes=list(pool.names),
        preprocessing={"resize": None, "crop": None, "mean": None, "std": None, "batched": False},
        example=(1, 3, 320, 320),
        measured_on=MEASURED_ON,
        default_layer="backbone.body.blocks.4",
        data=DATA,
        license=LICENSE,
        extra={"failures": FAILURES, "ignored": list(pool.left_out)},
    )


def measure(_name: str, model: nn.Module, material: Material) -> dict[str, Any]:
    """See `lessons`: first those of the COCO photos, as they have all categories."""
    names = read_pool(material.folder).names
    found: dict[str, Any] = {}
    if material.coco is not None:
        found |= photo_figures(model, names, material.coco)
    if material.voc is not None:
        found["VOC photos"] = photo_figures(model, names, material.voc)
    return found
