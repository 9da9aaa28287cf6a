"""The examples run as they are, and their output is what they promise."""

from __future__ import annotations

import base64
import json
import re
import runpy
import sys
from pathlib import Path

import pytest
from PIL import Image

from explorer.core.resources import resource_path
from explorer.saving.export import read_metadata

EXAMPLES = resource_path("examples")


@pytest.fixture
def run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> object:
    """Runs an example as a script in an empty folder; gives what it prints."""
    monkeypatch.chdir(tmp_path)

    def example(name: str, *words: str) -> list[str]:
        monkeypatch.setattr(sys, "argv", [name, *words])
        capsys.readouterr()
        runpy.run_path(str(EXAMPLES / f"{name}.py"), run_name="__main__")
        return capsys.readouterr().out.splitlines()

    return example


def test_every_example_is_tried_here() -> None:
    source = Path(__file__).read_text(encoding="utf-8")
    tried = set(re.findall(r'(?:run\("|EXAMPLES / ")(\w+)', source))
    assert {path.stem for path in EXAMPLES.iterdir() if path.is_file()} == tried


def test_photos_are_named(run, tmp_path: Path) -> None:
    said = run("classify_photos", "cat", "coffee")
    rows = (tmp_path / "classes.csv").read_text().splitlines()
    assert rows[0] == "photo,class,probability"
    assert [row.partition(",")[0] for row in rows[1:]] == ["cat", "coffee"]
    assert "cat" in said[0].partition(":")[2], "the cat of the gallery is taken for a cat"


def test_networks_are_compared(run) -> None:
    said = run("compare_networks")
    assert [line.partition(":")[0] for line in said[:2]] == ["mini-resnet", "mini-vgg"]
    assert 0.0 < float(said[2].rpartition(" ")[2]) <= 1.0


def test_nearest_photos_are_found(run) -> None:
    said = run("nearest_photos", "brick", "grass", "cat")
    assert len(said) == 3
    assert all(re.fullmatch(r"\w+: nearest \w+, cosine -?\d\.\d\d", line) for line in said)
    assert said[0].startswith("brick: nearest grass"), "two textures"


def test_boxes_are_written_as_coco(run, tmp_path: Path) -> None:
    said = run("boxes_to_coco")
    found = json.loads((tmp_path / "boxes.json").read_text())
    assert len(found["images"]) == len(said) == 2
    assert found["annotations"]


def test_a_dream_becomes_a_film(run, tmp_path: Path) -> None:
    assert run("dream_film", "cat", "2") == ["dream.gif: 6 frames"]
    with Image.open(tmp_path / "dream.gif") as film:
        assert film.n_frames == 6  # type: ignore[attr-defined]


def test_training_is_watched(run, tmp_path: Path) -> None:
    said = run("watch_training")
    losses = [float(re.search(r"loss (\d+\.\d+)", line)[1]) for line in said]  # type: ignore[index]
    assert losses == sorted(losses, reverse=True)
    assert all((tmp_path / f"maps-{epoch}.png").is_file() for epoch in range(3))


@pytest.mark.slow
def test_the_notebook_runs_and_shows_pictures(tmp_path: Path) -> None:
    nbclient, nbformat = pytest.importorskip("nbclient"), pytest.importorskip("nbformat")
    notebook = nbformat.read(EXAMPLES / "first_look.ipynb", as_version=4)
    assert not any(cell.get("outputs") for cell in notebook.cells), "it is kept without outputs"
    client = nbclient.NotebookClient(
        notebook,
        timeout=240,
        kernel_name="python3",
        resources={"metadata": {"path": str(tmp_path)}},
    )
    client.execute()
    outputs = {cell.id: cell.outputs for cell in notebook.cells if cell.cell_type == "code"}
    (shown,) = [out for out in outputs["classify"] if out.output_type == "execute_result"]
    picture = tmp_path / "shown.png"
    picture.write_bytes(base64.b64decode(shown.data["image/png"]))
    assert read_metadata(picture)["parameters"]["top"] == 3
    with Image.open(picture) as image:
        assert image.width == 1600
    assert "cat" in outputs["data"][0].text.splitlines()[0]
    assert "channel" in outputs["parameters"][0].data["text/plain"]
    bars = [out for out in outputs["dream"] if out.output_type == "display_data"]
    assert all(bar.data.get("text/html", "") == "" for bar in bars), "the bar is gone"
    assert "is assumed to be a network for classification" in str(outputs["module"])


def test_settings_in_the_readme_are_those_of_the_network_that_is_used_there() -> None:
    """Whoever copies a line gets a result."""
    from explorer.api import steps

    text = (Path(__file__).parents[1] / "README.md").read_text("utf-8")
    lines = re.findall(r"^explorer render (\w+) \S+ .*--set layer=(\S+)", text, re.MULTILINE)
    assert lines
    for view, layer in lines:
        assert next(iter(steps(view, "cat", layer=layer))) is not None
