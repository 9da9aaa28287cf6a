"""Both runtimes are timed, the faster one is taken and remembered; torch stands in for trouble."""

from __future__ import annotations

import hashlib
import threading
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch

from explorer.core.errors import Cancelled
from explorer.core.settings import cache_folder
from explorer.networks.embedded.resnet import mini_resnet
from explorer.networks.fast import choosing, kept
from explorer.networks.fast import runtime as fast_runtime
from explorer.networks.fast.choosing import ROUNDS, Runtimes
from explorer.networks.fast.dense import dense_part
from explorer.networks.fast.differences import difference
from explorer.networks.fast.folding import at_share, fast
from explorer.networks.fast.report import RuntimeReport
from explorer.networks.hooks import interruptible
from explorer.networks.onnx import packages
from tests.toy_detectors import tiny_detector
from tests.toys import make_network, tiny_faster_rcnn, toy_image

if TYPE_CHECKING:
    from pathlib import Path

    from explorer.networks.network import Network

PIXELS = toy_image(64, 64).pixels


@pytest.fixture(autouse=True)
def installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packages, "has_runtime", lambda: True)


class Clock:
    """A second passes in torch and a given time in ONNX Runtime."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, onnx: float) -> None:
        self.now = 0.0
        whole = fast_runtime.InRuntime.__call__

        def called(runtime: Any, images: Any) -> Any:
            began = self.now
            found = whole(runtime, images)  # which looks at the clock, too
            self.now = began + onnx - 1.0
            return found

        monkeypatch.setattr(fast_runtime.InRuntime, "__call__", called)
        monkeypatch.setattr(choosing.time, "perf_counter", self.look)

    def look(self) -> float:
        self.now += 1.0
        return self.now


def detector(kind: str = "rcnn") -> Network:
    return fast(make_network(tiny_detector(kind), "detection", name=kind))


def classifier() -> Network:
    with torch.random.fork_rng():
        torch.manual_seed(4)
        return fast(make_network(mini_resnet(5), "classification"))


@torch.no_grad()
def output(network: Network, pixels: Any = PIXELS) -> Any:
    values = network.preprocess(pixels)
    return network.module(values if network.preprocess.batched else list(values))


def settled(runtimes: Runtimes, network: Network, share: float = 1.0) -> RuntimeReport:
    """After as many frames as it needs."""
    sized = at_share(network, share)
    runtimes.form(sized, PIXELS, share)
    runtimes.wait()
    for _ in range(ROUNDS + 1):
        output(runtimes.form(sized, PIXELS, share))
    runtimes.wait()
    assert runtimes.report is not None
    return runtimes.report


@pytest.mark.parametrize("kind", ["rcnn", "retinanet", "fcos", "ssd", "whole"])
def test_the_faster_runtime_gives_the_same_output(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    Clock(monkeypatch, 0.5)
    network = classifier() if kind == "whole" else detector(kind)
    runtimes = Runtimes(network)
    form = runtimes.form(network, PIXELS, 1.0)
    assert form is network
    assert runtimes.report == RuntimeReport("preparing")
    report = settled(runtimes, network)
    assert report == RuntimeReport("chosen", True, 1.0, 0.5)
    assert runtimes.computes(PIXELS, 1.0)
    expected, form = output(network), runtimes.form(network, PIXELS, 1.0)
    seen: list[Any] = []
    for layer in network.module.modules():
        if isinstance(layer, torch.nn.Conv2d):
            layer.register_forward_hook(lambda *_: seen.append(1))
    found = output(form)
    apart = difference(expected, found)
    assert not seen, "torch has computed what ONNX Runtime should"
    assert apart.unmatched == 0
    assert apart.scores < 1e-5
    assert (apart.boxes or 0.0) < 1e-3


def test_the_slower_runtime_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    Clock(monkeypatch, 3.0)
    network = detector()
    runtimes = Runtimes(network)
    assert settled(runtimes, network) == RuntimeReport("chosen", False, 1.0, 3.0)
    assert runtimes.form(network, PIXELS, 1.0) is network
    again = Runtimes(network)
    monkeypatch.setattr(fast_runtime, "exported", None)  # it would fail
    again.form(network, PIXELS, 1.0)
    again.wait()
    assert again.form(network, PIXELS, 1.0) is network
    assert again.report == RuntimeReport("chosen", False, 1.0, 3.0)
    assert not list(cache_folder().rglob(kept.MODEL))


def test_while_both_are_timed_the_answer_is_torchs(monkeypatch: pytest.MonkeyPatch) -> None:
    Clock(monkeypatch, 0.5)
    network = detector()
    runtimes = Runtimes(network)
    runtimes.form(network, PIXELS, 1.0)
    runtimes.wait()
    form = runtimes.form(network, PIXELS, 1.0)
    assert runtimes.report == RuntimeReport("measuring")
    found, expected = output(form), output(network)
    assert all(torch.equal(found[0][name], expected[0][name]) for name in expected[0])


def test_a_choice_is_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    Clock(monkeypatch, 0.5)
    network = detector()
    first = settled(Runtimes(network), network)
    monkeypatch.setattr(fast_runtime, "exported", None)  # it would fail
    again = Runtimes(network)
    again.form(network, PIXELS, 1.0)
    again.wait()
    form = again.form(network, PIXELS, 1.0)
    assert again.report == first
    assert difference(output(network), output(form)).scores < 1e-5


def test_an_entry_depends_on_all_that_can_change_the_choice(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    network, shape = detector(), (1, 3, 64, 64)

    def path(one: Network, shape: tuple[int, ...] = shape) -> Path:
        part = dense_part(one.module, batched=False)
        assert part is not None
        return kept.entry_for(one.info.spec.name, part, shape).path

    known = {path(network)}
    assert path(detector()) in known
    with torch.random.fork_rng():
        torch.manual_seed(9)
        weights = tiny_detector("rcnn")
        torch.nn.init.normal_(weights.backbone.conv1.weight)  # type: ignore[union-attr, arg-type]
    structure = detector()
    structure.module.backbone.relu = torch.nn.LeakyReLU(0.3)  # type: ignore[union-attr]
    others = [
        path(network, (1, 3, 64, 96)),
        path(fast(make_network(weights, "detection", name="rcnn"))),
        path(structure),
    ]
    for name, value in (
        ("kept.VERSION", 99),
        ("kept.processor", lambda: "another"),
        ("kept.torch.__version__", "2.0"),
        ("kept.torch.get_num_threads", lambda: 77),
        ("kept.torchvision.__version__", "0.1"),
        ("kept.os.cpu_count", lambda: 77),
    ):
        with monkeypatch.context() as changed:
            changed.setattr(f"explorer.networks.fast.{name}", value)
            others.append(path(network))
    assert len({*known, *others}) == 1 + len(others)


def damaged(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 255
    path.write_bytes(data)


def foreign(path: Path) -> None:
    """A network with other numbers, with a checksum that fits."""
    other = Runtimes(network := fast(make_network(tiny_faster_rcnn(3).eval(), "detection")))
    other.form(network, PIXELS, 1.0)
    other.wait()
    (size,) = other._sizes.values()
    assert size.runtime is not None
    path.write_bytes(size.runtime.model)
    decision = path.with_name(kept.DECISION)
    text = decision.read_text()
    start = text.index('"sha256"')
    digest = hashlib.sha256(size.runtime.model).hexdigest()
    decision.write_text(text[:start] + f'"sha256": "{digest}"}}')


@pytest.mark.parametrize(
    "harm",
    [
        lambda model: damaged(model),
        foreign,
        lambda model: model.write_bytes(b""),
        lambda model: model.unlink(),
        lambda model: model.with_name(kept.DECISION).write_text("[" * 100_000),
        lambda model: model.with_name(kept.DECISION).write_text('{"torch_seconds": 1e999}'),
        lambda model: model.with_name(kept.DECISION).unlink(),
    ],
    ids=["bit", "foreign", "empty", "no model", "deep", "odd", "no decision"],
)
def test_a_damaged_entry_is_made_again(harm: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    Clock(monkeypatch, 0.5)
    network = detector()
    first = settled(Runtimes(network), network)
    (model,) = cache_folder().rglob(kept.MODEL)
    before = model.read_bytes()
    harm(model)
    again = Runtimes(network)
    assert settled(again, network) == first
    assert model.read_bytes() == before
    apart = difference(output(network), output(again.form(network, PIXELS, 1.0)))
    assert apart.scores < 1e-5


def test_trouble_later_on_leaves_the_picture_to_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    Clock(monkeypatch, 0.5)
    network = detector()
    runtimes = Runtimes(network)
    settled(runtimes, network)
    form = runtimes.form(network, PIXELS, 1.0)
    (size,) = runtimes._sizes.values()

    class Broken:
        def run(self, *_: Any) -> None:
            raise ValueError("[ONNXRuntimeError] : 1 : FAIL : out of order\nmore")

    assert size.runtime is not None
    size.runtime._session = Broken()
    expected, found = output(network), output(form)
    assert all(torch.equal(found[0][name], expected[0][name]) for name in expected[0])
    assert runtimes.form(network, PIXELS, 1.0) is network
    report = runtimes.report
    assert report is not None
    assert (report.stage, report.title) == ("failed", "PyTorch")
    assert report.problem == "ONNX Runtime cannot be used for rcnn: out of order."
    assert report.hint == "Live continues with PyTorch."
    assert not runtimes.computes(PIXELS, 1.0)


@pytest.mark.parametrize("trouble", ["export", "session", "numbers"])
def test_what_cannot_be_prepared_is_said(trouble: str, monkeypatch: pytest.MonkeyPatch) -> None:
    network = detector()

    def fails(*_: Any, **__: Any) -> Any:
        raise ValueError("no such operator")

    if trouble == "export":
        monkeypatch.setattr(torch.onnx, "export", fails)
    elif trouble == "session":
        monkeypatch.setattr(fast_runtime, "opened", fails)
    else:
        tensors = fast_runtime.InRuntime.tensors
        monkeypatch.setattr(
            fast_runtime.InRuntime, "tensors", lambda s, i: [t + 0.5 for t in tensors(s, i)]
        )
    runtimes = Runtimes(network)
    runtimes.form(network, PIXELS, 1.0)
    runtimes.wait()
    assert runtimes.form(network, PIXELS, 1.0) is network
    assert runtimes.report is not None
    assert runtimes.report.stage == "failed"
    words = "differ from those of PyTorch by" if trouble == "numbers" else "no such operator"
    assert words in runtimes.report.problem


def test_without_the_extra_or_in_half_precision_nothing_changes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    network = detector()
    half = make_network(mini_resnet(5), "classification")
    half.dtype = torch.bfloat16
    for one, there in ((network, False), (half, True)):
        monkeypatch.setattr(packages, "has_runtime", lambda there=there: there)
        runtimes = Runtimes(one)
        assert runtimes.form(one, PIXELS, 1.0) is one
        assert runtimes.report is None
    assert not cache_folder().exists()


def test_every_input_size_has_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    Clock(monkeypatch, 0.5)
    network = detector("retinanet")
    runtimes = Runtimes(network)
    settled(runtimes, network)
    smaller = at_share(network, 0.5)
    settled(runtimes, network, 0.5)
    apart = difference(output(smaller), output(runtimes.form(smaller, PIXELS, 0.5)))
    assert (apart.scores, apart.unmatched) < (1e-5, 1)
    for share in (0.6, 0.7):
        runtimes.form(at_share(network, share), PIXELS, share)
        runtimes.wait()
    assert not runtimes.computes(PIXELS, 1.0)  # the one that was not used for longest
    assert runtimes.computes(PIXELS, 0.5)


def test_a_long_run_is_interrupted(monkeypatch: pytest.MonkeyPatch) -> None:
    Clock(monkeypatch, 0.5)
    network = detector()
    runtimes = Runtimes(network)
    settled(runtimes, network)
    form = runtimes.form(network, PIXELS, 1.0)
    monkeypatch.setattr(fast_runtime, "LONG_SECONDS", -1.0)
    ended, begun = threading.Event(), threading.Event()
    (size,) = runtimes._sizes.values()

    class Long:
        def run(self, _names: Any, _given: Any, options: Any) -> None:
            begun.set()
            while not options.terminate:
                ended.wait(0.01)
            ended.set()

    assert size.runtime is not None
    size.runtime._session = Long()
    with interruptible(form.module, begun.is_set), pytest.raises(Cancelled):
        output(form)
    assert ended.is_set()
    assert np.array_equal(PIXELS, toy_image(64, 64).pixels)
