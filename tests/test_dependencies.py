"""The rule between the rooms, looked up in the modules that a fresh interpreter has loaded."""

from __future__ import annotations

import json
import pkgutil
import subprocess
import sys

import explorer

QT = ("PySide6", "shiboken6", "pyqtgraph")
WITHOUT_TORCH = (
    "core", "images", "render", "saving", "annotations", "live", "evaluation.datasets",
    "engine.view", "cli", "ui",
)  # fmt: skip
"""What the window and the command line need before a network is asked for."""


def _modules() -> list[str]:
    found = pkgutil.walk_packages(explorer.__path__, "explorer.")
    return sorted(module.name for module in found if not module.name.endswith("__main__"))


def _loaded_by(modules: list[str]) -> set[str]:
    """The top-level packages that are in memory once `modules` are imported."""
    program = (
        "import importlib, json, sys\n"
        f"for name in {modules!r}:\n    importlib.import_module(name)\n"
        "sys.stdout.write(json.dumps(sorted({name.partition('.')[0] for name in sys.modules})))\n"
    )
    run = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=240, check=False
    )
    assert run.returncode == 0, run.stderr
    return set(json.loads(run.stdout))


def test_qt_is_loaded_by_the_ui_only() -> None:
    outside = [name for name in _modules() if not name.startswith("explorer.ui")]
    assert len(outside) > 20
    assert not _loaded_by(outside) & set(QT)


def test_the_window_and_what_lies_below_it_load_no_torch() -> None:
    chosen = []
    for room in WITHOUT_TORCH:
        place = f"explorer.{room}"
        found = [name for name in _modules() if f"{name}.".startswith(f"{place}.")]
        assert found, f"there is no {place}"
        chosen += found
    assert not _loaded_by(chosen) & {"torch", "torchvision"}


def test_the_command_line_knows_its_words_before_it_loads_anything_heavy() -> None:
    loaded = _loaded_by(["explorer.__main__", "explorer.cli"])
    assert not loaded & {"numpy", "cv2", "PIL", "torch", *QT}
