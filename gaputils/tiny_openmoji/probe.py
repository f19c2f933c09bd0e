"""What is recorded of a training: the gap and what goes with it, on fixed images and captions."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from gaputils.datasets.openmoji import catalogue, openmoji
from gaputils.datasets.templates import SEEN
from gaputils.scoring import nearest
from gaputils.tiny_openmoji.checkpoints import MODEL_CONFIG

PAIRS = 512
DIM = int(MODEL_CONFIG["embed_dim"])
_TEMPLATE = SEEN[3]
_DIRECTIONS = 16


@dataclass(frozen=True)
class Probe:
    """Renderings that no step trains on, and one caption of every emoji.

    The first `PAIRS` images show emoji that are trained on, the others all those held out;
    `targets` (n,) holds each image's row among the `captions`.
    """

    pixels: Tensor
    targets: Tensor
    captions: tuple[str, ...]

    @classmethod
    def build(cls, size: int) -> Probe:
        generator = torch.Generator().manual_seed(48)
        known = openmoji("train", size=size, seed=1_000_001)
        new = openmoji("held-out", size=size, seed=1_000_002)
        some = torch.randperm(len(known), generator=generator)[:PAIRS]
        return cls(
            torch.cat([known.images.pixels[some], new.images.pixels]),  # type: ignore[attr-defined]
            torch.cat([known.targets[some], new.targets]),
            tuple(_TEMPLATE.replace("{}", emoji.names[0]) for emoji in catalogue()),
        )


def measure(images: Tensor, texts: Tensor, targets: Tensor, logit_scale: float) -> dict[str, float]:
    """One row of the trajectory from unit-norm embeddings of the probe.

    `images` (n, d), `texts` (m, d) of every name, `targets` (n,). The gap, the variances and the
    received mass are of the first `PAIRS` images and their own captions; each variance is the
    sum over a side's items of the squared deviation from its mean, divided by their number.
    """
    images, texts = images.double(), texts.double()
    right = nearest(images, texts, "inner-product") == targets
    x, y = images[:PAIRS], texts[targets[:PAIRS]]
    gap = y.mean(0) - x.mean(0)
    cosine = x @ y.T
    n = len(x)
    row = {
        "gap_norm": float(gap.norm()),
        "cosine_matched": float(cosine.diagonal().mean()),
        "cosine_unmatched": float((cosine.sum() - cosine.diagonal().sum()) / (n * (n - 1))),
        "mass_text": _mass_deviation(logit_scale * cosine),
        "mass_image": _mass_deviation(logit_scale * cosine.T),
        "top1": float(right[:PAIRS].double().mean()),
        "top1_held_out": float(right[PAIRS:].double().mean()),
        "logit_scale": logit_scale,
    }
    for side, points in (("image", x), ("text", y)):
        row |= {f"{name}_{side}": value for name, value in _variances(points, gap).items()}
    return row


def _mass_deviation(logits: Tensor) -> float:
    """Root mean square of 1 - S_i, S_i the softmax mass that candidate i receives."""
    received = logits.softmax(1).sum(0)
    return float((received - 1).square().mean().sqrt())


def _variances(points: Tensor, gap: Tensor) -> dict[str, float]:
    centred = points - points.mean(0)
    covariance = centred.T @ centred / len(points)
    along = gap / gap.norm()
    generator = torch.Generator().manual_seed(7)
    random = torch.randn(_DIRECTIONS, len(gap), generator=generator, dtype=gap.dtype)
    random -= (random @ along)[:, None] * along
    random /= random.norm(dim=1, keepdim=True)
    return {
        "variance_gap": float(along @ covariance @ along),
        "variance_random": float(((random @ covariance) * random).sum(1).mean()),
        "variance_leading": float(torch.linalg.eigvalsh(covariance)[-1]),
        "variance_total": float(covariance.trace()),
    }
