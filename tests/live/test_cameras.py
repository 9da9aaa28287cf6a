"""Cameras are listed without one: the system's answers are made up."""

import errno
import os
import sys
from typing import ClassVar

import pytest

from explorer.core.errors import ExplorerError
from explorer.live import cameras, video
from explorer.live.cameras import ENUM_FMT, ENUM_FRAMESIZES, FoundCamera, sizes_of
from explorer.live.opening import source_of
from explorer.live.source import SourceSpec

fcntl = pytest.importorskip("fcntl")

YUYV, MJPG = 0x56595559, 0x47504A4D
DISCRETE, CONTINUOUS, STEPWISE = 1, 2, 3
Sizes = dict[int, list[tuple[int, tuple[int, ...]]]]


class Driver:
    """Answers like a driver: the lists end with EINVAL."""

    def __init__(self, sizes: Sizes) -> None:
        self.sizes = sizes
        self.asked: list[int] = []

    def __call__(self, handle: int, request: int, entry, mutate: bool = True) -> int:
        os.fstat(handle)  # it is open
        self.asked.append(request)
        if request == ENUM_FMT:
            assert entry.type == 1  # video capture
            formats = list(self.sizes)
            if entry.index >= len(formats):
                raise OSError(errno.EINVAL, "Invalid argument")
            entry.pixelformat = formats[entry.index]
            return 0
        assert request == ENUM_FRAMESIZES
        listed = self.sizes[entry.pixel_format]
        if entry.index >= len(listed):
            raise OSError(errno.EINVAL, "Invalid argument")
        entry.type, numbers = listed[entry.index]
        for place, number in enumerate(numbers):
            entry.size[place] = number
        return 0


def told(monkeypatch: pytest.MonkeyPatch, sizes: Sizes) -> tuple[tuple[int, int], ...]:
    monkeypatch.setattr(fcntl, "ioctl", Driver(sizes))
    return sizes_of(os.devnull)


def test_the_requests_are_those_of_the_header() -> None:
    # linux/videodev2.h on x86-64 and arm64: 64 and 44 bytes.
    assert ENUM_FMT == 0xC0405602
    assert ENUM_FRAMESIZES == 0xC02C564A


def test_sizes_of_all_formats_are_joined(monkeypatch) -> None:
    sizes: Sizes = {
        YUYV: [(DISCRETE, (640, 480)), (DISCRETE, (320, 240))],
        MJPG: [(DISCRETE, (1280, 720)), (DISCRETE, (640, 480))],
    }
    assert told(monkeypatch, sizes) == ((320, 240), (640, 480), (1280, 720))


def test_ranges_offer_the_usual_sizes_within(monkeypatch) -> None:
    ranged: Sizes = {YUYV: [(STEPWISE, (32, 1296, 8, 32, 972, 4))]}
    assert told(monkeypatch, ranged) == ((640, 480), (1280, 720), (1296, 972))
    odd: Sizes = {YUYV: [(STEPWISE, (100, 1300, 120, 80, 1280, 100))]}
    assert told(monkeypatch, odd) == ((1300, 1280),)
    free: Sizes = {YUYV: [(CONTINUOUS, (1, 1000, 1, 1, 1000, 1))]}
    assert told(monkeypatch, free) == ((640, 480), (1000, 1000))


def test_long_lists_are_cut_to_the_usual_and_the_largest(monkeypatch) -> None:
    many: Sizes = {YUYV: [(DISCRETE, (16 * n, 9 * n)) for n in range(10, 200)]}
    many[YUYV].append((DISCRETE, (640, 480)))
    found = told(monkeypatch, many)
    assert len(found) == cameras.MOST_SIZES
    assert {(640, 480), (1280, 720), (1920, 1080), (3184, 1791)} <= set(found)
    assert list(found) == sorted(found, key=lambda size: size[0] * size[1])


def test_a_driver_that_never_ends_its_list_is_left(monkeypatch) -> None:
    def endless(handle: int, request: int, entry, mutate: bool = True) -> int:
        if request == ENUM_FRAMESIZES:
            entry.type = DISCRETE
        return 0

    monkeypatch.setattr(fcntl, "ioctl", endless)
    assert sizes_of(os.devnull) == ()


def test_a_device_that_is_gone_or_says_nothing_has_no_sizes(monkeypatch) -> None:
    assert sizes_of("/dev/there-is-none") == ()
    assert told(monkeypatch, {}) == ()
    assert told(monkeypatch, {YUYV: []}) == ()


def test_handles_are_given_back(monkeypatch) -> None:
    opened: list[int] = []
    closed: list[int] = []
    real_open, real_close = os.open, os.close
    monkeypatch.setattr(os, "open", lambda *a: opened.append(real_open(*a)) or opened[-1])
    monkeypatch.setattr(os, "close", lambda h: closed.append(h) or real_close(h))
    told(monkeypatch, {YUYV: [(DISCRETE, (640, 480))]})
    assert opened
    assert opened == closed


@pytest.mark.skipif(sys.platform != "linux", reason="devices are files on Linux")
def test_cameras_come_with_their_sizes(monkeypatch) -> None:
    monkeypatch.setattr(cameras, "connected", lambda: [("/dev/null", "Desk")])
    monkeypatch.setattr(fcntl, "ioctl", Driver({YUYV: [(DISCRETE, (640, 480))]}))
    assert cameras.cameras() == (FoundCamera("/dev/null", "Desk", ((640, 480),)),)


def test_elsewhere_the_usual_sizes_are_offered(monkeypatch) -> None:
    monkeypatch.setattr(cameras, "connected", lambda: [("0", "Desk")])
    monkeypatch.setattr(sys, "platform", "darwin")
    assert cameras.cameras() == (FoundCamera("0", "Desk", cameras.USUAL_SIZES),)


# -- a camera that comes back ----------------------------------------------------------------------


class Device:
    """OpenCV's VideoCapture of a device that is or is not there."""

    there: ClassVar[tuple[object, ...]] = ()
    opened: ClassVar[list[object]] = []
    sets: ClassVar[list[tuple[int, float]]] = []

    def __init__(self, where: object, *more: object) -> None:
        self.open = str(where) in Device.there
        Device.opened.append(where)

    def isOpened(self) -> bool:
        return self.open

    def set(self, what: int, value: float) -> bool:
        Device.sets.append((what, value))
        return True

    def read(self):
        import numpy as np

        return (True, np.zeros((4, 4, 3), np.uint8)) if self.open else (False, None)

    def release(self) -> None:
        self.open = False


@pytest.fixture
def device(monkeypatch):
    import cv2

    Device.there, Device.opened, Device.sets = (), [], []
    monkeypatch.setattr(cv2, "VideoCapture", Device)
    monkeypatch.setattr(video, "known_device", lambda where: where in Device.there)
    return Device


def plug(monkeypatch: pytest.MonkeyPatch, *found: tuple[str, str]) -> None:
    Device.there = tuple(where for where, _ in found)
    monkeypatch.setattr(cameras, "connected", lambda: list(found))


def test_a_camera_is_found_again_by_its_name(device, monkeypatch) -> None:
    plug(monkeypatch, ("/dev/video0", "Desk"), ("/dev/video2", "Door"))
    source = source_of(SourceSpec("camera", "/dev/video2", name="Door"))
    source.open()
    source.close()
    # Not there, or another one has taken its place.
    for found in ([("/dev/video0", "Desk")], [("/dev/video2", "Desk")]):
        plug(monkeypatch, *found)
        with pytest.raises(ExplorerError, match="Door is not connected"):
            source.open()
    plug(monkeypatch, ("/dev/video0", "Desk"), ("/dev/video4", "Door"))
    source.open()
    assert source.read() is not None
    source.close()
    # It is followed from place to place.
    plug(monkeypatch, ("/dev/video4", "Desk"), ("/dev/video0", "Door"))
    source.open()
    source.close()
    assert device.opened == ["/dev/video2", "/dev/video4", "/dev/video0"]


def test_of_two_cameras_of_one_name_the_chosen_one_stays(device, monkeypatch) -> None:
    plug(monkeypatch, ("/dev/video0", "Same"), ("/dev/video2", "Same"))
    source = source_of(SourceSpec("camera", "/dev/video2", name="Same"))
    source.open()
    assert device.opened == ["/dev/video2"]
    source.close()


def test_the_wished_size_is_asked_for(device, monkeypatch) -> None:
    import cv2

    plug(monkeypatch, ("0", "Desk"))
    source = source_of(SourceSpec("camera", "0", (1280, 720), name="Desk"))
    source.open()
    assert (cv2.CAP_PROP_FRAME_WIDTH, 1280) in device.sets
    assert (cv2.CAP_PROP_FRAME_HEIGHT, 720) in device.sets
    source.close()
