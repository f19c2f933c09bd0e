"""The decision boundary between two texts under noise: why a distant image suffers more."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from gaputils._checks import as_generator
from gaputils.noise.perturbations import GaussianNoise
from gaputils.noise.robustness import robustness
from gaputils.pages.explorer.explorer import Explorer, explorer
from gaputils.pages.explorer.pictures import blank
from gaputils.plots.theme import COLOR
from gaputils.scoring import choice_costs

_TEXTS = torch.tensor([[-1.0, 0.0], [1.0, 0.0]], dtype=torch.float64)
_ASIDE = -0.5
_DRAWS = 40


def decision_boundary(
    *,
    distances: Sequence[float] = (0.0, 0.5, 1.0, 1.5, 2.0, 2.5, 3.0, 3.5, 4.0),
    variances: Sequence[float] = (0.05, 0.2, 0.5),
    seed: int = 0,
    face: str = "auto",
) -> Explorer:
    """Two texts, one image, and the boundaries that draws of the noise leave between the texts.

    `distances` of the image from the line through the texts (the gap), `variances` of the noise on
    each text (total, of both coordinates). The probability that the image keeps its text is exact.
    """

    def show(distance: float, variance: float) -> tuple[Any, str]:
        return _draw(distance, variance, seed)

    return explorer(
        show,
        description="Noise turns the decision boundary",
        names={"distance": "distance of the image", "variance": "noise variance"},
        start={"distance": distances[0], "variance": variances[1]},
        free={"distance": (0.0, 4.0), "variance": (0.01, 1.0)},
        face=face,
        colours=64,
        variance=variances,
        distance=distances,
    )


def _draw(distance: float, variance: float, seed: int) -> tuple[Any, str]:
    """The figure of one setting, and what it shows in words."""
    image = torch.tensor([[_ASIDE, distance]], dtype=torch.float64)
    kept = float(robustness(image, _TEXTS, GaussianNoise(variance))[0])
    noise = torch.randn(_DRAWS, 2, 2, generator=as_generator(seed), dtype=torch.float64)
    noisy = _TEXTS + noise * math.sqrt(variance / 2)
    flips = (choice_costs(image.expand(_DRAWS, -1), noisy, "euclidean").argmin(1) == 1).numpy()
    figure = blank(5.6, 3.9)
    ax = figure.add_axes((0.02, 0.03, 0.96, 0.88))
    for texts, flip in zip(noisy.numpy(), flips, strict=True):
        color, style = ("black", "--") if flip else ("0.75", "-")
        ax.axline(*_bisector(texts), color=color, linestyle=style, lw=0.8, alpha=0.7)
    ax.axvline(0, color=COLOR["gap"], lw=1.8, label="boundary without noise")
    for column, marker in enumerate("os"):
        ax.plot(*noisy[:, column].numpy().T, marker, color=COLOR["text"], ms=3, alpha=0.35)
    ax.plot(*_TEXTS.numpy().T, "s", color=COLOR["text"], ms=10, label="texts")
    ax.plot(*image[0].numpy(), "o", color=COLOR["image"], ms=11, label="image")
    ax.set(xlim=(-3, 3), ylim=(-1.4, 4.6), xticks=[], yticks=[])
    ax.set_title(f"keeps its text with probability {kept:.3f} (dashed: it flips)")
    ax.legend(loc="upper right", frameon=True)
    told = (
        f"An image at distance {distance:g} from two texts, noise variance {variance:g}: it keeps "
        f"its text with probability {kept:.3f}; {int(flips.sum())} of the {_DRAWS} boundaries "
        "drawn put it on the other side."
    )
    return figure, told


def _bisector(texts: Any) -> tuple[tuple[float, float], tuple[float, float]]:
    """Two points of the line of equal distance from two texts, (2, 2)."""
    middle, across = texts.mean(0), texts[1] - texts[0]
    along = np.array([-across[1], across[0]])
    first, second = middle, middle + along
    return (float(first[0]), float(first[1])), (float(second[0]), float(second[1]))
