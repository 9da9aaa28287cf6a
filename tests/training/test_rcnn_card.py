"""A small part of the figures on R-CNN's card, computed again."""

import pytest

from explorer.core.network_info import NetworkSpec
from explorer.core.resources import resource_path
from explorer.networks import catalog
from explorer.networks.class_names import group_names
from explorer.training.lessons import rcnn as lesson
from explorer.training.lessons.registry import Material
from explorer.vision.pipelines.rcnn import load
from tests.data import shared_data
from tests.steps import finish

SCENES = 10
TOLERANCE = 0.25
"""So few scenes have other objects than all of them."""


@pytest.fixture(scope="module")
def own():
    body, _ = finish(catalog.load(NetworkSpec("mini-resnet", device="cpu")))
    return load(resource_path("weights", "mini-rcnn.safetensors"), body.module)


def test_the_file_is_small_and_its_card_says_what_it_holds(own):
    files = [resource_path("weights", n) for n in ("mini-rcnn.safetensors", "fixed-proposals.npz")]
    assert sum(path.stat().st_size for path in files) <= 600_000
    assert own.classes == tuple(group_names())
    for heads in (own.heads, own.pyramid):
        assert heads.svm_weight.any(axis=1).all(), "every class has learned something"
    figures = own.card["metrics"]
    assert figures["R-CNN"]["AP50"] >= figures["SPP-net"]["AP50"] > 0.1


def test_average_precision_is_what_the_card_says(own, tmp_path):
    pytest.importorskip("faster_coco_eval")
    folder = shared_data("tiny-imagenet")
    if folder is None:
        pytest.skip("the shared test data are not here")
    again = lesson.measure(own, Material(folder, tmp_path), SCENES)
    for name, figures in own.card["metrics"].items():
        assert again[name]["AP50"] == pytest.approx(figures["AP50"], abs=TOLERANCE), name
        assert again[name]["AP50"] > 0.05, name
