"""What a race needs besides the scene's network."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from explorer.core.resources import resource_path
from explorer.core.values import NetworkRef
from explorer.vision.pipelines import rcnn

if TYPE_CHECKING:
    from explorer.core.network_info import NetworkInfo
    from explorer.networks.embedded.lite import EfficientNetLite0
    from explorer.vision.pipelines.rcnn import RCNN

BODY = NetworkRef("efficientnet-lite0")
"""What the region SVMs were fitted on."""
TWO_STAGE = NetworkRef("lite-fasterrcnn")
SINGLE_STAGE = NetworkRef("lite-yolo-v1")

REGION_SVMS = "lite-rcnn.safetensors"


def region_svms(body: EfficientNetLite0) -> RCNN | None:
    """R-CNN's and SPP-net's SVMs on the network of `BODY`; None when they do not ship."""
    path = resource_path("weights", REGION_SVMS)
    return rcnn.load(path, body) if os.path.isfile(path) else None


def has_proposals(info: NetworkInfo) -> bool:
    """Whether it is a two-stage detector: one with a region proposal network."""
    return bool(info.layer_names("RegionProposalNetwork"))
