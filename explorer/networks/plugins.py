"""Networks from other packages, through the entry-point group ``explorer.networks``.

An entry point loads to a callable without arguments that gives an iterable of `Plugin`. In the
other package's pyproject.toml::

    [project.entry-points."explorer.networks"]
    my-lab = "my_lab.explorer:networks"

and in ``my_lab/explorer.py``::

    def networks():
        yield Plugin(
            name="lab_net",
            title="Lab net",
            task="classification",
            classes=("dog", "cat"),
            build=lambda num_classes: LabNet(num_classes),
            preprocess=Preprocess(resize=224, crop=224),
            weights=Path(__file__).with_name("lab_net.safetensors"),
        )

`build` must return a module with outputs as torchvision's: a classifier (N, classes) logits, a
detector a list of dicts with ``boxes``, ``labels`` and ``scores`` for a list of (C, H, W), a
segmentation network (N, classes, H, W) or ``{"out": …}``.
"""

from __future__ import annotations

import logging
import os
from dataclasses import dataclass
from importlib.metadata import entry_points
from pathlib import Path
from typing import TYPE_CHECKING, Any

from explorer.core.network_info import Task, task_of
from explorer.core.unavailable import Unavailable, sentence
from explorer.networks.definition import Definition, Variant
from explorer.networks.entry import Entry, WeightsOption, classes_in

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator

    from torch import nn

    from explorer.networks.preprocess import Preprocess

log = logging.getLogger(__name__)

GROUP = "explorer.networks"


@dataclass(frozen=True, slots=True, eq=False)
class Plugin:
    """One network of another package.

    Attributes:
        name: A word for the command line, not yet taken.
        title: For people.
        task: Its task.
        classes: Names by index (a detector's index 0 is the background).
        build: From the class count to the module with random weights.
        preprocess: What is done to a photo before.
        summary: One sentence for the picker.
        weights: A .pth or .safetensors file of the package, or a URL that ends in ``-sha256.pth``.
        weights_title: For people.
        metrics: Names and values as measured.
        keypoints: Names of the points of a keypoint detector.
    """

    name: str
    title: str
    task: Task
    classes: tuple[str, ...]
    build: Callable[[int], nn.Module]
    preprocess: Preprocess
    summary: str = ""
    weights: Path | str | None = None
    weights_title: str = ""
    metrics: tuple[tuple[str, float], ...] = ()
    keypoints: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "task", task_of(self.task))
        if not self.name or self.name != self.name.strip() or "/" in self.name:
            raise ValueError(f"{self.name!r} is not a valid name for a network")


def survey(taken: Collection[str]) -> tuple[tuple[Definition, ...], tuple[Unavailable, ...]]:
    """The networks of all installed plug-ins, and what could not be taken among them.

    One that fails, or has a name that is taken, is logged, skipped and listed with its reason.

    Args:
        taken: Names that a plug-in may not use.
    """
    found: dict[str, Definition] = {}
    unavailable: list[Unavailable] = []
    for point in entry_points(group=GROUP):
        package = f" of {point.dist.name}" if point.dist is not None else ""
        origin = f"{point.value}{package}"
        try:
            for plugin in point.load()():
                if plugin.name in taken or plugin.name in found:
                    reason = f"The name {plugin.name!r} is taken by another network."
                    log.error("%s = %s was left out: %s", point.name, point.value, reason)
                    unavailable.append(Unavailable(plugin.name, origin, reason))
                else:
                    found[plugin.name] = definition(plugin)
        # Code of others: whatever it raises must not take the other networks away.
        except (Exception, SystemExit) as error:
            log.exception("the network plug-in %s = %s was left out", point.name, point.value)
            unavailable.append(Unavailable(point.name, origin, sentence(error)))
    return tuple(found.values()), tuple(unavailable)


def definition(plugin: Plugin) -> Definition:
    """How the catalog builds it."""
    variant = Variant(plugin.classes, plugin.preprocess, plugin.keypoints)
    options = tuple(_options(plugin))
    entry = Entry(
        name=plugin.name,
        title=plugin.title,
        task=plugin.task,
        family="plugin",
        summary=plugin.summary,
        weights=options,
        num_classes=len(plugin.classes),
    )

    def make(*, num_classes: int, **_arguments: Any) -> nn.Module:
        return plugin.build(num_classes)

    return Definition(entry, make, variant, {option.name: variant for option in options})


def _options(plugin: Plugin) -> Iterator[WeightsOption]:
    match plugin.weights:
        case str(url) if url.startswith(("http://", "https://")):
            yield WeightsOption(
                "default", plugin.weights_title or plugin.title, "download",
                metrics=plugin.metrics, categories=classes_in(plugin.classes), url=url,
            )  # fmt: skip
        case str() | Path() as file if os.path.isfile(file):
            yield WeightsOption(
                "default", plugin.weights_title or Path(file).name, "shipped",
                megabytes=Path(file).stat().st_size / 1e6, metrics=plugin.metrics,
                categories=classes_in(plugin.classes), path=str(file),
            )  # fmt: skip
