"""Every number that a function takes: refused under its own name, and taken at its range's end."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
import torch

import gaputils as gu
from gaputils.pages import two_clusters as clusters_page
from gaputils.pages.relative_alignment import paired_lines, shifted_pairs
from gaputils.pages.why_distance_hurts import changed_by_shift, flat_gallery

PAIR = torch.arange(12.0, dtype=torch.float64).reshape(4, 3)
FLAT = torch.eye(3, dtype=torch.float64)


@dataclass(frozen=True)
class Entry:
    """A function, arguments that it takes, and what of each it refuses and just takes."""

    function: Callable[..., Any]
    good: dict[str, Any]
    refused: dict[str, Any]
    least: dict[str, Any] = field(default_factory=dict)


COUNTS = {"runs": 0, "n": 1, "d": 1}
LEAST = {"runs": 1, "n": 2, "d": 2}
DESCENT = {"runs": 2, "n": 4, "d": 3, "tau": 0.5, "lr": 0.1, "gap": 1.0, "spread": 0.1, "steps": 3}
ENTRIES = {
    "paired_lines": Entry(
        paired_lines, {"n": 4, "gap": 1.0}, {"n": 1, "gap": -0.5}, {"n": 2, "gap": 0}
    ),
    "shifted_pairs": Entry(
        shifted_pairs,
        {"runs": 2, "n": 4, "d": 3, "gap": 1.0, "misalignment": 0.1},
        {**COUNTS, "gap": float("nan"), "misalignment": -0.1},
        {**LEAST, "gap": -1.0, "misalignment": 0},
    ),
    "two_clusters": Entry(
        gu.theory.two_clusters,
        {"runs": 2, "n": 4, "d": 3, "gap": 1.0, "spread": 0.1},
        {**COUNTS, "gap": -0.1, "spread": -0.1, "rank": 0},
        {**LEAST, "gap": 0, "spread": 0, "rank": 1},
    ),
    "two_clusters on the sphere": Entry(
        gu.theory.two_clusters,
        {"runs": 2, "n": 4, "d": 3, "gap": 1.0, "spread": 0.1, "sphere": True},
        {"gap": 2.01, "rank": 4, "d": 1},
        {"gap": 2, "rank": 3, "d": 2},
    ),
    "flat_gallery": Entry(
        flat_gallery,
        {"n": 3, "m": 4, "d": 5, "gap": 1.0},
        {"n": 0, "m": 1, "d": 1, "gap": float("inf"), "blur": -0.1, "norms": -0.1},
        {"n": 1, "m": 2, "d": 2, "gap": -1, "blur": 0, "norms": 0},
    ),
    "flat_gallery, the other end": Entry(
        flat_gallery,
        {"n": 3, "m": 4, "d": 5, "gap": 1.0},
        {"norms": 1.01, "seed": -1},
        {"norms": 1, "seed": 0},
    ),
    "changed_by_shift": Entry(
        changed_by_shift,
        {"queries": FLAT, "gallery": FLAT, "direction": [0.0, 0.0, 1.0], "lengths": [1.0]},
        {
            "direction": [0.0, 0.0, 0.0],
            "lengths": [float("nan")],
            "degrees": [float("inf")],
            "seed": -1,
        },
        {"direction": [1e-3, 0.0, 0.0], "lengths": [], "degrees": []},
    ),
    "step_factors": Entry(
        gu.theory.step_factors,
        {"gap": 1.0, "tau": 0.5, "lr": 0.1, "n": 4},
        {"gap": -0.1, "tau": 0, "lr": 0, "n": 1},
        {"gap": 0, "tau": 1e-3, "lr": 1e-3, "n": 2},
    ),
    "step_factors, numbers below zero": Entry(
        gu.theory.step_factors, {"gap": 1.0, "tau": 0.5, "lr": 0.1, "n": 4}, {"tau": -1, "lr": -1}
    ),
    "predicted_variance_along_gap": Entry(
        gu.theory.predicted_variance_along_gap,
        {"x": PAIR, "y": PAIR + 1, "tau": 0.5, "lr": 0.1, "steps": 3},
        {"tau": 0, "lr": 0, "steps": -1},
        {"tau": 1e-3, "lr": 1e-3, "steps": 0},
    ),
    "predicted_variance_along_gap, numbers below zero": Entry(
        gu.theory.predicted_variance_along_gap,
        {"x": PAIR, "y": PAIR + 1, "tau": 0.5, "lr": 0.1, "steps": 3},
        {"tau": -1, "lr": -1},
    ),
    "simulate": Entry(
        gu.theory.simulate,
        {"x0": PAIR, "y0": PAIR + 0.1, "tau": 0.5, "lr": 1e-3, "steps": 3},
        {"tau": 0, "lr": 0, "steps": 0, "record": 1},
        {"steps": 1, "record": 2},
    ),
    "simulate, steps to keep": Entry(
        gu.theory.simulate,
        {"x0": PAIR, "y0": PAIR + 0.1, "tau": 0.5, "lr": 1e-3, "steps": 3},
        {"record": [-1]},
        {"record": [0]},
    ),
    "sweep": Entry(
        clusters_page.sweep,
        {**DESCENT, "name": "spread", "values": [0.1]},
        {"steps": 0},
        {"steps": 1},
    ),
    "survival": Entry(
        gu.theory.survival,
        {"distances": [1.0, 2.0, 3.0], "variance": 0.1, "dim": 3},
        {"dim": 0, "variance": 0, "item": 3, "distances": [1.0]},
        {"dim": 1, "variance": 1e-3, "item": 2, "distances": [0.0, 0.0]},
    ),
    "survival, an item below zero": Entry(
        gu.theory.survival,
        {"distances": [1.0, 2.0, 3.0], "variance": 0.1, "dim": 3},
        {"item": -1, "variance": -1.0, "distances": [-1e-9, 1.0]},
        {"item": 0},
    ),
    "survival_slope": Entry(
        gu.theory.survival_slope,
        {"distances": [1.0, 2.0, 3.0], "variance": 0.1, "dim": 3},
        {"dim": 0, "variance": 0, "item": 3, "distances": [1.0]},
        {"dim": 1, "variance": 1e-3, "item": 2, "distances": [0.0, 0.0]},
    ),
}
CELLS = [
    pytest.param(entry, argument, id=f"{name}: {argument}")
    for name, entry in ENTRIES.items()
    for argument in entry.refused
]


@pytest.mark.parametrize(("entry", "argument"), CELLS)
def test_numbers(entry: Entry, argument: str) -> None:
    entry.function(**entry.good)
    with pytest.raises(ValueError, match=rf"^{argument}: expected"):
        entry.function(**{**entry.good, argument: entry.refused[argument]})
    if argument in entry.least:
        entry.function(**{**entry.good, argument: entry.least[argument]})


SEEDED: dict[str, tuple[Callable[..., Any], dict[str, Any]]] = {
    name: (ENTRIES[name].function, ENTRIES[name].good)
    for name in ("shifted_pairs", "two_clusters", "flat_gallery")
}
SEEDED["flat_gallery, unequal norms"] = (
    flat_gallery,
    {"n": 3, "m": 4, "d": 5, "gap": 1, "norms": 0.5},
)


def tensors(result: Any) -> torch.Tensor:
    return torch.cat([part.flatten() for part in result])


@pytest.mark.parametrize(("function", "good"), SEEDED.values(), ids=SEEDED.keys())
def test_seed(function: Callable[..., Any], good: dict[str, Any]) -> None:
    """The default is 0, one seed is one draw, and a generator goes on where it stands."""
    drawn = tensors(function(**good))
    assert torch.equal(drawn, tensors(function(**good, seed=0)))
    assert not torch.equal(drawn, tensors(function(**good, seed=1)))
    generator = torch.Generator().manual_seed(0)
    assert torch.equal(drawn, tensors(function(**good, seed=generator)))
    assert not torch.equal(drawn, tensors(function(**good, seed=generator)))
