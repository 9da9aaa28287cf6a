"""Image parameterizations: numbers that are optimized, and the picture that they make.

The same objective gives other pictures under other parameterizations, since the steps are taken in
another space (Mordvintsev et al. 2018, "Differentiable Image Parameterizations").
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import torch
import torch.nn.functional as F

from explorer.vision.synthesis.octaves import resized

if TYPE_CHECKING:
    from torch import Tensor

COLORS = ((0.2556, 0.0866, 0.0233), (0.2635, 0.0005, -0.0466), (0.2655, -0.0838, 0.0238))
"""A root of the covariance of red, green and blue over 600,000 pixels of 1,500 photos: its columns
are the principal directions (gray, red against blue, green against magenta) times the deviations
along them."""

FALL = 1.0
"""Of the spectrum of photos: amplitudes fall as 1 / frequency^FALL (Field 1987)."""


AMPLITUDE, DECAY = 0.177, 0.35
"""Of photos in the parameters of `Fourier`: their root mean square is AMPLITUDE / k^DECAY at k
cycles per picture, whatever its size, over 168 photos; so their spectra fall as 1 / k^1.35."""


class Image(Protocol):
    """What is optimized."""

    parameters: list[Tensor]
    """Leaves that require gradients; contiguous, float32."""

    def picture(self) -> Tensor:
        """(N, C, H, W) float32 in [0, 1]; carries gradients to `parameters`."""
        ...

    def project(self) -> None:
        """Bring the parameters back, in place, to where `picture` is one; after every step."""
        ...


class Pixels:
    """The picture itself, clipped to [0, 1] after every step."""

    def __init__(self, picture: Tensor) -> None:
        self.parameters = [picture.detach().clone().contiguous().requires_grad_()]

    def picture(self) -> Tensor:
        return self.parameters[0]

    @torch.no_grad()
    def project(self) -> None:
        self.parameters[0].clamp_(0.0, 1.0)


class Fourier:
    """Spectra of decorrelated colors: large shapes are as easy to change as fine grain.

    The picture is the sigmoid of the colors' mixture of inverse Fourier transforms, whose
    amplitudes are scaled as those of photos are (Olah et al. 2017, "Feature Visualization",
    "Preconditioning and Parameterization"). With a limit no frequency becomes stronger than in
    photos, which keeps fine grain and hard colors out of the picture; Fel et al. 2023, "Unlocking
    Feature Visualization for Deeper Networks with MAgnitude Constrained Optimization", fix the
    amplitudes altogether.
    """

    def __init__(
        self,
        count: int,
        size: tuple[int, int],
        generator: torch.Generator,
        *,
        channels: int = 3,
        spread: float = 0.01,
        start: Tensor | None = None,
        limit: float = 0.0,
        device: torch.device | None = None,
    ) -> None:
        """Noise around mid-gray, or `start`.

        Args:
            count: Pictures.
            size: Height and width.
            generator: On the CPU.
            channels: 3, or 1 for gray.
            spread: Deviation of the noise's coefficients.
            start: (count, channels, H, W) in [0, 1] to begin with, without noise.
            limit: Largest amplitude of a coefficient, in parts of the mean one of photos; 0 = none.
            device: Of the parameters.
        """
        self._size = size
        rows = torch.fft.fftfreq(size[0])[:, None]
        columns = torch.fft.rfftfreq(size[1])[None]
        frequencies = torch.sqrt(rows**2 + columns**2).clamp_min(1.0 / max(size))
        self._scale = (frequencies**-FALL * (size[0] * size[1]) ** 0.5 / max(size)).to(device)
        self._most: Tensor | None = None
        if limit > 0:
            cycles = frequencies * max(size)
            self._most = (limit * AMPLITUDE * cycles**-DECAY)[..., None].to(device)
        self._colors = None
        if channels == 3:
            colors = torch.tensor(COLORS, device=device)
            self._colors = colors / colors.norm(dim=0).max()
        shape = (count, channels, *frequencies.shape, 2)
        if start is None:
            spectrum = (torch.randn(shape, generator=generator) * spread).to(device)
        else:
            spectrum = self._spectrum(start.to(device))
        self.parameters = [spectrum.contiguous().requires_grad_()]

    def picture(self) -> Tensor:
        spectrum = torch.view_as_complex(self.parameters[0]) * self._scale
        values = torch.fft.irfft2(spectrum, s=self._size, norm="ortho")
        if self._colors is not None:
            values = torch.einsum("nchw,dc->ndhw", values, self._colors)
        return torch.sigmoid(4.0 * values)

    @torch.no_grad()
    def project(self) -> None:
        """Every spectrum gives a picture; amplitudes above the limit are brought back to it."""
        if self._most is not None:
            (spectrum,) = self.parameters
            amplitudes = spectrum.norm(dim=-1, keepdim=True).clamp_min(1e-12)
            spectrum *= (self._most / amplitudes).clamp_max_(1.0)

    @torch.no_grad()
    def _spectrum(self, start: Tensor) -> Tensor:
        values = torch.logit(start.clamp(0.01, 0.99)) / 4.0
        if self._colors is not None:
            values = torch.einsum("nchw,dc->ndhw", values, torch.linalg.inv(self._colors))
        return torch.view_as_real(torch.fft.rfft2(values, norm="ortho") / self._scale)


class Cppn:
    """A compositional pattern-producing network: colors as a smooth function of the place.

    A stack of 1 x 1 convolutions on x, y and the radius, with the composite activation (arctangent
    and its square) of Mordvintsev et al. 2018; after Stanley 2007. The picture can be made at any
    size.
    """

    def __init__(
        self,
        size: tuple[int, int],
        generator: torch.Generator,
        *,
        channels: int = 3,
        width: int = 24,
        depth: int = 8,
        device: torch.device | None = None,
    ) -> None:
        self.size = size
        self._device = device
        sides = [3, *[width] * depth]
        self.parameters = []
        for number, (given, made) in enumerate(zip(sides, [*sides[1:], channels], strict=True)):
            inputs = given if number == 0 else 2 * given
            deviation = (1.0 / inputs) ** 0.5 if number < depth else 0.0
            weight = torch.randn(made, inputs, 1, 1, generator=generator) * deviation
            bias = torch.zeros(made)
            self.parameters += [p.to(device).requires_grad_() for p in (weight, bias)]

    def picture(self) -> Tensor:
        height, width = self.size
        longest = max(height, width)
        y = (torch.arange(height, device=self._device) - (height - 1) / 2) * (3.4 / longest)
        x = (torch.arange(width, device=self._device) - (width - 1) / 2) * (3.4 / longest)
        rows, columns = torch.meshgrid(y, x, indexing="ij")
        values = torch.stack([columns, rows, torch.hypot(rows, columns)])[None]
        pairs = list(zip(self.parameters[::2], self.parameters[1::2], strict=True))
        for weight, bias in pairs[:-1]:
            bent = torch.atan(F.conv2d(values, weight, bias))
            # Both halves have mean 0 and deviation 1 for normal numbers.
            values = torch.cat([bent / 0.67, (bent.square() - 0.45) / 0.396], dim=1)
        weight, bias = pairs[-1]
        return torch.sigmoid(F.conv2d(values, weight, bias))

    def project(self) -> None:
        """All weights give a picture."""


class Latent:
    """A mean picture plus a mixture of components: what principal components can say."""

    def __init__(self, mean: Tensor, components: Tensor, start: Tensor | None = None) -> None:
        """The mean, or the mixture `start`.

        Args:
            mean: (C, H, W) in [0, 1].
            components: (K, C, H, W).
            start: (K,) coefficients.
        """
        self._mean, self._components = mean, components
        first = torch.zeros(len(components)) if start is None else start.detach().clone()
        self.parameters = [first.to(mean.device).requires_grad_()]

    def picture(self) -> Tensor:
        mixed: Tensor = torch.tensordot(self.parameters[0], self._components, dims=1)
        return (self._mean + mixed)[None].clamp(0.0, 1.0)

    def project(self) -> None:
        """All coefficients give a picture."""


class Masked:
    """Another image inside a painted mask, and the original outside of it."""

    def __init__(self, inner: Image, original: Tensor, mask: Tensor) -> None:
        """Only the inner image is optimized.

        Args:
            inner: Of the original's size.
            original: (1, C, H, W) in [0, 1].
            mask: (1, 1, H, W) in [0, 1]; 1 = the inner image.
        """
        self._inner, self._original, self._mask = inner, original, mask
        self.parameters = inner.parameters

    def picture(self) -> Tensor:
        mixed: Tensor = torch.lerp(self._original, self._inner.picture(), self._mask)
        return mixed

    def project(self) -> None:
        self._inner.project()


def at_size(picture: Tensor, size: tuple[int, int]) -> Pixels:
    """The pixels of a picture at another size, to go on with."""
    return Pixels(resized(picture.detach(), size))
