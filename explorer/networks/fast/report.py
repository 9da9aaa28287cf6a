"""Which runtime computes a network for frames, and how it compares: plain data, without torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

TORCH, ONNX = "PyTorch", "ONNX Runtime"

Stage = Literal["preparing", "measuring", "chosen", "failed"]


@dataclass(frozen=True, slots=True)
class RuntimeReport:
    """What computes the frames of one network at one input size.

    Attributes:
        stage: "preparing" = the export runs; "measuring" = both compute the same frames;
            "chosen"; "failed" = ONNX Runtime cannot be used, `problem` says why.
        faster: ONNX Runtime is used.
        torch_seconds: Median for a frame; 0 until "chosen".
        onnx_seconds: The same.
        problem: A sentence.
        hint: What to do about it.
    """

    stage: Stage
    faster: bool = False
    torch_seconds: float = 0.0
    onnx_seconds: float = 0.0
    problem: str = ""
    hint: str = ""

    @property
    def title(self) -> str:
        """Of the runtime in use."""
        return ONNX if self.faster else TORCH

    @property
    def ratio(self) -> float:
        """How many times as fast as the slower one the faster one is."""
        pair = sorted((self.torch_seconds, self.onnx_seconds))
        return pair[1] / pair[0] if pair[0] > 0 else 0.0


@dataclass(frozen=True, slots=True)
class Difference:
    """Between two outputs for one frame.

    Attributes:
        scores: The largest difference of a score or probability, or of a raw output.
        boxes: The largest difference of a box's side, in pixels of the photo; None = no boxes.
        unmatched: Detections of one output without a partner in the other.
    """

    scores: float
    boxes: float | None = None
    unmatched: int = 0
