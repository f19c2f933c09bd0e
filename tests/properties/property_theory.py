"""The functions of the theory, as `property_subjects` describes functions."""

from __future__ import annotations

from property_subjects import Case, Subject
from symmetries import GALLERY, MIXED, SCALE

from gaputils import theory
from gaputils.pages.why_distance_hurts import changed_by_shift

TILT = "the tilt is drawn by the places of the items"


def _tau(c: Case) -> float:
    return 0.4 * c.length**2


def _all(name: str) -> Subject:
    def call(c: Case) -> list[object]:
        measure = getattr(theory, name)
        settings = () if name == "gap_measures" else (_tau(c),)
        return list(measure(c.queries, c.gallery, *settings).values())

    return Subject(f"theory.{name}", call, fails={SCALE: MIXED}, paired=True)


def _points(name: str, axes: tuple[str, ...], degree: float) -> Subject:
    return Subject(
        f"theory.{name}",
        lambda c: getattr(theory, name)(c.queries, c.gallery, _tau(c)),
        axes,
        degree,
        paired=True,
    )


def _sigmoid(name: str, axes: tuple[str, ...], degree: float) -> Subject:
    return Subject(
        f"theory.sigmoid.{name}",
        lambda c: getattr(theory.sigmoid, name)(c.queries, c.gallery, _tau(c), 0.5),
        axes,
        degree,
        paired=True,
    )


THEORY = [
    _sigmoid("loss", ("",), 0),
    _sigmoid("probabilities", ("qg",), 0),
    _sigmoid("gradient", ("qd",), -1),
    Subject(
        "theory.sigmoid.gradients",
        lambda c: theory.sigmoid.gradients(c.queries, c.gallery, _tau(c), 0.5)[:2],
        ("qd", "gd"),
        -1,
        paired=True,
    ),
    Subject(
        "theory.sigmoid.simulate",
        lambda c: (
            theory.sigmoid.simulate(
                c.queries,
                c.gallery,
                tau=_tau(c),
                bias=0.5,
                lr=0.1 * c.length**2,
                steps=3,
                bias_rate=0,
                record=3,
            ).x
        ),
        (".qp",),
        1,
        paired=True,
    ),
    _points("contrastive_loss", ("",), 0),
    _points("assignment", ("qg", "gq"), 0),
    _points("received_mass", ("q", "g"), 0),
    _points("gradient", ("qd",), -1),
    _points("gradients", ("qd", "gd"), -1),
    _points("tight_cluster_terms", ("qd", "qd"), -1),
    _points("tight_cluster_gradient", ("qd",), -1),
    _all("training_measures"),
    _all("gap_measures"),
    Subject(
        "theory.constant_direction_gradient",
        lambda c: theory.constant_direction_gradient(c.queries, c.gallery, _tau(c), c.direction),
        ("q",),
        -1,
        paired=True,
    ),
    Subject(
        "theory.predicted_variance_along_gap",
        lambda c: theory.predicted_variance_along_gap(
            c.queries, c.gallery, _tau(c), 0.1 * c.length**2, 3
        ),
        degree=2,
        paired=True,
    ),
    Subject(
        "theory.simulate",
        lambda c: (
            theory.simulate(
                c.queries, c.gallery, tau=_tau(c), lr=0.1 * c.length**2, steps=3, record=3
            ).x
        ),
        (".qp",),
        1,
        paired=True,
    ),
    Subject(
        "theory.changed_by_shift",
        lambda c: changed_by_shift(
            c.queries, c.gallery, c.direction, lengths=[0.0, 3 * c.length], degrees=[0.0, 30.0]
        )["changed"],
        (".",),
        fails={GALLERY: TILT},
    ),
]
