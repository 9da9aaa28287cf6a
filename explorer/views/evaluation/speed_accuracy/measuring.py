"""One network after the other: its time by stage, its memory, its operations, its accuracy."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from explorer.core.errors import ExplorerError
from explorer.evaluation.datasets import open_source
from explorer.evaluation.run import evaluate
from explorer.networks import catalog
from explorer.views.shared.common import class_name, percent
from explorer.views.shared.matches import average_precision
from explorer.vision.detection.detections import Detections, detections_of
from explorer.vision.features.classification import logits_of, softmax
from explorer.vision.graph.footprint import footprint_of
from explorer.vision.race.clock import RUNS
from explorer.vision.race.passes import Passes

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping

    import numpy as np
    from numpy.typing import NDArray

    from explorer.core.network_info import NetworkInfo, NetworkSpec
    from explorer.core.values import Box
    from explorer.engine.scene import Scene
    from explorer.networks.network import Network
    from explorer.vision.graph.footprint import Footprint

UNITS = RUNS + 4
"""Steps of progress for one network: loading, counting, the runs, the accuracy."""

ACCURACIES: dict[str, tuple[str, ...]] = {
    "classification": ("top1", "top5"),
    "localization": ("top1", "localization_error"),
    "detection": ("AP50", "AP"),
    "segmentation": ("mIoU", "pixel_accuracy"),
    "pose": ("PCK@0.2", "PCK@0.5"),
}
"""By task the metrics that are compared, the first one in the plot; keys of `report.FIGURES`."""

_IN_TORCHVISION = {
    "top1": "acc@1", "top5": "acc@5", "AP": "box_map", "mIoU": "miou",
    "pixel_accuracy": "pixel_acc",
}  # fmt: skip
"""Its words for metrics, behind the name of the data; its values are in percent."""


@dataclass(frozen=True, slots=True, eq=False)
class Measured:
    """One network on this machine.

    Attributes:
        info: The network.
        size: Height and width of its input for the photo.
        cost: Parameters, operations and memory of one pass.
        stages: Seconds by stage of the median run.
        runs: Seconds of every run, ascending.
        figures: Accuracies that were measured here, by the keys of `ACCURACIES`.
        on: What they were measured on: "this photo", or the data set with the number of photos.
        per_photo: Seconds for a photo in the evaluation, reading included; 0 = not evaluated.
        card: Accuracies on the network's card, each on a data set of its own.
        found: Of a detector, its detections on the photo.
        answer: Of a classifier, the top class on the photo.
        note: Why there is no measured accuracy; "" = there is one, or nothing to measure it on.
    """

    info: NetworkInfo
    size: tuple[int, int]
    cost: Footprint
    stages: Mapping[str, float]
    runs: tuple[float, ...]
    figures: Mapping[str, float]
    on: str
    per_photo: float
    card: Mapping[str, float]
    found: Detections | None
    answer: str
    note: str = ""

    @property
    def seconds(self) -> float:
        """Of the median run."""
        return self.runs[len(self.runs) // 2]

    @property
    def fps(self) -> float:
        return 1.0 / self.seconds if self.seconds > 0 else 0.0

    @property
    def accuracy(self) -> tuple[float, bool] | None:
        """What the plot shows of it, in [0, 1], and whether it was measured here; None = nothing.

        All networks of a task are compared by the first of its metrics.
        """
        key = ACCURACIES[self.info.task][0]
        for known, here in ((self.figures, True), (self.card, False)):
            if key in known:
                return known[key], here
        return None


@dataclass(frozen=True, slots=True)
class Data:
    """The data set that accuracy is measured on, "" = none, and how many photos of it."""

    folder: str = ""
    limit: int = 0


@lru_cache(maxsize=8)  # forms ask on every change, and files are looked for
def others_of(info: NetworkInfo) -> tuple[str, ...]:
    """Names of the other networks of the task whose trained weights are on this computer."""
    return tuple(
        entry.name
        for entry in catalog.entries()
        if entry.task == info.task and entry.at_hand is not None and entry.name != info.spec.name
    )


def loading(spec: NetworkSpec, name: str) -> Generator[str, Any, Network]:
    """Loads another network, on the same device and in the same precision.

    Raises:
        ExplorerError: It cannot be loaded.
    """
    steps = catalog.load(replace(spec, name=name, weights="", classes=""))
    while True:
        try:
            step = next(steps)
        except StopIteration as end:
            network: Network = end.value
            return network
        yield step.note


def measure(scene: Scene, network: Network, data: Data) -> Generator[str, Any, Measured]:
    """Measures one network on the scene's photo; what is yielded are words for the progress.

    Raises:
        ExplorerError: It cannot run on the photo.
    """
    info, pixels = network.info, scene.image.pixels
    passes = Passes(network, pixels)
    yield "warming up"
    passes.once()
    yield "counting operations"
    cost = _cost(network, passes)
    while not passes.enough:
        yield "measuring"
        passes.once()
    size = _size(passes)
    found, answer = _shown(network, passes, pixels)
    figures: dict[str, float] = {}
    on, per_photo, note = "", 0.0, ""
    if data.folder:
        yield "accuracy"
        try:
            figures, on, per_photo = yield from _evaluated(network, data)
        except ExplorerError as error:
            note = error.message
    return Measured(
        info, size, cost, dict(passes.stages), passes.seconds, figures, on, per_photo,
        card_of(info), found, answer, note,
    )  # fmt: skip


def card_of(info: NetworkInfo) -> dict[str, float]:
    """The accuracies on the card of the weights in use, in [0, 1], by the keys of `ACCURACIES`."""
    entries = [entry for entry in catalog.entries() if entry.name == info.spec.name]
    options = [o for e in entries for o in e.weights if info.spec.weights in (o.name, "")][:1]
    found: dict[str, float] = {}
    for option in options if not info.untrained else ():
        for name, value in option.metrics:
            for key in ACCURACIES[info.task]:
                if name == key:
                    found[key] = value
                elif key in _IN_TORCHVISION and name.endswith(f" {_IN_TORCHVISION[key]}"):
                    found.setdefault(key, value / 100)
    return found


@torch.no_grad()
def _cost(network: Network, passes: Passes) -> Footprint:
    assert passes.values is not None, "it has run"
    values = passes.values
    given = values if network.preprocess.batched else [values[0]]
    return footprint_of(network.module, lambda: network.module(given), [values])


def _size(passes: Passes) -> tuple[int, int]:
    assert passes.values is not None, "it has run"
    height, width = passes.values.shape[-2:]
    return int(height), int(width)


def _shown(
    network: Network, passes: Passes, pixels: NDArray[np.uint8]
) -> tuple[Detections | None, str]:
    """What the network found in the photo."""
    info = network.info
    if info.task == "detection":
        frame = network.preprocess.frame(*pixels.shape[:2])
        found = detections_of(passes.output, frame, _size(passes))
        return Detections(found.xyxy, found.labels, found.scores), ""
    if info.task in ("classification", "localization"):
        shares = softmax(logits_of(passes.output))
        best = int(shares.argmax())
        return None, f"{class_name(info.classes, best)} {percent(float(shares[best]))}"
    return None, ""


def _evaluated(
    network: Network, data: Data
) -> Generator[str, Any, tuple[dict[str, float], str, float]]:
    """The metrics of the task on the data set, its name, and seconds for a photo."""
    source = open_source(Path(data.folder), network.info.task)
    report = None
    for step in evaluate(network, source, limit=data.limit):
        report = step.value
        yield f"{step.done} of {step.total} photos"
    assert report is not None, "it has a photo"
    keys = ACCURACIES[network.info.task]
    figures = {key: report.figures[key] for key in keys if key in report.figures}
    on = f"{report.data}, {report.photos:,} photos"
    return figures, on, report.seconds / max(1, report.photos)


def with_truth(one: Measured, truth: tuple[Box, ...]) -> Measured:
    """A detector that was not evaluated on a data set, with its AP on this photo.

    By the rule of Pascal VOC at COCO's thresholds; the same network where no object counts.
    """
    if one.found is None or one.figures or not truth:
        return one
    areas = [average_precision(one.found, truth, one.info, 0.5 + 0.05 * k) for k in range(10)]
    if math.isnan(areas[0]):
        return one
    figures = {"AP50": areas[0], "AP": sum(areas) / len(areas)}
    return replace(one, figures=figures, on="this photo")
