"""Numbers that the run puts into sentences, set as numbers are: −0.8 and 1.5·10⁻⁶."""

from __future__ import annotations

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


def setup(app: Sphinx) -> dict[str, Any]:
    """Register with Sphinx."""
    app.connect("doctree-resolved", typeset_numbers)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
