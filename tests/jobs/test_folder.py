"""The jobs with a network: what they write is what the network computed."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest
import torch

from explorer import views
from explorer.annotations.coco import read_coco
from explorer.batch import embed as embedding
from explorer.batch.index import job as indexing
from explorer.batch.job import Recipe
from explorer.batch.run import Local, Report, Wish, run
from explorer.core.errors import ExplorerError
from explorer.engine.scene import Scene
from explorer.images.image import open_image
from explorer.jobs import FOLDER_JOBS, folder
from explorer.networks.network import Network
from explorer.networks.preprocess import Preprocess
from tests.toys import MeanClassifier, ToyConvNet, make_network, toy_image, toy_network


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("photos")
    for number, size in enumerate([(48, 64), (48, 64), (60, 40), (48, 64)]):
        PIL.Image.fromarray(toy_image(*size, seed=number).pixels).save(place / f"{number}.png")
    (place / "bad.png").write_bytes(b"no picture")
    return place


def job(
    network: Network, name: str, photos: Path, out: Path, monkeypatch: pytest.MonkeyPatch,
    batch: int = 1, **params: Any,
) -> Report:  # fmt: skip
    for module in (embedding, indexing, folder):
        monkeypatch.setattr(module, "loaded", lambda spec: network)
    params["spec"] = {"name": "toy"}
    wish = Wish(Recipe(FOLDER_JOBS[name], params), (str(photos),), out, batch)
    return list(run(wish, Local(2)))[-1].value


def toy_classifier() -> Network:
    classes = ("red", "green", "blue")
    return make_network(MeanClassifier(), "classification", classes=classes)


def test_boxes_are_those_of_the_view(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    network = toy_network("detection")
    view = views.find("detections")
    settings = {"score": "0.0"}
    report = job(
        network, "predict", photos, tmp_path / "out", monkeypatch, view="detections", set=settings
    )
    words = "bad.png is not a picture in a known format."
    assert report.failures == (("bad.png", words, str(photos / "bad.png")),)
    found = read_coco(tmp_path / "out" / "predictions.json")
    assert [photo.name for photo in found.photos] == ["0.png", "1.png", "2.png", "3.png"]
    total = 0
    for photo in found.photos:
        params = view.Params(score=0.0)
        (step,) = view.compute(Scene(network, open_image(photos / photo.name)), params)
        assert view.data is not None
        boxes = view.data(step.value, params)["boxes"]
        mine = [(e.box.x0, e.box.y0, e.box.x1, e.box.y1) for e in photo.entries]
        np.testing.assert_allclose(np.array(mine).reshape(-1, 4), boxes, rtol=0, atol=1e-5)
        total += len(boxes)
    assert total > 0


@pytest.mark.parametrize("batch", [1, 3])
def test_classes_go_into_a_table(
    batch: int, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    network = toy_classifier()
    report = job(
        network, "predict", photos, tmp_path / "out", monkeypatch, batch, view="classify",
        set={"top": "1"},
    )  # fmt: skip
    assert report.outputs == ("predictions.csv", "failures.csv")
    with (tmp_path / "out" / "predictions.csv").open(newline="") as file:
        table = list(csv.DictReader(file))
    assert [line["photo"] for line in table] == ["0.png", "1.png", "2.png", "3.png"]
    for line in table:
        values = network.preprocess(open_image(photos / line["photo"]).pixels)
        logits = network.module(values)[0]
        assert line["class"] == network.info.classes[int(logits.argmax())]
        assert float(line["logit"]) == pytest.approx(float(logits.max()), abs=1e-3)


def test_masks_are_those_of_the_view(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    network, view = toy_network("segmentation"), views.find("semantic")
    job(network, "predict", photos, tmp_path / "out", monkeypatch, view="semantic")
    masks = tmp_path / "out" / "masks"
    assert "1: red" in (masks / "classes.yaml").read_text()
    for name in ("0.png", "1.png", "2.png", "3.png"):
        with PIL.Image.open(masks / name) as picture:
            assert picture.mode == "P"
            mask = np.array(picture)
        params = view.Params()
        (step,) = view.compute(Scene(network, open_image(photos / name)), params)
        assert view.mask is not None
        np.testing.assert_array_equal(mask, view.mask(step.value, params).index)


@pytest.mark.parametrize("whole", [False, True])
def test_features_are_the_output_of_the_layer(
    whole: bool, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    resized = Preprocess(resize=(32, 32))
    network = make_network(ToyConvNet(), "classification", preprocess=resized)
    job(network, "embed", photos, tmp_path / "out", monkeypatch, 2, layer="conv2", whole=whole)
    features = np.load(tmp_path / "out" / "features.npy")
    with (tmp_path / "out" / "photos.csv").open(newline="") as file:
        names = [line["photo"] for line in csv.DictReader(file)]
    assert names == ["0.png", "1.png", "2.png", "3.png"]
    kept: list[torch.Tensor] = []
    handle = network.module.conv2.register_forward_hook(lambda *a: kept.append(a[2].clone()))
    with torch.no_grad():
        for name in names:
            network.module(network.preprocess(open_image(photos / name).pixels))
    handle.remove()
    expected = torch.cat(kept) if whole else torch.cat(kept).mean((2, 3))
    np.testing.assert_allclose(features, expected.numpy(), atol=1e-6)


def test_features_are_by_default_the_input_of_the_head(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    network = make_network(ToyConvNet(), "classification")
    job(network, "embed", photos, tmp_path / "out", monkeypatch, 3)
    features = np.load(tmp_path / "out" / "features.npy")
    assert features.shape == (4, 8)
    for row, name in zip(features, ("0.png", "1.png", "2.png", "3.png"), strict=True):
        with torch.no_grad():
            logits = network.module(network.preprocess(open_image(photos / name).pixels))[0]
            mine = network.module.fc(torch.from_numpy(row))
        np.testing.assert_allclose(mine, logits, atol=1e-5)


def test_an_index_knows_the_photos_that_have_not_changed(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = tmp_path / "photos"
    shutil.copytree(photos, own)
    network = make_network(ToyConvNet(), "classification", preprocess=Preprocess(resize=(32, 32)))
    how: dict[str, Any] = {"layer": "conv2", "format": "peaks"}
    report = job(network, "index", own, tmp_path / "first", monkeypatch, 2, **how)
    assert report.outputs == ("index", "failures.csv")
    PIL.Image.fromarray(toy_image(48, 64, seed=9).pixels).save(own / "1.png")
    runs = []
    handle = network.module.register_forward_pre_hook(lambda _, given: runs.append(len(given[0])))
    how["known"] = str(tmp_path / "first")
    job(network, "index", own, tmp_path / "second", monkeypatch, 2, **how)
    handle.remove()
    assert sum(runs) == 1, "one photo was replaced"
    whole = job(network, "index", own, tmp_path / "third", monkeypatch, 2, **how | {"known": ""})
    assert whole.complete
    about = {"layer": "conv2", "kind": "peaks"}
    second, third = (
        indexing.opened(tmp_path / name, {**indexing.about(network, "conv2", "peaks"), **about})
        for name in ("second", "third")
    )
    assert list(second) == list(third)
    for key, entry in second.items():
        np.testing.assert_array_equal(entry.arrays["peak"], third[key].arrays["peak"])
    with pytest.raises(ExplorerError, match="another kind: peaks instead of features"):
        indexing.opened(tmp_path / "third", indexing.about(network, "conv2", "features"))


def test_pictures_are_those_of_render(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job(
        toy_classifier(), "render", photos, tmp_path / "out", monkeypatch, view="classify",
        pane="image",
    )  # fmt: skip
    written = sorted(path.name for path in (tmp_path / "out" / "pictures").iterdir())
    assert written == ["0.png", "1.png", "2.png", "3.png"]
    with PIL.Image.open(tmp_path / "out" / "pictures" / "2.png") as picture:
        assert json.loads(picture.text["convnet-explorer"])["view"] == "classify"


def test_the_weights_belong_to_the_settings(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    how: dict[str, Any] = {"view": "classify"}
    job(toy_classifier(), "predict", photos, tmp_path / "out", monkeypatch, **how)
    other = make_network(MeanClassifier((3.0, 2.0, 1.0)), "classification",
                         classes=("red", "green", "blue"))  # fmt: skip
    with pytest.raises(ExplorerError, match="other settings: weights"):
        job(other, "predict", photos, tmp_path / "out", monkeypatch, **how)
    how["set"] = {"top": "2"}
    with pytest.raises(ExplorerError, match="other settings: parameters"):
        job(toy_classifier(), "predict", photos, tmp_path / "out", monkeypatch, **how)


@pytest.mark.parametrize(
    ("name", "params", "words"),
    [
        ("predict", {"view": "classify", "format": "coco"}, "has no boxes to write"),
        ("predict", {"view": "classify", "format": "yolo"}, "need the classes of a detector"),
        ("predict", {"view": "classify", "format": "png"}, "has no masks to write"),
        ("predict", {"view": "classify", "format": "doc"}, "cannot be written as doc"),
        ("predict", {"view": "detections"}, "needs a network for detection"),
        ("predict", {"view": "evaluation"}, "needs no photo"),
        ("render", {"view": "classify", "format": "gif"}, "cannot be written as gif"),
        ("embed", {"layer": "nowhere"}, "has no layer 'nowhere'"),
        ("index", {"layer": "nowhere"}, "has no layer 'nowhere'"),
        ("index", {"format": "csv"}, "no index of csv"),
        ("index", {"known": "."}, "holds no index"),
    ],
)
def test_what_does_not_go_together_is_one_sentence(
    name: str, params: dict[str, Any], words: str, photos: Path, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    with pytest.raises(ExplorerError, match=words):
        job(toy_classifier(), name, photos, tmp_path / "out", monkeypatch, **params)
