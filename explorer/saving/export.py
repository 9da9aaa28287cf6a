"""Everything the program writes for its user: pictures, data, boxes and films, each atomically.

A file is either as it was or completely new (`explorer.core.storage.atomic`). The format follows
from the suffix. What cannot be written ends in an `ExplorerError`.
"""

from __future__ import annotations

from explorer.core.storage.atomic import replacing, write_bytes
from explorer.saving.boxes import (
    BOX_FORMATS,
    BOX_SUFFIX,
    BoxFormat,
    ImageInfo,
    LabeledBoxes,
    boxes_of,
    lost_flags,
    save_boxes,
    save_coco,
)
from explorer.saving.data import DATA_SUFFIXES, data_suffix, save_data
from explorer.saving.figures import FIGURE_SUFFIXES, is_figure, save_figure
from explorer.saving.film import FILM_SUFFIXES, film_suffix, save_film
from explorer.saving.masks import IndexedMask, save_mask
from explorer.saving.metadata import metadata, versions
from explorer.saving.page import PAGE_SUFFIX, save_page
from explorer.saving.pictures import (
    FORMATS,
    KEY,
    encoded,
    picture_format,
    read_metadata,
    save_picture,
)

PICTURE_SUFFIXES = tuple(FORMATS)

__all__ = [
    "BOX_FORMATS",
    "BOX_SUFFIX",
    "DATA_SUFFIXES",
    "FIGURE_SUFFIXES",
    "FILM_SUFFIXES",
    "KEY",
    "PAGE_SUFFIX",
    "PICTURE_SUFFIXES",
    "BoxFormat",
    "ImageInfo",
    "IndexedMask",
    "LabeledBoxes",
    "boxes_of",
    "data_suffix",
    "encoded",
    "film_suffix",
    "is_figure",
    "lost_flags",
    "metadata",
    "picture_format",
    "read_metadata",
    "replacing",
    "save_boxes",
    "save_coco",
    "save_data",
    "save_figure",
    "save_film",
    "save_mask",
    "save_page",
    "save_picture",
    "versions",
    "write_bytes",
]
