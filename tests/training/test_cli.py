"""`explorer train`: what is wrong is one sentence before anything is computed, nothing is lost."""

import argparse
import json
from pathlib import Path

import numpy as np
import pytest
import torch

from explorer.core.errors import ExplorerError
from explorer.training import cli
from explorer.training.checkpoints import load_average, load_checkpoint, read_checkpoint
from explorer.training.lessons.classifier import ClassifierTask, Phase
from explorer.training.loop import CONFIG, Interrupted, Recipe, train
from tests.training.pool_toy import write_pool
from tests.training.toy import CLASSES, toy_photos, write_data

RECIPE = Recipe(epochs=1, batch=4, peak=0.05, seed=3)


def explorer_train(*words):
    parser = argparse.ArgumentParser()
    cli.add_lesson(parser)
    return cli.run_lesson(parser.parse_args([str(word) for word in words]))


def refused(*words):
    with pytest.raises(ExplorerError) as caught:
        explorer_train(*words)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.fixture
def data(tmp_path):
    write_data(tmp_path / "data")
    return tmp_path / "data"


def toy_training(folder, stop_after=2):
    task = ClassifierTask(toy_photos(), RECIPE, 4, (Phase(1.0, (16,)),))
    with pytest.raises(Interrupted):
        train(
            task, RECIPE, folder, device=torch.device("cpu"), dtype=torch.float32,
            stop_after=stop_after,
        )  # fmt: skip
    return folder / "checkpoint.pt"


# -- data that is none


def test_a_folder_that_is_none_is_said(tmp_path):
    empty, file = tmp_path / "empty", tmp_path / "file"
    empty.mkdir()
    file.write_text("x")
    out = tmp_path / "out"
    for name in ("mini-resnet", "lite-fasterrcnn", "fixed-proposals"):
        assert "does not exist" in refused(name, "--data", tmp_path / "none", "--out", out)
        assert "is empty" in refused(name, "--data", empty, "--out", out)
        assert "is not a folder" in refused(name, "--data", file, "--out", out)
    assert not out.exists()


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("train.npz", b"PK\3\4 cut short", "is not an .npz file of photos"),
        ("train.npz", b"", "is not an .npz file of photos"),
        ("classes.tsv", b"\xff\xfe", "do not fit together"),
        ("classes.tsv", b"n999\tunheard of\n", "do not fit together"),
        ("classes.tsv", CLASSES.splitlines()[0].encode(), "train.npz has 4 classes"),
        ("wordnet_tree.tsv", b"a\tb\n1\t2\n", "do not fit together"),
        ("wordnet_tree.tsv", b"wnid\tparent\tname\nn1\tn1\tloop\n", "do not fit together"),
    ],
)
def test_odd_files_of_photos_are_said(data, tmp_path, name, content, words):
    (data / name).write_bytes(content)
    assert words in refused("mini-resnet", "--data", data, "--out", tmp_path / "out")


def test_photos_of_another_size_are_said(data, tmp_path):
    with np.load(data / "train.npz") as archive:
        arrays = dict(archive)
    arrays["jpeg"] = arrays["jpeg"].copy()
    arrays["jpeg"][:40] = 0
    np.savez(data / "train.npz", **arrays)
    assert "Photo 0 of" in refused("mini-resnet", "--data", data, "--out", tmp_path / "out")
    assert not list((tmp_path / "cache").iterdir()), "no half of a cache"


def test_odd_annotations_are_said(tmp_path):
    def said(**changes):
        path = folder / "instances.json"
        path.write_text(json.dumps({**whole, **changes}))
        return refused("lite-fasterrcnn", "--data", folder, "--out", tmp_path / "out")

    folder = write_pool(tmp_path / "pool", 40)
    whole = json.loads((folder / "instances.json").read_text())
    assert "lists no photos" in said(images=[], annotations=[])
    assert "No category of" in said(annotations=[])
    assert "cannot be read as COCO annotations" in said(annotations=[{"image_id": 0}])
    assert "cannot be read as COCO annotations" in said(images=[3])
    (folder / "images" / "7.png").unlink()
    assert "1 of 40 photos are missing" in said()


def test_what_is_measured_on_is_looked_at_first(data, tmp_path):
    empty = tmp_path / "empty"
    empty.mkdir()
    (tmp_path / "odd").mkdir()
    (tmp_path / "odd/readme.txt").write_text("nothing here")
    argv = ("mini-resnet", "--data", data, "--out", tmp_path / "out")
    for option in ("--coco", "--voc", "--joints"):
        assert "is empty" in refused(*argv, option, empty)
        assert refused(*argv, option, tmp_path / "odd")
    assert "is not a file" in refused(*argv, "--backbone", tmp_path / "none.pt")
    assert "out of range" in refused(*argv, "--epochs", -1)
    assert "out of range" in refused(*argv, "--threads", 0)
    assert not (tmp_path / "out").exists()


# -- nothing is lost


def test_files_of_somebody_else_stay(data, tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    argv = ("mini-resnet", "--data", data, "--out", out)
    for name in ("config.json", "checkpoint.pt"):
        (out / name).write_text("theirs")
        for more in ([], ["--fresh"]):
            assert "did not write it" in refused(*argv, *more)
        assert (out / name).read_text() == "theirs"
        (out / name).unlink()
    for name in ("config.json", "checkpoint.pt"):
        (data / name).write_text("theirs")
        argv = ("mini-resnet", "--data", data, "--out", data, "--fresh", "--overwrite")
        assert "is one of the inputs" in refused(*argv)
        assert (data / name).read_text() == "theirs"
        (data / name).unlink()


def test_weights_of_somebody_else_stay(data, tmp_path):
    target = tmp_path / "weights"
    target.mkdir()
    out = toy_training(tmp_path / "out").parent
    argv = ("mini-resnet", "--data", data, "--out", out, "--export", target)
    for name in ("mini-resnet.safetensors", "mini-resnet.json"):
        (target / name).write_text("theirs")
        assert "did not write it" in refused(*argv)
        assert (target / name).read_text() == "theirs"
        (target / name).unlink()
    fixed = target / "fixed-proposals.npz"
    fixed.write_text("theirs")
    argv = ("fixed-proposals", "--data", data, "--out", tmp_path / "p", "--export", target)
    assert "did not write it" in refused(*argv)
    assert "no checkpoint of a training" in refused(
        "mini-resnet", "--data", data, "--out", tmp_path / "none", "--export", target
    )


def test_a_checkpoint_that_is_read_is_not_written(data, tmp_path):
    (tmp_path / "resnet").mkdir()
    theirs = tmp_path / "resnet/checkpoint.pt"
    theirs.write_text("of another program")
    argv = ("lite-retinanet", "--data", data, "--backbone", theirs, "--out", theirs.parent)
    assert "is one of the inputs" in refused(*argv, "--fresh", "--overwrite")
    assert theirs.read_text() == "of another program"


def test_a_training_that_was_killed_before_its_first_checkpoint_begins_again(data, tmp_path):
    own = toy_training(tmp_path / "out")
    own.unlink()
    assert (own.parent / CONFIG).exists()
    args = argparse.Namespace(export=None, overwrite=False)
    from explorer.training.checks import check_written
    from explorer.training.lessons import classifier
    from explorer.training.lessons.registry import Material

    assert check_written("mini-resnet", classifier, Material(data, tmp_path), own.parent, args)


# -- checkpoints of the last release, and none


def test_a_training_of_the_last_release_goes_on(tmp_path):
    whole = toy_training(tmp_path / "new")
    content = torch.load(whole, weights_only=True)
    content["optimiser"] = content.pop("optimizer")
    del content["seconds"]
    torch.save(content, whole)
    assert read_checkpoint(whole)["optimizer"]["state"]
    assert load_average(whole)[1] == 2
    task = ClassifierTask(toy_photos(), RECIPE, 4, (Phase(1.0, (16,)),))
    state = train(task, RECIPE, whole.parent, device=torch.device("cpu"))
    assert state.step == 6
    assert "optimizer" in torch.load(whole, weights_only=True)


@pytest.mark.parametrize(
    "content", [b"", b"not a checkpoint", {"model": {}}, [1, 2], {"state_dict": {}}], ids=str
)
def test_what_is_no_checkpoint_is_said(tmp_path, content):
    path = tmp_path / "checkpoint.pt"
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        torch.save(content, path)
    for read in (load_average, lambda place: load_checkpoint(None, place)):
        with pytest.raises(ExplorerError, match="is not a checkpoint of a training"):
            read(path)
    with pytest.raises(ExplorerError, match="does not exist"):
        load_average(tmp_path / "none.pt")
    with pytest.raises(ExplorerError):
        load_average(Path("/dev/null/x"))
