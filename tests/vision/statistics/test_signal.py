"""What theory says about deep random networks."""

import numpy as np
import pytest
import torch

from explorer.vision.statistics.layers import Initialization
from explorer.vision.statistics.signal import Flow, random_flow

PICTURE = torch.rand(1, 3, 32, 40, generator=torch.Generator().manual_seed(0))
DEPTH = 30


def found(how: Initialization, *, residual: bool = False, norm: bool = False) -> Flow:
    generator = torch.Generator().manual_seed(4)
    return random_flow(PICTURE, DEPTH, how, generator, residual=residual, norm=norm)


def step(values: np.ndarray) -> float:
    """The factor from layer to layer."""
    return float((values[-1] / values[0]) ** (1 / (len(values) - 1)))


def test_he_keeps_the_signal_and_others_multiply_it() -> None:
    he, glorot = step(found("He").signal), step(found("Glorot").signal)
    assert 0.8 < he < 1.15
    # Between equal widths Glorot's variance is half of He's; twice the weights, twice the signal.
    assert glorot == pytest.approx(he / 2**0.5, rel=1e-6)
    assert step(found("too small").signal) == pytest.approx(he / 2, rel=1e-6)
    assert step(found("too large").signal) == pytest.approx(he * 2, rel=1e-6)


def test_the_gradient_vanishes_in_plain_networks_only() -> None:
    plain = found("too small").gradient
    residual = found("too small", residual=True).gradient
    assert plain[0] < 1e-6 * plain[-1]
    assert residual[0] > 0.5 * residual[-1]


def test_batch_norm_makes_the_size_of_weights_unimportant() -> None:
    one = found("too small", norm=True)
    two = found("too large", norm=True)
    np.testing.assert_allclose(one.signal, two.signal, rtol=1e-2)


def test_it_is_finite_at_any_depth() -> None:
    for how in ("Glorot", "He", "too small", "too large"):
        flow = random_flow(PICTURE[:, :1], 150, how, torch.Generator(), residual=how != "He")
        assert flow.signal.shape == flow.gradient.shape == (150,)
        assert np.isfinite(flow.signal).all()
        assert np.isfinite(flow.gradient).all()
