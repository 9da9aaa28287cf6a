"""What is chosen: photo, view, network, parameters, and what goes together."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, Signal

from explorer.core.params import resolved
from explorer.engine.answer import Ask
from explorer.live.pace import Pace
from explorer.ui.study.choosing import natural_view
from explorer.ui.study.used_networks import UsedNetworks
from explorer.ui.study.used_params import UsedParams
from explorer.ui.truth.photo_truth import PhotoTruth, Truth

if TYPE_CHECKING:
    from explorer.core.network_info import NetworkInfo, NetworkSpec
    from explorer.engine.view import View
    from explorer.images.image import Image
    from explorer.live.slot import Slot
    from explorer.networks.entry import Entry
    from explorer.ui.shell.bridge import Ready


class Choice(QObject):
    """Photo, view, network and parameters; nothing is asked or drawn here.

    Attributes:
        image: The photo; of a source of frames, the newest one that was answered.
        slot: Where the frames come from; None for a photo.
        view: None before the first photo.
        spec: The network in use; None before there is one.
        info: What is known of it once it has been loaded.
        params: Of the view.
        beside: The names of the views that are shown beside it.
        pace: The network's input size for frames.
        any_runtime: Frames are computed by the fastest runtime there is, instead of torch.

    Signals:
        params_changed: Parameters were changed by something else than the form.
        said: A sentence for the user.
        moved: A sentence about a view or a network that the program is choosing by itself; where
            the user was before can be gone back to.
    """

    params_changed = Signal()
    said = Signal(str)
    moved = Signal(str)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._ready: Ready | None = None
        self._networks = UsedNetworks()
        self._unlisted: dict[tuple[str, str], Entry] = {}  # by name and weights
        self.photo_truth = PhotoTruth()
        self._used = UsedParams(self.photo_truth)
        self.image: Image | None = None
        self.slot: Slot | None = None
        self.view: View[Any, Any] | None = None
        self.spec: NetworkSpec | None = None
        self.info: NetworkInfo | None = None
        self.params: Any = None
        self.beside: tuple[str, ...] = ()
        self.seed = 0
        self.device = "auto"
        self.half = False
        self.pace = Pace()
        self.any_runtime = False

    # -- what there is ----------------------------------------------------------------------------

    @property
    def ready(self) -> Ready | None:
        return self._ready

    def set_ready(self, ready: Ready) -> None:
        self._ready = ready
        self._networks.defaults = ready.defaults

    @property
    def views(self) -> dict[str, View[Any, Any]]:
        return dict(self._ready.views) if self._ready else {}

    def entry(self, spec: NetworkSpec | None = None) -> Entry | None:
        """The catalog's entry of `spec`, by default of the network in use.

        A network that is in no list (a folder, a program, a detector that a checkpoint makes) has
        one once it was loaded.
        """
        spec = spec or self.spec
        if self._ready is None or spec is None:
            return None
        listed = (entry for entry in self._ready.entries if entry.name == spec.name)
        return next(listed, None) or self._unlisted.get((spec.name, spec.weights))

    # -- what is chosen ---------------------------------------------------------------------------

    @property
    def wants_photo(self) -> bool:
        """Nothing can be shown before there is a photo."""
        return self.view is None or self.view.needs.photo

    @property
    def live(self) -> bool:
        """Frames are followed: `image` is the newest one that was answered."""
        return self.slot is not None

    @property
    def title(self) -> str:
        """What is shown, in a few words: for titles and file names."""
        parts = (self.view.title if self.view else "", self.image.name if self.image else "")
        return " · ".join(part for part in parts if part)

    @property
    def subject(self) -> tuple[str, str, str]:
        """Photo, view and network: what tells the two sides of a comparison apart."""
        entry = self.entry()
        return (
            Path(self.image.name).stem if self.image else "",
            self.view.title if self.view else "",
            entry.title if entry else "",
        )

    def question(self, *, fresh: bool = False) -> Ask:
        """What is asked about it; there is a view, and what that needs.

        Args:
            fresh: Nothing that was computed or measured before is reused.
        """
        assert self.view is not None
        asked = (self.view, self.spec, self.image, self.params, self.seed, self.sides)
        return Ask(*asked, fresh=fresh)

    @property
    def truth(self) -> Truth:
        """The ground truth of the photo that is shown."""
        return self.photo_truth.of(self.image.key) if self.image is not None else ()

    # -- which networks and views go together -----------------------------------------------------

    def start_with(self, spec: NetworkSpec) -> None:
        """The network to begin with, before anything is shown."""
        self.spec = self._on_device(spec)

    def _on_device(self, spec: NetworkSpec) -> NetworkSpec:
        return replace(spec, device=self.device, half=self.half)

    def network_for(self, view: View[Any, Any]) -> NetworkSpec | None:
        """The network that `view` will use: the one in use where it suits, else another one."""
        entry = self.entry()
        if not view.needs.network:
            return self.spec
        if entry is None and self.spec is not None and self._ready is not None:
            return self.spec  # it is in no list: what it is for is known once it was loaded
        if entry is None or not view.suits(entry.task):
            return self._networks.suiting(view)
        if self.info is not None and not view.takes(self.info):
            return self._networks.suiting(view)
        best = None if view.best == entry.task else self._networks.used_for(view.best)
        return best or self.spec

    def bring_network(self, view: View[Any, Any]) -> None:
        """Before `view` is shown: the network in use becomes one that it supports.

        `moved` reports another network, `said` that there is none: then nothing changes.
        """
        old, spec = self.entry(), self.network_for(view)
        if spec == self.spec:
            return
        if spec is None:
            self.said.emit(
                self.tr("No network for {view} is available: choose one.").format(view=view.title)
            )
            return
        entry = self.entry(spec)
        if old is not None and entry is not None:
            words = self.tr("{view} needs a different network: using {network}.")
            if view.best and view.suits(old.task):
                words = self.tr("{view} shows more with a network for {task}: using {network}.")
            self.moved.emit(words.format(view=view.title, network=entry.title, task=view.best))
        self.spec = self._on_device(spec)
        self.info = None

    def _give_way(self, words: str) -> None:
        """A view that cannot use the network is replaced by its default one, with a message."""
        view, entry = self.view, self.entry()
        other = natural_view(self.views, entry.task if entry is not None else "", live=self.live)
        if view is None or other is None:
            return
        network = entry.title if entry is not None else ""
        self.moved.emit(words.format(view=view.title, network=network, other=other.title))
        self.view = other

    def take_info(self, info: NetworkInfo | None) -> None:
        """What is known of a network that has been loaded; None = the answer came without one.

        `params_changed` follows once for each network, with the parameters that it resolves.
        """
        if info is None:
            return
        entry = self.entry(info.spec)
        if entry is None and self._ready is not None:
            from explorer.networks.entry import Entry  # not before the first paint

            place = info.spec.name, info.spec.weights
            title = info.title
            entry = Entry(info.spec.name, title, info.task, "opened", f"{title}: {info.task}.")
            self._unlisted[place] = entry
        if entry is not None and self.view is not None:
            self._networks.worked(self.view.name, entry.task, info.spec)
        if info is not self.info:
            self.info = info
            self.params = resolved(self.params, info)
            self.params_changed.emit()

    # -- beside the view --------------------------------------------------------------------------

    def offered(self) -> tuple[View[Any, Any], ...]:
        """The views that can be shown beside the main one, with the network in use."""
        entry = self.entry()
        return tuple(
            view
            for view in self.views.values()
            if view is not self.view
            and view.job is None
            and (entry is None or view.suits(entry.task))
            and (view.live or not self.live)
        )

    @property
    def sides(self) -> tuple[tuple[View[Any, Any], Any], ...]:
        """The views that are shown beside the main one, with their parameters."""
        return tuple(
            (view, self._used.of(view, self.image, live=self.live))
            for view in self.offered()
            if view.name in self.beside
        )

    # -- parameters -------------------------------------------------------------------------------

    @property
    def last_params(self) -> dict[str, Any]:
        """By view name, in the order of use: the parameters used last."""
        return dict(self._used.last)

    def restore(self, params: dict[str, Any]) -> None:
        """Parameters by view, from a session."""
        self._used.last.update(params)

    def _recall(self, params: Any = None) -> None:
        """The parameters that the view was used with the last time, or `params`."""
        if self.view is None:
            return
        if not isinstance(params, self.view.Params):
            params = self._used.of(self.view, self.image, live=self.live)
        self.params = resolved(params, self.info) if self.info is not None else params
        if self.image is not None:
            self.params = self.photo_truth.into(self.params, self.image.key)
        self._remember()

    def _remember(self) -> None:
        if self.view is not None:
            self._used.put(self.view, self.image, self.params)
