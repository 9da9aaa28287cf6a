"""Views of this package and of others: found, or listed as unavailable with the reason."""

from __future__ import annotations

import importlib
import json
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from explorer import views
from explorer.cli import run
from explorer.core import listing
from explorer.core.errors import ExplorerError
from explorer.core.network_info import task_of
from tests.networks.installed import install

PLUGINS = """
from explorer.views.predictions.classify import VIEW as classify
from dataclasses import replace
good = replace(classify, name="lab_view", title="Lab view")
imposter = replace(classify, title="Not the real one")
nothing = 7
"""


@pytest.fixture
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder on the path with a module of views."""
    (tmp_path / "lab_views.py").write_text(PLUGINS)
    (tmp_path / "lab_broken.py").write_text("raise RuntimeError('no license key')\n")
    (tmp_path / "lab_leaves.py").write_text("raise SystemExit('goodbye')\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    for name in ("lab_views", "lab_broken", "lab_leaves"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    return tmp_path


def test_every_file_of_a_group_is_a_view() -> None:
    found = views.survey()
    assert not found.unavailable
    names = {name for name, _ in views.modules(Path(views.__path__[0]))}
    assert len(names) == len(found.views), "a module among the views defines no VIEW"


def test_views_come_in_the_order_of_a_course() -> None:
    found = views.discover()
    places = [view.group.place for view in found.values()]
    assert places == sorted(places)
    assert next(iter(found)) == "classify"
    assert set(views.COURSE) <= set(found), "a name of the course is no view any more"
    order = [name for name in found if name in views.COURSE]
    for group in {view.group for view in found.values()}:
        taught = [name for name in views.COURSE if found[name].group is group]
        assert [name for name in order if found[name].group is group] == taught


def test_plugins_come_after_ours(lab: Path) -> None:
    install(lab, {"lab": "lab_views:good"}, group=views.GROUP)
    found = views.discover()
    group = [view.name for view in found.values() if view.group is found["lab_view"].group]
    assert group[-1] == "lab_view", "in their group"
    assert views.find("lab_view").title == "Lab view"


@pytest.mark.parametrize(
    ("value", "name", "reason"),
    [
        ("lab_broken:VIEW", "lab", "RuntimeError: no license key."),
        ("lab_leaves:VIEW", "lab", "SystemExit: goodbye."),
        ("lab_missing:VIEW", "lab", "ModuleNotFoundError: No module named 'lab_missing'."),
        ("lab_views:nothing", "lab", "It gives a int, not a View."),
        ("lab_views:imposter", "classify", "The name 'classify' is taken by another view."),
    ],
)
def test_a_plugin_that_cannot_be_taken_is_listed_with_the_reason(
    lab: Path, value: str, name: str, reason: str
) -> None:
    install(lab, {"lab": value}, group=views.GROUP)
    found = views.survey()
    (entry,) = found.unavailable
    assert (entry.name, entry.reason) == (name, reason)
    assert entry.origin == f"{value} of lab-explorer"
    assert found.views["classify"].title == "Classify", "a duplicate replaces nothing"


@pytest.mark.parametrize(("old", "new"), views.OLD_NAMES.items())
def test_a_view_is_still_found_by_its_old_name(
    old: str, new: str, capsys: pytest.CaptureFixture[str]
) -> None:
    listing.tell_new_name.cache_clear()
    assert [views.find(name).name for name in (old, old, new)] == [new] * 3
    shown = capsys.readouterr()
    assert shown.err == f"explorer: {old} is now called {new}; please use the new name.\n", "once"
    assert not shown.out


def test_tasks_are_still_known_by_their_old_names(capsys: pytest.CaptureFixture[str]) -> None:
    listing.tell_new_name.cache_clear()
    assert task_of("localisation") == task_of("localization") == "localization"
    assert "localisation is now called localization" in capsys.readouterr().err
    view = replace(views.find("classify"), tasks=frozenset({"localisation"}))
    assert view.suits("localization"), "of a plug-in made for an earlier version"
    with pytest.raises(ExplorerError, match="no task 'dreaming'"):
        task_of("dreaming")


@pytest.fixture
def broken_module(monkeypatch: pytest.MonkeyPatch) -> None:
    """The file of one of our own views cannot be read."""
    real = importlib.import_module

    def load(name: str, package: str | None = None) -> object:
        if name == "explorer.views.predictions.classify":
            raise ImportError("cannot import name 'softmax'")
        return real(name, package)

    monkeypatch.setattr(importlib, "import_module", load)


@pytest.mark.usefixtures("broken_module")
def test_one_failing_view_leaves_the_others(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["list", "views"]) == 0
    shown = capsys.readouterr().out
    assert "feature_maps" in shown
    assert "Unavailable" in shown
    assert "ImportError: cannot import name 'softmax'." in " ".join(shown.split())
    assert run(["list", "views", "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)
    assert "classify" not in {view["name"] for view in listed["views"]}
    assert listed["unavailable"] == [
        {
            "name": "classify",
            "origin": "explorer.views.predictions.classify",
            "reason": "ImportError: cannot import name 'softmax'.",
        }
    ]
    with pytest.raises(ExplorerError, match="'classify' is unavailable: ImportError"):
        views.find("classify")


def test_two_networks_of_one_name(lab: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (lab / "lab_nets.py").write_text(
        "from torch import nn\n"
        "from explorer.networks.plugins import Plugin\n"
        "from explorer.networks.preprocess import Preprocess\n"
        "def networks():\n"
        "    for name in ('resnet18', 'lab_net'):\n"
        "        yield Plugin(name, name, 'classification', ('a',), nn.Identity, Preprocess())\n"
    )
    install(lab, {"lab": "lab_nets:networks"})
    assert run(["list", "networks", "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)
    names = [network["name"] for network in listed["networks"]]
    assert names.count("resnet18") == 1
    assert "lab_net" in names, "the refused one takes nothing else with it"
    (entry,) = listed["unavailable"]
    assert entry["reason"] == "The name 'resnet18' is taken by another network."
