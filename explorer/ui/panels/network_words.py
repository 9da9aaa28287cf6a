"""How the catalog's facts are worded: states, tasks, metrics."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from explorer.core.listing import quantity

if TYPE_CHECKING:
    from PySide6.QtCore import QObject

    from explorer.networks.entry import WeightsOption


RANDOM = "none"
"""The name that a NetworkSpec gives to random weights."""


@dataclass(frozen=True, slots=True)
class Choice:
    """One line of the weights box."""

    weights: str
    title: str
    state: str
    megabytes: float = 0.0
    detail: str = ""


def state_words(owner: QObject, state: str, megabytes: float = 0.0) -> tuple[str, str]:
    """The badge of a state: its word and its tone."""
    size = f"{megabytes:.0f} MB" if megabytes >= 1 else f"{megabytes:.1f} MB"
    return {
        "shipped": (owner.tr("shipped"), "good"),
        "cached": (owner.tr("on disk"), "good"),
        "local": (owner.tr("local file"), "info"),
        "download": (f"↓ {size}" if megabytes else owner.tr("download"), "quiet"),
        "missing": (owner.tr("not installed"), "warning"),
        "untrained": ("UNTRAINED", "warning"),
    }.get(state, ("", "quiet"))


def tasks_in_words(owner: QObject) -> dict[str, str]:
    return {
        "": owner.tr("All"),
        "classification": owner.tr("Classify"),
        "localization": owner.tr("Localize"),
        "detection": owner.tr("Detect"),
        "segmentation": owner.tr("Segment"),
        "pose": owner.tr("Pose"),
        "features": owner.tr("Features"),
    }


_METRICS = {
    "box_map": "box mAP", "kp_map": "keypoint mAP", "mask_map": "mask mAP", "voc_AP": "VOC AP",
    "mean_iou": "mean IoU", "top1": "top-1", "top5": "top-5",
}  # fmt: skip
"""Keys of cards and of torchvision that are not words yet."""


def facts(option: WeightsOption) -> str:
    """As in: ImageNet-1K acc@1 69.8 · 1,000 classes."""
    parts = [metric(name, value) for name, value in option.metrics]
    if option.categories:
        parts.append(quantity(option.categories, "class", "classes"))
    return " · ".join(parts)


def metric(name: str, value: float, *, short: bool = False) -> str:
    words = name
    for key, shown in _METRICS.items():
        words = words.replace(key, shown)
    words = words.replace("_", " ")
    if short:
        words = words.partition(" ")[2] or words  # without the data set
    digits = 0 if abs(value) > 100 else 1 if abs(value) > 1 else 3
    return f"{words} {value:.{digits}f}"
