"""The search against an output that can be solved by hand."""

import numpy as np
import pytest
import torch

from explorer.vision.latent import pca
from explorer.vision.latent.search import Decoder, Search, fitted, log_odds

CPU = torch.device("cpu")


def basis(channels: int = 3) -> pca.Basis:
    rng = np.random.default_rng(0)
    return pca.fit(0.4 + 0.2 * rng.random((12, 6, 4, channels), np.float32), 5)


def decoder(
    of: pca.Basis, size: tuple[int, int], channels: int = 3, detail: float = 0.0
) -> Decoder:
    return Decoder.of(of, 5, np.full(of.shape, detail, np.float32), size, channels, CPU)


def test_the_decoder_gives_the_pictures_of_the_basis() -> None:
    known = basis()
    p = np.linspace(-1, 1, 5, dtype=np.float32)
    (picture,) = decoder(known, (6, 4))(torch.from_numpy(p))
    np.testing.assert_allclose(picture.permute(1, 2, 0), known.picture(p), atol=1e-5)
    (more,) = decoder(known, (6, 4), detail=0.1)(torch.from_numpy(p))
    np.testing.assert_allclose(more, picture + 0.1, atol=1e-5)
    (gray,) = decoder(known, (6, 4), channels=1)(torch.from_numpy(p))
    luma = known.picture(p) @ np.array([0.2989, 0.587, 0.114])
    np.testing.assert_allclose(gray[0], luma, atol=1e-5)
    (colored,) = decoder(basis(1), (6, 4))(torch.from_numpy(p))
    assert torch.equal(colored[0], colored[2])


def test_a_picture_is_fitted_into_the_input_on_gray() -> None:
    white = torch.ones(1, 3, 6, 4)
    shown = fitted(white, (12, 12))
    assert shown.shape == (1, 3, 12, 12)
    np.testing.assert_allclose(shown[..., 2:10], 1.0, atol=1e-6)
    assert (shown[..., :2] == 0.5).all()
    assert (shown[..., 10:] == 0.5).all()
    assert fitted(torch.ones(1, 1, 100, 2), (8, 8)).shape == (1, 1, 8, 8)


def test_log_odds_by_hand() -> None:
    scores = torch.tensor([1.0, 2.0, -1.0])
    p = scores.softmax(0)
    for label in range(3):
        expected = torch.log(p[label] / (1 - p[label]))
        assert float(log_odds(scores, label)) == pytest.approx(float(expected), abs=1e-5)
    sure = torch.tensor([90.0, 0.0], requires_grad=True)
    log_odds(sure, 1).backward()
    assert float(sure.grad[1]) == pytest.approx(1.0)


def linear(start: list[float], target: float, **options: float) -> Search:
    """The output is p0 + 2 p1."""
    return Search(lambda p: p, lambda p: p[0] + 2 * p[1], target, torch.tensor(start), **options)


def test_the_output_reaches_its_target() -> None:
    search = linear([0.0, 0.0, 0.5], 3.0, decay=0.0)
    outputs = [search.advance() for _ in range(200)]
    assert outputs[0] == 0.0
    assert outputs[-1] == pytest.approx(3.0, abs=0.02)
    assert search.coefficients[2] == pytest.approx(0.5), "nothing depends on it"


def test_the_decay_keeps_coefficients_small() -> None:
    # (q - 5)^2 + d (p0^2 + p1^2) / 2 with q = p0 + 2 p1 is least at p = 2 c (1, 2), c = (5 - q) / d
    # so q = 10 (5 - q) / d: for d = 10, q = 2.5 and p = (0.5, 1)
    search = linear([0.0, 0.0], 5.0, decay=10.0, rate=0.05)
    for _ in range(400):
        search.advance()
    np.testing.assert_allclose(search.coefficients, [0.5, 1.0], atol=0.02)


def test_no_coefficient_leaves_the_limit() -> None:
    search = linear([9.0, 0.0], 100.0, decay=0.0, limit=2.0, rate=0.5)
    assert search.coefficients.tolist() == [2.0, 0.0]
    for _ in range(30):
        search.advance()
    assert search.coefficients.tolist() == [2.0, 2.0]


def test_an_output_that_is_not_finite_changes_nothing() -> None:
    search = Search(lambda p: p, lambda p: p.sum() * torch.nan, 1.0, torch.tensor([1.0]))
    assert np.isnan(search.advance())
    assert search.coefficients.tolist() == [1.0]
