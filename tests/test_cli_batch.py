"""`explorer batch`: what it prints, how it ends, what it refuses."""

from __future__ import annotations

import csv
import json
import os
import signal
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest

from explorer.__main__ import main
from explorer.jobs.folder import Predict
from tests.evaluation.sets import class_folders

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def explorer(capsys: pytest.CaptureFixture[str]) -> Run:
    def run(*argv: object) -> tuple[int, str, str]:
        status = main([str(word) for word in argv])
        out, err = capsys.readouterr()
        return status, out, err

    return run


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    folder.mkdir()
    for number in range(5):
        pixels = np.full((32, 40, 3), 40 * number, np.uint8)
        PIL.Image.fromarray(pixels).save(folder / f"{number}.png")
    return folder


def test_a_job_that_is_interrupted_resumes_and_lists_its_failures(
    explorer: Run, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (photos / "3.png").write_bytes(b"no picture")
    out = tmp_path / "out"
    argv = ("batch", "predict", photos, "-o", out, "--view", "classify", "--network", "mini-resnet",
            "--set", "top=1", "--chunk", "2", "--decoders", "1")  # fmt: skip
    with monkeypatch.context() as patch:
        real, pressed = Predict.compute, []

        def compute(self: Predict, items: Sequence[Any]) -> Sequence[Any]:
            if not pressed:
                pressed.append("Ctrl+C")
                os.kill(os.getpid(), signal.SIGINT)
            return real(self, items)

        patch.setattr(Predict, "compute", compute)
        status, said, err = explorer(*argv)
    assert (status, said) == (130, "")
    assert err.splitlines() == [
        "explorer: finishing the chunk; Ctrl+C again ends at once",
        "explorer: stopped after 2 photos; the same command resumes the job.",
    ]
    status, said, err = explorer(*argv)
    assert status == 2
    assert err == "explorer: 3.png is not a picture in a known format.\n"
    assert said.splitlines()[:2] == [str(out / "predictions.csv"), str(out / "failures.csv")]
    assert said.splitlines()[2].startswith("5 photos, 1 failed, ")
    with (out / "predictions.csv").open(newline="") as file:
        names = [line["photo"] for line in csv.DictReader(file)]
    assert names == ["0.png", "1.png", "2.png", "4.png"]
    again = explorer(*argv)
    assert "nothing was computed" in again[2]
    assert again[1].splitlines()[2] == "5 photos, 1 failed"


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (["predict"], "predict needs a view"),
        (["predict", "--view", "classify", "--layer", "x"], "predict takes no layer"),
        (["embed", "--view", "classify"], "embed takes no view"),
        (["index", "--view", "classify"], "index takes no view"),
        (["index", "--whole"], "index does not take --whole"),
        (["embed", "--known", "x"], "embed does not take --known"),
        (["predict", "--view", "nowhere"], "There is no view 'nowhere'"),
        (["predict", "--view", "classify", "--set", "top=0"], "top=0"),
        (["predict", "--view", "classify", "--batch", "0"], "--batch 0 is out of range"),
        (["render", "--view", "classify", "--width", "5"], "--width 5 is out of range"),
        (["evaluate", "--view", "classify"], "evaluate takes no view"),
        (["evaluate", "--format", "coco"], "evaluate takes one data set and no format"),
        (["predict", "--view", "classify", "--images", "x"], "predict takes no ground truth"),
        (["embed", "--cluster", "local:x"], "takes a number of processes"),
        (["dream"], "choose from"),
    ],
)
def test_what_is_refused_before_anything_is_computed(
    argv: list[str], words: str, explorer: Run, photos: Path, tmp_path: Path
) -> None:
    if "--cluster" in argv:
        pytest.importorskip("distributed")
    status, said, err = explorer("batch", *argv, photos, "-o", tmp_path / "out")
    assert (status, said) == (2, "")
    assert words in err
    assert err.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_what_failed_is_tried_again_with_retry(explorer: Run, photos: Path, tmp_path: Path) -> None:
    whole = (photos / "3.png").read_bytes()
    (photos / "3.png").write_bytes(b"no picture")
    argv = ("batch", "embed", photos, "-o", tmp_path / "out", "--network", "mini-resnet")
    assert explorer(*argv)[0] == 2
    (photos / "3.png").write_bytes(whole)
    assert explorer(*argv)[0] == 2, "not without the request"
    status, said, _ = explorer(*argv, "--retry")
    assert status == 0
    assert "5 photos, 0 failed" in said
    assert len(np.load(tmp_path / "out" / "features.npy")) == 5


def test_an_evaluation_in_chunks(explorer: Run, tmp_path: Path) -> None:
    data = class_folders(tmp_path / "data")
    argv = ("evaluate", data, "-o", tmp_path / "out", "--network", "mini-resnet", "--batch", "2")
    status, said, err = explorer("batch", *argv)
    assert (status, said) == (2, "")
    assert err.count("\n") == 1, "mini-resnet has none of these classes"
    (data / "red").rename(data / "goldfish")
    status, said, err = explorer("batch", *argv)
    assert (status, err) == (0, "")
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    assert report["photos"] == 3
    assert said.splitlines()[0] == str(tmp_path / "out" / "report.json")


def test_the_result_may_not_lie_among_the_photos(explorer: Run, photos: Path) -> None:
    status, _, err = explorer(
        "batch", "predict", photos, "-o", photos / "out", "--view", "classify"
    )
    assert status == 2
    assert "Choose a folder beside it" in err
    assert not (photos / "out").exists()
