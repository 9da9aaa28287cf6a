"""The same maps as captum's, an independent implementation, where it has the method.

captum changes modules by hooks, so its networks here have a module of their own for every ReLU.
"""

from __future__ import annotations

import pytest
import torch
from captum.attr import (
    LRP,
    Deconvolution,
    GuidedBackprop,
    InputXGradient,
    IntegratedGradients,
    LayerGradCam,
    Occlusion,
    Saliency,
)
from torch import Tensor, nn

from explorer.vision.attribution import cam, gradients, masking
from explorer.vision.attribution.lrp import lrp
from explorer.vision.attribution.targets import ClassTarget

pytestmark = pytest.mark.filterwarnings("ignore:.*backward hooks.*:UserWarning")

CLOSE = {"rtol": 1e-5, "atol": 1e-5}
LABEL = 2


def network() -> nn.Sequential:
    with torch.random.fork_rng():
        torch.manual_seed(4)
        return (
            nn.Sequential(
                nn.Conv2d(3, 6, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
                nn.Conv2d(6, 8, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(2), nn.Flatten(),
                nn.Linear(32, 10), nn.ReLU(), nn.Linear(10, 4),
            )
            .eval()
            .requires_grad_(requires_grad=False)
        )  # fmt: skip


def photo() -> Tensor:
    return torch.randn(1, 3, 12, 14, generator=torch.Generator().manual_seed(1))


def asked() -> Tensor:
    return photo().requires_grad_()


def test_gradients() -> None:
    net, target, x = network(), ClassTarget(network(), LABEL), photo()
    expected = Saliency(net).attribute(asked(), target=LABEL)[0].amax(0)
    torch.testing.assert_close(gradients.gradient(target, x).values, expected, **CLOSE)
    expected = InputXGradient(net).attribute(asked(), target=LABEL)[0].sum(0)
    found = gradients.gradient_times_input(target, x).values
    torch.testing.assert_close(found, expected.detach(), **CLOSE)


def test_integrated_gradients_and_their_gap() -> None:
    net, x, baseline = network(), photo(), torch.full((1, 3, 12, 14), 0.3)
    expected, delta = IntegratedGradients(net).attribute(
        asked(), baseline, target=LABEL, n_steps=20, method="gausslegendre",
        return_convergence_delta=True,
    )  # fmt: skip
    *_, found = gradients.integrated_gradients(ClassTarget(net, LABEL), x, baseline, steps=20)
    torch.testing.assert_close(found.values, expected[0].sum(0).detach().float(), **CLOSE)
    assert found.gap == pytest.approx(-float(delta), abs=1e-5)


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [(gradients.guided_backprop, GuidedBackprop), (gradients.deconvnet, Deconvolution)],
)
def test_rectified_gradients(ours, theirs) -> None:
    expected = theirs(network()).attribute(asked(), target=LABEL)[0].abs().amax(0)
    found = ours(ClassTarget(network(), LABEL), photo()).values
    torch.testing.assert_close(found, expected.detach(), **CLOSE)


@pytest.mark.parametrize("layer", ["0", "3", "4"])
def test_grad_cam(layer: str) -> None:
    net = network()
    expected = LayerGradCam(net, net.get_submodule(layer)).attribute(
        asked(), target=LABEL, relu_attributions=True
    )
    found = cam.grad_cam(ClassTarget(network(), LABEL), photo(), layer)
    torch.testing.assert_close(found.values, expected[0, 0].detach(), **CLOSE)


def test_occlusion() -> None:
    class Shares(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return network()(x).softmax(1)

    expected = Occlusion(Shares()).attribute(
        photo(), (3, 4, 4), strides=(3, 2, 2), baselines=0.0, target=LABEL
    )[0, 0]
    *_, found = masking.occlusion(
        ClassTarget(network(), LABEL), photo(), torch.zeros_like(photo()), patch=4, stride=2
    )
    torch.testing.assert_close(found.values, expected.float(), **CLOSE)


class Chain(nn.Module):
    """The same network; captum has no rule for the module that flattens."""

    def __init__(self) -> None:
        super().__init__()
        self.maps, self.head = network()[:6], network()[7:]

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.maps(x).flatten(1))


def test_relevance_with_the_rule_epsilon() -> None:
    expected = LRP(Chain()).attribute(asked(), target=LABEL)[0].sum(0)
    found = lrp(ClassTarget(Chain(), LABEL), photo(), rule="epsilon")
    torch.testing.assert_close(found.values, expected.detach(), rtol=1e-4, atol=1e-5)
