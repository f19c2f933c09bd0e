"""The closings by name, and what applies them to a task: a closing, or None for the original."""

from __future__ import annotations

from collections.abc import Mapping

from sklearn.base import clone
from torch import Tensor

from gaputils.closing.base import Closing, registered
from gaputils.closing.on_hull import comparing
from gaputils.embeddings import Embeddings, known_targets

Closings = Mapping[str, Closing | None]


def standard_closings() -> dict[str, Closing | None]:
    """Every closing that is `called` something by that name, the untouched original first."""
    named: dict[str, Closing | None] = {"original": None}
    for kind in registered().values():
        called = vars(kind).get("called")
        if called:
            named[called] = kind()
            for variant, parameters in kind.variants.items():
                named[f"{called}, {variant}"] = kind(**parameters)
    return named


def fit(method: Closing, embeddings: Embeddings, calibration: Embeddings | None = None) -> Closing:
    """`method` fitted; it is returned.

    Closings whose definition asks for data beside those that are searched (`calibrated`: means,
    reference queries or pairs) are fitted on `calibration` if it is given; all others on
    `embeddings`. Raises `ValueError` if one that `needs_pairs` finds no targets to make them from.
    """
    source = embeddings if calibration is None or not method.calibrated else calibration
    gallery = source.gallery[known_targets(source)] if method.needs_pairs else source.gallery
    with comparing():
        return method.fit(source.queries, gallery)


def fitted(
    closing: Closing | None, queries: Tensor, gallery: Tensor, label: str = "closing"
) -> Closing | None:
    """`closing` as it is if it was fitted before, else a copy of it fitted on these sides.

    None, the untouched original, stays None. Raises `TypeError` naming `label` for anything else.
    """
    if closing is None or (isinstance(closing, Closing) and hasattr(closing, "dim_")):
        return closing
    if not isinstance(closing, Closing):
        raise TypeError(f"{label}: expected a closing such as MeanShift or None, got {closing!r}")
    with comparing():
        return copy(closing).fit(queries, gallery)


def moved(closing: Closing | None, queries: Tensor, gallery: Tensor) -> tuple[Tensor, Tensor]:
    """Both sides after a fitted `closing`, or as they are for None."""
    if closing is None:
        return queries, gallery
    with comparing():
        after = closing.transform(queries, gallery)
    return after.queries, after.gallery


def copy(closing: Closing) -> Closing:
    """An unfitted closing of the same parameters."""
    result: Closing = clone(closing)
    return result


def close(
    closing: Closing | None, embeddings: Embeddings, calibration: Embeddings | None = None
) -> Embeddings:
    """`embeddings` after `fit` of a copy of `closing`, None leaving them as they are.

    Targets and info are kept.
    """
    if closing is None:
        return embeddings
    learned = fit(copy(closing), embeddings, calibration)
    queries, gallery = moved(learned, embeddings.queries, embeddings.gallery)
    return Embeddings(queries, gallery, embeddings.targets, dict(embeddings.info))


def fit_all(
    closings: Closings, embeddings: Embeddings, calibration: Embeddings | None = None
) -> dict[str, Closing | None]:
    """A fitted copy of each of `closings`, see `fit`; None stays None."""
    return {
        name: None if closing is None else fit(copy(closing), embeddings, calibration)
        for name, closing in closings.items()
    }
