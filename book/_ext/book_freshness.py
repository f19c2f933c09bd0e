"""Executed pages are cached by their own text; this makes the package part of the key.

Whenever `gaputils`, the pinned versions or the Python environment change, the cache of executed
pages is dropped before anything is read, so that no page shows the output of older code.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from importlib.metadata import distributions
from pathlib import Path
from typing import Any

from sphinx.application import Sphinx


def fingerprint(root: Path) -> str:
    """A digest of the package's files, the constraints and the installed versions."""
    digest = hashlib.sha256()
    package = [
        p for p in (root / "gaputils").rglob("*") if p.is_file() and "__pycache__" not in str(p)
    ]
    for path in sorted([*package, root / "constraints.txt"]):
        if path.is_file():
            digest.update(path.relative_to(root).as_posix().encode())
            digest.update(path.read_bytes())
    versions = sorted({f"{d.metadata['Name']}=={d.version}" for d in distributions()})
    digest.update("\n".join(versions).encode())
    return digest.hexdigest()


def drop_stale(root: Path, cache: Path) -> None:
    """Remove the execution `cache` if it belongs to another state of the package."""
    stamp = cache.parent / ".gaputils-fingerprint"
    now = fingerprint(root)
    if not stamp.is_file() or stamp.read_text(encoding="utf-8") != now:
        shutil.rmtree(cache, ignore_errors=True)
        stamp.parent.mkdir(parents=True, exist_ok=True)
        stamp.write_text(now, encoding="utf-8")


def drop_stale_cache(app: Sphinx, config: Any) -> None:
    """Look after the cache before anything is read."""
    root = Path(app.srcdir)
    drop_stale(root, Path(config.nb_execution_cache_path or root / "_build" / ".jupyter_cache"))


def in_the_book() -> None:
    """Tell the pages that they run inside a build of the book."""
    os.environ["GAPUTILS_BOOK"] = "1"
    os.environ.setdefault("TQDM_DISABLE", "1")


def setup(app: Sphinx) -> dict[str, Any]:
    """Register with Sphinx."""
    in_the_book()
    app.connect("config-inited", drop_stale_cache, priority=1)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
