"""Embedding into a folder of shards: any number of rows, killed and resumed, by many processes."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor

from gaputils._checks import integer
from gaputils._files import digest, only_writer
from gaputils._progress import wants_progress
from gaputils._reading import named_place
from gaputils.datasets._broken import LEFT_OUT, places_of, without
from gaputils.encoding._sources import source_digest
from gaputils.encoding._texts import AnyDataset, Texts, gather_texts, kept
from gaputils.encoding.embed import (
    check_inputs,
    encode_gallery,
    find_broken,
    image_batches,
    in_batches,
)
from gaputils.models.model import Model
from gaputils.storage._manifest import (
    FORMAT,
    NAME,
    Entry,
    Manifest,
    differences,
    plan,
    read_manifest,
    write_manifest,
)
from gaputils.storage._shard import read_shard, shard_source, write_shard
from gaputils.storage.folder import refuse_strangers

SHARD_SIZE, BATCH_SIZE = 8192, 256
_calls = itertools.count()
_LIBRARIES = ("gaputils", "torch", "open_clip_torch", "torchvision", "safetensors", "pillow")


def embed_to_folder(
    model: Model,
    dataset: AnyDataset,
    folder: str | os.PathLike[str],
    *,
    shard_size: int = SHARD_SIZE,
    batch_size: int = BATCH_SIZE,
    templates: str | Iterable[str] | None = None,
    workers: int = 0,
    skip_broken: bool = False,
    progress: bool | None = None,
) -> Path:
    """Embed `dataset` as `embed` does, into safetensors shards of `shard_size` rows in `folder`.

    ``manifest.json`` says what was embedded, with which model, templates, precision and library
    versions, and the SHA-256 of every shard. Shards are written whole or not at all: started again
    after a kill, the same call goes on at the last whole shard and ends with the same bytes. Under
    torchrun every process embeds its share (shard i goes to process i modulo their number), and
    returns when all are done; load the model on ``cuda:$LOCAL_RANK`` there. Batches start anew in
    each shard, so neither a kill nor the number of processes changes what a batch holds.

    With `skip_broken` all images are read once before, and those that cannot be are left out as
    `embed` does; the manifest names them, and a run that goes on takes them from there.

    Returns `folder`. Raises `ValueError` if it holds embeddings of another model, data set or
    setting, of images of other names, file sizes or (in memory) pixels, or a damaged shard, and
    `OSError` if it cannot be written or another run is writing it; what was whole stays.
    """
    integer("shard_size", shard_size, low=1)
    check_inputs(model, dataset, batch_size, workers)
    templates = kept(templates)
    gather_texts(dataset, templates)
    place = named_place("folder", folder)
    with _processes() as (rank, world, wait), ExitStack() as held:
        if rank == 0:
            _make(place)
            held.enter_context(only_writer(place))
            if skip_broken:
                dataset = _whole_images(model, dataset, place, workers)
            texts = gather_texts(dataset, templates)
            wanted = plan(describe(model, dataset, texts, shard_size, batch_size))
            _open(place, wanted)
        wait()
        manifest = read_manifest(place)
        if rank > 0:
            dataset = _as_in(manifest, dataset)
            texts = gather_texts(dataset, templates)
        todo = [
            entry
            for entry in manifest.shards[rank::world]
            if not _whole(place, manifest, entry, dataset)
        ]
        _embed(model, dataset, texts, place, manifest, todo, batch_size, workers, progress)
        wait()
        if rank == 0:
            finished = wanted.with_checksums(place)
            if finished != manifest:
                _writing(place, finished)
        wait()
    return place


def describe(
    model: Model, dataset: AnyDataset, texts: Texts, shard_size: int, batch_size: int
) -> dict[str, Any]:
    versions = {}
    for library in _LIBRARIES:
        try:
            versions[library] = version(library)
        except PackageNotFoundError:
            versions[library] = "not installed"
    tag = model.info.get("pretrained")
    return {
        "format": FORMAT,
        "model": model.name,
        "tag": None if tag is None else str(tag),
        "model_info": model.info,
        "weights_sha256": digest(dict(model.module.state_dict())),
        "precision": str(model.dtype).removeprefix("torch."),
        "device": model.device.type,
        "dim": model.dim,
        "dataset": dataset.name,
        "split": dataset.split,
        "dataset_info": dataset.info,
        "rows": {"queries": len(dataset), "gallery": len(texts)},
        "shard_size": shard_size,
        "batch_size": batch_size,
        "versions": versions,
        **texts.description(),
    }


def _whole_images(model: Model, dataset: AnyDataset, folder: Path, workers: int) -> Any:
    """`dataset` without what the manifest in `folder` leaves out, or else what cannot be read."""
    if (folder / NAME).exists():
        as_before = _as_in(read_manifest(folder), dataset)
        if as_before is not dataset:
            return as_before
    broken = find_broken(model, dataset.images, workers)
    return without(dataset, broken) if broken else dataset


def _as_in(manifest: Manifest, dataset: AnyDataset) -> Any:
    left_out = manifest.description["dataset_info"].get(LEFT_OUT, [])
    names = set(left_out) - set(dataset.info.get(LEFT_OUT, []))
    return without(dataset, places_of(dataset, names)) if names else dataset


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OSError(f"folder: {folder} cannot be made: {error}") from error


def _open(folder: Path, wanted: Manifest) -> None:
    """Begin in `folder`, or see that what is in it is the same run."""
    for left in folder.glob(f".{NAME}.*.part"):
        left.unlink()
    if (folder / NAME).exists():
        found = read_manifest(folder)
        if found.description != wanted.description:
            raise ValueError(
                f"folder: {folder} holds the embeddings of another run and is left as it is. "
                f"It differs in {differences(found.description, wanted.description)}"
            )
        refuse_strangers(folder, wanted)
        return
    strangers = sorted(path.name for path in folder.glob("*.safetensors"))
    if strangers:
        raise ValueError(f"folder: {folder} has no {NAME}, but {strangers[0]}: choose another one")
    _writing(folder, wanted)


def _writing(folder: Path, manifest: Manifest) -> None:
    try:
        write_manifest(folder, manifest)
    except OSError as error:
        raise OSError(f"folder: {folder / NAME} cannot be written: {error}") from error


def _whole(folder: Path, manifest: Manifest, entry: Entry, dataset: AnyDataset) -> bool:
    path = folder / entry.file
    if not path.exists():
        return False
    read_shard(folder, manifest, entry)
    source = shard_source(folder, entry)
    if entry.side == "queries" and source not in (None, _source(dataset, entry)):
        raise ValueError(
            f"folder: {folder} holds the embeddings of another run and is left as it is. The "
            f"images of {entry.file} had other names, sizes or pixels than those of "
            f"{dataset.name!r} have now"
        )
    return True


def _source(dataset: AnyDataset, entry: Entry) -> str:
    return source_digest(dataset.images, range(entry.start, entry.stop))


def _embed(
    model: Model,
    dataset: AnyDataset,
    texts: Texts,
    folder: Path,
    manifest: Manifest,
    todo: list[Entry],
    batch_size: int,
    workers: int,
    progress: bool | None,
) -> None:
    from tqdm.auto import tqdm

    shown = wants_progress() if progress is None else progress
    images = _images(model, dataset, [e for e in todo if e.side == "queries"], batch_size, workers)
    for entry in tqdm(todo, disable=not shown, unit="shard"):
        part, source = slice(entry.start, entry.stop), None
        if entry.side == "queries":
            tensors, source = {"queries": next(images)}, _source(dataset, entry)
            if texts.targets is not None:
                tensors["targets"] = texts.targets[part]
        else:
            tensors = {"gallery": encode_gallery(model, texts, part, batch_size)}
            if texts.owners is not None:
                tensors["caption_image"] = texts.owners[part]
        write_shard(folder, manifest, entry, tensors, source)


def _images(
    model: Model, dataset: AnyDataset, shards: list[Entry], batch_size: int, workers: int
) -> Iterator[Tensor]:
    """The embeddings of each of the `shards`; images are read ahead across their borders."""
    parts = [in_batches(entry.start, entry.stop, batch_size) for entry in shards]
    places = [batch for part in parts for batch in part]
    pixels = image_batches(model, dataset.images, places, workers=workers)
    for part in parts:
        yield torch.cat([model.encode_images(next(pixels)).cpu() for _ in part])


@contextmanager
def _processes() -> Iterator[tuple[int, int, Any]]:
    """Rank, number of processes, and a barrier.

    Without a process group, torchrun's processes get one of gloo for the time being. Its store has
    a prefix of its own: groups made one after the other would otherwise find each other's keys.
    """
    own = False
    if dist.is_available() and not dist.is_initialized():
        own = int(os.environ.get("WORLD_SIZE", "1")) > 1
        if own:
            from torch.distributed.rendezvous import rendezvous

            store, rank, world = next(rendezvous("env://"))
            store = dist.PrefixStore(  # type: ignore[attr-defined]
                f"gaputils/{next(_calls)}", store
            )
            dist.init_process_group("gloo", store=store, rank=rank, world_size=world)
    try:
        if dist.is_available() and dist.is_initialized():
            yield dist.get_rank(), dist.get_world_size(), dist.barrier
        else:
            yield 0, 1, lambda: None
    finally:
        if own:
            dist.destroy_process_group()
