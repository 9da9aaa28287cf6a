"""A network that cannot be had: the one that worked stays, and buttons lead on."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject

from explorer.core.errors import ExplorerError
from explorer.ui.panels.network_words import RANDOM

if TYPE_CHECKING:
    from collections.abc import Callable

    from explorer.core.network_info import NetworkSpec
    from explorer.core.runner import Failure
    from explorer.ui.dialogs.messages import Way
    from explorer.ui.navigation.trail import Trail
    from explorer.ui.shell.desk import Panels


class NetworkTrouble(QObject):
    """Takes back the network that worked, tells why the other one does not, and offers ways out.

    Args:
        panels: The window's services.
        trail: Where the user was.
        choose_file: Asks for a file of weights for the network of that name.
    """

    def __init__(self, panels: Panels, trail: Trail, choose_file: Callable[[str], None]) -> None:
        super().__init__(panels.main)
        self._panels, self._trail, self._choose_file = panels, trail, choose_file
        panels.study.network_failed.connect(self._failed)

    def _failed(self, spec: NetworkSpec, failure: Failure) -> None:
        panels = self._panels
        panels.study.fall_back()
        if panels.study.spec != spec:
            self._trail.forget(spec)
        hint = failure.hint
        if panels.study.spec != spec and (entry := panels.study.entry()) is not None:
            kept = self.tr("{network} is still in use.").format(network=entry.title)
            hint = f"{hint} {kept}".strip()
        ways = self._ways(spec, failure)
        panels.inspector.show_error(failure.message, hint, failure.details, ways, stays=True)
        panels.docks["inspector"].show()

    def _ways(self, spec: NetworkSpec, failure: Failure) -> list[Way]:
        study = self._panels.study
        use = study.look_with
        if failure.about == "program":
            return [(self.tr("Run its code"), partial(_call, self.run_program, spec))]
        ways: list[Way] = []
        for name in failure.instead[:2]:
            other = replace(spec, name=name)
            if (entry := study.entry(other)) is not None:
                words = self.tr("Use {network}").format(network=entry.title)
                ways.append((words, partial(_call, use, other)))
        ways.append((self.tr("Try again"), partial(_call, use, spec)))
        if study.entry(spec) is not None:
            ways.append((self.tr("Choose a file…"), partial(_call, self._choose_file, spec.name)))
            if spec.weights != RANDOM:
                words = self.tr("Use random weights")
                ways.append((words, partial(_call, use, replace(spec, weights=RANDOM))))
        return ways

    def run_program(self, spec: NetworkSpec) -> None:
        """Uses a network that a Python file builds: the user has agreed to run it."""
        from explorer.networks.external import python_file

        named = python_file.file_and_function(spec.name)
        assert named is not None
        try:
            python_file.trust(named[0])
        except ExplorerError as error:
            self._panels.inspector.show_error(error.message, error.hint, stays=True)
            return
        self._panels.inspector.settle()
        self._panels.study.look_with(spec)


def _call(act: Callable[..., object], value: object, _checked: bool = False) -> None:
    # The signal carries whether it is checked: not used.
    act(value)
