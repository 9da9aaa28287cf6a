"""`explorer doctor`: what is installed, found and missing, for reports of problems."""

from __future__ import annotations

import json
import os
import platform
import sys
from importlib.metadata import PackageNotFoundError, distribution, distributions, version
from typing import TYPE_CHECKING, Any

from explorer import __version__
from explorer.cli.console import columns, say, table, wrapped
from explorer.core.listing import quantity

if TYPE_CHECKING:
    import argparse

NEEDED = (
    "torch", "torchvision", "numpy", "pillow", "safetensors", "platformdirs", "PySide6-Essentials",
    "pyqtgraph", "opencv-contrib-python-headless", "scikit-image", "scikit-learn",
    "cv2-enumerate-cameras", "mss", "faster-coco-eval",
)  # fmt: skip
OPTIONAL = (
    "fast-sugiyama",
    "pillow-heif",
    "av",
    "captum",
    "timm",
    "onnx",
    "onnx2torch",
    "onnxruntime",
)

_BAD_QT = {
    "6.9.1": "breaks the plots",
    "6.11.0": "breaks the docks",
    "6.11.1": "breaks the docks",
}


def add_parser(subparsers: Any) -> argparse.ArgumentParser:
    """Add the sub-command to those of the program."""
    parser: argparse.ArgumentParser = subparsers.add_parser(
        "doctor",
        help="check what is installed, found and missing",
        description="List what is installed, found and missing. The exit status is 0 if the "
        "program should work and 1 if there is a problem.",
    )
    parser.add_argument("--json", action="store_true", help="print JSON")
    return parser


def run(args: argparse.Namespace) -> int:
    """Look; 0 = all well, 1 = something is in the way."""
    report = examine()
    if args.json:
        say(json.dumps(report, ensure_ascii=False, indent=1))
    else:
        say(_text(report))
    return 1 if report["problems"] else 0


def examine() -> dict[str, Any]:
    """Everything that was found, in plain values; `problems` are sentences."""
    problems: list[str] = []
    report: dict[str, Any] = {
        "program": {
            "version": __version__,
            "python": f"{platform.python_version()} ({sys.executable})",
            "platform": platform.platform(),
            "processors": str(os.cpu_count() or 1),
        },
        "packages": _packages(problems),
        "window": _window(problems),
        "devices": _devices(problems),
        "cameras": _cameras(),
        "weights": _weights(problems),
        "plug-ins": _plugins(),
        "folders": _folders(problems),
        "problems": problems,
    }
    return report


def _packages(problems: list[str]) -> dict[str, str]:
    found = {}
    for name in NEEDED:
        found[name] = _version(name)
        if not found[name]:
            problems.append(f"The package {name} is missing: pip install {name}")
    for name in OPTIONAL:
        found[name] = _version(name) or "not installed (optional)"
    wheels = sorted(
        {
            name
            for entry in distributions()
            if (name := (entry.metadata["Name"] or "").lower()).startswith("opencv-")
        }
    )
    if len(wheels) > 1:
        problems.append(
            f"Several OpenCV packages overwrite each other ({', '.join(wheels)}): "
            f"pip uninstall {' '.join(wheels)}, then pip install opencv-contrib-python-headless"
        )
    qt = found["PySide6-Essentials"]
    if qt in _BAD_QT:
        problems.append(f"PySide6 {qt} {_BAD_QT[qt]}: install another version.")
    if qt.startswith("6.12") and sys.version_info < (3, 12):
        problems.append(
            f"PySide6 {qt} crashes on Python 3.11: pip install 'PySide6-Essentials<6.12'"
        )
    return found


def _window(problems: list[str]) -> dict[str, str]:
    from explorer.ui.shell import (
        display_check as display,  # it looks for Qt's libraries without loading Qt
    )

    missing = display.missing_packages()
    apt = f"apt-get install --no-install-recommends {' '.join(missing)}"
    if missing:
        problems.append(f"A window needs system libraries that are missing: {apt}")
    shown = os.environ.get("QT_QPA_PLATFORM") or os.environ.get("WAYLAND_DISPLAY")
    shown = shown or os.environ.get("DISPLAY")
    if not shown:
        shown = "none (rendering without a window still works)" if _linux() else "the desktop's"
    return {
        "display": shown,
        "Qt plug-in path": os.environ.get("QT_PLUGIN_PATH", "") or _qt_plugins(),
        "missing libraries": apt if missing else "none",
    }


def _qt_plugins() -> str:
    """Where PySide6 has its platform plug-ins; found without importing it."""
    try:
        root = distribution("PySide6-Essentials").locate_file("PySide6")
    except PackageNotFoundError:
        return "PySide6 is not installed"
    for place in (("Qt", "plugins"), ("plugins",)):
        folder = os.path.join(str(root), *place)
        if os.path.isdir(os.path.join(folder, "platforms")):
            return folder
    return "not found"


def _devices(problems: list[str]) -> dict[str, str]:
    try:
        import torch

        from explorer.networks import devices
    except (ImportError, OSError, RuntimeError) as error:  # a broken install fails in each of these
        problems.append(f"PyTorch cannot be loaded: {error}")
        return {}
    found = dict(devices.available())
    found["threads"] = str(torch.get_num_threads())
    return found


def _cameras() -> dict[str, str]:
    """By name, where they are; none of them is opened."""
    try:
        from explorer.live.cameras import connected

        found = connected()
    except (ImportError, OSError, RuntimeError) as error:
        return {"none found": f"the cameras cannot be listed: {error}"}
    names = [name for _, name in found]
    return {
        name if names.count(name) == 1 else f"{name} ({where})": where for where, name in found
    } or {"none found": "films and the built-in scene work without a camera"}


def _weights(problems: list[str]) -> dict[str, str]:
    try:
        from explorer.networks import catalog

        entries = catalog.entries()
    except (ImportError, OSError, RuntimeError) as error:
        problems.append(f"The networks cannot be listed: {error}")
        return {}
    found = {}
    for entry in entries:
        for option in entry.weights:
            if option.state in ("shipped", "cached"):
                where = "shipped" if option.state == "shipped" else "on disk"
                found[entry.name] = f"{where}: {option.title}"
            elif option.state == "missing" and option.package is not None:
                problems.append(f"{entry.title}: {' '.join(option.package.missing)}")
    if not any(words.startswith("shipped") for words in found.values()):
        problems.append("The networks that ship with the program are missing: reinstall it.")
    more = sum(entry.state == "download" for entry in entries)
    found["to download"] = quantity(more, "more network")
    return found


def _plugins() -> dict[str, str]:
    from importlib.metadata import entry_points

    return {
        f"{group.removeprefix('explorer.')}: {entry.name}": entry.value
        for group in ("explorer.views", "explorer.networks")
        for entry in entry_points(group=group)
    }


def _folders(problems: list[str]) -> dict[str, str]:
    from explorer.core import settings
    from explorer.core.resources import resource_path

    found = {
        "resources": resource_path(),
        "settings": settings.config_folder(),
        "logs": settings.log_folder(),
    }
    if "torch" in sys.modules:
        from explorer.networks.checkpoints import weights

        found["downloaded weights"] = weights.folder()
    for name, folder in found.items():
        nearest = next(
            (place for place in (folder, *folder.parents) if os.path.exists(place)), folder
        )
        if name != "resources" and not os.access(nearest, os.W_OK):
            problems.append(f"The folder for {name} cannot be written to: {folder}")
    return {name: str(folder) for name, folder in found.items()}


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return ""


def _linux() -> bool:
    return sys.platform.startswith("linux")


def _text(report: dict[str, Any]) -> str:
    parts, width = [], columns()
    for title, entries in report.items():
        if title == "problems":
            continue
        rows = list(entries.items()) or [("none", "")]
        parts.append(f"{title.capitalize()}\n{table(rows, width=width)}")
    problems = report["problems"]
    if problems:
        lines = (wrapped(problem, width, first="  - ", rest="    ") for problem in problems)
        parts.append("Problems\n" + "\n".join(lines))
    else:
        parts.append("No problem was found.")
    return "\n\n".join(parts)
