"""Files in torch: outputs and maps are those of the network that was exported."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from onnx import helper
from torch import Tensor, nn
from torch.nn import functional

from explorer.networks.onnx.inspecting import built, image_input
from explorer.networks.onnx.module import GraphModule, to_torch
from explorer.networks.onnx.operators import NotConvertible
from explorer.networks.onnx.reading import read
from tests.networks.onnx_files import classifier, exported, model_of, written


class Mixed(nn.Module):
    """Operators whose ONNX form has changed between the versions."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 3, padding=1)
        self.norm = nn.BatchNorm2d(8)
        self.up = nn.ConvTranspose2d(4, 4, 2, stride=2)
        self.fc = nn.Linear(12, 5)

    def forward(self, images: Tensor) -> Tensor:
        values = functional.hardswish(self.norm(self.conv(images)))
        first, second = values.chunk(2, 1)
        first = functional.interpolate(first, scale_factor=2, mode="nearest")
        second = functional.interpolate(second, size=(16, 16), mode="bilinear")
        second = functional.pad(second, (1, 1, 2, 2), mode="reflect")
        second = functional.avg_pool2d(second, 2) + second.amax((2, 3), keepdim=True)
        third = functional.max_pool2d(functional.leaky_relu(self.up(first)), 2, ceil_mode=True)
        parts = [part.mean((2, 3)) for part in (first, second, third)]
        gate = torch.cat(parts, 1).reshape(len(images), -1)
        return self.fc(functional.gelu(gate)).to(torch.float32)


@pytest.mark.parametrize("opset", range(12, 21))
@torch.no_grad()
def test_every_opset_of_the_exporter(opset: int, tmp_path: Path) -> None:
    torch.manual_seed(1)
    network, images = Mixed().eval(), torch.rand(1, 3, 8, 8)
    path = exported(network, images, tmp_path / "net.onnx", opset=opset)
    file = read(path)
    assert file.opset == opset
    assert torch.allclose(to_torch(file)(images), network(images), atol=1e-5)


@pytest.mark.slow  # it takes ten seconds for any network
@pytest.mark.parametrize("opset", [18, 21])
@torch.no_grad()
def test_the_newer_exporter(opset: int, tmp_path: Path) -> None:
    torch.manual_seed(1)
    network, images = Mixed().eval(), torch.rand(1, 3, 8, 8)
    path = tmp_path / "net.onnx"
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            network, (images,), str(path), dynamo=True, opset_version=opset, verbose=False
        )
    file = read(path)
    assert file.opset == opset
    module = to_torch(file)
    assert torch.allclose(module(images), network(images), atol=1e-5)
    assert "fc" in dict(module.named_modules())


def node(kind: str, count: int = 1, **about: Any) -> Any:
    return kind, count, about


CASES: dict[str, tuple[Any, int, list[np.ndarray]]] = {
    "mean 18": (node("ReduceMean", keepdims=0), 18, [np.array([2, 3], np.int64)]),
    "mean of all 18": (node("ReduceMean"), 18, []),
    "no axes 18": (node("ReduceSum", noop_with_empty_axes=1), 18, []),
    "product 18": (node("ReduceProd", keepdims=0), 18, [np.array([1, -1], np.int64)]),
    "l2 13": (node("ReduceL2", axes=[1], keepdims=1), 13, []),
    "logsumexp 18": (node("ReduceLogSumExp", keepdims=1), 18, [np.array([1], np.int64)]),
    "split 18": (node("Split", 3, axis=3, num_outputs=3), 18, []),
    "split sizes 13": (node("Split", 2, axis=1), 13, [np.array([1, 2], np.int64)]),
    "slice 13": (
        node("Slice"), 13,
        [np.array([1, -1]), np.array([3, -100]), np.array([1, 3]), np.array([1, -2])],
    ),
    "clip 13": (node("Clip"), 13, [np.array(-0.5, np.float32), np.array(0.7, np.float32)]),
    "clip as relu6 13": (node("Clip"), 13, [np.array(0, np.float32), np.array(6, np.float32)]),
    "clip 6": (node("Clip", max=0.3), 9, []),
    "slice 9": (node("Slice", starts=[1, 0], ends=[9, -2], axes=[2, 3]), 9, []),
    "pad axes 18": (
        node("Pad"), 18, [np.array([1, 2], np.int64), np.array(0.5, np.float32), np.array([3])],
    ),
    "pad edge 19": (node("Pad", mode="edge"), 19, [np.array([0, 0, 1, 2, 0, 0, 0, 1])]),
    "pad wrap 19": (node("Pad", mode="wrap"), 19, [np.array([0, 0, 1, 2, 0, 0, 0, 1])]),
    "reshape zero 19": (node("Reshape"), 19, [np.array([0, -1, 4], np.int64)]),
    "cast 19": (node("Cast", to=onnx.TensorProto.FLOAT), 19, []),
    "gelu 20": (node("Gelu", approximate="tanh"), 20, []),
    "mish 18": (node("Mish"), 18, []),
    "global max": (node("GlobalMaxPool"), 18, []),
    "same max": (
        node("MaxPool", kernel_shape=[3, 3], strides=[2, 2], auto_pad="SAME_UPPER"), 17, [],
    ),
    "same conv": (
        node("Conv", strides=[2, 2], auto_pad="SAME_LOWER"), 17,
        [np.linspace(-1, 1, 2 * 3 * 4).reshape(2, 3, 2, 2).astype(np.float32)],
    ),
    "group norm 21": (
        node("GroupNormalization", num_groups=3), 21,
        [np.array([1, 2, 3], np.float32), np.array([0, 1, 0], np.float32)],
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
@torch.no_grad()
def test_an_operator_computes_what_onnx_runtime_computes(case: str, tmp_path: Path) -> None:
    (kind, count, about), opset, constants = CASES[case]
    names = [f"c{number}" for number in range(len(constants))]
    given = ["image", *names]
    if kind.startswith("Reduce") and "noop_with_empty_axes" not in about and not constants:
        given = ["image"]
    made = [f"out{number}" for number in range(count)]
    model = model_of(
        [helper.make_node(kind, given, made, **about)],
        given={"image": [1, 3, 6, 7 if "split" not in case else 8]},
        made=dict.fromkeys(made),
        constants=dict(zip(names, constants, strict=True)),
        opset=opset,
    )
    if case == "reshape zero 19":
        model.graph.input[0].type.tensor_type.shape.dim[3].dim_value = 8
    path = written(model, tmp_path / "net.onnx")
    shape = [int(d.dim_value) for d in model.graph.input[0].type.tensor_type.shape.dim]
    values = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    expected = onnxruntime.InferenceSession(path).run(None, {"image": values})
    module = to_torch(read(path))
    found = module.run(torch.from_numpy(values))
    for one, other in zip(found, expected, strict=True):
        assert one.shape == other.shape
        assert np.allclose(one.numpy(), other, atol=1e-5)


@torch.no_grad()
def test_a_limit_that_is_left_out(tmp_path: Path) -> None:
    model = model_of(
        [helper.make_node("Clip", ["image", "", "most"], ["out"])],
        given={"image": [1, 3, 4, 4]}, made={"out": None},
        constants={"most": np.array(0.5, np.float32)},
    )  # fmt: skip
    images = torch.rand(1, 3, 4, 4)
    module = to_torch(read(written(model, tmp_path / "net.onnx")))
    assert torch.equal(module(images), images.clamp(max=0.5))


@pytest.mark.parametrize(
    ("about", "exact"),
    [
        (
            {
                "mode": "nearest", "coordinate_transformation_mode": "asymmetric",
                "nearest_mode": "floor",
            },
            True,
        ),
        ({"mode": "nearest"}, True),
        ({"mode": "linear"}, True),
        ({"mode": "linear", "coordinate_transformation_mode": "align_corners"}, True),
        ({"mode": "cubic"}, True),
        ({"mode": "linear", "coordinate_transformation_mode": "asymmetric"}, False),
        ({"mode": "cubic", "cubic_coeff_a": -0.5}, False),
    ],
)  # fmt: skip
@torch.no_grad()
def test_resize_is_exact_or_refused(about: dict[str, Any], exact: bool, tmp_path: Path) -> None:
    model = model_of(
        [helper.make_node("Resize", ["image", "", "scales"], ["out"], **about)],
        given={"image": [1, 3, 5, 6]}, made={"out": None},
        constants={"scales": np.array([1, 1, 2, 2], np.float32)}, opset=19,
    )  # fmt: skip
    path = written(model, tmp_path / "net.onnx")
    if not exact:
        with pytest.raises(NotConvertible, match="Resize"):
            to_torch(read(path))
        return
    values = np.random.default_rng(0).normal(size=(1, 3, 5, 6)).astype(np.float32)
    (expected,) = onnxruntime.InferenceSession(path).run(None, {"image": values})
    assert np.allclose(to_torch(read(path))(torch.from_numpy(values)), expected, atol=1e-4)


def test_it_has_gradients_and_weights(tmp_path: Path) -> None:
    module = to_torch(read(classifier(tmp_path / "net.onnx")))
    images = torch.rand(1, 3, 32, 32, requires_grad=True)
    module(images)[0, 1].backward()
    assert images.grad is not None
    assert float(images.grad.abs().sum()) > 0
    assert isinstance(module.get_submodule("body.conv"), nn.Conv2d)
    assert module.get_submodule("body.conv").weight.shape == (4, 3, 3, 3)


@torch.no_grad()
def test_a_file_for_one_image_takes_many(tmp_path: Path) -> None:
    class Fixed(nn.Module):
        def forward(self, images: Tensor) -> Tensor:
            return images.mean((2, 3)).reshape(1, 3)

    file = read(exported(Fixed(), torch.rand(1, 3, 8, 8), tmp_path / "net.onnx"))
    module = built(file, image_input(file))
    assert isinstance(module, GraphModule)
    images = torch.rand(4, 3, 8, 8)
    assert torch.allclose(module(images), images.mean((2, 3)), atol=1e-6)
