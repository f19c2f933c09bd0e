"""The book's opening figure: two clouds, and what closing does under three scorings."""

from __future__ import annotations

from typing import TYPE_CHECKING

import matplotlib.pyplot as plt
import pandas as pd

from gaputils import geometry
from gaputils.embeddings import Embeddings
from gaputils.pages import SCORING_WORDS
from gaputils.pages.intro import CLOSINGS, ORIGINAL
from gaputils.plots.theme import COLOR, WIDTH, closing_color

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_MARKERS = {"cosine": "o", "inner-product": "s", "euclidean": "^"}
_OFFSET = {"cosine": -0.22, "inner-product": 0.0, "euclidean": 0.22}


def story(embeddings: Embeddings, frame: pd.DataFrame) -> Figure:
    """The clouds of `embeddings` above the headline `frame`, one panel a number of captions."""
    figure, axes = plt.subplot_mosaic(
        [["gap", "gap"], ["few", "many"]], figsize=(WIDTH, 5.0), height_ratios=(1, 1.25)
    )
    two_clouds(geometry.principal_coordinates(embeddings), axes["gap"]).set_title("the gap")
    sizes = sorted(frame["captions"].unique())
    for key, size in zip(("few", "many"), (sizes[0], sizes[-1]), strict=True):
        survival_points(frame[frame["captions"] == size], axes[key])
        axes[key].set_title(f"{size} captions")
    axes["many"].set_yticklabels([])
    axes["many"].sharex(axes["few"])
    figure.supxlabel("share of answers that survive the noise", fontsize="medium")
    axes["many"].legend(
        *axes["few"].get_legend_handles_labels(), loc="center right", fontsize="small"
    )
    return figure


def two_clouds(frame: pd.DataFrame, ax: Axes) -> Axes:
    """Images and texts on the first two of `principal_coordinates`, labelled where they lie."""
    for side, name, color in (
        ("queries", "images", COLOR["image"]),
        ("gallery", "texts", COLOR["text"]),
    ):
        part = frame[frame["side"] == side]
        ax.scatter(part["pc1"], part["pc2"], s=4, alpha=0.5, linewidths=0, color=color)
        place = part["pc1"].mean(), part["pc2"].max()
        ax.annotate(name, place, (0, 5), textcoords="offset points", ha="center", color=color)
    ax.set(xlabel="PC 1", ylabel="PC 2", xticks=[], yticks=[])
    ax.margins(0.12, 0.16)
    return ax


def survival_points(frame: pd.DataFrame, ax: Axes) -> Axes:
    """A row a closing, a marker a scoring; bars are two paired errors of the gain."""
    places = {name: float(index) for index, name in enumerate(CLOSINGS)}
    for scoring, label in SCORING_WORDS.items():
        part = frame[frame["scoring"] == scoring].set_index("closing").loc[list(CLOSINGS)]
        heights = [places[str(name)] + _OFFSET[scoring] for name in part.index]
        ax.errorbar(
            part["robustness"], heights, xerr=2 * part["gain_error"], fmt="none",
            ecolor="#333333", elinewidth=0.9,
        )  # fmt: skip
        filled = scoring == "cosine"
        colors = [closing_color(str(name)) for name in part.index]
        ax.scatter(
            part["robustness"],
            heights,
            s=26,
            marker=_MARKERS[scoring],
            facecolors=colors if filled else "white",
            edgecolors=colors,
            linewidths=1.2,
            zorder=3,
        )
        ax.scatter([], [], s=26, marker=_MARKERS[scoring], label=label, edgecolors="#333333",
                   facecolors="#333333" if filled else "white")  # fmt: skip
        start = float(part["robustness"].to_dict()[ORIGINAL])
        ax.plot([start, start], [-0.4, len(places) - 0.6], color="#cccccc", linewidth=0.8, zorder=0)
    ax.set_yticks(list(places.values()), [name.replace(", ", ",\n") for name in places])
    ax.tick_params(axis="y", length=0, labelsize="small")
    ax.invert_yaxis()
    ax.grid(visible=False)
    ax.locator_params(axis="x", nbins=4)
    return ax
