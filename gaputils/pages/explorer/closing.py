"""Closing the gap of real embeddings: the clouds move, the rankings stay, robustness rises."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import torch
from torch.nn.functional import normalize

from gaputils.closing import Closing, HullProjection, MeanShift
from gaputils.embeddings import Embeddings
from gaputils.evaluation.compare import compare_blocks
from gaputils.evaluation.protocol import answerable_blocks, paired_gain
from gaputils.geometry import gap_vector
from gaputils.noise.perturbations import GaussianNoise
from gaputils.noise.robustness import robustness
from gaputils.pages import with_error
from gaputils.pages.explorer.explorer import Explorer, explorer
from gaputils.pages.explorer.pictures import blank
from gaputils.plots.theme import COLOR, closing_color

if TYPE_CHECKING:
    import pandas as pd
    from torch import Tensor

_GRID = tuple(0.125 * i for i in range(13))
_RIVALS: dict[str, Closing | None] = {
    "hull projection": HullProjection(),
    "hull projection, scaled": HullProjection(radius=2),
}
_LOWEST = 0.6  # of the robustness that is drawn, the same for all settings


def published_closing(
    embeddings: Mapping[str, Embeddings],
    *,
    alphas: Sequence[float] = (0.0, 0.25, 0.5, 0.75, 1.0, 1.5),
    variances: Sequence[float] = (0.005, 0.022, 0.04),
    items: Sequence[int] = (10, 100, 500),
    face: str = "auto",
) -> Explorer:
    """The paper's shift on real embeddings: both clouds, and exact robustness along the way.

    `embeddings` by the names of their models: the first is drawn beforehand, all can be chosen
    live. `alphas` say how far the gap is closed, `variances` are the noise's (total), `items` how
    many a gallery has; of what has too few, half and all of them. The robustness is a mean over
    disjoint galleries of so many items, each searched by the queries that it answers; the clouds
    are those of the first. Live, `components` limits what counts as a gallery's hull. Raises
    `ValueError` for a gallery of fewer than three items, or without targets.
    """
    known = {name: _unit(e) for name, e in embeddings.items()}
    first = next(iter(known))
    sizes = _sizes(items, len(known[first].gallery))

    @lru_cache(maxsize=64)
    def fitted(model: str, m: int, components: str) -> list[tuple[Tensor, Tensor, MeanShift]]:
        share = None if components == "all" else float(components)
        return [
            (e.queries, e.gallery, MeanShift(n_components=share).fit(e.queries, e.gallery))
            for e in answerable_blocks(known[model], m)
        ]

    @lru_cache(maxsize=256)
    def kept(model: str, m: int, variance: float, components: str, alpha: float) -> Tensor:
        noise = GaussianNoise(variance)
        return torch.cat(
            [
                robustness(queries, gallery + alpha * shift.shift_.to(gallery), noise)
                for queries, gallery, shift in fitted(model, m, components)
            ]
        )

    @lru_cache(maxsize=64)
    def rivals(model: str, m: int, variance: float) -> pd.DataFrame:
        blocks, noises = answerable_blocks(known[model], m), {"": GaussianNoise(variance)}
        return compare_blocks(blocks, _RIVALS, noises, scorings=["euclidean"])

    def show(
        alpha: float, variance: float, m: int, model: str = first, components: str = "all"
    ) -> tuple[Any, str]:
        queries, gallery, shift = fitted(model, m, components)[0]
        moved = gallery + alpha * shift.shift_.to(gallery)
        chosen = model, m, variance, components
        along = [float(kept(*chosen, at).mean()) for at in _GRID]
        now = kept(*chosen, alpha)
        others = rivals(model, m, variance).set_index("closing")
        figure = _draw(queries, gallery, moved, (alpha, float(now.mean())), along, others)
        return figure, _tell(m, alpha, now, kept(*chosen, 0.0), others)

    return explorer(
        show,
        description="Closing the gap of published embeddings",
        names={
            "m": "captions searched",
            "variance": "noise variance",
            "alpha": "how far closed (alpha)",
            "components": "share of variance kept as hull",
        },
        start={"variance": variances[-1], "m": sizes[0]},
        free={"alpha": (0.0, 1.5), "variance": (0.001, 0.2)},
        extra={"components": ("all", "0.99", "0.9", "0.5"), "model": tuple(known)},
        face=face,
        m=sizes,
        variance=variances,
        alpha=alphas,
    )


def _sizes(items: Sequence[int], available: int) -> tuple[int, ...]:
    """At least two numbers to choose from."""
    if available < 3:
        raise ValueError(f"embeddings: expected at least 3 items in the gallery, got {available}")
    sizes = tuple(m for m in items if m <= available)
    return sizes if len(sizes) > 1 else (max(2, available // 2), available)


def _unit(e: Embeddings) -> Embeddings:
    """The same task with rows of norm 1 to rounding; row i answers query i unless it is said."""
    return Embeddings(normalize(e.queries), normalize(e.gallery), e.targets)


def _plane(queries: Tensor, gallery: Tensor) -> Tensor:
    """Two axes, (d, 2): along the gap, and the gallery's widest direction across it."""
    gap = normalize(gap_vector(queries, gallery), dim=0)
    spread = gallery - gallery.mean(0)
    across = torch.linalg.svd(spread - spread @ gap[:, None] * gap, full_matrices=False).Vh[0]
    return torch.stack([gap, across], dim=1)


def _draw(
    queries: Tensor,
    gallery: Tensor,
    moved: Tensor,
    now: tuple[float, float],
    along: list[float],
    rivals: pd.DataFrame,
) -> Any:
    """The figure of one setting."""
    axes = _plane(queries, gallery)
    figure = blank(5.6, 3.6)
    left, right = figure.subplots(
        1, 2, gridspec_kw={"left": 0.05, "right": 0.98, "bottom": 0.16, "top": 0.84, "wspace": 0.5}
    )
    left.scatter(*(queries @ axes).T.numpy(), s=6, color=COLOR["image"], label="images")
    left.scatter(*(gallery @ axes).T.numpy(), s=6, color="0.8", label="captions before")
    left.scatter(*(moved @ axes).T.numpy(), s=8, marker="s", color=COLOR["text"], label="captions")
    left.set(xlabel="along the gap", ylabel="across", xticks=[], yticks=[])
    left.legend(
        loc="lower center",
        bbox_to_anchor=(0.5, 0.98),
        ncols=2,
        fontsize=10,
        handletextpad=-0.4,
        columnspacing=0.4,
    )
    right.plot(_GRID, along, color=COLOR["shift"], label="mean shift")
    for name, value in rivals["robustness"].items():
        right.axhline(value, color=closing_color(str(name)), ls="--", lw=1.4, label=name)
    right.plot(*now, "o", color=COLOR["shift"], mec="black", ms=9)
    right.set(
        xlabel="how far closed (alpha)",
        ylabel="robustness",
        ylim=(min(_LOWEST, min(along) - 0.02), 1.005),
    )
    right.legend(
        loc="lower right",
        bbox_to_anchor=(1.06, 0.98),
        ncols=2,
        fontsize=9,
        handlelength=1.2,
        handletextpad=0.5,
        columnspacing=0.8,
    )
    return figure


def _tell(m: int, alpha: float, now: Tensor, before: Tensor, rivals: pd.DataFrame) -> str:
    """What the figure shows, in words: gains with their paired errors over the queries."""
    gains = {"here": paired_gain(now, before)}
    gains |= {str(n): (row["gain"], row["gain_error"]) for n, row in rivals.iterrows()}
    told = {name: with_error(*gain, signed=True) for name, gain in gains.items()}
    return (
        f"{m} captions searched, by Euclidean distance, alpha {alpha:.3g}: robustness "
        f"{float(now.mean()):.3f}, where it was {float(before.mean()):.3f} before, a gain of "
        f"{told['here']}. The hull projection gains {told['hull projection']}, scaled to twice the "
        f"circumradius {told['hull projection, scaled']}."
    )
