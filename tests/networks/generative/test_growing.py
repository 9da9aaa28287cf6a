"""What is faded in counts for its part, in the pictures that are made and in the scores."""

from __future__ import annotations

import torch
from torch.nn import functional

from explorer.networks.generative.growing import GrowingDiscriminator, grown_pictures
from explorer.networks.generative.style_gan import StyleGenerator, enlarged

WIDTHS = {4: 8, 8: 6, 16: 4}


@torch.no_grad()
def test_a_grown_generator_is_the_whole_one_and_a_level_less_is_without_its_last_share() -> None:
    generator = StyleGenerator(WIDTHS, size=8)
    styles = [torch.randn(2, 8)] * 3
    torch.testing.assert_close(grown_pictures(generator, styles, 2.0), generator.synthesize(styles))
    first, second, _ = generator.shares(styles)
    torch.testing.assert_close(grown_pictures(generator, styles, 0.0), first)
    torch.testing.assert_close(
        grown_pictures(generator, styles, 0.25), enlarged(first) + 0.25 * second
    )


@torch.no_grad()
def test_scores_while_a_resolution_is_faded_in_begin_with_those_before() -> None:
    judge = GrowingDiscriminator(WIDTHS).eval()
    pictures = torch.randn(1, 3, 16, 16)
    before = judge(functional.avg_pool2d(pictures, 2), 1.0)
    torch.testing.assert_close(judge(pictures, 1 + 1e-6), before, rtol=1e-3, atol=1e-4)
    torch.testing.assert_close(judge(pictures, 2 - 1e-7), judge(pictures), rtol=1e-3, atol=1e-4)
    assert not torch.allclose(before, judge(pictures), rtol=1e-3)
