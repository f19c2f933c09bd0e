"""The built site on localhost, and a Chromium that can reach nothing else."""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import cache, partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

ROOT = Path(__file__).resolve().parents[2]
SITE = Path(os.environ.get("GAPUTILS_SITE", ROOT / "_build" / "html"))
PREFIX = "/modality-gap/"
_PATIENCE_MS = 240_000  # other tests may keep both cores busy
WIDTHS = {"desktop": (1280, 900), "phone": (390, 844)}
# The 404 page is asked for under a name that does not exist, as a reader would.
SHOWN_AS = {"404.html": "no/such/page.html"}
REDIRECT = 'http-equiv="refresh"'  # the front door and old addresses send the reader on
SOURCE = "_modules/gaputils/closing/hull_projection.html"  # one of the package's files for all
WHOLE = "modality-gap.html"  # all pages in one file, opened by a test of its own
CHROMIUM = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome")
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-sync",
    "--no-first-run",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
)


class Handler(SimpleHTTPRequestHandler):
    """Serves the site as GitHub Pages does: under its prefix, with its own 404 page."""

    def translate_path(self, path: str) -> str:
        """Map the public path to a file; what is outside the prefix does not exist."""
        if not path.startswith(PREFIX):
            return str(SITE / "outside-the-prefix")
        return super().translate_path("/" + path.removeprefix(PREFIX))

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """Answer with the book's 404 page."""
        page = SITE / "404.html"
        if code != 404 or not page.is_file():
            super().send_error(code, message, explain)
            return
        body = page.read_bytes()
        self.send_response(404)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        with suppress(BrokenPipeError):
            self.wfile.write(body if self.command != "HEAD" else b"")

    def log_message(self, *_: Any) -> None:
        """Keep quiet."""


def pages() -> list[str]:
    """Every page of the built site; empty when nothing is built."""
    found = sorted(p.relative_to(SITE).as_posix() for p in SITE.rglob("*.html"))
    found = [p for p in found if not p.startswith(("_static/", "_sources/"))]
    found = [p for p in found if p == SOURCE or not p.startswith("_modules/")]
    return [p for p in found if p != WHOLE and not leads_on(SITE / p)]


def leads_on(path: Path) -> bool:
    """Whether a page of the site only sends the reader to another."""
    return REDIRECT in path.read_text(encoding="utf-8")[:2000].lower()


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Each test of an open page runs for every page, both widths and both themes, and nightly for
    every pair of them; a page opens once for all its tests."""
    if "seen" in metafunc.fixturenames:
        views = [("desktop", "light"), ("phone", "dark")]
        if metafunc.config.getoption("--nightly"):
            views += [("desktop", "dark"), ("phone", "light")]
        every = [(a, w, t) for a in pages() for w, t in views]
        names = [f"{a.removesuffix('.html')}-{w}-{t}" for a, w, t in every]
        nothing = [pytest.param(("", "", ""), marks=pytest.mark.skip("no built site"))]
        metafunc.parametrize(
            "seen", every or nothing, ids=names or None, indirect=True, scope="session"
        )


@pytest.fixture(scope="session")
def site() -> Path:
    """The folder of the built site."""
    if not (SITE / "index.html").is_file():
        pytest.skip(f"no built site at {SITE}: run `make book` first")
    return SITE


@pytest.fixture(scope="session")
def server(site: Path) -> Iterator[str]:
    """The site's address."""
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=str(site))) as served:
        threading.Thread(target=served.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{served.server_port}{PREFIX}"
        served.shutdown()


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """A headless Chromium."""
    api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    path = next(filter(None, map(shutil.which, CHROMIUM)), None)
    if path is None:
        pytest.skip("no Chromium on the path")
    with api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=list(FLAGS))
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def axe() -> str:
    """The source of axe-core, the accessibility checker."""
    path = ROOT / "node_modules" / "axe-core" / "axe.min.js"
    if not path.is_file():
        pytest.skip("axe-core is not there: run `python tools/vendor.py`")
    return path.read_text(encoding="utf-8")


@dataclass
class Visit:
    """One open page, and everything that went wrong while it loaded."""

    page: Page
    address: str
    width: str
    theme: str
    problems: list[str] = field(default_factory=list)
    asked: set[str] = field(default_factory=set)


@contextmanager
def listening(seen: Visit, server: str, target: str) -> Iterator[None]:
    """Note console errors, failed requests, requests to anyone else, and what is asked for."""

    def console(message: Any) -> None:
        missing = "404" in message.text and seen.address in SHOWN_AS
        if message.type in {"error", "warning"} and not missing:
            seen.problems.append(f"console: {message.text}")

    def request(asked: Any) -> None:
        if asked.url.startswith(server):
            seen.asked.add(unquote(urlsplit(asked.url).path.removeprefix(PREFIX)))
        elif not asked.url.startswith(("data:", "blob:")):
            seen.problems.append(f"asks someone else: {asked.url}")

    def response(answer: Any) -> None:
        if answer.status >= 400 and answer.url != target:
            seen.problems.append(f"{answer.status}: {answer.url}")

    listeners = {
        "console": console,
        "pageerror": lambda error: seen.problems.append(f"script: {error}"),
        "request": request,
        "response": response,
        "requestfailed": lambda one: seen.problems.append(f"failed: {one.url} {one.failure}"),
    }
    for event, listener in listeners.items():
        seen.page.on(event, listener)
    yield
    for event, listener in listeners.items():
        seen.page.remove_listener(event, listener)


@pytest.fixture(scope="session")
def window(browser: Browser) -> Callable[[str, str], Page]:
    """The window of each width and theme, which goes from page to page as a reader does."""

    @cache
    def opened(width: str, theme: str) -> Page:
        wide, high = WIDTHS[width]
        context = browser.new_context(viewport={"width": wide, "height": high}, color_scheme=theme)
        context.set_default_timeout(_PATIENCE_MS)
        return context.new_page()

    return opened


@pytest.fixture(scope="session")
def seen(
    request: pytest.FixtureRequest, window: Callable[[str, str], Page], server: str
) -> Iterator[Visit]:
    """A page in one width and the reader's theme, on a first visit, its formulas set."""
    address, width, theme = request.param
    visit = Visit(window(width, theme), address, width, theme)
    target = server + SHOWN_AS.get(address, address)
    with listening(visit, server, target):
        visit.page.goto(target, wait_until="load")
        visit.page.evaluate("window.MathJax?.startup?.promise")
        visit.page.wait_for_selector("html[data-settled]", state="attached")
        visit.page.wait_for_timeout(100)
        yield visit
        visit.page.evaluate("localStorage.clear(), sessionStorage.clear()")
        visit.page.goto("about:blank")
