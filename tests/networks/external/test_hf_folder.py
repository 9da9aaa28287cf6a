"""Networks in folders of their own: built by timm or transformers, equal to what those answer."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch

from explorer.core.errors import ExplorerError
from explorer.core.network_info import NetworkSpec, is_network_folder
from explorer.networks import catalog
from explorer.networks.external import hf_folder
from explorer.networks.network import Network
from explorer.networks.preprocess import Preprocess
from tests.steps import finish
from tests.toys import toy_image

needs_timm = pytest.mark.skipif(importlib.util.find_spec("timm") is None, reason="needs timm")
needs_transformers = pytest.mark.skipif(
    importlib.util.find_spec("transformers") is None, reason="needs transformers"
)


def opened(folder: Path) -> Network:
    network: Network = finish(catalog.load(NetworkSpec("", str(folder), device="cpu")))[0]
    return network


def test_a_folder_is_told_by_its_files(tmp_path: Path) -> None:
    assert not is_network_folder(tmp_path)
    (tmp_path / "config.json").write_text("{}")
    assert not is_network_folder(tmp_path)
    (tmp_path / "model.safetensors").write_bytes(b"")
    assert is_network_folder(tmp_path)
    assert not is_network_folder(tmp_path / "none")


class TestTimm:
    @pytest.fixture(autouse=True)
    def no_timm(self) -> None:
        """These tests are about it."""

    @needs_timm
    def test_its_answer_classes_and_preparation(self, tmp_path: Path) -> None:
        import timm

        module = timm.create_model("mobilenetv3_small_050", pretrained=False, num_classes=3)
        safetensors.torch.save_file(module.state_dict(), tmp_path / "model.safetensors")
        own = {"input_size": [3, 96, 96], "crop_pct": 1.0, "mean": [0.5] * 3, "std": [0.5] * 3}
        config = {
            "architecture": "mobilenetv3_small_050", "num_classes": 3, "pretrained_cfg": own,
            "label_names": ["ant", "bee", "cat"],
        }  # fmt: skip
        (tmp_path / "config.json").write_text(json.dumps(config))
        network = opened(tmp_path)
        assert network.info.classes == ("ant", "bee", "cat")
        assert (network.preprocess.crop, network.preprocess.mean) == (96, (0.5,) * 3)
        values = network.preprocess(toy_image(64, 80).pixels)
        with torch.no_grad():
            torch.testing.assert_close(network.module(values), module.eval()(values))

    @needs_timm
    def test_an_architecture_that_timm_lacks(self, tmp_path: Path) -> None:
        (tmp_path / "config.json").write_text('{"architecture": "none_such"}')
        (tmp_path / "model.safetensors").write_bytes(b"")
        with pytest.raises(ExplorerError, match="timm's none_such"):
            opened(tmp_path)


@needs_transformers
class TestTransformers:
    def test_a_classifier(self, tmp_path: Path) -> None:
        from transformers import ResNetConfig, ResNetForImageClassification

        config = ResNetConfig(
            embedding_size=8, hidden_sizes=[8, 16], depths=[1, 1], layer_type="basic",
            id2label={0: "ant", 1: "bee"}, label2id={"ant": 0, "bee": 1},
        )  # fmt: skip
        module = ResNetForImageClassification(config).eval()
        module.save_pretrained(tmp_path)
        prepare = {
            "size": {"shortest_edge": 64}, "crop_pct": 0.875, "resample": 3,
            "image_mean": [0.4] * 3, "image_std": [0.2] * 3,
        }  # fmt: skip
        (tmp_path / "preprocessor_config.json").write_text(json.dumps(prepare))
        network = opened(tmp_path)
        assert (network.info.task, network.info.classes) == ("classification", ("ant", "bee"))
        wanted = Preprocess(73, 64, (0.4,) * 3, (0.2,) * 3, longest=8192, interpolation="bicubic")
        assert network.preprocess == wanted
        values = network.preprocess(toy_image(90, 100).pixels)
        with torch.no_grad():
            torch.testing.assert_close(network.module(values), module(values).logits)

    def test_a_segmenter(self, tmp_path: Path) -> None:
        from transformers import SegformerConfig, SegformerForSemanticSegmentation

        config = SegformerConfig(
            num_encoder_blocks=2, depths=[1, 1], sr_ratios=[2, 1], hidden_sizes=[8, 16],
            patch_sizes=[7, 3], strides=[4, 2], num_attention_heads=[1, 2], mlp_ratios=[2, 2],
            decoder_hidden_size=8, id2label={0: "wall", 1: "sky", 2: "road"},
        )  # fmt: skip
        module = SegformerForSemanticSegmentation(config).eval()
        module.save_pretrained(tmp_path)
        network = opened(tmp_path)
        assert (network.info.task, network.info.classes) == (
            "segmentation", ("wall", "sky", "road"),
        )  # fmt: skip
        assert "assumed" in network.info.notes[0]
        values = torch.rand(1, 3, 64, 96)
        with torch.no_grad():
            out, coarse = network.module(values)["out"], module(values).logits
        assert out.shape == (1, 3, 64, 96)
        # Bilinear enlarging by four keeps the mean of the middle of each 2 x 2 block's corners.
        torch.testing.assert_close(
            out, torch.nn.functional.interpolate(coarse, (64, 96), mode="bilinear")
        )

    def test_missing_weights_are_refused(self, tmp_path: Path) -> None:
        from transformers import ResNetConfig, ResNetForImageClassification

        config = ResNetConfig(
            embedding_size=8, hidden_sizes=[8], depths=[1], layer_type="basic", num_labels=2
        )
        ResNetForImageClassification(config).save_pretrained(tmp_path)
        path = tmp_path / "model.safetensors"
        state = safetensors.torch.load_file(path)
        state = {name: value for name, value in state.items() if "classifier" not in name}
        safetensors.torch.save_file(state, path, {"format": "pt"})
        with pytest.raises(ExplorerError, match="has no weights for 2 tensors"):
            opened(tmp_path)


def test_a_folder_with_code_of_its_own_is_refused(tmp_path: Path) -> None:
    config: dict[str, Any] = {"architectures": ["MineForImageClassification"],
                              "auto_map": {"AutoModel": "mine.Mine"}}  # fmt: skip
    (tmp_path / "config.json").write_text(json.dumps(config))
    (tmp_path / "mine.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')")
    (tmp_path / "model.safetensors").write_bytes(b"")
    with pytest.raises(ExplorerError, match="never run"):
        opened(tmp_path)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "no JSON"),
        ("[]", "no configuration"),
        ("{}", "is no network"),
        ('{"architectures": ["BertForMaskedLM"]}', "BertForMaskedLM"),
    ],
)
def test_what_is_no_network_is_a_sentence(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "config.json").write_text(text)
    (tmp_path / "model.safetensors").write_bytes(b"")
    with pytest.raises(ExplorerError, match=words):
        opened(tmp_path)


class Queries(torch.nn.Module):
    """Two queries: a box in the middle, and none."""

    def forward(self, pixel_values: torch.Tensor) -> Any:
        self.seen = tuple(pixel_values.shape)
        logits = torch.tensor([[[0.0, 4.0, 0.0], [0.0, 0.0, 9.0]]])
        boxes = torch.tensor([[[0.5, 0.5, 0.5, 0.25], [0.1, 0.1, 0.4, 0.4]]])
        return type("Output", (), {"logits": logits, "pred_boxes": boxes})


def test_the_boxes_of_queries_are_fractions_of_the_photo() -> None:
    """The first query: (0.25, 0.375) to (0.75, 0.625) of 200 x 80 pixels."""
    queries = Queries()
    detector = hf_folder.Detector(queries, Preprocess(resize=40), first=1)
    (found,) = detector([torch.rand(3, 80, 200)])
    assert queries.seen == (1, 3, 40, 100)
    torch.testing.assert_close(found["boxes"][0], torch.tensor([50.0, 30.0, 150.0, 50.0]))
    assert found["labels"][0] == 2
    torch.testing.assert_close(found["scores"][0], torch.tensor([0.0, 4.0, 0.0]).softmax(0)[1])
    assert float(found["boxes"][1, 0]) == 0.0, "clipped to the photo"
