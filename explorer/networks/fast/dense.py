"""The part of a network that is the same function of an image whatever it shows.

Body, neck and dense heads: convolutions, sums and resizing, with shapes that follow from the input.
What comes before and after (a detector's own resizing, anchors, non-maximum suppression, heads on
regions) depends on what is found. So this part can be computed by another runtime, and the rest
stays torch's own.
"""

from __future__ import annotations

import copy
from collections import OrderedDict
from typing import TYPE_CHECKING, Any, Protocol

import torch
from torch import Tensor, nn
from torchvision.models.detection import FCOS, RetinaNet
from torchvision.models.detection.generalized_rcnn import GeneralizedRCNN
from torchvision.models.detection.ssd import SSD

from explorer.networks.embedded.yolo import YOLO
from explorer.networks.fast.convolution import unpacked
from explorer.networks.hooks import map_tensors, tensors_in

if TYPE_CHECKING:
    from collections.abc import Sequence

KNOWN = ("torchvision.models.", "explorer.networks.embedded.")
"""Where the classes of networks are written whose forward pass does the same at every image."""

_SINGLE_STAGE = (RetinaNet, FCOS, SSD)


class Compute(Protocol):
    """In the place of a dense part.

    Attributes:
        poll: Called now and then by a long computation: hooks on it can interrupt that.
    """

    poll: nn.Module

    def __call__(self, images: Tensor) -> Any:
        """What the part gives for (1, C, H, W)."""


class DensePart(nn.Module):
    """A part on its own, sharing the layers of the network it was taken from."""

    def forward(self, images: Tensor) -> Any:
        """(1, C, H, W), normalized -> nested lists, tuples and dicts of tensors."""
        raise NotImplementedError

    def images(self, module: nn.Module, shown: Any) -> Tensor:
        """What the part is given when `module` is called with `shown`."""
        transform: Any = module.transform
        images: Tensor = transform(list(shown))[0].tensors
        return images

    def form(self, found: Any) -> Any:
        """The output `found` with an empty tensor wherever numbers belong."""
        return map_tensors(found, lambda _: torch.empty(0))

    def replaced(self, module: nn.Module, compute: Compute) -> nn.Module:
        """A copy of `module`, its layers shared, in which `compute` does what the part does."""
        raise NotImplementedError


class Body(DensePart):
    """Of a two-stage detector: the backbone and the head of the region proposal network."""

    def __init__(self, module: GeneralizedRCNN) -> None:
        super().__init__()
        self.backbone: Any = module.backbone
        self.head: Any = module.rpn.head

    def forward(self, images: Tensor) -> Any:
        maps = _named(self.backbone(images))
        objectness, deltas = self.head(list(maps.values()))
        return maps, (list(objectness), list(deltas))

    def replaced(self, module: nn.Module, compute: Compute) -> nn.Module:
        body = _Computed(compute)
        proposals: Any = _copied(module.rpn)
        proposals.head = _Kept(body)
        found = _copied(module)
        found.backbone, found.rpn = body, proposals
        made: nn.Module = found
        return made


class Heads(Body):
    """Of a single-stage detector: the backbone and the heads; of its maps only shapes are used."""

    def __init__(self, module: nn.Module) -> None:
        DensePart.__init__(self)
        self.backbone: Any = module.backbone
        self.head: Any = module.head

    def forward(self, images: Tensor) -> Any:
        maps = _named(self.backbone(images))
        return maps, self.head(list(maps.values()))

    def form(self, found: Any) -> Any:
        maps, heads = found
        shapes = map_tensors(maps, lambda values: torch.zeros(1).expand(values.shape))
        return shapes, super().form(heads)

    def replaced(self, module: nn.Module, compute: Compute) -> nn.Module:
        body = _Computed(compute)
        found = _copied(module)
        found.backbone, found.head = body, _Kept(body)
        made: nn.Module = found
        return made


class Cells(DensePart):
    """Of a YOLO: the numbers of every cell."""

    def __init__(self, module: YOLO) -> None:
        super().__init__()
        self.module = module

    def forward(self, images: Tensor) -> Any:
        return self.module.predict(self.module.features(images))

    def replaced(self, module: nn.Module, compute: Compute) -> nn.Module:
        found = _copied(module)
        found.poll = compute.poll
        found.features, found.predict = compute, lambda numbers: numbers
        made: nn.Module = found
        return made


class Whole(DensePart):
    """A network that gives its numbers as they are: of classes, of pixels, of joints."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, images: Tensor) -> Any:
        return self.module(images)

    def images(self, module: nn.Module, shown: Any) -> Tensor:
        return torch.as_tensor(shown)

    def replaced(self, module: nn.Module, compute: Compute) -> nn.Module:
        return _Answer(compute)


def dense_part(module: nn.Module, *, batched: bool) -> DensePart | None:
    """The dense part of a network; None where it is not known to be one.

    Args:
        module: In eval mode.
        batched: It takes (1, C, H, W), and no list of images.
    """
    if isinstance(module, YOLO):
        return Cells(module)
    if isinstance(module, GeneralizedRCNN):
        return Body(module)
    if isinstance(module, _SINGLE_STAGE):
        return Heads(module)
    if batched and f"{type(module).__module__}.".startswith(KNOWN):
        return Whole(module)
    return None


def alone(part: DensePart) -> DensePart:
    """A copy for another thread, with layers of its own in the plain form that can be exported."""
    found = copy.deepcopy(part)
    unpacked(found)
    return found


class Flat(nn.Module):
    """A dense part at one input size, whose output is a plain tuple of tensors.

    Attributes:
        form: Of the first call's output; see `DensePart.form` and `built`.
    """

    def __init__(self, part: DensePart) -> None:
        super().__init__()
        self.part = part
        self.form: Any = None

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        found = self.part(images)
        if self.form is None:
            self.form = self.part.form(found)
        pairs = zip(tensors_in(found), tensors_in(self.form), strict=True)
        return tuple(values for values, place in pairs if not place.numel())


def built(form: Any, tensors: Sequence[Tensor]) -> Any:
    """An output of this form with the tensors in the places of the empty ones."""
    values = iter(tensors)
    return map_tensors(form, lambda place: place if place.numel() else next(values))


class _Computed(nn.Module):
    """In the place of a backbone: keeps what the heads give, until they are called."""

    def __init__(self, compute: Compute) -> None:
        super().__init__()
        self.poll = compute.poll
        self._compute = compute
        self.heads: Any = None

    def forward(self, images: Tensor) -> Any:
        maps, self.heads = self._compute(images)
        return maps


class _Kept(nn.Module):
    """In the place of a head."""

    def __init__(self, body: _Computed) -> None:
        super().__init__()
        self._body = (body,)  # no layer of this one

    def forward(self, _maps: list[Tensor]) -> Any:
        (body,) = self._body
        found, body.heads = body.heads, None
        return found


class _Answer(nn.Module):
    """In the place of a whole network."""

    def __init__(self, compute: Compute) -> None:
        super().__init__()
        self.poll = compute.poll
        self._compute = compute

    def forward(self, images: Tensor) -> Any:
        return self._compute(images)


def _named(maps: Tensor | OrderedDict[str, Tensor]) -> OrderedDict[str, Tensor]:
    """As torchvision's detectors do with a backbone that gives one map."""
    return OrderedDict([("0", maps)]) if isinstance(maps, Tensor) else maps


def _copied(module: Any) -> Any:
    """The same layers in another module, which can be given others."""
    found = copy.copy(module)
    # Modules keep their parts in a dictionary that a shallow copy would share.
    found._modules = dict(module._modules)
    return found
