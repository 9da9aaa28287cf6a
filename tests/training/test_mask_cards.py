"""A small part of the figures on the cards of what answers with masks, computed again."""

import json

import numpy as np
import pytest

from explorer.core.network_info import NetworkSpec
from explorer.core.resources import resource_path
from explorer.evaluation.scenes import SceneMaker, held_out_scenes
from explorer.networks import catalog
from explorer.networks.class_names import group_labels, group_names, read_shipped_categories
from explorer.training.data.pseudo_masks import grab_cut
from explorer.training.data.tiny_imagenet import read_photos
from explorer.training.lessons.lite.masks import mask_figures, outlined_photos
from explorer.training.lessons.segmenter import mean_iou
from tests.data import shared_data
from tests.steps import finish

SCENES = 300
"""As many as on the card: an average precision depends on how many boxes are ranked."""

TOLERANCE = 0.02


class Masks:
    """Of the photos that are asked for only."""

    def __init__(self, photos):
        self.photos = photos

    def __getitem__(self, index):
        return np.packbits(grab_cut(self.photos.pixels[index], self.photos.boxes[index]), axis=1)


@pytest.fixture(scope="module")
def scenes(tmp_path_factory):
    folder = shared_data("tiny-imagenet")
    if folder is None:
        pytest.skip("the shared test data are not here")
    photos = read_photos(folder, "val", tmp_path_factory.mktemp("photos"))
    categories = read_shipped_categories(resource_path("classes", "tiny-imagenet.json"))
    maker = SceneMaker(photos, group_labels(categories), masks=Masks(photos))
    return held_out_scenes(maker, SCENES)


def network_and_card(name):
    path = resource_path("weights", f"{name}.json")
    if not path.exists():
        pytest.skip(f"{name} is not shipped")
    card = json.loads(path.read_text(encoding="utf-8"))
    network, _ = finish(catalog.load(NetworkSpec(name, device="cpu")))
    assert network.info.state == "shipped"
    return network, card


def test_the_fcn_finds_what_its_card_says(scenes):
    network, card = network_and_card("mini-fcn")
    assert network.info.classes == ("background", *group_names())
    assert "pseudo" in card["note"]
    metrics = card["metrics"]
    found = mean_iou(network.module, scenes, network.info.classes)
    for key in ("mIoU", "mIoU of FCN-16s", "mIoU of FCN-32s", "object IoU"):
        assert found[key] == pytest.approx(metrics[key], abs=TOLERANCE), key
    # better than nothing but background, which is one class of nineteen
    assert found["mIoU"] > 1 / 19


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
