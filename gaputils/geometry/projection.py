"""Both modalities in the few directions in which they vary most, together."""

from __future__ import annotations

import pandas as pd
import torch

from gaputils import _checks
from gaputils.embeddings import Embeddings, require_embeddings


def principal_coordinates(
    embeddings: Embeddings, components: int = 3, rows: int = 1000, seed: int = 0
) -> pd.DataFrame:
    """Coordinates of both sides on the principal components of all points together.

    As in Chowers et al. (2026), Fig. 1 left. A row per point (at most `rows` a side, drawn with
    `seed`) with `side` ("queries" or "gallery") and `pc1`, `pc2`, …; `attrs["shares"]` holds the
    components' shares of the variance. Each component points so that its largest loading is
    positive.
    """
    kept = _checks.integer("components", components, low=1)
    limit = _checks.integer("rows", rows, low=1)
    require_embeddings(embeddings)
    if kept > embeddings.dim:
        raise ValueError(f"components: expected at most {embeddings.dim}, got {kept}")
    generator = _checks.as_generator(seed)
    points = torch.cat([embeddings.queries, embeddings.gallery]).double().cpu()
    centred = points - points.mean(0)
    variances, vectors = torch.linalg.eigh(centred.T @ centred)
    axes = vectors.flip(1)[:, :kept]
    signs = axes.gather(0, axes.abs().argmax(0, keepdim=True)).sign()
    coordinates = centred @ (axes * signs)
    n = len(embeddings.queries)
    frames = []
    for side, part in (("queries", coordinates[:n]), ("gallery", coordinates[n:])):
        shown = torch.randperm(len(part), generator=generator)[:limit].sort().values
        frame = pd.DataFrame(part[shown].numpy(), columns=[f"pc{i + 1}" for i in range(kept)])
        frames.append(frame.assign(side=side))
    result = pd.concat(frames, ignore_index=True)
    result.attrs["shares"] = (variances.flip(0)[:kept] / variances.sum()).tolist()
    return result
