"""Indexes that people run: faiss, LanceDB and qdrant's local mode, built and searched for real."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import pad

from gaputils._checks import as_pair, choice, integer
from gaputils._extras import require_extra

SCORINGS = ("inner-product", "euclidean")
FAISS = {"flat": "Flat", "HNSW": "HNSW32", "SQ8": "SQ8", "SQ4": "SQ4", "PQ": "PQ{}x4"}
"""Names of faiss indexes here, and in faiss; for PQ with the number of groups of 8 coordinates."""

_GROUP, _CENTRES = 8, 16
_WIDTH = 64


class Found(NamedTuple):
    """`items` (n, k) for each query, nearest first, and the `bytes` of all that the index keeps."""

    items: Tensor
    bytes: int


def search(
    queries: Any,
    gallery: Any,
    index: str,
    scoring: str = "inner-product",
    k: int = 1,
    seed: int = 0,
) -> Found:
    """An index of `gallery` (m, d), trained on it, asked for the `k` nearest items of `queries`.

    `index` is one of `INDEXES`:

    - "flat", floats of 4 bytes, and "HNSW", the same behind a graph of 32 links an item;
    - "SQ8" and "SQ4", 8 and 4 bits a coordinate, each on its own range;
    - "PQ", 4 bits for every 8 coordinates (rows are padded with zeros);
    - "binary", a sign a coordinate, of items and queries, ranked by Hamming distance;
    - "LanceDB PQ", the same PQ in a table on disk, beside the floats;
    - "qdrant local", a collection in memory.

    `scoring` is "inner-product", by which stores rank cosines of rows that they normalised once, or
    "euclidean"; `seed` is that of faiss's codebooks, LanceDB's start at random. Raises `ValueError`
    for another index or scoring, and `ModuleNotFoundError` naming the extra that is missing.
    """
    queries, gallery = as_pair(queries, gallery)
    choice("index", index, tuple(INDEXES))
    choice("scoring", scoring, SCORINGS)
    _enough(gallery, index)
    k = min(integer("k", k, low=1), len(gallery))
    return INDEXES[index](queries, gallery, scoring, k, seed)


def build(gallery: Tensor, index: str, scoring: str = "inner-product", seed: int = 0) -> Any:
    """A faiss index, one of `FAISS`, of `gallery` (m, d), trained on it."""
    require_extra("index", "a vector index", "faiss")
    import faiss

    name = FAISS[choice("index", index, tuple(FAISS))]
    metric = {"inner-product": faiss.METRIC_INNER_PRODUCT, "euclidean": faiss.METRIC_L2}
    code = metric[choice("scoring", scoring, SCORINGS)]
    _enough(gallery, index)
    rows = _rows(gallery, index)
    made: Any = faiss.index_factory(rows.shape[1], name.format(rows.shape[1] // _GROUP), code)
    if index == "PQ":
        # Reordering the codes for fast filtering takes far longer than learning them.
        made.do_polysemous_training = False
        made.pq.cp.min_points_per_centroid = 1
        made.pq.cp.seed = integer("seed", seed, low=0) + 1
    made.train(rows)
    made.add(rows)
    return made


def decoded(gallery: Tensor, index: str, scoring: str = "inner-product", seed: int = 0) -> Tensor:
    """`gallery` (m, d) as the faiss index gives it back, in the precision that came in."""
    rows = build(gallery, index, scoring, seed).reconstruct_n(0, len(gallery))
    return torch.from_numpy(rows)[:, : gallery.shape[1]].to(gallery)


def _faiss(index: str) -> Searcher:
    def asked(queries: Tensor, gallery: Tensor, scoring: str, k: int, seed: int) -> Found:
        made = build(gallery, index, scoring, seed)
        import faiss

        if index == "HNSW":
            made.hnsw.efSearch = _WIDTH
        _, items = made.search(_rows(queries, index), k)
        return Found(torch.from_numpy(items), faiss.serialize_index(made).nbytes)

    return asked


def _binary(queries: Tensor, gallery: Tensor, scoring: str, k: int, seed: int) -> Found:
    del scoring, seed  # signs have one distance, and are not learned
    require_extra("index", "a vector index", "faiss")
    import faiss

    codes = [np.packbits(_rows(side, "binary") >= 0, axis=1) for side in (queries, gallery)]
    made = faiss.IndexBinaryFlat(8 * codes[1].shape[1])
    made.add(codes[1])
    _, items = made.search(codes[0], k)
    return Found(torch.from_numpy(items), faiss.serialize_index_binary(made).nbytes)


def _lancedb(
    queries: Tensor, gallery: Tensor, scoring: str, k: int, seed: int, refine: int | None = None
) -> Found:
    """`refine` is the store's own `refine_factor`: so many times `k` candidates, by the floats."""
    del seed
    require_extra("stores", "this index", "lancedb", "pyarrow")
    import lancedb
    import pyarrow as pa
    from lancedb.index import IvfPq

    metric: Any = {"inner-product": "dot", "euclidean": "l2"}[scoring]
    asked, rows = (_rows(side, "PQ") for side in (queries, gallery))
    dim = rows.shape[1]
    vectors = pa.FixedSizeListArray.from_arrays(pa.array(rows.ravel()), dim)
    code = IvfPq(distance_type=metric, num_partitions=1, num_sub_vectors=dim // _GROUP, num_bits=4)
    with tempfile.TemporaryDirectory() as folder:
        store = lancedb.connect(folder)
        table = store.create_table("items", pa.table({"item": range(len(rows)), "vector": vectors}))
        table.create_index("vector", config=code)
        search: Any = table.search(list(asked))
        wanted = search.distance_type(metric).nprobes(1).limit(k)
        if refine is not None:
            wanted = wanted.refine_factor(refine)
        found = wanted.select(["item", "_distance"]).to_pandas()
        size = sum(path.stat().st_size for path in Path(folder).rglob("*") if path.is_file())
    ordered = found.sort_values(["query_index", "_distance"], kind="stable")["item"]
    return Found(torch.from_numpy(ordered.to_numpy(copy=True).reshape(len(asked), -1)), size)


def _qdrant(queries: Tensor, gallery: Tensor, scoring: str, k: int, seed: int) -> Found:
    del seed
    require_extra("stores", "this index", "qdrant_client")
    from qdrant_client import QdrantClient, models

    distance = {"inner-product": models.Distance.DOT, "euclidean": models.Distance.EUCLID}[scoring]
    asked, rows = (_rows(side, "flat") for side in (queries, gallery))
    store = QdrantClient(":memory:")
    store.create_collection(
        "items", vectors_config=models.VectorParams(size=rows.shape[1], distance=distance)
    )
    store.upload_collection("items", vectors=rows, ids=range(len(rows)))
    requests = [models.QueryRequest(query=row.tolist(), limit=k) for row in asked]
    answers = store.query_batch_points("items", requests=requests)
    items = [[int(point.id) for point in answer.points] for answer in answers]
    return Found(torch.tensor(items), rows.nbytes)


Searcher = Callable[[Tensor, Tensor, str, int, int], Found]
INDEXES: dict[str, Searcher] = {
    **{index: _faiss(index) for index in FAISS},
    "binary": _binary,
    "LanceDB PQ": _lancedb,
    "qdrant local": _qdrant,
}


def _enough(gallery: Tensor, index: str) -> None:
    if "PQ" in index and len(gallery) < _CENTRES:
        raise ValueError(
            f"gallery: {index} learns {_CENTRES} centres, expected as many rows, got {len(gallery)}"
        )


def _rows(side: Tensor, index: str) -> Any:
    padding = -side.shape[1] % (2 * _GROUP) if index in ("PQ", "binary") else 0
    return pad(side, (0, padding)).float().contiguous().cpu().numpy()
