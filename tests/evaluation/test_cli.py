"""`explorer evaluate` from its words to its exit status."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

import pytest

from explorer.__main__ import main
from explorer.core.errors import ExplorerError
from explorer.core.step import Step
from explorer.evaluation import run as evaluation
from explorer.networks import catalog
from explorer.networks.entry import Entry
from tests.data import shared_data
from tests.evaluation.sets import class_folders, coco_set, color_network
from tests.marks import by_hand

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def explorer(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """The program in this process, with toys for networks."""
    entries = {
        task: Entry(task, f"Toy {task}", task, "embedded", "A toy.")  # type: ignore[arg-type]
        for task in ("classification", "detection", "segmentation")
    }

    def load(spec: Any) -> Generator[Step[None], Any, Any]:
        yield Step(None, 0, 1, "making it")
        return color_network(spec.name)

    def find(name: str) -> Entry:
        if name not in entries:
            raise ExplorerError(f"There is no network {name!r}.", "`explorer list` names them all.")
        return entries[name]

    monkeypatch.setattr(catalog, "load", load)
    monkeypatch.setattr(catalog, "find", find)
    monkeypatch.setattr(catalog, "default_for", lambda task: entries.get(task))

    def call(*argv: object) -> tuple[int, str, str]:
        status = main(["evaluate", *(str(word) for word in argv)])
        out, err = capsys.readouterr()
        return status, out, err

    return call


def test_json_is_one_document(explorer: Run, tmp_path: Path) -> None:
    status, out, err = explorer(
        "--network", "detection", "--data", coco_set(tmp_path), "--json", "--eleven-point"
    )
    assert (status, err) == (0, "")
    content = json.loads(out)
    assert content["network"] == "toy"
    figures = {key: content[key] for key in ("AP", "AP50", "AR", "voc_AP", "voc_AP_11")}
    assert all(value == pytest.approx(1.0) for value in figures.values())
    assert not {"top1", "mIoU", "localization_error"} & set(content)
    assert content["photos"] == 2
    assert content["objects_left_out"] == 1


def test_a_table_for_people_and_files(explorer: Run, tmp_path: Path) -> None:
    data = class_folders(tmp_path / "data")
    csv, document = tmp_path / "figures.csv", tmp_path / "figures.json"
    status, out, err = explorer("--data", data, "-o", csv)
    assert (status, err) == (0, "")
    assert "top1  0.8000  the top class is correct" in out
    assert "red    0.6667" in out
    assert "has no class for 1 class of the data set: violet." in out
    assert csv.read_text().startswith("metrics\n")
    status, out, _ = explorer("--data", data, "-o", document, "--json")
    assert json.loads(document.read_text()) == json.loads(out) | {
        "seconds": json.loads(document.read_text())["seconds"]
    }


def test_a_report_and_json_beside_the_tables(explorer: Run, tmp_path: Path) -> None:
    data = coco_set(tmp_path)
    page, document = tmp_path / "out.html", tmp_path / "out.json"
    argv = ("--network", "detection", "--compare", "detection", "--data", data)
    status, out, err = explorer(*argv, "--report", page, "--json", document)
    assert (status, err) == (0, "")
    assert out.count("COCO's average precision at IoU 0.5\n") == 2, "of both networks"
    assert "Bkg" in out
    content = json.loads(document.read_text())
    assert content["compared_with"]["AP"] == content["AP"] == pytest.approx(1.0)
    text = page.read_text(encoding="utf-8")
    assert "<h2>Errors</h2>" in text
    assert "AP_small" in text
    assert explorer(*argv, "--report", page)[0] == 0, "it is ours"
    page.write_text("mine")
    status, _, err = explorer(*argv, "--report", page)
    assert status == 2
    assert "did not write it" in err
    assert page.read_text() == "mine"


def test_only_detectors_are_compared(explorer: Run, tmp_path: Path) -> None:
    argv = ("--data", coco_set(tmp_path), "--network", "detection", "--compare", "classification")
    status, _, err = explorer(*argv)
    assert status == 2
    assert "only detectors are compared" in err


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (["--data", "nowhere"], "does not exist"),
        (["--data", ".", "--json", "x.csv"], "no supported suffix"),
        (["--data", ".", "--report", "x.pdf"], "no supported suffix"),
        (["--data", ".", "--report", "x.json", "--json", "x.json"], "no supported suffix"),
        (["--data", ".", "--limit", "-1"], "out of range"),
        (["--data", ".", "-o", "x.txt"], "no supported suffix"),
        (["--data", ".", "--images", "nowhere"], "nowhere does not exist"),
        (["--data", ".", "--images", __file__], "is not a folder"),
        (["--data", ".", "--network", "nonsense"], "There is no network"),
        (["--network", "detection"], "--data"),
    ],
)
def test_what_is_wrong_is_one_sentence(
    explorer: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, argv: list[str], words: str
) -> None:
    monkeypatch.chdir(tmp_path)
    status, out, err = explorer(*argv)
    assert (status, out) == (2, "")
    assert words in err
    assert err.count("\n") == 1


def test_ctrl_c_tells_what_was_reached(
    explorer: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed = []
    real = evaluation.evaluate

    def interrupted(*args: Any, **how: Any) -> Generator[Step[Any], Any, None]:
        steps = real(*args, **how)
        try:
            yield next(steps)
            raise KeyboardInterrupt
        finally:
            steps.close()
            closed.append(True)

    monkeypatch.setattr(evaluation, "evaluate", interrupted)
    target = tmp_path / "x.json"
    data = class_folders(tmp_path / "data")
    status, out, err = explorer("--data", data, "--json", "-o", target)
    assert (status, out) == (130, "")
    assert "interrupted after 1 of 5 photos: top-1 100.0%" in err
    assert closed
    assert not target.exists()


def test_a_bar_is_drawn_for_whoever_watches(
    explorer: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    status, out, err = explorer("--data", class_folders(tmp_path))
    assert status == 0
    assert "5/5" in err
    assert "\x1b" not in out


@pytest.mark.parametrize("name", ["mini-resnet", *by_hand("mini-vgg")])
def test_the_card_of_a_network_that_ships_comes_out_again(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """A part of the photos that its figures were measured on, within three standard errors."""
    from explorer.core.resources import resource_path

    data = shared_data("tiny-imagenet/val.npz")
    if data is None:
        pytest.skip("the shared test data are not here")
    assert (
        main(["evaluate", "--network", name, "--data", str(data), "--limit", "400", "--json"]) == 0
    )
    content = json.loads(capsys.readouterr().out)
    card = json.loads(resource_path("weights", f"{name}.json").read_text(encoding="utf-8"))
    for key in ("top1", "top5"):
        share = card["metrics"][key]
        assert abs(content[key] - share) < 3 * (share * (1 - share) / 400) ** 0.5
