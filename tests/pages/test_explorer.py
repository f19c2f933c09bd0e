"""Explorers: the pictures, their order, the two faces, what is refused."""

from __future__ import annotations

import io
import re
from html import unescape
from typing import Any

import matplotlib.pyplot as plt
import pytest
import torch
from matplotlib.figure import Figure
from PIL import Image

import gaputils as gu
from gaputils import Embeddings
from gaputils.evaluation.compare import compare_blocks
from gaputils.pages.explorer import (
    decision_boundary,
    emoji_gains,
    explorer,
    frames,
    published_closing,
    training_dynamics,
)
from gaputils.pages.explorer.pictures import picture


def solid(level: int) -> Image.Image:
    return Image.new("RGB", (8, 6), (level, level, level))


def level_of(data: bytes) -> int:
    pixel = Image.open(io.BytesIO(data)).convert("L").getpixel((0, 0))
    assert isinstance(pixel, int)
    return pixel


def shade(row: int, column: int) -> tuple[Any, str]:
    return solid(20 * row + column), f"row {row}, column {column}"


def test_pictures_stand_in_the_order_of_the_controls() -> None:
    shown = explorer(shade, description="Shades", row=(0, 1, 2), column=(3, 5)).static()
    assert [level_of(p.data) for p in shown.pictures] == [3, 5, 23, 25, 43, 45]
    assert shown.strides == [2, 1]


def test_the_repr_tells_what_it_is_and_no_bytes() -> None:
    shown = frames([solid(0), solid(9)], ["none", "all"], description="gap closed", alt="A")
    assert repr(shown) == "Frames('gap closed', 2 pictures)"


def test_the_first_picture_shown_is_that_of_the_start_values() -> None:
    start = {"row": 2, "column": 5}
    made = explorer(shade, description="Shades", start=start, row=(0, 1, 2), column=(3, 5))
    html = made.static()._repr_html_()
    visible = [tag for tag in re.findall(r"<img[^>]*>", html) if " hidden" not in tag]
    assert len(visible) == 1
    assert "row 2, column 5" in visible[0]


def test_the_static_face_names_everything_a_screen_reader_needs() -> None:
    shown = frames([solid(i) for i in (0, 9)], ["none", "all"], description="gap <closed>", alt="A")
    html = shown._repr_html_()
    assert 'aria-label="gap &lt;closed&gt;"' in html
    (key,) = re.findall(r'<input type="range" id="([^"]+)"', html)
    assert f'<label for="{key}">gap &lt;closed&gt;</label>' in html
    assert 'aria-valuetext="none"' in html
    assert [unescape(x) for x in re.findall(r'alt="([^"]*)"', html)] == [
        "A (gap <closed>: none)",
        "A (gap <closed>: all)",
    ]


def test_ids_of_two_explorers_differ() -> None:
    made = frames([solid(0), solid(1)], ["a", "b"], description="x", alt="A")
    keys = re.findall(r'id="([^"]+)"', made._repr_html_() + made._repr_html_())
    assert len(keys) == len(set(keys)) == 2


def test_the_page_without_html_shows_one_picture() -> None:
    bundle = frames([solid(0), solid(1)], ["a", "b"], description="x", alt="A")._repr_mimebundle_()
    assert set(bundle) == {"text/html", "image/png"}


def test_a_dropdown_is_a_menu() -> None:
    html = frames(
        [solid(0), solid(1)], ["a", "b"], "dropdown", description="x", alt="A"
    )._repr_html_()
    assert html.count("<option") == 2
    assert "range" not in re.sub('oninput="[^"]*"', "", html)


def test_lossless_pictures_keep_few_colours_exactly() -> None:
    assert level_of(picture(solid(137), "A").data) == 137


def test_a_figure_made_by_pyplot_is_closed() -> None:
    figure, _ = plt.subplots()
    picture(figure, "A")
    assert not plt.fignum_exists(figure.number)


@pytest.mark.parametrize("kind", [Figure, lambda: Figure().subplots(), lambda: solid(3)])
def test_figures_axes_and_images_are_taken(kind: Any) -> None:
    assert picture(kind(), "A").mime == "image/webp"


def test_the_live_face_draws_again_when_a_control_moves() -> None:
    asked: list[tuple[int, int]] = []

    def note(row: int, column: int) -> tuple[Any, str]:
        asked.append((row, column))
        return shade(row, column)

    box = explorer(note, description="Shades", row=(0, 1), column=(3, 5)).live()
    assert asked == [(0, 3)]
    box.children[1].value = 5
    assert asked == [(0, 3), (0, 5)]
    assert "row 0, column 5" in box.children[-1].value


def test_live_picture_is_held_by_the_widget_and_changes_with_the_controls() -> None:
    box = explorer(shade, description="Shades", row=(0, 1), column=(3, 5)).live()
    shown = box.children[-2]
    before = shown.value
    box.children[0].value = 1
    assert shown.format == "png"
    assert Image.open(io.BytesIO(shown.value)).tobytes() != Image.open(io.BytesIO(before)).tobytes()


def test_free_arguments_take_values_between_the_listed_ones() -> None:
    def show(gap: float, name: str) -> tuple[Any, str]:
        return solid(0), f"{gap:.3f} {name}"

    made = explorer(
        show,
        description="x",
        free={"gap": (0.0, 2.0), "name": "text"},
        start={"gap": 1.0},
        gap=(0.5, 1.0),
        name=("a", "b"),
    )
    box = made.live()
    box.children[0].value = 1.24
    box.children[1].value = "anything"
    assert "1.240 anything" in box.children[-1].value


def test_extra_arguments_are_live_only() -> None:
    def show(row: int, column: int = 0) -> tuple[Any, str]:
        return shade(row, column)

    made = explorer(show, description="x", extra={"column": (7, 8)}, row=(0, 1))
    assert len(made.static().pictures) == 2
    box = made.live()
    assert "column 7" in box.children[-1].value


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"labels": ["a"]}, "labels"),
        ({"alt": ["only one"]}, "alt"),
        ({"control": "dial"}, "control"),
        ({"figures": [solid(0), 3]}, "figure"),
    ],
)
def test_frames_name_the_argument_that_is_wrong(change: dict[str, Any], named: str) -> None:
    given: dict[str, Any] = {
        "figures": [solid(0), solid(1)],
        "labels": ["a", "b"],
        "description": "x",
        "alt": "A",
    }
    with pytest.raises((TypeError, ValueError), match=named):
        frames(**{**given, **change})


def test_explorer_names_the_argument_that_is_wrong() -> None:
    with pytest.raises(ValueError, match="controls"):
        explorer(shade, description="x")
    with pytest.raises(ValueError, match="start"):
        explorer(shade, description="x", start={"row": 9}, row=(0, 1))
    with pytest.raises(ValueError, match="face"):
        explorer(shade, description="x", face="profile", row=(0, 1))


def probabilities(made: Any, pattern: str) -> list[float]:
    return [float(re.findall(pattern, p.alt)[0]) for p in made.static().pictures]


def test_a_distant_image_loses_its_text_more_often() -> None:
    made = decision_boundary(distances=(0.0, 2.0, 4.0), variances=(0.2, 0.4))
    kept = probabilities(made, r"probability ([\d.]+)")
    near_to_far, noisier = kept[:3], kept[3:]
    assert near_to_far == sorted(near_to_far, reverse=True)
    assert all(b < a for a, b in zip(near_to_far, noisier, strict=True))


def test_dynamics_tell_the_loss_of_the_step_they_show() -> None:
    made = training_dynamics(sphere=True, gaps=(0.5, 1.0), temperatures=(0.1, 0.2))
    losses = [
        float(re.findall(r"loss ([\d.e+-]+),", made.function(1.0, 0.1, step)[1])[0])
        for step in (0, 100, 4000)
    ]
    assert losses == sorted(losses, reverse=True)


def test_closing_gains_on_answerable_galleries_with_paired_errors() -> None:
    generator = torch.Generator().manual_seed(1)
    gallery = torch.nn.functional.normalize(torch.randn(8, 32, generator=generator) + 1.5)
    targets = torch.arange(40) % 8
    queries = gallery[targets] + 0.1 * torch.randn(40, 32, generator=generator) - 0.2
    e = Embeddings(queries, gallery, targets)
    made = published_closing(
        {"made up": e}, alphas=(0.0, 1.0), variances=(0.02, 0.05), items=(4, 8)
    )
    pattern = r"robustness ([\d.]+), where it was ([\d.]+) before, a gain of \+?([\d.]+)"
    found = [re.findall(pattern, p.alt)[0] for p in made.static().pictures]
    assert made.controls["m"] == (4, 8)
    for now, before, gain in [tuple(map(float, x)) for x in found]:
        assert now - before == pytest.approx(gain, abs=1.1e-3)
        assert gain >= 0
    assert any(float(gain) > 0.01 for _, _, gain in found)
    unit = Embeddings(*map(torch.nn.functional.normalize, (queries, gallery)), targets)
    noise = {"": gu.GaussianNoise(0.05)}
    wanted = compare_blocks(
        gu.answerable_blocks(unit, 4), {"shift": gu.MeanShift()}, noise, scorings=["euclidean"]
    ).iloc[0]
    told = made.function(1.0, 0.05, 4)[1]
    assert f"robustness {wanted['robustness']:.3f}," in told
    assert f"a gain of +{wanted['gain']:.3f} ± {wanted['gain_error']:.3f}." in told


@pytest.mark.parametrize(("available", "offered"), [(10, (5, 10)), (3, (2, 3)), (100, (10, 100))])
def test_a_small_gallery_still_has_two_sizes_to_choose_from(
    available: int, offered: tuple[int, ...]
) -> None:
    rows = torch.randn(available, 6)
    assert published_closing({"small": Embeddings(rows, rows)}).controls["m"] == offered


def test_a_gallery_of_one_item_has_nothing_to_search() -> None:
    with pytest.raises(ValueError, match=r"^embeddings: expected at least 3 items .*got 1"):
        published_closing({"one": Embeddings(torch.eye(3), torch.ones(1, 3))})


def test_gains_over_all_captions_of_the_emoji_in_the_gallery() -> None:
    model = gu.load_model("tiny-openmoji", step=200)
    weak, strong = (emoji_gains(model, variance, items=30) for variance in (1e-9, 0.5))
    assert weak["robustness"].min() > 0.999
    assert set(strong["scoring"]) == {"cosine", "euclidean"}
    for _, part in strong.groupby("scoring"):
        assert part["closing"].tolist() == ["original", "mean shift", "hull projection, scaled"]
        assert part["gain"].is_monotonic_increasing
        assert (part["gain_error"].iloc[1:] > 0).all()
    assert (strong["unchanged"] == 1).all()
