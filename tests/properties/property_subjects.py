"""Every public function of rows, and what each axis of its answer runs over.

An answer is one array or several. The axes of each are spelt by letters: `q` runs over the queries,
`g` over the gallery, `d` over the coordinates of a difference of points (which turns with them),
`p` over the coordinates of a point (which turns and moves), `.` over something else. An ending
`>g` says that the values are rows of the gallery. `degree` is the power of a common factor of all
points by which the answer grows.
"""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from sklearn.base import clone
from symmetries import (
    ANGLES,
    COORDINATES,
    DRAWN,
    GALLERY,
    MATCHES,
    MIXED,
    MOVE,
    ORIGIN,
    PAIRS,
    PLACES,
    QUERIES,
    SCALE,
    TURN,
)

import gaputils as gu
from gaputils import closing, geometry
from gaputils.embeddings import unit_rows
from gaputils.pages.born import cosine_sample, gap_and_robustness
from gaputils.pages.compressed_indexes import about_circumcentre
from gaputils.scoring import nearest, top_k


@dataclass(frozen=True)
class Case:
    """Queries (n, d), gallery (m, d), the right items (n,), a direction (d,), a unit of length."""

    queries: Any
    gallery: Any
    targets: Any
    direction: Any
    length: float = 1.0

    def embeddings(self) -> gu.Embeddings:
        return gu.Embeddings(self.queries, self.gallery, self.targets)

    def variance(self) -> float:
        return 0.3 * self.length**2

    def noise(self) -> gu.GaussianNoise:
        return gu.GaussianNoise(self.variance())


@dataclass(frozen=True)
class Subject:
    """A public function, called with a case; `fails` says which symmetries it lacks, and why.

    `paired` says that row i of one side belongs to row i of the other. `single` is the tolerance,
    relative to the largest value, of an answer in single precision: wide where noise is sampled,
    which is then other noise.
    """

    name: str
    call: Callable[[Case], Any]
    axes: tuple[str, ...] = ("",)
    degree: float = 0
    fails: Mapping[str, str] = field(default_factory=dict)
    paired: bool = False
    single: float = 1e-4

    def symmetries(self) -> tuple[str, ...]:
        """Those that can be asked of it."""
        return (TURN, MOVE, SCALE, PAIRS) if self.paired else (TURN, MOVE, SCALE, QUERIES, GALLERY)


def _rows() -> list[Subject]:
    def streamed(c: Case) -> gu.GapStatistics:
        statistics = gu.GapStatistics(c.queries.shape[1])
        statistics.update(c.queries, c.gallery)
        return statistics

    return [
        Subject("Embeddings", lambda c: (c.embeddings().queries, c.embeddings().gallery),
                ("qp", "gp"), 1),
        Subject("gap_vector", lambda c: gu.gap_vector(c.queries, c.gallery), ("d",), 1),
        Subject("GapStatistics", lambda c: [
            part for moments in map(streamed(c).moments, ("queries", "gallery"))
            for part in (moments.mean, moments.covariance.trace().sqrt())
        ], ("p", "", "p", ""), 1),
        Subject("fit_mean_shift", lambda c: gu.fit_mean_shift(streamed(c)).shift_, ("d",), 1),
        Subject("AlternativeGallery", lambda c: gu.AlternativeGallery(c.gallery).gallery,
                ("gp",), 1),
        Subject("embeddings.unit_rows", lambda c: _sides(unit_rows(c.embeddings())),
                ("qd", "gd"), fails={MOVE: ANGLES}),
        Subject("compressed_indexes.about_circumcentre",
                lambda c: _sides(about_circumcentre(c.embeddings())),
                ("qd", "gd"), 1, {MOVE: ORIGIN}),
    ]  # fmt: skip


def _sides(e: gu.Embeddings) -> tuple[Any, Any]:
    return e.queries, e.gallery


def _robust() -> list[Subject]:
    def sampled(c: Case) -> Any:
        return gu.robustness(c.queries, c.gallery, c.noise(), "monte-carlo", draws=100)

    return [
        Subject("robustness",
                lambda c: gu.robustness(c.queries, c.gallery, c.noise()), ("q",)),
        Subject("robustness, inner-product",
                lambda c: gu.robustness(c.queries, c.gallery, c.noise(), scoring="inner-product"),
                ("q",), fails={MOVE: ANGLES}),
        Subject("robustness, sampled", sampled, ("q",),
                fails={TURN: DRAWN, GALLERY: DRAWN}, single=0.3),
        Subject("accuracy_under_noise",
                lambda c: gu.accuracy_under_noise(c.queries, c.gallery, c.targets, c.noise()),
                ("q",)),
        Subject("estimate", lambda c: _means(gu.estimate(
                    c.queries, c.gallery, c.noise(), targets=c.targets, draws=20)),
                ("", ""), fails={TURN: DRAWN, GALLERY: DRAWN}, single=0.2),
        Subject("certified_radius", lambda c: gu.certified_radius(c.queries, c.gallery), ("q",), 1),
        Subject("robustness_curve", lambda c: gu.robustness_curve(
                    c.queries, c.gallery, gu.MeanShift(), [0.0, 0.5, 1.0], c.noise(),
                    targets=c.targets)[["robustness", "accuracy"]],
                ("..",)),
        Subject("compare_closings", lambda c: gu.compare_closings(
                    c.queries, c.gallery, {"shift": gu.MeanShift()}, {"noise": c.noise()},
                    targets=c.targets)[["unchanged", "robustness"]],
                ("..",), fails={MOVE: ANGLES}),
        Subject("benefits", lambda c: gu.benefits(
                    c.embeddings(), c.variance(), scoring="euclidean"
                )[["unchanged", "robustness", "gain"]].iloc[:3],
                ("..",)),
        Subject("report", lambda c: gu.report(
                    c.embeddings(), c.variance()).benefits[["unchanged", "robustness"]],
                ("..",), fails={MOVE: ANGLES}),
        Subject("born.gap_and_robustness", lambda c: gap_and_robustness(
                    {0: c.embeddings()}, c.noise())[["accuracy", "robustness"]], ("..",)),
    ]  # fmt: skip


def _means(estimates: Any) -> list[float]:
    return [one.mean for one in estimates]


def _ranked() -> list[Subject]:
    def options(c: Case) -> Any:
        return c.gallery[np.array([[0, 1, 2]] * len(c.queries))]

    return [
        Subject("scoring.nearest", lambda c: nearest(c.queries, c.gallery), ("q>g",)),
        Subject("scoring.nearest, cosine", lambda c: nearest(c.queries, c.gallery, "cosine"),
                ("q>g",), fails={MOVE: ANGLES}),
        Subject("tasks.top_k", lambda c: top_k(c.queries, c.gallery, 3), ("q.>g",),
                fails={MOVE: ANGLES}),
        Subject("zero_shot", lambda c: gu.zero_shot(c.embeddings()), (".",), fails={MOVE: ANGLES}),
        Subject("retrieval", lambda c: gu.retrieval(c.embeddings(), (1, 3)), (".",),
                fails={MOVE: ANGLES}),
        Subject("multiple_choice", lambda c: gu.multiple_choice(c.queries, options(c)), ("q",),
                fails={MOVE: ANGLES, GALLERY: "other options are asked"}),
    ]  # fmt: skip


def _told() -> list[tuple[Any, ...]]:
    """The lines of `SYMMETRIES` in the tests of all closings that have any."""
    modules = sorted({kind.__module__ for kind in closing.registered().values()})
    named = [
        f"closing.test_{module.rpartition('.')[2]}"
        for module in modules
        if module.startswith(closing.__name__)
    ]
    tests = [importlib.import_module(name) for name in named if importlib.util.find_spec(name)]
    return [line for test in tests for line in getattr(test, "SYMMETRIES", ())]


def _moved(method: closing.Closing, axis: str, degree: float, fails: Any = None) -> Subject:
    return Subject(
        repr(method).replace("()", "").replace("(", ", "),
        lambda c: clone(method).fit(c.queries, c.gallery).transform(c.queries, c.gallery),
        (f"q{axis}", f"g{axis}"),
        degree,
        fails or {},
        paired=method.needs_pairs,
        single=_HALF,
    )


_HALF = 4e-3  # what comes in half precision goes back in it


def _closings() -> list[Subject]:
    def scores(c: Case) -> Any:
        method = closing.NearestNeighborNormalization(3)
        queries, gallery = method.fit(c.queries, c.gallery).transform(c.queries, c.gallery)
        return queries @ gallery.mT

    def mixed(c: Case) -> Any:
        method = closing.MixedGallery().fit(c.queries, {"text": c.gallery})
        queries, kinds = method.transform(c.queries, {"text": c.gallery})
        return queries @ kinds["text"].mT

    return [
        Subject("MixedGallery", mixed, ("qg",), single=2e-3, fails={
            QUERIES: MATCHES, GALLERY: MATCHES}),
        Subject("NearestNeighborNormalization", scores, ("qg",), 2, {MOVE: ANGLES}, single=_HALF),
        *(_moved(*line) for line in _told()),
    ]  # fmt: skip


def _pairs(c: Case) -> tuple[Any, ...]:
    return c.queries, c.gallery, c.targets


def _clouds(c: Case) -> tuple[Any, ...]:
    return c.queries, c.gallery


def _queries(c: Case) -> tuple[Any, ...]:
    return (c.queries,)


def _along(c: Case) -> tuple[Any, ...]:
    return c.gallery, c.direction


def _measured() -> list[Subject]:
    def of(
        rows: Callable[[Case], tuple[Any, ...]],
        name: str,
        degree: float = 0,
        fails: Mapping[str, str] | None = None,
    ) -> Subject:
        measure = getattr(geometry, name)
        return Subject(
            f"geometry.{name}", lambda c: measure(*rows(c)), degree=degree, fails=fails or {}
        )

    drawn = {QUERIES: PLACES, GALLERY: PLACES}
    return [
        of(_pairs, "alignment", 2),
        of(_pairs, "l2i", 1),
        of(_pairs, "matched_cosine", fails={MOVE: ANGLES}),
        of(_pairs, "unmatched_cosine", fails={MOVE: ANGLES}),
        of(_pairs, "neighborhood_kendall", fails={MOVE: ANGLES}),
        of(_pairs, "rmg_few_dims", fails={MOVE: ANGLES}),
        of(_pairs, "rmg_schrodi", fails={MOVE: ANGLES}),
        of(_clouds, "double_stochastic_deviation", fails={SCALE: "the temperature stays"}),
        of(_clouds, "wasserstein", 1),
        of(_clouds, "linear_separability", fails=drawn | {TURN: COORDINATES}),
        of(_clouds, "gap_separability", fails=drawn),
        of(_queries, "uniformity", fails={SCALE: "distances are weighed by a bell of fixed width"}),
        of(_queries, "intrinsic_dimension"),
        of(_queries, "effective_rank"),
        of(_along, "variance_share"),
        of(_along, "hull_angle"),
        Subject("measure_gap", lambda c: gu.measure_gap(c.embeddings()), (".",),
                fails={TURN: COORDINATES, MOVE: ANGLES, SCALE: MIXED, QUERIES: PLACES,
                       GALLERY: PLACES}),
        Subject("geometry.principal_coordinates", lambda c: np.sort(np.abs(
                    geometry.principal_coordinates(c.embeddings(), 1)["pc1"].to_numpy())),
                (".",), 1),
        Subject("born.cosine_sample",
                lambda c: cosine_sample(c.embeddings(), 10)["cosine"], (".",),
                fails={MOVE: ANGLES, QUERIES: PLACES, GALLERY: PLACES}),
    ]  # fmt: skip


SUBJECTS = [*_rows(), *_robust(), *_ranked(), *_closings(), *_measured()]
