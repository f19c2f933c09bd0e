"""What readers of files share: lazy images, safe paths, the error when files are missing."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import pooch
import torch

from gaputils._checks import integer
from gaputils.datasets.base import CaptionDataset, DataUnavailable, Images

if TYPE_CHECKING:
    from PIL import Image

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff")

Root = str | os.PathLike[str] | None


class ImageFiles:
    """Images in files, opened when asked for."""

    def __init__(self, paths: Iterable[Path]) -> None:
        self.paths = tuple(paths)

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int) -> Image.Image:
        path = self.paths[index]
        if not path.is_file():
            raise DataUnavailable(f"image {index}: there is no file {path}")
        return decode(path, str(path))


def decode(source: Path | BinaryIO, name: str) -> Image.Image:
    """The RGB image in `source`; a `ValueError` that says `name` if it is none or not whole."""
    from PIL import Image

    try:
        with Image.open(source) as image:
            return image.convert("RGB")
    except (OSError, SyntaxError) as error:
        raise ValueError(f"{name} is not a whole image: {error}") from error


def data_folder(root: Root, name: str) -> Path:
    """`root`, or the folder `name` of the cache if it is left out."""
    return cache_folder() / name if root is None else Path(root).expanduser()


def first_existing(candidates: Iterable[Path]) -> Path | None:
    """The first of the `candidates` that exists."""
    return next((path for path in candidates if path.exists()), None)


def missing(name: str, wanted: Path | str, source: str = "") -> DataUnavailable:
    """The error for files of the data set `name` that are not there; `source` is where from."""
    origin = f" It comes from {source}." if source else ""
    return DataUnavailable(
        f"{name}: wanted {wanted}, which is not there.{origin} Put it there, or pass root= the "
        f"folder that has it."
    )


def inside(folder: Path, name: Any, where: str) -> Path:
    """`folder` / `name`, which must not lead out of it."""
    if not isinstance(name, str) or not name:
        raise ValueError(f"{where}: expected the name of a file, got {name!r}")
    path = Path(os.path.normpath(folder / name))
    if not path.is_relative_to(os.path.normpath(folder)):
        raise ValueError(f"{where}: expected a file below {folder}, got {name!r}")
    return path


def with_captions(
    name: str,
    images: Images,
    captions: Sequence[Sequence[str]],
    split: str,
    info: dict[str, Any],
    captions_per_image: int | None = None,
) -> CaptionDataset:
    """The data set of `images` with each one's `captions`, cut to the first `captions_per_image`.

    Raises `ValueError` if there is no image, or one without a caption.
    """
    if captions_per_image is not None:
        integer("captions_per_image", captions_per_image, low=1)
        info = {**info, "captions_per_image": captions_per_image}
    if not len(images):
        raise ValueError(f"{name}: the split {split!r} has no image with a caption")
    kept = [[text.strip() for text in some][:captions_per_image] for some in captions]
    for row, some in enumerate(kept):
        if not some or not all(some):
            raise ValueError(f"{name}: image {row} of the split {split!r} has no or empty captions")
    owner = [row for row, some in enumerate(kept) for _ in some]
    flat = [text for some in kept for text in some]
    return CaptionDataset(name, images, flat, torch.tensor(owner), split, info)


def cache_folder() -> Path:
    """Where fetched files are kept: `$GAPUTILS_CACHE` if set, else the system's cache folder."""
    return Path(os.environ.get("GAPUTILS_CACHE") or pooch.os_cache("gaputils"))
