"""Embedding beside the least that it takes: the bare encoder, and `clip-benchmark`'s classifier.

On the CPU both ways run on one thread. `GAP_BENCH_CLASSES` is the number of class names.
"""

from __future__ import annotations

import os

import pytest
import torch

import gaputils as gu
from gaputils.pages.speed import timing
from gaputils.pages.speed.contenders import classifier_calls, image_calls

CLASSES = int(os.environ.get("GAP_BENCH_CLASSES", "1000"))

pytestmark = pytest.mark.usefixtures("one_thread")


def load(device: str) -> gu.Model:
    return gu.load_model("tiny-openmoji", device=device, precision="fp32")


def test_a_classifier_beside_clip_benchmark(benchmark, record, device: str) -> None:
    calls = classifier_calls(CLASSES, load(device))
    ours, theirs = (call() for call in calls.values())
    torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-6)
    seconds = benchmark.pedantic(timing.compare_times, (calls,), {"rounds": 5}, rounds=1)
    beside = seconds["clip-benchmark"] / seconds["gaputils"]
    assert record(f"clip-benchmark's classifier, {CLASSES} names × 80", beside, "×") >= 3


def test_a_classifier_of_words_never_seen(benchmark, record, device: str) -> None:
    """The first call, with which both tokenizers begin with no word remembered."""
    ratios = []

    def measure() -> None:
        for _ in range(3):
            ours = classifier_calls(CLASSES, load(device))["gaputils"]
            theirs = classifier_calls(CLASSES, load(device))["clip-benchmark"]
            ratios.append(timing.seconds_of(theirs) / timing.seconds_of(ours))

    benchmark.pedantic(measure, rounds=1)
    name = f"clip-benchmark's classifier, {CLASSES} names × 80, words never seen"
    assert record(name, ratios, "×") >= 3


@pytest.mark.parametrize("batch_size", [64, 256])
def test_images_in_memory_beside_the_bare_encoder(
    benchmark, record, device: str, peaks: dict[str, float], batch_size: int
) -> None:
    count = len(gu.datasets.load("openmoji"))
    calls = image_calls(count, load(device), batch_size=batch_size)
    ours, bare = (call() for call in calls.values())
    expected = torch.nn.functional.normalize(bare, dim=1).cpu()
    torch.testing.assert_close(ours, expected, rtol=0, atol=1e-5 if device != "cpu" else 1e-6)
    seconds = benchmark.pedantic(timing.compare_times, (calls,), {"rounds": 21}, rounds=1)
    took = seconds["embed_images"]
    of = f"embed_images, {batch_size} a batch"
    share = timing.operations(calls["embed_images"]) / took / peaks["flops"]
    record(f"{of}: share of peak FLOP/s", share, "")
    ratio = record(f"{of} beside bare forward passes", took / seconds["bare forward passes"], "×")
    assert ratio <= 1.15
