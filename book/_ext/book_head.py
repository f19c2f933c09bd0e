"""What each page's head needs: a description, a social card, a content-security policy.

It also takes sphinx-thebe out again (Jupyter Book always loads it: it names a third party and
declares a constant twice) and lets the launch buttons open the `.ipynb` siblings.
"""

from __future__ import annotations

import re
from html import escape
from typing import Any

from book_cards import card_url
from docutils import nodes
from sphinx.application import Sphinx

POLICY = "; ".join(
    (
        "default-src 'self'",
        "script-src 'self' 'unsafe-inline'",
        "style-src 'self' 'unsafe-inline'",
        "img-src 'self' data: blob:",
        "font-src 'self' data:",
        "media-src 'self' data:",
        "object-src 'none'",
        "base-uri 'self'",
        "form-action 'self'",
    )
)
LONGEST = 200

# The theme asks what the reader chose before, and on a first visit finds nothing and says so. Told
# before it asks, it neither complains nor shows one theme and then the other.
FIRST_VISIT = """<script>
if (!localStorage.getItem("mode")) {
  const dark = matchMedia("(prefers-color-scheme: dark)").matches;
  localStorage.setItem("mode", "auto");
  localStorage.setItem("theme", dark ? "dark" : "light");
}
</script>"""


def shorten(text: str) -> str:
    """At most `LONGEST` characters of `text`, cut between words."""
    text = re.sub(r"\s+", " ", text).strip()
    if len(text) <= LONGEST:
        return text
    return text[: LONGEST - 1].rsplit(" ", 1)[0].rstrip(",;:") + "…"


def plain(node: nodes.Node) -> str:
    """The node's text as it is read, without formulas' TeX."""
    parts = [t.astext() for t in node.findall(nodes.Text) if not isinstance(t.parent, nodes.math)]
    return "".join(parts)


def description(meta: dict[str, Any], doctree: nodes.document | None, default: str) -> str:
    """The page's `description` in its front matter, or else its first paragraph of text."""
    if meta.get("description"):
        return shorten(str(meta["description"]))
    if doctree is None:
        return default
    for section in doctree.findall(nodes.section):
        for child in section.children:
            if isinstance(child, nodes.paragraph) and len(plain(child)) > 60:
                return shorten(plain(child))
    return default


def head(title: str, told: str, url: str, image: str) -> str:
    """The meta elements of one page."""
    named = {"description": told, "twitter:card": "summary_large_image"}
    graph = {
        "og:title": title,
        "og:description": told,
        "og:type": "article",
        "og:site_name": "The Modality Gap",
        "og:url": url,
        "og:image": image,
        "og:image:width": "1200",
        "og:image:height": "630",
        "og:image:alt": f"{title}: a card with two clouds of points and the gap between them",
    }
    lines = [f'<meta name="{k}" content="{escape(v)}" />' for k, v in named.items()]
    lines += [f'<meta property="{k}" content="{escape(v)}" />' for k, v in graph.items()]
    return "\n".join(lines)


def add_head(
    app: Sphinx,
    pagename: str,
    _template: str,
    context: dict[str, Any],
    doctree: nodes.document | None,
) -> None:
    """Write the head of one page (`html-page-context`)."""
    base = app.config.html_baseurl
    title = re.sub(r"<[^>]+>", "", context.get("title") or app.config.html_title)
    told = description(context.get("meta") or {}, doctree, app.config.book_description)
    url = context.get("pageurl") or f"{base}{pagename}.html"
    policy = f'<meta http-equiv="Content-Security-Policy" content="{POLICY}" />'
    # The source files of the package share the book's card.
    shown = app.config.root_doc if pagename.startswith("_modules/") else pagename
    card = card_url(app, shown, app.config.html_title if shown != pagename else title)
    written = "\n".join((policy, FIRST_VISIT, head(title, told, url, card)))
    context["metatags"] = context.get("metatags", "") + "\n" + written


def point_launch_buttons_at_notebooks(
    _app: Sphinx,
    pagename: str,
    _template: str,
    context: dict[str, Any],
    _doctree: nodes.document | None,
) -> None:
    """Colab and Binder open the generated notebook; a page without one has no such buttons."""
    buttons = context.get("header_buttons", [])
    if not pagename.startswith("notebooks/"):
        buttons[:] = [b for b in buttons if b.get("label") != "launch-buttons"]
        return
    for group in buttons:
        if group.get("label") == "launch-buttons":
            for button in group["buttons"]:
                button["url"] = re.sub(r"\.md$", ".ipynb", button["url"])


def remove_thebe(app: Sphinx, _config: object) -> None:
    """Disconnect every listener of sphinx-thebe and drop its style sheet."""
    for listeners in app.events.listeners.values():
        listeners[:] = [x for x in listeners if not x.handler.__module__.startswith("sphinx_thebe")]
    styles = app.registry.css_files
    styles[:] = [x for x in styles if "thebe" not in x[0]]


def setup(app: Sphinx) -> dict[str, Any]:
    """Register with Sphinx."""
    app.add_config_value(
        "book_description",
        "The modality gap of vision-language models: what it is, where it comes from, what it "
        "costs, and how to close it without retraining.",
        "html",
    )
    app.connect("config-inited", remove_thebe)
    app.connect("html-page-context", add_head, priority=900)
    app.connect("html-page-context", point_launch_buttons_at_notebooks, priority=900)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
