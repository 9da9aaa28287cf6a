"""Paths on the command line: nothing of the user's is lost, and what is wrong is one sentence."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from explorer import views
from explorer.cli import paths
from explorer.core.errors import ExplorerError
from explorer.core.storage import written
from explorer.core.values import Mask
from tests.evaluation.sets import coco_set
from tests.live.films import film
from tests.test_cli import Run, _photo, _sentence, explorer, photo, toys
from tests.toy_views import EVERY_KIND

__all__ = ["explorer", "photo", "toys"]


def untouched(*files: Path) -> dict[Path, tuple[bytes, int]]:
    return {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in files}


def files_in(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


# -- what is the user's stays


def spellings(path: Path) -> list[str]:
    """Other names of one file: a detour, a link, a second name, its own address."""
    folder = path.parent
    link, hard = folder / f"link{path.suffix}", folder / f"hard{path.suffix}"
    link.symlink_to(path)
    os.link(path, hard)
    detour = folder / "x" / ".." / path.name
    (folder / "x").mkdir()
    return [str(path), str(detour), str(link), str(hard)]


@pytest.mark.usefixtures("toys")
@pytest.mark.parametrize("option", ["-o", "--film"])
@pytest.mark.parametrize("way", range(4))
@pytest.mark.parametrize("more", [[], ["--overwrite"]])
def test_no_output_is_ever_an_input(
    explorer: Run, photo: Path, option: str, way: int, more: list[str]
) -> None:
    if option == "--film":
        photo = photo.rename(photo.with_suffix(".gif"))
    out = spellings(photo)[way]
    before = untouched(photo)
    status, said, err = explorer("render", "classify", photo, option, out, *more)
    assert (status, said) == (2, "")
    assert "is one of the inputs" in _sentence(err)
    assert untouched(photo) == before


@pytest.mark.usefixtures("toys")
def test_a_folder_onto_itself(explorer: Run, tmp_path: Path) -> None:
    photos = [_photo(tmp_path / f"in/{name}.png") for name in "ab"]
    before = untouched(*photos)
    status, _, err = explorer("render", "classify", tmp_path / "in", "-o", f"{tmp_path / 'in'}/")
    assert status == 2
    assert "is one of the inputs" in _sentence(err)
    assert untouched(*photos) == before
    assert files_in(tmp_path / "in") == {"a.png", "b.png"}


@pytest.mark.usefixtures("toys")
@pytest.mark.parametrize(
    ("option", "name"), [("-o", "a.png"), ("--data", "a.json"), ("--data", "a.csv"),
                         ("--data", "a.npz"), ("--film", "a.mp4"), ("--film", "a.gif")]
)  # fmt: skip
def test_a_file_of_somebody_else_is_not_replaced(
    explorer: Run, photo: Path, tmp_path: Path, option: str, name: str
) -> None:
    theirs = tmp_path / name
    theirs.write_bytes(b"mine")
    argv = ("render", "classify", photo, option, theirs)
    status, said, err = explorer(*argv)
    assert (status, said) == (2, "")
    assert "did not write it" in err
    assert "--overwrite" in _sentence(err)
    assert theirs.read_bytes() == b"mine"
    assert explorer(*argv, "--overwrite")[0] == 0
    assert theirs.read_bytes() != b"mine"
    assert explorer(*argv)[0] == 0, "now it is ours"
    theirs.write_bytes(b"changed by hand")
    assert explorer(*argv)[0] == 2


@pytest.mark.usefixtures("toys")
@pytest.mark.parametrize(("kind", "suffix"), [("voc", ".xml"), ("yolo", ".txt")])
def test_annotations_are_not_replaced(
    explorer: Run, tmp_path: Path, kind: str, suffix: str
) -> None:
    photos = [_photo(tmp_path / f"{name}.png") for name in "ab"]
    theirs = tmp_path / f"b{suffix}"
    theirs.write_text("days of work")
    argv = ("render", "detections", *photos, "--boxes", f"{tmp_path}/", "--format", kind)
    status, said, err = explorer(*argv)
    assert (status, said) == (2, "")
    assert "did not write it" in _sentence(err)
    assert theirs.read_text() == "days of work"
    assert files_in(tmp_path) == {"a.png", "b.png", theirs.name}
    assert explorer(*argv, "--overwrite")[0] == 0
    assert explorer(*argv)[0] == 0


@pytest.mark.usefixtures("toys")
def test_the_ground_truth_and_the_weights_are_inputs(
    explorer: Run, photo: Path, tmp_path: Path
) -> None:
    truth = tmp_path / "truth.json"
    truth.write_text(json.dumps({
        "images": [{"id": 1, "file_name": photo.name}], "annotations": [], "categories": []
    }))  # fmt: skip
    weights = tmp_path / "w.json"
    weights.write_bytes(b"weights")
    before = untouched(truth, weights)
    argv = ("render", "anchor_sandbox", photo, "--overwrite")
    for more in (
        ("--truth", truth, "--data", truth),
        ("--truth", tmp_path, "--data", truth),
        ("--weights", weights, "--network", "toy-detection", "--data", weights),
    ):
        status, _, err = explorer(*argv, *more)
        assert status == 2
        assert "is one of the inputs" in _sentence(err)
    assert untouched(truth, weights) == before


@pytest.mark.usefixtures("toys")
@pytest.mark.parametrize("name", ["second", "other", "ensemble", "folder", "terms", "mask"])
def test_what_set_names_is_an_input(
    explorer: Run, photo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr(views, "find", lambda _: EVERY_KIND)
    named = tmp_path / "data" / "named.png"
    _photo(named)
    if name == "mask":
        named.write_bytes(Mask.of(np.zeros((48, 64), np.uint8)).png)
    text = {
        "other": f"toy-classification@{named}#teacher",
        "ensemble": f"toy-classification;toy-classification@{named}",
        "folder": str(named.parent),
        "terms": json.dumps([{"photo": {"image": str(named)}}]),
    }.get(name, str(named))
    before = untouched(named)
    status, said, err = explorer(
        "render", "every_kind", photo, "--network", "toy-classification",
        "--set", f"{name}={text}", "-o", named, "--overwrite",
    )  # fmt: skip
    assert (status, said) == (2, "")
    assert "is one of the inputs" in _sentence(err)
    assert untouched(named) == before


@pytest.mark.usefixtures("toys")
def test_one_file_for_two_outputs(explorer: Run, photo: Path, tmp_path: Path) -> None:
    out = tmp_path / "a.json"
    status, _, err = explorer("render", "detections", photo, "--data", out, "--boxes", out)
    assert status == 2
    assert "given for two outputs" in _sentence(err)
    assert not out.exists()


@pytest.mark.usefixtures("toys")
def test_a_film_onto_itself(explorer: Run, tmp_path: Path) -> None:
    path = film(tmp_path / "a.mp4", 4, codec="mp4v")
    for out in spellings(path):
        before = untouched(path)
        status, _, err = explorer("render", "detections", path, "-o", out, "--overwrite")
        assert status == 2
        assert "is one of the inputs" in _sentence(err)
        assert untouched(path) == before
    theirs = tmp_path / "theirs.mp4"
    theirs.write_bytes(b"mine")
    status, _, err = explorer("render", "detections", path, "-o", theirs)
    assert status == 2
    assert "did not write it" in _sentence(err)
    ours = tmp_path / "ours.mp4"
    for _ in range(2):
        assert explorer("render", "detections", path, "-o", ours, "--again")[0] == 0


@pytest.mark.usefixtures("toys")
def test_the_annotations_of_an_evaluation_are_inputs(explorer: Run, tmp_path: Path) -> None:
    data = coco_set(tmp_path)
    before = untouched(data)
    argv = ("evaluate", "--network", "toy-detection", "--data")
    for given in (data, tmp_path):
        status, _, err = explorer(*argv, given, "-o", data, "--overwrite")
        assert status == 2
        assert "is one of the inputs" in _sentence(err)
    assert untouched(data) == before
    theirs = tmp_path / "notes.csv"
    theirs.write_text("mine")
    status, _, err = explorer(*argv, data, "-o", theirs)
    assert status == 2
    assert "did not write it" in _sentence(err)


def test_what_was_written_is_known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, other = tmp_path / "a.csv", tmp_path / "b.csv"
    path.write_text("1")
    other.write_text("1")
    written.remember(path)
    assert written.is_ours(path)
    assert not written.is_ours(other)
    assert not written.is_ours(tmp_path / "none.csv")
    os.utime(path, ns=(1, 1))
    assert not written.is_ours(path)
    monkeypatch.setattr(written, "_MOST_BYTES", 10)
    for _ in range(5):
        written.remember(path)
    assert written.is_ours(path)
    monkeypatch.setenv("EXPLORER_HOME", "/dev/null/nowhere")
    written.remember(path)
    assert not written.is_ours(path)
    path.write_bytes(b"x" * 100_000 + b"Convnet Explorer 1.0")
    assert written.is_ours(path)


# -- two photos of one name


@pytest.mark.usefixtures("toys")
@pytest.mark.parametrize("kind", ["coco", "voc", "yolo"])
def test_photos_of_one_name_keep_their_own_boxes(explorer: Run, tmp_path: Path, kind: str) -> None:
    from explorer.annotations.around import file_for
    from explorer.annotations.files import read_for

    photos = [_photo(tmp_path / name, seed) for seed, name in enumerate(
        ("in/1.png", "in2/1.png", "in2/1.jpg", "in2/2.png")
    )]  # fmt: skip
    out = tmp_path / "out"
    out.mkdir()
    target = out / "all.json" if kind == "coco" else f"{out}/"
    every = ("render", "detections", "--set", "score=0")
    own = []
    for path in photos:
        alone = tmp_path / f"alone-{len(own)}.json"
        assert explorer(*every, path, "--boxes", alone)[0] == 0
        own.append(read_for(alone, path, (64, 48))[0])
    argv = (*every, *photos, "--boxes", target, "--format", kind)
    assert explorer(*argv)[0] == 0
    assert len({tuple(boxes) for boxes in own}) > 1
    for path, wanted in zip(photos, own, strict=True):
        file = file_for(out, path)
        assert file is not None
        found = read_for(file, path, (64, 48))[0]
        assert [box.label for box in found] == [box.label for box in wanted]
        for one, other in zip(found, wanted, strict=True):
            tolerance = 1 if kind == "voc" else 0.01
            assert (one.x0, one.y1) == pytest.approx((other.x0, other.y1), abs=tolerance)
    if kind == "coco":
        names = [image["file_name"] for image in json.loads(Path(target).read_text())["images"]]
        assert names == ["in/1.png", "in2/1.png", "in2/1.jpg", "in2/2.png"]
    elif kind == "voc":
        assert files_in(out) == {"in/1.xml", "in2/1.png.xml", "in2/1.jpg.xml", "in2/2.xml"}


def test_names_that_tell_photos_apart() -> None:
    def names(*words: str) -> list[str]:
        return [name.as_posix() for name in paths.relative_names([Path(word) for word in words])]

    assert names("/x/a/1.jpg", "/x/b/2.jpg") == ["1.jpg", "2.jpg"]
    assert names("/x/a/1.jpg", "/x/b/1.jpg") == ["a/1.jpg", "b/1.jpg"]
    assert names("/x/1.jpg", "/x/1.png") == ["1.jpg", "1.png"]
    assert names("/x/A.jpg", "/x/b/a.jpg") == ["A.jpg", "b/a.jpg"]
    assert names() == []


# -- words that name nothing

LONG = "n" * 300


@pytest.mark.usefixtures("toys")
@pytest.mark.parametrize(
    "argv",
    [
        ["classify", "BAD"],
        ["classify", "PHOTO", "-o", "BAD.png"],
        ["classify", "PHOTO", "--data", "BAD.json"],
        ["classify", "PHOTO", "--film", "BAD.mp4"],
        ["detections", "PHOTO", "--boxes", "BAD.json"],
        ["detections", "PHOTO", "--boxes", "BAD/"],
        ["anchor_sandbox", "PHOTO", "--truth", "BAD"],
        ["detections", "BAD.mp4", "-o", "o.mp4"],
        ["detections", "FILM", "-o", "BAD.mp4"],
        ["detections", "FILM", "--data", "BAD.jsonl"],
        ["classify", "PHOTO", "--weights", "BAD.pth", "--network", "resnet18"],
    ],
)
@pytest.mark.parametrize("bad", [LONG, f"none/{LONG}", "none/x", "a\0b", "closed/x"])
def test_paths_that_cannot_be_are_one_sentence(
    explorer: Run, photo: Path, tmp_path: Path, argv: list[str], bad: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    if "--weights" in argv and bad == "none/x":
        pytest.skip("the toys load anything")
    monkeypatch.chdir(tmp_path)
    closed(tmp_path / "closed", monkeypatch)
    words = {"PHOTO": str(photo), "FILM": "f.avi"}
    film(tmp_path / "f.avi", 3)
    more = [] if any(word in argv for word in ("-o", "--data", "--film", "--boxes")) else [
        "--data", "o.json"
    ]  # fmt: skip
    full = [words.get(word, word.replace("BAD", bad)) for word in argv]
    before = files_in(tmp_path)
    status, out, err = explorer("render", *full, *more)
    if "--weights" in argv:
        assert status in (0, 2)
        return
    assert (status, out) == (2, "")
    _sentence(err)
    assert files_in(tmp_path) == before


def closed(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder that may not be entered; root may, so the system's answer is made here."""
    folder.mkdir()
    real_stat, real_open = os.stat, os.open

    def refused(path: Any) -> bool:
        return isinstance(path, (str, os.PathLike)) and "closed/" in os.fspath(path)

    def stat(path: Any, *rest: Any, **more: Any) -> Any:
        if refused(path):
            raise PermissionError(13, "Permission denied", str(path))
        return real_stat(path, *rest, **more)

    def opened(path: Any, *rest: Any, **more: Any) -> Any:
        if refused(path):
            raise PermissionError(13, "Permission denied", str(path))
        return real_open(path, *rest, **more)

    monkeypatch.setattr(os, "stat", stat)
    monkeypatch.setattr(os, "open", opened)


@pytest.mark.parametrize("bad", [LONG, "none", "a\0b", "closed/x", ""])
@pytest.mark.parametrize("option", ["--data", "--images", "-o"])
def test_paths_of_an_evaluation_that_cannot_be(
    explorer: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, option: str, bad: str
) -> None:
    data = coco_set(tmp_path)
    monkeypatch.chdir(tmp_path)
    closed(tmp_path / "closed", monkeypatch)
    words = {"--data": str(data), option: f"{bad}.json" if option == "-o" and bad else bad}
    if (option, bad) == ("-o", "none"):
        words["-o"] = "none/x.json"
    argv = [word for pair in words.items() for word in pair]
    status, out, err = explorer("evaluate", *argv)
    assert (status, out) == (2, "")
    _sentence(err)


@pytest.mark.usefixtures("toys")
@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (["classify", ""], "IMAGE is empty"),
        (["classify", " "], "IMAGE is empty"),
        (["classify", "PHOTO", "-o", ""], "-o is empty"),
        (["classify", "PHOTO", "--data", ""], "--data is empty"),
        (["detections", "PHOTO", "--boxes", ""], "--boxes is empty"),
        (["classify", "PHOTO", "--film", ""], "--film is empty"),
        (["classify", "PHOTO", "--network", ""], "--network is empty"),
        (["anchor_sandbox", "PHOTO", "--truth", ""], "--truth is empty"),
    ],
)
def test_an_empty_word_names_nothing(
    explorer: Run, photo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    argv: list[str], words: str,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    full = [str(photo) if word == "PHOTO" else word for word in argv]
    more = ["--data", "o.json"] if "--data" not in argv else []
    status, out, err = explorer("render", *full, *more)
    assert (status, out) == (2, "")
    assert words in _sentence(err)
    assert not (tmp_path / "o.json").exists()


@pytest.mark.usefixtures("toys")
def test_the_address_of_a_file_is_its_path(explorer: Run, tmp_path: Path) -> None:
    photo = _photo(tmp_path / "a photo.png")
    out = tmp_path / "o.json"
    assert explorer("render", "classify", photo.as_uri(), "--data", out)[0] == 0
    status, _, err = explorer("render", "classify", "file://other/a.png", "--data", out)
    assert status == 2
    assert "on another machine" in _sentence(err)
    status, _, err = explorer("render", "classify", photo.as_uri(), "-o", photo)
    assert status == 2
    assert "is one of the inputs" in _sentence(err)


def test_words_and_their_paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert paths.local("~/a.png", "-o") == tmp_path / "a.png"
    with pytest.raises(ExplorerError, match="does not exist"):
        paths.existing("~/a.png", "-o")


# -- how the program ends


@pytest.mark.slow
@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
@pytest.mark.parametrize("argv", [["list", "views"], ["--version"], ["doctor", "--json"]])
def test_an_answer_that_cannot_be_written_is_one_sentence(argv: list[str]) -> None:
    with open("/dev/full", "w") as full:
        ended = subprocess.run(
            [sys.executable, "-m", "explorer", *argv], stdout=full, stderr=subprocess.PIPE,
            text=True, check=False, timeout=120,
        )  # fmt: skip
    assert ended.returncode == 2
    assert _sentence(ended.stderr).startswith("the output could not be written: No space left")


@pytest.mark.parametrize(
    "argv", [["list", "views"], ["render", "classify", "a.png", "-o", "b.png"]]
)
def test_a_working_folder_that_is_gone(tmp_path: Path, argv: list[str]) -> None:
    folder = tmp_path / "gone"
    folder.mkdir()
    code = "import os, shutil, sys; from explorer.__main__ import main; shutil.rmtree(os.getcwd())"
    code += f"; sys.exit(main({argv!r}))"
    ended = subprocess.run(
        [sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, check=False,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}, timeout=120,
    )  # fmt: skip
    assert ended.returncode == 2
    assert "working folder" in _sentence(ended.stderr)


@pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="no terminals to close")
@pytest.mark.usefixtures("toys")
def test_a_closed_terminal_leaves_nothing_behind(
    explorer: Run, photo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from explorer.engine.engine import Engine

    steps = Engine.steps

    def interrupted(self: Engine, *rest: Any) -> Any:
        for step in steps(self, *rest):
            yield step
            if step.value.result is not None:
                signal.raise_signal(signal.SIGHUP)

    monkeypatch.setattr(Engine, "steps", interrupted)
    before = signal.getsignal(signal.SIGHUP)
    status, out, _ = explorer("render", "classify", photo, "--film", tmp_path / "o.mp4")
    assert (status, out) == (128 + signal.SIGHUP, "")
    assert signal.getsignal(signal.SIGHUP) == before
    assert files_in(tmp_path) == {photo.name}


def test_an_ignored_signal_stays_ignored(explorer: Run) -> None:
    if not hasattr(signal, "SIGHUP"):
        pytest.skip("no terminals to close")
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        assert explorer("list", "views")[0] == 0
        assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)
