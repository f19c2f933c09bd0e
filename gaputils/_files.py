"""Writing a file in one step: whoever looks sees the old content or the new, never a part."""

from __future__ import annotations

import errno
import hashlib
import json
import math
import os
import re
import secrets
import stat
import struct
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from gaputils._checks import device_here
from gaputils._reading import Reading, named_place, reading, require_sums

try:
    import fcntl
except ModuleNotFoundError:  # Windows
    fcntl = None  # type: ignore[assignment]


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A file of its own beside `path`, which takes that one's place once the block has ended well.

    It is on the disk by then, with the permissions of what it replaces. Several processes may
    write the same `path`: the last one stays. What a kill leaves behind is named ``.NAME.*.part``.
    """
    with replacing_together([path]) as (part,):
        yield part


@contextmanager
def replacing_together(paths: Sequence[Path]) -> Iterator[list[Path]]:
    """As `replacing` for files that belong together: whoever finds the first finds its others.

    The first of several leaves its place before another changes, and comes back last: a kill in
    between may leave it out, but never beside files of another writing. Who writes the same files
    at once waits for this turn, and so does Ctrl-C, which stops the main thread alone.
    """
    parts: list[Path] = []
    modes: list[int] = []
    paths = [Path(os.path.realpath(path)) if path.is_symlink() else path for path in paths]
    try:
        for path in paths:
            require_writable(path)
            begins = os.fsdecode(os.fsencode(path.name)[:_LONGEST])
            part = path.parent / f".{begins}.{secrets.token_hex(4)}.part"
            try:
                part.touch(exist_ok=False)
            except OSError as error:  # of the file that was asked for, not of the part
                raise OSError(error.errno, error.strerror, str(path)) from error
            parts.append(part)
            if (mode := _mode(path)) is not None:
                part.chmod(mode)
            modes.append(part.stat().st_mode)
        yield parts
        for part, mode in zip(parts, modes, strict=True):
            with part.open("r+b") as file:  # Windows flushes only what is open for writing
                os.fsync(file.fileno())
            part.chmod(mode)  # safetensors may have put a private file in its place
        if len(paths) == 1:
            parts[0].replace(paths[0])
            return
        whole, parts = parts, []  # the thread's now, which no interrupt removes
        with ThreadPoolExecutor(1) as thread:
            thread.submit(_put, whole, paths).result()
    except OSError as error:
        if error.filename is None and error.errno in _NO_ROOM:
            raise OSError(error.errno, os.strerror(error.errno), str(paths[0])) from error
        if type(error) is OSError and error.errno is None:  # as NumPy raises it
            raise OSError(f"{paths[0]}: {error}: is the disk full?") from error
        raise
    finally:
        for part in parts:
            part.unlink(missing_ok=True)


def _put(parts: Sequence[Path], paths: Sequence[Path]) -> None:
    try:
        with only_writer(paths[0].parent, wait=True):
            paths[0].unlink(missing_ok=True)
            for part, path in reversed(list(zip(parts, paths, strict=True))):
                part.replace(path)
    finally:
        for part in parts:
            part.unlink(missing_ok=True)


def _mode(path: Path) -> int | None:
    try:
        return path.stat().st_mode
    except FileNotFoundError:  # perhaps since a moment ago
        return None


def require_writable(path: Path) -> None:
    """Raise `PermissionError` if `path`, a file or none yet, cannot be written."""
    mode = _mode(path)
    if mode is not None and not mode & 0o222:
        raise PermissionError(errno.EACCES, "It is write-protected", str(path))
    folder = Path(os.path.realpath(path)).parent
    if folder.is_dir() and not os.access(folder, os.W_OK | os.X_OK):
        raise PermissionError(errno.EACCES, "Nothing can be written to its folder", str(path))


@contextmanager
def only_writer(folder: Path, *, wait: bool = False) -> Iterator[None]:
    """Be the only process that writes `folder`, which exists, for as long as the block lasts.

    The lock is the system's, on the folder itself: it ends with the process, however that ends,
    and leaves no file. Windows and some network drives have none of this kind, and there nothing
    is locked. If another process has it, raises `BlockingIOError` or, to `wait`, waits for it.
    """
    if fcntl is None:
        yield
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError as error:
            raise BlockingIOError(
                f"folder: {folder} is being written by another process; wait until that has ended"
            ) from error
        except OSError as error:
            if error.errno not in _NO_LOCKS:
                raise
        yield
    finally:
        # Processes started within the block have the handle too: closing ours alone lets go of
        # nothing while they live, as they do for as long as someone holds an error's traceback.
        with suppress(OSError):
            fcntl.flock(handle, fcntl.LOCK_UN)
        os.close(handle)


def write_text(path: Path, text: str) -> None:
    """Write `text` to `path` in one step, in UTF-8."""
    with replacing(path) as part:
        part.write_text(text, encoding="utf-8")


_T = TypeVar("_T")
_KEY = "gaputils"
_UNSAFE = re.compile(r"Unsupported (?:global|class): (?:GLOBAL )?([\w.]+)")
_LONGEST = 235  # bytes of a name, of which systems take 255, with room for what is added
_OTHERS = {".npy", ".npz", ".pt", ".pth", ".parquet", ".arrow", ".csv", ".json"}
_NO_LOCKS = (errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOLCK)
_NO_ROOM = (errno.ENOSPC, errno.EFBIG, errno.EDQUOT)


def require_safetensors_name(name: str, path: Path) -> None:
    """Raise unless the file `path`, argument `name`, would be found by its name again."""
    if path.suffix in _OTHERS:
        raise ValueError(f"{name}: expected a name that ends in .safetensors, got {path}")


def write_safetensors(
    path: str | os.PathLike[str], tensors: dict[str, Tensor], metadata: dict[str, str]
) -> Path:
    """Write `tensors` to `path` in one step: a reader sees the old file or the new one.

    Tensors may lie on any device, in any order in memory, and share it.
    The metadata go under one key, since the format's own order of keys is random and the same
    content shall give the same bytes.
    """
    path = named_place("path", path)
    require_safetensors_name("path", path)
    if path.is_dir():
        raise IsADirectoryError(f"path: expected a file, got the folder {path}")
    if not path.parent.is_dir():
        raise FileNotFoundError(f"path: the folder {path.parent} does not exist")
    with replacing(path) as part:
        try:
            save_file(_apart(tensors), part, {_KEY: json.dumps(metadata, sort_keys=True)})
        except SafetensorError as error:
            number = re.search(r"os error (\d+)", str(error))
            if number is None:
                raise
            raise OSError(int(number[1]), os.strerror(int(number[1])), str(path)) from error
    return path


def safetensors_head(
    kinds: Mapping[str, tuple[np.dtype[Any], tuple[int, ...]]], metadata: dict[str, str]
) -> bytes:
    """What a safetensors file begins with whose tensors of these `kinds` follow in their order."""
    head: dict[str, Any] = {"__metadata__": {_KEY: json.dumps(metadata, sort_keys=True)}}
    end = 0
    for name, (dtype, shape) in kinds.items():
        start, end = end, end + dtype.itemsize * math.prod(shape)
        kind = f"{'F' if dtype.kind == 'f' else 'I'}{8 * dtype.itemsize}"
        head[name] = {"dtype": kind, "shape": list(shape), "data_offsets": [start, end]}
    text = json.dumps(head).encode()
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text


def _apart(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """The same on the CPU, dense, each with memory of its own: the format knows no sharing."""
    result, taken = {}, list[tuple[int, int]]()
    for name, value in tensors.items():
        dense = value.detach().cpu().contiguous()
        start = dense.data_ptr()
        end = start + dense.numel() * dense.element_size()
        if any(start < other_end and other < end for other, other_end in taken):
            dense = dense.clone()
        else:
            taken.append((start, end))
        result[name] = dense
    return result


def read_safetensors(
    path: str | os.PathLike[str], device: torch.device | str = "cpu"
) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Every tensor of the file and its metadata; a clear error if it is no safetensors file.

    The library opens it twice, for its head and for what follows: see `unchanged`.
    """
    path = named_place("path", path)
    if not path.is_file():
        raise FileNotFoundError(f"path: there is no file {path}")
    place = str(device_here("device", device))
    return unchanged([path], lambda: _all_tensors(path, place))


def unchanged(paths: Iterable[Path], read: Callable[[], _T]) -> _T:
    """What `read` finds in the files `paths`; if another took a place meanwhile, what it finds now.

    So it never tells of two writings, be they those of files that belong together.
    """
    places = list(paths)
    while True:
        before = [_version(place) for place in places]
        try:
            found = read()
        except (OSError, ValueError):
            if [_version(place) for place in places] == before:
                raise
        else:
            if [_version(place) for place in places] == before:
                return found


def _version(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except (OSError, ValueError):
        return None
    return (found.st_ino, found.st_mtime_ns) if stat.S_ISREG(found.st_mode) else None


def _all_tensors(path: Path, place: str) -> tuple[dict[str, Tensor], dict[str, str]]:
    with (
        reading(path, "a whole safetensors file", argument="path") as at,
        safe_open(path, framework="pt", device=place) as file,
    ):
        tensors = {}
        for name in file.keys():  # noqa: SIM118
            at.place = f"tensor {name!r}"
            tensors[name] = file.get_tensor(name)
        at.place = "metadata"
        return tensors, _texts(file.metadata(), at)


def read_metadata(path: Path) -> dict[str, str]:
    """The metadata of a safetensors file, whose tensors are not read."""
    with (
        reading(path, "a whole safetensors file", argument="path") as at,
        safe_open(path, framework="pt") as file,
    ):
        at.place = "metadata"
        return _texts(file.metadata(), at)


def _texts(header: dict[str, str] | None, at: Reading) -> dict[str, str]:
    metadata = dict(header or {})
    if _KEY in metadata:
        own = json.loads(metadata.pop(_KEY))
        if not all(isinstance(value, str) for value in own.values()):
            raise at.fault("expected texts")
        metadata |= own
    return metadata


def load_pickled(path: Path) -> Any:
    """What `torch.save` wrote to `path`: tensors and plain containers, all else is refused."""
    require_sums(path)
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        if asked := _UNSAFE.search(str(error)):
            raise ValueError(f"it asks for {asked[1]}, which is never run") from error
        raise


def file_sha256(path: Path) -> str:
    """The SHA-256 of the bytes of `path`."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def digest(tensors: dict[str, Tensor]) -> str:
    """SHA-256 over names, types, shapes and bytes of `tensors`."""
    total = hashlib.sha256()
    for name in sorted(tensors):
        value = tensors[name].detach().cpu().contiguous()
        total.update(f"{name} {value.dtype} {tuple(value.shape)};".encode())
        total.update(value.reshape(-1).view(torch.uint8).numpy().data)
    return total.hexdigest()
