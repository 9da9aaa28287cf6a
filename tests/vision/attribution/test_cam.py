"""Class activation maps: closed forms, the layer that is found, in-place and reused modules."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torchvision.models import get_model

from explorer.core.errors import ExplorerError
from explorer.vision.attribution import cam
from explorer.vision.attribution.boxes import box_target
from explorer.vision.attribution.cam import cam_layer, cells, score_cam
from explorer.vision.attribution.targets import ClassTarget, UnitTarget
from tests.toy_detectors import tiny_detector
from tests.toys import ToyConvNet, hook_count


def batch(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


class Pooled(nn.Module):
    """A convolution, an in-place ReLU, the mean of every channel and a linear layer on them."""

    def __init__(self) -> None:
        super().__init__()
        with torch.random.fork_rng():
            torch.manual_seed(2)
            self.conv, self.relu = nn.Conv2d(3, 6, 3, padding=1), nn.ReLU(inplace=True)
            self.pool, self.fc = nn.AdaptiveAvgPool2d(1), nn.Linear(6, 4)
        self.eval().requires_grad_(requires_grad=False)

    def maps(self, x: Tensor) -> Tensor:
        return self.conv(x).relu()[0]

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(self.pool(self.relu(self.conv(x))).flatten(1))


X = batch(1, 3, 8, 10)


def test_grad_cam_of_pooled_maps_is_cam() -> None:
    """Selvaraju et al. 2017, section 3.1: with global average pooling it is CAM (Zhou 2016)."""
    net = Pooled()
    made = cam.grad_cam(ClassTarget(net, 2), X, "relu")
    expected = torch.einsum("k,kij->ij", net.fc.weight[2], net.maps(X)).clamp(min=0) / 80
    torch.testing.assert_close(made.values, expected, rtol=1e-5, atol=1e-7)
    assert made.score == pytest.approx(float(net(X)[0, 2]), rel=1e-6)


def test_the_record_is_from_before_the_rectifier_in_place() -> None:
    net = Pooled()
    seen = cells(ClassTarget(net, 2), X, "conv")
    torch.testing.assert_close(seen.activations, net.conv(X)[0])
    passes = (net.conv(X)[0] > 0).float()
    torch.testing.assert_close(seen.gradients, net.fc.weight[2].view(-1, 1, 1) * passes / 80)


def test_the_other_maps_in_closed_form() -> None:
    net = Pooled()
    target, maps = ClassTarget(net, 1), net.maps(X)
    slope = (net.fc.weight[1] / 80).view(-1, 1, 1).expand_as(maps)
    layer = cam.layer_cam(target, X, "relu").values
    torch.testing.assert_close(layer, (slope.clamp(min=0) * maps).sum(0), rtol=1e-5, atol=1e-7)
    expected = torch.zeros(8, 10)
    for k in range(6):  # equations 10, 11 and 19 of Grad-CAM++, one number after the other
        g, weight = slope[k], 0.0
        for i in range(8):
            for j in range(10):
                below = 2 * g[i, j] ** 2 + (maps[k] * g[i, j] ** 3).sum()
                weight += float(g[i, j] ** 2 / below * g[i, j].clamp(min=0))
        expected += weight * maps[k]
    plus = cam.grad_cam_plus_plus(target, X, "relu").values
    torch.testing.assert_close(plus, expected.clamp(min=0), rtol=1e-5, atol=1e-6)
    _, _, right = np.linalg.svd(maps.flatten(1).T.numpy(), full_matrices=False)
    first = (maps.flatten(1).T.numpy() @ right[0]).reshape(8, 10)
    first = first if first.sum() >= 0 else -first
    eigen = cam.eigen_cam(target, X, "relu")
    np.testing.assert_allclose(eigen.values.numpy(), first.clip(0), rtol=1e-4, atol=1e-5)
    assert "not depend on the target" in eigen.note


def test_score_cam_weighs_by_the_scores_of_masked_inputs() -> None:
    net = Pooled()
    target, baseline = ClassTarget(net, 1), torch.zeros_like(X)
    steps = list(score_cam(target, X, "relu", baseline, most=6))
    assert [(step.done, step.total) for step in steps] == [(4, 6), (6, 6)]
    maps = net.maps(X)
    masks = [(m - m.min()) / (m.max() - m.min()).clamp(min=1e-12) for m in maps]
    rises = torch.stack([net(X * m)[0, 1] - net(baseline)[0, 1] for m in masks])
    expected = torch.einsum("k,kij->ij", rises.softmax(0), maps)
    torch.testing.assert_close(steps[-1].values, expected, rtol=1e-4, atol=1e-6)
    *_, few = score_cam(target, X, "relu", baseline, most=2)
    assert few.note == "The 2 strongest of 6 channels."


def test_a_module_that_runs_twice_counts_with_its_last_call() -> None:
    net = ToyConvNet().eval().requires_grad_(requires_grad=False)
    seen = cells(ClassTarget(net, 0), batch(1, 3, 16, 16), "relu")
    assert seen.activations.shape == (8, 8, 8), "the maps of the second convolution"
    assert cam_layer(ClassTarget(net, 0), batch(1, 3, 16, 16)) == "relu"


def test_a_layer_without_places_is_refused_in_words() -> None:
    net = Pooled()
    for layer in ("fc", "pool"):
        with pytest.raises(ExplorerError, match="no places"):
            cam.grad_cam(ClassTarget(net, 0), X, layer)
    with pytest.raises(ExplorerError, match="no layer"):
        cam.grad_cam(ClassTarget(net, 0), X, "nothing")
    with pytest.raises(ExplorerError, match="no layer with a map"):
        cam_layer(ClassTarget(nn.Sequential(nn.Flatten(), nn.Linear(240, 3)), 0), X)
    assert hook_count(net) == 0


def test_of_a_unit_the_layer_before_is_taken() -> None:
    net = ToyConvNet().eval().requires_grad_(requires_grad=False)
    x = batch(1, 3, 16, 16)
    assert cam_layer(UnitTarget(net, "conv2", 3, (4, 4)), x) == "relu"  # its first call
    seen = cells(UnitTarget(net, "conv2", 3, (4, 4)), x, "relu")
    rows, columns = torch.nonzero(seen.gradients.abs().sum(0), as_tuple=True)
    assert (int(rows.min()), int(rows.max())) == (3, 5)
    assert (int(columns.min()), int(columns.max())) == (3, 5)


@pytest.mark.parametrize(
    ("name", "layer"),
    [
        ("alexnet", "features.11"),
        ("squeezenet1_1", "classifier.2"),
        pytest.param("vgg16", "features.29", marks=pytest.mark.slow),
        pytest.param("resnet50", "layer4", marks=pytest.mark.slow),
        pytest.param("googlenet", "inception5b", marks=pytest.mark.slow),
        pytest.param("inception_v3", "Mixed_7c", marks=pytest.mark.slow),
        pytest.param("mobilenet_v3_small", "features", marks=pytest.mark.slow),
        pytest.param("convnext_tiny", "features", marks=pytest.mark.slow),
        pytest.param("efficientnet_b0", "features", marks=pytest.mark.slow),
        pytest.param("vit_b_16", "encoder.layers.encoder_layer_11.ln_1", marks=pytest.mark.slow),
    ],
)
def test_the_layer_that_is_found_in_known_networks(name: str, layer: str) -> None:
    options = {"init_weights": True} if name in ("googlenet", "inception_v3") else {}
    with torch.random.fork_rng():
        torch.manual_seed(0)
        net = get_model(name, weights=None, **options).eval().requires_grad_(requires_grad=False)
        if name == "vit_b_16":  # as made, its last layer is 0 and nothing depends on the photo
            nn.init.normal_(net.heads.head.weight, std=0.02)
    x = batch(1, 3, *((224, 224) if name == "vit_b_16" else (128, 128)))
    target = ClassTarget(net, 7)
    assert cam_layer(target, x) == layer
    assert cam.layer_cam(target, x, layer).values.max() > 0


@pytest.mark.parametrize("kind", ["rcnn", "retinanet", "fcos", "ssd"])
def test_a_box_has_a_layer_in_the_backbone_and_cells_over_the_input(kind: str) -> None:
    net = tiny_detector(kind).requires_grad_(requires_grad=False)
    x = torch.rand(1, 3, 64, 48, generator=torch.Generator().manual_seed(1))
    target = box_target(net, x[0], 0)
    layer = cam_layer(target, x)
    assert layer.startswith("backbone")
    made = cam.layer_cam(target, x, layer)
    x0, y0, x1, y1 = made.frame.inverse().extent(made.values.shape[1], made.values.shape[0])
    assert (x0, y0) == (0, 0)
    assert x1 >= 48, "the padded picture covers the input"
    assert y1 >= 64
    assert hook_count(net) == 0
