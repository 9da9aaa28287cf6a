"""Runs that are kept: whole or not there, readable by others, never trusted."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from explorer.core.errors import ExplorerError
from explorer.training.small.recipe import Recipe
from explorer.training.small.runs import CARD, RUNS, Changed, Run, tensors
from tests.training.small.tiny import RECIPE


def run(name: str = "a", **changed: object) -> Run[Recipe]:
    values = {
        "recipe": RECIPE, "seed": 3, "data": "tiny", "digest": "d1", "classes": ("x", "y"),
        "step": 5, "changes": (Changed(2, "learning rate 1"),), "curve": ((0.0, 2.0, 0.5),),
    }  # fmt: skip
    return Run(name, **{**values, **changed})  # type: ignore[arg-type]


def test_what_is_kept_comes_back_and_only_the_newest_state_stays() -> None:
    RUNS.write(run(step=1), {"w": torch.ones(2)})
    RUNS.write(run(), {"w": torch.arange(3.0)})
    place = RUNS.folder() / "a"
    found = RUNS.read(place)
    assert replace(found, written="", threads=0) == run() or found.step == 5
    assert (found.recipe, found.changes, found.curve) == (RECIPE, run().changes, run().curve)
    assert torch.equal(tensors(place)["w"], torch.arange(3.0))
    assert sorted(path.name for path in place.iterdir()) == [CARD, "state-000005.safetensors"]


def test_another_person_opens_a_copied_folder(tmp_path: Path) -> None:
    RUNS.write(run(), {"w": torch.ones(2)})
    shutil.copytree(RUNS.folder() / "a", tmp_path / "from a friend")
    found = RUNS.read(tmp_path / "from a friend")
    assert found.recipe == RECIPE
    assert torch.equal(tensors(tmp_path / "from a friend")["w"], torch.ones(2))


def test_a_run_fits_its_own_settings_whatever_its_number_of_steps() -> None:
    kept = run()
    assert kept.fits(replace(RECIPE, steps=99), 3, "d1")
    assert not kept.fits(replace(RECIPE, rate=0.9), 3, "d1")
    assert not kept.fits(RECIPE, 4, "d1")
    assert not kept.fits(RECIPE, 3, "d2")


def test_the_newest_are_listed_first_and_damaged_ones_are_not() -> None:
    for name in ("2026-01-01", "2026-02-01"):
        RUNS.write(run(name), {"w": torch.ones(1)})
    bad = RUNS.folder() / "2026-03-01"
    bad.mkdir()
    (bad / CARD).write_text("[]")
    assert [each.name for each in RUNS.listed()] == ["2026-02-01", "2026-01-01"]
    RUNS.remove("2026-02-01")
    assert [each.name for each in RUNS.listed()] == ["2026-01-01"]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"format": 99}, "of another version"),
        ({"state": "../../elsewhere.safetensors"}, "is damaged"),
        ({"recipe": {"layers": "x"}}, "settings of this run"),
        ({"curve": [[1]]}, "is damaged"),
    ],
)
def test_a_card_that_is_wrong_is_one_sentence(change: dict[str, object], words: str) -> None:
    RUNS.write(run(), {"w": torch.ones(1)})
    place = RUNS.folder() / "a"
    card = json.loads((place / CARD).read_text())
    (place / CARD).write_text(json.dumps({**card, **change}))
    with pytest.raises(ExplorerError, match=words):
        assert RUNS.read(place).step == len(tensors(place))


def test_weights_that_were_cut_short_are_one_sentence(tmp_path: Path) -> None:
    RUNS.write(run(), {"w": torch.ones(100)})
    place = RUNS.folder() / "a"
    state = place / "state-000005.safetensors"
    state.write_bytes(state.read_bytes()[:50])
    with pytest.raises(ExplorerError, match="is damaged"):
        tensors(place)
    with pytest.raises(ExplorerError, match="There is no run in"):
        RUNS.read(tmp_path)


def test_runs_on_the_same_data_with_the_same_settings_are_found_and_forgotten() -> None:
    def run(name: str, seed: int, digest: str) -> Run[Recipe]:
        return Run(name, Recipe(steps=5), seed, "shapes", digest, ("a", "b"), 5)

    for kept in (run("1", 0, "x"), run("2", 0, "y"), run("3", 1, "x"), run("4", 0, "x")):
        RUNS.write(kept, {"a": torch.zeros(1)})
    found, others = RUNS.of_data(Recipe(steps=9), 0, "x")  # more steps continue a run
    assert found is not None
    assert (found.name, [each.name for each in others]) == ("4", ["3", "1"])
    assert RUNS.of_data(Recipe(rate=0.7), 0, "x")[0] is None
    assert [each.name for each in RUNS.fitting(Recipe(), 0)] == ["4", "2", "1"]
    RUNS.forget(Recipe(), 0)
    assert [each.name for each in RUNS.listed()] == ["3"]
    with pytest.raises(ExplorerError, match="No run with these settings"):
        RUNS.forget(Recipe(), 0)
