"""Ten minutes from the shipped detector to three classes that it has forgotten."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from explorer.annotations.dataset import Annotated
from explorer.annotations.files import read_voc
from explorer.core.network_info import NetworkSpec
from explorer.networks import catalog
from explorer.networks.network import Network
from explorer.training.threads import ThreadPilot
from explorer.training.tuning.report import Report
from explorer.training.tuning.run import tune
from explorer.training.tuning.wish import Wish
from tests.data import shared_data
from tests.steps import finish

RESET = {"person": "person", "sofa": "couch", "aeroplane": "airplane"}
"""The three classes with the most photos in voc-mini, and the network's words for them."""

SCORES = "roi_heads.box_predictor.cls_score."


def without_rows(network: Network) -> Network:
    """The network with the rows of `RESET` zero and without names."""
    classes = network.info.classes
    rows = [classes.index(name) for name in RESET.values()]
    for kind in ("weight", "bias"):
        network.module.get_parameter(SCORES + kind)[rows] = 0
    names = tuple(f"reset {i}" if i in rows else name for i, name in enumerate(classes))
    return replace(network, info=replace(network.info, classes=names))


def halves(photos: Sequence[Annotated]) -> tuple[Sequence[Annotated], Sequence[Annotated]]:
    """25 photos each, with the photos of each of the three classes shared out in turn."""
    drawn = [photos[i] for i in np.random.default_rng(0).permutation(len(photos))]
    drawn.sort(key=lambda p: next((n for n in reversed(RESET) if n in p.labels), "~"))
    return drawn[::2], drawn[1::2]


def write(folder: Path, photos: Sequence[Annotated], source: Path) -> None:
    for name in ("images", "annotations"):
        (folder / name).mkdir(parents=True)
    for photo in photos:
        shutil.copy(photo.path, folder / "images")
        shutil.copy(source / "annotations" / f"{photo.id}.xml", folder / "annotations")


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_three_forgotten_classes_come_back_in_ten_minutes(tmp_path: Path) -> None:
    source = shared_data("voc-mini")
    if source is None:
        pytest.skip("needs the shared data")
    learned, held_out = halves(read_voc(source).photos)
    write(tmp_path / "own" / "train", learned, source)
    write(tmp_path / "own" / "val", held_out, source)
    spec = NetworkSpec("lite-fasterrcnn", device="cpu")
    network = without_rows(finish(catalog.load(spec))[0])
    minutes = float(os.environ.get("TUNE_MINUTES", "10"))
    steps = tune(Wish(spec, tmp_path / "own", minutes), network)
    most = torch.get_num_threads()
    pilot, report = ThreadPilot(most), None
    try:
        while True:
            began = time.perf_counter()
            step = next(steps, None)
            if step is None:
                break
            report = step.value
            pilot.add(time.perf_counter() - began)
    finally:
        torch.set_num_threads(most)
    assert isinstance(report, Report)
    assert (report.photos, report.held_out) == (25, 25)
    assert set(report.new) == set(RESET)
    three = [entry for entry in report.classes if entry.name in RESET]
    before, after = (np.mean([getattr(e, when) for e in three]) for when in ("before", "now"))
    print(f"{report.steps} steps: {before:.3f} -> {after:.3f}; all: {report.headline()}")
    for entry in three:
        print(f"{entry.name}: {entry.photos} photos, {entry.before:.3f} -> {entry.now:.3f}")
    assert before < 0.01
    assert after >= 0.15
