"""Searching emoji by caption: what noise does to the answer, before and after closing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from gaputils._checks import as_generator
from gaputils.closing import HullProjection, MeanShift
from gaputils.closing.base import Closing
from gaputils.closing.catalogue import fitted, moved
from gaputils.datasets import openmoji
from gaputils.evaluation.compare import compare_closings
from gaputils.models.model import Model
from gaputils.noise.perturbations import GaussianNoise
from gaputils.pages.explorer.explorer import Explorer, explorer
from gaputils.pages.explorer.pictures import blank
from gaputils.plots.theme import closing_color, ink
from gaputils.scoring import top_k

if TYPE_CHECKING:
    import pandas as pd

CAPTIONS = (
    "a photo of a cat face",
    "a photo of a dog face",
    "a photo of an airplane",
    "a photo of a frog",
    "a photo of a red apple",
    "a photo of a sailboat",
    "a photo of a birthday cake",
    "a photo of a rainbow",
    "a photo of a guitar",
    "a photo of a snowman",
)
_CLOSINGS: dict[str, Closing | None] = {
    "original": None,
    "mean shift": MeanShift(),
    "hull projection, scaled": HullProjection(radius=2),
}
_SHOWN = 5
_SIZE = 72


def emoji_retrieval(
    model: Model,
    *,
    captions: Sequence[str] = CAPTIONS,
    variances: Sequence[float] = (0.05, 0.2, 0.5),
    items: int = 150,
    seed: int = 0,
    face: str = "auto",
) -> Explorer:
    """The nearest emoji to a caption: without noise, and under one draw of noise on the gallery,
    with the original embeddings, the paper's shift, and the projection scaled to twice the
    circumradius.

    The gallery holds `items` emoji: those that `captions` name and others drawn with `seed`.
    `variances` are the noise's (total). Live, any caption can be typed.
    """
    rows = _gallery(captions, items, seed)
    names, known, gallery = _embedded(model, rows)
    large = _on_white(openmoji.drawings(_SIZE, rows)).permute(0, 2, 3, 1).numpy()
    closings = {name: fitted(closing, known, gallery) for name, closing in _CLOSINGS.items()}

    def show(caption: str, variance: float) -> tuple[Any, str]:
        query = model.encode_texts([caption])
        noise = GaussianNoise(variance)
        clean = top_k(query, gallery, _SHOWN, "euclidean")[0].tolist()
        listed = [("without noise", "original", clean)]
        compared = compare_closings(
            query, gallery, closings, {"": noise}, scorings=["euclidean"], bootstrap=0
        )
        kept = dict(zip(compared["closing"], compared["robustness"], strict=True))
        for name, closing in closings.items():
            found = _noisy(*moved(closing, query, gallery), noise, seed)
            listed.append((f"noise, {name}: {kept[name]:.2f}", name, found))
        return _draw(listed, large), _tell(caption, variance, names, listed, kept)

    return explorer(
        show,
        description="Nearest emoji to a caption",
        names={"variance": "noise variance"},
        start={"variance": variances[-1]},
        free={"caption": "text", "variance": (0.01, 1.0)},
        face=face,
        caption=captions,
        variance=variances,
    )


def emoji_gains(model: Model, variance: float, *, items: int = 150, seed: int = 0) -> pd.DataFrame:
    """`compare_closings` of `emoji_retrieval`'s ways of searching, by cosine and by distance.

    Every name of its gallery asks, and its own drawing is right.
    """
    _, known, gallery = _embedded(model, _gallery(CAPTIONS, items, seed))
    return compare_closings(
        known,
        gallery,
        _CLOSINGS,
        {"": GaussianNoise(variance)},
        targets=torch.arange(len(gallery)),
        scorings=["cosine", "euclidean"],
        seed=seed,
    )


def _embedded(model: Model, rows: Sequence[int]) -> tuple[list[str], Tensor, Tensor]:
    """The names of these emoji, a caption of each, and their drawings, both embedded."""
    names = [openmoji.catalogue()[row].names[0] for row in rows]
    pictures = _on_white(openmoji.drawings(model.image_size[0], rows))
    known = model.encode_texts([f"a photo of a {name}" for name in names])
    return names, known, model.encode_images(pictures)


def _gallery(captions: Sequence[str], items: int, seed: int) -> list[int]:
    """Rows of the catalogue: every emoji that a caption names, then others by chance."""
    emoji = openmoji.catalogue()
    named = [i for i, e in enumerate(emoji) if any(c.endswith(" " + e.names[0]) for c in captions)]
    others = torch.randperm(len(emoji), generator=as_generator(seed)).tolist()
    return list(dict.fromkeys([*named, *others]))[:items]


def _on_white(rgba: Tensor) -> Tensor:
    """Premultiplied drawings (n, 4, s, s) on white, uint8 (n, 3, s, s)."""
    return (rgba[:, :3].int() + 255 - rgba[:, 3:].int()).clamp(0, 255).to(torch.uint8)


def _noisy(query: Tensor, gallery: Tensor, noise: GaussianNoise, seed: int) -> list[int]:
    """The items nearest to the query under one draw of the noise."""
    _, noisy = noise.apply(query, gallery, as_generator(seed, gallery.device))
    return top_k(query, noisy, _SHOWN, "euclidean")[0].tolist()


def _draw(listed: list[tuple[str, str, list[int]]], pictures: Any) -> Any:
    """A strip of emoji for each way of searching; the noise-free answer is framed in each."""
    figure = blank(5.0, 4.4)
    first = listed[0][2][0]
    box = {"left": 0.02, "right": 0.98, "bottom": 0.02, "top": 0.93, "hspace": 0.45}
    for ax, (title, name, found) in zip(
        figure.subplots(len(listed), 1, gridspec_kw=box), listed, strict=True
    ):
        ax.set_title(
            title, loc="left", fontsize=10.5, color=ink(closing_color(name)), fontweight="bold"
        )
        ax.imshow(np.concatenate([_framed(pictures[i], i == first) for i in found], axis=1))
        ax.set_axis_off()
        ax.set_anchor("W")
    return figure


def _framed(picture: Any, framed: bool) -> Any:
    """One emoji (s, s, 3) with a white margin, and inside it a black frame if `framed`."""
    inner = np.pad(picture, ((3, 3), (3, 3), (0, 0)), constant_values=255)
    edged = np.pad(inner, ((2, 2), (2, 2), (0, 0)), constant_values=0 if framed else 255)
    return np.pad(edged, ((0, 0), (0, 40), (0, 0)), constant_values=255)


def _tell(
    caption: str,
    variance: float,
    names: list[str],
    listed: list[tuple[str, str, list[int]]],
    kept: dict[str, float],
) -> str:
    """What the figure shows, in words."""
    answers = [names[found[0]] for _, _, found in listed]
    return (
        f"“{caption}”, noise variance {variance:g}. Nearest without noise: {answers[0]}. Under one "
        f"draw of noise: {answers[1]} with the original embeddings, {answers[2]} after the shift, "
        f"{answers[3]} scaled. Probability that the first answer stays: "
        + ", ".join(f"{name} {value:.2f}" for name, value in kept.items())
        + "."
    )
