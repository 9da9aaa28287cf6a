"""From a photo to a network's input, and the transform between both frames.

The steps are the weights' own (torchvision's presets resize the short side with antialiasing, crop
the center, scale to [0, 1] and normalize), written out here so that the very same numbers come with
the affine map that carries boxes, points and receptive fields back to the photo.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor
from torchvision.transforms import InterpolationMode
from torchvision.transforms import functional as tvf

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Frame:
    """The map ``x' = x * sx + tx``, ``y' = y * sy + ty`` between two pixel frames.

    Pixel edges are integers in both frames (pixel j covers [j, j + 1)): a resize is a pure scale.
    """

    sx: float = 1.0
    sy: float = 1.0
    tx: float = 0.0
    ty: float = 0.0

    def then(self, after: Frame) -> Frame:
        """This map followed by `after`."""
        return Frame(
            self.sx * after.sx,
            self.sy * after.sy,
            self.tx * after.sx + after.tx,
            self.ty * after.sy + after.ty,
        )

    def inverse(self) -> Frame:
        return Frame(1.0 / self.sx, 1.0 / self.sy, -self.tx / self.sx, -self.ty / self.sy)

    def point(self, x: float, y: float) -> tuple[float, float]:
        return x * self.sx + self.tx, y * self.sy + self.ty

    def boxes(self, xyxy: NDArray[np.float32]) -> NDArray[np.float32]:
        """(N, 4) xyxy in this map's first frame -> the same in its second frame."""
        scale = np.array([self.sx, self.sy, self.sx, self.sy], np.float32)
        shift = np.array([self.tx, self.ty, self.tx, self.ty], np.float32)
        return (xyxy * scale + shift).astype(np.float32)

    def extent(self, width: float, height: float) -> tuple[float, float, float, float]:
        """Where the rectangle [0, width] x [0, height] of the first frame lies in the second."""
        x0, y0 = self.point(0.0, 0.0)
        x1, y1 = self.point(width, height)
        return x0, y0, x1, y1


SAME_FRAME = Frame()
"""Leaves every place where it is."""


def grid_frame(source: tuple[int, int], grid: tuple[int, int]) -> Frame:
    """From (H, W) `source` pixels to a feature map of (H, W) `grid` cells over all of them."""
    return Frame(grid[1] / source[1], grid[0] / source[0])


LETTERBOX_GRAY = 114
"""Of 255: what YOLO's programs put around a photo."""


@dataclass(frozen=True, slots=True)
class Preprocess:
    """The steps from a photo to the network's input.

    Attributes:
        resize: Short side in pixels, or (H, W), or None = the photo's own size.
        crop: Side of the center crop in pixels (black is added to a smaller photo), or None.
        mean: Per channel, for values in [0, 1]; None = no normalization here.
        std: Per channel.
        channels: 3 (RGB) or 1 (ITU-R 601 luma).
        longest: The long side may not become longer than this many pixels (0 = no limit): a huge
            photo must not take all memory.
        interpolation: "bilinear" or "bicubic"; both antialiased.
        batched: True = the module takes (1, C, H, W); False = it takes a list of (C, H, W), as
            torchvision's detectors do, which resize and normalize by themselves.
        letterbox: "" = a photo is stretched to (H, W) `resize`; "center" or "corner" = it keeps its
            shape and gray (114 of 255) fills the rest, on both sides or at the right and below.
    """

    resize: int | tuple[int, int] | None = None
    crop: int | None = None
    mean: tuple[float, ...] | None = None
    std: tuple[float, ...] | None = None
    channels: int = 3
    longest: int = 0
    interpolation: str = "bilinear"
    batched: bool = True
    letterbox: str = ""

    def frame(self, height: int, width: int) -> Frame:
        """The map from the photo's pixels to the input's, for a photo of this size."""
        new_height, new_width = self._resized(height, width)
        frame = Frame(new_width / width, new_height / height)
        if self.crop is not None:
            top, left = (_crop_start(side, self.crop) for side in (new_height, new_width))
            frame = frame.then(Frame(tx=-left, ty=-top))
        left, top, _, _ = self._margins(new_height, new_width)
        return frame.then(Frame(tx=left, ty=top)) if left or top else frame

    def __call__(self, pixels: NDArray[np.uint8]) -> Tensor:
        """(H, W, 3) uint8 RGB -> (1, C, H', W') float32 on the CPU."""
        batch = torch.from_numpy(np.array(pixels)).permute(2, 0, 1)[None]
        height, width = batch.shape[-2:]
        size = self._resized(height, width)
        if size != (height, width):
            mode = (
                InterpolationMode.BICUBIC
                if self.interpolation == "bicubic"
                else InterpolationMode.BILINEAR
            )
            batch = tvf.resize(batch, list(size), interpolation=mode, antialias=True)
        if self.crop is not None:
            batch = tvf.center_crop(batch, [self.crop, self.crop])
        margins = self._margins(*batch.shape[-2:])
        if any(margins):
            batch = tvf.pad(batch, list(margins), fill=LETTERBOX_GRAY)
        return self._valued(batch)

    def fed(self, pixels: NDArray[np.uint8]) -> Tensor:
        """A picture that has been resized and cropped before, as `picture` gives it.

        As calling, without those two steps.
        """
        return self._valued(torch.from_numpy(np.array(pixels)).permute(2, 0, 1)[None])

    def _valued(self, batch: Tensor) -> Tensor:
        """(1, 3, H, W) uint8 -> (1, C, H, W) float32: gray and normalized where the weights ask."""
        values: Tensor = tvf.convert_image_dtype(batch, torch.float32)
        if self.channels == 1:
            values = tvf.rgb_to_grayscale(values)
        if self.mean is not None and self.std is not None:
            values = tvf.normalize(values, list(self.mean), list(self.std))
        return values

    def picture(self, values: Tensor) -> NDArray[np.uint8]:
        """(1, C, H, W) network input -> (H, W, 3) uint8: the network's real input."""
        shown = values.detach().float().cpu()[0]
        if self.mean is not None and self.std is not None:
            mean, std = (torch.tensor(v).view(-1, 1, 1) for v in (self.mean, self.std))
            shown = shown * std + mean
        rgb = (shown.clamp(0, 1) * 255).round().to(torch.uint8)
        return rgb.expand(3, -1, -1).permute(1, 2, 0).contiguous().numpy()

    def title(self) -> str:
        """The steps in words, for people."""
        words = ["RGB" if self.channels == 3 else "gray"]
        if isinstance(self.resize, tuple):
            boxed = "letterboxed to " if self.letterbox else ""
            words.append(f"{boxed}{self.resize[1]} x {self.resize[0]}")
        elif self.resize is not None:
            words.append(f"short side {self.resize}")
        if self.crop is not None:
            words.append(f"center {self.crop} x {self.crop}")
        if self.mean is not None:
            words.append("normalized" if self.batched else "normalized inside the network")
        elif not self.batched:
            words.append("resized and normalized inside the network")
        return ", ".join(words)

    def _margins(self, height: int, width: int) -> tuple[int, int, int, int]:
        """Left, top, right and bottom of the gray around a letterboxed photo of this size."""
        if not self.letterbox or not isinstance(self.resize, tuple):
            return 0, 0, 0, 0
        down, right = self.resize[0] - height, self.resize[1] - width
        top, left = (down // 2, right // 2) if self.letterbox == "center" else (0, 0)
        return left, top, right - left, down - top

    def _resized(self, height: int, width: int) -> tuple[int, int]:
        if isinstance(self.resize, tuple):
            if not self.letterbox:
                return self.resize
            share = min(self.resize[0] / height, self.resize[1] / width)
            return max(1, round(height * share)), max(1, round(width * share))
        short, long = min(height, width), max(height, width)
        if self.resize is None:
            new_short, new_long = short, long
        else:  # torchvision truncates the long side, so do we
            new_short, new_long = self.resize, int(self.resize * long / short)
        if self.longest and new_long > self.longest:
            new_short, new_long = max(1, int(new_short * self.longest / new_long)), self.longest
        return (new_short, new_long) if height <= width else (new_long, new_short)


def _crop_start(side: int, crop: int) -> int:
    # torchvision pads a smaller picture by (crop - side) // 2 in front and rounds otherwise.
    return -((crop - side) // 2) if side < crop else round((side - crop) / 2.0)
