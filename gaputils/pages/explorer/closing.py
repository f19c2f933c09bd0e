"""Closing the gap of real embeddings: the clouds move, the rankings stay, robustness rises."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import torch

from gaputils.closing import HullProjection, MeanShift
from gaputils.embeddings import Embeddings
from gaputils.evaluation.compare import compare_closings
from gaputils.evaluation.curve import robustness_curve
from gaputils.geometry import gap_vector
from gaputils.noise.perturbations import GaussianNoise
from gaputils.pages.explorer.explorer import Explorer, explorer
from gaputils.pages.explorer.pictures import blank
from gaputils.plots.theme import COLOR, closing_color

if TYPE_CHECKING:
    import pandas as pd
    from torch import Tensor

_GRID = tuple(0.125 * i for i in range(13))
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
    many of the gallery's first items are searched; of a gallery that has too few, half and all of
    them. Live, `components` limits what counts as the gallery's hull. Raises `ValueError` for a
    gallery of one item.
    """
    known = dict(embeddings)
    first = next(iter(known))
    sizes = _sizes(items, len(known[first].gallery))

    @lru_cache(maxsize=64)
    def fitted(model: str, m: int, components: str) -> tuple[Tensor, Tensor, MeanShift]:
        queries, gallery = _sides(known[model], m)
        shift = MeanShift(n_components=None if components == "all" else float(components))
        return queries, gallery, shift.fit(queries, gallery)

    @lru_cache(maxsize=64)
    def curve(model: str, m: int, variance: float, components: str) -> pd.DataFrame:
        queries, gallery, shift = fitted(model, m, components)
        return robustness_curve(queries, gallery, shift, _GRID, GaussianNoise(variance))

    @lru_cache(maxsize=64)
    def rivals(model: str, m: int, variance: float) -> dict[str, float]:
        queries, gallery, _ = fitted(model, m, "all")
        closings = {
            "hull projection": HullProjection(),
            "hull projection, scaled": HullProjection(radius=2),
        }
        noises = {"": GaussianNoise(variance)}
        frame = compare_closings(
            queries, gallery, closings, noises, scorings=["euclidean"], bootstrap=0
        )
        return dict(zip(frame["closing"], frame["robustness"], strict=True))

    def show(
        alpha: float, variance: float, m: int, model: str = first, components: str = "all"
    ) -> tuple[Any, str]:
        queries, gallery, shift = fitted(model, m, components)
        moved = gallery + alpha * shift.shift_.to(gallery)
        along = curve(model, m, variance, components)
        if alpha not in _GRID:
            noise = GaussianNoise(variance)
            at_alpha = robustness_curve(queries, gallery, shift, [alpha], noise)["robustness"]
            now = float(at_alpha.iloc[0])
        else:
            now = float(along["robustness"].iloc[_GRID.index(alpha)])
        return _draw(queries, gallery, moved, (alpha, now), along, rivals(model, m, variance))

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
    if available < 2:
        raise ValueError(f"embeddings: expected at least 2 items in the gallery, got {available}")
    sizes = tuple(m for m in items if m <= available)
    return sizes if len(sizes) > 1 else (available // 2, available)


def _sides(e: Embeddings, m: int) -> tuple[Tensor, Tensor]:
    """All queries, and the first `m` items of the gallery, of norm 1 to rounding."""
    queries, gallery = (torch.nn.functional.normalize(x) for x in (e.queries, e.gallery[:m]))
    return queries, gallery


def _plane(queries: Tensor, gallery: Tensor) -> Tensor:
    """Two axes, (d, 2): along the gap, and the gallery's widest direction across it."""
    gap = torch.nn.functional.normalize(gap_vector(queries, gallery), dim=0)
    spread = gallery - gallery.mean(0)
    across = torch.linalg.svd(spread - spread @ gap[:, None] * gap, full_matrices=False).Vh[0]
    return torch.stack([gap, across], dim=1)


def _draw(
    queries: Tensor,
    gallery: Tensor,
    moved: Tensor,
    now: tuple[float, float],
    along: pd.DataFrame,
    rivals: dict[str, float],
) -> tuple[Any, str]:
    """The figure of one setting, and what it shows in words."""
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
    right.plot(along["alpha"], along["robustness"], color=COLOR["shift"], label="mean shift")
    for name, value in rivals.items():
        right.axhline(value, color=closing_color(name), ls="--", lw=1.4, label=name)
    right.plot(*now, "o", color=COLOR["shift"], mec="black", ms=9)
    right.set(
        xlabel="how far closed (alpha)",
        ylabel="robustness",
        ylim=(min(_LOWEST, float(along["robustness"].min()) - 0.02), 1.005),
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
    start = float(along["robustness"].iloc[0])
    told = (
        f"{len(gallery)} captions searched, alpha {now[0]:.3g}: robustness {now[1]:.3f}, where it "
        f"was {start:.3f} before, {rivals['hull projection']:.3f} with the hull projection and "
        f"{rivals['hull projection, scaled']:.3f} scaled to twice the circumradius."
    )
    return figure, told
