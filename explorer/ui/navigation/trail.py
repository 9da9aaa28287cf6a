"""The way through photos, views and networks, with back and forward as in a browser."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, Signal

from explorer.ui.study.used_networks import same_weights

if TYPE_CHECKING:
    from collections.abc import Callable

    from explorer.core.network_info import NetworkSpec
    from explorer.ui.photos.filmstrip import Filmstrip
    from explorer.ui.study.study import Study

MOST_PLACES = 100


@dataclass(frozen=True, slots=True)
class Place:
    """Where the user was.

    Attributes:
        item: The photo: a path or a sample of the strip; None for a view that needs none.
        view: The view's name.
        spec: The network. Its device and precision do not matter: the present ones are taken.
    """

    item: object
    view: str
    spec: NetworkSpec | None


class Trail(QObject):
    """Remembers the places; parameters are not among them: they have undo.

    Signals:
        changed: It can, or can no longer, be gone back or forward.
    """

    changed = Signal()

    def __init__(self, study: Study, strip: Filmstrip, parent: QObject) -> None:
        super().__init__(parent)
        self._study, self._strip = study, strip
        self._places: list[Place] = []
        self._at = -1
        self._going = False
        study.subject_changed.connect(self._came)

    def handlers(self) -> Mapping[str, Callable[..., object]]:
        """The commands that are handled here."""
        return {"go_back": self.back, "go_forward": self.forward}

    @property
    def here(self) -> Place | None:
        """The place of the moment; None before there is one."""
        return self._places[self._at] if self._places else None

    @property
    def can_go_back(self) -> bool:
        return self._next(-1) is not None

    @property
    def can_go_forward(self) -> bool:
        return self._next(1) is not None

    def back(self) -> None:
        self._step(-1)

    def forward(self) -> None:
        self._step(1)

    def go(self, place: Place, params: Mapping[str, Any] | None = None) -> None:
        """Shows `place` again: with its result, as far as it is kept.

        Args:
            place: Where to.
            params: Values of its view's parameters; the others are as they were there last.
        """
        study = self._study
        there = place.item is None or (place.item == self._strip.current and not study.live)
        spec = place.spec
        if spec is not None:
            spec = replace(spec, device=study.device, half=study.half)
        study.stand(place.view, spec, photo_comes=not there, changes=params or {})
        if not there:
            self._strip.select_item(place.item)

    def open(self, item: object, view: str, params: object = None) -> None:
        """Shows a photo with `view`, as one step; it joins the strip where it is not there.

        Args:
            item: A path, or a sample.
            view: The view's name.
            params: A mapping of values of its parameters; None = as they were used last.
        """
        if view not in self._study.views:
            return
        self._strip.add([item], select=False)
        self._going = True
        try:
            changes = params if isinstance(params, Mapping) else None
            self.go(Place(item, view, self._study.spec), changes)
        finally:
            self._going = False
        self._came()

    def return_to(self, place: Place) -> None:
        """Shows `place` again, as one step back where it is the place before this one."""
        if self._at > 0 and self._places[self._at - 1] == place:
            self.back()
        else:
            self.go(place)

    def forget(self, spec: NetworkSpec) -> None:
        """A network that cannot be had is no place to go to."""
        here = self.here
        left = [
            place
            for place in self._places
            if place == here or place.spec is None or not same_weights(place.spec, spec)
        ]
        self._places = [p for n, p in enumerate(left) if n == 0 or p != left[n - 1]]
        self._at = max((n for n, place in enumerate(self._places) if place == here), default=-1)
        self.changed.emit()

    def _step(self, way: int) -> None:
        at = self._next(way)
        if at is None:
            return
        self._at, self._going = at, True
        try:
            self.go(self._places[at])
        finally:
            self._going = False
        self.changed.emit()

    def _next(self, way: int) -> int | None:
        at = self._at + way
        while 0 <= at < len(self._places):
            place = self._places[at]
            if place.view in self._study.views and self._there(place.item):
                return at
            at += way
        return None

    def _there(self, item: object) -> bool:
        """The photo has not been closed meanwhile."""
        strip = self._strip
        return item is None or item in strip.items or item in strip.samples.items

    def _came(self) -> None:
        place = self._now()
        if place is None or self._going or place == self.here:
            return
        del self._places[self._at + 1 :]
        self._places.append(place)
        del self._places[:-MOST_PLACES]
        self._at = len(self._places) - 1
        self.changed.emit()

    def _now(self) -> Place | None:
        study = self._study
        if study.view is None or study.live or (study.image is None and study.wants_photo):
            return None
        item = self._strip.current if study.image is not None else None
        if study.image is not None and item is None:  # a frozen frame: it cannot be opened again
            return None
        spec = study.spec
        return Place(item, study.view.name, spec and replace(spec, device="", half=False))
