"""What the trainings of networks that make faces share."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from explorer.training.cards import Facts
from explorer.training.data.face_sets import read_face_set

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import nn

    from explorer.training.lessons.registry import Material
    from explorer.training.loop import Recipe

SET = "utk.npz"

DATA = "6,045 color faces of 64 x 64 pixels of UTKFace (part 1), mirrored."
LICENSE = (
    "Trained on photos of people that are offered for non-commercial research: check their terms"
    " before any other use. The program contains none of these photos."
)


@dataclass(slots=True, eq=False, kw_only=True)
class FaceTask:
    """The part of `loop.Task` that is the same; a "photo" is a face.

    Attributes:
        faces: (n, H, W, 3) uint8 RGB.
        recipe: The numbers.
        name: Of the network.
        photos: n.
    """

    faces: NDArray[Any]
    recipe: Recipe
    name: str
    photos: int = field(init=False)

    def __post_init__(self) -> None:
        self.photos = len(self.faces)

    def settings(self) -> dict[str, object]:
        return {"faces": self.photos}

    def prepare(self, model: nn.Module) -> None:
        model.train()


def faces_of(material: Material, split: int = 0) -> NDArray[Any]:
    """(n, 64, 64, 3) uint8: 0 = for training, 1 = held out."""
    return read_face_set(material.folder / SET, split).pixels


def face_facts(
    title: str, function: str, example: tuple[int, ...], measured_on: str, layer: str,
    failures: str, preprocessing: dict[str, Any],
) -> Facts:  # fmt: skip
    """Those of a card that differ; see `cards.Facts`."""
    return Facts(
        title=title,
        task="generation",
        function=function,
        kwargs={},
        classes=[],
        preprocessing=preprocessing,
        example=example,
        measured_on=measured_on,
        default_layer=layer,
        data=DATA,
        license=LICENSE,
        extra={"failures": failures},
        eight_bit=True,
    )
