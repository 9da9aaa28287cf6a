"""A small part of the figures on the card of `lite-pose`, computed again."""

import json

import pytest
import torch

from explorer.core.network_info import NetworkSpec
from explorer.core.resources import resource_path
from explorer.networks import catalog
from explorer.networks.embedded.lite_pose import JOINTS
from explorer.training.data.pool import read_lspet
from explorer.training.lessons.lite.pose import correct_joints
from tests.data import shared_data
from tests.steps import finish

PHOTOS = 100
TOLERANCE = 0.06
"""Between a third of the photos and all of them."""


@pytest.fixture(scope="module")
def network_and_card():
    path = resource_path("weights", "lite-pose.json")
    if not path.exists():
        pytest.skip("lite-pose is not shipped")
    network, _ = finish(catalog.load(NetworkSpec("lite-pose", device="cpu")))
    return network, json.loads(path.read_text(encoding="utf-8"))


def test_it_comes_from_the_catalog(network_and_card):
    network, card = network_and_card
    info = network.info
    assert (info.state, info.task, info.keypoints) == ("shipped", "pose", JOINTS)
    assert card["bytes"] < 1.5e6
    assert catalog.default_for("pose").name == "lite-pose"
    with torch.no_grad():
        found = network.module(torch.zeros(2, 3, 224, 224))
    assert found["joints"].shape == (2, 14, 2)


def test_the_joints_are_as_good_as_the_card_says(network_and_card):
    folder = shared_data("lspet")
    if folder is None:
        pytest.skip("the shared test data are not here")
    network, card = network_and_card
    photos = read_lspet(folder, "validation", own=True)
    metrics = card["metrics"]
    found = correct_joints(network.module, photos[:: len(photos) // PHOTOS])
    for key in ("PCK@0.2", "PCK@0.5", "PCK@0.2 of stage 1"):
        assert found[key] == pytest.approx(metrics[key], abs=TOLERANCE), key
    # every stage of the cascade finds more than the one before it
    stages = [metrics[f"PCK@0.2 of stage {number}"] for number in (1, 2, 3)]
    assert sorted(stages) == stages
    assert metrics["PCK@0.2"] > stages[0] + 0.1
