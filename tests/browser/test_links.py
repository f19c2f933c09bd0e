"""Every internal link and anchor of the built site leads somewhere."""

from __future__ import annotations

from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urldefrag, urljoin, urlsplit
from xml.etree import ElementTree

import pytest

from browser.conftest import WHOLE, leads_on

pytestmark = pytest.mark.browser

HOST = "http://site/modality-gap/"
PUBLIC = "https://gaputils.github.io/modality-gap/"
LINKING = {"a": "href", "link": "href", "img": "src", "script": "src", "source": "src"}


class Reader(HTMLParser):
    """Collects a page's anchors and the addresses it names."""

    def __init__(self) -> None:
        super().__init__()
        self.anchors: set[str] = set()
        self.links: list[str] = []
        self.meta: dict[str, str] = {}

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note what one element contributes."""
        told = {k: v or "" for k, v in attrs}
        self.anchors |= {told[k] for k in ("id", "name") if k in told}
        if told.get(LINKING.get(tag, "")):
            self.links.append(told[LINKING[tag]])
        if tag == "meta":
            self.meta[told.get("name") or told.get("property", "")] = told.get("content", "")


@pytest.fixture(scope="module")
def read(site: Path) -> dict[str, Reader]:
    """Every page of the site, parsed."""
    found = {}
    for path in sorted(site.rglob("*.html")):
        address = path.relative_to(site).as_posix()
        if address == WHOLE or address.startswith(("_static/", "_sources/")):
            continue
        if not leads_on(path):
            found[address] = Reader()
            found[address].feed(path.read_text(encoding="utf-8"))
    return found


def test_no_internal_link_or_anchor_is_broken(read: dict[str, Reader], site: Path) -> None:
    broken = []
    for address, page in read.items():
        for link in page.links:
            plain, fragment = urldefrag(urljoin(HOST + address, link))
            if not plain.startswith(HOST):
                continue
            inside = unquote(urlsplit(plain.removeprefix(HOST)).path) or "index.html"
            if not (site / inside).is_file():
                broken.append(f"{address} -> {inside}")
            elif fragment and inside in read and unquote(fragment) not in read[inside].anchors:
                broken.append(f"{address} -> {inside}#{fragment}")
    assert broken == []


def test_launch_buttons_open_generated_notebooks(read: dict[str, Reader]) -> None:
    for address, page in read.items():
        if address.startswith("notebooks/"):
            name = address.removesuffix(".html") + ".ipynb"
            launched = [x for x in page.links if "colab.research" in x or "mybinder" in x]
            assert len(launched) == 2
            assert all(x.endswith(name) for x in launched)


def test_every_page_has_its_own_description_and_card(read: dict[str, Reader], site: Path) -> None:
    pages = {a: p for a, p in read.items() if a.startswith(("notebooks/", "book/"))}
    told = [p.meta["description"] for p in pages.values()]
    assert all(len(x) >= 50 for x in told)
    assert len(set(told)) == len(told)
    for page in pages.values():
        card = page.meta["og:image"]
        assert card.startswith(PUBLIC)
        assert (site / card.removeprefix(PUBLIC)).is_file()


def test_sitemap_lists_every_page(read: dict[str, Reader], site: Path) -> None:
    tree = ElementTree.parse(site / "sitemap.xml")
    listed = {(e.text or "").removeprefix(PUBLIC) for e in tree.iter() if e.tag.endswith("loc")}
    assert listed == {a for a in read if a.startswith(("notebooks/", "book/"))}


def test_every_page_carries_the_policy(site: Path, read: dict[str, Reader]) -> None:
    for address in read:
        text = (site / address).read_text(encoding="utf-8")
        assert "Content-Security-Policy" in text
        assert "default-src 'self'" in text
