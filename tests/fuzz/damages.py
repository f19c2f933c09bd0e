"""Ways to damage a file: its bytes, its numbers and names, and what its own checksums cover."""

from __future__ import annotations

import io
import json
import re
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st

Draw = Callable[[st.SearchStrategy[Any]], Any]

NUMBERS = (0, 1, -1, 2**15, 2**31 - 1, -(2**31), 2**32 - 1, 2**40, 2**62, 2**63 - 1, -(2**63))
WORDS = (b"99999999999999", b"-1", b"", b"0", b"1e999", b"NaN", b"(((((", b"{", b"\xff\xfe", b"\0")
JSON = st.recursive(
    st.none() | st.booleans() | st.sampled_from(NUMBERS) | st.floats() | st.text(max_size=6),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3)
    ),
    max_leaves=5,
)  # fmt: skip


@st.composite
def damaged(draw: Draw, content: bytes) -> bytes:
    """`content` after one to four accidents."""
    for _ in range(draw(st.integers(1, 4))):
        content = draw(st.sampled_from(ACCIDENTS))(draw, content)
    return content


def _place(draw: Draw, content: bytes) -> int:
    """Anywhere, but often near the beginning or the end, where formats keep what they say."""
    near = st.integers(0, min(200, len(content)))
    return min(
        len(content),
        draw(st.one_of(near, near.map(lambda n: len(content) - n), st.integers(0, len(content)))),
    )


def _span(draw: Draw, content: bytes) -> tuple[int, int]:
    start = _place(draw, content)
    return start, min(len(content), start + draw(st.integers(1, 64)))


def _flip(draw: Draw, content: bytes) -> bytes:
    start = _place(draw, content)
    changed = bytearray(content)
    for offset in range(draw(st.integers(1, 3))):
        if start + offset < len(changed):
            changed[start + offset] ^= draw(st.integers(1, 255))
    return bytes(changed)


def _cut(draw: Draw, content: bytes) -> bytes:
    return content[: _place(draw, content)]


def _remove(draw: Draw, content: bytes) -> bytes:
    start, end = _span(draw, content)
    return content[:start] + content[end:]


def _repeat(draw: Draw, content: bytes) -> bytes:
    start, end = _span(draw, content)
    return content[:end] + content[start:end] * draw(st.integers(1, 3)) + content[end:]


def _fill(draw: Draw, content: bytes) -> bytes:
    start, end = _span(draw, content)
    byte = draw(st.binary(max_size=1) | st.just(b"\xff"))
    return content[:start] + byte * (end - start) + content[end:]


def _insert(draw: Draw, content: bytes) -> bytes:
    start = _place(draw, content)
    return content[:start] + draw(st.binary(min_size=1, max_size=16)) + content[start:]


def _number(draw: Draw, content: bytes) -> bytes:
    """Another number in a field of 2, 4 or 8 bytes, of either order."""
    start = _place(draw, content)
    size, order = draw(st.sampled_from([2, 4, 8])), draw(st.sampled_from(["little", "big"]))
    value = draw(st.sampled_from(NUMBERS)) % 256**size
    return content[:start] + value.to_bytes(size, order) + content[start + size :]


def _word(draw: Draw, content: bytes) -> bytes:
    """Another word in the place of a number or a name."""
    found = list(re.finditer(rb"[0-9]+|[A-Za-z_]{3,}|[\[\]{}(),:'\"]", content[:4000]))
    if not found:
        return _flip(draw, content)
    match = found[draw(st.integers(0, len(found) - 1))]
    word = draw(st.sampled_from(WORDS) | st.sampled_from(found).map(lambda other: other[0]))
    return content[: match.start()] + word + content[match.end() :]


ACCIDENTS = (_flip, _cut, _remove, _repeat, _fill, _insert, _number, _word)


def changed_json(draw: Draw, value: Any) -> Any:
    """`value` with another value, or none, somewhere within it."""
    if isinstance(value, (dict, list)) and value and draw(st.integers(0, 4)):
        keys = list(value) if isinstance(value, dict) else list(range(len(value)))
        key = draw(st.sampled_from(keys))
        copy = value.copy()
        if draw(st.integers(0, 5)):
            copy[key] = changed_json(draw, value[key])
        else:
            del copy[key]
        return copy
    return draw(JSON)


@st.composite
def in_json(draw: Draw, content: bytes) -> bytes:
    """A JSON file that is whole and says something else."""
    return json.dumps(changed_json(draw, json.loads(content))).encode()


@st.composite
def in_json_lines(draw: Draw, content: bytes) -> bytes:
    lines = content.decode().splitlines()
    row = draw(st.integers(0, len(lines) - 1))
    lines[row] = json.dumps(changed_json(draw, json.loads(lines[row])))
    return "\n".join(lines).encode()


@st.composite
def in_manifest(draw: Draw, content: bytes) -> bytes:
    """A manifest whose fingerprint fits what else it says."""
    from gaputils.storage._manifest import Manifest

    manifest = changed_json(draw, json.loads(content))
    if isinstance(manifest, dict):
        own = ("complete", "fingerprint", "shards")
        described = {key: value for key, value in manifest.items() if key not in own}
        manifest["fingerprint"] = Manifest(described, ()).fingerprint
    return json.dumps(manifest).encode()


@st.composite
def in_safetensors(draw: Draw, content: bytes) -> bytes:
    """A safetensors file whose header has the length it says, and says something else."""
    size = struct.unpack("<Q", content[:8])[0]
    header = json.loads(content[8 : 8 + size])
    metadata = header.get("__metadata__", {})
    if "gaputils" in metadata and draw(st.booleans()):
        own = json.loads(metadata["gaputils"])
        key = draw(st.sampled_from(sorted(own)))
        try:
            inner = json.dumps(changed_json(draw, json.loads(own[key])))
        except ValueError:
            inner = draw(st.text(max_size=8))
        metadata["gaputils"] = json.dumps({**own, key: inner})
    else:
        header = changed_json(draw, header)
    packed = json.dumps(header).encode()
    return struct.pack("<Q", len(packed)) + packed + content[8 + size :]


@st.composite
def in_zip(draw: Draw, content: bytes) -> bytes:
    """An archive with right checksums, one of whose members is damaged."""
    stream = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(stream, "w") as new:
        names = old.namelist()
        spoilt = draw(st.sampled_from(names))
        for name in names:
            member = old.read(name)
            new.writestr(name, draw(damaged(member)) if name == spoilt else member)
    return stream.getvalue()


@st.composite
def in_tar(draw: Draw, content: bytes) -> bytes:
    """A tar file whose headers' checksums fit."""
    changed = bytearray(draw(damaged(content)))
    for start in range(0, len(changed) - 511, 512):
        block = changed[start : start + 512]
        if block[257:262] == b"ustar":
            signed, _ = tarfile.calc_chksums(bytes(block))
            changed[start + 148 : start + 156] = f"{signed:06o}\0 ".encode()
    return bytes(changed)


@st.composite
def in_png(draw: Draw, content: bytes) -> bytes:
    """A PNG whose chunks' checksums fit."""
    chunks, place = [], 8
    while place + 12 <= len(content):
        size = struct.unpack(">I", content[place : place + 4])[0]
        chunks.append(content[place + 4 : place + 8 + size])
        place += size + 12
    spoilt = draw(st.integers(0, len(chunks) - 1))
    chunks[spoilt] = draw(damaged(chunks[spoilt]))
    packed = [
        struct.pack(">I", max(0, len(chunk) - 4)) + chunk + struct.pack(">I", zlib.crc32(chunk))
        for chunk in chunks
    ]
    return content[:8] + b"".join(packed)
