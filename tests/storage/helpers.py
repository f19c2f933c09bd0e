"""What a manifest says of five queries and four captions in shards of three."""

from __future__ import annotations

from typing import Any

DESCRIPTION: dict[str, Any] = {
    "format": "gaputils-shards/1",
    "model": "few",
    "tag": None,
    "model_info": {"model": "few", "step": 3},
    "weights_sha256": "0" * 64,
    "precision": "float32",
    "device": "cpu",
    "dim": 4,
    "dataset": "pairs",
    "split": "test",
    "dataset_info": {"source": "here"},
    "kind": "captions",
    "content_sha256": "1" * 64,
    "templates": None,
    "rows": {"queries": 5, "gallery": 4},
    "shard_size": 3,
    "batch_size": 2,
    "versions": {"torch": "2"},
}
