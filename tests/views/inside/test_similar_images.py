"""Similar photos are those whose features point in the same direction."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from explorer.core.errors import ExplorerError
from explorer.core.layers import Boxes, Picture
from explorer.images.samples import gallery
from explorer.views.inside.similar_images.panes import on_map, placed_thumbnails
from explorer.views.inside.similar_images.view import VIEW
from tests.evaluation.sets import filled
from tests.toys import toy_image
from tests.views.inside.folders import colored, convolutions, looked, means


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return colored(tmp_path / "photos")


def test_photos_of_one_color_are_the_nearest(folder: Path) -> None:
    steps, board, _ = looked(VIEW, means(), folder / "green" / "green2.png", folder)
    result = steps[-1].value
    names = [result.names[row] for row in result.nearest]
    assert set(names[:3]) == {f"green/green{k}.png" for k in (0, 1, 3)}
    assert "green/green2.png" not in names, "the open photo itself"
    assert len(names) == 11
    a, b = np.array([24, 255, 24.0]), np.array([12, 255, 12.0])
    expected = 1 - a @ b / np.linalg.norm(a) / np.linalg.norm(b)
    found = dict(zip(names, result.distances, strict=True))
    assert found["green/green1.png"] == pytest.approx(expected, abs=2e-3)
    table = board.tables[0]
    assert [row[1] for row in table.rows] == names
    assert table.photos[0] == str(folder / names[0])
    sheet = board.pane("neighbors")
    boxes = next(layer for layer in sheet.layers if isinstance(layer, Boxes))
    assert boxes.keys == tuple(int(row) for row in result.nearest)


def test_each_color_is_a_cluster(folder: Path) -> None:
    steps, board, _ = looked(VIEW, means(), toy_image(), folder, clusters=3)
    labels = steps[-1].value.plane.labels
    assert [len(set(labels[k : k + 4].tolist())) for k in (0, 4, 8)] == [1, 1, 1]
    assert len(set(labels.tolist())) == 3
    assert [row[1] for row in board.tables[1].rows] == [4, 4, 4]


@pytest.mark.parametrize("method", ["PCA", "t-SNE"])
def test_the_map_has_all_photos_with_their_pictures(folder: Path, method: str) -> None:
    steps, board, _ = looked(VIEW, means(), toy_image(), folder, method=method)
    result = steps[-1].value
    assert result.plane.method == method
    assert len(result.plane.xy) == 12
    width, height = board.pane("map").size
    assert (result.plane.xy >= 0).all()
    assert (result.plane.xy <= [width, height]).all()
    assert isinstance(board.pane("map").layers[0], Picture)
    assert set(result.thumbnails) >= set(result.nearest.tolist())
    near = np.linalg.norm(result.plane.xy - result.plane.xy[0], axis=1)
    assert set(np.argsort(near)[:4].tolist()) == {0, 1, 2, 3}


@pytest.mark.parametrize("method", ["PCA", "t-SNE"])
def test_a_photo_of_the_folder_is_where_it_is_on_the_map(folder: Path, method: str) -> None:
    steps, _, _ = looked(VIEW, means(), folder / "red" / "red1.png", folder, method=method)
    result = steps[-1].value
    assert [result.names[row] for row in result.same] == ["red/red1.png"]
    np.testing.assert_allclose(result.plane.query, result.plane.xy[result.same[0]], atol=0.5)


def test_another_photo_is_looked_up_without_computing_the_folder_again(folder: Path) -> None:
    network = means()
    looked(VIEW, network, toy_image(), folder)
    runs: list[int] = []
    handle = network.module.register_forward_pre_hook(lambda _, given: runs.append(len(given[0])))
    steps, _, _ = looked(VIEW, network, folder / "red" / "red0.png", folder)
    handle.remove()
    assert sum(runs) == 1, "the open photo alone"
    assert steps[-1].value.names[steps[-1].value.nearest[0]].startswith("red/")


def test_the_samples_are_the_folder_where_none_is_chosen() -> None:
    cat = next(each for each in gallery() if each.name == "cat")
    steps, board, _ = looked(VIEW, convolutions(), cat.load(), None)
    result = steps[-1].value
    photos = [each.title for each in gallery() if each.path is not None]
    assert list(result.names) == photos
    assert [result.names[row] for row in result.same] == [cat.title]
    assert len(result.nearest) == len(photos) - 1
    assert "the samples" in board.summary


def test_while_the_first_photos_are_on_their_way_there_is_a_board(folder: Path) -> None:
    steps, _, params = looked(VIEW, means(), toy_image(), folder)
    first = VIEW.draw(steps[0].value, params)
    assert steps[0].value.names == ()
    assert "12 photos" in first.summary
    assert [step.done for step in steps] != [12]


def test_photos_that_cannot_be_read_are_noted(folder: Path) -> None:
    (folder / "red" / "broken.png").write_bytes(b"none")
    steps, board, _ = looked(VIEW, means(), toy_image(), folder)
    assert steps[-1].value.failed == 1
    assert any("broken.png" in note for note in board.notes)


def test_a_folder_without_photos_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(ExplorerError, match="There are no photos in"):
        looked(VIEW, means(), toy_image(), tmp_path)


def test_a_single_photo_has_no_plane_to_speak_of(tmp_path: Path) -> None:
    filled(tmp_path / "photos" / "one.png", (250, 10, 10))
    for method in ("PCA", "t-SNE"):
        steps, board, _ = looked(VIEW, means(), toy_image(), tmp_path / "photos", method=method)
        assert len(steps[-1].value.nearest) == 1
        assert len(board.panes) == 3


def test_thumbnails_hardly_overlap_and_the_important_ones_come_first() -> None:
    xy = on_map(np.random.default_rng(0).normal(size=(500, 2)).astype(np.float32))
    order = [123, *range(500)]
    shown, side = placed_thumbnails(xy, list(dict.fromkeys(order)))
    assert shown[0] == 123
    apart = np.abs(xy[shown][:, None] - xy[shown][None]).max(-1)
    np.fill_diagonal(apart, np.inf)
    assert apart.min() >= 0.7 * side
