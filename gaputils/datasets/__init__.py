"""Data sets by name: each is built by one function of one module, imported when asked for."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

from gaputils.datasets.base import CaptionDataset as CaptionDataset
from gaputils.datasets.base import ChoiceDataset as ChoiceDataset
from gaputils.datasets.base import ClassificationDataset as ClassificationDataset
from gaputils.datasets.base import Dataset as Dataset
from gaputils.datasets.base import DataUnavailable as DataUnavailable
from gaputils.datasets.published import published as published
from gaputils.datasets.published import published_names as published_names
from gaputils.datasets.published import published_rows as published_rows
from gaputils.datasets.published import published_rows_names as published_rows_names
from gaputils.datasets.published import published_sources as published_sources

BUILDERS: dict[str, str] = {
    "openmoji": "gaputils.datasets.openmoji:openmoji",
    "emoji10": "gaputils.datasets.openmoji:emoji10",
    "cifar10": "gaputils.datasets.cifar:cifar10",
    "cifar100": "gaputils.datasets.cifar:cifar100",
    "imagenet": "gaputils.datasets.imagenet:imagenet",
    "coco": "gaputils.datasets.coco:coco",
    "flickr30k": "gaputils.datasets.flickr:flickr30k",
    "aokvqa": "gaputils.datasets.aokvqa:aokvqa",
    "imagefolder": "gaputils.datasets.imagefolder:imagefolder",
    "webdataset": "gaputils.datasets.webdataset:webdataset",
}


def names() -> list[str]:
    """The names `load` knows."""
    return sorted(BUILDERS)


def load(
    name: str, root: str | Path | None = None, split: str | None = None, **options: Any
) -> Any:
    """The data set `name`.

    `root` is the folder its files lie in (or are put in), for data sets that have files; `split`
    and `options` are the data set's own, see its module. Raises `ValueError` for a name, a split
    or an option it does not know and `DataUnavailable`, naming the file and its source, if data
    is wanted that is not there. What comes back is a `ClassificationDataset`, a `CaptionDataset`
    or a `ChoiceDataset`.

    >>> import gaputils as gu
    >>> dataset = gu.datasets.load("emoji10", copies=2)
    >>> len(dataset.images), dataset.class_names[:2]
    (20, ['airplane', 'automobile'])
    """
    if name not in BUILDERS:
        hint = ""
        if isinstance(name, (str, Path)) and Path(name).is_dir():
            hint = f"; a folder of images is the data set 'imagefolder' with the root {str(name)!r}"
        raise ValueError(f"name: expected one of {', '.join(names())}, got {name!r}{hint}")
    module, function = BUILDERS[name].split(":")
    build = getattr(import_module(module), function)
    if root is not None:
        options["root"] = root
    if split is not None:
        options["split"] = split
    try:
        return build(**options)
    except TypeError as error:
        if "unexpected keyword" not in str(error):
            raise
        raise ValueError(
            f"options: the data set {name!r} does not take one of them: {error}"
        ) from error
