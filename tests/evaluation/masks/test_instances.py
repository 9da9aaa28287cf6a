"""Instance AP and mean IoU equal pycocotools and a plain confusion matrix, on the same photos."""

from __future__ import annotations

import contextlib
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from explorer.core.network_info import NetworkSpec
from explorer.engine.engine import Engine
from explorer.evaluation.cases import Truth
from explorer.evaluation.datasets import open_source
from explorer.evaluation.masks.scores import MaskBoxes
from explorer.evaluation.metrics import Objects
from explorer.evaluation.run import evaluate
from explorer.evaluation.scores import Look
from explorer.images.image import open_image
from explorer.images.outlines import run_lengths
from explorer.networks.network import Network
from explorer.networks.preprocess import Frame
from explorer.vision.features.segmentation import scores_of
from tests.data import shared_data
from tests.steps import finish

FEW = 6


def loaded(name: str) -> Network:
    network, _ = finish(Engine().network(NetworkSpec(name)))
    return network


def data_path(name: str) -> Path:
    found = shared_data(name)
    if found is None:
        pytest.skip(f"{name} is not there")
    return found


def few_photos(tmp_path: Path) -> Path:
    """A COCO file with the masks of the first few photos."""
    folder = data_path("coco-mini")
    content = json.loads((folder / "instance_masks.json").read_text())
    content["images"] = content["images"][:FEW]
    kept = {image["id"] for image in content["images"]}
    content["annotations"] = [a for a in content["annotations"] if a["image_id"] in kept]
    path = tmp_path / "instances.json"
    path.write_text(json.dumps(content))
    return path


@pytest.mark.filterwarnings("ignore:__array__:DeprecationWarning")  # of pycocotools
def test_instance_ap_is_pycocotools(tmp_path: Path) -> None:
    coco = pytest.importorskip("pycocotools.coco")
    evaluation = pytest.importorskip("pycocotools.cocoeval")
    coding = pytest.importorskip("pycocotools.mask")
    path, images = few_photos(tmp_path), data_path("coco-mini") / "images"
    network = loaded("lite-maskrcnn")
    source = open_source(path, "detection", images)
    report = list(evaluate(network, source))[-1].value
    assert report.photos == FEW

    with contextlib.redirect_stdout(io.StringIO()):
        known = coco.COCO(str(path))
        ids = {c["name"]: c["id"] for c in known.dataset["categories"]}
        rows: list[dict[str, Any]] = []
        for image in known.dataset["images"]:
            pixels = open_image(images / image["file_name"]).pixels
            assert pixels.shape[:2] == (image["height"], image["width"])
            with torch.no_grad():
                (own,) = network.module([network.preprocess(pixels)[0]])
            parts = zip(
                own["masks"][:, 0], own["labels"].tolist(), own["scores"].tolist(), strict=True
            )
            for mask, label, score in parts:
                name = network.info.classes[label]
                if name in ids:
                    inside = np.asfortranarray(mask.numpy() >= 0.5, np.uint8)
                    rows.append(
                        {
                            "image_id": image["id"],
                            "category_id": ids[name],
                            "segmentation": coding.encode(inside),
                            "score": score,
                        }
                    )
        theirs = evaluation.COCOeval(known, known.loadRes(rows), "segm")
        theirs.evaluate()
        theirs.accumulate()
        theirs.summarize()
    ours = [report.figures[key] for key in ("mask_AP", "mask_AP50", "mask_AP75", "mask_AR")]
    assert ours == pytest.approx([theirs.stats[k] for k in (0, 1, 2, 8)], abs=1e-6)
    assert ours[1] > 0.1


def test_mean_iou_and_accuracy_are_those_of_a_plain_confusion_matrix() -> None:
    network = loaded("lite-fcn")
    folder = data_path("coco-mini")
    source = open_source(folder / "semantic_masks", "segmentation", folder / "images")
    report = list(evaluate(network, source, limit=FEW))[-1].value
    names = [name.casefold() for name in network.info.classes]
    lines = (folder / "semantic_classes.yaml").read_text().splitlines()
    counts = np.zeros((len(names), len(names)), np.int64)
    matched = {a: names.index(b.casefold()) for a, b in report.matched.items()}
    table = np.full(256, -1)
    inside = False
    for line in lines:
        if line and not line[0].isspace():
            inside = line.startswith("classes")
        elif inside and ":" in line:
            number, name = (word.strip().strip("\"'") for word in line.split(":", 1))
            if name != "unlabeled":
                table[int(number)] = matched.get(name, 0)
    for name, path in report.cases:
        pixels = open_image(Path(path)).pixels
        truth = table[np.array(Image.open(folder / "semantic_masks" / f"{Path(name).stem}.png"))]
        values = network.preprocess(pixels)
        with torch.no_grad():
            found = scores_of(network.module(values), tuple(values.shape[-2:])).argmax(0).numpy()
        frame = network.preprocess.frame(*pixels.shape[:2])
        for y in range(pixels.shape[0]):
            row = int(np.floor((y + 0.5) * frame.sy + frame.ty))
            columns = np.floor((np.arange(pixels.shape[1]) + 0.5) * frame.sx + frame.tx).astype(int)
            there = (columns >= 0) & (columns < found.shape[1]) & (0 <= row < found.shape[0])
            there &= truth[y] >= 0
            np.add.at(counts, (truth[y][there], found[row, columns[there]]), 1)
    right, wanted, predicted = np.diag(counts), counts.sum(1), counts.sum(0)
    present = wanted > 0
    iou = right[present] / (wanted + predicted - right)[present]
    assert report.figures["mIoU"] == pytest.approx(iou.mean(), abs=1e-6)
    assert report.figures["pixel_accuracy"] == pytest.approx(right.sum() / counts.sum(), abs=1e-6)
    assert 0 < report.figures["boundary_F"] < 1


def look(outlines: list[np.ndarray], labels: list[int]) -> Look:
    boxes = np.array([[0, 0, 8, 8]] * len(labels), float).reshape(-1, 4)
    truth = Truth(
        objects=Objects.plain(boxes, np.array(labels, np.int64)),
        outlines=tuple(run_lengths(mask) for mask in outlines),
    )
    return Look(0, truth, Frame(), (8, 8), (8, 8))


def output(mask: np.ndarray, score: float = 0.9) -> list[dict[str, torch.Tensor]]:
    return [
        {
            "boxes": torch.tensor([[0.0, 0.0, 8.0, 8.0]]),
            "labels": torch.tensor([1]),
            "scores": torch.tensor([score]),
            "masks": torch.from_numpy(mask.astype(np.float32))[None, None],
        }
    ]


def square(side: int) -> np.ndarray:
    mask = np.zeros((8, 8), bool)
    mask[:side, :side] = True
    return mask


def test_masks_by_hand_and_resumed() -> None:
    """The box fits exactly, the mask of 36 of 64 pixels has an IoU of 0.5625: two thresholds."""
    score = MaskBoxes()
    score.add([look([square(8)], [1])], output(square(6)))
    figures, by_class = score.figures(("background", "x"))
    assert figures["AP"] == pytest.approx(1.0)
    assert figures["mask_AP"] == pytest.approx(0.2)
    assert figures["mask_AP50"] == pytest.approx(1.0)
    assert by_class["x"]["mask_AP"] == pytest.approx(0.2)
    other = MaskBoxes()
    other.extend(score.arrays())
    assert other.figures(("background", "x")) == (figures, by_class)


def test_an_object_without_a_mask_does_not_count_for_masks() -> None:
    score = MaskBoxes()
    score.add([look([square(8), square(0)], [1, 1])], output(square(8)))
    figures, _ = score.figures(("background", "x"))
    assert figures["mask_AP"] == pytest.approx(1.0)
    assert figures["AP"] < 1
