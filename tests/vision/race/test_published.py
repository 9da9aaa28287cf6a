"""The published tables have every row of the lectures', and the numbers fit each other."""

from __future__ import annotations

from itertools import pairwise

import pytest

from explorer.vision.race.published import CLASSIFIED, PIPELINES, REAL_TIME, REFINED

LECTURES = {
    "100Hz DPM": (16.0, 100), "30Hz DPM": (26.1, 30), "Fast YOLO": (52.7, 155), "YOLO": (63.4, 45),
    "Fastest DPM": (30.4, 15), "R-CNN minus R": (53.5, 6), "Fast R-CNN": (70.0, 0.5),
    "Faster R-CNN VGG-16": (73.2, 7), "Faster R-CNN ZF": (62.1, 18),
}  # fmt: skip


def test_the_real_time_table_is_complete() -> None:
    rows = {row.name: (row.voc_map, row.fps) for row in REAL_TIME}
    assert len(rows) == len(REAL_TIME)
    assert {name: rows[name] for name in LECTURES} == LECTURES


def test_speed_ups_are_those_that_the_slides_print() -> None:
    rows = {row.name: row for row in PIPELINES}
    slow, fast = rows["R-CNN"], rows["Fast R-CNN"]
    assert slow.hours is not None
    assert fast.hours is not None
    assert slow.hours / fast.hours == pytest.approx(8.8, abs=0.05)
    assert slow.own_seconds / fast.own_seconds == pytest.approx(146, abs=1)
    assert rows["Faster R-CNN"].own_seconds == 0.198


def test_every_row_has_its_source_and_contradictions_are_said() -> None:
    tables = (PIPELINES, REAL_TIME, CLASSIFIED)
    assert all(row.source for table in tables for row in table)
    said = {row.name: row.slides for row in REAL_TIME}
    assert "155" in said["Fast YOLO"]
    assert "150" in said["Fast YOLO"]
    assert any("66.9" in row.slides for row in PIPELINES if row.name == "Faster R-CNN")


def test_each_line_of_the_refinements_is_better_than_the_one_before() -> None:
    for before, after in pairwise(REFINED):
        for then, now in ((before.val, after.val), (before.test, after.test)):
            if then is not None and now is not None:
                assert now[0] > then[0]
                assert now[1] > then[1]
