from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import torch
import torchvision.models as tv
from torch import Tensor, nn

from explorer.core.errors import ExplorerError
from explorer.core.network_info import NetworkSpec
from explorer.networks import catalog, zoo
from explorer.networks.checkpoints import fitting, loading, signatures
from explorer.networks.checkpoints.reading import Checkpoint
from explorer.networks.network import Network
from explorer.networks.preprocess import Preprocess
from tests.steps import finish

if TYPE_CHECKING:
    from pathlib import Path

    from explorer.networks.definition import Definition


def definition(name: str) -> Definition:
    return next(found for found in zoo.definitions() if found.entry.name == name)


def checkpoint(state: dict[str, Tensor], name: str = "w.pth") -> Checkpoint:
    return Checkpoint(name, dict(state))


def made(name: str, **options: Any) -> dict[str, Tensor]:
    """A state dict of torchvision's own builder with random weights."""
    detects = definition(name).entry.task != "classification"
    if detects:
        options["weights_backbone"] = None
    return tv.get_model(name, weights=None, **options).state_dict()


def loaded(name: str, state: Any, tmp_path: Path, **spec: Any) -> Network:
    torch.save(state, tmp_path / "w.pth")
    return finish(catalog.load(NetworkSpec(name, str(tmp_path / "w.pth"), **spec)))[0]


@pytest.mark.parametrize(
    ("name", "classes", "options"),
    [
        ("resnet18", 7, {}),
        ("mobilenet_v3_small", 3, {}),
        ("squeezenet1_1", 12, {}),
        ("shufflenet_v2_x0_5", 2, {}),
        ("mnasnet0_5", 5, {}),
        ("googlenet", 4, {"aux_logits": True, "init_weights": False}),
        ("lraspp_mobilenet_v3_large", 6, {}),
        ("ssdlite320_mobilenet_v3_large", 6, {}),
        ("fasterrcnn_mobilenet_v3_large_320_fpn", 21, {}),
    ],
)
def test_class_count_is_read_from_the_checkpoint(
    name: str, classes: int, options: dict[str, Any]
) -> None:
    state = made(name, num_classes=classes, **options)
    fit = fitting.fit(checkpoint(state), definition(name))
    assert fit.num_classes == classes
    assert fit.share == 1.0
    assert fit.notes == ()
    own = fit.module.state_dict()
    assert all(torch.equal(own[key], tensor) for key, tensor in state.items())


@pytest.mark.parametrize(
    ("name", "heads"),
    [
        ("resnet50", {"fc.weight": (0, 1, 0), "fc.bias": (0, 1, 0)}),
        ("vgg16", {"classifier.6.weight": (0, 1, 0), "classifier.6.bias": (0, 1, 0)}),
        ("vit_b_16", {"heads.head.weight": (0, 1, 0), "heads.head.bias": (0, 1, 0)}),
        ("deeplabv3_resnet50", {"classifier.4.weight": (0, 1, 0), "classifier.4.bias": (0, 1, 0)}),
        (
            "maskrcnn_resnet50_fpn",
            {
                "roi_heads.box_predictor.cls_score.weight": (0, 1, 0),
                "roi_heads.box_predictor.bbox_pred.weight": (0, 4, 0),
                "roi_heads.mask_predictor.mask_fcn_logits.weight": (0, 1, 0),
            },
        ),
        ("retinanet_resnet50_fpn", {"head.classification_head.cls_logits.weight": (0, 9, 0)}),
        ("fcos_resnet50_fpn", {"head.classification_head.cls_logits.weight": (0, 1, 0)}),
        ("regnet_y_400mf", {"fc.weight": (0, 1, 0)}),
    ],
)
def test_heads_are_found_without_memory(name: str, heads: dict[str, tuple[int, ...]]) -> None:
    signature = signatures.signature_of(definition(name), {})
    for key, (axis, slope, offset) in heads.items():
        assert signature.heads[key] == signatures.Head(axis, slope, offset)


def test_every_architecture_has_a_head() -> None:
    without = [
        found.entry.name
        for found in zoo.definitions()
        if found.entry.parameters < 8e6 and not signatures.signature_of(found, {}).heads
    ]
    assert without == []


@pytest.mark.parametrize(
    "prefix", ["module.", "model.", "backbone.", "_orig_mod.", "module.model.", "net."]
)
def test_prefixes_are_stripped(prefix: str) -> None:
    state = {f"{prefix}{key}": tensor for key, tensor in made("squeezenet1_1").items()}
    assert fitting.fit(checkpoint(state), definition("squeezenet1_1")).share == 1.0


def test_prefix_that_belongs_to_the_network_stays() -> None:
    state = made("lraspp_mobilenet_v3_large", num_classes=21)
    assert sum(key.startswith("backbone.") for key in state) > len(state) / 2
    fit = fitting.fit(checkpoint(state), definition("lraspp_mobilenet_v3_large"))
    assert fit.share == 1.0


def test_integer_buffers_are_not_weights() -> None:
    found = signatures.signature_of(definition("swin_t"), {})
    assert "features.1.0.attn.relative_position_index" in found.integers


def test_old_names_of_densenet(tmp_path: Path) -> None:
    state = made("densenet121", num_classes=3)
    old = {
        key.replace("norm1.", "norm.1.").replace("conv1.", "conv.1."): tensor
        for key, tensor in state.items()
    }
    assert old.keys() != state.keys()
    assert loaded("densenet121", old, tmp_path).info.notes[0].startswith("The file has 3 classes")


def test_old_names_of_the_detection_heads() -> None:
    state = made("retinanet_resnet50_fpn", num_classes=4)
    old = {key: tensor for key, tensor in state.items() if "_head.conv." not in key}
    for key, tensor in state.items():
        if "_head.conv." in key:  # conv.1.0.weight was conv.2.weight
            head, _, rest = key.partition(".conv.")
            index, _, last = rest.split(".")
            old[f"{head}.conv.{2 * int(index)}.{last}"] = tensor
    fit = fitting.fit(checkpoint(old), definition("retinanet_resnet50_fpn"))
    assert fit.share == 1.0
    key = "head.regression_head.conv.3.0.weight"
    assert torch.equal(fit.module.state_dict()[key], state[key])


@pytest.mark.parametrize("missing", [1, 3, 20])
def test_what_is_missing_inside_is_refused_however_little(missing: int) -> None:
    state = made("resnet18", num_classes=3)
    names = [key for key in state if key.startswith("layer2.") and "num_batches" not in key]
    few = {key: tensor for key, tensor in state.items() if key not in names[:missing]}
    with pytest.raises(ExplorerError, match=rf"ResNet-18: {missing} missing \({names[0]}"):
        fitting.fit(checkpoint(few), definition("resnet18"))


def test_a_larger_relative_is_refused() -> None:
    # Every tensor of ResNet-18 is in ResNet-34 with the same shape.
    with pytest.raises(ExplorerError, match=r"unknown \(layer1\.2\.conv1\.weight"):
        fitting.fit(checkpoint(made("resnet34")), definition("resnet18"))


def test_without_a_head_only_the_features_are_trained(tmp_path: Path) -> None:
    state = {key: value for key, value in made("resnet18").items() if not key.startswith("fc.")}
    network = loaded("resnet18", state, tmp_path)
    assert network.info.task == "features"
    assert network.info.classes == ()
    assert "no head" in network.info.notes[-1]


def test_one_channel(tmp_path: Path) -> None:
    state = made("resnet18", num_classes=10)
    state["conv1.weight"] = torch.randn(64, 1, 7, 7)
    network = loaded("resnet18", state, tmp_path)
    assert network.preprocess.channels == 1
    assert network.preprocess.mean == pytest.approx((0.449,))
    values = network.preprocess(torch.zeros(60, 80, 3, dtype=torch.uint8).numpy())
    assert network.module(values).shape == (1, 10)
    assert torch.equal(network.module.get_parameter("conv1.weight"), state["conv1.weight"])
    assert "gray" in network.info.input_title


def test_input_size_of_a_transformer() -> None:
    found = definition("vit_b_32")
    state = {
        "encoder.pos_embedding": torch.empty(1, 10, 768),
        "conv_proj.weight": torch.empty(768, 3, 32, 32),
    }
    arguments = found.arguments(state)
    assert arguments["image_size"] == 96
    assert signatures.signature_of(found, arguments).shapes["encoder.pos_embedding"] == (1, 10, 768)
    fit = fitting.Fit(nn.Identity(), 5, 1.0, arguments=arguments)
    steps = loading.closest(found, fit).preprocess
    assert (steps.resize, steps.crop) == (96, 96)
    swag = fitting.Fit(nn.Identity(), 5, 1.0, arguments={"image_size": 384})
    assert loading.closest(definition("vit_b_16"), swag).preprocess.interpolation == "bicubic"


def test_number_of_keypoints() -> None:
    found = definition("keypointrcnn_resnet50_fpn")
    state = {"roi_heads.keypoint_predictor.kps_score_lowres.weight": torch.empty(512, 5, 4, 4)}
    assert found.arguments(state)["num_keypoints"] == 5


def test_class_names_of_the_file_win(tmp_path: Path) -> None:
    state = {"model": made("squeezenet1_1", num_classes=2), "classes": ["ant", "bee"]}
    assert loaded("squeezenet1_1", state, tmp_path).info.classes == ("ant", "bee")


def test_class_names_of_a_detector_get_their_background(tmp_path: Path) -> None:
    state = {
        "model": made("ssdlite320_mobilenet_v3_large", num_classes=3),
        "classes": ["ant", "bee"],
    }
    found = loaded("ssdlite320_mobilenet_v3_large", state, tmp_path)
    assert found.info.classes == ("__background__", "ant", "bee")


def test_published_names_when_the_count_agrees(tmp_path: Path) -> None:
    found = loaded("squeezenet1_1", made("squeezenet1_1"), tmp_path).info
    assert found.classes[281] == "tabby"
    assert "published weights" in found.notes[-1]
    assert found.state == "local"


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("resnet34", {"num_classes": 2}),
        ("mobilenet_v2", {"num_classes": 3}),
        ("lraspp_mobilenet_v3_large", {"num_classes": 4}),
        ("ssdlite320_mobilenet_v3_large", {"num_classes": 91}),
    ],
)
def test_guess(name: str, options: dict[str, Any]) -> None:
    state = {f"module.{key}": tensor for key, tensor in made(name, **options).items()}
    assert fitting.guess_architecture(checkpoint(state), zoo.definitions()) == (name,)


def test_guess_names_all_when_the_tensors_do_not_tell() -> None:
    state = made("fasterrcnn_mobilenet_v3_large_fpn", num_classes=5)
    assert set(fitting.guess_architecture(checkpoint(state), zoo.definitions())) == {
        "fasterrcnn_mobilenet_v3_large_fpn",
        "fasterrcnn_mobilenet_v3_large_320_fpn",
    }


@pytest.mark.slow
def test_guess_of_something_else(tmp_path: Path) -> None:
    torch.save(nn.Linear(1000, 1000).state_dict(), tmp_path / "w.pth")
    assert catalog.guess(tmp_path / "w.pth") == ()
    with pytest.raises(ExplorerError, match="matches no network"):
        finish(catalog.load(NetworkSpec("", str(tmp_path / "w.pth"))))


def test_a_file_of_another_network_names_it(tmp_path: Path) -> None:
    torch.save(made("squeezenet1_1", num_classes=7), tmp_path / "w.pth")
    with pytest.raises(ExplorerError, match="does not fit ResNet-18") as caught:
        finish(catalog.load(NetworkSpec("resnet18", str(tmp_path / "w.pth"))))
    assert caught.value.hint == "It looks like SqueezeNet 1.1 (squeezenet1_1): use that?"
    assert caught.value.instead == ("squeezenet1_1",)
    torch.save(nn.Linear(1000, 1000).state_dict(), tmp_path / "w.pth")
    with pytest.raises(ExplorerError, match="of the tensors match") as caught:
        finish(catalog.load(NetworkSpec("resnet18", str(tmp_path / "w.pth"))))
    assert caught.value.instead == ()


def test_seeded_leaves_torchs_generator_alone() -> None:
    before = torch.random.get_rng_state()
    one, two = (signatures.seeded(definition("squeezenet1_1"), num_classes=3) for _ in range(2))
    assert torch.equal(torch.random.get_rng_state(), before)
    assert all(torch.equal(a, b) for a, b in zip(one.parameters(), two.parameters(), strict=True))


def test_gray_answers_as_color_does_to_a_gray_photo() -> None:
    module = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Conv2d(4, 2, 1))
    gray = torch.rand(1, 1, 8, 8)
    wanted = module(gray.expand(-1, 3, -1, -1))
    fitting.make_gray(module)
    assert torch.allclose(module(gray), wanted, atol=1e-6)
    assert Preprocess(channels=1)(torch.zeros(8, 8, 3, dtype=torch.uint8).numpy()).shape[1] == 1


def test_a_detector_without_its_last_layers_is_to_be_saved_whole() -> None:
    name = "fasterrcnn_mobilenet_v3_large_320_fpn"
    whole = made(name, num_classes=4)
    state = {key: value for key, value in whole.items() if "box_predictor" not in key}
    with pytest.raises(ExplorerError, match="4 missing") as caught:
        fitting.fit(checkpoint(state), definition(name))
    assert caught.value.hint == "Save the whole state dict: model.state_dict()."
