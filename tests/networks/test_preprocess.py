from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
import torchvision.models as tv
from torchvision.transforms._presets import ImageClassification, SemanticSegmentation

from explorer.networks.preprocess import Frame, Preprocess, grid_frame
from explorer.networks.zoo import definitions, preprocess_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

SIZES = [(300, 401), (256, 256), (31, 17)]


def photo(height: int, width: int) -> NDArray[np.uint8]:
    return np.random.default_rng(height).integers(0, 256, (height, width, 3), dtype=np.uint8)


def presets() -> list[Any]:
    """Every different set of steps among torchvision's weights, but for the largest inputs."""
    found: dict[str, Any] = {}
    for definition in definitions():
        for member in tv.get_model_weights(definition.entry.name):
            preset = member.transforms()
            if isinstance(preset, (ImageClassification, SemanticSegmentation)):
                found.setdefault(repr(preset), pytest.param(preset, id=str(member)))
    return [param for param in found.values() if param.values[0].resize_size[0] <= 384]


@pytest.mark.parametrize("preset", presets())
def test_equals_the_weights_own_transform(preset: Any) -> None:
    task: Any = "segmentation" if isinstance(preset, SemanticSegmentation) else "classification"
    ours = preprocess_of(preset, task)
    for height, width in SIZES if preset.resize_size[0] <= 256 else SIZES[:1]:
        pixels = photo(height, width)
        wanted = preset(torch.from_numpy(pixels).permute(2, 0, 1))[None]
        assert torch.equal(ours(pixels), wanted), (height, width)


def test_segmentation_equals_the_weights_own_transform() -> None:
    member = tv.get_model_weights("lraspp_mobilenet_v3_large").DEFAULT
    ours = preprocess_of(member.transforms(), "segmentation")
    for height, width in SIZES:
        pixels = photo(height, width)
        wanted = member.transforms()(torch.from_numpy(pixels).permute(2, 0, 1))[None]
        assert torch.equal(ours(pixels), wanted)


def test_detection_hands_the_photo_over_as_it_is() -> None:
    member = tv.get_model_weights("fasterrcnn_mobilenet_v3_large_320_fpn").DEFAULT
    ours = preprocess_of(member.transforms(), "detection")
    pixels = photo(301, 200)
    wanted = member.transforms()(torch.from_numpy(pixels).permute(2, 0, 1))
    assert not ours.batched
    assert torch.equal(ours(pixels)[0], wanted)


@pytest.mark.parametrize(
    "steps",
    [
        Preprocess(),
        Preprocess(resize=64),
        Preprocess(resize=64, crop=48),
        Preprocess(resize=(40, 90)),
        Preprocess(crop=200),
        Preprocess(longest=50),
        Preprocess(resize=64, longest=70),
    ],
)
@pytest.mark.parametrize("size", [(60, 100), (100, 60), (75, 75), (33, 100)])
def test_frame_says_where_a_pixel_went(steps: Preprocess, size: tuple[int, int]) -> None:
    height, width = size
    frame = steps.frame(height, width)
    for edge in (frame, frame.inverse()):
        x, y = edge.inverse().point(*edge.point(11.5, 20.25))
        assert (x, y) == pytest.approx((11.5, 20.25))
    # A white block on black: its center of mass is found where the frame says.
    pixels = np.zeros((height, width, 3), np.uint8)
    top, left = height // 2 - 5, width // 2 - 3
    pixels[top : top + 8, left : left + 12] = 255
    seen = steps(pixels)[0, 0].numpy()
    rows, columns = np.mgrid[0 : seen.shape[0], 0 : seen.shape[1]] + 0.5
    found = (seen * columns).sum() / seen.sum(), (seen * rows).sum() / seen.sum()
    assert found == pytest.approx(frame.point(left + 6.0, top + 4.0), abs=0.35)


def test_a_thin_strip_stays_small() -> None:
    steps = Preprocess(resize=224, crop=224, longest=1000)
    values = steps(photo(1, 5000))
    assert values.shape == (1, 3, 224, 224)


def test_gray() -> None:
    steps = Preprocess(resize=32, channels=1, mean=(0.5,), std=(0.25,))
    pixels = photo(50, 70)
    values = steps(pixels)
    assert values.shape == (1, 1, 32, 44)
    picture = steps.picture(values)
    assert picture.shape == (32, 44, 3)
    assert (picture[..., 0] == picture[..., 2]).all()


def test_picture_undoes_the_normalization() -> None:
    pixels = photo(40, 50)
    steps = Preprocess(mean=(0.4, 0.5, 0.6), std=(0.2, 0.3, 0.4))
    assert (steps.picture(steps(pixels)) == pixels).all()


@pytest.mark.parametrize("channels", [3, 1])
def test_what_was_fed_can_be_fed_again(channels: int) -> None:
    """A photo that is resized and cropped in 8 bits gives the same input once more."""
    mean, std = ((0.4, 0.5, 0.6), (0.2, 0.3, 0.4)) if channels == 3 else ((0.5,), (0.25,))
    steps = Preprocess(resize=36, crop=32, mean=mean, std=std, channels=channels)
    values = steps(photo(60, 50))
    assert torch.allclose(steps.fed(steps.picture(values)), values, atol=1 / 255 / min(std))
    if channels == 3:
        assert torch.equal(steps.fed(steps.picture(values)), values)


def test_grid_frame_and_boxes() -> None:
    frame = grid_frame((480, 640), (15, 20))
    assert frame == Frame(1 / 32, 1 / 32)
    box = np.array([[32, 64, 96, 128]], np.float32)
    assert frame.boxes(box).tolist() == [[1, 2, 3, 4]]
    assert Frame(2, 2, 1, 1).then(Frame(3, 3, 5, 5)).point(1, 1) == (14, 14)
    assert Frame(2, 3, 1, 0).extent(10, 10) == (1, 0, 21, 30)


@pytest.mark.parametrize(
    ("steps", "words"),
    [
        (Preprocess(resize=256, crop=224, mean=(0.0,), std=(1.0,)), "RGB, short side 256, center"),
        (Preprocess(resize=(28, 30), channels=1), "gray, 30 x 28"),
        (Preprocess(batched=False), "inside the network"),
    ],
)
def test_title(steps: Preprocess, words: str) -> None:
    assert words in steps.title()
