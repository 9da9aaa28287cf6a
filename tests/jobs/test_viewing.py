"""A view's computation as a background job: the question comes back from plain values."""

from __future__ import annotations

import json
from collections.abc import Generator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest

from explorer.core.errors import ExplorerError
from explorer.core.jobs import Work
from explorer.core.network_info import NetworkSpec
from explorer.core.runner import Token
from explorer.core.step import Step
from explorer.core.values import FolderRef
from explorer.engine.answer import Ask
from explorer.jobs.viewing import asked, job


class Host:
    """Stands for the engine: three steps, and what it was asked."""

    def __init__(self) -> None:
        self.asks: list[Ask] = []
        self.closed = False

    def steps(self, ask: Ask, _token: Token) -> Generator[Step[Any], Any, None]:
        self.asks.append(ask)
        try:
            for done in range(3):
                yield Step("a result", done, 3, f"{done} of 3 photos")
        finally:
            self.closed = True


def question(folder: Path, photo: str = "") -> dict[str, Any]:
    values = {"folder": str(folder), "count": "5"}
    return {"view": "top_patches", "set": values, "seed": 7, "photo": photo,
            "spec": asdict(NetworkSpec("mini-vgg", device="cpu"))}  # fmt: skip


def work(host: Host) -> Work:
    return Work(host, Token(), lambda: True)


def test_the_question_is_asked_again_and_its_results_are_not_kept(tmp_path: Path) -> None:
    host = Host()
    path = tmp_path / "photo.png"
    PIL.Image.fromarray(np.full((6, 8, 3), 90, np.uint8)).save(path)
    params = json.loads(json.dumps(question(tmp_path, str(path))))
    steps = list(job(work(host), params))
    assert [(step.value, step.done, step.total) for step in steps] == [
        (None, 0, 3), (None, 1, 3), (None, 2, 3),
    ]  # fmt: skip
    (ask,) = host.asks
    assert ask.view.name == "top_patches"
    assert (ask.spec, ask.seed) == (NetworkSpec("mini-vgg", device="cpu"), 7)
    assert (ask.params.folder, ask.params.count) == (FolderRef(str(tmp_path)), 5)
    assert ask.image is not None
    assert ask.image.path == path


def test_without_a_file_a_sample_stands_for_the_photo(tmp_path: Path) -> None:
    host = Host()
    list(job(work(host), question(tmp_path)))
    assert host.asks[0].image is not None


def test_a_job_that_is_closed_closes_the_computation(tmp_path: Path) -> None:
    host = Host()
    steps = job(work(host), question(tmp_path))
    next(steps)
    steps.close()
    assert host.closed


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({}, "cannot be read"),
        ({"view": "none"}, "There is no view"),
        ({"spec": {"unknown": 1}}, "cannot be read"),
        ({"set": {"no_such": "1"}}, "no_such"),
    ],
)
def test_what_describes_no_question_is_refused(
    tmp_path: Path, wrong: dict[str, Any], words: str
) -> None:
    params = {**question(tmp_path), **wrong} if wrong else {}
    with pytest.raises(ExplorerError, match=words):
        asked(params)
