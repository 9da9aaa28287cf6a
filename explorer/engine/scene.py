"""A scene: one network on one image, and what was computed for it.

A view that needs no photo, or no network, is given a scene without one.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar, cast

import torch
from torch import Tensor

from explorer.core.errors import ExplorerError
from explorer.engine.references import Opened
from explorer.networks.hooks import captured, tensors_in

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterator, Mapping

    from explorer.core.values import ImageRef, NetworkRef
    from explorer.images.image import Image
    from explorer.networks.network import Network
    from explorer.networks.preprocess import Frame

T = TypeVar("T")

TRACE = "trace"
"""Under which a scene remembers its trace."""


@dataclass(frozen=True, slots=True, eq=False)
class Moment:
    """Which frame of a film or a camera a scene is, and what came before.

    Attributes:
        number: Counts the source's frames from 0; it jumps where frames were dropped.
        seconds: When the frame was taken, from the start of the film or of the watching; it goes
            back when a film starts again or is rewound.
        memory: What views carry from frame to frame, by the view's name; the same dictionary for
            all frames that one job follows, empty at its first.
        layers: Whose outputs were used at the previous frame.
    """

    number: int
    seconds: float
    memory: dict[str, Any] = field(default_factory=dict)
    layers: frozenset[str] = frozenset()


class Scene:
    """Touched by the runner's thread only.

    Attributes:
        seed: For views that draw random numbers: `generator()` starts from it.
        moment: Where in a film or a camera's stream the image is; None = it is a still.
        opened: The networks and photos that the view's parameters name.
        asked: Names of the layers whose outputs were used.
    """

    def __init__(
        self,
        network: Network | None,
        image: Image | None,
        seed: int = 0,
        moment: Moment | None = None,
        opened: Opened | None = None,
    ) -> None:
        self._network = network
        self._image = image
        self.seed = seed
        self.moment = moment
        self.opened = opened or Opened()
        self.asked: set[str] = set()
        self._memo: dict[Hashable, Any] = {}
        self._records: dict[str, list[Any]] = {}

    @property
    def network(self) -> Network:
        """Who looks.

        Raises:
            LookupError: The view said that it needs no network.
        """
        if self._network is None:
            raise LookupError("this scene has no network: the view must say that it needs one")
        return self._network

    @property
    def image(self) -> Image:
        """At what.

        Raises:
            LookupError: The view said that it needs no photo.
        """
        if self._image is None:
            raise LookupError("this scene has no photo: the view must say that it needs one")
        return self._image

    @property
    def networks(self) -> tuple[Network, ...]:
        """All that a computation may call: its own and those that its parameters name."""
        own = () if self._network is None else (self._network,)
        return tuple(dict.fromkeys((*own, *self.opened.networks.values())))

    def network_of(self, ref: NetworkRef) -> Network:
        """Another network, one of the view's parameters or of its `uses`; loaded already.

        Raises:
            LookupError: Nothing of the view names it.
        """
        if ref not in self.opened.networks:
            raise LookupError(f"no parameter of the view names {ref}")
        return self.opened.networks[ref]

    def image_of(self, ref: ImageRef) -> Image:
        """Another photo, one of the view's parameters; decoded already.

        Raises:
            LookupError: No parameter of the view names it.
        """
        if ref not in self.opened.images:
            raise LookupError(f"no parameter of the view names {ref}")
        return self.opened.images[ref]

    def memo(self, key: Hashable, make: Callable[[], T]) -> T:
        """What `make()` gave the first time it was asked under `key`."""
        if key not in self._memo:
            self._memo[key] = make()
        return cast("T", self._memo[key])

    @property
    def traced(self) -> bool:
        """True once `engine.stages.trace_of` has followed the network step by step."""
        return TRACE in self._memo

    def forget(self) -> None:
        """Frees everything that was remembered."""
        self._memo.clear()
        self._records = {}

    def generator(self) -> torch.Generator:
        """A fresh CPU generator at the scene's seed: equal parameters give equal pictures."""
        return torch.Generator().manual_seed(self.seed)

    @property
    def frame(self) -> Frame:
        """From the photo's pixels to the pixels of `input()`."""
        height, width = self.image.pixels.shape[:2]
        return self.network.preprocess.frame(height, width)

    def input(self) -> Tensor:
        """(1, C, H, W) on the network's device, in its dtype: what the network is shown."""
        return self.memo("input", self._input)

    def shown(self, values: Tensor) -> Tensor | list[Tensor]:
        """(1, C, H, W) `values` as the module takes them: a detector gets its list of images."""
        return values if self.network.preprocess.batched else [values[0]]

    def call(self, values: Tensor) -> Any:
        """The module's output for (1, C, H, W) `values`."""
        return self.network.module(self.shown(values))

    @torch.no_grad()
    def output(self) -> Any:
        """The module's output for the photo, computed once.

        Raises:
            ExplorerError: When the output is not finite (a detector would silently find nothing).
        """
        return self.memo("output", self._answer)

    @torch.no_grad()
    def records(self, *layers: str) -> Mapping[str, list[Any]]:
        """The outputs of those layers for the photo, as `hooks.captured` records it.

        Only the records of the last forward pass are kept. The passes for `output`, for a trace and
        for the records of a followed frame are one and the same from the second frame on: what was
        used at the previous frame is recorded with the first use.

        Raises:
            ExplorerError: When the network has no such layer.
        """
        self.asked.update(layers)
        if not self._records.keys() >= set(layers):
            with self.recording(*layers):
                answer = self.call(self.input())
            if "output" not in self._memo and _finite(answer):
                self._memo["output"] = answer
        return self._records

    @contextmanager
    def recording(self, *layers: str) -> Iterator[None]:
        """Keeps the outputs of `layers`, and of those of the previous frame, in this context."""
        before = self.moment.layers if self.moment is not None else frozenset()
        with captured(self.network.module, sorted(before | set(layers))) as records:
            yield
        if records:
            self._records = records

    def _answer(self) -> Any:
        with self.recording():
            return checked(self.call(self.input()))

    def _input(self) -> Tensor:
        values = self.network.preprocess(self.image.pixels)
        return values.to(self.network.device, self.network.dtype)


def checked(output: Any) -> Any:
    """`output` itself when every number in it is finite.

    Raises:
        ExplorerError: When a NaN or an infinity is in it.
    """
    if not _finite(output):
        raise ExplorerError(
            "The network's output is not finite (NaN or infinity).",
            "Its weights are damaged, or half precision overflows: use float32 or other weights.",
        )
    return output


def _finite(output: Any) -> bool:
    return all(
        bool(torch.isfinite(tensor).all())
        for tensor in tensors_in(output)
        if tensor.is_floating_point()
    )
