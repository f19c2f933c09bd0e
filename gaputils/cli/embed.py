"""What `gaputils embed` does: one file, or a folder of shards that may be written by several."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from gaputils.cli.support import called, require_folder

_OTHER_FILES = (".csv", ".tsv", ".txt", ".json", ".h5", ".hdf5", ".pkl", ".bin")


def embed_to(
    out: Path,
    model: str,
    dataset: str,
    *,
    pretrained: str | None,
    step: int | None,
    root: Path | None,
    split: str | None,
    templates: Sequence[str] | None,
    batch_size: int,
    shard_size: int | None,
    workers: int,
    skip_broken: bool,
    device: str,
    precision: str,
) -> str | None:
    """Embed into `out` and return what there is to tell; nothing on all processes but the first."""
    import gaputils as gu
    from gaputils.storage._manifest import read_manifest

    one_file = _is_file(out, shard_size)
    require_folder(out)
    with called("dataset"):
        data = _data(dataset, root, split, skip_broken)
    with called("model"):
        loaded = gu.load_model(
            model, pretrained, step=step, device=local_device(device), precision=precision
        )
    options: dict[str, Any] = {
        "batch_size": batch_size,
        "templates": _prompts(data, templates),
        "workers": workers,
        "skip_broken": skip_broken,
    }
    if one_file:
        e = gu.embed(loaded, data, **options)
        e.save(out)
        return (
            f"{out}: {len(e.queries)} queries, {len(e.gallery)} gallery items, dim {e.dim}"
            f"{_left_out(e.info.get('dataset_left_out', []))}"
        )
    gu.embed_to_folder(loaded, data, out, shard_size=shard_size or 8192, **options)
    if int(os.environ.get("RANK", "0")) > 0:
        return None
    manifest = read_manifest(out)
    rows, dim = manifest.description["rows"], manifest.description["dim"]
    return (
        f"{out}: {rows['queries']} queries, {rows['gallery']} gallery items, dim {dim}, "
        f"{len(manifest.shards)} shards"
        f"{_left_out(manifest.description['dataset_info'].get('left_out', []))}"
    )


def _data(name: str, root: Path | None, split: str | None, skip_broken: bool) -> Any:
    """The data set `name`, without empty captions if those are to be skipped and it has the way."""
    import gaputils as gu

    if skip_broken and name in ("imagefolder", "webdataset"):
        return gu.datasets.load(name, root, split, skip_broken=True)
    return gu.datasets.load(name, root, split)


def _left_out(names: Sequence[str]) -> str:
    """What was left out, the first three by name."""
    if not names:
        return ""
    more = "" if len(names) <= 3 else f" and {len(names) - 3} more"
    count = "1 image" if len(names) == 1 else f"{len(names)} images"
    return f"; left out {count}: {', '.join(names[:3])}{more}"


def local_device(device: str) -> str:
    """`device`; for "auto" under torchrun the GPU of this process, if there are any."""
    import torch

    rank = os.environ.get("LOCAL_RANK")
    if device == "auto" and rank is not None and torch.cuda.is_available():
        return f"cuda:{rank}"
    return device


def _is_file(out: Path, shard_size: int | None) -> bool:
    from gaputils.storage.files import SUFFIXES

    if out.suffix == ".safetensors" and not out.is_dir():
        if shard_size is not None:
            raise ValueError(f"--shard-size: {out} is one file; name a folder to write shards")
        if int(os.environ.get("WORLD_SIZE", "1")) > 1:
            raise ValueError(f"--out: several processes write a folder of shards, got {out}")
        return True
    if out.suffix in (*SUFFIXES, *_OTHER_FILES) and not out.is_dir():
        raise ValueError(f"--out: expected a .safetensors file or a folder, got {out}")
    return False


def _prompts(data: object, templates: Sequence[str] | None) -> str | Sequence[str] | None:
    """`templates` as data of this kind take them: the one prompt of multiple choice is a string."""
    from gaputils.datasets.base import ChoiceDataset

    if templates and len(templates) == 1 and isinstance(data, ChoiceDataset):
        return templates[0]
    return templates or None
