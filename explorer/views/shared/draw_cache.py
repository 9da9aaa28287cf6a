"""What a drawing made before and need not make again."""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import TYPE_CHECKING, Any, TypeVar, cast

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

T = TypeVar("T")


class DrawCache:
    """The last few things a `draw` made of one result, by the parameters they depend on.

    A slider that leaves a heavy layer alone then gets the very same object again, which tells the
    painter that there is nothing to build again. It belongs to a result and goes with it.
    """

    def __init__(self, most: int = 6) -> None:
        self._most = most
        self._made: OrderedDict[Hashable, Any] = OrderedDict()
        self._lock = threading.RLock()  # a picture may be exported while the window draws another

    def get(self, key: Hashable, make: Callable[[], T]) -> T:
        """What `make()` gave under `key`, made once while it is among the last few asked for."""
        with self._lock:
            if key not in self._made:
                self._made[key] = make()
                while len(self._made) > self._most:
                    self._made.popitem(last=False)
            self._made.move_to_end(key)
            return cast("T", self._made[key])
