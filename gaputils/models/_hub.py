"""Files of the Hugging Face hub: whole, by their checksum, or one error that tells what to do."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from gaputils._files import file_sha256
from gaputils.datasets._fetching import asks_to_wait
from gaputils.datasets.base import DataUnavailable

CONFIG = "open_clip_config.json"
WEIGHTS = ("open_clip_model.safetensors", "open_clip_pytorch_model.bin")
"""What open_clip asks a repository for where a tag names no file, the better first."""

_CHECKSUM = re.compile("[0-9a-f]{40}|[0-9a-f]{64}")
_TOKENIZER = ("tokenizer_config.json", "tokenizer.json")
_REMEDY = (
    "Try again; HF_ENDPOINT names another server, HF_HUB_DOWNLOAD_TIMEOUT waits longer than 10 "
    "seconds for it"
)


def fetch(repository: str, names: Sequence[str]) -> Path:
    """The first of the files `names` that `repository` has: from the hub's cache or into it.

    The hub's own library compares no more than sizes, so the content of what was fetched is
    compared with the name that the hub gave it: its SHA-256, or Git's SHA-1 for a small file. What
    is another is deleted. Raises `DataUnavailable`, which names the address and the remedy.
    """
    from huggingface_hub import hf_hub_download, try_to_load_from_cache
    from huggingface_hub.errors import EntryNotFoundError, LocalEntryNotFoundError

    failed: tuple[str, BaseException] | None = None
    for name in names:
        known = isinstance(try_to_load_from_cache(repository, name), str)
        try:
            path = Path(hf_hub_download(repository, name, local_files_only=failed is not None))
            if not known:
                _check(path)
        except EntryNotFoundError as error:
            if isinstance(error, LocalEntryNotFoundError):
                failed = failed or (name, error)
        except Exception as error:
            failed = failed or (name, error)
        else:
            return path
    if failed is None:
        raise DataUnavailable(f"{_address(repository, names[0])}: there is no {' or '.join(names)}")
    reason = _in_words(failed[1])
    raise DataUnavailable(f"{_address(repository, failed[0])}: {reason}. {_REMEDY}") from failed[1]


def check_stored(repository: str) -> None:
    """Compare what the hub's cache has of `repository`, all but weights, as `fetch` does.

    For files that another library fetched, such as a tokenizer's. Raises `DataUnavailable`.
    """
    from huggingface_hub import try_to_load_from_cache

    known = (try_to_load_from_cache(repository, name) for name in _TOKENIZER)
    for folder in {Path(path).parent for path in known if isinstance(path, str)}:
        for path in sorted(folder.iterdir()):
            if path.is_file() and path.suffix not in (".safetensors", ".bin"):
                try:
                    _check(path)
                except ValueError as error:
                    where = _address(repository, path.name)
                    raise DataUnavailable(f"{where}: {error}. {_REMEDY}") from error


def weights_of(hub: str) -> tuple[str, tuple[str, ...]]:
    """Repository and files of a tag's `hub` entry in open_clip: ``owner/model/`` or with a file."""
    repository, _, file = hub.rpartition("/")
    if not file:
        return repository, WEIGHTS
    stem, _, ending = file.rpartition(".")
    return repository, (f"{stem}.safetensors", file) if ending in ("bin", "pth") else (file,)


def _check(path: Path) -> None:
    """Delete `path` and raise `ValueError` unless its content has the checksum it is stored by."""
    blob = path.resolve()
    known = blob.name
    if not _CHECKSUM.fullmatch(known):
        return
    found = file_sha256(blob) if len(known) == 64 else _git_sha1(blob.read_bytes())
    if found != known:
        path.unlink()
        blob.unlink(missing_ok=True)
        raise ValueError(
            f"what came is not the file that the server announced (checksum {known}, got {found}); "
            f"it was deleted"
        )


def _git_sha1(content: bytes) -> str:
    head = f"blob {len(content)}\0".encode()
    return hashlib.sha1(head + content, usedforsecurity=False).hexdigest()


def _address(repository: str, name: str) -> str:
    from huggingface_hub import hf_hub_url

    return hf_hub_url(repository, name)


def _in_words(error: BaseException) -> str:
    """The first cause of `error` in one line: the hub's library puts a guess above it."""
    from huggingface_hub.errors import RepositoryNotFoundError

    *_, first = _causes(error)
    line = (str(first).splitlines() or [""])[0].rstrip(".") or type(first).__name__
    if any(isinstance(one, RepositoryNotFoundError) for one in _causes(error)):
        return f"{line} (there is no such repository, or it asks for a token: HF_TOKEN)"
    return f"{line}{asks_to_wait(first)}"


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__
