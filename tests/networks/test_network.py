"""What a network remembers goes with it, and is little."""

from __future__ import annotations

import gc
import weakref

from explorer.networks.network import MOST_KEPT
from tests.toys import toy_network


def test_a_memo_makes_once_and_keeps_the_last_few() -> None:
    network, made = toy_network("classification"), []

    def make(number: int) -> int:
        made.append(number)
        return number * 10

    for number in (0, 1, 0):
        assert network.memo(number, lambda number=number: make(number)) == number * 10
    assert made == [0, 1]
    for number in range(2, MOST_KEPT + 1):  # 1 is the one that was asked for longest ago
        network.memo(number, lambda number=number: make(number))
    network.memo(0, lambda: make(0))
    network.memo(1, lambda: make(1))
    assert made == [*range(MOST_KEPT + 1), 1]


def test_a_memo_goes_with_its_network() -> None:
    class Kept:
        pass

    network = toy_network("features")
    kept = weakref.ref(network.memo("key", Kept))
    assert kept() is not None
    del network
    gc.collect()
    assert kept() is None
