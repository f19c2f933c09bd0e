"""Every page of the built site in a real browser, with the network closed."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote_plus

import pytest

from browser.conftest import WHOLE, WIDTHS, pages

if TYPE_CHECKING:
    from playwright.sync_api import Locator

pytestmark = pytest.mark.browser

TODAY = datetime.datetime.now(tz=datetime.UTC).toordinal()
ORDINARY, EXPLORER = 3_000_000, 8_000_000
SERIOUS = {"serious", "critical"}
FIRST_TEXT = "performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? 1e9"

# Elements that stick out of the window sideways, unless an ancestor scrolls them.
STICKS_OUT = """() => {
  const root = document.documentElement, wide = root.clientWidth;
  if (root.scrollWidth <= wide) return [];
  const scrolled = (e) => {
    for (let p = e.parentElement; p && p !== document.body; p = p.parentElement)
      if (getComputedStyle(p).overflowX !== 'visible') return true;
    return false;
  };
  return [...document.body.querySelectorAll('*')]
    .filter(e => e.getBoundingClientRect().right > wide + 1 && !scrolled(e))
    .slice(0, 5)
    .map(e => e.tagName + '.' + e.className + ' ' + e.textContent.trim().slice(0, 50))
    .concat(['the page is ' + root.scrollWidth + ' wide']);
}"""

# Formulas that were left as TeX, or set as an error.
NOT_SET = """() => [...document.querySelectorAll('article .math')]
  .filter(e => !e.querySelector('mjx-container'))
  .concat([...document.querySelectorAll('mjx-merror, [data-mml-node="merror"]')])
  .map(e => e.textContent)"""

# TeX outside of formulas and code: a formula that was broken by its surroundings.
STRAY_TEX = r"""() => {
  const walker = document.createTreeWalker(document.querySelector('article') || document.body, 4);
  const found = [];
  for (let node = walker.nextNode(); node; node = walker.nextNode())
    if (/\\(frac|sum|lVert|mathbb|tau|log|varepsilon|cdot|le|ge)\b/.test(node.data)
        && !node.parentElement.closest('pre, code, script, style, mjx-container, .math'))
      found.push(node.data.slice(0, 80));
  return found;
}"""
# Where the first paragraph and the first picture begin, from the top of the page.
FIRST_PROSE = """() => [...document.querySelectorAll('article p')]
  .filter(p => p.offsetParent && p.textContent.trim().length > 60
    && !p.closest('.admonition, details, figure, .cell, .gu-lever'))
  .map(p => p.getBoundingClientRect().top + scrollY)[0] ?? null"""
FIRST_PICTURE = """() => [...document.querySelectorAll('article figure, article .gu-lever')]
  .filter(e => e.offsetParent).map(e => e.getBoundingClientRect().top + scrollY)[0] ?? null"""
# Lines of code, and columns of tables, that one has to scroll for.
CUT = """() => [...document.querySelectorAll('.bd-article pre, .bd-article table')]
  .filter(e => e.offsetParent && !e.closest('details:not([open])'))
  .map(e => [e, e.closest('.output, .pst-scrollable-table-container') || e])
  .filter(all => all.some(e => e.scrollWidth > e.clientWidth + 2))
  .map(([e]) => e.tagName + ' ' + e.textContent.trim().slice(0, 60))"""
# What paper would cut off at the right.
OFF_PAPER = """() => [...document.querySelectorAll('article *')]
  .filter(e => e.matches('pre, table, figure, img, p, mjx-container')
    && !e.closest('details:not([open])'))
  .filter(e => e.offsetParent && (e.getBoundingClientRect().right > innerWidth + 1
    || (e.scrollWidth > e.clientWidth + 2 && getComputedStyle(e).overflowX !== 'visible')))
  .map(e => e.tagName + '.' + e.className + ' ' + e.textContent.trim().slice(0, 60))"""
# What goes on to the right and does not show it.
UNMARKED = """() => [...document.querySelectorAll('.bd-article *')]
  .filter(e => e.matches('table, pre, figure, mjx-container, .cell_output .output'))
  .filter(e => e.offsetParent && e.scrollWidth > e.clientWidth + 2
    && getComputedStyle(e).overflowX !== 'visible' && !e.classList.contains('gu-more'))
  .map(e => e.tagName + '.' + e.className + ' ' + e.textContent.trim().slice(0, 50))"""
CURRENT = """() => {
  const sidebar = document.getElementById('pst-primary-sidebar');
  const here = [...sidebar.querySelectorAll('.toctree-l1.current a.current')].pop();
  if (!here) return null;
  const room = sidebar.getBoundingClientRect(), place = here.getBoundingClientRect();
  return place.top >= room.top && place.bottom <= Math.min(room.bottom, innerHeight);
}"""
LOUD = {"error", "warning"}
# Reference pages without a picture to open with.
UNPICTURED = {"notebooks/same_numbers.html", "notebooks/speed.html"}
FOLDED = """() => [...document.querySelectorAll('.cell_output table')]
  .map(e => [e.className, e.scrollWidth, e.parentElement.scrollWidth])"""
STILL = """async () => {
  await Promise.allSettled(document.getAnimations().map(moving => moving.finished));
  await new Promise(drawn => requestAnimationFrame(() => requestAnimationFrame(drawn)));
}"""
A4 = 672  # pixels between the margins of a page
BARE_IMAGES = """all => all.filter(i => !i.alt.trim()).map(i => i.src.slice(-60))"""
VISIBLE = """all => all.map((e, i) => [e, i]).filter(([e]) => e.offsetParent).map(([, i]) => i)"""


def test_loads_without_an_error_or_a_request_to_anyone_else(seen: Any) -> None:
    assert seen.problems == []


def test_nothing_sticks_out_sideways(seen: Any) -> None:
    assert seen.page.evaluate(STICKS_OUT) == []


def test_what_scrolls_sideways_shows_it(seen: Any) -> None:
    assert seen.page.evaluate(UNMARKED) == []


def test_a_page_begins_with_prose_and_a_picture(seen: Any) -> None:
    if not seen.address.startswith("notebooks/"):
        pytest.skip("no page of the argument")
    assert seen.page.evaluate(FIRST_PROSE) < 500
    if seen.width == "desktop" and seen.address not in UNPICTURED:
        assert seen.page.evaluate(FIRST_PICTURE) < 900


def test_no_code_or_table_is_cut_on_a_desktop(seen: Any) -> None:
    if seen.width == "phone":
        pytest.skip("a phone scrolls them, and shows it")
    assert seen.page.evaluate(CUT) == []


def test_paper_cuts_nothing_off(seen: Any) -> None:
    if seen.width == "phone":
        pytest.skip("paper is as wide for everyone")
    if not seen.address.startswith(("notebooks/", "book/")):
        pytest.skip("nobody prints it")
    wide, high = WIDTHS["desktop"]
    before = seen.page.evaluate(FOLDED)
    try:
        seen.page.set_viewport_size({"width": A4, "height": high})
        seen.page.emulate_media(media="print")
        seen.page.evaluate("dispatchEvent(new Event('beforeprint'))")
        assert seen.page.evaluate(OFF_PAPER) == []
        assert seen.page.locator("article details:visible:not([open])").count() == 0
    finally:
        seen.page.evaluate("dispatchEvent(new Event('afterprint'))")
        seen.page.emulate_media(media="screen")
        seen.page.set_viewport_size({"width": wide, "height": high})
        seen.page.evaluate(STILL)
    assert seen.page.evaluate(FOLDED) == before


@pytest.fixture(scope="module")
def plain(browser: Any) -> Iterator[Any]:
    """A window for tests that go to a page of their own."""
    page = browser.new_page()
    yield page
    page.close()


def found(page: Any, server: str, question: str) -> list[str]:
    """Where the search leads, the best first."""
    page.goto(f"{server}search.html?q={quote_plus(question)}", wait_until="load")
    links = page.locator("#search-results li > a")
    links.first.wait_for()
    return [link.get_attribute("href").partition("?")[0] for link in links.all()]


@pytest.mark.parametrize(
    ("word", "wanted"),
    [
        ("quantization", "notebooks/compressed_indexes.html"),
        ("cosine", "notebooks/scores.html"),
        ("threshold", "notebooks/scores.html"),
        ("SigLIP", "notebooks/sigmoid_gap.html"),
        ("float16", "book/production.html"),
    ],
)
def test_search_finds_the_page_a_reader_wants(
    plain: Any, server: str, word: str, wanted: str
) -> None:
    assert wanted in found(plain, server, word)[0]


@pytest.mark.parametrize(
    ("question", "wanted"),
    [
        ("why is the cosine similarity of image and text so low", "notebooks/scores.html"),
        ("text search returns only text, never images", "notebooks/mixed_galleries.html"),
        ("what threshold means a match", "notebooks/scores.html"),
        ("none of my labels fits", "notebooks/scores.html"),
        ("siglip probability too low", "notebooks/scores.html"),
        ("normalize before or after averaging", "notebooks/scores.html"),
        ("average image and text embeddings", "notebooks/scores.html"),
        ("do embeddings differ between onnx and pytorch", "notebooks/real_changes.html"),
        ("whose mean do I subtract", "notebooks/scores.html"),
        ("replace image embedding with text embedding", "notebooks/scores.html"),
        ("prompt wording accuracy", "notebooks/real_changes.html"),
        ("quantized vector store", "notebooks/compressed_indexes.html"),
    ],
)
def test_search_answers_what_people_ask(
    plain: Any, server: str, question: str, wanted: str
) -> None:
    assert wanted in found(plain, server, question)[:3]


@pytest.mark.parametrize(
    ("address", "link", "told"),
    [
        ("notebooks/closing_it.html", "a[href*='glossary.html#term-']", "weighted sums"),
        ("notebooks/hull_projection.html", "a[href*='bibliography.html#id']", "Chowers"),
        ("notebooks/hull_projection.html", "a[href*='#fig-']", "Fig."),
    ],
)
def test_a_link_shows_what_it_leads_to(
    plain: Any, server: str, address: str, link: str, told: str
) -> None:
    page = plain
    page.goto(server + address, wait_until="load")
    first = page.locator(f".bd-article {link}").first
    first.scroll_into_view_if_needed()
    first.hover()
    shown = page.locator("[role=tooltip].gu-preview")
    shown.wait_for()
    assert told in shown.inner_text()
    assert first.get_attribute("aria-describedby") == shown.get_attribute("id")
    page.keyboard.press("Escape")
    assert shown.count() == 0


def test_the_whole_book_is_one_file_that_asks_nobody(browser: Any, server: str, site: Any) -> None:
    page = browser.new_page()
    page.goto(server + "notebooks/intro.html")
    linked = page.locator(".gu-whole a").evaluate_all("all => all.map(a => a.getAttribute('href'))")
    assert "../" + WHOLE in linked
    assert [name for name in linked if not (site / "notebooks" / name).is_file()] == []
    asked: list[str] = []
    said: list[str] = []
    page.on("request", lambda r: asked.append(r.url) if not r.url.startswith("data:") else None)
    page.on("console", lambda m: said.append(m.text) if m.type in LOUD else None)
    page.goto((site / WHOLE).as_uri(), wait_until="load")
    assert asked == [(site / WHOLE).as_uri()]
    assert said == []
    dead = """() => [...document.querySelectorAll('a[href^="#"]')]
      .map(a => decodeURIComponent(a.getAttribute('href').slice(1)))
      .filter(id => id && !document.getElementById(id))"""
    assert page.evaluate(dead) == []
    page.close()


def test_the_sidebar_shows_where_the_reader_is(seen: Any) -> None:
    if seen.width == "phone":
        pytest.skip("the sidebar is folded away")
    inside = seen.address.startswith(("notebooks/", "book/")) and "intro" not in seen.address
    assert seen.page.evaluate(CURRENT) is (True if inside else None)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_a_first_visit_takes_the_reader_s_theme_and_complains_of_nothing(
    browser: Any, server: str, theme: str
) -> None:
    context = browser.new_context(color_scheme=theme)
    page = context.new_page()
    said: list[str] = []
    page.on("console", lambda m: said.append(m.text) if m.type in LOUD else None)
    page.goto(server + "notebooks/intro.html", wait_until="load")
    assert page.evaluate("({...document.documentElement.dataset})")["mode"] == "auto"
    assert page.evaluate("document.documentElement.dataset.theme") == theme
    assert said == []
    context.close()


def test_all_formulas_are_set(seen: Any) -> None:
    assert seen.page.evaluate(NOT_SET) == []
    assert seen.page.evaluate(STRAY_TEX) == []


def test_weight(seen: Any, site: Path) -> None:
    explorer = seen.page.locator(".gu-frames").count() > 0
    weight = sum((site / file).stat().st_size for file in seen.asked if (site / file).is_file())
    assert 0 < weight <= (EXPLORER if explorer else ORDINARY)


@pytest.mark.nightly
def test_first_text_is_there_within_a_second(seen: Any) -> None:
    if seen.address == "index.html":
        pytest.skip("only leads on to the first page")
    painted = seen.page.evaluate(FIRST_TEXT)
    for _ in range(3):
        if painted >= 1000:  # a busy machine: the best of four counts
            seen.page.reload(wait_until="load")
            painted = min(painted, seen.page.evaluate(FIRST_TEXT))
    assert painted < 1000


def test_every_picture_has_an_alternative_text(seen: Any) -> None:
    assert seen.page.eval_on_selector_all("article img", BARE_IMAGES) == []


def test_axe_has_no_serious_finding(seen: Any, axe: str, pytestconfig: pytest.Config) -> None:
    today = ("desktop", "phone")[(TODAY + pages().index(seen.address)) % 2]
    if seen.width != today and not pytestconfig.getoption("--nightly"):
        pytest.skip("the other view of this page has its turn today")
    assert seen.page.evaluate("document.documentElement.dataset.theme") == seen.theme
    seen.page.evaluate(axe)
    found = seen.page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    told = [
        f"{v['id']}: {node['target']} {node['html'][:120]} {node['failureSummary'][:200]}"
        for v in found["violations"]
        if v["impact"] in SERIOUS
        for node in v["nodes"][:4]
    ]
    assert told == []


def test_one_main_landmark_and_one_heading_of_the_first_level(seen: Any) -> None:
    assert seen.page.locator("main").count() == 1
    assert seen.page.locator("h1:visible").count() == 1


def shown(explorer: Locator) -> list[int]:
    """Which of an explorer's pictures are visible."""
    found: list[int] = explorer.locator(".gu-stage img").evaluate_all(VISIBLE)
    return found


def check_slider(seen: Any, explorer: Locator, slider: Locator) -> None:
    """The arrow key and a click at its end each show another picture, and say so."""
    slider.focus()
    seen.page.keyboard.press("Home")
    first, told = shown(explorer), slider.get_attribute("aria-valuetext")
    seen.page.keyboard.press("ArrowRight")
    second = shown(explorer)
    assert len(second) == 1
    assert first != second
    assert slider.get_attribute("aria-valuetext") != told
    seen.page.keyboard.press("Home")
    box = slider.bounding_box()
    assert box is not None
    seen.page.mouse.click(box["x"] + box["width"] - 4, box["y"] + box["height"] / 2)
    last = shown(explorer)
    assert len(last) == 1
    assert last != first


def test_controls_move_the_picture_by_keyboard_and_mouse(seen: Any) -> None:
    explorers = seen.page.locator(".gu-frames").all()
    if not explorers:
        pytest.skip("no explorer on this page")
    for explorer in explorers:
        explorer.scroll_into_view_if_needed()
        assert len(shown(explorer)) == 1
        for slider in explorer.locator("input[type=range]").all():
            slider.scroll_into_view_if_needed()
            check_slider(seen, explorer, slider)
        for menu in explorer.locator("select").all():
            menu.focus()
            menu.select_option(index=0)
            before = shown(explorer)
            seen.page.keyboard.press("ArrowDown")
            assert shown(explorer) != before
    assert seen.problems == []
