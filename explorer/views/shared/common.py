"""What most views need: the photo as a layer, names of classes, the layer to begin with."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from explorer.core.layers import Picture
from explorer.core.network_info import SCORE_THRESHOLD
from explorer.views.shared.plural import plural

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from explorer.core.layers import Color, UInt8
    from explorer.core.network_info import NetworkInfo
    from explorer.engine.scene import Scene

CROP_COLOR: Color = (235, 235, 235)
"""Of the dotted frame around the network's input: a color of no class."""


def photo_of(scene: Scene) -> Picture:
    """The photo as a layer, the same object for every view of the scene."""
    return scene.memo("photo", lambda: Picture(scene.image.pixels, name="photo"))


def size_of(photo: Picture) -> tuple[float, float]:
    """Width and height of the image frame."""
    height, width = photo.rgb.shape[:2]
    return float(width), float(height)


def class_choices(first: str) -> Callable[[NetworkInfo], tuple[str, ...]]:
    """The choices of a parameter that names a class: `first`, then those of the network."""
    return lambda info: (first, *dict.fromkeys(info.classes))


def class_name(classes: Sequence[str], index: int) -> str:
    """The name of class `index`, also for a network whose classes have no names."""
    known = 0 <= index < len(classes)
    return (classes[index].strip("_") or classes[index]) if known else f"class {index}"


def percent(share: float) -> str:
    """A share in [0, 1] in words; what is there, but little, is not "0.0%"."""
    return "<0.1%" if 0 < share < 0.0005 else f"{share:.1%}"


def counts_of(classes: Sequence[str], labels: Iterable[int], most: int = 6) -> str:
    """How many there are of each class, the most frequent first: "2 dogs, 1 cat"."""
    counts = Counter(class_name(classes, label) for label in labels)
    words = ", ".join(f"{count} {plural(name, count)}" for name, count in counts.most_common(most))
    more = len(counts) - most
    return words if more <= 0 else f"{words} and {more} more {plural('class', more)}"


def score_threshold(info: NetworkInfo | None) -> float:
    """From which score a detection of the network counts by default."""
    return SCORE_THRESHOLD if info is None else info.score_threshold


def color(rgb: UInt8) -> Color:
    """A (3,) uint8 row of a color table as plain numbers."""
    red, green, blue = (int(value) for value in rgb)
    return red, green, blue


def default_layer(info: NetworkInfo) -> str:
    """The network's own choice, else the last convolution, else the last layer."""
    names = info.layer_names()
    if info.default_layer in names:
        return info.default_layer
    convolutions = info.layer_names("Conv2d")
    return (convolutions or names or ("",))[-1]
