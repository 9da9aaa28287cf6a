"""The regions that both halves of R-CNN share."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from explorer.engine.references import Opened
from explorer.engine.scene import Scene
from explorer.images.image import Image
from explorer.views.shared.regions import rcnn as rcnn_regions
from explorer.views.shared.regions.rcnn import (
    rcnn_of,
    regions_of,
    shipped_rcnn,
    warped_regions,
)
from explorer.vision.pipelines import rcnn
from explorer.vision.proposals.methods import Proposals
from explorer.vision.race.networks import BODY
from tests.toy_rcnn import small_body, untrained, use_random_svms
from tests.toys import toy_image


@pytest.fixture(autouse=True)
def svms(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    use_random_svms(tmp_path, monkeypatch)


def scene_of(image: Image) -> Scene:
    return Scene(None, image, opened=Opened({BODY: small_body()}))


def test_features_come_in_batches_and_once() -> None:
    scene = scene_of(toy_image(96, 128))
    own = rcnn_of(scene)
    boxes = regions_of(scene, "k-means boxes")[:40]
    seen = [(regions.done, regions.complete) for regions in warped_regions(scene, own, boxes)]
    assert seen == [(32, False), (40, True)]
    (regions,) = warped_regions(scene, own, boxes.copy())
    assert regions.complete
    crops = rcnn.warp(scene.image.pixels, boxes, own.side)
    expected = rcnn.features(own.body, crops)
    np.testing.assert_allclose(regions.features().vector, expected.vector, atol=1e-4)


def test_a_photo_without_proposals_is_one_region(monkeypatch: pytest.MonkeyPatch) -> None:
    nothing = Proposals(np.zeros((0, 4), np.float32), None, 0.0)
    monkeypatch.setattr(rcnn_regions, "proposals_of", lambda *_: nothing)
    boxes = regions_of(scene_of(toy_image(48, 64)), "selective search")
    assert boxes.tolist() == [[0, 0, 64, 48]]


def test_svms_without_the_networks_weights_are_of_no_use() -> None:
    scene = Scene(None, toy_image(), opened=Opened({BODY: untrained(small_body())}))
    assert shipped_rcnn(scene) is None
