"""The public entries that take rows."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import torch

import gaputils as gu
from bad_input.arrays import D, Entry, good
from gaputils import closing, geometry, theory
from gaputils.embeddings import choose_items, unit_rows
from gaputils.pages.born import cosine_sample, gap_and_robustness
from gaputils.pages.compressed_indexes import about_circumcentre
from gaputils.pages.why_distance_hurts import changed_by_shift
from gaputils.scoring import nearest, top_k

NOISE = gu.GaussianNoise(0.1)
BOTH = ("queries", "gallery")
_FEW = ("ValueError", "expected at least")
_NEGATIVES = dict.fromkeys(("x", "y", "x0", "y0"), ("ValueError", "expected at least 2 points"))
_TARGETS = np.arange(6)


def _update(queries: Any, gallery: Any) -> Any:
    statistics = gu.GapStatistics(D)
    statistics.update(queries=queries, gallery=gallery)
    return statistics.moments("queries").mean, statistics.moments("gallery").mean


def _options(queries: Any, options: Any) -> Any:
    """Every query with the same options, where there is an array to repeat."""
    plain = isinstance(options, np.ndarray) and not isinstance(options, np.ma.MaskedArray)
    if plain and options.ndim == 2:
        options = np.stack([options] * 6)
    elif isinstance(options, torch.Tensor) and options.is_floating_point():
        options = torch.stack([options] * 6)
    return gu.multiple_choice(queries, options)


_BY_UPDATE = {
    "None": ("ValueError", "no rows yet"),
    "no columns": ("ValueError", "expected dimension 5, got 0"),
}
_CHOICES = {
    variant + ", options": ("ValueError", "^options: expected shape")
    for variant in (
        "one axis", "three axes", "fewer columns", "a list", "None", "complex tensor",
        "boolean tensor", "masked", "no rows", "no columns",
    )
} | {
    "one row, queries": ("ValueError", "^options: expected shape"),
    "no rows, queries": ("ValueError", r"^queries: .*got \(0, 5\)"),
    "NaN, options": ("ValueError", "^options: expected finite values"),
    "infinity, options": ("ValueError", "^options: expected finite values"),
    "minus infinity, options": ("ValueError", "^options: expected finite values"),
}  # fmt: skip


def _embeddings(call: Any) -> Any:
    def made(queries: Any, gallery: Any) -> Any:
        rows = len(queries) if hasattr(queries, "shape") else 0
        return call(gu.Embeddings(queries, gallery, np.zeros(rows, dtype=int)))

    return made


def _closings() -> list[Entry]:
    found = []
    for name in sorted(set(closing.__all__) & set(closing.registered()) - {"MixedGallery"}):
        method = getattr(closing, name)
        zero = BOTH if name in ("Standardizing", "DimensionAblation") else ()
        pairs = {"one row": ("ValueError", "^gallery: Procrustes is fitted on pairs")}
        found += [
            Entry(
                f"{name}.fit",
                lambda q, g, m=method: m().fit(q, g),
                no_zero=zero,
                expected=pairs if name == "Procrustes" else {},
            ),
            Entry(
                f"{name}.transform",
                lambda q, g, m=method: m().fit(*good()).transform(q, g),
                no_zero=zero,
            ),
        ]
    return found


def _mixed() -> list[Entry]:
    def kinds(values: Any) -> dict[str, Any]:
        return {"text": values, "image": good()[1]}

    def transform(queries: Any, texts: Any) -> list[Any]:
        fitted = gu.MixedGallery().fit(good()[0], kinds(good()[1]))
        asked, lifted = fitted.transform(queries, kinds(texts))
        return [asked, *lifted.values()]

    sides = ("queries", r"galleries\['text'\]")
    alike = dict.fromkeys(sides, ("ValueError", "expected rows that differ"))
    return [
        Entry(
            "MixedGallery.fit",
            lambda q, t: gu.MixedGallery().fit(q, kinds(t)),
            sides,
            one_row=alike,
        ),
        Entry("MixedGallery.transform", transform, sides),
    ]


def _geometry() -> list[Entry]:
    cosine = ("matched_cosine", "unmatched_cosine", "rmg_few_dims", "rmg_schrodi")
    pairs = [
        Entry(
            f"geometry.{name}",
            getattr(geometry, name),
            no_zero=BOTH if name in (*cosine, "neighborhood_kendall") else (),
            expected={"one row": ("ValueError", "^(targets|queries|gallery): expected")},
        )
        for name in ("alignment", "l2i", *cosine, "neighborhood_kendall")
    ]
    clouds = [
        Entry(
            f"geometry.{name}",
            getattr(geometry, name),
            one_row=dict.fromkeys(BOTH, _FEW) if apart else {},
        )
        for name, apart in (
            ("double_stochastic_deviation", False),
            ("wasserstein", False),
            ("linear_separability", True),
            ("gap_separability", True),
        )
    ]
    one = ("embeddings",)
    undefined = {"embeddings": ("NaN", "")}
    direction = np.ones(D)
    narrow = {"fewer columns": ("ValueError", "^direction: expected shape")}
    sides = [
        Entry("geometry.uniformity", geometry.uniformity, one, one_row={"embeddings": _FEW}),
        Entry("geometry.intrinsic_dimension", geometry.intrinsic_dimension, one,
              one_row={"embeddings": _FEW}),
        Entry("geometry.effective_rank", geometry.effective_rank, one, one_row=undefined),
        Entry("geometry.variance_share", lambda x: geometry.variance_share(x, direction), one,
              one_row=undefined, expected=narrow),
        Entry("geometry.hull_angle", lambda x: geometry.hull_angle(x, direction), one,
              expected=narrow),
    ]  # fmt: skip
    return [*pairs, *clouds, *sides]


def _at_tau(function: Any) -> Any:
    return lambda x, y: function(x, y, 0.1)


def _theory() -> list[Entry]:
    points: dict[str, Any] = {
        name: _at_tau(getattr(theory, name))
        for name in (
            "contrastive_loss", "assignment", "received_mass", "gradient", "gradients",
            "training_measures", "tight_cluster_terms", "tight_cluster_gradient",
        )
    }  # fmt: skip
    points["gap_measures"] = theory.gap_measures
    points["constant_direction_gradient"] = lambda x, y: theory.constant_direction_gradient(
        x, y, 0.1, np.ones(D)
    )
    points["predicted_variance_along_gap"] = lambda x, y: theory.predicted_variance_along_gap(
        x, y, 0.1, 0.1, 2
    )
    for name in ("loss", "probabilities", "gradient", "gradients"):
        points[f"sigmoid.{name}"] = partial(getattr(theory.sigmoid, name), tau=0.1, bias=0.0)
    found = [
        Entry(f"theory.{name}", call, ("x", "y"), one_row=_NEGATIVES, batches=True)
        for name, call in points.items()
    ]
    return [
        *found,
        Entry(
            "theory.simulate",
            lambda x, y: theory.simulate(x, y, tau=0.1, lr=0.01, steps=2).x,
            ("x0", "y0"),
            one_row=_NEGATIVES,
            batches=True,
        ),
        Entry(
            "theory.sigmoid.simulate",
            lambda x, y: theory.sigmoid.simulate(x, y, tau=0.1, bias=0.0, lr=0.01, steps=2).x,
            ("x0", "y0"),
            one_row=_NEGATIVES,
            batches=True,
        ),
        Entry(
            "theory.changed_by_shift",
            lambda q, g: changed_by_shift(q, g, np.eye(D)[0], lengths=[1.0], degrees=[0.0, 10.0]),
            one_row={"gallery": ("ValueError", "expected rows that differ")},
        ),
    ]


def _ranked() -> list[Entry]:
    closings, noises = {"shift": gu.MeanShift()}, {"noise": NOISE}
    return [
        Entry("robustness", lambda q, g: gu.robustness(q, g, NOISE)),
        Entry("robustness, sampled",
              lambda q, g: gu.robustness(q, g, NOISE, "monte-carlo", scoring="cosine", draws=2),
              no_zero=BOTH),
        Entry("accuracy_under_noise",
              lambda q, g: gu.accuracy_under_noise(q, g, _TARGETS * 0, NOISE),
              one_row={"queries": ("ValueError", "^targets: expected shape")}),
        Entry("estimate", lambda q, g: gu.estimate(q, g, NOISE, scoring="cosine", draws=2)[0].mean,
              no_zero=BOTH),
        Entry("certified_radius", gu.certified_radius),
        Entry("robustness_curve",
              lambda q, g: gu.robustness_curve(
                  q, g, gu.MeanShift(), [0.0, 1.0], NOISE, method="monte-carlo", draws=2,
                  scoring="cosine"),
              no_zero=BOTH),
        Entry("compare_closings", lambda q, g: gu.compare_closings(q, g, closings, noises, draws=2),
              no_zero=BOTH),
        Entry("scoring.nearest", lambda q, g: nearest(q, g, "cosine"), no_zero=BOTH),
        Entry("tasks.top_k", top_k, no_zero=BOTH),
        Entry("multiple_choice", _options, ("queries", "options"), ("queries",), expected=_CHOICES),
    ]  # fmt: skip


def _described() -> list[Entry]:
    """Entries that take `Embeddings`: bad rows end where these are made."""
    calls: dict[str, Any] = {
        "measure_gap": lambda e: gu.measure_gap(e, ["gap_norm"]),
        "benefits": lambda e: gu.benefits(e),
        "report": lambda e: gu.report(e).benefits,
        "zero_shot": lambda e: gu.zero_shot(e)["top1"],
        "retrieval": gu.tasks.retrieval,
        "geometry.principal_coordinates": gu.geometry.principal_coordinates,
        "born.cosine_sample": lambda e: cosine_sample(e, 10),
        "born.gap_and_robustness": lambda e: gap_and_robustness({0: e}, NOISE),
        "embeddings.unit_rows": unit_rows,
        "compressed_indexes.about_circumcentre": about_circumcentre,
        "embeddings.choose_items": lambda e: choose_items(e, [0]),
        "answerable_blocks": lambda e: len(gu.answerable_blocks(e, 2)),
    }
    cosine = (
        "zero_shot",
        "retrieval",
        "benefits",
        "report",
        "born.cosine_sample",
        "embeddings.unit_rows",
    )
    few = dict.fromkeys(BOTH, ("ValueError", "expected at least 2 rows"))
    one_row: dict[str, Any] = {
        "benefits": {"gallery": few["gallery"]},
        "report": {"gallery": few["gallery"]},
        "born.cosine_sample": few,
    }
    return [
        Entry(
            name,
            _embeddings(call),
            no_zero=BOTH if name in cosine else (),
            one_row=one_row.get(name, {}),
        )
        for name, call in calls.items()
    ]


ENTRIES: list[Entry] = [
    Entry("Embeddings", gu.Embeddings),
    Entry("gap_vector", gu.gap_vector),
    Entry("GapStatistics.update", _update, expected=_BY_UPDATE),
    Entry("AlternativeGallery", gu.AlternativeGallery, ("gallery",)),
    *_described(),
    *_ranked(),
    *_closings(),
    *_mixed(),
    *_geometry(),
    *_theory(),
]
