"""`explorer train lite-fasterrcnn --data FOLDER`, with a toy in the place of the detector."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from explorer.cli import run
from explorer.core.network_info import NetworkSpec
from explorer.core.step import Step
from explorer.engine.progress import Progress
from explorer.networks import catalog, made
from explorer.training.lessons.lite import detector
from tests.training.tuning.own_folders import coco, three_photos, tunable_network

NAME = "lite-fasterrcnn"


@pytest.fixture(autouse=True)
def toy(monkeypatch: pytest.MonkeyPatch) -> None:
    def load(spec: NetworkSpec) -> Generator[Step[None], Any, Any]:
        yield Step(None, 0, 1, "making it")
        network = tunable_network()
        network.extras["architecture"] = NAME
        return replace(network, info=replace(network.info, spec=spec))

    monkeypatch.setattr(catalog, "load", load)


def train(folder: Path, *more: str) -> int:
    return run(["train", NAME, "--data", str(folder), "--threads", "1", "--device", "cpu", *more])


def test_it_trains_and_says_what_it_made(
    tmp_path: Path, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = coco(tmp_path / "own", three_photos())
    assert train(folder, "--steps", "1") == 0
    said = capsys.readouterr().out
    assert "dog: new row, 2 boxes, AP50 " in said
    assert "sofa: row of couch, 2 boxes" in said
    assert "--network toy-on-own" in said
    assert str(made.folder() / "toy-on-own.safetensors") in said
    assert (made.folder() / "toy-on-own.json").is_file()
    assert catalog.find("toy-on-own").title == "toy on own"
    assert not list((home / "data" / "trainings").glob("*"))


def test_interrupted_it_resumes_and_fresh_starts_over(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = coco(tmp_path / "own", three_photos())
    shown: list[int] = []

    def interrupted(_self: Progress, _title: str, done: int, _total: int, note: str = "") -> None:
        shown.append(done)
        if len(shown) == 20:
            raise KeyboardInterrupt

    monkeypatch.setattr(Progress, "show", interrupted)
    assert train(folder, "--steps", "2") == 130
    assert "give the same command again to resume" in capsys.readouterr().err
    assert train(folder, "--steps", "2") == 0
    assert "Resuming from the last checkpoint" in capsys.readouterr().out
    shown.clear()
    assert train(folder, "--steps", "2") == 130
    capsys.readouterr()
    assert train(folder, "--steps", "2", "--fresh") == 0
    assert "Resuming" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--epochs", "3"), "--epochs does not apply to fine-tuning. Leave it out"),
        (("--minutes", "0"), "--minutes 0 is out of range."),
        (("--rate", "1"), "--rate 1 is out of range. It takes 1e-05 to 0.01."),
        (("--frozen", "all"), "Argument --frozen: invalid choice"),
    ],
)
def test_what_is_wrong_is_one_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], sentence: str
) -> None:
    assert train(coco(tmp_path / "own", three_photos()), *words) == 2
    assert sentence in capsys.readouterr().err


def test_folders_and_networks_that_will_not_do(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert train(tmp_path) == 2
    assert "contains no photos" in capsys.readouterr().err
    folder = str(coco(tmp_path / "own", three_photos()))
    assert run(["train", "lite-fasterrcn", "--data", folder]) == 2
    assert "Did you mean lite-fasterrcnn" in capsys.readouterr().err
    assert run(["train", "resnet18", "--data", folder, "--lesson"]) == 2
    assert "There is no lesson for resnet18" in capsys.readouterr().err


def test_the_lesson_is_given_where_it_is_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Asked(Exception):
        pass

    def task(name: str, material: Any) -> Any:
        raise Asked(name, material.folder)

    monkeypatch.setattr(detector, "task", task)
    with pytest.raises(Asked) as caught:
        train(coco(tmp_path / "own", three_photos()), "--lesson")
    assert caught.value.args == (NAME, tmp_path / "own")
