"""Execute the book's pages two at a time into the cache that the build reads.

    python tools/execute_pages.py [--workers 2] [notebooks/page.md …]

Sphinx executes one page after the other. Here every page of the table of contents whose outputs
are not in the cache is executed first, the longest ones before the others, each worker with one
thread and kernels that are forked from one that has its imports. Pages that measure time run alone,
after all others, in kernels of their own. A page that fails is named with its traceback, and the
others still run. Pages that are named are executed whether their outputs are known or not.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
import traceback
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import yaml
from jupyter_cache import get_cache
from jupyter_cache.base import CacheBundleIn
from jupyter_cache.executors.utils import single_nb_execution
from myst_nb.core.read import myst_nb_reader_plugin
from sphinx_external_toc.parsing import parse_toc_yaml

from forked_kernels import forked_kernels

ROOT = Path(__file__).resolve().parent.parent
CACHE = ROOT / "_build" / ".jupyter_cache"
# Nothing may run beside what these measure.
TIMED = ("book/production", "notebooks/exact_robustness", "notebooks/speed")
LONGEST_FIRST = (
    "real_models",
    "mixed_galleries",
    "real_changes",
    "two_clusters",
    "closing_it",
    "compressed_indexes",
    "trade_off",
    "scores",
    "groups",
)


def pages() -> list[Path]:
    """Every file of the table of contents that has cells to execute."""
    files = [ROOT / f"{name}.md" for name in parse_toc_yaml(ROOT / "_toc.yml")]
    return [file for file in files if "{code-cell}" in file.read_text(encoding="utf-8")]


def in_toc(page: Path) -> str:
    """The name of `page` in the table of contents."""
    return page.relative_to(ROOT).with_suffix("").as_posix()


def rank(page: Path) -> int:
    """Where `page` stands in the queue."""
    return LONGEST_FIRST.index(page.stem) if page.stem in LONGEST_FIRST else len(LONGEST_FIRST)


def execute(page: Path, timeout: int) -> tuple[Any, float, str]:
    """The executed notebook of `page`, the seconds it took, and the traceback if it failed."""
    notebook = myst_nb_reader_plugin(str(page))
    how = {"timeout": timeout, "allow_errors": False, "meta_override": True}
    try:
        with nullcontext() if in_toc(page) in TIMED else forked_kernels():
            result = single_nb_execution(notebook, cwd=str(page.parent), **how)
    except Exception:  # a kernel that died, for want of memory say, is this page's failure alone
        return notebook, 0.0, traceback.format_exc()
    return notebook, result.time or 0.0, result.exc_string or ""


def main() -> int:
    """Fill the cache; the number of pages that failed, at most 1, is the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    parser.add_argument("pages", nargs="*", type=Path, help="these alone, known or not")
    options = parser.parse_args()
    named = [page.resolve() for page in options.pages]
    known = pages()
    for page in named:
        if page not in known:
            parser.error(f"{page}: expected a page of _toc.yml that has cells to execute")

    sys.path.insert(0, str(ROOT / "book" / "_ext"))
    from book_freshness import drop_stale, in_the_book

    in_the_book()
    drop_stale(ROOT, CACHE)
    timeout = int(
        yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf-8"))["execute"]["timeout"]
    )
    cache = get_cache(CACHE)

    def missing(page: Path) -> bool:
        try:
            cache.match_cache_notebook(myst_nb_reader_plugin(str(page)))
        except KeyError:
            return True
        return False

    wanted = named or [page for page in known if missing(page)]
    alone = [page for page in wanted if in_toc(page) in TIMED]
    beside = sorted((page for page in wanted if page not in alone), key=rank)
    failed = 0

    def keep(page: Path, notebook: Any, seconds: float, error: str) -> int:
        if error:
            print(f"{page.relative_to(ROOT)} failed\n{error}", file=sys.stderr, flush=True)
            return 1
        print(f"{page.relative_to(ROOT)}: {seconds:.0f} s", flush=True)
        bundle = CacheBundleIn(notebook, str(page), data={"execution_seconds": seconds})
        cache.cache_notebook_bundle(bundle, check_validity=False, overwrite=True)
        return 0

    start = time.perf_counter()
    threads = os.environ.get("OMP_NUM_THREADS")
    os.environ["OMP_NUM_THREADS"] = threads or "1"
    with ProcessPoolExecutor(options.workers) as pool:
        runs = {pool.submit(execute, page, timeout): page for page in beside}
        for run in as_completed(runs):
            failed += keep(runs[run], *run.result())
    if threads is None:
        del os.environ["OMP_NUM_THREADS"]
    for page in alone:
        failed += keep(page, *execute(page, timeout))
    print(f"{len(wanted)} pages executed in {time.perf_counter() - start:.0f} s")
    return min(failed, 1)


if __name__ == "__main__":
    raise SystemExit(main())
