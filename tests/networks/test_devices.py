from __future__ import annotations

import pytest
import torch

from explorer.core.errors import ExplorerError
from explorer.networks import devices

CPU = torch.device("cpu")
GPU = torch.device("cuda")


def without_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    monkeypatch.setattr(torch.accelerator, "is_available", lambda: False)


def with_gpus(monkeypatch: pytest.MonkeyPatch, count: int) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: count)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda index: f"Some GPU {index}")
    monkeypatch.setattr(torch.accelerator, "is_available", lambda: True)
    monkeypatch.setattr(torch.accelerator, "current_accelerator", lambda: GPU)


def test_auto_without_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    without_gpu(monkeypatch)
    assert devices.resolve("auto") == CPU
    assert [name for name, _ in devices.available()] == ["auto", "cpu"]


def test_auto_with_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    with_gpus(monkeypatch, 2)
    assert devices.resolve("auto") == GPU
    assert ("cuda:1", "Some GPU 1") in devices.available()
    assert devices.resolve("cuda:1") == torch.device("cuda:1")


@pytest.mark.parametrize("name", ["cpu", "cpu:0"])
def test_cpu(name: str) -> None:
    assert devices.resolve(name) == CPU


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("gpu", "'gpu' is not a device"),
        ("", "is not a device"),
        ("cuda", "CUDA"),
        ("cuda:7", "CUDA"),
        ("mps", "no Apple GPU"),
        ("xpu", "not available"),
        ("cuda:x", "is not a device"),
        ("meta", "not available"),
    ],
)
def test_refused_without_a_gpu(monkeypatch: pytest.MonkeyPatch, name: str, words: str) -> None:
    without_gpu(monkeypatch)
    with pytest.raises(ExplorerError, match=words) as caught:
        devices.resolve(name)
    assert "auto, cpu" in caught.value.hint


def test_index_beyond_the_last(monkeypatch: pytest.MonkeyPatch) -> None:
    with_gpus(monkeypatch, 1)
    with pytest.raises(ExplorerError, match="There is 1 CUDA GPU here, so 'cuda:1' does not exist"):
        devices.resolve("cuda:1")


def test_half() -> None:
    assert devices.dtype_for(CPU, "classification", True) == (torch.bfloat16, "")
    assert devices.dtype_for(GPU, "segmentation", True) == (torch.float16, "")
    assert devices.dtype_for(GPU, "classification", False) == (torch.float32, "")
    dtype, words = devices.dtype_for(GPU, "detection", True)
    assert dtype == torch.float32
    assert "float32" in words


@pytest.mark.parametrize(
    ("capability", "pays"), [("AVX2", False), ("AVX512", False), ("AMX", True), ("amx", True)]
)
def test_half_pays_on_a_processor_that_multiplies_in_bfloat16(
    monkeypatch: pytest.MonkeyPatch, capability: str, pays: bool
) -> None:
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: capability)
    assert devices.half_pays(CPU, "classification") is pays
    assert not devices.half_pays(CPU, "detection")


@pytest.mark.parametrize(("capability", "pays"), [((6, 1), False), ((7, 0), True), ((9, 0), True)])
def test_half_pays_on_a_gpu_with_tensor_cores(
    monkeypatch: pytest.MonkeyPatch, capability: tuple[int, int], pays: bool
) -> None:
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: capability)
    assert devices.half_pays(GPU, "segmentation") is pays
    assert not devices.half_pays(GPU, "detection")
    assert devices.half_pays(torch.device("mps"), "segmentation")
