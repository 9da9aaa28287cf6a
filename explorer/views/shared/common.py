"""What several views share when they draw."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar, cast

from explorer.core.layers import Picture

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Sequence

    from explorer.core.layers import Colour, UInt8
    from explorer.engine.scene import Moment, Scene

T = TypeVar("T")


class Kept:
    """The last few things a `draw` made of one result, by the parameters they depend on.

    A slider that leaves a heavy layer alone then gets the very same object again, which tells the
    painter that there is nothing to build anew. It belongs to a result and goes with it.
    """

    def __init__(self, most: int = 6) -> None:
        self._most = most
        self._made: OrderedDict[Hashable, Any] = OrderedDict()

    def get(self, key: Hashable, make: Callable[[], T]) -> T:
        """What `make()` gave under `key`, made once while it is among the last few asked for."""
        if key not in self._made:
            self._made[key] = make()
            while len(self._made) > self._most:
                self._made.popitem(last=False)
        self._made.move_to_end(key)
        return cast("T", self._made[key])


@dataclass(frozen=True, slots=True, eq=False)
class _Past:
    key: Hashable
    number: int
    before: Any
    after: Any


def recalled(moment: Moment, name: str, key: Hashable = ()) -> Any:
    """What the view `name` remembered after the frame before this one.

    A frame comes again when parameters change while the film stands: it is then given what it was
    given the first time. None at the first frame, and when `key` is not the one of the frame before
    (parameters with which what was remembered has no meaning).
    """
    past = moment.memory.get(name)
    if past is None or past.key != key:
        return None
    return past.before if past.number == moment.number else past.after


def remember(moment: Moment, name: str, before: Any, after: Any, key: Hashable = ()) -> None:
    """Keeps `after` for the next frame, and `before`, as it was recalled, for this one."""
    moment.memory[name] = _Past(key, moment.number, before, after)


def photo_of(scene: Scene) -> Picture:
    """The photo as a layer, the same object for every view of the scene."""
    return scene.memo("photo", lambda: Picture(scene.image.pixels, name="photo"))


def size_of(photo: Picture) -> tuple[float, float]:
    """Width and height of the image frame."""
    height, width = photo.rgb.shape[:2]
    return float(width), float(height)


def class_name(classes: Sequence[str], index: int) -> str:
    """The name of class `index`, also for a network whose classes have no names."""
    known = 0 <= index < len(classes)
    return (classes[index].strip("_") or classes[index]) if known else f"class {index}"


def colour(rgb: UInt8) -> Colour:
    """A (3,) uint8 row of a colour table as plain numbers."""
    red, green, blue = (int(value) for value in rgb)
    return red, green, blue
