"""The figures on the cards of the localizers, computed again."""

import json

import pytest
import torch

from explorer.core.network_info import NetworkSpec
from explorer.core.resources import resource_path
from explorer.networks import catalog
from explorer.training.lessons.lite.localizer import TOGETHER, localization, networks, voc_windows
from tests.data import shared_data
from tests.steps import finish

TOLERANCE = 0.01


def network_and_card(name):
    card = json.loads(resource_path("weights", f"{name}.json").read_text(encoding="utf-8"))
    network, _ = finish(catalog.load(NetworkSpec(name, device="cpu")))
    assert network.info.state == "shipped"
    return network.module, card


@pytest.fixture(scope="module")
def windows():
    folder = shared_data("voc-mini")
    if folder is None:
        pytest.skip("the shared test data are not here")
    return voc_windows(folder)


@pytest.mark.parametrize(
    "name",
    [networks(TOGETHER)[0]]
    + [pytest.param(name, marks=pytest.mark.slow) for name in networks(TOGETHER)[1:]],
)
def test_the_boxes_are_as_good_as_the_card_says(name, windows):
    model, card = network_and_card(name)
    found = localization(model, windows)
    for key, value in found.items():
        assert value == pytest.approx(card["metrics"][key], abs=TOLERANCE), key
    assert found["localization_error"] < 0.35


def test_all_have_one_classifier_and_their_files_are_small():
    first, *others = (network_and_card(name) for name in networks(TOGETHER))
    classifier = first[0].body.state_dict()
    for model, _ in others:
        assert all(torch.equal(classifier[k], v) for k, v in model.body.state_dict().items())
    assert sum(card["bytes"] for _, card in (first, *others)) <= 2.5e6


def test_localization_begins_with_the_box_on_the_last_convolution():
    assert catalog.default_for("localization").name == "lite-boxes-conv"
