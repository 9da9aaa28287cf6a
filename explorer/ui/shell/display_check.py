"""Looks whether a window can open, before Qt is imported: Qt itself would end the process."""

from __future__ import annotations

import ctypes
import os
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

ALWAYS = {
    "libGL.so.1": "libgl1",
    "libEGL.so.1": "libegl1",
    "libglib-2.0.so.0": "libglib2.0-0",
    "libdbus-1.so.3": "libdbus-1-3",
    "libfontconfig.so.1": "libfontconfig1",
    "libxkbcommon.so.0": "libxkbcommon0",
}
"""What the Qt libraries load on Linux, and the Debian package that has it."""

X11 = {
    "libxcb-cursor.so.0": "libxcb-cursor0",
    "libxkbcommon-x11.so.0": "libxkbcommon-x11-0",
    "libxcb-icccm.so.4": "libxcb-icccm4",
    "libxcb-keysyms.so.1": "libxcb-keysyms1",
    "libxcb-shape.so.0": "libxcb-shape0",
}
"""What the platform plug-in for X loads on top."""


def missing_packages(environment: Mapping[str, str] | None = None) -> tuple[str, ...]:
    """Debian packages whose libraries a window would miss here; empty where nothing is missing."""
    environment = os.environ if environment is None else environment
    if not sys.platform.startswith("linux"):
        return ()
    wanted = dict(ALWAYS)
    platform = environment.get("QT_QPA_PLATFORM", "")
    if platform.startswith("xcb") or (not platform and not environment.get("WAYLAND_DISPLAY")):
        wanted |= X11
    return tuple(package for library, package in wanted.items() if not loads(library))


def complaint(environment: Mapping[str, str] | None = None) -> str:
    """One sentence when no window can open, else ""."""
    environment = os.environ if environment is None else environment
    if not sys.platform.startswith("linux"):
        return ""
    shown = any(environment.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM"))
    if not shown:
        return (
            "There is no display to open a window on (DISPLAY and WAYLAND_DISPLAY are empty): "
            "start this from a desktop session, use `xvfb-run`, or `explorer render` for pictures "
            "without a window."
        )
    missing = missing_packages(environment)
    if missing:
        return (
            f"A window needs system libraries that are missing: apt-get install {' '.join(missing)}"
        )
    return ""


def loads(library: str) -> bool:
    """Whether the system finds a shared library."""
    try:
        ctypes.CDLL(library)
    except OSError:
        return False
    return True
