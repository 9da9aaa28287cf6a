"""Heads on frozen features: what is reported is what the network that is kept outputs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from explorer.core.errors import ExplorerError
from explorer.core.network_info import NetworkSpec
from explorer.core.values import FolderRef
from explorer.networks import catalog, made
from explorer.networks.embedded import efficientnet_lite0
from explorer.networks.network import Network
from explorer.training.heads.bench import Bench
from explorer.training.heads.body import Body
from explorer.training.heads.head import Features, Plan, Trainer
from explorer.training.heads.report import Report
from explorer.training.heads.sets import BOTH, BOX, CLASS, JOINTS, SEVERAL, Wanted, set_for
from tests.steps import finish
from tests.toys import make_network
from tests.views.inside.folders import colored, convolutions


def bench(
    network: Network, kind: str, folder: Path | None = None, **plan: Any
) -> tuple[Bench, list[Report]]:
    ref = None if folder is None else FolderRef(str(folder))
    classes = set_for(Wanted(kind, ref, most=2))
    if folder is None:
        classes = replace(classes, train=classes.train[:6], test=classes.test[:2])
    photo = np.full((50, 70, 3), 90, np.uint8)
    found = Bench(
        Body(network, whole=kind != CLASS), classes, Plan(kind, **plan), words=False, photo=photo
    )
    _, steps = finish(found.run())
    return found, [step.value for step in steps]


@pytest.fixture(scope="module")
def lite() -> Network:
    """EfficientNet-Lite0 with random weights, as small as it can be used."""
    torch.manual_seed(0)
    network = make_network(
        efficientnet_lite0(4), "classification", classes=("a", "b", "c", "d"),
        name="efficientnet-lite0",
    )  # fmt: skip
    network.extras |= {"architecture": "efficientnet-lite0", "variant": "imagenet"}
    return network


@pytest.mark.parametrize("left", [3, 6, 14])
def test_a_training_that_was_left_goes_on_bit_equal(tmp_path: Path, left: int) -> None:
    """Left while features are computed (twelve examples), and while the head is trained."""
    folder = FolderRef(str(colored(tmp_path / "photos")))
    network = convolutions()

    def fresh() -> Bench:
        classes, plan = set_for(Wanted(CLASS, folder, most=5)), Plan(CLASS, steps=40)
        return Bench(Body(network, whole=False), classes, plan, words=False, photo=None)

    straight = [step.value for step in finish(fresh().run())[1]]
    first = fresh()
    generator = first.run()
    for _ in range(left):
        next(generator)
    arrays = first.arrays()
    generator.close()
    second = fresh()
    second.resume(arrays)
    resumed = [step.value for step in finish(second.run())[1]]
    assert len(resumed) <= len(straight)
    np.testing.assert_array_equal(resumed[-1].losses, straight[-1].losses)
    np.testing.assert_array_equal(resumed[-1].curve, straight[-1].curve)
    assert resumed[-1].content() == straight[-1].content()


def test_joints_begin_with_the_mean_pose() -> None:
    points = torch.rand(5, 3, 2, generator=torch.Generator().manual_seed(1))
    maps = tuple(torch.rand(5, stage, side, side) for stage, side in ((112, 14), (320, 7)))
    given = Features(
        torch.zeros(5, 0), maps, torch.zeros(5, dtype=torch.int64), torch.zeros(5, 0, 4), points
    )
    found = Trainer(Plan(JOINTS), 1, given).predict(given).points
    assert (found - points.mean(dim=0)).abs().max() < 0.2
    assert (found.mean(dim=0) - points.mean(dim=0)).abs().max() < 0.1


def test_colors_are_told_apart_and_the_kept_network_agrees(tmp_path: Path) -> None:
    network = convolutions()
    before = {key: value.clone() for key, value in network.module.state_dict().items()}
    found, reports = bench(network, CLASS, colored(tmp_path / "photos"), steps=60, rate=0.05)
    last = reports[-1]
    assert last.complete
    assert last.value("held-out accuracy") == 1.0
    assert last.constant == pytest.approx(1 / 3)
    module, steps = found.module(), network.preprocess
    for test in last.tests:
        logits = module(steps.fed(test.picture))
        assert int(logits.argmax()) == test.predicted
    losses = last.losses[:, 0]
    assert losses[-5:].mean() < 0.5 * losses[:5].mean()
    assert all(
        torch.equal(before[key], value) for key, value in network.module.state_dict().items()
    )


def test_equal_seeds_give_equal_heads(tmp_path: Path) -> None:
    folder = colored(tmp_path / "photos")
    (first, _), (other, _) = (bench(convolutions(), CLASS, folder, steps=9) for _ in range(2))
    for one, two in zip(first.module().parameters(), other.module().parameters(), strict=True):
        assert torch.equal(one, two)


def test_photos_that_cannot_be_read_are_skipped_and_too_few_are_refused(tmp_path: Path) -> None:
    folder = colored(tmp_path / "photos", each=5)
    paths = sorted((folder / "red").iterdir())
    paths[0].write_bytes(b"none")
    folder_of_two = Wanted(CLASS, FolderRef(str(folder)), most=20)
    classes = set_for(folder_of_two)
    found = Bench(
        Body(convolutions(), whole=False), classes, Plan(CLASS, steps=1), words=False, photo=None
    )
    _, steps = finish(found.run())
    report = steps[-1].value
    assert report.train + len(report.tests) == 14
    assert report.notes[0].startswith("Skipped 1 photo:")
    for path in folder.rglob("*.png"):
        path.write_bytes(b"none")
    with pytest.raises(ExplorerError, match="Too few photos"):
        bench(convolutions(), CLASS, folder, steps=1)


def features(count: int = 24, classes: int = 3) -> Features:
    """Boxes that a linear function of the vectors tells."""
    torch.manual_seed(1)
    vectors = torch.zeros(count, 1280)
    corner = torch.rand(count, 2) * 0.4
    vectors[:, :2] = corner
    labels = torch.arange(count) % classes
    vectors[torch.arange(count), 10 + labels] = 1.0
    boxes = torch.cat([corner, corner + 0.4], dim=1)[:, None]
    return Features(vectors, (), labels, boxes, torch.zeros(count, 0, 2))


@pytest.mark.parametrize("loss", ["L2", "L1", "GIoU"])
@pytest.mark.parametrize("per_class", [False, True])
def test_class_and_box_heads_learn(loss: str, per_class: bool) -> None:
    given = features()
    plan = Plan(BOTH, "fc", per_class, loss, steps=60, rate=5e-3)
    joint = Trainer(plan, 3, given)
    first = joint.learn()
    while not joint.done:
        last = joint.learn()
    assert last[1] < 0.9 * first[1]
    assert last[0] < 0.9 * first[0]
    found = joint.predict(given)
    assert found.boxes.shape == (24, 1, 4)
    assert float((found.logits.argmax(1) == given.labels).float().mean()) == 1.0


def test_a_box_head_is_the_same_with_a_class_head_and_alone() -> None:
    trained = []
    for kind in (BOTH, BOX):
        trainer = Trainer(Plan(kind, "fc", steps=5), 3, features())
        while not trainer.done:
            trainer.learn()
        assert trainer.heads.box is not None
        trained.append(trainer.heads.box.state_dict())
    assert all(torch.equal(trained[0][key], value) for key, value in trained[1].items())


def test_only_the_box_of_the_true_class_is_trained() -> None:
    given = features(classes=2)
    trainer = Trainer(Plan(BOTH, "fc", True, steps=1), 3, given)
    assert trainer.heads.box is not None
    before = trainer.heads.box.fc2.bias.detach().clone()
    trainer.learn()
    after = trainer.heads.box.fc2.bias.detach()
    assert (after[:8] != before[:8]).any()
    # The third class has no example: weight decay leaves biases alone.
    assert torch.equal(after[8:], before[8:])


@pytest.mark.parametrize("kind", [BOTH, BOX, SEVERAL, JOINTS])
def test_networks_with_boxes_or_joints_join_the_catalog(kind: str, lite: Network) -> None:
    found, reports = bench(lite, kind, steps=2)
    report = reports[-1]
    new = found.network()
    name = catalog.keep(new)
    again, _ = finish(catalog.load(NetworkSpec(name)))
    photo = np.random.default_rng(0).integers(0, 255, (40, 60, 3)).astype(np.uint8)
    values = again.preprocess(photo)
    with torch.no_grad():
        one, two = found.module()(values), again.module(values)
    assert one.keys() == two.keys()
    for key, value in one.items():
        assert torch.equal(value, two[key]), key
    assert again.info.title == new.title
    assert "samples pasted on samples" in catalog.find(name).summary
    if kind == JOINTS:
        assert again.info.keypoints == tuple(f"joint {k}" for k in range(1, 5))
        assert two["joints"].shape == (1, 4, 2)
    else:
        assert again.info.classes == report.names
        assert report.photo is not None
        assert len(report.photo.boxes) == (2 if kind == SEVERAL else 1)
    made.delete(name)
    with pytest.raises(ExplorerError):
        catalog.find(name)


def test_a_class_head_joins_the_catalog_and_can_be_exported(tmp_path: Path, lite: Network) -> None:
    folder = colored(tmp_path / "photos")
    network = replace(lite, preprocess=replace(lite.preprocess, resize=(32, 32)))
    found, _ = bench(network, CLASS, folder, steps=2)
    name = catalog.keep(found.network())
    again, _ = finish(catalog.load(NetworkSpec(name)))
    assert again.info.classes == ("blue", "green", "red")
    values = again.preprocess(np.zeros((9, 9, 3), np.uint8))
    with torch.no_grad():
        assert torch.equal(found.module()(values), again.module(values))
    weights, card = made.export(name, tmp_path / "own.safetensors")
    assert weights.stat().st_size > 1000
    assert '"kind": "class"' in card.read_text()


def test_boxes_need_a_network_that_they_can_be_attached_to() -> None:
    with pytest.raises(ExplorerError, match="Box and joint heads need") as raised:
        Body(convolutions(), whole=True)
    assert "EfficientNet-Lite0" in raised.value.hint
