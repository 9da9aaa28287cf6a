"""`--truth FILE`: the photos' ground truth for the command line."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from explorer.annotations.truth import truth_in, truth_names
from explorer.cli.paths import existing, local
from explorer.core.errors import ExplorerError
from explorer.core.reading import display_name
from explorer.core.values import Box, Mask

if TYPE_CHECKING:
    import argparse

    from explorer.core.network_info import NetworkInfo
    from explorer.engine.view import View
    from explorer.images.image import Image


def add_option(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--truth", metavar="FILE",
        help="ground truth of the photos, for views that use it: COCO .json, Pascal VOC .xml or "
             "YOLO .txt; masks as .png or COCO .json (a folder for several photos)",
    )  # fmt: skip


def check(path: str | None, view: View[Any, Any]) -> None:
    """Checks what can be checked before anything is computed.

    Raises:
        ExplorerError: The view takes no ground truth, or there is no such file.
    """
    if path is None:
        return
    if not truth_names(view.Params):
        raise ExplorerError(f"The view {view.name} uses no ground truth.", "Leave --truth out.")
    existing(path, "--truth")


def with_some(params: Any, path: str | None) -> Any:
    """`params` as they are with ground truth: some settings matter only then."""
    if path is None:
        return params
    names = truth_names(type(params))
    some = {"boxes": (Box(0.0, 0.0, 1.0, 1.0),), "mask": Mask.of(np.ones((1, 1), np.uint8))}
    return replace(params, **{names[part]: some[part] for part in names if part in some})


def file_of(path: str | None, photo: Path) -> Path | None:
    """The file with the ground truth of a photo, None when there is none."""
    from explorer.annotations.around import file_for

    if path is None:
        return None
    place = local(path, "--truth")
    return file_for(place, photo) if os.path.isdir(place) else place


def with_file(
    params: Any, path: str | None, image: Image, info: NetworkInfo | None = None
) -> tuple[Any, tuple[str, ...]]:
    """`params` with what `path` has for the photo, and sentences about it.

    Raises:
        ExplorerError: The file cannot be read or does not name the photo.
    """
    if path is None:
        return params, ()
    photo = image.path or Path(image.name)
    place = file_of(path, photo)
    if place is None:
        raise ExplorerError(
            f"{path} has no annotations of {display_name(photo)}.",
            "They must be a .xml, .txt or .png file with the name of the photo, or a COCO .json.",
        )
    values, notes = truth_in(params, place, image, info)
    return replace(params, **values), notes
