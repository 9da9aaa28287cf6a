"""The window and the command line write the same files for the same question."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest
from pytestqt.qtbot import QtBot

from explorer.__main__ import main
from explorer.core.settings import Settings
from explorer.saving.export import read_metadata
from explorer.ui.shell.window import Window

# The offscreen platform says this whenever a window with limits to its size is shown.
pytestmark = pytest.mark.qt_log_ignore("propagateSizeHints", extend=True)

LOADING = 120_000
ANSWER = 60_000

QUESTIONS: dict[str, tuple[str, dict[str, Any]]] = {
    "classify": ("mini-resnet", {"top": 3, "temperature": 1.7}),
    "detections": ("lite-fasterrcnn", {"score": 0.1}),
    "feature_maps": ("mini-resnet", {"layer": "layer2", "channel": 5}),
}


@pytest.fixture
def window(qtbot: QtBot, photo: Path) -> Iterator[Window]:
    made = Window(Settings(), paths=[str(photo)], wishes={"view": "classify", "device": "cpu"})
    made.resize(1200, 800)
    with qtbot.waitSignal(made.loaded, timeout=LOADING):
        made.show()
    yield made
    made.close()
    made.deleteLater()


def answered(window: Window) -> bool:
    study = window.study
    return study.finished is not None and not study.running


def test_window_and_command_line_write_the_same_files(
    qtbot: QtBot, window: Window, photo: Path, tmp_path: Path
) -> None:
    for view, (network, values) in QUESTIONS.items():
        window.study.set_view(view)
        window.study.use(network)
        qtbot.waitUntil(lambda: answered(window), timeout=ANSWER)
        window.study.set_params(replace(window.study.params, **values))
        qtbot.waitUntil(lambda: answered(window), timeout=ANSWER)
        here, there = tmp_path / f"{view}-window", tmp_path / f"{view}-line"
        for folder in (here, there):
            folder.mkdir()
        names = ("a.json", "a.csv", "a.png")
        for name in names:
            write(qtbot, window, here / name)
        words = [f"--set={name}={value}" for name, value in values.items()]
        command = ["render", view, str(photo), "--network", network, "--device", "cpu", *words]
        assert main([*command, "-o", f"{there}/a.png", "--data", f"{there}/a.json"]) == 0
        assert main([*command, "--data", f"{there}/a.csv"]) == 0
        for name in names[:2]:
            assert (here / name).read_bytes() == (there / name).read_bytes(), (view, name)
        assert read_metadata(here / "a.png") == read_metadata(there / "a.png")
        with PIL.Image.open(here / "a.png") as one, PIL.Image.open(there / "a.png") as other:
            np.testing.assert_array_equal(np.asarray(one), np.asarray(other), err_msg=view)


def write(qtbot: QtBot, window: Window, place: Path) -> None:
    """As a user would from the file dialog."""
    window.notices.clear()
    if place.suffix == ".png":
        window.exporter.write_picture(str(place), whole=True)
    else:
        window.exporter.write_data(str(place))
    qtbot.waitUntil(lambda: bool(window.notices.texts), timeout=ANSWER)
    assert window.notices.texts == [f"Saved {place}"]
