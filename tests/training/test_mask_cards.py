"""A small part of the figures on the cards of what answers with masks, computed again."""

import json

import pytest

from explorer.core.network_info import NetworkSpec
from explorer.core.resources import resource_path
from explorer.networks import catalog
from explorer.training.lessons.lite.masks import mask_figures, outlined_photos
from tests.data import shared_data
from tests.steps import finish

TOLERANCE = 0.02


def network_and_card(name):
    path = resource_path("weights", f"{name}.json")
    if not path.exists():
        pytest.skip(f"{name} is not shipped")
    card = json.loads(path.read_text(encoding="utf-8"))
    network, _ = finish(catalog.load(NetworkSpec(name, device="cpu")))
    assert network.info.state == "shipped"
    return network, card


@pytest.mark.slow
def test_the_masks_are_as_good_as_the_card_says():
    pytest.importorskip("faster_coco_eval")
    folder = shared_data("coco-mini")
    if folder is None:
        pytest.skip("the shared test data are not here")
    network, card = network_and_card("lite-maskrcnn")
    photos = outlined_photos(folder, network.info.classes)
    found = mask_figures(network.module, photos)
    for key in ("mask AP50", "mask IoU in true boxes", "IoU of the box itself"):
        assert found[key] == pytest.approx(card["metrics"][key], abs=TOLERANCE), key
    # a mask says more than the box it is in
    assert found["mask IoU in true boxes"] > found["IoU of the box itself"] + 0.1


def test_segmentation_begins_with_the_network_that_ships():
    assert catalog.default_for("segmentation").name == "lite-deeplab"
