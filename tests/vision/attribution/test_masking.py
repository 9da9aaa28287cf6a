"""Occlusion and RISE against closed forms, D-RISE on detectors."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from explorer.vision.attribution.boxes import SimilarBox
from explorer.vision.attribution.masking import occlusion, random_masks, rise, windows
from explorer.vision.attribution.targets import Reading
from tests.toys import FixedDetector, tiny_faster_rcnn


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


class Sum:
    """Its confidence is a weighted sum of the pixels."""

    module = nn.Identity()

    def __init__(self, weights: Tensor) -> None:
        self.weights = weights

    def __call__(self, values: Tensor) -> Reading:
        found = (values * self.weights).flatten(1).sum(1)
        return Reading(found, found.detach())


def test_windows_reach_the_far_edges() -> None:
    grid = windows((10, 7), patch=4, stride=4)
    assert (grid.ys, grid.xs, grid.side) == ([0, 4, 6], [0, 3], 4)
    assert windows((6, 9), patch=50, stride=5) == ([0], [0, 3], 6)


def test_occlusion_of_a_sum_is_what_the_windows_held() -> None:
    weights = torch.rand(1, 6, 8, generator=generator())
    x = torch.rand(1, 1, 6, 8, generator=generator(1))
    baseline = torch.full_like(x, 0.25)
    *partial, last = occlusion(Sum(weights), x, baseline, patch=2, stride=2)
    parts = ((x - baseline) * weights)[0, 0]
    held = parts.unfold(0, 2, 2).unfold(1, 2, 2).sum((2, 3))
    expected = held.repeat_interleave(2, 0).repeat_interleave(2, 1)
    torch.testing.assert_close(last.values, expected, rtol=1e-4, atol=1e-6)
    assert (last.done, last.total) == (12, 12)
    assert partial[0].values.isnan().sum() == 48 - 4 * 4, "four windows of four pixels are known"
    torch.testing.assert_close(partial[0].values.nan_to_num(), torch.where(
        partial[0].values.isnan(), 0.0, expected
    ), rtol=1e-4, atol=1e-6)  # fmt: skip


def test_overlapping_windows_are_averaged() -> None:
    weights = torch.ones(1, 1, 3)
    x = torch.tensor([[[[1.0, 2.0, 4.0]]]])
    *_, last = occlusion(Sum(weights), x, torch.zeros_like(x), patch=1, stride=1)
    torch.testing.assert_close(last.values, x[0, 0])
    x = torch.rand(1, 1, 3, 3, generator=generator())
    *_, last = occlusion(Sum(torch.ones(1, 3, 3)), x, torch.zeros_like(x), patch=2, stride=1)
    sums = x[0, 0].unfold(0, 2, 1).unfold(1, 2, 1).sum((2, 3))
    assert float(last.values[1, 1]) == pytest.approx(float(sums.mean()), rel=1e-5)
    assert float(last.values[0, 0]) == pytest.approx(float(sums[0, 0]), rel=1e-5)


def test_masks_are_visible_with_the_probability() -> None:
    masks = random_masks(400, (30, 44), 5, 0.3, generator())
    assert masks.shape == (400, 30, 44)
    assert float(masks.min()) >= 0
    assert float(masks.max()) <= 1 + 1e-6
    assert float(masks.mean()) == pytest.approx(0.3, abs=0.02)
    again = random_masks(400, (30, 44), 5, 0.3, generator())
    assert torch.equal(masks, again)


def test_rise_is_the_mean_confidence_of_the_masks_that_show_a_pixel() -> None:
    weights = torch.zeros(1, 16, 16)
    weights[0, 2:6, 9:13] = 1.0
    x, baseline = torch.ones(1, 1, 16, 16), torch.zeros(1, 1, 16, 16)
    *_, last = rise(Sum(weights), x, baseline, masks=6, cells=4, share=0.5, generator=generator(3))
    again = generator(3)  # drawn four and two at a time, as the method does
    masks = torch.cat([random_masks(n, (16, 16), 4, 0.5, again) for n in (4, 2)])
    scores = (masks * weights[0]).sum((1, 2))
    expected = torch.einsum("n,nij->ij", scores, masks) / masks.sum(0).clamp(min=1e-6)
    shown = masks.sum(0) > 0
    torch.testing.assert_close(
        last.values[shown], (expected - scores.mean())[shown], rtol=1e-4, atol=1e-4
    )
    *_, many = rise(
        Sum(weights), x, baseline, masks=600, cells=4, share=0.5, generator=generator(4)
    )
    row, column = divmod(int(many.values.argmax()), 16)
    assert 1 <= row <= 6
    assert 8 <= column <= 13


def test_a_detection_is_wholly_similar_to_itself() -> None:
    module = tiny_faster_rcnn().eval()
    image = torch.rand(3, 64, 80, generator=generator(1))
    for row in (0, 3):
        target = SimilarBox.of(module, image, row)
        assert float(target(image[None]).confidence[0]) == pytest.approx(1.0, abs=1e-5)
        other = float(target(torch.zeros_like(image)[None]).confidence[0])
        assert 0 <= other < 1


def test_similarity_of_a_detector_that_is_not_traced() -> None:
    boxes = torch.tensor([[0.0, 0, 10, 10], [0, 0, 10, 20], [0, 0, 10, 10]])
    answer = {
        "boxes": boxes,
        "labels": torch.tensor([1, 1, 2]),
        "scores": torch.tensor([0.8, 0.9, 0.95]),
    }
    target = SimilarBox.of(FixedDetector(answer), torch.rand(3, 32, 32), 0)
    assert target.shares is None
    # the box itself with 0.8, the taller one with 0.5 * 0.9; the other class does not count
    assert float(target(torch.rand(1, 3, 32, 32)).confidence[0]) == pytest.approx(0.8)
    alone = SimilarBox(FixedDetector({k: v[1:] for k, v in answer.items()}), boxes[0], 1)
    assert float(alone(torch.rand(1, 3, 32, 32)).confidence[0]) == pytest.approx(0.45)
    nothing = {k: v[:0] for k, v in answer.items()}
    gone = SimilarBox(FixedDetector(nothing), boxes[0], 1)
    assert float(gone(torch.rand(1, 3, 32, 32)).confidence[0]) == 0


def test_d_rise_finds_where_the_box_comes_from() -> None:
    class Patch(nn.Module):
        """One box, whose score is the brightness of the pixels inside."""

        def forward(self, images: list[Tensor]) -> list[dict[str, Tensor]]:
            score = images[0][:, 4:12, 16:28].mean()[None]
            box = torch.tensor([[16.0, 4.0, 28.0, 12.0]])
            return [{"boxes": box, "labels": torch.tensor([1]), "scores": score}]

    image = torch.ones(3, 32, 40)
    target = SimilarBox.of(Patch(), image, 0)
    *_, last = rise(
        target, image[None], torch.zeros(1, 3, 32, 40), masks=400, cells=6, share=0.5,
        generator=generator(0),
    )  # fmt: skip
    inside = last.values[4:12, 16:28].mean()
    outside = last.values.clone()
    outside[0:16, 10:34] = -1
    assert inside > outside.max()
