"""What the catalog lists: plain data without torch, which a menu or a session may hold."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from explorer.core.listing import quantity

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from explorer.core.network_info import Task, WeightState
    from explorer.networks.packaged import Packaged

Family = Literal["embedded", "made", "torchvision", "timm", "plugin", "onnx", "opened"]
OptionState = Literal["shipped", "cached", "download", "missing"]

NO_WEIGHTS = "none"
"""The name that asks for random weights."""

_BACKGROUND = frozenset({"background", "__background__", "no person", "N/A"})
"""What class lists call the background, and numbers that COCO does not use."""

_TASKS: dict[str, str] = {
    "classification": "Image classification",
    "localization": "Classification and localization",
    "detection": "Object detection",
    "segmentation": "Semantic segmentation",
    "pose": "Joints of one person",
    "features": "Feature extraction",
}


def classes_in(names: Iterable[str]) -> int:
    """How many classes of objects there are: the background and unused numbers do not count."""
    return sum(name not in _BACKGROUND for name in names)


def described(task: Task, architecture: str, classes: Iterable[str], parameters: int) -> str:
    """As in: "Object detection: 80 classes, 41.8 million parameters"."""
    words = _TASKS[task]
    if "maskrcnn" in architecture:
        words = "Instance segmentation"
    elif "keypointrcnn" in architecture:
        words = "Keypoint detection of people"
    count = quantity(classes_in(classes), "class", "classes")
    return f"{words}: {count}, {parameters / 1e6:.1f} million parameters"


@dataclass(frozen=True, slots=True)
class WeightsOption:
    """One set of trained weights of a network.

    Attributes:
        name: What `NetworkSpec.weights` asks for.
        title: For people.
        state: Shipped with the program, on this computer, to download, or in a package that is not
            installed.
        megabytes: Size of the file; 0 when unknown.
        metrics: Names and values as published, for example ("ImageNet-1K acc@1", 69.758).
        categories: Number of classes without the background, see `classes_in`; 0 = no trained head.
        url: Where it is downloaded from; empty when it is a file of its own.
        path: The file; for a URL the place it is downloaded to is asked from `weights.path_of`.
        package: The package that the file comes in; None when it is no package's.
        license: Where its terms are, when they are not those of the network.
        shares: Tensors that lie in other files: (file, what their names begin with here, and
            there).
    """

    name: str
    title: str
    state: OptionState
    megabytes: float = 0.0
    metrics: tuple[tuple[str, float], ...] = ()
    categories: int = 0
    url: str = ""
    path: str = ""
    package: Packaged | None = None
    license: str = ""
    shares: tuple[tuple[str, str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Entry:
    """One network of the catalog.

    Attributes:
        name: The command line's word.
        title: For people.
        task: Its task.
        family: Where it comes from.
        summary: One sentence for the picker.
        weights: The best ones first.
        num_classes: Size of its output with the first weights, the background included.
        parameters: Number of weights; 0 when unknown.
        min_size: Smallest (H, W) of its input.
    """

    name: str
    title: str
    task: Task
    family: Family
    summary: str
    weights: tuple[WeightsOption, ...] = ()
    num_classes: int = 0
    parameters: int = 0
    min_size: tuple[int, int] = (1, 1)

    @property
    def at_hand(self) -> WeightsOption | None:
        """The weights used when none are named: shipped ones, else the best cached ones."""
        for state in ("shipped", "cached"):
            for option in self.weights:
                if option.state == state:
                    return option
        return None

    @property
    def state(self) -> WeightState:
        """For the picker: what choosing this entry gives, or how its best weights can be had."""
        if self.at_hand is not None:
            return self.at_hand.state
        return self.weights[0].state if self.weights else "untrained"

    def refreshed(self, state_of: Callable[[str], OptionState]) -> Entry:
        """This entry with the present state of every option that has a URL."""
        weights = tuple(
            replace(option, state=state_of(option.url)) if option.url else option
            for option in self.weights
        )
        return replace(self, weights=weights)
