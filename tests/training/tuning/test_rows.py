from __future__ import annotations

import pytest
import torch

from explorer.core.errors import ExplorerError
from explorer.training.lessons.lite.detector import shipped
from explorer.training.tuning.rows import NEW, check_tunable, module_for, rows_for
from tests.toys import toy_network
from tests.training.tuning.own_folders import CLASSES, tunable_network

SCORES = "roi_heads.box_predictor.cls_score."


def test_classes_are_found_by_name_synonym_and_singular():
    rows = rows_for(("sofa", "owl", "Person", "cars", "pedestrian", "background"), CLASSES)
    assert rows.sources == (3, NEW, 1, 2, 1, NEW)
    assert rows.known_as == ("couch", "", "person", "car", "person", "")
    assert rows.new == ("owl", "background")


def test_a_network_with_a_word_of_its_own_keeps_it():
    rows = rows_for(("man", "bus", "buses"), ("background", "man", "person", "bus"))
    assert rows.sources == (1, 3, NEW)


def test_kept_rows_are_the_networks_and_new_ones_come_of_the_seed():
    network = tunable_network()
    rows = rows_for(("owl", "sofa"), CLASSES)
    first, again, other = (module_for(network, rows, seed).state_dict() for seed in (0, 0, 1))
    before = shipped("", first)  # as it is used
    own = network.module.state_dict()
    for kind in ("weight", "bias"):
        theirs, ours = own[SCORES + kind], before[SCORES + kind]
        assert torch.allclose(ours[[0, 2]], theirs[[0, 3]], atol=1e-6)
        assert torch.equal(first[SCORES + kind], again[SCORES + kind])
    new = first[f"{SCORES}weight"][1]
    mean = own[f"{SCORES}weight"][1:].mean(0)
    assert 0 < float((new - mean).abs().max()) < 0.06
    assert not torch.equal(new, other[f"{SCORES}weight"][1])
    rest = {name for name in own if "box_predictor" not in name}
    assert all(torch.equal(own[name], first[name]) for name in rest)


def test_networks_of_another_kind_are_refused():
    check_tunable(tunable_network())
    with pytest.raises(ExplorerError, match="cannot be fine-tuned here"):
        check_tunable(toy_network("detection"))
    with pytest.raises(ExplorerError, match="cannot be fine-tuned here"):
        check_tunable(toy_network("classification"))
