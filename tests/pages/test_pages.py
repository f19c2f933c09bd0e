"""What the pages need: values for the prose, tables, the opening figure, curves, an explorer."""

from __future__ import annotations

import builtins
import re

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
import torch

import gaputils as gu
from gaputils.pages import glue, guard, table, typeset
from gaputils.pages.explorer import emoji_retrieval, training_dynamics
from gaputils.pages.figures.intro import survival_points, two_clouds
from gaputils.pages.intro import CLOSINGS


@pytest.fixture
def ax():
    yield plt.figure().add_subplot()
    plt.close("all")


@pytest.mark.parametrize(
    ("value", "printed"),
    [
        (0.123456, "x = 0.1235"),
        (np.float32(2), "x = 2"),
        (torch.tensor(3), "x = 3"),
        ("a", "x = a"),
    ],
)
def test_without_the_book_a_value_is_printed(value, printed, monkeypatch, capsys) -> None:
    before = builtins.__import__

    def without_myst(name, *args, **kwargs):
        if name.startswith("myst_nb"):
            raise ModuleNotFoundError(name)
        return before(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without_myst)
    glue("x", value)
    assert capsys.readouterr().out == printed + "\n"


def test_in_the_book_a_value_is_registered(monkeypatch) -> None:
    import myst_nb

    kept = {}
    monkeypatch.setattr(myst_nb, "glue", lambda key, value, **_: kept.update({key: value}))
    glue("x", np.float64(0.5))
    assert kept == {"x": 0.5}


def test_values_that_no_sentence_can_show_are_refused() -> None:
    with pytest.raises(TypeError, match="value: expected a number or a string, got list"):
        glue("x", [1])
    with pytest.raises(ValueError, match="value: expected a finite number for 'x', got nan"):
        glue("x", float("nan"))


def test_a_table_formats_numbers_and_leaves_words() -> None:
    frame = pd.DataFrame({"word": ["a", "b"], "number": [0.12345, np.nan], "count": [1, 2]})
    html = table(frame).to_html()
    assert "0.123" in html
    assert "–" in html
    assert "text-align: left" in html
    assert "12.3%" in table(frame, {"number": "{:.1%}"}).to_html()


def test_a_table_has_no_plain_row_numbers_and_breaks_long_names() -> None:
    frame = pd.DataFrame({"certified_radius": [0.5]})
    assert "certified_<wbr>radius</th>" in table(frame).to_html()
    assert "row_heading" not in table(frame).to_html()
    assert "row_heading" in table(frame.rename_axis("run")).to_html()
    assert "row_heading" in table(frame.set_index(pd.Index(["shift"]))).to_html()


def test_a_table_of_cards_is_told_apart() -> None:
    frame = pd.DataFrame({"take": ["none"]})
    assert 'class="dataframe gu-cards"' in table(frame, cards=True).to_html()
    assert "gu-cards" not in table(frame).to_html()


def test_a_table_has_one_row_of_headings() -> None:
    frame = pd.DataFrame({"gap": [0.5, 0.4]})
    two = pd.MultiIndex.from_tuples([("CLIP", 10), ("CLIP", 20)], names=["model", "items"])
    for named in (frame.rename_axis("step"), frame.set_index(two)):
        head = table(named).to_html().partition("</thead>")[0]
        assert head.count("<tr>") == 1
        assert str(named.index.names[0]) in head


@pytest.mark.parametrize(
    ("plain", "printed"),
    [
        ("1.5e-06", "1.5·10⁻⁶"),
        ("-2e+10", "−2·10¹⁰"),
        ("-0.8 ± 0.1", "−0.8 ± 0.1"),
        ("(-.5)", "(−.5)"),
        ("ViT-B/16, 2022-08, 8-bit", "ViT-B/16, 2022-08, 8-bit"),
        ("-0.000 ± 0.002", "0.000 ± 0.002"),
        ("−0.00, -0.001 and -0", "0.00, −0.001 and 0"),
    ],
)
def test_numbers_are_set_as_in_print(plain: str, printed: str) -> None:
    assert typeset(plain) == printed


def test_a_table_sets_its_numbers_as_in_print() -> None:
    html = table(pd.DataFrame({"error": [-1.5e-6]}), "{:.1e}").to_html()
    assert "−1.5·10⁻⁶" in html


def test_a_table_holds_a_number_and_its_error_together() -> None:
    html = table(pd.DataFrame({"gain": ["0.862 (+0.037 ± 0.002), of it"]})).to_html()
    assert '0.862 <span class="gu-held">(+0.037 ±&nbsp;0.002),</span> of it' in html


def test_a_table_calls_scorings_as_people_do() -> None:
    frame = pd.DataFrame({"scoring": ["euclidean"], "inner-product": [-1e-5], 10: [1]})
    indexed = frame.set_index(pd.Index(["euclidean"], name="by"))
    for shown in (frame, indexed, pd.concat({"one": indexed})):
        html = table(shown).to_html()
        assert "inner product" in html
        assert "Euclidean" in html
        assert "euclidean" not in html
        assert ">0.000<" in html


def test_the_opening_clouds_are_named_where_they_lie(ax) -> None:
    frame = pd.DataFrame(
        {
            "pc1": [0.0, 0.2, 1.0, 1.2],
            "pc2": [0.0, 0.1, 0.0, 0.3],
            "side": ["queries"] * 2 + ["gallery"] * 2,
        }
    )
    two_clouds(frame, ax)
    names = {text.get_text(): text.xy for text in ax.texts}
    assert names["images"] == (pytest.approx(0.1), 0.1)
    assert names["texts"] == (pytest.approx(1.1), 0.3)


def test_the_headline_has_a_marker_a_closing_and_scoring(ax) -> None:
    names, scorings = list(CLOSINGS), ["cosine", "inner-product", "euclidean"]
    rows = [
        {"closing": name, "scoring": scoring, "robustness": 0.5 + i / 20 + j / 50, "gain_error": 0}
        for i, name in enumerate(names)
        for j, scoring in enumerate(scorings)
    ]
    survival_points(pd.DataFrame(rows), ax)
    drawn = [points.get_offsets()[:, 0] for points in ax.collections if len(points.get_offsets())]
    expected = [[0.5 + i / 20 + j / 50 for i in range(len(names))] for j in range(3)]
    found = [list(x) for x in drawn if len(x) == len(names)]
    assert found == [pytest.approx(values) for values in expected]
    assert ax.get_legend_handles_labels()[1] == ["cosine", "inner product", "Euclidean"]


def test_the_emoji_browser_finds_what_is_named_and_noise_moves_it() -> None:
    model = gu.load_model("tiny-openmoji", device="cpu")
    made = emoji_retrieval(
        model,
        captions=("a photo of a rainbow", "a photo of an airplane"),
        variances=(0.05, 0.5),
        items=12,
    )
    told = [picture.alt for picture in made.static().pictures]
    for text in told:
        named = "rainbow" if "rainbow”" in text else "airplane"
        assert f"Nearest without noise: {named}" in text
    kept = [[float(x) for x in re.findall(r"(?:original|shift|scaled) (\d\.\d+)", t)] for t in told]
    for little, much in (kept[:2], kept[2:]):
        assert all(b <= a for a, b in zip(little[-3:], much[-3:], strict=True))
    _, words = made.function("a photo of a guitar", 0.05)
    assert "“a photo of a guitar”" in words


def test_dynamics_in_the_plane_tell_the_start() -> None:
    made = training_dynamics(sphere=False, gaps=(0.5, 1.0), temperatures=(0.1, 0.2))
    assert made.function(1.0, 0.1, 0)[1].startswith("Start 1 apart, temperature 0.1, step 0: loss")


def test_guard_fails_the_page_s_own_run_alone() -> None:
    guard({"water is wet": True, "fire is cold": False}, own=False)
    guard({"water is wet": True}, own=True)
    told = r"no longer bears out: fire is cold; ice is hot\. .*guard=False$"
    with pytest.raises(AssertionError, match=told):
        guard({"fire is cold": False, "water is wet": True, "ice is hot": False}, own=True)
