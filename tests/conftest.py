"""What every test gets: no display, a home of its own, and a check that nothing is left behind."""

from __future__ import annotations

import gc
import os
import sys
import tempfile
import threading
import traceback
from collections.abc import Iterator
from pathlib import Path

import pytest

# Before Qt is imported anywhere. A second pass may set the variable to "xcb" under Xvfb.
os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
if "PYTEST_XDIST_WORKER" in os.environ:
    # Workers share the cores: torch's own threads beside another busy process only wait.
    os.environ.setdefault("OMP_NUM_THREADS", "1")

sys.path.insert(0, str(Path(__file__).parent.parent))  # `tests.toys`, `tests.data` from any folder


@pytest.fixture(autouse=True)
def home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Settings, logs and caches of a test live in a folder of its own."""
    # Not `mktemp`: it looks through all earlier homes for the next number.
    folder = Path(tempfile.mkdtemp(prefix="home-", dir=tmp_path_factory.getbasetemp()))
    monkeypatch.setenv("EXPLORER_HOME", str(folder))
    return folder


@pytest.fixture(autouse=True)
def no_timm(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tests see a program without timm, whose list takes seconds, but for those about it."""
    monkeypatch.setattr("explorer.networks.external.timm_models.installed", lambda: "")


@pytest.fixture(autouse=True)
def no_live_runtime(monkeypatch: pytest.MonkeyPatch) -> None:
    """Live frames are computed by torch alone, but in the tests about that."""
    monkeypatch.setattr("explorer.networks.onnx.packages.has_runtime", lambda: False)


@pytest.fixture(autouse=True)
def nothing_left(request: pytest.FixtureRequest) -> Iterator[None]:
    """Fails a test that leaves a running thread or a top-level widget behind."""
    threads = set(threading.enumerate())
    widgets = _widgets()
    yield
    _undress()
    left = [
        thread for thread in threading.enumerate() if thread not in threads and not _pooled(thread)
    ]
    for thread in left:
        thread.join(2.0)
    left = [thread for thread in left if thread.is_alive()]
    assert not left, "threads left running:\n" + "\n".join(map(_stack, left))
    # Nobody may hold a new one any more: only what is left after a collection counts.
    if any(widget not in widgets for widget in _widgets()):
        _collect()
    new = [widget for widget in _widgets() if widget not in widgets]
    assert not new, f"top-level widgets left: {new}"


def _undress() -> None:
    # A window dresses the whole application; the next test starts with Qt's own palette.
    qt = sys.modules.get("PySide6.QtWidgets")
    app = qt.QApplication.instance() if qt is not None else None
    if app is not None and app.styleSheet():
        sys.modules["explorer.ui.widgets.theme"].apply(app, "light")  # what it keeps, too
        app.setStyleSheet("")
        app.setPalette(app.style().standardPalette())


def _stack(thread: threading.Thread) -> str:
    frame = sys._current_frames().get(thread.ident or 0)  # what it hangs in tells whose it is
    return f"{thread.name}\n{''.join(traceback.format_stack(frame)) if frame else ''}"


def _pooled(thread: threading.Thread) -> bool:
    # Libraries keep a pool per process (tqdm's monitor, torch's autograd); it is not a test's leak.
    return (
        thread.name.startswith(("ThreadPoolExecutor", "Dummy-", "Dask-Offload"))
        or type(thread).__name__ == "TMonitor"
    )


_MANY = 50_000
"""Objects that are looked through in a hundredth of a second."""


def _collect() -> None:
    core = sys.modules["PySide6.QtCore"]
    gc.collect()
    if len(gc.get_objects(generation=2)) > _MANY:
        # Modules and collected tests stay to the end; looking through them takes a second.
        gc.freeze()
    core.QCoreApplication.sendPostedEvents(None, core.QEvent.Type.DeferredDelete.value)
    core.QCoreApplication.processEvents()


def _widgets() -> list[object]:
    qt = sys.modules.get("PySide6.QtWidgets")
    if qt is None or qt.QApplication.instance() is None:
        return []
    # A widget that nobody parented may be collected any moment; only what Python or Qt still holds
    # counts.
    return [
        widget
        for widget in qt.QApplication.topLevelWidgets()
        if widget.parent() is None and not _desktop(widget)
    ]


def _desktop(widget: object) -> bool:
    # Qt keeps one tooltip label and the container of a combo box's last popup for the whole
    # process.
    return (
        type(widget).__name__ in {"QTipLabel", "QComboBoxPrivateContainer"}
        or not getattr(widget, "isVisible", bool)()
    )
