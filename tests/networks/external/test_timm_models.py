"""timm's networks: listed without timm, built by it, with its own transforms."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.torch
import torch

from explorer.core.errors import ExplorerError
from explorer.core.network_info import NetworkSpec
from explorer.networks import catalog
from explorer.networks.checkpoints import weights
from explorer.networks.definition import Definition
from explorer.networks.external import timm_models
from tests.steps import finish
from tests.toys import toy_image

if importlib.util.find_spec("timm") is None:
    pytest.skip("timm is not installed", allow_module_level=True)


@pytest.fixture(autouse=True)
def no_timm() -> None:
    """These tests are about it."""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A data folder with timm's list, made once."""
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("home")
        patch.setenv("EXPLORER_HOME", str(folder))
        patch.setenv("HF_HOME", str(folder / "hub-of-nobody"))
        patch.setattr(torch.hub, "get_dir", lambda: str(folder / "torch"))
        yield folder


def definition(name: str) -> Definition:
    return next(d for d in timm_models.definitions() if d.entry.name == name)


def test_every_architecture_with_weights_is_listed(home: Path) -> None:
    found = {each.entry.name: each for each in timm_models.definitions()}
    assert len(found) > 500
    entry = found["timm.resnet18"].entry
    assert (entry.task, entry.family, entry.num_classes) == ("classification", "timm", 1000)
    assert "a1_in1k" in {option.name for option in entry.weights}
    assert found["timm.vit_small_patch14_dinov2"].entry.task == "features"
    assert catalog.find("timm.resnet18").state == "download"
    (kept,) = (home / "data").glob("timm-*.json")
    assert json.loads(kept.read_bytes())["format"] == timm_models.FORMAT


@pytest.mark.slow
def test_a_kept_list_needs_no_timm(home: Path) -> None:
    timm_models.definitions()
    code = (
        "import sys; from explorer.networks.external import timm_models as t; "
        "print(len(t.definitions()), 'timm' in sys.modules)"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.split() == [str(len(timm_models.definitions())), "False"]


def test_a_damaged_list_is_made_again(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    listed = {"format": timm_models.FORMAT, "architectures": {}, "classes": {}}
    monkeypatch.setattr(timm_models, "survey", lambda: listed)
    folder = home / "damaged"
    folder.mkdir()
    (folder / "timm-9.json").write_text("{")
    assert timm_models._definitions("9", folder) == ()
    assert json.loads((folder / "timm-9.json").read_bytes()) == listed


def test_what_cannot_be_listed_leaves_the_others(
    home: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fails() -> dict[str, Any]:
        raise RuntimeError("another timm")

    monkeypatch.setattr(timm_models, "survey", fails)
    assert timm_models._definitions("10", home / "none") == ()
    assert "timm 10 cannot be listed" in caplog.text


@pytest.mark.parametrize("name", ["resnet18.a1_in1k", "mobilenetv3_small_050.lamb_in1k"])
def test_the_photo_is_prepared_as_by_timm(home: Path, name: str) -> None:
    from PIL import Image as Pillow
    from timm.data import create_transform, resolve_data_config
    from timm.models import get_pretrained_cfg

    config = get_pretrained_cfg(name).to_dict()
    theirs = create_transform(**resolve_data_config({}, pretrained_cfg=config))
    pixels = toy_image(300, 400).pixels
    architecture, _, tag = name.partition(".")
    ours = definition(f"timm.{architecture}").variants[tag].preprocess(pixels)[0]
    wanted = theirs(Pillow.fromarray(np.asarray(pixels)))
    assert ours.shape == wanted.shape
    # Pillow rounds and clips to whole levels between its two passes, which noise shows most.
    level = 1 / 255 / 0.224
    assert float((ours - wanted).abs().max()) < 5 * level
    assert float((ours - wanted).abs().mean()) < 0.3 * level


def test_weights_that_are_here_give_timms_own_answer(home: Path) -> None:
    import timm

    name, tag = "timm.mobilenetv3_small_050", "lamb_in1k"
    module = timm.create_model("mobilenetv3_small_050", pretrained=False)
    option = next(o for o in catalog.find(name).weights if o.name == tag)
    path = weights.path_of(option.url)
    path.parent.mkdir(parents=True, exist_ok=True)
    safetensors.torch.save_file(module.state_dict(), path)
    assert path.name == "timm--mobilenetv3_small_050.lamb_in1k.safetensors"
    assert catalog.find(name).at_hand is not None

    network = finish(catalog.load(NetworkSpec(name, device="cpu")))[0]
    assert (network.info.state, network.info.task) == ("cached", "classification")
    assert network.info.classes[0] == "tench, Tinca tinca"
    values = network.preprocess(toy_image(64, 80).pixels)
    with torch.no_grad():
        torch.testing.assert_close(network.module(values), module.eval()(values))


@pytest.mark.slow
def test_a_checkpoint_that_names_its_architecture_is_identified(home: Path) -> None:
    import timm

    module = timm.create_model("mobilenetv3_small_050", pretrained=False, num_classes=3)
    state = {"arch": "mobilenetv3_small_050.lamb_in1k", "state_dict": module.state_dict()}
    path = home / "checkpoint.pth"
    torch.save(state, path)
    assert catalog.guess(path) == ("timm.mobilenetv3_small_050",)
    torch.save({"state_dict": module.state_dict()}, path)
    assert catalog.guess(path) == (), "its tensors alone are compared with no thousand networks"


def test_the_copy_of_the_hubs_own_programs_is_found(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = timm_models.HUB.format(id="timm/resnet18.a1_in1k")
    monkeypatch.setenv("HF_HOME", str(home / "hf"))
    monkeypatch.delenv("HF_HUB_CACHE", raising=False)
    assert weights.path_of(url).parent == weights.folder()
    assert weights.state_of(url) == "download"
    place = home / "hf" / "hub" / "models--timm--resnet18.a1_in1k" / "snapshots" / "abc"
    place.mkdir(parents=True)
    (place / "model.safetensors").write_bytes(b"weights")
    assert weights.path_of(url) == place / "model.safetensors"
    assert weights.state_of(url) == "cached"


@pytest.mark.parametrize(
    ("crop_mode", "resize"), [("center", 256), ("squash", (256, 256)), ("border", 256)]
)
def test_what_the_crop_means(crop_mode: str, resize: object) -> None:
    config = {
        "input_size": (3, 224, 224), "crop_pct": 0.875, "crop_mode": crop_mode,
        "interpolation": "bicubic", "mean": (0.5,) * 3, "std": (0.25,) * 3,
    }  # fmt: skip
    found = timm_models.preprocess_of(config)
    assert (found.resize, found.crop, found.interpolation) == (resize, 224, "bicubic")
    assert (found.mean, found.std) == ((0.5,) * 3, (0.25,) * 3)


def test_the_command_line_lists_them(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from explorer.__main__ import main

    assert main(["list", "timm"]) == 0
    assert "timm.resnet18" in capsys.readouterr().out
    assert main(["list", "networks"]) == 0
    assert "timm.resnet18" not in capsys.readouterr().out, "a thousand lines would hide the others"


def test_without_timm_a_name_of_it_says_what_to_install(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from explorer.__main__ import main

    monkeypatch.setattr(timm_models, "installed", lambda: "")
    with pytest.raises(ExplorerError, match="which is not installed") as error:
        catalog.find("timm.resnet18")
    assert "convnet-explorer[timm]" in error.value.hint
    assert main(["list", "timm"]) != 0
    assert "timm is not installed" in capsys.readouterr().err
