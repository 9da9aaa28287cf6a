"""The step itself, and the network that it climbs, against other ways to compute them."""

from __future__ import annotations

from functools import partial

import pytest
import torch
from torch import nn

from explorer.core.errors import ExplorerError
from explorer.vision.synthesis import objectives
from explorer.vision.synthesis.images import Cppn, Fourier, Image, Latent, Masked, Pixels
from explorer.vision.synthesis.optimizers import NormalizedDescent, adam, lbfgs, momentum
from explorer.vision.synthesis.synthesis import Synthesis
from explorer.vision.synthesis.target import Target
from explorer.vision.synthesis.tiles import Tiles
from explorer.vision.synthesis.transforms import Transforms
from tests.toys import FixedDetector, ToyConvNet, hook_count, make_network, toy_network


def keep(
    records: dict, path: str, _module: nn.Module, _inputs: object, output: torch.Tensor
) -> None:
    """A forward hook: the first output."""
    records.setdefault(path, output.clone())


def random_picture(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed))


def descent(picture: torch.Tensor, rate: float = 0.01, **options: object) -> Synthesis:
    """Of minus conv1's channel 0, which is red."""
    network = make_network(ToyConvNet(), "classification")
    return Synthesis(
        Pixels(picture), Target.of(network), -objectives.channels("conv1", (0,)),
        NormalizedDescent(rate), **options,
    )  # fmt: skip


def test_a_step_by_hand() -> None:
    """conv1's channel 0 is red alone, so only red rises, at the pixels that are used."""
    picture = torch.full((1, 3, 8, 8), 0.5)
    synthesis = descent(picture)
    report = synthesis.step()
    assert report.loss == pytest.approx(-0.5)
    assert report.finite
    change = synthesis.picture() - picture
    assert float(change.abs().mean()) == pytest.approx(0.01, rel=1e-4)
    assert (change[:, 1:] == 0).all()
    assert (change[0, 0, ::2, ::2] > 0).all()
    assert (change[0, 0, 1::2] == 0).all(), "rows that stride 2 leaves out"
    assert hook_count(synthesis.target.part) == hook_count(synthesis.target.swift) == 0


def test_jitter_only_moves_the_grid() -> None:
    """With jitter the pixels that are raised are shifted; their number and height stay."""
    picture = torch.full((1, 3, 8, 8), 0.5)
    generator = torch.Generator().manual_seed(4)
    synthesis = descent(picture, generator=generator, transforms=Transforms(jitter=3))
    synthesis.step()
    raised = (synthesis.picture() - picture)[0, 0] > 0
    assert int(raised.sum()) == 16
    assert raised.any(1).sum() == raised.any(0).sum() == 4


def test_a_step_that_is_not_finite_leaves_the_picture() -> None:
    picture = torch.full((1, 3, 8, 8), 0.5)
    synthesis = descent(picture)
    synthesis.objective = objectives.channels("conv1", (0,)) / 0.0
    report = synthesis.step()
    assert not report.finite
    assert torch.equal(synthesis.picture(), picture)


def test_named_parts_are_reported() -> None:
    synthesis = descent(torch.full((1, 3, 8, 8), 0.5))
    red = objectives.channels("conv1", (0,)).named("red")
    synthesis.objective = 2.0 - red + 3 * objectives.total_variation().named("TV")
    report = synthesis.step()
    assert report.loss == pytest.approx(1.5)
    assert report.parts == {"red": pytest.approx(0.5), "TV": pytest.approx(0.0)}


def images(size: tuple[int, int]) -> dict[str, Image]:
    generator = torch.Generator().manual_seed(0)
    mean, components = torch.full((3, *size), 0.5), random_picture(4, 3, *size) - 0.5
    whole = torch.full((1, 3, *size), 0.5)
    mask = torch.zeros(1, 1, *size)
    mask[..., : size[1] // 2] = 1
    return {
        "pixels": Pixels(whole),
        "fourier": Fourier(1, size, generator),
        "cppn": Cppn(size, generator),
        "latent": Latent(mean, components),
        "masked": Masked(Pixels(whole), whole, mask),
    }


@pytest.mark.parametrize("name", ["pixels", "fourier", "cppn", "latent", "masked"])
def test_every_parameterization_climbs(name: str) -> None:
    network = make_network(ToyConvNet(), "classification")
    image = images((12, 16))[name]
    synthesis = Synthesis(
        image, Target.of(network), -objectives.channels("conv1", (0,)), adam(0.02)
    )
    assert synthesis.picture().shape == (1, 3, 12, 16)
    losses = [synthesis.step().loss for _ in range(12)]
    assert losses[-1] < losses[0]
    assert 0 <= float(synthesis.picture().min()) <= float(synthesis.picture().max()) <= 1
    if name == "masked":
        assert (synthesis.picture()[..., 8:] == 0.5).all(), "nothing changes outside the mask"


@pytest.mark.parametrize(
    "make", [lambda: NormalizedDescent(0.02), lambda: adam(0.02), lambda: momentum(3.0), lbfgs]
)
def test_every_optimizer_comes_near_a_picture(make) -> None:
    """The minimum of a distance is known: the other picture."""
    network = make_network(ToyConvNet(), "classification")
    wanted = random_picture(1, 3, 8, 8)
    synthesis = Synthesis(
        Pixels(torch.full((1, 3, 8, 8), 0.5)), Target.of(network),
        objectives.distance(wanted), make(),
    )  # fmt: skip
    first = synthesis.step().loss
    for _ in range(60):
        last = synthesis.step().loss
    assert last < 0.05 * first


def test_a_spectrum_begins_with_a_photo() -> None:
    picture = 0.1 + 0.8 * random_picture(1, 3, 10, 14)
    image = Fourier(1, (10, 14), torch.Generator(), start=picture)
    torch.testing.assert_close(image.picture(), picture, atol=1e-4, rtol=0)


def test_no_frequency_of_a_spectrum_exceeds_its_limit() -> None:
    """Brought back to 0.5 * 0.177 / k^0.35 at k cycles per picture, with its phase."""
    image = Fourier(2, (12, 16), torch.Generator().manual_seed(0), spread=0.2, limit=0.5)
    (spectrum,) = image.parameters
    before = torch.view_as_complex(spectrum.detach().clone())
    image.project()
    after = torch.view_as_complex(spectrum.detach())
    for row, column in ((0, 1), (3, 0), (2, 5), (6, 8)):
        cycles = 16 * (torch.fft.fftfreq(12)[row].item() ** 2 + (column / 16) ** 2) ** 0.5
        most = 0.5 * 0.177 / cycles**0.35
        size = before[0, 1, row, column].abs().item()
        assert after[0, 1, row, column].abs().item() == pytest.approx(min(size, most), rel=1e-4)
    torch.testing.assert_close(after.angle(), before.angle(), atol=1e-4, rtol=0.0)
    assert (after.abs() < before.abs() - 1e-4).any()
    free = Fourier(2, (12, 16), torch.Generator().manual_seed(0), spread=0.2)
    free.project()
    assert torch.equal(torch.view_as_complex(free.parameters[0].detach()), before)


@pytest.mark.parametrize("name", ["conv1", "features.3"])
def test_the_swift_copy_gives_what_the_network_gives(name: str) -> None:
    """A convolution whose normalization was folded into it is asked of the network itself."""
    module: nn.Module = ToyConvNet()
    if name != "conv1":
        torch.manual_seed(0)
        features = nn.Sequential(
            nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(inplace=True), nn.Conv2d(4, 5, 3),
            nn.BatchNorm2d(5), nn.ReLU(inplace=True),
        )  # fmt: skip
        for layer in (features[1], features[4]):
            layer.running_mean.normal_()
            layer.running_var.uniform_(0.5, 2.0)
        module = nn.Sequential()
        module.add_module("features", features)
    network = make_network(module, "classification")
    target = Target.of(network)
    picture = random_picture(2, 3, 32, 32)
    values = (picture - target.mean) / target.std
    records: dict[str, torch.Tensor] = {}
    for path, layer in network.module.named_modules():
        if path:
            layer.register_forward_hook(partial(keep, records, path))
    with torch.no_grad():
        network.module(values)
        for path, wanted in records.items():
            torch.testing.assert_close(target.answer(picture, path), wanted, atol=1e-4, rtol=1e-4)
        several = target.answers(picture, list(records))
    for path, wanted in records.items():
        torch.testing.assert_close(several[path], wanted, atol=1e-4, rtol=1e-4)


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


def test_tiles_give_the_gradient_of_the_whole() -> None:
    """conv2's receptive field is smaller than the margin, so all of it equals."""
    network = make_network(ToyConvNet(), "classification")
    picture = random_picture(1, 3, 96, 80)
    after = {}
    for tiles in (None, Tiles(side=32, margin=16)):
        synthesis = Synthesis(
            Pixels(picture), Target.of(network),
            -objectives.energy("conv2") + 0.1 * objectives.total_variation(),
            momentum(1000.0), transforms=Transforms(jitter=5), tiles=tiles,
        )  # fmt: skip
        report = synthesis.step()
        after[tiles is None] = synthesis.picture()
        assert report.finite
    assert float((after[True] - picture).abs().max()) > 1e-3
    torch.testing.assert_close(after[True], after[False], atol=1e-4, rtol=0)


def test_transforms_are_seeded_and_keep_the_size() -> None:
    moves = Transforms(padding=2, jitter=3, scale=0.2, rotation=10.0)
    picture = random_picture(1, 3, 20, 30)
    drawn = [
        moves.sample((20, 30), torch.Generator().manual_seed(seed))(picture) for seed in (1, 1, 2)
    ]
    assert drawn[0].shape == (1, 3, 24, 34)
    assert torch.equal(drawn[0], drawn[1])
    assert not torch.equal(drawn[0], drawn[2])
    assert Transforms().sample((20, 30), torch.Generator())(picture) is picture
    cropped = Transforms(crop=0.5).sample((20, 30), torch.Generator().manual_seed(0))(picture)
    assert 10 <= cropped.shape[2] <= 20
    assert 15 <= cropped.shape[3] <= 30


def test_a_quarter_turn_is_one() -> None:
    picture = random_picture(1, 1, 9, 9)
    turned = Transforms().sample((9, 9), torch.Generator())
    turned = type(turned)(degrees=90.0)(picture)
    assert any(torch.allclose(turned, torch.rot90(picture, k, (2, 3)), atol=1e-5) for k in (1, 3))
