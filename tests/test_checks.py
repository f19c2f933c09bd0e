"""Argument checks, and bad arguments that are neither rows nor files."""

from __future__ import annotations

import math
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

import gaputils as gu
from gaputils import _checks
from gaputils.scoring import top_k

NOISE = gu.GaussianNoise(0.1)
CPU = torch.device("cpu")
N, M, D = 6, 4, 5


def good() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    gallery = rng.normal(size=(M, D))
    return rng.normal(size=(N, D)), gallery / np.linalg.norm(gallery, axis=1, keepdims=True)


UNUSUAL: dict[str, Callable[[], torch.Tensor]] = {
    "a nested one": lambda: torch.nested.nested_tensor([torch.ones(D), torch.ones(2)]),
    "a quantized one": lambda: torch.quantize_per_tensor(torch.ones(M, D), 0.1, 0, torch.qint8),
    "one on the meta device": lambda: torch.empty(M, D, device="meta"),
    "layout torch.sparse_coo": lambda: torch.eye(M, D).to_sparse(),
}


@pytest.mark.filterwarnings("ignore:.*prototype stage", "ignore:.*deprecated")
@pytest.mark.parametrize("message", UNUSUAL)
def test_tensors_that_hold_no_plain_rows_are_refused(message: str) -> None:
    (queries, gallery), tensor = good(), UNUSUAL[message]()
    expected = f"expected a dense tensor of plain numbers, got {message}"
    with pytest.raises(TypeError, match=f"^gallery: {expected}"):
        gu.Embeddings(queries, tensor)
    with pytest.raises(TypeError, match=f"^targets: {expected}"):
        gu.Embeddings(queries, gallery, tensor)
    with pytest.raises(TypeError, match=f"^direction: {expected}"):
        gu.geometry.hull_angle(gallery, tensor)


@pytest.mark.skipif(np.dtype(np.longdouble).itemsize == 8, reason="is double precision here")
def test_more_than_double_precision_is_refused() -> None:
    with pytest.raises(TypeError, match=r"^x: expected real numbers of at most double precision"):
        _checks.as_matrix("x", np.ones((2, 2), np.longdouble))


REORDERED: dict[str, Callable[[np.ndarray], Any]] = {
    "reversed twice": lambda a: a[::-1].copy()[::-1],
    "every other": lambda a: np.repeat(a, 2, axis=0)[::2],
    "column by column": np.asfortranarray,
    "swapped bytes": lambda a: a.astype(a.dtype.newbyteorder("S")),
    "a series": lambda a: pd.Series(a, index=range(5, 5 + len(a))) if a.ndim == 1 else a,
}


@pytest.mark.parametrize("reordered", REORDERED.values(), ids=REORDERED)
@pytest.mark.parametrize("rows", [1, N])
def test_labels_may_have_any_strides_and_byte_order(reordered: Any, rows: int) -> None:
    one, several = np.arange(rows), np.stack([np.arange(rows), np.full(rows, -1)], axis=1)
    given = rows, N, torch.device("cpu")
    assert _checks.as_targets("v", reordered(one), *given).tolist() == one.tolist()
    assert _checks.as_answers("v", reordered(several), *given).tolist() == several.tolist()
    direction = one + 1.5
    found = _checks.as_direction("v", reordered(direction), rows, CPU)
    assert found.tolist() == direction.tolist()


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.uint32, np.uint64])
def test_answers_may_be_unsigned(dtype: type) -> None:
    several = np.array([[0, 1], [2, 0]], dtype)
    found = _checks.as_answers("v", several, 2, 3, torch.device("cpu"))
    assert found.tolist() == several.tolist()


def test_answers_of_text_are_named() -> None:
    with pytest.raises(TypeError, match=r"^v: expected integers, got dtype <U1"):
        _checks.as_answers("v", np.array([["a"]]), 1, 3, torch.device("cpu"))


def test_whole_numbers_and_other_floats_are_fine() -> None:
    queries, gallery = good()
    whole = np.round(queries * 9).astype(np.int16), np.eye(5, dtype=np.uint8)[:M]
    mixed = torch.tensor(queries).float(), gallery
    for sides in (whole, mixed):
        assert gu.robustness(*sides, NOISE).shape == (N,)
        assert gu.MeanShift().fit_transform(*sides)[1].shape == (M, D)


ARGUMENTS: list[tuple[Callable[..., Any], type[Exception], str]] = [
    (lambda q, g: gu.robustness(q, g, 0.04), TypeError, "noise: expected a noise .* got 0.04"),
    (lambda q, g: gu.robustness(q, g, NOISE, "guess"), ValueError, "method: .* got 'guess'"),
    (lambda q, g: gu.robustness(q, g, NOISE, scoring="l1"), ValueError, "scoring: .* got 'l1'"),
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
        lambda q, g: gu.report(q, g),
        TypeError,
        r"^embeddings: expected Embeddings\(queries, gallery",
    ),
    (
        lambda _, g: gu.GaussianNoise(g),
        TypeError,
        r"^variance: expected a number, got \w+ of shape \(\d+, \d+\)$",
    ),
    (
        lambda q, g: gu.robustness(q, g, NOISE, scoring=g),
        ValueError,
        r"^scoring: expected one of .*, got \w+ of shape \(\d+, \d+\)$",
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


@pytest.mark.parametrize(
    ("value", "error", "message"),
    [
        ("x", TypeError, "^v: expected numbers, got str"),
        ([[1.0]], ValueError, r"^v: expected shape \(2,\), got \(1, 1\)"),
        ([0.0, 0.0], ValueError, "^v: expected a finite vector that is not zero"),
        ([math.nan, 1.0], ValueError, "^v: expected a finite vector"),
        ([True, False], TypeError, "^v: expected real numbers, got dtype torch.bool"),
        ([1j, 1.0], TypeError, "^v: expected real numbers, got dtype torch.complex"),
    ],
)
def test_directions(value: object, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        _checks.as_direction("v", value, 2, CPU)


def test_a_direction_keeps_its_length() -> None:
    assert _checks.as_direction("v", np.array([3.0, 4.0]), 2, CPU).tolist() == [3.0, 4.0]


def test_unit_rows() -> None:
    rows = _checks.unit_rows("x", torch.tensor([[3.0, 4.0], [0.0, 2.0]]))
    torch.testing.assert_close(rows, torch.tensor([[0.6, 0.8], [0.0, 1.0]]))
    with pytest.raises(ValueError, match=r"^x: expected rows of norm above zero"):
        _checks.unit_rows("x", torch.tensor([[3.0, 4.0], [0.0, 0.0]]))


@pytest.mark.parametrize("size", [1e-30, 1e30])
def test_rows_whose_squares_leave_the_range_get_norm_one(size: float) -> None:
    rows = torch.tensor([[3.0, 4.0], [0.0, 2.0]]) * torch.tensor([[size], [1.0]])
    torch.testing.assert_close(_checks.unit_rows("x", rows), torch.tensor([[0.6, 0.8], [0.0, 1.0]]))
    ordinary = torch.ones(2, 3)
    assert _checks.moderate(ordinary) is ordinary
    assert _checks.moderate(torch.zeros(1, 3)).tolist() == [[0.0, 0.0, 0.0]]


@pytest.mark.parametrize(("dtype", "size"), [(np.float32, 1e19), (np.float64, 1e154)])
def test_rows_too_long_for_their_squares_are_refused(dtype: type, size: float) -> None:
    rows = np.array([[1, 0], [size, 0]], dtype)
    message = f"^gallery: expected rows no longer than .* {np.dtype(dtype)} holds, got one of 1e"
    with pytest.raises(ValueError, match=message):
        gu.scoring.nearest(rows[:1], rows)
    normed = gu.Embeddings(rows, rows, normalize=True)
    assert normed.gallery.norm(dim=1).tolist() == [1, 1]
    kept = rows / dtype(100)
    assert gu.scoring.nearest(kept, kept).tolist() == [0, 1]


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


def test_numbers() -> None:
    assert _checks.number("x", np.float32(2)) == 2.0
    assert _checks.integer("x", np.int8(2), low=0) == 2
    with pytest.raises(ValueError, match=r"x: expected a number in \(0, 1\], got 0"):
        _checks.number("x", 0, low=0, high=1, strict=True)
    for huge in (float("inf"), 10**400):
        with pytest.raises(ValueError, match=rf"^x: expected .* \(-inf, inf\), got {huge}"):
            _checks.number("x", huge)
    for wrong in (None, "1", True, [1], torch.tensor(1.0)):
        with pytest.raises(TypeError, match="x: expected a number"):
            _checks.number("x", wrong)


def test_lists() -> None:
    assert _checks.listed("v", (1, 2), "number") == [1, 2]
    assert _checks.listed("v", np.array([1.5]), "number") == [1.5]
    for wrong in (1, "12", {1: 2}, None, np.array(1)):
        with pytest.raises(TypeError, match=r"^v: expected a list of numbers, got"):
            _checks.listed("v", wrong, "number")
    with pytest.raises(ValueError, match=r"^v: expected at least one number, got none"):
        _checks.listed("v", [], "number")


def test_mappings() -> None:
    assert _checks.labelled("v", {"a": 1}, "label") == {"a": 1}
    with pytest.raises(TypeError, match=r"^v: expected a mapping by label, got list \[1\]"):
        _checks.labelled("v", [1], "label")
    with pytest.raises(ValueError, match=r"^v: expected at least one label, got none"):
        _checks.labelled("v", {}, "label")


def test_flags() -> None:
    assert _checks.flag("v", np.bool_(True)) is True
    for wrong in (1, "no", None):
        with pytest.raises(TypeError, match=r"^v: expected True or False, got"):
            _checks.flag("v", wrong)


def test_generators() -> None:
    own = torch.Generator()
    assert _checks.as_generator(own) is own
    draws = [torch.rand(1, generator=_checks.as_generator(seed)).item() for seed in (3, 3, 4)]
    assert draws[0] == draws[1] != draws[2]
    free = [torch.rand(1, generator=_checks.as_generator(None)).item() for _ in range(2)]
    assert free[0] != free[1]
    same = _checks.as_generator(np.int64(3))
    assert torch.rand(1, generator=same).item() == draws[0]


def test_seeds() -> None:
    assert _checks.as_seed(np.uint64(2**64 - 1)) == 2**64 - 1
    with pytest.raises(ValueError, match=r"seed: .* at least 0, got -1"):
        _checks.as_generator(-1)
    with pytest.raises(ValueError, match=r"seed: expected at most \d+, got 18446744073709551616"):
        _checks.as_generator(2**64)
    for wrong in (True, 1.5, "a"):
        with pytest.raises(TypeError, match="seed: expected an integer"):
            _checks.as_seed(wrong)


@pytest.mark.parametrize(
    ("value", "hint"),
    [
        ([np.zeros(2)], "list; stack its rows first"),
        (pd.DataFrame(np.zeros((2, 2))), r"DataFrame; pass its to_numpy\(\)"),
        (pd.Series([np.zeros(2)]).to_numpy(), "dtype object; np.stack makes one matrix"),
        (SimpleNamespace(pooler_output=0), "SimpleNamespace; pass its pooler_output"),
        (gu.Embeddings(np.eye(2), np.eye(2)), "Embeddings; pass its queries or its gallery"),
        (7, "int$"),
    ],
)
def test_an_error_says_what_to_pass_instead(value: object, hint: str) -> None:
    with pytest.raises(TypeError, match=f"x: .*{hint}"):
        _checks.as_matrix("x", value)


@pytest.mark.parametrize("dtype", [torch.float16, torch.float32, torch.float64])
def test_offsets_of_rows_that_are_alike_are_zeros(dtype: torch.dtype) -> None:
    rows = torch.rand(3, 50, generator=torch.Generator().manual_seed(0)).to(dtype)
    mean, offset = _checks.centred(rows)
    torch.testing.assert_close(mean + offset, rows.double())
    assert float(offset.sum(dim=0).abs().max()) < 1e-15
    mean, offset = _checks.centred(rows[:1].expand(3, 50))
    torch.testing.assert_close(mean, rows[0].double())
    assert not offset.any()
