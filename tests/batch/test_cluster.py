"""A Dask cluster gives the result of one process, also when a worker is killed in the middle."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from explorer.batch import worker
from explorer.batch.job import Recipe
from explorer.batch.run import Wish
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
    assert not reply.problem
    assert worker.work(mine, 0, photos) == reply
    wrong = worker.work(mine._replace(params={"gain": 2}), 0, photos)
    assert (wrong.data, wrong.problem[:8]) == (b"", "A worker")
    fatal = worker.work(mine, 0, [("fatal.png", "", -1, -1, None)])
    assert fatal.problem == "Nothing can be computed."


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
