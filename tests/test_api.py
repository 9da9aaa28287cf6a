"""The Python door: what goes in, what comes out, what stays on a network (nothing)."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest
import torch
from torch import Tensor, nn

import explorer
from explorer import ExplorerError
from explorer.engine import progress
from explorer.images.image import from_array
from explorer.images.samples import sample
from explorer.networks.preprocess import Preprocess
from explorer.saving.masks import save_mask
from tests.toys import FixedSegmenter, MeanClassifier, ToyConvNet, hook_count, tiny_faster_rcnn

ROOT = Path(__file__).parents[1]


def python(*argv: str, folder: Path | None = None, threads: int = 1) -> str:
    """What a new process says; it must end well."""
    env = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": str(threads)}
    done = subprocess.run(
        [sys.executable, *argv], env=env, cwd=folder, capture_output=True, text=True, timeout=240
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    rng = np.random.default_rng(4)
    place = tmp_path / "photo.png"
    PIL.Image.fromarray(rng.integers(0, 255, (60, 80, 3), np.uint8)).save(place)
    return place


def equal(one: Any, other: Any) -> None:
    """Two answers' data, to the last bit."""
    assert one.keys() == other.keys()
    for name in one:
        np.testing.assert_array_equal(one[name], other[name], err_msg=name)


# -- the package ----------------------------------------------------------------------------------


def test_the_import_is_light_and_the_names_are_there() -> None:
    code = (
        "import sys, explorer\n"
        "heavy = {'torch', 'PySide6', 'numpy', 'cv2', 'PIL'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
        "assert {'look', 'steps', 'load', 'views', 'networks'} <= set(dir(explorer))\n"
        "for name in explorer.__all__: getattr(explorer, name)\n"
        "explorer.look('classify', 'cat')\n"
        "assert not [name for name in sys.modules if name.startswith('PySide6')]\n"
        "try: explorer.nix\n"
        "except AttributeError as error: print(error)\n"
    )
    assert python("-c", code).strip() == "module 'explorer' has no attribute 'nix'"


def test_views_and_networks_are_packages_and_lists() -> None:
    from explorer.views import find

    assert explorer.views()["classify"] is find("classify")
    assert "classify  " in repr(explorer.views())
    assert explorer.networks()["mini-resnet"].state == "shipped"
    assert "mini-resnet " in repr(explorer.networks())


def test_parameters_say_what_they_take() -> None:
    known = explorer.parameters("classify")
    assert known["top"].default == 5
    assert "5 (1 to 50)" in repr(known)


def test_no_parameter_of_a_view_is_called_like_one_of_look() -> None:
    taken = {"view", "photo", "network", "seed", "device"}
    for name in explorer.views():
        assert not taken & set(explorer.parameters(name)), name


def test_a_view_is_explained_in_words_and_for_a_notebook() -> None:
    text = explorer.explain("anchors")
    assert text.startswith("# Anchors")
    assert "four offsets t that turn it into a refined box" in text
    assert "\n    x = x_a + w_a t_x" in text
    assert "Sources" in text
    assert r"\begin{aligned}" in text._repr_markdown_()
    with pytest.raises(explorer.ExplorerError, match="anchors"):
        explorer.explain("anchor")


# -- the photo ------------------------------------------------------------------------------------


def test_every_form_of_a_photo_gives_the_same_numbers(photo: Path) -> None:
    with PIL.Image.open(photo) as picture:
        forms = [
            photo, str(photo), explorer.photo(photo), picture, picture.convert("RGBA"),
            np.asarray(picture),
        ]  # fmt: skip
        answers = [explorer.look("classify", form, network="mini-resnet") for form in forms]
    for other in answers[1:]:
        equal(answers[0].data, other.data)


def test_a_picture_of_pillow_is_turned_upright(photo: Path, tmp_path: Path) -> None:
    turned = tmp_path / "turned.jpg"
    with PIL.Image.open(photo) as picture:
        exif = PIL.Image.Exif()
        exif[0x0112] = 6
        picture.save(turned, exif=exif)
    with PIL.Image.open(turned) as picture:
        answer = explorer.look("classify", picture)
    equal(answer.data, explorer.look("classify", turned).data)
    assert any("upright" in note for note in answer.notes)
    assert answer.photo_info.name == "turned.jpg"


def test_gallery_names_give_way_to_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cat = sample("cat")
    assert cat is not None
    assert explorer.photo("cat").key == cat.load().key
    monkeypatch.chdir(tmp_path)
    PIL.Image.new("RGB", (9, 9)).save("cat", "PNG")
    assert explorer.photo("cat").width == 9


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (None, "needs a photo"),
        (3, "of type int"),
        (np.zeros((3, 9, 9, 9)), r"shape \(3, 9, 9, 9\)"),
        ("nix.png", "does not exist"),
    ],
)
def test_what_is_no_photo_is_said(given: Any, words: str) -> None:
    with pytest.raises(ExplorerError, match=words):
        explorer.look("classify", given)


# -- the words ------------------------------------------------------------------------------------


def test_wrong_words_name_the_right_ones(photo: Path) -> None:
    with pytest.raises(ExplorerError, match=r"no view 'clasify'\. Did you mean classify"):
        explorer.look("clasify", photo)
    with pytest.raises(ExplorerError, match=r"'topp'\. Choose among: top, show_input"):
        explorer.look("classify", photo, topp=3)
    with pytest.raises(ExplorerError, match="It takes a whole number, 1 to 50"):
        explorer.look("classify", photo, top=2.5)
    with pytest.raises(ExplorerError, match="Did you mean mini-resnet"):
        explorer.look("classify", photo, network="mini-resnett")
    with pytest.raises(ExplorerError, match="has no choice 'nix'"):
        explorer.look("feature_maps", photo, network="mini-resnet", layer="nix")
    with pytest.raises(ExplorerError, match="needs a network for detection"):
        explorer.look("anchors", photo, network="mini-resnet")
    with pytest.raises(ExplorerError, match="not a device"):
        explorer.look("classify", photo, network="mini-resnet", device="abacus")


def test_steps_refuse_before_the_first_step(photo: Path) -> None:
    with pytest.raises(ExplorerError, match="no parameter"):
        explorer.steps("deep_dream", photo, nix=1)


def test_a_place_beside_the_photo_is_moved_inside_and_said(photo: Path) -> None:
    with pytest.warns(UserWarning, match=r"photo.png: place lies outside the 80 x 60 pixels"):
        moved = explorer.look("anchors", photo, network="lite-fasterrcnn", place=(500, 30))
    edge = explorer.look("anchors", photo, network="lite-fasterrcnn", place=(79.5, 30))
    equal(moved.data, edge.data)


# -- steps ----------------------------------------------------------------------------------------


def test_steps_count_and_the_last_one_is_the_answer(photo: Path) -> None:
    asked: dict[str, Any] = {"network": "mini-resnet", "size": 64, "octaves": 2, "steps": 2}
    every = list(explorer.steps("deep_dream", photo, seed=3, **asked))
    assert [answer.done for answer in every] == [1, 2, 3, 4]
    assert {answer.total for answer in every} == {4}
    assert all("octave" in answer.note for answer in every)
    equal(every[-1].data, explorer.look("deep_dream", photo, seed=3, **asked).data)
    other = explorer.look("deep_dream", photo, seed=4, **asked)
    assert (other.data["picture"] != every[-1].data["picture"]).any()


def test_leaving_the_loop_leaves_nothing(photo: Path) -> None:
    network = explorer.load("mini-resnet")
    for answer in explorer.steps("deep_dream", photo, network=network, size=64):
        assert answer.done == 1
        break
    assert hook_count(network.module) == 0
    assert torch.is_grad_enabled()


# -- networks -------------------------------------------------------------------------------------


def test_a_network_that_was_loaded_answers_as_its_name(photo: Path) -> None:
    network = explorer.load("mini-resnet")
    by_name = explorer.look("classify", photo, network="mini-resnet")
    equal(explorer.look("classify", photo, network=network).data, by_name.data)
    with torch.no_grad():
        network.module.fc.bias[7] += 100
    changed = explorer.look("classify", photo, network=network)
    assert changed.data["index"][0] == 7, "what is changed in the module is seen"
    equal(explorer.look("classify", photo, network="mini-resnet").data, by_name.data)


def test_a_checkpoint_is_loaded_by_its_path(photo: Path, tmp_path: Path) -> None:
    place = tmp_path / "my.pth"
    torch.save(explorer.load("mini-resnet", weights="none").module.state_dict(), place)
    network = explorer.load("mini-resnet", weights=place, device="cpu")
    assert repr(network) == "<Network Mini ResNet: classification, my.pth, on cpu>"
    assert network.info.state == "local"


def test_random_weights_say_it(photo: Path) -> None:
    network = explorer.load("mini-resnet", weights="none")
    answer = explorer.look("classify", photo, network=network)
    assert answer.notes[0].startswith("UNTRAINED")
    assert answer.metadata["network"]["state"] == "untrained"


def test_any_module_is_looked_at_and_left_as_it_was(photo: Path) -> None:
    body = (nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Dropout(0.5), nn.ReLU())
    module = nn.Sequential(*body, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3)).train()
    module[0].eval()
    module[6].bias.requires_grad_(False)
    modes = [part.training for part in module.modules()]
    wanted = [weight.requires_grad for weight in module.parameters()]
    state = {name: value.clone() for name, value in module.state_dict().items()}
    first = explorer.look("classify", photo, network=module)
    for answer in explorer.steps("feature_maps", photo, network=module, layer="0"):
        assert answer.data
        assert [part.training for part in module.modules()] == modes, "between the steps too"
    assert [part.training for part in module.modules()] == modes
    assert [weight.requires_grad for weight in module.parameters()] == wanted
    for name, value in module.state_dict().items():
        assert torch.equal(value, state[name]), name
    assert hook_count(module) == 0
    assert "Sequential is assumed to be a network for classification." in first.notes
    assert any("Preprocessing is assumed" in note for note in first.notes)
    equal(explorer.look("classify", photo, network=module).data, first.data)


def test_a_module_is_asked_anew_every_time(photo: Path) -> None:
    module = MeanClassifier()
    before = explorer.look("classify", photo, network=module).data["logit"].copy()
    module.fc.weight.data *= 2
    after = explorer.look("classify", photo, network=module).data["logit"]
    np.testing.assert_allclose(after, before * 2, rtol=1e-5)


class Narrow(nn.Module):
    """Takes gray pictures of 28 x 28 only."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, 2, 5)
        self.fc = nn.Linear(2 * 24 * 24, 10)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(self.conv(x).flatten(1))


@pytest.mark.parametrize(
    ("module", "task", "side", "channels"),
    [
        (ToyConvNet(), "classification", 224, 3),
        (Narrow(), "classification", 28, 1),
        (FixedSegmenter(), "segmentation", None, 3),
        (tiny_faster_rcnn(), "detection", None, 3),
        (nn.Conv2d(3, 4, 3, stride=2), "features", 224, 3),
    ],
)
def test_what_a_module_does_is_found_out(
    module: nn.Module, task: str, side: int | None, channels: int
) -> None:
    network = explorer.load(module)
    assert network.info.task == task
    assert network.preprocess.crop == side
    assert network.preprocess.channels == channels
    assert network.preprocess.batched == (task != "detection")


@pytest.mark.parametrize(
    ("view", "module"),
    [("semantic", FixedSegmenter()), ("detections", tiny_faster_rcnn()), ("classify", Narrow())],
)
def test_modules_of_every_task_are_looked_at(photo: Path, view: str, module: nn.Module) -> None:
    assert explorer.look(view, photo, network=module).rgb.std() > 1


def test_what_is_known_of_a_module_can_be_told(photo: Path) -> None:
    plain = Preprocess()
    network = explorer.load(
        MeanClassifier(), task="classification", classes=["red", "green", "blue"], preprocess=plain
    )
    assert network.info.notes == ()
    answer = explorer.look("classify", photo, network=network)
    mean = np.asarray(PIL.Image.open(photo)).mean(axis=(0, 1)) / 255
    wanted = dict(zip(("red", "green", "blue"), mean * (1, 2, 4), strict=True))
    found = dict(zip(answer.data["class"], answer.data["logit"], strict=True))
    assert found == pytest.approx(wanted, rel=1e-5)


def test_wrong_ways_to_load_are_sentences() -> None:
    with pytest.raises(ExplorerError, match="has its own weights"):
        explorer.load(MeanClassifier(), weights="my.pth")
    with pytest.raises(ExplorerError, match="preprocessing of the network 'mini-resnet' are fixed"):
        explorer.load("mini-resnet", task="detection")
    with pytest.raises(ExplorerError, match="no task 'sing'"):
        explorer.load(MeanClassifier(), task="sing")  # type: ignore[arg-type]
    with pytest.raises(ExplorerError, match="accepts no square input"):
        explorer.load(nn.Linear(7, 7))
    with pytest.raises(ExplorerError, match="on cpu, not on cuda"):
        explorer.look("classify", "cat", network=MeanClassifier(), device="cuda")


# -- ending early ---------------------------------------------------------------------------------


class Interrupts(ToyConvNet):
    """Ctrl+C comes while it answers, at the call `at`."""

    def __init__(self, at: int) -> None:
        super().__init__()
        self.at, self.calls = at, 0

    def forward(self, x: Tensor) -> Tensor:
        self.calls += 1
        values = self.conv1(x)
        if self.calls == self.at:
            raise KeyboardInterrupt
        return self.fc(self.pool(self.conv2(self.relu(values))).flatten(1))


@pytest.mark.parametrize(
    ("view", "more"), [("classify", {}), ("feature_maps", {"layer": "conv2"}), ("deep_dream", {})]
)
@pytest.mark.parametrize("at", [1, 2])
def test_ctrl_c_leaves_no_hook(photo: Path, view: str, more: dict[str, Any], at: int) -> None:
    module = Interrupts(at).train()
    network = explorer.load(module, task="classification", preprocess=Preprocess(resize=32))
    try:
        for _ in range(2):
            explorer.look(view, photo, network=network, **more)
    except KeyboardInterrupt:
        pass
    else:
        pytest.fail("it was not interrupted")
    assert hook_count(module) == 0
    assert torch.is_grad_enabled()
    assert all(part.training for part in module.modules())
    assert all(weight.requires_grad for weight in module.parameters())


# -- progress -------------------------------------------------------------------------------------


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_terminal_gets_a_bar_that_goes_away(photo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    explorer.look("deep_dream", photo, network="mini-resnet", size=64, octaves=1, steps=2)
    said = terminal.getvalue()
    assert "DeepDream" in said
    assert "2/2" in said
    assert said.endswith("\r\x1b[2K")


def test_a_log_gets_nothing(photo: Path, capfd: pytest.CaptureFixture[str]) -> None:
    explorer.look("deep_dream", photo, network="mini-resnet", size=64, octaves=1, steps=2)
    assert capfd.readouterr() == ("", "")


def test_a_notebook_gets_one_display_that_is_emptied(monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[Any] = []
    monkeypatch.setattr(progress, "PATIENCE", 0.0)
    monkeypatch.setattr(progress, "OFTEN", 0.0)

    class Handle:
        update = shown.append

    def display(bar: Any, *, display_id: bool) -> Handle:
        assert display_id
        shown.append(bar)
        return Handle()

    bar = progress.NotebookProgress(display)
    bar.show("Dream <1>", 1, 4, "octave 1")
    bar.show("Dream <1>", 2, 4)
    bar.clear()
    assert [repr(each) for each in shown] == ["Dream <1> 1/4 octave 1", "Dream <1> 2/4", ""]
    assert 'value="1" max="4"' in shown[0]._repr_html_()
    assert "Dream &lt;1&gt; octave 1" in shown[0]._repr_html_()
    assert shown[-1]._repr_html_() == ""


def test_short_work_leaves_nothing_in_a_notebook() -> None:
    bar = progress.NotebookProgress(lambda *_, **__: pytest.fail("it was shown"))
    bar.show("Classify", 1, 1)
    bar.clear()


# -- the same everywhere --------------------------------------------------------------------------

QUESTIONS: dict[str, dict[str, Any]] = {
    "classify": {"network": "mini-resnet", "top": 3, "temperature": 1.7},
    "detections": {"network": "lite-fasterrcnn", "score": 0.2},
    "feature_maps": {"network": "mini-resnet", "layer": "layer2", "channel": 5},
    "anchors": {"network": "lite-fasterrcnn", "at": (40.5, 31.25)},
    "deep_dream": {
        "network": "mini-resnet", "seed": 11, "steps": 2, "octaves": 2, "size": 96, "step": 0.0213,
    },
}  # fmt: skip


def test_copy_as_python_gives_the_same_bits(photo: Path, tmp_path: Path) -> None:
    scripts = []
    for view, asked in QUESTIONS.items():
        answer = explorer.look(view, photo, **asked)
        answer.save(tmp_path / f"{view}-here.npz")
        scripts.append(answer.as_python([str(tmp_path / f"{view}-there.npz")]))
    (tmp_path / "all.py").write_text("\n".join(scripts), encoding="utf-8")
    # Sums are rounded in the order of the threads that made them.
    python(str(tmp_path / "all.py"), threads=torch.get_num_threads())
    for view in QUESTIONS:
        here, there = (np.load(tmp_path / f"{view}-{place}.npz") for place in ("here", "there"))
        assert set(here) - {"metadata"}
        assert set(here) == set(there)
        for name in here:
            np.testing.assert_array_equal(here[name], there[name], err_msg=f"{view}: {name}")
        assert json.loads(str(here["metadata"]))["seed"] == QUESTIONS[view].get("seed", 0)


def test_render_as_python_gives_the_files_of_render(
    photo: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    from explorer.__main__ import main

    words = ["render", "detections", str(photo), "--set", "score=0.2", "--network",
             "lite-fasterrcnn", "-o", "a.png", "--data", "a.json"]  # fmt: skip
    here, there = tmp_path / "here", tmp_path / "there"
    for folder in (here, there):
        folder.mkdir()
    monkeypatch.chdir(here)
    assert main(words) == 0
    monkeypatch.chdir(there)
    capsys.readouterr()
    assert main([*words, "--as-python"]) == 0
    script = capsys.readouterr().out
    assert not list(there.iterdir()), "nothing is written yet"
    exec(compile(script, "script", "exec"), {})
    for name in ("a.png", "a.json"):
        assert (here / name).read_bytes() == (there / name).read_bytes(), name
    assert main([*words, "--as-python", "--film", "a.mp4"]) == 2
    assert main([*words, "--as-python", "--theme", "dark"]) == 2
    assert main(["render", "detections", "film.mp4", "--as-python"]) == 2
    assert "A script is for photos" in capsys.readouterr().err


def test_equal_arrays_have_equal_metadata(photo: Path) -> None:
    pixels = np.asarray(PIL.Image.open(photo))
    known = explorer.look("classify", pixels).metadata
    assert known["image"]["digest"] == from_array(pixels, "").key
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        json.dumps(known)


def test_a_mask_of_the_ground_truth_may_be_a_file(photo: Path, tmp_path: Path) -> None:
    """What a view has exported is a perfect ground truth."""
    first = explorer.look("semantic", photo, network="lite-fcn")
    assert first.mask is not None
    save_mask(tmp_path / "mask.png", first.mask)
    again = explorer.look("semantic", photo, network="lite-fcn", truth=tmp_path / "mask.png")
    assert "mIoU 1.00, pixel accuracy 100.0%" in again.summary
    with pytest.raises(ExplorerError, match="is not a mask"):
        explorer.look("semantic", photo, network="lite-fcn", truth=tmp_path / "classes.yaml")


def test_the_ground_truth_may_be_a_file(photo: Path, tmp_path: Path) -> None:
    file = tmp_path / "photo.txt"
    file.write_text("0 0.5 0.5 0.5 0.5\n7 0.5\n")
    (tmp_path / "classes.txt").write_text("dog\n")
    boxes = [(20, 15, 60, 45, "dog")]
    asked = {"view": "detections", "photo": photo, "network": "lite-fasterrcnn"}
    given = explorer.look(**asked, truth=boxes)
    for path in (file, str(file)):
        with pytest.warns(UserWarning, match="1 object was ignored"):
            read = explorer.look(**asked, truth=path)
        assert read.params.truth == given.params.truth
        equal(read.data, given.data)
    with pytest.raises(ExplorerError, match="does not exist"):
        explorer.look(**asked, truth=tmp_path / "none.txt")
    assert explorer.look(**asked, truth="1,2,3,4,dog").params.truth[0].label == "dog"
