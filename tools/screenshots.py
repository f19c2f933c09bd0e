"""Take a picture of every page of the built site, at the width of a desktop and of a phone.

python tools/screenshots.py _build/html shots [--theme dark] [--only explorer]
"""

from __future__ import annotations

import argparse
import shutil
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

WIDTHS = {"desktop": 1280, "phone": 390}
LONGEST = 12_000
PATIENCE_MS = 240_000  # other programs may keep the machine busy


class Quiet(SimpleHTTPRequestHandler):
    """A file server that does not talk."""

    def log_message(self, *_: object) -> None:
        """Keep quiet."""


def shoot(browser: Browser, url: str, target: Path, width: int, theme: str) -> None:
    """Save one page as a picture, all of it down to `LONGEST` pixels."""
    context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=theme)
    context.add_init_script(f"localStorage.setItem('mode', '{theme}')")
    context.add_init_script(f"localStorage.setItem('theme', '{theme}')")
    context.set_default_timeout(PATIENCE_MS)
    page = context.new_page()
    page.goto(url, wait_until="networkidle")
    page.evaluate("window.MathJax?.startup?.promise")
    high = min(LONGEST, page.evaluate("document.documentElement.scrollHeight"))
    page.set_viewport_size({"width": width, "height": high})
    page.screenshot(path=target, clip={"x": 0, "y": 0, "width": width, "height": high})
    context.close()


def main() -> None:
    """Walk through the site."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("site", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--theme", choices=["light", "dark"], default="light")
    parser.add_argument("--only", default="", help="pages whose address contains this")
    asked = parser.parse_args()
    asked.out.mkdir(parents=True, exist_ok=True)
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    handler = partial(Quiet, directory=str(asked.site))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as served, sync_playwright() as playwright:
        threading.Thread(target=served.serve_forever, daemon=True).start()
        flags = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
        browser = playwright.chromium.launch(executable_path=chromium, args=flags)
        for path in sorted(asked.site.rglob("*.html")):
            address = path.relative_to(asked.site).as_posix()
            if address.startswith(("_static/", "_sources/")) or asked.only not in address:
                continue
            name = address.removesuffix(".html").replace("/", "-")
            for width, pixels in WIDTHS.items():
                target = asked.out / f"{name}-{width}-{asked.theme}.png"
                url = f"http://127.0.0.1:{served.server_port}/{address}"
                shoot(browser, url, target, pixels, asked.theme)
        browser.close()
        served.shutdown()


if __name__ == "__main__":
    main()
