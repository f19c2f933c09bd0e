"""What the package is timed against: each routine beside what one would write or install instead.

Every function makes its data once and gives calls by name, the package's own first, to hand to
`timing.compare_times` or, size by size, to `timing.growth`. Calls return what they computed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import torch
from sklearn.decomposition import PCA
from torch import Tensor

from gaputils._checks import integer
from gaputils.closing import MeanShift
from gaputils.datasets import load
from gaputils.datasets.base import TensorImages
from gaputils.encoding.embed import embed_classes, embed_images
from gaputils.evaluation.curve import robustness_curve
from gaputils.geometry.hull import principal_components
from gaputils.geometry.streaming import GapStatistics
from gaputils.noise.perturbations import GaussianNoise
from gaputils.noise.robustness import estimate, robustness
from gaputils.pages.example import clusters
from gaputils.pages.same_numbers import their_classifier
from gaputils.pages.speed.timing import Call
from gaputils.theory import contrastive_loss, simulate, two_clusters

if TYPE_CHECKING:
    from gaputils.models.model import Model

Device = str | torch.device


def robustness_calls(
    queries: int = 400,
    items: int = 10,
    dim: int = 512,
    *,
    variance: float = 0.04,
    draws: int = 100,
    device: Device = "cpu",
    scoring: str = "euclidean",
) -> dict[str, Call]:
    """Robustness of `clusters` "exact", and by "Monte Carlo": a batch of draws at a time."""
    noise = GaussianNoise(variance)
    q, g = (side.to(device) for side in clusters(queries, items, dim))
    return {
        "exact": lambda: robustness(q, g, noise, scoring=scoring),
        "Monte Carlo": lambda: estimate(q, g, noise, draws=draws, scoring=scoring),
    }


def curve_calls(
    alphas: int = 11,
    queries: int = 300,
    items: int = 200,
    dim: int = 512,
    *,
    variances: Sequence[float] = (0.005, 0.01, 0.04),
    device: Device = "cpu",
) -> dict[str, Call]:
    """Robustness at `alphas` steps of a shift: "one curve", "a loop" of transformations."""
    q, g = (side.to(device) for side in clusters(queries, items, dim))
    noises = [GaussianNoise(v) for v in variances]
    steps = np.linspace(0, 1, integer("alphas", alphas, low=2)).tolist()

    def curve() -> object:
        return robustness_curve(q, g, MeanShift(), steps, noises)

    def loop() -> list[float]:
        found: list[float] = []
        shift = MeanShift().fit(q, g)
        for alpha in steps:
            shift.alpha = alpha
            sides = shift.transform(q, g)
            found.extend(float(robustness(*sides, noise).mean()) for noise in noises)
        return found

    return {"one curve": curve, "a loop": loop}


def random_rows(count: int, dim: int = 512, *, device: Device = "cpu") -> Any:
    """Normal numbers (`count`, `dim`) in float32: NumPy's array on the CPU, else torch's tensor."""
    rows = np.random.default_rng(0).standard_normal((count, dim), dtype=np.float32)
    return rows if torch.device(device).type == "cpu" else torch.from_numpy(rows).to(device)


def moments_calls(rows: Any) -> dict[str, Call]:
    """Mean and covariance of `rows` (n, d): "GapStatistics"; "only the sum", block by block; and
    "mean and cov" of the library whose array it is, NumPy's (also a memory-mapped file) or torch's.
    """

    def streamed() -> object:
        statistics = GapStatistics(rows.shape[1])
        if isinstance(rows, Tensor):
            statistics = statistics.to(rows.device)
        statistics.update(queries=rows)
        return statistics.moments("queries")

    def summed() -> object:
        wide: Any = torch.float64 if isinstance(rows, Tensor) else np.float64
        return sum(rows[i : i + 4096].sum(0, dtype=wide) for i in range(0, len(rows), 4096))

    def library() -> object:
        if isinstance(rows, Tensor):
            return rows.mean(0), torch.cov(rows.T, correction=0)
        return rows.mean(0), np.cov(rows, rowvar=False, bias=True)

    return {"GapStatistics": streamed, "only the sum": summed, "mean and cov": library}


def classifier_calls(classes: int, model: Model) -> dict[str, Call]:
    """Embeddings of the first `classes` names of ImageNet in its 80 templates: by "gaputils" and by
    "clip-benchmark", which has to be installed. Raises `ValueError` for more names than there are.
    """
    import open_clip

    every = list(open_clip.IMAGENET_CLASSNAMES)
    names = every[: integer("classes", classes, low=1, high=len(every))]
    templates = [template("{}") for template in open_clip.OPENAI_IMAGENET_TEMPLATES]
    return {
        "gaputils": lambda: embed_classes(model, names, templates)[:, 0],
        "clip-benchmark": lambda: their_classifier(model, names, templates),
    }


def image_calls(images: int, model: Model, *, batch_size: int = 256) -> dict[str, Call]:
    """Embeddings of emoji held in memory: "embed_images", and "bare forward passes" over pixels
    that are already normalised. Raises `ValueError` for more `images` than there are emoji.
    """
    every = cast("TensorImages", load("openmoji").images).pixels
    pixels = every[: integer("images", images, low=1, high=len(every))]
    ready = model.normalize(pixels).to(model.device)

    @torch.inference_mode()
    def bare() -> Tensor:
        encode = cast("Callable[[Tensor], Tensor]", model.module.encode_image)
        return torch.cat([encode(batch) for batch in torch.split(ready, batch_size)])

    return {
        "embed_images": lambda: embed_images(model, TensorImages(pixels), batch_size=batch_size),
        "bare forward passes": bare,
    }


def simulation_calls(
    seeds: int = 32, steps: int = 100, n: int = 64, dim: int = 16, *, device: Device = "cpu"
) -> dict[str, Call]:
    """Free embeddings trained from `seeds` starts: "all seeds" as one tensor, "a loop over seeds",
    "one seed", and "one seed, autograd", the lines one would write first.
    """
    tau, lr = 0.5, 0.05
    x, y = (side.to(device) for side in two_clusters(seeds, n, dim, gap=2.0, spread=0.3))

    def run(a: Tensor, b: Tensor) -> Any:
        return simulate(a, b, tau=tau, lr=lr, steps=steps, record=2)

    def autograd() -> tuple[Tensor, Tensor]:
        a, b = x[0].clone().requires_grad_(), y[0].clone().requires_grad_()
        for _ in range(steps):
            slopes = torch.autograd.grad(contrastive_loss(a, b, tau), (a, b))
            with torch.no_grad():
                for side, slope in zip((a, b), slopes, strict=True):
                    side -= lr * slope
        return a.detach(), b.detach()

    return {
        "all seeds": lambda: run(x, y),
        "a loop over seeds": lambda: [run(a, b) for a, b in zip(x, y, strict=True)],
        "one seed": lambda: run(x[0], y[0]),
        "one seed, autograd": autograd,
    }


def hull_calls(items: int, dim: int = 256, *, device: Device = "cpu") -> dict[str, Call]:
    """Directions of a random gallery: "as in the package", by a "plain SVD", by its "Gram matrix",
    and the leading quarter of them by a "randomised" decomposition, which scikit-learn has on the
    CPU only.
    """
    drawn = torch.randn(items, dim, generator=torch.Generator().manual_seed(0))
    gallery = drawn.to(device)
    leading = PCA(max(1, min(items, dim) // 4), svd_solver="randomized", random_state=0)

    def centred() -> Tensor:
        wide = gallery.double()
        return wide - wide.mean(0)

    def gram() -> object:
        rows = centred()
        return torch.linalg.eigh(rows.T @ rows)

    return {
        "as in the package": lambda: principal_components(gallery),
        "plain SVD": lambda: torch.linalg.svd(centred(), full_matrices=False),
        "Gram matrix": gram,
        "randomised, a quarter": lambda: leading.fit(drawn.numpy()),
    }
