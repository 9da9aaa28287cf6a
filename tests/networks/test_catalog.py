from __future__ import annotations

import json
import pickle
from typing import TYPE_CHECKING, Any

import pytest
import torch
import torchvision.models as tv
from safetensors.torch import save_file
from torch import Tensor, nn

from explorer.core.errors import ExplorerError
from explorer.core.network_info import LayerInfo, NetworkInfo, NetworkSpec
from explorer.networks import catalog, shipped, zoo
from explorer.networks.checkpoints import loading, weights
from explorer.networks.embedded import ARCHITECTURES
from tests.steps import finish

if TYPE_CHECKING:
    from pathlib import Path


def cached(name: str, option: str, **options: Any) -> nn.Module:
    """Random weights where torchvision would have downloaded the real ones."""
    entry = catalog.find(name)
    url = next(found.url for found in entry.weights if found.name == option)
    module = tv.get_model(name, weights=None, **options)
    weights.folder().mkdir(parents=True, exist_ok=True)
    state = module.state_dict()
    if name in zoo._FROZEN_WHEN_TRAINED:
        state = {key: value for key, value in state.items() if "num_batches" not in key}
    torch.save(state, weights.path_of(url))
    return module


class TestEntries:
    def test_all_of_torchvision(self) -> None:
        names = [entry.name for entry in catalog.entries()]
        assert len(names) == len(set(names))
        for room in (tv, tv.detection, tv.segmentation):
            assert set(tv.list_models(module=room)) <= set(names)
        assert not any(name.startswith("quantized") for name in names)

    def test_are_plain_data(self) -> None:
        for entry in catalog.entries():
            assert pickle.loads(pickle.dumps(entry)) == entry
            assert isinstance(hash(entry), int)
            assert entry.summary.endswith(".")
            for option in entry.weights:
                assert option.megabytes > 0

    def test_builds_nothing(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def refuse(*_: object) -> None:
            raise AssertionError("a network was built")

        monkeypatch.setattr(nn.Module, "__init__", refuse)
        assert len(catalog.entries()) > 90

    def test_what_is_said_of_one(self) -> None:
        entry = catalog.find("resnet50")
        assert (entry.title, entry.task, entry.family) == (
            "ResNet-50",
            "classification",
            "torchvision",
        )
        assert [option.name for option in entry.weights] == ["IMAGENET1K_V2", "IMAGENET1K_V1"]
        best = entry.weights[0]
        assert dict(best.metrics)["ImageNet-1K acc@1"] == 80.858
        assert best.categories == entry.num_classes == 1000
        assert best.state == entry.state == "download"
        assert entry.at_hand is None

    def test_states_follow_the_files(self) -> None:
        entry = catalog.find("squeezenet1_1")
        path = weights.path_of(entry.weights[0].url)
        path.parent.mkdir(parents=True)
        path.write_bytes(b"")
        assert catalog.find("squeezenet1_1").state == "cached"
        path.unlink()
        assert catalog.find("squeezenet1_1").state == "download"

    @pytest.mark.parametrize(
        ("name", "words"), [("resnet51", "resnet5"), ("fasterrcn", "fasterrcnn"), ("%%", "list")]
    )
    def test_unknown_name(self, name: str, words: str) -> None:
        with pytest.raises(ExplorerError, match="There is no network") as caught:
            catalog.find(name)
        assert words in caught.value.hint


class TestLoad:
    def test_untrained_says_so(self) -> None:
        network, steps = finish(catalog.load(NetworkSpec("squeezenet1_1", device="cpu")))
        info = network.info
        assert info.untrained
        assert info.notes[0].startswith("UNTRAINED")
        assert "IMAGENET1K_V1" in info.notes[1]
        assert "5 MB" in info.notes[1]
        assert len(info.classes) == 1000
        assert (info.device, info.dtype, info.parameters) == ("cpu", "float32", 1_235_496)
        assert info.default_layer in info.layer_names()
        assert not network.module.training
        assert not any(parameter.requires_grad for parameter in network.module.parameters())
        assert [step.value for step in steps] == [None] * len(steps)
        assert "Building SqueezeNet 1.1" in [step.note for step in steps]

    def test_random_weights_are_the_same_every_time(self) -> None:
        torch.manual_seed(5)
        before = torch.random.get_rng_state()
        one, two = (
            finish(catalog.load(NetworkSpec("squeezenet1_1", "none")))[0].module for _ in "ab"
        )
        assert torch.equal(torch.random.get_rng_state(), before)
        assert torch.equal(one.features[0].weight, two.features[0].weight)

    def test_layers(self) -> None:
        module = nn.Sequential(nn.Conv2d(1, 2, 3), nn.Sequential(nn.ReLU()))
        assert loading.layers_of(module) == (
            LayerInfo("0", "Conv2d", 0, True, 20),
            LayerInfo("1", "Sequential", 0, False, 0),
            LayerInfo("1.0", "ReLU", 1, True, 0),
        )

    def test_names_are_checked(self) -> None:
        for spec, words in (
            (NetworkSpec("resnet18", "IMAGENET1K_V9"), "has no weights 'IMAGENET1K_V9'"),
            (NetworkSpec("resnet18", "missing.pth"), "No such file"),
            (NetworkSpec("resnet99"), "no network 'resnet99'"),
            (NetworkSpec("resnet18", device="gpu"), "not a device"),
        ):
            with pytest.raises(ExplorerError, match=words):
                finish(catalog.load(spec))

    def test_downloads_only_what_is_named(self, monkeypatch: pytest.MonkeyPatch) -> None:
        asked: list[str] = []

        def refuse(url: str, have: int, timeout: float) -> None:
            asked.append(url)
            raise ExplorerError("no network")

        monkeypatch.setattr(weights, "_ask", refuse)
        finish(catalog.load(NetworkSpec("squeezenet1_1")))
        assert asked == []
        with pytest.raises(ExplorerError, match="no network"):
            finish(catalog.load(NetworkSpec("squeezenet1_1", "imagenet1k_v1")))
        assert asked == [catalog.find("squeezenet1_1").weights[0].url]

    def test_cached_weights_are_used_without_asking(self) -> None:
        module = cached("squeezenet1_1", "IMAGENET1K_V1")
        network, _ = finish(catalog.load(NetworkSpec("squeezenet1_1")))
        assert network.info.state == "cached"
        assert network.info.notes == ()
        assert network.info.classes[281] == "tabby"
        assert torch.equal(network.module.features[0].weight, module.features[0].weight)

    def test_closing_between_steps(self) -> None:
        steps = catalog.load(NetworkSpec("squeezenet1_1"))
        next(steps)
        steps.close()
        network, _ = finish(catalog.load(NetworkSpec("squeezenet1_1")))
        assert network.info.state == "untrained"

    def test_half(self) -> None:
        network, _ = finish(catalog.load(NetworkSpec("squeezenet1_1", device="cpu", half=True)))
        assert network.info.dtype == "bfloat16"
        detector = "ssdlite320_mobilenet_v3_large"
        network, _ = finish(catalog.load(NetworkSpec(detector, device="cpu", half=True)))
        assert network.info.dtype == "float32"
        assert "float32" in network.info.notes[-1]


@pytest.mark.parametrize(
    ("name", "option", "options"),
    [
        ("squeezenet1_1", "IMAGENET1K_V1", {}),
        ("mnasnet0_5", "IMAGENET1K_V1", {}),
        ("googlenet", "IMAGENET1K_V1", {"aux_logits": True, "init_weights": False}),
        (
            "fasterrcnn_mobilenet_v3_large_320_fpn",
            "COCO_V1",
            {"num_classes": 91, "weights_backbone": None},
        ),
        (
            "lraspp_mobilenet_v3_large",
            "COCO_WITH_VOC_LABELS_V1",
            {"num_classes": 21, "weights_backbone": None},
        ),
    ],
)
def test_is_the_network_that_torchvision_builds(
    name: str, option: str, options: dict[str, Any]
) -> None:
    cached(name, option, **options)
    theirs = tv.get_model(name, weights=option).eval()
    network, _ = finish(catalog.load(NetworkSpec(name, option, "cpu")))
    photo = torch.rand(3, 96, 128, generator=torch.Generator().manual_seed(0))
    values = photo[None] if network.preprocess.batched else [photo]
    with torch.no_grad():
        wanted, found = theirs(values), network.module(values)
    if isinstance(wanted, list):
        wanted, found = wanted[0], found[0]
    if isinstance(wanted, Tensor):
        wanted, found = {"": wanted}, {"": found}
    assert wanted.keys() == found.keys()
    assert all(torch.equal(found[key], tensor) for key, tensor in wanted.items())


def test_epsilon_and_frozen_norms_of_the_first_coco_weights() -> None:
    definition = next(d for d in zoo.definitions() if d.entry.name == "fasterrcnn_resnet50_fpn")
    arguments = definition.arguments({"backbone.body.bn1.weight": torch.ones(1)})
    assert arguments == {"frozen": True}
    module = nn.Sequential(zoo.FrozenBatchNorm2d(3))
    definition.variants["COCO_V1"].finish(module)
    assert module[0].eps == 0.0
    assert definition.assumed.finish is not definition.variants["COCO_V1"].finish


def test_weights_without_a_head_are_features(monkeypatch: pytest.MonkeyPatch) -> None:
    definition = next(d for d in zoo.definitions() if d.entry.name == "vgg16")
    variant = definition.variants["IMAGENET1K_FEATURES"]
    assert variant.features_only
    assert variant.classes == ()
    assert "no trained head" in variant.notes[0]


def layer(name: str, kind: str = "Conv2d", parameters: int = 10) -> LayerInfo:
    return LayerInfo(name, kind, name.count("."), True, parameters)


@pytest.mark.parametrize(
    ("names", "wanted"),
    [
        (["conv1", "layer1", "layer2", "layer3", "layer4", "fc"], "layer3"),
        (["backbone.body.layer2", "backbone.body.layer3", "rpn.head"], "backbone.body.layer3"),
        ([f"features.{index}" for index in range(10)] + ["classifier.1"], "features.6"),
        (["a", "b", "c"], "b"),
        ([], ""),
    ],
)
def test_default_layer(names: list[str], wanted: str) -> None:
    assert loading.default_layer(tuple(layer(name) for name in names)) == wanted


class TestEmbedded:
    @pytest.fixture
    def folder(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
        """A resources folder of the test's own."""
        monkeypatch.setattr(shipped, "resource_path", tmp_path.joinpath)
        (tmp_path / "weights").mkdir()
        (tmp_path / "classes").mkdir()
        return tmp_path

    def card(self, folder: Path, **changes: Any) -> dict[str, Any]:
        card = {
            "name": "mini-resnet",
            "title": "Mini ResNet",
            "task": "classification",
            "architecture": {"function": "mini_resnet", "kwargs": {"num_classes": 3}},
            "parameters": 2_000_000,
            "preprocessing": {"resize": 64, "crop": 64, "mean": [0.5] * 3, "std": [0.2] * 3},
            "default_layer": "layer2",
            "class_tree": "classes/tree.json",
            "metrics": {"top1": 0.5, "by class": {"cat": 1}},
            "classes": ["cat", "dog", "pond"],
            **changes,
        }
        (folder / "weights" / f"{card['name']}.json").write_text(json.dumps(card))
        rows = [{"name": name, "path": ["thing", name]} for name in ("cat", "dog", "pond")]
        (folder / "classes" / "tree.json").write_text(json.dumps(rows))
        return card

    def test_none(self, folder: Path) -> None:
        assert shipped.definitions() == ()
        assert catalog.default_for("classification") is None

    def test_shipped_comes_first(self, folder: Path) -> None:
        self.card(folder)
        state = ARCHITECTURES["mini_resnet"](num_classes=3).state_dict()
        half = {k: v.half() if v.is_floating_point() else v for k, v in state.items()}
        save_file(half, folder / "weights" / "mini-resnet.safetensors")
        entry = catalog.default_for("classification")
        assert entry is not None
        assert entry == catalog.entries()[0] == catalog.find("mini-resnet")
        assert (entry.state, entry.family) == ("shipped", "embedded")
        assert entry.weights[0].metrics == (("top1", 0.5),)
        network, _ = finish(catalog.load(NetworkSpec("mini-resnet", device="cpu")))
        info = network.info
        assert info.state == "shipped"
        assert info.dtype == "float32"
        assert info.class_paths[0] == ("thing", "cat")
        assert info.default_layer == "layer2"
        assert info.input_title == "RGB, short side 64, center 64 x 64, normalized"
        assert torch.equal(network.module.get_parameter("fc.weight"), half["fc.weight"].float())

    def test_without_its_weights_it_is_untrained(self, folder: Path) -> None:
        self.card(folder)
        assert catalog.find("mini-resnet").state == "untrained"
        assert catalog.default_for("classification") is None
        network, _ = finish(catalog.load(NetworkSpec("mini-resnet", device="cpu")))
        assert network.info.untrained

    @pytest.mark.parametrize("text", ["{", "[]", "{}", '{"name": 1, "task": 2}'])
    def test_damaged_card_is_left_out(
        self, folder: Path, text: str, caplog: pytest.LogCaptureFixture
    ) -> None:
        (folder / "weights" / "bad.json").write_text(text)
        assert shipped.definitions() == ()
        assert "bad.json was left out" in caplog.text

    def test_tree_of_other_classes_is_not_used(self, folder: Path) -> None:
        self.card(folder, classes=["cat", "dog", "lake"])
        assert shipped.definitions()[0].assumed.class_paths == ()

    def test_detector_gets_photos_as_they_are(self, folder: Path) -> None:
        self.card(folder, task="detection", preprocessing={"batched": False})
        assert not shipped.definitions()[0].assumed.preprocess.batched


def test_the_networks_that_ship_are_ready() -> None:
    for definition in shipped.definitions():
        entry = definition.entry
        network, _ = finish(catalog.load(NetworkSpec(entry.name, device="cpu")))
        info: NetworkInfo = network.info
        assert info.state == "shipped"
        assert info.notes == ()
        assert info.default_layer in info.layer_names()
        if info.task == "classification":
            assert len(info.class_paths) == len(info.classes)
