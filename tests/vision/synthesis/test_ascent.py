"""Octaves, total variation, blur and the step itself, against other ways to compute them."""

from __future__ import annotations

import pytest
import torch

from explorer.core.errors import ExplorerError
from explorer.vision.synthesis.ascent import (
    Objective,
    StepOptions,
    Target,
    ascend,
    blurred,
    laplacian,
    octave_sizes,
    preview,
    resized,
)
from tests.toys import FixedDetector, ToyConvNet, hook_count, make_network, toy_network


def random_picture(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed))


def test_laplacian_is_the_descent_of_the_squared_differences() -> None:
    picture = random_picture(1, 3, 7, 9).double().requires_grad_()
    variation = picture.diff(dim=2).square().sum() + picture.diff(dim=3).square().sum()
    (gradient,) = torch.autograd.grad(variation, picture)
    torch.testing.assert_close(-2 * laplacian(picture.detach()), gradient)


def test_blur_keeps_the_mean_of_a_flat_picture_and_spreads_a_point() -> None:
    flat = torch.full((1, 3, 12, 10), 0.25)
    torch.testing.assert_close(blurred(flat, 1.5), flat)
    point = torch.zeros(1, 1, 21, 21)
    point[..., 10, 10] = 1.0
    spread = blurred(point, 1.0)
    assert float(spread.sum()) == pytest.approx(1.0, abs=1e-5)
    x = torch.arange(21.0) - 10
    assert float((spread[0, 0].sum(0) * x**2).sum()) == pytest.approx(1.0, abs=0.12)


def test_octave_sizes() -> None:
    assert octave_sizes(100, 200, longest=400, octaves=3, scale=2.0) == [
        (50, 100),
        (100, 200),
        (200, 400),
    ]
    assert octave_sizes(100, 200, longest=128, octaves=8, scale=2.0) == [(32, 64), (64, 128)]
    assert octave_sizes(1, 1000, longest=128, octaves=2, scale=2.0) == [(32, 128)]


def test_a_step_by_hand() -> None:
    """conv1's channel 0 is red alone, so only red rises, at the pixels that are used."""
    network = make_network(ToyConvNet(), "classification")
    picture = torch.full((1, 3, 8, 8), 0.5)
    options = StepOptions(step=0.01, jitter=0, smoothing=0.0, variation=0.0)
    after, height = ascend(
        picture, Target.of(network), "conv1", Objective((0,)), options, torch.Generator()
    )
    assert height == pytest.approx(0.5)
    change = after - picture
    assert float(change.abs().mean()) == pytest.approx(0.01, rel=1e-4)
    assert (change[:, 1:] == 0).all()
    assert (change[0, 0, ::2, ::2] > 0).all()
    assert (change[0, 0, 1::2] == 0).all(), "rows that stride 2 leaves out"
    assert hook_count(network.module) == 0


def test_jitter_only_moves_the_grid() -> None:
    """With jitter the pixels that are raised are shifted; their number and height stay."""
    network = make_network(ToyConvNet(), "classification")
    picture = torch.full((1, 3, 8, 8), 0.5)
    options = StepOptions(step=0.01, jitter=3, smoothing=0.0, variation=0.0)
    generator = torch.Generator().manual_seed(4)
    after, _ = ascend(picture, Target.of(network), "conv1", Objective((0,)), options, generator)
    raised = (after - picture)[0, 0] > 0
    assert int(raised.sum()) == 16
    assert raised.any(1).sum() == raised.any(0).sum() == 4


def test_a_detectors_backbone_gets_the_detectors_own_normalization() -> None:
    network = toy_network("detection")
    target = Target.of(network)
    assert target.prefix == "backbone."
    torch.testing.assert_close(target.mean.flatten(), torch.tensor([0.485, 0.456, 0.406]))
    picture = random_picture(1, 3, 64, 64)
    transform, backbone = network.module.transform, network.module.backbone
    with torch.no_grad():
        (own,) = (backbone.conv1(transform.normalize(image)[None]) for image in picture)
        torch.testing.assert_close(target.answer(picture, "backbone.conv1"), own)
    with pytest.raises(ExplorerError, match="outside the backbone"):
        target.answer(picture, "rpn.head")
    with pytest.raises(ExplorerError, match="cannot be run on its own"):
        Target.of(make_network(FixedDetector({}), "detection"))


def test_objective() -> None:
    answer = torch.arange(8.0).view(1, 2, 2, 2)
    assert float(Objective()(answer)) == pytest.approx(float((answer**2).mean()))
    assert float(Objective((1,))(answer)) == pytest.approx(5.5)
    with pytest.raises(ExplorerError, match="has 2 channels"):
        Objective((2,))(answer)


def test_preview_rounds_and_repeats_gray() -> None:
    picture = torch.tensor([0.0, 0.5, 1.0]).view(1, 1, 1, 3)
    assert preview(picture).tolist() == [[[0] * 3, [128] * 3, [255] * 3]]


def test_resized_leaves_an_equal_size_alone() -> None:
    picture = random_picture(1, 3, 6, 5)
    assert resized(picture, (6, 5)) is picture
    assert resized(picture, (12, 10)).shape == (1, 3, 12, 10)
