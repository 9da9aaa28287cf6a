"""The command line: what it writes, what it says and how it ends."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import types
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import cv2
import numpy as np
import pypdf
import pytest
from PIL import Image

from explorer import __version__, views
from explorer.__main__ import main
from explorer.cli import COMMANDS, console, doctor
from explorer.cli.outputs import outputs
from explorer.core.errors import ExplorerError
from explorer.core.params import Box
from explorer.core.step import Step
from explorer.engine.engine import Engine
from explorer.networks import catalog
from explorer.networks.entry import Entry
from explorer.saving.export import read_metadata
from tests.toys import toy_network
from tests.ui.truth_toys import Drawn, toy_view

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def explorer(capsys: pytest.CaptureFixture[str]) -> Run:
    """The program in this process: exit status, stdout, stderr."""

    def run(*argv: object) -> tuple[int, str, str]:
        status = main([str(word) for word in argv])
        out, err = capsys.readouterr()
        return status, out, err

    return run


@pytest.fixture
def toys(monkeypatch: pytest.MonkeyPatch) -> None:
    """A catalog of networks that need no files and no time."""
    entries = {
        task: Entry(f"toy-{task}", f"Toy {task}", task, "embedded", "A toy.")  # type: ignore[arg-type]
        for task in ("classification", "detection", "segmentation")
    }

    def load(spec: Any) -> Generator[Step[None], Any, Any]:
        yield Step(None, 0, 1, "making it")
        return toy_network(spec.name.removeprefix("toy-"))

    def find(name: str) -> Entry:
        for entry in entries.values():
            if entry.name == name:
                return entry
        raise ExplorerError(f"There is no network {name!r}.", "`explorer list` names them all.")

    monkeypatch.setattr(catalog, "load", load)
    monkeypatch.setattr(catalog, "find", find)
    monkeypatch.setattr(catalog, "default_for", lambda task: entries.get(task))


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    return _photo(tmp_path / "photo.png")


def _photo(path: Path, seed: int = 0) -> Path:
    path.parent.mkdir(exist_ok=True)
    y, x = np.mgrid[:48, :64]
    noise = np.random.default_rng(seed).integers(0, 40, (48, 64))
    Image.fromarray(np.stack([4 * x, 5 * y, noise], 2).clip(0, 255).astype(np.uint8)).save(path)
    return path


def _sentence(err: str) -> str:
    """The one line on stderr, without the program's name."""
    assert err.startswith("explorer: "), err
    assert err.endswith(".\n"), err
    assert err.count("\n") == 1, err
    return err.removeprefix("explorer: ").rstrip()


# -- the program ----------------------------------------------------------------------------------


def test_version(explorer: Run) -> None:
    assert explorer("--version") == (0, f"Convnet Explorer {__version__}\n", "")


def test_help_names_the_sub_commands(explorer: Run) -> None:
    status, out, err = explorer("--help")
    assert (status, err) == (0, "")
    assert all(f"explorer {name}" in out for name in COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_sub_command_has_help(explorer: Run, command: str) -> None:
    status, out, err = explorer(command, "--help")
    assert (status, err) == (0, "")
    assert f"explorer {command}" in out


@pytest.mark.parametrize(
    ("argv", "paths", "reset"),
    [
        ([], [], False),
        (["a.png", "folder"], ["a.png", "folder"], False),
        (["./list", "--reset-settings"], ["./list"], True),
        (["a.png", "render"], ["a.png", "render"], False),
    ],
)
def test_paths_open_the_window(
    explorer: Run, monkeypatch: pytest.MonkeyPatch, argv: list[str], paths: list[str], reset: bool
) -> None:
    calls: list[tuple[list[str], Any]] = []
    app = types.ModuleType("explorer.ui.shell.app")
    app.main = lambda paths, *, options: calls.append((paths, options)) or 7  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "explorer.ui.shell.app", app)
    assert explorer(*argv)[0] == 7
    assert calls[0][0] == paths
    assert calls[0][1].reset_settings is reset


@pytest.mark.parametrize(
    ("word", "meant"),
    [
        ("rendr", "explorer render"),
        ("evalute", "explorer evaluate"),
        ("classify", "explorer render classify IMAGE"),
    ],
)
def test_a_word_that_was_meant_as_a_command(explorer: Run, word: str, meant: str) -> None:
    status, _, err = explorer(word, "photo.jpg")
    assert status == 2
    assert meant in _sentence(err)


@pytest.mark.parametrize("argv", [["--nonsense"], ["list", "--nonsense"], ["render"]])
def test_wrong_options_are_one_sentence(explorer: Run, argv: list[str]) -> None:
    status, out, err = explorer(*argv)
    assert (status, out) == (2, "")
    assert "--help" in _sentence(err)


def test_a_closed_pipe_ends_quietly(explorer: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    class Closed(io.StringIO):
        def write(self, text: str) -> int:
            raise BrokenPipeError

    monkeypatch.setattr(sys, "stdout", Closed())
    assert main(["--version"]) == 1


# -- list -----------------------------------------------------------------------------------------


def test_list_names_views_and_networks(explorer: Run) -> None:
    status, out, err = explorer("list")
    assert (status, err) == (0, "")
    names = ("classify", "detections", "mini-resnet", "resnet18")
    for word in (*names, "score=none  ", "Min. score: 0 to 1", "MB)"):
        assert word in out


@pytest.mark.parametrize("width", [80, 120])
def test_list_fits_the_terminal(explorer: Run, monkeypatch: pytest.MonkeyPatch, width: int) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    whole = explorer("list")[1]
    monkeypatch.setenv("COLUMNS", str(width))
    fitted = explorer("list")[1]
    assert max(map(len, fitted.splitlines())) <= width < max(map(len, whole.splitlines()))
    assert ("Lite Faster R-CNN" in fitted) == (width == 120), "titles only where there is room"
    assert "Ref(" not in fitted, "references are written as --set takes them"


def test_a_table_wraps_its_last_column_only() -> None:
    rows = [("a", "one two three four five"), ("long", "")]
    assert console.table(rows, width=30).splitlines() == [
        "  a     one two three four",
        "        five",
        "  long",
    ]
    assert console.table(rows).splitlines()[0] == "  a     one two three four five"
    assert console.table(rows, width=20) == console.table(rows), "too narrow to wrap"


def test_list_for_programs(explorer: Run) -> None:
    status, out, _ = explorer("list", "--json")
    found = json.loads(out)
    assert status == 0
    assert set(found) == {"views", "networks", "unavailable"}
    views = {view["name"]: view for view in found["views"]}
    score = next(p for p in views["detections"]["parameters"] if p["name"] == "score")
    assert (score["default"], score["low"], score["high"], score["effect"]) == (None, 0, 1, "draw")
    assert all(entry["state"] for entry in found["networks"])
    some = json.loads(explorer("list", "views", "--json")[1])
    assert some.keys() == {"views", "unavailable"}
    assert json.loads(explorer("list", "networks", "--json")[1]).keys() == {
        "networks",
        "unavailable",
    }


def test_a_view_is_explained(explorer: Run) -> None:
    status, out, err = explorer("list", "--explain", "nms")
    assert (status, err) == (0, "")
    assert out.startswith("# NMS step by step\n")
    assert "\n    s ← s exp(-o² / σ)\n" in out
    assert "\n\n\n" not in out
    assert not set("$\\") & set(out)
    found = json.loads(explorer("list", "--explain", "nms", "--json")[1])
    assert r"\exp({-o^2} / \sigma)" in found["markdown"]
    status, out, err = explorer("list", "--explain", "nsm")
    assert (status, out) == (2, "")
    assert "nms" in err


SHORT_DREAM = (
    "--network", "toy-classification", "--set", "octaves=2", "--set", "steps=3", "--set", "size=64",
)  # fmt: skip


# -- render ---------------------------------------------------------------------------------------


@pytest.mark.usefixtures("toys")
@pytest.mark.parametrize("view", ["classify", "detections", "feature_maps", "semantic"])
def test_a_view_is_rendered(explorer: Run, photo: Path, tmp_path: Path, view: str) -> None:
    out = tmp_path / "out.png"
    status, said, err = explorer("render", view, photo, "-o", out, "--data", tmp_path / "d.json")
    assert (status, err) == (0, "")
    assert said.startswith(str(out))
    with Image.open(out) as picture:
        assert picture.width == 1600
    story = read_metadata(out)
    assert story["view"] == view
    assert story["image"]["name"] == "photo.png"
    assert story["versions"]["explorer"] == __version__
    data = json.loads((tmp_path / "d.json").read_text("utf-8"))
    assert data["metadata"] == story
    assert len(data) > 1


@pytest.mark.usefixtures("toys")
@pytest.mark.parametrize("suffix", [".svg", ".pdf"])
@pytest.mark.parametrize("extra", [[], ["--theme", "dark"], ["--pane", "image"]])
def test_a_view_is_rendered_as_a_figure(
    explorer: Run, photo: Path, tmp_path: Path, suffix: str, extra: list[str]
) -> None:
    out = tmp_path / f"out{suffix}"
    size = ("--width-mm", "50.8", "--font-size", "6")
    status, said, err = explorer("render", "detections", photo, "-o", out, *size, *extra)
    assert (status, err) == (0, "")
    assert said.startswith(str(out))
    assert read_metadata(out)["view"] == "detections"
    if suffix == ".svg":
        root = ElementTree.parse(out).getroot()
        assert root.attrib["width"] == "50.8mm"
        words = [e.text for e in root.iter("{http://www.w3.org/2000/svg}text")]
    else:
        (page,) = pypdf.PdfReader(out).pages
        assert float(page.mediabox.width) == pytest.approx(144, abs=0.1)
        words = page.extract_text().split()
    assert ("class" in words) is not ("--pane" in extra), "the table's heading"


@pytest.mark.usefixtures("toys")
def test_settings_seed_and_device_are_in_the_metadata(
    explorer: Run, photo: Path, tmp_path: Path
) -> None:
    status, _, err = explorer(
        "render", "detections", photo, "--set", "score=0.01", "--set", "labels=false",
        "--seed", "7", "--device", "cpu", "-o", tmp_path / "a.jpg", "--width", "400",
        "--theme", "dark",
    )  # fmt: skip
    assert (status, err) == (0, "")
    story = read_metadata(tmp_path / "a.jpg")
    assert story["parameters"]["score"] == 0.01
    assert story["parameters"]["labels"] is False
    assert story["seed"] == 7
    assert story["network"]["device"] == "cpu"


@pytest.mark.usefixtures("toys")
def test_a_place_beside_the_photo_is_moved_inside_and_that_is_said(
    explorer: Run, photo: Path, tmp_path: Path
) -> None:
    status, _, err = explorer(
        "render", "anchors", photo, "--set", "place=9000,-5", "-o", tmp_path / "a.png"
    )
    assert status == 0
    assert err.startswith("explorer: photo: place lies outside the 64 x 48 pixels ")
    assert err.endswith("and is moved inside.\n")
    x, y = read_metadata(tmp_path / "a.png")["parameters"]["place"].values()
    assert y == 0
    assert 0 < x < 9000


@pytest.mark.usefixtures("toys")
@pytest.mark.parametrize("kind", ["coco", "voc", "yolo"])
def test_boxes_are_written(explorer: Run, photo: Path, tmp_path: Path, kind: str) -> None:
    out = tmp_path / "boxes"
    status, _, err = explorer(
        "render", "detections", photo, "--boxes", out, "--format", kind, "--set", "score=0"
    )
    assert (status, err) == (0, "")
    text = out.read_text("utf-8")
    if kind == "coco":
        found = json.loads(text)
        assert found["images"][0]["file_name"] == "photo.png"
        assert found["annotations"]
        assert {"cat", "dog", "car"} == {entry["name"] for entry in found["categories"]}
    elif kind == "voc":
        assert "<filename>photo.png</filename>" in text
    else:
        assert (tmp_path / "classes.txt").read_text().split() == ["cat", "dog", "car"]


@pytest.mark.usefixtures("toys")
def test_masks_are_written_and_read_again(explorer: Run, tmp_path: Path) -> None:
    photos = [_photo(tmp_path / f"{name}.png", seed) for seed, name in enumerate("ab")]
    masks = f"{tmp_path / 'masks'}/"
    (tmp_path / "masks").mkdir()
    status, out, err = explorer("render", "semantic", *photos, "--masks", masks)
    assert (status, err) == (0, "")
    assert out.splitlines() == [f"{masks}a.png", f"{masks}b.png"]
    assert "  1: red" in (tmp_path / "masks" / "classes.yaml").read_text()
    picture = tmp_path / "x.png"
    argv = ("render", "semantic", photos[0], "-o", picture, "--truth", f"{masks}a.png")
    status, out, err = explorer(*argv)
    assert (status, err) == (0, "")
    assert "mIoU 1.00, pixel accuracy 100.0%" in out
    coco = tmp_path / "all.json"
    argv = ("render", "semantic", *photos, "--boxes", coco, "--format", "coco-polygons")
    assert explorer(*argv)[0] == 0
    found = json.loads(coco.read_text("utf-8"))
    assert [image["file_name"] for image in found["images"]] == ["a.png", "b.png"]
    assert all(isinstance(entry["segmentation"], list) for entry in found["annotations"])
    argv = ("render", "semantic", photos[1], "-o", tmp_path / "y.png", "--truth", coco)
    assert "mIoU 1.00" in explorer(*argv)[1]
    err = explorer("render", "classify", photos[0], "--masks", tmp_path / "m.png")[2]
    assert "has no masks to write" in err


@pytest.mark.usefixtures("toys")
def test_coco_boxes_of_several_photos_are_one_file(explorer: Run, tmp_path: Path) -> None:
    photos = [_photo(tmp_path / f"{name}.png", seed) for seed, name in enumerate("abc")]
    status, out, _ = explorer(
        "render", "detections", *photos, "--boxes", tmp_path / "all.json", "--set", "score=0"
    )
    assert status == 0
    found = json.loads((tmp_path / "all.json").read_text("utf-8"))
    assert [entry["file_name"] for entry in found["images"]] == ["a.png", "b.png", "c.png"]
    assert out == f"{tmp_path / 'all.json'}: {len(found['annotations'])} boxes\n"


def test_ground_truth_comes_from_a_file(
    explorer: Run, photo: Path, tmp_path: Path, toys: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn = Drawn()
    monkeypatch.setattr(views, "find", lambda name: toy_view(drawn, name))
    voc = tmp_path / f"{photo.stem}.xml"
    voc.write_text(
        "<annotation><object><name>cat</name><bndbox><xmin>2</xmin><ymin>3</ymin><xmax>9</xmax>"
        "<ymax>8</ymax></bndbox></object></annotation>"
    )
    for given in (voc, tmp_path):
        status, _, err = explorer(
            "render", "toy", photo, "-o", tmp_path / "x.png", "--truth", given
        )
        assert (status, err) == (0, "")
        assert drawn.params[-1].truth == (Box(1, 2, 9, 8, "cat"),)
    plain = tmp_path / "plain.png"
    assert explorer("render", "toy", photo, "-o", plain)[0] == 0
    assert plain.read_bytes() != (tmp_path / "x.png").read_bytes(), "the boxes are on the picture"


@pytest.mark.usefixtures("toys")
def test_a_setting_that_matters_with_ground_truth_is_not_called_without_effect(
    explorer: Run, photo: Path, tmp_path: Path
) -> None:
    boxes = tmp_path / f"{photo.stem}.txt"
    boxes.write_text("0 0.5 0.5 0.5 0.5")
    argv = ("render", "detections", photo, "--data", tmp_path / "x.json", "--set", "iou=0.9")
    assert "iou has no effect" in explorer(*argv)[2]
    assert explorer(*argv, "--truth", boxes)[::2] == (0, "")


def test_ground_truth_that_does_not_fit_is_one_sentence(
    explorer: Run, photo: Path, tmp_path: Path, toys: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = ("render", "classify", photo, "-o", tmp_path / "x.png", "--truth")
    assert "uses no ground truth" in explorer(*command, photo)[2]
    monkeypatch.setattr(views, "find", lambda name: toy_view(Drawn(), name))
    assert "does not exist" in explorer(*command, tmp_path / "none.json")[2]
    status, _, err = explorer(*command, photo)
    assert status == 2
    assert "not an annotation file" in err


@pytest.mark.usefixtures("toys")
@pytest.mark.parametrize("suffix", [".mp4", ".gif"])
def test_a_film_has_a_frame_for_every_step(
    explorer: Run, photo: Path, tmp_path: Path, suffix: str
) -> None:
    out = tmp_path / f"dream{suffix}"
    status, said, err = explorer(
        "render", "deep_dream", photo, *SHORT_DREAM, "--film", out,
        "-o", tmp_path / "dream.png", "--pane", "dream",
    )  # fmt: skip
    assert (status, err) == (0, "")
    count = int(said.split(": ")[1].split()[0])
    if suffix == ".gif":
        with Image.open(out) as picture:
            assert picture.n_frames > 1
    else:
        capture = cv2.VideoCapture(str(out))
        assert capture.get(cv2.CAP_PROP_FRAME_COUNT) == count > 1
        capture.release()


@pytest.mark.usefixtures("toys")
def test_one_pane_in_its_own_size(explorer: Run, photo: Path, tmp_path: Path) -> None:
    out = tmp_path / "a.png"
    assert explorer("render", "detections", photo, "-o", out, "--pane", "image")[0] == 0
    with Image.open(out) as picture:
        assert picture.size == (64, 48)
    status, _, err = explorer("render", "detections", photo, "-o", out, "--pane", "nonsense")
    assert status == 2
    assert "image" in _sentence(err)


@pytest.mark.usefixtures("toys")
def test_several_photos_give_several_files(explorer: Run, tmp_path: Path) -> None:
    photos = [_photo(tmp_path / "in" / f"{name}.png") for name in "ab"]
    (tmp_path / "out").mkdir()
    assert explorer("render", "classify", *photos, "-o", tmp_path / "out")[0] == 0
    assert explorer("render", "classify", tmp_path / "in", "-o", tmp_path / "x.png")[0] == 0
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"a.png", "b.png"}
    assert {path.name for path in tmp_path.glob("x*")} == {"x-a.png", "x-b.png"}


@pytest.mark.usefixtures("toys")
def test_one_bad_photo_does_not_stop_the_others(explorer: Run, tmp_path: Path) -> None:
    (tmp_path / "bad.png").write_bytes(b"nothing")
    photos = [_photo(tmp_path / "a.png"), tmp_path / "bad.png", _photo(tmp_path / "c.png")]
    status, out, err = explorer("render", "classify", *photos, "-o", tmp_path / "{n}-{stem}.jpg")
    assert status == 2
    assert "bad.png" in _sentence(err)
    assert [Path(line.split(": ")[0]).name for line in out.splitlines()] == ["1-a.jpg", "3-c.jpg"]


@pytest.mark.usefixtures("toys")
def test_the_gallery_has_names(explorer: Run, tmp_path: Path) -> None:
    assert explorer("render", "classify", "shapes", "-o", tmp_path / "a.png")[0] == 0
    assert read_metadata(tmp_path / "a.png")["image"]["name"] == "shapes"


@pytest.mark.usefixtures("toys")
def test_random_weights_are_stamped(
    explorer: Run, photo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dataclasses import replace

    trained = Engine.network

    def untrained(self: Engine, spec: Any, *keep: Any) -> Generator[Step[None], Any, Any]:
        network = yield from trained(self, spec, *keep)
        network.info = replace(network.info, state="untrained")
        return network

    out = tmp_path / "a.png"
    monkeypatch.setattr(Engine, "network", untrained)
    assert explorer("render", "classify", photo, "-o", out)[0] == 0
    with Image.open(out) as picture:
        pixels = np.asarray(picture).astype(int)
    assert (np.abs(pixels - (255, 196, 0)).max(2) < 20).sum() > 200
    assert read_metadata(out)["network"]["state"] == "untrained"


@pytest.mark.usefixtures("toys")
@pytest.mark.parametrize(
    ("argv", "says"),
    [
        (["clasify", "PHOTO", "-o", "a.png"], "classify, concepts, conv_arithmetic"),
        (["classify", "PHOTO"], "-o, --data, --boxes, --masks or --film"),
        (["classify", "PHOTO", "-o", "a.bmp"], ".jpg"),
        (["classify", "PHOTO", "-o", "a.eps"], ".webp, .svg, .pdf"),
        (["classify", "PHOTO", "-o", "a.svg", "--width", "900"], "--width-mm"),
        (["classify", "PHOTO", "-o", "a.png", "--width-mm", "86"], ".svg or .pdf"),
        (["classify", "PHOTO", "-o", "a.png", "--font-size", "8"], ".svg or .pdf"),
        (["classify", "PHOTO", "-o", "a.pdf", "--width-mm", "5"], "20 to 1000 mm"),
        (["classify", "PHOTO", "-o", "a.svg", "--font-size", "nan"], "3 to 72 pt"),
        (["classify", "PHOTO", "--data", "a.xls"], ".csv"),
        (["classify", "PHOTO", "--film", "a.avi"], ".gif"),
        (["classify", "none.png", "-o", "a.png"], "none.png does not exist"),
        (["classify", "EMPTY", "-o", "a.png"], "no picture in the folder"),
        (["classify", "PHOTO", "-o", "a.png", "--network", "resnet"], "no network 'resnet'"),
        (["classify", "PHOTO", "-o", "a.png", "--network", "toy-detection"], "classification"),
        (["classify", "PHOTO", "-o", "a.png", "--set", "tip=3"], "top, show_input"),
        (["classify", "PHOTO", "-o", "a.png", "--set", "top"], "name=value"),
        (["classify", "PHOTO", "-o", "a.png", "--set", "top=many"], "a whole number"),
        (["classify", "PHOTO", "-o", "a.png", "--set", "top=0"], "1 to 50"),
        (["classify", "PHOTO", "-o", "a.png", "--set", "path_of=cow"], "cat, dog, car, cup"),
        (["feature_maps", "PHOTO", "-o", "a.png", "--set", "layer=conv9"], "conv1"),
        (["classify", "PHOTO", "-o", "a.png", "--width", "9"], "160 to 16000"),
        (["classify", "PHOTO", "--film", "a.gif", "--fps", "0"], "0.1 to 120"),
        (["classify", "PHOTO", "-o", "a.png", "--seed", "x"], "invalid int value"),
        (["classify", "PHOTO", "--boxes", "a", "--format", "xml"], "coco"),
        (["classify", "PHOTO", "--boxes", "a.json"], "no boxes"),
        (["classify", "PHOTO", "-o", "none/a.png"], "could not be written"),
    ],
)
def test_wrong_words_are_one_sentence_that_names_the_right_ones(
    explorer: Run, photo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    argv: list[str], says: str,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    before = sorted(tmp_path.rglob("*"))
    argv = [{"PHOTO": str(photo), "EMPTY": str(tmp_path / "empty")}.get(w, w) for w in argv]
    status, out, err = explorer("render", *argv)
    assert (status, out) == (2, "")
    assert says in _sentence(err)
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.usefixtures("toys")
@pytest.mark.parametrize(
    ("stop", "status", "says"),
    [(signal.SIGINT, 130, "explorer: interrupted\n"), (signal.SIGTERM, 143, "")],
)
def test_ctrl_c_and_sigterm_end_cleanly(
    explorer: Run, photo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    stop: signal.Signals, status: int, says: str,
) -> None:  # fmt: skip
    closed: list[str] = []
    steps = Engine.steps

    def interrupted(self: Engine, ask: Any, token: Any) -> Generator[Step[Any], Any, None]:
        try:
            for step in steps(self, ask, token):
                yield step
                if step.value.result is not None:
                    signal.raise_signal(stop)
        finally:
            closed.append("closed")

    monkeypatch.setattr(Engine, "steps", interrupted)
    out = tmp_path / "a.mp4"
    out.write_bytes(b"old")
    before = signal.getsignal(signal.SIGTERM)
    assert explorer("render", "classify", photo, "--film", out, "--overwrite") == (
        status, "", says,
    )  # fmt: skip
    assert signal.getsignal(signal.SIGTERM) == before
    assert closed == ["closed"]
    assert out.read_bytes() == b"old"
    assert {path.name for path in tmp_path.iterdir()} == {"a.mp4", "photo.png"}


@pytest.mark.usefixtures("toys")
def test_equal_seeds_give_equal_pictures(explorer: Run, photo: Path, tmp_path: Path) -> None:
    pictures = []
    for name in ("a.png", "b.png"):
        argv = ("render", "deep_dream", photo, "-o", tmp_path / name, "--pane", "dream")
        assert explorer(*argv, *SHORT_DREAM, "--seed", 5)[0] == 0
        with Image.open(tmp_path / name) as picture:
            pictures.append(np.asarray(picture))
    assert np.array_equal(*pictures)


def test_a_real_run_loads_no_qt(tmp_path: Path) -> None:
    photo, out = _photo(tmp_path / "photo.png"), tmp_path / "a.png"
    program = (
        "import sys\n"
        "from explorer.__main__ import main\n"
        "status = main(sys.argv[1:])\n"
        "qt = {'PySide6', 'pyqtgraph'} & set(sys.modules)\n"
        "assert not qt, qt\n"
        "sys.exit(status)\n"
    )
    words = [
        "render",
        "classify",
        photo,
        "--network",
        "squeezenet1_1",
        "--weights",
        "none",
        "-o",
        out,
    ]
    run = subprocess.run(
        [sys.executable, "-c", program, *map(str, words)], capture_output=True, text=True,
        timeout=240, check=False,
    )  # fmt: skip
    assert (run.returncode, run.stderr) == (0, "")
    assert read_metadata(out)["network"]["name"] == "squeezenet1_1"
    assert read_metadata(out)["network"]["state"] == "untrained"


def test_the_exit_status_reaches_the_shell() -> None:
    command = [sys.executable, "-m", "explorer"]
    good = subprocess.run([*command, "--version"], capture_output=True, text=True, check=False)
    assert (good.returncode, good.stdout) == (0, f"Convnet Explorer {__version__}\n")
    bad = subprocess.run([*command, "--wrong"], capture_output=True, text=True, check=False)
    assert bad.returncode == 2
    assert _sentence(bad.stderr)


# -- outputs --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("out", "stems", "names"),
    [
        ("a.png", ["x"], ["a.png"]),
        ("a.png", ["x", "y"], ["a-x.png", "a-y.png"]),
        ("a.png", ["x", "x", "X"], ["a-x.png", "a-x-2.png", "a-X-3.png"]),
        ("f/", ["x", "y"], ["f/x.png", "f/y.png"]),
        ("{stem}_{n}.jpg", ["x", "y"], ["x_1.jpg", "y_2.jpg"]),
        ("{n}.png", ["x"] * 10, [f"{n:02}.png" for n in range(1, 11)]),
    ],
)
def test_every_photo_has_a_file_of_its_own(out: str, stems: list[str], names: list[str]) -> None:
    assert outputs(out, stems, ".png") == [Path(name) for name in names]


# -- progress -------------------------------------------------------------------------------------


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_terminal_gets_a_bar_that_goes_away() -> None:
    stream = _Terminal()
    progress = console.Progress(stream)
    progress.show("cat", 1, 4, "octave 1")
    progress.show("cat", 1, 4, "octave 1")
    progress.show("cat", 2, 4, "octave 1")
    progress.show("cat", 0, 0, "loading")
    progress.clear()
    progress.clear()
    drawn = stream.getvalue().split("\r\x1b[2K")
    assert drawn[1].startswith("cat ██████░")
    assert [line[-12:] for line in drawn[1:3]] == ["4/4"[:0] + "1/4 octave 1", "2/4 octave 1"]
    assert drawn[3].endswith("loading")
    assert drawn[4:] == [""]


def test_a_log_gets_no_bar() -> None:
    stream = io.StringIO()
    console.Progress(stream).show("cat", 1, 4)
    assert stream.getvalue() == ""


def test_words_that_a_terminal_cannot_show_do_not_end_the_program(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding="ascii"))
    console.say("Żółw 80 × 80")
    assert raw.getvalue() == f"???w 80 ? 80{os.linesep}".encode()
    monkeypatch.setattr(sys, "stdout", None)
    console.say("nobody reads this")


# -- doctor ---------------------------------------------------------------------------------------


def test_doctor_says_what_there_is(explorer: Run) -> None:
    status, out, err = explorer("doctor")
    assert err == ""
    assert status in (0, 1)
    for word in ("torch", "numpy", "cpu", "Folders", __version__):
        assert word in out
    assert ("No problem was found." in out) == (status == 0)


def test_doctor_for_programs(explorer: Run, home: Path) -> None:
    status, out, _ = explorer("doctor", "--json")
    report = json.loads(out)
    assert bool(report["problems"]) == (status == 1)
    assert report["folders"]["settings"] == str(home)
    assert report["packages"]["numpy"] == np.__version__


def test_doctor_lists_cameras(monkeypatch: pytest.MonkeyPatch) -> None:
    from explorer.live import cameras

    found = [("/dev/video0", "Desk"), ("/dev/video2", "Twin"), ("/dev/video4", "Twin")]
    monkeypatch.setattr(cameras, "connected", lambda: found)
    assert doctor.examine()["cameras"] == {
        "Desk": "/dev/video0",
        "Twin (/dev/video2)": "/dev/video2",
        "Twin (/dev/video4)": "/dev/video4",
    }
    monkeypatch.setattr(cameras, "connected", list)
    assert list(doctor.examine()["cameras"]) == ["none found"]


def test_doctor_finds_two_wheels_of_opencv(monkeypatch: pytest.MonkeyPatch) -> None:
    wheels = [
        types.SimpleNamespace(metadata={"Name": name})
        for name in ("opencv-python", "OpenCV-contrib-python-headless")
    ]
    monkeypatch.setattr(doctor, "distributions", lambda: wheels)
    problems = doctor.examine()["problems"]
    assert any("pip uninstall opencv-contrib-python-headless opencv-python" in p for p in problems)


@pytest.mark.parametrize(("qt", "bad"), [("6.9.1", True), ("6.11.0", True), ("6.8.3", False)])
def test_doctor_knows_the_versions_of_qt_that_break(
    monkeypatch: pytest.MonkeyPatch, qt: str, bad: bool
) -> None:
    monkeypatch.setattr(doctor, "version", lambda name: qt if name.startswith("PySide6") else "1")
    monkeypatch.setattr(doctor, "distributions", list)
    problems = doctor.examine()["problems"]
    assert any("PySide6" in problem for problem in problems) == bad


def test_doctor_names_missing_libraries(explorer: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    from explorer.ui.shell import display_check as display

    monkeypatch.setattr(display, "missing_packages", lambda: ("libegl1", "libgl1"))
    status, out, _ = explorer("doctor")
    assert status == 1
    assert "apt-get install --no-install-recommends libegl1 libgl1" in out
