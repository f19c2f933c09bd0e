"""`exercise-list`: links to every exercise of the book, page by page."""

from __future__ import annotations

from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective


class ExerciseList(nodes.General, nodes.Element):
    """Stands for the list until every page has been read."""


class Directive(SphinxDirective):
    """Leave the placeholder."""

    def run(self) -> list[nodes.Node]:
        """Return it."""
        return [ExerciseList("")]


def link(app: Sphinx, here: str, page: str, label: str, text: str) -> nodes.Element:
    """A reference from the page `here` to an exercise."""
    uri = app.builder.get_relative_uri(here, page) + f"#{label}"
    return nodes.reference("", "", nodes.inline("", text), refuri=uri, internal=True)


def by_page(app: Sphinx) -> dict[str, list[tuple[str, str]]]:
    """Labels and titles of the exercises of each page, pages in reading order."""
    found: dict[str, list[tuple[str, str]]] = {}
    for label, told in getattr(app.env, "sphinx_exercise_registry", {}).items():
        if told["type"].startswith("exercise"):
            words = told["node"][0].astext().removeprefix("Exercise").strip(" ()")
            found.setdefault(told["docname"], []).append((label, words or label))
    order = list(app.env.titles)
    read = [app.config.root_doc, *app.env.toctree_includes.get(app.config.root_doc, [])]
    return dict(
        sorted(
            found.items(),
            key=lambda x: (read.index(x[0]) if x[0] in read else 999, order.index(x[0])),
        )
    )


def fill(app: Sphinx, doctree: nodes.document, docname: str) -> None:
    """Put the list where the directive was (`doctree-resolved`)."""
    for holder in list(doctree.findall(ExerciseList)):
        written: list[nodes.Node] = []
        for page, exercises in by_page(app).items():
            title = app.env.titles[page].astext()
            uri = app.builder.get_relative_uri(docname, page)
            heading = nodes.reference("", "", nodes.strong("", title), refuri=uri, internal=True)
            items = [
                nodes.list_item("", nodes.paragraph("", "", link(app, docname, page, label, words)))
                for label, words in exercises
            ]
            written += [nodes.paragraph("", "", heading), nodes.bullet_list("", *items)]
        holder.replace_self(written)


def setup(app: Sphinx) -> dict[str, Any]:
    """Register with Sphinx."""
    app.add_node(ExerciseList)
    app.add_directive("exercise-list", Directive)
    app.connect("doctree-resolved", fill)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
