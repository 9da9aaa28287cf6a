"""A detector that says where it sees things, and what the view makes of one frame after another."""

from __future__ import annotations

import time
from collections.abc import Generator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from explorer.core.layers import Board, Boxes, Lines, Points, Text
from explorer.core.network_info import NetworkSpec
from explorer.core.params import Box, Point
from explorer.core.runner import Token
from explorer.core.step import Step
from explorer.engine import engine as engine_module
from explorer.engine.answer import Ask
from explorer.engine.engine import Engine
from explorer.engine.scene import Moment, Scene
from explorer.images.image import Image, from_array
from explorer.live.slot import Shot, Slot
from explorer.networks.network import Network
from explorer.render.board import render_board
from explorer.views.predictions.tracks.view import STILL, VIEW, Params, Result
from explorer.views.shared.detection_params import DetectionParams
from explorer.views.shared.detections import answer_board
from tests.toys import FixedDetector, make_network

CLASSES = ("__background__", "cat", "dog")
LINE = {"line": (Point(60.0, 0.0), Point(60.0, 60.0))}
BLACK = np.zeros((60, 120, 3), np.uint8)

Seen = tuple[float, int, float]
"""Center x, label, score; the boxes are 16 pixels a side in the middle of 60 rows."""


class Watcher:
    """Feeds frames, each with its own answer of the detector, to the view."""

    def __init__(self, **changes: Any) -> None:
        self.params = Params(**{"min_hits": 2, **changes})
        self.memory: dict[str, Any] = {}
        self.answer: dict[str, torch.Tensor] = {}
        self.network = make_network(FixedDetector(self.answer), "detection", classes=CLASSES)
        self.number = -1

    def look(self, seconds: float | None, *things: Seen, again: bool = False) -> Result:
        """`again` gives the frame before once more."""
        x, labels, scores = np.array(things, np.float32).reshape(-1, 3).T
        middle = np.stack([x, np.full_like(x, 30)], axis=1)
        self.answer["boxes"] = torch.from_numpy(np.concatenate([middle - 8, middle + 8], axis=1))
        self.answer["labels"] = torch.from_numpy(labels.astype(np.int64))
        self.answer["scores"] = torch.from_numpy(scores.copy())
        self.number += 0 if again else 1
        moment = None if seconds is None else Moment(self.number, seconds, self.memory)
        (step,) = VIEW.compute(Scene(self.network, photo(), moment=moment), self.params)
        value: Result = step.value
        return value

    def walk(self, xs: Sequence[float], start: float = 0.0) -> Result:
        for k, x in enumerate(xs):
            result = self.look(start + k / 10, (x, 1, 0.9))
        return result

    def board(self, result: Result) -> Board:
        return VIEW.draw(result, self.params)

    def data(self, result: Result) -> dict[str, Any]:
        assert VIEW.data is not None
        return dict(VIEW.data(result, self.params))


def photo() -> Image:
    return from_array(BLACK, "film")


def layer(board: Board, name: str) -> Any:
    found = [layer for layer in board.pane("image").layers if layer.name == name]
    return found[0] if found else None


WAY = (20.0, 26.0, 32.0, 38.0, 44.0, 50.0, 56.0, 62.0, 68.0, 74.0)


def test_an_object_keeps_its_number_and_its_color() -> None:
    watcher = Watcher()
    first = watcher.board(watcher.walk(WAY[:2]))
    last = watcher.board(watcher.walk(WAY[2:], 0.2))
    for board in (first, last):
        boxes = layer(board, "tracks")
        assert (boxes.labels, boxes.keys) == (("cat 1",), (1,))
        assert board.tables[0].keys == (1,)
        assert board.tables[0].layer == "tracks"
    np.testing.assert_array_equal(layer(first, "tracks").colors, layer(last, "tracks").colors)
    np.testing.assert_allclose(layer(last, "tracks").xyxy, [[66, 22, 82, 38]], atol=1)
    row = dict(zip(last.tables[0].columns, last.tables[0].rows[0], strict=True))
    assert (row["id"], row["class"], row["age, s"], row["gap, s"]) == (1, "cat", 0.9, 0.0)
    assert row["px/s"] == pytest.approx(60, abs=3)
    assert last.summary == "1 cat · 1 track"


def test_trails_fade_into_the_photo() -> None:
    watcher = Watcher(trail=0.5)
    result = watcher.walk(WAY)
    trail = layer(watcher.board(result), "trails")
    assert isinstance(trail, Lines)
    assert len(trail.segments) == 5
    np.testing.assert_allclose(trail.segments[1:, :2], trail.segments[:-1, 2:], atol=1e-4)
    np.testing.assert_allclose(trail.segments[-1, 2:], [74, 30], atol=1)
    bright = trail.colors.sum(axis=1)
    assert (np.diff(bright.astype(int)) > 0).all(), "on a black photo older is darker"
    np.testing.assert_array_equal(
        trail.colors[-1], layer(watcher.board(result), "tracks").colors[0]
    )
    assert layer(VIEW.draw(result, replace(watcher.params, trail=0.0)), "trails") is None


def test_lost_and_new_ones_are_dotted() -> None:
    watcher = Watcher()
    watcher.walk(WAY[:6])
    result = watcher.look(0.6, (100.0, 2, 0.8))
    board = watcher.board(result)
    lost, new = layer(board, "lost"), layer(board, "new")
    assert isinstance(lost, Boxes)
    assert lost.dotted
    assert lost.labels == ("cat 1",)
    np.testing.assert_allclose(lost.xyxy, [[48, 22, 64, 38]], atol=2)
    assert new.dotted
    np.testing.assert_allclose(new.xyxy, [[92, 22, 108, 38]])
    assert board.tables[0].rows[0][4] == 0.1
    assert len(layer(board, "tracks").xyxy) == 0
    plain = VIEW.draw(result, replace(watcher.params, lost=False))
    assert layer(plain, "lost") is None
    assert layer(plain, "new") is None


def test_counts_at_a_line_and_in_a_region() -> None:
    watcher = Watcher(**LINE, region=Box(35.0, 10.0, 70.0, 50.0))
    result = watcher.walk((*WAY, *WAY[::-1], *WAY))
    board, data = watcher.board(result), watcher.data(result)
    counts = [data[k] for k in ("crossed_in", "crossed_out", "inside", "entered", "left")]
    assert counts == [1, 2, 0, 3, 3], "walking down, the right-hand side is where x is smaller"
    words = layer(board, "line counts")
    assert isinstance(words, Text)
    assert words.text == "in 1 · out 2"
    arrow = layer(board, "in").segments[0]
    assert arrow[2] < arrow[0], "the arrow shows where in is"
    assert arrow[3] == arrow[1]
    assert layer(board, "region").labels == ("0 inside · 3 entered · 3 left",)
    assert layer(board, "line ends").xy.tolist() == [[60, 0], [60, 60]]
    assert board.summary == ("1 cat · 1 track · line: 1 in, 2 out · region: 0 inside, 3 entered")
    curves = {curve.label: curve for curve in board.plots[0].curves}
    assert list(curves) == ["objects", "in", "out", "inside"]
    assert [curves[name].y[-1] for name in curves] == [1, 1, 2, 0]
    assert curves["objects"].y[:3].tolist() == [0, 1, 1]
    assert max(curves["inside"].y) == 1
    np.testing.assert_allclose(curves["in"].x, np.arange(30) / 10)


def test_one_end_of_a_line_asks_for_the_other() -> None:
    watcher = Watcher(line=(Point(60.0, 5.0),))
    board = watcher.board(watcher.walk(WAY))
    assert board.notes == ("Click the other end of the line.",)
    assert isinstance(layer(board, "line ends"), Points)
    assert layer(board, "line") is None
    assert board.plots[0].curves[-1].label == "objects"


def test_a_new_line_counts_from_zero_and_numbers_stay() -> None:
    watcher = Watcher(**LINE)
    assert watcher.data(watcher.walk(WAY))["crossed_out"] == 1
    watcher.params = replace(watcher.params, line=(*watcher.params.line, Point(60.0, 50.0)))
    result = watcher.look(1.0, (80.0, 1, 0.9))
    assert watcher.data(result)["crossed_out"] == 0
    assert watcher.data(result)["ids"].tolist() == [1]


def test_the_same_frame_again_counts_once() -> None:
    watcher = Watcher(**LINE)
    once = watcher.walk(WAY[:8])
    again = watcher.look(0.7, (62.0, 1, 0.9), again=True)
    for key, value in watcher.data(once).items():
        np.testing.assert_array_equal(value, watcher.data(again)[key], err_msg=key)
    assert once.state is not None
    assert again.state is not None
    assert again.state.tracks.hits.tolist() == once.state.tracks.hits.tolist() == [8]
    after = watcher.look(0.8, (68.0, 1, 0.9))
    assert watcher.data(after)["crossed_out"] == 1


def test_a_jump_back_and_other_settings_begin_anew() -> None:
    watcher = Watcher(**LINE)
    watcher.walk((*WAY, 120.0))
    result = watcher.walk(WAY)
    assert watcher.data(result)["ids"].tolist() == [1]
    assert watcher.data(result)["crossed_out"] == 1, "only those since the film began again"
    assert result.state is not None
    assert result.state.history[:, 0].tolist() == [k / 10 for k in range(10)]
    for change in (
        {"score": 0.5},
        {"classes": ("cat",)},
        {"min_iou": 0.5},
        {"class_agnostic": True},
    ):
        watcher.params = replace(watcher.params, **change)
        seconds = 1.0 + 0.1 * watcher.number
        assert watcher.data(watcher.look(seconds, (74.0, 1, 0.9)))["ids"].tolist() == []
        assert watcher.data(watcher.look(seconds + 0.05, (74.0, 1, 0.9)))["ids"].tolist() == [1]


def test_weak_boxes_and_unwanted_classes() -> None:
    watcher = Watcher(score=0.6, low_score=0.3, classes=("cat",))
    for k in range(3):
        result = watcher.look(
            k / 10, (20.0, 1, 0.9 if k == 0 else 0.35), (60.0, 1, 0.5), (100.0, 2, 0.9)
        )
    data = watcher.data(result)
    assert data["ids"].tolist() == [1]
    np.testing.assert_allclose(data["boxes"], [[12, 22, 28, 38]])


def test_across_classes_two_boxes_in_one_place_are_one_object() -> None:
    for agnostic, expected in ((False, [1, 2]), (True, [1])):
        watcher = Watcher(class_agnostic=agnostic)
        for k in range(3):
            result = watcher.look(k / 10, (20.0, 1, 0.7), (21.0, 2, 0.8))
        assert watcher.data(result)["ids"].tolist() == expected
    assert watcher.data(result)["labels"].tolist() == [2]


def test_a_still_shows_the_detections_and_says_what_to_do() -> None:
    watcher = Watcher(**LINE)
    result = watcher.look(None, (20.0, 1, 0.7), (80.0, 2, 0.3))
    board = watcher.board(result)
    assert board.notes[0] == STILL
    assert board.boxes("detections") is not None
    assert layer(board, "line") is not None
    expected = answer_board(result.seen, DetectionParams(score=watcher.params.score))
    assert board.summary == expected.summary
    data = watcher.data(result)
    assert data["ids"].tolist() == [0]
    np.testing.assert_allclose(data["boxes"], [[12, 22, 28, 38]])


def test_the_data_has_the_same_names_on_a_still_and_live() -> None:
    watcher = Watcher(**LINE)
    live, still = watcher.data(watcher.walk(WAY)), watcher.data(watcher.look(None, (20.0, 1, 0.9)))
    assert live.keys() == still.keys()
    np.testing.assert_allclose(live["speeds"], [[60, 0]], atol=2)
    assert live["seconds"] == 0.9
    for key in ("ids", "boxes", "labels", "scores", "speeds"):
        assert live[key].dtype == still[key].dtype, key


def test_nothing_at_all_is_drawn_too() -> None:
    watcher = Watcher(**LINE, region=Box(0.0, 0.0, 50.0, 50.0))
    board = watcher.board(watcher.look(0.0))
    assert board.summary.startswith("No tracks · 0 tracks")
    assert render_board(board).std() > 1


def test_it_follows_a_film_through_the_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    class Seer(torch.nn.Module):
        """Finds the one bright square."""

        def forward(self, images: list[torch.Tensor]) -> list[dict[str, torch.Tensor]]:
            rows, columns = torch.where(images[0][0] > 0.5)
            ends = [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
            box = torch.stack(ends)[None].float()
            return [{"boxes": box, "labels": torch.tensor([1]), "scores": torch.tensor([0.9])}]

    spec = NetworkSpec("seer")
    made = make_network(Seer(), "detection", classes=CLASSES)
    made = replace(made, info=replace(made.info, spec=spec))

    def load(_: NetworkSpec) -> Generator[Step[None], Any, Network]:
        yield Step(None, 1, 2, "half-way")
        return made

    monkeypatch.setattr(engine_module.catalog, "load", load)
    params = Params(min_hits=2, **LINE)
    slot = Slot()
    steps = Engine().follow(Ask(VIEW, spec, photo(), params), slot, Token())
    next(steps)  # loading
    for number, x in enumerate((20, 28, 36, 44, 68, 76)):  # one frame is left out
        pixels = BLACK.copy()
        pixels[22:38, x - 8 : x + 8] = 255
        pixels.setflags(write=False)
        seconds = (0.5 if x == 68 else 0.6) if x > 44 else number / 10
        slot.put(Shot(pixels, number, time.perf_counter(), seconds))
        answer = next(steps).value
    assert VIEW.data is not None
    data = VIEW.data(answer.result, answer.params)
    assert (data["ids"].tolist(), data["crossed_out"]) == ([1], 1)
    back = steps.send(replace(params, line=(Point(60.0, 10.0), params.line[1]))).value
    assert VIEW.data(back.result, back.params)["crossed_out"] == 0, "on the frame that is there"
    assert VIEW.data(back.result, back.params)["ids"].tolist() == [1]
    steps.close()
