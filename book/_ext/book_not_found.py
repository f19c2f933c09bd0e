"""The page for addresses that do not exist, and the list of those that do."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from sphinx.application import Sphinx

BODY = """
<section id="page-not-found">
<h1>There is no page here</h1>
<p>The address may be old, or mistyped. Nothing else is wrong.</p>
<ul>
<li><a href="{root}">The beginning of the book</a></li>
<li><a href="search.html">Search the book</a></li>
<li><a href="genindex.html">All public names of the package</a></li>
</ul>
<p>If a link of the book brought you here, please
<a href="https://github.com/gaputils/modality-gap/issues">tell us</a>.</p>
</section>
"""

# A missing page may be asked for at any depth, so relative addresses need a fixed base.
BASE = """<script>
(function () {{
  var prefix = {prefix!r};
  var found = location.pathname.indexOf(prefix) === 0 ? prefix : "/";
  document.write('<base href="' + found + '">');
}})();
</script>"""


def pages(app: Sphinx) -> Iterator[tuple[str, dict[str, Any], str]]:
    """The 404 page at the site's root (`html-collect-pages`)."""
    root = app.builder.get_relative_uri("404", app.config.root_doc)
    context = {
        "title": "There is no page here",
        "body": BODY.format(root=root),
        "meta": {"description": "The address does not exist in this book."},
    }
    yield "404", context, "page.html"


def add_base(app: Sphinx, pagename: str, _template: str, context: dict[str, Any], _: Any) -> None:
    """Put the base in front of everything else in the 404 page's head."""
    if pagename == "404":
        prefix = urlsplit(app.config.html_baseurl).path or "/"
        context["metatags"] = BASE.format(prefix=prefix) + context.get("metatags", "")


def write_sitemap(app: Sphinx, exception: Exception | None) -> None:
    """List every page's address in `sitemap.xml` and name it in `robots.txt`."""
    if exception is not None or app.builder.name != "html":
        return
    base = app.config.html_baseurl
    urls = sorted(f"{base}{app.builder.get_target_uri(name)}" for name in app.env.found_docs)
    entries = "\n".join(f"  <url><loc>{escape(url)}</loc></url>" for url in urls)
    space = "http://www.sitemaps.org/schemas/sitemap/0.9"
    written = (
        f'<?xml version="1.0" encoding="utf-8"?>\n<urlset xmlns="{space}">\n{entries}\n</urlset>\n'
    )
    out = Path(app.outdir)
    (out / "sitemap.xml").write_text(written, encoding="utf-8")
    robots = f"User-agent: *\nAllow: /\nSitemap: {base}sitemap.xml\n"
    (out / "robots.txt").write_text(robots, encoding="utf-8")
    (out / ".nojekyll").touch()


def setup(app: Sphinx) -> dict[str, Any]:
    """Register with Sphinx."""
    app.connect("html-collect-pages", pages)
    app.connect("html-page-context", add_base, priority=950)
    app.connect("build-finished", write_sitemap)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
