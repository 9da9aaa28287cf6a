"""What waits to be encoded: in order, in bounds, and without a trace on the disk."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from explorer.live.recording.spool import Spool, Waiting

SIZE = 144


def waiting(number: int, line: str = "") -> Waiting:
    return Waiting(number, bytes([number]) * SIZE + line.encode())


def check(found: Waiting | None, number: int, line: str = "") -> None:
    assert found is not None
    assert (found.place, found.data) == (number, bytes([number]) * SIZE + line.encode())


@pytest.fixture
def made() -> Iterator[list[Spool]]:
    spools: list[Spool] = []
    yield spools
    for spool in spools:
        spool.close()


@pytest.mark.parametrize("memory", [0, SIZE * 3, SIZE * 100])
def test_first_in_first_out_wherever_it_waits(
    tmp_path: Path, made: list[Spool], memory: int
) -> None:
    made.append(spool := Spool(tmp_path, memory, SIZE * 100))
    for number in range(20):
        assert spool.put(waiting(number, f"né {number}" * (number % 3)))
    assert len(spool) == 20
    for number in range(20):
        check(spool.take(), number, f"né {number}" * (number % 3))
    assert len(spool) == 0
    assert spool.share == 0.0
    assert spool.take() is None
    assert list(tmp_path.iterdir()) == []  # the file never has a name


def test_a_frame_that_waits_in_memory_is_not_copied(tmp_path: Path, made: list[Spool]) -> None:
    made.append(spool := Spool(tmp_path, SIZE, SIZE))
    given = waiting(1)
    spool.put(given)
    assert spool.take() is given


def test_what_is_not_filmed_has_no_place(tmp_path: Path, made: list[Spool]) -> None:
    made.append(spool := Spool(tmp_path, 0, SIZE * 4))
    spool.put(Waiting(None, b"{}"))
    found = spool.take()
    assert found is not None
    assert (found.place, found.data) == (None, b"{}")


@pytest.mark.parametrize("seed", range(5))
def test_the_file_is_used_again_and_never_longer_than_it_may_be(
    tmp_path: Path, made: list[Spool], monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    ends: list[int] = []
    pwrite = os.pwrite

    def noted(handle: int, data: memoryview, at: int) -> int:
        ends.append(at + len(data))
        return pwrite(handle, data[: max(1, len(data) // 2)], at)  # a system may write less

    monkeypatch.setattr(os, "pwrite", noted)
    most = SIZE * 5 + 17
    made.append(spool := Spool(tmp_path, 0, most))
    random = np.random.default_rng(seed)
    kept: list[tuple[int, str]] = []
    refused = 0
    for number in range(400):
        if random.random() < 0.55:
            line = "x" * int(random.integers(0, 60))
            if spool.put(waiting(number % 256, line)):
                kept.append((number % 256, line))
            else:
                refused += 1
                assert spool.share > 0.3
        elif kept:
            check(spool.take(), *kept.pop(0))
        assert len(spool) == len(kept)
    for number, line in kept:
        check(spool.take(), number, line)
    assert refused
    assert max(ends) <= most


def test_what_has_no_room_is_refused(tmp_path: Path, made: list[Spool]) -> None:
    made.append(spool := Spool(tmp_path, SIZE * 2, SIZE * 2))
    assert [spool.put(waiting(number)) for number in range(6)] == [True] * 4 + [False] * 2
    assert spool.share == 1.0
    check(spool.take(), 0)
    assert spool.put(waiting(9))
    assert [found.place for _ in range(4) if (found := spool.take())] == [1, 2, 3, 9]


def test_at_most_half_of_what_is_free(
    tmp_path: Path, made: list[Spool], monkeypatch: pytest.MonkeyPatch
) -> None:
    free = SIZE * 8
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=free))
    made.append(spool := Spool(tmp_path, 0, SIZE * 100))
    for number in range(3):
        assert spool.put(waiting(number))
        free -= SIZE
    assert spool.share == 3 / 4
    free = SIZE  # others fill the disk: what the file has, it keeps
    assert not spool.put(waiting(3))
    assert spool.share == 1.0
    check(spool.take(), 0)
    assert spool.put(waiting(4))
    assert not spool.put(waiting(5))
    assert [found.place for _ in range(3) if (found := spool.take())] == [1, 2, 4]


def test_a_disk_that_takes_no_more_loses_nothing_that_waits(
    tmp_path: Path, made: list[Spool], monkeypatch: pytest.MonkeyPatch
) -> None:
    made.append(spool := Spool(tmp_path, SIZE, SIZE * 100))
    for number in range(4):
        assert spool.put(waiting(number))

    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "pwrite", full)
    assert not spool.put(waiting(4))
    for number in range(4):
        check(spool.take(), number)
    assert spool.put(waiting(5))  # in memory
    assert not spool.put(waiting(6))


def test_a_folder_that_is_gone_leaves_the_memory(tmp_path: Path, made: list[Spool]) -> None:
    made.append(spool := Spool(tmp_path / "gone", SIZE, SIZE * 100))
    assert [spool.put(waiting(number)) for number in range(2)] == [True, False]
    check(spool.take(), 0)
