"""A small installed distribution made by a test: entry points are found as they really are."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


def install(site: Path, points: Mapping[str, str], group: str = "explorer.networks") -> None:
    """Writes a dist-info with these entry points into `site`, a folder on sys.path."""
    info = site / "lab_explorer-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: lab-explorer\nVersion: 1.0\n")
    lines = "\n".join(f"{name} = {value}" for name, value in points.items())
    (info / "entry_points.txt").write_text(f"[{group}]\n{lines}\n")
    importlib.invalidate_caches()
