"""Scores are the sums that they are said to be, and OpenCV's filters give OpenCV's detections."""

from __future__ import annotations

from xml.etree import ElementTree

import numpy as np
import pytest

from explorer.images.image import open_image
from explorer.vision.dpm.features import scales
from explorer.vision.dpm.matching import (
    Border,
    bordered,
    detect,
    kept,
    placements,
    respond,
    root_box,
)
from explorer.vision.dpm.models import Component, Model, read_models
from tests.data import shared_data
from tests.vision.dpm.toy import toy_component, toy_model, toy_photo


def first_scale(interval=2, number=0):
    return [scale for _, _, scale in scales(toy_photo(), interval)][number]


@pytest.mark.parametrize("number", [0, 1])
def test_the_score_is_the_sum_of_root_parts_and_bias(number):
    scale, component = first_scale(number=number), toy_component()
    border = Border(2, 3)
    found = respond(scale, component, border)
    assert found is not None
    coarse, fine = bordered(scale.root.cells, 2, 3), bordered(scale.fine.cells, 4, 6)
    for row, column in ((0, 0), (3, 4), (found.root.shape[0] - 2, 2)):
        root = float((coarse[row : row + 4, column : column + 3] * component.root).sum())
        assert found.root[row, column] == pytest.approx(root, abs=1e-4)
        total = root + component.bias
        placed = placements(scale, component, found, border, row, column)
        for part, at in zip(component.parts, placed, strict=True):
            y = 2 * row + 1 + part.anchor[1] + at.dy
            x = 2 * column + 1 + part.anchor[0] + at.dx
            high, wide = part.filter.shape[:2]
            response = float((fine[y : y + high, x : x + wide] * part.filter).sum())
            assert at.response == pytest.approx(response, abs=1e-4)
            assert at.cost == pytest.approx(part.cost_of(at.dx, at.dy))
            total += response - at.cost
        assert found.score[row, column] == pytest.approx(total, abs=1e-3)


def test_a_part_at_its_anchor_lies_where_the_root_says():
    scale, component = first_scale(), toy_component()
    border = Border(2, 3)
    found = respond(scale, component, border)
    assert found is not None
    x0, y0, _, _ = root_box(scale, component, border, 4, 5)
    placed = placements(scale, component, found, border, 4, 5)
    for part, at in zip(component.parts, placed, strict=True):
        # anchors are in cells of 4 pixels from the root's corner
        assert at.anchor[0] == pytest.approx(x0 + 4 * part.anchor[0])
        assert at.anchor[1] == pytest.approx(y0 + 4 * part.anchor[1])
        assert at.box[0] - at.anchor[0] == pytest.approx(4 * at.dx)
        assert at.box[3] - at.box[1] == pytest.approx(4 * part.filter.shape[0])


def test_a_filter_finds_the_place_it_was_cut_from():
    scale = first_scale()
    root = scale.root.cells[3:7, 4:8].copy()
    model = Model("patch", (Component(root, (), 0.0),), -1.0)
    border = Border.of(model)
    found = respond(scale, model.components[0], border)
    assert found is not None
    row, column = np.unravel_index(found.score.argmax(), found.score.shape)
    assert (row - border.down, column - border.across) == (3, 4)
    best = detect(toy_photo(), model, interval=2)
    np.testing.assert_allclose(best.boxes[0], [40, 32, 72, 64])  # the first cell is at (8, 8)
    assert best.scores[0] == pytest.approx(float(np.square(root).sum()), rel=1e-5)
    assert best.places[0].tolist() == [0, 0, row, column]


def test_a_root_filter_that_does_not_fit_gives_nothing():
    assert respond(first_scale(), toy_component(cells=(40, 3)), Border(1, 1)) is None


def test_detections_are_sorted_and_none_lies_within_another():
    found = detect(toy_photo(), toy_model(), above=-0.3, interval=2)
    assert len(found.scores) > 3
    assert (np.diff(found.scores) <= 0).all()
    assert (found.scores > -0.3).all()
    assert (found.boxes >= 0).all()
    assert (found.boxes <= [96, 80, 96, 80]).all()
    assert len(kept(found.boxes)) == len(found.boxes)


def test_suppressed_is_what_lies_half_within_a_higher_scoring_box():
    boxes = np.array(
        [[0, 0, 99, 99], [10, 10, 49, 49], [60, 0, 139, 99], [40, 0, 139, 99]], np.float32
    )
    # the second lies wholly in the first, the third by a half, the fourth by 0.6
    assert kept(boxes).tolist() == [0, 2]
    assert kept(boxes[[1, 0]]).tolist() == [0, 1]  # the large one is not within the small one
    assert kept(boxes, 1.0).tolist() == [0, 1, 2, 3]


def expected(path, name):
    """OpenCV's detections: (N, 4) xyxy, (N,) scores, (N,) 0 = cat, 1 = car."""
    node = ElementTree.parse(path).getroot().find(name)
    assert node is not None
    assert node.text is not None
    rows = np.array(node.text.split(), np.float64).reshape(-1, 6)
    corners = np.concatenate([rows[:, :2], rows[:, :2] + rows[:, 2:4]], axis=1)
    return corners, rows[:, 4], rows[:, 5].astype(int)


@pytest.fixture(scope="module")
def classic():
    """The folder of filters and detections that OpenCV 2.4 was tested with."""
    folder = shared_data("weights/classic")
    if folder is None:
        pytest.skip("the shared test data are not here")
    return folder, read_models(folder / "dpm_voc2007_filters.npz")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("picture", "name", "count"), [("cat", "cat", 3), ("cat", "car", 14), ("cars", "car", 13)]
)
def test_the_filters_of_voc_give_the_detections_of_opencv(classic, picture, name, count):
    """Of cars.png most pixels lie in even areas, where the last digit of resizing decides."""
    folder, models = classic
    assert len(models) == 20
    xml = folder / "dpm_expected" / "results.xml"
    corners, scores, labels = expected(xml, f"detections12_{picture}")
    mine = labels == (0, 1)[name == "car"]
    found = detect(open_image(folder / "dpm_expected" / f"{picture}.png").pixels, models[name])
    assert len(found.scores) == mine.sum() == count
    np.testing.assert_allclose(found.scores, scores[mine], atol=1e-3)
    np.testing.assert_allclose(found.boxes, corners[mine], atol=1.0)


@pytest.mark.slow
def test_there_is_no_cat_among_the_cars(classic):
    folder, models = classic
    pixels = open_image(folder / "dpm_expected" / "cars.png").pixels
    assert not len(detect(pixels, models["cat"]).scores)
