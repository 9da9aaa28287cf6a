"""Class names for checkpoints that have none: a list that is chosen, or one beside the file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
import torchvision.models as tv

import explorer
from explorer.core.errors import ExplorerError
from explorer.core.network_info import NetworkSpec, unnamed_note
from explorer.networks import catalog
from explorer.networks.checkpoints.class_lists import names_in
from explorer.networks.network import Network
from tests.steps import finish

SORTER = "shufflenet_v2_x0_5"
FINDER = "ssdlite320_mobilenet_v3_large"
NAMES = ("car", "truck", "bus")
COCO = {"categories": [{"id": 1, "name": "car"}, {"id": 3, "name": "bus"}]}


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A classifier of 3 classes, a detector of 3 classes and the background."""
    folder = tmp_path_factory.mktemp("weights")
    sorter = tv.get_model(SORTER, weights=None, num_classes=3)
    finder = tv.get_model(FINDER, weights=None, weights_backbone=None, num_classes=4)
    for name, module in ((SORTER, sorter), (FINDER, finder)):
        torch.save(module.state_dict(), folder / f"{name}.pth")
    return {name: folder / f"{name}.pth" for name in (SORTER, FINDER)}


def load(name: str, weights: Path, classes: str = "") -> Network:
    return finish(catalog.load(NetworkSpec(name, str(weights), "cpu", classes=classes)))[0]


@pytest.mark.parametrize(
    ("name", "text", "names"),
    [
        ("classes.txt", "car\ntruck\nbus\n\n", NAMES),
        ("a.names", "car\r\ntruck\r\nbus", NAMES),
        ("data.yaml", "train: x\nnames:\n  0: car\n  1: truck\n  2: bus\n", NAMES),
        ("b.yml", "names: [car, 'truck', \"bus\"]", NAMES),
        ("list.json", '["car", "truck", "bus"]', NAMES),
        ("map.json", '{"id2label": {"0": "car", "1": "truck", "2": "bus"}}', NAMES),
        ("coco.json", json.dumps(COCO), ("car", "N/A", "bus")),
        ("background.txt", "__background__\ncar\n", ("__background__", "car")),
    ],
)
def test_lists_of_every_kind(tmp_path: Path, name: str, text: str, names: tuple[str, ...]) -> None:
    (tmp_path / name).write_text(text)
    assert names_in(tmp_path / name) == names


@pytest.mark.parametrize(
    ("name", "content"),
    [("a.txt", b""), ("a.yaml", b"train: x"), ("a.json", b"{"), ("a.json", b"3"),
     ("a.json", b'{"categories": [3]}'), ("a.txt", b"\0\1\2"), ("a.data", b"x = 1")],
)  # fmt: skip
def test_what_is_no_list_is_said(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ExplorerError, match="lists no class names"):
        names_in(tmp_path / name)
    with pytest.raises(ExplorerError, match="does not exist"):
        names_in(tmp_path / "none.txt")


def test_without_a_list_the_number_is_said(files: dict[str, Path]) -> None:
    info = load(SORTER, files[SORTER]).info
    assert (info.classes, info.unnamed) == ((), 3)
    assert unnamed_note(3) in info.notes


def test_a_chosen_list_names_the_classes(files: dict[str, Path], tmp_path: Path) -> None:
    chosen = tmp_path / "mine.txt"
    chosen.write_text("\n".join(NAMES))
    for name, expected in ((SORTER, NAMES), (FINDER, ("__background__", *NAMES))):
        info = load(name, files[name], str(chosen)).info
        assert (info.classes, info.unnamed) == (expected, 0)
        assert not any("without names" in note for note in info.notes)


def test_a_list_of_another_length_is_refused(files: dict[str, Path], tmp_path: Path) -> None:
    chosen = tmp_path / "mine.txt"
    chosen.write_text("car\nbus\n")
    with pytest.raises(ExplorerError, match="2 names, but the network has 3 classes"):
        load(SORTER, files[SORTER], str(chosen))
    with pytest.raises(ExplorerError, match="background is optional"):
        load(FINDER, files[FINDER], str(chosen))


def test_a_list_beside_the_file_is_found_and_said(files: dict[str, Path], tmp_path: Path) -> None:
    weights = tmp_path / "best.pth"
    weights.write_bytes(files[FINDER].read_bytes())
    (tmp_path / "classes.txt").write_text("one\ntwo\n")  # of something else
    (tmp_path / "data.yaml").write_text("names: [car, truck, bus]")
    info = load(FINDER, weights).info
    assert info.classes == ("__background__", *NAMES)
    assert "The class names are those in data.yaml." in info.notes


def test_the_names_of_the_file_come_before_those_beside_it(tmp_path: Path) -> None:
    module = tv.get_model(SORTER, weights=None, num_classes=3)
    torch.save({"model": module.state_dict(), "classes": ["a", "b", "c"]}, tmp_path / "w.pth")
    (tmp_path / "classes.txt").write_text("\n".join(NAMES))
    assert load(SORTER, tmp_path / "w.pth").info.classes == ("a", "b", "c")


def test_from_python(files: dict[str, Path], tmp_path: Path) -> None:
    chosen = tmp_path / "mine.txt"
    chosen.write_text("\n".join(NAMES))
    for given in (NAMES, list(NAMES), chosen, str(chosen)):
        info = explorer.load(SORTER, weights=files[SORTER], classes=given).info
        assert info.classes == NAMES
        assert info.unnamed == 0
        assert not any("without names" in note for note in info.notes)
    with pytest.raises(ExplorerError, match="2 names, but the network has 3 classes"):
        explorer.load(SORTER, weights=files[SORTER], classes=["a", "b"])
    with pytest.raises(ExplorerError, match="classes with a checkpoint"):
        explorer.load(SORTER, weights="none", classes=NAMES)


def test_a_script_names_the_classes_again(files: dict[str, Path]) -> None:
    names = ["fire truck", 'a "big" bus', "car"]
    network = explorer.load(SORTER, weights=files[SORTER], classes=names)
    answer = explorer.look("classify", "cat", network=network)
    again: dict[str, Any] = {}
    exec(answer.as_python(), again)
    assert again["network"].info.classes == tuple(names)
    assert again["answer"].data["class"] == answer.data["class"]
    assert set(answer.data["class"]) == set(names)


def test_no_script_can_load_a_module_that_was_given() -> None:
    answer = explorer.look("classify", "cat", network=tv.get_model(SORTER, weights=None))
    with pytest.raises(ExplorerError, match="ShuffleNetV2 was given as a module"):
        answer.as_python()
