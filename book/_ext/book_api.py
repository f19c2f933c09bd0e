"""`gaputils-api`: the reference of every public name, read from the package itself."""

from __future__ import annotations

import importlib
import inspect
import re
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

from docutils import nodes
from docutils.statemachine import StringList
from sphinx.application import Sphinx
from sphinx.pycode import ModuleAnalyzer
from sphinx.util.docutils import SphinxDirective

# Rooms of the house in the order of the data's flow: titles, and the modules that live there.
ROOMS: dict[str, tuple[str, ...]] = {
    "Embeddings": ("embeddings", "storage"),
    "Data sets": ("datasets",),
    "Models": ("models",),
    "Embedding a data set": ("encoding.embed", "encoding.to_folder"),
    "Geometry": ("geometry", "geometry.streaming"),
    "Closing": ("closing", "closing.mean_shift"),
    "Noise and robustness": ("noise", "scoring", "evaluation.curve"),
    "Tasks": ("tasks",),
    "Closings compared": ("evaluation.compare", "evaluation.protocol"),
    "Report on your own embeddings": ("evaluation.report",),
    "Theory": ("theory", "theory.sigmoid"),
    "Sweeps": ("sweep",),
    "Figures": ("plots",),
    "Pages": ("pages",),
}
EXPORT = re.compile(r"^from \.([\w.]+) import \w+ as (\w+)$", re.MULTILINE)

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
    """Public names by the module (without the package's name) that defines them, each object once.

    First come the modules of the rooms, in their order, then any that has none yet. Of a module
    whose own functions are exported by the package, those that are not are its own business.
    """
    package = importlib.import_module("gaputils")
    stub = Path(package.__file__ or "").with_suffix(".pyi").read_text(encoding="utf-8")
    exported: dict[str, list[str]] = {}
    for module, name in EXPORT.findall(stub):
        exported.setdefault(module, []).append(name)
    submodules = re.findall(r"^from \. import (\w+) as", stub, re.MULTILINE)
    listed = [module for modules in ROOMS.values() for module in modules]
    found: dict[str, list[str]] = {}
    seen: set[int] = set()
    for module in dict.fromkeys([*listed, *exported, *submodules]):
        names = found[module] = []
        for name in exported.get(module, []):
            seen.add(id(getattr(package, name)))
            names.append(f"gaputils.{name}")
        room = importlib.import_module(f"gaputils.{module}")
        whole = module in submodules or module not in exported or hasattr(room, "__all__")
        for name in members(room):
            thing = getattr(room, name)
            if not (whole or inspect.isclass(thing)) or isinstance(thing, ModuleType):
                continue
            if id(thing) not in seen:
                seen.add(id(thing))
                names.append(f"gaputils.{module}.{name}")
    return {module: names for module, names in found.items() if names}


def rooms() -> dict[str, list[str]]:
    """The modules of each section by its title; one that has no room is a section by itself."""
    placed = {title: list(modules) for title, modules in ROOMS.items()}
    known = {module for modules in placed.values() for module in modules}
    for module in public_names():
        if module not in known:
            placed[module.replace("_", " ").capitalize()] = [module]
    return placed


def introduction(module: str) -> list[str]:
    """The first paragraph of a module's docstring."""
    room = importlib.import_module(f"gaputils.{module}")
    told = (room.__doc__ or "").strip().partition("\n\n")[0]
    return [*(gentle(line) for line in told.splitlines()), ""]


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
        names = public_names()
        for title, modules in rooms().items():
            lines += [title, "=" * len(title), ""]
            for module in modules:
                lines += introduction(module)
                for name in names.get(module, []):
                    lines += entry(name)
        holder = nodes.section()
        holder.document = self.state.document
        self.state.nested_parse(StringList(lines, "gaputils-api"), 0, holder, match_titles=True)
        for module in names:
            file = inspect.getsourcefile(importlib.import_module(f"gaputils.{module}"))
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
