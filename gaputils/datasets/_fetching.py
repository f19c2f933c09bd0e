"""Files from the network: from their own address or a mirror, by checksum, in one step."""

from __future__ import annotations

import os
import re
from pathlib import Path
from urllib.parse import urlsplit

from gaputils._extras import require_extra
from gaputils._files import replacing
from gaputils._reading import in_words, lines_of, read_text
from gaputils.datasets.base import DataUnavailable

MIRROR, CHECKSUMS = "GAPUTILS_MIRROR", "GAPUTILS_MIRROR_CHECKSUMS"
TIMEOUT = 30.0
"""Seconds without a byte after which a server counts as gone."""

_LINE = re.compile(r"([0-9a-f]{64}) [ *](\S.*)")


def fetch(name: str, url: str, checksum: str, target: Path, remedy: str = "") -> Path:
    """`target`, of the data set `name`: as it is if it has the `checksum`, else fetched from `url`.

    `checksum` is "sha256:…" or "md5:…". With `$GAPUTILS_MIRROR` the file at ``https://HOST/PATH``
    comes from ``$GAPUTILS_MIRROR/HOST/PATH``, and is still checked against the published checksum:
    only a file that `$GAPUTILS_MIRROR_CHECKSUMS`, a file on this machine as ``sha256sum`` writes
    it, lists as ``HOST/PATH`` is checked against that line.

    Raises `DataUnavailable`, which names file, address and `remedy`, and leaves what was there.
    """
    require_extra("data", f"fetching {name}", "pooch")
    import pooch

    address, checksum = _mirrored(url, checksum)
    kind, _, digest = checksum.partition(":")
    shown = {"sha256": "SHA-256", "md5": "MD5"}[kind]
    try:
        if target.is_file() and pooch.file_hash(str(target), alg=kind) == digest:
            return target
        target.parent.mkdir(parents=True, exist_ok=True)
        with replacing(target) as part:
            pooch.HTTPDownloader(timeout=TIMEOUT)(address, str(part), None)
            found = pooch.file_hash(str(part), alg=kind)
            if found != digest:
                raise ValueError(f"the hash of what came, {found}, does not match")
    except (OSError, ValueError) as error:
        raise DataUnavailable(
            f"{name}: {target} is missing or not the published file ({shown} {digest}), and "
            f"fetching {address} failed: {in_words(error)}{asks_to_wait(error)}. Try again, "
            f"name another server in {MIRROR}, or put the file there yourself{remedy}."
        ) from error
    return target


def _mirrored(url: str, checksum: str) -> tuple[str, str]:
    """Where `url` is fetched from, and what it is checked against."""
    mirror, listed = os.environ.get(MIRROR, ""), os.environ.get(CHECKSUMS, "")
    if listed and not mirror:
        raise ValueError(f"{CHECKSUMS}: it tells of a mirror's files, and {MIRROR} names no mirror")
    if not mirror:
        return url, checksum
    if urlsplit(mirror).scheme not in ("http", "https") or not urlsplit(mirror).netloc:
        raise ValueError(f"{MIRROR}: expected an address http://… or https://…, got {mirror!r}")
    place = "".join(urlsplit(url)[1:3])
    own = _read(Path(listed)).get(place) if listed else None
    return f"{mirror.rstrip('/')}/{place}", checksum if own is None else f"sha256:{own}"


def _read(path: Path) -> dict[str, str]:
    """The SHA-256 of each file that the list at `path` names."""
    found = {}
    for number, line in enumerate(lines_of(read_text(path)), 1):
        parts = _LINE.fullmatch(line)
        if parts is None:
            raise ValueError(f"{path}: line {number}: expected a SHA-256, two spaces and a name")
        found[parts[2]] = parts[1]
    return found


def asks_to_wait(error: BaseException) -> str:
    """How long a server that refuses for now wants to be left alone."""
    asked = getattr(getattr(error, "response", None), "headers", {}).get("Retry-After")
    return f" (the server asks to wait {asked} s)" if asked else ""
