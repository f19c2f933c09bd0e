"""The closing methods by name, and what applies them to a task."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from gaputils import closing as ways
from gaputils._checks import as_targets, work
from gaputils._checks import unit_rows as at_norm_one
from gaputils.closing.base import Closing
from gaputils.closing.subspace import principal_components, project
from gaputils.embeddings import Embeddings

Methods = Mapping[str, Closing | None]

_CALIBRATED = (ways.GRCLIP, ways.NearestNeighborNormalization, ways.Procrustes)


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

    The methods whose definition asks for data beside those that are searched, `GRCLIP` (means),
    `NearestNeighborNormalization` (reference queries) and `Procrustes` (pairs), are fitted on
    `calibration` if it is given; all others on `embeddings`. Raises `ValueError` if `Procrustes`
    finds no targets to make pairs from.
    """
    elsewhere = calibration is not None and isinstance(method, _CALIBRATED)
    source = calibration if elsewhere and calibration is not None else embeddings
    gallery = source.gallery
    if isinstance(method, ways.Procrustes):
        gallery = gallery[known_targets(source)]
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


def known_targets(embeddings: Embeddings) -> Tensor:
    """The targets (n,); a `ValueError` if there are none."""
    if embeddings.targets is None:
        raise ValueError("embeddings: expected targets, there are none")
    return embeddings.targets


def choose_items(embeddings: Embeddings, items: Sequence[int] | Tensor) -> Embeddings:
    """The task with these rows of the gallery alone, in this order, and the queries they answer.

    Raises `ValueError` if there are no targets, an item is listed twice or is not one of the
    gallery's, or none has a query.
    """
    targets = known_targets(embeddings)
    gallery = embeddings.gallery
    chosen = as_targets("items", items, len(items), len(gallery), gallery.device)
    if len(torch.unique(chosen)) != len(chosen):
        raise ValueError("items: expected each item once")
    place = torch.full((len(embeddings.gallery),), -1, device=chosen.device)
    place[chosen] = torch.arange(len(chosen), device=chosen.device)
    targets = place[targets]
    kept = targets >= 0
    if not bool(kept.any()):
        raise ValueError("items: none of them answers a query")
    info = dict(embeddings.info)
    if "class_names" in info:
        info["class_names"] = [info["class_names"][i] for i in chosen.tolist()]
    return Embeddings(embeddings.queries[kept], embeddings.gallery[chosen], targets[kept], info)


def unit_rows(embeddings: Embeddings) -> Embeddings:
    """The same embeddings in double precision with rows of norm 1 to its rounding.

    Published arrays often keep half precision's norms, and methods that scale about the
    circumcentre need equal ones. Raises `ValueError` if a row is zero.
    """
    return Embeddings(
        at_norm_one("queries", embeddings.queries.double()),
        at_norm_one("gallery", embeddings.gallery.double()),
        embeddings.targets,
        dict(embeddings.info),
    )


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
