"""Reading files that others made: whatever goes wrong there is one error, with file and place."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import zipfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Any

Path_ = str | os.PathLike[str]

REMEDY = "Copy it again, or make it anew"
_LONGEST = 300
_LAST_RECORD = 22  # bytes of a zip file's, before its comment
_COUNTED_ELSEWHERE = 0xFFFF  # of more members than it can count
_SYSTEMS_OWN = (
    "__MACOSX", "__pycache__", "@eaDir", "Thumbs.db", "desktop.ini", "$RECYCLE.BIN", "lost+found",
    "System Volume Information",
)  # fmt: skip
_HALVES = re.compile(rb"\\u[dD][89a-fA-F]")


def named_place(argument: str, path: Path_) -> Path:
    """`path` as one, with ``~`` as the user's own folder.

    Raises `TypeError` or `ValueError` naming the `argument` if it is none, or empty.
    """
    if not isinstance(path, (str, os.PathLike)):
        raise TypeError(f"{argument}: expected a path, got {type(path).__name__}")
    if not os.fspath(path) or "\0" in str(path):
        raise ValueError(f"{argument}: expected a file or a folder, got {path!r}")
    return Path(os.path.expanduser(path))  # noqa: PTH111 - "~x.npy" is a file if there is no user x


class UnreadableFile(ValueError):
    """A file is damaged, cut short, of another kind, or declares what cannot be.

    The message names the file, the place in it, the reason, and what to do about it.
    """


@dataclass
class Reading:
    """A file being read: set `place` to where in it the reader is, as "line 3" or "array 'x'"."""

    subject: str
    what: str
    remedy: str
    place: str = ""

    def fault(self, reason: BaseException | str) -> UnreadableFile:
        """The error that says `reason`."""
        at = f", {self.place}" if self.place else ""
        return UnreadableFile(
            f"{self.subject} is not {self.what}{at}: {in_words(reason)}. {self.remedy}"
        )


@contextmanager
def reading(
    file: Path_, what: str, *, argument: str = "", remedy: str = REMEDY
) -> Iterator[Reading]:
    """Turn whatever goes wrong in the block into an `UnreadableFile` about `file`.

    `what` completes "is not …", as "a whole .npz file"; `argument` is the argument that named the
    file. What names its file already stays as it is: the system's refusals to open it, a library
    that is not installed, and errors of a block within.

    >>> with reading("notes.json", "whole JSON") as at:
    ...     at.place = "line 2"
    ...     raise KeyError("images")
    Traceback (most recent call last):
    gaputils._reading.UnreadableFile: notes.json is not whole JSON, line 2: KeyError: 'images'. \
Copy it again, or make it anew
    """
    at = Reading(f"{argument}: {file}" if argument else str(file), what, remedy)
    try:
        yield at
    except (UnreadableFile, FileNotFoundError, ModuleNotFoundError):
        raise
    except OSError as error:
        if error.filename is not None:
            raise
        raise at.fault(error) from error
    except Exception as error:
        raise at.fault(error) from error


def in_words(reason: BaseException | str) -> str:
    """`reason` in one line, with the kind of error where its text alone says too little."""
    if isinstance(reason, MemoryError):
        return "it asks for more memory than there is"
    if isinstance(reason, RecursionError):
        return "it is nested too deeply"
    if isinstance(reason, UnicodeDecodeError):
        line = bytes(reason.object[: reason.start]).count(b"\n") + 1
        byte = reason.object[reason.start]
        return f"line {line} holds the byte 0x{byte:02x}, which is no UTF-8; save it as UTF-8"
    text = " ".join(str(reason).split()).rstrip(".")
    text = text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"
    plain = isinstance(reason, (str, ValueError, OSError))
    return text if plain and text else f"{type(reason).__name__}: {text}".removesuffix(": ")


def require_sums(path: Path) -> None:
    """Raise `ValueError` if `path` is a zip file and a member is not that of its checksum.

    PyTorch does not look at them.
    """
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            require_members(path, archive)
            changed = archive.testzip()
        if changed is not None:
            raise ValueError(f"the checksum of {changed!r} in it is not the one recorded")


def require_members(path: Path, archive: zipfile.ZipFile) -> None:
    """Raise `ValueError` unless the zip file `path` lists as many members as its last record says.

    Python's module compares them not: of what a damaged entry has swallowed it says nothing.
    """
    with path.open("rb") as file:
        file.seek(-_LAST_RECORD - len(archive.comment), os.SEEK_END)
        told = int.from_bytes(file.read(_LAST_RECORD)[10:12], "little")
    found = len(archive.infolist())
    if told not in (found, _COUNTED_ELSEWHERE):
        raise ValueError(f"it lists {found} members, and its last record says {told}")


def read_text(path: Path, what: str = "a text in UTF-8", *, argument: str = "") -> str:
    """The UTF-8 text in `path`, without a byte order mark, line ends as they are."""
    with reading(path, what, argument=argument):
        return path.read_bytes().decode("utf-8-sig")


def lines_of(text: str) -> list[str]:
    """The lines of `text`, without their ends: only line feeds part them (and CR before one).

    >>> lines_of("one\\r\\ntwo\\u2028still two")
    ['one', 'two\\u2028still two']
    """
    return [line.removesuffix("\r") for line in text.removesuffix("\n").split("\n")]


def shown(path: PurePath) -> bool:
    """Whether `path`, within a folder or an archive, is none that a system keeps for itself."""
    hidden = (part.startswith(".") and part != ".." for part in path.parts)
    return not any(hidden) and not any(part in _SYSTEMS_OWN for part in path.parts)


def texts(values: Iterable[Any]) -> list[str]:
    """`values`, all of which are texts; raises `TypeError` for one that is none."""
    found = list(values)
    for value in found:
        if not isinstance(value, str):
            raise TypeError(f"expected a text, got {value!r}")
    return found


def parse_json(text: str | bytes) -> Any:
    """The JSON in `text`; raises `ValueError` also for a key twice and for half a character.

    >>> parse_json('{"caption": "a cat", "caption": "a dog"}')
    Traceback (most recent call last):
    ValueError: the key 'caption' is there twice
    """
    found = json.loads(text, object_pairs_hook=_once_each)
    if _HALVES.search(text.encode() if isinstance(text, str) else text):
        json.dumps(found, ensure_ascii=False).encode()
    return found


def _once_each(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"the key {twice!r} is there twice")
    return found


def read_json(path: Path) -> Any:
    """The JSON in `path`."""
    text = read_text(path, "whole JSON")
    with reading(path, "whole JSON"):
        return parse_json(text)


def read_json_lines(path: Path) -> list[dict[str, Any]]:
    """The JSON objects in `path`, one a line; empty lines are passed over."""
    text = read_text(path, "a file of JSON lines")
    found = []
    with reading(path, "a file of JSON lines") as at:
        for number, line in enumerate(lines_of(text)):
            at.place = f"line {number + 1}"
            if line.strip():
                row = parse_json(line)
                if not isinstance(row, dict):
                    raise ValueError("it is no JSON object")
                found.append(row)
    return found


def read_csv(path: Path) -> list[dict[str, str]]:
    """The rows of the CSV file `path` by its first line's names."""
    text = read_text(path, "a CSV file")
    with reading(path, "a CSV file", remedy="Is a quotation mark left open?") as at:
        at.place, found, head = "line 1", list[dict[str, str]](), list[str]()
        rows = csv.reader(io.StringIO(text, newline=""))
        for cells in rows:
            names = [cell for cell in cells if cell]
            if not head and len(set(names)) < len(names):
                raise at.fault(f"two columns have the same name, of {cells}")
            if head and cells and len(cells) != len(head):
                raise at.fault(f"it has {len(cells)} cells, the first line {len(head)}")
            if head and cells:
                found.append(dict(zip(head, cells, strict=True)))
            head = head or cells
            at.place = f"line {rows.line_num + 1}"
    return found
