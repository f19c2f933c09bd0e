"""How the cost of each routine and of what one would use instead grows with the work."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pytest

import gaputils as gu
from gaputils.pages.speed import contenders, timing

Make = Callable[[int, str], Mapping[str, timing.Call]]


def _model(device: str) -> gu.Model:
    return gu.load_model("tiny-openmoji", device=device, precision="fp32")


AXES: dict[str, tuple[tuple[int, ...], Make]] = {
    "queries": (
        (400, 1600, 6400),
        lambda size, device: contenders.robustness_calls(queries=size, device=device),
    ),
    "items": (
        (10, 80, 640),
        lambda size, device: contenders.robustness_calls(items=size, device=device),
    ),
    "dim": (
        (64, 256, 1024),
        lambda size, device: contenders.robustness_calls(dim=size, device=device),
    ),
    "alphas": (
        (6, 21, 81),
        lambda size, device: contenders.curve_calls(size, device=device),
    ),
    "rows": (
        (25_000, 100_000, 400_000),
        lambda size, device: contenders.moments_calls(contenders.random_rows(size, device=device)),
    ),
    "classes": (
        (20, 80, 320),
        lambda size, device: contenders.classifier_calls(size, _model(device)),
    ),
    "images": (
        (120, 480, 1914),
        lambda size, device: contenders.image_calls(size, _model(device)),
    ),
    "seeds": (
        (4, 16, 64),
        lambda size, device: contenders.simulation_calls(size, device=device),
    ),
    "gallery items": (
        (1024, 4096, 16384),
        lambda size, device: contenders.hull_calls(size, device=device),
    ),
    "gallery dimension": (
        (64, 256, 1024),
        lambda size, device: contenders.hull_calls(4096, size, device=device),
    ),
}


@pytest.mark.parametrize("axis", AXES)
def test_growth(axis: str, benchmark, record_growth, device: str) -> None:
    sizes, make = AXES[axis]
    table = benchmark.pedantic(
        timing.growth, (lambda size: make(size, device), sizes), {"rounds": 3}, rounds=1
    )
    record_growth(axis, table)
