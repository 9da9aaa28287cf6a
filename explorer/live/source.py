"""What a source of frames must be able to do, and the ways to name one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Kind = Literal["camera", "film", "address", "screen", "moving"]


@dataclass(frozen=True, slots=True)
class SourceSpec:
    """Which source: plain data that a menu, a session and the command line can hold.

    Attributes:
        kind: `moving` is the built-in scene; `address` a network stream that the user typed.
        where: A camera's number or device, a path, an address, the rectangle of the screen as
            "left,top,width,height", a sample; "" = a row of several.
        size: Wished width and height in pixels of a camera or the built-in scene; None = its own.
        title: For people.
        name: A camera's own, by which it is found again when it comes back as another device.
    """

    kind: Kind
    where: str = ""
    size: tuple[int, int] | None = None
    title: str = ""
    name: str = ""


class Lost(Exception):
    """The source stopped giving frames by itself (unplugged, network gone); it may come back."""


class Source(Protocol):
    """Something that frames come from. Everything is called on the thread that reads it.

    Attributes:
        rate: Frames a second at which it should be read; 0 = it waits for its next frame by itself.
        duration: Seconds of a film; 0 = it has no end.
    """

    rate: float
    duration: float

    def open(self) -> None:
        """Makes it ready.

        Raises:
            ExplorerError: It is not there or cannot be read.
        """
        ...

    def read(self) -> tuple[NDArray[np.uint8], float] | None:
        """The next frame, (H, W, 3) uint8 RGB upright and fresh, and its position in seconds.

        Returns:
            None at the end of a film.

        Raises:
            Lost: There is none and this is not the end.
        """
        ...

    def seek(self, position: float) -> None:
        """Goes to a film's frame at `position` seconds; what has no past ignores it."""
        ...

    def step(self, position: float, frames: int) -> None:
        """Goes to the frame this many after (below 0: before) the one at `position` seconds."""
        ...

    def close(self) -> None:
        """Gives the device or file back; may be called twice."""
        ...
