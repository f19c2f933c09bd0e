"""Of equals the first: what picks, orders or ranks keeps that rule, or says why it need not."""

from __future__ import annotations

import ast
from collections import Counter
from pathlib import Path

import pytest
import torch

import gaputils as gu
from gaputils.noise.bounds import sandwich
from gaputils.pages.scores.cosines import cosines
from gaputils.scoring import choice_costs, nearest

PACKAGE = Path(gu.__file__).parent
PICKS = {"argmin", "argmax", "topk", "argsort", "argpartition", "idxmin", "idxmax", "msort"}
VALUES = "takes the values alone, which equals share"
FIRST = "the first of costs that are settled, or of ones that equal no other"
WHERE = "of truth values or of a permutation: the first place is meant"
ONE = "picks among numbers of one run, not among items"
STABLE = "keeps the order of equals"
JUSTIFIED = {
    "embeddings.py": (1, STABLE),
    "scoring.py": (7, "is the rule"),
    "tasks.py": (1, FIRST),
    "closing/ablation.py": (1, STABLE),
    "closing/hull_projection.py": (1, VALUES),
    "closing/nnn.py": (1, VALUES),
    "evaluation/curve.py": (2, FIRST),
    "evaluation/report.py": (2, ONE),
    "geometry/clouds.py": (1, VALUES),
    "geometry/hull.py": (1, "names a row in an error"),
    "geometry/projection.py": (1, "the sign of an axis, which is drawn"),
    "models/_text_tower.py": (2, WHERE),
    "noise/_cosine.py": (1, "the order of a computation, whose result keeps the rows' own"),
    "noise/_few_cosine.py": (1, "the order of a computation, whose result keeps the rows' own"),
    "noise/_monte_carlo.py": (1, FIRST),
    "noise/_wins.py": (5, "which items are looked at; all that equal the last are, by count"),
    "noise/bounds.py": (1, FIRST),
    "noise/robustness.py": (1, FIRST),
    "pages/exact_robustness/cost.py": (2, "a contender: what others would write"),
    "pages/explorer/boundary.py": (1, FIRST),
    "pages/figures/groups.py": (1, STABLE),
    "pages/figures/scores.py": (1, FIRST),
    "pages/groups/measures.py": (1, STABLE),
    "pages/hull_projection.py": (4, FIRST),
    "pages/many_models.py": (1, ONE),
    "pages/mixed_galleries/ways.py": (1, WHERE),
    "pages/moving_the_gap.py": (1, ONE),
    "pages/multiple_choice.py": (7, f"{FIRST}; texts drawn at random; a place on a grid of alphas"),
    "pages/real_changes/sentences.py": (1, ONE),
    "pages/scores/cosines.py": (
        1,
        "the order of values, the one of which is meant that equals share",
    ),
    "pages/scores/means.py": (1, FIRST),
    "pages/scores/mixing.py": (3, FIRST),
    "pages/survival.py": (1, WHERE),
    "pages/why_distance_hurts.py": (1, "one of the farthest, which are alike"),
    "theory/measures.py": (1, "rows in training, of which no two are equal"),
    "theory/survival.py": (1, "one of the nearest, which are alike"),
}


def _called(node: ast.AST) -> str:
    named = isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
    return node.func.attr if named else ""


def _picks(file: Path) -> int:
    nodes = list(ast.walk(ast.parse(file.read_text())))
    places = (n for n in nodes if isinstance(n, ast.Attribute) and n.attr == "indices")
    named = [_called(n) in PICKS for n in nodes]
    return sum(named) + sum(_called(n.value) in ("min", "max") for n in places)


def test_whatever_picks_is_in_the_list() -> None:
    found = {file.relative_to(PACKAGE).as_posix(): _picks(file) for file in PACKAGE.rglob("*.py")}
    assert Counter(found) == Counter({name: count for name, (count, _) in JUSTIFIED.items()})


@pytest.mark.parametrize("scoring", ["euclidean", "inner-product", "cosine"])
@pytest.mark.parametrize("place", [3, 700, 1202])
def test_equal_items_have_equal_scores_wherever_they_are(scoring: str, place: int) -> None:
    draw = torch.Generator().manual_seed(0)
    gallery = torch.randn(1203, 48, generator=draw)
    gallery[place] = gallery[1]
    queries = gallery[1] + 0.01 * torch.randn(300, 48, generator=draw)
    assert set(nearest(queries, gallery, scoring).tolist()) == {1}
    assert torch.equal(cosines(queries, gallery)[:, 1], cosines(queries, gallery)[:, place])
    options = gallery[[5, place, 1, 7]].expand(len(queries), -1, -1)
    assert set(choice_costs(queries, options, scoring).argmin(1).tolist()) == {1}


def test_bounds_are_of_the_first_of_two_equal_items() -> None:
    draw = torch.Generator().manual_seed(0)
    gallery = torch.randn(300, 24, generator=draw)
    gallery[200] = gallery[4]
    queries = gallery[[4] * 40] + 0.01 * torch.randn(40, 24, generator=draw)
    noise = gu.GaussianNoise(0.5)
    own = sandwich(queries, gallery, noise)
    first = sandwich(queries, gallery, noise, targets=torch.full((40,), 4))
    for bound, wanted in zip(own, first, strict=True):
        torch.testing.assert_close(bound, wanted, rtol=0, atol=0)
