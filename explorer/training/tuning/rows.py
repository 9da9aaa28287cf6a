"""Which of the network's classes the classes of a folder are, and the rows of the new ones."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torchvision.models.detection import FasterRCNN
from torchvision.models.detection.faster_rcnn import FastRCNNPredictor

from explorer.core.errors import ExplorerError
from explorer.evaluation.matching import canonical
from explorer.networks.embedded.lite import LiteFPN
from explorer.training.lessons.lite.detector import SCORES, agnostic, begun

if TYPE_CHECKING:
    from collections.abc import Sequence

    from explorer.networks.network import Network

NEW = -1
"""The row of a class that the network does not have."""

NOISE = 0.01
"""Standard deviation of what new rows differ by."""

_SYNONYMS = {
    "human": "person", "people": "person", "pedestrian": "person", "man": "person",
    "woman": "person", "child": "person", "plane": "airplane", "aircraft": "airplane",
    "bike": "bicycle", "cycle": "bicycle", "motor bike": "motorcycle", "automobile": "car",
    "lorry": "truck", "ship": "boat", "sofa": "couch", "settee": "couch", "table": "dining table",
    "television": "tv", "tv monitor": "tv", "monitor": "tv", "mobile phone": "cell phone",
    "cellphone": "cell phone", "smartphone": "cell phone", "phone": "cell phone",
    "notebook": "laptop", "plant": "potted plant", "house plant": "potted plant",
    "doughnut": "donut", "fridge": "refrigerator", "mug": "cup", "wineglass": "wine glass",
    "football": "sports ball", "ball": "sports ball", "traffic signal": "traffic light",
    "kitten": "cat", "puppy": "dog", "pony": "horse", "lamb": "sheep", "cattle": "cow",
    "bag": "handbag", "rucksack": "backpack",
}  # fmt: skip
"""Other words for COCO's categories; only used where the network has no class of that name."""


@dataclass(frozen=True, slots=True)
class Rows:
    """The classes to learn and the network's row of each.

    Attributes:
        names: Without the background.
        sources: For each the row of the network's class, or `NEW`.
        known_as: For each the network's name for it; "" for a new one.
    """

    names: tuple[str, ...]
    sources: tuple[int, ...]
    known_as: tuple[str, ...]

    @property
    def new(self) -> tuple[str, ...]:
        return tuple(n for n, source in zip(self.names, self.sources, strict=True) if source == NEW)


def rows_for(names: Sequence[str], classes: Sequence[str]) -> Rows:
    """Finds the network's class of each name: the same word, then synonyms, then singulars.

    Args:
        names: Of the folder's classes.
        classes: The network's, the background first.
    """
    exact = {name: row for row, name in enumerate(classes) if row}
    like: dict[str, int] = {}
    for name, row in exact.items():
        like.setdefault(canonical(name), row)
    sources = tuple(_row(name, exact, like) for name in names)
    return Rows(tuple(names), sources, tuple(classes[s] if s != NEW else "" for s in sources))


def _row(name: str, exact: dict[str, int], like: dict[str, int]) -> int:
    word = canonical(name)
    words = [word, _SYNONYMS.get(word, "")]
    if word.endswith("s"):
        words += [word[:-1], _SYNONYMS.get(word[:-1], "")]
    return exact.get(name, next((like[word] for word in words if word in like), NEW))


def check_tunable(network: Network) -> None:
    """Refuses a network that is none of the lite detectors with boxes alone.

    Raises:
        ExplorerError: The sentence names one that can be fine-tuned.
    """
    module = network.module
    heads = getattr(module, "roi_heads", None)
    fits = (
        isinstance(module, FasterRCNN)
        and isinstance(getattr(module, "backbone", None), LiteFPN)
        and isinstance(getattr(heads, "box_predictor", None), FastRCNNPredictor)
        and not (heads.has_mask() or heads.has_keypoint())  # type: ignore[union-attr]
        and len(network.info.classes) > 1
    )
    if not fits:
        raise ExplorerError(
            f"{network.info.title} cannot be fine-tuned here.",
            "Choose Lite Faster R-CNN, or a network that was made from it.",
        )


def module_for(network: Network, rows: Rows, seed: int) -> nn.Module:
    """The network for other classes: a copy in the form that learns, with one box regression.

    Every layer keeps its weights. A class that the network has keeps its row of the classifier; a
    new one begins as the mean of the network's class rows, which is what a class looks like that
    is not there, and a little noise.

    Args:
        network: See `check_tunable`.
        rows: The classes.
        seed: Of the noise.
    """
    own = begun(dict(network.module.state_dict()))
    weight = f"{SCORES.removesuffix('bias')}weight"
    for name, spread in ((weight, NOISE), (SCORES, 0.0)):
        own[name] = _chosen(own[name], rows, spread, seed)
    with torch.random.fork_rng([]):  # what the new layers draw is replaced
        model = agnostic(with_classes(network, len(rows.names)))
    model.to(network.device).load_state_dict(own)
    return model


def with_classes(network: Network, count: int) -> nn.Module:
    """A copy of the network in float32 with this many classes; its last layer is arbitrary."""
    copied: Any = copy.deepcopy(network.module).float()
    features = copied.roi_heads.box_predictor.cls_score.in_features
    with torch.random.fork_rng([]):
        copied.roi_heads.box_predictor = FastRCNNPredictor(features, count + 1)
    module: nn.Module = copied.to(network.device)
    return module


def _chosen(values: Tensor, rows: Rows, spread: float, seed: int) -> Tensor:
    """(C, …) rows of the network -> those of the background and of the classes of `rows`."""
    generator = torch.Generator().manual_seed(seed)
    mean = values[1:].mean(dim=0)
    found = [values[0]]
    for source in rows.sources:
        noise = spread * torch.randn(mean.shape, generator=generator).to(mean)
        found.append(mean + noise if source == NEW else values[source])
    return torch.stack(found)
