"""Fields against answers worked out by hand, and against the gradient.

With positive weights, average instead of max pooling and nothing that saturates, every pixel of the
theoretical field has a positive derivative, so the field is where the gradient is not zero.
"""

from __future__ import annotations

import copy
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional
from torchvision.models import get_model
from torchvision.models.vgg import cfgs, make_layers
from torchvision.ops import stochastic_depth

from explorer.core.errors import ExplorerError
from explorer.networks.embedded.yolo import lite_yolo_v1
from explorer.networks.hooks import output_until
from explorer.networks.preprocess import Frame
from explorer.vision.features.activations import activation, laid_out, named_tensors
from explorer.vision.features.receptive_field import (
    EFFECTIVE,
    EffectiveField,
    Fields,
    effective_field,
    fields,
)
from tests.toys import ToyConvNet, hook_count, tiny_faster_rcnn


def positive(net: nn.Module, seed: int = 0) -> nn.Module:
    """The same network, where every dependency has a positive derivative."""
    net = copy.deepcopy(net).double().eval()
    generator = torch.Generator().manual_seed(seed)
    for module in net.modules():
        match module:
            case nn.Conv2d() | nn.Linear() | nn.ConvTranspose2d():
                weight = module.weight.data
                inputs = weight[0].numel()
                noise = torch.rand(weight.shape, generator=generator, dtype=torch.float64)
                module.weight.data = (noise + 0.5) / inputs
                if module.bias is not None:
                    module.bias.data.zero_()
            case nn.BatchNorm2d():
                module.weight.data.fill_(1.0)
                module.bias.data.zero_()
                module.running_mean.zero_()
                module.running_var.fill_(1.0)
            case _:
                pass
        for name, child in list(module.named_children()):
            if isinstance(child, nn.ReLU6):
                setattr(module, name, nn.ReLU())
            if isinstance(child, nn.MaxPool2d):
                same = nn.AvgPool2d(child.kernel_size, child.stride, child.padding, child.ceil_mode)
                setattr(module, name, same)
    return net.requires_grad_(requires_grad=False)


def extent_of_gradient(
    net: nn.Module, picture: Tensor, layer: str, row: int, column: int
) -> list[float]:
    picture = picture.clone().requires_grad_()
    with torch.enable_grad():
        out = named_tensors(output_until(net, layer, lambda: net(picture)))[0][1]
        maps, _ = laid_out(out, tuple(picture.shape[-2:]))
        (gradient,) = torch.autograd.grad(maps[:, row, column].sum(), picture)
    there = (gradient[0] != 0).any(0)
    if not there.any():
        return [0.0] * 4
    rows, columns = (torch.nonzero(there.any(dim))[:, 0] for dim in (1, 0))
    return [float(v) for v in (columns[0], rows[0], columns[-1] + 1, rows[-1] + 1)]


def assert_fields_are_those_of_the_gradient(
    net: nn.Module, picture: Tensor, layers: list[str], *, every: bool = False
) -> Fields:
    net, picture = positive(net), picture.double()
    found = fields(net, picture)
    assert found.assumed == ()
    for layer in layers:
        height, width = found[layer].xyxy.shape[:2]
        cells = [
            (0, 0),
            (height // 2, width // 2),
            (height - 1, width // 3),
            (height - 1, width - 1),
        ]
        if every:
            cells = [(row, column) for row in range(height) for column in range(width)]
        for row, column in dict.fromkeys(cells):
            expected = extent_of_gradient(net, picture, layer, row, column)
            assert list(found[layer].of(row, column)) == expected, (layer, row, column)
    return found


# ---- by hand -------------------------------------------------------------------------------------


def test_two_convolutions_by_hand() -> None:
    net = nn.Sequential(nn.Conv2d(1, 1, 3, stride=2), nn.Conv2d(1, 1, 3))
    found = fields(net.eval(), torch.rand(1, 1, 11, 15))
    # cell j of the first reads pixels 2j to 2j + 2, of the second cells j to j + 2 of the first
    assert found["0"].of(1, 2) == (4, 2, 7, 5)
    assert found["1"].of(1, 2) == (4, 2, 11, 9)
    assert found["1"].size == (7.0, 7.0)
    assert (found.size, found["1"].center) == ((11, 15), (1, 2))


def test_padding_is_no_part_of_the_photo() -> None:
    found = fields(nn.Sequential(nn.Conv2d(1, 1, 5, padding=2)).eval(), torch.rand(1, 1, 8, 8))
    assert found["0"].of(0, 0) == (0, 0, 3, 3)
    assert found["0"].of(7, 4) == (2, 5, 7, 8)
    expected = np.ones((8, 8), bool)
    expected[2:6, 2:6] = False
    np.testing.assert_array_equal(found["0"].padded, expected)


@pytest.mark.parametrize(
    "net",
    [
        nn.Sequential(nn.Conv2d(1, 1, 3, padding=1), nn.Conv2d(1, 1, 3, padding=1)),
        nn.Sequential(nn.ZeroPad2d(2), nn.Conv2d(1, 1, 5)),
    ],
)
def test_cells_that_padding_goes_into(net: nn.Sequential) -> None:
    found = fields(net.eval(), torch.rand(1, 1, 9, 9))["1"]
    expected = np.ones((9, 9), bool)
    expected[2:7, 2:7] = False
    np.testing.assert_array_equal(found.padded, expected)
    spans = found.xyxy[..., 2:] - found.xyxy[..., :2]
    assert (spans[~expected] == 5).all()
    assert (spans[expected].min(axis=-1) < 5).all()


def test_the_projective_field_by_hand() -> None:
    net = nn.Sequential(nn.Conv2d(1, 1, 3, stride=2), nn.Conv2d(1, 1, 2))
    found = fields(net.eval(), torch.rand(1, 1, 9, 9))
    # pixel 4 is read by cells 1 (2 to 4) and 2 (4 to 6) of the first, these by 0, 1 and 2
    assert np.argwhere(found["0"].reached(4.5, 4.5)).tolist() == [[1, 1], [1, 2], [2, 1], [2, 2]]
    assert np.argwhere(found["0"].reached(3.5, 4.0)).tolist() == [[1, 1], [2, 1]]
    assert found["1"].reached(4.5, 4.5).all()
    assert not found["0"].reached(-1, 4).any()


class Branches(nn.Module):
    """A narrow and a wide branch, added, beside a third one that is concatenated."""

    def __init__(self) -> None:
        super().__init__()
        self.narrow = nn.Conv2d(2, 4, 1)
        self.wide = nn.Conv2d(2, 4, 5, padding=2, dilation=1)
        self.third = nn.Conv2d(2, 2, 3, padding=3, dilation=3)
        self.added, self.both = nn.Identity(), nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        added = self.added(self.narrow(x).relu_() + self.wide(x))
        return self.both(torch.cat([added, self.third(x)], 1))


def test_branches_take_the_widest() -> None:
    found = assert_fields_are_those_of_the_gradient(
        Branches(), torch.rand(1, 2, 12, 14), ["narrow", "wide", "third", "added", "both"]
    )
    assert found["narrow"].size == (1, 1)
    assert found["added"].size == (5, 5)
    assert found["both"].size == (7, 7)


def test_channels_keep_their_own_fields() -> None:
    """As in ShuffleNet: half of the channels go past the wide branch."""

    class Split(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.wide = nn.Conv2d(2, 2, 5, padding=2)
            self.passed, self.grouped = nn.Identity(), nn.Conv2d(4, 4, 3, padding=1, groups=2)
            self.first, self.second = nn.Identity(), nn.Identity()

        def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
            a, b = x.chunk(2, 1)
            y = self.grouped(torch.cat([self.passed(a), self.wide(b)], 1))
            return self.first(y[:, :2]), self.second(y[:, 2:])

    layers = ["passed", "wide", "grouped", "first", "second"]
    found = assert_fields_are_those_of_the_gradient(Split(), torch.rand(1, 4, 12, 12), layers)
    assert (found["first"].size, found["second"].size) == ((3, 3), (7, 7))


def test_a_module_that_is_not_used_has_no_fields() -> None:
    net = ToyConvNet()
    net.unused = nn.Conv2d(1, 1, 1)
    with pytest.raises(ExplorerError, match="'unused' does not run"):
        fields(net.eval(), torch.rand(1, 3, 8, 8))["unused"]


def test_what_does_not_depend_on_the_photo_has_an_empty_field() -> None:
    class Constant(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv, self.sum = nn.Conv2d(1, 1, 3), nn.Identity()

        def forward(self, x: Tensor) -> Tensor:
            mask = x.new_zeros(x.shape)
            mask[..., 2:4, 2:4] = 1
            self.conv(mask)
            return self.sum(x + self.conv(x.new_ones(1, 1, x.shape[2] + 2, x.shape[3] + 2)))

    found = fields(Constant().eval(), torch.rand(1, 1, 6, 6))
    assert found.assumed == ()
    assert found["sum"].of(2, 3) == (3, 2, 4, 3)
    assert "conv" not in found.layers


def test_an_operation_without_a_rule_is_named_and_taken_to_mix_everything() -> None:
    class Odd(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv, self.end = nn.Conv2d(1, 1, 3), nn.Identity()

        def forward(self, x: Tensor) -> Tensor:
            return self.end(torch.fft.fft2(self.conv(x)).real)

    found = fields(Odd().eval(), torch.rand(1, 1, 6, 9))
    assert found.assumed
    assert found["end"].of(0, 0) == (0, 0, 9, 6)


def test_writing_into_a_part_of_a_tensor() -> None:
    class Writes(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.end = nn.Identity()

        def forward(self, x: Tensor) -> Tensor:
            room = torch.zeros_like(x)
            room[..., :3] = x[..., 3:]
            return self.end(room)

    found = fields(Writes().eval(), torch.rand(1, 1, 4, 6))
    assert found["end"].of(1, 0) == (3, 1, 4, 2)
    assert found["end"].of(1, 2) == (5, 1, 6, 2)
    assert found["end"].of(1, 3) == (0, 0, 0, 0), "still zeros"
    assert found.assumed == ()


def test_what_is_overwritten_is_forgotten() -> None:
    class Overwrites(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.end = nn.Identity()

        def forward(self, x: Tensor) -> Tensor:
            y = x + x.roll(1, -1)
            y[..., :2] = 0
            y[..., 2:3].copy_(torch.ones(()))
            return self.end(y)

    found = fields(Overwrites().eval(), torch.rand(1, 1, 2, 5))
    assert found.assumed == ()
    assert [found["end"].of(1, column) for column in (0, 2, 3)] == [
        (0, 0, 0, 0),
        (0, 0, 0, 0),
        (2, 1, 4, 2),
    ]


def test_weights_that_depend_on_the_photo() -> None:
    class Dynamic(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.end = nn.Identity()

        def forward(self, x: Tensor) -> Tensor:
            return self.end(functional.conv2d(x, x[..., :2, :2]))

    found = fields(Dynamic().eval(), torch.rand(1, 1, 6, 7))
    assert found["end"].of(3, 3) == (0, 0, 7, 6)


def test_a_layer_tells_what_was_assumed_before_it() -> None:
    class Odd(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv, self.end = nn.Conv2d(1, 1, 3), nn.Identity()

        def forward(self, x: Tensor) -> Tensor:
            return self.end(torch.cumsum(self.conv(x), -1))

    found = fields(Odd().eval(), torch.rand(1, 1, 6, 9))
    assert found["conv"].assumed == ()
    assert found["end"].assumed == found.assumed == ("cumsum",)


# ---- each operation against the gradient ---------------------------------------------------------

OPERATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "add": lambda x: x + x.roll(2, -1),
    "in place": lambda x: x.clone().add_(x.flip(-2)).relu_(),
    "permute": lambda x: (x.permute(0, 2, 3, 1) * 2).permute(0, 3, 1, 2),
    "shuffle": lambda x: x.view(1, 2, 2, *x.shape[2:]).transpose(1, 2).reshape(x.shape),
    "slice": lambda x: x[..., 1::2, 2:-1],
    "pad": lambda x: functional.pad(x, (1, 2, 0, 3)),
    "reflect": lambda x: functional.pad(x, (1, 2, 2, 1), mode="reflect"),
    "ceil pool": lambda x: functional.avg_pool2d(x, 3, 2, ceil_mode=True),
    "padded pool": lambda x: functional.avg_pool2d(x, 3, 2, padding=1),
    "adaptive pool": lambda x: functional.adaptive_avg_pool2d(x, (3, 5)),
    "wider adaptive pool": lambda x: functional.adaptive_avg_pool2d(x, (13, 20)),
    "global pool": lambda x: x * x.mean((2, 3), keepdim=True),
    "rows": lambda x: x.sum(3, keepdim=True).expand(-1, -1, -1, 4),
    "nearest": lambda x: functional.interpolate(x, scale_factor=2.0),
    "nearest to a size": lambda x: functional.interpolate(x, size=(7, 17)),
    "bilinear": lambda x: functional.interpolate(x, size=(21, 19), mode="bilinear"),
    "aligned": lambda x: functional.interpolate(
        x, size=(17, 31), mode="bilinear", align_corners=True
    ),
    "antialiased": lambda x: functional.interpolate(
        x, size=(4, 6), mode="bilinear", antialias=True
    ),
    "pixel shuffle": lambda x: functional.pixel_shuffle(x, 2),
    "patches": lambda x: x.unfold(2, 4, 4).unfold(3, 4, 4).sum((-1, -2)),
    "norm": lambda x: x / torch.linalg.vector_norm(x, dim=3, keepdim=True).add(1),
    "logsumexp": lambda x: x * x.logsumexp(2, keepdim=True),
    "matrix": lambda x: torch.matmul(x, x.transpose(2, 3)),
    "linear": lambda x: functional.linear(
        x.permute(0, 2, 3, 1), torch.ones(2, 4, dtype=x.dtype)
    ).permute(0, 3, 1, 2),
    "stack": lambda x: torch.stack([x, x.roll(1, -2)]).sum(0),
    "activations": lambda x: functional.hardswish(functional.gelu(functional.silu(x))),
    "depth": lambda x: stochastic_depth(x, 0.5, "row", training=False),
}  # fmt: skip


class Between(nn.Module):
    """The operation between two convolutions."""

    def __init__(self, operation: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.first, self.second = nn.Conv2d(1, 4, 3, padding=1), nn.LazyConv2d(2, 2)
        self.middle = nn.Identity()
        self.operation = operation

    def forward(self, x: Tensor) -> Tensor:
        return self.second(self.middle(self.operation(self.first(x))))


@pytest.mark.parametrize("operation", OPERATIONS.values(), ids=OPERATIONS)
def test_operations(operation: Callable[[Tensor], Tensor]) -> None:
    net, picture = Between(operation), torch.rand(1, 1, 11, 13)
    net(picture)  # makes the lazy convolution
    assert_fields_are_those_of_the_gradient(net, picture, ["middle", "second"], every=True)


MODULES = {
    "strided": lambda: nn.Conv2d(4, 4, (3, 2), stride=(2, 1), padding=(0, 1)),
    "dilated": lambda: nn.Conv2d(4, 4, 3, dilation=2, padding="same"),
    "even, same": lambda: nn.Conv2d(4, 4, 4, padding="same"),
    "wide padding": lambda: nn.Conv2d(4, 4, 3, padding=3),
    "depthwise": lambda: nn.Conv2d(4, 8, 3, groups=4),
    "transposed": lambda: nn.ConvTranspose2d(4, 4, 3, stride=2),
    "transposed, padded": lambda: nn.ConvTranspose2d(
        4, 2, 4, stride=3, padding=2, output_padding=1, dilation=2
    ),
    "grouped, transposed": lambda: nn.ConvTranspose2d(4, 4, 2, stride=2, groups=2),
    "reflected": lambda: nn.Conv2d(4, 4, 3, padding=1, padding_mode="reflect"),
    "circular": lambda: nn.Conv2d(4, 4, 3, padding=1, padding_mode="circular"),
    "batch norm": lambda: nn.BatchNorm2d(4),
    "max pool": lambda: nn.MaxPool2d(3, 2, padding=1),
    "max pool, ceil": lambda: nn.MaxPool2d(2, ceil_mode=True),
    "unfold": lambda: nn.Unfold(3),
}


@pytest.mark.parametrize("name", MODULES)
@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel")
def test_modules(name: str) -> None:
    net = nn.Sequential(nn.Conv2d(1, 4, 3, stride=2), MODULES[name]())
    assert_fields_are_those_of_the_gradient(net, torch.rand(1, 1, 17, 21), ["0", "1"], every=True)


def test_dilated_max_pooling() -> None:
    found = fields(nn.Sequential(nn.MaxPool2d(3, 1, dilation=2)).eval(), torch.rand(1, 1, 9, 9))
    assert found["0"].of(1, 2) == (2, 1, 7, 6)


def test_norms_mix_what_they_average() -> None:
    class Norms(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv2d(1, 4, 3, padding=1)
            self.group, self.layer = nn.GroupNorm(2, 4), nn.LayerNorm(4)

        def forward(self, x: Tensor) -> Tensor:
            return self.group(self.layer(self.conv(x).permute(0, 2, 3, 1)).permute(0, 3, 1, 2))

    found = fields(Norms().eval(), torch.rand(1, 1, 8, 10))
    assert found.assumed == ()
    assert found["layer"].of(3, 5) == (4, 2, 7, 5), "over the channels only"
    assert found["group"].of(3, 5) == (0, 0, 10, 8)


@pytest.mark.parametrize("fast", [True, False])
def test_attention_mixes_all_tokens_of_its_sequence(fast: bool) -> None:
    class Attention(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.patch = nn.Conv2d(1, 8, 4, stride=4)
            self.tokens = nn.Identity()
            self.attention = nn.MultiheadAttention(8, 2, batch_first=True)
            self.end = nn.Identity()

        def forward(self, x: Tensor) -> Tensor:
            tokens = self.tokens(self.patch(x).flatten(2).transpose(1, 2))
            mixed, _ = self.attention(tokens, tokens, tokens, need_weights=not fast)
            return self.end(mixed)

    found = fields(Attention().eval(), torch.rand(1, 1, 16, 20))
    assert found.assumed == ()
    assert found["tokens"].of(1, 2) == (8, 4, 12, 8)
    assert found["end"].of(1, 2) == (0, 0, 20, 16)
    assert found["end"].xyxy.shape[:2] == (4, 5)


# ---- well-known networks -------------------------------------------------------------------------

NETS = {
    "alexnet": ("features.0", "features.5", "features.12"),
    "vgg11": ("features.3", "features.10", "features.20"),
    "resnet18": ("maxpool", "layer1.0", "layer2", "layer4"),
    "squeezenet1_1": ("features.3", "features.7", "features.12"),
    "densenet121": ("features.denseblock1", "features.transition2", "features.norm5"),
    "mobilenet_v2": ("features.3", "features.9", "features.18"),
    "shufflenet_v2_x0_5": ("stage2", "stage3", "conv5"),
    "googlenet": ("inception3a", "inception4c", "inception5b"),
    "inception_v3": ("Mixed_5b", "Mixed_6a", "Mixed_7c"),
    "fcn_resnet50": ("backbone.layer1", "backbone.layer2", "classifier.4"),
}


LONG = ("fcn_resnet50", "vgg11", "alexnet", "densenet121")


@pytest.mark.parametrize(
    ("name", "layers"),
    [
        pytest.param(name, layers, id=name, marks=[pytest.mark.slow] if name in LONG else [])
        for name, layers in NETS.items()
    ],
)
def test_fields_of_well_known_networks_are_those_of_the_gradient(
    name: str, layers: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    options = {"init_weights": False} if name in ("googlenet", "inception_v3") else {}
    if name == "fcn_resnet50":
        options = {"weights_backbone": None}

    def average(x: Tensor, kernel_size: int, stride: int) -> Tensor:
        return functional.avg_pool2d(x, kernel_size, stride)

    monkeypatch.setattr(functional, "max_pool2d", average)  # Inception calls it
    net = get_model(name, weights=None, **options).eval()
    if name in ("alexnet", "vgg11"):
        net.classifier = nn.Identity()  # large, and behind what is tested
    side = 96 if name != "inception_v3" else 128
    picture = torch.rand(1, 3, side, side + 32, generator=torch.Generator().manual_seed(1))
    assert_fields_are_those_of_the_gradient(net, picture, list(layers))


@torch.no_grad()
@pytest.mark.parametrize("name", ["squeezenet1_1", "mobilenet_v2", "shufflenet_v2_x0_5"])
def test_projective_fields_are_the_cells_that_a_pixel_changes(name: str) -> None:
    net = positive(get_model(name, weights=None))
    layers = NETS[name][:2]
    picture = torch.rand(1, 3, 64, 96, generator=torch.Generator().manual_seed(1)).double()
    found = fields(net, picture)
    for x, y in ((0, 0), (50, 31), (95, 40)):
        changed = picture.clone()
        changed[..., y, x] += 1.0
        for layer in layers:
            before, after = (
                output_until(net, layer, lambda values=values: net(values))
                for values in (picture, changed)
            )
            there = (before != after)[0].any(0).numpy()
            np.testing.assert_array_equal(found[layer].reached(x, y), there, err_msg=layer)


@pytest.mark.parametrize(
    ("name", "layer", "size"),
    [
        ("vgg16", "28", 196),  # conv5_3
        ("vgg16", "30", 212),  # pool5
        ("resnet18", "layer3", 211),
        ("resnet50", "layer3", 267),  # v1.5, as in torchvision: the stride is on the 3 x 3
        ("convnext_tiny", "features.1", 76),
    ],
)
def test_sizes_by_the_recurrence(name: str, layer: str, size: int) -> None:
    """Each layer adds its kernel less one times the stride so far (Araujo et al. 2019)."""
    net = make_layers(cfgs["D"]) if name == "vgg16" else get_model(name, weights=None)
    side = size + 80
    assert fields(net.eval(), torch.rand(1, 3, side, side))[layer].size == (size, size)


def test_a_detectors_fields_are_rectangles_of_its_padded_batch() -> None:
    detector = tiny_faster_rcnn().eval()
    found = fields(detector, [torch.rand(3, 48, 64)])
    assert found.size == (64, 96)  # 64 x 85, padded to multiples of 32
    assert found.frame.point(64.0, 48.0) == pytest.approx((85.0, 64.0))
    # conv1: 3 x 3, stride 4, padding 1; conv2 the same: 11 pixels, 16 apart
    assert found["backbone.conv2"].of(1, 2) == (27, 11, 38, 22)
    assert found["rpn.head.cls_logits"].size == (43, 43)
    assert hook_count(detector) == 0


def test_a_detector_of_another_kind_through_its_own_resizing() -> None:
    """Fields are rectangles of the picture, cells divide what the transform made of it."""
    torch.manual_seed(0)
    detector = lite_yolo_v1(5).eval()
    picture = torch.rand(3, 80, 100)
    found = fields(detector, [picture])
    assert (found.size, found.frame) == ((80, 100), Frame())
    layer = "body.blocks.1"
    maps = activation(detector, [picture], layer)
    assert found.to_cells(layer) == maps.frame
    height, width = maps.values.shape[1:]
    gradient = effective_field(detector, [picture], layer, height // 3, width // 3).gradient
    rows, columns = np.nonzero(gradient)
    x0, y0, x1, y1 = found[layer].of(height // 3, width // 3)
    assert x0 <= columns.min() <= columns.max() < x1
    assert y0 <= rows.min() <= rows.max() < y1
    assert max(x1 - x0, y1 - y0) < 20
    assert hook_count(detector) == 0


# ---- the effective field -------------------------------------------------------------------------


def test_the_effective_field_is_the_gradient() -> None:
    conv = nn.Conv2d(1, 2, 3, bias=False)
    conv.weight.data = torch.arange(-4.0, 14.0).view(2, 1, 3, 3)
    net = nn.Sequential(conv).eval()
    found = effective_field(net, torch.rand(1, 1, 6, 7), "0", 1, 2, channel=0)
    expected = np.zeros((6, 7), np.float32)
    expected[1:4, 2:5] = np.abs(np.arange(-4, 5).reshape(3, 3))
    np.testing.assert_array_equal(found.gradient, expected)
    # the weights of channel 1 are larger, and so is its value
    strongest = effective_field(net, torch.rand(1, 1, 6, 7), "0", 1, 2)
    expected[1:4, 2:5] = np.arange(5, 14).reshape(3, 3)
    assert strongest.channel == 1
    np.testing.assert_array_equal(strongest.gradient, expected)
    assert effective_field(net, torch.rand(1, 1, 6, 7), "0", 1, 2, channel=99).channel == 1


def test_it_lies_within_the_theoretical_field() -> None:
    torch.manual_seed(0)
    net, picture = get_model("resnet18", weights=None).eval(), torch.rand(1, 3, 96, 128)
    x0, y0, x1, y1 = (int(v) for v in fields(net, picture)["layer2"].of(5, 9))
    gradient = effective_field(net, picture, "layer2", 5, 9).gradient.copy()
    inside = gradient[y0:y1, x0:x1].copy()
    assert inside.any()
    gradient[y0:y1, x0:x1] = 0
    assert not gradient.any()
    assert 0 < EffectiveField(inside, 0).area < inside.size
    assert hook_count(net) == 0


def test_of_a_detector_through_its_transform() -> None:
    detector = tiny_faster_rcnn().eval()
    found = effective_field(detector, [torch.rand(3, 48, 64)], "backbone.conv2", 1, 2)
    gradient = found.gradient
    assert gradient.shape == (48, 64)
    rows, columns = np.nonzero(gradient)
    # 11 to 22 and 27 to 38 of the resized picture, which bilinear resizing widens by a pixel
    scale = 48 / 64
    assert 11 * scale - 2 <= rows.min() <= rows.max() <= 22 * scale + 1
    assert 27 * scale - 2 <= columns.min() <= columns.max() <= 38 * scale + 1


def test_the_area_by_hand() -> None:
    gradient = np.array([[1.0, EFFECTIVE], [EFFECTIVE + 0.01, 0.0]], np.float32)
    assert EffectiveField(gradient, 0).area == 2
    assert EffectiveField(np.zeros((3, 3), np.float32), 0).area == 0


def test_a_layer_without_a_gradient_is_told() -> None:
    class Counts(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.end = nn.Identity()

        def forward(self, x: Tensor) -> Tensor:
            return self.end((x > 0.5).float())

    with pytest.raises(ExplorerError, match="no gradient"):
        effective_field(Counts().eval(), torch.rand(1, 1, 4, 4), "end", 0, 0)
