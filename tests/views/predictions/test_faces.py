"""From a photo to distances: what is drawn is what the networks gave."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import pytest
import torch

from explorer.core.errors import ExplorerError
from explorer.core.layers import Boxes
from explorer.core.params import FolderRef, ImageRef
from explorer.engine.references import Opened
from explorer.engine.scene import Moment, Scene
from explorer.images.image import from_array
from explorer.networks.faces.cascade import Cascade
from explorer.networks.faces.embedding import FaceEmbedding
from explorer.networks.faces.mtcnn import load_cascade
from explorer.views.predictions.faces import comparing, finding, view
from explorer.views.predictions.faces import reader as reading
from explorer.views.predictions.faces.reader import Reader
from explorer.views.predictions.faces.view import ALIGN, COMPARE, VIEW, Params, compute, draw
from explorer.vision.faces.cascade import Settings, found_faces
from tests.networks.faces.installed_faces import needs_mtcnn

pytestmark = needs_mtcnn


@pytest.fixture(scope="module")
def astronaut() -> np.ndarray:
    photo = pytest.importorskip("skimage.data").astronaut()
    return np.ascontiguousarray(photo[20:220, 120:340])


@pytest.fixture
def own(monkeypatch) -> Reader:
    """The real cascade, and a network for embeddings from a seed."""
    torch.manual_seed(0)
    found = Reader(load_cascade(), FaceEmbedding().eval())
    monkeypatch.setattr(view, "reader", lambda: found)
    return found


def last(scene: Scene, params: Params) -> Any:
    (*_, step) = compute(scene, params)
    return step.value


def test_the_stages_end_with_the_faces_of_the_cascade(own, astronaut):
    scene = Scene(None, from_array(astronaut, "a"))
    steps = list(compute(scene, Params()))
    result = steps[-1].value
    assert len(steps) == len(result.levels) + 3
    expected = found_faces(own.cascade, astronaut, Settings())
    np.testing.assert_array_equal(result.read.faces.boxes, expected.boxes)
    np.testing.assert_array_equal(result.read.faces.points, expected.points)
    assert len(expected) == 1
    board = draw(result, Params())
    assert [pane.name for pane in board.panes] == ["image", "pyramid", "proposals", "refined"]
    assert "1 face of" in board.summary
    boxes = next(each for each in board.pane("image").layers if each.name == "faces")
    np.testing.assert_array_equal(boxes.xyxy, expected.boxes)


def test_the_map_and_the_window_cut_out_agree_in_the_table(own, astronaut):
    result = last(Scene(None, from_array(astronaut, "a")), Params())
    rows = finding.levels_table(result).rows
    assert len(rows) == len(result.levels) > 3
    for row in rows:
        assert row[6] == pytest.approx(row[7], abs=2e-5)


def test_the_cost_of_windows_is_counted_by_hand():
    whole, windows = finding.multiplications(12, 12)
    one = 100 * 270 + 9 * 1440 + 4608 + 192
    assert (whole, windows) == (one, one)
    whole, windows = finding.multiplications(14, 12)  # two windows
    assert windows == 2 * one
    assert whole == 120 * 270 + 12 * 1440 + 2 * 4608 + 2 * 192


def test_a_place_of_the_pyramid_reads_its_cell(own, astronaut):
    result = last(Scene(None, from_array(astronaut, "a")), Params())
    pane = draw(result, Params()).pane("pyramid")
    level = result.levels[1]
    x, y = finding.corners(result.levels)[1]
    row, column = np.unravel_index(int(level.scores.argmax()), level.scores.shape)
    words = pane.readout(x + 2 * column + 6, y + 2 * row + 6)
    assert words.startswith(f"level 2, cell ({row}, {column})")
    assert words.endswith(f"score {level.scores.max():.3f}")
    windows = next(each for each in pane.layers if each.name == "windows")
    corner = (x + 2 * column, y + 2 * row)
    assert windows.xyxy[1].tolist() == [*corner, corner[0] + 12, corner[1] + 12]


def test_levels_do_not_overlap():
    torch.manual_seed(0)
    cascade, pixels = Cascade(), np.zeros((90, 200, 3), np.uint8)
    levels = tuple(
        finding_level(cascade, pixels, scale) for scale in (1.0, 0.709, 0.5, 0.36, 0.25)
    )  # fmt: skip
    covered = np.zeros((400, 600), int)
    for (x, y), level in zip(finding.corners(levels), levels, strict=True):
        height, width = level.pixels.shape[:2]
        covered[y : y + height, x : x + width] += 1
        assert x % 2 == y % 2 == 1
    assert covered.max() == 1


def finding_level(cascade, pixels, scale):
    return view.stages.level(cascade, pixels, scale, 0.6)


def test_live_there_is_one_step_and_no_second_pass(own, astronaut):
    scene = Scene(None, from_array(astronaut, "a"), moment=Moment(3, 0.1))
    (step,) = compute(scene, Params())
    assert step.value.alone == ()
    assert len(step.value.read.faces) == 1
    assert draw(step.value, Params()).pane("pyramid")


def test_an_aligned_face_is_upright(own, astronaut):
    middle = (astronaut.shape[1] / 2, astronaut.shape[0] / 2)
    turn = cv2.getRotationMatrix2D(middle, 20, 1.0)
    tilted = cv2.warpAffine(
        astronaut, turn, astronaut.shape[1::-1], borderMode=cv2.BORDER_REPLICATE
    )
    for pixels, degrees in ((astronaut, 0), (tilted, 20)):
        result = last(Scene(None, from_array(np.ascontiguousarray(pixels), "a")), Params())
        assert result.read.changes[0].degrees == pytest.approx(degrees, abs=6)
        eyes = result.read.changes[0](result.read.faces.points[0])[:2]
        assert abs(eyes[0, 1] - eyes[1, 1]) < 3
        board = draw(result, Params(show=ALIGN))
        assert [pane.name for pane in board.panes] == ["alignment", "image", "embedding"]


def test_a_photo_is_at_no_distance_from_itself(own, astronaut):
    image, ref = from_array(astronaut, "a"), ImageRef("cat")
    scene = Scene(None, image, opened=Opened({}, {ref: image}))
    params = Params(show=COMPARE, other=ref)
    result = last(scene, params)
    assert view.data(result, params)["distances"][0, 0] == pytest.approx(0, abs=1e-5)
    board = draw(result, params)
    assert board.pane("pairs").title == "0.00: one person"
    boxes = next(each for each in board.pane("other").layers if isinstance(each, Boxes))
    assert boxes.labels == ("0.00",)


def test_a_folder_with_persons(own, astronaut, tmp_path):
    for name, pixels in (
        ("ann/1.png", astronaut),
        ("ann/2.png", astronaut[:, ::-1]),
        ("bo/1.png", astronaut[8:, 8:]),
        ("empty.png", astronaut[:60, :60]),
    ):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        cv2.imwrite(str(tmp_path / name), np.ascontiguousarray(pixels[..., ::-1]))
    before = sorted(tmp_path.rglob("*"))
    params = Params(show=COMPARE, folder=FolderRef(str(tmp_path)))
    result = last(Scene(None, from_array(astronaut, "a")), params)
    gallery = result.gallery
    assert sorted(gallery.people) == ["ann", "ann", "bo"]
    assert gallery.without == 1
    assert sorted(tmp_path.rglob("*")) == before, "nothing is stored"
    board = draw(result, params)
    nearest = next(table for table in board.tables if table.name == "nearest")
    assert nearest.rows[0][1:4] == ("ann", "ann/1.png", pytest.approx(0, abs=1e-3))
    assert nearest.photos[0].endswith("1.png")
    apart, same = comparing.own_pairs(gallery)
    assert len(apart) == 3
    assert same.sum() == 1
    one = draw(result, Params(show=COMPARE, folder=params.folder, threshold=2.0))
    assert one.pane("persons").title == "1 cluster of 3 faces"
    again = list(compute(Scene(None, from_array(astronaut, "a")), params))
    assert again[-1].value.gallery is gallery, "it is not read twice"


def test_a_photo_without_a_face_says_so(own):
    gray = np.full((100, 120, 3), 128, np.uint8)
    result = last(Scene(None, from_array(gray, "gray")), Params())
    assert len(result.read.faces) == 0
    assert "0 faces" in draw(result, Params()).summary
    for show in (ALIGN, COMPARE):
        assert any("No face was found" in note for note in draw(result, Params(show=show)).notes)


def test_without_the_embedding_faces_are_found_and_aligned(monkeypatch, astronaut):
    monkeypatch.setattr(view, "reader", lambda: Reader(load_cascade(), None))
    scene = Scene(None, from_array(astronaut, "a"))
    result = last(scene, Params())
    board = draw(result, Params(show=COMPARE))
    assert [pane.name for pane in board.panes] == ["alignment", "image"]
    assert any("does not come with this version" in note for note in board.notes)
    with pytest.raises(ExplorerError, match="does not come with this version"):
        last(scene, Params(folder=FolderRef(".")))


def test_small_photos_of_a_gallery_are_enlarged_and_large_ones_reduced():
    assert reading.sized(np.zeros((64, 64, 3), np.uint8)).shape == (160, 160, 3)
    assert reading.sized(np.zeros((1600, 400, 3), np.uint8)).shape == (800, 200, 3)
    same = np.zeros((200, 300, 3), np.uint8)
    assert reading.sized(same) is same


def test_rates_at_a_threshold_are_read_off_the_curve():
    known = np.array([(0.2, 0.0, 0.4), (0.6, 0.1, 0.8), (1.0, 1.0, 1.0)])
    words = comparing.rates_at(known, 0.4)
    assert words == "accepts 60.0% of pairs of one person and 5.0% of two"
    assert comparing.rates_at(None, 0.4) == ""


def test_it_needs_no_network():
    assert not VIEW.needs.network
    assert VIEW.live
