"""The training loop that all embedded networks share.

Every batch is a pure function of (seed, step): a training that was interrupted at any moment and
resumes from its last checkpoint ends with the same weights as one that was not (bit for bit with
the same number of threads, else up to the rounding of sums).
"""

from __future__ import annotations

import json
import logging
import math
import signal
import time
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

import torch
from torch import Tensor, nn

from explorer.core.errors import ExplorerError
from explorer.core.storage.written import remember
from explorer.training.checkpoints import CHECKPOINT, State, load_checkpoint, save_checkpoint

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from explorer.training.threads import ThreadPilot

log = logging.getLogger(__name__)

CONFIG = "config.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """The numbers of a training.

    Attributes:
        epochs: Passes over the training photos.
        batch: Photos (or scenes) of one step.
        peak: The highest learning rate of the cycle.
        warmup: The part of all steps during which the rate climbs from `peak` / 20 to `peak`; then
            it falls along half a cosine to zero (Smith & Topin 2018, "Super-Convergence").
        momentum: Of SGD, with Nesterov's correction.
        decay: Weight decay; not for biases and normalization layers.
        average: Decay per step of the moving average of the weights, which is what gets shipped.
        clip: Largest norm of the gradient (0 = no limit).
        seed: Of the weights, the order of the photos and every random crop.
        optimizer: "sgd" or "adamw" (Loshchilov & Hutter 2019).
        slower: Parts of the network, by their names' beginning, whose learning rate is this share.
        minutes: The cycle ends after this time of training, whatever the epochs (0 = no limit);
            the result then depends on the speed of the computer.
        floor: The last learning rate, as a share of `peak`.
        betas: Of AdamW.
    """

    epochs: float
    batch: int
    peak: float
    warmup: float = 0.2
    momentum: float = 0.9
    decay: float = 5e-4
    average: float = 0.999
    clip: float = 0.0
    seed: int = 0
    optimizer: str = "sgd"
    slower: dict[str, float] = field(default_factory=dict)
    minutes: float = 0.0
    floor: float = 0.0
    betas: tuple[float, float] = (0.9, 0.99)

    def rate(self, progress: float) -> float:
        """The learning rate at `progress` in [0, 1]."""
        if progress < self.warmup:
            return self.peak * (0.05 + 0.95 * progress / self.warmup)
        rest = (progress - self.warmup) / (1 - self.warmup)
        share = (1 + math.cos(math.pi * min(1.0, rest))) / 2
        return self.peak * (self.floor + (1 - self.floor) * share)


class Task(Protocol):
    """What a particular network adds to the loop."""

    name: str
    photos: int
    """Photos (or scenes) of one epoch."""

    def settings(self) -> dict[str, object]:
        """What else decides the result, for the configuration beside the weights."""
        ...

    def build(self) -> nn.Module:
        """The network with its first weights (the global generator is seeded)."""
        ...

    def losses(
        self, model: nn.Module, step: int, progress: float, device: torch.device
    ) -> dict[str, Tensor]:
        """The named losses of one batch, to be summed. Pure in the model, the seed and the step."""
        ...

    def prepare(self, model: nn.Module) -> None:
        """Put the network into its training mode (called once before the first step)."""
        ...


class Interrupted(Exception):
    """The training was asked to stop; its checkpoint is written."""


def choose_device(name: str) -> torch.device:
    """`auto` takes a graphics processor when there is one.

    Raises:
        ExplorerError: There is no such device in this computer.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        return torch.empty(0, device=name).device
    except (RuntimeError, AssertionError) as error:  # torch without CUDA asserts
        raise ExplorerError(
            f"The device {name!r} is not available.", "Try --device cpu or --device auto."
        ) from error


def choose_dtype(device: torch.device) -> torch.dtype:
    """bfloat16 where it is measurably faster: not every processor that has it gains."""
    if device.type == "cuda":
        return torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float32
    times = dict.fromkeys((torch.float32, torch.bfloat16), math.inf)
    layer = nn.Conv2d(80, 80, 3, padding=1).to(memory_format=torch.channels_last)
    x = torch.randn(32, 80, 16, 16).to(memory_format=torch.channels_last)
    for _ in range(12):  # in turns: other programs must not decide
        for dtype in times:
            with torch.autocast("cpu", dtype=dtype, enabled=dtype != torch.float32):
                start = time.perf_counter()
                layer(x).sum().backward()
                times[dtype] = min(times[dtype], time.perf_counter() - start)
    faster = times[torch.bfloat16] < 0.9 * times[torch.float32]
    return torch.bfloat16 if faster else torch.float32


def train(
    task: Task,
    recipe: Recipe,
    out: Path,
    *,
    device: torch.device,
    resume: bool = True,
    save_every: float = 45.0,
    pilot: ThreadPilot | None = None,
    dtype: torch.dtype | None = None,
    stop_after: int | None = None,
    first: Mapping[str, Tensor] | None = None,
) -> State:
    """Train until the recipe's last step and return the final state.

    Args:
        task: The network, its data and its losses.
        recipe: The numbers.
        out: Folder for `config.json`, `checkpoint.pt` and `losses.jsonl`.
        device: Where to compute.
        resume: Resume from the checkpoint in `out`, if there is one; else start over.
        save_every: Seconds between two checkpoints.
        pilot: Chooses the number of threads while the training runs; None = leave it as it is.
        dtype: Of the convolutions; None = what is fastest here. Going on keeps that of the start.
        stop_after: Leave after this step, as if interrupted (for tests).
        first: Weights of some layers to begin with, where there is no checkpoint to resume from.

    Raises:
        Interrupted: On Ctrl-C, SIGTERM or `stop_after`; the checkpoint is up to date.
        ExplorerError: The checkpoint in `out`, or `first`, belongs to another network.
    """
    out.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(recipe.seed)
    model = task.build()
    if first is not None:
        _begin_with(model, first, task.name)
    model = model.to(device).to(memory_format=torch.channels_last)
    task.prepare(model)
    state = State(
        model, average_of(model), optimizer_for(model, recipe), dtype or choose_dtype(device)
    )
    if resume and (out / CHECKPOINT).exists():
        load_checkpoint(state, out / CHECKPOINT)
        log.info("%s resumes from step %d", task.name, state.step)
    config = {"network": task.name, **asdict(recipe), **task.settings()}
    if first is not None:
        config["first weights"] = "those that shipped before"
    _write_config(out / CONFIG, config, state)
    total = max(1, round(recipe.epochs * task.photos / recipe.batch))
    log.info("%s: %d steps on %s in %s", task.name, total, device, _word(state.dtype))
    meter = Meter(task.name, total, recipe.batch, out / "losses.jsonl")
    saved = time.monotonic()
    with _stop_requests() as stop:
        while (progress := state.progress(recipe.minutes, total)) < 1:
            began = time.perf_counter()
            losses = _step(task, recipe, state, progress, device)
            spent = time.perf_counter() - began
            state.seconds += spent
            meter.add(losses, state.step, state.progress(recipe.minutes, total))
            if pilot is not None:
                pilot.add(spent)
            if stop or state.step == stop_after:
                save_checkpoint(state, out / CHECKPOINT)
                raise Interrupted(f"{task.name} stopped after step {state.step} of {total}.")
            if time.monotonic() - saved > save_every:
                save_checkpoint(state, out / CHECKPOINT)
                saved = time.monotonic()
    save_checkpoint(state, out / CHECKPOINT)
    return state


def _begin_with(model: nn.Module, weights: Mapping[str, Tensor], name: str) -> None:
    own = model.state_dict()
    if any(key not in own or own[key].shape != value.shape for key, value in weights.items()):
        raise ExplorerError(
            f"The first weights of {name} are of another network.", "Train it without them."
        )
    model.load_state_dict({**own, **weights})


def _step(
    task: Task,
    recipe: Recipe,
    state: State,
    progress: float,
    device: torch.device,
) -> dict[str, Tensor]:
    for group in state.optimizer.param_groups:
        group["lr"] = recipe.rate(progress) * group.get("share", 1.0)
    # torchvision's samplers draw from the global generator: seeded per step for exact resuming.
    torch.manual_seed(step_seed(recipe.seed, state.step))
    half = state.dtype != torch.float32
    with torch.autocast(device.type, dtype=state.dtype if half else None, enabled=half):
        losses = task.losses(state.model, state.step, progress, device)
        loss = torch.stack(list(losses.values())).sum()
    state.optimizer.zero_grad(set_to_none=True)
    loss.backward()  # type: ignore[no-untyped-call]
    if recipe.clip:
        nn.utils.clip_grad_norm_(state.model.parameters(), recipe.clip)
    state.optimizer.step()
    state.step += 1
    update_average(state, recipe.average)
    return {name: value.detach() for name, value in losses.items()}


def step_seed(seed: int, step: int) -> int:
    """A seed of its own for every step."""
    return (seed * 1_000_003 + step * 7_919 + 12_345) % (2**31)


def average_of(model: nn.Module) -> dict[str, Tensor]:
    """A copy of everything in the state dict: the start of the moving average."""
    return {name: value.detach().clone() for name, value in model.state_dict().items()}


@torch.no_grad()
def update_average(state: State, decay: float) -> None:
    """Moves the average toward the weights after a step."""
    # Early on the average forgets faster, else it would remember the random start for long.
    decay = min(decay, (1 + state.step) / (10 + state.step))
    averages, values = [], []
    for name, value in state.model.state_dict().items():
        if value.is_floating_point():
            averages.append(state.average[name])
            values.append(value)
        else:
            state.average[name].copy_(value)
    torch._foreach_lerp_(averages, values, 1 - decay)


def optimizer_for(model: nn.Module, recipe: Recipe) -> torch.optim.Optimizer:
    """Of the parameters that learn; `slower` parts have a group with a `share` of the rate."""
    shares: dict[float, list[nn.Parameter]] = {1.0: []}
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            found = [s for prefix, s in recipe.slower.items() if name.startswith(prefix)]
            shares.setdefault(found[0] if found else 1.0, []).append(parameter)
    groups: list[dict[str, Any]] = []
    for share, trained in shares.items():
        matrices, vectors = ([p for p in trained if (p.ndim > 1) == many] for many in (True, False))
        groups += [
            {"params": matrices, "weight_decay": recipe.decay, "share": share},
            {"params": vectors, "weight_decay": 0.0, "share": share},
        ]
    if recipe.optimizer == "adamw":
        return torch.optim.AdamW(groups, lr=recipe.peak, betas=recipe.betas)
    return torch.optim.SGD(groups, lr=recipe.peak, momentum=recipe.momentum, nesterov=True)


def _word(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")


def write_json(path: Path, content: dict[str, Any]) -> None:
    """Atomically, one line per key."""
    lines = [f" {json.dumps(k)}: {json.dumps(v, ensure_ascii=False)}" for k, v in content.items()]
    partial = path.with_suffix(".partial")
    partial.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")
    partial.replace(path)


def _write_config(path: Path, config: dict[str, Any], state: State) -> None:
    # A training may resume with other numbers (more epochs, say): the file records each change.
    config = json.loads(json.dumps(config))  # tuples become lists, as in the file
    if state.step and path.exists():
        before = json.loads(path.read_text(encoding="utf-8"))
        changes = before.pop("changes", [])
        changed = {
            key: before.get(key) for key, value in config.items() if before.get(key) != value
        }
        if changed:
            log.warning("other settings than before: %s", ", ".join(changed))
            changes.append({"step": state.step, "before": changed})
        config["changes"] = changes
    write_json(path, config)
    remember(path)


class Meter:
    """Logs how far the training is: smoothed losses, speed and the time that is left."""

    def __init__(self, name: str, total: int, batch: int, path: Path, every: float = 10.0) -> None:
        self._name, self._total, self._batch, self._path = name, total, batch, path
        self._every = every
        self._smooth: dict[str, float] = {}
        self._since = time.monotonic()
        self._first: tuple[float, float] | None = None
        self._steps = 0

    def add(self, losses: dict[str, Tensor], step: int, progress: float) -> None:
        self._steps += 1
        for key, value in losses.items():
            number = float(value)
            self._smooth[key] = 0.95 * self._smooth.get(key, number) + 0.05 * number
        spent = time.monotonic() - self._since
        if spent < self._every and progress < 1:
            return
        speed = self._steps / max(spent, 1e-9)
        if self._first is None:
            self._first = (progress, time.monotonic())
        done = progress - self._first[0]
        left = (1 - progress) * (time.monotonic() - self._first[1]) / done if done else 0.0
        parts = " ".join(f"{key} {value:.3f}" for key, value in self._smooth.items())
        log.info(
            "%s %d/%d (%.1f %%)  %s  %.0f photos/s with %d threads  %d:%02d left",
            *(self._name, step, self._total, 100 * progress, parts),
            *(speed * self._batch, torch.get_num_threads(), left // 60, left % 60),
        )
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"step": step, **self._smooth, "photos/s": speed * self._batch}))
            file.write("\n")
        self._since, self._steps = time.monotonic(), 0


@contextmanager
def _stop_requests() -> Iterator[list[int]]:
    """Collects Ctrl-C and SIGTERM: the step that runs still ends. A second one ends at once."""
    received: list[int] = []

    def note(number: int, _frame: object) -> None:
        if received:
            raise KeyboardInterrupt
        received.append(number)

    try:
        before = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}
    except ValueError:  # not the main thread: the caller has its own way to stop
        yield received
        return
    try:
        yield received
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
