"""Every figure of the book's pages is named, described, captioned and spoken of."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import pytest

from gaputils import plots

jupytext = pytest.importorskip("jupytext", reason="reads the pages")

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted((ROOT / "notebooks").glob("*.md"))
DRAWS = re.compile(
    r"plt\.(subplots|figure|show)\(|plots\.(?!set_theme|COLOR|WIDTH)\w+\(|gu\.widgets\."
)


def cells(page: Path) -> list[Any]:
    """The page's cells."""
    return list(jupytext.read(page).cells)


# An explorer describes each of its pictures.
DESCRIBES_ITSELF = re.compile(
    r"training_dynamics|decision_boundary|published_closing|emoji_retrieval"
)


def figures(page: Path) -> list[tuple[dict[str, Any], str]]:
    """What the page says of each of its figures, and the code that draws it."""
    return [
        (cell.metadata["mystnb"], cell.source)
        for cell in cells(page)
        if "figure" in cell.metadata.get("mystnb", {})
    ]


def test_every_name_is_the_only_one_of_its_kind() -> None:
    names = [told["figure"]["name"] for page in PAGES for told, _ in figures(page)]
    assert len(names) > 50
    assert len(names) == len(set(names)), sorted(names)
    odd = [name for name in names if not re.fullmatch(r"fig-[a-z]+(-[a-z]+)+", name)]
    assert not odd, f"{odd}: a figure is called fig-page-what, in lower-case letters and hyphens"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_figure_is_described_captioned_and_referred_to(page: Path) -> None:
    text = "\n".join(cell.source for cell in cells(page) if cell.cell_type == "markdown")
    for told, code in figures(page):
        name = told["figure"]["name"]
        assert f"{{numref}}`{name}`" in text, name
        assert len(told["figure"]["caption"].split()) >= 8, name
        if not DESCRIBES_ITSELF.search(code):
            assert len(told["image"]["alt"].split()) >= 8, name


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_nothing_is_drawn_outside_of_a_figure(page: Path) -> None:
    for cell in cells(page):
        if cell.cell_type == "code" and DRAWS.search(cell.source):
            drawn = "figure" in cell.metadata.get("mystnb", {})
            assert drawn or "remove-cell" in cell.metadata.get("tags", []), cell.source


def test_stacked_panels_are_as_wide_as_a_figure_and_keep_one_legend_above() -> None:
    figure, axes = plots.stacked(2, 2.0, sharex=True)
    assert figure.get_size_inches().tolist() == [plots.WIDTH, 4.0]
    assert len(plots.stacked(1)[1]) == 1
    axes[0].plot([0, 1], label="a line")
    axes[0].legend()
    plots.legend_above(axes[0])
    assert axes[0].get_legend() is None
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["a line"]
    plt.close("all")
