"""Sliders add what they say, folders and bases are read, and the search goes to its target."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from explorer.core.errors import ExplorerError
from explorer.core.params import Box, FolderRef
from explorer.core.resources import resource_path
from explorer.engine.scene import Scene
from explorer.views.synthesis.semantic_sliders.panes import Result
from explorer.views.synthesis.semantic_sliders.view import VIEW, Params
from explorer.vision.latent import pca
from tests.toys import MeanClassifier, make_network, toy_image, toy_network

CLASSES = ("red", "green", "blue")


def run(scene: Scene, **changes: object) -> list[Result]:
    return [step.value for step in VIEW.compute(scene, Params(**changes))]


def toy() -> Scene:
    return Scene(toy_network("classification"), toy_image())


def colored(folder, count: int = 30, size: tuple[int, int] = (10, 8)) -> FolderRef:
    """Pictures of one random color each: three directions of variance."""
    folder.mkdir()
    rng = np.random.default_rng(0)
    for number in range(count):
        color = tuple(int(value) for value in rng.integers(60, 200, 3))
        Image.new("RGB", size, color).save(folder / f"{number}.png")
    return FolderRef(str(folder))


def test_sliders_add_deviations_to_the_coefficients() -> None:
    scene = toy()
    (result,) = run(scene, components=12)
    assert result.source is not None
    basis = result.source.basis
    assert basis.shape == (72, 40, 3), "the people that ship"
    assert "1,600 pictures of people" in VIEW.draw(result, Params()).summary
    params = Params(components=12, c1=1.5, c3=-2.0)
    expected = result.projected[:12].copy()
    expected[0] += 1.5
    expected[2] -= 2.0
    data = VIEW.data(result, params)
    np.testing.assert_allclose(data["picture"], basis.picture(expected), atol=1e-6)
    board = VIEW.draw(result, params)
    assert board.pane("pictures").title == "Changed by the sliders"
    assert VIEW.draw(result, Params()).pane("pictures").title != "Changed by the sliders"
    assert (board.plots[0].marker, board.plots[0].steers) == (12.0, "components")


def test_starts_and_details() -> None:
    (mean,) = run(toy(), start="the mean picture")
    assert not mean.start.any()
    assert mean.projected.any()
    (exact,) = run(toy(), details=True)
    picture = VIEW.data(exact, Params())["picture"]
    np.testing.assert_allclose(picture, exact.part, atol=1e-5)


def test_a_folder_of_pictures(tmp_path) -> None:
    folder = colored(tmp_path / "colors")
    Image.new("RGB", (30, 30), "red").save(tmp_path / "colors" / "z.png")
    steps = list(VIEW.compute(toy(), Params(folder=folder)))
    assert [(step.done, step.total) for step in steps[:-1]] == [(0, 31), (20, 31)]
    assert VIEW.draw(steps[0].value, Params()).summary == "0 of 31 pictures read"
    result = steps[-1].value
    assert len(result.source.basis) == 3
    board = VIEW.draw(result, Params(c1=1.0))
    assert board.notes == ("1 picture of another size than the first one: resized to 10 x 8.",)
    assert board.idle == ("c4", "c5", "c6", "c7", "c8")
    assert "31 pictures of colors: 3 of 3 components explain 100.0%" in board.summary
    np.testing.assert_allclose(result.source.basis.ratios.sum(), 1.0, atol=1e-4)


def test_the_basis_is_kept_for_the_next_photo(tmp_path) -> None:
    folder = colored(tmp_path / "colors", 3)
    network = toy_network("classification")
    first = list(VIEW.compute(Scene(network, toy_image()), Params(folder=folder)))
    second = list(VIEW.compute(Scene(network, toy_image(seed=1)), Params(folder=folder)))
    assert (len(first), len(second)) == (2, 1)
    assert first[-1].value.source is second[0].value.source


def test_a_folder_with_a_basis(tmp_path) -> None:
    rng = np.random.default_rng(0)
    basis = pca.fit(rng.random((9, 6, 4, 3), np.float32), 4)
    (tmp_path / pca.FILE).write_bytes(pca.packed(basis, {}))
    (result,) = run(toy(), folder=FolderRef(str(tmp_path)))
    assert result.source is not None
    assert result.source.title == "9 pictures"
    assert result.part.shape == (6, 4, 3)


def test_bad_folders(tmp_path) -> None:
    with pytest.raises(ExplorerError, match="no pictures"):
        run(toy(), folder=FolderRef(str(tmp_path)))
    colored(tmp_path / "one", 1)
    with pytest.raises(ExplorerError, match="two different pictures"):
        run(toy(), folder=FolderRef(str(tmp_path / "one")))


def test_the_region_is_the_box() -> None:
    (result,) = run(toy(), box=Box(10, 5, 40, 35))
    assert result.box == (10, 5, 40, 35)
    assert VIEW.draw(result, Params()).boxes("region").xyxy.tolist() == [[10, 5, 40, 35]]
    (middle,) = run(toy())
    assert middle.box == (19, 0, 45, 48)
    (tiny,) = run(Scene(toy_network("classification"), toy_image(1, 1)))
    assert tiny.box == (0, 0, 1, 1)


def test_the_search_makes_the_class_probable(tmp_path) -> None:
    folder = colored(tmp_path / "colors")
    network = make_network(MeanClassifier((20.0, 20.0, 20.0)), "classification", classes=CLASSES)
    scene = Scene(network, toy_image())
    results = run(scene, folder=folder, search=True, of="green", steps=40, decay=0.0)
    walk = results[-1].walk
    assert walk is not None
    assert walk.coefficients.shape == (41, 3)
    assert walk.values[-1] > max(0.9, walk.values[0])
    assert np.abs(walk.coefficients).max() <= 3.0
    basis = results[-1].source.basis
    color = basis.picture(walk.coefficients[-1]).mean((0, 1)).clip(0, 1)
    size = scene.input().shape[-2:]
    # the picture fills a part of the input, the rest is gray; the classifier averages over all
    high = min(size[0], round(8 * min(size[0] / 8, size[1] / 10)))
    wide = min(size[1], round(10 * min(size[0] / 8, size[1] / 10)))
    part = high * wide / (size[0] * size[1])
    scores = torch.tensor(20.0 * (part * color + (1 - part) * 0.5))
    assert walk.values[-1] == pytest.approx(float(scores.softmax(0)[1]), abs=2e-3)
    board = VIEW.draw(results[-1], Params())
    assert board.pane("path").layers[0].rgb.shape[0] > 100
    assert board.pane("pictures").title.startswith("Search: green")


def test_a_network_of_one_output_is_led_to_a_number() -> None:
    class Brightness(nn.Module):
        """An output that can be computed by hand: 100 times the mean of all pixels."""

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return 100 * x.mean((1, 2, 3))[:, None]

    network = make_network(Brightness(), "classification", classes=("brightness",))
    results = run(Scene(network, toy_image()), search=True, value=55.0, steps=60, decay=0.0)
    walk = results[-1].walk
    assert walk is not None
    assert walk.name == ""
    assert walk.outputs[-1] == pytest.approx(55.0, abs=1.0)
    assert "Output, target 55" in [plot.title for plot in VIEW.draw(results[-1], Params()).plots]


def test_the_basis_that_ships_is_what_its_card_says() -> None:
    path = resource_path("basis", pca.FILE)
    card = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
    basis = pca.read_basis(path)
    assert path.stat().st_size == card["bytes"] <= 1_000_000
    assert (basis.count, len(basis)) == (card["pictures"], card["components"])
    with np.load(path, allow_pickle=False) as file:
        assert json.loads(str(file["figures"])) == card["metrics"]
    assert all(card[entry] for entry in ("data", "license", "date"))
    products = basis.components @ basis.components.T
    np.testing.assert_allclose(products, np.eye(len(basis)), atol=0.02)
