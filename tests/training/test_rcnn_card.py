"""A small part of the figures on the card of `lite-rcnn`, computed again."""

import shutil

import pytest

from explorer.core.network_info import NetworkSpec
from explorer.core.resources import resource_path
from explorer.evaluation.masks.folders import VOC_CLASSES
from explorer.networks import catalog
from explorer.training.lessons.lite import regions as lesson
from explorer.training.lessons.registry import Material
from explorer.vision.pipelines.rcnn import load
from tests.data import shared_data
from tests.steps import finish

CATS = 4
"""Photos; the whole set takes minutes."""


@pytest.fixture(scope="module")
def own():
    body, _ = finish(catalog.load(NetworkSpec("efficientnet-lite0", device="cpu")))
    return load(resource_path("weights", "lite-rcnn.safetensors"), body.module)


def test_the_file_is_small_and_its_card_says_what_it_holds(own):
    files = [resource_path("weights", n) for n in ("lite-rcnn.safetensors", "fixed-proposals.npz")]
    assert sum(path.stat().st_size for path in files) <= 1_200_000
    assert own.classes == VOC_CLASSES[1:]
    for heads in (own.heads, own.pyramid):
        assert heads.svm_weight.any(axis=1).all(), "every class has learned something"
    figures = {title: row["AP50"] for title, row in own.card["metrics"].items()}
    assert figures["R-CNN"] >= figures["R-CNN before fine-tuning"] > 0.1
    assert figures["SPP-net"] > 0.1


def test_it_finds_something_of_what_the_card_says(own, tmp_path):
    pytest.importorskip("faster_coco_eval")
    folder = shared_data("voc-mini")
    if folder is None:
        pytest.skip("the shared test data are not here")
    for part, kind in (("annotations", "xml"), ("images", "jpg")):
        (tmp_path / part).mkdir()
        names = [
            path.stem
            for path in sorted((folder / "annotations").glob("*.xml"))
            if "<name>cat</name>" in path.read_text()
        ]
        for name in names[:CATS]:
            shutil.copy(folder / part / f"{name}.{kind}", tmp_path / part)
    again = lesson.measure(own, Material(folder, tmp_path, voc=tmp_path), most=200)
    assert again["SPP-net"]["AP50 by class"]["cat"] > 0.3  # the card says .95 of all
