"""The three networks with the weights of the package."""

import sys
from importlib.metadata import PackageNotFoundError

import numpy as np
import pytest
import torch

from explorer.core.errors import ExplorerError
from explorer.networks import packaged
from explorer.networks.faces.cascade import Cascade, ONet, PNet, normalized
from explorer.networks.faces.mtcnn import fill, load_cascade, packages
from explorer.networks.faces.packed_arrays import read_packed
from tests.networks.faces.installed_faces import needs_mtcnn


def convolved(maps, kernel, bias):
    """(h, w, in) by (kh, kw, in, out), one output cell at a time."""
    high, wide = kernel.shape[:2]
    rows, columns = maps.shape[0] - high + 1, maps.shape[1] - wide + 1
    found = np.empty((rows, columns, kernel.shape[3]))
    for y in range(rows):
        for x in range(columns):
            found[y, x] = np.tensordot(maps[y : y + high, x : x + wide], kernel, 3) + bias
    return found


def rectified(maps, slopes):
    return np.maximum(maps, 0) + slopes * np.minimum(maps, 0)


def pooled(maps):
    """The largest of 2 x 2 cells; a last row or column stands alone."""
    rows, columns = -(-maps.shape[0] // 2), -(-maps.shape[1] // 2)
    found = np.empty((rows, columns, maps.shape[2]))
    for y in range(rows):
        for x in range(columns):
            found[y, x] = maps[2 * y : 2 * y + 2, 2 * x : 2 * x + 2].max(axis=(0, 1))
    return found


@needs_mtcnn
@pytest.mark.parametrize("size", [(12, 12), (23, 30)])
def test_pnet_equals_a_forward_pass_in_numpy(size):
    arrays = [each.astype(np.float64) for each in read_packed(packages()["pnet"].verified())]
    picture = np.random.default_rng(1).integers(0, 256, (*size, 3))
    maps = (picture - 127.5) / 128
    for number in range(3):
        kernel, bias, slopes = arrays[3 * number : 3 * number + 3]
        maps = rectified(convolved(maps, kernel, bias), slopes)
        if number == 0:
            maps = pooled(maps)
    boxes, logits = convolved(maps, *arrays[9:11]), convolved(maps, *arrays[11:13])
    shares = np.exp(logits - logits.max(axis=2, keepdims=True))
    shares /= shares.sum(axis=2, keepdims=True)

    pixels = torch.from_numpy(picture).permute(2, 0, 1)[None]
    scores, offsets = load_cascade().pnet(normalized(pixels))
    np.testing.assert_allclose(scores[0].numpy(), shares[..., 1], atol=1e-4)
    np.testing.assert_allclose(offsets[0].permute(1, 2, 0).numpy(), boxes, atol=1e-4)


@needs_mtcnn
def test_a_dense_layer_reads_the_maps_column_by_column():
    (*_, arrays) = [read_packed(each.verified()) for each in packages().values()]
    onet, maps = load_cascade().onet, np.random.default_rng(2).normal(size=(3, 3, 128))
    matrix, bias = arrays[12:14]
    expected = maps.transpose(1, 0, 2).reshape(-1) @ matrix + bias
    given = torch.from_numpy(maps).permute(2, 0, 1).reshape(1, -1).float()
    np.testing.assert_allclose(onet.fc5(given)[0].numpy(), expected, rtol=1e-4, atol=1e-4)


@needs_mtcnn
def test_the_package_is_not_imported():
    load_cascade()
    assert "mtcnn" not in sys.modules
    assert "tensorflow" not in sys.modules


def test_a_missing_package_is_said_with_what_to_do(monkeypatch):
    def missing(_name):
        raise PackageNotFoundError

    monkeypatch.setattr(packaged, "files", missing)
    with pytest.raises(ExplorerError, match=r"package mtcnn 1\.0\.0, which is not") as said:
        load_cascade()
    assert "pip install mtcnn==1.0.0" in said.value.hint


def test_arrays_of_another_network_are_refused():
    with pytest.raises(ExplorerError, match="another network"):
        fill(PNet(), [np.zeros((3, 3, 3, 9), np.float32)], ("conv4_2", "conv4_1"))
    with pytest.raises(ExplorerError, match="another network"):
        fill(ONet(), [], ("fc6_2", "fc6_3", "fc6_1"))


def test_a_picture_of_their_size_gives_one_answer():
    cascade = Cascade()
    scores, offsets = cascade.pnet(torch.zeros(2, 3, 12, 12))
    assert scores.shape == (2, 1, 1)
    assert offsets.shape == (2, 4, 1, 1)
    scores, offsets = cascade.rnet(torch.zeros(2, 3, 24, 24))
    assert scores.shape == (2,)
    assert offsets.shape == (2, 4)
    scores, offsets, points = cascade.onet(torch.zeros(2, 3, 48, 48))
    assert points.shape == (2, 5, 2)
    assert not any(weight.requires_grad for weight in cascade.parameters())
