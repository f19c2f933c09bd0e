"""Second moments: whiten both sides, or give the gallery the queries' covariance."""

from __future__ import annotations

import torch
from torch import Tensor

from gaputils._checks import centred, number
from gaputils._steps import Steps
from gaputils.closing.base import Closing


class Whitening(Closing):
    """Centre each side and whiten it by its own covariance (ZCA).

    ``e -> (e - mean) C^(-1/2)`` with each side's own mean and regularised covariance; ZCA is the
    whitening that stays closest to the data (Kessy, Lewin and Strimmer 2018). Guarantees means of
    zero, and covariances of identity as far as the regularisation lets it: the two sides then
    agree in their first two moments. No ranking is kept, and weak directions are amplified, noise
    in the embeddings with them.

    A covariance ``C`` becomes ``C + regularization * trace(C) / d * I`` first: galleries have
    fewer rows than dimensions.

    Learns `query_mean_`, `gallery_mean_` (d,), `query_map_`, `gallery_map_` (d, d).
    """

    called = "whitening"

    def __init__(self, regularization: float = 0.1) -> None:
        self.regularization = regularization

    def _fit(self, queries: Tensor, gallery: Tensor) -> None:
        amount = number("regularization", self.regularization, low=0, strict=True)
        self.query_mean_, first = _spectrum(queries, amount)
        self.gallery_mean_, second = _spectrum(gallery, amount)
        self.query_map_, self.gallery_map_ = first.power(-0.5), second.power(-0.5)

    def _query_steps(self) -> Steps:
        return [("shift", "query_mean_", -1.0), ("map", "query_map_")]

    def _gallery_steps(self) -> Steps:
        return [("shift", "gallery_mean_", -1.0), ("map", "gallery_map_")]


class Coral(Closing):
    """Whiten the gallery and colour it with the queries' covariance; the queries stay.

    CORAL (Sun, Feng and Saenko 2016): ``C_g^(-1/2) C_q^(1/2)`` of covariances regularised as in
    `Whitening`.
    The paper adds the identity to covariances of standardised features; embeddings of norm 1 have
    variances near 1/d, so the identity is taken relative to them. It also leaves means to that
    standardisation; here the gallery gets the queries' mean (our reading).

    Guarantees that the fitted gallery has the queries' mean, and their covariance as far as the
    regularisation lets it. No ranking is kept. Learns `query_mean_`, `gallery_mean_` (d,) and
    `map_` (d, d).
    """

    called = "CORAL"

    def __init__(self, regularization: float = 0.1) -> None:
        self.regularization = regularization

    def _fit(self, queries: Tensor, gallery: Tensor) -> None:
        amount = number("regularization", self.regularization, low=0, strict=True)
        self.query_mean_, first = _spectrum(queries, amount)
        self.gallery_mean_, second = _spectrum(gallery, amount)
        self.map_ = second.power(-0.5) @ first.power(0.5)

    def _gallery_steps(self) -> Steps:
        return [
            ("shift", "gallery_mean_", -1.0),
            ("map", "map_"),
            ("shift", "query_mean_", 1.0),
        ]


class _Spectrum:
    """Eigenvalues (d,), all positive, and orthonormal eigenvectors (d, d) in columns."""

    def __init__(self, values: Tensor, vectors: Tensor) -> None:
        self.values, self.vectors = values, vectors

    def power(self, exponent: float) -> Tensor:
        """The symmetric matrix raised to `exponent`, (d, d)."""
        return (self.vectors * self.values.pow(exponent)) @ self.vectors.mT


def _spectrum(values: Tensor, regularization: float) -> tuple[Tensor, _Spectrum]:
    """The rows' mean (d,) and the spectrum of their regularised covariance."""
    mean, offset = centred(values)
    eigenvalues, vectors = torch.linalg.eigh(offset.mT @ offset / len(offset))
    level = eigenvalues.clamp_min(0).mean()
    level = torch.where(level > 0, level, torch.ones_like(level))
    return mean, _Spectrum(eigenvalues.clamp_min(0) + regularization * level, vectors)
