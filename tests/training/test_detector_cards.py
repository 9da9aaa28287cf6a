"""AP50 on the cards of all detectors that ship, computed again."""

import json
from dataclasses import replace

import pytest
import torch

from explorer.core.network_info import NetworkSpec
from explorer.core.resources import resource_path
from explorer.evaluation.datasets import open_source
from explorer.evaluation.run import evaluate
from explorer.evaluation.scenes import SceneMaker, held_out_scenes
from explorer.networks import catalog
from explorer.networks.class_names import group_labels, group_names, read_shipped_categories
from explorer.training.data.tiny_imagenet import read_photos
from explorer.training.evaluate import figures
from tests.data import shared_data
from tests.steps import finish

CARDS = [
    card
    for path in sorted(resource_path("weights").glob("mini-*.json"))
    if (card := json.loads(path.read_text(encoding="utf-8")))["task"] == "detection"
]

PHOTOS = [
    ("lite-fasterrcnn", "voc-mini", "VOC photos", "AP50"),
    ("lite-deeplab", "coco-mini", "", "mIoU"),
    ("lite-fcn", "coco-mini", "", "mIoU"),
    ("lite-pspnet", "coco-mini", "", "mIoU"),
    ("lite-frrn", "coco-mini", "", "mIoU"),
]
"""Networks of ordinary photos: a set, where its figures stand on the card, and which one."""

SCENES = 300
"""As many as on the card: a fifth of them gives up to 0.1 more, with fewer boxes to rank."""

TOLERANCE = 0.01


@pytest.fixture(scope="module")
def scenes(tmp_path_factory):
    pytest.importorskip("faster_coco_eval")
    folder = shared_data("tiny-imagenet")
    if folder is None:
        pytest.skip("the shared test data are not here")
    photos = read_photos(folder, "val", tmp_path_factory.mktemp("photos"))
    categories = read_shipped_categories(resource_path("classes", "tiny-imagenet.json"))
    return held_out_scenes(SceneMaker(photos, group_labels(categories)), SCENES)


@pytest.mark.parametrize("card", CARDS, ids=[card["name"] for card in CARDS])
def test_average_precision_is_what_the_card_says(card, scenes):
    network, _ = finish(catalog.load(NetworkSpec(card["name"], device="cpu")))
    names = ["background", *group_names()]
    assert list(network.info.classes) == names
    assert network.info.state == "shipped"
    found = figures(network.module, scenes, names)
    assert found["AP50"] == pytest.approx(card["metrics"]["AP50"], abs=TOLERANCE)
    # and the boxes are what it is about: moved aside, they find little
    aside = [replace(scene, boxes=scene.boxes * 0.5) for scene in scenes[:20]]
    assert figures(network.module, aside, names)["AP50"] < 0.5 * found["AP50"]


@pytest.mark.parametrize(("name", "folder", "where", "figure"), PHOTOS)
def test_figures_on_photos_are_what_the_card_says(name, folder, where, figure):
    pytest.importorskip("faster_coco_eval")
    photos = shared_data(folder)
    if photos is None:
        pytest.skip("the shared test data are not here")
    card = json.loads(resource_path("weights", f"{name}.json").read_text(encoding="utf-8"))
    network, _ = finish(catalog.load(NetworkSpec(name, device="cpu")))
    assert network.info.state == "shipped"
    source = open_source(photos, network.info.task)
    *_, last = evaluate(network, source)
    wanted = card["metrics"][where] if where else card["metrics"]
    assert last.value.figures[figure] == pytest.approx(wanted[figure], abs=TOLERANCE)


@pytest.mark.parametrize("card", CARDS, ids=[card["name"] for card in CARDS])
def test_shared_weights_are_those_of_the_other_file(card):
    for share in card["shares"]:
        network, _ = finish(catalog.load(NetworkSpec(card["name"], device="cpu")))
        other, _ = finish(catalog.load(NetworkSpec(share["network"], device="cpu")))
        theirs = other.module.state_dict()
        for name, value in network.module.state_dict().items():
            if name.startswith(share["prefix"]):
                source = share["source"] + name.removeprefix(share["prefix"])
                assert torch.equal(value, theirs[source]), name
