"""Writing a file in one step: whoever looks sees the old content or the new, never a part."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

try:
    import fcntl
except ModuleNotFoundError:  # Windows
    fcntl = None  # type: ignore[assignment]


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A file of its own beside `path`, which takes that one's place once the block has ended well.

    It is on the disk by then. Several processes may write the same `path`: the last one stays.
    What a kill leaves behind is named ``.NAME.*.part``.
    """
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part")
    os.close(handle)
    part = Path(name)
    try:
        yield part
        part.chmod(0o666 & ~_umask())
        with part.open("r+b") as file:  # Windows flushes only what is open for writing
            os.fsync(file.fileno())
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


@contextmanager
def only_writer(folder: Path) -> Iterator[None]:
    """Be the only process that writes `folder`, which exists, for as long as the block lasts.

    The lock is the system's, on the folder itself: it ends with the process, however that ends,
    and leaves no file. Windows has none of this kind, and there nothing is locked. Raises
    `BlockingIOError` if another process has it.
    """
    if fcntl is None:
        yield
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise BlockingIOError(
                f"folder: {folder} is being written by another process; wait until that has ended"
            ) from error
        yield
    finally:
        # Processes started within the block have the handle too: closing ours alone lets go of
        # nothing while they live, as they do for as long as someone holds an error's traceback.
        fcntl.flock(handle, fcntl.LOCK_UN)
        os.close(handle)


def write_text(path: Path, text: str) -> None:
    """Write `text` to `path` in one step, in UTF-8."""
    with replacing(path) as part:
        part.write_text(text, encoding="utf-8")


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
