"""A finished folder of shards to be spoilt."""

from __future__ import annotations

import atexit
import shutil
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

import gaputils as gu


@cache
def run() -> tuple[Any, Any]:
    """A model and a small data set."""
    model = gu.load_model("tiny-openmoji", step=0, device="cpu")
    return model, gu.datasets.load("emoji10", copies=1)


@cache
def _whole() -> Path:
    folder = Path(tempfile.mkdtemp())
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return gu.embed_to_folder(*run(), folder / "e")


def finished(folder: Path) -> Path:
    """The shard of the queries of a finished run in `folder`."""
    place = Path(shutil.copytree(_whole(), folder / "e"))
    return place / "queries-00000.safetensors"
