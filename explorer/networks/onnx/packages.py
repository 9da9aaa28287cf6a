"""The packages that ONNX files need: they come with the extra `onnx`."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from typing import Any

from explorer.core.errors import ExplorerError

INSTALL = "pip install 'convnet-explorer[onnx]'"


def needed(module: str) -> Any:
    """The module of that name, of one of the packages.

    Raises:
        ExplorerError: The package is not installed; the sentence says how to install it.
    """
    try:
        return import_module(module)
    except ImportError as error:
        package = module.partition(".")[0]
        raise ExplorerError(
            f"ONNX files need the package {package}, which is not installed.", f"{INSTALL}."
        ) from error


def has_runtime() -> bool:
    """Whether ONNX Runtime is installed."""
    return find_spec("onnxruntime") is not None
