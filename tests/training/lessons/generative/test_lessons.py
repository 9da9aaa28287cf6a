"""The players of a game learn in turns; a training that was interrupted ends with equal weights."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from explorer.networks.generative.style_gan import Discriminator, StyleGenerator
from explorer.networks.generative.translation import ResidualGenerator, UNetGenerator
from explorer.training.checkpoints import load_average
from explorer.training.lessons.generative import autoencoder, cycle, faces, photos, pixels
from explorer.training.lessons.generative import translation as pairs
from explorer.training.loop import CHECKPOINT, Interrupted, step_seed, train

CPU = torch.device("cpu")


def pictures(count, side, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (count, side, side, 3), dtype=np.uint8)


@pytest.fixture
def small(monkeypatch):
    """The same networks with few channels."""
    monkeypatch.setattr(
        faces, "StyleGenerator", lambda: StyleGenerator({4: 4, 8: 4, 16: 4, 32: 4, 64: 4}, size=8)
    )
    monkeypatch.setattr(faces, "Discriminator", lambda: Discriminator((2, 2, 4, 4, 4)))
    from explorer.networks.generative import translation

    monkeypatch.setattr(translation, "UNetGenerator", lambda: UNetGenerator((4, 4, 4)))
    monkeypatch.setattr(translation, "ResidualGenerator", lambda: ResidualGenerator(4, 1))


def gan_task(**numbers):
    recipe = replace(faces.RECIPE, batch=4, **numbers)
    return faces.GanTask(faces=pictures(8, 64), recipe=recipe)


def pair_task():
    recipe = replace(pairs.RECIPE, batch=2)
    return pairs.TranslationTask(
        photos_of_pairs=pictures(3, 128), maps=pictures(3, 128, 1), recipe=recipe
    )


def cycle_task():
    recipe = replace(cycle.RECIPE, batch=1)
    return cycle.CycleTask(pictures=pictures(3, 128), maps=pictures(2, 128, 1), recipe=recipe)


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize(
    ("make", "turns"),
    [
        (gan_task, ["discriminator", "generator", "discriminator"]),
        (pair_task, ["to_map.", "judges.to_map.", "to_photo.", "judges.to_photo."]),
        (cycle_task, ["to_", "judges."]),
    ],
)
def test_a_step_leaves_the_other_players_weights_untouched(make, turns):
    task = make()
    torch.manual_seed(0)
    model = task.build()
    task.prepare(model)
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.01)
    for step, learns in enumerate(turns):
        torch.manual_seed(step_seed(0, step))
        before = {name: value.detach().clone() for name, value in model.named_parameters()}
        optimizer.zero_grad(set_to_none=True)
        sum(task.losses(model, step, 0.5, CPU).values()).backward()
        optimizer.step()
        changed = {n for n, value in model.named_parameters() if not torch.equal(value, before[n])}
        assert changed
        assert all(name.startswith(learns) for name in changed)


@pytest.mark.usefixtures("small")
def test_l1_alone_has_a_network_of_its_own():
    task = pair_task()
    model = task.build()
    losses = task.losses(model, pairs.TURNS.index("l1"), 0.5, CPU)
    sum(losses.values()).backward()
    learn = {name for name, value in model.named_parameters() if value.grad is not None}
    assert list(losses) == ["L1 alone"]
    assert all(name.startswith("to_map_l1.") for name in learn)


@pytest.mark.usefixtures("small")
def test_an_interrupted_training_of_two_players_ends_bit_equal(tmp_path):
    torch.set_num_threads(1)
    numbers = {"epochs": 3.0}  # 6 steps of 4 of 8 pictures
    plain = {"device": CPU, "dtype": torch.float32}
    train(gan_task(**numbers), gan_task(**numbers).recipe, tmp_path / "whole", **plain)
    task = gan_task(**numbers)
    with pytest.raises(Interrupted):
        train(task, task.recipe, tmp_path / "parts", stop_after=3, **plain)
    train(gan_task(**numbers), task.recipe, tmp_path / "parts", **plain)
    first, steps = load_average(tmp_path / "whole" / CHECKPOINT)
    second, others = load_average(tmp_path / "parts" / CHECKPOINT)
    assert steps == others == 6
    assert all(torch.equal(value, second[name]) for name, value in first.items())


def test_what_is_shipped_is_the_generator_alone():
    weights = {"generator.a": torch.zeros(1), "discriminator.b": torch.ones(1)}
    assert set(faces.shipped("", weights)) == {"a"}
    weights = {"judges.to_map.a": torch.zeros(1), "judges.to_photo.b": torch.ones(1)}
    assert set(pairs.shipped("", weights)) == {"judges.to_map.a"}


@pytest.mark.parametrize(
    "task",
    [
        autoencoder.AutoencoderTask(
            faces=pictures(4, 64), recipe=replace(autoencoder.RECIPE, batch=2)
        ),
        pixels.PixelTask(faces=pictures(4, 16), recipe=replace(pixels.RECIPE, batch=2)),
    ],
    ids=["autoencoder", "pixels"],
)
def test_an_untrained_network_needs_about_eight_bits(task):
    torch.manual_seed(0)
    bits = sum(task.losses(task.build(), 0, 0.0, CPU).values())
    assert 7 < float(bits.detach()) < 14


def test_patches_are_cut_from_photos_of_any_size():
    rng = np.random.default_rng(0)
    for shape in ((150, 300), (40, 90)):
        found = photos.cut_patches(pictures(1, 300)[0, : shape[0], : shape[1]], rng)
        assert [patch.shape for patch in found] == [
            (photos.PATCH, photos.PATCH, 3)
        ] * photos.PATCHES


def test_the_gain_over_bicubic_is_counted_inside_the_rim():
    class Bicubic(torch.nn.Module):
        def forward(self, small):
            return photos.bicubic(small, 4)

    figures = photos.resolution_figures(Bicubic(), [pictures(1, 66)[0]])
    assert figures["gain"] == 0
    assert figures["PSNR"] == pytest.approx(figures["PSNR of bicubic"])


def test_colors_are_judged_beside_gray():
    gray, red = pictures(1, 64)[0], np.zeros((64, 64, 3), np.uint8)
    gray[...] = gray[..., :1]
    red[..., 0] = 200

    class Gray(torch.nn.Module):
        def forward(self, lightness):
            logits = torch.full(
                (1, photos.bin_shares(torch.zeros(1, 2, 1, 1)).shape[1], 8, 8), -9.0
            )
            logits[:, logits.shape[1] // 2] = 90.0
            return logits

    figures = photos.color_figures(Gray(), [gray, red])  # a photo without color does not count
    assert figures["error of the mean color"] == pytest.approx(figures["error of gray"], rel=1e-3)
    assert figures["error of gray"] > 30
