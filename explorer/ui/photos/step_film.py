"""Keeps the steps of a view that makes films while they stream: a film needs no second run.

Lives on the runner's thread; the window only takes a finished copy.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from explorer.core.layers import UInt8
    from explorer.core.step import Step
    from explorer.engine.engine import Answer

MOST_FRAMES = 600
LONGEST_SIDE = 1280
QUALITY = 92


class StepFilm:
    """Frames as JPEG, thinned out to every second one whenever there are too many."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._frames: list[bytes] = []
        self._stride, self._count = 1, 0

    def __len__(self) -> int:
        with self._lock:
            return len(self._frames)

    def clear(self) -> None:
        with self._lock:
            self._frames, self._stride, self._count = [], 1, 0

    def frames(self) -> Iterator[UInt8]:
        """(H, W, 3) uint8 RGB, in their order."""
        import cv2
        import numpy as np

        with self._lock:
            kept = list(self._frames)
        for data in kept:
            frame = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
            if frame is not None:
                yield np.asarray(cv2.cvtColor(frame, cv2.COLOR_BGR2RGB), np.uint8)

    def recorded(
        self, steps: Generator[Step[Answer], Any, None]
    ) -> Generator[Step[Answer], Any, None]:
        """The same steps; each that shows something new leaves a frame."""
        self.clear()
        news: Any = None
        try:
            while True:
                try:
                    step = steps.send(news)
                except StopIteration:
                    return
                if step.value.result is not None:
                    self._keep(step.value)
                news = yield step
        finally:
            steps.close()

    def _keep(self, answer: Answer) -> None:
        self._count += 1
        if (self._count - 1) % self._stride:
            return
        import cv2

        from explorer.render.board import paint_pane

        board = answer.ask.view.draw(answer.result, answer.params)
        pane = max(board.panes, key=lambda pane: pane.size[0] * pane.size[1])
        scale = min(1.0, LONGEST_SIDE / max(pane.size))
        rgb = paint_pane(pane, scale=scale)
        flags = [cv2.IMWRITE_JPEG_QUALITY, QUALITY]
        done, data = cv2.imencode(".jpg", cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR), flags)
        if not done:
            return
        with self._lock:
            self._frames.append(data.tobytes())
            if len(self._frames) > MOST_FRAMES:
                self._frames = self._frames[::2]
                self._stride *= 2
