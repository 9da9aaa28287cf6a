"""Beside a maximization: the photos with the largest responses, and out of how many."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from explorer.core.errors import ExplorerError
from explorer.core.params import FolderRef, resolved
from explorer.engine.scene import Scene
from explorer.images.image import open_image
from explorer.images.samples import gallery
from explorer.networks.network import Network
from explorer.views.synthesis.activation_maximization import photos
from explorer.views.synthesis.activation_maximization.view import VIEW, Params
from explorer.vision.synthesis.objectives import LOGITS
from tests.toys import hook_count, toy_network

COUNT = 8


@pytest.fixture
def folder(tmp_path: Path) -> FolderRef:
    rng = np.random.default_rng(0)
    for number in range(COUNT):
        pixels = rng.integers(0, 256, (3, 4, 3)).astype(np.uint8)
        Image.fromarray(pixels).resize((64, 48)).save(tmp_path / f"{number}.png")
    return FolderRef(str(tmp_path))


def ranked(network: Network, layer: str, numbers: tuple[int, ...] | None, folder: FolderRef):
    ranking = photos.Ranking(network, layer, numbers, folder)
    for _ in range(ranking.total):
        ranking.advance()
    return ranking.top()


@torch.no_grad()
def output_of(network: Network, path: Path, layer: str) -> torch.Tensor:
    """What a layer gives, by a hook of the test's own."""
    found: list[torch.Tensor] = []
    hook = network.module.get_submodule(layer).register_forward_hook(
        lambda _module, _inputs, output: found.append(output.clone())
    )
    network.module(network.preprocess(open_image(path).pixels))
    hook.remove()
    return found[0][0]


def test_channels_are_ranked_by_their_largest_activation(folder: FolderRef) -> None:
    network = toy_network("classification")
    outputs = [output_of(network, path, "conv2") for path in sorted(Path(folder.path).iterdir())]
    top = ranked(network, "conv2", (3, 1), folder)
    assert (top.known, top.total) == (COUNT, COUNT)
    for row, channel in zip(top.rows, (3, 1), strict=True):
        expected = sorted((float(output[channel].max()) for output in outputs), reverse=True)
        assert [value for _, value, _ in row] == pytest.approx(expected[: photos.SHOWN], abs=1e-5)
        assert all(0 <= x <= photos.SIDE and 0 <= y <= photos.SIDE for _, _, (x, y) in row)
    assert hook_count(network.module) == 0


def test_a_layer_is_ranked_by_its_mean_square_and_a_class_by_its_logit(folder: FolderRef) -> None:
    network = toy_network("classification")
    paths = sorted(Path(folder.path).iterdir())
    ((*row,),) = ranked(network, "conv2", None, folder).rows
    best = max(float(output_of(network, path, "conv2").square().mean()) for path in paths)
    assert row[0][1] == pytest.approx(best, rel=1e-4)
    ((*row,),) = ranked(network, LOGITS, (1,), folder).rows
    with torch.no_grad():
        logits = [network.module(network.preprocess(open_image(p).pixels))[0, 1] for p in paths]
    assert row[0][1] == pytest.approx(float(max(logits)), abs=1e-5)
    assert row[0][2] is None


def test_the_network_remembers_its_responses(folder: FolderRef, monkeypatch) -> None:
    network = toy_network("classification")
    first = ranked(network, "conv2", (0,), folder)
    monkeypatch.setattr(photos, "_response", None)
    again = ranked(network, "conv2", (2, 0), folder)
    assert [entry[1] for entry in again.rows[1]] == [entry[1] for entry in first.rows[0]]


def test_a_photo_that_cannot_be_read_is_not_counted(folder: FolderRef, tmp_path: Path) -> None:
    (tmp_path / "broken.png").write_bytes(b"no picture")
    top = ranked(toy_network("classification"), "conv2", (0,), folder)
    assert (top.known, top.total) == (COUNT, COUNT + 1)
    assert photos.pane(top, ("channel 0",)).title.startswith(
        f"Top photos of {COUNT} of {COUNT + 1}"
    )


def test_they_come_beside_the_picture_one_after_the_other() -> None:
    scene = Scene(toy_network("classification"), None)
    params = resolved(Params(layer="conv2", channels="0, 2", size=32, steps=3), scene.network.info)
    results = [step.value for step in VIEW.compute(scene, params)]
    samples = len(gallery())
    assert [result.top.known for result in results[:4]] == [1, 2, 3, 4]
    assert len(results) == samples, "the rest of them after the last step"
    assert len(results[-1].grown.losses) == 3
    pane = VIEW.draw(results[-1], params).pane("photos")
    assert pane.title == f"Top photos of {samples} samples"
    assert pane is VIEW.draw(results[-1], params).pane("photos")
    assert (
        VIEW.draw(results[1], params).pane("photos").title
        == f"Top photos of 2 of {samples} samples"
    )
    data = VIEW.data(results[-1], params)
    assert data["photos"] == samples
    assert [len(row) for row in data["responses"]] == [photos.SHOWN] * 2


def test_an_empty_folder_is_said(tmp_path: Path) -> None:
    with pytest.raises(ExplorerError, match="no photos"):
        photos.Ranking(toy_network("classification"), "conv2", (0,), FolderRef(str(tmp_path)))
