"""CIFAR-10 and CIFAR-100 (Krizhevsky 2009) in the files that torchvision knows."""

from __future__ import annotations

import hashlib
import io
import pickle
import pickletools
import shutil
import tarfile
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch

from gaputils._checks import choice
from gaputils._extras import require_extra
from gaputils._files import replacing
from gaputils._reading import reading
from gaputils.datasets._fetching import fetch
from gaputils.datasets._sources import Root, data_folder, missing
from gaputils.datasets.base import ClassificationDataset, TensorImages


def cifar10(
    split: str = "test", *, root: Root = None, download: bool = False
) -> ClassificationDataset:
    """CIFAR-10: 10,000 test or 50,000 train images of 32 pixels in 10 classes.

    `root` holds the folder ``cifar-10-batches-py``, or is it. With `download` the archive is
    fetched into `root` and unpacked (`GAPUTILS_MIRROR` names another server, see the book's page on
    provenance). `info["as_published"]` says whether every file has the published checksum. Raises
    `DataUnavailable` if files are missing and `ValueError` if one is damaged.
    """
    require_extra("data", "CIFAR", "torchvision")
    from torchvision.datasets import CIFAR10

    return _cifar("cifar10", CIFAR10, "labels", split, root, download)


def cifar100(
    split: str = "test", *, root: Root = None, download: bool = False
) -> ClassificationDataset:
    """CIFAR-100: as `cifar10`, in 100 classes; the folder is ``cifar-100-python``."""
    require_extra("data", "CIFAR", "torchvision")
    from torchvision.datasets import CIFAR100

    return _cifar("cifar100", CIFAR100, "fine_labels", split, root, download)


def _cifar(
    name: str, source: Any, key: str, split: str, root: Root, download: bool
) -> ClassificationDataset:
    choice("split", split, ("train", "test"))
    above = data_folder(root, "cifar")
    if download:
        _fetch(name, source, above)
    folder = above if above.name == source.base_folder else above / source.base_folder
    wanted = source.train_list if split == "train" else source.test_list
    files = [(folder / file, md5) for file, md5 in wanted]
    meta = (folder / source.meta["filename"], source.meta["md5"])
    for path, _ in (*files, meta):
        if not path.is_file():
            raise missing(name, path, f"{source.url} (or pass download=True)")
    class_names = _read(meta[0], source.meta["key"])[source.meta["key"]]
    if not isinstance(class_names, list) or not all(isinstance(one, str) for one in class_names):
        raise ValueError(f"{meta[0]}: expected a list of names in {source.meta['key']!r}")
    pixels, labels = [], []
    for path, _ in files:
        batch = _read(path, "data", key)
        rows, some = batch["data"], batch[key]
        if not isinstance(rows, np.ndarray) or rows.dtype != np.uint8 or rows.ndim != 2:
            raise ValueError(f"{path}: expected 'data' as a matrix of bytes")
        if not isinstance(some, list):
            raise ValueError(f"{path}: expected a list of labels in {key!r}")
        if rows.shape[1] != 3 * 32 * 32 or len(some) != len(rows):
            raise ValueError(
                f"{path}: expected rows of 3072 bytes with one label each, got {rows.shape} "
                f"with {len(some)} labels"
            )
        if not all(isinstance(label, int) and 0 <= label < len(class_names) for label in some):
            raise ValueError(f"{path}: a label is none of the {len(class_names)} classes")
        pixels.append(torch.from_numpy(np.ascontiguousarray(rows)).view(-1, 3, 32, 32))
        labels.extend(some)
    return ClassificationDataset(
        name,
        TensorImages(torch.cat(pixels)),
        [label.replace("_", " ") for label in class_names],
        torch.tensor(labels),
        split=split,
        info={"as_published": all(_md5(path) == md5 for path, md5 in (*files, meta))},
    )


def _fetch(name: str, source: Any, above: Path) -> None:
    """Fetch the archive and unpack it, unless every file is there as it was published."""
    place = above.parent if above.name == source.base_folder else above
    folder = place / source.base_folder
    meta = (source.meta["filename"], source.meta["md5"])
    published = [
        (folder / file, md5) for file, md5 in (*source.train_list, *source.test_list, meta)
    ]
    if all(path.is_file() and _md5(path) == md5 for path, md5 in published):
        return
    remedy = f", unpack it there and pass root={str(place)!r}"
    archive = fetch(name, source.url, f"md5:{source.tgz_md5}", place / source.filename, remedy)
    folder.mkdir(exist_ok=True)
    with reading(archive, "a whole .tar.gz archive"), tarfile.open(archive) as packed:
        for path, _ in published:
            content = packed.extractfile(f"{source.base_folder}/{path.name}")
            with replacing(path) as part, part.open("wb") as file:
                shutil.copyfileobj(cast(Any, content), file)


def _md5(path: Path) -> str:
    return hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()


def _empty(*_: Any) -> Any:
    """The array without rows that a pickle fills afterwards; no other size is ever made."""
    make: Any = np.zeros(1).__reduce__()[0]
    return make(np.ndarray, (0,), b"b")


_FROM_BUFFER = cast(Any, np.zeros(1).__reduce_ex__(5))[0]
_HARMLESS: dict[tuple[str, str], Any] = {
    ("numpy", "ndarray"): "numpy.ndarray",
    ("numpy", "dtype"): np.dtype,
    ("numpy.core.multiarray", "_reconstruct"): _empty,
    ("numpy._core.multiarray", "_reconstruct"): _empty,
    ("numpy.core.numeric", "_frombuffer"): _FROM_BUFFER,
    ("numpy._core.numeric", "_frombuffer"): _FROM_BUFFER,
}


class _ArraysOnly(pickle.Unpickler):
    """Reads CIFAR's files, which are pickles, without running anything that they ask for.

    Plain containers, strings, numbers and NumPy arrays of numbers: all else is refused.
    """

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("_codecs", "encode"):
            return _latin1
        if (module, name) not in _HARMLESS:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}")
        return _HARMLESS[module, name]


def _latin1(text: str, encoding: str = "latin1") -> bytes:
    if encoding != "latin1":
        raise pickle.UnpicklingError(f"it asks for the encoding {encoding}")
    return text.encode("latin1")


def _refuse_absurd(packed: bytes) -> None:
    """Raise if the pickle `packed` would set aside more memory than it fills."""
    for count, (step, argument, _) in enumerate(pickletools.genops(packed)):
        if step.name in ("PUT", "BINPUT", "LONG_BINPUT") and int(cast(Any, argument)) > count:
            raise pickle.UnpicklingError(f"it asks for the place {argument} of {count}")


def _read(path: Path, *keys: str) -> dict[str, Any]:
    """The dictionary in `path`, which must have the `keys`."""
    with reading(path, "a whole CIFAR file"):
        packed = path.read_bytes()
        _refuse_absurd(packed)
        content = _ArraysOnly(io.BytesIO(packed), encoding="latin1").load()
    if isinstance(content, dict):
        content = {k.decode("latin1") if isinstance(k, bytes) else k: v for k, v in content.items()}
    if not isinstance(content, dict) or not set(keys) <= set(content):
        raise ValueError(f"{path} is not a CIFAR file: expected a dictionary with {list(keys)}")
    return content
