"""Five lanes on one photo: what they find, what they cost, what is predicted and what is kept."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from explorer.core.layers import Boxes
from explorer.core.params import parameters
from explorer.core.settings import cache_folder
from explorer.core.storage.disk_cache import DiskCache
from explorer.engine.references import Opened
from explorer.engine.scene import Scene
from explorer.networks.network import Network
from explorer.views.detection.pipeline_race import view
from explorer.views.detection.pipeline_race.charts import LANES, PAPERS, seconds_words
from explorer.views.detection.pipeline_race.view import VIEW, Params, Result
from explorer.vision.race import lanes as lanes_module
from explorer.vision.race import networks
from explorer.vision.race.lanes import Lane
from tests.toy_rcnn import small_body, untrained, use_random_svms
from tests.toys import hook_count, make_network, tiny_faster_rcnn, toy_image
from tests.vision.race.test_lanes import single


@pytest.fixture(autouse=True)
def shipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """SVMs of random numbers instead of those that ship, and few regions at once."""
    use_random_svms(tmp_path, monkeypatch)
    monkeypatch.setattr(view, "FIRST", 8)
    for module in (view, lanes_module):
        monkeypatch.setattr(module, "BATCH", 8)


def pair() -> Network:
    return make_network(tiny_faster_rcnn(), "detection", classes=("bg", "a", "b", "c", "d"))


def scene(network: Network | None = None, **others: Network) -> Scene:
    """With a small classifier and small detectors instead of those that ship."""
    opened = {
        networks.BODY: small_body(),
        networks.TWO_STAGE: pair(),
        networks.SINGLE_STAGE: single("retinanet"),
    }
    opened |= {getattr(networks, name): other for name, other in others.items()}
    return Scene(network or pair(), toy_image(96, 128), opened=Opened(opened))


def steps_of(own: Scene, params: Params) -> list[Result]:
    return [step.value for step in VIEW.compute(own, params)]


def test_without_being_asked_rcnn_is_measured_on_the_first_and_predicted() -> None:
    result = steps_of(scene(), Params())[-1]
    assert set(result.lanes) == set(LANES)
    assert len(result.proposals) > 16
    lane = result.lanes["R-CNN"]
    assert lane.done == 8
    for name in ("SPP-net", "Fast R-CNN"):
        assert result.lanes[name].done == len(result.proposals)
    board = VIEW.draw(result, Params(count=100))
    bars = {label: value for label, value, _ in board.plots[0].bars}
    stages = next(table for table in board.tables if table.name == "stages")
    for row in stages.rows:
        named = dict(zip(stages.columns, row, strict=True))
        if named["spread"]:  # the median lies between the quickest and the slowest run
            low, high = map(float, str(named["spread"]).split(" to "))
            assert low <= float(named["all"]) + 0.1
            assert float(named["all"]) <= high + 0.1
    assert sum(bool(row[stages.columns.index("spread")]) for row in stages.rows) >= 2
    assert bars["R-CNN (predicted)"] == pytest.approx(lane.seconds(100) + result.search)
    assert bars["Faster R-CNN (measured)"] == pytest.approx(result.lanes["Faster R-CNN"].seconds(0))
    assert "first 8 proposals" in board.pane("R-CNN").title
    assert "R-CNN about" in board.summary
    assert not list(cache_folder().rglob("*.npz")), "only all regions are worth keeping"


def test_run_for_real_measures_all_of_them_with_progress() -> None:
    own = scene()
    steps = list(VIEW.compute(own, Params(run=True)))
    total = steps[-1].total
    assert [step.done for step in steps if step.total] == sorted(
        step.done for step in steps if step.total
    )
    assert steps[-1].done == total
    results = [step.value for step in steps]
    done = [result.lanes["R-CNN"].done for result in results if "R-CNN" in result.lanes]
    count = len(results[-1].proposals)
    assert done == [*range(8, count, 8), count]
    board = VIEW.draw(results[-1], Params(run=True, count=min(count, 2000)))
    assert "R-CNN (measured)" in {label for label, _, _ in board.plots[0].bars}
    assert "on disk" in board.summary


def test_a_stopped_run_goes_on_where_it_was() -> None:
    own = scene()
    running = VIEW.compute(own, Params(run=True, cache=False))
    for step in running:
        if "R-CNN" in step.value.lanes and step.value.lanes["R-CNN"].done == 16:
            break
    running.close()
    first = next(r for r in steps_of(own, Params(run=True)) if "R-CNN" in r.lanes)
    assert first.lanes["R-CNN"].done == 24


def test_features_are_read_from_the_disk_the_next_time(monkeypatch: pytest.MonkeyPatch) -> None:
    before = steps_of(scene(), Params(run=True))[-1]
    (file,) = cache_folder().rglob("*.npz")
    size = DiskCache().size()

    def never(*_: object) -> None:
        raise AssertionError("computed again")

    with monkeypatch.context() as patched:
        patched.setattr(lanes_module.WarpedRegions, "go_on", never)
        after = steps_of(scene(), Params())[-1]
    assert after.lanes["R-CNN"].done == len(before.proposals)
    assert f"{size / 1e6:.1f} MB on disk" in after.disk
    assert file.stat().st_size > 0.9 * size
    for key, value in VIEW.data(before, Params()).items():
        np.testing.assert_array_equal(value, VIEW.data(after, Params())[key], err_msg=key)
    ignoring = steps_of(scene(), Params(cache=False))[-1]
    assert ignoring.lanes["R-CNN"].done == 8
    assert ignoring.disk == ""


def test_a_disk_that_takes_nothing_is_no_error() -> None:
    cache_folder().parent.mkdir(parents=True, exist_ok=True)
    cache_folder().write_text("a file where the folder should be")
    result = steps_of(scene(), Params(run=True))[-1]
    assert "cannot be cached" in result.disk
    assert result.lanes["R-CNN"].done == len(result.proposals)


def test_the_number_of_proposals_is_drawn_without_computing() -> None:
    result = steps_of(scene(), Params(run=True))[-1]
    few, many = Params(count=10, margin=-1.0, score=0.0), Params(count=40, margin=-1.0, score=0.0)
    for name in ("R-CNN", "SPP-net", "Fast R-CNN"):
        lane = result.lanes[name]
        assert lane.candidates is not None
        for params in (few, many):
            floor = 0.0 if name == "Fast R-CNN" else -1.0
            expected = lane.candidates.detections(params.count, floor)
            drawn = VIEW.draw(result, params).boxes(name)
            assert drawn is not None
            assert len(expected) > 0
            assert np.array_equal(drawn.xyxy, expected.xyxy)
        assert lane.seconds(40) > lane.seconds(10)
    boards = [VIEW.draw(result, params) for params in (few, many)]
    own = [board.boxes("Faster R-CNN") for board in boards]
    assert np.array_equal(own[0].xyxy, own[1].xyxy)  # its regions are its own
    assert [board.plots[2].marker for board in boards] == [10.0, 40.0]
    assert boards[0].plots[2].steers == "count"
    assert boards[0].plots[2].curves[0] is boards[1].plots[2].curves[0]


def test_stages_add_up_to_the_bars_and_to_the_curves() -> None:
    result = steps_of(scene(), Params())[-1]
    board = VIEW.draw(result, Params(count=200))
    stages = board.plots[1].bars
    for (label, value, _), curve in zip(board.plots[0].bars, board.plots[2].curves, strict=True):
        name = label.rpartition(" (")[0]
        mine = [v for words, v, _ in stages if words.startswith(f"{name}: ")]
        assert sum(mine) == pytest.approx(1000 * value)
        assert float(np.interp(200, curve.x, curve.y)) == pytest.approx(value, rel=0.02)
    row = next(row for row in board.tables[0].rows if row[0] == "SPP-net")
    assert row[1] == pytest.approx(1000 * result.search, abs=0.01)


def test_the_papers_stand_beside_your_own_seconds() -> None:
    lane = {"R-CNN": Lane({}, {"network": 0.01}), "Faster R-CNN": Lane({"network": 0.25}, {})}
    result = Result(steps_of(scene(), Params())[0].photo, np.zeros((0, 4), np.float32))
    assert VIEW.draw(result, Params()).summary == "Nothing is measured yet."
    table = view.paper_table(lane, 100)
    rows = {row[0]: row for row in table.rows}
    assert rows["R-CNN"][1:5] == (47.0, 1.0, 1.0, 1.0)
    assert rows["Faster R-CNN"][3:5] == (0.25, 4.0)
    assert rows["SPP-net"][3:5] == ("", "")
    assert set(rows) == set(PAPERS) == set(LANES)
    assert [seconds_words(s) for s in (47.0, 0.32, 0.0213)] == ["47 s", "0.32 s", "21.3 ms"]


def test_a_single_shot_network_runs_in_its_lane_and_a_shipped_pair_in_the_others() -> None:
    network = single("retinanet")
    result = steps_of(scene(network), Params())[-1]
    assert set(result.lanes) == set(LANES)
    assert result.titles["Single-stage"] == network.info.title
    assert result.classes["Fast R-CNN"] == ("bg", "a", "b", "c", "d")
    assert not result.missing
    assert hook_count(network.module) == 0


def test_what_does_not_ship_is_said() -> None:
    without = scene(BODY=untrained(small_body()), SINGLE_STAGE=untrained(single("retinanet")))
    board = VIEW.draw(steps_of(without, Params())[-1], Params())
    assert any("explorer train lite-rcnn" in note for note in board.notes)
    assert any("no trained weights" in note for note in board.notes)
    assert board.pane("R-CNN").title == "R-CNN: cannot run"
    ran = {label.rpartition(" (")[0] for label, _, _ in board.plots[0].bars}
    assert ran == {"Fast R-CNN", "Faster R-CNN"}


def test_a_chosen_network_of_the_other_kind_is_said() -> None:
    board = VIEW.draw(steps_of(scene(SINGLE_STAGE=pair()), Params())[-1], Params())
    assert any("is not a single-stage detector" in note for note in board.notes)


def test_the_form_asks_for_the_network_that_the_chosen_one_is_not() -> None:
    by_name = {p.name: p for p in parameters(Params)}
    for network, shown in ((pair(), "single_stage"), (single("retinanet"), "two_stage")):
        applying = {n for n, p in by_name.items() if p.applies(Params(), network.info)}
        assert applying & {"single_stage", "two_stage"} == {shown}


def test_proposals_are_drawn_when_asked_for() -> None:
    result = steps_of(scene(), Params())[-1]
    plain = VIEW.draw(result, Params(count=12))
    drawn = VIEW.draw(result, replace(Params(), count=12, regions=True))
    assert plain.boxes("proposals") is None
    for name, count in (("R-CNN", 8), ("SPP-net", 12)):
        (layer,) = [
            layer
            for layer in drawn.pane(name).layers
            if isinstance(layer, Boxes) and layer.name == "proposals"
        ]
        assert np.array_equal(layer.xyxy, result.proposals[:count])
    assert all(layer.name != "proposals" for layer in drawn.pane("Faster R-CNN").layers)
