"""A folder job as a background job: what it is comes back from plain values, and it resumes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from explorer.batch.job import Recipe
from explorer.batch.run import Wish
from explorer.core.errors import ExplorerError
from explorer.core.jobs import JobStore
from explorer.core.runner import Token
from explorer.jobs import FOLDER_JOBS, KINDS
from explorer.jobs.background import KIND, params_of, wish_of
from tests.batch.standin import MAKE, done


def test_a_wish_comes_back_from_json(tmp_path: Path) -> None:
    recipe = Recipe(FOLDER_JOBS["render"], {"view": "classify", "format": "png"})
    wish = Wish(recipe, ("/photos",), tmp_path / "out", limit=7, retry=True)
    assert wish_of(json.loads(json.dumps(params_of("render", wish)))) == wish
    for wrong in ({}, {**params_of("render", wish), "job": "os:system"}):
        with pytest.raises(ExplorerError, match="cannot be read"):
            wish_of(wrong)


def test_it_resumes_from_the_folder_of_its_result(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(FOLDER_JOBS, "digests", MAKE)
    monkeypatch.setattr("explorer.batch.run._OFTEN", 0.0)
    listed = tmp_path / "list.txt"
    listed.write_text("\n".join(f"p{k}.png" for k in range(30)))
    wish = Wish(Recipe(MAKE, {"gain": 1}), (str(listed),), tmp_path / "out")
    store = JobStore(tmp_path / "jobs", KINDS)
    job = store.new(KIND, "Digests", params_of("digests", wish))
    steps = store.steps(job, None, Token(), lambda: True)
    while next(steps).done < 20:
        pass
    steps.close()
    store.close()
    (again,) = JobStore(tmp_path / "jobs", KINDS).claim()
    *_, last = store.steps(again, None, Token(), lambda: True)
    assert (last.value.complete, last.value.skipped) == (True, 16)
    assert not list((tmp_path / "jobs").glob("*/job.json"))
    done(Wish(wish.recipe, wish.sources, tmp_path / "whole"))
    for name in ("digests.csv", "failures.csv", "manifest.json"):
        assert (tmp_path / "out" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()
