"""Bad input: every entry that takes two sides × everything that can be wrong with them."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

import gaputils as gu
from gaputils import _checks
from gaputils.scoring import nearest
from gaputils.tasks import top_k

NOISE = gu.GaussianNoise(0.1)
N, M, D = 6, 4, 5


def good() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    gallery = rng.normal(size=(M, D))
    return rng.normal(size=(N, D)), gallery / np.linalg.norm(gallery, axis=1, keepdims=True)


def transformed(method: Any) -> Callable[..., Any]:
    return lambda queries, gallery: method.fit(*good()).transform(queries, gallery)


ENTRIES: dict[str, Callable[..., Any]] = {
    "Embeddings": gu.Embeddings,
    "robustness": lambda q, g: gu.robustness(q, g, NOISE),
    "robustness, sampled": lambda q, g: gu.robustness(q, g, NOISE, "monte-carlo", draws=2),
    "accuracy_under_noise": lambda q, g: gu.accuracy_under_noise(q, g, [0] * N, NOISE),
    "estimate": lambda q, g: gu.estimate(q, g, NOISE, draws=2),
    "certified_radius": gu.certified_radius,
    "robustness_curve": lambda q, g: gu.robustness_curve(q, g, gu.MeanShift(), [0.0], NOISE),
    "MeanShift.fit": gu.MeanShift().fit,
    "MeanShift.transform": transformed(gu.MeanShift()),
    "HullProjection.fit": gu.HullProjection(radius=2.0).fit,
    "HullProjection.transform": transformed(gu.HullProjection(radius="auto", center=True)),
    "nearest": nearest,
    "top_k": top_k,
}

Change = Callable[[np.ndarray], Any]


def with_value(value: float) -> Change:
    def change(side: np.ndarray) -> np.ndarray:
        side[1, 2] = value
        return side

    return change


WRONG: dict[str, tuple[Change, type[Exception], str]] = {
    "NaN": (with_value(math.nan), ValueError, "expected finite values, got NaN or .* 1 row"),
    "infinity": (with_value(math.inf), ValueError, "expected finite values"),
    "minus infinity": (with_value(-math.inf), ValueError, "expected finite values"),
    "one axis": (lambda side: side[0], ValueError, r"expected shape \(rows, columns\), got \(5,\)"),
    "three axes": (lambda side: side[None], ValueError, r"expected shape \(rows, columns\)"),
    "no rows": (lambda side: side[:0], ValueError, r"at least 1 row\(s\) .* got \(0, 5\)"),
    "no columns": (lambda side: side[:, :0], ValueError, "1 column, got"),
    "a list": (lambda side: side.tolist(), TypeError, "a NumPy array or a torch tensor, got list"),
    "None": (lambda _: None, TypeError, "got NoneType"),
    "text": (lambda side: side.astype(str), TypeError, "expected real numbers, got dtype <U"),
    "objects": (lambda side: side.astype(object), TypeError, "real numbers, got dtype object"),
    "booleans": (lambda side: side > 0, TypeError, "real numbers, got dtype bool"),
    "complex": (lambda side: side + 1j, TypeError, "real numbers, got dtype complex128"),
    "complex tensor": (
        lambda side: torch.tensor(side + 1j),
        TypeError,
        "real numbers, got dtype torch.complex128",
    ),
    "a masked array": (
        lambda side: np.ma.masked_array(side, side > 0),
        TypeError,
        "expected a plain array, got a masked one",
    ),
}


@pytest.mark.parametrize("side", ["queries", "gallery"])
@pytest.mark.parametrize("wrong", WRONG)
@pytest.mark.parametrize("entry", ENTRIES)
def test_a_bad_side_is_named(entry: str, wrong: str, side: str) -> None:
    change, error, message = WRONG[wrong]
    queries, gallery = good()
    sides = (change(queries), gallery) if side == "queries" else (queries, change(gallery))
    with pytest.raises(error, match=f"^{side}: .*{message}"):
        ENTRIES[entry](*sides)


@pytest.mark.parametrize("entry", ENTRIES)
def test_dimensions_must_agree(entry: str) -> None:
    queries, gallery = good()
    with pytest.raises(ValueError, match="gallery: expected dimension 5 as in queries, got 4"):
        ENTRIES[entry](queries, gallery[:, :4])


@pytest.mark.parametrize("entry", ENTRIES)
def test_sides_of_two_devices_are_refused(entry: str) -> None:
    queries, gallery = good()
    elsewhere = torch.empty(M, D, device="meta")
    with pytest.raises((ValueError, RuntimeError, NotImplementedError)):
        ENTRIES[entry](queries, elsewhere)
    assert len(gallery) == M


@pytest.mark.parametrize("entry", ENTRIES)
def test_one_row_and_other_kinds_of_numbers_are_fine(entry: str) -> None:
    queries, gallery = good()
    rows = queries if entry == "accuracy_under_noise" else queries[:1]
    ENTRIES[entry](rows, gallery)
    if "HullProjection.fit" not in entry:
        ENTRIES[entry](np.round(queries * 9).astype(np.int16), np.eye(5, dtype=np.uint8)[:M])
    ENTRIES[entry](torch.tensor(queries).float(), gallery)


ARGUMENTS: list[tuple[Callable[..., Any], type[Exception], str]] = [
    (lambda q, g: gu.robustness(q, g, 0.04), TypeError, "noise: expected a noise .* got 0.04"),
    (lambda q, g: gu.robustness(q, g, NOISE, "guess"), ValueError, "method: .* got 'guess'"),
    (lambda q, g: gu.robustness(q, g, NOISE, scoring="l1"), ValueError, "scoring: .* got 'l1'"),
    (
        lambda q, g: gu.robustness(q, g, NOISE, scoring="cosine"),
        ValueError,
        "method: 'exact' has no 'cosine' scoring",
    ),
    (
        lambda q, g: gu.robustness(q, g, gu.UniformQuantization(4)),
        ValueError,
        "method: 'exact' is for GaussianNoise on the gallery, got UniformQuantization",
    ),
    (
        lambda q, g: gu.robustness(q, g, gu.GaussianNoise(1.0, on="queries")),
        ValueError,
        "method: 'exact' is for GaussianNoise on the gallery",
    ),
    (lambda q, g: gu.robustness(q, g, NOISE, tolerance=0), ValueError, "tolerance: .* got 0"),
    (lambda q, g: gu.robustness(q, g, NOISE, tolerance=2), ValueError, "tolerance: .* got 2"),
    (
        lambda q, g: gu.robustness(q, g, NOISE, "monte-carlo", draws=0),
        ValueError,
        "draws: .* at least 1, got 0",
    ),
    (
        lambda q, g: gu.robustness(q, g, NOISE, "monte-carlo", draws=1.5),
        TypeError,
        "draws: expected an integer, got float",
    ),
    (
        lambda q, g: gu.robustness(q, g, NOISE, "monte-carlo", seed="x"),
        TypeError,
        "seed: expected an integer, got str",
    ),
    (
        lambda q, g: gu.robustness(q, g * 0, NOISE, "monte-carlo", scoring="cosine"),
        ValueError,
        "gallery: expected rows of norm above zero for cosine, got a zero row",
    ),
    (lambda q, g: top_k(q, g * 0), ValueError, "gallery: .* got a zero row"),
    (lambda q, g: top_k(q, g, 9), ValueError, "k: expected at most the 4 .* got 9"),
    (
        lambda q, g: gu.accuracy_under_noise(q, g, [0] * 5, NOISE),
        ValueError,
        r"targets: expected shape \(6,\), got \(5,\)",
    ),
    (
        lambda q, g: gu.accuracy_under_noise(q, g, [4] * 6, NOISE),
        ValueError,
        r"targets: expected indices in \[0, 4\), got 4 to 4",
    ),
    (
        lambda q, g: gu.accuracy_under_noise(q, g, [-1] * 6, NOISE),
        ValueError,
        "targets: expected indices",
    ),
    (
        lambda q, g: gu.accuracy_under_noise(q, g, [math.nan] * 6, NOISE),
        TypeError,
        "targets: expected integers, got dtype",
    ),
    (
        lambda q, g: gu.accuracy_under_noise(q, g, None, NOISE),
        TypeError,
        "targets: expected integers, got NoneType",
    ),
    (
        lambda q, g: gu.accuracy_under_noise(q, g, ["a"] * 6, NOISE),
        TypeError,
        "targets: expected integers, got list",
    ),
    (
        lambda q, g: gu.accuracy_under_noise(q, g, np.ones(6) * 1j, NOISE),
        TypeError,
        "targets: expected integers, got dtype torch.complex128",
    ),
    (
        lambda q, g: gu.accuracy_under_noise(q, g, [True] * 6, NOISE),
        TypeError,
        "targets: expected integers, got dtype torch.bool",
    ),
]


@pytest.mark.parametrize(("call", "error", "message"), ARGUMENTS)
def test_bad_arguments_are_named(call, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        call(*good())


def test_as_matrix_shares_memory_where_it_can() -> None:
    array = np.ones((3, 2), dtype=np.float32)
    assert _checks.as_matrix("x", array).data_ptr() == array.ctypes.data
    tensor = torch.ones(3, 2)
    assert _checks.as_matrix("x", tensor).data_ptr() == tensor.data_ptr()
    array.flags.writeable = False
    assert _checks.as_matrix("x", array).data_ptr() != array.ctypes.data
    assert not _checks.as_matrix("x", torch.ones(2, 2, requires_grad=True)).requires_grad


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.int32, torch.uint8])
def test_as_matrix_widens(dtype: torch.dtype) -> None:
    assert _checks.as_matrix("x", torch.ones(2, 2, dtype=dtype)).dtype == torch.float32


def test_unit_norm_is_required_to_a_tolerance() -> None:
    rows = torch.eye(3) * 1.01
    _checks.require_unit_norm("gallery", rows, tolerance=0.02)
    with pytest.raises(ValueError, match=r"gallery: expected rows of norm 1, one is off by 0.01"):
        _checks.require_unit_norm("gallery", rows)


def test_numbers() -> None:
    assert _checks.number("x", np.float32(2)) == 2.0
    assert _checks.integer("x", np.int8(2), low=0) == 2
    with pytest.raises(ValueError, match=r"x: expected a number in \(0, 1\], got 0"):
        _checks.number("x", 0, low=0, high=1, strict=True)
    for wrong in (None, "1", True, [1], torch.tensor(1.0)):
        with pytest.raises(TypeError, match="x: expected a number"):
            _checks.number("x", wrong)


def test_generators() -> None:
    own = torch.Generator()
    assert _checks.as_generator(own) is own
    draws = [torch.rand(1, generator=_checks.as_generator(seed)).item() for seed in (3, 3, 4)]
    assert draws[0] == draws[1] != draws[2]
    free = [torch.rand(1, generator=_checks.as_generator(None)).item() for _ in range(2)]
    assert free[0] != free[1]
    with pytest.raises(ValueError, match=r"seed: .* at least 0, got -1"):
        _checks.as_generator(-1)
