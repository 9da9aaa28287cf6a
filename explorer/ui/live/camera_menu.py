"""The cameras in the menu: listed again each time it opens, each with its sizes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, Signal
from PySide6.QtWidgets import QMenu

from explorer.core.runner import State, Update
from explorer.core.step import Step
from explorer.live.source import SourceSpec
from explorer.ui.widgets.theme import icon

if TYPE_CHECKING:
    from collections.abc import Generator

    from PySide6.QtGui import QAction

    from explorer.live.cameras import FoundCamera
    from explorer.ui.shell.bridge import Bridge

CAMERAS = "cameras"


class CameraMenu(QObject):
    """Keeps the entries above `before` in `menu`; a worker looks for cameras.

    Signals:
        chosen: The `SourceSpec` of a camera.
    """

    chosen = Signal(object)

    def __init__(self, bridge: Bridge, menu: QMenu, before: QAction) -> None:
        super().__init__(menu)
        self._bridge, self.menu, self._before = bridge, menu, before
        self._found: tuple[FoundCamera, ...] | None = None
        self._listed: list[QAction] = []
        menu.aboutToShow.connect(self._find)
        self._add_words(self.tr("Looking for cameras…"))

    def _find(self) -> None:
        def job() -> Generator[Step[Any], Any, None]:
            from explorer.live.cameras import cameras

            yield Step(cameras())

        self._bridge.fetch(CAMERAS, lambda _: job(), self._on_update)

    def _on_update(self, update: Update) -> None:
        if update.state is State.RUNNING:
            return
        found = update.value if update.state is State.DONE else None
        if found != self._found or not found:  # an open menu does not flicker
            self._found = found
            self._list(found or ())

    def _list(self, found: tuple[FoundCamera, ...]) -> None:
        for action in self._listed:
            self.menu.removeAction(action)
            (action.menu() or action).deleteLater()
        self._listed = []
        for camera in found:
            self._add_camera(camera)
        if not found:
            self._add_words(self.tr("No camera found"))

    def _add_camera(self, camera: FoundCamera) -> None:
        title = camera.name.replace("&", "&&")
        if len(camera.sizes) < 2:
            self._listed.append(self._entry(self.menu, title, camera, None))
            self._listed[-1].setIcon(icon("camera"))
            self.menu.insertAction(self._before, self._listed[-1])
            return
        sizes = QMenu(title, self.menu)
        sizes.setIcon(icon("camera"))
        self._entry(sizes, self.tr("Automatic"), camera, None)
        for size in camera.sizes:
            self._entry(sizes, f"{size[0]} x {size[1]}", camera, size)
        self._listed.append(self.menu.insertMenu(self._before, sizes))

    def _entry(
        self, menu: QMenu, title: str, camera: FoundCamera, size: tuple[int, int] | None
    ) -> QAction:
        action = menu.addAction(title)
        action.setData(
            SourceSpec("camera", camera.where, size, title=camera.name, name=camera.name)
        )
        action.triggered.connect(self._triggered)
        return action

    def _add_words(self, words: str) -> None:
        action = self.menu.addAction(words)
        action.setEnabled(False)
        self.menu.insertAction(self._before, action)
        self._listed.append(action)

    def _triggered(self) -> None:
        action: Any = self.sender()
        self.chosen.emit(action.data())
