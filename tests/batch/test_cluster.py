"""A Dask cluster gives the result of one process, also when a worker is killed in the middle."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import namedtuple
from pathlib import Path
from typing import Any

import pytest

from explorer import __version__
from explorer.batch import cluster, worker
from explorer.batch.job import Recipe
from explorer.batch.run import Wish, run
from explorer.core.errors import ExplorerError
from tests.batch.standin import MAKE, done

ROOT = Path(__file__).parents[2]


def order(**params: object) -> worker.Order:
    return worker.Order(MAKE, params, 0, 3, 1)


def test_a_worker_does_nothing_with_other_settings() -> None:
    first = worker.settings(order(gain=1))
    assert first.settings is not None
    assert first.settings["chunk"] == 8
    mine = order(gain=1)._replace(digest=worker.digest_of(first.settings))
    photos = [("a.png", "a.png", -1, -1, None), ("broken.png", "", -1, -1, 5)]
    reply = worker.work(mine, 0, photos)
    assert reply.data
    assert list(reply.failures) == [("broken.png", "broken.png is broken.", "")]
    assert not reply.problem
    assert worker.work(mine, 0, photos) == reply
    wrong = worker.work(mine._replace(params={"gain": 2}), 0, photos)
    assert (wrong.data, wrong.problem[:8]) == (b"", "A worker")
    fatal = worker.work(mine, 0, [("fatal.png", "", -1, -1, None)])
    assert fatal.problem == "Nothing can be computed."


class Fake:
    """A scheduler's client: workers with the versions of the program that they say they have."""

    def __init__(self, versions: dict[str, object]) -> None:
        self.versions, self.asked, self.used = versions, [], []

    def nthreads(self) -> dict[str, int]:
        return dict.fromkeys(self.versions, 1)

    def run(self, function: object, workers: list[str], on_error: str) -> dict[str, object]:
        assert (function, on_error) == (worker.version, "return")
        self.asked += workers
        return {address: self.versions[address] for address in workers}

    def submit(self, function: Any, *args: Any, workers: list[str], pure: bool) -> Answered:
        assert not pure
        self.used += workers
        return Answered(function(*args))

    def cancel(self, futures: object) -> None:
        pass

    def close(self) -> None:
        pass


class Answered:
    """A future whose result is there."""

    status = "finished"

    def __init__(self, result: object) -> None:
        self._result = result

    def result(self) -> object:
        return self._result

    def done(self) -> bool:
        return True


def connected(fake: Fake, monkeypatch: pytest.MonkeyPatch) -> cluster.Cluster:
    import distributed

    ended = namedtuple("ended", "done")
    monkeypatch.setattr(cluster, "_connected", lambda address: (fake, None))
    monkeypatch.setattr(distributed, "wait", lambda futures, *_: ended(set(futures)))
    return cluster.Cluster("tcp://nowhere:8786", 1)


def test_workers_of_another_version_get_no_photos_and_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("distributed")
    listed = tmp_path / "list.txt"
    listed.write_text("\n".join(f"p{k}.png" for k in range(20)))
    versions = {"tcp://a": __version__, "tcp://b": "0.0.1", "tcp://c": ImportError("explorer")}
    fake = Fake(versions)
    wish = Wish(Recipe(MAKE, {"gain": 1}), (str(listed),), tmp_path / "out", batch=3)
    *_, last = run(wish, connected(fake, monkeypatch))
    assert last.value.complete
    assert set(fake.used) == {"tcp://a"}
    assert last.value.notes == (
        f"The worker tcp://b got no photos: it has 0.0.1, and this is version {__version__}.",
        "The worker tcp://c got no photos: it has no Convnet Explorer, and this is version "
        f"{__version__}.",
    )


def test_a_cluster_without_a_worker_of_this_version_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("distributed")
    wish = Wish(Recipe(MAKE, {}), (str(tmp_path / "photos"),), tmp_path / "out")
    fake = Fake({"tcp://b": "0.0.1"})
    with pytest.raises(ExplorerError, match=r"No worker of the cluster has .* has 0\.0\.1") as told:
        list(run(wish, connected(fake, monkeypatch)))
    assert told.value.hint == "Install the same version on all workers."
    assert not fake.used
    assert not (tmp_path / "out").exists()


def test_processes_here_keep_their_memory() -> None:
    """Dask's own setting makes every large tensor a new mapping, which doubles a network's time."""
    dask = pytest.importorskip("dask")
    pytest.importorskip("distributed")
    from distributed.nanny import _get_env_variables

    name = "distributed.nanny.pre-spawn-environ"
    assert "MALLOC_TRIM_THRESHOLD_" in _get_env_variables(name)
    with dask.config.set(cluster._FOR_NETWORKS):
        assert "MALLOC_TRIM_THRESHOLD_" not in _get_env_variables(name)
        assert _get_env_variables(name)["OMP_NUM_THREADS"] == "1"


def test_a_worker_killed_in_the_middle_changes_nothing(tmp_path: Path) -> None:
    pytest.importorskip("distributed")
    listed = tmp_path / "list.txt"
    listed.write_text("\n".join(f"p{k}.png" for k in range(60)))
    recipe = Recipe(MAKE, {"gain": 1})
    assert done(Wish(recipe, (str(listed),), tmp_path / "here", batch=3)).complete
    mark = tmp_path / "mark"
    params = json.dumps({"gain": 1, "dies_once": str(mark)})
    argv = [sys.executable, "-m", "tests.batch.standin", str(listed), str(tmp_path / "there")]
    env = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path])}
    ran = subprocess.run(
        [*argv, params, "local:2"], env=env, capture_output=True, cwd=tmp_path, timeout=240
    )
    assert ran.returncode == 0, ran.stderr.decode()
    assert mark.exists()
    for name in ("digests.csv", "failures.csv", "manifest.json"):
        assert (tmp_path / "there" / name).read_bytes() == (tmp_path / "here" / name).read_bytes()
