"""Where the files that ship with the program are."""

from __future__ import annotations

import os
from pathlib import Path

_PACKAGE = Path(__file__).parents[1]


def resource_path(*parts: str) -> Path:
    """The path of a shipped file: in the package of a wheel, beside it in an editable install."""
    inside = _PACKAGE / "resources"
    root = inside if os.path.isdir(inside) else _PACKAGE.parent / "resources"
    return root.joinpath(*parts)
