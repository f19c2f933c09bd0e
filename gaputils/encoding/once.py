"""Embeddings that several processes share: the first makes them, the others read them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from gaputils._files import only_writer
from gaputils.datasets._sources import cache_folder
from gaputils.embeddings import Embeddings
from gaputils.encoding._sources import source_digest
from gaputils.encoding._texts import AnyDataset, gather_texts, kept
from gaputils.encoding.to_folder import BATCH_SIZE, SHARD_SIZE, describe, embed_to_folder
from gaputils.models.model import Model
from gaputils.storage._manifest import plan
from gaputils.storage.folder import load_folder


def embed_once(
    model: Model, dataset: AnyDataset, *, templates: str | Iterable[str] | None = None
) -> Embeddings:
    """What `embed` gives, kept in the cache for whoever asks for the same again.

    The same is: weights, images, texts, precision, device and versions, as `embed_to_folder` writes
    them into its manifest. Processes that ask at once wait for the first; one that was killed
    leaves its whole shards to the next.
    """
    templates = kept(templates)
    folder = cache_folder() / "embedded" / _key(model, dataset, templates)
    folder.mkdir(parents=True, exist_ok=True)
    with only_writer(folder, wait=True):
        place = embed_to_folder(model, dataset, folder / "shards", templates=templates)
    return load_folder(place)


def _key(model: Model, dataset: AnyDataset, templates: str | tuple[str, ...] | None) -> str:
    texts = gather_texts(dataset, templates)
    described = plan(describe(model, dataset, texts, SHARD_SIZE, BATCH_SIZE)).fingerprint
    images = source_digest(dataset.images, range(len(dataset)))
    return hashlib.sha256(f"{described} {images}".encode()).hexdigest()[:32]
