"""What goes through the pipe: the same values on the other side, and nothing after a cut."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest

from explorer.core.errors import ExplorerError
from explorer.core.layers import Board, Pane, Picture
from explorer.live.recording import messages, process
from explorer.live.recording.messages import Frame, Kind, Start, packed, unpacked, weight
from explorer.live.recording.writer import RecordStatus


def through(frame: Frame) -> Frame:
    found = unpacked(b"".join(packed(frame)))
    assert isinstance(found, Frame)
    return found


@pytest.mark.parametrize("order", ["C", "F", "strided"])
def test_arrays_come_out_as_they_went_in(order: str) -> None:
    values = np.arange(5 * 7 * 3, dtype=np.uint8).reshape(5, 7, 3)
    given = values[:, ::-1] if order == "strided" else np.asarray(values, order=order)  # type: ignore[call-overload]
    found = through(Frame(given, "né")).picture
    assert isinstance(found, np.ndarray)
    assert np.array_equal(found, given)
    assert found.dtype == np.uint8
    assert found.ctypes.data % messages.ALIGNMENT == 0 or order == "strided"


def test_an_array_that_a_board_shows_twice_is_written_once() -> None:
    pixels = np.zeros((100, 100, 3), np.uint8)
    panes = tuple(Pane(name, (100, 100), (Picture(pixels),)) for name in ("a", "b"))
    parts = packed(Frame(Board(panes)))
    assert pixels.nbytes <= weight(parts) < pixels.nbytes + 3000
    found = unpacked(b"".join(parts)).picture
    assert [pane.name for pane in found.panes] == ["a", "b"]
    assert found.panes[0].layers[0].rgb is found.panes[1].layers[0].rgb


def test_messages_come_in_order_and_one_that_is_cut_off_is_none() -> None:
    pipe = io.BytesIO()
    start = Start(Path("a.mp4"), 25.0, whole=True)
    messages.send(pipe, Kind.START, packed(start))
    messages.send_frame(pipe, 1.5, packed(Frame(None, "{}")), filmed=False)
    messages.send(pipe, Kind.STOP, messages.stop_at(2.5))
    messages.send(pipe, Kind.STOP, messages.stop_at(None))
    messages.send(pipe, Kind.CANCEL)
    whole = pipe.getvalue()
    first, frame, stop, open_end, cancel = messages.received(io.BytesIO(whole))
    assert (first[0], unpacked(first[1])) == (Kind.START, start)
    at, filmed, data = messages.frame_of(frame[1])
    assert (at, filmed, unpacked(data).line) == (1.5, False, "{}")
    assert (messages.time_of(stop[1]), messages.time_of(open_end[1])) == (2.5, None)
    assert cancel == (Kind.CANCEL, b"")
    for length in range(len(whole)):
        assert len(list(messages.received(io.BytesIO(whole[:length])))) < 5


@pytest.mark.parametrize("problem", [None, ExplorerError("It's full.", "Free it.")])
def test_a_status_is_a_line(problem: ExplorerError | None) -> None:
    given = RecordStatus(bytes=5, frames=4, encoded=3, lines=2, left_out=1, problem=problem)
    line = process.line_of(given)
    assert "\n" not in line
    found = process.status_of(line)
    assert (found.bytes, found.frames, found.encoded) == (5, 4, 3)
    if problem is None:
        assert found == given
    else:
        assert found.problem is not None
        assert (found.problem.message, found.problem.hint) == ("It's full.", "Free it.")
