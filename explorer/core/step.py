"""What a computation hands out on its way: a partial result with its progress."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, TypeVar

R = TypeVar("R")


@dataclass(frozen=True, slots=True, eq=False)
class Step(Generic[R]):
    """A partial result with its progress; `total` 0 means that it is not known.

    `value` holds numpy arrays and plain values only: it crosses to the window's thread.
    """

    value: R
    done: int = 1
    total: int = 1
    note: str = ""
