"""Ways to damage a file, whatever it is: its bytes, its numbers and names.

Each takes a source of chance and the whole content. Hypothesis gives a source that it can shrink;
`many.py` gives a seeded one, which is ten times as fast.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from random import Random

Damage = Callable[[Random, bytes], bytes]

NUMBERS = (0, 1, -1, 2**15, 2**31 - 1, -(2**31), 2**32 - 1, 2**40, 2**62, 2**63 - 1, -(2**63))
WORDS = (b"99999999999999", b"-1", b"", b"0", b"1e999", b"NaN", b"(((((", b"{", b"\xff\xfe", b"\0")


def damaged(random: Random, content: bytes) -> bytes:
    """`content` after one to four accidents."""
    for _ in range(random.randint(1, 4)):
        content = random.choice(ACCIDENTS)(random, content)
    return content


def _place(random: Random, content: bytes) -> int:
    """Anywhere, but often near the beginning or the end, where formats keep what they say."""
    near = random.randint(0, min(200, len(content)))
    return random.choice((near, len(content) - near, random.randint(0, len(content))))


def _span(random: Random, content: bytes) -> tuple[int, int]:
    start = _place(random, content)
    return start, min(len(content), start + random.randint(1, 64))


def _flip(random: Random, content: bytes) -> bytes:
    start = _place(random, content)
    changed = bytearray(content)
    for offset in range(random.randint(1, 3)):
        if start + offset < len(changed):
            changed[start + offset] ^= random.randint(1, 255)
    return bytes(changed)


def _cut(random: Random, content: bytes) -> bytes:
    return content[: _place(random, content)]


def _remove(random: Random, content: bytes) -> bytes:
    start, end = _span(random, content)
    return content[:start] + content[end:]


def _repeat(random: Random, content: bytes) -> bytes:
    start, end = _span(random, content)
    return content[:end] + content[start:end] * random.randint(1, 3) + content[end:]


def _fill(random: Random, content: bytes) -> bytes:
    start, end = _span(random, content)
    byte = random.choice((b"\xff", random.randbytes(1), b""))
    return content[:start] + byte * (end - start) + content[end:]


def _insert(random: Random, content: bytes) -> bytes:
    start = _place(random, content)
    return content[:start] + random.randbytes(random.randint(1, 16)) + content[start:]


def _number(random: Random, content: bytes) -> bytes:
    """Another number in a field of 2, 4 or 8 bytes, of either order."""
    start = _place(random, content)
    size, order = random.choice([2, 4, 8]), random.choice(["little", "big"])
    value = random.choice(NUMBERS) % 256**size
    return content[:start] + value.to_bytes(size, order) + content[start + size :]


def _word(random: Random, content: bytes) -> bytes:
    """Another word in the place of a number or a name."""
    found = list(re.finditer(rb"[0-9]+|[A-Za-z_]{3,}|[\[\]{}(),:'\"]", content[:4000]))
    if not found:
        return _flip(random, content)
    match = found[random.randint(0, len(found) - 1)]
    word = random.choice((random.choice(WORDS), random.choice(found)[0]))
    return content[: match.start()] + word + content[match.end() :]


ACCIDENTS = (_flip, _cut, _remove, _repeat, _fill, _insert, _number, _word)
