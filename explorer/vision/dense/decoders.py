"""The decoders of segmentation networks in their parts: what each adds, and the scores without it.

A part is a branch of an atrous pyramid, a grid of pyramid pooling, a skip connection, a unit of a
residual stream. With all parts on, the scores are the network's own, `torch.equal`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional
from torchvision.models.segmentation import LRASPP
from torchvision.models.segmentation._utils import _SimpleSegmentationModel
from torchvision.models.segmentation.deeplabv3 import ASPP

from explorer.core.errors import ExplorerError
from explorer.networks.embedded.lite import body_maps
from explorer.networks.embedded.segmentation.decoders import LiteUNet
from explorer.networks.embedded.segmentation.deeplab import LiteDeepLab
from explorer.networks.embedded.segmentation.fcn import LiteFCN
from explorer.networks.embedded.segmentation.frrn import UNITS, FullResolutionUnit, LiteFRRN
from explorer.networks.embedded.segmentation.parts import LiteSegmenter, enlarged, widened
from explorer.networks.embedded.segmentation.pspnet import BINS, LitePSPNet
from explorer.vision.features.segmentation import scores_of

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """One part of a decoder, and what it adds to where the parts meet.

    Attributes:
        name: "stride 16", "rate 6", "2 x 2 bins".
        adds: (C, h, w), where the part is summed with the others: scores of the classes in an FCN,
            the next convolution's output from the part's channels where parts are concatenated, the
            residual stream.
        rate: Cells between the samples of a dilated 3x3 convolution; 0 = it is none.
        bins: Rows and columns of a pooled grid; 0 = it is none.
    """

    name: str
    adds: Tensor
    rate: int = 0
    bins: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class Decoder:
    """A network's decoder on the feature maps of one photo.

    Attributes:
        parts: In their order.
        scores: The places in `parts` of those that are on -> (C, H, W) logits over the network's
            input; the others give zeros instead.
        of_classes: Parts add scores of the classes.
    """

    parts: tuple[Part, ...]
    scores: Callable[[Collection[int]], Tensor]
    of_classes: bool = False

    @property
    def own(self) -> Tensor:
        """The network's own scores, (C, H, W)."""
        return self.scores(range(len(self.parts)))


@torch.no_grad()
def coarse_scores(module: nn.Module, images: Tensor) -> Tensor:
    """The scores of a network before their last enlargement: (1, C, h, w).

    The size of the input for a network whose last enlargement is not known.

    Args:
        module: A segmentation network in eval mode.
        images: (1, 3, H, W), its input.

    Raises:
        ExplorerError: It gives no scores per class and pixel.
    """
    if isinstance(module, LiteSegmenter):
        return module.outputs(images, *body_maps(module.body, images, module.taps))["out"]
    if isinstance(module, _SimpleSegmentationModel):
        found: Tensor = module.classifier(module.backbone(images)["out"])
    elif isinstance(module, LRASPP):
        found = module.classifier(module.backbone(images))
    else:
        height, width = images.shape[-2:]
        found = scores_of(module(images), (height, width))[None]
    return found


@torch.no_grad()
def fcn(module: nn.Module, images: Tensor) -> Decoder:
    """FCN-32s, -16s and -8s (Long et al. 2015, section 4.2): parts are the scores of each stride.

    The last enlargement begins at the finest stride that is on, so that the first part alone is
    FCN-32s and the first two are FCN-16s.

    Args:
        module: A `LiteFCN`.
        images: (1, 3, H, W), its input.

    Raises:
        ExplorerError: It is another network.
    """
    if not isinstance(module, LiteFCN):
        raise _another("FCN with skips", "Lite FCN")
    fine, middle, coarse = body_maps(module.body, images, module.taps)
    own = (
        module.score_fr(module.fc7(module.fc6(coarse))),
        module.score_pool4(middle),
        module.score_pool3(fine),
    )

    @torch.no_grad()
    def scores(on: Collection[int]) -> Tensor:
        found = own[0] if 0 in on else torch.zeros_like(own[0])
        finest = max(on, default=0)
        for stride, enlarge in ((1, module.upscore2), (2, module.upscore_pool4)):
            if stride <= finest:
                below = widened(enlarge(found), own[stride])
                found = own[stride] + below if stride in on else below
        return enlarged(found, images)[0]

    names = ("stride 32", "stride 16", "stride 8")
    parts = tuple(Part(name, adds[0]) for name, adds in zip(names, own, strict=True))
    return Decoder(parts, scores, of_classes=True)


@torch.no_grad()
def atrous(module: nn.Module, images: Tensor) -> Decoder:
    """The branches of an atrous spatial pyramid (Chen et al. 2017, section 3.3).

    What a branch adds is its part of the convolution that follows, before the normalization.

    Args:
        module: A `LiteDeepLab`, or torchvision's `DeepLabV3`.
        images: (1, 3, H, W), its input.

    Raises:
        ExplorerError: It is another network.
    """
    head = getattr(module, "classifier", None)
    rest: Callable[[Tensor], Tensor]
    if isinstance(module, LiteDeepLab):
        fine, middle, coarse = body_maps(module.body, images, module.taps)
        x = module.project(torch.cat([middle, enlarged(coarse, middle)], dim=1))
        aspp, low = module.aspp, module.low(fine)

        def rest(wide: Tensor) -> Tensor:
            both = torch.cat([enlarged(wide, fine), low], dim=1)
            found: Tensor = module.classifier(module.refine(both))
            return found

    elif (
        isinstance(module, _SimpleSegmentationModel)
        and isinstance(head, nn.Sequential)
        and isinstance(head[0], ASPP)
    ):
        x, aspp = module.backbone(images)["out"], head[0]
        rest = nn.Sequential(*list(head)[1:])
    else:
        raise _another("atrous pyramid", "Lite DeepLab")
    branches = [branch(x) for branch in aspp.convs]
    parts = []
    for branch, adds in zip(aspp.convs, _split(aspp.project[0], branches), strict=True):
        first = next(layer for layer in branch.modules() if isinstance(layer, nn.Conv2d))
        rate = first.dilation[0] if first.kernel_size[0] > 1 else 0
        name = f"rate {rate}" if rate else "1 x 1"
        pools = any(isinstance(layer, nn.AdaptiveAvgPool2d) for layer in branch.modules())
        parts.append(Part("image mean" if pools else name, adds, rate, int(pools)))

    @torch.no_grad()
    def scores(on: Collection[int]) -> Tensor:
        found = rest(aspp.project(torch.cat(_kept(branches, on), dim=1)))
        return enlarged(found, images)[0]

    return Decoder(tuple(parts), scores)


@torch.no_grad()
def pyramid(module: nn.Module, images: Tensor) -> Decoder:
    """The bins of pyramid pooling beside the map itself (Zhao et al. 2017, section 3.2).

    What a level adds is its part of the convolution that follows, before the normalization.

    Args:
        module: A `LitePSPNet`.
        images: (1, 3, H, W), its input.

    Raises:
        ExplorerError: It is another network.
    """
    if not isinstance(module, LitePSPNet):
        raise _another("pyramid pooling", "Lite PSPNet")
    middle, coarse = body_maps(module.body, images, module.taps)
    x = module.project(torch.cat([middle, enlarged(coarse, middle)], dim=1))
    levels = [x, *(enlarged(level(x), x) for level in module.pyramid.levels)]
    adds = _split(module.fuse[0], levels)
    parts = [Part("the map itself", adds[0])]
    for bins, level in zip(BINS, adds[1:], strict=True):
        parts.append(Part(f"{bins} x {bins} bin{'s' * (bins > 1)}", level, bins=bins))

    @torch.no_grad()
    def scores(on: Collection[int]) -> Tensor:
        fused = module.fuse(torch.cat(_kept(levels, on), dim=1))
        return enlarged(module.classifier(module.dropout(fused)), images)[0]

    return Decoder(tuple(parts), scores)


@torch.no_grad()
def skips(module: nn.Module, images: Tensor) -> Decoder:
    """An encoder-decoder with skip connections (Ronneberger et al. 2015, figure 1).

    The first part comes up from the bottom; each of the others is a map of the encoder that is
    concatenated on the way. What one adds is its part of the convolution there.

    Args:
        module: A `LiteUNet`.
        images: (1, 3, H, W), its input.

    Raises:
        ExplorerError: It is another network.
    """
    if not isinstance(module, LiteUNet):
        raise _another("U-Net", "Lite U-Net")
    maps = body_maps(module.body, images, module.taps)
    steps = list(zip(module.up, module.skips, module.join, reversed(maps[:-1]), strict=True))
    bottom = module.project(maps[-1])
    parts: list[Part] = []

    def run(on: Collection[int], seen: Callable[[Tensor, Tensor, nn.Conv2d], None]) -> Tensor:
        x = bottom if 0 in on else torch.zeros_like(bottom)
        for number, (up, normalize, join, encoded) in enumerate(steps, start=1):
            skip = normalize(encoded)
            below = widened(up(x), skip)
            skip = skip if number in on else torch.zeros_like(skip)
            first = next(layer for layer in join.modules() if isinstance(layer, nn.Conv2d))
            seen(below, skip, first)
            x = join(torch.cat([below, skip], dim=1))
        return enlarged(module.classifier(x), images)[0]

    def note(below: Tensor, skip: Tensor, join: nn.Conv2d) -> None:
        from_below, from_skip = _split(join, [below, skip])
        stride = 2 ** (len(steps) - max(len(parts) - 1, 0))
        if not parts:
            parts.append(Part(f"stride {2 * stride}, from below", from_below))
        parts.append(Part(f"stride {stride}, skip", from_skip))

    run(range(len(steps) + 1), note)

    @torch.no_grad()
    def scores(on: Collection[int]) -> Tensor:
        return run(on, lambda *_: None)

    return Decoder(tuple(parts), scores)


@torch.no_grad()
def stream(module: nn.Module, images: Tensor) -> Decoder:
    """A full-resolution residual stream: what every unit adds to it (Pohlen et al. 2016, fig. 2).

    Args:
        module: A `LiteFRRN`.
        images: (1, 3, H, W), its input.

    Raises:
        ExplorerError: It is another network.
    """
    if not isinstance(module, LiteFRRN):
        raise _another("full-resolution residual stream", "Lite FRRN")
    maps = body_maps(module.body, images, module.taps)
    fine, middle, coarse = (
        reduce(values) for reduce, values in zip(module.reduce, maps, strict=True)
    )
    stem = module.stem(images)
    names = ("stem", *(f"unit {k}, stride {stride}" for k, (_, stride) in enumerate(UNITS, 1)))

    def run(on: Collection[int]) -> tuple[Tensor, list[Tensor]]:
        residual = stem if 0 in on else torch.zeros_like(stem)
        added = [stem]
        pooled = fine
        joins: tuple[Callable[[Tensor], Tensor], ...] = (
            lambda x: x,
            lambda x: torch.cat([module.pool(x), middle], dim=1),
            lambda x: torch.cat([module.pool(x), coarse], dim=1),
            lambda x: enlarged(x, middle),
            lambda x: enlarged(x, fine),
        )
        for number, (unit, join) in enumerate(zip(module.units, joins, strict=True), start=1):
            assert isinstance(unit, FullResolutionUnit)
            pooled, after = unit(join(pooled), residual)
            added.append(unit.to_stream(pooled))
            residual = after if number in on else residual
        joined = module.join(torch.cat([residual, enlarged(pooled, residual)], dim=1))
        return module.classifier(joined), added

    @torch.no_grad()
    def scores(on: Collection[int]) -> Tensor:
        return enlarged(run(on)[0], images)[0]

    _, added = run(range(len(names)))
    parts = tuple(Part(name, adds[0]) for name, adds in zip(names, added, strict=True))
    return Decoder(parts, scores)


def _split(convolution: nn.Conv2d, parts: Sequence[Tensor]) -> list[Tensor]:
    """What a convolution of concatenated maps makes of each of them: (O, h, w), without its bias.

    Their sum and the bias are its output up to rounding.
    """
    found, start = [], 0
    for part in parts:
        weight = convolution.weight[:, start : start + part.shape[1]]
        start += part.shape[1]
        found.append(
            functional.conv2d(
                part, weight, None, convolution.stride, convolution.padding, convolution.dilation
            )[0]
        )
    return found


def _kept(parts: Sequence[Tensor], on: Collection[int]) -> list[Tensor]:
    return [part if place in on else torch.zeros_like(part) for place, part in enumerate(parts)]


def _another(what: str, network: str) -> ExplorerError:
    return ExplorerError(f"This network has no {what}.", f"Choose {network}.")
