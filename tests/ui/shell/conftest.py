"""A photo on the disk, for windows that open one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import PIL.Image
import pytest


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    """Gradients under a checkerboard."""
    rows, columns = np.mgrid[0:120, 0:160]
    rgb = np.stack([rows * 2, columns, (rows // 16 + columns // 16) % 2 * 200], axis=2)
    place = tmp_path / "photo.png"
    PIL.Image.fromarray(rgb.astype(np.uint8)).save(place)
    return place
