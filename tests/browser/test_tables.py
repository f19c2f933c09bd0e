"""What the book's script and style do to tables and formulas where room is short."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from gaputils.pages import table

pytestmark = pytest.mark.browser

STATIC = Path(__file__).resolve().parents[2] / "book/_static"
BEFORE = """cells => cells.map(c => getComputedStyle(c, "::before").content)"""
INDENT = """cells => cells.map(getComputedStyle).map(
    c => parseFloat(c.paddingLeft) + parseFloat(c.textIndent))"""


def opened(browser: Any, body: str, width: int) -> Any:
    """A page of `width` with `body`, the book's style and its script."""
    script = (STATIC / "book.js").read_text(encoding="utf-8")
    style = (STATIC / "custom.css").read_text(encoding="utf-8")
    page = browser.new_page(viewport={"width": width, "height": 844})
    page.set_content(
        f"<!doctype html><title>t</title><div class='bd-article'>{body}</div>"
        f"<style>{style}</style><script>{script}</script>"
    )
    return page


@pytest.mark.parametrize(("width", "apart"), [(390, True), (1280, False)])
def test_cards_name_their_columns_on_a_phone(browser: Any, width: int, apart: bool) -> None:
    frame = pd.DataFrame({"take": ["none", "all"], "it costs": ["nothing", "much"]})
    shown = table(frame, cards=True).to_html()
    page = opened(browser, f"<div class='cell_output'>{shown}</div>", width)
    page.wait_for_selector("td[data-head='it costs']")
    named = page.locator("tbody td").evaluate_all(BEFORE)
    assert named == (['"take"', '"it costs"'] * 2 if apart else ["none"] * 4)
    first, second = (page.locator("tbody td").nth(k).bounding_box() for k in (0, 1))
    assert (second["y"] > first["y"]) is apart
    page.close()


@pytest.mark.parametrize("columns", [2, 6])
def test_the_names_on_cards_stand_within_them(browser: Any, columns: int) -> None:
    frame = pd.DataFrame([["none"] * columns], columns=list("abcdef"[:columns]))
    shown = table(frame, cards=True).to_html()
    page = opened(browser, f"<div class='cell_output'>{shown}</div>", 390)
    page.wait_for_selector("td[data-head='b']")
    assert min(page.locator("tbody td").evaluate_all(INDENT)) >= 0
    page.close()


@pytest.mark.parametrize(("width", "lines"), [(390, 2), (1280, 1)])
def test_a_number_leaves_its_error_only_where_room_is_short(
    browser: Any, width: int, lines: int
) -> None:
    frame = pd.DataFrame([["0.749 ± 0.003"] * 5], columns=list("abcde"))
    page = opened(browser, f"<div class='cell_output'>{table(frame).to_html()}</div>", width)
    page.wait_for_load_state()
    boxes = page.locator(".gu-held").first.evaluate("span => span.getClientRects().length")
    assert boxes == lines
    page.close()


def test_punctuation_stays_on_the_line_of_its_formula(browser: Any) -> None:
    body = "<p>a <span class='math'><mjx-container>x</mjx-container></span>), b <b>c</b></p>"
    page = opened(browser, body, 1280)
    page.wait_for_selector(".gu-glued")
    assert page.locator(".gu-glued").inner_text() == "x),"
    assert page.locator("p").inner_text() == "a x), b c"
    page.close()


@pytest.mark.parametrize(
    ("letters", "least", "most", "scrolls"),
    [(20, 20, 20, 0), (36, 14, 19, 0), (80, 13.6, 13.6, 1)],
)
def test_a_formula_shrinks_to_its_line_before_it_scrolls(
    browser: Any, letters: int, least: float, most: float, scrolls: int
) -> None:
    formula = f"<mjx-container style='font-size: 125%'>{'x' * letters}</mjx-container>"
    body = f"<p style='font: 16px monospace'>a <span class='math'>{formula}</span>, b</p>"
    page = opened(browser, body, 390)
    page.wait_for_selector("[data-settled]", state="attached")
    got = page.locator("mjx-container").evaluate("f => parseFloat(getComputedStyle(f).fontSize)")
    assert least - 0.01 <= got <= most + 0.01
    assert page.locator(".gu-long").count() == scrolls
    comma = """p => { const r = document.createRange(), g = p.querySelector(".gu-glued").lastChild;
        r.selectNode(g); return r.getBoundingClientRect().right; }"""
    assert page.locator("p").evaluate(comma) <= 390
    page.close()


def test_a_long_name_breaks_behind_an_underscore(browser: Any) -> None:
    name = "test_a_query_keeps_what_it_was_asked_for_in_every_gallery"
    page = opened(browser, f"<p><code><span class='pre'>{name}</span></code></p>", 390)
    page.wait_for_selector("wbr", state="attached")
    shown = page.locator(".pre")
    assert shown.inner_text() == name
    assert all(part.endswith("_") for part in shown.inner_html().split("<wbr>")[:-2])
    page.close()
