"""Checkpoints as other programs write them, each after what somebody has reported.

Whatever is loaded answers exactly as the network that was saved; whatever is not is refused with
the name of the layer. No layer is ever left with random weights.
"""

from __future__ import annotations

import warnings
from argparse import Namespace
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
import torchvision.models as tv
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn.utils import parametrizations, parametrize, prune, spectral_norm, weight_norm

from explorer.core.errors import ExplorerError
from explorer.core.network_info import NetworkSpec
from explorer.networks import catalog
from explorer.networks.checkpoints import contents, heads, reading
from tests.steps import finish

if TYPE_CHECKING:
    from collections.abc import Callable

    from explorer.networks.network import Network

State = dict[str, Tensor]


def trained(name: str, seed: int = 0, **options: Any) -> nn.Module:
    """torchvision's own module with weights that no program would find by itself."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        module = tv.get_model(name, weights=None, **options)
        for parameter in module.parameters():
            parameter.data.add_(0.01 * torch.randn_like(parameter))
    return module.eval()


def loaded(path: Path, content: Any, name: str = "", part: str = "", **how: Any) -> Network:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.save(content, path / "w.pth", **how)
    weights = f"{path / 'w.pth'}{part}"
    return finish(catalog.load(NetworkSpec(name, weights, "cpu")))[0]


def check_same(network: Network, module: nn.Module, side: int = 64) -> None:
    pixels = torch.rand(1, 3, side, side, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        torch.testing.assert_close(network.module(pixels), module(pixels))


@pytest.fixture(scope="module")
def net() -> nn.Module:
    return trained("shufflenet_v2_x0_5", num_classes=4)


@pytest.fixture(scope="module")
def state(net: nn.Module) -> State:
    return net.state_dict()


# -- names


@pytest.mark.parametrize(
    "rename",
    [
        lambda key: f"net.{key}",
        lambda key: f"detector.{key}",
        lambda key: f"1.{key}",
        lambda key: f"model.encoder.module.{key}",
        lambda key: f"_forward_module.x.{key}",
        lambda key: key.replace("stage2.", "stage2.module."),
        lambda key: key.replace("branch2.", "branch2._orig_mod."),
        lambda key: f"encoder.{key}" if not key.startswith("fc.") else key,
        lambda key: f"backbone.{key}" if not key.startswith("fc.") else f"head.{key}",
    ],
)
def test_names_with_words_around_and_inside(
    tmp_path: Path, net: nn.Module, state: State, rename: Callable[[str], str]
) -> None:
    network = loaded(tmp_path, {rename(key): value for key, value in state.items()})
    assert network.info.spec.name == "shufflenet_v2_x0_5"
    assert network.info.task == "classification"
    check_same(network, net)


def test_counters_of_profilers_are_no_weights(tmp_path: Path, net: nn.Module, state: State) -> None:
    counters = {
        f"{key.rpartition('.')[0]}.{name}": torch.zeros(1)
        for key in state
        for name in ("total_ops", "total_params")
    }
    network = loaded(tmp_path, state | counters | {"n_averaged": torch.tensor(3)})
    check_same(network, net)
    assert not any("belong" in note for note in network.info.notes)


def test_what_stands_beside_the_network_is_said(tmp_path: Path, net: nn.Module) -> None:
    content = {f"model.{k}": v for k, v in net.state_dict().items()} | {"loss.w": torch.ones(9)}
    network = loaded(tmp_path, content)
    check_same(network, net)
    assert any("1 tensor of w.pth belongs to no layer" in note for note in network.info.notes)


@pytest.mark.parametrize(
    ("mean", "std"), [("0.mean", "0.std"), ("normalizer.new_mean", "normalizer.new_std")]
)
@pytest.mark.parametrize("unit", [1.0, 255.0])
def test_a_normalization_inside_the_file_is_used(
    tmp_path: Path, state: State, mean: str, std: str, unit: float
) -> None:
    numbers = torch.tensor([0.5, 0.4, 0.3]), torch.tensor([0.2, 0.1, 0.25])
    content = {f"1.{key}": value for key, value in state.items()}
    content[mean], content[std] = ((unit * three).view(1, 3, 1, 1) for three in numbers)
    network = loaded(tmp_path, content)
    assert network.preprocess.mean == pytest.approx((0.5, 0.4, 0.3))
    assert network.preprocess.std == pytest.approx((0.2, 0.1, 0.25))
    assert any("its own pixel normalization" in note for note in network.info.notes)


# -- two networks in one file


TWO: dict[str, tuple[Callable[[State, State], Any], str]] = {
    "student and teacher": (lambda one, other: {"teacher": other, "student": one}, "teacher"),
    "model and ema": (lambda one, other: {"ema": other, "model": one}, "ema"),
    "averaged": (lambda one, other: {"state_dict_ema": other, "state_dict": one}, "state_dict_ema"),
    "generator": (lambda one, other: {"discriminator": other, "generator": one}, "discriminator"),
    "student and teacher, flat": (
        lambda one, other: (
            {f"teacher.{k}": v for k, v in other.items()}
            | {f"student.{k}": v for k, v in one.items()}
        ),
        "teacher",
    ),
    "queries and keys": (
        lambda one, other: (
            {f"module.encoder_k.{k}": v for k, v in other.items()}
            | {f"module.encoder_q.{k}": v for k, v in one.items()}
            | {"module.queue": torch.ones(8, 8)}
        ),
        "encoder_k",
    ),
}


@pytest.mark.parametrize("case", TWO)
@pytest.mark.parametrize("name", ["", "shufflenet_v2_x0_5"])
def test_of_two_networks_the_trained_one_is_taken_and_the_other_offered(
    tmp_path: Path, net: nn.Module, state: State, case: str, name: str
) -> None:
    other = trained("shufflenet_v2_x0_5", seed=1, num_classes=4)
    make, part = TWO[case]
    content = make(state, other.state_dict())
    network = loaded(tmp_path, content, name)
    check_same(network, net)
    assert any(f"w.pth#{part} selects that network" in note for note in network.info.notes)
    assert network.info.others == (f"{tmp_path / 'w.pth'}#{part}",)
    second = loaded(tmp_path, content, name, f"#{part}")
    check_same(second, other)
    assert second.info.weights_title.startswith("w.pth#")
    assert second.info.weights_title.endswith(part)
    assert not any("also contains" in note for note in second.info.notes)
    (back,) = second.info.others
    assert back.startswith(f"{tmp_path / 'w.pth'}#")
    check_same(loaded(tmp_path, content, name, back.removeprefix(str(tmp_path / "w.pth"))), net)


def test_two_copies_are_one_network(tmp_path: Path, net: nn.Module, state: State) -> None:
    content = {f"{word}.{k}": v for word in ("model", "attacker.model") for k, v in state.items()}
    network = loaded(tmp_path, content)
    check_same(network, net)
    assert network.info.others == ()
    assert not any("also contains" in note for note in network.info.notes)


def test_a_part_that_is_not_there(tmp_path: Path, state: State) -> None:
    with pytest.raises(ExplorerError, match="no part 'nobody'"):
        loaded(tmp_path, {"model": state}, part="#nobody")


def test_a_file_name_may_have_the_sign(tmp_path: Path, state: State) -> None:
    torch.save(state, tmp_path / "run#7.pth")
    assert reading.read(tmp_path / "run#7.pth").name == "run#7.pth"


def test_a_file_that_two_builders_fit_asks_for_the_name(tmp_path: Path) -> None:
    name = "fasterrcnn_mobilenet_v3_large_320_fpn"
    content = tv.get_model(name, weights=None, weights_backbone=None, num_classes=3).state_dict()
    with pytest.raises(ExplorerError, match=f"{name} and .* equally well") as caught:
        loaded(tmp_path, content)
    assert "fasterrcnn_mobilenet_v3_large_fpn" in caught.value.message
    assert loaded(tmp_path, content, name).info.spec.name == name


# -- layers that are kept in parts


def convolutions(module: nn.Module) -> list[nn.Module]:
    return [m for m in module.modules() if isinstance(m, (nn.Conv2d, nn.Linear))][:3]


class Mask(nn.Module):
    def __init__(self, weight: Tensor) -> None:
        super().__init__()
        self.register_buffer("mask", (weight > 0).float())

    def forward(self, weight: Tensor) -> Tensor:
        assert isinstance(self.mask, Tensor)
        return weight * self.mask


PARTS: dict[str, Callable[[Any], Any]] = {
    "pruned": lambda m: prune.l1_unstructured(m, "weight", 0.5),
    "weight norm": parametrizations.weight_norm,
    "weight norm, old": weight_norm,
    "weight norm of the inputs": lambda m: parametrizations.weight_norm(m, dim=1),
    "weight norm of all": lambda m: parametrizations.weight_norm(m, dim=None),
    "spectral norm": parametrizations.spectral_norm,
    "spectral norm, old": spectral_norm,
    "a mask": lambda m: parametrize.register_parametrization(m, "weight", Mask(m.weight)),
}


@pytest.mark.filterwarnings("ignore:.*weight_norm.*:FutureWarning")
@pytest.mark.parametrize("case", PARTS)
def test_weights_in_parts_are_computed_exactly(tmp_path: Path, case: str) -> None:
    module = trained("shufflenet_v2_x0_5", num_classes=4)
    for layer in convolutions(module):
        PARTS[case](layer)
    module.train()(torch.rand(2, 3, 64, 64))  # spectral norms find their vectors
    network = loaded(tmp_path, module.eval().state_dict())
    check_same(network, module)
    assert any("Parametrized weights" in note for note in network.info.notes)


def test_other_parametrizations_are_refused_by_the_name_of_the_layer(tmp_path: Path) -> None:
    module = trained("shufflenet_v2_x0_5", num_classes=4)
    parametrizations.orthogonal(module.fc)
    with pytest.raises(ExplorerError, match=r"computes fc\.weight from .* unsupported way"):
        loaded(tmp_path, module.state_dict())


# -- layers of another shape


@pytest.mark.parametrize("name", ["", pytest.param("shufflenet_v2_x0_5", marks=pytest.mark.slow)])
@pytest.mark.parametrize(
    ("shape", "words"),
    [
        ((24, 4, 3, 3), "takes 4 channels instead of 3"),
        ((24, 3, 5, 5), "is 24x3x5x5, the network expects 24x3x3x3"),
        pytest.param((24, 6, 3, 3), "takes 6 channels instead of 3", marks=pytest.mark.slow),
        pytest.param(
            (12, 3, 3, 3), "is 12x3x3x3, the network expects 24x3x3x3", marks=pytest.mark.slow
        ),
    ],
)
def test_another_stem_is_refused_by_its_name(
    tmp_path: Path, state: State, name: str, shape: tuple[int, ...], words: str
) -> None:
    content = state | {"conv1.0.weight": torch.randn(shape)}
    with pytest.raises(ExplorerError, match=rf"conv1\.0\.weight .*{words}"):
        loaded(tmp_path, content, name)


@pytest.mark.slow
def test_other_anchors_are_refused_by_the_name_of_the_layer(tmp_path: Path) -> None:
    name = "fasterrcnn_mobilenet_v3_large_320_fpn"
    content = tv.get_model(name, weights=None, weights_backbone=None, num_classes=3).state_dict()
    for layer, width in (("cls_logits", 24), ("bbox_pred", 96)):
        content[f"rpn.head.{layer}.weight"] = torch.randn(width, 256, 1, 1)
        content[f"rpn.head.{layer}.bias"] = torch.randn(width)
    with pytest.raises(
        ExplorerError, match=r"rpn\.head\.cls_logits.*24 anchors per cell"
    ) as caught:
        loaded(tmp_path, content, name)
    assert "not in the file" in caught.value.hint


@pytest.mark.slow
@pytest.mark.parametrize(
    "key",
    ["conv1.0.weight", "conv1.1.bias", "conv1.1.weight", "stage2.1.branch2.1.running_mean"],
)
def test_one_layer_without_weights_is_never_random(tmp_path: Path, state: State, key: str) -> None:
    rest = {name: value for name, value in state.items() if name != key}
    with pytest.raises(ExplorerError, match=f"1 missing .{key}"):
        loaded(tmp_path, rest, "shufflenet_v2_x0_5")


@pytest.mark.slow
def test_one_layer_more_is_refused(tmp_path: Path, state: State) -> None:
    with pytest.raises(ExplorerError, match=r"1 unknown \(stage3\.9\.se\.weight"):
        loaded(tmp_path, state | {"stage3.9.se.weight": torch.ones(3)}, "shufflenet_v2_x0_5")


def test_a_layer_without_bias_has_none(tmp_path: Path) -> None:
    module = trained("shufflenet_v2_x0_5", num_classes=4)
    module.fc = nn.Linear(1024, 4, bias=False)
    network = loaded(tmp_path, module.state_dict())
    check_same(network, module)
    assert "w.pth has no bias for fc: 0 is used." in network.info.notes


def test_the_end_of_a_network_that_is_not_there_is_taken_off(
    tmp_path: Path, net: nn.Module
) -> None:
    rest = {k: v for k, v in net.state_dict().items() if not k.startswith(("conv5.", "fc."))}
    network = loaded(tmp_path, rest, "shufflenet_v2_x0_5")
    assert network.info.task == "features"
    assert network.info.parameters == sum(
        value.numel() for key, value in rest.items() if "running" not in key and "num_" not in key
    )
    assert any("conv5.0, conv5.1, fc" in note for note in network.info.notes)
    assert network.module(torch.rand(1, 3, 64, 64)).shape == (1, 192)


# -- heads of their own


def two_layers(width: int) -> nn.Module:
    return nn.Sequential(nn.Linear(width, 16), nn.ReLU(), nn.Dropout(), nn.Linear(16, 5))


HEADS: dict[str, Callable[[int], nn.Module]] = {
    "dropout": lambda width: nn.Sequential(nn.Dropout(), nn.Linear(width, 5)),
    "nested": lambda width: nn.Sequential(nn.Sequential(nn.Dropout(), nn.Linear(width, 5))),
    "two layers": two_layers,
    "no ReLU": lambda width: nn.Sequential(nn.Linear(width, 16), nn.Linear(16, 5, bias=False)),
    "norm": lambda width: nn.Sequential(
        nn.Linear(width, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Linear(16, 5)
    ),
    "norm first": lambda width: nn.Sequential(nn.BatchNorm1d(width), nn.Linear(width, 5)),
    "three layers": lambda width: nn.Sequential(
        nn.Linear(width, 16), nn.ReLU(), nn.Linear(16, 8), nn.ReLU(), nn.Linear(8, 5), nn.Dropout()
    ),
}


@pytest.mark.parametrize("case", HEADS)
def test_plain_heads_are_built(tmp_path: Path, case: str) -> None:
    module = trained("shufflenet_v2_x0_5")
    module.fc = HEADS[case](1024)
    network = loaded(tmp_path, {"model": module.eval().state_dict(), "classes": list("abcde")})
    assert network.info.task == "classification"
    assert network.info.classes == tuple("abcde")
    assert any("a custom head in place of fc" in note for note in network.info.notes)
    check_same(network, module)


@pytest.mark.parametrize("name", ["mobilenet_v2", "mobilenet_v3_small"])
def test_heads_inside_a_classifier(tmp_path: Path, name: str) -> None:
    module: Any = trained(name)
    last = len(module.classifier) - 1
    module.classifier[last] = two_layers(module.classifier[last].in_features)
    check_same(loaded(tmp_path, module.eval().state_dict()), module)


def test_layers_of_another_width_keep_what_is_between_them(tmp_path: Path) -> None:
    module: Any = trained("mobilenet_v3_small")
    module.classifier[0], module.classifier[3] = nn.Linear(576, 32), nn.Linear(32, 4)
    check_same(loaded(tmp_path, module.eval().state_dict()), module)


@pytest.mark.slow
@pytest.mark.parametrize(
    "head",
    [
        nn.Sequential(nn.LayerNorm(1024), nn.Linear(1024, 5)),
        nn.Sequential(nn.Linear(1024, 16), nn.PReLU(), nn.Linear(16, 5)),
        nn.Sequential(
            nn.Linear(1024, 16), nn.ReLU(), nn.BatchNorm1d(16), nn.Dropout(), nn.Linear(16, 5)
        ),
        nn.Bilinear(1024, 1024, 2),
    ],
)
def test_heads_that_the_file_does_not_tell_are_said_to_be_unknown(
    tmp_path: Path, head: nn.Module
) -> None:
    module = trained("shufflenet_v2_x0_5")
    module.fc = head
    if isinstance(head, nn.Bilinear):
        with pytest.raises(ExplorerError, match=r"fc\.weight"):
            loaded(tmp_path, module.state_dict(), "shufflenet_v2_x0_5")
        return
    network = loaded(tmp_path, module.state_dict(), "shufflenet_v2_x0_5")
    assert network.info.task == "features"
    assert any("not supported (fc.0.weight" in note for note in network.info.notes)


def test_a_head_beside_the_trunk(tmp_path: Path, net: nn.Module, state: State) -> None:
    content = {f"backbone.{k}": v for k, v in state.items() if not k.startswith("fc.")}
    content |= {f"head.{k}": v for k, v in state.items() if k.startswith("fc.")}
    content |= {"neck.weight": torch.ones(3)}
    network = loaded(tmp_path, content)
    check_same(network, net)
    assert any("neck.weight" in note for note in network.info.notes)


def test_gaps_between_layers() -> None:
    shapes = {"fc.0": (16, 8), "fc.2": (4, 16)}
    tensors = {f"{name}.weight": torch.ones(shape) for name, shape in shapes.items()}
    found = heads.head_under(tensors, "fc.", "fc", 8)
    assert found is not None
    assert [layer.gap for layer in found.layers] == [True, True]
    assert found.names == {"fc.0": "fc.0", "fc.2": "fc.2"}
    assert heads.head_under(tensors, "fc.", "fc", 9) is None


# -- where the weights are

STATE = {"fc.weight": torch.arange(6.0).view(2, 3), "fc.bias": torch.ones(2)}


@pytest.mark.parametrize(
    ("content", "where"),
    [
        ({"net_state": STATE}, "net_state"),
        ({"state": {"model": {"state_dict": STATE}}}, "state.model.state_dict"),
        ({"epoch": 1, "anything": {"at": {"all": STATE}}}, "anything.at.all"),
        (({"epoch": 3}, STATE), "1"),
        ({"args": Namespace(model=STATE)}, "args.model"),
        ({"best": torch.ones(()), "m": STATE}, "m"),
        (
            {
                "m": STATE,
                "optimizer": {"state": {0: {"exp_avg": torch.ones(900)}}, "param_groups": []},
            },
            "m",
        ),
        ({"model": {k: v.numpy() for k, v in STATE.items()}}, "model"),
    ],
)
def test_weights_are_found_wherever_they_are(tmp_path: Path, content: Any, where: str) -> None:
    torch.save(content, tmp_path / "w.pth")
    found = reading.read(tmp_path / "w.pth")
    assert found.notes == (f"The weights were found under {where!r} in w.pth.",)
    assert all(torch.equal(found.tensors[key], tensor) for key, tensor in STATE.items())


def test_without_weights_the_keys_are_named(tmp_path: Path) -> None:
    torch.save({"epoch": 1, "lr": 0.1}, tmp_path / "w.pth")
    with pytest.raises(ExplorerError, match="no weights, but only epoch, lr"):
        reading.read(tmp_path / "w.pth")


@pytest.mark.parametrize(
    "extra",
    [
        {"meta": {"CLASSES": ["ant", "bee"]}},
        {"meta": {"dataset_meta": {"classes": ("ant", "bee")}}},
        {"dataset_meta": {"classes": ("ant", "bee")}},
        {"id2label": {"0": "ant", "1": "bee"}},
        {"config": {"id2label": {0: "ant", 1: "bee"}}},
        {"idx_to_class": {0: "ant", 1: "bee"}},
        {"names": {"1": "bee", "0": "ant"}},
        {"args": Namespace(classes=["ant", "bee"])},
        {"args": Namespace(classes="ant, bee")},
        {"hyper_parameters": {"class_to_idx": {"bee": 1, "ant": 0}}},
        {"label2id": {"ant": "0", "bee": "1"}},
        {"categories": [{"id": 1, "name": "ant"}, {"id": 2, "name": "bee"}]},
        {"classes": np.array(["ant", "bee"]).tolist()},
    ],
)
def test_class_names_wherever_they_are(tmp_path: Path, extra: dict[str, Any]) -> None:
    torch.save({"state_dict": STATE, **extra}, tmp_path / "w.pth")
    assert reading.read(tmp_path / "w.pth").classes == ("ant", "bee")


@pytest.mark.parametrize(
    ("content", "names"),
    [
        ({"classes": 2}, ()),
        ({"classes": {}}, ()),
        ({"names": {"first": "ant", "second": "bee"}}, ()),
        ({"names": {0: "ant", 3: "bee"}}, ("ant", "N/A", "N/A", "bee")),
        ({"names": {1: "ant", 2: "bee"}}, ("ant", "bee")),
        ({"names": {5: "ant"}}, ()),
        ({"names": {0: "ant", "0": "bee"}}, ()),
        ([{"classes": ["ant"]}], ()),
    ],
)
def test_what_is_a_list_of_classes(content: Any, names: tuple[str, ...]) -> None:
    assert contents.class_names(content) == names


def test_class_names_of_safetensors(tmp_path: Path) -> None:
    save_file(STATE, tmp_path / "w.safetensors", {"id2label": '{"0": "ant", "1": "bee"}'})
    assert reading.read(tmp_path / "w.safetensors").classes == ("ant", "bee")


def test_names_of_another_number_are_not_used_and_that_is_said(
    tmp_path: Path, state: State
) -> None:
    info = loaded(tmp_path, {"model": state, "classes": list("abcde")}).info
    assert info.classes == ()
    assert "The file names 5 classes, but its head has 4: the names are not used." in info.notes


# -- the true reason


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("protocol", [3, 4, 5])
def test_later_pickles(tmp_path: Path, zipped: bool, protocol: int) -> None:
    content = {"model": STATE, "best": np.float64(0.5)}
    with pytest.raises(ExplorerError, match=f"pickle_protocol={protocol}"):
        loaded(
            tmp_path, content, pickle_protocol=protocol, _use_new_zipfile_serialization=zipped
        )  # fmt: skip


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_torchscript(tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.save(torch.jit.script(nn.Linear(2, 2)), tmp_path / "w.pt")
    with pytest.raises(ExplorerError, match="TorchScript"):
        reading.read(tmp_path / "w.pt")


def test_dynamic_quantization(tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        module = torch.ao.quantization.quantize_dynamic(
            nn.Sequential(nn.Linear(3, 2)), dtype=torch.qint8
        )
        torch.save(module.state_dict(), tmp_path / "w.pth")
    with pytest.raises(ExplorerError, match="quantized weights"):
        reading.read(tmp_path / "w.pth")


def test_meta_tensors(tmp_path: Path) -> None:
    torch.save(nn.Linear(3, 2, device="meta").state_dict(), tmp_path / "w.pth")
    with pytest.raises(ExplorerError, match=r"no values: weight .* meta device"):
        reading.read(tmp_path / "w.pth")


def test_scales_of_blocks(tmp_path: Path) -> None:
    scales = torch.ones(4).to(torch.float8_e8m0fnu)
    save_file({"w": torch.ones(2), "s": scales}, tmp_path / "w.safetensors")
    torch.save({"w": torch.ones(2), "s": scales}, tmp_path / "w.pth")
    for name, words in (("w.safetensors", "F8_E8M0"), ("w.pth", "float8_e8m0fnu")):
        with pytest.raises(ExplorerError, match=f"s is stored as {words}"):
            reading.read(tmp_path / name)


def test_values_that_only_hold_something_are_harmless(tmp_path: Path) -> None:
    from collections import defaultdict

    content = {
        "model": STATE,
        "best": np.float64(0.5),
        "step": np.int64(7),
        "curve": np.arange(3.0),
        "args": Namespace(data=Path("/data"), out=PurePosixPath("x"), when=datetime(2026, 1, 2)),
        "log": defaultdict(list, {"loss": [1.0]}),
    }
    torch.save(content, tmp_path / "w.pth")
    assert set(reading.read(tmp_path / "w.pth").tensors) == set(STATE)


def test_a_pickle_of_another_program(tmp_path: Path) -> None:
    import pickle

    (tmp_path / "w.pth").write_bytes(pickle.dumps({"w": [1.0]}))
    with pytest.raises(ExplorerError, match=r"not written by torch.save"):
        reading.read(tmp_path / "w.pth")
