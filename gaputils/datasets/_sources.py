"""What readers of files share: lazy images, safe paths, the error when files are missing."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Sequence
from functools import cached_property
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np
import torch

from gaputils._checks import integer
from gaputils._extras import require_extra
from gaputils._reading import named_place, reading, shown
from gaputils.datasets._broken import image_name, without
from gaputils.datasets.base import CaptionDataset, DataUnavailable, Images

if TYPE_CHECKING:
    from PIL import Image

IMAGE_SUFFIXES = (
    ".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff",
    ".ppm", ".pgm", ".pbm", ".jp2", ".avif", ".heic", ".heif",
)  # fmt: skip
"""What is taken for an image. One that Pillow cannot read here is an error, not passed over."""
_REMEDY = "Copy it again, or leave it out: skip_broken=True, on the command line --skip-broken"

_CAMERA_BITS = (8, 10, 12, 14, 16)
_TIFF = (258, 262, 339)  # bits a sample, what is white, and which numbers samples are
_WHITE_IS_ZERO, _UNSIGNED, _SIGNED = 0, 1, 2

Root = str | os.PathLike[str] | None


def cache_folder() -> Path:
    """Where fetched files are kept: `$GAPUTILS_CACHE` if set, else the system's cache folder."""
    named = os.environ.get("GAPUTILS_CACHE")
    if named:
        return Path(named)
    require_extra("data", "a cache for data", "pooch")
    import pooch

    return Path(pooch.os_cache("gaputils"))


class ImageFiles:
    """Images in files, opened when asked for."""

    def __init__(self, paths: Iterable[Path]) -> None:
        self.paths = tuple(paths)

    def __len__(self) -> int:
        return len(self.paths)

    def name(self, index: int) -> str:
        """The file below the folder that holds them all; bytes that are no UTF-8 as numbers."""
        name = self.paths[index].relative_to(self.above).as_posix()
        return os.fsencode(name).decode(errors="backslashreplace")

    @cached_property
    def above(self) -> Path:
        return Path(os.path.commonpath([path.parent for path in self.paths]))

    def __getitem__(self, index: int) -> Image.Image:
        path = self.paths[index]
        if not path.is_file():
            raise DataUnavailable(f"image {index}: there is no file {path}")
        return decode(path, str(path))


def decode(source: Path | BinaryIO, name: str) -> Image.Image:
    """The RGB image in `source`; an error that says `name` if it is none, not whole or too big."""
    require_extra("data", f"{name}: reading an image", "PIL")
    from PIL import Image

    with reading(name, "a whole image", remedy=_REMEDY):
        with Image.open(source) as image:
            if image.format != "PNG":
                return as_rgb(image, name)
            image.verify()  # Pillow reads checksums only when asked, and then nothing else
        if not isinstance(source, Path):
            source.seek(0)
        with Image.open(source) as image:
            return as_rgb(image, name)


def as_rgb(image: Image.Image, name: str) -> Image.Image:
    """`image` upright as its EXIF says, in RGB of 8 bits.

    What has more bits is scaled: whole numbers from the 8, 10, 12, 14, 16 or more bits that hold
    its greatest; floats in [0, 1] from there; what is negative or greater from its own least and
    greatest. A TIFF's signs, and that its least is white, are as its tags say. Raises `ValueError`
    that says `name` if that is no range.
    """
    from PIL import Image, ImageOps

    tags = getattr(image, "tag_v2", {})  # of a TIFF, which Pillow reads in part
    bits, white, kind = (_first(tags.get(tag)) for tag in _TIFF)
    upright = ImageOps.exif_transpose(image)
    signed = upright.mode == "L" and kind == _SIGNED
    if not upright.mode.startswith(("I", "F")) and not signed:
        return upright.convert("RGB")
    stored = np.asarray(upright)
    if signed:
        stored = stored.view(np.int8)
    if upright.mode == "I" and bits == 32 and kind in (None, _UNSIGNED):
        stored = stored.view(np.uint32)
    values = stored.astype(np.float64)
    low, high = _range(values, upright.mode == "F")
    if not 0 < high - low < math.inf:
        raise ValueError(f"{name}: its numbers go from {low:g} to {high:g}; save it with 8 bits")
    grey = np.rint((values - low) * (255 / (high - low))).astype(np.uint8)
    return Image.fromarray(255 - grey if white == _WHITE_IS_ZERO else grey).convert("RGB")


def _first(tag: Any) -> Any:
    return tag[0] if isinstance(tag, tuple) else tag


def _range(values: Any, floats: bool) -> tuple[float, float]:
    """What is black and what is white in an image of more than 8 bits."""
    low, high = float(values.min()), float(values.max())
    if low < 0 or (floats and not high <= 1):
        return low, high
    if floats:
        return 0.0, 1.0
    needed = int(high).bit_length()
    return 0.0, 2.0 ** next((bits for bits in _CAMERA_BITS if bits >= needed), needed) - 1


def files_below(folder: Path) -> list[Path]:
    """Every file in `folder` and below it that is `shown`, in order, through links too.

    Raises `ValueError` for a link that leads back to a folder that it is in.
    """
    found, above = list[Path](), dict[Path, set[Path]]()
    for place, folders, names in os.walk(folder, followlinks=True, onerror=_raise):
        here = Path(place)
        above[here] = {here.resolve()} | above.get(here.parent, set())
        folders[:] = [one for one in folders if shown(PurePath(one))]
        for one in folders:
            if (here / one).resolve() in above[here]:
                raise ValueError(f"{here / one}: it links to a folder that holds it; remove it")
        found += [here / name for name in names if shown(PurePath(name))]
    return sorted(found)


def _raise(error: OSError) -> None:
    raise error


def data_folder(root: Root, name: str) -> Path:
    """`root`, or the folder `name` of the cache if it is left out."""
    return cache_folder() / name if root is None else named_place("root", root)


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


def require_once(where: Path, what: str, values: Iterable[Any]) -> None:
    """Raise `ValueError` if one of the `values`, each of which names `what`, is there twice."""
    seen = set()
    for value in values:
        if value in seen:
            raise ValueError(f"{where}: {what} {value!r} is there twice; keep one with all it has")
        seen.add(value)


def with_captions(
    name: str,
    images: Images,
    captions: Sequence[Sequence[str]],
    split: str,
    info: dict[str, Any],
    captions_per_image: int | None = None,
    skip_broken: bool = False,
) -> CaptionDataset:
    """The data set of `images` with each one's `captions`, cut to the first `captions_per_image`.

    Raises `ValueError` if there is no image, or one without a caption; with `skip_broken` that one
    is left out and named in `info["left_out"]`, unless none is left.
    """
    if captions_per_image is not None:
        integer("captions_per_image", captions_per_image, low=1)
        info = {**info, "captions_per_image": captions_per_image}
    if not len(images):
        raise ValueError(f"{name}: the split {split!r} has no image with a caption")
    kept = [[text.strip() for text in some][:captions_per_image] for some in captions]
    empty = [row for row, some in enumerate(kept) if not some or not all(some)]
    if empty and (not skip_broken or len(empty) == len(kept)):
        raise ValueError(
            f"{name}: {image_name(images, empty[0])}: image {empty[0]} of the split {split!r} has "
            f"no or empty captions"
        )
    owner = [row for row, some in enumerate(kept) for _ in some]
    flat = [text for some in kept for text in some]
    dataset = CaptionDataset(
        name, images, flat, torch.tensor(owner, dtype=torch.int64), split, info
    )
    return without(dataset, empty) if empty else dataset
