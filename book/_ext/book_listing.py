"""`gaputils-listing`: the entries of all closings, or of all measures of rows, in the reference."""

from __future__ import annotations

import inspect
from typing import Any

from docutils import nodes
from docutils.statemachine import StringList
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from gaputils import closing, geometry
from gaputils.geometry import clouds, pairs


def closings() -> list[str]:
    """Every closing of the package, those that keep every answer first."""
    kinds = {name: one for name, one in closing.registered().items() if name in closing.__all__}
    order = sorted(kinds, key=lambda name: (not kinds[name]().preserves_ranking, name))
    return [f".. autoclass:: {name}" for name in order]


def measures() -> list[str]:
    """Every public function of rows in `geometry.clouds` and `geometry.pairs`."""
    homes = {clouds.__name__, pairs.__name__}
    public = {name: getattr(geometry, name) for name in geometry.__all__}
    functions = [name for name, one in public.items() if inspect.isfunction(one)]
    found = sorted(name for name in functions if public[name].__module__ in homes)
    return [f".. autofunction:: {name}" for name in found]


LISTINGS = {"closings": (closings, closing), "measures": (measures, geometry)}


class Listing(SphinxDirective):
    """Write the entries of one of `LISTINGS`."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """Return the entries."""
        entries, room = LISTINGS[self.arguments[0]]
        self.env.note_dependency(str(inspect.getsourcefile(room)))
        holder = nodes.section()
        holder.document = self.state.document
        self.state.nested_parse(StringList(entries(), "gaputils-listing"), 0, holder)
        return holder.children


def setup(app: Sphinx) -> dict[str, Any]:
    """Register with Sphinx."""
    app.add_directive("gaputils-listing", Listing)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
