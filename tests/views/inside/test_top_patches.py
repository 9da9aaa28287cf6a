"""Top patches are the cells with the largest activations, cut out of their photos."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from explorer.batch.index.store import PEAKS
from explorer.batch.ready import loaded
from explorer.core.layers import Boxes
from explorer.core.network_info import NetworkSpec
from explorer.core.storage import checkpoint as files
from explorer.images.image import open_image
from explorer.networks.hooks import captured
from explorer.networks.network import Network
from explorer.views.inside.top_patches import shipped
from explorer.views.inside.top_patches.view import VIEW
from explorer.views.shared.folders.album import album_of
from explorer.views.shared.folders.indexing import index_of
from tests.evaluation.sets import picture
from tests.toys import toy_image
from tests.views.inside.folders import convolutions, looked


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Red squares of growing brightness on black photos, at other places each."""
    for number in range(6):
        x, y = 4 + 8 * (number % 3), 6 + 8 * (number // 3)
        square = ((40 * number + 30, 0, 0), (x, y, x + 8, y + 8))
        picture(tmp_path / "photos" / f"{number}.png", square, size=(32, 32))
    return tmp_path / "photos"


def peak_of(network: Network, path: Path, channel: int) -> tuple[float, tuple[int, int]]:
    with torch.no_grad(), captured(network.module, ["conv1"]) as records:
        network.module(network.preprocess(open_image(path).pixels))
    values = records["conv1"][0][0, channel]
    return float(values.max()), divmod(int(values.argmax()), values.shape[1])


def test_photos_are_sorted_by_their_largest_activation(folder: Path) -> None:
    network = convolutions()
    steps, board, _ = looked(
        VIEW, network, toy_image(), folder, layer="conv1", channel=0, count=4
    )  # fmt: skip
    result = steps[-1].value
    assert [patch.name for patch in result.patches] == ["5.png", "4.png", "3.png", "2.png"]
    for patch in result.patches:
        value, cell = peak_of(network, folder / patch.name, 0)
        assert patch.value == pytest.approx(value, rel=1e-3)
        assert patch.cell == cell
        pixels = open_image(folder / patch.name).pixels
        x0, y0, x1, y1 = map(int, patch.xyxy)
        assert (x1 - x0, y1 - y0) == (1, 1), "a kernel of 1 x 1"
        np.testing.assert_array_equal(patch.crop, pixels[y0:y1, x0:x1])
        assert patch.crop[0, 0, 0] == pixels[..., 0].max()
    captions = next(e for e in board.pane("patches").layers if e.name == "captions")
    assert captions.labels == tuple(f"{patch.value:.3g}" for patch in result.patches)
    assert captions.width > 0, "boxes without frames have no fill in the window"
    frames = next(e for e in board.pane("patches").layers if e.name == "patches")
    assert (captions.xyxy[:, 3] < frames.xyxy[:, 1]).all(), "they are above their pictures"
    assert board.tables[0].photos[0] == str(folder / "5.png")
    np.testing.assert_allclose(result.peaks, [(40 * k + 30) / 255 for k in range(6)], rtol=2e-3)


def test_the_channel_is_the_one_by_which_the_photo_differs_most(
    folder: Path, tmp_path: Path
) -> None:
    blue = picture(tmp_path / "blue.png", ((0, 0, 255), (0, 0, 32, 32)), size=(32, 32))
    steps, board, _ = looked(VIEW, convolutions(), blue, folder, layer="conv1")
    result = steps[-1].value
    assert result.unusual == (), "blue never changes in the folder"
    assert result.channel == 2, "the largest activation then"
    red = picture(tmp_path / "red.png", ((255, 0, 0), (0, 0, 32, 32)), size=(32, 32))
    steps, board, _ = looked(VIEW, convolutions(), red, folder, layer="conv1")
    result = steps[-1].value
    assert result.channel == 0
    assert result.unusual[0][3] == 1, "the first of all photos"
    assert "rank 1" in board.summary
    assert board.tables[1].rows[0][0] == 0


def test_the_open_photo_shows_the_field_of_its_strongest_cell(folder: Path) -> None:
    steps, board, _ = looked(
        VIEW, convolutions(), folder / "4.png", folder, layer="conv1", channel=0
    )
    field = steps[-1].value.own_field
    pixels = open_image(folder / "4.png").pixels
    assert pixels[int(field[1]), int(field[0]), 0] == 190
    boxes = [layer for layer in board.pane("image").layers if isinstance(layer, Boxes)]
    np.testing.assert_array_equal(boxes[0].xyxy[0], field)


def test_without_the_deconvnet_there_are_crops_alone(folder: Path) -> None:
    steps, board, _ = looked(
        VIEW, convolutions(), toy_image(), folder, layer="conv2", deconvnet=False
    )
    assert all(patch.picture is None for patch in steps[-1].value.patches)
    wide = board.pane("patches").size
    steps, board, _ = looked(VIEW, convolutions(), toy_image(), folder, layer="conv2")
    assert any(patch.picture is not None for patch in steps[-1].value.patches)
    assert board.pane("patches").size != wide


def test_a_chosen_patch_is_shown_on_its_whole_photo(folder: Path) -> None:
    steps, _, params = looked(
        VIEW, convolutions(), toy_image(), folder, layer="conv1", channel=0, chosen=1
    )
    board = VIEW.draw(steps[-1].value, params)
    assert board.pane("source").title == "Photo of patch 2"
    assert board.pane("source").size == (32, 32)


def test_the_automatic_layer_has_fields_that_are_parts(folder: Path) -> None:
    steps, _, _ = looked(VIEW, convolutions(), toy_image(), folder)
    assert steps[-1].value.layer == "relu"


def test_a_vector_has_the_whole_photo_as_its_field(folder: Path) -> None:
    steps, board, _ = looked(VIEW, convolutions(), toy_image(), folder, layer="fc", channel=1)
    result = steps[-1].value
    assert result.patches[0].cell == (0, 0)
    assert result.patches[0].crop.shape == (31, 31, 3), (
        "the last row and column are no input of the stride of 2"
    )
    assert board.pane("image").layers


def test_crops_come_first_and_then_their_deconvnet_pictures(folder: Path) -> None:
    steps, _, params = looked(VIEW, convolutions(), toy_image(), folder, layer="conv2", count=3)
    crops = [step for step in steps if step.note == "patches"]
    assert len(crops) == 3
    assert all(patch.crop is not None for patch in crops[-1].value.patches)
    assert all(patch.picture is None for patch in crops[-1].value.patches)
    pictures = [step for step in steps if step.note == "deconvnet"]
    assert [sum(p.picture is not None for p in s.value.patches) for s in pictures] == [1, 2, 3]
    sizes = {VIEW.draw(step.value, params).pane("patches").size for step in crops + pictures}
    assert len(sizes) == 1, "the sheet does not change its shape meanwhile"


@pytest.fixture(scope="module")
def lite0() -> Network:
    return loaded(NetworkSpec(shipped.NETWORK, device="cpu"))


def test_the_shipped_index_is_what_the_network_computes(lite0: Network) -> None:
    """Two of the layers over three of the photos, computed again."""
    kept = files.read(shipped.shipped_file())
    assert kept is not None
    assert shipped.shipped_file().stat().st_size <= 400_000
    assert set(shipped.LAYERS) <= set(lite0.info.layer_names())
    assert set(kept.content["grids"]) == set(shipped.LAYERS)
    photos = album_of(None).photos[:3]
    again = shipped.made(lite0, ["act1", "blocks.4"], photos)
    assert again.content["of"] == kept.content["of"]
    for digest, size, number in zip(
        again.content["photos"], again.content["sizes"], range(3), strict=True
    ):
        place = kept.content["photos"].index(digest)
        assert kept.content["sizes"][place] == list(size)
        for layer in ("act1", "blocks.4"):
            assert kept.content["grids"][layer] == list(again.content["grids"][layer])
            old, new = kept.arrays[f"{layer} peak"][place], again.arrays[f"{layer} peak"][number]
            np.testing.assert_allclose(old, new, rtol=2e-3, atol=2e-3)
            same = kept.arrays[f"{layer} cell"][place] == again.arrays[f"{layer} cell"][number]
            assert same.mean() > 0.97, "but for ties"


def test_the_shipped_rows_are_used_in_place_of_forward_passes(lite0: Network) -> None:
    index = index_of(
        lite0, None, "blocks.2", PEAKS, lambda: shipped.shipped_rows(lite0, "blocks.2")
    )
    passes: list[object] = []
    handle = lite0.module.register_forward_pre_hook(lambda *_: passes.append(1))
    try:
        *_, last = index.fill(None)
    finally:
        handle.remove()
    assert last.complete
    assert len(last.entries) == len(album_of(None).photos)
    assert not passes


def test_other_weights_and_other_photos_have_no_shipped_rows(lite0: Network) -> None:
    assert len(shipped.shipped_rows(lite0, "blocks.4")) == len(album_of(None).photos)
    assert shipped.shipped_rows(lite0, "conv_stem") == {}
    assert shipped.shipped_rows(convolutions(), "conv1") == {}
    file = shipped.shipped_file()
    assert shipped.shipped_rows(lite0, "blocks.4", file.with_name("none.npz")) == {}


def test_a_photo_of_another_edition_is_computed(lite0: Network, tmp_path: Path) -> None:
    kept = files.read(shipped.shipped_file())
    assert kept is not None
    names = ["0" * 64, *kept.content["photos"][1:]]
    files.write(
        tmp_path / "other.npz", files.Checkpoint({**kept.content, "photos": names}, kept.arrays)
    )
    rows = shipped.shipped_rows(lite0, "blocks.4", tmp_path / "other.npz")
    assert len(rows) == len(names) - 1
