"""The disk cache in the preferences: its size and place, and a button that empties it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from PySide6.QtCore import Qt
from pytestqt.qtbot import QtBot

from explorer.core.storage.disk_cache import DiskCache
from explorer.ui.dialogs.cache_row import CacheRow, in_words
from explorer.ui.shell.bridge import Bridge

WAIT = 20_000


@pytest.fixture
def bridge(qtbot: QtBot) -> Iterator[Bridge]:
    del qtbot
    made = Bridge()
    yield made
    assert made.close()
    made.deleteLater()


def test_it_tells_size_and_place_and_clears(qtbot: QtBot, bridge: Bridge) -> None:
    cache = DiskCache()
    entry = cache.entry("toy", name="a")
    with entry.filling():
        entry.file("data.bin").write_bytes(b"x" * 12_000_000)
        cache.finish(entry)
    row = CacheRow(bridge)
    qtbot.addWidget(row)
    row.show()
    qtbot.waitUntil(row.clear.isEnabled, timeout=WAIT)
    assert row.words.text() == f"12 MB of at most 4.3 GB · {cache.folder}"
    qtbot.mouseClick(row.clear, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: row.words.text().startswith("0 MB"), timeout=WAIT)
    assert not row.clear.isEnabled()
    assert cache.size() == 0


@pytest.mark.parametrize(
    ("size", "words"),
    [(0, "0 MB"), (10, "0.1 MB"), (2_500_000, "2.5 MB"), (12e6, "12 MB"), (3.21e9, "3.2 GB")],
)
def test_sizes_in_words(size: int, words: str) -> None:
    assert in_words(size) == words
