"""Single precision for a while, and what was before afterwards."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch

from gaputils.models._precision import InSinglePrecision, single_precision


@pytest.fixture(autouse=True, params=[torch.float64, torch.float32, torch.bfloat16])
def default(request: pytest.FixtureRequest) -> Iterator[torch.dtype]:
    """Another default type than the one that the models are loaded under."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(request.param)
    yield request.param
    torch.set_default_dtype(before)


def test_new_tensors_are_float32_within_and_as_before_after(default: torch.dtype) -> None:
    with single_precision():
        assert torch.ones(2).dtype == torch.float32
        assert torch.tensor(0.1).div(3).dtype == torch.float32
    assert torch.ones(2).dtype == default


def test_an_error_within_leaves_the_type_as_it_was(default: torch.dtype) -> None:
    with pytest.raises(KeyError), single_precision():
        raise KeyError("x")
    assert torch.get_default_dtype() == default


def test_it_decorates_every_call(default: torch.dtype) -> None:
    @single_precision()
    def made() -> torch.dtype:
        return torch.zeros(1).dtype

    assert made() == made() == torch.float32
    assert torch.get_default_dtype() == default


def test_a_preprocessing_keeps_its_answer_and_its_repr() -> None:
    class Scaled:
        def __call__(self, image: int) -> torch.Tensor:
            return torch.full((2,), image / 3, dtype=torch.get_default_dtype())

        def __repr__(self) -> str:
            return "Scaled()"

    found = InSinglePrecision(Scaled())(1)
    assert torch.equal(found, torch.full((2,), 1 / 3, dtype=torch.float32))
    assert repr(InSinglePrecision(Scaled())) == "Scaled()"
