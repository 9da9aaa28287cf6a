"""Networks made here: kept, listed, loaded as any other, renamed, exported and deleted."""

from __future__ import annotations

import json
import multiprocessing
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from explorer.cli import run
from explorer.core.errors import ExplorerError
from explorer.core.network_info import NetworkSpec
from explorer.networks import catalog, made
from explorer.networks.made import NewNetwork
from explorer.networks.network import Network
from explorer.networks.preprocess import Preprocess


def finish(loading: Any) -> Network:
    try:
        while True:
            next(loading)
    except StopIteration as end:
        network: Network = end.value
        return network


def base(classes: int = 3) -> NewNetwork:
    """A SqueezeNet of three classes with numbers of its own."""
    with torch.random.fork_rng():
        torch.manual_seed(5)
        from torchvision.models import squeezenet1_1

        module = squeezenet1_1(num_classes=classes)
    return NewNetwork(
        "My ants & bees", module.eval(), "classification", "squeezenet1_1", "",
        ("ant", "bee", "wasp")[:classes], Preprocess(resize=64, crop=64),
        note="SqueezeNet after 20 steps on 12 photos.", metrics=(("accuracy", 91.5),),
    )  # fmt: skip


def loaded(name: str) -> Network:
    return finish(catalog.load(NetworkSpec(name, device="cpu")))


def test_it_joins_the_catalog_and_answers_the_same() -> None:
    new = base()
    name = catalog.keep(new)
    assert name == "my-ants-bees"
    entry = catalog.find(name)
    assert (entry.family, entry.title, entry.state) == ("made", "My ants & bees", "cached")
    assert entry.num_classes == 3
    assert entry.weights[0].metrics == (("accuracy", 91.5),)
    assert "after 20 steps on 12 photos" in entry.summary
    network = loaded(name)
    photo = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        assert torch.equal(network.module(photo), new.module(photo))
    assert network.info.classes == ("ant", "bee", "wasp")
    assert network.preprocess == new.preprocess
    assert not network.info.untrained


def test_a_relative_of_a_relative_stays_when_the_first_is_deleted() -> None:
    first = catalog.keep(base())
    network = loaded(first)
    second = catalog.keep(NewNetwork.of(network, "Second"))
    made.delete(first)
    again = loaded(second)
    assert again.info.digest == network.info.digest
    with pytest.raises(ExplorerError, match="no network 'my-ants-bees'"):
        catalog.find(first)


def test_names_are_free_ones() -> None:
    names = [catalog.keep(base()) for _ in range(2)]
    from dataclasses import replace

    names.append(catalog.keep(replace(base(), title="SqueezeNet1_1")))
    names.append(catalog.keep(replace(base(), title="resnet18")))
    names.append(catalog.keep(replace(base(), title="…")))
    assert names == [
        "my-ants-bees", "my-ants-bees-2", "squeezenet1-1", "resnet18-2", "network",
    ]  # fmt: skip


def test_the_finishing_touches_of_published_weights_are_kept() -> None:
    # Weights that came from another framework have an epsilon of 0 in their frozen norms.
    definitions = {d.entry.name: d for d in catalog.definitions()}
    real = definitions["retinanet_resnet50_fpn"]
    variant = real.variants["COCO_V1"]
    new = NewNetwork(
        "Mine", nn.Identity(), "detection", "retinanet_resnet50_fpn", "COCO_V1",
        variant.classes, variant.preprocess,
    )  # fmt: skip
    name = catalog.keep(new)
    mine = next(d for d in catalog.definitions() if d.entry.name == name)
    assert mine.variants["made"].finish is variant.finish
    assert mine.variants["made"].origin == "COCO_V1"


def test_renaming_changes_the_title_and_keeps_the_name() -> None:
    name = catalog.keep(base())
    made.rename(name, "  Bees  ")
    assert catalog.find(name).title == "Bees"
    with pytest.raises(ExplorerError, match="needs a title"):
        made.rename(name, " ")
    with pytest.raises(ExplorerError, match="made here"):
        made.rename("resnet18", "Mine")


def test_an_export_is_weights_with_a_card_that_open_elsewhere(tmp_path: Path) -> None:
    name = catalog.keep(base())
    weights, card = made.export(name, tmp_path / "bees.safetensors")
    assert json.loads(card.read_text("utf-8"))["title"] == "My ants & bees"
    network = finish(catalog.load(NetworkSpec("squeezenet1_1", str(weights), device="cpu")))
    assert network.info.digest == loaded(name).info.digest
    with pytest.raises(ExplorerError, match="not a valid file name for weights"):
        made.export(name, tmp_path / "bees.json")


def test_delete_leaves_nothing() -> None:
    name = catalog.keep(base())
    made.delete(name)
    assert [path.name for path in made.folder().iterdir()] == [".lock"]
    with pytest.raises(ExplorerError, match="made here"):
        made.delete(name)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"base": "no_such_net"}, "Its architecture 'no_such_net' is not in the catalog."),
        ({"task": "dreaming"}, "There is no task 'dreaming'."),
        ({"format": 99}, "not in the form that this program writes"),
        ({"preprocessing": {"resise": 3}}, "unexpected keyword"),
        ({"classes": None}, "Its card"),
        ({"metrics": [1]}, "Its card"),
    ],
)
def test_a_card_that_cannot_be_used_is_listed_with_its_reason(
    change: dict[str, Any], reason: str
) -> None:
    name = catalog.keep(base())
    path = made.folder() / f"{name}.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    assert name not in {entry.name for entry in catalog.entries()}
    (entry,) = catalog.unavailable()
    assert entry.name == name
    assert reason in entry.reason


@pytest.mark.parametrize("text", ["", "[]", "[" * 10_000, "no JSON"])
def test_what_is_no_card_is_listed_too(text: str) -> None:
    made.folder().mkdir(parents=True)
    (made.folder() / "strange.json").write_text(text)
    (entry,) = catalog.unavailable()
    assert entry.name == "strange"


def test_missing_and_damaged_weights() -> None:
    name = catalog.keep(base())
    weights = made.folder() / f"{name}.safetensors"
    content = weights.read_bytes()
    weights.write_bytes(content[: len(content) // 2])
    with pytest.raises(ExplorerError, match="damaged"):
        loaded(name)
    weights.unlink()
    (entry,) = catalog.unavailable()
    assert entry.reason == "Its weights are missing."


def _keep_some(_number: int) -> list[str]:
    return [catalog.keep(base(2)) for _ in range(3)]


@pytest.mark.slow
def test_several_programs_at_once_lose_nothing() -> None:
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        names = [name for part in pool.map(_keep_some, range(2)) for name in part]
    assert len(set(names)) == 6
    assert {path.stem for path in made.folder().glob("*.json")} == set(names)
    assert {path.stem for path in made.folder().glob("*.safetensors")} == set(names)


def test_where_nothing_can_be_written_nothing_is_listed() -> None:
    made.folder().parent.mkdir(parents=True)
    made.folder().write_text("a file where the folder should be")
    with pytest.raises(ExplorerError, match="could not be written"):
        catalog.keep(base())
    assert catalog.unavailable() == ()


def test_the_command_line_lists_and_uses_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    name = catalog.keep(base())
    assert run(["list", "networks"]) == 0
    (line,) = (row for row in capsys.readouterr().out.splitlines() if name in row)
    assert "made here" in line
    assert run(["list", "networks", "--json"]) == 0
    entries = json.loads(capsys.readouterr().out)["networks"]
    assert next(e for e in entries if e["name"] == name)["family"] == "made"
    from tests.evaluation.sets import class_folders

    data = class_folders(tmp_path / "data")
    for old, new in (("red", "ant"), ("Green", "bee"), ("violet", "wasp")):
        (data / old).rename(data / new)
    arguments = ["evaluate", "--network", name, "--data", str(data), "--json", "--device", "cpu"]
    assert run(arguments) == 0
    report = json.loads(capsys.readouterr().out)
    assert (report["network"], report["photos"]) == (name, 6)
