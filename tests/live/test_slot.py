import threading

import numpy as np

from explorer.live.slot import Shot, Slot


def shot(number: int, at: float = 0.0, size: tuple[int, int] = (2, 2)) -> Shot:
    return Shot(np.zeros((*size, 3), np.uint8), number, at, number / 10)


def test_the_newest_frame_wins() -> None:
    slot = Slot()
    for number in range(5):
        slot.put(shot(number))
    taken = slot.take()
    assert taken is not None
    assert taken.number == 4
    assert slot.dropped == 4


def test_a_frame_that_was_taken_is_not_dropped() -> None:
    slot = Slot()
    slot.put(shot(0))
    slot.take()
    slot.put(shot(1))
    slot.put(shot(2))
    assert slot.dropped == 1
    assert slot.take(after=2) is None


def test_a_glance_takes_nothing() -> None:
    slot = Slot()
    slot.put(shot(0))
    assert slot.newest is not None
    slot.put(shot(1))
    assert slot.dropped == 1


def test_who_waits_is_woken_by_a_frame() -> None:
    slot = Slot()
    found: list[Shot | None] = []
    thread = threading.Thread(target=lambda: found.append(slot.take(after=6, timeout=10)))
    thread.start()
    slot.put(shot(6))
    slot.put(shot(7))
    thread.join(10)
    assert found[0] is not None
    assert found[0].number == 7


def test_who_waits_is_woken_by_the_end() -> None:
    slot = Slot()
    found: list[Shot | None] = []
    thread = threading.Thread(target=lambda: found.append(slot.take(timeout=60)))
    thread.start()
    slot.close()
    thread.join(10)
    assert found == [None]
    slot.put(shot(0))
    assert slot.newest is None


def test_the_past_is_as_long_as_it_may_be() -> None:
    slot = Slot(seconds=1.0)
    for number in range(30):
        slot.put(shot(number, at=number / 10))
    assert [s.number for s in slot.past] == list(range(19, 30))


def test_large_frames_have_a_shorter_past() -> None:
    slot = Slot(seconds=1e9, most_bytes=10 * 300)
    for number in range(30):
        slot.put(shot(number, size=(10, 10)))
    assert [s.number for s in slot.past] == list(range(20, 30))


def test_one_frame_stays_whatever_its_size() -> None:
    slot = Slot(most_bytes=10)
    slot.put(shot(0, size=(10, 10)))
    assert [s.number for s in slot.past] == [0]
