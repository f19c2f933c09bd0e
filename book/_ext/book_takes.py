"""The learn box of a page says how long the page took when it was built."""

from __future__ import annotations

from typing import Any

from docutils import nodes
from myst_nb.sphinx_ import NbMetadataCollector
from sphinx.application import Sphinx


def spoken(seconds: float) -> str:
    """A duration as one says it."""
    if seconds < 10:
        return "less than 10 seconds"
    if seconds < 55:
        return f"about {round(seconds / 10) * 10} seconds"
    minutes = round(seconds / 30) / 2
    return "about a minute" if minutes == 1 else f"about {minutes:g} minutes"


def tell(app: Sphinx, doctree: nodes.document) -> None:
    """Add the time to the line that begins with "Needs" (`doctree-read`)."""
    told = NbMetadataCollector.get_exec_data(app.env, app.env.docname)
    seconds = told and told["runtime"]
    for box in doctree.findall(nodes.admonition):
        needs = box.children[-1]
        if seconds and needs.astext().startswith("Needs:"):
            line = f" {spoken(seconds)} on the machine that built this page."
            needs.extend([nodes.Text(" "), nodes.strong("", "Takes:"), nodes.Text(line)])


def setup(app: Sphinx) -> dict[str, Any]:
    """Register with Sphinx."""
    app.connect("doctree-read", tell)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
