"""What is said of the runtime that computes the frames."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from explorer.core.runner import State, Update
from explorer.engine.answer import Answer, Ask
from explorer.networks.fast.report import Difference, RuntimeReport
from explorer.ui.live.live_runtime import LiveRuntime
from tests.ui.toy_desk import ToyDesk

FASTER = RuntimeReport("chosen", True, 0.0442, 0.021)
ASK = Ask(None, None, None, None)  # type: ignore[arg-type]


def answer(report: RuntimeReport | None) -> Answer:
    return Answer(ASK, None, None, None, runtime=report)


@pytest.fixture
def named(desk: ToyDesk) -> list[tuple[str, str]]:
    desk.runtime = LiveRuntime(desk)  # type: ignore[attr-defined]
    heard: list[tuple[str, str]] = []
    desk.runtime.named.connect(lambda *words: heard.append(words))  # type: ignore[attr-defined]
    return heard


def test_the_status_bar_names_it_once(desk: Any, named: list[tuple[str, str]]) -> None:
    for report in (
        None,
        RuntimeReport("preparing"),
        RuntimeReport("measuring"),
        RuntimeReport("measuring"),
        FASTER,
        FASTER,
        RuntimeReport("chosen", False, 0.02, 0.03),
    ):
        desk.runtime.take(answer(report))
    desk.runtime.clear()
    assert [words for words, _ in named] == [
        "PyTorch",
        "PyTorch",
        "ONNX Runtime, 2.1 x",
        "PyTorch",
        "",
    ]
    assert "prepared" in named[0][1]
    assert "timed" in named[1][1]
    assert "21.0 ms per frame in ONNX Runtime and 44.2 ms in PyTorch" in named[2][1]
    assert "30.0 ms per frame in ONNX Runtime and 20.0 ms in PyTorch" in named[3][1]


def test_trouble_is_said_once(desk: Any, named: list[tuple[str, str]]) -> None:
    report = RuntimeReport("failed", problem="It does not work.", hint="Live continues.")
    desk.runtime.take(answer(report))
    desk.runtime.take(answer(replace(report)))
    assert desk.notices.texts == ["It does not work. Live continues."]
    assert named == [("PyTorch", "It does not work.\nLive continues.")]


@pytest.mark.parametrize(
    ("found", "words"),
    [
        (Difference(0.0, 0.0), "Recomputed with PyTorch: the output is the same."),
        (Difference(2e-6), "Recomputed with PyTorch: scores differ by at most 2e-06."),
        (
            Difference(2e-6, 0.0003, 1),
            "Recomputed with PyTorch: scores differ by at most 2e-06, boxes by 0.0003 pixels. "
            "1 detection has no counterpart.",
        ),
        (
            Difference(0.0, 0.25, 2),
            "Recomputed with PyTorch: scores differ by at most 0, boxes by 0.2 pixels. "
            "2 detections have no counterpart.",
        ),
    ],
)
def test_a_frozen_frame_is_compared(
    desk: Any, named: list[tuple[str, str]], found: Difference, words: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    asked: list[Any] = []

    def compute(key: str, begin: Any, receiver: Any) -> int:
        class Engine:
            def differences(self, *given: Any) -> Any:
                asked.append(given)

        begin(Engine(), "token")
        for state in (State.RUNNING, State.DONE):
            receiver(Update(key, 1, state, found, 1, 1, "", 0.0, 1))
        return 1

    monkeypatch.setattr(desk.bridge, "compute", compute)
    for report in (None, RuntimeReport("measuring")):
        desk.runtime.compare(answer(report))
    desk.runtime.compare(None)
    assert not asked
    desk.runtime.compare(replace(answer(FASTER), share=0.5))
    assert asked == [(ASK, 0.5, "token")]
    assert desk.notices.texts == [words]
