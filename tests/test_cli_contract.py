"""What views need and every kind of parameter on the command line."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from explorer import views
from explorer.__main__ import main
from explorer.core.errors import ExplorerError
from explorer.core.param_forms import params_text
from explorer.core.params import ImageRef, Mask, NetworkRef, Point
from explorer.engine.view import View
from explorer.saving.export import read_metadata
from tests.toy_views import EveryKind, Term, every_toy

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def explorer(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """The program in this process, with the toys as its views."""
    toys = {view.name: view for view in every_toy()}

    def find(name: str) -> View[Any, Any]:
        if name not in toys:
            raise ExplorerError(f"There is no view {name!r}.")
        return toys[name]

    monkeypatch.setattr(views, "find", find)

    def run(*argv: object) -> tuple[int, str, str]:
        status = main([str(word) for word in argv])
        out, err = capsys.readouterr()
        return status, out, err

    return run


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    place = tmp_path / "photo.png"
    Image.fromarray(np.full((48, 64, 3), 120, np.uint8)).save(place)
    return place


def test_a_view_that_needs_nothing_is_rendered_without_a_photo(
    explorer: Run, tmp_path: Path
) -> None:
    out, data = tmp_path / "a.png", tmp_path / "a.json"
    status, _, err = explorer("render", "of_nothing", "--set", "side=16", "-o", out, "--data", data)
    assert (status, err) == (0, "")
    metadata = read_metadata(out)
    assert metadata["parameters"] == {"side": 16}
    assert "image" not in metadata
    assert "network" not in metadata
    assert json.loads(data.read_text())
    folder = tmp_path / "folder"
    folder.mkdir()
    assert explorer("render", "of_nothing", "-o", folder)[0] == 0
    assert (folder / "of_nothing.png").is_file()


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (["of_nothing", "cat"], "needs no photo"),
        (["of_nothing", "--network", "mini-resnet"], "needs no network"),
        (["of_network", "cat"], "needs no photo"),
        (["of_photo", "--network", "mini-resnet", "cat"], "needs no network"),
        (["of_photo"], "needs a photo"),
        (["every_kind"], "needs a photo"),
    ],
)
def test_too_much_and_too_little_is_one_sentence(
    explorer: Run, argv: list[str], words: str, tmp_path: Path
) -> None:
    status, out, err = explorer("render", *argv, "-o", tmp_path / "a.png")
    assert (status, out) == (2, "")
    assert words in err
    assert err.count("\n") == 1
    assert not (tmp_path / "a.png").exists()


def test_photos_may_stand_behind_and_between_options(
    explorer: Run, photo: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "out"
    folder.mkdir()
    size = ("--set", "side=16")
    assert explorer("render", "of_photo", *size, "cat", "-o", folder, photo)[0] == 0
    assert sorted(path.name for path in folder.iterdir()) == ["cat.png", "photo.png"]
    assert explorer("render", "-o", folder, *size, "of_photo", "coins")[0] == 0
    assert (folder / "coins.png").is_file()


def test_a_view_of_a_network_alone_and_of_a_photo_alone(
    explorer: Run, photo: Path, tmp_path: Path
) -> None:
    out = tmp_path / "a.png"
    assert explorer("render", "of_network", "-o", out)[0] == 0
    assert read_metadata(out)["network"]["name"] == "efficientnet-lite0"
    assert explorer("render", "of_photo", photo, "-o", out)[0] == 0
    assert read_metadata(out)["image"]["name"]


def test_every_kind_by_set_and_again_from_the_copied_text(
    explorer: Run, photo: Path, tmp_path: Path
) -> None:
    painted = np.zeros((48, 64), np.uint8)
    painted[10:20, 10:20] = 2
    (tmp_path / "m.png").write_bytes(Mask.of(painted).png)
    words = [
        "second=coins", "other=mini-resnet", f"folder={tmp_path}", f"mask={tmp_path / 'm.png'}",
        "ensemble=mini-resnet", 'terms=[{"kind": "TV", "weight": 0.5}]', "joints=1,2;3,4",
    ]  # fmt: skip
    out = tmp_path / "a.png"
    network = ("--network", "mini-resnet")
    given = [word for text in words for word in ("--set", text)]
    assert explorer("render", "every_kind", photo, *network, *given, "-o", out)[2] == ""
    found = read_metadata(out)["parameters"]
    assert found["second"] == {"image": "coins"}
    assert found["other"] == {"network": "mini-resnet", "weights": ""}
    assert found["terms"][0]["kind"] == "TV"
    assert found["joints"] == [{"x": 1.0, "y": 2.0}, {"x": 3.0, "y": 4.0}]
    params = EveryKind(
        second=ImageRef("coins"), mask=Mask.of(painted), joints=(Point(1, 2), Point(3, 4)),
        terms=(Term("TV", 0.5),), ensemble=(NetworkRef("mini-resnet"),),
    )  # fmt: skip
    given = [word for text in params_text(params) for word in ("--set", text)]
    assert explorer("render", "every_kind", photo, *network, *given, "-o", out)[0] == 0
    assert read_metadata(out)["parameters"]["mask"] == found["mask"]


def test_what_does_not_apply_and_what_does_not_fit_is_said(
    explorer: Run, photo: Path, tmp_path: Path
) -> None:
    (tmp_path / "m.png").write_bytes(Mask.of(np.ones((5, 7), np.uint8)).png)
    status, _, err = explorer(
        "render", "every_kind", photo, "--network", "mini-resnet", "--set", "fancy=3",
        "--set", f"mask={tmp_path / 'm.png'}", "-o", tmp_path / "a.png",
    )  # fmt: skip
    assert status == 0
    assert "fancy has no effect with the other settings and Mini ResNet." in err
    assert "mask has 7 x 5 pixels and not 64 x 48 and is ignored." in err


def test_a_photo_that_is_not_there_is_one_sentence(
    explorer: Run, photo: Path, tmp_path: Path
) -> None:
    status, _, err = explorer(
        "render", "every_kind", photo, "--network", "mini-resnet", "--set", "second=/no/photo.jpg",
        "-o", tmp_path / "a.png",
    )  # fmt: skip
    assert status == 2
    assert "photo.jpg does not exist" in err
