"""The closing methods by name, and what applies them to a task."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from gaputils import closing as ways
from gaputils._checks import work
from gaputils.closing.base import Closing
from gaputils.embeddings import Embeddings, known_targets
from gaputils.geometry.hull import principal_components, project

Methods = Mapping[str, Closing | None]


def standard_methods() -> dict[str, Closing | None]:
    """Every closing method by its name on the pages, the untouched original first."""
    return {
        "original": None,
        "naive shift": ways.NaiveShift(),
        "naive shift, renormalised": ways.NaiveShift(side="both", renormalize=True),
        "centring (C3)": ways.Centering(),
        "standardising (I0T)": ways.Standardizing(),
        "GR-CLIP": ways.GRCLIP(),
        "ReAlign": ways.ReAlign(),
        "dimension ablation": ways.DimensionAblation(),
        "Procrustes": ways.Procrustes(),
        "whitening": ways.Whitening(),
        "CORAL": ways.Coral(),
        "NNN": ways.NearestNeighborNormalization(),
        "mean shift": ways.MeanShift(),
        "hull projection": ways.HullProjection(),
        "hull projection, scaled": ways.HullProjection(radius="auto"),
        "hull projection, scaled and centred": ways.HullProjection(radius="auto", center=True),
    }


def fit(method: Closing, embeddings: Embeddings, calibration: Embeddings | None = None) -> Closing:
    """`method` fitted; it is returned.

    Closings whose definition asks for data beside those that are searched (`calibrated`: means,
    reference queries or pairs) are fitted on `calibration` if it is given; all others on
    `embeddings`. Raises `ValueError` if one that `needs_pairs` finds no targets to make them from.
    """
    source = embeddings if calibration is None or not method.calibrated else calibration
    gallery = source.gallery[known_targets(source)] if method.needs_pairs else source.gallery
    return method.fit(source.queries, gallery)


def close(
    method: Closing | None, embeddings: Embeddings, calibration: Embeddings | None = None
) -> Embeddings:
    """`embeddings` after `fit` of `method`, None leaving them as they are.

    Targets and info are kept.
    """
    if method is None:
        return embeddings
    fitted = fit(method, embeddings, calibration)
    queries, gallery = fitted.transform(embeddings.queries, embeddings.gallery)
    return Embeddings(queries, gallery, embeddings.targets, dict(embeddings.info))


def about_circumcentre(embeddings: Embeddings) -> Embeddings:
    """Both sides relative to the projection of the origin onto the gallery's affine hull.

    A translation of everything: no Euclidean distance changes, yet a grid that spans the entries
    gets finer, and inner product and cosine rank anew.
    """
    components, _ = principal_components(embeddings.gallery)
    mean = work(embeddings.gallery).mean(dim=0)
    center = mean - project(mean, components)
    return Embeddings(
        (work(embeddings.queries) - center).to(embeddings.queries.dtype),
        (work(embeddings.gallery) - center).to(embeddings.gallery.dtype),
        embeddings.targets,
        dict(embeddings.info),
    )


def spread(gallery: Tensor) -> float:
    """Root mean squared distance of the rows of `gallery` (m, d) from their mean."""
    return float(work(gallery).var(dim=0, correction=0).sum().sqrt())
