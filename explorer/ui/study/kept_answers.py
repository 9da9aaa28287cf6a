"""The last answers that were shown: going back shows them, nothing is computed again."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from explorer.core.params import Effect, effect_of, resolved

if TYPE_CHECKING:
    from explorer.core.network_info import NetworkSpec
    from explorer.engine.answer import Answer, Ask

MOST_ANSWERS = 6
"""A result may be as large as the feature maps of a layer."""


@dataclass(frozen=True, slots=True, eq=False)
class Kept:
    """An answer; `whole` = it was the last step, not one on the way."""

    answer: Answer
    whole: bool


class KeptAnswers:
    """By photo, view, network and seed: the answer that was on the screen when it was left."""

    def __init__(self) -> None:
        self._kept: OrderedDict[Any, Kept] = OrderedDict()

    def __len__(self) -> int:
        return len(self._kept)

    def put(self, answer: Answer, *, whole: bool) -> None:
        """Keeps `answer`, unless it is about a frame of a film: those pass."""
        if answer.result is None or answer.shot is not None:
            return
        key = _key(answer.ask)
        self._kept.pop(key, None)
        self._kept[key] = Kept(answer, whole)
        while len(self._kept) > MOST_ANSWERS:
            self._kept.popitem(last=False)

    def find(self, ask: Ask) -> Answer | None:
        """The answer to `ask`, when it is here and no other setting has been computed with.

        Of a view that makes a film, the step it was left at is an answer, too, and the views
        beside it do not matter: to go through the film again would take long.
        """
        kept = self._kept.get(_key(ask))
        if kept is None or not (kept.whole or ask.view.film):
            return None
        answer = kept.answer
        beside = {side.view.name for side in answer.beside} == {view.name for view, _ in ask.beside}
        effect = effect_of(answer.params, resolved(ask.params, answer.info))
        same = effect in (None, Effect.DRAW) and (beside or ask.view.film)
        return answer if same else None

    def forget(self, name: str) -> None:
        """Drops the answers of the network of that name, which has become another one."""
        for key in [key for key in self._kept if key[2] is not None and key[2].name == name]:
            del self._kept[key]


def _key(ask: Ask) -> tuple[str, str, NetworkSpec | None, int]:
    return (ask.image.key if ask.image is not None else "", ask.view.name, ask.spec, ask.seed)
