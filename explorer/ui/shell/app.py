"""Starting and ending the program around its window."""

from __future__ import annotations

import gc
import logging
import os
import signal
import sys
from typing import TYPE_CHECKING, Any

from explorer import __version__
from explorer.core import settings
from explorer.core.color_sets import choose_color_set
from explorer.ui.shell import display_check

if TYPE_CHECKING:
    from collections.abc import Sequence

    from PySide6.QtWidgets import QApplication

    from explorer.ui.shell.crash_log import ErrorHooks, FaultFile
    from explorer.ui.shell.idle_timer import IdleTimer
    from explorer.ui.shell.window import Window

log = logging.getLogger(__name__)

TITLE = "Convnet Explorer"


def main(
    paths: Sequence[str] = (),
    *,
    reset_settings: bool = False,
    network: str = "",
    view: str = "",
    device: str = "",
    seed: int | None = None,
    options: Any = None,
) -> int:
    """Opens the window on `paths` and returns the exit status when it has closed.

    Args:
        paths: Photos and folders.
        reset_settings: Start as if for the first time.
        network: Name of the network to begin with, or an ONNX file.
        view: Name of the view to begin with.
        device: "auto" or a device's name, for this run.
        seed: For views that draw random numbers, for this run.
        options: An argparse namespace; its attributes of these names count where not given here.
    """
    words = display_check.complaint()
    if words:
        sys.stderr.write(words + "\n")
        return 2
    given = vars(options) if options is not None else {}
    network = network or given.get("network") or ""
    if network:
        from explorer.core.network_info import is_onnx  # not before the first paint

        if is_onnx(network):  # opened as if it were dropped
            paths, network = [*paths, network], ""
    wishes = {
        "network": network,
        "view": view or given.get("view") or "",
        "device": device or given.get("device") or "",
        "seed": seed if seed is not None else given.get("seed"),
    }
    if reset_settings or given.get("reset_settings"):
        settings.reset()
    return _run([os.path.abspath(path) for path in paths], wishes)


def _run(paths: list[str], wishes: dict[str, Any]) -> int:
    # A collection on a worker's thread could free widgets there; the idle timer collects instead.
    # Done before the imports, which would set off several full ones.
    gc.disable()
    # A wheel of OpenCV that brings its own Qt points these at plug-ins of another version.
    for name in ("QT_QPA_PLATFORM_PLUGIN_PATH", "QT_QPA_FONTDIR"):
        if "cv2" in os.environ.get(name, ""):
            del os.environ[name]
    # Rounded scale factors would blur every picture on a 150 % screen.
    from PySide6.QtCore import Qt
    from PySide6.QtGui import QGuiApplication
    from PySide6.QtWidgets import QApplication

    from explorer.ui.shell.crash_log import ErrorHooks, FaultFile, last_crash, start_log
    from explorer.ui.shell.window import Window
    from explorer.ui.widgets import fonts, theme

    handler = start_log()
    crash = last_crash()
    fault = FaultFile()
    fault.start()
    log.info("version %s starts", __version__)
    QGuiApplication.setHighDpiScaleFactorRoundingPolicy(
        Qt.HighDpiScaleFactorRoundingPolicy.PassThrough
    )
    app = QApplication.instance() or QApplication([TITLE])
    assert isinstance(app, QApplication)
    app.setApplicationName(settings.NAME)
    app.setApplicationDisplayName(TITLE)
    app.setApplicationVersion(__version__)
    app.setDesktopFileName(settings.NAME)
    sys.setswitchinterval(0.001)
    hooks = ErrorHooks()
    hooks.install()
    known = settings.load()
    fonts.set_fonts(app)
    fonts.set_text_size(app, known.preferences.text_size)
    choose_color_set(known.preferences.colors)
    theme.apply(app, known.preferences.theme)
    window = Window(known, paths=paths, wishes=wishes)
    hooks.problem.connect(window.show_problem)
    timer = _idle_timer(app, window, hooks, fault)
    window.show()
    if crash:
        window.offer_log(crash)
    try:
        status = app.exec()
    finally:
        timer.stop()
        ended = window.finish()
        hooks.uninstall()
    log.info("ends")
    fault.end()
    if handler is not None:
        handler.close()
    if not ended:
        # One huge operation cannot be interrupted; all is saved, so nothing is lost by leaving.
        logging.shutdown()
        os._exit(status)
    window.deleteLater()
    app.sendPostedEvents(None, 0)
    return status


def _idle_timer(
    app: QApplication, window: Window, hooks: ErrorHooks, fault: FaultFile
) -> IdleTimer:
    from explorer.ui.shell.idle_timer import IdleTimer, settle

    timer = IdleTimer(app, window, fault.alive)
    window.loaded.connect(hooks.install)
    window.loaded.connect(settle)
    for name in ("SIGINT", "SIGTERM", "SIGHUP"):
        number = getattr(signal, name, None)
        if number is not None and (name != "SIGHUP" or signal.getsignal(number) != signal.SIG_IGN):
            signal.signal(number, timer.stop_soon)
    timer.start()
    return timer
