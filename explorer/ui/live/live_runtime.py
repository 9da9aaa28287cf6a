"""Which runtime computes the frames: its name and times, trouble with it, and a check by torch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, Signal

from explorer.core.runner import State, Update

if TYPE_CHECKING:
    from explorer.engine.answer import Answer
    from explorer.networks.fast.report import Difference, RuntimeReport
    from explorer.ui.shell.desk import Desk

KEY = "runtime"


class LiveRuntime(QObject):
    """From the answers about frames to sentences.

    Signals:
        named: A few words for the status bar, and their tool tip; both "" = there is no choice.
    """

    named = Signal(str, str)

    def __init__(self, desk: Desk) -> None:
        super().__init__(desk.main)
        self._desk = desk
        self._report: RuntimeReport | None = None

    def take(self, answer: Answer) -> None:
        """The newest answer about a frame."""
        report = answer.runtime
        if report == self._report:
            return
        self._report = report
        if report is None:
            self.named.emit("", "")
            return
        self.named.emit(self._words(report), self._details(report))
        if report.problem:
            self._desk.notices.say(f"{report.problem} {report.hint}", "warning")

    def clear(self) -> None:
        """No frames are followed."""
        self._report = None
        self.named.emit("", "")

    def compare(self, answer: Answer | None) -> None:
        """The frame of `answer` is frozen: torch computes it again, and the difference is said."""
        if answer is None or answer.runtime is None or not answer.runtime.faster:
            return
        ask, share = answer.ask, answer.share
        self._desk.bridge.compute(
            KEY, lambda engine, token: engine.differences(ask, share, token), self._compared
        )

    def _compared(self, update: Update) -> None:
        if update.state is State.DONE and update.value is not None:
            self._desk.notices.say(self._difference_words(update.value))

    # -- words ------------------------------------------------------------------------------------

    def _words(self, report: RuntimeReport) -> str:
        if not report.faster:
            return report.title
        return self.tr("{runtime}, {ratio:.1f} x").format(runtime=report.title, ratio=report.ratio)

    def _details(self, report: RuntimeReport) -> str:
        match report.stage:
            case "preparing":
                return self.tr("ONNX Runtime is being prepared in the background.")
            case "measuring":
                return self.tr("PyTorch and ONNX Runtime are being timed on the same frames.")
            case "failed":
                return f"{report.problem}\n{report.hint}"
        return self.tr(
            "The network takes {onnx:.1f} ms per frame in ONNX Runtime and {torch:.1f} ms in "
            "PyTorch\non this computer; the faster one is used. The preferences can turn this off."
        ).format(onnx=report.onnx_seconds * 1000, torch=report.torch_seconds * 1000)

    def _difference_words(self, found: Difference) -> str:
        values: dict[str, Any] = {"scores": found.scores, "boxes": found.boxes or 0.0}
        if not (found.scores or found.boxes or found.unmatched):
            return self.tr("Recomputed with PyTorch: the output is the same.")
        if found.boxes is None:
            words = self.tr("Recomputed with PyTorch: scores differ by at most {scores:.1g}.")
        else:
            words = self.tr(
                "Recomputed with PyTorch: scores differ by at most {scores:.1g}, "
                "boxes by {boxes:.1g} pixels."
            )
        if found.unmatched == 1:
            words += " " + self.tr("1 detection has no counterpart.")
        elif found.unmatched:
            words += " " + self.tr("{count} detections have no counterpart.")
        return words.format(count=found.unmatched, **values)
