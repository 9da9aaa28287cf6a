"""Which processor a network runs on, and in which precision."""

from __future__ import annotations

import platform
from typing import TYPE_CHECKING

import torch

from explorer.core.errors import ExplorerError

if TYPE_CHECKING:
    from explorer.core.network_info import Task

AUTO = "auto"


def available() -> tuple[tuple[str, str], ...]:
    """Name and title of every choice on this computer, "auto" first."""
    best = _best()
    found = [(AUTO, f"Automatic ({best})"), ("cpu", f"CPU ({platform.machine() or 'processor'})")]
    if torch.cuda.is_available():
        found += [
            (f"cuda:{index}", torch.cuda.get_device_name(index))
            for index in range(torch.cuda.device_count())
        ]
    if torch.backends.mps.is_available():
        found.append(("mps", "Apple GPU"))
    return tuple(found)


def resolve(name: str) -> torch.device:
    """The device that a `NetworkSpec.device` means.

    Args:
        name: "auto" = the accelerator when there is one; "cpu", "cuda", "cuda:1", "mps" …

    Raises:
        ExplorerError: When it is no device, or not one of this computer.
    """
    if name == AUTO:
        return _best()
    choices = f"Choose among: {', '.join(word for word, _ in available())}."
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise ExplorerError(f"{name!r} is not a device.", choices) from error
    if device.type == "cpu":
        return torch.device("cpu")
    if device.type == "cuda":
        return _cuda(device, choices)
    if device.type == "mps":
        if not torch.backends.mps.is_available():
            raise ExplorerError("PyTorch finds no Apple GPU on this computer.", choices)
        return torch.device("mps")
    best = _best()
    if device.type != best.type:
        raise ExplorerError(f"The device {name!r} is not available.", choices)
    return device


def half_dtype(device: torch.device) -> torch.dtype:
    """The 16-bit type of a device: float16 on a GPU, bfloat16 (no overflow) on a CPU."""
    return torch.bfloat16 if device.type == "cpu" else torch.float16


def dtype_for(device: torch.device, task: Task, half: bool) -> tuple[torch.dtype, str]:
    """The type of a network's weights, and a sentence when it is not what was asked for.

    Detectors stay in float32: their box arithmetic loses whole pixels in 16 bits, and torchvision's
    region operators have no 16-bit form on a CPU.
    """
    if not half:
        return torch.float32, ""
    if task == "detection":
        return torch.float32, "Detectors run in float32: their boxes need the precision."
    return half_dtype(device), ""


def half_pays(device: torch.device, task: Task) -> bool:
    """True where half precision is faster: on a GPU, or a CPU that multiplies in bfloat16."""
    if task == "detection":
        return False
    if device.type == "cuda":
        return torch.cuda.get_device_capability(device) >= (7, 0)
    if device.type == "cpu":
        return "AMX" in torch.backends.cpu.get_cpu_capability().upper()
    return device.type == "mps"


def _best() -> torch.device:
    # Unasked, a CUDA build names "cuda" on a computer without such a GPU; the argument that checks
    # is not in torch 2.6.
    found = torch.accelerator.current_accelerator() if torch.accelerator.is_available() else None
    return torch.device("cpu") if found is None else torch.device(found.type)


def _cuda(device: torch.device, choices: str) -> torch.device:
    if not torch.cuda.is_available():
        built = torch.version.cuda or torch.version.hip
        raise ExplorerError(
            "PyTorch finds no CUDA GPU on this computer."
            if built
            else "This PyTorch was built without CUDA.",
            choices,
        )
    count = torch.cuda.device_count()
    if device.index is not None and device.index >= count:
        have = "There is 1 CUDA GPU" if count == 1 else f"There are {count} CUDA GPUs"
        raise ExplorerError(f"{have} here, so {str(device)!r} does not exist.", choices)
    return device
