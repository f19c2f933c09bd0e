"""`gaputils-api`: the reference of every public name, read from the package itself."""

from __future__ import annotations

import importlib
import inspect
import re
from types import ModuleType
from typing import Any

from docutils import nodes
from docutils.statemachine import StringList
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

# Rooms of the house in the order of the data's flow: (title, module, one sentence).
ROOMS = (
    ("Embeddings", "gaputils.embeddings", "What every other room takes and gives."),
    ("Datasets", "gaputils.datasets", "From pictures and captions to items that can be embedded."),
    ("Models", "gaputils.models", "open_clip models, loaded and checked."),
    ("Embedding", "gaputils.embed", "From a model and a data set to embeddings."),
    ("Training", "gaputils.training", "The recipe of the small model that ships with the package."),
    ("Geometry", "gaputils.geometry", "The gap and its measures."),
    ("Statistics", "gaputils.statistics", "The same measures over a stream."),
    ("Closing", "gaputils.closing", "Ways to close the gap after training."),
    ("Noise", "gaputils.noise", "What is done to a gallery."),
    ("Robustness", "gaputils.robustness", "What noise does to each query's nearest neighbour."),
    ("Tasks", "gaputils.tasks", "From embeddings to predictions and accuracy."),
    ("Theory", "gaputils.theory", "Loss, gradient and training dynamics in closed form."),
    ("Vector index", "gaputils.index", "Closing inside a vector store."),
    ("Sweep", "gaputils.sweep", "Pages run over a grid of parameters."),
    ("Figures", "gaputils.plots", "Seaborn figures of tidy data."),
    ("Explorers", "gaputils.widgets", "Figures with controls, on the page and live."),
    ("Pages", "gaputils.pages", "What the book's pages need besides the science."),
)


def public_names() -> dict[str, list[str]]:
    """Public names by the module in which they are documented."""
    package = importlib.import_module("gaputils")
    found: dict[str, list[str]] = {module: [] for _, module, _ in ROOMS}
    for name in package.__all__:
        thing = getattr(package, name)
        if isinstance(thing, ModuleType):
            members = getattr(thing, "__all__", None) or [
                n
                for n, v in vars(thing).items()
                if not n.startswith("_") and getattr(v, "__module__", "") == thing.__name__
            ]
            found.setdefault(thing.__name__, []).extend(
                f"{thing.__name__}.{m}"
                for m in members
                if not isinstance(getattr(thing, m), ModuleType)
            )
        else:
            home = getattr(thing, "__module__", "gaputils")
            room = max((m for m in found if home.startswith(m)), key=len, default=home)
            found.setdefault(room, []).append(f"gaputils.{name}")
    return {room: list(dict.fromkeys(names)) for room, names in found.items()}


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
        return [f".. autoclass:: {path}", "   :members:", ""]
    if callable(thing):
        return [f".. autofunction:: {path}", ""]
    return [f".. autodata:: {path}", "   :no-value:", ""]


class Reference(SphinxDirective):
    """Write a section for every room that has public names."""

    def run(self) -> list[nodes.Node]:
        """Return the sections."""
        told = {module: (title, sentence) for title, module, sentence in ROOMS}
        lines: list[str] = []
        for module, names in public_names().items():
            if not names:
                continue
            title, sentence = told.get(module, (module, ""))
            lines += [title, "=" * len(title), "", sentence, ""]
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
        parts.append(f":math:`{text[1:-1]}`" if text.startswith("$") else text)
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
