"""What waits to be encoded: in order, in bounds, and without a trace on the disk."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from explorer.live.spool import Painted, Spool

SHAPE = (6, 8, 3)
SIZE = 6 * 8 * 3


def painted(number: int, line: str = "") -> Painted:
    return Painted(number, np.full(SHAPE, number, np.uint8), line)


def check(found: Painted | None, number: int, line: str = "") -> None:
    assert found is not None
    assert (found.place, found.line) == (number, line)
    assert found.frame is not None
    assert found.frame.dtype == np.uint8
    assert np.array_equal(found.frame, np.full(SHAPE, number, np.uint8))


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
        assert spool.put(painted(number, f"né {number}" * (number % 3)))
    assert len(spool) == 20
    for number in range(20):
        check(spool.take(), number, f"né {number}" * (number % 3))
    assert len(spool) == 0
    assert spool.share == 0.0
    assert spool.take() is None
    assert list(tmp_path.iterdir()) == []  # the file never has a name


def test_a_frame_that_waits_in_memory_is_not_copied(tmp_path: Path, made: list[Spool]) -> None:
    made.append(spool := Spool(tmp_path, SIZE, SIZE))
    given = painted(1)
    spool.put(given)
    assert spool.take() is given


def test_a_line_may_come_without_a_frame_and_a_frame_need_not_be_contiguous(
    tmp_path: Path, made: list[Spool]
) -> None:
    made.append(spool := Spool(tmp_path, 0, SIZE * 4))
    values = np.arange(SIZE, dtype=np.uint8).reshape(SHAPE)
    spool.put(Painted(3, None, "{}"))
    spool.put(Painted(4, values[:, ::-1]))
    found = spool.take()
    assert found is not None
    assert (found.place, found.frame, found.line) == (3, None, "{}")
    found = spool.take()
    assert found is not None
    assert found.frame is not None
    assert np.array_equal(found.frame, values[:, ::-1])


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
    waiting: list[tuple[int, str]] = []
    refused = 0
    for number in range(400):
        if random.random() < 0.55:
            line = "x" * int(random.integers(0, 60))
            if spool.put(painted(number % 256, line)):
                waiting.append((number % 256, line))
            else:
                refused += 1
                assert spool.share > 0.3
        elif waiting:
            check(spool.take(), *waiting.pop(0))
        assert len(spool) == len(waiting)
    for number, line in waiting:
        check(spool.take(), number, line)
    assert refused
    assert max(ends) <= most


def test_what_has_no_room_is_refused(tmp_path: Path, made: list[Spool]) -> None:
    made.append(spool := Spool(tmp_path, SIZE * 2, SIZE * 2))
    assert [spool.put(painted(number)) for number in range(6)] == [True] * 4 + [False] * 2
    assert spool.share == 1.0
    check(spool.take(), 0)
    assert spool.put(painted(9))
    assert [found.place for _ in range(4) if (found := spool.take())] == [1, 2, 3, 9]


def test_at_most_half_of_what_is_free(
    tmp_path: Path, made: list[Spool], monkeypatch: pytest.MonkeyPatch
) -> None:
    free = SIZE * 8
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=free))
    made.append(spool := Spool(tmp_path, 0, SIZE * 100))
    for number in range(3):
        assert spool.put(painted(number))
        free -= SIZE
    assert spool.share == 3 / 4
    free = SIZE  # others fill the disk: what the file has, it keeps
    assert not spool.put(painted(3))
    assert spool.share == 1.0
    check(spool.take(), 0)
    assert spool.put(painted(4))
    assert not spool.put(painted(5))
    assert [found.place for _ in range(3) if (found := spool.take())] == [1, 2, 4]


def test_a_disk_that_takes_no_more_loses_nothing_that_waits(
    tmp_path: Path, made: list[Spool], monkeypatch: pytest.MonkeyPatch
) -> None:
    made.append(spool := Spool(tmp_path, SIZE, SIZE * 100))
    for number in range(4):
        assert spool.put(painted(number))

    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "pwrite", full)
    assert not spool.put(painted(4))
    for number in range(4):
        check(spool.take(), number)
    assert spool.put(painted(5))  # in memory
    assert not spool.put(painted(6))


def test_a_folder_that_is_gone_leaves_the_memory(tmp_path: Path, made: list[Spool]) -> None:
    made.append(spool := Spool(tmp_path / "gone", SIZE, SIZE * 100))
    assert [spool.put(painted(number)) for number in range(2)] == [True, False]
    check(spool.take(), 0)
