"""What is timed side by side computes the same."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import gaputils as gu
from gaputils.pages.speed import contenders


@pytest.fixture(scope="module")
def model() -> gu.Model:
    return gu.load_model("tiny-openmoji", device="cpu")


def test_exact_and_sampled_robustness_agree_within_their_error() -> None:
    calls = contenders.robustness_calls(40, 6, 32, draws=400)
    exact, (sampled, _) = calls["exact"](), calls["Monte Carlo"]()
    assert abs(exact.mean() - sampled.mean) < 5 * sampled.standard_error


def test_a_curve_is_what_the_loop_gives() -> None:
    calls = contenders.curve_calls(3, 20, 8, 16, variances=(0.01, 0.1))
    curve, loop = calls["one curve"](), calls["a loop"]()
    ordered = curve.sort_values(["alpha", "variance"])["robustness"]
    np.testing.assert_allclose(ordered, loop, atol=2e-5)


@pytest.mark.parametrize("kind", ["array", "tensor", "file"])
def test_moments_are_the_librarys(kind: str, tmp_path) -> None:
    array = np.random.default_rng(0).standard_normal((5000, 7), dtype=np.float32)
    if kind == "file":
        np.save(tmp_path / "rows.npy", array)
        rows = np.load(tmp_path / "rows.npy", mmap_mode="r")
    else:
        rows = torch.from_numpy(array) if kind == "tensor" else array
    calls = contenders.moments_calls(rows)
    moments, total, (mean, covariance) = (call() for call in calls.values())
    np.testing.assert_allclose(moments.mean, mean, atol=1e-6)
    np.testing.assert_allclose(moments.covariance, covariance, atol=1e-5)
    np.testing.assert_allclose(total / len(rows), moments.mean, atol=1e-12)


def test_classifiers_are_the_same(model: gu.Model) -> None:
    pytest.importorskip("clip_benchmark")
    ours, theirs = (call() for call in contenders.classifier_calls(2, model).values())
    assert ours.shape == (2, model.dim)
    torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-6)


def test_images_are_embedded_as_by_the_encoder(model: gu.Model) -> None:
    ours, bare = (call() for call in contenders.image_calls(10, model, batch_size=4).values())
    assert ours.shape == (10, model.dim)
    torch.testing.assert_close(ours, torch.nn.functional.normalize(bare, dim=1), rtol=0, atol=1e-6)


def test_seeds_end_where_a_loop_and_autograd_end() -> None:
    calls = contenders.simulation_calls(3, steps=20, n=6, dim=4)
    batch, loop, one = calls["all seeds"](), calls["a loop over seeds"](), calls["one seed"]()
    for number, run in enumerate(loop):
        torch.testing.assert_close(batch.x[:, number], run.x)
    torch.testing.assert_close(one.x, loop[0].x)
    a, b = calls["one seed, autograd"]()
    torch.testing.assert_close(one.x[-1], a, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(one.y[-1], b, rtol=1e-4, atol=1e-5)


def test_hulls_are_the_same_and_the_randomised_one_a_part() -> None:
    directions, plain, gram, leading = (c() for c in contenders.hull_calls(60, 8).values())
    variances = directions[1]
    torch.testing.assert_close(variances, plain.S.square() / 60)
    torch.testing.assert_close(variances, gram.eigenvalues.flip(0) / 60)
    assert leading.n_components_ == 2
    np.testing.assert_allclose(leading.explained_variance_, variances[:2] * 60 / 59, rtol=1e-3)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda m: contenders.classifier_calls(1001, m),
            "classes: expected at most 1000, got 1001",
        ),
        (lambda m: contenders.image_calls(10**6, m), "images: expected at most .* got 1000000"),
        (lambda m: contenders.image_calls(0, m), "images: .*got 0"),
        (lambda _: contenders.curve_calls(1), "alphas: .*got 1"),
    ],
)
def test_bad_sizes_are_named(call, message: str, model: gu.Model) -> None:
    with pytest.raises(ValueError, match=message):
        call(model)
