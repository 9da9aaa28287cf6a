"""The patches beside their deconvnet pictures, and where on their photos they are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np

from explorer.core.layers import Boxes, Heat, Pane, Picture
from explorer.views.shared.common import size_of
from explorer.views.shared.folders.sheet import SHADE, captions, labeled_sheet

if TYPE_CHECKING:
    from collections.abc import Sequence

    from explorer.core.layers import Float32, Layer, UInt8
    from explorer.vision.features.activations import Activation

SIDE, _BETWEEN = 112, 4
ORANGE = (255, 160, 40)


@dataclass(frozen=True, slots=True, eq=False)
class TopPatch:
    """One of the best cells of a channel.

    Attributes:
        name: Of the photo.
        address: Of the photo.
        value: The activation.
        cell: Row and column.
        xyxy: Its receptive field in pixels of the photo.
        crop: (h, w, 3) uint8, the photo's own pixels there; None until the photo was read.
        picture: (h', w', 3) uint8, what the deconvnet gives back of it; None until it is computed.
        photo: (h, w, 3) uint8, a small version of it.
        size: Width and height of the photo in pixels.
        problem: Why there is no crop or no deconvnet picture; "" = there is, or it is on its way.
    """

    name: str
    address: str
    value: float
    cell: tuple[int, int]
    xyxy: tuple[float, float, float, float] = (0.0, 0.0, 0.0, 0.0)
    crop: UInt8 | None = None
    picture: UInt8 | None = None
    photo: UInt8 | None = None
    size: tuple[int, int] = (0, 0)
    problem: str = ""

    @property
    def read(self) -> bool:
        return self.crop is not None or bool(self.problem)

    @property
    def projected(self) -> bool:
        return self.picture is not None or bool(self.problem)

    @property
    def words(self) -> str:
        """The size of its field on the photo: "57 x 61"."""
        if self.crop is None:
            return ""
        x0, y0, x1, y1 = self.xyxy
        return f"{x1 - x0:.0f} x {y1 - y0:.0f}"


def photo_pane(
    photo: Picture, activation: Activation, channel: int, box: Float32, opacity: float
) -> Pane:
    """The open photo with the channel over it, and the field of its strongest cell."""
    layers: list[Layer] = [photo]
    title = f"Channel {channel} on the open photo"
    if activation.frame is not None:
        values = activation.values[channel]
        rows, columns = values.shape
        high = float(values.max())
        layers.append(
            Heat(
                values, 0.0, high if high > 0 else 1.0, "viridis", opacity=opacity,
                extent=activation.frame.inverse().extent(columns, rows), alpha_by_value=True,
                unit="activation", name="channel",
            )
        )  # fmt: skip
    layers.append(_box(box))
    return Pane("image", size_of(photo), tuple(layers), title=title)


def _box(xyxy: Float32) -> Boxes:
    return Boxes(
        xyxy.reshape(1, 4).astype(np.float32), np.array([ORANGE], np.uint8), selectable=False,
        name="field",
    )  # fmt: skip


def sheet_pane(patches: Sequence[TopPatch], title: str, *, both: bool) -> Pane:
    """Each patch, the value above it, with its deconvnet picture at its right if `both`."""
    pairs = [_pair(patch, both=both) for patch in patches]
    count = len(pairs)
    columns = max(1, round((count * (1.6 if both else 3)) ** 0.5))
    sheet = labeled_sheet(pairs, columns=columns)
    gray = np.full((count, 3), 150, np.uint8)
    layer = Boxes(sheet.xyxy, gray, keys=tuple(range(count)), width=1.0, name="patches")
    values = captions(sheet.xyxy, [f"{patch.value:.3g}" for patch in patches], gray)

    def readout(x: float, y: float) -> str:
        place = sheet.at(x, y)
        if place is None:
            return ""
        patch = patches[place]
        row, column = patch.cell
        return f"{patch.name}, row {row}, column {column}: {patch.value:.5g}"

    return Pane(
        "patches", sheet.size, (Picture(sheet.rgb, name="sheet"), layer, values),
        title=title, frame="patches", readout=readout,
    )  # fmt: skip


def _pair(patch: TopPatch, *, both: bool) -> UInt8:
    """(SIDE, w, 3): the crop, and the deconvnet's picture where `both` are shown."""
    width = 2 * SIDE + _BETWEEN if both else SIDE
    tile = np.full((SIDE, width, 3), SHADE + 8, np.uint8)
    if patch.crop is not None:
        tile[:, :SIDE] = _square(patch.crop)
    if both and patch.picture is not None:
        tile[:, SIDE + _BETWEEN :] = _square(patch.picture)
    if both:
        tile[:, SIDE : SIDE + _BETWEEN] = SHADE
    return tile


def _square(picture: UInt8) -> UInt8:
    """In the middle of a square of `SIDE`; a field at the edge of the photo is cut off there."""
    height, width = picture.shape[:2]
    share = SIDE / max(height, width)
    size = max(1, round(width * share)), max(1, round(height * share))
    way = cv2.INTER_AREA if share < 1 else cv2.INTER_CUBIC
    square = np.full((SIDE, SIDE, 3), SHADE + 8, np.uint8)
    y, x = (SIDE - size[1]) // 2, (SIDE - size[0]) // 2
    square[y : y + size[1], x : x + size[0]] = cv2.resize(picture, size, interpolation=way)
    return square


def source_pane(patch: TopPatch, number: int) -> Pane:
    """The whole photo of a patch with the field on it."""
    assert patch.photo is not None
    width, height = patch.size
    picture = Picture(
        patch.photo, extent=(0.0, 0.0, float(width), float(height)), smooth=True, name="source"
    )
    return Pane(
        "source", (float(width), float(height)),
        (picture, _box(np.array(patch.xyxy, np.float32))),
        title=f"Photo of patch {number + 1}", frame=f"source {patch.address}",
    )  # fmt: skip
