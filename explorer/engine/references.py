"""What a question names beside its photo and its network: opened before the view computes."""

from __future__ import annotations

import os
from collections import OrderedDict
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from explorer.core.errors import ExplorerError
from explorer.core.listing import either
from explorer.core.network_info import NetworkSpec, file_and_part
from explorer.core.params import Kind, Parameter, parameters, references
from explorer.core.values import FolderRef, ImageRef, NetworkRef

if TYPE_CHECKING:
    from collections.abc import Mapping

    from explorer.core.network_info import NetworkInfo
    from explorer.images.image import Image
    from explorer.networks.network import Network

MOST_NETWORKS = 8
"""That one question may name beside its own: all of them are in memory at once."""
MOST_PHOTOS = 6


@dataclass(frozen=True, slots=True, eq=False)
class Opened:
    """The networks and photos that a view's parameters name."""

    networks: Mapping[NetworkRef, Network] = field(default_factory=dict)
    images: Mapping[ImageRef, Image] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Named:
    """What is to be opened for a view: networks with the parameters that ask for them."""

    networks: dict[NetworkRef, Parameter | None]
    images: tuple[ImageRef, ...]


class Names(Protocol):
    """The part of a view that is used here, which avoids a circular import."""

    @property
    def title(self) -> str: ...

    @property
    def uses(self) -> tuple[NetworkRef, ...]: ...


def named(view: Names, params: Any, info: NetworkInfo | None) -> Named:
    """Everything that the view takes beside the photo and the network.

    Raises:
        ExplorerError: A folder is not there, or there are too many networks.
    """
    networks: dict[NetworkRef, Parameter | None] = dict.fromkeys(view.uses)
    images: dict[ImageRef, None] = {}
    for parameter, ref in references(params, info):
        match ref:
            case NetworkRef():
                networks[ref] = parameter
            case ImageRef():
                images[ref] = None
            case FolderRef(path):
                if not os.path.isdir(path):
                    raise ExplorerError(
                        f"{parameter.meta.title}: there is no folder {path}.",
                        "It may have been moved, renamed or deleted: choose another one.",
                    )
    if len(networks) > MOST_NETWORKS:
        raise ExplorerError(
            f"{view.title} would need {len(networks)} more networks at once.",
            f"Choose {MOST_NETWORKS} at most.",
        )
    return Named(networks, tuple(images))


def named_places(params: Any) -> list[Path]:
    """The files and folders that `params` name, whether or not they matter with the others."""
    places: list[Path] = []
    for parameter in parameters(type(params)):
        value = getattr(params, parameter.name)
        for entry in value if isinstance(value, tuple) else (value,):
            match entry:
                case ImageRef(source):
                    places.append(Path(source))
                case FolderRef(path):
                    places.append(Path(path))
                case NetworkRef(_, weights) if weights:
                    places.append(file_and_part(Path(weights))[0])
                case _ if parameter.kind is Kind.ROWS:
                    places += named_places(entry)
    return places


def spec_of(ref: NetworkRef, beside: NetworkSpec | None) -> NetworkSpec:
    """The network of `ref` on the device and in the precision of the question's own."""
    if beside is None:
        return NetworkSpec(ref.name, ref.weights)
    return NetworkSpec(ref.name, ref.weights, beside.device, beside.half)


def check_task(network: Network, parameter: Parameter | None) -> None:
    """Refuses a network whose task the parameter does not take.

    Raises:
        ExplorerError: The sentence names the tasks that it takes.
    """
    tasks = parameter.meta.tasks if parameter is not None else frozenset()
    if parameter is not None and tasks and network.info.task not in tasks:
        raise ExplorerError(
            f"{parameter.meta.title} takes a network for {either(sorted(tasks))}; "
            f"{network.info.title} is for {network.info.task}.",
            "Choose another network.",
        )


class Photos:
    """The last few photos that parameters named, decoded; a changed file is read again."""

    def __init__(self) -> None:
        self._images: OrderedDict[tuple[ImageRef, int], Image] = OrderedDict()

    def get(self, ref: ImageRef) -> Image:
        """The photo of a file, or the sample of that name where there is no such file.

        Raises:
            ExplorerError: When it cannot be read.
        """
        key = (ref, _changed(ref.source))
        if key not in self._images:
            self._images[key] = _read(ref.source)
            while len(self._images) > MOST_PHOTOS:
                self._images.popitem(last=False)
        self._images.move_to_end(key)
        return self._images[key]

    def forget(self) -> None:
        self._images.clear()


def _changed(source: str) -> int:
    try:
        return Path(source).stat().st_mtime_ns
    except (OSError, ValueError):
        return 0


def _read(source: str) -> Image:
    from explorer.images.image import open_image
    from explorer.images.samples import sample

    found = None if os.path.exists(source) else sample(source)
    if found is not None:
        return found.load()
    return open_image(source)
