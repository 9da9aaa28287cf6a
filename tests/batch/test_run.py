"""A job that is stopped, killed, damaged or given twice; its result never differs."""

from __future__ import annotations

import errno
import json
import os
import random
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from explorer.batch.chunks import Chunk, computed, cut
from explorer.batch.job import Failure, Recipe, Row
from explorer.batch.photos import Photo
from explorer.batch.run import Local, Wish, run
from explorer.core.errors import ExplorerError
from explorer.core.storage import atomic
from tests.batch.standin import MAKE, Digests, done

ROOT = Path(__file__).parents[2]
PHOTOS = 60


@pytest.fixture
def listed(tmp_path: Path) -> Path:
    place = tmp_path / "list.txt"
    names = [f"d{k % 7}/p{k}.{'png' if k % 5 else 'jpg'}" for k in range(PHOTOS)]
    names[11], names[12], names[41] = "d/broken.jpg", "d/odd.png", "d/alone.png"
    place.write_text("\n".join(names))
    return place


def wish(source: Path, out: Path, **more: Any) -> Wish:
    return Wish(Recipe(MAKE, {"gain": 1}), (str(source),), out, **{"batch": 3, **more})


def content(out: Path) -> dict[str, bytes]:
    """All that is in OUT, by its path."""
    return {
        path.relative_to(out).as_posix(): path.read_bytes()
        for path in sorted(out.rglob("*")) if path.is_file()
    }  # fmt: skip


@pytest.fixture
def whole(listed: Path, tmp_path: Path) -> dict[str, bytes]:
    """What a run without a disturbance leaves."""
    report = done(wish(listed, tmp_path / "whole"))
    assert report.complete
    assert report.outputs == ("digests.csv", "failures.csv")
    return content(tmp_path / "whole")


def counted(after: int) -> Callable[[], bool]:
    """False so often, then True."""
    asked = iter(range(after))
    return lambda: next(asked, None) is None


def test_every_photo_has_its_row_and_failures_their_reason(whole: dict[str, bytes]) -> None:
    rows = whole["digests.csv"].decode().splitlines()
    assert len(rows) == PHOTOS - 2
    assert rows[0].startswith("d0/p0.jpg,,")
    assert [line.rpartition(",")[0] for line in whole["failures.csv"].decode().splitlines()] == [
        "photo,reason", "d/broken.jpg,d/broken.jpg is broken.", "d/odd.png,It is odd.",
    ]  # fmt: skip
    names = {name for name in whole if not name.startswith("chunks/")}
    assert names == {"digests.csv", "failures.csv", "lock", "manifest.json"}


def test_failures_are_told_while_it_runs_and_at_the_end(
    listed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("explorer.batch.run._OFTEN", 0.0)
    reports = [step.value for step in run(wish(listed, tmp_path / "out"), Local(2))]
    folder = listed.parent
    both = (
        Failure("d/broken.jpg", "d/broken.jpg is broken.", str(folder / "d/broken.jpg")),
        Failure("d/odd.png", "It is odd.", str(folder / "d/odd.png")),
    )
    assert reports[0].failed == 0
    early = next(report for report in reports if report.failed)
    assert (early.complete, early.failures) == (False, both)
    assert (reports[-1].complete, reports[-1].failed, reports[-1].failures) == (True, 2, both)


def test_the_chunks_of_a_job_without_failures_go(listed: Path, tmp_path: Path) -> None:
    text = listed.read_text().replace("broken", "whole").replace("odd", "even")
    listed.write_text(text)
    assert done(wish(listed, tmp_path / "out")).failed == 0
    assert not (tmp_path / "out" / "chunks").exists()


def test_stopped_after_every_chunk_and_resumed(
    listed: Path, tmp_path: Path, whole: dict[str, bytes]
) -> None:
    out, runs = tmp_path / "out", 0
    while not (report := done(wish(listed, out), stopped=lambda: True)).complete:
        runs += 1
        assert report.done == report.skipped + 8
        assert not (out / "digests.csv").exists()
    assert runs == PHOTOS // 8  # the last of eight chunks ends the job
    assert content(out) == whole


def test_a_generator_that_is_closed_leaves_whole_chunks(
    listed: Path, tmp_path: Path, whole: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("explorer.batch.run._OFTEN", 0.0)
    steps = run(wish(listed, tmp_path / "out"), Local(3))
    for step in steps:
        if step.done >= 21:
            break
    steps.close()
    assert len(list((tmp_path / "out" / "chunks").rglob("*.npz"))) == 2
    assert done(wish(listed, tmp_path / "out")).skipped == 16
    assert content(tmp_path / "out") == whole


def test_batches_are_made_of_neighbors_that_are_alike() -> None:
    names = ["a.png", "b.png", "broken.png", "c.png", "d.jpg", "e.png", "alone.png", "f.png"]
    job = Digests({})
    photos = [Photo(name, name) for name in names]
    parts = list(computed(job, cut(photos, 8), batch=3, decoders=2))
    assert job.batches == [["a.png", "b.png", "c.png"], ["d.jpg"], ["e.png"], ["alone.png"],
                           ["f.png"]]  # fmt: skip
    assert [row.name for row in parts[-1].rows] == names
    assert all(not part.rows for part in parts[:-1])


def test_no_more_photos_are_loaded_ahead_than_are_needed() -> None:
    met: list[str] = []

    def endless() -> Iterator[Photo]:
        for number in range(10**9):
            met.append(str(number))
            yield Photo(f"{number}.png", "")

    parts = computed(Digests({}), cut(endless(), 4), batch=2, decoders=2)
    for _ in range(10):
        next(parts)
    parts.close()
    assert len(met) < 40


def test_another_setting_or_other_photos_are_refused(listed: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    done(wish(listed, out), stopped=lambda: True)
    for words, other in (
        ("batch 3 instead of 2", wish(listed, out, batch=2)),
        ("chunk 8 instead of 9", wish(listed, out, chunk=9)),
        ("limit 0 instead of 5", wish(listed, out, limit=5)),
        ("gain 1 instead of 2", Wish(Recipe(MAKE, {"gain": 2}), (str(listed),), out, 3)),
    ):
        with pytest.raises(ExplorerError, match=f"other settings: {words}"):
            done(other)
    text = listed.read_text()
    listed.write_text(text.replace("p2.", "new."))
    with pytest.raises(ExplorerError, match="some were added, removed or renamed"):
        done(wish(listed, out))
    listed.write_text(text)
    assert done(wish(listed, out)).complete
    for changed in (f"{text}\nmore.png", "\n".join(text.splitlines()[:3])):
        listed.write_text(changed)
        with pytest.raises(ExplorerError, match="some were added, removed or renamed"):
            done(wish(listed, out))


def test_a_finished_job_is_not_done_again_unless_its_result_is_gone(
    listed: Path, tmp_path: Path, whole: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "whole"
    with monkeypatch.context() as patch:
        patch.setattr(Digests, "load", None)
        report = done(wish(listed, out))
    assert report.complete
    assert (report.done, report.skipped, len(report.failures)) == (PHOTOS, PHOTOS, 2)
    (out / "digests.csv").unlink()
    assert done(wish(listed, out)).skipped == PHOTOS, "its chunks are there: photos have failed"
    assert content(out) == whole


@pytest.mark.parametrize("stops", [0, 1, 4])
def test_what_failed_is_tried_again_on_request(
    stops: int, listed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, stopped = tmp_path / "out", counted(stops) if stops else bool
    with monkeypatch.context() as patch:
        patch.setattr(Digests, "load", refusing("broken", "p45."))
        report = done(wish(listed, out), stopped=stopped)
    assert report.complete == (stops == 0)
    loaded: list[str] = []
    with monkeypatch.context() as patch:
        patch.setattr(Digests, "load", refusing(met=loaded))
        assert done(wish(listed, out)).complete
        assert not any("broken" in name for name in loaded), "not without the request"
        loaded.clear()
        assert done(wish(listed, out, retry=True)).failed == 1
        tried = {name.rpartition("/")[2] for name in loaded}
        assert {"broken.jpg", "p8.png"} <= tried, "its whole chunk: batches are as they would be"
        assert "p20.jpg" not in tried
        assert done(wish(listed, tmp_path / "undisturbed")).failed == 1
    assert content(out) == content(tmp_path / "undisturbed")


def test_where_nothing_failed_nothing_is_tried_again(listed: Path, tmp_path: Path) -> None:
    listed.write_text("a.png\nb.png")
    assert done(wish(listed, tmp_path / "out")).failed == 0
    assert done(wish(listed, tmp_path / "out", retry=True)).skipped == 2


def refusing(*words: str, met: list[str] | None = None) -> Callable[[Digests, Photo], str]:
    """A `load` that fails for photos with these words in their names."""

    def load(_job: Digests, photo: Photo) -> str:
        if met is not None:
            met.append(photo.name)
        if any(word in photo.name for word in words):
            raise ExplorerError(f"{photo.name} is broken.")
        return photo.name

    return load


def test_writing_the_result_can_be_broken_off(
    listed: Path, tmp_path: Path, whole: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, left = threading.Event(), threading.Event()

    def merge(_job: Digests, rows: Callable[[], Iterator[Row]], _out: Path) -> Sequence[str]:
        read = rows()
        next(read)
        begun.set()
        assert left.wait(30)
        for _ in read:
            pass
        raise AssertionError("it went on")

    with monkeypatch.context() as patch:
        patch.setattr(Digests, "merge", merge)
        steps = run(wish(listed, tmp_path / "out"), Local(2))
        assert next(step for step in steps if step.note == "writing the result").done == PHOTOS
        assert begun.wait(30)
        threading.Timer(0.2, left.set).start()
        steps.close()
    assert left.is_set(), "it waits for the thread"
    assert not (tmp_path / "out" / "digests.csv").exists()
    assert done(wish(listed, tmp_path / "out")).skipped == PHOTOS
    assert content(tmp_path / "out") == whole


def test_two_jobs_into_one_folder(listed: Path, tmp_path: Path) -> None:
    steps = run(wish(listed, tmp_path / "out"), Local(1))
    next(steps)
    with pytest.raises(ExplorerError, match="Another program is running a job into"):
        done(wish(listed, tmp_path / "out"))
    steps.close()
    assert done(wish(listed, tmp_path / "out")).complete


def test_a_folder_of_something_else_is_left_alone(listed: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "manifest.json").write_text("{}")
    with pytest.raises(ExplorerError, match="holds files of something else"):
        done(wish(listed, out))
    assert content(out) == {"manifest.json": b"{}"}
    photos = tmp_path / "photos"
    photos.mkdir()
    with pytest.raises(ExplorerError, match="whose photos are read"):
        done(wish(photos, photos / "out"))
    with pytest.raises(ExplorerError, match="There are no photos in"):
        done(wish(photos, tmp_path / "other"))


def test_names_in_a_manifest_lead_nowhere_else(
    listed: Path, tmp_path: Path, whole: dict[str, bytes]
) -> None:
    out, precious = tmp_path / "whole", tmp_path / "precious.txt"
    precious.touch()
    place = out / "manifest.json"
    manifest = json.loads(place.read_text())
    manifest |= {"complete": False, "outputs": ["../precious.txt", str(precious), "..", 7]}
    place.write_text(json.dumps(manifest))
    assert done(wish(listed, out)).complete
    assert precious.exists()
    assert content(out) == whole


def test_a_full_disk_is_one_sentence_and_loses_nothing(
    listed: Path, tmp_path: Path, whole: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    real = atomic._flush
    for room in (1, 4, 5):  # chunks, then the result
        left = iter(range(room))

        def flush(path: Path, left: Iterator[int] = left) -> None:
            if next(left, None) is None:
                raise OSError(errno.ENOSPC, "No space left on device")
            real(path)

        with monkeypatch.context() as patch:
            patch.setattr(atomic, "_flush", flush)
            with pytest.raises(ExplorerError, match="could not be written: No space left"):
                done(wish(listed, tmp_path / "out"))
    assert done(wish(listed, tmp_path / "out")).skipped > 0
    assert content(tmp_path / "out") == whole


def test_a_damaged_chunk_is_done_again(
    listed: Path, tmp_path: Path, whole: dict[str, bytes]
) -> None:
    out = tmp_path / "out"
    done(wish(listed, out), stopped=counted(3))
    chunk = min((out / "chunks").rglob("*.npz"))
    chunk.write_bytes(chunk.read_bytes()[:100])
    with pytest.raises(ExplorerError, match="is damaged and was removed"):
        done(wish(listed, out))
    assert done(wish(listed, out)).skipped == PHOTOS - 8
    assert content(out) == whole


def test_a_folder_that_cannot_be_read_is_told_at_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("open", "locked"):
        (tmp_path / "photos" / name).mkdir(parents=True)
        (tmp_path / "photos" / name / "a.png").touch()
    real = os.scandir

    def scandir(path: Any = ".") -> Any:
        if str(path).endswith("locked"):
            raise PermissionError(13, "Permission denied")
        return real(path)

    monkeypatch.setattr(os, "scandir", scandir)
    report = done(wish(tmp_path / "photos", tmp_path / "out"))
    assert (report.complete, report.done) == (True, 1)
    (note,) = report.notes
    assert "cannot be read: Permission denied" in note


def test_photos_that_are_replaced_are_told(tmp_path: Path) -> None:
    folder = tmp_path / "photos"
    folder.mkdir()
    for number in range(20):
        (folder / f"{number}.png").write_bytes(b"as it was")
    done(wish(folder, tmp_path / "out"), stopped=lambda: True)
    (folder / "3.png").write_bytes(b"another one")
    report = done(wish(folder, tmp_path / "out"))
    assert report.notes == (
        "3.png was changed after it was processed: its result is of the earlier file.",
    )


def test_what_concerns_all_photos_ends_the_job(listed: Path, tmp_path: Path) -> None:
    listed.write_text(listed.read_text().replace("p20.", "fatal."))
    with pytest.raises(ExplorerError, match="Nothing can be computed"):
        done(wish(listed, tmp_path / "out"))
    assert len(list((tmp_path / "out" / "chunks").rglob("*.npz"))) == 2


def test_a_chunk_is_known_by_its_photos() -> None:
    photos = tuple(Photo(name, "", id=number) for number, name in enumerate("abc"))
    digests = {
        Chunk(0, photos).digest, Chunk(0, photos[:2]).digest, Chunk(0, photos[::-1]).digest,
        Chunk(0, tuple(Photo(photo.name, "") for photo in photos)).digest,
    }  # fmt: skip
    assert len(digests) == 4
    assert Chunk(5, photos).digest == Chunk(0, photos).digest
    assert [len(chunk.photos) for chunk in cut(photos, 2)] == [2, 1]


@pytest.mark.parametrize(
    ("kills", "seconds", "most"),
    [(4, 0.02, 0.25), pytest.param(20, 0.1, 0.7, marks=pytest.mark.slow)],
)
@pytest.mark.skipif(os.name != "posix", reason="kill -9")
def test_killed_at_random_moments_and_resumed(
    kills: int, seconds: float, most: float, listed: Path, tmp_path: Path, whole: dict[str, bytes]
) -> None:
    out, rng = tmp_path / "out", random.Random(kills)
    argv = [sys.executable, "-m", "tests.batch.standin", str(listed), str(out)]
    argv.append(json.dumps({"gain": 1, "seconds": seconds}))
    env = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path])}
    for _ in range(kills):
        with subprocess.Popen(argv, env=env, stdout=subprocess.PIPE, cwd=tmp_path) as program:
            assert program.stdout is not None
            assert program.stdout.readline() == b"begun\n"
            time.sleep(rng.uniform(0.0, most))  # the moment itself is what is tried out
            program.kill()
    subprocess.run(argv, env=env, check=True, capture_output=True, cwd=tmp_path, timeout=120)
    assert content(out) == whole
