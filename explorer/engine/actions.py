"""Networks that a view's computation, or one of its actions, returns: they join the catalog."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from explorer.networks import catalog
from explorer.networks.made import NewNetwork

if TYPE_CHECKING:
    from collections.abc import Generator

    from explorer.core.step import Step


@dataclass(frozen=True, slots=True)
class Made:
    """A network that has joined the catalog: its name there, and whether to use it at once."""

    name: str
    title: str
    use: bool = False


def joining(
    steps: Generator[Step[Any], Any, NewNetwork | Made | None], made: list[Made]
) -> Generator[Step[Any], Any, None]:
    """The same steps; a network that they return is kept where it is new, and listed in `made`.

    Raises:
        ExplorerError: The network cannot be written.
    """
    new = yield from steps
    if isinstance(new, NewNetwork):
        made.append(Made(catalog.keep(new), new.title, new.use))
    elif isinstance(new, Made):
        made.append(new)
