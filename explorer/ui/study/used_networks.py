"""Which networks have worked: what a view takes along, and what is left when one fails."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from explorer.core.network_info import NetworkSpec
from explorer.ui.shell.bridge import TASKS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from explorer.engine.view import View


class UsedNetworks:
    """By task: the network that was used last.

    Attributes:
        defaults: By task: the usual network, before any was used.
    """

    def __init__(self) -> None:
        self.defaults: Mapping[str, NetworkSpec] = {}
        self._used: dict[str, NetworkSpec] = {}
        self._last: tuple[str, NetworkSpec] | None = None

    def worked(self, view: str, task: str, spec: NetworkSpec) -> None:
        """A network for `task` was loaded, and `view` uses it."""
        self._used[task] = spec
        self._last = view, spec

    def suiting(self, view: View[Any, Any]) -> NetworkSpec | None:
        """The one that `view` would take: the last that was used for its task, else the usual."""
        if view.begins_with:
            return NetworkSpec(view.begins_with)
        suiting = (self.used_for(task) for task in (view.best, *TASKS) if view.suits(task))
        return next((spec for spec in suiting if spec is not None), None)

    def used_for(self, task: str) -> NetworkSpec | None:
        """The last that was used for `task`, else the usual one; None where there is none."""
        return self._used.get(task) or self.defaults.get(task)

    def settled(self, spec: NetworkSpec) -> bool:
        """It is the network that works, on another device or in another precision."""
        last = self._last
        return last is not None and last[1] != spec and same_weights(last[1], spec)

    def forget(self, name: str) -> None:
        """The network of that name may be for another task now."""
        self._used = {task: spec for task, spec in self._used.items() if spec.name != name}
        if self._last is not None and self._last[1].name == name:
            self._last = None

    def instead_of(self, spec: NetworkSpec, task: str) -> tuple[str, NetworkSpec] | None:
        """The view and the network to go back to when `spec`, which is for `task`, cannot be had.

        The view is "" where none has used it yet; None when there is no such network.
        """
        self._used = {
            known: used for known, used in self._used.items() if not same_weights(used, spec)
        }
        if self._last is not None and same_weights(self._last[1], spec):
            self._last = None
        if self._last is not None:
            return self._last
        default = self.defaults.get(task)
        return None if default is None or same_weights(default, spec) else ("", default)


def same_weights(one: NetworkSpec, other: NetworkSpec) -> bool:
    """The same ones, whatever device they are on and in whatever precision."""
    return (one.name, one.weights, one.classes) == (other.name, other.weights, other.classes)
