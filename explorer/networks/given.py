"""Any `nn.Module` as a network: its task and its input size are found by trying the module."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from explorer.core.errors import ExplorerError
from explorer.core.network_info import GIVEN, NetworkInfo, NetworkSpec, task_of
from explorer.networks.checkpoints.loading import default_layer, layers_of
from explorer.networks.network import Network
from explorer.networks.preprocess import Preprocess

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from explorer.core.network_info import Task

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""Of ImageNet: what most published networks were trained with."""

SIDES = (224, 299, 128, 96, 64, 48, 32, 28)
"""Input sizes that are tried, the usual one first."""


def from_module(
    module: nn.Module,
    *,
    task: Task | None = None,
    classes: Sequence[str] = (),
    preprocess: Preprocess | None = None,
) -> Network:
    """A network that uses `module` where it is: nothing is copied, moved or switched.

    What is not given is found by running the module on a gray picture: the kind of its output
    gives the task, the first of `SIDES` that it accepts its input size. The normalization cannot be
    found out: it is ImageNet's, and a note says so. Use it inside `at_rest`.

    Args:
        module: Takes (1, C, H, W), or a list of (C, H, W) as torchvision's detectors do.
        task: Its task.
        classes: Names by index (a detector's index 0 is the background).
        preprocess: What is done to a photo before.

    Raises:
        ExplorerError: It accepts no picture, or its output fits no task.
    """
    if task is not None:
        task = task_of(task)
    first = next(module.parameters(), None)
    device = first.device if first is not None else torch.device("cpu")
    dtype = first.dtype if first is not None else torch.float32
    notes: list[str] = []
    if task is None or preprocess is None:
        with at_rest(module), torch.no_grad():
            side, answer = _asked(module, device, dtype, preprocess)
        if task is None:
            task = _task_of(answer, side)
            notes.append(f"{type(module).__name__} is assumed to be a network for {task}.")
        if preprocess is None:
            preprocess = _usual(task, side, _channels(module))
            notes.append(
                f"Preprocessing is assumed: {preprocess.title()}. "
                "Give load(…, preprocess=…) its own."
            )
    layers = layers_of(module)
    name = type(module).__name__
    info = NetworkInfo(
        spec=NetworkSpec(name, GIVEN, str(device)),
        title=name,
        task=task,
        classes=tuple(str(word) for word in classes),
        layers=layers,
        state="local",
        weights_title="as given",
        device=str(device),
        dtype=str(dtype).removeprefix("torch."),
        parameters=sum(parameter.numel() for parameter in module.parameters()),
        input_title=preprocess.title(),
        notes=tuple(notes),
        default_layer=default_layer(layers),
    )
    return Network(info, module, preprocess, device, dtype)


@contextmanager
def at_rest(module: nn.Module) -> Iterator[None]:
    """Inside, the module is in eval mode with frozen weights; afterwards all is as it was before.

    So a network can be inspected between two steps of its training.
    """
    modes = [(part, part.training) for part in module.modules()]
    grads = [(weight, weight.requires_grad) for weight in module.parameters()]
    try:
        module.eval()
        for weight, _ in grads:
            weight.requires_grad_(False)
        yield
    finally:
        for part, training in modes:
            part.training = training
        for weight, wanted in grads:
            weight.requires_grad_(wanted)


def _asked(
    module: nn.Module, device: torch.device, dtype: torch.dtype, preprocess: Preprocess | None
) -> tuple[int, Any]:
    """The first input side that the module takes, and its output for a gray square of that side."""
    problem: Exception | None = None
    batched = preprocess.batched if preprocess is not None else True
    crop = preprocess.crop if preprocess is not None else None
    for side in (crop,) if crop is not None else SIDES:
        values = torch.full((1, _channels(module), side, side), 0.5, device=device, dtype=dtype)
        try:
            return side, module(values if batched else [values[0]])
        except Exception as error:  # noqa: BLE001 - the user's code: any failure counts
            problem = problem or error
    raise ExplorerError(
        f"{type(module).__name__} accepts no square input: {problem}",
        "Give load(module, task=…, preprocess=…).",
    ) from problem


def _channels(module: nn.Module) -> int:
    """1 or 3: what the first convolution takes."""
    first = next((part for part in module.modules() if isinstance(part, nn.Conv2d)), None)
    return 1 if first is not None and first.in_channels == 1 else 3


def _task_of(answer: Any, side: int) -> Task:
    """By the rules of torchvision's outputs."""
    if isinstance(answer, (list, tuple)) and answer and isinstance(answer[0], dict):
        if "boxes" in answer[0]:
            return "detection"
    elif isinstance(answer, dict) and isinstance(answer.get("out"), Tensor):
        return "segmentation"
    elif isinstance(answer, Tensor) and answer.ndim == 2:
        return "classification"
    elif isinstance(answer, Tensor) and answer.ndim == 4 and answer.shape[-2:] == (side, side):
        return "segmentation"
    return "features"


def _usual(task: Task, side: int, channels: int) -> Preprocess:
    """What networks of this task are usually shown."""
    if task == "detection":
        return Preprocess(batched=False, longest=1333, channels=channels)
    mean, std = (MEAN, STD) if channels == 3 else ((sum(MEAN) / 3,), (sum(STD) / 3,))
    if task == "segmentation":
        return Preprocess(resize=520, mean=mean, std=std, longest=1333, channels=channels)
    resize = 256 if side == 224 else side
    return Preprocess(resize=resize, crop=side, mean=mean, std=std, channels=channels)
