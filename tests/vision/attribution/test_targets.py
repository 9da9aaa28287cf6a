"""Units and regions as targets; maps at pixels; and that nothing is left on the network."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from explorer.core.errors import Cancelled, ExplorerError
from explorer.networks.hooks import interruptible
from explorer.networks.preprocess import Frame
from explorer.vision.attribution import cam, gradients, masking
from explorer.vision.attribution.lrp import lrp
from explorer.vision.attribution.maps import Attribution, at_pixels
from explorer.vision.attribution.targets import (
    ClassTarget,
    RegionTarget,
    UnitTarget,
)
from tests.toys import FixedSegmenter, ToyConvNet, hook_count, tiny_faster_rcnn


def batch(*shape: int, seed: int = 0) -> Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed))


def toy() -> ToyConvNet:
    return ToyConvNet().eval().requires_grad_(requires_grad=False)


def test_a_class_by_default_the_top_one_of_each_input() -> None:
    net, x = toy(), batch(3, 3, 8, 8)
    read, logits = ClassTarget(net)(x), net(x)
    assert torch.equal(read.label, logits.argmax(1))
    assert torch.equal(read.score, logits.amax(1))
    torch.testing.assert_close(read.confidence, logits.softmax(1).amax(1))
    one = nn.Sequential(nn.Flatten(), nn.Linear(192, 1))
    read = ClassTarget(one.eval())(x)
    torch.testing.assert_close(read.confidence, one(x)[:, 0].sigmoid().detach())


def test_a_unit_is_a_cell_or_the_largest_of_its_channel() -> None:
    net, x = toy(), batch(2, 3, 8, 8)
    maps = net.conv1(x)  # channel 0 is red at every second pixel
    read = UnitTarget(net, "conv1", 0, (1, 2))(x)
    assert torch.equal(read.score, x[:, 0, 2, 4])
    read = UnitTarget(net, "conv1", 2)(x)
    assert torch.equal(read.score, maps[:, 2].amax((1, 2)))
    found, _ = gradients.gradients(UnitTarget(net, "conv1", 0, (1, 2)), x)
    expected = torch.zeros_like(x)
    expected[:, 0, 2, 4] = 1.0
    assert torch.equal(found, expected)
    with pytest.raises(ExplorerError, match="has 3 channels, and no 7"):
        UnitTarget(net, "conv1", 7)(x)
    vector = UnitTarget(net, "fc", 1)(x)
    torch.testing.assert_close(vector.score, net(x)[:, 1])


def test_a_unit_inside_a_detector() -> None:
    net = tiny_faster_rcnn().eval()
    read = UnitTarget(net, "backbone.conv1", 3, (2, 2), batched=False)(batch(2, 3, 64, 64))
    assert read.score.shape == (2,)
    with pytest.raises(ExplorerError, match="photo as a whole"):
        UnitTarget(net, "roi_heads.box_head.fc6", 0, batched=False)(batch(1, 3, 64, 64))


def test_a_region_of_a_segmentation_is_the_mean_of_its_logits() -> None:
    net, x = FixedSegmenter().eval(), batch(2, 3, 6, 8)
    mask = torch.zeros(6, 8, dtype=torch.bool)
    mask[1:3, 2:5] = True
    read = RegionTarget(net, 1, mask)(x)
    torch.testing.assert_close(read.score, 4 * x[:, 0][:, mask].mean(1))
    shares = net(x)["out"].softmax(1)[:, 1]
    torch.testing.assert_close(read.confidence, shares[:, mask].mean(1))
    found, _ = gradients.gradients(RegionTarget(net, 1, mask), x)
    torch.testing.assert_close(found[0, 0], 4 * mask.float() / 6)
    assert not found[:, 1:].any()


def test_cells_at_pixels() -> None:
    values = torch.tensor([[0.0, 4.0]])
    found = at_pixels(Attribution(values, Frame(0.25, 0.25)), (4, 8))
    assert found.shape == (4, 8)
    assert found[0, :2].tolist() == [0.0, 0.0]
    assert found[0, 3:5].tolist() == pytest.approx([1.5, 2.5])
    padded = at_pixels(Attribution(torch.arange(3.0)[None], Frame(0.5, 0.5)), (2, 4))
    assert padded[0].tolist() == pytest.approx([0.0, 0.25, 0.75, 1.25]), "a padded picture"
    same = torch.rand(3, 3)
    assert at_pixels(Attribution(same), (3, 3)) is not None
    assert torch.equal(at_pixels(Attribution(same), (3, 3)), same)


class Stops(nn.Module):
    """Fails, or is canceled, in its last layer."""

    def __init__(self, fails: bool) -> None:
        super().__init__()
        self.net, self.fails = toy(), fails
        self.end = nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        found = self.net(x)
        if self.fails:
            raise RuntimeError("broken")
        return self.end(found)


ZERO = torch.zeros(1, 3, 16, 16)
METHODS = {
    "gradient": lambda t, x: [gradients.gradient(t, x)],
    "gradient x input": lambda t, x: [gradients.gradient_times_input(t, x)],
    "guided": lambda t, x: [gradients.guided_backprop(t, x)],
    "deconvnet": lambda t, x: [gradients.deconvnet(t, x)],
    "SmoothGrad": lambda t, x: gradients.smooth_grad(t, x, samples=6, noise=0.1),
    "integrated": lambda t, x: gradients.integrated_gradients(t, x, ZERO, steps=6),
    "Grad-CAM": lambda t, x: [cam.grad_cam(t, x, "net.conv2")],
    "Grad-CAM++": lambda t, x: [cam.grad_cam_plus_plus(t, x, "net.conv2")],
    "Layer-CAM": lambda t, x: [cam.layer_cam(t, x, "net.conv2")],
    "Eigen-CAM": lambda t, x: [cam.eigen_cam(t, x, "net.conv2")],
    "Score-CAM": lambda t, x: cam.score_cam(t, x, "net.conv2", ZERO, most=6),
    "layer": lambda t, x: [cam.cam_layer(t, x)],
    "LRP": lambda t, x: [lrp(t, x, through=("net.conv2", 1))],
    "occlusion": lambda t, x: masking.occlusion(t, x, ZERO, patch=8, stride=4),
    "RISE": lambda t, x: masking.rise(
        t, x, ZERO, masks=6, cells=3, share=0.5, generator=torch.Generator()
    ),
}  # fmt: skip


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("end", ["success", "failure", "cancel"])
def test_no_hook_remains(method: str, end: str) -> None:
    module = Stops(fails=end == "failure").eval()
    before = [weight.clone() for weight in module.parameters()]
    x = batch(1, 3, 16, 16)
    asked = iter([False] * 9 + [True] * 10_000)
    try:
        with interruptible(module, lambda: end == "cancel" and next(asked)):
            for _ in METHODS[method](ClassTarget(module, 1), x):
                pass
        ended = "success"
    except RuntimeError:
        ended = "failure"
    except Cancelled:
        ended = "cancel"
    one_pass = end == "cancel" and ended == "success"
    assert ended == end or one_pass
    assert hook_count(module) == 0
    assert torch.is_grad_enabled()
    assert not torch.overrides._get_current_function_mode_stack()
    assert all(torch.equal(a, b) for a, b in zip(before, module.parameters(), strict=True))
    assert not any(weight.grad is not None for weight in module.parameters())
