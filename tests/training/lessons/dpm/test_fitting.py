"""The latent SVM: its solver, the parts it begins with, and a training on drawn objects."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from explorer.training.lessons.dpm.fitting import (
    BIAS,
    Negatives,
    fit_parts,
    fit_root,
    from_weights,
    latent,
    size_of,
    vector,
    with_parts,
)
from explorer.training.lessons.dpm.lesson import best_score, facing_alike
from explorer.training.lessons.dpm.objects import example_of
from explorer.training.lessons.dpm.svm import fit_svm
from explorer.vision.dpm.features import CHANNELS, scales
from explorer.vision.dpm.matching import Border, respond
from explorer.vision.dpm.models import Component, Model
from tests.vision.dpm.toy import toy_component, toy_photo


def drawn(seed, at=(40, 30), tilt=0):
    """A photo of noise with a bright rectangle and a dark bar, which may lie `tilt` lower."""
    rng = np.random.default_rng(seed)
    photo = rng.normal(120, 6, (112, 128, 3))
    x, y = at
    photo[y : y + 40, x : x + 48] += 70
    photo[y + 10 + tilt : y + 16 + tilt, x + 8 : x + 40] -= 110
    box = np.array([x, y, x + 48, y + 40], np.float32)
    return photo.clip(0, 255).astype(np.uint8), box


def test_the_svm_has_the_widest_margin():
    # between (1, 1) and (-1, 0) in a plane, the constant 1 as a third number
    x = np.array([[1, 1, 1], [3, 2, 1], [-1, 0, 1], [-3, 1, 1]], np.float32)
    y = np.array([1, 1, -1, -1], np.float32)
    rng = np.random.default_rng(0)
    weights = fit_svm(x, y, np.full(4, 100, np.float32), rng, 2000)
    # with the bias in the norm: the least |w| with w x >= 1 and <= -1 at the two nearest points
    near = x[[0, 2]] * y[[0, 2], None]
    expected = near.T @ np.linalg.solve(near @ near.T, np.ones(2))
    np.testing.assert_allclose(weights, expected, atol=0.02)
    assert (y * (x @ weights) >= 1 - 0.03).all()


def test_a_small_weight_of_the_loss_bounds_the_svm():
    x = np.array([[1.0], [-1.0]], np.float32)
    weights = fit_svm(
        x, np.array([1, -1], np.float32), np.full(2, 0.1, np.float32), np.random.default_rng(0)
    )
    np.testing.assert_allclose(weights, [0.2])  # each dual variable is at its bound


def test_weights_times_vector_is_the_score():
    component = replace(toy_component(), bias=0.75)
    scale = next(scale for _, _, scale in scales(toy_photo(), 3))
    border = Border(2, 2)
    found = respond(scale, component, border)
    values = vector(scale, component, found, border, 3, 4)
    assert values.shape == (size_of(component),)
    weights = np.concatenate(
        [component.root.ravel()]
        + [part.filter.ravel() for part in component.parts]
        + [np.array([*part.cost]) for part in component.parts]
        + [np.array([component.bias / BIAS])]
    ).astype(np.float32)
    assert float(weights @ values) == pytest.approx(float(found.score[3, 4]), abs=1e-3)
    again = from_weights(component, weights)
    np.testing.assert_array_equal(again.root, component.root)
    for one, other in zip(again.parts, component.parts, strict=True):
        np.testing.assert_array_equal(one.filter, other.filter)
        # the first part's slopes are 0: a curve is never less than that of the least cost
        np.testing.assert_allclose(one.cost, other.cost, atol=1e-6)


def test_parts_begin_where_the_root_filter_has_energy():
    root = np.zeros((6, 6, CHANNELS), np.float32)
    root[4:6, 0:2, 3] = 5.0
    parts = with_parts(Component(root, (), 0.0), 4).parts
    assert len(parts) == 4
    (x, y), (height, width) = parts[0].anchor, parts[0].filter.shape[:2]
    # the four cells of the corner are fine cells 0 to 4 across and 8 to 12 down
    assert (x, y + height) == (0, 12)
    assert (height, width) == (5, 5)
    assert all(0 <= part.anchor[0] <= 12 - 5 for part in parts)


def test_an_object_is_resized_to_the_filter():
    photo, box = drawn(0)
    example = example_of(photo, box, (5, 6))
    assert example is not None
    x0, y0, x1, y1 = example.boxes[0]
    # 48 x 40 pixels are 6 x 5 cells already
    assert (x1 - x0, y1 - y0) == pytest.approx((48, 40))
    assert example.scales[0].root.cells.shape == (5 + 4, 6 + 4, CHANNELS)
    assert example.scales[0].fine.cells.shape == (2 * 9 + 2, 2 * 10 + 2, CHANNELS)
    assert example_of(photo, box, (20, 24)) is None, "it would have to be enlarged too much"


def test_mirrors_are_sorted_by_the_way_they_face():
    pairs = []
    for seed in range(8):
        rng = np.random.default_rng(seed)
        photo = rng.normal(120, 4, (96, 96, 3))
        photo[30:66, 30:42] += 90  # something at the left end only
        box = np.array([28, 28, 68, 68], np.float32)
        left = photo.clip(0, 255).astype(np.uint8)
        right = np.ascontiguousarray(left[:, ::-1])
        own, other = example_of(left, box, (5, 5)), example_of(right, box, (5, 5))
        pairs.append((own, other) if seed % 2 else (other, own))
    chosen = facing_alike(pairs)
    mates = enumerate(zip(pairs, chosen, strict=True))
    sides = [pair.index(one) == seed % 2 for seed, (pair, one) in mates]
    assert len(set(sides)) == 1, "all face the same way"


@pytest.mark.slow
def test_a_trained_component_tells_objects_from_their_surroundings():
    rng = np.random.default_rng(0)
    shapes = [((20 + 3 * k, 20 + 2 * k), 4 * (k % 3)) for k in range(12)]
    objects = [drawn(k, at, tilt) for k, (at, tilt) in enumerate(shapes)]
    examples = [example_of(photo, box, (5, 6)) for photo, box in objects]
    plain = [drawn(100 + k, (300, 300))[0] for k in range(3)]
    negatives = Negatives.of([*plain, toy_photo(112, 128)])
    root = fit_root(examples, (5, 6), negatives, rng, rounds=2)
    whole = fit_parts(root, 4, examples, negatives, rng, rounds=2)
    assert len(whole.parts) == 4
    assert all(min(part.cost[2:]) >= 0.01 for part in whole.parts)
    model = Model("toy", (whole,), -1.0)
    scores = [best_score(model, example) for example in examples]
    border = Border.of(model)
    others = [
        float(respond(scale, whole, border).score.max())
        for photo in plain
        for _, _, scale in scales(photo, 3)
    ]
    assert min(scores) > max(others)
    x0, y0, x1, y1 = whole.box
    assert (x0, y0, x1, y1) == pytest.approx((0, 0, 1, 1), abs=0.25)
    vectors, _ = latent(examples, whole)
    assert vectors.shape == (12, size_of(whole))
