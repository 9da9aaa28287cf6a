"""Arrays out of a file that joblib has written and LZ4 has packed, without running its pickle.

A pickle is a program that may call anything. The one here has three names in it, and each of them
builds a plain object of this file; any other name ends the reading. The numbers of an array lie in
the stream behind the object that describes it, as `joblib.numpy_pickle` writes them.
"""

from __future__ import annotations

import io
import math
import pickle
import struct
from typing import TYPE_CHECKING, Any

import numpy as np

from explorer.core.errors import ExplorerError

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from explorer.core.layers import Float32

MOST_BYTES = 64 * 2**20
"""Of all arrays of a file together."""


class _Dtype:
    """What stands for a dtype: only 32-bit floats are read."""

    def __init__(self, name: str, *_flags: bool) -> None:
        if name != "f4":
            raise pickle.UnpicklingError(f"numbers of type {name}")

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        if state[1] != "<":
            raise pickle.UnpicklingError(f"byte order {state[1]}")


class _Ndarray:
    """Stands for the class `numpy.ndarray`, which the description of an array names."""


class _Reader(pickle._Unpickler):
    """The interpreter in Python: it reads no further than its opcodes go.

    That in C reads ahead, over the numbers between the opcodes.
    """

    def __init__(self, file: io.BytesIO) -> None:
        super().__init__(file)
        reader = self

        class Wrapped:
            """An array: its description comes as a state, its numbers are next in the file."""

            array: NDArray[np.float32]

            def __setstate__(self, state: dict[str, Any]) -> None:
                self.array = reader.numbers(state)

        self._file = file
        self._known: dict[tuple[str, str], type] = {
            ("joblib.numpy_pickle", "NumpyArrayWrapper"): Wrapped,
            ("numpy", "ndarray"): _Ndarray,
            ("numpy", "dtype"): _Dtype,
        }

    def find_class(self, module: str, name: str) -> type:
        if (module, name) not in self._known:
            raise pickle.UnpicklingError(f"it names {module}.{name}")
        return self._known[module, name]

    def numbers(self, state: dict[str, Any]) -> NDArray[np.float32]:
        """The array that a description announces."""
        shape = tuple(int(side) for side in state["shape"])
        if state["subclass"] is not _Ndarray or not isinstance(state["dtype"], _Dtype):
            raise pickle.UnpicklingError("something else than an array of numbers")
        if min(shape, default=0) < 0 or 4 * math.prod(shape) > MOST_BYTES:
            raise pickle.UnpicklingError(f"an array of shape {shape}")
        if state.get("numpy_array_alignment_bytes") is not None:
            # one byte says how many follow it before the numbers, which so begin at a multiple
            (padding,) = self._file.read(1)
            self._file.read(padding)
        content = self._file.read(4 * math.prod(shape))
        flat = np.frombuffer(content, "<f4").astype(np.float32)
        if state["order"] == "F":
            return flat.reshape(shape[::-1]).T
        return flat.reshape(shape)


def unpickled_arrays(content: bytes) -> list[Float32]:
    """The arrays of a pickle that holds a list of them.

    Raises:
        pickle.UnpicklingError: It holds, names or does anything else, or is damaged.
    """
    try:
        found = _Reader(io.BytesIO(content)).load()
        return [entry.array for entry in found]
    except pickle.UnpicklingError:
        raise
    # A damaged program fails wherever it happens to be: in a lookup, a conversion, its stack.
    except (
        AttributeError, AssertionError, EOFError, IndexError, KeyError, LookupError, MemoryError,
        NotImplementedError, OverflowError, TypeError, ValueError, struct.error,
    ) as error:  # fmt: skip
        raise pickle.UnpicklingError("it is damaged") from error


def read_packed(path: Path) -> list[Float32]:
    """The arrays of a file that LZ4 has packed.

    Raises:
        ExplorerError: lz4 is not installed, or the file is something else.
    """
    try:
        import lz4.frame as frame
    except ImportError as error:
        raise ExplorerError(
            f"{path.name} is packed by LZ4, and the package lz4 is not installed.",
            "Install it: pip install lz4",
        ) from error
    try:
        unpacker = frame.LZ4FrameDecompressor()
        content = unpacker.decompress(path.read_bytes(), max_length=MOST_BYTES)
        return unpickled_arrays(content)
    except (OSError, RuntimeError, EOFError, pickle.UnpicklingError) as error:
        raise ExplorerError(
            f"{path.name} is not a list of arrays: {error}.",
            "Install its package again.",
        ) from error
