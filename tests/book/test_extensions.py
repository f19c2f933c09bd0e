"""The site's own extensions: what they make of pages and icons."""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
pytest.importorskip("sphinx", reason="the book's own packages are not installed")


@pytest.fixture
def extension(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Import one of the extensions by name."""
    monkeypatch.syspath_prepend(str(ROOT / "book" / "_ext"))
    yield importlib.import_module
    for name in [m for m in sys.modules if m.startswith("book_")]:
        del sys.modules[name]


def test_a_description_is_one_readable_sentence_or_two(extension: Any) -> None:
    shorten = extension("book_head").shorten
    assert shorten("Short  and\nplain.") == "Short and plain."
    long = shorten("word " * 100)
    assert len(long) <= 200
    assert long.endswith("word…")


def test_buttons_open_notebooks_and_only_where_there_is_one(extension: Any) -> None:
    head = extension("book_head")
    button = {"url": "https://colab/blob/main/notebooks/born.md"}
    context = {"header_buttons": [{"label": "launch-buttons", "buttons": [button]}]}
    head.point_launch_buttons_at_notebooks(None, "notebooks/born", "", context, None)
    assert button["url"].endswith("/born.ipynb")
    head.point_launch_buttons_at_notebooks(None, "book/api", "", context, None)
    assert context["header_buttons"] == []


def test_only_named_icons_are_kept(extension: Any, tmp_path: Path) -> None:
    scripts = tmp_path / "_static" / "scripts"
    scripts.mkdir(parents=True)
    icons = (
        'a={sun:[512,512,[9728],"f185","M1 2z"],'
        '"arrow-up":[384,512,[],"f062",["M3","M4"]],x:[1,2,[],"f00d","M5"]};'
    )
    (scripts / "fontawesome.js").write_text(icons)
    extension("book_landmarks").keep_used_icons(tmp_path, {"arrow-up"})
    kept = (scripts / "fontawesome.js").read_text()
    assert kept == 'a={"arrow-up":[384,512,[],"f062",["M3","M4"]],};'


def test_figures_are_lightened_once_and_look_the_same(extension: Any, tmp_path: Path) -> None:
    image = pytest.importorskip("PIL.Image")
    flat = image.new("RGB", (600, 400), "white")
    noisy = image.effect_noise((300, 400), 60).convert("RGB")
    flat.paste(noisy, (0, 0))
    flat.save(tmp_path / "figure.png", compress_level=0)
    before = (tmp_path / "figure.png").stat().st_size
    lighten = extension("book_cards").lighten
    lighten(tmp_path / "figure.png")
    once = (tmp_path / "figure.png").read_bytes()
    assert len(once) < before / 2
    with image.open(tmp_path / "figure.png") as seen:
        assert seen.size == (600, 400)
        assert seen.convert("RGB").getpixel((500, 200)) == (255, 255, 255)
    lighten(tmp_path / "figure.png")
    assert (tmp_path / "figure.png").read_bytes() == once


def test_cards_say_the_measured_headline_and_nothing_covers_it(extension: Any) -> None:
    pytest.importorskip("PIL.Image")
    cards = extension("book_cards")
    measured = json.loads((ROOT / "book" / "_data" / "headline.json").read_text())
    for size, row in measured["captions"].items():
        assert f"{size} captions: {row['original']:.3f} → {row['centred']:.3f}" in cards.headline()
    card = cards.draw_card("The modality gap: what it costs, and how to close it")
    assert card.size == cards.SIZE
    inked = card.crop((80, 425, 700, 540)).convert("L").point(lambda level: level < 128)
    assert inked.getbbox() is not None
    pen = cards.ImageDraw.Draw(card)
    title = pen.multiline_textbbox(
        (80, 70), "\n".join(["word"] * 4), font=cards.font(64, "bold"), spacing=18
    )
    told = pen.multiline_textbbox((80, 425), cards.headline(), font=cards.font(24), spacing=10)
    assert title[3] < told[1]
    assert told[3] < 560
    assert told[2] < cards.SIZE[0]


def test_the_print_heading_is_no_second_heading(extension: Any) -> None:
    html = '<h1>A</h1><div id="jb-print-docs-body" class="onlyprint">\n <h1>A</h1></div>'
    assert extension("book_landmarks").repair(html).count("<h1>") == 1


def test_a_changed_package_drops_the_executed_pages(extension: Any, tmp_path: Path) -> None:
    freshness = extension("book_freshness")
    (tmp_path / "gaputils").mkdir()
    module = tmp_path / "gaputils" / "a.py"
    module.write_text("x = 1")
    cache = tmp_path / "_build" / ".jupyter_cache"
    app = SimpleNamespace(srcdir=str(tmp_path))
    config = SimpleNamespace(nb_execution_cache_path="")

    def page_survives() -> bool:
        cache.mkdir(parents=True, exist_ok=True)
        (cache / "page").touch()
        freshness.drop_stale_cache(app, config)
        return (cache / "page").exists()

    assert not page_survives()
    assert page_survives()
    module.write_text("x = 2")
    assert not page_survives()


def test_single_file_links_stay_inside(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "tools"))
    target = importlib.import_module("single_file").target
    pages = {"notebooks/born", "book/api"}
    assert target("notebooks/born", "../book/api.html#gaputils.x", pages) == "#book-api--gaputils.x"
    assert target("notebooks/born", "#fig", pages) == "#notebooks-born--fig"
    assert target("book/api", "https://x.org/a", pages) == "https://x.org/a"
    assert target("book/api", "../genindex.html", pages).startswith("https://gaputils.github.io/")


def test_every_command_is_on_its_page(extension: Any) -> None:
    commands = extension("book_commands")
    assert commands.EXAMPLES.keys() == set(commands.get_command(commands.cli).commands)
    lines = commands.page(dict.fromkeys(commands.EXAMPLES, "told"))
    assert "``--n-components``" in lines
    assert "   Seed of everything random. Default: ``0``." in lines
    for name, line in commands.EXAMPLES.items():
        assert f"   $ {line}" in lines, name


def test_a_printed_table_keeps_its_rows_and_a_sentence_breaks(extension: Any) -> None:
    row, sentence = "a  " * 40, "word " * 40
    lines = list(extension("book_commands").as_printed(f"{row}\n\n{sentence}"))
    assert lines[:2] == [row, ""]
    assert len(lines) == 5
    assert " ".join(lines[2:]) == sentence.strip()
    wide = extension("book_commands").page(
        {**dict.fromkeys(extension("book_commands").EXAMPLES, ""), "close": row}
    )
    assert wide.count("   :class: gu-wide") == 1


@pytest.mark.nightly
def test_the_examples_of_the_commands_run(extension: Any) -> None:
    told = extension("book_commands").examples()
    assert "MeanShift()" in told["close"]
    assert "1000 queries" in told["embed"]


def test_glued_numbers_are_set_as_in_print_and_code_is_left(extension: Any) -> None:
    from docutils import nodes
    from docutils.utils import new_document

    page = new_document("page")
    page += nodes.inline("", "-1.5e-06", classes=["pasted-text"])
    page += nodes.literal("", "1e-6")
    extension("book_numbers").typeset_numbers(None, page, "page")
    assert page.astext().split() == ["−1.5·10⁻⁶", "1e-6"]


def test_no_line_of_prose_breaks_about_an_error(extension: Any) -> None:
    from docutils import nodes
    from docutils.utils import new_document

    page = new_document("page")
    number = nodes.inline("", "0.02", classes=["pasted-text"])
    page += nodes.paragraph("", "", number, nodes.Text(" ±\n"), number.deepcopy())
    page += nodes.literal_block("", "0.02 ± 0.02")
    extension("book_numbers").hold_errors(None, page, "page")
    assert [part.astext() for part in page] == ["0.02\xa0±\xa00.02", "0.02 ± 0.02"]


def cell(nodes: Any, name: str, *, figure: bool = False, **options: Any) -> Any:
    """An executed cell as myst-nb hands it on."""
    found = nodes.container(nb_element="cell_code", classes=[name], **options)
    source = nodes.container(nb_element="cell_code_source")
    found.append(source)
    if figure:
        found.append(nodes.container("", nodes.figure(), nb_element="cell_code_output"))
    return found


def test_a_page_opens_with_its_picture_and_folds_what_made_it(extension: Any) -> None:
    nodes = pytest.importorskip("docutils.nodes")
    opening = extension("book_opening")
    page = nodes.section("", nodes.title("", "Why?"), nodes.paragraph("", "The hook."))
    box = nodes.admonition("", nodes.title("", "What you will learn"))
    page += cell(nodes, "setup", hide_mode="all")
    page += cell(nodes, "parameters", cell_metadata={"tags": ["parameters"]})
    page += cell(nodes, "call")
    page += cell(nodes, "drawn", figure=True, hide_mode="input")
    page += [box, nodes.paragraph("", "The argument.")]
    document = nodes.document(None, None)
    document += page
    opening.arrange(None, document)
    seen = [c["classes"][0] if opening.is_cell(c) else type(c).__name__ for c in page.children]
    assert seen == [
        "title",
        "paragraph",
        "drawn",
        "admonition",
        "setup",
        "call",
        "drawn",
        "paragraph",
    ]
    folds = [c for c in page.children if c.get("hide_mode")]
    assert [f["prompt_show"] for f in folds] == [opening.SET_UP, opening.PICTURE]
    assert [len(f) for f in folds] == [2, 1]


@pytest.mark.parametrize(
    ("seconds", "told"),
    [(3, "less than 10 seconds"), (34, "about 30 seconds"), (151, "about 2.5 minutes")],
)
def test_a_time_is_told_as_one_says_it(extension: Any, seconds: float, told: str) -> None:
    assert extension("book_takes").spoken(seconds) == told


@pytest.mark.parametrize(
    ("written", "mended"),
    [
        ('<td class="x">-0.81</td>', '<td class="x">−0.81</td>'),
        ("<td>6.4e-15</td>", "<td>6.4·10<sup>−15</sup></td>"),
        ("<td>-9.3e+04</td>", "<td>−9.3·10<sup>4</sup></td>"),
        ("<td>e-mail</td>", "<td>e-mail</td>"),
        ('<th class="col_heading">R@1</th>', '<th class="col_heading">R@1</th>'),
        ('<th class="col_heading">right@1</th>', '<th class="col_heading">right<wbr>@1</th>'),
        ("<td><p>✅</p></td>", "<td><p>done</p></td>"),
        (
            'to<a class="reference internal" href="#x"> Exercise</a>',
            'to <a class="reference internal" href="#x">Exercise</a>',
        ),
    ],
)
def test_numbers_are_set_as_numbers_and_links_begin_with_a_word(
    extension: Any, written: str, mended: str
) -> None:
    assert extension("book_landmarks").repair(written) == mended


def test_cells_that_only_fill_sentences_are_left_out(extension: Any) -> None:
    nodes = pytest.importorskip("docutils.nodes")
    glue = cell(nodes, "numbers", hide_mode="all")
    glue[0] += nodes.literal_block("", 'gu.pages.glue("a", 1)')
    assert extension("book_opening").apart(glue) == []


def test_a_fold_that_holds_a_table_says_so(extension: Any) -> None:
    nodes = pytest.importorskip("docutils.nodes")
    opening = extension("book_opening")

    def told(html: str, **options: Any) -> str:
        shown = cell(nodes, "shown", **options)
        output = nodes.container(nb_element="cell_code_output")
        output += nodes.raw("", html, format="html")
        shown += output
        return opening.apart(shown)[0]["prompt_show"]

    tags = {"cell_metadata": {"tags": ["hide-output"]}}
    assert told("<table><tr></tr></table>", hide_mode="all") == opening.TABLE
    assert told("<table><tr></tr></table>", **tags) == opening.TABLE
    assert told("<pre>4</pre>", hide_mode="all") == opening.OTHER
    assert told("<pre>4</pre>", **tags) == opening.OUT


def test_a_table_of_the_single_file_keeps_the_look_of_its_cells(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "tools"))
    (tmp_path / "a.html").write_text(
        "<article><style>#T_1_row0_col0, #T_1_row1_col0 {text-align: left}</style>"
        '<table id="T_1"><td id="T_1_row0_col0">x</td></table></article>'
    )
    found = importlib.import_module("single_file").article(tmp_path, "a", {"a"})
    rules = str(found.find("style").string)
    assert f"#{found.find('td')['id']}, #a--T_1_row1_col0 {{" in rules
