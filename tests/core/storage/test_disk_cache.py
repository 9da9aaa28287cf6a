"""The cache on disk: keyed, resumable, shared by programs, and never larger than it may be."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from explorer.core.errors import ExplorerError
from explorer.core.storage import checkpoint, disk_cache
from explorer.core.storage.checkpoint import Checkpoint
from explorer.core.storage.disk_cache import DiskCache, Entry, files_state, folder_state


@pytest.fixture
def cache(tmp_path: Path) -> DiskCache:
    return DiskCache(tmp_path / "cache")


def filled(cache: DiskCache, name: str, size: int = 1000, age: int | None = None) -> Entry:
    entry = cache.entry("toy", name=name)
    with entry.filling() as mine:
        assert mine
        entry.file("data.bin").write_bytes(b"x" * size)
        cache.finish(entry)
    if age is not None:
        os.utime(entry.path, (1e9 - age, 1e9 - age))
    return entry


def names(cache: DiskCache) -> set[str]:
    return {
        json.loads(p.read_text())["name"] for p in cache.folder.glob(f"*/*/{disk_cache.MARKER}")
    }


def test_an_entry_is_complete_when_its_owner_says_so(cache: DiskCache) -> None:
    entry = cache.entry("features", network="abc", layer="conv1", side=32)
    assert not entry.complete
    with entry.filling() as mine:
        assert mine
        checkpoint.write(entry.file("part.npz"), Checkpoint({"done": 1}, {"a": np.arange(3)}))
        assert not entry.complete
        cache.finish(entry)
    again = cache.entry("features", side=32, layer="conv1", network="abc")
    assert again.complete, "the order of the words does not matter"
    found = checkpoint.read(again.file("part.npz"))
    assert found is not None
    assert found.arrays["a"].tolist() == [0, 1, 2]


def test_every_word_of_the_key_counts(cache: DiskCache) -> None:
    base: dict[str, Any] = {"network": "a", "layer": "b", "folder": "c", "side": 32}
    changed = [dict(base, **{word: "other"}) for word in base]
    paths = {cache.entry("features", **key).path for key in (base, *changed)}
    paths.add(cache.entry("patches", **base).path)
    assert len(paths) == 6


def test_a_killed_program_leaves_a_beginning_that_goes_on(cache: DiskCache) -> None:
    code = """
import os, pathlib, signal, sys
from explorer.core.storage import checkpoint
from explorer.core.storage.checkpoint import Checkpoint
from explorer.core.storage.disk_cache import DiskCache
entry = DiskCache(pathlib.Path(sys.argv[1])).entry("toy", name="long")
with entry.filling() as mine:
    assert mine
    for number in range(3):
        checkpoint.write(entry.file(f"{number}.npz"), Checkpoint({"number": number}))
    os.kill(os.getpid(), signal.SIGKILL)
"""
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    command = [sys.executable, "-c", code, str(cache.folder)]
    assert subprocess.run(command, env=environment, check=False).returncode == -signal.SIGKILL
    entry = cache.entry("toy", name="long")
    assert not entry.complete
    with entry.filling() as mine:
        assert mine, "the killed program has let go of it"
        there = [n for n in range(5) if checkpoint.read(entry.file(f"{n}.npz")) is not None]
        assert there == [0, 1, 2]
        cache.finish(entry)
    assert entry.complete


def test_one_program_at_a_time_fills_an_entry_and_its_work_is_not_cleared(cache: DiskCache) -> None:
    code = """
import pathlib, sys
from explorer.core.storage.disk_cache import DiskCache
entry = DiskCache(pathlib.Path(sys.argv[1])).entry("toy", name="shared")
with entry.filling() as mine:
    entry.file("data.bin").write_bytes(b"x")
    print(mine, flush=True)
    sys.stdin.read()
"""
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    command = [sys.executable, "-c", code, str(cache.folder)]
    with subprocess.Popen(
        command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "True\n"
        entry = cache.entry("toy", name="shared")
        with entry.filling() as mine:
            assert not mine
        filled(cache, "mine")
        cache.clear()
        assert names(cache) == set()
        assert entry.file("data.bin").is_file(), "what is being filled stays"
        assert other.stdin is not None
        other.stdin.close()
    cache.clear()
    assert not entry.path.exists()


def test_what_was_not_used_for_longest_goes(cache: DiskCache) -> None:
    for age, name in ((400, "a"), (300, "b"), (200, "c")):
        filled(cache, name, age=age)
    cache.entry("toy", name="a").file("data.bin").read_bytes()  # now b was not used for longest
    small = DiskCache(cache.folder, most=3500)
    filled(small, "d")
    assert names(cache) == {"a", "c", "d"}
    tiny = DiskCache(cache.folder, most=1)
    filled(tiny, "e")
    assert names(cache) == {"e"}, "the newest stays, however large"


def test_size_and_clear(cache: DiskCache) -> None:
    assert cache.size() == 0
    cache.clear()
    entry = filled(cache, "a", size=5000)
    assert 5000 < cache.size() < 5500
    assert entry.size == cache.size()
    gone = cache.folder / "toy" / ".gone-123"
    gone.mkdir()
    (gone / "left.bin").write_bytes(b"x" * 100)
    cache.clear()
    assert cache.size() == 0


def test_where_nothing_can_be_written_it_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    entry = DiskCache(tmp_path / "file").entry("toy", name="a")
    with pytest.raises(ExplorerError, match="could not be written"), entry.filling():
        pass
    assert not entry.complete
    assert entry.size == 0


@pytest.mark.parametrize("name", ["../x", "a/b", disk_cache.MARKER, disk_cache.LOCK, ""])
def test_files_stay_in_their_entry(cache: DiskCache, name: str) -> None:
    with pytest.raises(ValueError, match="not a valid name"):
        cache.entry("toy", name="a").file(name)


def test_a_folder_is_another_when_a_file_has_changed(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"one")
    (tmp_path / "inner").mkdir()
    (tmp_path / "inner" / "b.png").write_bytes(b"two")
    before = folder_state(tmp_path)
    assert folder_state(tmp_path) == before
    os.utime(tmp_path / "a.png", ns=(1, 1))
    touched = folder_state(tmp_path)
    assert touched != before
    (tmp_path / "inner" / "b.png").unlink()
    assert folder_state(tmp_path) not in (before, touched)
    assert files_state([tmp_path / "none"]) == files_state([tmp_path / "none"])
