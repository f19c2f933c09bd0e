"""`gaputils-api`: the reference of every public name, read from the package itself."""

from __future__ import annotations

import importlib
import inspect
import re
import sys
from types import ModuleType
from typing import Any

from docutils import nodes
from docutils.statemachine import StringList
from sphinx.application import Sphinx
from sphinx.pycode import ModuleAnalyzer
from sphinx.util.docutils import SphinxDirective

# Rooms of the house in the order of the data's flow; others follow by name.
ROOMS = {
    "gaputils.embeddings": "Embeddings",
    "gaputils.datasets": "Data sets",
    "gaputils.templates": "Templates",
    "gaputils.models": "Models",
    "gaputils.embed": "Embedding",
    "gaputils.training": "Training",
    "gaputils.trajectory": "Training, recorded",
    "gaputils.geometry": "Geometry",
    "gaputils.statistics": "Statistics of streams",
    "gaputils.closing": "Closing",
    "gaputils.noise": "Noise",
    "gaputils.robustness": "Robustness",
    "gaputils.curves": "Robustness curves",
    "gaputils.tasks": "Tasks",
    "gaputils.theory": "Theory",
    "gaputils.sweep": "Sweeps",
    "gaputils.plots": "Figures",
    "gaputils.widgets": "Explorers",
    "gaputils.pages": "Pages",
}


# What scikit-learn's base class adds to each estimator.
INHERITED = "set_fit_request, set_transform_request, set_inverse_transform_request"


def members(module: ModuleType) -> list[str]:
    """The public names of a module: its `__all__`, or what it (or its package) defines."""
    if hasattr(module, "__all__"):
        return list(module.__all__)

    def own(thing: object) -> bool:
        home = getattr(thing, "__module__", "")
        inside = hasattr(module, "__path__") and home.startswith(module.__name__ + ".")
        return home == module.__name__ or inside

    return [n for n, thing in vars(module).items() if n[0] != "_" and own(thing)]


def public_names() -> dict[str, list[str]]:
    """Public names by the module in which they are documented, each object once."""
    package = importlib.import_module("gaputils")
    found: dict[str, list[str]] = {module: [] for module in ROOMS}
    seen: set[int] = set()
    modules = []
    for name in package.__all__:
        thing = getattr(package, name)
        if isinstance(thing, ModuleType) and not callable(thing):
            modules.append(thing)
            continue
        home = getattr(thing, "__module__", None) or "gaputils"
        parent = next((m for m in found if home == m or home.startswith(m + ".")), home)
        found.setdefault(parent, []).append(f"gaputils.{name}")
        seen.add(id(thing))
    for module in modules:
        for name in members(module):
            thing = getattr(module, name)
            if id(thing) not in seen and not isinstance(thing, ModuleType):
                found.setdefault(module.__name__, []).append(f"{module.__name__}.{name}")
                seen.add(id(thing))
    return {module: names for module, names in found.items() if names}


def heading(module: str) -> list[str]:
    """A room's title and the first sentence of its module's docstring."""
    title = ROOMS.get(module, module.rpartition(".")[2].replace("_", " ").capitalize())
    told = (importlib.import_module(module).__doc__ or "").strip().partition("\n\n")[0]
    lines = [gentle(line) for line in told.splitlines()] if module != "gaputils" else []
    return [title, "=" * len(title), "", *lines, ""]


def resolve(path: str) -> object:
    """The object behind a dotted path such as `gaputils.theory.simulate`."""
    parts = path.split(".")
    for cut in range(len(parts) - 1, 0, -1):
        try:
            thing: object = importlib.import_module(".".join(parts[:cut]))
        except ModuleNotFoundError:
            continue
        for part in parts[cut:]:
            thing = getattr(thing, part)
        return thing
    raise ValueError(f"path: expected an importable name, got {path!r}")


def entry(path: str) -> list[str]:
    """The reST lines that document one name."""
    thing = resolve(path)
    if inspect.isclass(thing):
        return [f".. autoclass:: {path}", "   :members:", f"   :exclude-members: {INHERITED}", ""]
    if callable(thing) or isinstance(thing, ModuleType):
        return [f".. autofunction:: {path}", ""]
    told = [f"   {gentle(line)}" for line in data_docstring(path.rpartition(".")[2], thing)]
    return [f".. py:data:: {path}", f"   :type: {type(thing).__name__}", "", *told, ""]


def data_docstring(name: str, thing: object) -> list[str]:
    """The lines written under a constant where it is defined."""
    for key, module in list(sys.modules.items()):
        if key.startswith("gaputils.") and vars(module).get(name) is thing:
            docs = ModuleAnalyzer.for_module(key).find_attr_docs()
            if ("", name) in docs:
                return docs["", name]
    return []


class Reference(SphinxDirective):
    """Write a section for every room that has public names."""

    def run(self) -> list[nodes.Node]:
        """Return the sections."""
        lines: list[str] = []
        for module, names in public_names().items():
            lines += heading(module)
            for name in names:
                lines += entry(name)
        holder = nodes.section()
        holder.document = self.state.document
        self.state.nested_parse(StringList(lines, "gaputils-api"), 0, holder, match_titles=True)
        for file in {inspect.getsourcefile(importlib.import_module(m)) for m in public_names()}:
            if file:
                self.env.note_dependency(file)
        return holder.children


# Literal text, roles, directives and formulas are left as they are; only the rest is escaped.
KEPT = re.compile(r"``.+?``|:[\w:]+:`[^`]+`|`[^`]+`_{0,2}|\$[^$\n]+\$", re.DOTALL)


def gentle(line: str) -> str:
    """One docstring line in which bars, stars and trailing underscores are plain text."""
    if line.lstrip().startswith(("..", ":", ">>>")):
        return line
    parts, last = [], 0
    for kept in KEPT.finditer(line):
        parts.append(escape(line[last : kept.start()]))
        text = kept.group()
        if text.startswith("$"):
            text = f":math:`{text[1:-1]}`"
        elif text.startswith("``"):
            text = f"``{text[2:-2].strip()}``"
        parts.append(text)
        last = kept.end()
    return "".join([*parts, escape(line[last:])])


def escape(text: str) -> str:
    """Escape what reST would take for markup, except emphasis of whole words."""
    text = re.sub(r"\|", r"\\|", text)
    text = re.sub(r"(?<!\*)\*(?![\w*][^*]*\*)(?<!\w\*)", r"\\*", text)
    return re.sub(r"(\w)_(?=\W|$)", r"\1\\_", text)


def soften(
    _app: Sphinx, _what: str, _name: str, _thing: Any, _options: Any, lines: list[str]
) -> None:
    """Let docstrings be written for people (`autodoc-process-docstring`)."""
    lines[:] = [gentle(line) for line in lines]


def plain_defaults(
    _app: Sphinx, _what: str, _name: str, _thing: Any, _options: Any, told: str, gives: str | None
) -> tuple[str, str | None] | None:
    """A dataclass's `<factory>` is no Python, and would keep the signature from being read."""
    return (told.replace("<factory>", "..."), gives) if told and "<factory>" in told else None


def setup(app: Sphinx) -> dict[str, Any]:
    """Register with Sphinx."""
    app.add_directive("gaputils-api", Reference)
    app.connect("autodoc-process-docstring", soften, priority=100)
    app.connect("autodoc-process-signature", plain_defaults)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
