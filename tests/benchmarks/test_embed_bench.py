"""Embedding beside the least that it takes: the bare encoder, and `clip-benchmark`'s classifier.

Both ways run on one thread and in turn; the median of the rounds' ratios is held against the bound.
`GAP_BENCH_CLASSES` is the number of class names.
"""

from __future__ import annotations

import os
import statistics

import open_clip
import pytest
import torch

import gaputils as gu
from gaputils import timing
from gaputils.comparison import their_classifier
from gaputils.embed import embed_images

CLASSES = int(os.environ.get("GAP_BENCH_CLASSES", "1000"))
NAMES = list(open_clip.IMAGENET_CLASSNAMES)[:CLASSES]
TEMPLATES = [template("{}") for template in open_clip.OPENAI_IMAGENET_TEMPLATES]

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def model() -> gu.Model:
    return gu.load_model("tiny-openmoji", device="cpu")


def test_a_classifier_beside_clip_benchmark(model: gu.Model, benchmark, record) -> None:
    def theirs() -> torch.Tensor:
        return their_classifier(model, NAMES, TEMPLATES)

    def ours() -> torch.Tensor:
        return gu.embed_classes(model, NAMES, TEMPLATES)[:, 0]

    torch.testing.assert_close(ours(), theirs(), rtol=0, atol=1e-6)
    calls = {"gaputils": ours, "clip-benchmark": theirs}
    seconds = benchmark.pedantic(timing.compare_times, (calls,), {"rounds": 5}, rounds=1)
    ratio = timing.ratios(seconds, to="gaputils").loc["clip-benchmark", "ratio"]
    record(f"clip-benchmark's classifier, {len(NAMES)} names × {len(TEMPLATES)}", ratio, "×")
    assert ratio >= 3


def test_a_classifier_of_words_never_seen(benchmark, record) -> None:
    """The first call, with which both tokenizers begin with no word remembered."""
    ratios = []

    def measure() -> None:
        for _ in range(3):
            a, b = (gu.load_model("tiny-openmoji", device="cpu") for _ in range(2))
            theirs = timing.seconds_of(lambda: their_classifier(a, NAMES, TEMPLATES))  # noqa: B023
            ours = timing.seconds_of(lambda: gu.embed_classes(b, NAMES, TEMPLATES))  # noqa: B023
            ratios.append(theirs / ours)

    benchmark.pedantic(measure, rounds=1)
    record("clip-benchmark's classifier, words never seen", statistics.median(ratios), "×")
    assert statistics.median(ratios) >= 3


@pytest.mark.parametrize("batch_size", [64, 256])
def test_images_in_memory_beside_the_bare_encoder(
    model: gu.Model, benchmark, record, batch_size
) -> None:
    images = gu.datasets.load("openmoji").images
    mean, std = (torch.tensor(value)[:, None, None] for value in (model.mean, model.std))
    ready = (images.pixels.float() / 255 - mean) / std

    @torch.inference_mode()
    def bare() -> list[torch.Tensor]:
        return [model.module.encode_image(batch) for batch in ready.split(batch_size)]

    def ours() -> torch.Tensor:
        return embed_images(model, images, batch_size=batch_size)

    expected = torch.nn.functional.normalize(torch.cat(bare()), dim=1)
    torch.testing.assert_close(ours(), expected, rtol=0, atol=1e-6)
    calls = {"bare": bare, "embed": ours}
    seconds = benchmark.pedantic(timing.compare_times, (calls,), {"rounds": 21}, rounds=1)
    ratio = timing.ratios(seconds, to="bare").loc["embed", "ratio"]
    record(f"embed_images beside bare forward passes, {batch_size} a batch", ratio, "×")
    assert ratio <= 1.15
