"""`lite-face-points` as it ships: its card, and its points on faces that were aligned by others."""

import io
import json

import numpy as np
import pytest
import torch
from PIL import Image

from explorer.core.network_info import NetworkSpec
from explorer.core.resources import resource_path
from explorer.networks import catalog
from explorer.networks.embedded.face_points import POINTS
from explorer.views.segmentation.pose_regression.view import regressed
from tests.data import shared_data
from tests.steps import finish

ALIGNED = np.array([[0.3, 0.29], [0.69, 0.29], [0.49, 0.52], [0.31, 0.68], [0.67, 0.68]])
"""Where UTKFace's alignment puts the points, as fractions of the crop."""


@pytest.fixture(scope="module")
def network_and_card():
    path = resource_path("weights", "lite-face-points.json")
    if not path.exists():
        pytest.skip("lite-face-points is not shipped")
    network, _ = finish(catalog.load(NetworkSpec("lite-face-points", device="cpu")))
    return network, json.loads(path.read_text(encoding="utf-8"))


def test_it_comes_from_the_catalog(network_and_card):
    network, card = network_and_card
    info = network.info
    assert (info.state, info.task, info.keypoints) == ("shipped", "pose", POINTS)
    assert info.classes == ("background", "face")
    assert card["bytes"] < 0.5e6
    assert catalog.default_for("pose").name == "lite-pose"
    metrics = card["metrics"]
    assert 0 < metrics["NME"] < metrics["NME of stage 1"] < 0.15
    with torch.no_grad():
        assert network.module(torch.zeros(2, 3, 64, 64))["joints"].shape == (2, 5, 2)


def test_points_of_aligned_faces_lie_where_the_alignment_puts_them(network_and_card):
    folder = shared_data("faces")
    if folder is None:
        pytest.skip("the shared test data are not here")
    network, _ = network_and_card
    with np.load(folder / "utk.npz") as archive:
        files, offset, split = archive["webp"], archive["offset"], archive["split"]
    off, mirrored = [], []
    for row in np.flatnonzero(split == 1)[:60]:
        content = io.BytesIO(files[offset[row] : offset[row + 1]].tobytes())
        pixels = np.asarray(Image.open(content).convert("RGB"))
        whole = np.array([0, 0, *pixels.shape[1::-1]], np.float32)
        _, found = regressed(network, pixels, whole)
        off.append(np.linalg.norm(found.joints - ALIGNED, axis=1))
        _, other = regressed(network, np.ascontiguousarray(pixels[:, ::-1]), whole)
        back = other.joints[[1, 0, 2, 4, 3]] * [-1, 1] + [1, 0]
        mirrored.append(np.linalg.norm(found.joints - back, axis=1))
    # the eyes are aligned best; noses and mouths move with the turn of the head
    assert np.median(np.array(off)[:, :2]) < 0.03
    assert np.median(off) < 0.05
    assert np.median(mirrored) < 0.03
