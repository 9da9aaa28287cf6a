"""What a view found on the frames of a film: one line of JSON for each."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np

from explorer.saving.plain_values import plain

MOST_VALUES = 4096
"""Of an array that is written; of a larger one only its shape is named."""


def frame_line(
    number: int, seconds: float, view: str, network: str, data: Mapping[str, Any], **more: Any
) -> str:
    """One JSON object without a line break.

    Args:
        number: Of the frame, from 0.
        seconds: Where it is in the source.
        view: The view's name.
        network: The network's name.
        data: What `View.data` gave: arrays become lists, large ones ``{"shape": …, "dtype": …}``,
            numbers that are not finite null.
        more: Further plain values about the frame.
    """
    entry = {
        "frame": number,
        "seconds": round(seconds, 6),
        **more,
        "view": view,
        "network": network,
        "data": plain(_short(data)).value,
    }
    return json.dumps(entry, ensure_ascii=False, allow_nan=False)


def _short(value: Any) -> Any:
    if isinstance(value, np.ndarray) and value.size > MOST_VALUES:
        return {"shape": list(value.shape), "dtype": str(value.dtype)}
    if isinstance(value, Mapping):
        return {str(key): _short(entry) for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [_short(entry) for entry in value]
    return value
