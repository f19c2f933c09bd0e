"""What every public function of rows must do when its rows are turned, moved, scaled, reordered or
given in another form: the same, in the same way. What it need not do is said with its reason."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import property_subjects
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from property_subjects import SUBJECTS, Case, Subject
from property_theory import THEORY
from symmetries import GALLERY, MOVE, PAIRS, QUERIES, SCALE, TURN

from bad_input.entries import ENTRIES
from pretended_gpu import pretended_gpu

pytestmark = pytest.mark.filterwarnings("ignore::gaputils.closing.ClosingDoesNothing")

ROOT = Path(__file__).resolve().parents[2]

ALL = [*SUBJECTS, *THEORY]
HOLDS = [(one, s) for one in ALL for s in one.symmetries() if s not in one.fails]
FAILS = [(one, s) for one in ALL for s in one.symmetries() if s in one.fails]
FACTOR = 4.0


def case(seed: int, paired: bool) -> Case:
    """Two clouds that stand apart, in general position, of values that half precision holds."""
    rng = np.random.default_rng(seed)
    n, m, d = rng.integers(6, 10, size=3)
    m = n if paired else m
    gallery = rng.normal(size=(m, d)).astype(np.float16).astype(float)
    targets = np.arange(n) if paired else np.resize(rng.permutation(m), n)
    noise = 0.7 * rng.normal(size=(n, d)) + rng.normal(size=d)
    queries = (gallery[targets] + noise).astype(np.float16).astype(float)
    direction = rng.normal(size=d)
    return Case(queries, gallery, targets, direction / np.linalg.norm(direction))


def parts(answer: Any) -> list[np.ndarray]:
    """The arrays of an answer, in double precision."""
    if isinstance(answer, (list, tuple)):
        return [part for one in answer for part in parts(one)]
    if isinstance(answer, torch.Tensor):
        return [answer.detach().double().cpu().numpy()]
    if isinstance(answer, (pd.Series, pd.DataFrame)):
        return [answer.to_numpy(dtype=float)]
    return [np.asarray(answer, dtype=float)]


def answer(one: Subject, c: Case) -> list[np.ndarray]:
    return parts(one.call(c))


class Change:
    """A symmetry with its drawn rotation, offset and orders: of a case, and of what it answers."""

    def __init__(self, name: str, c: Case, seed: int) -> None:
        rng = np.random.default_rng([seed, 1])
        n, d = c.queries.shape
        m = len(c.gallery)
        self.turn = np.linalg.qr(rng.normal(size=(d, d)))[0] if name == TURN else np.eye(d)
        self.by = rng.normal(size=d) if name == MOVE else np.zeros(d)
        self.factor = FACTOR if name == SCALE else 1.0
        self.rows, self.items = np.arange(n), np.arange(m)
        if name in (QUERIES, PAIRS):
            self.rows = rng.permutation(n)
        if name == GALLERY:
            self.items = rng.permutation(m)
        if name == PAIRS:
            self.items = self.rows
        self.place = np.argsort(self.items)

    def of_case(self, c: Case) -> Case:
        def moved(side: np.ndarray) -> np.ndarray:
            return self.factor * (side @ self.turn) + self.by

        return Case(
            moved(c.queries)[self.rows],
            moved(c.gallery)[self.items],
            self.place[c.targets[self.rows]],
            c.direction @ self.turn,
            self.factor,
        )

    def of_part(self, part: np.ndarray, axes: str, degree: float) -> np.ndarray:
        axes, _, values = axes.partition(">")
        for axis, letter in enumerate(axes):
            if letter in "qg":
                part = part.take({"q": self.rows, "g": self.items}[letter], axis)
            elif letter in "dp":
                part = np.moveaxis(np.moveaxis(part, axis, -1) @ self.turn, -1, axis)
        if values:
            return self.place[part.astype(int)]
        part = self.factor**degree * part
        return part + self.by if axes.endswith("p") else part


def distance(found: list[np.ndarray], wanted: list[np.ndarray], size: float = 1.0) -> float:
    """The largest difference, relative to `size` or to the largest value of its part."""
    assert [part.shape for part in found] == [part.shape for part in wanted]
    return max(
        float(np.abs(a - b).max() / max(np.abs(b).max(), size))
        for a, b in zip(found, wanted, strict=True)
    )


def broken_by(one: Subject, symmetry: str, seed: int) -> float:
    """How far the answer is from what the symmetry asks."""
    c = case(seed, one.paired)
    change = Change(symmetry, c, seed)
    before, after = answer(one, c), answer(one, change.of_case(c))
    axes = one.axes if len(one.axes) == len(before) else one.axes * len(before)
    wanted = [change.of_part(p, a, one.degree) for p, a in zip(before, axes, strict=True)]
    return distance(after, wanted, change.factor**one.degree)


def names(pairs: list[tuple[Subject, str]]) -> list[str]:
    return [f"{one.name}-{symmetry}" for one, symmetry in pairs]


@pytest.mark.parametrize(("one", "symmetry"), HOLDS, ids=names(HOLDS))
@settings(max_examples=4, deadline=None)
@given(seed=st.integers(0, 10**6))
def test_what_holds(one: Subject, symmetry: str, seed: int) -> None:
    changed = broken_by(one, symmetry, seed)
    assert changed < 1e-5, (
        f"{one.name}: '{symmetry}' changes its answer by {changed:.2g} of its size. If that is "
        "meant, give the reason (of a closing in SYMMETRIES of its test, as a fourth entry "
        "{symmetry: reason}); else its axis or its power is said wrongly, or the function is wrong"
    )


@pytest.mark.parametrize(("one", "symmetry"), FAILS, ids=names(FAILS))
def test_what_need_not_hold_does_not(one: Subject, symmetry: str) -> None:
    assert any(broken_by(one, symmetry, seed) > 1e-3 for seed in range(20)), (
        f"{one.name}: '{symmetry}' holds after all; take out the reason why it should not"
    )


def mapped(side: np.ndarray, folder: Path) -> np.ndarray:
    file = folder / f"{len(list(folder.iterdir()))}.npy"
    np.save(file, side)
    return np.load(file, mmap_mode="r")


def read_only(side: np.ndarray) -> np.ndarray:
    side = side.copy()
    side.flags.writeable = False
    return side


FORMS: dict[str, Callable[[np.ndarray, Path], Any]] = {
    "a tensor": lambda side, _: torch.tensor(side),
    "a tensor of other strides": lambda side, _: torch.tensor(side.T.copy()).T,
    "a tensor with gradient": lambda side, _: torch.tensor(side, requires_grad=True),
    "Fortran order": lambda side, _: np.asfortranarray(side),
    "every other row": lambda side, _: np.repeat(side, 2, axis=0)[::2],
    "rows backwards": lambda side, _: side[::-1].copy()[::-1],
    "the other byte order": lambda side, _: side.astype(side.dtype.newbyteorder()),
    "read-only": lambda side, _: read_only(side),
    "memory-mapped": mapped,
    "single precision": lambda side, _: side.astype(np.float32),
    "half precision": lambda side, _: side.astype(np.float16),
    "on the GPU": lambda side, _: torch.tensor(side, device="cuda"),
}
IN_FORMS = [
    pytest.param(one, form, id=f"{one.name}-{form}", marks=[pytest.mark.gpu] * ("GPU" in form))
    for one in ALL
    for form in FORMS
]


@pytest.mark.parametrize(("one", "form"), IN_FORMS)
def test_the_form_of_the_rows_does_not_matter(one: Subject, form: str, tmp_path: Path) -> None:
    c = case(17, one.paired)
    kept = c.queries.copy(), c.gallery.copy()
    given_so = [FORMS[form](side, tmp_path) for side in kept]
    found = answer(one, replace(c, queries=given_so[0], gallery=given_so[1]))
    tolerance = one.single if "precision" in form else 1e-9
    assert distance(found, answer(one, c)) <= tolerance
    for side, before in zip(given_so, kept, strict=True):
        assert np.array_equal(parts(side)[0], before), "the rows were changed"


@pytest.mark.parametrize("one", ALL, ids=[one.name for one in ALL])
def test_rows_may_lie_on_a_gpu(one: Subject) -> None:
    c = case(17, one.paired)
    with pretended_gpu():
        sides = [torch.tensor(side, device="cuda") for side in (c.queries, c.gallery)]
        found = answer(one, replace(c, queries=sides[0], gallery=sides[1]))
    assert distance(found, answer(one, c)) <= max(one.single, 1e-9)


NOT_HERE = {
    "answerable_blocks": "takes rows by their place",
    "embeddings.choose_items": "takes rows by their place",
}


def test_every_function_of_rows_is_here() -> None:
    def plain(name: str) -> str:
        return re.sub(r"(, .*|\.(fit|transform|update))$", "", name)

    here = {plain(one.name) for one in ALL}
    missing = {plain(entry.name) for entry in ENTRIES} - here
    assert missing == set(NOT_HERE), (
        f"say what the symmetries do to {sorted(missing - set(NOT_HERE))}: of a closing by "
        f"SYMMETRIES in its own test, of others in {property_subjects.__file__}, or in NOT_HERE "
        "why nothing can be said"
    )
