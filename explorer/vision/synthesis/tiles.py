"""Gradients of pictures that do not fit as a whole: tile by tile, each with a margin around it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from explorer.vision.synthesis.objectives import Answers

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from torch import Tensor

    from explorer.vision.synthesis.objectives import Objective
    from explorer.vision.synthesis.target import Target


@dataclass(frozen=True, slots=True)
class Tiles:
    """How a picture is cut.

    The loss of a tile is that of the objective on the tile and its margin. Of its gradient the part
    inside the tile is taken, times the share of the picture's area that tile and margin have: for
    objectives that are means over the cells of a layer this is the gradient of the whole, wherever
    the layer's receptive field ends within the margin. What an objective says of the picture alone
    is taken of the whole picture.

    Attributes:
        side: Of a tile in pixels; a multiple of the network's stride, or the cells do not align.
        margin: Pixels around a tile, a multiple of the stride too.
    """

    side: int = 512
    margin: int = 64

    def split(self, seen: Tensor) -> bool:
        """Whether (N, C, H, W) is larger than one tile."""
        return max(seen.shape[-2:]) > self.side + 2 * self.margin

    def places(self, size: tuple[int, int]) -> Iterator[tuple[slice, slice, slice, slice]]:
        """Rows and columns of every tile, and those of the tile with its margin."""
        height, width = size
        for top in range(0, height, self.side):
            for left in range(0, width, self.side):
                bottom, right = min(top + self.side, height), min(left + self.side, width)
                yield (
                    slice(top, bottom),
                    slice(left, right),
                    slice(max(0, top - self.margin), min(height, bottom + self.margin)),
                    slice(max(0, left - self.margin), min(width, right + self.margin)),
                )

    def gradients(
        self,
        target: Target,
        objective: Objective,
        picture: Tensor,
        seen: Tensor,
        parameters: Sequence[Tensor],
    ) -> tuple[float, dict[str, Tensor]]:
        """Put the gradients into `.grad` of the parameters.

        Args:
            target: The network.
            objective: The loss.
            picture: (N, C, H, W) made of the parameters, with its graph.
            seen: The same after the transforms.
            parameters: Leaves.

        Returns:
            The mean loss over the tiles, and that of its named parts.
        """
        whole = torch.zeros_like(seen)
        flat = picture.detach().requires_grad_()
        own = torch.zeros_like(flat)
        loss, parts = 0.0, dict[str, torch.Tensor]()
        height, width = seen.shape[-2:]
        for rows, columns, more_rows, more_columns in self.places((height, width)):
            share = (rows.stop - rows.start) * (columns.stop - columns.start) / (height * width)
            tile = seen[..., more_rows, more_columns].detach().requires_grad_()
            answers = Answers(flat, target.answers(tile, objective.layers))
            value = objective(answers)
            inside, outside = torch.autograd.grad(value, (tile, flat), allow_unused=True)
            if inside is not None:
                top, left = rows.start - more_rows.start, columns.start - more_columns.start
                tall, wide = rows.stop - rows.start, columns.stop - columns.start
                area = (more_rows.stop - more_rows.start) * (more_columns.stop - more_columns.start)
                part = inside[..., top : top + tall, left : left + wide]
                whole[..., rows, columns] = part * (area / (height * width))
            if outside is not None:
                own += outside * share
            loss += float(value.detach()) * share
            for name, noted in answers.noted.items():
                parts[name] = parts.get(name, torch.zeros_like(noted)) + noted * share
        found = torch.autograd.grad((seen, picture), parameters, (whole, own), allow_unused=True)
        for values, gradient in zip(parameters, found, strict=True):
            values.grad = None if gradient is None else gradient.contiguous()
        return loss, parts
