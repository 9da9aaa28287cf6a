"""Holding a rate by looking at smaller pictures."""

from __future__ import annotations

import pytest

from explorer.live.pace import SETTLE, SHARES, Governor, Pace


def run(governor: Governor, full: float, frames: int) -> list[float]:
    """Shares of so many frames of a network that takes `full` seconds at its own size."""
    shares = []
    for _ in range(frames):
        shares.append(governor.share)
        governor.took(full * governor.share**2)
    return shares


def test_without_a_wanted_rate_the_size_stays() -> None:
    assert set(run(Governor(Pace(share=0.7)), 9.0, 50)) == {0.7}


def test_a_slow_network_looks_at_less_until_it_keeps_up() -> None:
    # 0.1 s at the full size, 20 frames/s wanted: 0.1 * 0.7² = 0.049 s is the first that fits.
    shares = run(Governor(Pace(rate=20.0)), 0.1, 100)
    assert shares[0] == 1.0
    assert shares[-1] == 0.7
    assert shares[-50:] == [0.7] * 50, "it does not swing"


def test_it_grows_again_when_there_is_time() -> None:
    governor = Governor(Pace(rate=20.0))
    run(governor, 0.4, 100)
    assert governor.share == 0.33
    assert run(governor, 0.02, 200)[-1] == 1.0


def test_it_stops_at_the_smallest_and_never_above_what_is_allowed() -> None:
    governor = Governor(Pace(share=0.6, rate=30.0))
    assert run(governor, 90.0, 200)[-1] == SHARES[-1]
    assert run(governor, 0.001, 200)[-1] == 0.6


def test_the_first_frames_at_a_size_are_not_judged() -> None:
    governor = Governor(Pace(rate=20.0))
    for _ in range(SETTLE):
        governor.took(5.0)  # loading, warming up
    assert governor.share == 1.0
    governor.took(0.01)
    assert governor.share == 1.0


@pytest.mark.parametrize("wrong", [{"share": 0.0}, {"share": 1.5}, {"rate": -1.0}])
def test_nonsense_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=r"share|rate"):
        Pace(**wrong)
