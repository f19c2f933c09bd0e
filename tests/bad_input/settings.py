"""Attempts with numbers and names: variances, step lengths, choices by name."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import gaputils as gu
from bad_input.arrays import good
from bad_input.entries import NOISE
from bad_input.kinds import Attempt
from gaputils import theory
from gaputils.datasets.templates import fill
from gaputils.pages import two_clusters as clusters_page
from gaputils.pages.compressed_indexes import indexes
from gaputils.pages.relative_alignment import loss_over_gap, shifted_pairs
from gaputils.pages.variance_along_gap import growth_along_gap
from gaputils.pages.why_distance_hurts import changed_by_shift, flat_gallery
from gaputils.scoring import nearest, top_k

Call = Callable[[Any], Any]
QUERIES, GALLERY = good()
_SIDES = (QUERIES, GALLERY)


def _pair() -> gu.Embeddings:
    return gu.Embeddings(*_SIDES)


def _statistics() -> gu.GapStatistics:
    statistics = gu.GapStatistics(5)
    statistics.update(*_SIDES)
    return statistics


_CLUSTERS: dict[str, Any] = {"n": 4, "d": 3, "gap": 1.0, "spread": 0.1, "tau": 0.1, "lr": 0.1}

VARIANCES: dict[str, tuple[Call, str]] = {
    "GaussianNoise": (gu.GaussianNoise, "variance"),
    "benefits": (lambda v: gu.benefits(_pair(), v), "variance"),
    "report": (lambda v: gu.report(_pair(), v), "variance"),
    "theory.survival": (lambda v: theory.survival([1.0, 2.0], v, 3), "variance"),
    "theory.survival_slope": (lambda v: theory.survival_slope([1.0, 2.0], v, 3), "variance"),
    "theory.two_clusters": (lambda v: theory.two_clusters(1, 4, 3, gap=1.0, spread=v), "spread"),
    "theory.shifted_pairs": (
        lambda v: shifted_pairs(1, 4, 3, gap=1.0, misalignment=v),
        "misalignment",
    ),
    "theory.flat_gallery": (lambda v: flat_gallery(4, 3, 3, gap=1.0, blur=v), "blur"),
    "theory.loss_over_gap": (
        lambda v: loss_over_gap([1.0], [v], runs=1, n=4, d=3, tau=0.1),
        "misalignment",
    ),
    "theory.growth_along_gap": (
        lambda v: growth_along_gap(
            [2.0], runs=1, n=4, d=3, tau=0.1, lr=0.1, spread=v
        ),
        "spread",
    ),
    "theory.sweep": (
        lambda v: clusters_page.sweep("gap", [1.0], runs=1, steps=1, **{**_CLUSTERS, "spread": v}),
        "spread",
    ),
    "Whitening.fit": (lambda v: gu.Whitening(v).fit(*_SIDES), "regularization"),
    "Coral.fit": (lambda v: gu.Coral(v).fit(*_SIDES), "regularization"),
}  # fmt: skip

ALPHAS: dict[str, tuple[Call, str]] = {
    "MeanShift.fit": (lambda a: gu.MeanShift(alpha=a).fit(*_SIDES), "alpha"),
    "MeanShift.transform": (
        lambda a: gu.MeanShift().fit(*_SIDES).set_params(alpha=a).transform(*_SIDES),
        "alpha",
    ),
    "NaiveShift.fit": (lambda a: gu.NaiveShift(a).fit(*_SIDES), "alpha"),
    "NaiveShift.transform": (
        lambda a: gu.NaiveShift().fit(*_SIDES).set_params(alpha=a).transform(*_SIDES),
        "alpha",
    ),
    "fit_mean_shift": (
        lambda a: gu.fit_mean_shift(_statistics(), alpha=a).transform(*_SIDES),
        "alpha",
    ),
    "robustness_curve": (
        lambda a: gu.robustness_curve(*_SIDES, gu.MeanShift(), [0.0, a], NOISE),
        "alphas",
    ),
    "HullProjection.fit": (
        lambda a: gu.HullProjection(radius=-1.0 if a == math.inf else a).fit(QUERIES, GALLERY),
        "radius",
    ),
    "NearestNeighborNormalization.fit": (
        lambda a: gu.NearestNeighborNormalization(weight=a).fit(*_SIDES),
        "weight",
    ),
    "theory.changed_by_shift": (
        lambda a: changed_by_shift(*_SIDES, np.eye(5)[0], lengths=[a]),
        "lengths",
    ),
}  # fmt: skip

NAMES: dict[str, tuple[Callable[[], Any], str]] = {
    "robustness, method": (lambda: gu.robustness(*_SIDES, NOISE, "guess"), "method"),
    "robustness, scoring": (lambda: gu.robustness(*_SIDES, NOISE, scoring="l1"), "scoring"),
    "accuracy_under_noise": (
        lambda: gu.accuracy_under_noise(*_SIDES, [0] * 6, NOISE, scoring="l1"),
        "scoring",
    ),
    "estimate": (lambda: gu.estimate(*_SIDES, NOISE, scoring="l1"), "scoring"),
    "robustness_curve": (
        lambda: gu.robustness_curve(*_SIDES, gu.MeanShift(), [0.0], NOISE, scoring="l1"),
        "scoring",
    ),
    "compare_closings": (
        lambda: gu.compare_closings(*_SIDES, {"a": None}, {"n": NOISE}, scorings=["l1"]),
        "scoring",
    ),
    "scoring.nearest": (lambda: nearest(*_SIDES, "l1"), "scoring"),
    "tasks.top_k": (lambda: top_k(*_SIDES, 1, "l1"), "scoring"),
    "zero_shot": (lambda: gu.zero_shot(_pair(), "l1"), "scoring"),
    "retrieval": (lambda: gu.tasks.retrieval(_pair(), scoring="l1"), "scoring"),
    "multiple_choice": (
        lambda: gu.multiple_choice(QUERIES, np.stack([GALLERY] * 6), "l1"),
        "scoring",
    ),
    "GaussianNoise, per": (lambda: gu.GaussianNoise(1.0, per="row"), "per"),
    "GaussianNoise, on": (lambda: gu.GaussianNoise(1.0, on="both"), "on"),
    "UniformQuantization": (lambda: gu.UniformQuantization(4, sides="queries"), "sides"),
    "MeanShift.fit": (lambda: gu.MeanShift("most").fit(*_SIDES), "n_components"),
    "NaiveShift.fit": (lambda: gu.NaiveShift(side="left").fit(*_SIDES), "side"),
    "Standardizing.fit": (lambda: gu.Standardizing("column").fit(*_SIDES), "scale"),
    "measure_gap": (lambda: gu.measure_gap(_pair(), ["gap"]), "measures"),
    "GapStatistics.moments": (lambda: _statistics().moments("texts"), "side"),
    "fit_mean_shift": (lambda: gu.fit_mean_shift(_statistics(), "auto"), "n_components"),
    "fit_hull_projection": (
        lambda: gu.fit_hull_projection(_statistics(), "auto"),
        "n_components",
    ),
    "load_model": (lambda: gu.load_model("no-such-model"), "name"),
    "load_model, tag": (lambda: gu.load_model("ViT-B-32", "no-such-tag"), "pretrained"),
    "load_model, step": (lambda: gu.load_model("tiny-openmoji", step=1), "step"),
    "load_model, precision": (lambda: gu.load_model("tiny-openmoji", precision="fp8"), "precision"),
    "load_model, device": (lambda: gu.load_model("tiny-openmoji", device="tpu"), "device"),
    "datasets.load": (lambda: gu.datasets.load("no-such-data"), "name"),
    "datasets.load, split": (lambda: gu.datasets.load("openmoji", split="no-such"), "split"),
    "datasets.load, option": (lambda: gu.datasets.load("openmoji", colour="red"), "options"),
    "datasets.published": (lambda: gu.datasets.published("no-such-file"), "name"),
    "datasets.published, rows": (
        lambda: gu.datasets.published("liang2022-clasp", rows=0),
        "rows",
    ),
    "datasets.published_rows": (lambda: gu.datasets.published_rows("no-such-file"), "name"),
    "theory.sweep": (lambda: clusters_page.sweep("colour", [1], runs=1), "name"),
    "templates.fill": (lambda: fill("a photo", "dog"), "template"),
    "compressed_indexes.search, index": (lambda: indexes.search(*_SIDES, "IVF"), "index"),
    "compressed_indexes.search, scoring": (
        lambda: indexes.search(*_SIDES, "flat", "cosine"),
        "scoring",
    ),
    "compressed_indexes.search, k": (lambda: indexes.search(*_SIDES, "flat", k=0), "k"),
}

STRANGERS: dict[str, Call] = {
    "measure_gap": gu.measure_gap,
    "benefits": gu.benefits,
    "report": gu.report,
    "zero_shot": gu.zero_shot,
    "retrieval": gu.tasks.retrieval,
    "as_choices": gu.as_choices,
    "geometry.principal_coordinates": gu.geometry.principal_coordinates,
    "embed": lambda value: gu.embed(value, gu.datasets.load("emoji10")),
    "embed_to_folder": lambda value: gu.embed_to_folder(value, value, "nowhere"),
    "robustness": lambda value: gu.robustness(*_SIDES, value),
    "robustness_curve": lambda value: gu.robustness_curve(*_SIDES, value, [0.0], NOISE),
}
"""Entries that take one of the package's own objects, here given an array."""


def attempts() -> list[Attempt]:
    """Every attempt of this module."""
    found = []
    for entry, (call, named) in VARIANCES.items():
        for value, error in ((-1.0, "ValueError"), (math.nan, "ValueError"), ("1", "TypeError")):
            act = _given(call, value)
            message = f"^{named}: expected a number"
            found.append(Attempt(entry, "variance", repr(value), act, error, message))
    for entry, (call, named) in ALPHAS.items():
        for value, error in (
            (math.nan, "ValueError"),
            (math.inf, "ValueError"),
            ("1", "TypeError"),
        ):
            act = _given(call, value)
            found.append(
                Attempt(entry, "alpha", repr(value), act, error, f"^{named}: expected a nu")
            )
    for key, (call, named) in NAMES.items():
        entry, _, variant = key.partition(", ")
        act = _given(lambda _, c=call: c(), None)
        found.append(Attempt(entry, "name", variant or named, act, "ValueError", f"^{named}: "))
    for entry, call in STRANGERS.items():
        act = _given(call, GALLERY)
        found.append(Attempt(entry, "dtype", "an array", act, "TypeError", r"^\w+: expected "))
    return found


def _given(call: Call, value: Any) -> Callable[[Path], Any]:
    return lambda _: call(value)
