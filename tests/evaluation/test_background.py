"""An evaluation behind the questions: broken off anywhere, it ends with the same figures."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from explorer.core import jobs as core_jobs
from explorer.core.errors import ExplorerError
from explorer.core.network_info import NetworkSpec
from explorer.core.runner import Token
from explorer.evaluation.background import KIND as EVALUATION
from explorer.evaluation.background import params_of, wish_of
from explorer.evaluation.report import Report
from explorer.evaluation.run import Wish, fulfill
from explorer.jobs import KINDS
from tests.evaluation.sets import BLUE, GREEN, RED, color_network, filled, mask_set, picture


class ToyEngine:
    """Lends one network of colors, a new module every time, as a restarted program has it."""

    def __init__(self, task: str) -> None:
        self._task = task

    def network(self, _spec: NetworkSpec) -> Any:
        yield from ()
        return color_network(self._task)


def class_photos(root: Path) -> Path:
    for name, colors in (("red", (RED, RED, GREEN)), ("green", (GREEN, BLUE))):
        for number in range(30):
            filled(root / name / f"{number}.png", colors[number % len(colors)])
    (root / "red" / "7.png").write_bytes(b"no picture")
    return root


def boxed_photos(root: Path) -> Path:
    for number in range(12):
        picture(root / "JPEGImages" / f"{number}.png", (RED, (5, 5, 25, 25 - number)))
        (root / "Annotations").mkdir(exist_ok=True)
        box = f"<xmin>6</xmin><ymin>6</ymin><xmax>25</xmax><ymax>{20 + number % 5}</ymax>"
        (root / "Annotations" / f"{number}.xml").write_text(
            f"<annotation><filename>{number}.png</filename><object><name>red</name>"
            f"<bndbox>{box}</bndbox></object></annotation>"
        )
    return root


def masked_photos(root: Path) -> Path:
    masks = mask_set(root)
    for number in range(6):
        picture(root / "images" / f"{number}.png", (GREEN, (0, 0, 10 + number, 40)))
        shutil.copy(masks / "m.png", masks / f"{number}.png")
    return masks


DATA = {"classification": class_photos, "detection": boxed_photos, "segmentation": masked_photos}


def store_in(folder: Path) -> core_jobs.JobStore:
    return core_jobs.JobStore(folder, KINDS)


def run_to(store: core_jobs.JobStore, job: core_jobs.Job, task: str, most: int = 10**6) -> Report:
    """The report after at most so many steps that have one; then the program ends."""
    report: Report | None = None
    steps = store.steps(job, ToyEngine(task), Token(), lambda: True)
    for step in steps:
        if step.value is not None:
            report = step.value
            most -= 1
        if most <= 0:
            steps.close()
            break
    assert report is not None
    return report


def same(one: Report, other: Report) -> None:
    left, right = one.content(), other.content()
    for content in (left, right):
        content.pop("seconds")
        content.get("compared_with", {}).pop("seconds", None)
    assert left == right


@pytest.mark.parametrize("task", DATA)
def test_broken_off_again_and_again_it_finds_the_same(tmp_path: Path, task: str) -> None:
    wish = Wish(NetworkSpec("toy"), DATA[task](tmp_path / "data"))
    engine: Any = ToyEngine(task)
    undisturbed = [step.value for step in fulfill(wish, engine)][-1]
    assert undisturbed.photos > 1
    store = store_in(tmp_path / "jobs")
    job = store.new(EVALUATION, "Toy", params_of(wish))
    reached = []
    for most in (1, 2, 3, 5, 8):
        report = run_to(store, job, task, most)
        reached.append(report.photos)
        if report.complete:
            break
        store.close()
        (job,) = store.claim()
    assert reached == sorted(reached)
    whole = report if report.complete else run_to(store, job, task)
    assert whole.complete
    same(whole, undisturbed)
    assert whole.notes == undisturbed.notes, "that it was broken off is not worth a word"
    store.close()


def test_a_kill_and_a_restart_give_the_same_figures(tmp_path: Path) -> None:
    wish = Wish(NetworkSpec("toy"), class_photos(tmp_path / "data"))
    engine: Any = ToyEngine("classification")
    undisturbed = [step.value for step in fulfill(wish, engine)][-1]
    code = """
import os, pathlib, signal, sys
from explorer.core import jobs
from explorer.core.network_info import NetworkSpec
from explorer.core.runner import Token
from explorer.evaluation import passing
from explorer.evaluation.background import params_of
from explorer.evaluation.run import Wish
from explorer.evaluation.background import KIND as EVALUATION
from tests.evaluation.test_background import ToyEngine, store_in
jobs.SAVE_SECONDS = 0.0
passing._MOST_AT_ONCE = 8
store = store_in(pathlib.Path(sys.argv[2]))
wish = Wish(NetworkSpec("toy"), pathlib.Path(sys.argv[1]))
job = store.new(EVALUATION, "Toy", params_of(wish))
for step in store.steps(job, ToyEngine("classification"), Token(), lambda: True):
    if step.value is not None and step.done == 40:
        os.kill(os.getpid(), signal.SIGKILL)
"""
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    places = [str(wish.data), str(tmp_path / "jobs")]
    ended = subprocess.run([sys.executable, "-c", code, *places], env=environment, check=False)
    assert ended.returncode == -signal.SIGKILL
    store = store_in(tmp_path / "jobs")
    (job,) = store.claim()
    state = store.state(job)
    assert state is not None
    assert 1 < state.content["done"] < 40, "it goes on from the last batch"
    first = next(s for s in store.steps(job, ToyEngine("classification"), Token(), lambda: True)
                 if s.value is not None)  # fmt: skip
    assert first.done == state.content["done"] + 1
    same(run_to(store, job, "classification"), undisturbed)
    store.close()


def test_batches_of_a_resumed_run_are_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes: list[int] = []

    class Counting(ToyEngine):
        def network(self, spec: NetworkSpec) -> Any:
            found = yield from super().network(spec)
            found.module.register_forward_pre_hook(lambda _, args: sizes.append(len(args[0])))
            return found

    monkeypatch.setattr("explorer.evaluation.passing._MOST_FLOPS", {"cpu": 100})
    wish = Wish(NetworkSpec("toy"), class_photos(tmp_path / "data"))
    engine: Any = Counting("classification")
    list(fulfill(wish, engine))
    undisturbed, sizes = sizes, []
    assert undisturbed[0] == 1, "the first one is measured"
    assert len(set(undisturbed)) > 1
    store = store_in(tmp_path / "jobs")
    job = store.new(EVALUATION, "Toy", params_of(wish))
    steps = store.steps(job, Counting("classification"), Token(), lambda: True)
    while len(sizes) < 3:
        next(steps)
    steps.close()
    list(store.steps(job, Counting("classification"), Token(), lambda: True))
    assert sizes == undisturbed
    store.close()


def test_two_networks_are_one_job_that_resumes_in_either_half(tmp_path: Path) -> None:
    wish = Wish(
        NetworkSpec("toy"), boxed_photos(tmp_path / "data"), eleven_point=True,
        other=NetworkSpec("toy"),
    )  # fmt: skip
    engine: Any = ToyEngine("detection")
    undisturbed = [step.value for step in fulfill(wish, engine)][-1]
    assert undisturbed.complete
    same(replace(undisturbed, other=None), undisturbed.other)
    store = store_in(tmp_path / "jobs")
    job = store.new(EVALUATION, "Toy", params_of(wish))
    for most, photos in ((5, (5, None)), (12, (12, 5))):
        report = run_to(store, job, "detection", most)
        assert (report.photos, report.other and report.other.photos) == photos
        assert not report.complete
        store.close()
        (job,) = store.claim()
    same(run_to(store, job, "detection"), undisturbed)
    store.close()


@pytest.mark.parametrize("change", ["photos", "network"])
def test_what_has_changed_since_starts_again(tmp_path: Path, change: str) -> None:
    wish = Wish(NetworkSpec("toy"), class_photos(tmp_path / "data"))
    store = store_in(tmp_path / "jobs")
    job = store.new(EVALUATION, "Toy", params_of(wish))
    run_to(store, job, "classification", 40)
    engine: Any = ToyEngine("classification")
    if change == "photos":
        (wish.data / "green" / "2.png").unlink()
    else:
        real = engine.network

        def another(spec: NetworkSpec) -> Any:
            network = yield from real(spec)
            object.__setattr__(network.info, "digester", lambda: "another")
            return network

        engine.network = another
    steps = list(store.steps(job, engine, Token(), lambda: True))
    assert steps[1].done == 1
    report = steps[-1].value
    assert any("starting over" in note for note in report.notes)
    store.close()


def test_parameters_come_back_from_plain_values() -> None:
    wish = Wish(NetworkSpec("n", "w", "cpu", True), Path("/data"), Path("/photos"), 7, True)
    assert wish_of(params_of(wish)) == wish
    both = replace(wish, other=NetworkSpec("m", half=True))
    assert wish_of(params_of(both)) == both
    bare = Wish(NetworkSpec("n"), Path("/data"))
    assert wish_of(params_of(bare)) == bare
    with pytest.raises(ExplorerError, match="cannot be read"):
        wish_of({"spec": {"nome": "n"}, "data": "/data"})


def test_scores_of_another_kind_are_refused() -> None:
    from explorer.evaluation.scores import score_for

    for task in ("classification", "segmentation"):
        score = score_for(task, 3)  # type: ignore[arg-type]
        with pytest.raises((KeyError, ValueError)):
            score.extend({"counts": np.zeros((2, 2)), "localizes": np.array(False)})
