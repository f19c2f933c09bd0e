"""From a model and a data set to embeddings: batched, in a fixed order."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils.data import DataLoader

from gaputils._checks import _typed, flag, integer
from gaputils._progress import wants_progress
from gaputils._reading import UnreadableFile
from gaputils.datasets._broken import image_name, without
from gaputils.datasets._words import words
from gaputils.datasets.base import DataUnavailable, Images
from gaputils.datasets.templates import as_templates
from gaputils.embeddings import Embeddings
from gaputils.encoding._texts import AnyDataset, Texts, gather_texts, kept
from gaputils.models._images import preprocessed
from gaputils.models.model import Model, distinct
from gaputils.storage._manifest import pair_info

_PROMPTS_AT_ONCE = 2**15


def embed(
    model: Model,
    dataset: AnyDataset,
    batch_size: int = 256,
    device: str | torch.device = "auto",
    *,
    templates: str | Iterable[str] | None = None,
    workers: int = 0,
    skip_broken: bool = False,
    progress: bool | None = None,
) -> Embeddings:
    """Embed `dataset` with `model`: queries are the images, the gallery is the texts.

    Of a classification data set the gallery has one row a class, made from `templates` (one or
    several with a ``{}``; the data set's own if left out) as the normalised mean over them, and
    `targets` are the classes. Of a caption data set it has one row a caption, and `targets` is
    each image's first caption; `info["caption_image"]` says which image each belongs to. Of a
    multiple-choice data set it has the `info["options"]` options of one question after those of
    another, and `targets` is each question's right one, if it is known; `templates` is then the one
    prompt with a ``{choice}``. `as_choices` folds that gallery into the options of each question.

    All rows are float32 of norm 1, in the data set's order, on the CPU. `device` "auto" is where
    the model is; `workers` are processes that read images ahead; `progress` shows a bar (left
    out: in a terminal only). With `skip_broken` images that cannot be read are left out with their
    captions, questions and labels, and `info["dataset_left_out"]` names them.

    Raises `ValueError` or `TypeError` that names the argument, or the image that cannot be read.

    >>> import gaputils as gu
    >>> model = gu.load_model("tiny-openmoji", device="cpu")
    >>> e = gu.embed(model, gu.datasets.load("emoji10", copies=2))
    >>> e.queries.shape, e.gallery.shape
    (torch.Size([20, 256]), torch.Size([10, 256]))
    """
    check_inputs(model, dataset, batch_size, workers)
    if device != "auto":
        model.to(device)
    templates = kept(templates)
    texts = gather_texts(dataset, templates)
    broken: set[int] | None = set() if skip_broken else None
    queries = embed_images(
        model,
        dataset.images,
        batch_size=batch_size,
        workers=workers,
        progress=progress,
        broken=broken,
    )
    if broken:
        dataset = without(dataset, broken)
        texts = gather_texts(dataset, templates)
    gallery = encode_gallery(model, texts, slice(None), batch_size)
    description = {
        "model_info": model.info,
        "dataset": dataset.name,
        "split": dataset.split,
        "dataset_info": dataset.info,
        **texts.labels(),
    }
    return Embeddings(queries, gallery, texts.targets, pair_info(description, texts.owners))


def check_inputs(model: Model, dataset: AnyDataset, batch_size: int, workers: int) -> None:
    """Raise `TypeError` or `ValueError`, naming the argument, unless they can be embedded."""
    integer("batch_size", batch_size, low=1)
    integer("workers", workers, low=0)
    _require_model(model)
    if not isinstance(dataset, AnyDataset):
        raise TypeError(f"dataset: expected a data set, got {type(dataset).__name__}")
    if len(dataset) == 0:
        raise ValueError(f"dataset: {dataset.name!r} has no images")


def _require_model(model: Any) -> None:
    if not isinstance(model, Model):
        hint = "; load_model(model, processor=…) takes it" if hasattr(model, "config") else ""
        raise TypeError(
            f"model: expected what load_model returns, got {type(model).__name__}{hint}"
        )


def encode_gallery(model: Model, texts: Texts, part: slice, batch_size: int) -> Tensor:
    """The gallery's rows of a `part` of `texts`, on the CPU."""
    some = texts.texts[part]
    if texts.templates is not None and texts.kind == "classes":
        return embed_classes(model, some, texts.templates, batch_size=batch_size)[:, 0]
    return model.encode_texts(some, batch_size=batch_size).cpu()


def embed_classes(
    model: Model,
    class_names: Iterable[str],
    templates: str | Iterable[str],
    *,
    ensemble: bool = True,
    batch_size: int = 1024,
) -> Tensor:
    """Class embeddings (classes, k, d) of norm 1 in float32, on the CPU, one row a class name.

    A prompt is one of the `templates`, or the only one, with the name in the place of its ``{}``.
    With `ensemble` k is 1: the mean of the class's unit-norm prompts, normalised, as Radford et
    al. (2021, "Learning Transferable Visual Models From Natural Language Supervision", §3.1.4)
    build their classifier. Without, k is the number of templates. Prompts of many classes share a
    batch of at most `batch_size`; equal names have equal rows.

    Raises `TypeError` or `ValueError` that names the argument: `class_names` or `templates` that
    are none or no texts, a template that has not exactly one ``{}``.

    >>> import gaputils as gu
    >>> model = gu.load_model("tiny-openmoji", device="cpu")
    >>> names, templates = ["cat", "red heart", "dog"], ["a {}.", "an emoji of a {}."]
    >>> gu.embed_classes(model, names, templates).shape
    torch.Size([3, 1, 256])
    >>> gu.embed_classes(model, names, templates, ensemble=False).shape
    torch.Size([3, 2, 256])
    """
    _require_model(model)
    names, wordings = words("class_names", class_names, "class name"), as_templates(templates)
    integer("batch_size", batch_size, low=1)
    once, places = distinct(names)
    rows = _classes(model, once, wordings, flag("ensemble", ensemble), batch_size)
    return rows if len(once) == len(names) else rows[places]


def _classes(
    model: Model,
    class_names: list[str],
    templates: tuple[str, ...],
    ensemble: bool,
    batch_size: int,
) -> Tensor:
    """What `embed_classes` returns, for names that all differ."""
    group = max(1, _PROMPTS_AT_ONCE // len(templates))
    parts = []
    for start in range(0, len(class_names), group):
        names = class_names[start : start + group]
        prompts = [template.replace("{}", name) for name in names for template in templates]
        rows = model.encode_texts(prompts, batch_size=batch_size)
        rows = rows.view(len(names), len(templates), -1)
        if ensemble:
            rows = F.normalize(rows.mean(1, keepdim=True), dim=-1)
        parts.append(rows.cpu())
    return torch.cat(parts)


def embed_images(
    model: Model,
    images: Images,
    *,
    batch_size: int = 256,
    workers: int = 0,
    progress: bool | None = None,
    broken: set[int] | None = None,
) -> Tensor:
    """Image embeddings (n, d) of norm 1 in float32, in order, on the CPU.

    `images` are those of a data set, or a list of PIL images. If `broken` is given, images that
    cannot be read are left out and their places put there. Raises `TypeError` or `ValueError` that
    names the argument, or the image that cannot be read.
    """
    from tqdm.auto import tqdm

    _require_model(model)
    integer("batch_size", batch_size, low=1)
    integer("workers", workers, low=0)
    _require_images(images)
    places = in_batches(0, len(images), batch_size)
    pixels = image_batches(model, images, places, workers=workers, broken=broken)
    shown = wants_progress() if progress is None else progress
    bar = tqdm(pixels, total=len(places), disable=not shown, unit="batch")
    rows = [model.encode_images(batch).cpu() for batch in bar]
    return torch.cat(rows) if rows else torch.empty(0, model.dim, dtype=torch.float32)


def _require_images(images: Any) -> None:
    known = all(hasattr(images, name) for name in ("__len__", "__getitem__"))
    if known and not isinstance(images, (str, bytes, Mapping, Tensor, np.ndarray)):
        return
    hint = ""
    if isinstance(images, AnyDataset):
        hint = "; pass its images"
    elif isinstance(images, Tensor):
        hint = "; datasets.base.TensorImages makes one of pixels in uint8"
    raise TypeError(f"images: expected a sequence of PIL images, got {_typed(images)}{hint}")


def in_batches(start: int, stop: int, batch_size: int) -> list[list[int]]:
    """The places from `start` to `stop`, `batch_size` at a time."""
    steps = range(start, stop, batch_size)
    return [list(range(first, min(first + batch_size, stop))) for first in steps]


def image_batches(
    model: Model,
    images: Images,
    places: Sequence[list[int]],
    *,
    workers: int = 0,
    broken: set[int] | None = None,
) -> Iterator[Tensor]:
    """What `model.encode_images` takes, the images at `places` batch by batch.

    Pixels that lie in memory at the model's own size are handed over as they are; any other
    images are read and preprocessed by `workers` processes ahead of the model, into pinned memory
    if the model is on a GPU. The first image that cannot be read raises its error here, whichever
    process read it; if `broken` is given, its place is put there instead and the image left out.
    """
    pixels = getattr(images, "pixels", None)
    if pixels is not None and tuple(pixels.shape[2:]) == model.image_size:
        yield from (pixels[batch[0] : batch[-1] + 1] for batch in places)
        return
    loader = DataLoader(
        _Preprocessed(images, model.preprocess),
        batch_sampler=places,
        collate_fn=collate,
        num_workers=workers,
        pin_memory=model.device.type == "cuda",
        prefetch_factor=4 if workers else None,
    )
    for batch in loader:
        pixels = readable(batch, broken)
        if pixels is not None:
            yield pixels


@dataclass(frozen=True)
class Broken:
    """Image `place`, which a process that reads ahead could not read, and why."""

    place: int
    kind: type[ValueError] | type[OSError]
    reason: str


Batch = tuple[Tensor | None, list[Broken]]


def collate(items: list[Tensor | Broken]) -> Batch:
    """The images of a batch that could be read, or nothing, and the others."""
    whole = [item for item in items if isinstance(item, Tensor)]
    return torch.stack(whole) if whole else None, [i for i in items if isinstance(i, Broken)]


def readable(batch: Batch, broken: set[int] | None) -> Tensor | None:
    """The images of a `batch` that could be read; raises for another unless it goes to `broken`."""
    pixels, failed = batch
    if failed and broken is None:
        raise failed[0].kind(failed[0].reason)
    if broken is not None:
        broken.update(one.place for one in failed)
    return pixels


def find_broken(model: Model, images: Images, workers: int = 0) -> set[int]:
    """The places of the `images` that cannot be read; every one is read once for this."""
    found: set[int] = set()
    for batch in DataLoader(
        _Preprocessed(images, model.preprocess, keep=False),
        batch_size=64,
        collate_fn=collate,
        num_workers=workers,
    ):
        readable(batch, found)
    return found


class _Preprocessed(torch.utils.data.Dataset[Tensor | Broken]):
    def __init__(self, images: Images, preprocess: Any, keep: bool = True) -> None:
        self.images = images
        self.preprocess = preprocess
        self.keep = keep

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, place: int) -> Tensor | Broken:
        name = image_name(self.images, place)
        try:
            image = self.images[place]
            pixels = preprocessed(self.preprocess, image, name)
        except (ValueError, OSError) as error:
            kinds = (UnreadableFile, DataUnavailable, ValueError, OSError)
            kind = next(kind for kind in kinds if isinstance(error, kind))
            return Broken(place, kind, str(error))
        return pixels if self.keep else torch.empty(0)
