"""The answer that is shown: drawn with the parameters of the moment, kept when it is left."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from explorer.core.params import Effect, parameters, resolved
from explorer.ui.study.kept_answers import KeptAnswers

if TYPE_CHECKING:
    from collections.abc import Sequence

    from explorer.core.layers import Board
    from explorer.engine.answer import Answer, Ask, Side
    from explorer.engine.finish import FinishedAnswer


class Shown:
    """The newest answer, its board, and the answers that were here before it.

    Attributes:
        answer: None while the first one is awaited.
        finished: The answer as it was drawn last; None before that.
        board: What was drawn then.
    """

    def __init__(self) -> None:
        self.answer: Answer | None = None
        self.finished: FinishedAnswer | None = None
        self.board: Board | None = None
        self._whole = False  # the answer is not one on the way
        self._sides: dict[str, Side] = {}
        self._kept = KeptAnswers()

    def take(self, answer: Answer, *, whole: bool) -> bool:
        """A step of the answer has come; False when there is nothing new to draw.

        Args:
            answer: The whole answer so far.
            whole: It is the last step.
        """
        if answer.result is None:
            return False
        self._whole = whole
        if answer is self.answer:
            return False
        self.answer = answer
        return True

    def draw(self, params: Any, beside: Sequence[str]) -> Board | None:
        """The board of the newest answer; None when there is no answer yet.

        Args:
            params: Of the form; what was computed with keeps the answer's own values.
            beside: The names of the views that are shown beside it, in their order.
        """
        if self.answer is None or self.answer.result is None:
            return None
        from explorer.engine.finish import FinishedAnswer  # not before the first paint

        self._sides.update((side.view.name, side) for side in self.answer.beside)
        # One that is still computed keeps its place with its earlier text.
        sides = [self._sides[name] for name in beside if name in self._sides]
        finished = FinishedAnswer(self.answer, drawn_params(self.answer, params), sides)
        self.board, self.finished = finished.bare, finished
        return self.board

    def drop_side(self, name: str) -> None:
        """The view `name` has just been put beside the main one, or taken away."""
        self._sides.pop(name, None)

    def forget(self) -> None:
        """Something else is going to be shown; the answer is kept for the way back."""
        # The picture stays on the canvas until the next one; redraws of it make no sense any more.
        if self.answer is not None:
            self._kept.put(self.answer, whole=self._whole)
        self.answer = self.finished = self.board = None
        self._whole = False
        self._sides.clear()

    def drop(self, name: str) -> None:
        """The network of that name has become another one: no answer of it is kept."""
        spec = self.answer.ask.spec if self.answer is not None else None
        if spec is not None and spec.name == name:
            self.answer = None  # the picture stays until the next one
        self._kept.forget(name)

    def kept(self, ask: Ask) -> Answer | None:
        """The answer to `ask` that was shown earlier, if it is still here."""
        return self._kept.find(ask)


def drawn_params(answer: Answer, params: Any) -> Any:
    """What an answer is drawn with: its own parameters, but `params` where they only draw."""
    computed = answer.params
    free = {
        parameter.name: getattr(params, parameter.name)
        for parameter in parameters(type(computed))
        if parameter.meta.effect is Effect.DRAW
    }
    drawn = replace(computed, **free)
    return resolved(drawn, answer.info) if answer.info is not None else drawn
