"""The shipped networks that a race needs beside the one that the scene looks with."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from explorer.core.network_info import NetworkSpec
from explorer.core.resources import resource_path
from explorer.networks import catalogue
from explorer.vision.pipelines import rcnn

if TYPE_CHECKING:
    from collections.abc import Generator

    from explorer.core.step import Step
    from explorer.networks.network import Network
    from explorer.vision.pipelines.rcnn import RCNN

BODY, TWO_STAGE = "mini-resnet", "mini-fasterrcnn"
SINGLE_SHOT = ("mini-retinanet", "mini-yolo-v2", "mini-yolo-v1")
"""The first one that ships."""

REGION_SVMS = "mini-rcnn.safetensors"


def borrowed(owner: Network, name: str) -> Generator[Step[None], Any, Network | None]:
    """A shipped network of the catalogue, on the device of `owner`, which keeps it from then on.

    None when it does not ship with this program.
    """
    held = cast("dict[str, Network]", owner.extras.setdefault("borrowed", {}))
    if name not in held:
        entry = next((entry for entry in catalogue.entries() if entry.name == name), None)
        option = entry.at_hand if entry is not None else None
        if option is None or option.state != "shipped":
            return None
        spec = NetworkSpec(name, option.name, owner.info.device)
        held[name] = yield from catalogue.load(spec)
    return held[name]


def region_svms(owner: Network) -> Generator[Step[None], Any, RCNN | None]:
    """R-CNN's and SPP-net's SVMs on their network; None when they do not ship."""
    path = resource_path("weights", REGION_SVMS)
    if not path.is_file():
        return None
    body = yield from borrowed(owner, BODY)
    if body is None:
        return None
    held = body.extras
    if "region svms" not in held:
        held["region svms"] = rcnn.load(path, body.module)
    return cast("RCNN", held["region svms"])
