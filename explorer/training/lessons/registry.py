"""What can be trained, and what a training may ask for.

A lesson is a module of this package with three functions, each given the network's name and the
`Material`:

- ``task(name, material) -> loop.Task``: the network, its batches and its losses;
- ``facts(name, material) -> cards.Facts``: the content of its model card;
- ``measure(name, model, material) -> dict``: the metrics on the card, on photos not trained on.

and, where more belongs to the weights than the card, ``beside(material, folder)``, which writes
``beside_file(folder)``;
where another form of the network is shipped than learns, ``shipped(name, weights) -> weights``,
and ``begun(weights) -> weights`` the other way where they have other shapes;
where one training makes several networks, ``networks(name)`` gives their names.

Networks that are fitted at once and not by gradient steps have ``fit(name, material, folder)``
instead of ``task``: it writes what is shipped into a folder, NAME.safetensors or what is in `FILE`.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from functools import cached_property
from importlib import import_module
from typing import TYPE_CHECKING, Any

from explorer.core.errors import ExplorerError
from explorer.core.resources import resource_path
from explorer.training.checkpoints import CHECKPOINT, read_weights
from explorer.training.data.tiny_imagenet import read_categories, read_photos

if TYPE_CHECKING:
    from pathlib import Path

    from torch import Tensor

    from explorer.evaluation.photo_set import PhotoSet
    from explorer.networks.class_names import Category
    from explorer.training.loop import Recipe

LESSONS = {
    "mini-resnet": "explorer.training.lessons.classifier",
    "mini-vgg": "explorer.training.lessons.vgg",
    "fixed-proposals": "explorer.training.lessons.proposals",
    "proposal-scores": "explorer.training.lessons.proposal_scores",
    "picture-basis": "explorer.training.lessons.picture_basis",
    "dpm": "explorer.training.lessons.dpm.lesson",
    "lite-fasterrcnn": "explorer.training.lessons.lite.detector",
    "lite-retinanet": "explorer.training.lessons.lite.single_stage",
    "lite-ssd": "explorer.training.lessons.lite.single_stage",
    "lite-yolo-v1": "explorer.training.lessons.lite.yolo",
    "lite-yolo-v2": "explorer.training.lessons.lite.yolo_v2",
    "lite-deeplab": "explorer.training.lessons.lite.segmenter",
    "lite-maskrcnn": "explorer.training.lessons.lite.masks",
    "lite-segmenters": "explorer.training.lessons.lite.segmenter",
    "lite-decoders": "explorer.training.lessons.lite.segmenter",
    "lite-fcn": "explorer.training.lessons.lite.segmenter",
    "lite-pspnet": "explorer.training.lessons.lite.segmenter",
    "lite-unet": "explorer.training.lessons.lite.segmenter",
    "lite-deconvnet": "explorer.training.lessons.lite.segmenter",
    "mini-segnet": "explorer.training.lessons.lite.segmenter",
    "lite-frrn": "explorer.training.lessons.lite.segmenter",
    "lite-boxes": "explorer.training.lessons.lite.localizer",
    "lite-rcnn": "explorer.training.lessons.lite.regions",
    "lite-keypointrcnn": "explorer.training.lessons.lite.keypoints",
    "lite-pose": "explorer.training.lessons.lite.pose",
    "lite-face-points": "explorer.training.lessons.face_points",
    "mini-gan-faces": "explorer.training.lessons.generative.faces",
    "mini-vae-faces": "explorer.training.lessons.generative.autoencoder",
    "mini-face-embedding": "explorer.training.lessons.faces.embedding",
    "mini-face-age": "explorer.training.lessons.faces.age",
    "face-components": "explorer.training.lessons.faces.components",
    "mini-pixel-faces": "explorer.training.lessons.generative.pixels",
    "mini-superres": "explorer.training.lessons.generative.photos",
    "mini-colorize": "explorer.training.lessons.generative.photos",
    "mini-pix2pix-maps": "explorer.training.lessons.generative.translation",
    "mini-cyclegan-maps": "explorer.training.lessons.generative.cycle",
}
"""Network -> module."""


def lesson(name: str) -> Any:
    """The module that teaches the network `name`."""
    return import_module(LESSONS[name])


@dataclass
class Material:
    """The data and the options of the training.

    Attributes:
        folder: With train.npz, val.npz and the class tables.
        root: The folder above every training's own: checkpoints and decoded photos.
        epochs: Instead of the recipe's; None = as in the recipe.
        minutes: Of training, instead of the recipe's.
        seed: Of everything.
        backbone: A checkpoint to begin with instead of the one in `root`.
        coco: A folder with COCO photos on which detectors are measured as well.
        voc: A folder with Pascal VOC's photos, likewise.
        joints: A folder with people whose joints are known, see `pool.read_lspet`.
    """

    folder: Path
    root: Path
    epochs: float | None = None
    seed: int = 0
    backbone: Path | None = None
    coco: Path | None = None
    minutes: float | None = None
    voc: Path | None = None
    joints: Path | None = None

    @cached_property
    def train(self) -> PhotoSet:
        return self._photos("train")

    @cached_property
    def val(self) -> PhotoSet:
        return self._photos("val")

    def _photos(self, split: str) -> PhotoSet:
        photos = read_photos(self.folder, split, self.root / "cache")
        classes = int(photos.labels.max()) + 1
        if classes > len(self.categories):
            raise ExplorerError(
                f"{split}.npz has {classes} classes, classes.tsv names {len(self.categories)}.",
                "It needs a line for each, in the order of the labels.",
            )
        return photos

    @cached_property
    def categories(self) -> list[Category]:
        return read_categories(self.folder)

    def recipe(self, recipe: Recipe) -> Recipe:
        """`recipe` with the wishes."""
        return replace(
            recipe,
            seed=self.seed,
            epochs=self.epochs or recipe.epochs,
            minutes=self.minutes or recipe.minutes,
        )

    def trained(self, name: str) -> dict[str, Tensor]:
        """The averaged weights of another training, which this one builds on.

        They are those of `backbone`, else of the training in `root`, else those that are shipped.

        Raises:
            ExplorerError: There are none.
        """
        path = self.backbone or self.root / name / CHECKPOINT
        if self.backbone is None and not os.path.isfile(path):
            path = resource_path("weights", f"{name}.safetensors")
        if not os.path.isfile(path):
            raise ExplorerError(
                f"There are no trained weights of {name} at {path}.",
                f"Train {name} first, or give its checkpoint with --backbone.",
            )
        return read_weights(path)


def shipped_weights(name: str) -> dict[str, Tensor]:
    """The shipped weights of the networks that the training `name` makes, as it calls them.

    Raises:
        ExplorerError: None of them ships.
    """
    teaches = lesson(name)
    names = teaches.networks(name) if hasattr(teaches, "networks") else (name,)
    found: dict[str, Tensor] = {}
    for network in names:
        path = resource_path("weights", f"{network}.safetensors")
        if os.path.isfile(path):
            prefix = f"{network}." if len(names) > 1 else ""
            found |= {prefix + key: value for key, value in read_weights(path).items()}
    if not found:
        raise ExplorerError(f"No weights of {name} ship.", "Train it without --shipped.")
    begun: dict[str, Tensor] = teaches.begun(found) if hasattr(teaches, "begun") else found
    return begun
