"""What may happen to stored embeddings: Gaussian noise, quantisation, another gallery."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor

from gaputils._checks import Seed, as_generator, as_matrix, choice, flag, integer, number


@runtime_checkable
class Noise(Protocol):
    """Anything that returns perturbed (queries, gallery) of the shapes it was given."""

    @property
    def random(self) -> bool: ...

    def apply(
        self, queries: Tensor, gallery: Tensor, generator: torch.Generator
    ) -> tuple[Tensor, Tensor]: ...


@dataclass(frozen=True)
class GaussianNoise:
    """Isotropic Gaussian noise, independent over rows.

    `variance` is the noise vector's total variance ``E ||eps||^2`` with ``per="vector"`` and each
    coordinate's with ``per="coordinate"``. Chowers et al. (2026, Eq. 10) perturb the gallery;
    ``on="queries"`` perturbs the queries instead. Raises `ValueError` for a variance that is
    negative or not finite, and for another `per` or `on`.

    >>> import gaputils as gu
    >>> gu.GaussianNoise(0.04).coordinate_variance(dim=4)
    0.01
    >>> gu.GaussianNoise(0.04, per="coordinate").coordinate_variance(dim=4)
    0.04
    """

    variance: float
    per: str = "vector"
    on: str = "gallery"

    def __post_init__(self) -> None:
        object.__setattr__(self, "variance", number("variance", self.variance, low=0))
        choice("per", self.per, ("vector", "coordinate"))
        choice("on", self.on, ("gallery", "queries"))

    @property
    def random(self) -> bool:
        return self.variance > 0

    def coordinate_variance(self, dim: int) -> float:
        """Variance of each of `dim` coordinates."""
        return self.variance / dim if self.per == "vector" else self.variance

    def apply(
        self, queries: Tensor, gallery: Tensor, generator: torch.Generator
    ) -> tuple[Tensor, Tensor]:
        side = gallery if self.on == "gallery" else queries
        noise = torch.randn(side.shape, dtype=side.dtype, device=side.device, generator=generator)
        noisy = side + noise.mul_(math.sqrt(self.coordinate_variance(side.shape[1])))
        return (queries, noisy) if self.on == "gallery" else (noisy, gallery)


class _Quantizer:
    """Rounds the gallery, and with ``sides="both"`` the queries; not random."""

    random = False
    sides: str = "gallery"

    def quantize(self, values: Any) -> Tensor:
        """`values` (n, d) as they come back from their codes.

        Raises `TypeError` or `ValueError` if they are no finite matrix.
        """
        return self._decoded(as_matrix("values", values))

    def _decoded(self, values: Tensor) -> Tensor:
        raise NotImplementedError

    def apply(
        self,
        queries: Tensor,
        gallery: Tensor,
        generator: torch.Generator,  # noqa: ARG002
    ) -> tuple[Tensor, Tensor]:
        both = self.sides == "both"
        return (self._decoded(queries) if both else queries), self._decoded(gallery)


@dataclass(frozen=True)
class UniformQuantization(_Quantizer):
    """Rounding to the centres of `bins` equal bins, one grid for all coordinates.

    The grid spans `low` to `high`, what lies outside goes to its end bins; left out, the least to
    the greatest entry of the array that is quantised. ``sides="both"`` quantises the queries too,
    each side on its own range. Raises `ValueError` for fewer than two bins, one end of the grid
    without the other, or ends in the wrong order.

    >>> import torch, gaputils as gu
    >>> gu.UniformQuantization(bins=4).quantize(torch.tensor([[0.0, 0.3, 1.0]]))
    tensor([[0.1250, 0.3750, 0.8750]])
    """

    bins: int
    low: float | None = None
    high: float | None = None
    sides: str = "gallery"

    def __post_init__(self) -> None:
        integer("bins", self.bins, low=2)
        choice("sides", self.sides, ("gallery", "both"))
        if (self.low is None) != (self.high is None):
            raise ValueError("low, high: expected both or neither")
        if self.low is not None and self.high is not None:
            low = number("low", self.low)
            number("high", self.high, low=low, strict=True)

    def _decoded(self, values: Tensor) -> Tensor:
        low = float(values.min()) if self.low is None else self.low
        high = float(values.max()) if self.high is None else self.high
        step = (high - low) / self.bins
        if step == 0:
            return values.clone()
        index = ((values - low) / step).floor().clamp(0, self.bins - 1)
        return low + (index + 0.5) * step


@dataclass(frozen=True)
class ScalarQuantization(_Quantizer):
    """Rounding to `bits` bits a coordinate, each coordinate on its own least-to-greatest range.

    This is what vector stores call int8 (``bits=8``) and 4-bit scalar quantisation.
    """

    bits: int = 8

    def __post_init__(self) -> None:
        integer("bits", self.bits, low=1, high=16)

    def _decoded(self, values: Tensor) -> Tensor:
        low, high = values.amin(dim=0), values.amax(dim=0)
        step = (high - low) / (2**self.bits - 1)
        safe = torch.where(step > 0, step, 1.0)
        decoded: Tensor = low + ((values - low) / safe).round() * step
        return decoded


@dataclass(frozen=True)
class BinaryQuantization(_Quantizer):
    """Each coordinate's sign, times the row's mean absolute value so that scales stay comparable.

    ``center=True`` takes signs about the gallery's mean, as stores do that train their codes.
    """

    center: bool = False

    def __post_init__(self) -> None:
        flag("center", self.center)

    def _decoded(self, values: Tensor) -> Tensor:
        middle = values.mean(dim=0) if self.center else torch.zeros_like(values[0])
        offset = values - middle
        signs = torch.where(offset >= 0, 1.0, -1.0).to(values.dtype)
        return middle + signs * offset.abs().mean(dim=1, keepdim=True)


@dataclass(frozen=True, eq=False)
class AlternativeGallery:
    """The gallery replaced by another of the same items: rephrased captions, another template."""

    gallery: Any

    def __post_init__(self) -> None:
        object.__setattr__(self, "gallery", as_matrix("gallery", self.gallery))

    random = False

    def apply(
        self,
        queries: Tensor,
        gallery: Tensor,
        generator: torch.Generator,  # noqa: ARG002
    ) -> tuple[Tensor, Tensor]:
        if self.gallery.shape != gallery.shape:
            raise ValueError(
                f"noise: expected an alternative gallery of shape {tuple(gallery.shape)}, "
                f"got {tuple(self.gallery.shape)}"
            )
        return queries, self.gallery.to(gallery)


def equivalent_gaussian(noise: Noise, gallery: Any, seed: Seed = 0) -> GaussianNoise:
    """The isotropic Gaussian noise with the mean squared change that `noise` makes to `gallery`."""
    gallery = as_matrix("gallery", gallery)
    _, changed = noise.apply(gallery, gallery, as_generator(seed, gallery.device))
    return GaussianNoise(float((changed - gallery).double().square().sum(dim=1).mean()))
