"""Small repairs of the theme's HTML for keyboards, screen readers and slow lines.

The theme gives some buttons a name that differs from the text they show, repeats the page's
heading for print, and has every page load all 2,000 icons of Font Awesome. Each is mended in the
written files, since no template offers a way in.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from sphinx.application import Sphinx

CELL = r"<td[^>]*>"
REPAIRS = (
    # A visible text is the name.
    (r'(<summary[^>]*?) aria-label="Toggle hidden content"', r"\1"),
    (r'(<button class="btn search-button-field[^>]*?) aria-label="Search"', r"\1"),
    (r'(<i class="theme-switch[^>]*?) title="[^"]*"', r"\1"),
    # The arrow that unfolds the pages beneath an entry says what it does.
    (
        r'<summary>(<span class="toctree-toggle")',
        r'<summary aria-label="Pages beneath the entry before">\1',
    ),
    # Source files lead back under one prefix a file, where names are documented under two.
    (r'<a class="viewcode-back"[^>]*>\[docs\]</a>', ""),
    # The sidebar is a landmark.
    (
        r'<div id="pst-primary-sidebar" class=',
        '<div id="pst-primary-sidebar" role="navigation" aria-label="The book\'s pages" class=',
    ),
    # The heading that only print shows is no second heading of the page.
    (
        r'(<div id="jb-print-docs-body" class="onlyprint">\s*)<h1>(.*?)</h1>',
        r'\1<p class="gu-print-title">\2</p>',
    ),
    # A list of references has list items.
    (r'role="doc-biblioentry"', 'role="listitem"'),
    # A corner of a table that heads nothing is no heading.
    (r'<th class="blank([^"]*)" ?>&nbsp;</th>', r'<td class="blank\1"></td>'),
    # A heading such as robustness@0.04 may be broken before its sign.
    (r'(<th [^>]*class="col_heading[^>]*>[^<@]{5,})@', r"\1<wbr>@"),
    # Whether a page was run is said in a word, which every machine has a letter for.
    (r"(<td><p>)✅", r"\1done"),
    (r"<th></th>", '<th><span class="visually-hidden">row</span></th>'),
    # Numbers of a table are set as numbers, as `book_numbers` sets those of sentences: a minus is
    # no hyphen, a power of ten has an exponent.
    (rf"({CELL})-(?=\d)", r"\1−"),
    (rf"({CELL}−?\d[\d.]*)e-0*(\d+)", r"\1·10<sup>−\2</sup>"),
    (rf"({CELL}−?\d[\d.]*)e\+?0*(\d+)", r"\1·10<sup>\2</sup>"),
    # A link begins with its first word.
    (r'(<a class="reference internal"[^>]*>) +', r" \1"),
)

ICON = re.compile(
    r'("[\w-]+"|[A-Za-z]\w*):\[\d+,\d+,\[[^\]]*\],"[0-9a-f]+",(?:"[^"]*"|\["[^"]*","[^"]*"\])\],?'
)


def repair(html: str) -> str:
    """One page, mended."""
    for pattern, replacement in REPAIRS:
        html = re.sub(pattern, replacement, html, flags=re.DOTALL)
    return html


def keep_used_icons(out: Path, used: set[str]) -> None:
    """Leave in Font Awesome's script only the icons that some page or script names."""
    script = out / "_static" / "scripts" / "fontawesome.js"
    if script.is_file():
        source = script.read_text(encoding="utf-8")
        kept = ICON.sub(lambda m: m[0] if m[1].strip('"') in used else "", source)
        script.write_text(kept, encoding="utf-8")


def mend(app: Sphinx, exception: Exception | None) -> None:
    """Mend every written page (`build-finished`)."""
    if exception is not None or app.builder.format != "html":
        return
    out = Path(app.outdir)
    used: set[str] = set()
    for path in out.rglob("*.html"):
        if "_static" in path.parts:
            continue
        html = repair(path.read_text(encoding="utf-8"))
        path.write_text(html, encoding="utf-8")
        used |= set(re.findall(r"\bfa-([\w-]+)", html))
    for path in (out / "_static").rglob("*.js"):
        if path.name != "fontawesome.js" and "vendor" not in path.parts:
            used |= set(re.findall(r"\bfa-([\w-]+)", path.read_text(encoding="utf-8")))
    keep_used_icons(out, used)


def setup(app: Sphinx) -> dict[str, Any]:
    """Register with Sphinx."""
    app.connect("build-finished", mend, priority=900)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
