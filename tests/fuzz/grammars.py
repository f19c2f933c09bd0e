"""Ways to damage what a file says: its grammar stays, and its checksums fit."""

from __future__ import annotations

import io
import json
import re
import struct
import tarfile
import zipfile
import zlib
from random import Random
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as parquet
from damages import NUMBERS, damaged

TEXTS = ("", "a", "0", "\0", "é", "\u2028", "../x", "/", "nan", "int64", "[" * 2000)
FLOATS = (0.0, -0.0, 0.5, 1e300, -1e-300, float("nan"), float("inf"), float("-inf"))
TYPES = ("<f4", ">f4", "<f8", "<f2", "<i8", "|b1", "<c8", "|S4", "<U4", "|V4", "<M8[ns]", "|O",
         [("a", "<f4"), ("b", "<i4")], "<f16", "|u1", "<f4,<f4", "x", "", ">U0")  # fmt: skip
RUN = "damaged_files_were_run"
PICKLES = (
    b"cos\nsystem\n(S'touch " + RUN.encode() + b"'\ntR.",
    b"\x80\x04cbuiltins\nexec\n(X\x10\x00\x00\x00raise SystemExit\x85R.",
    b"\x80\x02cbuiltins\neval\nX\x0c\x00\x00\x00__import__(1)\x85R.",
    b"cnumpy\nload\n(S'x'\ntR.", b"\x80\x02]q\x00.", b"\x80\x02}q\x00(X\x01\x00\x00\x00aK\x01u.",
)  # fmt: skip
MEANT = (b"on", b"no", b"y", b"~", b"null", b"1e3", b"0o7", b"010", b".inf", b"-.INF", b".nan",
         b"2024-01-02", b"12:30", b"1_000", b"!!python/object/apply:os.system [x]", b"*a", b"&a b",
         b"<<", b"|", b"? a", b"'", b'"', b"\xff", b"\xef\xbb\xbf", b"\xe2\x80\xa8", b"\r", b"\t",
         b"{}", b"[]", b"[1, [2]]", b"{a: {b: 1}}", b"9" * 5000, b"0x" + b"f" * 40, b"%",
         b"@")  # fmt: skip
NAMES = ("targets", "__index_level_0__", "label", "", "owners")
CELLS = (None, [], [None], [1.0], "a", b"a", 2**62, True, 1.5, {"a": 1}, [[1.0]], float("nan"))


def changed_json(random: Random, value: Any) -> Any:
    """`value` with another value, or none, somewhere within it."""
    if isinstance(value, (dict, list)) and value and random.randint(0, 4):
        keys = list(value) if isinstance(value, dict) else list(range(len(value)))
        key = random.choice(keys)
        copy = value.copy()
        if random.randint(0, 5):
            copy[key] = changed_json(random, value[key])
        else:
            del copy[key]
        return copy
    return _json(random)


def in_json(random: Random, content: bytes) -> bytes:
    """A JSON file that is whole and says something else."""
    return json.dumps(changed_json(random, json.loads(content))).encode()


def in_json_lines(random: Random, content: bytes) -> bytes:
    lines = content.decode().splitlines()
    row = random.randint(0, len(lines) - 1)
    lines[row] = json.dumps(changed_json(random, json.loads(lines[row])))
    return "\n".join(lines).encode()


def in_manifest(random: Random, content: bytes) -> bytes:
    """A manifest whose fingerprint fits what else it says."""
    from gaputils.storage._manifest import Manifest

    manifest = changed_json(random, json.loads(content))
    if isinstance(manifest, dict):
        own = ("complete", "fingerprint", "shards")
        described = {key: value for key, value in manifest.items() if key not in own}
        manifest["fingerprint"] = Manifest(described, ()).fingerprint
    return json.dumps(manifest).encode()


def in_safetensors(random: Random, content: bytes) -> bytes:
    """A safetensors file whose header has the length it says, and says something else."""
    size = struct.unpack("<Q", content[:8])[0]
    header = json.loads(content[8 : 8 + size])
    metadata = header.get("__metadata__", {})
    if "gaputils" in metadata and random.randint(0, 1):
        own = json.loads(metadata["gaputils"])
        key = random.choice(sorted(own))
        try:
            inner = json.dumps(changed_json(random, json.loads(own[key])))
        except ValueError:
            inner = _text(random)
        metadata["gaputils"] = json.dumps({**own, key: inner})
    else:
        header = changed_json(random, header)
    packed = json.dumps(header).encode()
    return struct.pack("<Q", len(packed)) + packed + content[8 + size :]


def in_zip(random: Random, content: bytes) -> bytes:
    """An archive with right checksums, one of whose members is damaged, renamed, twice or gone."""
    stream = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(stream, "w") as new:
        members = {name: old.read(name) for name in old.namelist()}
        spoilt = random.choice(list(members))
        method = random.choice([zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED] * 9 + [zipfile.ZIP_LZMA])
        other = random.choice(("queries.npy", "labels.npy", "../x.npy", "x", "a/", "targets.npy"))
        kind = random.randint(0, 6)
        for name, member in members.items():
            if name != spoilt:
                new.writestr(name, member, method)
            elif kind < 4:
                within = in_npy if name.endswith(".npy") and kind < 3 else damaged
                new.writestr(name, within(random, member), method)
            elif kind == 4:
                new.writestr(other, member, method)
            elif kind == 5:
                new.writestr(name, member, method)
                new.writestr(name, member[::-1], method)
    return stream.getvalue()


def in_npy(random: Random, content: bytes) -> bytes:
    """An array whose header is whole and says something else, or that holds a pickle."""
    array = np.load(io.BytesIO(content), allow_pickle=False)
    header = np.lib.format.header_data_from_array_1_0(array)
    kind, body = random.randint(0, 3), array.tobytes()
    if kind == 0:
        header["descr"] = random.choice(TYPES)
    elif kind == 1:
        header["shape"] = tuple(
            random.choice((*NUMBERS, 2, 3, 4, 6)) for _ in range(random.randint(0, 3))
        )
    elif kind == 2:
        header["fortran_order"] = random.choice((True, 1, None))
    else:
        header["descr"], body = "|O", random.choice(PICKLES)
    key, packed = random.choice(list(header)), f"{header!r}"
    if not random.randint(0, 3):
        packed = packed.replace(repr(header[key]), random.choice(("None", "[]", "0j", "('a',)")))
    version = random.choice((1, 1, 1, 2, 3, 9))
    size = struct.pack("<H" if version == 1 else "<I", len(packed))
    return b"\x93NUMPY" + bytes((version, 0)) + size + packed.encode() + body


def in_pickle(random: Random, content: bytes) -> bytes:
    """A pickle that would run something, alone or before the rest."""
    evil = random.choice(PICKLES)
    return evil + content if random.randint(0, 1) else damaged(random, evil)


def in_table(random: Random, table: Any) -> Any:
    """An Arrow table with a column of another kind, of other lengths, absent, twice or renamed."""
    place = random.randrange(table.num_columns)
    name, values = table.column_names[place], table.column(place).to_pylist()
    row, kind = random.randrange(max(1, len(values))), random.randint(0, 8)
    if kind == 0:
        return table.remove_column(place)
    if kind == 1:
        names = list(table.column_names)
        names[place] = random.choice(
            (*names, "targets", "__index_level_0__", "label", "", "owners")
        )
        return table.rename_columns(names)
    if kind == 2:
        return pa.concat_tables([table.slice(row), table.slice(0, row)])
    if kind == 3:
        return table.set_column(
            place, name, table.column(place).combine_chunks().dictionary_encode()
        )
    other: list[Any] = [
        None,
        [],
        [None],
        [1.0],
        "a",
        b"a",
        2**62,
        True,
        1.5,
        {"a": 1},
        [[1.0]],
        float("nan"),
    ]
    value = random.choice(other)
    changed = [value] * len(values) if kind == 4 else [*values[:row], value, *values[row + 1 :]]
    return table.set_column(place, name, pa.array(changed))


def in_parquet(random: Random, content: bytes) -> bytes:
    """A whole parquet file of another table."""
    stream = io.BytesIO()
    try:
        parquet.write_table(in_table(random, parquet.read_table(io.BytesIO(content))), stream)
    except (pa.ArrowException, OverflowError):
        return damaged(random, content)
    return stream.getvalue()


def in_arrow(random: Random, content: bytes) -> bytes:
    """A whole Arrow stream or file of another table."""
    stream, opened = io.BytesIO(), random.choice((pa.ipc.new_stream, pa.ipc.new_file))
    try:
        table = in_table(random, pa.ipc.open_stream(content).read_all())
        with opened(stream, table.schema) as file:
            file.write_table(table)
    except (pa.ArrowException, OverflowError):
        return damaged(random, content)
    return stream.getvalue()


def in_words(random: Random, content: bytes) -> bytes:
    """A text some of whose words are what languages of data read in their own way."""
    for _ in range(random.randint(1, 3)):
        words = list(re.finditer(rb"[^\s,:{}\[\]\"']+", content))
        if not words:
            return content
        match = random.choice(words)
        content = content[: match.start()] + random.choice(MEANT) + content[match.end() :]
    return content


def in_tar(random: Random, content: bytes) -> bytes:
    """A tar file whose headers' checksums fit."""
    changed = bytearray(damaged(random, content))
    for start in range(0, len(changed) - 511, 512):
        block = changed[start : start + 512]
        if block[257:262] == b"ustar":
            signed, _ = tarfile.calc_chksums(bytes(block))
            changed[start + 148 : start + 156] = f"{signed:06o}\0 ".encode()
    return bytes(changed)


def in_png(random: Random, content: bytes) -> bytes:
    """A PNG whose chunks' checksums fit."""
    chunks, place = [], 8
    while place + 12 <= len(content):
        size = struct.unpack(">I", content[place : place + 4])[0]
        chunks.append(content[place + 4 : place + 8 + size])
        place += size + 12
    spoilt = random.randint(0, len(chunks) - 1)
    chunks[spoilt] = damaged(random, chunks[spoilt])
    packed = [
        struct.pack(">I", max(0, len(chunk) - 4)) + chunk + struct.pack(">I", zlib.crc32(chunk))
        for chunk in chunks
    ]
    return content[:8] + b"".join(packed)


def _json(random: Random, depth: int = 2) -> Any:
    """Any value that JSON can hold, and those that only Python's writes."""
    kind = random.randint(0, 6 if depth else 4)
    if kind == 5:
        return [_json(random, depth - 1) for _ in range(random.randint(0, 3))]
    if kind == 6:
        return {_text(random): _json(random, depth - 1) for _ in range(random.randint(0, 3))}
    return (
        random.choice((None, True, False)),
        random.choice(NUMBERS),
        random.choice(FLOATS),
        random.randint(-9, 9),
        _text(random),
    )[kind]


def _text(random: Random) -> str:
    if random.randint(0, 1):
        return random.choice(TEXTS)
    return "".join(chr(random.randint(0, 0x2FF)) for _ in range(random.randint(0, 6)))
