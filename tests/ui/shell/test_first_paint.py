"""What stands between a start and the first paint: little is imported, nothing is computed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from explorer.core.settings import Settings
from explorer.ui.shell.window import Window

ROOT = Path(__file__).parents[3]

START = """
import json, os, sys
from explorer.ui.shell import app
from explorer.ui.shell.window import Window
def begin(self):
    files = {name: getattr(module, "__file__", "") for name, module in sys.modules.items()}
    print(json.dumps(files), flush=True)
    os._exit(0)
Window.begin = begin
app.main([])
"""

OTHERS = {"PySide6", "shiboken6", "shibokensupport", "platformdirs"}
"""Of the packages that are not Python's own."""

OWN = {
    "core": {"color_sets", "errors", "listing", "reading", "resources", "settings"},
    "core.storage": {"atomic"},
    "ui.panels": {"network_words", "page", "picker_button", "pickers", "status", "welcome"},
    "ui.shell": {
        "actions", "app", "crash_log", "display_check", "geometry", "idle_timer", "layout",
        "window",
    },
    "ui.widgets": {"badges", "fonts", "lifetime", "small_widgets", "tab_order", "theme"},
}  # fmt: skip
"""By folder: what the first paint needs. All else is imported by `Window.complete` or later."""


@pytest.fixture(scope="module")
def imported(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str | None]:
    """All modules, and their files, when the window is painted for the first time."""
    home = tmp_path_factory.mktemp("home")
    result = subprocess.run(
        [sys.executable, "-c", START],
        cwd=ROOT,
        env={
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "EXPLORER_HOME": str(home),
            "QT_QPA_PLATFORM": "offscreen",
        },
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    found: dict[str, str | None] = json.loads(result.stdout)
    return found


def test_of_other_packages_only_qt_is_imported(imported: dict[str, str | None]) -> None:
    installed = {name for name, file in imported.items() if file and "site-packages" in file}
    tops = {name.split(".")[0] for name in installed if not name.startswith("_")}
    assert tops <= OTHERS
    assert not {"torch", "numpy", "PIL", "cv2", "pyqtgraph"} & imported.keys()


def test_of_the_program_only_what_is_seen_is_imported(imported: dict[str, str | None]) -> None:
    allowed = {f"explorer.{folder}.{name}" for folder, names in OWN.items() for name in names}
    packages = {".".join(name.split(".")[:n]) for name in allowed for n in range(1, 4)}
    found = {name for name in imported if name.split(".")[0] == "explorer"}
    assert found - allowed - packages == set()
    assert allowed - found == set(), "no longer needed at once: take it off the list"


def test_a_window_that_is_closed_before_it_was_painted_leaves_nothing(qtbot: object) -> None:
    window = Window(Settings())
    window.close()
    assert window.finish()
    window.deleteLater()


def test_what_cannot_work_yet_is_not_offered(qtbot: object) -> None:
    window = Window(Settings())
    assert not any(action.isEnabled() for _, action in window.actions_.items())
    window.complete()
    assert window.actions_["open"].isEnabled()
    assert not window.actions_["save"].isEnabled(), "there is no picture"
    assert not any(
        action.icon().isNull() for command, action in window.actions_.items() if command.icon
    )
    window.close()
    window.deleteLater()
