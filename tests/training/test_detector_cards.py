"""Figures on the cards of networks that ship, computed again."""

import json

import pytest
import torch

from explorer.core.network_info import NetworkSpec
from explorer.core.resources import resource_path
from explorer.evaluation.datasets import open_source
from explorer.evaluation.run import evaluate
from explorer.networks import catalog
from tests.data import shared_data
from tests.steps import finish

CARDS = [
    card
    for path in sorted(resource_path("weights").glob("*.json"))
    if (card := json.loads(path.read_text(encoding="utf-8"))).get("shares")
]
"""Of networks that use weights of another one's file."""

PHOTOS = [
    ("lite-fasterrcnn", "voc-mini", "VOC photos", "AP50"),
    *(
        pytest.param(*row, marks=pytest.mark.slow)
        for row in (
            ("lite-yolo-v1", "voc-mini", "", "AP50"),
            ("lite-deeplab", "coco-mini", "", "mIoU"),
            ("lite-retinanet", "voc-mini", "VOC photos", "AP50"),
            ("lite-yolo-v2", "voc-mini", "", "AP50"),
            ("lite-fcn", "coco-mini", "", "mIoU"),
            ("lite-pspnet", "coco-mini", "", "mIoU"),
            ("lite-frrn", "coco-mini", "", "mIoU"),
            ("lite-unet", "coco-mini", "", "mIoU"),
            ("lite-deconvnet", "coco-mini", "", "mIoU"),
            ("mini-segnet", "coco-mini", "", "mIoU"),
        )
    ),
]
"""Networks of ordinary photos: a set, where its figures stand on the card, and which one. One is
enough here; the others when they are trained anew."""

TOLERANCE = 0.01


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


@pytest.mark.parametrize(
    "card",
    [
        pytest.param(
            card, id=card["name"],
            marks=[pytest.mark.slow] if card["name"].startswith("lite-boxes-fc") else [],
        )
        for card in CARDS
    ],
)  # fmt: skip
def test_shared_weights_are_those_of_the_other_file(card):
    for share in card["shares"]:
        network, _ = finish(catalog.load(NetworkSpec(card["name"], device="cpu")))
        other, _ = finish(catalog.load(NetworkSpec(share["network"], device="cpu")))
        theirs = other.module.state_dict()
        for name, value in network.module.state_dict().items():
            if name.startswith(share["prefix"]):
                source = share["source"] + name.removeprefix(share["prefix"])
                assert torch.equal(value, theirs[source]), name
