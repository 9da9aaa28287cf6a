"""Every test of the networks has a torch folder of its own: nothing is cached, nothing stays."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(autouse=True)
def torch_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder that torch keeps downloads in."""
    folder = tmp_path / "torch"
    monkeypatch.setenv("TORCH_HOME", str(folder))
    return folder
