"""The introduction's lever: guess, see, drag; by mouse, by keyboard, and standing still."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.browser

STATIC = Path(__file__).resolve().parents[2] / "book/_static"
BARE = '<!doctype html><html lang="en"><meta charset="utf-8"><title>t</title><div class="gu-lever">'


@pytest.fixture(params=["no-preference", "reduce"])
def lever(browser: Any, request: pytest.FixtureRequest) -> Iterator[Any]:
    """A page that holds nothing but the lever, for readers who want motion and who do not."""
    page = browser.new_page(viewport={"width": 390, "height": 844}, reduced_motion=request.param)
    script = (STATIC / "lever.js").read_text(encoding="utf-8")
    page.set_content(f"{BARE}</div><script>{script}</script></html>")
    yield page
    page.close()


def test_the_image_follows_a_finger(browser: Any) -> None:
    context = browser.new_context(viewport={"width": 390, "height": 844}, has_touch=True)
    page = context.new_page()
    script = (STATIC / "lever.js").read_text(encoding="utf-8")
    style = (STATIC / "custom.css").read_text(encoding="utf-8")
    page.set_content(f"{BARE}</div><style>{style}</style><script>{script}</script></html>")
    page.tap("text=See")
    image = page.locator("[role=slider]")
    before = int(image.get_attribute("aria-valuenow"))
    box = image.locator("circle").nth(1).bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    touch = context.new_cdp_session(page)
    for kind, at in (("touchStart", y), ("touchMove", y + 20), ("touchMove", y + 60)):
        points = [{"x": x, "y": at}]
        touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})
    touch.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    assert int(image.get_attribute("aria-valuenow")) < before - 20
    assert page.evaluate("scrollY") == 0
    context.close()


def share(page: Any) -> int:
    """Flips in a hundred, once two thousand are drawn."""
    page.wait_for_function("document.querySelector('.gu-lever-told').textContent.includes('2000')")
    found = re.search(r"(\d+) % ", page.inner_text(".gu-lever-told"))
    assert found is not None
    return int(found[1])


def test_the_image_s_name_keeps_off_the_boundary(lever: Any) -> None:
    label = lever.locator("[role=slider] text").bounding_box()
    boundary = lever.locator(".gu-lever-boundary").bounding_box()
    assert label["x"] + label["width"] < boundary["x"]


def test_the_answer_waits_for_a_guess(lever: Any) -> None:
    assert "guess first" in lever.inner_text(".gu-lever-told")
    assert lever.is_disabled("text=Close the gap")


def test_closing_the_gap_flips_fewer_answers(lever: Any) -> None:
    lever.click("text=See")
    far = share(lever)
    lever.click("text=Close the gap")
    lever.wait_for_function(
        "document.querySelector('[role=slider]').getAttribute('aria-valuenow') === '0'"
    )
    lever.wait_for_timeout(200)  # the count starts anew with the next picture
    near = share(lever)
    assert 35 < far < 50
    assert 11 < near < 24
    assert "You guessed 10 %" in lever.inner_text(".gu-lever-told")


def test_the_image_moves_by_keyboard_and_by_hand(lever: Any) -> None:
    image = lever.locator("[role=slider]")
    lever.click("text=See")
    image.focus()
    before = int(image.get_attribute("aria-valuenow"))
    lever.keyboard.press("ArrowDown")
    assert int(image.get_attribute("aria-valuenow")) == before - 10
    lever.keyboard.press("Home")
    assert int(image.get_attribute("aria-valuenow")) == 0
    box = image.locator("circle").nth(1).bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    lever.mouse.move(x, y)
    lever.mouse.down()
    lever.mouse.move(x, y - 40)
    lever.mouse.up()
    assert int(image.get_attribute("aria-valuenow")) > 30
