"""A folder of colored photos for the views of whole folders, and how they are looked at."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from explorer.core.layers import Board
from explorer.core.params import FolderRef, resolved
from explorer.core.step import Step
from explorer.engine.scene import Scene
from explorer.engine.view import View
from explorer.images.image import Image, open_image
from explorer.networks.network import Network
from explorer.networks.preprocess import Preprocess
from tests.evaluation.sets import BLUE, GREEN, RED, filled
from tests.toys import MeanClassifier, ToyConvNet, make_network

CLASSES = ("red", "green", "blue")


def colored(root: Path, each: int = 4) -> Path:
    """Folders red, green and blue with photos of that color, the first the purest."""
    for name, color in zip(CLASSES, (RED, GREEN, BLUE), strict=True):
        for number in range(each):
            shade = tuple(max(value, 12 * number) for value in color)
            filled(root / name / f"{name}{number}.png", shade)  # type: ignore[arg-type]
    return root


def means() -> Network:
    """Its features are the mean red, green and blue."""
    return make_network(
        MeanClassifier((1.0, 1.0, 1.0)), "classification", classes=CLASSES,
        preprocess=Preprocess(resize=(8, 8)), default_layer="pool",
    )  # fmt: skip


def convolutions() -> Network:
    return make_network(
        ToyConvNet(3), "classification", classes=CLASSES, preprocess=Preprocess(resize=(32, 32)),
        default_layer="conv2",
    )  # fmt: skip


def looked(
    view: View[Any, Any], network: Network, photo: Path | Image | None, folder: Path | None,
    **params: Any,
) -> tuple[list[Step[Any]], Board, Any]:  # fmt: skip
    """All steps, the board of the last one, and the parameters."""
    image = open_image(photo) if isinstance(photo, Path) else photo
    ref = None if folder is None else FolderRef(str(folder))
    asked = resolved(view.Params(folder=ref, **params), network.info)
    steps = list(view.compute(Scene(network, image), asked))
    return steps, view.draw(steps[-1].value, asked), asked
