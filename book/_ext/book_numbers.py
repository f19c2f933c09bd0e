"""Numbers in sentences, set as numbers are: −0.8 and 1.5·10⁻⁶, and on one line with their error."""

from __future__ import annotations

import re
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx

from gaputils.pages import typeset


def typeset_numbers(app: Sphinx, tree: nodes.document, docname: str) -> None:
    """Set every glued number of a page (`doctree-resolved`)."""
    del app, docname
    for pasted in tree.findall(
        lambda n: "pasted-text" in getattr(n, "attributes", {}).get("classes", [])
    ):
        for text in list(pasted.findall(nodes.Text)):
            set_ = typeset(text.astext())
            if set_ != text.astext():
                text.parent.replace(text, nodes.Text(set_))


def hold_errors(app: Sphinx, tree: nodes.document, docname: str) -> None:
    """Let no line of prose break about a ± (`doctree-resolved`)."""
    del app, docname
    for text in list(tree.findall(nodes.Text)):
        if "±" in text and not isinstance(text.parent, nodes.FixedTextElement | nodes.literal):
            held = re.sub(r"\s±\s", "\N{NO-BREAK SPACE}±\N{NO-BREAK SPACE}", text.astext())
            text.parent.replace(text, nodes.Text(held))


def setup(app: Sphinx) -> dict[str, Any]:
    """Register with Sphinx."""
    app.connect("doctree-resolved", typeset_numbers)
    app.connect("doctree-resolved", hold_errors)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
