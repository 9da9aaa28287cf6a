"""What a view remembers from one frame of a film to the next."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from explorer.live.memory import brought_back

if TYPE_CHECKING:
    from collections.abc import Hashable

    from explorer.engine.scene import Moment


@brought_back
@dataclass(frozen=True, slots=True, eq=False)
class Past:
    """Of one view: what it had before frame `number` and after it, with which parameters."""

    key: Hashable
    number: int
    before: Any
    after: Any


def recalled(moment: Moment, name: str, key: Hashable = ()) -> Any:
    """What the view `name` remembered after the frame before this one.

    A frame comes again when parameters change while the film stands: it is then given what it was
    given the first time. None at the first frame, and when `key` is not the one of the frame before
    (parameters with which what was remembered has no meaning).
    """
    past = moment.memory.get(name)
    if past is None or past.key != key:
        return None
    return past.before if past.number == moment.number else past.after


def remember(moment: Moment, name: str, before: Any, after: Any, key: Hashable = ()) -> None:
    """Keeps `after` for the next frame, and `before`, as it was recalled, for this one."""
    moment.memory[name] = Past(key, moment.number, before, after)
