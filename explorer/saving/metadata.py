"""How a result came to be: what goes into the metadata of every file."""

from __future__ import annotations

import platform
import sys
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

from explorer import __version__
from explorer.core.param_forms import params_json

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from explorer.core.network_info import NetworkInfo
    from explorer.images.image import Image

_PACKAGES = ("torch", "torchvision", "numpy", "opencv-contrib-python-headless", "pillow")


def metadata(
    view: str,
    params: Any,
    info: NetworkInfo | None,
    image: Image | None,
    seed: int,
    notes: Sequence[str] = (),
    *,
    beside: Mapping[str, Any] | None = None,
    steered: bool = False,
) -> dict[str, Any]:
    """View, parameters, network, weights, photo, seed, device and versions by name.

    The photo's `digest` is `Image.key`: of its shape and pixels, not of its file.

    Args:
        view: Its name.
        params: Of the view.
        info: The network, None for a view that needs none.
        image: The photo, None for a view that needs none.
        seed: For random numbers.
        notes: Sentences of the board.
        beside: The parameters of views shown beside it, by their names.
        steered: Parameters were changed while it ran: run again, they give another result.
    """
    answer: dict[str, Any] = {
        "program": f"Convnet Explorer {__version__}",
        "view": view,
        "parameters": params_json(params),
        "seed": seed,
        "versions": versions(),
    }
    if image is not None:
        answer["image"] = {
            "name": image.name,
            "width": image.width,
            "height": image.height,
            "frame": image.frame,
            "digest": image.key,
        }
    if info is not None:
        answer["network"] = {
            "name": info.spec.name,
            "title": info.title,
            "task": info.task,
            "weights": info.weights_title,
            "state": info.state,
            "device": info.device,
            "dtype": info.dtype,
            "input": info.input_title,
        }
    if beside:
        answer["beside"] = {name: params_json(its) for name, its in beside.items()}
    if steered:
        answer["steered"] = True
    if notes:
        answer["notes"] = list(notes)
    return answer


def versions() -> dict[str, str]:
    """Of the program, Python and the packages that decide what is computed and drawn."""
    found = {
        "explorer": __version__,
        "python": platform.python_version(),
        "platform": sys.platform,
    }
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found
