"""OpenCV's tables of BING are read as they are meant, and nothing else is."""

from __future__ import annotations

import gzip
from pathlib import Path

import cv2
import numpy as np
import pytest

from explorer.core.errors import ExplorerError
from explorer.images.samples import sample
from explorer.vision.detection.boxes import iou_matrix
from explorer.vision.proposals.bing import binarized_scores, bing, resized_for
from explorer.vision.proposals.bing_files import NAME, PARTS, read_bing
from explorer.vision.proposals.methods import propose
from explorer.vision.proposals.tables import tables
from tests.data import shared_data


def write(folder: Path, part: str, values: np.ndarray, kind: str = "f") -> None:
    numbers = ", ".join(str(value) for value in values.ravel().tolist())
    text = (
        f"%YAML:1.0\n{NAME}: !!opencv-matrix\n   rows: {len(values)}\n   cols: {values.shape[1]}\n"
        f"   dt: {kind}\n   data: [ {numbers} ]\n"
    )
    (folder / f"{NAME}.{part}.yml.gz").write_bytes(gzip.compress(text.encode()))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write(tmp_path, "wS1", np.linspace(-1, 1, 64, dtype=np.float32).reshape(8, 8))
    write(tmp_path, "wS2", np.array([[1.0, -1.0], [0.5, -2.0]]))
    write(tmp_path, "idx", np.array([[0], [33]]), "i")
    return tmp_path


def test_the_numbers_are_those_of_the_files(folder: Path) -> None:
    known = read_bing(folder)
    np.testing.assert_allclose(known.bing_filter.ravel(), np.linspace(-1, 1, 64), atol=1e-6)
    assert known.bing_sizes.tolist() == [[16, 16], [128, 512]], "33 = 5 * 6 + 3: width, height"
    # A score there is in units of 16: the lowest of four bits.
    assert known.bing_lines.tolist() == [[1 / 16, -1], [0.5 / 16, -2]]
    np.testing.assert_array_equal(known.prim_weights, tables().prim_weights)
    assert read_bing(folder) is known


def test_a_window_taller_than_the_photo_is_cut_to_it() -> None:
    pixels = np.zeros((300, 400, 3), np.uint8)  # 384 x 512
    assert resized_for(pixels, (128, 512)) is None
    cut = resized_for(pixels, (128, 512), 2.0)
    assert cut is not None
    assert cut.shape == (8, 32, 3)
    assert resized_for(pixels, (128, 900), 2.0) is None


def test_scores_are_what_the_tables_say(folder: Path) -> None:
    shown = sample("cat")
    assert shown is not None
    pixels, known = shown.load().pixels, read_bing(folder)
    boxes, odds = bing(pixels, 50, 0, known)
    assert (np.diff(odds) <= 0).all()
    found = propose("BING", pixels, 50, known=known)
    assert len(found.boxes) == len(boxes) == 50
    sides = (boxes[:, 2:] - boxes[:, :2]) * 512 / max(pixels.shape[:2])
    small = np.abs(sides - 16).max(axis=1) < 2
    tall = np.abs(sides[:, 0] - 128) < 6
    assert (small | tall).all()
    assert binarized_scores(np.zeros((8, 8), np.uint8), known.bing_filter)[0, 0] == 0


def damaged(folder: Path) -> None:
    (folder / f"{NAME}.wS1.yml.gz").write_bytes(b"no gzip")


def cut_short(folder: Path) -> None:
    path = folder / f"{NAME}.wS2.yml.gz"
    path.write_bytes(path.read_bytes()[:-12])


def other_text(folder: Path) -> None:
    (folder / f"{NAME}.idx.yml.gz").write_bytes(gzip.compress(b"%YAML:1.0\nsomething: 3\n"))


def too_long(folder: Path) -> None:
    (folder / f"{NAME}.idx.yml.gz").write_bytes(gzip.compress(b" " * 2**23))


@pytest.mark.parametrize("spoil", [damaged, cut_short, other_text, too_long])
def test_other_files_are_refused(folder: Path, spoil) -> None:
    spoil(folder)
    with pytest.raises(ExplorerError, match=r"is no table of OpenCV's BING") as caught:
        read_bing(folder)
    assert "wS1.yml.gz" in caught.value.hint


def test_numbers_that_do_not_fit_are_refused(folder: Path) -> None:
    write(folder, "idx", np.array([[0], [36]]), "i")
    with pytest.raises(ExplorerError, match="do not fit together"):
        read_bing(folder)


def test_a_wrong_folder_is_told_in_a_sentence(tmp_path: Path) -> None:
    for place in (tmp_path, tmp_path / "nothing"):
        with pytest.raises(ExplorerError, match=r"has no BING tables: ObjNess.*is missing"):
            read_bing(place)


@pytest.mark.slow
def test_opencvs_own_tables_give_nearly_its_boxes(tmp_path: Path) -> None:
    """Its windows come from a resize without averaging, and others of them are dropped."""
    place = shared_data("weights/classic/bing")
    if place is None:
        pytest.skip("the shared test data are not here")
    assert {path.name for path in place.iterdir()} >= {f"{NAME}.{part}.yml.gz" for part in PARTS}
    shown = sample("cat")
    assert shown is not None
    pixels = shown.load().pixels
    factor = 512 / max(pixels.shape[:2])
    pixels = cv2.resize(pixels, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
    theirs = cv2.saliency.ObjectnessBING_create()
    theirs.setTrainingPath(str(place))
    theirs.setBBResDir(str(tmp_path))
    _, found = theirs.computeSaliency(np.ascontiguousarray(pixels[:, :, ::-1]))
    expected = found.reshape(-1, 4)[:20].astype(np.float32) - np.array([1, 1, 0, 0], np.float32)
    near = []
    for known in (read_bing(place), None):
        boxes, _ = bing(np.asarray(pixels, np.uint8), 100, 0, known)
        near.append(float((iou_matrix(expected, boxes).max(axis=1) > 0.7).mean()))
    print(near)
    assert near[0] >= 0.5
    assert near[0] > near[1]
