"""The verdicts of the transfer matrix, with classifiers that can be worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from explorer.networks.preprocess import Preprocess
from explorer.vision.adversarial.transfer import (
    KINDS,
    Verdict,
    cell,
    corruptions,
    fits,
    probabilities,
)
from tests.toys import MeanClassifier, make_network


def network(crop: int = 8):
    preprocess = Preprocess(resize=crop + 4, crop=crop)
    return make_network(
        MeanClassifier((8.0, 8.0, 8.0)), "classification", classes=("red", "green", "blue"),
        preprocess=preprocess,
    )  # fmt: skip


def plain(color: tuple[int, int, int], side: int = 8):
    return np.full((side, side, 3), color, np.uint8)


RED, GREEN, BLUE = plain((200, 0, 0)), plain((0, 200, 0)), plain((0, 0, 200))


@pytest.mark.parametrize(
    ("clean", "adversarial", "target", "verdict"),
    [
        (RED, RED, "green", Verdict.ROBUST),
        (RED, GREEN, "green", Verdict.TARGET),
        (RED, BLUE, "green", Verdict.OTHER),
        (RED, GREEN, "", Verdict.OTHER),
        (BLUE, BLUE, "green", Verdict.CORRUPTED),
        (BLUE, GREEN, "green", Verdict.TARGET),
    ],
)
def test_verdicts(clean, adversarial, target: str, verdict: Verdict) -> None:
    """The network's top class of the clean picture without a corruption is red."""
    assert cell(network(), clean, adversarial, 0, target).verdict is verdict


def test_a_picture_of_the_input_size_is_fed_as_it_is() -> None:
    toy, rng = network(), np.random.default_rng(0)
    picture = rng.integers(0, 256, (8, 8, 3)).astype(np.uint8)
    assert fits(toy, picture)
    own = toy.module(torch.from_numpy(picture).permute(2, 0, 1)[None] / 255).softmax(1)[0]
    np.testing.assert_allclose(probabilities(toy, picture), own.detach().numpy(), rtol=1e-5)
    larger = rng.integers(0, 256, (20, 16, 3)).astype(np.uint8)
    assert not fits(toy, larger)
    own = toy.module(toy.preprocess(larger)).softmax(1)[0]
    np.testing.assert_allclose(probabilities(toy, larger), own.detach().numpy(), rtol=1e-5)


def test_corruptions_keep_the_size_and_repeat() -> None:
    picture = np.random.default_rng(1).integers(0, 256, (31, 20, 3)).astype(np.uint8)
    made = corruptions(KINDS)
    assert made[0].title == "unchanged"
    assert made[0].make(picture, 0) is picture
    assert len({corruption.title for corruption in made}) == len(made)
    for corruption in made[1:]:
        changed = corruption.make(picture, 3)
        assert changed.shape == picture.shape
        assert changed.dtype == np.uint8
        assert (changed != picture).any(), corruption.title
        np.testing.assert_array_equal(changed, corruption.make(picture, 3))
    noise = next(corruption for corruption in made if corruption.kind == "noise")
    assert (noise.make(picture, 3) != noise.make(picture, 4)).any()
    assert corruptions(("blur",))[0].kind == "none"
    assert {corruption.kind for corruption in corruptions(("blur",))} == {"none", "blur"}


def test_the_noise_has_its_deviation() -> None:
    gray = np.full((200, 200, 3), 128, np.uint8)
    noise = corruptions(("noise",))[2]
    assert noise.title == "noise 8/255"
    assert (noise.make(gray, 0).astype(float) - 128).std() == pytest.approx(8, rel=0.02)
