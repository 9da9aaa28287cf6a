import sys

import mss
import numpy as np
import pytest

from explorer.core.errors import ExplorerError
from explorer.live import screen
from explorer.live.opening import source_of
from explorer.live.screen import LONGEST, Screen, region_of
from explorer.live.source import Lost, SourceSpec


class Grabbed:
    def __init__(self, area: dict[str, int], scale: int) -> None:
        self.width, self.height = area["width"] * scale, area["height"] * scale
        pixels = np.zeros((self.height, self.width, 4), np.uint8)
        pixels[..., 0], pixels[..., 1], pixels[..., 2] = 10, area["left"] % 256, 30  # BGRA
        self.raw = bytearray(pixels.tobytes())


class Desktop:
    """Two screens side by side, the left one at negative numbers."""

    scale = 1
    there = True
    closed = 0
    monitors = (
        {"left": -800, "top": 0, "width": 2240, "height": 900},
        {"left": 0, "top": 0, "width": 1440, "height": 900},
        {"left": -800, "top": 0, "width": 800, "height": 600},
    )

    def grab(self, area: dict[str, int]) -> Grabbed:
        if not Desktop.there:
            raise mss.ScreenShotError("XGetImage failed")
        return Grabbed(area, Desktop.scale)

    def close(self) -> None:
        Desktop.closed += 1


@pytest.fixture(autouse=True)
def desktop(monkeypatch):
    monkeypatch.setattr(mss, "MSS", Desktop)
    monkeypatch.setattr(screen, "why_not", str)
    monkeypatch.setattr(screen, "RATE", 1e6)
    Desktop.scale, Desktop.there, Desktop.closed = 1, True, 0
    return Desktop


def frame(region: tuple[int, int, int, int] | None) -> np.ndarray:
    source = Screen(region)
    source.open()
    pixels, position = source.read()
    source.close()
    source.close()
    assert Desktop.closed == 1
    assert position >= 0
    assert pixels.dtype == np.uint8
    return pixels


def test_a_part_is_read_in_the_programs_colors() -> None:
    pixels = frame((100, 50, 320, 200))
    assert pixels.shape == (200, 320, 3)
    assert pixels[0, 0].tolist() == [30, 100, 10]


@pytest.mark.parametrize(
    ("region", "size"),
    [
        (None, (800, 1280)),  # the first screen, made smaller
        ((-800, 0, 100, 60), (60, 100)),
        ((1400, 880, 300, 300), (20, 40)),
        ((-2000, -50, 100000, 100), (29, 1280)),
    ],
)
def test_it_is_cut_to_the_desktop_and_not_too_large(region, size) -> None:
    pixels = frame(region)
    assert pixels.shape[:2] == size
    assert max(pixels.shape) <= LONGEST


def test_screens_with_more_pixels_than_points_are_fine(desktop) -> None:
    desktop.scale = 2
    assert frame((0, 0, 300, 100)).shape == (200, 600, 3)


def test_a_part_that_is_nowhere_is_a_sentence() -> None:
    with pytest.raises(ExplorerError, match="no longer exists"):
        Screen((5000, 0, 100, 100)).open()


def test_a_screen_that_goes_away_is_lost(desktop) -> None:
    source = Screen(None)
    source.open()
    desktop.there = False
    with pytest.raises(Lost):
        source.read()
    source.close()
    with pytest.raises(Lost):
        source.read()


@pytest.mark.parametrize("where", ["a", "1,2,3", "1,2,3,4", "0,0,-5,50", "0,0,1e9,50"])
def test_what_is_no_rectangle_is_a_sentence(where: str) -> None:
    with pytest.raises(ExplorerError, match="not a part of the screen"):
        source_of(SourceSpec("screen", where))


def test_rectangles_are_read() -> None:
    assert region_of("-5,10,300,200") == (-5, 10, 300, 200)
    assert region_of("") is None


def test_where_the_screen_cannot_be_read_it_says_so(monkeypatch) -> None:
    monkeypatch.undo()
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setenv("DISPLAY", ":0")
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    monkeypatch.delenv("XDG_SESSION_TYPE", raising=False)
    assert screen.why_not() == ""
    monkeypatch.setenv("XDG_SESSION_TYPE", "wayland")
    with pytest.raises(ExplorerError, match="Wayland"):
        Screen(None).open()
    monkeypatch.setenv("XDG_SESSION_TYPE", "x11")
    monkeypatch.delenv("DISPLAY")
    with pytest.raises(ExplorerError, match="without a display"):
        Screen(None).open()


def test_a_display_that_does_not_answer_is_a_sentence(monkeypatch) -> None:
    monkeypatch.undo()
    monkeypatch.setattr(screen, "why_not", str)

    def refuses() -> None:
        raise mss.ScreenShotError("Cannot connect to display")

    monkeypatch.setattr(mss, "MSS", refuses)
    with pytest.raises(ExplorerError, match="cannot be read"):
        Screen(None).open()
