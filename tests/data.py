"""Where the shared test data lie, for tests that want more than they can make themselves.

The data are no part of the repository: a test that asks for them skips where they are absent.
"""

from __future__ import annotations

import os
from pathlib import Path


def shared_data(name: str) -> Path | None:
    """Returns a file or folder of the shared data, or None where there is none.

    Looked for in the folder that `EXPLORER_TEST_DATA` names, or else in `shared/data` beside the
    repository or inside it.
    """
    named = os.environ.get("EXPLORER_TEST_DATA")
    root = Path(__file__).resolve().parent.parent
    folders = [Path(named)] if named else [root.parent / "shared/data", root / "shared/data"]
    return next((folder / name for folder in folders if (folder / name).exists()), None)
