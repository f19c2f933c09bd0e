"""Tables on a phone: rows that stand apart say of which column each of their cells is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from gaputils.pages import table

pytestmark = pytest.mark.browser

STATIC = Path(__file__).resolve().parents[2] / "book/_static"
BEFORE = """cells => cells.map(c => getComputedStyle(c, "::before").content)"""


@pytest.mark.parametrize(("width", "apart"), [(390, True), (1280, False)])
def test_cards_name_their_columns_on_a_phone(browser: Any, width: int, apart: bool) -> None:
    frame = pd.DataFrame({"take": ["none", "all"], "it costs": ["nothing", "much"]})
    script = (STATIC / "book.js").read_text(encoding="utf-8")
    style = (STATIC / "custom.css").read_text(encoding="utf-8")
    shown = table(frame, cards=True).to_html()
    page = browser.new_page(viewport={"width": width, "height": 844})
    page.set_content(
        f"<!doctype html><title>t</title><div class='bd-article'><div class='cell_output'>{shown}"
        f"</div></div><style>{style}</style><script>{script}</script>"
    )
    page.wait_for_selector("td[data-head='it costs']")
    named = page.locator("tbody td").evaluate_all(BEFORE)
    assert named == (['"take"', '"it costs"'] * 2 if apart else ["none"] * 4)
    first, second = (page.locator("tbody td").nth(k).bounding_box() for k in (0, 1))
    assert (second["y"] > first["y"]) is apart
    page.close()
