"""Embeddings on disk: files of both sides, folders of shards."""

from gaputils.storage.files import iter_rows, read_pair
from gaputils.storage.folder import Shard, iter_shards, load_folder

__all__ = ["Shard", "iter_rows", "iter_shards", "load_folder", "read_pair"]
