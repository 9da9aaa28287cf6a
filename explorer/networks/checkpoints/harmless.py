"""Classes that a checkpoint may hold beside its tensors: they only hold values."""

from __future__ import annotations

import argparse
import datetime
import pathlib
from functools import cache
from typing import Any

import numpy as np

_NUMPY_ROOMS = ("numpy.core.multiarray", "numpy._core.multiarray")
"""Of numpy 1 and of numpy 2."""

_PATH_ROOMS = ("pathlib", "pathlib._local")
"""Before and since Python 3.13."""


@cache
def allowed() -> list[Any]:
    """For `torch.serialization.safe_globals`: an object, or (object, the name in the file).

    Training programs keep their arguments beside the weights: namespaces, paths, dates, numbers of
    numpy. A path becomes a pure one, which no file system is asked about.
    """
    found: list[Any] = [argparse.Namespace, np.dtype, np.ndarray, int, float, list, dict]
    found.append((_dictionary, "collections.defaultdict"))
    found += [type(np.dtype(code)) for code in "?bBhHiIlLqQefdU"]
    found += [datetime.datetime, datetime.date, datetime.timedelta]
    array = np.array(0)
    rebuild, scalar = array.__reduce__()[0], np.float64(0).__reduce__()[0]
    for room in _NUMPY_ROOMS:
        found += [(rebuild, f"{room}._reconstruct"), (scalar, f"{room}.scalar")]
    for room in _PATH_ROOMS:
        for name in ("PosixPath", "PurePosixPath"):
            found.append((pathlib.PurePosixPath, f"{room}.{name}"))
        for name in ("WindowsPath", "PureWindowsPath"):
            found.append((pathlib.PureWindowsPath, f"{room}.{name}"))
    import _codecs

    found.append(_codecs.encode)  # bytes, in the protocol that torch writes
    return found


def _dictionary(_factory: object = None) -> dict[Any, Any]:
    """For one that makes its missing values, which a finished file has none of."""
    return {}


@cache
def allowed_names() -> frozenset[str]:
    """Their names in a file."""
    plain = (entry for entry in allowed() if not isinstance(entry, tuple))
    named = {entry[1] for entry in allowed() if isinstance(entry, tuple)}
    return frozenset({f"{entry.__module__}.{entry.__qualname__}" for entry in plain} | named)
