"""Convnet Explorer: see what a convolutional network computes, on your own photo.

From a script or a notebook::

    import explorer

    explorer.look("classify", "cat.jpg", network="efficientnet-lite0", top=3)

`explorer.views()` and `explorer.networks()` list views and networks; `explorer.api` has the rest.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from explorer.api import (
        Box,
        ExplorerError,
        FinishedAnswer,
        Network,
        Point,
        Preprocess,
        explain,
        load,
        look,
        parameters,
        photo,
        steps,
    )

__version__ = "0.1.0"

__all__ = [
    "Box",
    "ExplorerError",
    "FinishedAnswer",
    "Network",
    "Point",
    "Preprocess",
    "__version__",
    "explain",
    "load",
    "look",
    "parameters",
    "photo",
    "steps",
]

_LISTS = ("networks", "views")
"""Packages that list what is in them when they are called."""


def __getattr__(name: str) -> Any:
    # Asked for the first time: importing the package itself loads neither torch nor Qt.
    if name in __all__:
        return getattr(import_module("explorer.api"), name)
    if name in _LISTS:
        return import_module(f"explorer.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__, *_LISTS})
