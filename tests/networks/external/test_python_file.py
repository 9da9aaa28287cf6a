"""A network that a Python file builds: run only where somebody has agreed to it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
import torch
from torch import nn

from explorer.__main__ import main
from explorer.core.errors import ExplorerError
from explorer.core.network_info import NetworkSpec
from explorer.networks import catalog
from explorer.networks.external import python_file
from tests.steps import finish

SOURCE = """
from pathlib import Path

from torch import nn

from beside import CLASSES

Path(__file__).with_name("ran").touch()


class Net(nn.Module):
    def __init__(self, classes):
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3, stride=2)
        self.fc = nn.Linear(4, classes)

    def forward(self, images):
        return self.fc(self.conv(images).relu().mean((2, 3)))


def other(size=3):
    return Net(size)


def needs(size):
    return Net(size)


def build():
    return Net(len(CLASSES))


def plugin():
    from explorer.networks.plugins import Plugin
    from explorer.networks.preprocess import Preprocess

    return Plugin(name="mine", title="Mine", task="classification", classes=CLASSES,
                  build=Net, preprocess=Preprocess(resize=32, crop=32))


def wrong():
    return 7


def fails():
    raise SystemExit("no data set")
"""


@pytest.fixture
def program(tmp_path: Path) -> Iterator[Path]:
    (tmp_path / "beside.py").write_text('CLASSES = ("ant", "bee", "cat")\n')
    path = tmp_path / "net.py"
    path.write_text(SOURCE)
    yield path
    sys.modules.pop("beside", None)


def test_what_a_name_means() -> None:
    assert python_file.file_and_function("a/my.py:build") == (Path("a/my.py"), "build")
    assert python_file.file_and_function(r"C:\nets\my.py:build") is not None
    for name in ("resnet50", "my.py", "my.py:", "my.py:2x", "w.pth:build", ""):
        assert python_file.file_and_function(name) is None


def test_the_functions_are_found_without_running_the_file(program: Path) -> None:
    assert python_file.functions(program) == ("build", "other", "plugin", "wrong", "fails")
    assert not program.with_name("ran").exists()
    program.write_text("def broken(:\n")
    with pytest.raises(ExplorerError, match=r"net\.py is no Python program"):
        python_file.functions(program)


def test_nothing_runs_before_somebody_has_agreed(program: Path) -> None:
    spec = NetworkSpec(f"{program}:build", device="cpu")
    with pytest.raises(ExplorerError, match="its code has to run") as refusal:
        finish(catalog.load(spec))
    assert refusal.value.about == "program"
    assert not program.with_name("ran").exists()

    python_file.trust(program)
    network = finish(catalog.load(spec))[0]
    assert program.with_name("ran").exists()
    assert (network.info.title, network.info.task) == ("Net of net.py", "classification")
    assert network.info.spec == spec
    assert not network.module.training
    assert str(program.parent) not in sys.path

    program.write_text(SOURCE + "\n# another program\n")
    assert not python_file.is_trusted(program), "it was agreed to run the other one"


def test_a_plugin_says_more_than_a_module(program: Path) -> None:
    catalog.check_asked(f"{program}:plugin")
    network = finish(catalog.load(NetworkSpec(f"{program}:plugin", device="cpu")))[0]
    assert network.info.classes == ("ant", "bee", "cat")
    assert network.preprocess.crop == 32


def test_weights_of_a_file_are_put_into_the_module(program: Path, tmp_path: Path) -> None:
    python_file.trust(program)
    network = finish(catalog.load(NetworkSpec(f"{program}:build", device="cpu")))[0]
    state = {name: torch.randn_like(value) for name, value in network.module.state_dict().items()}
    torch.save(state, tmp_path / "w.pth")
    spec = NetworkSpec(f"{program}:build", str(tmp_path / "w.pth"), device="cpu")
    filled = finish(catalog.load(spec))[0]
    for name, value in filled.module.state_dict().items():
        assert torch.equal(value, state[name])
    torch.save({name: value for name, value in state.items() if name != "fc.bias"},
               tmp_path / "w.pth")  # fmt: skip
    with pytest.raises(ExplorerError, match=r"w\.pth has no fc\.bias\."):
        finish(catalog.load(spec))


@pytest.mark.parametrize(
    ("function", "words"),
    [
        ("none", "has no function none"),
        ("wrong", "wrong of net.py returns a int"),
        ("fails", "net.py failed: SystemExit: no data set"),
        ("needs", "net.py failed: TypeError"),
    ],
)
def test_what_goes_wrong_is_a_sentence(program: Path, function: str, words: str) -> None:
    python_file.trust(program)
    with pytest.raises(ExplorerError, match=words):
        finish(catalog.load(NetworkSpec(f"{program}:{function}", device="cpu")))


def test_naming_it_on_the_command_line_agrees(program: Path, tmp_path: Path) -> None:
    picture = tmp_path / "photo.png"
    PIL.Image.fromarray(np.full((40, 50, 3), 90, np.uint8)).save(picture)
    out = tmp_path / "maps.png"
    words = ["render", "feature_maps", str(picture), "--network", f"{program}:build"]
    assert main([*words, "-o", str(out)]) == 0
    assert out.is_file()


def test_the_kept_agreement_may_be_damaged(program: Path, home: Path) -> None:
    python_file.trust(program)
    (kept,) = (home / "data").glob("trusted-*.json")
    kept.write_text("[1")
    assert not python_file.is_trusted(program)


def test_the_module_is_the_users_own(program: Path) -> None:
    catalog.check_asked(f"{program}:other")
    network = finish(catalog.load(NetworkSpec(f"{program}:other", device="cpu")))[0]
    assert isinstance(network.module.get_submodule("conv"), nn.Conv2d)
