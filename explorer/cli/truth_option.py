"""`--truth FILE`: the photos' ground truth for the command line."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from explorer.annotations.truth import truth_name
from explorer.core.errors import ExplorerError

if TYPE_CHECKING:
    import argparse

    from explorer.engine.view import View
    from explorer.images.image import Image


def add_option(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--truth", metavar="FILE",
        help="ground truth of the photos, for views that use it: COCO .json, Pascal VOC .xml or "
             "YOLO .txt (a folder for several photos)",
    )  # fmt: skip


def check(path: str | None, view: View[Any, Any]) -> None:
    """Says what can be said before anything is computed.

    Raises:
        ExplorerError: The view takes no ground truth, or there is no such file.
    """
    if path is None:
        return
    if not truth_name(view.Params):
        raise ExplorerError(f"The view {view.name} uses no ground truth.", "Leave --truth out.")
    if not Path(path).exists():
        raise ExplorerError(f"{path} does not exist.", "Give --truth a file or a folder.")


def with_file(params: Any, path: str | None, image: Image) -> tuple[Any, tuple[str, ...]]:
    """`params` with the boxes that `path` has for the photo, and sentences about them.

    Raises:
        ExplorerError: The file cannot be read or does not name the photo.
    """
    if path is None:
        return params, ()
    from explorer.annotations import read_for

    place, photo = Path(path), image.path or Path(image.name)
    if place.is_dir():
        files = [place / f"{photo.stem}{suffix}" for suffix in (".xml", ".txt", ".json")]
        place = next((file for file in files if file.is_file()), files[0])
    boxes, notes = read_for(place, photo, (image.width, image.height))
    return replace(params, **{truth_name(type(params)): boxes}), notes
