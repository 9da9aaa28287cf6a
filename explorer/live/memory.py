"""What views remember from frame to frame, as bytes and back, so that a film can be resumed.

Only plain values, arrays, tensors and the classes that were named to `brought_back` come back:
bytes that name anything else are refused before it is built, and nothing is imported for them.
"""

from __future__ import annotations

import importlib
import io
import pickle
from collections import OrderedDict, defaultdict, deque
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from explorer.core.params import Box, Point

if TYPE_CHECKING:
    from numpy.typing import NDArray

T = TypeVar("T")

_KNOWN: dict[str, type[Any]] = {}
"""By their full names: the classes that are built again."""


def brought_back(kind: type[T]) -> type[T]:
    """Lets memories hold objects of a class. Decorates those that views keep from frame to frame.

    A view that keeps a class of a lower room calls it with that. What such a class holds must be
    brought back as well.
    """
    _KNOWN[f"{kind.__module__}.{kind.__qualname__}"] = kind
    return kind


_PLAIN = (deque, OrderedDict, defaultdict, set, frozenset, list, dict, int, float, complex)
for _kind in (*_PLAIN, np.ndarray, np.dtype, Box, Point):
    brought_back(_kind)

_NUMPY = {"_reconstruct", "scalar", "_frombuffer"}
_NUMPY_MODULES = {
    "numpy._core.multiarray", "numpy.core.multiarray", "numpy._core.numeric", "numpy.core.numeric",
}  # fmt: skip


def frozen(memory: dict[str, Any]) -> bytes | None:
    """The bytes that `thawed` makes an equal memory of; None when it holds what cannot be kept."""
    buffer = io.BytesIO()
    try:
        _Pickler(buffer, protocol=pickle.HIGHEST_PROTOCOL).dump(memory)
        thawed(buffer.getvalue())
    except (ValueError, TypeError, AttributeError, RuntimeError, pickle.PickleError):
        return None
    return buffer.getvalue()


def thawed(data: bytes) -> dict[str, Any]:
    """The memory that `frozen` was given; tensors come back on the device that they were on.

    Raises:
        ValueError: These are not such bytes, or they name something that is not brought back.
    """
    try:
        memory = _Unpickler(io.BytesIO(data)).load()
    except Exception as error:  # a damaged pickle can end in any of them
        raise ValueError(f"the saved state cannot be read: {error}") from error
    if not isinstance(memory, dict):
        raise ValueError("this is not a saved state of views")
    return memory


def tensor(values: NDArray[Any], device: str) -> Any:
    """The tensor that was taken apart into these."""
    import torch

    return torch.from_numpy(values).to(device)


class _Pickler(pickle.Pickler):
    def reducer_override(self, value: Any) -> Any:
        if type(value).__module__ == "torch" and hasattr(value, "detach"):
            return tensor, (value.detach().cpu().numpy(), str(value.device))
        return NotImplemented


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        words = f"{module}.{name}"
        if words in _KNOWN:
            return _KNOWN[words]
        if module == __name__ and name == "tensor":
            return tensor
        if module in _NUMPY_MODULES and name in _NUMPY:
            return getattr(importlib.import_module(module), name)
        raise pickle.UnpicklingError(f"{words} is not brought back")
