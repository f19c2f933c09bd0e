"""`gaputils-commands`: each command with its options, and an example run when the book is built."""

from __future__ import annotations

import contextlib
import inspect
import re
import tempfile
import textwrap
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from functools import cache
from itertools import zip_longest
from pathlib import Path
from typing import Any

from docutils import nodes
from docutils.statemachine import StringList
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective
from typer.main import get_command
from typer.testing import CliRunner

from gaputils.cli import app as cli
from gaputils.cli import commands

GRID = """\
sweeps:
  - page: page.md
    grid: {seed: [0, 1]}
"""
PAGE = """\
```{code-cell} ipython3
:tags: [parameters]

seed: int = 0
```
"""
WIDEST = 80  # letters that a page has room for
# In this order, in one folder: what a command writes, the next may read.
EXAMPLES: dict[str, str] = {
    "embed": "gaputils embed tiny-openmoji emoji10 -o pairs.safetensors",
    "report": "gaputils report pairs.safetensors --variance 0.5 --rows 200 --figure gap.png",
    "close": "gaputils close pairs.safetensors -o closed.npy --save closing.safetensors",
    "robustness": "gaputils robustness pairs.safetensors --variance 0.5 --closing MeanShift",
    "mix": "gaputils mix image=closed.queries.npy text=closed.npy --query closed.queries.npy "
    "-o mixed.npz",
    "sweep": "gaputils sweep grid.yml --out runs --dry-run",
    "train": "gaputils train my-model --steps 2 --batch-size 8 --keep 2",
}
ON = "book/command_line"
CODE = re.compile(r"(?<!`)`([^`]+)`(?!`)")


def examples() -> dict[str, str]:
    """What each command of `EXAMPLES` prints. Raises `RuntimeError` for one that fails."""
    told = {}
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        Path("grid.yml").write_text(GRID, encoding="utf-8")
        Path("page.md").write_text(PAGE, encoding="utf-8")
        for name, line in EXAMPLES.items():
            done = CliRunner().invoke(cli, line.split()[1:], env={"COLUMNS": str(WIDEST)})
            if done.exit_code:
                raise RuntimeError(f"{line}: {done.output}")
            told[name] = done.stdout.rstrip()
    return told


@cache
def running() -> Future[dict[str, str]]:
    """The `examples`, in a process beside, which takes what the reading of pages leaves idle."""
    pool = ProcessPoolExecutor(1)
    future = pool.submit(examples)
    pool.shutdown(wait=False)
    return future


def begin(_app: Sphinx, _env: Any, read: list[str]) -> None:
    """Run the examples if their page is among those that are `read` this time."""
    if ON in read:
        running()


def literal(text: str) -> str:
    """A line of help as reST: code marked as code, bars, stars and underscores as plain text."""
    parts = CODE.split(text)
    plain = (re.sub(r"([|*_\\])", r"\\\1", part) for part in parts[::2])
    code = (f"``{part}``" for part in parts[1::2])
    return "".join(part for pair in zip_longest(plain, code, fillvalue="") for part in pair)


def as_printed(text: str) -> Iterator[str]:
    """Its lines, long sentences broken as a terminal does; a table's rows have runs of blanks."""
    for line in text.splitlines():
        yield from [line] if "  " in line else textwrap.wrap(line, WIDEST) or [""]


def options(command: Any) -> Iterator[str]:
    """The reST lines of a command's arguments and options, each with its default."""
    for given in command.params:
        if given.name == "help" or getattr(given, "hidden", False):
            continue
        is_option = given.opts[0].startswith("-")
        name = " or ".join(f"``{one}``" for one in (*given.opts, *given.secondary_opts))
        name = name if is_option else f"``{given.name.upper()}``"
        told = [literal(" ".join((getattr(given, "help", None) or "").split()))]
        if given.required:
            told.append("Required.")
        elif given.default not in (None, [], ()) and not isinstance(given.default, bool):
            default = given.default
            values = default if isinstance(default, (list, tuple)) else [default]
            told.append(f"Default: {', '.join(f'``{value}``' for value in values)}.")
        yield from (name, f"   {' '.join(part for part in told if part) or 'See above.'}", "")


def page(told: dict[str, str]) -> list[str]:
    """The reST lines of all commands, with what their examples printed."""
    lines: list[str] = []
    for name, command in get_command(cli).commands.items():  # type: ignore[attr-defined]
        lines += [name, "=" * len(name), ""]
        for paragraph in inspect.cleandoc(command.help or "").split("\n\n"):
            lines += [literal(" ".join(paragraph.split())), ""]
        shown = [f"$ {EXAMPLES[name]}", *as_printed(told[name])]
        wide = ["   :class: gu-wide"] * any(len(line) > WIDEST for line in shown[1:])
        lines += [".. code-block:: console", *wide, "", *(f"   {line}" for line in shown), ""]
        lines += options(command)
    return lines


class Commands(SphinxDirective):
    """Write a section for every command."""

    def run(self) -> list[nodes.Node]:
        """Return the sections."""
        self.env.note_dependency(str(inspect.getsourcefile(commands)))
        holder = nodes.section()
        holder.document = self.state.document
        lines = StringList(page(running().result()), "gaputils-commands")
        self.state.nested_parse(lines, 0, holder, match_titles=True)
        return holder.children


def setup(app: Sphinx) -> dict[str, Any]:
    """Register with Sphinx."""
    app.add_directive("gaputils-commands", Commands)
    app.connect("env-before-read-docs", begin)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
