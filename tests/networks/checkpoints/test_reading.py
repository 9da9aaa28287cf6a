from __future__ import annotations

import argparse
import io
import json
import os
import pickle
import random
import struct
import zipfile
from collections import OrderedDict
from typing import TYPE_CHECKING, Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from torchvision.models import squeezenet1_1

from explorer.core.errors import ExplorerError
from explorer.core.network_info import NetworkSpec
from explorer.networks import catalog
from explorer.networks.checkpoints import contents, pickles, reading
from tests.steps import finish

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

STATE = {"fc.weight": torch.arange(6.0).view(2, 3), "fc.bias": torch.ones(2)}


def saved(path: Path, content: Any, **options: Any) -> Path:
    torch.save(content, path, **options)
    return path


def rezipped(path: Path, change: Callable[[str, bytes], bytes], compress: int = 0) -> Path:
    with zipfile.ZipFile(path) as archive:
        entries = [(entry.filename, archive.read(entry)) for entry in archive.infolist()]
    with zipfile.ZipFile(path, "w", compress) as archive:
        for name, data in entries:
            archive.writestr(name, change(name, data))
    return path


def check_equal(found: Mapping[str, Tensor], wanted: Mapping[str, Tensor]) -> None:
    assert list(found) == list(wanted)
    for key, tensor in wanted.items():
        assert torch.equal(found[key], tensor), key


class TestGood:
    @pytest.mark.parametrize("zipped", [True, False], ids=["zip", "legacy"])
    @pytest.mark.parametrize("name", ["w.pth", "w.pt", "w", "w.jpg"])
    def test_state_dict(self, tmp_path: Path, name: str, zipped: bool) -> None:
        path = saved(tmp_path / name, STATE, _use_new_zipfile_serialization=zipped)
        found = reading.read(path)
        check_equal(found.tensors, STATE)
        assert found.name == name
        assert found.notes == ()

    def test_safetensors_by_content(self, tmp_path: Path) -> None:
        save_file(STATE, tmp_path / "w.pth")
        found = reading.read(tmp_path / "w.pth").tensors
        check_equal(dict(sorted(found.items())), dict(sorted(STATE.items())))

    def test_safetensors_does_not_look_into_the_file(self, tmp_path: Path) -> None:
        path = tmp_path / "w.safetensors"
        save_file(STATE, path)
        found = reading.read(path)
        path.write_bytes(b"")  # a mapped tensor would end the process at the next line
        assert torch.equal(found.tensors["fc.weight"], STATE["fc.weight"])

    @pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
    def test_other_floats_become_float32(self, tmp_path: Path, dtype: torch.dtype) -> None:
        state = {key: tensor.to(dtype) for key, tensor in STATE.items()}
        check_equal(reading.read(saved(tmp_path / "w.pth", state)).tensors, STATE)

    @pytest.mark.parametrize("nest", contents.NESTS)
    def test_nested(self, tmp_path: Path, nest: str) -> None:
        content = {"epoch": 3, "optimizer": {"state": {}}, nest: STATE}
        found = reading.read(saved(tmp_path / "w.pth", content))
        check_equal(found.tensors, STATE)
        assert nest in found.notes[0]

    def test_weights_win_over_their_average(self, tmp_path: Path) -> None:
        other = {key: tensor + 1 for key, tensor in STATE.items()}
        found = reading.read(saved(tmp_path / "w.pth", {"model_ema": other, "model": STATE}))
        check_equal(found.tensors, STATE)

    def test_arguments_of_a_training_script(self, tmp_path: Path) -> None:
        content = {"model": STATE, "args": argparse.Namespace(lr=0.1, data="/x"), "epoch": 9}
        check_equal(reading.read(saved(tmp_path / "w.pth", content)).tensors, STATE)

    @pytest.mark.parametrize(
        "extra",
        [
            {"classes": ["ant", "bee"]},
            {"class_names": ("ant", "bee")},
            {"names": {0: "ant", 1: "bee"}},
            {"class_to_idx": {"bee": 1, "ant": 0}},
            {"meta": {"classes": ["ant", "bee"]}},
        ],
    )
    def test_class_names(self, tmp_path: Path, extra: dict[str, Any]) -> None:
        found = reading.read(saved(tmp_path / "w.pth", {"state_dict": STATE, **extra}))
        assert found.classes == ("ant", "bee")

    def test_odd_keys_and_values_are_passed_over(self, tmp_path: Path) -> None:
        odd = {
            "größe": torch.ones(1),
            "Größe": torch.zeros(1),
            7: torch.ones(1),
            "step": 5,
            "n": None,
        }
        found = reading.read(saved(tmp_path / "w.pth", {**STATE, **odd}))
        assert set(found.tensors) == {*STATE, "größe", "Größe"}

    def test_cuda_tags_become_cpu(self, tmp_path: Path) -> None:
        path = saved(tmp_path / "w.pth", STATE)
        # BINUNICODE "cpu" -> "cuda:0", with the length in front
        tag, other = b"X\x03\x00\x00\x00cpu", b"X\x06\x00\x00\x00cuda:0"

        def change(name: str, data: bytes) -> bytes:
            return data.replace(tag, other) if name.endswith("data.pkl") else data

        check_equal(reading.read(rezipped(path, change)).tensors, STATE)

    def test_versions_are_kept(self, tmp_path: Path) -> None:
        state = nn.BatchNorm2d(2).state_dict()
        assert reading.read(saved(tmp_path / "w.pth", state)).versions == {"": {"version": 2}}

    def test_file_replaced_while_it_is_read(self, tmp_path: Path, monkeypatch: Any) -> None:
        path = saved(tmp_path / "w.pth", STATE)
        other = saved(tmp_path / "other.pth", {"x": torch.ones(1)})
        scan = pickles.scan

        def replacing(program: bytes) -> pickles.Scan:
            other.replace(path)
            return scan(program)

        monkeypatch.setattr(pickles, "scan", replacing)
        check_equal(reading.read(path).tensors, STATE)


def call_os_system() -> bytes:
    class Call:
        def __reduce__(self) -> tuple[Any, ...]:
            return os.system, ("touch hacked",)

    return pickle.dumps({"fc.weight": Call()}, protocol=2)


def zip_with(tmp_path: Path, entries: Mapping[str, bytes], compress: int = 0) -> bytes:
    path = tmp_path / "made.zip"
    with zipfile.ZipFile(path, "w", compress) as archive:
        for name, data in entries.items():
            archive.writestr(name, data)
    return path.read_bytes()


def torch_bytes(content: Any, **options: Any) -> bytes:
    file = io.BytesIO()
    torch.save(content, file, **options)
    return file.getvalue()


def claiming_more(tmp_path: Path) -> bytes:
    """A storage record of 16 bytes that the pickle calls 4 MB."""
    path = saved(tmp_path / "claim.pth", {"a": torch.arange(4.0)})

    def change(name: str, data: bytes) -> bytes:
        return data.replace(b"K\x04tq", b"J\x00\x00\x10\x00tq", 1) if "pkl" in name else data

    return rezipped(path, change).read_bytes()


def expanded() -> bytes:
    return torch_bytes({"a": torch.zeros(1, dtype=torch.float64).expand(10**9)})


def compressed(tmp_path: Path) -> bytes:
    path = saved(tmp_path / "bomb.pth", {"a": torch.zeros(1_000_000)})
    return rezipped(path, lambda _, data: data, zipfile.ZIP_DEFLATED).read_bytes()


def scripted() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name in ("m/data.pkl", "m/code/__torch__.py", "m/constants.pkl", "m/version"):
            archive.writestr(name, b"\x80\x02}.")
    return file.getvalue()


def safetensors_bytes(header: Mapping[str, Any], data: bytes) -> bytes:
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


def good() -> bytes:
    return torch_bytes({"a": torch.arange(100.0), "b": torch.ones(3)})


ONNX = b"\x08\x08\x12\x07pytorch\x1a\x052.1.0:\x8c\x01\n"

BAD: dict[str, tuple[Callable[[Path], bytes], str]] = {
    "pickle that calls os.system": (lambda _: call_os_system(), "not written by torch.save"),
    "zip that calls os.system": (
        lambda tmp: zip_with(tmp, {"a/data.pkl": call_os_system(), "a/version": b"3\n"}),
        r"posix\.system",
    ),
    "whole module": (lambda _: torch_bytes(nn.Linear(2, 2)), r"torch\.nn\.modules\.linear\.Linear"),
    "whole module, legacy": (
        lambda _: torch_bytes(nn.Linear(2, 2), _use_new_zipfile_serialization=False),
        r"torch\.nn\.modules\.linear\.Linear",
    ),
    "cut at half": (lambda _: good()[: len(good()) // 2], "damaged"),
    "cut at the central directory": (lambda _: good()[: good().rindex(b"PK\x01\x02")], "damaged"),
    "cut legacy": (
        lambda _: torch_bytes(STATE, _use_new_zipfile_serialization=False)[:-20],
        "damaged",
    ),
    "empty": (lambda _: b"", "is empty"),
    "one byte": (lambda _: b"P", "not a file of PyTorch weights"),
    "compressed entries": (compressed, "compressed archive"),
    "record smaller than it says": (claiming_more, "damaged"),
    "expanded view": (lambda _: expanded(), "declares 1000000000 values where 8 bytes"),
    "TorchScript": (lambda _: scripted(), "TorchScript"),
    "torch.export": (
        lambda tmp: zip_with(tmp, {"m/archive_format": b"pt2", "m/models/model.json": b"{}"}),
        r"torch\.export",
    ),
    "two pickles": (
        lambda tmp: zip_with(tmp, {"a/data.pkl": b"\x80\x02}.", "b/data.pkl": b"\x80\x02}."}),
        "without PyTorch weights",
    ),
    "a zip of pictures": (lambda tmp: zip_with(tmp, {"a.png": b"x"}), "without PyTorch weights"),
    "ONNX": (lambda _: ONNX, "not a file of PyTorch weights"),
    "TFLite": (lambda _: b"\x1c\x00\x00\x00TFL3" + bytes(60), "not a file of PyTorch weights"),
    "JPEG": (lambda _: b"\xff\xd8\xff\xe0" + bytes(60), "JPEG picture"),
    "web page": (lambda _: b"<!DOCTYPE html><html>Sign in</html>", "web page"),
    "Git LFS pointer": (lambda _: b"version https://git-lfs.github.com/spec/v1", "Git LFS pointer"),
    "no tensors": (lambda _: torch_bytes({"epoch": 1}), "contains no weights"),
    "a list": (lambda _: torch_bytes([torch.ones(1)]), "contains no weights"),
    "a bare tensor": (lambda _: torch_bytes(torch.ones(1)), "contains no weights"),
    "sparse": (lambda _: torch_bytes({"a": torch.eye(3).to_sparse()}), "sparse"),
    "complex": (lambda _: torch_bytes({"a": torch.ones(1, dtype=torch.complex64)}), "complex"),
    "safetensors beyond its end": (
        lambda _: safetensors_bytes(
            {"a": {"dtype": "F32", "shape": [10**9], "data_offsets": [0, 4 * 10**9]}}, b"\0" * 8
        ),
        "damaged",
    ),
    "safetensors without header": (lambda _: struct.pack("<Q", 20) + b"{" + b"x" * 40, "damaged"),
    "recursion": (
        lambda _: b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19." + b"]" * 3 + b"a" * 10 + b".",
        "damaged",
    ),
}


class TestBad:
    @pytest.mark.parametrize("case", BAD)
    def test_ends_in_one_sentence(self, tmp_path: Path, monkeypatch: Any, case: str) -> None:
        make, words = BAD[case]
        content = make(tmp_path)
        path = tmp_path / "w.pth"
        path.write_bytes(content)
        monkeypatch.chdir(tmp_path)
        with pytest.raises(ExplorerError, match=words) as caught:
            reading.read(path)
        check_sentence(caught.value)
        assert not (tmp_path / "hacked").exists()

    def test_zip_entry_larger_than_the_file(self, tmp_path: Path) -> None:
        content = bytearray(good())
        place = content.rindex(b"PK\x01\x02")  # the last entry of the central directory
        struct.pack_into("<II", content, place + 20, 10**9, 10**9)
        (tmp_path / "w.pth").write_bytes(content)
        with pytest.raises(ExplorerError, match=r"more data than its size"):
            reading.read(tmp_path / "w.pth")

    @pytest.mark.filterwarnings("ignore:.*quantize.*deprecated")
    def test_quantized_weights(self, tmp_path: Path) -> None:
        tensor = torch.quantize_per_tensor(torch.ones(4), 0.1, 0, torch.qint8)
        path = saved(tmp_path / "w.pth", {"a": tensor})
        with pytest.raises(ExplorerError, match=r"quantized|damaged"):
            reading.read(path)

    def test_missing_folder_pipe_and_nul(self, tmp_path: Path) -> None:
        os.mkfifo(tmp_path / "pipe")
        for name, words in (
            ("none.pth", "No such file"),
            (".", "directory|regular"),
            ("pipe", "regular"),
            ("a\0b", "null"),
        ):
            with pytest.raises(ExplorerError, match=words) as caught:
                reading.read(tmp_path / name)
            check_sentence(caught.value)

    def test_removed_while_it_is_read(self, tmp_path: Path, monkeypatch: Any) -> None:
        path = saved(tmp_path / "w.pth", STATE)
        scan = pickles.scan

        def emptied(program: bytes) -> pickles.Scan:
            os.truncate(path, 100)
            return scan(program)

        monkeypatch.setattr(pickles, "scan", emptied)
        with pytest.raises(ExplorerError, match="damaged"):
            reading.read(path)


def check_sentence(error: ExplorerError) -> None:
    assert "\n" not in error.message
    assert error.message.endswith(".")
    assert len(error.message) < 400


class TestScan:
    def test_storages_and_names(self) -> None:
        program = zipfile.ZipFile(io.BytesIO(good())).read("archive/data.pkl")
        found = pickles.scan(program)
        assert found.storages == (pickles.Storage("0", 400), pickles.Storage("1", 12))
        assert "torch._utils._rebuild_tensor_v2" in found.names

    def test_protocol_4_names(self) -> None:
        assert pickles.scan(pickle.dumps(OrderedDict, protocol=4)).names == {
            "collections.OrderedDict"
        }

    def test_empty_stack(self) -> None:
        with pytest.raises(pickles.UnpicklingError):
            pickles.scan(b"\x80\x02a.")


def mutated(seed: int, originals: list[bytes]) -> bytes:
    """One of the originals with a few changes: flipped bytes, cuts, copies, runs of one value."""
    chance = random.Random(seed)
    data = bytearray(chance.choice(originals))
    for _ in range(chance.randint(1, 6)):
        place = chance.randrange(len(data))
        match chance.randrange(5):
            case 0:
                data[place] ^= 1 << chance.randrange(8)
            case 1:
                data[place] = chance.randrange(256)
            case 2:
                del data[place : place + chance.randrange(1, 40)]
            case 3:
                source = chance.randrange(len(data))
                data[place:place] = data[source : source + chance.randrange(1, 40)]
            case _:
                size = min(chance.choice([2, 4, 8]), len(data) - place)
                data[place : place + size] = chance.choice([b"\xff", b"\0", b"\x7f"]) * size
        if not data:
            break
    return bytes(data)


def originals(tmp_path: Path) -> list[bytes]:
    content = {"state_dict": STATE, "optimizer": {"lr": 0.1}, "epoch": 3}
    save_file(STATE, tmp_path / "original.safetensors")
    return [
        torch_bytes(content),
        torch_bytes(content, _use_new_zipfile_serialization=False),
        (tmp_path / "original.safetensors").read_bytes(),
    ]


def test_mutants_give_weights_or_one_sentence(tmp_path: Path) -> None:
    base = originals(tmp_path)
    path = tmp_path / "mutant.pth"
    for seed in range(int(os.environ.get("EXPLORER_MUTANTS", "300"))):
        path.write_bytes(mutated(seed, base))
        try:
            found = reading.read(path)
        except ExplorerError as error:
            check_sentence(error)
        else:
            assert all(isinstance(tensor, Tensor) for tensor in found.tensors.values()), seed


def test_load_of_a_bad_file_is_one_sentence(tmp_path: Path) -> None:
    state = squeezenet1_1().state_dict()
    cases = {
        "NaN": ({**state, "features.0.bias": torch.full((64,), float("nan"))}, "NaN or infinity"),
        "infinity": ({**state, "features.0.bias": torch.full((64,), float("inf"))}, "infinity"),
        "other keys": (
            {f"{key}.x": value for key, value in state.items()},
            "; 0% of the tensors match",
        ),
        "other shapes": (
            {key: torch.ones(5, *value.shape[1:]) for key, value in state.items()},
            "is 5x3x3x3, the network expects 64x3x3x3",
        ),
        "integers": ({key: value.to(torch.int8) for key, value in state.items()}, "holds int8"),
    }
    for name, (content, words) in cases.items():
        path = saved(tmp_path / "w.pth", content)
        with pytest.raises(ExplorerError, match=words) as caught:
            finish(catalog.load(NetworkSpec("squeezenet1_1", str(path))))
        assert caught.value.message.endswith("."), name
