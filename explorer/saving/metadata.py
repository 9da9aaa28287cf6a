"""How a result came to be: what goes into the metadata of every file."""

from __future__ import annotations

import platform
import sys
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

from explorer import __version__
from explorer.core.param_forms import params_json

if TYPE_CHECKING:
    from collections.abc import Sequence

    from explorer.core.network_info import NetworkInfo
    from explorer.engine.view import View
    from explorer.images.image import Image

_PACKAGES = ("torch", "torchvision", "numpy", "opencv-contrib-python-headless", "pillow")


def story(
    view: View[Any, Any],
    info: NetworkInfo | None,
    params: Any,
    image: Image | None,
    seed: int,
    notes: Sequence[str] = (),
) -> dict[str, Any]:
    """View, parameters, network, weights, photo, seed, device and versions by name.

    The photo's `digest` is `Image.key`: of its shape and pixels, not of its file.
    """
    answer: dict[str, Any] = {
        "program": f"Convnet Explorer {__version__}",
        "view": view.name,
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
