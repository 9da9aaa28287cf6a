"""A desk and its panels without a window, a bridge whose answers a test gives, and toy views."""

from __future__ import annotations

from collections.abc import Generator, Hashable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from PySide6.QtWidgets import QApplication, QMainWindow
from pytestqt.qtbot import QtBot

from explorer.core.layers import Board, Pane, Picture, Table
from explorer.core.network_info import NetworkInfo, NetworkSpec
from explorer.core.params import Effect, Pick, Point, param
from explorer.core.runner import Failure, State, Update
from explorer.core.settings import Preferences, Settings
from explorer.core.step import Step
from explorer.engine.answer import Answer, Ask, Side
from explorer.engine.view import Group, View
from explorer.images.image import Image, from_array
from explorer.live.pace import Pace
from explorer.live.slot import Shot, Slot
from explorer.networks.entry import Entry
from explorer.ui.board.board import BoardView
from explorer.ui.dialogs.notice import Notices
from explorer.ui.panels.inspector import Inspector
from explorer.ui.panels.pickers import NetworkPicker, ViewPicker
from explorer.ui.panels.status import Status
from explorer.ui.panels.welcome import Welcome
from explorer.ui.photos.filmstrip import Filmstrip
from explorer.ui.results.results import Results
from explorer.ui.shell import layout
from explorer.ui.shell.bridge import LOOK, Bridge, Ready, Receiver
from explorer.ui.shell.window import Window
from explorer.ui.study.study import Study


@dataclass(frozen=True, slots=True)
class Params:
    score: float = param(0.5, "Score", "Hides.", effect=Effect.DRAW, low=0.0, high=1.0)
    depth: int = param(1, "Depth", "How deep.", low=1, high=9)
    rate: float = param(0.1, "Rate", "How far.", effect=Effect.STEER, low=0.01, high=1.0)
    at: Point | None = param(None, "Place", "Where.", pick=Pick.CLICK, effect=Effect.DRAW)


def draw(result: Any, params: Params) -> Board:
    """The photo; the table says what was found and from which score on."""
    height, width = result.shape[:2]
    table = Table("found", ("mean", "from"), ((float(result.mean()), params.score),))
    pane = Pane("image", (width, height), (Picture(result),))
    return Board((pane,), tables=(table,), summary=f"from {params.score:.2f}")


def plain(result: Any, params: Params) -> Board:
    """The photo and nothing below it."""
    return replace(draw(result, params), tables=())


def nothing(*_: object) -> Generator[Step[Any], Any, None]:
    raise NotImplementedError
    yield


def view(name: str, title: str, *, painter: Any = draw, **more: Any) -> View[Any]:
    return View(name, title, Group.OTHER, "S.", "E.", "R", Params, nothing, painter, **more)


SORT = view("classify", "Sort", tasks=frozenset({"classification"}))
FIND = view("find", "Find", tasks=frozenset({"detection"}))
BARE = view("bare", "Bare", painter=plain)
DREAM = view("dream", "Dream", live=False, film=True)
VIEWS = {each.name: each for each in (SORT, FIND, BARE, DREAM)}
SORTER, FINDER = NetworkSpec("sorter"), NetworkSpec("finder")
READY = Ready(
    VIEWS,
    (
        Entry("sorter", "Sorter", "classification", "embedded", "Sorts."),
        Entry("finder", "Finder", "detection", "embedded", "Finds."),
        Entry("other", "Other", "classification", "embedded", "Sorts too."),
    ),
    (("cpu", "Processor"),),
    {"classification": SORTER, "detection": FINDER},
)
INFO = NetworkInfo(
    SORTER, "Sorter", "classification", ("cat", "dog"), (), "shipped", "Toy weights", "cpu",
    "float32", 10, "RGB",
)  # fmt: skip


def photo(name: str = "cat.png", shade: int = 90, *, notes: tuple[str, ...] = ()) -> Image:
    pixels = np.full((40, 60, 3), shade, np.uint8)
    return replace(from_array(pixels, name), notes=notes)


class ToyBridge(Bridge):
    """What is looked at is answered by the test; files are read and written as ever."""

    def __init__(self) -> None:
        super().__init__(start_up=nothing)
        self.asked: list[Ask] = []
        self.followed: list[Any] = []
        self.any_runtime: list[bool] = []
        self.steered: list[Any] = []
        self.paused: list[bool] = []
        self._receiver: Receiver | None = None

    @property
    def open(self) -> bool:
        """A question waits for its answer."""
        return self._receiver is not None

    def look(self, ask: Ask, receiver: Receiver) -> int:
        self.asked.append(ask)
        self._receiver = receiver
        return len(self.asked)

    def follow(
        self, ask: Ask, slot: Slot, pace: Pace, receiver: Receiver, *, any_runtime: bool = False
    ) -> int:
        self.followed.append(slot)
        self.any_runtime.append(any_runtime)
        return self.look(ask, receiver)

    def steer(self, params: Any) -> bool:
        if self.open:
            self.steered.append(params)
        return self.open

    def pause(self, paused: bool) -> bool:
        self.paused.append(paused)
        return self.open

    def cancel(self, key: Hashable = LOOK) -> bool:
        if key != LOOK:
            return super().cancel(key)
        if self.open:
            self.tell(State.CANCELLED)
        return self.open

    def leave(self, key: Hashable = LOOK) -> None:
        self._receiver = None

    def answer(
        self,
        ask: Ask | None = None,
        *,
        state: State = State.DONE,
        info: NetworkInfo = INFO,
        shot: Shot | None = None,
        beside: tuple[Side, ...] = (),
        steps: int = 1,
    ) -> None:
        """The photo itself is the result, as the answer to the newest question (or to `ask`)."""
        ask = ask or self.asked[-1]
        answer = Answer(ask, info, ask.params, ask.image.pixels, shot, beside, 0.25)
        self.tell(state, answer, steps=steps)

    def tell(
        self, state: State, value: Any = None, failure: Failure | None = None, *, steps: int = 1
    ) -> None:
        receiver = self._receiver
        assert receiver is not None
        if state is not State.RUNNING:
            self._receiver = None
        ticket = len(self.asked)
        receiver(Update(LOOK, ticket, state, value, 0, 0, "", 0.25, steps, failure))


class ToyDesk:
    """The services, without a window around them."""

    def __init__(self, qtbot: QtBot) -> None:
        self.main = QMainWindow()
        self.main.resize(1000, 700)
        qtbot.addWidget(self.main)
        self.bridge = ToyBridge()
        self.study = Study(self.bridge, self.main)
        self.study.set_ready(READY)
        self.notices = Notices(self.main)
        self.settings = Settings()
        self.refreshes = 0

    def apply_preferences(self, preferences: Preferences) -> None:
        self.settings = replace(self.settings, preferences=preferences)

    def refresh(self) -> None:
        self.refreshes += 1

    def close(self) -> None:
        assert self.bridge.close()
        self.bridge.deleteLater()


class ToyPanels(ToyDesk):
    """The services and the real widgets."""

    def __init__(self, qtbot: QtBot) -> None:
        super().__init__(qtbot)
        self.board = BoardView()
        self.results = Results()
        self.inspector = Inspector()
        self.strip = Filmstrip()
        self.welcome = Welcome()
        self.views = ViewPicker()
        self.networks = NetworkPicker()
        self.status = Status()
        self.main.setCentralWidget(self.board)
        self.main.setStatusBar(self.status)
        self.docks = layout.make_docks(self.main, self.strip, self.inspector, self.results)
        for widget in (self.welcome, self.views, self.networks):
            widget.setParent(self.main)
        self.main.show()
        qtbot.waitExposed(self.main)

    def close(self) -> None:
        super().close()
        self.inspector.form.stop()
        self.strip.close_worker()


class ReadyBridge(ToyBridge):
    """Nothing is loaded: the test says what there is."""

    def start(self, receiver: Receiver) -> None:
        pass


def answer(window: Window) -> bool:
    """Answers the question that waits, if one does."""
    bridge = window.bridge
    assert isinstance(bridge, ToyBridge)
    waits = bridge.open
    if waits:
        bridge.answer()
    QApplication.processEvents()  # laid out
    return waits


def look(window: Window, view: str = "classify") -> None:
    """A photo with its answer, as after an engine's work."""
    item = window.strip.samples.items[0]
    window.current.choose(item)
    window.study.set_view(view)
    window.study.set_image(photo())
    assert answer(window)
