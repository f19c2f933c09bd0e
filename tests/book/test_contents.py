"""The contents: one argument in few entries, every page in it, every old address leading on."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
toc_of = pytest.importorskip("sphinx_external_toc.parsing", reason="reads the contents")
LINK = re.compile(r"\]\(([\w./-]+)\.md(?:#[\w-]+)?\)")


def read(name: str) -> dict[str, Any]:
    told: dict[str, Any] = yaml.safe_load((ROOT / name).read_text(encoding="utf-8"))
    return told


PAGES = [str(name) for name in toc_of.parse_toc_yaml(ROOT / "_toc.yml")]


def test_the_argument_has_at_most_28_entries() -> None:
    parts = read("_toc.yml")["parts"]
    entries = 1 + sum(len(part["chapters"]) for part in parts)
    assert entries <= 28, "one entry too many: make the new page a section of another in _toc.yml"
    assert [part["caption"] for part in parts] == [
        "Start",
        "What it costs",
        "Where it comes from",
        "Real models",
        "In use",
        "Reference",
    ]


WRITTEN = [
    path.relative_to(ROOT).with_suffix("").as_posix()
    for folder in ("book", "notebooks")
    for path in (ROOT / folder).rglob("*.md")
]


@pytest.mark.parametrize("page", sorted({*WRITTEN, *PAGES} - {"notebooks/_template"}))
def test_every_page_is_in_the_contents(page: str) -> None:
    assert page in WRITTEN, f"_toc.yml: there is no {page}.md"
    assert page in PAGES, f"add {page} to _toc.yml, as a section of another page"


def test_old_addresses_lead_to_pages_that_exist() -> None:
    redirects = read("_config.yml")["sphinx"]["config"]["redirects"]
    for old, new in redirects.items():
        assert not (ROOT / f"{old}.md").exists(), old
        target = (ROOT / old).parent / new.partition("#")[0].replace(".html", ".md")
        assert target.is_file(), old


@pytest.mark.parametrize("page", PAGES)
def test_links_between_pages_lead_to_pages(page: str) -> None:
    source = ROOT / f"{page}.md"
    for link in LINK.findall(source.read_text(encoding="utf-8")):
        assert (source.parent / f"{link}.md").is_file(), link


# The ten-minute route of the front page: where each of its parts ends.
ROUTE = {
    "intro": "## Three ways through",
    "why_distance_hurts": "## Survival against",
    "your_own_embeddings": "## The lines to add",
}


def test_the_ten_minutes_are_ten_minutes() -> None:
    """At 200 words a minute, with half a minute for each figure and for each table."""
    words = looks = 0
    for name, end in ROUTE.items():
        page = (
            (ROOT / "notebooks" / f"{name}.md").read_text(encoding="utf-8").split("\n---\n", 1)[1]
        )
        read_part, found, _ = page.partition(end)
        assert found, f"{name}: expected a heading {end!r}, where the route ends"
        prose = re.sub(r"```\{code-cell\}.*?```", "", read_part, flags=re.DOTALL)
        prose = re.sub(r"\{glue:\w+\}`[^`]*`", "0", prose)  # read as one number
        captions = " ".join(re.findall(r"caption: (.*)", read_part))
        words += len(re.findall(r"[\w'’.]+", f"{prose} {captions}"))
        looks += len(re.findall(r"caption: |gu\.pages\.table\(|gu-lever", read_part))
    assert words / 200 + looks / 2 <= 10.5
