"""What goes to the engine and what comes back: plain data, without torch, for any thread."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from explorer.core.network_info import NetworkInfo, NetworkSpec
    from explorer.engine.actions import Made
    from explorer.engine.references import Opened
    from explorer.engine.view import View
    from explorer.images.image import Image
    from explorer.live.slot import Shot
    from explorer.networks.fast.report import RuntimeReport


@dataclass(frozen=True, slots=True, eq=False)
class Ask:
    """One question: this view of this network on this photo with these parameters.

    `spec` is None for a view that needs no network, `image` for one that needs no photo. `beside`
    are more views, with their parameters, of the same photo with the same network.
    `fresh`: nothing computed before is reused; what was measured is measured again.
    `survey`: not the view's computation, but what there is before its background job is begun.
    """

    view: View[Any, Any]
    spec: NetworkSpec | None
    image: Image | None
    params: Any
    seed: int = 0
    beside: tuple[tuple[View[Any, Any], Any], ...] = ()
    fresh: bool = False
    survey: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Side:
    """What a view beside the main one found: a `result`, or a `problem` in a sentence.

    `opened` are the networks and photos that its parameters name; None where they cannot be had.
    """

    view: View[Any, Any]
    params: Any
    result: Any
    seconds: float
    problem: str = ""
    opened: Opened | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Answer:
    """What came out so far: `result` is None while networks are loading.

    `info` is None until the network is loaded, and where the view needs none. `shot` is the frame
    that it is about when a film or a camera is followed, `seconds` how long the view took for it,
    `share` the part of the network's own input size that was used. `steered`: the
    parameters were changed while it was computed, so that the same ones, run again, give another
    answer. `made` are the networks that it made and that are in the catalog. `runtime` says what
    computed the network for the frame, where there is a choice.
    """

    ask: Ask
    info: NetworkInfo | None
    params: Any
    result: Any
    shot: Shot | None = None
    beside: tuple[Side, ...] = ()
    seconds: float = 0.0
    share: float = 1.0
    steered: bool = False
    made: tuple[Made, ...] = ()
    runtime: RuntimeReport | None = None
