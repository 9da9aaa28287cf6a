"""Whole evaluations on small data sets whose figures can be worked out by hand."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from explorer.core.errors import Cancelled, ExplorerError
from explorer.core.resources import resource_path
from explorer.evaluation.cases import Source
from explorer.evaluation.datasets import annotated_near, likely_task, open_source
from explorer.evaluation.report import Report, by_class_table, csv_of, json_of, sentences
from explorer.evaluation.run import compare, evaluate
from explorer.networks.class_names import read_shipped_categories
from explorer.networks.network import Network
from explorer.networks.preprocess import Preprocess
from tests.evaluation.sets import (
    BLUE,
    GREEN,
    RED,
    class_folders,
    coco_set,
    color_network,
    filled,
    mask_set,
    picture,
    voc_set,
)
from tests.toys import hook_count, make_network, toy_network
from tests.training.toy import toy_photos, write_npz


def whole(network: Network, source: Source, **how: Any) -> Report:
    steps = list(evaluate(network, source, **how))
    assert [step.done for step in steps] == list(range(1, len(steps) + 1))
    assert [step.value.complete for step in steps] == [*[False] * (len(steps) - 1), True]
    return steps[-1].value


def opened(path: Path, network: Network, images: Path | None = None) -> Source:
    return open_source(path, network.info.task, images)


# -- whole photos


def test_class_folders(tmp_path: Path) -> None:
    network = color_network("classification")
    report = whole(network, opened(class_folders(tmp_path), network))
    assert report.figures == {"top1": pytest.approx(4 / 5), "top5": 1.0}
    assert report.by_class == {
        "red": {"top1": pytest.approx(2 / 3), "top5": 1.0, "photos": 3},
        "green": {"top1": 1.0, "top5": 1.0, "photos": 2},
    }
    assert report.matched == {"red": "red", "Green": "green"}
    assert report.left_out == ("violet",)
    assert report.photos == report.wanted == 5
    assert any(
        "has no class for 1 class of the data set: violet." in words for words in sentences(report)
    )


def test_photos_of_other_sizes_go_through_together_where_they_can(tmp_path: Path) -> None:
    # Without a crop every size of a photo gives another size of input.
    network = color_network("classification", preprocess=Preprocess(resize=8))
    for number, size in enumerate([(16, 16), (16, 32), (16, 32), (32, 16)]):
        picture(tmp_path / "red" / f"{number}.png", (RED, (0, 0, *size[::-1])), size=size)
    sizes: list[tuple[int, ...]] = []
    hook = network.module.register_forward_pre_hook(lambda _m, args: sizes.append(args[0].shape))
    report = whole(network, opened(tmp_path, network))
    hook.remove()
    assert report.figures["top1"] == 1
    assert sizes == [(1, 3, 8, 8), (2, 3, 8, 16), (1, 3, 16, 8)]


def test_a_photo_that_cannot_be_read_is_skipped_and_named(tmp_path: Path) -> None:
    class_folders(tmp_path)
    (tmp_path / "red" / "b.png").write_bytes(b"no picture")
    network = color_network("classification")
    report = whole(network, opened(tmp_path, network))
    assert report.photos == 4
    assert report.wanted == 5
    assert [name for name, _ in report.skipped] == ["red/b.png"]
    assert any("1 photo was skipped: red/b.png" in words for words in sentences(report))
    for photo in tmp_path.rglob("*.png"):
        photo.write_bytes(b"no picture")
    with pytest.raises(ExplorerError, match="None of the photos can be read"):
        whole(network, opened(tmp_path, network))


def test_a_limit_takes_the_same_photos_of_all_classes(tmp_path: Path) -> None:
    for name, color in (("red", RED), ("green", GREEN)):
        for number in range(30):
            filled(tmp_path / name / f"{number}.png", color)
    network = color_network("classification")
    source = opened(tmp_path, network)
    notes = [[step.value for step in evaluate(network, source, limit=10)][-1] for _ in range(2)]
    assert notes[0].photos == 10
    assert set(notes[0].by_class) == {"red", "green"}
    assert notes[0].by_class == notes[1].by_class


def npz_set(root: Path, count: int = 8) -> Path:
    root.mkdir(parents=True, exist_ok=True)
    write_npz(root / "val.npz", toy_photos(count, classes=3))
    (root / "classes.tsv").write_text(
        "n02084071\tdog, domestic dog\nn02958343\tred, auto\nn09287968\thill\n"
    )
    (root / "wordnet_tree.tsv").write_text(
        "wnid\tparent\tname\nn02084071\tn0\tdog\nn02958343\tn0\tcar\nn09287968\tn0\thill\n"
        "n0\t\tentity\n"
    )
    return root / "val.npz"


def test_photos_of_an_npz_and_their_boxes(tmp_path: Path) -> None:
    # Class 0 is painted red, 1 green, 2 blue: a network that calls green "dog" is never right there
    names = ("DOG", "Auto", "hill")
    network = make_network(
        color_network("localization").module, "localization", classes=names,  # type: ignore[arg-type]
        preprocess=Preprocess(resize=64, crop=64),
    )  # fmt: skip
    path = npz_set(tmp_path)
    report = whole(network, opened(path, network))
    assert report.matched == {"dog": "DOG", "red": "Auto", "hill": "hill"}
    assert report.figures["top1"] == 1.0
    photos = toy_photos(8, classes=3)
    middle = np.array([16.0, 16, 48, 48])
    low, high = np.maximum(photos.boxes, middle)[:, :2], np.minimum(photos.boxes, middle)[:, 2:]
    shared = (high - low).prod(1)
    own = (photos.boxes[:, 2:] - photos.boxes[:, :2]).prod(1)
    wrong = shared / (own + 32 * 32 - shared) < 0.5
    assert 0 < wrong.sum() < 8
    assert report.figures["localization_error"] == pytest.approx(wrong.mean())
    swapped = make_network(
        network.module, "localization", classes=("Auto", "DOG", "hill"),  # type: ignore[arg-type]
        preprocess=network.preprocess,
    )  # fmt: skip
    worse = whole(swapped, opened(path, swapped))
    hills = (np.arange(8) % 3) == 2
    assert worse.figures["top1"] == pytest.approx(hills.mean())
    assert worse.figures["localization_error"] == pytest.approx(1 - (hills & ~wrong).mean())
    assert worse.figures["localization_error_top5"] == pytest.approx(wrong.mean())  # of 3 classes


def test_an_npz_without_names_has_the_classes_that_ship(tmp_path: Path) -> None:
    path = npz_set(tmp_path)
    for name in ("classes.tsv", "wordnet_tree.tsv"):
        (tmp_path / name).unlink()
    path.rename(tmp_path / "held_out.npz")
    first = read_shipped_categories(resource_path("classes", "tiny-imagenet.json"))[:3]
    network = make_network(
        color_network("classification").module, "classification",
        classes=tuple(c.name for c in first), preprocess=Preprocess(resize=64, crop=64),
    )  # fmt: skip
    report = whole(network, opened(tmp_path, network))
    assert report.figures["top1"] == 1.0
    assert len(report.matched) == 3
    assert any("classes.tsv" in note for note in report.notes)


def test_detectors_get_the_photos_with_their_boxes(tmp_path: Path) -> None:
    network = make_network(
        color_network("detection").module, "detection", classes=("background", "dog", "red")
    )
    path = npz_set(tmp_path)
    report = whole(network, opened(path, network))
    # Of eight photos those of class 0 and 1, painted red and green, which it calls dog and red
    assert report.matched == {"dog": "dog", "red": "red"}
    assert report.left_out == ("hill",)
    assert (report.photos, report.objects) == (6, 6)
    assert report.figures["AP50"] == pytest.approx(1.0)


# -- boxes


def test_coco(tmp_path: Path) -> None:
    network = color_network("detection")
    report = whole(network, opened(coco_set(tmp_path), network))
    for key in ("AP", "AP50", "AP75", "AR", "voc_AP"):
        assert report.figures[key] == pytest.approx(1.0)
    assert "voc_AP_11" not in report.figures
    assert report.by_class["green"]["objects"] == 2
    assert (report.objects, report.objects_left_out, report.left_out) == (3, 1, ("violet",))
    # The folder, its photos elsewhere, and a network that misses one of three
    (tmp_path / "images").rename(tmp_path / "elsewhere")
    with pytest.raises(ExplorerError, match=r"photos can be read\. one\.png does not"):
        whole(network, opened(tmp_path, network))
    (tmp_path / "elsewhere" / "two.png").unlink()
    picture(tmp_path / "elsewhere" / "two.bmp")  # they were converted since
    report = whole(network, opened(tmp_path, network, tmp_path / "elsewhere"), eleven_point=True)
    assert report.by_class["green"]["voc_AP"] == pytest.approx(0.5)
    assert report.by_class["green"]["voc_AP_11"] == pytest.approx(6 / 11)
    assert report.figures["voc_AP"] == pytest.approx(0.75)
    assert report.figures["voc_AP_11"] == pytest.approx((1 + 6 / 11) / 2)
    assert report.figures["AR"] == pytest.approx(0.75)


def test_photos_that_became_smaller_take_their_boxes_along(tmp_path: Path) -> None:
    path = coco_set(tmp_path)
    network = color_network("detection")
    one = picture(
        tmp_path / "images" / "one.png", (RED, (10, 10, 50, 50)), (GREEN, (60, 20, 100, 60)),
        size=(80, 120),
    )  # fmt: skip
    assert whole(network, opened(path, network)).figures["AP"] == pytest.approx(1.0)
    picture(one, size=(40, 20))
    report = whole(network, opened(path, network))
    assert [name for name, _ in report.skipped] == ["one.png"]
    assert "20 x 40 pixels, not 60 x 40" in report.skipped[0][1]


def test_voc(tmp_path: Path) -> None:
    network = color_network("detection")
    report = whole(network, opened(voc_set(tmp_path), network))
    # Two objects count, the difficult one does not; one box, and it is right.
    assert report.objects == 2
    assert report.figures["voc_AP"] == pytest.approx(0.5)
    assert report.figures["AR"] == pytest.approx(0.5)


def test_a_photo_of_one_object_is_a_photo_of_its_class(tmp_path: Path) -> None:
    path = coco_set(tmp_path)
    content = json.loads(path.read_text())
    content["annotations"] = content["annotations"][:3]  # two.png shows one green thing
    path.write_text(json.dumps(content))
    network = color_network("classification")
    report = whole(network, opened(path, network))
    assert (report.photos, report.figures["top1"]) == (1, 1.0)


# -- pixels


def test_masks(tmp_path: Path) -> None:
    network = color_network("segmentation")
    folder = mask_set(tmp_path)
    report = whole(network, opened(folder, network))
    # Red is said on 30 columns and right on 20 of 39 rows; the rest is background (class 0 wins
    # ties), where the unknown violet counts as such.
    red, background = report.by_class["red"], report.by_class["background"]
    # The border is predicted ten columns away from where it is.
    assert red == {"IoU": pytest.approx(20 / 30), "boundary_F": 0.0, "pixels": 20 * 39}
    assert background == {"IoU": pytest.approx(30 / 40), "boundary_F": 0.0, "pixels": 40 * 39}
    assert report.figures == {
        "mIoU": pytest.approx((20 / 30 + 30 / 40) / 2),
        "pixel_accuracy": pytest.approx(50 / 60),
        "boundary_F": 0.0,
    }
    assert any("count as background" in words for words in sentences(report))
    assert open_source(tmp_path, "segmentation").kind == "masks"


def test_masks_in_the_frame_of_the_photo(tmp_path: Path) -> None:
    """Half the size in, and a center crop: what was not seen does not count."""
    folder = mask_set(tmp_path)
    half = color_network("segmentation", preprocess=Preprocess(resize=(20, 30)))
    # Made smaller, the edge of the red half lies blurred in one input column: two more of the photo
    assert whole(half, opened(folder, half)).by_class["red"]["IoU"] == pytest.approx(20 / 32)
    crop = color_network("segmentation", preprocess=Preprocess(crop=40))
    report = whole(crop, opened(folder, crop))
    red = report.by_class["red"]
    assert red == {"IoU": pytest.approx(10 / 20), "boundary_F": 0.0, "pixels": 10 * 39}


def test_voc_masks(tmp_path: Path) -> None:
    network = make_network(
        color_network("segmentation").module, "segmentation",
        classes=("__background__", "airplane", "bicycle"),
    )  # fmt: skip
    picture(tmp_path / "JPEGImages" / "v.png", (RED, (0, 0, 30, 40)))
    mask = np.zeros((40, 60), np.uint8)
    mask[:, :30] = 1
    mask[:, 30:34] = 255
    picture_ = Image.fromarray(mask)
    picture_.putpalette(list(np.arange(256).repeat(3)))
    (tmp_path / "SegmentationClass").mkdir()
    picture_.save(tmp_path / "SegmentationClass" / "v.png")
    report = whole(network, opened(tmp_path, network))
    assert report.matched["aeroplane"] == "airplane"
    assert report.figures == {"mIoU": 1.0, "pixel_accuracy": 1.0}, "borders to 255 do not count"
    assert report.by_class["__background__"]["pixels"] == 26 * 40


def test_outlines_of_coco_become_masks(tmp_path: Path) -> None:
    network = color_network("segmentation")
    report = whole(network, opened(coco_set(tmp_path), network))
    assert report.figures["mIoU"] == pytest.approx(1.0)
    assert report.by_class["red"]["pixels"] == 20 * 20


def test_masks_that_do_not_fit_are_skipped_with_a_sentence(tmp_path: Path) -> None:
    network = color_network("segmentation")
    folder = mask_set(tmp_path)
    for name, mask in (
        ("small", np.zeros((4, 6), np.uint8)),
        ("colors", np.zeros((40, 60, 3), np.uint8)),
        ("unknown", np.full((40, 60), 77, np.uint8)),
    ):
        picture(tmp_path / "images" / f"{name}.png", (RED, (0, 0, 30, 40)))
        Image.fromarray(mask).save(folder / f"{name}.png")
    report = whole(network, opened(folder, network))
    assert report.photos == 1
    reasons = dict(report.skipped)
    assert "has 6 x 4 pixels, but small.png has 60 x 40" in reasons["small.png"]
    assert "colors instead of class indices" in reasons["colors.png"]
    assert "has the number 77" in reasons["unknown.png"]


def test_masks_without_a_pixel_that_counts(tmp_path: Path) -> None:
    network = color_network("segmentation")
    folder = mask_set(tmp_path)
    Image.fromarray(np.full((40, 60), 255, np.uint8)).save(folder / "m.png")
    report = whole(network, opened(folder, network))
    assert report.figures == {}
    assert "The masks of these photos have no pixel that counts" in report.notes[-1]


# -- what does not fit


@pytest.mark.parametrize(
    ("task", "make", "words"),
    [
        ("detection", class_folders, "has no boxes|but .* has none"),
        ("classification", voc_set, "no class per photo"),
        ("segmentation", class_folders, "has no masks"),
        ("segmentation", voc_set, "has no masks"),
    ],
)
def test_data_for_another_kind_of_network(tmp_path: Path, task: str, make: Any, words: str) -> None:
    network = color_network(task)
    with pytest.raises(ExplorerError, match=words):
        whole(network, opened(make(tmp_path), network))


def test_a_network_that_knows_none_of_the_classes(tmp_path: Path) -> None:
    filled(tmp_path / "violet" / "a.png", BLUE)
    network = color_network("classification")
    with pytest.raises(ExplorerError, match=r"has none of the classes of this data set \(violet\)"):
        whole(network, opened(tmp_path, network))
    nameless = make_network(network.module, "classification")
    with pytest.raises(ExplorerError, match="has no class names"):
        whole(nameless, opened(tmp_path, nameless))
    backbone = make_network(network.module, "features", classes=("violet",))
    with pytest.raises(ExplorerError, match="it outputs features"):
        whole(backbone, opened(tmp_path, backbone))


@pytest.mark.parametrize(
    ("name", "content"),
    [("a.txt", b"x"), ("a.npz", b"x"), ("a.json", b"{}"), ("a.xml", b"<a/>"), ("a/b.txt", b"")],
)
def test_what_is_no_data_is_said(tmp_path: Path, name: str, content: bytes) -> None:
    place = tmp_path / name
    place.parent.mkdir(exist_ok=True)
    place.write_bytes(content)
    with pytest.raises(ExplorerError) as caught:
        open_source(place if place.parent == tmp_path else place.parent, "detection")
    assert caught.value.message.endswith(".")
    with pytest.raises(ExplorerError, match="does not exist"):
        open_source(tmp_path / "nowhere", "detection")


def test_a_damaged_npz_is_said(tmp_path: Path) -> None:
    path = npz_set(tmp_path)
    with np.load(path) as archive:
        arrays = dict(archive)
    np.savez(path, **{**arrays, "offset": arrays["offset"] + 10**9})
    with pytest.raises(ExplorerError, match="do not fit together"):
        open_source(path, "classification")
    np.savez(path, **{**arrays, "label": arrays["label"] + 7})
    with pytest.raises(ExplorerError, match="has 3 lines, but there are 10 classes"):
        open_source(path, "classification")
    np.savez(path, **{**arrays, "jpeg": np.zeros_like(arrays["jpeg"])})
    network = make_network(color_network("classification").module, "classification",
                           classes=("dog", "red", "hill"))  # fmt: skip
    with pytest.raises(ExplorerError, match="None of the photos"):
        whole(network, opened(path, network))


def test_an_answer_that_is_not_finite_is_said(tmp_path: Path) -> None:
    network = color_network("classification")
    network.module.fc.weight.data.fill_(float("nan"))  # type: ignore[union-attr]
    with pytest.raises(ExplorerError, match="not finite"):
        whole(network, opened(class_folders(tmp_path), network))


# -- cancel


def test_it_can_be_closed_after_every_step(tmp_path: Path) -> None:
    network = color_network("detection")
    source = opened(coco_set(tmp_path), network)
    for count in (1, 2):
        steps = evaluate(network, source)
        reports = [next(steps).value for _ in range(count)]
        assert torch.is_grad_enabled()
        steps.close()
        assert reports[-1].photos == count
        assert hook_count(network.module) == 0


def test_a_forward_can_be_interrupted(tmp_path: Path) -> None:
    network = toy_network("classification")
    filled(tmp_path / "cat" / "a.png", RED)
    with pytest.raises(Cancelled):
        list(evaluate(network, opened(tmp_path, network), cancelled=lambda: True))
    assert hook_count(network.module) == 0


# -- what is told


def test_two_detectors_on_the_same_photos(tmp_path: Path) -> None:
    network = color_network("detection")
    blind = color_network("detection")
    blind.module.register_forward_hook(lambda _m, _a, out: [{k: v[:0] for k, v in out[0].items()}])
    source = opened(coco_set(tmp_path), network)
    steps = list(compare(network, blind, source))
    assert [(step.done, step.total) for step in steps] == [(1, 4), (2, 4), (3, 4), (4, 4)]
    assert [step.value.complete for step in steps] == [False, False, False, True]
    report = steps[-1].value
    assert report.figures["AP"] == pytest.approx(1.0)
    assert report.other.figures["AP"] == 0
    content = json.loads(json_of(report))
    assert content["errors"]["Miss"] == {"count": 0, "dAP": 0}
    assert content["best_detections"]["Correct"] == 3
    assert content["compared_with"]["errors"]["Miss"]["count"] == 3
    classifier = color_network("classification")
    for pair in ((classifier, network), (network, classifier)):
        with pytest.raises(ExplorerError, match="only detectors are compared"):
            next(compare(*pair, source))


def test_objects_keep_the_area_of_their_outlines(tmp_path: Path) -> None:
    data = coco_set(tmp_path)
    content = json.loads(data.read_text())
    for entry, area in zip(content["annotations"], (1025, 100, 9300, 1), strict=True):
        entry["area"] = area
    data.write_text(json.dumps(content))
    network = color_network("detection")
    report = whole(network, opened(data, network))
    assert {key: report.figures[f"AP_{key}"] for key in ("small", "medium", "large")} == (
        pytest.approx({"small": 1.0, "medium": 1.0, "large": 1.0})
    )
    assert report.figures["AR1"] == pytest.approx(1.0)
    assert "AP_small" not in report.headline()


def test_classes_that_the_data_do_not_have_are_said(tmp_path: Path) -> None:
    data = voc_set(tmp_path)
    picture(data / "JPEGImages" / "p.png", (RED, (5, 5, 25, 25)), (GREEN, (40, 20, 50, 30)))
    network = color_network("detection")
    report = whole(network, opened(data, network))
    assert any("has no objects of 1 class of the network" in note for note in report.notes)
    assert report.measures.label.tolist() == [1], "green things are not annotated"


def test_reports_for_programs_and_for_people(tmp_path: Path) -> None:
    network = color_network("detection")
    report = whole(network, opened(coco_set(tmp_path), network))
    content = json.loads(json_of(report))
    assert content["AP50"] == pytest.approx(1.0)
    assert content["classes"]["left_out"] == ["violet"]
    assert content["by_class"]["red"]["objects"] == 1
    assert content["complete"] is True
    lines = csv_of(report).decode().splitlines()
    assert lines[:2] == ["metrics", "metric,value,meaning"]
    assert any(line.startswith("green,1.0") for line in lines)
    table = by_class_table(report)
    assert table.columns == ("class", "AP", "AP50", "AP75", "AR", "voc_AP", "objects")


def test_the_data_of_a_photo_are_found_by_names_alone(tmp_path: Path) -> None:
    coco_set(tmp_path / "c")
    near = annotated_near(tmp_path / "c" / "images" / "one.png")
    assert near is not None
    assert near.place == tmp_path / "c" / "instances.json"
    voc_set(tmp_path / "v")
    near = annotated_near(tmp_path / "v" / "JPEGImages" / "p.png")
    assert near is not None
    assert (near.place, near.offers) == (tmp_path / "v", {"objects"})
    class_folders(tmp_path / "f")
    assert annotated_near(tmp_path / "f" / "red" / "a.png") is None
    assert likely_task(tmp_path / "c") == likely_task(tmp_path / "v") == "detection"
    assert likely_task(tmp_path / "f") == "classification"
    assert likely_task(mask_set(tmp_path / "m")) == "segmentation"


def test_boxes_are_evaluated_with_a_detector_and_that_is_said(tmp_path: Path) -> None:
    data = coco_set(tmp_path)
    sorter, finder = color_network("classification"), color_network("detection")
    words = "has boxes: only its photos of a single object"
    with pytest.raises(ExplorerError):  # both photos have two objects
        whole(sorter, opened(data, sorter))
    content = json.loads(data.read_text())
    content["annotations"] = content["annotations"][:1]
    data.write_text(json.dumps(content))
    assert words in whole(sorter, opened(data, sorter)).notes[0]
    assert not any(words in note for note in whole(finder, opened(data, finder)).notes)
