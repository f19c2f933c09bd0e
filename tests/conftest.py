"""Options and skips shared by all tests."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import settings

if TYPE_CHECKING:
    from torch import Tensor

    from gaputils import Embeddings

ROOT = Path(__file__).resolve().parents[1]
BESIDE = ROOT.parent / "shared" / "embeddings"

# Matplotlib opens no window, the model hub is never asked.
os.environ.setdefault("MPLBACKEND", "Agg")
os.environ.setdefault("HF_HUB_OFFLINE", "1")


# The short run draws the same examples every time; the nightly one looks for new ones. A few are
# enough where the same tests are run a thousand times, under mutation. No example is
# timed: on a busy machine that says nothing about the code.
settings.register_profile("short", derandomize=True, deadline=None)
settings.register_profile("few", derandomize=True, max_examples=25, deadline=None)
settings.register_profile("long", deadline=None)


def pytest_configure(config: pytest.Config) -> None:
    """Choose how hypothesis draws."""
    usual = "long" if config.getoption("--nightly") else "short"
    settings.load_profile(config.getoption("--hypothesis-profile") or usual)


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--nightly` runs the long tests too."""
    parser.addoption("--nightly", action="store_true", help="run the tests marked nightly too")


# Files whose tests take minutes: begun first, they leave no worker alone at the end.
LONGEST_FIRST = (
    "tests/browser/test_site.py",
    "tests/book/test_pages.py",
    "tests/test_faults.py",
    "tests/test_reproducibility.py",
    "tests/test_wheel.py",
    "tests/tools/test_weight.py",
)


def _rank(item: pytest.Item) -> int:
    place = item.nodeid.partition("::")[0]
    return LONGEST_FIRST.index(place) if place in LONGEST_FIRST else len(LONGEST_FIRST)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Begin with the longest; skip, with the reason, what this machine or this run cannot do."""
    import torch

    items.sort(key=_rank)

    skips = {
        "gpu": None if torch.cuda.is_available() else "there is no CUDA device",
        "network": None if os.environ.get("GAPUTILS_NETWORK") else "GAPUTILS_NETWORK is not set",
        "nightly": None if config.getoption("--nightly") else "runs with --nightly",
    }
    for item in items:
        for name, reason in skips.items():
            if reason and item.get_closest_marker(name):
                item.add_marker(pytest.mark.skip(reason=reason))


@pytest.fixture(scope="session", autouse=True)
def _cache() -> None:
    """Point the published loader at the copy beside the checkout, if there is one."""
    if "GAPUTILS_CACHE" not in os.environ and BESIDE.is_dir():
        os.environ["GAPUTILS_CACHE"] = str(BESIDE)


@pytest.fixture(scope="session")
def published() -> Callable[[str], Embeddings]:
    """`published(name)` gives published embeddings, or skips where their file is not at hand."""
    from gaputils import datasets

    def load(name: str) -> Embeddings:
        _skip_unless_stored(name)
        return datasets.published(name)

    return load


@pytest.fixture(scope="session")
def published_rows() -> Callable[..., tuple[Tensor, dict[str, Any]]]:
    """`published_rows(name)`, or a skip where its files are not at hand."""
    from gaputils import datasets

    def load(name: str, **options: Any) -> tuple[Tensor, dict[str, Any]]:
        _skip_unless_stored(name)
        return datasets.published_rows(name, **options)

    return load


def _skip_unless_stored(name: str) -> None:
    from gaputils.datasets.published import stored_files

    for path in stored_files(name):
        if not path.is_file():
            pytest.skip(f"{name}: there is no {path}")


@contextmanager
def _threads(count: int) -> Iterator[None]:
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@pytest.fixture(scope="session")
def with_threads() -> Callable[[int], AbstractContextManager[None]]:
    """`with with_threads(n):` does its arithmetic on `n` threads."""
    return _threads


@pytest.fixture(scope="module")
def one_thread() -> Iterator[None]:
    """Arithmetic on one thread, for as long as a module's tests last."""
    with _threads(1):
        yield


@pytest.fixture
def three_threads() -> Iterator[None]:
    """Arithmetic on three threads, whatever the machine has, for one test."""
    with _threads(3):
        yield
