"""The composer, maximization, style and the atlas: terms, steering, and sentences for bad input."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from explorer.core.errors import ExplorerError
from explorer.core.params import Box, ImageRef, Mask, resolved
from explorer.engine.references import Opened
from explorer.engine.scene import Scene
from explorer.views.inside.feature_maps import view as feature_maps
from explorer.views.synthesis import neural_style
from explorer.views.synthesis.activation_maximization import view as activation_maximization
from explorer.views.synthesis.feature_atlas import shipped
from explorer.views.synthesis.feature_atlas import view as atlas
from explorer.views.synthesis.loss_composer import terms
from explorer.views.synthesis.loss_composer import view as composer
from explorer.views.synthesis.loss_composer.terms import Material, Term
from explorer.vision.synthesis.objectives import Answers
from explorer.vision.synthesis.target import Target
from tests.toys import toy_image, toy_network

OTHER = ImageRef("other.png")


def a_scene(task: str = "classification") -> Scene:
    opened = Opened(images={OTHER: toy_image(seed=3), ImageRef("strokes"): toy_image(seed=4)})
    return Scene(toy_network(task), toy_image(), opened=opened)


def run(view, scene: Scene, **changes):
    params = resolved(view.Params(**changes), scene.network.info)
    return list(view.compute(scene, params)), params


@pytest.mark.parametrize("kind", sorted(set(terms._ANY + terms._CLASSIFIER + terms.SMALL)))
def test_every_term_goes_its_way(kind: str) -> None:
    """With noise as the start even distances have something to lose."""
    term = Term(kind=kind, layer="conv2", label=toy_network("classification").info.classes[0])
    steps, params = run(
        composer.VIEW, a_scene(), terms=(term,), start="noise", steps=12, size=48, jitter=0,
        other=OTHER, style=OTHER, optimizer="Adam",
    )  # fmt: skip
    grown = steps[-1].value.grown
    assert grown.losses[-1] < grown.losses[0]
    (values,) = grown.parts.values()
    assert (values[-1] < values[0]) == (kind in terms.SMALL)
    board = composer.VIEW.draw(steps[-1].value, params)
    assert [pane.name for pane in board.panes] == ["picture", "history"]


def test_a_detector_is_made_to_see_a_class_in_a_box() -> None:
    scene = a_scene("detection")
    label = scene.network.info.classes[1]
    steps, _ = run(
        composer.VIEW, scene, terms=(Term(kind=terms.BOX, label=label),), box=Box(8, 8, 40, 40),
        steps=6, size=64, optimizer="Adam",
    )  # fmt: skip
    losses = steps[-1].value.grown.losses
    assert losses[-1] < losses[0]
    with pytest.raises(ExplorerError, match="no box"):
        run(composer.VIEW, a_scene("detection"), terms=(Term(kind=terms.BOX, label=label),))


def test_the_loss_is_the_weighted_sum() -> None:
    network = toy_network("classification")
    target = Target.of(network)
    photo = torch.rand(1, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    rows = (
        Term(kind=terms.CHANNEL, layer="conv1", channel=0, weight=2.0),
        Term(kind=terms.VARIATION, weight=3.0),
    )
    objective = Material(target, network.info, photo).objective(rows)
    answers = Answers(photo, target.answers(photo, objective.layers))
    loss = float(objective(answers))
    channel, variation = answers.noted.values()
    assert loss == pytest.approx(float(-2 * channel + 3 * variation))


def test_only_the_painted_part_changes() -> None:
    painted = np.zeros((48, 64), np.uint8)
    painted[:, :32] = 1
    steps, _ = run(
        composer.VIEW, a_scene(), inside=Mask.of(painted), steps=3, size=64, jitter=0
    )  # fmt: skip
    grown = steps[-1].value.grown
    first, last = grown.kept[0].rgb, grown.rgb
    assert (first[:, :32] != last[:, :32]).any()
    np.testing.assert_array_equal(first[:, 33:], last[:, 33:])


def test_steering_takes_terms_that_make_sense() -> None:
    scene = a_scene()
    params = resolved(composer.Params(size=48, steps=20), scene.network.info)
    steps = composer.VIEW.compute(scene, params)
    next(steps)
    other = replace(params, terms=(Term(kind=terms.CHANNEL, layer="conv1"),))
    assert list(steps.send(other).value.grown.parts)[-1] == "1 conv1 channel 0"
    styled = replace(params, terms=(Term(kind=terms.STYLE, layer="conv1"),))
    refused = steps.send(styled).value.grown
    assert "no style picture" in refused.problem
    assert len(refused.losses) == 3
    steps.close()


def test_what_is_missing_is_said() -> None:
    for words, changes in (
        ("no term", {"terms": ()}),
        ("no style picture", {"terms": (Term(kind=terms.STYLE),)}),
        ("no other photo", {"start": "the other photo"}),
    ):
        with pytest.raises(ExplorerError, match=words):
            run(composer.VIEW, a_scene(), size=48, steps=1, **changes)


def test_maximization_of_channels_neurons_classes_and_layers() -> None:
    for kind, pictures in (("channel", 2), ("neuron", 2), ("class", 1), ("layer", 1)):
        steps, params = run(
            activation_maximization.VIEW, a_scene(), kind=kind, channels="0, 2", size=32, steps=10,
            transforms=0.0,
        )  # fmt: skip
        result = steps[-1].value
        assert result.grown.losses[-1] < result.grown.losses[0], kind
        assert len(result.titles) == pictures
        assert activation_maximization.VIEW.draw(result, params).panes
    with pytest.raises(ExplorerError, match="No channel"):
        run(activation_maximization.VIEW, a_scene(), channels="")
    with pytest.raises(ExplorerError, match="too many"):
        run(activation_maximization.VIEW, a_scene(), channels="0 1 2 3 4", variations=4)


def test_variations_are_kept_apart() -> None:
    """With the diversity term two pictures of a channel become less alike."""
    alike = []
    for diversity in (0.0, 50.0):
        steps, _ = run(
            activation_maximization.VIEW, a_scene(), channels="1", variations=2, size=32, steps=20,
            diversity=diversity, transforms=0.0, layer="conv2",
        )  # fmt: skip
        alike.append(steps[-1].value.grown)
    assert "similarity" in alike[1].parts
    assert alike[1].parts["similarity"][-1] < alike[1].parts["similarity"][0]


def test_a_painting_keeps_the_photos_colors_when_asked() -> None:
    scene = a_scene()
    steps, params = run(
        neural_style.VIEW, scene, steps=2, octaves=2, size=128, second=OTHER, layers="conv1, conv2"
    )
    result = steps[-1].value
    assert result.grown.losses[-1] < result.grown.losses[2]
    board = neural_style.VIEW.draw(result, params)
    assert [pane.name for pane in board.panes] == ["painting", "style 1", "style 2"]
    kept = neural_style.VIEW.data(result, replace(params, colors=True))["picture"].astype(int)
    own = result.small.astype(int)
    inner = (kept > 2).all(-1) & (kept < 253).all(-1)
    difference = (kept - own)[inner]
    assert np.abs(difference - difference[:, :1]).max() <= 2, "the same shift in all colors"


def test_an_atlas_is_made_once(monkeypatch, tmp_path) -> None:
    monkeypatch.setattr(atlas, "DiskCache", lambda: atlas_cache)
    from explorer.core.storage.disk_cache import DiskCache

    atlas_cache = DiskCache(tmp_path)
    scene = a_scene()
    steps, params = run(atlas.VIEW, scene, layer="conv2", size=32, steps=3, channel=5)
    result = steps[-1].value
    assert result.tiles.shape == (8, 32, 32, 3)
    board = atlas.VIEW.draw(result, params)
    assert [pane.name for pane in board.panes] == ["atlas", "tile"]
    assert board.panes[0].readout(1, 1) == "channel 0"
    link = board.panes[1].link
    there = feature_maps.VIEW.Params(**link.params)
    assert (link.view, there.layer, there.channel) == (feature_maps.VIEW.name, "conv2", 5)
    again, _ = run(atlas.VIEW, a_scene(), layer="conv2", size=32, steps=3)
    assert len(again) < len(steps)
    np.testing.assert_array_equal(again[-1].value.tiles, result.tiles)


def test_a_sheet_comes_back_for_its_own_weights_only(tmp_path) -> None:
    network = toy_network("classification")
    tiles = np.repeat(np.arange(20, dtype=np.uint8)[:, None] * 6, 64 * 64 * 3, axis=1)
    tiles = tiles.reshape(20, 64, 64, 3)
    path = tmp_path / "sheet.jpg"
    path.write_bytes(shipped.sheet_file(tiles, network))
    found = shipped.tiles_in(path, network)
    assert found.shape == tiles.shape
    assert np.abs(found.astype(int) - tiles).mean() < 3
    assert shipped.tiles_in(path, toy_network("segmentation")) is None
    assert shipped.tiles_in(tmp_path / "none.jpg", network) is None
