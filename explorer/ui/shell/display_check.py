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

WAYS = (
    "start this from a desktop session, use `xvfb-run`, or `explorer render` for pictures "
    "without a window."
)


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
    names = ("DISPLAY", "WAYLAND_DISPLAY")
    if not any(environment.get(name) for name in (*names, "QT_QPA_PLATFORM")):
        return f"There is no display for a window ({' and '.join(names)} are empty): {WAYS}"
    missing = missing_packages(environment)
    if missing:
        return (
            f"A window needs system libraries that are missing: apt-get install {' '.join(missing)}"
        )
    tried = _displays(environment)
    if tried and not any(answers(name, display) for name, display in tried):
        words = " and ".join(f"{name}={display}" for name, display in tried)
        return f"There is no display for a window ({words}: no server answers): {WAYS}"
    return ""


def _displays(environment: Mapping[str, str]) -> list[tuple[str, str]]:
    """The displays that Qt may try, as (variable, value); none where it needs no display."""
    names = {"xcb": "DISPLAY", "wayland": "WAYLAND_DISPLAY"}
    platform = environment.get("QT_QPA_PLATFORM", "")
    if platform:
        wanted = [name.strip().partition(":")[0] for name in platform.split(";")]
        if any(name.partition("-")[0] not in names for name in wanted):
            return []
        found = [names[name.partition("-")[0]] for name in wanted]
    else:
        found = list(names.values())
    return [(name, environment[name]) for name in dict.fromkeys(found) if environment.get(name)]


def answers(name: str, display: str) -> bool:
    """Whether a server answers at a display: an X server, or a compositor of Wayland.

    True when the library that could tell is missing: Qt checks then.

    Args:
        name: "DISPLAY" or "WAYLAND_DISPLAY".
        display: Its value.
    """
    try:
        if name == "WAYLAND_DISPLAY":
            return _wayland_answers(ctypes.CDLL("libwayland-client.so.0"), display.encode())
        return _x_answers(ctypes.CDLL("libxcb.so.1"), display.encode())
    except OSError:
        return True


def _x_answers(xcb: ctypes.CDLL, display: bytes) -> bool:
    xcb.xcb_connect.restype = ctypes.c_void_p
    xcb.xcb_connect.argtypes = [ctypes.c_char_p, ctypes.c_void_p]
    for function in (xcb.xcb_connection_has_error, xcb.xcb_disconnect):
        function.argtypes = [ctypes.c_void_p]
    connection = xcb.xcb_connect(display, None)  # never null: an error is in what it gives
    refused = bool(xcb.xcb_connection_has_error(connection))
    xcb.xcb_disconnect(connection)
    return not refused


def _wayland_answers(wayland: ctypes.CDLL, display: bytes) -> bool:
    wayland.wl_display_connect.restype = ctypes.c_void_p
    wayland.wl_display_connect.argtypes = [ctypes.c_char_p]
    wayland.wl_display_disconnect.argtypes = [ctypes.c_void_p]
    connection = wayland.wl_display_connect(display)
    if not connection:
        return False
    wayland.wl_display_disconnect(connection)
    return True


def loads(library: str) -> bool:
    """Whether the system finds a shared library."""
    try:
        ctypes.CDLL(library)
    except OSError:
        return False
    return True
