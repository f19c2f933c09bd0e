"""Put the whole built book into one HTML file that needs nothing else, and into a PDF.

    python tools/single_file.py _build/html

Both are written into the site, as `modality-gap.html` and `modality-gap.pdf`, and the front page
links those that are there. The articles of all pages follow each other in the order of the table of
contents; links between pages become links inside the file, pictures and styles become part of it,
and formulas are set by MathJax's SVG output, which needs no fonts. It is dark where the
reader's system is. The PDF is printed from it by Chromium; without Chromium or playwright there is
none, and that is said.
"""

from __future__ import annotations

import argparse
import base64
import datetime
import mimetypes
import posixpath
import re
import shutil
from pathlib import Path
from urllib.parse import unquote

from bs4 import BeautifulSoup, Tag
from sphinx_external_toc.parsing import parse_toc_yaml

import gaputils

ROOT = Path(__file__).resolve().parent.parent
MATHJAX = ROOT / "node_modules" / "mathjax" / "es5" / "tex-svg-full.js"
LEVER = ROOT / "book" / "_static" / "lever.js"
NAME = "modality-gap"
FRONT = "notebooks/intro.html"
CHROMIUM = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome")
LEFT_OUT = ".headerlink, .toggle-button, .copybtn, .gu-whole, script, #jb-print-docs-body"
EDITION = (
    f"gaputils {gaputils.__version__}, {datetime.date.today():%d %B %Y}. "
    "Text and figures CC BY 4.0, code MIT, emoji by OpenMoji, CC BY-SA 4.0."
)
PLACE = re.compile(r'<p class="gu-whole"[^>]*>.*?</p>', re.DOTALL)
PATIENCE_MS = 300_000  # a few thousand formulas, on a busy machine
LOOK = """
body { display: block; height: auto; overflow: visible; }
main { max-width: 50rem; margin: 0 auto; padding: 1rem; display: block; }
article { padding-block: 2rem; border-bottom: 1px solid #ccc; }
mjx-container svg { max-width: 100%; }
nav ol { columns: 16rem 2; column-gap: 4rem; }
.admonition-title::after, .sd-summary-icon { display: none !important; }
header p { font-size: 1.1rem; }
@media print { html { font-size: 12.5px; } }
@media print { article { break-before: page; border: 0; } }
@media print { main { overflow-x: clip; } }
"""
THEME = """
{
  const dark = matchMedia("(prefers-color-scheme: dark)"), root = document.documentElement;
  const wear = (theme) => { root.dataset.theme = theme; };
  const follow = () => wear(dark.matches ? "dark" : "light");
  follow();
  dark.addEventListener("change", follow);
  addEventListener("beforeprint", () => wear("light"));
  addEventListener("afterprint", follow);
}
"""
"""Dark where the reader's system is; paper is white."""


def data_uri(path: Path) -> str:
    """A file as a `data:` address."""
    kind = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    return f"data:{kind};base64,{base64.b64encode(path.read_bytes()).decode()}"


def style(path: Path) -> str:
    """A style sheet without the files it names: the book's text needs none of them."""
    text = re.sub(r"@font-face\s*\{[^}]*\}|@import [^;]+;", "", path.read_text(encoding="utf-8"))
    return re.sub(r"""url\((?!["']?data:)[^)]+\)""", 'url("data:,")', text)


def anchor(page: str, name: str = "") -> str:
    """The name inside the file of a page, or of a place on it."""
    return page.replace("/", "-") + (f"--{name}" if name else "")


def target(page: str, href: str, pages: set[str]) -> str:
    """Where a link of `page` leads once all pages are one; outside addresses stay."""
    path, _, fragment = href.partition("#")
    if re.match(r"[a-z]+:", href):
        return href
    other = posixpath.normpath(posixpath.join(posixpath.dirname(page), path)) if path else page
    other = other.removesuffix(".html")
    if other in pages:
        return "#" + anchor(other, unquote(fragment))
    return f"https://gaputils.github.io/modality-gap/{other}.html"


def article(site: Path, page: str, pages: set[str]) -> Tag:
    """One page's article, its names and addresses made unique."""
    soup = BeautifulSoup((site / f"{page}.html").read_text(encoding="utf-8"), "html.parser")
    found = soup.select_one("article")
    assert found is not None, page
    for element in found.select(LEFT_OUT):
        element.decompose()
    for element in found.find_all(True):
        for name in ("id", "for", "aria-labelledby"):
            if element.get(name):
                element[name] = anchor(page, str(element[name]))
        if element.name == "a" and element.get("href"):
            element["href"] = target(page, str(element["href"]), pages)
        source = str(element.get("src", ""))
        if element.name == "img" and source and not source.startswith("data:"):
            element["src"] = data_uri((site / f"{page}.html").parent / source)
    for rules in found.select("style"):  # those of tables name cells by their ids
        named = re.sub(r"#(T_\w+)", lambda cell: f"#{anchor(page, cell[1])}", str(rules.string))
        rules.string = named
    found["id"] = anchor(page)
    return found


def head(site: Path, page: str) -> str:
    """Styles and formulas' settings of a built page, inside the file."""
    path = site / f"{page}.html"
    soup = BeautifulSoup(path.read_text(encoding="utf-8"), "html.parser")
    sheets = [str(x["href"]).partition("?")[0] for x in soup.select('link[rel="stylesheet"]')]
    styles = "".join(style(path.parent / sheet) for sheet in dict.fromkeys(sheets))
    settings = next((s.string for s in soup.select("script") if "window.MathJax" in s.text), "")
    settings = re.sub(r'"loader": ?\{[^{}]*\},? ?', "", settings or "")
    formulas = MATHJAX.read_text(encoding="utf-8").replace("</script", "<\\/script")
    scripts = "".join(
        f"<script>{x}</script>" for x in (THEME, settings, formulas, LEVER.read_text("utf-8"))
    )
    return f"<style>{styles}{LOOK}</style>{scripts}"


def assemble(site: Path, toc: Path) -> str:
    """The file's text."""
    pages = [p for p in parse_toc_yaml(toc) if (site / f"{p}.html").is_file()]
    articles = [article(site, page, set(pages)) for page in pages]
    titles = [a.find("h1") for a in articles]
    listed = "".join(
        f'<li><a href="#{anchor(page)}">{title.get_text() if title else page}</a></li>'
        for page, title in zip(pages, titles, strict=True)
    )
    settings = head(site, next((p for p in pages if "exact" in p or "proofs" in p), pages[0]))
    body = "".join(map(str, articles))
    return (
        '<!doctype html><html lang="en" data-theme="light"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>The Modality Gap</title>{settings}</head>"
        '<body><main><header><p class="gu-print-title">The Modality Gap</p>'
        f"<p>{EDITION}</p></header>"
        f'<nav aria-label="Contents"><ol>{listed}</ol></nav>{body}</main></body></html>'
    )


def print_pdf(page: Path, out: Path) -> bool:
    """Print the file to A4; whether there was a browser to do so."""
    chromium = next(filter(None, map(shutil.which, CHROMIUM)), None)
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        chromium = None
    if chromium is None:
        print(f"{out} is not written: it takes playwright and Chromium")
        return False
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        opened = browser.new_page()
        opened.goto(page.resolve().as_uri(), wait_until="load", timeout=PATIENCE_MS)
        opened.set_default_timeout(PATIENCE_MS)
        opened.evaluate("window.MathJax?.startup?.promise.then(() => null)")
        margin = {"top": "18mm", "bottom": "18mm", "left": "16mm", "right": "16mm"}
        opened.pdf(path=out, format="A4", margin=margin, outline=True, tagged=True)
        browser.close()
    return True


def link(front: Path, files: list[Path]) -> None:
    """Name `files` on the front page, where it keeps a place for them."""
    kinds = {".html": "one file to read offline", ".pdf": "a PDF to print"}
    listed = " and ".join(
        f'<a href="../{file.name}">{kinds[file.suffix]}</a> ({file.stat().st_size / 1e6:.0f} MB)'
        for file in files
    )
    told = f'<p class="gu-whole">The whole book is also {listed}.</p>'
    text, places = PLACE.subn(told, front.read_text(encoding="utf-8"))
    if places != 1:
        raise SystemExit(f"{front}: expected one place for the whole book's files, got {places}")
    front.write_text(text, encoding="utf-8")


def main() -> None:
    """Write the file, print it, and link both from the front page."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("site", type=Path)
    parser.add_argument("--toc", type=Path, default=ROOT / "_toc.yml")
    asked = parser.parse_args()
    whole, printed = (asked.site / f"{NAME}{suffix}" for suffix in (".html", ".pdf"))
    whole.write_text(assemble(asked.site, asked.toc), encoding="utf-8")
    files = [whole, printed] if print_pdf(whole, printed) else [whole]
    link(asked.site / FRONT, files)
    print("; ".join(f"{file}: {file.stat().st_size / 1e6:.1f} MB" for file in files))


if __name__ == "__main__":
    main()
