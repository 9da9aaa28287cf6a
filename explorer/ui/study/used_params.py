"""The parameters that were used: by photo and view, and by view the last ones on any photo."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Any

from explorer.core.params import begun, inside

if TYPE_CHECKING:
    from explorer.engine.view import View
    from explorer.images.image import Image
    from explorer.ui.truth.photo_truth import PhotoTruth

MOST_REMEMBERED = 500


class UsedParams:
    """Remembers them; the ground truth among them belongs to the photo.

    Attributes:
        last: By view name, in the order of use: the parameters used last.
    """

    def __init__(self, truth: PhotoTruth) -> None:
        self._truth = truth
        self._known: OrderedDict[tuple[str, str], Any] = OrderedDict()
        self.last: dict[str, Any] = {}

    def of(self, view: View[Any, Any], image: Image | None, *, live: bool = False) -> Any:
        """What `view` is asked with on a photo: what it was last used with, there or elsewhere.

        Args:
            view: It gives the defaults.
            image: The photo; places on another one are moved onto it.
            live: The photo stands for frames, whose edges are not known.
        """
        key, last = image.key if image is not None else "", self.last.get(view.name)
        params = self._known.get((key, view.name))
        if params is None and isinstance(last, view.Params):
            still = image if image is not None and not live else None
            params = last if still is None else begun(inside(last, still.width, still.height))
        if not isinstance(params, view.Params):
            params = view.Params()
        return self._truth.into(params, key) if key else params

    def put(self, view: View[Any, Any], image: Image | None, params: Any) -> None:
        """`view` has been used with `params`."""
        self.last.pop(view.name, None)  # the newest is the last one
        self.last[view.name] = params
        if image is None:
            return
        self._truth.take(params, image.key)
        self._known[image.key, view.name] = params
        self._known.move_to_end((image.key, view.name))
        if len(self._known) > MOST_REMEMBERED:
            self._known.popitem(last=False)
