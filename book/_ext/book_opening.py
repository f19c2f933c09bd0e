"""A page opens with its question and its picture; the code comes after them, folded.

A notebook has to compute before it can draw, so the cells that make the first figure stand above
it. On the site they follow it: question, figure, learn box, then what made the figure. Each
figure's code is one fold beneath its caption, and folds that follow each other are one.
"""

from __future__ import annotations

from typing import Any

from docutils import nodes
from sphinx.application import Sphinx

GLUE = "gu.pages.glue("
SOURCE, OUTPUT, CELL = "cell_code_source", "cell_code_output", "cell_code"
PICTURE, SET_UP, OTHER = "Code of this figure", "Parameters and imports", "Code"
TABLE, OUT = "The whole table", "What it returns"


def is_cell(node: nodes.Node) -> bool:
    """Whether this is an executed cell."""
    return isinstance(node, nodes.container) and node.get("nb_element") == CELL


def is_learn_box(node: nodes.Node) -> bool:
    """Whether this is the box that says what a page teaches."""
    return isinstance(node, nodes.admonition) and node.astext().startswith("What you will learn")


def is_fold(node: nodes.Node | None) -> bool:
    """Whether this is a cell that is folded whole."""
    return node is not None and is_cell(node) and node.get("hide_mode") == "all"


def parents(doctree: nodes.document) -> list[nodes.Element]:
    """Everything that has cells as children."""
    cells = [node for node in doctree.findall(nodes.container) if is_cell(node)]
    return list({id(cell.parent): cell.parent for cell in cells}.values())


def part(cell: nodes.container, kind: str) -> list[nodes.Element]:
    """The cell's sources or outputs."""
    return [child for child in cell.children if child.get("nb_element") == kind]


def tags(cell: nodes.container) -> list[str]:
    """The cell's tags."""
    return list((cell.get("cell_metadata") or {}).get("tags", []))


def fold(cell: nodes.container, name: str, children: list[nodes.Element]) -> nodes.container:
    """A cell like `cell` that is folded whole, under `name`."""
    folded = nodes.container(
        nb_element=CELL,
        classes=list(cell["classes"]),
        cell_metadata=cell.get("cell_metadata"),
        hide_mode="all",
        prompt_show=name,
        prompt_hide=name,
    )
    folded.source, folded.line = cell.source, cell.line
    folded.extend(children)
    return folded


def apart(cell: nodes.container) -> list[nodes.container]:
    """The cell as it is shown: what it drew, and its code in a fold beneath."""
    source, output = part(cell, SOURCE), part(cell, OUTPUT)
    if not source:
        return [cell]
    if "hide-output" in tags(cell):
        cell["prompt_show"] = cell["prompt_hide"] = TABLE if has_table(output) else OUT
        return [cell]
    if "parameters" in tags(cell):
        return [fold(cell, SET_UP, source)]
    if cell.get("hide_mode") == "all" and not output and GLUE in source[0].astext():
        return []  # it only puts numbers into sentences
    if cell.get("hide_mode") == "all":
        name = SET_UP if not output else TABLE if has_table(output) else OTHER
        return [fold(cell, name, source + output)]
    if cell.get("hide_mode") != "input":
        return [cell]
    cell.children = []
    folded = fold(cell, PICTURE if has_figure(output) else OTHER, source)
    if not output:
        return [folded]
    del cell["hide_mode"]
    cell.extend(output)
    return [cell, folded]


def has_figure(parts: list[nodes.Element]) -> bool:
    """Whether a figure with a caption is among these."""
    return any(any(True for _ in one.findall(nodes.figure)) for one in parts)


def has_table(parts: list[nodes.Element]) -> bool:
    """Whether an HTML table is among these."""
    return any("<table" in raw.astext() for one in parts for raw in one.findall(nodes.raw))


def name_of(names: list[str]) -> str:
    """What several folds are called when they are one."""
    return max(names, key=(OTHER, TABLE, SET_UP, PICTURE).index)


def joined(cells: list[nodes.Node]) -> list[nodes.Node]:
    """The same with folds that follow each other made one."""
    out: list[nodes.Node] = []
    for node in cells:
        before = out[-1] if out else None
        if before is not None and all(
            is_cell(n) and n.get("hide_mode") == "all" for n in (before, node)
        ):
            before.extend(node.children)
            name = name_of([before["prompt_show"], node["prompt_show"]])
            before["prompt_show"] = before["prompt_hide"] = name
        else:
            out.append(node)
    return out


def picture_first(section: nodes.section) -> None:
    """Put the cells above the first figure of a page's opening under it and its learn box."""
    children = list(section.children)
    drawn = [i for i, c in enumerate(children) if is_cell(c) and has_figure(part(c, OUTPUT))]
    boxes = [i for i, c in enumerate(children) if is_learn_box(c)]
    goal = max(drawn[:1] + boxes[:1], default=None)
    if goal is None:
        return
    first = drawn[0] if drawn else goal
    moved = [c for c in children[: first + 1] if is_cell(c) and not has_figure(part(c, OUTPUT))]
    if drawn and first + 1 < len(children) and is_cell(children[first + 1]):
        moved.append(children[first + 1])  # the fold with the figure's own code
    stay = [c for c in children[: goal + 1] if c not in moved]
    section.children = []
    section.extend(stay + moved + [c for c in children[goal + 1 :] if c not in moved])


def arrange(_app: Sphinx, doctree: nodes.document) -> None:
    """Put the cells of one page into the order in which they are read (`doctree-read`)."""
    for parent in parents(doctree):
        shown: list[nodes.Node] = []
        for child in parent.children:
            shown += apart(child) if is_cell(child) else [child]
        parent.children = []
        parent.extend(shown)
    opening = next(iter(doctree.findall(nodes.section)), None)
    if opening is not None:
        picture_first(opening)
    for parent in parents(doctree):
        shown = joined(list(parent.children))
        parent.children = []
        parent.extend(shown)


def setup(app: Sphinx) -> dict[str, Any]:
    """Register with Sphinx."""
    app.connect("doctree-read", arrange, priority=100)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
