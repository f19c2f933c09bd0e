"""What each noise does to embeddings, against other ways of doing it."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

import gaputils as gu
from gaputils.noise.perturbations import Noise, equivalent_gaussian

SEEDS = st.integers(0, 2**32 - 1)


def rows(seed: int = 0, m: int = 7, d: int = 5) -> torch.Tensor:
    return torch.tensor(np.random.default_rng(seed).normal(size=(m, d)))


def applied(noise: Noise, gallery: torch.Tensor, queries: torch.Tensor | None = None):
    generator = torch.Generator().manual_seed(0)
    return noise.apply(gallery[:2] if queries is None else queries, gallery, generator)


@pytest.mark.parametrize("per", ["vector", "coordinate"])
@pytest.mark.parametrize("on", ["gallery", "queries"])
def test_gaussian_noise_has_its_variance_and_shape(per: str, on: str) -> None:
    """Chi-square of the sum of squares; a correct generator fails one time in 10^6."""
    clean, d = torch.zeros(500, 40, dtype=torch.float64), 40
    noise = gu.GaussianNoise(0.7, per=per, on=on)
    queries, gallery = applied(noise, clean + 3, clean)
    moved, still = (gallery - 3, queries) if on == "gallery" else (queries, gallery - 3)
    assert torch.equal(still, clean)
    coordinate = 0.7 / d if per == "vector" else 0.7
    assert noise.coordinate_variance(d) == pytest.approx(coordinate)
    total = float(moved.square().sum()) / coordinate
    assert 5e-7 < stats.chi2.cdf(total, moved.numel()) < 1 - 5e-7
    assert stats.kstest(moved.ravel().numpy() / math.sqrt(coordinate), "norm").pvalue > 1e-6


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_gaussian_noise_is_the_generators_normal_numbers_added(dtype: torch.dtype) -> None:
    clean = rows().to(dtype)
    drawn = torch.randn(clean.shape, dtype=dtype, generator=torch.Generator().manual_seed(0))
    noise = gu.GaussianNoise(0.25, per="coordinate")
    torch.testing.assert_close(applied(noise, clean)[1], clean + drawn / 2)


def test_a_variance_is_kept_as_a_plain_number() -> None:
    assert repr(gu.GaussianNoise(np.float32(0.5)).variance) == "0.5"


def test_gaussian_noise_without_variance_is_none() -> None:
    assert not gu.GaussianNoise(0).random
    assert torch.equal(applied(gu.GaussianNoise(0), rows())[1], rows())


@settings(max_examples=60, deadline=None)
@given(seed=SEEDS, bins=st.integers(2, 300))
def test_uniform_quantization(seed: int, bins: int) -> None:
    values = rows(seed)
    quantized = applied(gu.UniformQuantization(bins), values)[1]
    low, high = float(values.min()), float(values.max())
    edges = np.linspace(low, high, bins + 1)
    centres = (edges[1:] + edges[:-1]) / 2
    expected = centres[np.abs(values.numpy()[..., None] - centres).argmin(-1)]
    np.testing.assert_allclose(quantized.numpy(), expected, atol=1e-9)
    assert float((quantized - values).abs().max()) <= (high - low) / bins / 2 + 1e-12
    again = gu.UniformQuantization(bins, low, high).quantize(quantized)
    torch.testing.assert_close(again, quantized)


def test_uniform_quantization_on_a_stated_grid_and_both_sides() -> None:
    values = torch.tensor([[-9.0, -0.9, 0.1, 0.9, 9.0]])
    noise = gu.UniformQuantization(2, -1.0, 1.0, sides="both")
    queries, gallery = noise.apply(values, values, torch.Generator())
    expected = torch.tensor([[-0.5, -0.5, 0.5, 0.5, 0.5]])
    assert torch.equal(gallery, expected)
    assert torch.equal(queries, expected)
    assert torch.equal(gu.UniformQuantization(2).quantize(torch.ones(2, 2)), torch.ones(2, 2))
    assert torch.equal(applied(gu.UniformQuantization(4), rows())[0], rows()[:2])


@settings(max_examples=60, deadline=None)
@given(seed=SEEDS, bits=st.integers(1, 16))
def test_scalar_quantization_has_a_grid_for_each_coordinate(seed: int, bits: int) -> None:
    values = rows(seed)
    quantized = applied(gu.ScalarQuantization(bits), values)[1]
    for column, found in zip(values.numpy().T, quantized.numpy().T, strict=True):
        grid = np.linspace(column.min(), column.max(), 2**bits)
        step = grid[1] - grid[0]
        assert np.abs(found[:, None] - grid).min(1).max() < 1e-9
        assert np.abs(found - column).max() <= step / 2 + 1e-12


def test_scalar_quantization_of_a_constant_coordinate_is_itself() -> None:
    values = torch.ones(4, 3)
    assert torch.equal(gu.ScalarQuantization(4).quantize(values), values)


QUANTIZERS = [
    gu.UniformQuantization(4),
    gu.ScalarQuantization(16),
    gu.BinaryQuantization(),
    gu.BinaryQuantization(center=np.bool_(True)),
]


@pytest.mark.parametrize("quantizer", QUANTIZERS)
def test_quantizers_take_arrays_and_half_precision_and_refuse_other_values(quantizer) -> None:
    values = (1000 * rows()).half()
    expected = quantizer.quantize(values.float())
    assert bool(expected.isfinite().all())
    assert torch.equal(quantizer.quantize(values), expected)
    assert torch.equal(quantizer.quantize(values.numpy()), expected)
    with pytest.raises(TypeError, match=r"^values: .* got list"):
        quantizer.quantize([[1.0]])
    with pytest.raises(ValueError, match=r"^values: expected finite values"):
        quantizer.quantize(np.array([[math.nan]]))


def test_binary_quantization_keeps_signs_and_mean_size() -> None:
    values = rows()
    plain = gu.BinaryQuantization().quantize(values)
    assert torch.equal(plain.sign(), values.sign())
    torch.testing.assert_close(plain.abs(), values.abs().mean(1, keepdim=True).expand_as(values))
    assert torch.equal(gu.BinaryQuantization().quantize(torch.zeros(1, 3)), torch.zeros(1, 3))
    zero_is_positive = gu.BinaryQuantization().quantize(torch.tensor([[0.0, -2.0]]))
    assert torch.equal(zero_is_positive, torch.tensor([[1.0, -1.0]]))
    middle = values.mean(0)
    centred = gu.BinaryQuantization(center=True).quantize(values + 5)
    torch.testing.assert_close(
        centred, gu.BinaryQuantization().quantize(values - middle) + middle + 5
    )


def test_alternative_gallery() -> None:
    other = rows(1)
    assert torch.equal(applied(gu.AlternativeGallery(other.numpy()), rows())[1], other)
    with pytest.raises(ValueError, match=r"noise: expected an alternative gallery of shape \(3, 5"):
        applied(gu.AlternativeGallery(other), rows()[:3])


def test_robustness_under_noise_that_is_not_random_takes_one_draw() -> None:
    gallery, queries = rows(2, 6, 4), rows(3, 5, 4)
    noise = gu.UniformQuantization(3)
    found = gu.estimate(queries, gallery, noise, draws=100)[0]
    coarse = noise.quantize(gallery)
    same = torch.cdist(queries, coarse).argmin(1) == torch.cdist(queries, gallery).argmin(1)
    assert found.draws == 1
    assert torch.equal(found.per_query.bool(), same)


@settings(max_examples=30, deadline=None)
@given(seed=SEEDS, bins=st.integers(2, 64))
def test_equivalent_gaussian_has_the_mean_squared_change(seed: int, bins: int) -> None:
    gallery = rows(seed)
    change = gu.UniformQuantization(bins).quantize(gallery) - gallery
    found = equivalent_gaussian(gu.UniformQuantization(bins), gallery)
    assert found.variance == pytest.approx(float(change.square().sum(1).mean()), rel=1e-9)


def test_equivalent_gaussian_draws_random_noise_once_from_its_seed() -> None:
    gallery = rows()
    for seed in (0, 3):
        drawn = torch.randn(
            gallery.shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed)
        )
        expected = float(drawn.square().sum(1).mean()) * 0.4 / 5
        found = equivalent_gaussian(gu.GaussianNoise(0.4), gallery, seed)
        assert found.variance == pytest.approx(expected)
        if seed == 0:
            assert equivalent_gaussian(gu.GaussianNoise(0.4), gallery) == found
    both = gu.UniformQuantization(3, sides="both")
    assert equivalent_gaussian(both, gallery) == equivalent_gaussian(
        gu.UniformQuantization(3), gallery
    )
    with pytest.raises(TypeError, match=r"^gallery: .* got list"):
        equivalent_gaussian(both, [[1.0]])
    with pytest.raises(TypeError, match=r"^seed: expected an integer, got str 'a'"):
        equivalent_gaussian(both, gallery, "a")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("build", "error", "message"),
    [
        (lambda: gu.GaussianNoise(-1.0), ValueError, r"variance: .*\[0, inf\), got -1.0"),
        (lambda: gu.GaussianNoise(math.nan), ValueError, "variance: .* got nan"),
        (lambda: gu.GaussianNoise(math.inf), ValueError, "variance: .* got inf"),
        (lambda: gu.GaussianNoise("1"), TypeError, "variance: expected a number, got str"),
        (lambda: gu.GaussianNoise(True), TypeError, "variance: expected a number, got bool"),
        (lambda: gu.GaussianNoise(1.0, per="row"), ValueError, "per: .* got 'row'"),
        (lambda: gu.GaussianNoise(1.0, on="text"), ValueError, "on: .* got 'text'"),
        (lambda: gu.UniformQuantization(1), ValueError, "bins: .* at least 2, got 1"),
        (lambda: gu.UniformQuantization(2.5), TypeError, "bins: expected an integer"),
        (lambda: gu.UniformQuantization(4, low=0.0), ValueError, "low, high: .* both or neither"),
        (lambda: gu.UniformQuantization(4, math.nan, 1.0), ValueError, "^low: .* got nan"),
        (lambda: gu.UniformQuantization(4, 1.0, 1.0), ValueError, "high: .* got 1.0"),
        (lambda: gu.UniformQuantization(4, 1.0, math.nan), ValueError, "high: .* got nan"),
        (lambda: gu.UniformQuantization(4, sides="none"), ValueError, "sides: .* got 'none'"),
        (lambda: gu.ScalarQuantization(0), ValueError, "bits: .* at least 1, got 0"),
        (lambda: gu.ScalarQuantization(17), ValueError, "bits: expected at most 16, got 17"),
        (lambda: gu.BinaryQuantization("no"), TypeError, "center: expected True or False, got str"),
        (lambda: gu.AlternativeGallery([[1.0]]), TypeError, "gallery: .* got list"),
        (lambda: gu.AlternativeGallery(np.array([[np.nan]])), ValueError, "gallery: .* NaN"),
    ],
)
def test_bad_parameters(build, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        build()
