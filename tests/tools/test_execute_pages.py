"""Which pages run beside others, and that none of these looks at a clock."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from execute_pages import TIMED, in_toc, pages

PAGES = Path(__file__).resolve().parents[2] / "gaputils" / "pages"
CLOCK = re.compile(r"perf_counter|process_time|time\.monotonic|\btime\.time\b|\btimeit\b")
# What the pages of TIMED call, and the explorer, which tells its reader how long he has waited.
CLOCKS = {"exact_robustness/cost.py", "explorer/explorer.py", "speed/memory.py", "speed/timing.py"}


def test_what_runs_alone_is_a_page() -> None:
    assert set(TIMED) <= set(map(in_toc, pages()))


@pytest.mark.parametrize(
    "page", [page for page in pages() if in_toc(page) not in TIMED], ids=in_toc
)
def test_a_page_that_runs_beside_others_measures_no_time(page: Path) -> None:
    assert not CLOCK.search(page.read_text(encoding="utf-8"))


def test_only_what_timed_pages_call_has_a_clock() -> None:
    timed = {file for file in PAGES.rglob("*.py") if CLOCK.search(file.read_text(encoding="utf-8"))}
    assert {file.relative_to(PAGES).as_posix() for file in timed} == CLOCKS
