"""Words by which readers look for a page that spells them otherwise, or has them in passing.

Sphinx's search ranks a page by its titles and by the entries of its index. `book_search` in
`_config.yml` gives pages further entries; they count in the search and are not listed anywhere.
"""

from __future__ import annotations

from typing import Any

from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.util import logging

log = logging.getLogger(__name__)


def add_words(app: Sphinx, doctree: nodes.document) -> None:
    """Put the words of one page at its top (`doctree-read`)."""
    words = app.config.book_search.get(app.env.docname, [])
    if words:
        entries = [("single", word, "", "main", None) for word in words]
        doctree.insert(0, addnodes.index(entries=entries))


def check_pages(app: Sphinx, env: Any) -> None:
    """Warn of words for a page that is not there (`env-check-consistency`)."""
    for page in sorted(set(app.config.book_search) - env.found_docs):
        log.warning("book_search in _config.yml: expected a page of the book, got %s", page)


def setup(app: Sphinx) -> dict[str, Any]:
    """Register with Sphinx."""
    app.add_config_value("book_search", {}, "env", types=(dict,))
    app.connect("doctree-read", add_words)
    app.connect("env-check-consistency", lambda app, env: check_pages(app, env))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
