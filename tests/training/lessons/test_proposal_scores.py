import json
from dataclasses import fields

import numpy as np
import pytest

from explorer.core.errors import ExplorerError
from explorer.core.resources import resource_path
from explorer.training.lessons import proposal_scores
from explorer.training.lessons.proposal_scores import held, logistic, template_cells
from explorer.training.lessons.registry import Material
from explorer.vision.proposals.tables import Tables, tables
from tests.training.pool_toy import write_pool


def test_the_cells_of_a_box_have_its_edges():
    pixels = np.full((60, 80, 3), 50, np.uint8)
    pixels[20:40, 30:50] = 250
    cells = template_cells(pixels, np.array([30, 20, 50, 40], np.float32))
    assert cells.shape == (8, 8)
    assert cells[3:5, 0].min() > 100
    assert cells[0, 3:5].min() > 100
    assert cells[2:6, 2:6].max() == 0
    assert template_cells(pixels, np.array([30, 20, 50, 27], np.float32)) is None


def test_which_part_of_a_superpixel_a_box_holds():
    labels = np.array([[0, 0, 1, 1], [0, 0, 1, 1]], np.int32)
    boxes = np.array([[0, 0, 3, 2], [1, 1, 2, 2]], np.float32)
    assert held(labels, boxes).tolist() == [[1, 0.5], [0.25, 0]]


def test_log_odds_rise_with_what_makes_a_hit():
    rng = np.random.default_rng(0)
    values = rng.normal(100, 10, (4000, 1))
    hit = rng.random(4000) < 1 / (1 + np.exp(-(values[:, 0] - 105) / 5))
    weights, offset = logistic(values, hit)
    assert weights[0] == pytest.approx(0.2, rel=0.1)
    assert offset == pytest.approx(-21, rel=0.1)
    weights, offset = logistic(values, np.zeros(4000, np.bool_))
    assert (weights.tolist(), offset) == ([0], 0)


def test_the_lesson_writes_tables_that_propose_boxes(tmp_path, monkeypatch):
    for name, few in (("EACH", 12), ("LEAST", 3), ("BING_PHOTOS", 8), ("OTHER_PHOTOS", 6),
                      ("HELD_OUT", 2)):  # fmt: skip
        monkeypatch.setattr(proposal_scores, name, few)
    monkeypatch.setattr("explorer.vision.proposals.bing.SIDES", (160, 320))
    folder = write_pool(tmp_path / "data", count=40)
    proposal_scores.fit("proposal-scores", Material(folder, tmp_path), tmp_path / "out")
    with np.load(tmp_path / "out" / proposal_scores.FILE) as file:
        known = Tables(*(file[each.name] for each in fields(Tables) if not each.kw_only))
        figures = json.loads(str(file["figures"]))
    assert known.bing_filter.shape == (8, 8)
    assert known.bing_sizes.shape == known.bing_lines.shape
    assert len(known.bing_sizes) >= 1
    assert (np.diff(known.cue_edges, axis=1) >= 0).all()
    assert known.cue_ratios.shape == (4, proposal_scores.BINS)
    assert known.cue_ratios[3, -1] > known.cue_ratios[3, 0]  # objects straddle little
    assert known.rahtu_weights[0] > 0
    assert known.prim_weights.shape == (4,)
    assert len(figures) == 8
    assert figures["Rahtu: recall of 1000 at IoU 0.5"] > 0.9


def test_photos_without_objects_are_refused(tmp_path):
    folder = write_pool(tmp_path / "data", count=4)  # too few objects of each category
    with pytest.raises(ExplorerError, match="enough high-scoring objects"):
        proposal_scores.fit("proposal-scores", Material(folder, tmp_path), tmp_path / "out")


def test_the_file_that_ships_is_small_and_says_what_it_finds():
    path = resource_path("weights", proposal_scores.FILE)
    assert path.stat().st_size < 10_000
    known = tables()
    assert len(known.bing_sizes) >= 15
    with np.load(path) as file:
        figures = json.loads(str(file["figures"]))
    assert figures["Rahtu: recall of 1000 at IoU 0.5"] > 0.5
