"""Closing where vectors are stored: faiss indexes of the gallery, flat and compressed."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
import torch
from torch import Tensor

from gaputils._checks import as_pair, choice, integer, work
from gaputils._extras import require_extra
from gaputils.closing import HullProjection, MeanShift
from gaputils.scoring import top_k

METRICS = ("l2", "inner-product")
KINDS = ("flat", "SQ8", "SQ6", "SQ4", "PQ")

Sides = tuple[Tensor, Tensor]


def representations(queries: Any, gallery: Any) -> dict[str, Sides]:
    """Sides to store and search that all rank the gallery as the original Euclidean ranking does.

    `queries` (n, d) and `gallery` (m, d) with rows of equal norm. By name: "original"; "mean
    shift"; "hull projection"; "scaled" (the projection at the radius that is best for little
    noise); "hull coordinates": the same in the r coordinates of the hull about the circumcentre,
    which stores r numbers instead of d and loses nothing. Of these the hull projection and the
    scaled one leave the gallery as it is stored already.
    """
    queries, gallery = as_pair(queries, gallery)
    scaled = HullProjection(radius="auto").fit(queries, gallery)
    center, axes = scaled.center_, scaled.components_
    far, _ = scaled.transform(queries, gallery)
    return {
        "original": (queries, gallery),
        "mean shift": MeanShift().fit_transform(queries, gallery),
        "hull projection": HullProjection().fit_transform(queries, gallery),
        "hull projection, scaled": (far, gallery),
        "hull coordinates": (
            (work(far) - center) @ axes.mT,
            (work(gallery) - center) @ axes.mT,
        ),
    }


def build(gallery: Tensor, kind: str, metric: str, seed: int = 0) -> Any:
    """A faiss index of `gallery` (m, d), trained on it.

    `kind`: "flat" (float32), "SQ8", "SQ6", "SQ4" (scalar quantisation of each coordinate's own
    range) or "PQ" (product quantisation, 4 bits for every 8 coordinates, rows padded with zeros).
    `metric`: "l2" or "inner-product".
    """
    require_extra("index", "a vector index", "faiss")
    import faiss

    choice("kind", kind, KINDS)
    code = (
        faiss.METRIC_L2 if choice("metric", metric, METRICS) == "l2" else faiss.METRIC_INNER_PRODUCT
    )
    rows = _rows(gallery, kind)
    dim = rows.shape[1]
    factory = {"flat": "Flat", "PQ": f"PQ{dim // 8}x4"}.get(kind, kind)
    index: Any = faiss.index_factory(dim, factory, code)
    if kind == "PQ":
        # Reordering the codes for fast filtering takes far longer than learning them.
        index.do_polysemous_training = False
        index.pq.cp.min_points_per_centroid = 1
        index.pq.cp.seed = integer("seed", seed, low=0) + 1
    index.train(rows)
    index.add(rows)
    return index


def measure_index(
    queries: Any, gallery: Any, truth: Tensor, kind: str, metric: str, rounds: int = 3
) -> dict[str, float]:
    """Recall of an index against `truth`, its memory and its latency.

    `truth` (n, k) are each query's right items, nearest first. Returns `recall@1` (the nearest is
    found first), `recall@k` (share of the k that are among the first k; k in the key),
    `bytes` a stored vector, and `microseconds` a query, on one thread, all queries in one call.
    """
    require_extra("index", "a vector index", "faiss")
    import faiss

    queries, gallery = as_pair(queries, gallery)
    index = build(gallery, kind, metric)
    rows = _rows(queries, kind)
    k = truth.shape[1]
    threads = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(1)
    try:
        seconds = []
        for _ in range(integer("rounds", rounds, low=1)):
            started = time.perf_counter()
            _, found = index.search(rows, k)
            seconds.append(time.perf_counter() - started)
    finally:
        faiss.omp_set_num_threads(threads)
    hits = torch.from_numpy(found)
    right = (hits[:, :, None] == truth[:, None, :]).any(dim=1)
    return {
        "recall@1": float((hits[:, 0] == truth[:, 0]).double().mean()),
        f"recall@{k}": float(right.double().mean()),
        "bytes": float(index.sa_code_size()),
        "microseconds": min(seconds) / len(rows) * 1e6,
    }


def compare_indexes(
    sides: Mapping[str, Sides],
    kinds: Sequence[str] = KINDS,
    metrics: Sequence[str] = METRICS,
    k: int = 10,
) -> pd.DataFrame:
    """Every index of every representation against the unquantised ranking of the first one.

    `sides` as from `representations`; the truth is the Euclidean ranking of its first entry.
    Columns: `vectors` (the representation), `metric`, `index`, and those of `measure_index`.
    """
    queries, gallery = next(iter(sides.values()))
    truth = top_k(work(queries), work(gallery), min(k, len(gallery)), "euclidean")
    rows = []
    for name, (x, y) in sides.items():
        for metric in metrics:
            for kind in kinds:
                measured = measure_index(x, y, truth, kind, metric)
                rows.append({"vectors": name, "metric": metric, "index": kind, **measured})
    return pd.DataFrame(rows)


def _rows(values: Tensor, kind: str) -> Any:
    padding = -values.shape[1] % 8 if kind == "PQ" else 0
    return torch.nn.functional.pad(values, (0, padding)).float().contiguous().cpu().numpy()
