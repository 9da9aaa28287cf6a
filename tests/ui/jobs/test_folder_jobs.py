"""Run on a folder, in the real window: asked for, followed, its result opened."""

from __future__ import annotations

import json
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import Qt
from pytestqt.qtbot import QtBot

from explorer.core.network_info import NetworkSpec
from explorer.core.settings import Settings
from explorer.core.step import Step
from explorer.core.values import FolderRef
from explorer.networks import catalog
from explorer.networks.entry import Entry, WeightsOption
from explorer.ui.jobs import folder_jobs
from explorer.ui.jobs.background import Background, Phase
from explorer.ui.jobs.folder_jobs import results_of
from explorer.ui.jobs.folder_row import EVALUATE, OPEN, RETRY, TRUTH, FolderRow
from explorer.ui.jobs.folder_sheet import FolderSheet
from explorer.ui.shell.bridge import Bridge, Ready
from explorer.ui.shell.window import Window
from tests.evaluation.sets import GREEN, RED, color_network, picture

pytestmark = pytest.mark.qt_log_ignore("propagateSizeHints", extend=True)

WAIT = 60_000
CONTROL_SHIFT = Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.ShiftModifier
LEFT = Qt.MouseButton.LeftButton


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Four photos of a red and a green object each, and a broken one."""
    folder = tmp_path / "photos"
    for number in range(4):
        picture(folder / f"{number}.png", (RED, (5, 5, 25, 25)), (GREEN, (30, 10, 50, 30)))
    (folder / "bad.png").write_bytes(b"no picture")
    return folder


@pytest.fixture
def window(qtbot: QtBot, monkeypatch: pytest.MonkeyPatch, photos: Path) -> Iterator[Window]:
    """The real window with toys for networks; a photo and its boxes are shown."""
    option = WeightsOption("toy", "by hand", "shipped")
    entries = tuple(
        Entry(task, f"Toy {task}", task, "embedded", "A toy.", (option,))  # type: ignore[arg-type]
        for task in ("classification", "detection")
    )

    def load(spec: NetworkSpec) -> Generator[Step[None], Any, Any]:
        yield Step(None, 0, 1, "making it")
        return color_network(spec.name)

    def start_up() -> Generator[Step[Any], Any, None]:
        from explorer.views import discover

        defaults = {entry.task: NetworkSpec(entry.name) for entry in entries}
        yield Step(Ready(discover(), entries, (("cpu", "CPU"),), defaults))

    monkeypatch.setattr(catalog, "load", load)
    new = Window(Settings(), bridge=Bridge(start_up=start_up))
    new.resize(1200, 800)
    with qtbot.waitSignal(new.loaded, timeout=WAIT):
        new.show()
    new.study.start_with(NetworkSpec("detection"))
    new.study.set_view("detections")
    new.intake.open_paths([str(photos / "0.png")])
    qtbot.waitUntil(lambda: new.study.board is not None and not new.study.running, timeout=WAIT)
    yield new
    new.close()
    new.bridge.deleteLater()
    new.deleteLater()


def opened(qtbot: QtBot, window: Window) -> FolderSheet:
    qtbot.keyClick(window, Qt.Key.Key_F, CONTROL_SHIFT)
    sheet = window.folder_jobs.sheet
    assert sheet is not None
    return sheet


def finished(qtbot: QtBot, window: Window) -> tuple[Background, FolderRow]:
    """The only job, at its end, and its row in the list."""
    qtbot.waitUntil(lambda: all(found.phase.over for found in window.jobs.all), timeout=WAIT)
    (found,) = window.jobs.all
    row = window.job_list.rows[found.job.id]
    assert isinstance(row, FolderRow)
    return found, row


def test_the_key_asks_what_where_to_and_how_many(
    qtbot: QtBot, window: Window, photos: Path
) -> None:
    sheet = opened(qtbot, window)
    assert sheet.photos.path == str(photos)
    assert sheet.what.currentText() == "Boxes: COCO"
    assert sheet.out.path == str(photos.with_name("photos-detections-coco"))
    assert sheet.limit.text() == "all"
    assert sheet.begin.isEnabled()
    sheet.what.setCurrentIndex(sheet.what.count() - 1)
    assert sheet.out.path == str(photos.with_name("photos-detections-pictures"))
    for path, words in (
        (photos / "out", "lies in"), ("", "Choose a folder"), (photos.parent, "not empty"),
    ):  # fmt: skip
        sheet.out.set_path(str(path))
        assert words in sheet.remark.text()
        assert not sheet.begin.isEnabled()
    sheet.photos.set_path(str(photos / "nowhere"))
    assert "does not exist" in sheet.remark.text()
    assert sheet.out.path == str(photos.parent), "what the user has named stays"
    qtbot.keyClick(sheet, Qt.Key.Key_Escape)
    assert window.jobs.all == ()


def test_it_runs_in_the_background_and_lists_what_failed(
    qtbot: QtBot, window: Window, photos: Path
) -> None:
    window.study.set_param("score", 0.25)
    sheet = opened(qtbot, window)
    out = Path(sheet.out.path)
    sheet.begin.click()
    found, row = finished(qtbot, window)
    assert found.job.title == "Detections on photos"
    assert found.job.params["params"]["set"] == {"score": "0.25"}
    assert found.phase is Phase.DONE
    assert "5 photos" in row.words.text()
    assert "1 failed" in row.words.text()
    content = json.loads((out / "predictions.json").read_text())
    assert len(content["images"]) == 4
    assert len(content["annotations"]) == 8
    assert any("finished: 5 photos, 1 failed" in c.notice.text for c in window.notices.cards)
    assert row.failures.count() == 1
    assert "bad.png is not a picture" in row.failures.item(0).text()
    window.open_jobs()
    row.failures.itemClicked.emit(row.failures.item(0))
    assert not window.job_list.isVisible()
    qtbot.waitUntil(lambda: "bad.png" in window.inspector.error.message, timeout=WAIT)
    assert window.strip.current == str(photos / "bad.png")


def test_what_failed_is_tried_again(qtbot: QtBot, window: Window, photos: Path) -> None:
    opened(qtbot, window).begin.click()
    finished(qtbot, window)
    picture(photos / "bad.png", (RED, (5, 5, 25, 25)))
    (found,) = window.jobs.all
    window.job_list.rows[found.job.id].buttons[RETRY].click()  # type: ignore[attr-defined]
    again, row = finished(qtbot, window)
    assert again is not found
    assert (again.value.failed, again.value.done) == (0, 5)
    assert not row.failures.isVisibleTo(row)
    assert not row.buttons[RETRY].isVisibleTo(row)


def test_the_boxes_are_the_ground_truth_of_the_photos(qtbot: QtBot, window: Window) -> None:
    opened(qtbot, window).begin.click()
    _, row = finished(qtbot, window)
    row.buttons[TRUTH].click()
    qtbot.waitUntil(lambda: len(window.study.truth) == 2, timeout=WAIT)
    assert {box.label for box in window.study.truth} == {"red", "green"}
    qtbot.waitUntil(lambda: len(window.strip.items) == 4, timeout=WAIT)
    assert window.study.image is not None
    assert window.study.image.name == "0.png", "what is shown stays"
    window.strip.next()
    qtbot.waitUntil(
        lambda: window.study.image is not None and window.study.image.name == "1.png", timeout=WAIT
    )
    qtbot.waitUntil(lambda: len(window.study.truth) == 2, timeout=WAIT)


@pytest.mark.parametrize("which", ["Boxes: COCO", "Boxes: YOLO", "Boxes: Pascal VOC"])
def test_a_network_is_evaluated_on_the_result(
    which: str, qtbot: QtBot, window: Window, photos: Path
) -> None:
    sheet = opened(qtbot, window)
    sheet.what.setCurrentText(which)
    sheet.begin.click()
    _, row = finished(qtbot, window)
    row.buttons[EVALUATE].click()
    assert window.study.view is not None
    assert window.study.view.name == "evaluation"
    assert window.study.params.images == FolderRef(str(photos))
    qtbot.waitUntil(lambda: "voc_AP 100.0%" in window.results.summary, timeout=WAIT)


def test_the_folder_is_opened(
    qtbot: QtBot, window: Window, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown: list[str] = []
    monkeypatch.setattr(
        folder_jobs.QDesktopServices, "openUrl", lambda url: shown.append(url.toLocalFile())
    )
    opened(qtbot, window).begin.click()
    found, row = finished(qtbot, window)
    row.buttons[OPEN].click()
    assert shown == [found.job.params["out"]]


def test_it_stops_resumes_and_a_canceled_one_leaves_its_chunks(
    qtbot: QtBot, window: Window, photos: Path
) -> None:
    for number in range(300):
        picture(photos / f"more-{number}.png", (RED, (5, 5, 25, 25)))
    sheet = opened(qtbot, window)
    out = sheet.out.path
    sheet.begin.click()
    (found,) = window.jobs.all
    qtbot.waitUntil(lambda: found.value is not None and found.value.done > 128, timeout=WAIT)
    window.jobs.pause(found.job.id)
    row = window.job_list.rows[found.job.id]
    assert "Paused" in row.words.text()
    window.jobs.cancel(found.job.id)
    assert not window.job_list.rows
    qtbot.waitUntil(lambda: not window.bridge.busy, timeout=WAIT)
    sheet = opened(qtbot, window)
    assert sheet.out.path == out
    assert "it is resumed" in sheet.remark.text()
    sheet.begin.click()
    found, _ = finished(qtbot, window)
    assert found.value.done == 305
    assert found.value.skipped in (128, 256), "whole chunks that were done before it stopped"


def test_a_view_that_is_a_job_itself_runs_on_no_folder(qtbot: QtBot, window: Window) -> None:
    del qtbot
    action = window.actions_["run_folder"]
    assert action.isEnabled()
    window.study.set_view("evaluation")
    window.refresh()
    assert not action.isEnabled()


def test_the_results_are_those_that_the_view_can_give(qtbot: QtBot, window: Window) -> None:
    del qtbot
    assert window.study.finished is not None
    kinds = [(result.job, result.format) for result in results_of(window.study.finished)]
    assert [kind for kind in kinds if kind != ("predict", "parquet")] == [
        ("predict", "coco"), ("predict", "yolo"), ("predict", "voc"), ("predict", "csv"),
        ("render", "png"),
    ]  # fmt: skip
