"""Any value of a view's data as plain JSON values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, is_dataclass
from enum import Enum
from math import isfinite
from os import PathLike, fspath
from typing import Any

import numpy as np

from explorer.core.layers import Table


@dataclass(frozen=True, slots=True, eq=False)
class Plain:
    """A JSON value, and how many numbers in it were not finite (JSON has only null for them)."""

    value: Any
    not_finite: int


def plain(value: Any) -> Plain:
    """`value` with arrays as lists, tables as lists of objects, NaN and infinities as null."""
    lost = [0]
    return Plain(_plain(value, lost), lost[0])


def rows_of(table: Table) -> list[dict[str, Any]]:
    """The rows as objects; a column name that occurs again gets its number."""
    names = column_names(table)
    return [dict(zip(names, row, strict=True)) for row in table.rows]


def column_names(table: Table) -> list[str]:
    """The columns' names, made different from each other."""
    names: list[str] = []
    for number, name in enumerate(table.columns, 1):
        name = name or f"column {number}"
        names.append(name if name not in names else f"{name} {number}")
    return names


def _plain(value: Any, lost: list[int]) -> Any:
    if value is None or isinstance(value, (bool, int, str)):
        return value.value if isinstance(value, Enum) else value
    if isinstance(value, float):
        if isfinite(value):
            return value
        lost[0] += 1
        return None
    if isinstance(value, np.generic):
        return _plain(value.item(), lost)
    if isinstance(value, np.ndarray):
        if value.dtype.kind == "f" and not np.isfinite(value).all():
            return _plain(value.tolist(), lost)
        return value.tolist() if value.dtype.kind in "fbiuU" else _plain(value.tolist(), lost)
    if isinstance(value, Table):
        return _plain(rows_of(value), lost)
    if isinstance(value, Enum):
        return _plain(value.value, lost)
    if is_dataclass(value) and not isinstance(value, type):
        return _plain(asdict(value), lost)
    if isinstance(value, Mapping):
        return {str(key): _plain(entry, lost) for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(entry, lost) for entry in value]
    if isinstance(value, (set, frozenset)):
        return sorted((_plain(entry, lost) for entry in value), key=str)
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return fspath(value) if isinstance(value, PathLike) else str(value)
